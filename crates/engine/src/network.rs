//! A network as a list of stages, with its forward pass and written-out backward pass.
//!
//! The backward pass walks the stages from the logits to the image. At every layer that has
//! parameters it shows a [`ParameterVisitor`] the layer's input and the gradient of its output:
//! enough to sum the gradient over the batch (training) or to take its norm for each example.

use tch::{Kind, Tensor};

use crate::layers::{BatchNorm, Conv2d, Linear, NormSaved, NormTap, bytes_of, subsample, to_nhwc};
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
    /// Batch norm, with a ReLU behind it or not.
    Norm {
        /// The batch norm.
        norm: BatchNorm,
        /// Whether a ReLU follows.
        relu: bool,
    },
    /// ReLU alone.
    Relu,
    /// A residual block.
    Residual(Residual),
    /// Mean over all positions: N×C×H×W to N×C.
    MeanPool,
    /// N×C×H×W to N×(C·H·W), in this order.
    Flatten,
    /// Fully connected layer.
    Linear(Linear),
}

/// `relu(norm(body(x)) + shortcut(x))` (He et al. 2015); an empty shortcut is the identity.
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
    Output(Tensor),
    Shape(Vec<i64>),
}

impl Saved {
    fn bytes(&self) -> usize {
        match self {
            Self::Input(tensor) | Self::Output(tensor) => bytes_of(tensor),
            Self::Norm(saved) => saved.bytes(),
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
    /// A fully connected layer with its input and the gradient of its output.
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

    /// Logits in evaluation mode, and the input of the last layer, N × features.
    pub(crate) fn forward_to_last_layer(
        &self,
        weights: &Weights<'_>,
        images: &Tensor,
    ) -> (Tensor, Tensor) {
        let (last, before) = self.stages.split_last().expect("a network has layers");
        let features = forward(before, weights, images.shallow_clone(), Mode::Eval, &mut None);
        let x = forward_stage(last, weights, features.shallow_clone(), Mode::Eval, &mut None);
        (widened(&x), features)
    }

    /// Carries the gradient of the logits back through the network.
    pub fn backward(
        &self,
        weights: &Weights<'_>,
        mut tape: Tape,
        grad_logits: &Tensor,
        visitor: &mut dyn ParameterVisitor,
    ) {
        let kind = weights.working.iter().find(|w| w.dim() > 1).map_or(Kind::Float, Tensor::kind);
        let grad = grad_logits.to_kind(kind);
        backward(&self.stages, weights, &mut tape, grad, visitor, false);
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
        Stage::Norm { norm, relu } => {
            let (y, saved) = norm.forward(weights.parameters, x, None, *relu, mode);
            save(Saved::Norm(saved));
            y
        }
        Stage::Relu => {
            let y = x.relu();
            save(Saved::Output(y.shallow_clone()));
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
    let (y, saved) = block.norm.forward(weights.parameters, z, Some(&residual), true, mode);
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
    match (stage, tape.pop()) {
        (Stage::Conv(conv), Saved::Input(x)) => {
            visitor.conv(conv, weights, &x, &grad);
            want_input.then(|| conv.grad_input(weights.working, &x, &grad))
        }
        (Stage::Linear(linear), Saved::Input(x)) => {
            visitor.linear(linear, &x, &grad);
            want_input.then(|| linear.grad_input(weights.working, &grad))
        }
        (Stage::Norm { norm, .. }, Saved::Norm(saved)) => {
            let back = norm.backward(weights.parameters, saved, grad, false);
            visitor.norm(norm, back.tap);
            Some(back.input)
        }
        (Stage::Relu, Saved::Output(y)) => Some(y.threshold_backward(&grad, 0.0)),
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
