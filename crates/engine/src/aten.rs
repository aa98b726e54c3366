//! Safe wrappers of the shim: what the `tch` bindings leave out of ATen.
//!
//! Like `tch`'s own methods they panic with libtorch's message when it refuses its arguments; a
//! worker process turns that into a failed run.

use std::ffi::{CStr, c_char, c_void};

use tch::Tensor;

unsafe extern "C" {
    fn datadiet_convolution_backward(
        out: *mut *mut c_void,
        grad_output: *mut c_void,
        input: *mut c_void,
        weight: *mut c_void,
        stride: i64,
        padding: i64,
        groups: i64,
        want_input: bool,
        want_weight: bool,
        want_bias: bool,
    ) -> *mut c_char;
    fn datadiet_batch_norm_backward(
        out: *mut *mut c_void,
        grad_output: *mut c_void,
        input: *mut c_void,
        weight: *mut c_void,
        saved_mean: *mut c_void,
        saved_inv_std: *mut c_void,
        eps: f64,
    ) -> *mut c_char;
    fn datadiet_fused_sgd(
        params: *const *mut c_void,
        grads: *const *mut c_void,
        momentum_buffers: *const *mut c_void,
        count: usize,
        weight_decay: f64,
        momentum: f64,
        lr: f64,
        nesterov: bool,
    ) -> *mut c_char;
    fn datadiet_is_sole_owner(out: *mut bool, handle: *mut c_void) -> *mut c_char;
    fn datadiet_compute_reproducibly() -> *mut c_char;
    fn datadiet_free_message(message: *mut c_char);
}

/// Stride, padding and groups of a convolution; the same along every spatial axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Step between positions.
    pub stride: i64,
    /// Zeros added on each side.
    pub padding: i64,
    /// Independent groups of channels.
    pub groups: i64,
}

/// Gradient of a convolution with respect to its input.
pub(crate) fn convolution_grad_input(
    grad_output: &Tensor,
    input: &Tensor,
    weight: &Tensor,
    shape: ConvShape,
) -> Tensor {
    let [grad, _, _] =
        convolution_backward(grad_output, input, weight, shape, [true, false, false]);
    grad.expect("asked for")
}

/// Gradients of a convolution with respect to its weight and, where it has one, its bias.
pub(crate) fn convolution_grad_weight(
    grad_output: &Tensor,
    input: &Tensor,
    weight: &Tensor,
    shape: ConvShape,
    bias: bool,
) -> (Tensor, Option<Tensor>) {
    let [_, grad, grad_bias] =
        convolution_backward(grad_output, input, weight, shape, [false, true, bias]);
    (grad.expect("asked for"), grad_bias)
}

fn convolution_backward(
    grad_output: &Tensor,
    input: &Tensor,
    weight: &Tensor,
    shape: ConvShape,
    [want_input, want_weight, want_bias]: [bool; 3],
) -> [Option<Tensor>; 3] {
    let mut out = [std::ptr::null_mut(); 3];
    // SAFETY: the handles outlive the call; `out` has room for the three results.
    let message = unsafe {
        datadiet_convolution_backward(
            out.as_mut_ptr(),
            handle(grad_output),
            handle(input),
            handle(weight),
            shape.stride,
            shape.padding,
            shape.groups,
            want_input,
            want_weight,
            want_bias,
        )
    };
    check(message);
    out.map(owned)
}

/// Gradients of a batch norm in training mode: with respect to input, scale and shift.
pub(crate) fn batch_norm_backward(
    grad_output: &Tensor,
    input: &Tensor,
    scale: &Tensor,
    saved_mean: &Tensor,
    saved_inv_std: &Tensor,
    eps: f64,
) -> (Tensor, Tensor, Tensor) {
    let mut out = [std::ptr::null_mut(); 3];
    // SAFETY: the handles outlive the call; `out` has room for the three results.
    let message = unsafe {
        datadiet_batch_norm_backward(
            out.as_mut_ptr(),
            handle(grad_output),
            handle(input),
            handle(scale),
            handle(saved_mean),
            handle(saved_inv_std),
            eps,
        )
    };
    check(message);
    let [input, scale, shift] = out.map(|pointer| owned(pointer).expect("asked for"));
    (input, scale, shift)
}

/// One step of stochastic gradient descent, in place:
/// `g += wd·w; b = momentum·b + g; w -= lr·(g + momentum·b)` (Nesterov) or `w -= lr·b`.
pub(crate) fn fused_sgd(
    params: &[Tensor],
    grads: &[Tensor],
    momentum_buffers: &[Tensor],
    settings: SgdStep,
) {
    assert!(params.len() == grads.len() && params.len() == momentum_buffers.len());
    let [params, grads, buffers] =
        [params, grads, momentum_buffers].map(|list| list.iter().map(handle).collect::<Vec<_>>());
    // SAFETY: three lists of equal length whose handles outlive the call.
    let message = unsafe {
        datadiet_fused_sgd(
            params.as_ptr(),
            grads.as_ptr(),
            buffers.as_ptr(),
            params.len(),
            settings.weight_decay,
            settings.momentum,
            settings.learning_rate,
            settings.nesterov,
        )
    };
    check(message);
}

/// Settings of one optimiser step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SgdStep {
    /// Learning rate.
    pub(crate) learning_rate: f64,
    /// Momentum.
    pub(crate) momentum: f64,
    /// L2 penalty.
    pub(crate) weight_decay: f64,
    /// Nesterov's form.
    pub(crate) nesterov: bool,
}

/// Whether no other tensor has the storage of this one, as its views and shallow clones do.
pub(crate) fn is_sole_owner(tensor: &Tensor) -> bool {
    let mut sole = false;
    // SAFETY: the handle outlives the call; `sole` has room for the answer.
    let message = unsafe { datadiet_is_sole_owner(&raw mut sole, handle(tensor)) };
    check(message);
    sole
}

/// On GPUs: multiplies 32-bit floats as such, where libtorch's default rounds them to 10 bits, and has
/// convolutions add up in the same order each time.
pub(crate) fn compute_reproducibly() {
    // SAFETY: it takes nothing, and sets what later operations read.
    check(unsafe { datadiet_compute_reproducibly() });
}

fn handle(tensor: &Tensor) -> *mut c_void {
    tensor.as_ptr().cast_mut().cast()
}

fn owned(pointer: *mut c_void) -> Option<Tensor> {
    // SAFETY: the shim gives either null or a tensor that it made for us.
    (!pointer.is_null()).then(|| unsafe { Tensor::from_ptr(pointer.cast()) })
}

fn check(message: *mut c_char) {
    if message.is_null() {
        return;
    }
    // SAFETY: a non-null message is a NUL-terminated string that we own.
    let text = unsafe {
        let text = CStr::from_ptr(message).to_string_lossy().into_owned();
        datadiet_free_message(message);
        text
    };
    panic!("libtorch: {text}");
}
