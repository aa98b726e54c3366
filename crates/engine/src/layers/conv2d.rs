//! 2-d convolution.

use datadiet_core::isa::Avx512Bf16;
use tch::{Device, Kind, Tensor};

use super::nhwc::{contiguous_slice, make_mut, slice, to_nhwc};
use crate::aten::{self, ConvShape};
use crate::kernels::conv::{self, ConvSides};
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
        if let Some((isa, sides)) = self.own_kernels(weight, x) {
            let mut y = activation(x, [sides.outputs, sides.out_height(), sides.out_width()]);
            conv::forward(
                isa,
                sides,
                slice(x),
                contiguous_slice(&weight.contiguous()),
                make_mut(&mut y),
            );
            return y;
        }
        let ConvShape { stride, padding, groups } = self.shape;
        let bias = self.bias.map(|id| weights[id.0].to_kind(weight.kind()));
        let (stride, padding) = ([stride, stride], [padding, padding]);
        to_nhwc(&x.convolution(weight, bias, stride, padding, [1, 1], false, [0, 0], groups))
    }

    /// Gradient of the input, for the gradient `grad` of the output.
    pub(crate) fn grad_input(&self, weights: &[Tensor], x: &Tensor, grad: &Tensor) -> Tensor {
        let weight = &weights[self.weight.0];
        if let Some((isa, sides)) = self.own_kernels(weight, x) {
            let mut dx = activation(x, [sides.inputs, sides.height, sides.width]);
            conv::grad_input(
                isa,
                sides,
                slice(grad),
                contiguous_slice(&weight.contiguous()),
                make_mut(&mut dx),
            );
            return dx;
        }
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
        if let Some((isa, sides)) = self.own_kernels(weight, x) {
            let gradient = conv::grad_weight(isa, sides, slice(x), slice(grad));
            return (Tensor::from_slice(&gradient).view(weight.size().as_slice()), None);
        }
        aten::convolution_grad_weight(grad, x, weight, self.shape, self.bias.is_some())
    }

    /// What our kernels take where they are the faster ones: on one thread of a
    /// processor, in bfloat16, with few channels.
    fn own_kernels(&self, weight: &Tensor, x: &Tensor) -> Option<(Avx512Bf16, ConvSides)> {
        let bf16_on_host = (x.device(), x.kind()) == (Device::Cpu, Kind::BFloat16);
        let plain = self.bias.is_none() && self.shape.groups == 1;
        if !(bf16_on_host && plain && tch::get_num_threads() == 1) {
            return None;
        }
        let sides = self.sides(weight, x);
        Some((conv::own(sides)?, sides))
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

/// An uninitialised activation for as many images as `like`, channels × height × width.
fn activation(like: &Tensor, [channels, height, width]: [usize; 3]) -> Tensor {
    let shape = [like.size()[0], height as i64, width as i64, channels as i64];
    Tensor::empty(shape, (like.kind(), like.device())).permute([0, 3, 1, 2])
}
