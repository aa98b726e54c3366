//! 2-d convolution.

use tch::Tensor;

use super::nhwc::to_nhwc;
use crate::aten::{self, ConvShape};
use crate::parameters::ParamId;

/// A convolution over N×C×H×W with square filters, zero padding and optional groups and bias.
#[derive(Clone, Debug)]
pub struct Conv2d {
    /// Name of the layer, as in PyTorch's state dict.
    pub name: String,
    /// Filters, C_out × (C_in / groups) × k × k.
    pub weight: ParamId,
    /// Bias, C_out.
    pub bias: Option<ParamId>,
    /// Stride, padding, groups.
    pub shape: ConvShape,
}

impl Conv2d {
    /// Output for the input `x`.
    pub fn forward(&self, weights: &[Tensor], x: &Tensor) -> Tensor {
        let ConvShape { stride, padding, groups } = self.shape;
        let weight = &weights[self.weight.0];
        let bias = self.bias.map(|id| weights[id.0].to_kind(weight.kind()));
        let (stride, padding) = ([stride, stride], [padding, padding]);
        to_nhwc(&x.convolution(weight, bias, stride, padding, [1, 1], false, [0, 0], groups))
    }

    /// Gradient of the input, for the gradient `grad` of the output.
    pub fn grad_input(&self, weights: &[Tensor], x: &Tensor, grad: &Tensor) -> Tensor {
        to_nhwc(&aten::convolution_grad_input(grad, x, &weights[self.weight.0], self.shape))
    }

    /// Gradients of the weight and the bias, summed over the batch.
    pub fn grad_weight(
        &self,
        weights: &[Tensor],
        x: &Tensor,
        grad: &Tensor,
    ) -> (Tensor, Option<Tensor>) {
        let weight = &weights[self.weight.0];
        aten::convolution_grad_weight(grad, x, weight, self.shape, self.bias.is_some())
    }
}
