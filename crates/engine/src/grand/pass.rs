//! Gradient norms of a batch of examples.

use tch::Tensor;

use super::Batching;
use super::visitor::{SquaredNorms, linear_squares};
use crate::EngineError;
use crate::evaluation::to_vec;
use crate::network::{Mode, Network, Weights};
use crate::trainer::error_vectors;

/// Gradient norms of some examples, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExampleNorms {
    /// GraNd: over all parameters.
    pub all: Vec<f64>,
    /// Over weight and bias of the last layer.
    pub last_layer: Vec<f64>,
}

impl ExampleNorms {
    /// Adds the norms of more examples.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.all.append(&mut other.all);
        self.last_layer.append(&mut other.last_layer);
    }
}

/// Gradient norms of a batch `images` (N×C×H×W, normalised, un-augmented) with N `labels`. An
/// example whose gradient is not finite has a norm that is not; the others are not touched by it.
///
/// # Errors
/// When a parameter belongs to no layer that has an exact rule.
pub fn example_norms(
    network: &Network,
    weights: &Weights<'_>,
    images: &Tensor,
    labels: &[u32],
    batching: Batching,
) -> Result<ExampleNorms, EngineError> {
    let (logits, tape) = network.forward_recorded(weights, images, Mode::Eval);
    let errors = error_vectors(&logits, labels);
    let mut norms = SquaredNorms::new(weights.parameters, &logits, batching.scratch);
    network.backward(weights, tape, &errors, &mut norms);
    let left_out = norms.left_out(weights.parameters);
    if !left_out.is_empty() {
        return Err(EngineError::Unsuitable(format!(
            "GraNd has no exact rule for {}: the norm over the others would be another score",
            left_out.join(", ")
        )));
    }
    let last_layer = norms.last_layer.expect("a network ends in a linear layer");
    Ok(ExampleNorms { all: to_vec(&norms.total.sqrt()), last_layer: to_vec(&last_layer.sqrt()) })
}

/// Gradient norms over the last layer alone, which take no backward pass.
pub(crate) fn last_layer_norms(
    network: &Network,
    weights: &Weights<'_>,
    images: &Tensor,
    labels: &[u32],
) -> Vec<f64> {
    let (logits, features, layer) = network.forward_to_last_layer(weights, images);
    let grad = layer.in_front_of_factor(error_vectors(&logits, labels));
    to_vec(&linear_squares(layer, &features, &grad).sqrt())
}

/// Bytes that the passes need for one example: what the forward pass keeps, and the gradients under
/// way, of which three of the largest are alive at a time.
pub(crate) fn bytes_of_an_example(
    network: &Network,
    weights: &Weights<'_>,
    image: &Tensor,
) -> usize {
    let (_, tape) = network.forward_recorded(weights, image, Mode::Eval);
    tape.bytes() + 3 * tape.largest()
}
