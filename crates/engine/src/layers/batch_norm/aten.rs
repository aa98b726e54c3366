//! The layer by libtorch's operations, on any device.

use tch::Tensor;

use super::{
    BatchNorm, EPSILON, NormBackward, NormSaved, NormTap, STATISTICS_MOMENTUM, Statistics,
};
use crate::aten;
use crate::network::Mode;
use crate::parameters::Parameters;
use crate::precision::widened;

impl BatchNorm {
    /// As [`BatchNorm::forward`].
    pub(super) fn aten(
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

    pub(super) fn aten_backward(
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
