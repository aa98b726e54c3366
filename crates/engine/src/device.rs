//! Choosing the device that computes.

use datadiet_store::{DeviceKind, RunSpec};
use tch::{Cuda, Device};

use crate::{EngineError, aten};

/// The device for a run; `gpu` is the index of the GPU where the run wants one.
pub(crate) fn device_for(spec: &RunSpec, gpu: usize) -> Result<Device, EngineError> {
    tch::set_num_threads(spec.threads.max(1) as i32);
    match spec.device {
        DeviceKind::Cpu => Ok(Device::Cpu),
        DeviceKind::Cuda => cuda(gpu),
    }
}

/// The GPU of that index, set up to compute 32-bit floats as such and, but for what libtorch adds up in no
/// order, the same numbers each time. To be asked for before libtorch is first used, as it notes then whether there
/// are GPUs.
///
/// # Errors
/// When libtorch here has no CUDA part, or sees no such GPU.
pub fn cuda(gpu: usize) -> Result<Device, EngineError> {
    load_cuda_library()?;
    let found = Cuda::device_count().max(0) as usize;
    if gpu < found {
        aten::compute_reproducibly();
        return Ok(Device::Cuda(gpu));
    }
    Err(EngineError::Unsuitable(format!(
        "there is no GPU {gpu} here ({found} found); use --device cpu, or check `nvidia-smi` and \
         run `datadiet setup --cuda` on the machine with the GPU"
    )))
}

/// Loads libtorch's CUDA part, which registers itself. The program does not link it: loading it
/// takes a second and is of no use without a GPU.
#[cfg(target_os = "linux")]
fn load_cuda_library() -> Result<(), EngineError> {
    use std::ffi::{CStr, c_char, c_int, c_void};
    unsafe extern "C" {
        fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void;
        fn dlerror() -> *const c_char;
    }
    const RTLD_NOW: c_int = 2;
    const RTLD_GLOBAL: c_int = 0x100;
    // SAFETY: a C string in, a handle or null out; the message is copied before another call.
    let message = unsafe {
        // Found where the program's other libraries of PyTorch were.
        if !dlopen(c"libtorch_cuda.so".as_ptr(), RTLD_NOW | RTLD_GLOBAL).is_null() {
            return Ok(());
        }
        CStr::from_ptr(dlerror()).to_string_lossy().into_owned()
    };
    Err(EngineError::Unsuitable(format!(
        "libtorch's CUDA part does not load ({message}); use --device cpu, or run \
         `datadiet setup --cuda` on a machine with an NVIDIA GPU"
    )))
}

#[cfg(not(target_os = "linux"))]
fn load_cuda_library() -> Result<(), EngineError> {
    Ok(())
}
