//! 2-d convolution.

use tch::Tensor;

use super::nhwc::to_nhwc;
use crate::aten::{self, ConvShape};
use crate::kernels::conv::ConvSides;
use crate::parameters::ParamId;

/// A convolution over N×C×H×W with square filters, zero padding and optional groups and bias.
#[derive(Clone, Debug)]
pub struct Conv2d {
    /// Filters, C_out × (C_in / groups) × k × k.
    pub weight: ParamId,
    /// Bias, C_out.
    pub bias: Option<ParamId>,
    /// Stride, padding, groups.
    pub shape: ConvShape,
}

impl Conv2d {
    /// Output for the input `x`.
    pub(crate) fn forward(&self, weights: &[Tensor], x: &Tensor) -> Tensor {
        let weight = &weights[self.weight.0];
        let ConvShape { stride, padding, groups } = self.shape;
        let bias = self.bias.map(|id| weights[id.0].to_kind(weight.kind()));
        let (stride, padding) = ([stride, stride], [padding, padding]);
        to_nhwc(&x.convolution(weight, bias, stride, padding, [1, 1], false, [0, 0], groups))
    }

    /// Gradient of the input, for the gradient `grad` of the output.
    pub(crate) fn grad_input(&self, weights: &[Tensor], x: &Tensor, grad: &Tensor) -> Tensor {
        let weight = &weights[self.weight.0];
        to_nhwc(&aten::convolution_grad_input(grad, x, weight, self.shape))
    }

    /// Gradients of the weight and the bias, summed over the batch.
    pub(crate) fn grad_weight(
        &self,
        weights: &[Tensor],
        x: &Tensor,
        grad: &Tensor,
    ) -> (Tensor, Option<Tensor>) {
        let weight = &weights[self.weight.0];
        aten::convolution_grad_weight(grad, x, weight, self.shape, self.bias.is_some())
    }

    /// Sides of the convolution of `x`, N×C×H×W.
    pub(crate) fn sides(&self, weight: &Tensor, x: &Tensor) -> ConvSides {
        let (input, weight) = (x.size(), weight.size());
        let [_, inputs, height, width] = [0, 1, 2, 3].map(|axis| input[axis] as usize);
        ConvSides {
            height,
            width,
            inputs,
            outputs: weight[0] as usize,
            kernel: weight[2] as usize,
            stride: self.shape.stride as usize,
            padding: self.shape.padding as usize,
        }
    }

    /// The same for one of the groups.
    pub(crate) fn sides_of_group(&self, weight: &Tensor, x: &Tensor) -> ConvSides {
        let sides = self.sides(weight, x);
        let groups = self.shape.groups as usize;
        ConvSides { inputs: sides.inputs / groups, outputs: sides.outputs / groups, ..sides }
    }
}
