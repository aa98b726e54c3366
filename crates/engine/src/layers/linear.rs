//! Fully connected layer.

use tch::Tensor;

use crate::parameters::ParamId;
use crate::precision::sum_kind;

/// `y = x·Wᵀ + b` over N × inputs.
#[derive(Clone, Debug)]
pub struct Linear {
    /// Weight, outputs × inputs.
    pub weight: ParamId,
    /// Bias, outputs.
    pub bias: ParamId,
}

impl Linear {
    /// Output for the input `x`.
    pub(crate) fn forward(&self, weights: &[Tensor], x: &Tensor) -> Tensor {
        let weight = &weights[self.weight.0];
        x.linear(weight, Some(weights[self.bias.0].to_kind(weight.kind())))
    }

    /// Gradient of the input, for the gradient `grad` of the output.
    pub(crate) fn grad_input(&self, weights: &[Tensor], grad: &Tensor) -> Tensor {
        grad.matmul(&weights[self.weight.0])
    }

    /// Gradients of weight and bias, summed over the batch.
    pub(crate) fn grad_weight(&self, x: &Tensor, grad: &Tensor) -> (Tensor, Tensor) {
        let bias = grad.sum_dim_intlist([0i64].as_slice(), false, sum_kind(grad.kind()));
        (grad.tr().matmul(x), bias)
    }
}
