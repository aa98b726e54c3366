//! How many examples at a time, so that a pass stays within a memory limit.

use tch::Device;

use crate::EngineError;

/// Most examples at a time, and most bytes of scratch memory of a convolution; more are no faster.
fn most(device: Device) -> (usize, usize) {
    if device == Device::Cpu { (64, 64 << 20) } else { (1000, 2 << 30) }
}

/// Sizes of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batching {
    /// Examples at a time.
    pub examples: usize,
    /// Bytes of scratch for a convolution.
    pub scratch: usize,
}

impl Batching {
    /// The largest batch for which `example` bytes each and the scratch memory stay under `limit`.
    ///
    /// # Errors
    /// When a single example does not fit; the message says how much it needs.
    pub(crate) fn within(
        limit: usize,
        example: usize,
        device: Device,
    ) -> Result<Self, EngineError> {
        let (most, scratch) = most(device);
        let scratch = scratch.min(limit / 4);
        let examples = limit.saturating_sub(scratch) / example.max(1);
        if examples == 0 {
            let mib = |bytes: usize| bytes.div_ceil(1 << 20);
            // Three quarters of the limit are for the example.
            let needed = mib(example.saturating_mul(4).div_ceil(3));
            return Err(EngineError::Unsuitable(format!(
                "the gradient norm of one example needs {needed} MiB of memory and the limit is {} \
                 MiB; give --memory {needed} or more, or a narrower network",
                mib(limit)
            )));
        }
        Ok(Self { examples: examples.min(most), scratch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn more_memory_means_more_at_a_time_up_to_a_point() {
        let examples =
            |limit| Batching::within(limit * MIB, 10 * MIB, Device::Cpu).unwrap().examples;
        assert_eq!(examples(100), 7);
        assert_eq!(examples(300), 23);
        assert_eq!(examples(10_000), most(Device::Cpu).0);
    }

    #[test]
    fn too_little_says_how_much() {
        let message = Batching::within(9 * MIB, 10 * MIB, Device::Cpu).unwrap_err().to_string();
        assert!(message.contains("--memory 14"), "{message}");
        assert_eq!(Batching::within(14 * MIB, 10 * MIB, Device::Cpu).unwrap().examples, 1);
    }
}
