//! A nonlinearity on its own; behind a batch norm it is a part of that ([`super::BatchNorm`]).

use datadiet_store::Activation;
use tch::{Device, Kind, Tensor};

use super::nhwc::{empty_like, make_mut, slice};
use crate::kernels::{Bf16, Element, activation as kernel};

/// `act(x)`.
pub(crate) fn apply(activation: Activation, x: &Tensor) -> Tensor {
    match (x.device(), x.kind()) {
        (Device::Cpu, Kind::Float) => on_host::<f32>(activation, x),
        (Device::Cpu, Kind::BFloat16) => on_host::<Bf16>(activation, x),
        _ => match activation {
            Activation::Relu => x.relu(),
            Activation::Gelu => x.gelu("none"),
            Activation::Silu => x.silu(),
        },
    }
}

/// The gradient in front of the activation, for the gradient behind it and its input `x`. Of a ReLU the
/// output does as well.
pub(crate) fn carry_back(activation: Activation, mut grad: Tensor, x: &Tensor) -> Tensor {
    match (x.device(), x.kind()) {
        (Device::Cpu, Kind::Float) => {
            kernel::carry_back(activation, make_mut::<f32>(&mut grad), slice(x));
            grad
        }
        (Device::Cpu, Kind::BFloat16) => {
            kernel::carry_back(activation, make_mut::<Bf16>(&mut grad), slice(x));
            grad
        }
        _ => match activation {
            Activation::Relu => x.threshold_backward(&grad, 0.0),
            Activation::Gelu => x.gelu_backward(&grad, "none"),
            Activation::Silu => x.silu_backward(&grad),
        },
    }
}

fn on_host<E: Element>(activation: Activation, x: &Tensor) -> Tensor {
    let mut y = empty_like(x);
    kernel::apply(activation, slice::<E>(x), make_mut(&mut y));
    y
}
