//! The scores of large matrices, of minibatches and of whole trainings, as fast as memory is read
//! or nearly so.
//!
//! The definitions are those of the other modules; what differs is the arithmetic. There a row is
//! computed in `f64`; here exponentials are `f32`, sixteen at a time, and what is small because
//! nearly everything cancels (`1 − p_y` of an example that the network is sure of) is summed
//! directly instead of subtracted. Against the `f64` way, over logits up to ±10⁴ and
//! probabilities down to 10⁻³⁸ (`tests/fast.rs`):
//!
//! * EL2N differs by at most 10⁻⁶ of itself where logits are within ±40, however small it is, and
//!   by at most 10⁻⁶ everywhere;
//! * loss differs by at most 10⁻⁶ of itself; L1, entropy and the margins by at most 10⁻⁶ of the
//!   larger of 1 and themselves;
//! * predicted classes, and so correctness and forgetting, are the same, and logit margins and
//!   AUM are exact.
//!
//! Matrices of `f16`, `bf16`, `f32` and `f64` are read where they are, without a copy. Numbers of
//! `f64` beyond the range of `f32` count as infinite. Kernels for AVX-512 and for AVX2 with FMA
//! and F16C are chosen when they are called; other processors get what the build's target has.
//!
//! ```
//! use datadiet_core::fast::{Matrix, logit_scores};
//! use half::f16;
//!
//! let logits = [2.0, 0.0, 0.0, /**/ 0.0, 1.0, 3.0].map(f16::from_f32);
//! let scores = logit_scores(Matrix::new(&logits, 3), &[0, 1])?;
//! assert_eq!(scores.predicted, [0, 2]);
//! # Ok::<(), datadiet_core::ScoreError>(())
//! ```

// Loops over lanes of several arrays: what the compiler turns into vector instructions.
#![allow(clippy::needless_range_loop)]

mod batch;
mod chunk;
mod columns;
mod direct;
mod el2n;
mod element;
mod exp;
mod isa;
mod matrix;
mod narrow;
mod probabilities;
mod scores;
mod sums;
mod trajectories;
mod walk;
mod wide;

pub use batch::BatchScores;
pub use el2n::{el2n, el2n_into};
pub use element::Element;
pub use matrix::Matrix;
pub use probabilities::{el2n_from_probs, prob_scores};
pub use scores::logit_scores;
pub use trajectories::{EpochError, TrajectoryScores};
