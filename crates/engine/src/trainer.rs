//! Stochastic gradient descent on one network: one call, one step.

use datadiet_core::{ExampleId, Stream, permutation, rng};
use datadiet_store::{RunSpec, Spawn};
use rand::Rng;
use tch::{Kind, Tensor};

use crate::aten::{SgdStep, fused_sgd};
use crate::augment::Crops;
use crate::gradients::BatchGradient;
use crate::images::Images;
use crate::network::{Mode, Network, Weights};
use crate::parameters::Parameters;

/// A network in training.
pub struct Trainer<'a> {
    /// The network's structure.
    pub(crate) network: Network,
    /// Its parameters and running statistics.
    pub parameters: Parameters,
    /// Momentum of each parameter.
    pub momentum: Vec<Tensor>,
    /// Steps done.
    pub(crate) step: u64,
    spec: &'a RunSpec,
    /// Seed of data order and augmentation.
    seed: u64,
    images: &'a Images<'a>,
    labels: &'a [u32],
    examples: &'a [ExampleId],
    order: Option<(u64, Vec<u32>)>,
}

/// One minibatch after its step.
#[derive(Debug)]
pub struct Minibatch {
    /// Which examples.
    pub ids: Vec<ExampleId>,
    /// Their labels.
    pub labels: Vec<u32>,
    /// Logits before the step, batch × classes, of the augmented images in training mode.
    pub(crate) logits: Tensor,
    /// Mean cross-entropy, one number on the device.
    pub loss: Tensor,
    /// Learning rate of the step.
    pub learning_rate: f64,
}

impl<'a> Trainer<'a> {
    /// A network before its first step. `examples` are the ids trained on; `labels` and `images`
    /// are those of the whole training split.
    pub fn new(
        network: Network,
        mut parameters: Parameters,
        spec: &'a RunSpec,
        images: &'a Images<'a>,
        labels: &'a [u32],
        examples: &'a [ExampleId],
    ) -> Self {
        parameters.move_to(images.device());
        let momentum = parameters.zeros_like();
        let seed = match &spec.spawn {
            None => spec.seed,
            Some(Spawn { step, child, .. }) => {
                // Children of the same number that leave at other steps go other ways, too.
                let counter = step << 32 | u64::from(*child);
                rng(spec.seed, spec.replica, Stream::Child, counter).next_u64()
            }
        };
        let (step, order) = (0, None);
        Self { network, parameters, momentum, step, spec, seed, images, labels, examples, order }
    }

    /// Ids of the examples trained on.
    pub(crate) fn examples(&self) -> &'a [ExampleId] {
        self.examples
    }

    /// Type of activations.
    pub(crate) fn kind(&self) -> Kind {
        self.images.kind()
    }

    /// Trains on the next minibatch.
    pub fn train_step(&mut self) -> Minibatch {
        let ids = self.next_ids();
        let labels: Vec<u32> = ids.iter().map(|id| self.labels[id.index()]).collect();
        let images = self.augmented(&ids);
        let working = self.parameters.working_copy(self.kind());
        let weights = Weights { parameters: &self.parameters, working: &working };
        let (logits, tape) = self.network.forward_recorded(&weights, &images, Mode::Train);
        let (loss, grad_logits) = mean_cross_entropy(&logits, &labels);
        let mut gradient = BatchGradient::new(&self.parameters);
        self.network.backward(&weights, tape, &grad_logits, &mut gradient);
        let learning_rate = self.descend(&gradient.into_tensors());
        self.step += 1;
        Minibatch { ids, labels, logits, loss, learning_rate }
    }

    fn descend(&self, gradients: &[Tensor]) -> f64 {
        let schedule = &self.spec.schedule;
        let learning_rate = schedule.learning_rate.at(self.step, schedule.steps);
        let settings = SgdStep {
            learning_rate,
            momentum: schedule.momentum,
            weight_decay: schedule.weight_decay,
            nesterov: schedule.nesterov,
        };
        fused_sgd(self.parameters.values(), gradients, &self.momentum, settings);
        learning_rate
    }

    fn next_ids(&mut self) -> Vec<ExampleId> {
        let batch = self.spec.schedule.batch as usize;
        let per_epoch = self.spec.steps_per_epoch(self.examples.len());
        let (epoch, index) = (self.step / per_epoch, (self.step % per_epoch) as usize);
        if self.order.as_ref().is_none_or(|(known, _)| *known != epoch) {
            let mut order = rng(self.seed, self.spec.replica, Stream::Order, epoch);
            self.order = Some((epoch, permutation(self.examples.len(), &mut order)));
        }
        let (_, order) = self.order.as_ref().expect("made above");
        let end = ((index + 1) * batch).min(order.len());
        order[index * batch..end].iter().map(|&at| self.examples[at as usize]).collect()
    }

    fn augmented(&self, ids: &[ExampleId]) -> Tensor {
        let indices: Vec<i64> = ids.iter().map(|id| i64::from(id.0)).collect();
        let augmentation = &self.spec.augmentation;
        if augmentation.crop_padding == 0 && !augmentation.flip {
            return self.images.select(&indices);
        }
        // One stream a step: a resumed run draws what the undisturbed one would have drawn.
        let mut rng = rng(self.seed, self.spec.replica, Stream::Augmentation, self.step);
        let (padding, flip) = (augmentation.crop_padding, augmentation.flip);
        let crops = Crops::draw(ids.len(), self.images.sides(), padding, flip, &mut rng);
        self.images.augmented(&indices, &crops)
    }
}

/// The mean cross-entropy and its gradient with respect to the logits, `(softmax − one-hot) / N`.
pub fn mean_cross_entropy(logits: &Tensor, labels: &[u32]) -> (Tensor, Tensor) {
    let labels = on_device(labels, logits);
    let log_probabilities = logits.log_softmax(-1, logits.kind());
    let loss = log_probabilities.nll_loss(&labels);
    let errors = log_probabilities.exp() - labels.one_hot(logits.size()[1]).to_kind(logits.kind());
    (loss, errors / labels.numel() as f64)
}

/// The gradient of each example's cross-entropy with respect to its logits, `softmax − one-hot`.
///
/// The label's entry is minus the sum of the others: of a sure network, `p − 1` would be nothing but
/// rounding.
pub fn error_vectors(logits: &Tensor, labels: &[u32]) -> Tensor {
    let labels = on_device(labels, logits).unsqueeze(-1);
    let others = logits.softmax(-1, logits.kind()).scatter_value(-1, &labels, 0.0);
    let sums = others.sum_dim_intlist([-1i64].as_slice(), true, logits.kind());
    others.scatter(-1, &labels, &-sums)
}

fn on_device(labels: &[u32], like: &Tensor) -> Tensor {
    let labels: Vec<i64> = labels.iter().map(|&label| i64::from(label)).collect();
    Tensor::from_slice(&labels).to_device(like.device())
}
