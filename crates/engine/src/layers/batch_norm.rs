//! Batch norm, with the residual sum and ReLU that may follow it.
//!
//! On the processor the three run as one kernel ([`crate::kernels::batch_norm`]); elsewhere they
//! are libtorch's operations. Both keep running statistics as PyTorch does: momentum 0.1 in its
//! convention (0.9 in the paper's), unbiased variance.

use tch::{Device, Kind, Tensor};

use super::nhwc::{empty_like, slice, slice_mut};
use crate::aten;
use crate::kernels::batch_norm::{self as kernel, Affine, Gate, InputGradient, Moments};
use crate::kernels::{Bf16, Element};
use crate::network::Mode;
use crate::parameters::{BufferId, ParamId, Parameters};

/// Added to variances.
const EPSILON: f64 = 1e-5;
/// Weight of the newest batch in the running statistics.
const MOMENTUM: f64 = 0.1;

/// Batch norm over the channels of N×C×H×W.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    /// Name of the layer, as in PyTorch's state dict.
    pub name: String,
    /// Scale γ.
    pub scale: ParamId,
    /// Shift β.
    pub shift: ParamId,
    /// Running mean.
    pub mean: BufferId,
    /// Running variance.
    pub variance: BufferId,
}

/// What the backward pass needs of a forward pass in training mode.
#[derive(Debug)]
pub struct NormSaved {
    z: Tensor,
    /// The output, where the gate of the ReLU cannot be recomputed from `z`.
    output: Option<Tensor>,
    relu: bool,
    statistics: Statistics,
}

#[derive(Debug)]
enum Statistics {
    Fused { mean: Vec<f32>, inv_std: Vec<f32>, affine: Affine },
    Aten { mean: Tensor, inv_std: Tensor },
}

/// Gradients of scale and shift, summed over batch and positions.
#[derive(Debug)]
pub struct NormTap {
    /// Of γ.
    pub scale: Tensor,
    /// Of β.
    pub shift: Tensor,
}

/// What a backward pass gives.
#[derive(Debug)]
pub struct NormBackward {
    /// Gradient of the input.
    pub input: Tensor,
    /// Gradient of the residual; only where there was one.
    pub residual: Option<Tensor>,
    /// Gradients of the parameters.
    pub tap: NormTap,
}

impl BatchNorm {
    /// `[relu](norm(z) [+ residual])`, and what the backward pass needs (training mode only).
    pub fn forward(
        &self,
        parameters: &Parameters,
        z: Tensor,
        residual: Option<&Tensor>,
        relu: bool,
        mode: Mode,
    ) -> (Tensor, Option<NormSaved>) {
        match (z.device(), z.kind()) {
            (Device::Cpu, Kind::Float) => self.fused::<f32>(parameters, z, residual, relu, mode),
            (Device::Cpu, Kind::BFloat16) => {
                self.fused::<Bf16>(parameters, z, residual, relu, mode)
            }
            _ => self.aten(parameters, z, residual, relu, mode),
        }
    }

    fn fused<E: Element>(
        &self,
        parameters: &Parameters,
        z: Tensor,
        residual: Option<&Tensor>,
        relu: bool,
        mode: Mode,
    ) -> (Tensor, Option<NormSaved>) {
        let gamma = slice::<f32>(&parameters.values()[self.scale.0]);
        let beta = slice::<f32>(&parameters.values()[self.shift.0]);
        let moments = match mode {
            Mode::Train => kernel::moments(slice::<E>(&z), gamma.len()),
            Mode::Eval => self.running(parameters),
        };
        if mode == Mode::Train {
            self.update_running(parameters, &moments, z.numel() / gamma.len());
        }
        let inv_std: Vec<f32> = moments
            .variance
            .iter()
            .map(|&variance| (f64::from(variance) + EPSILON).sqrt().recip() as f32)
            .collect();
        let affine = Affine::of_norm(gamma, beta, &moments.mean, &inv_std);
        let mut y = empty_like(&z);
        let out = slice_mut::<E>(&mut y);
        kernel::apply(slice::<E>(&z), &affine, residual.map(slice::<E>), relu, out);
        let saved = (mode == Mode::Train).then(|| NormSaved {
            z,
            output: residual.map(|_| y.shallow_clone()),
            relu,
            statistics: Statistics::Fused { mean: moments.mean, inv_std, affine },
        });
        (y, saved)
    }

    fn running(&self, parameters: &Parameters) -> Moments {
        let read = |id: BufferId| slice::<f32>(&parameters.buffers()[id.0]).to_vec();
        Moments { mean: read(self.mean), variance: read(self.variance) }
    }

    fn update_running(&self, parameters: &Parameters, batch: &Moments, rows: usize) {
        let unbiased = rows as f64 / (rows as f64 - 1.0).max(1.0);
        let update = |id: BufferId, values: &[f32], factor: f64| {
            let mut running = parameters.buffers()[id.0].shallow_clone();
            for (running, &value) in slice_mut::<f32>(&mut running).iter_mut().zip(values) {
                let value = f64::from(value) * factor;
                *running = (f64::from(*running) * (1.0 - MOMENTUM) + value * MOMENTUM) as f32;
            }
        };
        update(self.mean, &batch.mean, 1.0);
        update(self.variance, &batch.variance, unbiased);
    }

    /// The same with libtorch's operations, on any device.
    pub(crate) fn aten(
        &self,
        parameters: &Parameters,
        z: Tensor,
        residual: Option<&Tensor>,
        relu: bool,
        mode: Mode,
    ) -> (Tensor, Option<NormSaved>) {
        let train = mode == Mode::Train;
        let (values, buffers) = (parameters.values(), parameters.buffers());
        let (mut y, mean, inv_std) = z.native_batch_norm(
            Some(&values[self.scale.0]),
            Some(&values[self.shift.0]),
            Some(&buffers[self.mean.0]),
            Some(&buffers[self.variance.0]),
            train,
            MOMENTUM,
            EPSILON,
        );
        if let Some(residual) = residual {
            y += residual;
        }
        if relu {
            let _ = y.relu_();
        }
        let saved = train.then(|| NormSaved {
            z,
            output: (relu || residual.is_some()).then(|| y.shallow_clone()),
            relu,
            statistics: Statistics::Aten { mean, inv_std },
        });
        (y, saved)
    }

    /// The gradients of input, residual and parameters, for the gradient of the output.
    /// `has_residual` as in the forward pass.
    pub fn backward(
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

    fn fused_backward<E: Element>(
        &self,
        saved: NormSaved,
        mut grad: Tensor,
        has_residual: bool,
    ) -> NormBackward {
        let Statistics::Fused { mean, inv_std, affine } = &saved.statistics else { unreachable!() };
        let z = slice::<E>(&saved.z);
        let gate = match (&saved.output, saved.relu) {
            (_, false) => Gate::Open,
            (None, true) => Gate::Recompute,
            (Some(output), true) => Gate::Output(slice::<E>(output)),
        };
        let sums = kernel::grad_sums(slice_mut::<E>(&mut grad), z, affine, mean, inv_std, gate);
        // With an output gate `grad` is gated by now.
        let gate = if let Gate::Output(_) = gate { Gate::Open } else { gate };
        let rows = z.len() / mean.len();
        let map = InputGradient::new(&sums, &affine.scale, mean, inv_std, rows);
        let (input, residual) = if has_residual {
            let mut input = empty_like(&saved.z);
            let out = slice_mut::<E>(&mut input);
            kernel::grad_input(out, Some(slice::<E>(&grad)), z, affine, &map, gate);
            (input, Some(grad))
        } else {
            kernel::grad_input(slice_mut::<E>(&mut grad), None, z, affine, &map, gate);
            (grad, None)
        };
        let tap = NormTap {
            scale: Tensor::from_slice(&sums.scale),
            shift: Tensor::from_slice(&sums.shift),
        };
        NormBackward { input, residual, tap }
    }

    fn aten_backward(
        &self,
        parameters: &Parameters,
        saved: NormSaved,
        grad: Tensor,
        has_residual: bool,
    ) -> NormBackward {
        let Statistics::Aten { mean, inv_std } = &saved.statistics else { unreachable!() };
        let grad = match &saved.output {
            Some(output) if saved.relu => output.threshold_backward(&grad, 0.0),
            _ => grad,
        };
        let scale = &parameters.values()[self.scale.0];
        let (input, scale, shift) =
            aten::batch_norm_backward(&grad, &saved.z, scale, mean, inv_std, EPSILON);
        let residual = has_residual.then_some(grad);
        NormBackward { input, residual, tap: NormTap { scale, shift } }
    }
}
