//! Batch norm fused with the residual sum and the activation, over rows of channels (NHWC).
//!
//! Forward, with `z` the convolution's output, per channel `c`:
//!
//! ```text
//! y = act(z·scale + shift [+ residual]),    scale = γ/σ,   shift = β − μ·scale
//! ```
//!
//! Backward in training mode, with `g` the gradient in front of the activation, `x̂` the
//! normalised input and `m` the number of rows (Ioffe and Szegedy 2015):
//!
//! ```text
//! dβ = Σ g,   dγ = Σ g·x̂,   dz = scale·(g − dβ/m − x̂·dγ/m)
//! ```
//!
//! Sums run in `f32` over blocks of rows that fit the cache and in `f64` over blocks, so that they
//! are exact to rounding and do not depend on how work is shared out.

mod backward;
mod forward;
mod tile;

pub(crate) use backward::{Gate, GradSums, InputGradient, grad_input, grad_sums};
pub(crate) use forward::{Moments, apply, channel_sums, moments};

/// An affine map of each channel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Affine {
    /// Factors.
    pub(crate) scale: Vec<f32>,
    /// Offsets.
    pub(crate) shift: Vec<f32>,
}

impl Affine {
    /// The map of a batch norm with scale `gamma` and shift `beta`.
    pub(crate) fn of_norm(gamma: &[f32], beta: &[f32], mean: &[f32], inv_std: &[f32]) -> Self {
        let scale: Vec<f32> = gamma.iter().zip(inv_std).map(|(g, s)| g * s).collect();
        let shift = beta.iter().zip(mean).zip(&scale).map(|((b, m), s)| b - m * s).collect();
        Self { scale, shift }
    }
}
