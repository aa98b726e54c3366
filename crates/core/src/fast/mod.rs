//! The kernels: sums of rows of logits or probabilities, sixteen numbers at a time, from which all
//! scores of a pass and of training dynamics are made.
//!
//! There is one arithmetic: matrices, minibatches and whole trainings go through the same walk, so
//! that the same logits have the same bits wherever they come from. Exponentials are `f32`; what is
//! small because nearly everything cancels (`1 − p_y` of an example that the network is sure of) is
//! summed directly instead of subtracted; what a row needs after its sums is done in `f64`. Against
//! scores in `f64` throughout, over logits up to ±10⁴ and probabilities down to 10⁻³⁸
//! (`tests/scores.rs`):
//!
//! * EL2N differs by at most 10⁻⁶ of itself where logits are within ±40, however small it is, and
//!   by at most 10⁻⁶ everywhere;
//! * loss differs by at most 10⁻⁶ of itself; L1, entropy and the margins by at most 10⁻⁶ of the
//!   larger of 1 and themselves;
//! * scores of training dynamics differ by at most 10⁻⁶ of the larger of 1 and themselves; TDDS, the
//!   spread of distances of up to 18, by at most 10⁻⁶ of the larger of 1 and the largest distance;
//! * predicted classes, and so correctness and forgetting, are the same, and logit margins and
//!   AUM are exact.
//!
//! Kernels for AVX-512 and for AVX2 with FMA and F16C are chosen when they are called, and both give
//! the same bits; other processors get what the build's target has, which without fused
//! multiplication differs in the last bits. The one exception is [`crate::el2n()`] on more than 32
//! classes with AVX-512, which takes a shorter way (`direct.rs`) than the EL2N of
//! [`crate::LogitScores`] and differs from that within the bounds above.

// Loops over lanes of several arrays: what the compiler turns into vector instructions.
#![allow(clippy::needless_range_loop)]

mod batch;
pub(crate) mod chunk;
pub(crate) mod columns;
#[cfg(target_arch = "x86_64")]
mod direct;
pub(crate) mod distribution;
pub(crate) mod el2n;
mod element;
pub(crate) mod exp;
pub(crate) mod labels;
mod matrix;
mod narrow;
mod probabilities;
pub(crate) mod squares;
pub(crate) mod sums;
pub(crate) mod tokens;
pub(crate) mod vector;
pub(crate) mod walk;
mod wide;

pub use batch::BatchScores;
pub use element::Element;
pub use matrix::Matrix;
pub(crate) use probabilities::log_margin;
