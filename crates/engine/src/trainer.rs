//! Stochastic gradient descent on one network: one call, one step.

use datadiet_core::streams::below;
use datadiet_core::{ExampleId, Stream, permutation, rng};
use datadiet_store::{Flip, RunSpec, Spawn, Views};
use rand_chacha::rand_core::Rng;
use tch::{Kind, Tensor};

use crate::augment::{Crops, Mirror};
use crate::evaluation::indices;
use crate::gradients::BatchGradient;
use crate::images::Images;
use crate::network::{Mode, Network, Weights};
use crate::parameters::Parameters;
use crate::{micro_batch, optimiser};

/// Examples whose patches a first layer whitens (Jordan 2024).
const WHITENED: usize = 5000;
/// Of them, how many at a time.
const CHUNK: usize = 250;

/// A network in training.
pub struct Trainer<'a> {
    /// The network's structure.
    pub(crate) network: Network,
    /// Its parameters and running statistics.
    pub parameters: Parameters,
    /// Their moving average, under lookahead.
    pub(crate) slow: Option<Parameters>,
    /// Momentum of each parameter.
    pub momentum: Vec<Tensor>,
    /// Steps done.
    pub(crate) step: u64,
    spec: &'a RunSpec,
    /// Seed of data order and augmentation.
    seed: u64,
    /// Under alternating flips, whether each example of the training split is mirrored in even epochs.
    mirrored: Vec<bool>,
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
    /// A network before its first step; a whitened first layer is computed from 5,000 of the examples.
    /// `examples` are the ids trained on; `labels` and `images`
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
        if let Some(layer) = network.whitening() {
            // At equal steps: examples may come class by class.
            let step = (examples.len() / WHITENED).max(1);
            let some: Vec<ExampleId> =
                examples.iter().copied().step_by(step).take(WHITENED).collect();
            let batches = some.chunks(CHUNK).map(|ids| images.select(&indices(ids)));
            micro_batch::on_one_thread(|| layer.fit(&parameters, batches));
        }
        let slow = spec.schedule.lookahead.is_some().then(|| parameters.copy());
        let seed = match &spec.spawn {
            None => spec.seed,
            Some(Spawn { step, child, .. }) => {
                // Children of the same number that leave at other steps go other ways, too.
                let counter = step << 32 | u64::from(*child);
                rng(spec.seed, spec.replica, Stream::Child, counter).next_u64()
            }
        };
        let mirrored = match spec.augmentation.flip {
            Flip::Alternating => {
                let mut rng = rng(seed, spec.replica, Stream::Mirror, 0);
                labels.iter().map(|_| below(2, &mut rng) == 1).collect()
            }
            Flip::Never | Flip::Random => Vec::new(),
        };
        let (step, order) = (0, None);
        Self {
            network,
            parameters,
            slow,
            momentum,
            step,
            spec,
            seed,
            mirrored,
            images,
            labels,
            examples,
            order,
        }
    }

    /// Ids of the examples trained on.
    pub(crate) fn examples(&self) -> &'a [ExampleId] {
        self.examples
    }

    /// Type of activations.
    pub(crate) fn kind(&self) -> Kind {
        self.images.kind()
    }

    /// The weights that training would give if it ended here: those to score and to test.
    pub fn evaluated(&self) -> &Parameters {
        self.slow.as_ref().unwrap_or(&self.parameters)
    }

    /// [`Trainer::evaluated`] as a pass computes with them.
    pub(crate) fn working_copy(&self) -> Vec<Tensor> {
        self.evaluated().working_copy(self.kind())
    }

    /// The same with their working copy.
    pub(crate) fn weights<'w>(&'w self, working: &'w [Tensor]) -> Weights<'w> {
        Weights { parameters: self.evaluated(), working }
    }

    /// What the network is shown of an image when it is tested.
    pub(crate) fn views(&self) -> Views {
        self.spec.views
    }

    /// Trains on the next minibatch.
    pub fn train_step(&mut self) -> Minibatch {
        let ids = self.next_ids();
        let labels: Vec<u32> = ids.iter().map(|id| self.labels[id.index()]).collect();
        let epoch = self.step / self.spec.steps_per_epoch(self.examples.len());
        let images = self.augmented_at(&ids, epoch);
        let Passed { logits, loss, gradients } = self.pass(&images, &labels);
        let schedule = &self.spec.schedule;
        let values = self.parameters.values();
        let descend =
            || optimiser::descend(schedule, self.step, values, &gradients, &self.momentum);
        let learning_rate = match schedule.micro_batch {
            Some(_) => micro_batch::on_one_thread(descend),
            None => descend(),
        };
        self.step += 1;
        self.look_ahead();
        Minibatch { ids, labels, logits, loss, learning_rate }
    }

    /// Both passes of a minibatch, which move the running statistics.
    fn pass(&self, images: &Tensor, labels: &[u32]) -> Passed {
        let schedule = &self.spec.schedule;
        let frozen = schedule.whitening_steps.is_some_and(|steps| self.step >= steps);
        let pass = Pass {
            network: &self.network,
            smoothing: schedule.label_smoothing,
            first: if frozen { self.network.behind_whitening() } else { 0 },
        };
        let working = self.parameters.working_copy(self.kind());
        let count = schedule.micro_batch.map_or(1, |most| labels.len().div_ceil(most as usize));
        if count <= 1 {
            return pass.of(&self.parameters, &working, images, labels);
        }
        let threads = (self.spec.threads as usize).min(count);
        micro_batch::pass(pass, &self.parameters, &working, (images, labels), count, threads)
    }

    /// Draws the weights back to their past where the schedule has it.
    fn look_ahead(&mut self) {
        let schedule = &self.spec.schedule;
        let (Some(lookahead), Some(slow)) = (&schedule.lookahead, &self.slow) else { return };
        let last = self.step == schedule.steps;
        if self.step.is_multiple_of(lookahead.every) {
            let past = self.step as f64 / schedule.steps as f64;
            let decay = lookahead.decay.powi(lookahead.every as i32) * past.powi(3);
            slow.move_toward(&self.parameters, 1.0 - decay);
        } else if !last {
            return;
        }
        self.parameters.set(slow);
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

    /// The images as training shows them at its current step, if that is in this epoch.
    pub fn augmented_at(&self, ids: &[ExampleId], epoch: u64) -> Tensor {
        let indices = indices(ids);
        let augmentation = &self.spec.augmentation;
        if augmentation.crop_padding == 0 && augmentation.flip == Flip::Never {
            return self.images.select(&indices);
        }
        // One stream a step: a resumed run draws what the undisturbed one would have drawn.
        let mut rng = rng(self.seed, self.spec.replica, Stream::Augmentation, self.step);
        let given: Vec<bool>;
        let mirror = match augmentation.flip {
            Flip::Never => Mirror::Never,
            Flip::Random => Mirror::Random,
            Flip::Alternating => {
                given =
                    ids.iter().map(|id| self.mirrored[id.index()] != (epoch % 2 == 1)).collect();
                Mirror::Given(&given)
            }
        };
        let padding = augmentation.crop_padding;
        let crops = Crops::draw(ids.len(), self.images.sides(), padding, mirror, &mut rng);
        self.images.augmented(&indices, &crops)
    }
}

/// The mean cross-entropy and its gradient with respect to the logits, `(softmax − target) / N`. The target
/// has 1 at the label; of that the part `smoothing` is spread evenly over all K classes.
pub fn mean_cross_entropy(logits: &Tensor, labels: &[u32], smoothing: f64) -> (Tensor, Tensor) {
    let labels = on_device(labels, logits);
    let log_probabilities = logits.log_softmax(-1, logits.kind());
    let mut loss = log_probabilities.nll_loss(&labels);
    let mut target = labels.one_hot(logits.size()[1]).to_kind(logits.kind());
    if smoothing > 0.0 {
        loss = loss * (1.0 - smoothing) - log_probabilities.mean(logits.kind()) * smoothing;
        target = target * (1.0 - smoothing) + smoothing / logits.size()[1] as f64;
    }
    let errors = log_probabilities.exp() - target;
    (loss, errors / labels.numel() as f64)
}

/// How a minibatch, or a part of one, passes.
#[derive(Clone, Copy)]
pub(crate) struct Pass<'a> {
    pub(crate) network: &'a Network,
    /// The part of each label that is spread over all classes.
    pub(crate) smoothing: f64,
    /// The stages before this one are frozen.
    pub(crate) first: usize,
}

/// What came of it.
pub(crate) struct Passed {
    /// Examples × classes.
    pub(crate) logits: Tensor,
    /// Mean over the examples.
    pub(crate) loss: Tensor,
    /// Of the mean loss, for each parameter; none of the frozen ones.
    pub(crate) gradients: Vec<Option<Tensor>>,
}

impl Pass<'_> {
    /// Both passes of the examples `images`; moves the running statistics of `parameters`.
    pub(crate) fn of(
        self,
        parameters: &Parameters,
        working: &[Tensor],
        images: &Tensor,
        labels: &[u32],
    ) -> Passed {
        let weights = Weights { parameters, working };
        let (logits, tape) = self.network.forward_recorded(&weights, images, Mode::Train);
        let (loss, grad_logits) = mean_cross_entropy(&logits, labels, self.smoothing);
        let mut gradient = BatchGradient::new(parameters);
        self.network.backward_to(self.first, &weights, tape, &grad_logits, &mut gradient);
        Passed { logits, loss, gradients: gradient.into_trained() }
    }
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
