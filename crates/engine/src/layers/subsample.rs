//! Every so-manieth row and column of N×C×H×W, as shortcuts of residual blocks see it.

use tch::{Device, Kind, Tensor};

use super::nhwc::{make_mut, slice, to_nhwc};
use crate::kernels::subsample::{self as kernel, Sides};
use crate::kernels::{Bf16, Element};

/// A copy of every `stride`-th row and column.
pub(crate) fn take(x: &Tensor, stride: i64) -> Tensor {
    match (x.device(), x.kind()) {
        (Device::Cpu, Kind::Float) => take_on_host::<f32>(x, stride),
        (Device::Cpu, Kind::BFloat16) => take_on_host::<Bf16>(x, stride),
        _ => to_nhwc(&view(x, stride)),
    }
}

/// Adds `values` to every `stride`-th row and column of `x`.
pub(crate) fn add(x: &mut Tensor, stride: i64, values: &Tensor) {
    match (x.device(), x.kind()) {
        (Device::Cpu, Kind::Float) => add_on_host::<f32>(x, stride, values),
        (Device::Cpu, Kind::BFloat16) => add_on_host::<Bf16>(x, stride, values),
        _ => {
            let mut taken = view(x, stride);
            taken += values;
        }
    }
}

fn view(x: &Tensor, stride: i64) -> Tensor {
    x.slice(2, None, None, stride).slice(3, None, None, stride)
}

fn take_on_host<E: Element>(x: &Tensor, stride: i64) -> Tensor {
    let (n, c, h, w) = x.size4().expect("N×C×H×W");
    let shape = [n, (h + stride - 1) / stride, (w + stride - 1) / stride, c];
    let mut taken = Tensor::empty(shape, (x.kind(), Device::Cpu)).permute([0, 3, 1, 2]);
    kernel::take(slice::<E>(x), sides(x), stride as usize, make_mut(&mut taken));
    taken
}

fn add_on_host<E: Element>(x: &mut Tensor, stride: i64, values: &Tensor) {
    let sides = sides(x);
    kernel::add(make_mut::<E>(x), sides, stride as usize, slice::<E>(values));
}

pub(super) fn sides(x: &Tensor) -> Sides {
    let (n, c, h, w) = x.size4().expect("N×C×H×W");
    let [images, channels, height, width] = [n, c, h, w].map(|side| side as usize);
    Sides { images, height, width, channels }
}
