//! The Gram matrix of a set of images, within a memory limit.

use tch::{Device, Kind, Tensor};

use super::collector::Collector;
use crate::EngineError;
use crate::grand::bytes_of_an_example;
use crate::network::{Mode, Network, Weights};

/// Scratch memory of a convolution, where the limit allows it.
const SCRATCH: usize = 128 << 20;

/// The Gram matrix of the logits' gradients for m `images`, mK × mK in 64-bit floats on the
/// processor, with at most about `memory` bytes. `weights` are in 32-bit floats.
///
/// # Errors
/// When it does not fit the memory, or a parameter belongs to no layer that has an exact rule.
pub fn logit_gram(
    network: &Network,
    weights: &Weights<'_>,
    images: &Tensor,
    memory: usize,
) -> Result<Tensor, EngineError> {
    let examples = images.size()[0] as usize;
    let classes = network.forward(weights, &images.narrow(0, 0, 1), Mode::Eval).size()[1] as usize;
    let rows = examples * classes;
    let passes = examples * bytes_of_an_example(network, weights, &images.narrow(0, 0, 1));
    // The sum in 64-bit floats, a layer's part in 32-bit floats and what it is multiplied with.
    let matrices = 16 * rows * rows;
    let scratch = SCRATCH.min(memory / 8);
    let budget = memory.saturating_sub(matrices + passes + scratch) / COPIES;
    let mut total = Tensor::zeros([rows as i64, rows as i64], (Kind::Double, images.device()));
    let mut first = 0;
    loop {
        let mut collector = Collector::new(first, classes, budget);
        for class in 0..classes {
            collector.begin(class);
            backward_of(network, weights, images, class, &mut collector);
        }
        check_rules(&collector, weights)?;
        if collector.bytes > budget {
            let needed = COPIES * collector.bytes + matrices + passes + scratch;
            return Err(too_little(examples, memory, needed));
        }
        let (end, count) = (collector.range.end, collector.count);
        for layer in collector.into_layers() {
            total += layer.gram(weights, scratch);
        }
        if end == count {
            return Ok(total.to_device(Device::Cpu));
        }
        first = end;
    }
}

/// Gradients as collected, joined, and in another order: a layer's are held up to three times.
const COPIES: usize = 3;

fn backward_of(
    network: &Network,
    weights: &Weights<'_>,
    images: &Tensor,
    class: usize,
    collector: &mut Collector,
) {
    let (logits, tape) = network.forward_recorded(weights, images, Mode::Eval);
    let unit = logits.zeros_like();
    let _ = unit.narrow(1, class as i64, 1).fill_(1.0);
    network.backward(weights, tape, &unit, collector);
}

fn check_rules(collector: &Collector, weights: &Weights<'_>) -> Result<(), EngineError> {
    let left_out = collector.left_out(weights.parameters);
    if left_out.is_empty() {
        return Ok(());
    }
    Err(EngineError::Unsuitable(format!(
        "the kernel has no exact rule for {}: the kernel of the others would be another one",
        left_out.join(", ")
    )))
}

fn too_little(examples: usize, memory: usize, needed: usize) -> EngineError {
    let mib = |bytes: usize| bytes.div_ceil(1 << 20);
    EngineError::Unsuitable(format!(
        "the kernel of {examples} examples needs {} MiB of memory and the limit is {} MiB; give \
         --memory {} or more, or fewer examples a window",
        mib(needed),
        mib(memory),
        mib(needed)
    ))
}

/// Inner products of all rows with all rows.
pub(crate) fn products(rows: &Tensor) -> Tensor {
    rows.matmul(&rows.tr())
}
