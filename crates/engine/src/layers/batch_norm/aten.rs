//! The layer by libtorch's operations, on any device.

use datadiet_store::Activation;
use tch::Tensor;

use super::{BatchNorm, NormBackward, NormSaved, NormTap, Statistics};
use crate::aten;
use crate::layers::activation;
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
        activation: Option<Activation>,
        mode: Mode,
    ) -> (Tensor, NormSaved) {
        let train = mode == Mode::Train;
        let (values, buffers) = (parameters.values(), parameters.buffers());
        let (mut y, mut mean, mut inv_std) = z.native_batch_norm(
            self.scale.map(|scale| &values[scale.0]),
            Some(&values[self.shift.0]),
            Some(&buffers[self.mean.0]),
            Some(&buffers[self.variance.0]),
            train,
            self.momentum,
            self.epsilon,
        );
        if let Some(residual) = residual {
            y += residual;
        }
        // Of a ReLU the output is enough for the way back, and the next layer keeps it as well.
        let slope_at = match activation {
            None => None,
            Some(Activation::Relu) => {
                let _ = y.relu_();
                Some(y.shallow_clone())
            }
            Some(activation) => {
                let before = y;
                y = activation::apply(activation, &before);
                Some(before)
            }
        };
        if mode == Mode::Eval {
            mean = buffers[self.mean.0].shallow_clone();
            inv_std = (&buffers[self.variance.0] + self.epsilon).rsqrt();
        }
        let saved = NormSaved {
            mode,
            z,
            slope_at,
            activation,
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
        let grad = match (saved.activation, &saved.slope_at) {
            (Some(activation), Some(at)) => activation::carry_back(activation, grad, at),
            _ => grad,
        };
        let gamma = match self.scale {
            Some(scale) => parameters.values()[scale.0].shallow_clone(),
            None => parameters.values()[self.shift.0].ones_like(),
        };
        let (input, scale, shift) = match saved.mode {
            Mode::Train => {
                aten::batch_norm_backward(&grad, &saved.z, &gamma, mean, inv_std, self.epsilon)
            }
            Mode::Eval => {
                let wide = |per_channel: &Tensor| per_channel.view([1, -1, 1, 1]);
                let normal = (widened(&saved.z) - wide(mean)) * wide(inv_std);
                let g = widened(&grad);
                let over_positions =
                    |x: &Tensor| x.sum_dim_intlist([2i64, 3].as_slice(), false, x.kind());
                let input = (&g * wide(&(&gamma * inv_std))).to_kind(grad.kind());
                (input, over_positions(&(&g * normal)), over_positions(&g))
            }
        };
        let residual = has_residual.then_some(grad);
        NormBackward { input, residual, tap: NormTap { scale, shift } }
    }
}
