//! The data-dependent neural tangent kernel: the Gram matrix of the logits' gradients.
//!
//! `K[(i,k),(j,l)] = ⟨∇_w f_k(x_i), ∇_w f_l(x_j)⟩`, an (mK × mK) matrix over m examples and K
//! classes, evaluation mode, un-augmented images, 32-bit floats (Paul, Ganguli, Dziugaite 2021,
//! section 5). The gradients are never held: the matrix is a sum over layers, each from the layer's
//! inputs `a` and the gradients `δ` of its outputs, as in GraNd ([`crate::grand`]), whose squared
//! norms are `gᵀ K g` on the diagonal blocks, g being the error vector:
//!
//! ```text
//! linear       (δ_ik · δ_jl) (a_i · a_j + 1)
//! batch norm   products of dγ and of dβ, channel by channel
//! convolution  direct       products of the gradients of some output channels at a time
//!              similarity   Σ_{p,q} (a_ip · a_jq) (δ_ikp · δ_jlq), some examples at a time
//! ```
//!
//! One backward pass a class, all examples at once; where the gradients of all layers' outputs do
//! not fit the memory, the passes are repeated for some layers at a time. Rows go by example, then
//! class.

mod collector;
mod convolution;
mod gram;

pub use gram::logit_gram;
