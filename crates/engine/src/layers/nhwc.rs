//! The memory layout of activations: shape N×C×H×W, channels innermost in memory.

use tch::Tensor;

use crate::kernels::Element;

/// The same values with channels innermost in memory; free where they are already.
pub fn to_nhwc(x: &Tensor) -> Tensor {
    if x.dim() != 4 {
        return x.contiguous();
    }
    x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
}

/// An uninitialised activation in that layout.
pub fn empty_like(x: &Tensor) -> Tensor {
    match x.size()[..] {
        [n, c, h, w] => Tensor::empty([n, h, w, c], (x.kind(), x.device())).permute([0, 3, 1, 2]),
        _ => Tensor::empty(x.size(), (x.kind(), x.device())),
    }
}

/// Bytes of a tensor's values.
pub fn bytes_of(x: &Tensor) -> usize {
    x.numel() * x.kind().elt_size_in_bytes()
}

/// The values of an activation on the processor, in memory order.
pub fn slice<E: Element>(x: &Tensor) -> &[E] {
    assert_storage::<E>(x);
    // SAFETY: checked above: on the processor, of this type, and dense in its own order.
    unsafe { std::slice::from_raw_parts(x.data_ptr().cast(), x.numel()) }
}

/// The values of an activation that nobody else reads, in memory order.
pub fn slice_mut<E: Element>(x: &mut Tensor) -> &mut [E] {
    assert_storage::<E>(x);
    // SAFETY: as above; the caller owns the tensor and shares its storage with nobody.
    unsafe { std::slice::from_raw_parts_mut(x.data_ptr().cast(), x.numel()) }
}

fn assert_storage<E: Element>(x: &Tensor) {
    assert_eq!((x.kind(), x.device()), (E::KIND, tch::Device::Cpu), "an activation's storage");
    let dense = match x.dim() {
        4 => x.permute([0, 2, 3, 1]).is_contiguous(),
        _ => x.is_contiguous(),
    };
    assert!(dense, "an activation has its channels innermost");
}
