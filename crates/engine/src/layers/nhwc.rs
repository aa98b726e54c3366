//! The memory layout of activations: shape N×C×H×W, channels innermost in memory.

use tch::Tensor;

use crate::aten;
use crate::kernels::Element;

/// The same values with channels innermost in memory; free where they are already.
pub fn to_nhwc(x: &Tensor) -> Tensor {
    if x.dim() != 4 {
        return x.contiguous();
    }
    x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
}

/// An uninitialised activation in that layout.
pub(crate) fn empty_like(x: &Tensor) -> Tensor {
    match x.size()[..] {
        [n, c, h, w] => Tensor::empty([n, h, w, c], (x.kind(), x.device())).permute([0, 3, 1, 2]),
        _ => Tensor::empty(x.size(), (x.kind(), x.device())),
    }
}

/// Bytes of a tensor's values.
pub(crate) fn bytes_of(x: &Tensor) -> usize {
    x.numel() * x.kind().elt_size_in_bytes()
}

/// The values of an activation on the processor, in memory order.
///
/// While the slice is there, no operation of libtorch may write to the tensor or to one that shares its
/// storage: slices go into kernels and end with them.
pub(crate) fn slice<E: Element>(x: &Tensor) -> &[E] {
    assert!(is_nhwc(x), "an activation has its channels innermost");
    let (first, count) = numbers::<E>(x);
    // SAFETY: the tensor is dense, so that `numbers` gives all of its storage that it shows, and that lives
    // as long as `x`. That nobody writes to it meanwhile is up to the caller, as said above: all callers
    // are kernels of this crate, which call no libtorch while they have the slice.
    unsafe { std::slice::from_raw_parts(first, count) }
}

/// The values of an activation on the processor, in memory order, to write to.
///
/// Where other tensors have the same storage, `x` first gets a copy of its own: what is written is seen
/// through `x` alone.
pub(crate) fn make_mut<E: Element>(x: &mut Tensor) -> &mut [E] {
    assert!(is_nhwc(x), "an activation has its channels innermost");
    if !aten::is_sole_owner(x) {
        #[cfg(test)]
        tests::COPIES.set(tests::COPIES.get() + 1);
        let mut own = empty_like(x);
        own.copy_(x);
        *x = own;
    }
    let (first, count) = numbers::<E>(x);
    // SAFETY: the tensor is dense, as of `slice`. No other tensor has its storage, and `x` is borrowed
    // for as long as the slice, so that there is no other way to the numbers.
    unsafe { std::slice::from_raw_parts_mut(first, count) }
}

/// Where the numbers of a tensor on the processor begin, and how many it has. What libtorch has not
/// filled holds some numbers all the same: the memory is its allocator's, and any bits are a number.
fn numbers<E: Element>(x: &Tensor) -> (*mut E, usize) {
    assert_eq!((x.kind(), x.device()), (E::KIND, tch::Device::Cpu), "numbers to compute with");
    match x.numel() {
        // The pointer of an empty tensor may be null.
        0 => (std::ptr::NonNull::dangling().as_ptr(), 0),
        count => (x.data_ptr().cast(), count),
    }
}

fn is_nhwc(x: &Tensor) -> bool {
    match x.dim() {
        4 => x.permute([0, 2, 3, 1]).is_contiguous(),
        _ => x.is_contiguous(),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use datadiet_store::NetworkSpec;
    use tch::{Device, Kind};

    use super::*;
    use crate::aten::{ConvShape, convolution_grad_input};
    use crate::evaluation::to_vec;
    use crate::gradients::BatchGradient;
    use crate::kernels::Bf16;
    use crate::network::{Mode, Weights};
    use crate::networks::{Task, build};

    thread_local! {
        /// Copies that [`make_mut`] has made on this thread.
        pub(super) static COPIES: Cell<usize> = const { Cell::new(0) };
    }

    fn noise(shape: [i64; 4]) -> Tensor {
        Tensor::randn(shape, (Kind::Float, Device::Cpu))
    }

    #[test]
    fn what_another_tensor_shares_is_copied_before_it_is_written_to() {
        let share: [fn(&Tensor) -> Tensor; 5] = [
            Tensor::shallow_clone,
            Tensor::detach,
            |x| x.narrow(0, 1, 1),
            |x| x.permute([0, 2, 3, 1]),
            |x| x.permute([1, 0, 2, 3]).narrow(0, 0, 1),
        ];
        for share in share {
            for of_view in [false, true] {
                let x = if of_view {
                    noise([2, 4, 4, 3]).permute([0, 3, 1, 2])
                } else {
                    noise([2, 3, 1, 1])
                };
                let mut x = to_nhwc(&x);
                let other = share(&x);
                let before: Vec<f32> = to_vec(&other);
                make_mut::<f32>(&mut x).fill(9.0);
                assert_eq!(to_vec::<f32>(&other), before);
                assert!(to_vec::<f32>(&x).iter().all(|&value| value == 9.0));
                // And so it is where the other one is written to.
                let mut other = share(&x);
                if is_nhwc(&other) {
                    make_mut::<f32>(&mut other).fill(1.0);
                    assert!(to_vec::<f32>(&x).iter().all(|&value| value == 9.0));
                }
            }
        }
    }

    /// A view keeps the tensor that it was taken of: all activations here are such views.
    #[test]
    fn what_nobody_shares_is_written_to_in_place() {
        let x = noise([2, 3, 8, 8]);
        let weight = noise([4, 3, 3, 3]);
        let shape = ConvShape { stride: 1, padding: 1, groups: 1 };
        let y = || x.convolution(&weight, None::<Tensor>, [1, 1], [1, 1], [1, 1], false, [0, 0], 1);
        let made = [
            empty_like(&x),
            to_nhwc(&x),
            to_nhwc(&y()),
            to_nhwc(&convolution_grad_input(&y(), &x, &weight, shape)),
            to_nhwc(&to_nhwc(&to_nhwc(&x)).narrow(1, 0, 2)),
            noise([5, 1, 1, 1]).view([5]),
        ];
        for mut made in made {
            let place = made.data_ptr();
            make_mut::<f32>(&mut made).fill(1.0);
            assert_eq!(made.data_ptr(), place);
        }
        assert_eq!(make_mut::<f32>(&mut noise([0, 3, 2, 2])), [0.0; 0]);
    }

    #[test]
    fn a_training_pass_copies_nothing() {
        let task = Task { channels: 3, height: 12, width: 12, classes: 4 };
        for name in ["resnet8", "resnet50", "simple-cnn"] {
            let spec = NetworkSpec::new(name, 8);
            let (network, parameters) = build(&spec, task, 0).unwrap();
            for kind in [Kind::Float, Bf16::KIND] {
                let working = parameters.working_copy(kind);
                let weights = Weights { parameters: &parameters, working: &working };
                let images = to_nhwc(&noise([4, 3, 12, 12]).to_kind(kind));
                let before = COPIES.get();
                let (logits, tape) = network.forward_recorded(&weights, &images, Mode::Train);
                let mut gradient = BatchGradient::new(&parameters);
                network.backward(&weights, tape, &logits, &mut gradient);
                assert_eq!(COPIES.get() - before, 0, "{name} in {kind:?}");
            }
        }
    }
}
