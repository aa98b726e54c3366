//! Max-pool over windows without overlap; rows and columns that fill none are left out.

use tch::{Device, Kind, Tensor};

use super::nhwc::{bytes_of, make_mut, slice, to_nhwc};
use super::subsample::sides;
use crate::kernels::max_pool::{self as kernel, Window};
use crate::kernels::{Bf16, Element};

/// What the backward pass needs.
#[derive(Debug)]
pub(crate) struct PoolSaved {
    shape: Vec<i64>,
    window: Window,
    places: Places,
}

#[derive(Debug)]
enum Places {
    Host(Vec<u16>),
    /// The input, and libtorch's indices.
    Aten(Tensor, Tensor),
}

impl PoolSaved {
    /// Bytes that it keeps.
    pub(crate) fn bytes(&self) -> usize {
        match &self.places {
            Places::Host(places) => size_of_val(&places[..]),
            Places::Aten(input, indices) => bytes_of(input) + bytes_of(indices),
        }
    }
}

/// The largest number of each window of so many rows and columns; 0 of them: of the whole image.
pub(crate) fn take(x: &Tensor, side: usize) -> (Tensor, PoolSaved) {
    let sides = sides(x);
    let window = match side {
        0 => Window { rows: sides.height, columns: sides.width },
        side => Window { rows: side, columns: side },
    };
    match (x.device(), x.kind()) {
        (Device::Cpu, Kind::Float) => on_host::<f32>(x, window),
        (Device::Cpu, Kind::BFloat16) => on_host::<Bf16>(x, window),
        _ => {
            let side = of_aten(window);
            let (y, indices) = x.max_pool2d_with_indices(side, side, [0, 0], [1, 1], false);
            let places = Places::Aten(x.shallow_clone(), indices);
            (to_nhwc(&y), PoolSaved { shape: x.size(), window, places })
        }
    }
}

fn of_aten(window: Window) -> [i64; 2] {
    [window.rows as i64, window.columns as i64]
}

fn on_host<E: Element>(x: &Tensor, window: Window) -> (Tensor, PoolSaved) {
    let (n, c, h, w) = x.size4().expect("N×C×H×W");
    let [rows, columns] = of_aten(window);
    let shape = [n, h / rows, w / columns, c];
    let mut y = Tensor::empty(shape, (x.kind(), Device::Cpu)).permute([0, 3, 1, 2]);
    let mut places = vec![0; y.numel()];
    kernel::take(slice::<E>(x), sides(x), window, make_mut(&mut y), &mut places);
    (y, PoolSaved { shape: x.size(), window, places: Places::Host(places) })
}

/// The gradient of the input.
pub(crate) fn carry_back(saved: &PoolSaved, grad: &Tensor) -> Tensor {
    let Places::Aten(input, indices) = &saved.places else {
        return match grad.kind() {
            Kind::BFloat16 => carry_back_on_host::<Bf16>(saved, grad),
            _ => carry_back_on_host::<f32>(saved, grad),
        };
    };
    let side = of_aten(saved.window);
    let input =
        input.max_pool2d_with_indices_backward(grad, side, side, [0, 0], [1, 1], false, indices);
    to_nhwc(&input)
}

fn carry_back_on_host<E: Element>(saved: &PoolSaved, grad: &Tensor) -> Tensor {
    let Places::Host(places) = &saved.places else { unreachable!("taken on the processor") };
    let [n, c, h, w] = saved.shape[..] else { unreachable!("N×C×H×W") };
    let mut input = Tensor::empty([n, h, w, c], (grad.kind(), Device::Cpu)).permute([0, 3, 1, 2]);
    let sides = sides(&input);
    kernel::carry_back(slice::<E>(grad), places, sides, saved.window, make_mut(&mut input));
    input
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::evaluation::to_vec;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// Values and gradients are libtorch's, exactly, and so are those of bfloat16.
        #[test]
        fn agrees_with_libtorch(
            images in 1..3i64, channels in 1..40i64, height in 3..9i64, width in 3..9i64,
            side in 1..4usize,
        ) {
            for kind in [Kind::Float, Kind::BFloat16] {
                let random = |shape: [i64; 4]| {
                    // Few values, so that there are equals.
                    let x = Tensor::randint(5, shape, (Kind::Float, Device::Cpu)) - 2.0;
                    to_nhwc(&x.to_kind(kind))
                };
                let x = random([images, channels, height, width]);
                let (found, saved) = take(&x, side);
                let side = side as i64;
                let (expected, indices) =
                    x.max_pool2d_with_indices([side; 2], [side; 2], [0, 0], [1, 1], false);
                prop_assert_eq!(to_vec::<f32>(&found), to_vec::<f32>(&expected));
                let grad = random([images, channels, height / side, width / side]);
                let expected = x.max_pool2d_with_indices_backward(
                    &grad, [side; 2], [side; 2], [0, 0], [1, 1], false, &indices,
                );
                let found = carry_back(&saved, &grad);
                prop_assert_eq!(to_vec::<f32>(&found), to_vec::<f32>(&expected));
            }
        }
    }
}
