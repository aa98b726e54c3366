//! Batch norm, with the residual sum and the activation that may follow it.
//!
//! On the processor the three run as one kernel (`fused.rs`); elsewhere they are libtorch's operations
//! (`aten.rs`). Both keep running statistics as PyTorch does, with the unbiased variance.

mod aten;
mod fused;

use datadiet_store::Activation;
use tch::{Device, Kind, Tensor};

use super::nhwc::bytes_of;
use crate::kernels::Bf16;
use crate::kernels::batch_norm::Affine;
use crate::network::Mode;
use crate::parameters::{BufferId, ParamId, Parameters};

/// Batch norm over the channels of N×C×H×W.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    /// Scale γ; none: 1, not trained.
    pub(crate) scale: Option<ParamId>,
    /// Shift β.
    pub(crate) shift: ParamId,
    /// Running mean.
    pub(crate) mean: BufferId,
    /// Running variance.
    pub(crate) variance: BufferId,
    /// Added to variances.
    pub(crate) epsilon: f64,
    /// Weight of the newest batch in the running statistics, as PyTorch counts.
    pub(crate) momentum: f64,
}

/// What the backward pass needs of a forward pass.
#[derive(Debug)]
pub(crate) struct NormSaved {
    mode: Mode,
    z: Tensor,
    /// What the slope of the activation is taken at, where it cannot be computed again from `z`: what
    /// went into it, or what came out of a ReLU.
    slope_at: Option<Tensor>,
    activation: Option<Activation>,
    statistics: Statistics,
}

impl NormSaved {
    /// Bytes that it keeps.
    pub(crate) fn bytes(&self) -> usize {
        let kept = 1 + usize::from(self.slope_at.is_some());
        kept * bytes_of(&self.z)
    }
}

#[derive(Debug)]
enum Statistics {
    Fused { mean: Vec<f32>, inv_std: Vec<f32>, affine: Affine },
    Aten { mean: Tensor, inv_std: Tensor },
}

/// Gradients of scale and shift, summed over positions.
///
/// In training mode they are summed over the batch too, C each: its statistics tie the examples
/// together. In evaluation mode every example has its own, N×C.
#[derive(Debug)]
pub struct NormTap {
    /// Of γ, trained or not.
    pub(crate) scale: Tensor,
    /// Of β.
    pub(crate) shift: Tensor,
}

/// What a backward pass gives.
#[derive(Debug)]
pub(crate) struct NormBackward {
    /// Gradient of the input.
    pub(crate) input: Tensor,
    /// Gradient of the residual; only where there was one.
    pub(crate) residual: Option<Tensor>,
    /// Gradients of the parameters.
    pub(crate) tap: NormTap,
}

impl BatchNorm {
    /// `[act](norm(z) [+ residual])`, and what the backward pass needs.
    pub(crate) fn forward(
        &self,
        parameters: &Parameters,
        z: Tensor,
        residual: Option<&Tensor>,
        activation: Option<Activation>,
        mode: Mode,
    ) -> (Tensor, NormSaved) {
        match (z.device(), z.kind()) {
            (Device::Cpu, Kind::Float) => {
                self.fused::<f32>(parameters, z, residual, activation, mode)
            }
            (Device::Cpu, Kind::BFloat16) => {
                self.fused::<Bf16>(parameters, z, residual, activation, mode)
            }
            _ => self.aten(parameters, z, residual, activation, mode),
        }
    }

    /// The gradients of input, residual and parameters, for the gradient of the output.
    /// `has_residual` as in the forward pass.
    pub(crate) fn backward(
        &self,
        parameters: &Parameters,
        saved: NormSaved,
        grad: Tensor,
        has_residual: bool,
    ) -> NormBackward {
        match (&saved.statistics, saved.z.kind()) {
            (Statistics::Fused { .. }, Kind::BFloat16) => {
                self.fused_backward::<Bf16>(saved, grad, has_residual)
            }
            (Statistics::Fused { .. }, _) => self.fused_backward::<f32>(saved, grad, has_residual),
            (Statistics::Aten { .. }, _) => {
                self.aten_backward(parameters, saved, grad, has_residual)
            }
        }
    }
}
