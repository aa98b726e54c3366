//! Batch norm, with the residual sum and ReLU that may follow it.
//!
//! On the processor the three run as one kernel ([`crate::kernels::batch_norm`]); elsewhere they
//! are libtorch's operations. Both keep running statistics as PyTorch does: momentum 0.1 in its
//! convention (0.9 in the paper's), unbiased variance.

use tch::{Device, Kind, Tensor};

use super::nhwc::{bytes_of, empty_like, make_mut, slice};
use crate::aten;
use crate::kernels::batch_norm::{self as kernel, Affine, Gate, GradSums, InputGradient, Moments};
use crate::kernels::{Bf16, Element};
use crate::network::Mode;
use crate::parameters::{BufferId, ParamId, Parameters};
use crate::precision::widened;

/// Added to variances.
const EPSILON: f64 = 1e-5;
/// Weight of the newest batch in the running statistics.
pub(crate) const STATISTICS_MOMENTUM: f64 = 0.1;

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

/// What the backward pass needs of a forward pass.
#[derive(Debug)]
pub struct NormSaved {
    mode: Mode,
    z: Tensor,
    /// The output, where the gate of the ReLU cannot be recomputed from `z`.
    output: Option<Tensor>,
    relu: bool,
    statistics: Statistics,
}

impl NormSaved {
    /// Bytes that it keeps.
    pub fn bytes(&self) -> usize {
        let kept = 1 + usize::from(self.output.is_some());
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
    /// Of γ.
    pub scale: Tensor,
    /// Of β.
    pub shift: Tensor,
}

impl NormTap {
    fn of(sums: &[GradSums], mode: Mode) -> Self {
        let tensor = |values: fn(&GradSums) -> &[f32]| {
            let values: Vec<f32> = sums.iter().flat_map(values).copied().collect();
            let tensor = Tensor::from_slice(&values);
            if mode == Mode::Train { tensor } else { tensor.view([sums.len() as i64, -1]) }
        };
        Self { scale: tensor(|sums| &sums.scale), shift: tensor(|sums| &sums.shift) }
    }
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
    /// `[relu](norm(z) [+ residual])`, and what the backward pass needs.
    pub fn forward(
        &self,
        parameters: &Parameters,
        z: Tensor,
        residual: Option<&Tensor>,
        relu: bool,
        mode: Mode,
    ) -> (Tensor, NormSaved) {
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
    ) -> (Tensor, NormSaved) {
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
        let out = make_mut::<E>(&mut y);
        kernel::apply(slice::<E>(&z), &affine, residual.map(slice::<E>), relu, out);
        let saved = NormSaved {
            mode,
            z,
            output: residual.map(|_| y.shallow_clone()),
            relu,
            statistics: Statistics::Fused { mean: moments.mean, inv_std, affine },
        };
        (y, saved)
    }

    fn running(&self, parameters: &Parameters) -> Moments {
        let read = |id: BufferId| slice::<f32>(&parameters.buffers()[id.0]).to_vec();
        Moments { mean: read(self.mean), variance: read(self.variance) }
    }

    fn update_running(&self, parameters: &Parameters, batch: &Moments, rows: usize) {
        let unbiased = rows as f64 / (rows as f64 - 1.0).max(1.0);
        let update = |id: BufferId, values: &[f32], factor: f64| {
            let running = &parameters.buffers()[id.0];
            let moved = slice::<f32>(running).iter().zip(values).map(|(&running, &value)| {
                let value = f64::from(value) * factor;
                (f64::from(running) * (1.0 - STATISTICS_MOMENTUM) + value * STATISTICS_MOMENTUM)
                    as f32
            });
            let moved = Tensor::from_slice(&moved.collect::<Vec<_>>());
            // Running statistics are shared with all who have the parameters: libtorch writes them.
            running.shallow_clone().copy_(&moved);
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
    ) -> (Tensor, NormSaved) {
        let train = mode == Mode::Train;
        let (values, buffers) = (parameters.values(), parameters.buffers());
        let (mut y, mut mean, mut inv_std) = z.native_batch_norm(
            Some(&values[self.scale.0]),
            Some(&values[self.shift.0]),
            Some(&buffers[self.mean.0]),
            Some(&buffers[self.variance.0]),
            train,
            STATISTICS_MOMENTUM,
            EPSILON,
        );
        if let Some(residual) = residual {
            y += residual;
        }
        if relu {
            let _ = y.relu_();
        }
        if mode == Mode::Eval {
            mean = buffers[self.mean.0].shallow_clone();
            inv_std = (&buffers[self.variance.0] + EPSILON).rsqrt();
        }
        let saved = NormSaved {
            mode,
            z,
            output: (relu || residual.is_some()).then(|| y.shallow_clone()),
            relu,
            statistics: Statistics::Aten { mean, inv_std },
        };
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
        // Examples whose sums are taken together.
        let groups = if saved.mode == Mode::Train { 1 } else { saved.z.size()[0] as usize };
        let rows = z.len() / groups;
        let sums: Vec<GradSums> = make_mut::<E>(&mut grad)
            .chunks_exact_mut(rows)
            .zip(z.chunks_exact(rows))
            .enumerate()
            .map(|(group, (grad, z))| {
                let gate = gate.of(group * rows..(group + 1) * rows);
                kernel::grad_sums(grad, z, affine, mean, inv_std, gate)
            })
            .collect();
        // With an output gate `grad` is gated by now.
        let gate = if let Gate::Output(_) = gate { Gate::Open } else { gate };
        let map = match saved.mode {
            Mode::Train => {
                InputGradient::new(&sums[0], &affine.scale, mean, inv_std, z.len() / mean.len())
            }
            Mode::Eval => InputGradient::of_fixed_statistics(&affine.scale, mean),
        };
        let (input, residual) = if has_residual {
            let mut input = empty_like(&saved.z);
            let out = make_mut::<E>(&mut input);
            kernel::grad_input(out, Some(slice::<E>(&grad)), z, affine, &map, gate);
            (input, Some(grad))
        } else {
            kernel::grad_input(make_mut::<E>(&mut grad), None, z, affine, &map, gate);
            (grad, None)
        };
        NormBackward { input, residual, tap: NormTap::of(&sums, saved.mode) }
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
        let gamma = &parameters.values()[self.scale.0];
        let (input, scale, shift) = match saved.mode {
            Mode::Train => {
                aten::batch_norm_backward(&grad, &saved.z, gamma, mean, inv_std, EPSILON)
            }
            Mode::Eval => {
                let wide = |per_channel: &Tensor| per_channel.view([1, -1, 1, 1]);
                let normal = (widened(&saved.z) - wide(mean)) * wide(inv_std);
                let g = widened(&grad);
                let over_positions =
                    |x: &Tensor| x.sum_dim_intlist([2i64, 3].as_slice(), false, x.kind());
                let input = (&g * wide(&(gamma * inv_std))).to_kind(grad.kind());
                (input, over_positions(&(&g * normal)), over_positions(&g))
            }
        };
        let residual = has_residual.then_some(grad);
        NormBackward { input, residual, tap: NormTap { scale, shift } }
    }
}
