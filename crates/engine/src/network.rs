//! A network as a list of stages, with its forward pass and written-out backward pass.
//!
//! The backward pass walks the stages from the logits to the image. At every layer that has
//! parameters it shows a [`ParameterVisitor`] the layer's input and the gradient of its output:
//! enough to sum the gradient over the batch (training) or to take its norm for each example.

use datadiet_store::Activation;
use tch::{Kind, Tensor};

use crate::layers::max_pool::{self, PoolSaved};
use crate::layers::{
    BatchNorm, Conv2d, Linear, NormSaved, NormTap, Whitening, activation, bytes_of, subsample,
    to_nhwc,
};
use crate::parameters::Parameters;
use crate::precision::widened;

/// How batch norm behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Statistics of the batch, which also move the running statistics.
    Train,
    /// Running statistics.
    Eval,
}

/// One step of the computation.
#[derive(Clone, Debug)]
pub enum Stage {
    /// Convolution.
    Conv(Conv2d),
    /// Whitened patches of the image: a first layer whose filters are not trained.
    Whitening(Whitening),
    /// Batch norm, with an activation behind it or not.
    Norm {
        /// The batch norm.
        norm: BatchNorm,
        /// What follows it.
        activation: Option<Activation>,
    },
    /// An activation alone.
    Activation(Activation),
    /// The largest number of each window of so many rows and columns; 0: of the whole image.
    MaxPool(usize),
    /// A residual block.
    Residual(Residual),
    /// Mean over all positions: N×C×H×W to N×C.
    MeanPool,
    /// N×C×H×W to N×(C·H·W), in this order.
    Flatten,
    /// Fully connected layer.
    Linear(Linear),
}

/// `act(norm(body(x)) + shortcut(x))` (He et al. 2015); an empty shortcut is the identity.
///
/// A 1×1 convolution with a stride, the usual shortcut where the size changes, is one without on
/// every stride-th row and column. So written it is a matrix product, which is much faster.
#[derive(Clone, Debug)]
pub struct Residual {
    /// Up to the last convolution.
    pub(crate) body: Vec<Stage>,
    /// The last batch norm of the body.
    pub(crate) norm: BatchNorm,
    /// The shortcut takes every so-manieth row and column.
    pub(crate) stride: i64,
    /// The projection, where the shape changes.
    pub(crate) shortcut: Vec<Stage>,
    /// Behind the sum.
    pub(crate) activation: Activation,
}

/// A network of the zoo: structure only; the numbers are in [`Parameters`].
#[derive(Clone, Debug)]
pub struct Network {
    /// The stages, from image to logits.
    pub stages: Vec<Stage>,
}

/// What the forward pass keeps for the backward pass, in order.
#[derive(Debug, Default)]
pub struct Tape(Vec<Saved>);

#[derive(Debug)]
enum Saved {
    Input(Tensor),
    Norm(NormSaved),
    /// What the slope of an activation is taken at.
    SlopeAt(Tensor),
    Pool(PoolSaved),
    Shape(Vec<i64>),
}

impl Saved {
    fn bytes(&self) -> usize {
        match self {
            Self::Input(tensor) | Self::SlopeAt(tensor) => bytes_of(tensor),
            Self::Norm(saved) => saved.bytes(),
            Self::Pool(saved) => saved.bytes(),
            Self::Shape(_) => 0,
        }
    }
}

/// Parameters as a pass computes with them.
pub struct Weights<'a> {
    /// Master copies and running statistics.
    pub parameters: &'a Parameters,
    /// In the arithmetic of the pass ([`Parameters::working_copy`]).
    pub working: &'a [Tensor],
}

/// Receives what the gradients of parameters are made of, layer by layer, from the logits to the
/// image.
pub trait ParameterVisitor {
    /// A convolution with its input and the gradient of its output.
    fn conv(&mut self, layer: &Conv2d, weights: &Weights<'_>, input: &Tensor, grad: &Tensor);
    /// The first layer with the gradient of its output: its bias alone is trained.
    fn whitening(&mut self, layer: &Whitening, grad: &Tensor);
    /// A fully connected layer with its input and the gradient of its products, in front of its factor.
    fn linear(&mut self, layer: &Linear, input: &Tensor, grad: &Tensor);
    /// A batch norm with the gradients of its scale and shift, as its mode has them.
    fn norm(&mut self, layer: &BatchNorm, tap: NormTap);
}

impl Network {
    /// Logits, N × classes (32-bit floats), for a batch of images N×C×H×W.
    pub fn forward(&self, weights: &Weights<'_>, images: &Tensor, mode: Mode) -> Tensor {
        let x = forward(&self.stages, weights, images.shallow_clone(), mode, &mut None);
        widened(&x)
    }

    /// Logits, and what the backward pass needs.
    pub fn forward_recorded(
        &self,
        weights: &Weights<'_>,
        images: &Tensor,
        mode: Mode,
    ) -> (Tensor, Tape) {
        let mut tape = Some(Tape::default());
        let x = forward(&self.stages, weights, images.shallow_clone(), mode, &mut tape);
        (widened(&x), tape.unwrap_or_default())
    }

    /// Logits in evaluation mode, the input of the last layer, N × features, and this layer.
    pub(crate) fn forward_to_last_layer(
        &self,
        weights: &Weights<'_>,
        images: &Tensor,
    ) -> (Tensor, Tensor, &Linear) {
        let (last, before) = self.stages.split_last().expect("a network has layers");
        let features = forward(before, weights, images.shallow_clone(), Mode::Eval, &mut None);
        let x = forward_stage(last, weights, features.shallow_clone(), Mode::Eval, &mut None);
        let Stage::Linear(layer) = last else { unreachable!("a network ends in a linear layer") };
        (widened(&x), features, layer)
    }

    /// Carries the gradient of the logits back through the network.
    pub fn backward(
        &self,
        weights: &Weights<'_>,
        tape: Tape,
        grad_logits: &Tensor,
        visitor: &mut dyn ParameterVisitor,
    ) {
        self.backward_to(0, weights, tape, grad_logits, visitor);
    }

    /// As [`Network::backward`], but for the stages before `first`, which are frozen.
    pub(crate) fn backward_to(
        &self,
        first: usize,
        weights: &Weights<'_>,
        mut tape: Tape,
        grad_logits: &Tensor,
        visitor: &mut dyn ParameterVisitor,
    ) {
        let kind = weights.working.iter().find(|w| w.dim() > 1).map_or(Kind::Float, Tensor::kind);
        let grad = grad_logits.to_kind(kind);
        backward(&self.stages[first..], weights, &mut tape, grad, visitor, false);
    }

    /// Its whitened first layer, where it has one.
    pub(crate) fn whitening(&self) -> Option<&Whitening> {
        match self.stages.first() {
            Some(Stage::Whitening(layer)) => Some(layer),
            _ => None,
        }
    }

    /// The first stage that has parameters behind a whitened first layer.
    pub(crate) fn behind_whitening(&self) -> usize {
        let trained = |stage: &Stage| matches!(stage, Stage::Conv(_) | Stage::Linear(_));
        self.stages.iter().position(trained).unwrap_or(0)
    }
}

impl Tape {
    /// Bytes that it keeps; what several layers share counts for each.
    pub(crate) fn bytes(&self) -> usize {
        self.0.iter().map(Saved::bytes).sum()
    }

    /// Bytes of the largest activation that it keeps.
    pub(crate) fn largest(&self) -> usize {
        self.0.iter().map(Saved::bytes).max().unwrap_or(0)
    }

    fn pop(&mut self) -> Saved {
        self.0.pop().expect("the backward pass mirrors the forward pass")
    }
}

fn forward(
    stages: &[Stage],
    weights: &Weights<'_>,
    mut x: Tensor,
    mode: Mode,
    tape: &mut Option<Tape>,
) -> Tensor {
    for stage in stages {
        x = forward_stage(stage, weights, x, mode, tape);
    }
    x
}

fn forward_stage(
    stage: &Stage,
    weights: &Weights<'_>,
    x: Tensor,
    mode: Mode,
    tape: &mut Option<Tape>,
) -> Tensor {
    let mut save = |saved: Saved| {
        if let Some(tape) = tape {
            tape.0.push(saved);
        }
    };
    match stage {
        Stage::Conv(conv) => {
            let y = conv.forward(weights.working, &x);
            save(Saved::Input(x));
            y
        }
        Stage::Linear(linear) => {
            let y = linear.forward(weights.working, &x);
            save(Saved::Input(x));
            y
        }
        Stage::Whitening(layer) => layer.forward(weights.parameters, &x),
        Stage::Norm { norm, activation } => {
            let (y, saved) = norm.forward(weights.parameters, x, None, *activation, mode);
            save(Saved::Norm(saved));
            y
        }
        Stage::Activation(act) => {
            let y = activation::apply(*act, &x);
            // Of a ReLU the output does, which is kept by the next layer as well.
            save(Saved::SlopeAt(if *act == Activation::Relu { y.shallow_clone() } else { x }));
            y
        }
        Stage::MaxPool(side) => {
            let (y, saved) = max_pool::take(&x, *side);
            save(Saved::Pool(saved));
            y
        }
        Stage::MeanPool => {
            save(Saved::Shape(x.size()));
            x.mean_dim([2i64, 3].as_slice(), false, x.kind())
        }
        Stage::Flatten => {
            save(Saved::Shape(x.size()));
            x.flatten(1, -1)
        }
        Stage::Residual(block) => forward_residual(block, weights, x, mode, tape),
    }
}

fn forward_residual(
    block: &Residual,
    weights: &Weights<'_>,
    x: Tensor,
    mode: Mode,
    tape: &mut Option<Tape>,
) -> Tensor {
    let z = forward(&block.body, weights, x.shallow_clone(), mode, tape);
    let taken = if block.stride == 1 { x } else { subsample::take(&x, block.stride) };
    let residual = forward(&block.shortcut, weights, taken, mode, tape);
    let (y, saved) =
        block.norm.forward(weights.parameters, z, Some(&residual), Some(block.activation), mode);
    if let Some(tape) = tape {
        tape.0.push(Saved::Norm(saved));
    }
    y
}

/// Returns the gradient of the input of `stages`, or nothing where `want_input` is false and the
/// first stage has parameters: the gradient of the image is of no use.
fn backward(
    stages: &[Stage],
    weights: &Weights<'_>,
    tape: &mut Tape,
    mut grad: Tensor,
    visitor: &mut dyn ParameterVisitor,
    want_input: bool,
) -> Option<Tensor> {
    for (index, stage) in stages.iter().enumerate().rev() {
        let want = want_input || index > 0;
        grad = backward_stage(stage, weights, tape, grad, visitor, want)?;
    }
    Some(grad)
}

fn backward_stage(
    stage: &Stage,
    weights: &Weights<'_>,
    tape: &mut Tape,
    grad: Tensor,
    visitor: &mut dyn ParameterVisitor,
    want_input: bool,
) -> Option<Tensor> {
    if let Stage::Residual(block) = stage {
        return Some(backward_residual(block, weights, tape, grad, visitor));
    }
    if let Stage::Whitening(layer) = stage {
        visitor.whitening(layer, &grad);
        return None;
    }
    match (stage, tape.pop()) {
        (Stage::Conv(conv), Saved::Input(x)) => {
            visitor.conv(conv, weights, &x, &grad);
            want_input.then(|| conv.grad_input(weights.working, &x, &grad))
        }
        (Stage::Linear(linear), Saved::Input(x)) => {
            let grad = linear.in_front_of_factor(grad);
            visitor.linear(linear, &x, &grad);
            want_input.then(|| linear.grad_input(weights.working, &grad))
        }
        (Stage::Norm { norm, .. }, Saved::Norm(saved)) => {
            let back = norm.backward(weights.parameters, saved, grad, false);
            visitor.norm(norm, back.tap);
            Some(back.input)
        }
        (Stage::Activation(act), Saved::SlopeAt(x)) => Some(activation::carry_back(*act, grad, &x)),
        (Stage::MaxPool(_), Saved::Pool(saved)) => Some(max_pool::carry_back(&saved, &grad)),
        (Stage::MeanPool, Saved::Shape(shape)) => Some(spread(&grad, &shape)),
        (Stage::Flatten, Saved::Shape(shape)) => Some(to_nhwc(&grad.reshape(shape.as_slice()))),
        (stage, saved) => unreachable!("{stage:?} found {saved:?} on the tape"),
    }
}

fn backward_residual(
    block: &Residual,
    weights: &Weights<'_>,
    tape: &mut Tape,
    grad: Tensor,
    visitor: &mut dyn ParameterVisitor,
) -> Tensor {
    let Saved::Norm(saved) = tape.pop() else { unreachable!("a residual block ends in a norm") };
    let back = block.norm.backward(weights.parameters, saved, grad, true);
    visitor.norm(&block.norm, back.tap);
    let residual = back.residual.expect("asked for");
    let shortcut = backward(&block.shortcut, weights, tape, residual, visitor, true);
    let mut grad =
        backward(&block.body, weights, tape, back.input, visitor, true).expect("asked for");
    subsample::add(&mut grad, block.stride, &shortcut.expect("asked for"));
    grad
}

/// The gradient of a mean over positions: the same at each of them.
fn spread(grad: &Tensor, shape: &[i64]) -> Tensor {
    let positions = (shape[2] * shape[3]) as f64;
    let grad = grad / positions;
    to_nhwc(&grad.unsqueeze(-1).unsqueeze(-1).expand(shape, false))
}
