//! Collects the inputs and the output gradients, over the classes, of some layers at a time.

use std::ops::Range;

use tch::Tensor;

use super::convolution;
use super::gram::products;
use crate::layers::{BatchNorm, Conv2d, Linear, NormTap, Whitening, bytes_of};
use crate::network::{ParameterVisitor, Weights};
use crate::parameters::{ParamId, Parameters};
use crate::precision::widened;

/// What a layer's part of the Gram matrix is made of.
pub(crate) enum Layer {
    /// Filters see a part of the input at a time.
    Conv { layer: Conv2d, input: Tensor, grads: Vec<Tensor> },
    /// Every output sees the whole input.
    Linear { input: Tensor, bias: bool, grads: Vec<Tensor> },
    /// Gradients themselves, m × parameters, one a class.
    Own { grads: Vec<Tensor> },
}

/// Layers in the order of the backward pass, from one on for as long as the memory lasts.
pub(crate) struct Collector {
    classes: usize,
    budget: usize,
    /// Index of the first and past the last layer collected.
    pub(crate) range: Range<usize>,
    /// Bytes that the gradients of these layers take.
    pub(crate) bytes: usize,
    /// Layers of the network.
    pub(crate) count: usize,
    layers: Vec<Layer>,
    seen: Vec<ParamId>,
    class: usize,
    next: usize,
}

impl Collector {
    /// Collects from layer `first` on, one at least, up to `budget` bytes.
    pub(crate) fn new(first: usize, classes: usize, budget: usize) -> Self {
        Self {
            classes,
            budget,
            range: first..first,
            bytes: 0,
            count: 0,
            layers: Vec::new(),
            seen: Vec::new(),
            class: 0,
            next: 0,
        }
    }

    /// Before the backward pass of a class.
    pub(crate) fn begin(&mut self, class: usize) {
        (self.class, self.next) = (class, 0);
    }

    /// Names of the parameters that no layer's rule accounts for.
    pub(crate) fn left_out<'p>(&self, parameters: &'p Parameters) -> Vec<&'p str> {
        let names = parameters.names().iter().enumerate();
        let missing = names.filter(|(index, _)| self.seen.iter().all(|id| id.0 != *index));
        missing.map(|(_, name)| name.as_str()).collect()
    }

    /// The layers that were collected.
    pub(crate) fn into_layers(self) -> Vec<Layer> {
        self.layers
    }

    fn visit(&mut self, ids: &[Option<ParamId>], new: impl FnOnce() -> Layer, grad: &Tensor) {
        let index = self.next;
        self.next += 1;
        if self.class == 0 {
            self.count += 1;
            self.seen.extend(ids.iter().flatten());
            let bytes = self.classes * bytes_of(grad);
            let fits = self.layers.is_empty() || self.bytes + bytes <= self.budget;
            if index == self.range.end && fits {
                self.range.end += 1;
                self.bytes += bytes;
                self.layers.push(new());
            }
        }
        if self.range.contains(&index) {
            let (Layer::Conv { grads, .. } | Layer::Linear { grads, .. } | Layer::Own { grads }) =
                &mut self.layers[index - self.range.start];
            grads.push(grad.copy());
        }
    }
}

impl ParameterVisitor for Collector {
    fn conv(&mut self, layer: &Conv2d, _weights: &Weights<'_>, input: &Tensor, grad: &Tensor) {
        let new =
            || Layer::Conv { layer: layer.clone(), input: input.shallow_clone(), grads: vec![] };
        self.visit(&[Some(layer.weight), layer.bias], new, grad);
    }

    fn linear(&mut self, layer: &Linear, input: &Tensor, grad: &Tensor) {
        let bias = layer.bias.is_some();
        let new = || Layer::Linear { input: input.shallow_clone(), bias, grads: vec![] };
        self.visit(&[Some(layer.weight), layer.bias], new, grad);
    }

    fn norm(&mut self, layer: &BatchNorm, tap: NormTap) {
        let grad = match layer.scale {
            Some(_) => Tensor::cat(&[&tap.scale, &tap.shift], 1),
            None => tap.shift,
        };
        self.visit(&[layer.scale, Some(layer.shift)], || Layer::Own { grads: vec![] }, &grad);
    }

    fn whitening(&mut self, layer: &Whitening, grad: &Tensor) {
        let grad = Whitening::grad_bias(grad);
        self.visit(&[Some(layer.bias)], || Layer::Own { grads: vec![] }, &grad);
    }
}

impl Layer {
    /// The layer's part of the Gram matrix, mK × mK.
    pub(crate) fn gram(self, weights: &Weights<'_>, scratch: usize) -> Tensor {
        match self {
            Self::Conv { layer, input, grads } => {
                let weight = &weights.working[layer.weight.0];
                convolution::gram(&layer, weight, &input, &by_example(grads), scratch)
            }
            Self::Linear { input, bias, grads } => linear(&input, bias, &by_example(grads)),
            Self::Own { grads } => products(&by_example(grads).flatten(0, 1)),
        }
    }
}

/// One tensor m × … a class as one m × K × ….
fn by_example(grads: Vec<Tensor>) -> Tensor {
    widened(&Tensor::stack(&grads, 1))
}

/// Weight and bias: `(δ_ik · δ_jl) (a_i · a_j + 1)`; without bias `(δ_ik · δ_jl) (a_i · a_j)`.
fn linear(input: &Tensor, bias: bool, grads: &Tensor) -> Tensor {
    let classes = grads.size()[1];
    let inputs = products(&widened(input)) + if bias { 1.0 } else { 0.0 };
    let each = |x: Tensor, axis: i64| x.repeat_interleave_self_int(classes, axis, None);
    products(&grads.flatten(0, 1)) * each(each(inputs, 0), 1)
}
