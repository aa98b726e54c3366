//! The gradient of a loss with respect to all parameters, summed over the batch.

use tch::Tensor;

use crate::layers::{BatchNorm, Conv2d, Linear, NormTap, Whitening};
use crate::network::{ParameterVisitor, Weights};
use crate::parameters::{ParamId, Parameters};
use crate::precision::widened;

/// Collects one gradient for each parameter, in 32-bit floats.
#[derive(Debug)]
pub struct BatchGradient(Vec<Option<Tensor>>);

impl BatchGradient {
    /// None collected yet.
    pub fn new(parameters: &Parameters) -> Self {
        Self(parameters.values().iter().map(|_| None).collect())
    }

    /// The gradients, in the order of the parameters; none for those that were frozen.
    pub(crate) fn into_trained(self) -> Vec<Option<Tensor>> {
        self.0
    }

    /// The gradients, in the order of the parameters.
    ///
    /// # Panics
    /// When the backward pass left a parameter out.
    pub fn into_tensors(self) -> Vec<Tensor> {
        self.0.into_iter().map(|grad| grad.expect("every parameter has a gradient")).collect()
    }

    fn put(&mut self, id: ParamId, grad: &Tensor) {
        // The optimiser works in memory order: no strides of another layout.
        self.0[id.0] = Some(widened(grad).contiguous());
    }
}

impl ParameterVisitor for BatchGradient {
    fn conv(&mut self, layer: &Conv2d, weights: &Weights<'_>, input: &Tensor, grad: &Tensor) {
        let (weight, bias) = layer.grad_weight(weights.working, input, grad);
        self.put(layer.weight, &weight);
        if let (Some(id), Some(grad)) = (layer.bias, bias) {
            self.put(id, &grad);
        }
    }

    fn linear(&mut self, layer: &Linear, input: &Tensor, grad: &Tensor) {
        let (weight, bias) = layer.grad_weight(input, grad);
        self.put(layer.weight, &weight);
        if let Some(id) = layer.bias {
            self.put(id, &bias);
        }
    }

    fn whitening(&mut self, layer: &Whitening, grad: &Tensor) {
        let grad = Whitening::grad_bias(grad);
        self.put(layer.bias, &grad.sum_dim_intlist([0i64].as_slice(), false, grad.kind()));
    }

    fn norm(&mut self, layer: &BatchNorm, tap: NormTap) {
        if let Some(id) = layer.scale {
            self.put(id, &tap.scale);
        }
        self.put(layer.shift, &tap.shift);
    }
}
