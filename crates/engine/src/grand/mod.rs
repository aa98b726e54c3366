//! GraNd: the norm of each example's loss gradient over all parameters, exactly, without keeping a
//! single gradient.
//!
//! `GraNd(x, y) = ‖∇_w ℓ(p(w, x), y)‖₂` (Paul, Ganguli, Dziugaite 2021, definition 2.1), ℓ the
//! cross-entropy, evaluation mode, un-augmented image. In evaluation mode examples do not meet, so
//! that one forward and one backward pass of the *sum* of the losses give, at every layer, each
//! example's input `a` and the gradient `δ` of its loss with respect to the layer's output. The
//! squared norm is a sum over layers, and a layer's part needs `a` and `δ` alone:
//!
//! ```text
//! linear       dW = δ aᵀ              ‖dW‖² = ‖δ‖² ‖a‖²,   ‖db‖² = ‖δ‖²   δ in front of its factor
//! first layer  db = Σ_p δ_p           of a whitened one; its filters are not trained
//! batch norm   dγ = Σ_p δ_p x̂_p      dβ = Σ_p δ_p          p: positions, x̂: the normalised input
//! convolution  dW = Σ_p δ_p a_pᵀ      a_p: the K = C_in·k² inputs that the filter sees at p
//!    direct    form dW of one example (C_out × K), add its squares, forget it
//!    Gram      ‖dW‖² = Σ_{p,q} (a_pᵀ a_q)(δ_pᵀ δ_q)
//! ```
//!
//! With few positions and many channels the Gram form is much cheaper, with many positions the
//! direct one: `rule::choose` decides for every layer. Neither unfolds the input on the processor.
//!
//! The scope is a part of the score: [`ExampleNorms::all`] is over all parameters that the run trains at any
//! time, those that it has frozen by then too, so that the scores of two times compare; over the last
//! layer only it is another score (DeepCore's), [`ExampleNorms::last_layer`].
//!
//! Not here: expectation over initialisations, which is the mean over replicas.

mod convolution;
mod gram;
mod memory;
mod pass;
mod rule;
mod visitor;

pub(crate) use gram::sum_over_taps;
pub use memory::Batching;
pub use pass::{ExampleNorms, example_norms};
pub(crate) use pass::{bytes_of_an_example, last_layer_norms};
pub(crate) use rule::{padded_positions, positions};
