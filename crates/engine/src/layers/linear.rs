//! Fully connected layer.

use tch::Tensor;

use crate::parameters::ParamId;
use crate::precision::sum_kind;

/// `y = factor·(x·Wᵀ + b)` over N × inputs.
#[derive(Clone, Debug)]
pub struct Linear {
    /// Weight, outputs × inputs.
    pub weight: ParamId,
    /// Bias, outputs.
    pub bias: Option<ParamId>,
    /// Factor on the output, 1 in most networks.
    pub factor: f64,
}

impl Linear {
    /// Output for the input `x`.
    pub(crate) fn forward(&self, weights: &[Tensor], x: &Tensor) -> Tensor {
        let weight = &weights[self.weight.0];
        let y = x.linear(weight, self.bias.map(|id| weights[id.0].to_kind(weight.kind())));
        self.in_front_of_factor(y)
    }

    /// The gradient of `x·Wᵀ + b`, for that of the output.
    pub(crate) fn in_front_of_factor(&self, grad: Tensor) -> Tensor {
        if self.factor == 1.0 { grad } else { grad * self.factor }
    }

    /// Gradient of the input, for the gradient `grad` in front of the factor.
    pub(crate) fn grad_input(&self, weights: &[Tensor], grad: &Tensor) -> Tensor {
        grad.matmul(&weights[self.weight.0])
    }

    /// Gradients of weight and bias, summed over the batch, for the gradient `grad` in front of the factor.
    pub(crate) fn grad_weight(&self, x: &Tensor, grad: &Tensor) -> (Tensor, Tensor) {
        let bias = grad.sum_dim_intlist([0i64].as_slice(), false, sum_kind(grad.kind()));
        (grad.tr().matmul(x), bias)
    }
}
