//! Adds up each example's squared norm while the backward pass goes by.

use tch::Tensor;

use super::convolution;
use crate::layers::{BatchNorm, Conv2d, Linear, NormTap, Whitening};
use crate::network::{ParameterVisitor, Weights};
use crate::parameters::{ParamId, Parameters};
use crate::precision::widened;

/// Squared norms of a batch.
pub(crate) struct SquaredNorms {
    /// Over all layers seen so far, N.
    pub(crate) total: Tensor,
    /// Over the first linear layer that the backward pass meets, which is the last layer.
    pub(crate) last_layer: Option<Tensor>,
    seen: Vec<bool>,
    scratch: usize,
}

impl SquaredNorms {
    /// Nothing seen of the examples whose logits are `like`; convolutions may use about `scratch` bytes.
    pub(crate) fn new(parameters: &Parameters, like: &Tensor, scratch: usize) -> Self {
        let total = Tensor::zeros([like.size()[0]], (like.kind(), like.device()));
        Self { total, last_layer: None, seen: vec![false; parameters.values().len()], scratch }
    }

    /// Names of the parameters that no layer's rule accounted for.
    pub(crate) fn left_out<'p>(&self, parameters: &'p Parameters) -> Vec<&'p str> {
        let names = parameters.names().iter().zip(&self.seen);
        names.filter(|(_, seen)| !**seen).map(|(name, _)| name.as_str()).collect()
    }

    fn add(&mut self, squares: &Tensor, parameters: &[Option<ParamId>]) {
        self.total += squares;
        for id in parameters.iter().flatten() {
            self.seen[id.0] = true;
        }
    }
}

impl ParameterVisitor for SquaredNorms {
    fn conv(&mut self, layer: &Conv2d, weights: &Weights<'_>, input: &Tensor, grad: &Tensor) {
        let weight = &weights.working[layer.weight.0];
        let squares = convolution::squares(layer, weight, input, grad, self.scratch);
        self.add(&squares, &[Some(layer.weight), layer.bias]);
    }

    fn linear(&mut self, layer: &Linear, input: &Tensor, grad: &Tensor) {
        let squares = linear_squares(layer, input, grad);
        self.add(&squares, &[Some(layer.weight), layer.bias]);
        self.last_layer.get_or_insert(squares);
    }

    fn norm(&mut self, layer: &BatchNorm, tap: NormTap) {
        let mut squares = rows(&tap.shift);
        if layer.scale.is_some() {
            squares += rows(&tap.scale);
        }
        self.add(&squares, &[layer.scale, Some(layer.shift)]);
    }

    fn whitening(&mut self, layer: &Whitening, grad: &Tensor) {
        self.add(&rows(&Whitening::grad_bias(grad)), &[Some(layer.bias)]);
    }
}

/// `‖δ‖² (‖a‖² + 1)`: weight and bias; without bias `‖δ‖² ‖a‖²`. `grad` is in front of the layer's factor.
pub(crate) fn linear_squares(layer: &Linear, input: &Tensor, grad: &Tensor) -> Tensor {
    let bias = if layer.bias.is_some() { 1.0 } else { 0.0 };
    rows(grad) * (rows(input) + bias)
}

/// Sum of squares of each row.
fn rows(x: &Tensor) -> Tensor {
    let x = widened(x);
    x.square().sum_dim_intlist([1i64].as_slice(), false, x.kind())
}
