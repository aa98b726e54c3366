//! The layer on the processor, by the kernels of [`crate::kernels::batch_norm`].

use datadiet_store::Activation;
use tch::Tensor;

use super::{BatchNorm, NormBackward, NormSaved, NormTap, Statistics};
use crate::kernels::Element;
use crate::kernels::activation as activation_kernel;
use crate::kernels::batch_norm::{self as kernel, Affine, Gate, GradSums, InputGradient, Moments};
use crate::layers::nhwc::{empty_like, make_mut, slice};
use crate::network::Mode;
use crate::parameters::{BufferId, Parameters};

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

impl BatchNorm {
    pub(super) fn fused<E: Element>(
        &self,
        parameters: &Parameters,
        z: Tensor,
        residual: Option<&Tensor>,
        activation: Option<Activation>,
        mode: Mode,
    ) -> (Tensor, NormSaved) {
        let ones;
        let gamma = match self.scale {
            Some(scale) => slice::<f32>(&parameters.values()[scale.0]),
            None => {
                ones = vec![1.0; parameters.values()[self.shift.0].numel()];
                &ones
            }
        };
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
            .map(|&variance| (f64::from(variance) + self.epsilon).sqrt().recip() as f32)
            .collect();
        let affine = Affine::of_norm(gamma, beta, &moments.mean, &inv_std);
        let mut y = empty_like(&z);
        let out = make_mut::<E>(&mut y);
        let residual = residual.map(slice::<E>);
        let slope_at = match (residual, activation) {
            (Some(_), Some(activation)) if activation != Activation::Relu => {
                kernel::apply(slice::<E>(&z), &affine, residual, None, out);
                let before = std::mem::replace(&mut y, empty_like(&z));
                activation_kernel::apply(activation, slice::<E>(&before), make_mut(&mut y));
                Some(before)
            }
            _ => {
                kernel::apply(slice::<E>(&z), &affine, residual, activation, out);
                residual.map(|_| y.shallow_clone())
            }
        };
        let saved = NormSaved {
            mode,
            z,
            slope_at,
            activation,
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
                (f64::from(running) * (1.0 - self.momentum) + value * self.momentum) as f32
            });
            let moved = Tensor::from_slice(&moved.collect::<Vec<_>>());
            // Running statistics are shared with all who have the parameters: libtorch writes them.
            running.shallow_clone().copy_(&moved);
        };
        update(self.mean, &batch.mean, 1.0);
        update(self.variance, &batch.variance, unbiased);
    }

    pub(super) fn fused_backward<E: Element>(
        &self,
        saved: NormSaved,
        mut grad: Tensor,
        has_residual: bool,
    ) -> NormBackward {
        let Statistics::Fused { mean, inv_std, affine } = &saved.statistics else { unreachable!() };
        let z = slice::<E>(&saved.z);
        let gate = match (saved.activation, &saved.slope_at) {
            (None, _) => Gate::Open,
            (Some(activation), None) => Gate::Recompute(activation),
            (Some(activation), Some(at)) => Gate::At(activation, slice::<E>(at)),
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
        let relu = matches!(gate, Gate::Recompute(Activation::Relu));
        let map = match saved.mode {
            Mode::Train => {
                InputGradient::new(&sums[0], &affine.scale, mean, inv_std, z.len() / mean.len())
            }
            Mode::Eval => InputGradient::of_fixed_statistics(&affine.scale, mean),
        };
        let (input, residual) = if has_residual {
            let mut input = empty_like(&saved.z);
            let out = make_mut::<E>(&mut input);
            kernel::grad_input(out, Some(slice::<E>(&grad)), z, affine, &map, relu);
            (input, Some(grad))
        } else {
            kernel::grad_input(make_mut::<E>(&mut grad), None, z, affine, &map, relu);
            (grad, None)
        };
        NormBackward { input, residual, tap: NormTap::of(&sums, saved.mode) }
    }
}
