//! From the options of a training to what is trained: defaults filled in, everything checked.

mod given;
mod options;
mod program;
mod recipe;
mod words;

use datadiet_core::isa::Avx512Bf16;
use datadiet_core::{ScoreKind, Source};
use datadiet_data::{Dataset, LabelNoise};
use datadiet_store::{
    Augmentation, DeviceKind, Labels, LearningRate, ListRef, Lookahead, Muon, NetworkSpec,
    Precision, Recording, RunSpec, Schedule, Store, Subset, TrainerSpec, Views, catalogue,
};

pub use given::{OrNone, Width};
pub use program::{AboutProgram, ProgramOption};
pub(crate) use program::{changed_since_asked, evaluation_changed};
pub use recipe::Recipe;
pub use words::{amount, length, settings, taken};

use given::{has_filters, has_whitening};
use recipe::Values;

pub use options::{DeviceChoice, PrecisionChoice, ScheduleKind, TrainingOptions};

use crate::refuse::{bail, ensure};
use crate::{LabError, TrainingData, lists};
use datadiet_table::{DataRef, TimePoint};

/// How networks are trained on a data set.
#[derive(Clone, Debug)]
pub struct Training {
    /// A run to the end of the schedule on all examples, which records nothing but its accuracy.
    pub template: RunSpec,
    /// Length of the schedule in epochs.
    pub epochs: f64,
    /// Steps of an epoch of the whole training set.
    pub per_epoch: u64,
    /// Label of each training example.
    pub labels: Vec<u32>,
}

impl Training {
    /// Resolves and checks options for a data set.
    ///
    /// # Errors
    /// For options that make no sense, or do not fit the data.
    pub fn new<'a>(
        options: &TrainingOptions,
        data: impl Into<TrainingData<'a>>,
    ) -> Result<Self, LabError> {
        let data = data.into();
        let classes = data.classes.len();
        ensure!(
            classes >= 2,
            "{} has {classes} class; to train on it takes two at least",
            data.name
        );
        let examples = examples(options, data)?;
        let labels = labels(options, data, examples)?;
        if let Some(trainer) = options.program()? {
            return Self::of_program(options, trainer, data, labels);
        }
        let Some(dataset) = data.images else {
            bail!(
                "{} are examples that only a trainer of your own can load: give --trainer, or --data for \
                 one of our networks",
                data.name
            );
        };
        let recipe = options.recipe();
        let batch = positive("--batch", options.batch, recipe.batch(examples))?;
        ensure!(
            examples >= batch as usize,
            "a batch of {batch} is more than the {examples} training examples; give --batch {}",
            examples.min(32)
        );
        let per_epoch = examples as u64 / u64::from(batch);
        let epochs = options.epochs();
        let steps = steps_of(epochs, per_epoch);
        ensure!(
            epochs.is_finite() && steps >= 1,
            "--epochs {epochs} is not a length of training: an epoch has {per_epoch} steps, and at \
             least one is needed"
        );
        let network = network(options, dataset)?;
        let side = dataset.height().min(dataset.width()) as u32;
        let values = recipe.values(batch, network.width, side);
        let resolver = Resolver { options, values, batch, steps, per_epoch };
        let template = RunSpec {
            semantics: RunSpec::SEMANTICS,
            data: data_ref(options, data),
            labels: labelling(&labels, &data.labels[..examples]),
            subset: Subset::Full,
            validation: None,
            trainer: None,
            schedule: resolver.schedule(&network)?,
            network,
            augmentation: resolver.augmentation(side)?,
            views: resolver.views(side)?,
            precision: precision(options),
            device: device(options),
            threads: threads(options)?,
            seed: options.seed.unwrap_or(0),
            replica: 0,
            stop_after: steps,
            record: Recording::default(),
            spawn: None,
        };
        Ok(Self { template, epochs, per_epoch, labels })
    }

    /// The same of a program: its unit of time is an example passed through training.
    fn of_program(
        options: &TrainingOptions,
        trainer: TrainerSpec,
        data: TrainingData<'_>,
        labels: Vec<u32>,
    ) -> Result<Self, LabError> {
        let Some(epochs) = options.epochs else {
            bail!(
                "how long is a training of {}? Give --epochs (epochs in a file), such as 10",
                trainer.name
            );
        };
        ensure!(
            epochs >= 1.0 && epochs.fract() == 0.0 && epochs <= f64::from(u32::MAX),
            "--epochs {epochs}: a trainer of your own trains whole epochs, one at least"
        );
        let per_epoch = labels.len() as u64;
        let what = (data_ref(options, data), labelling(&labels, &data.labels[..labels.len()]));
        let presentations = steps_of(epochs, per_epoch);
        let seed = options.seed.unwrap_or(0);
        let template = RunSpec::of_program(trainer, what, presentations, seed);
        Ok(Self { template, epochs, per_epoch, labels })
    }

    /// Whether a training can take a score: one of our networks any, a program those of the logits that
    /// it records.
    pub(crate) fn can_take(&self, kind: ScoreKind) -> bool {
        let recorded = matches!(kind.source(), Source::EvalLogits | Source::TrainingMinibatches);
        self.template.trainer.is_none() || recorded
    }

    /// Keeps the labels for runs to refer to.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn keep_labels(&self, store: &Store) -> Result<(), LabError> {
        keep_labels(store, &self.template, &self.labels)
    }

    /// The times `asked` in epochs, ascending, as steps.
    ///
    /// # Errors
    /// When one lies outside the training, or two are the same step.
    pub fn times(&self, mut asked: Vec<f64>) -> Result<Vec<TimePoint>, LabError> {
        asked.sort_by(f64::total_cmp);
        asked.dedup();
        let mut times: Vec<TimePoint> = Vec::new();
        for at in asked {
            ensure!(
                at >= 0.0 && at <= self.epochs,
                "cannot score at epoch {at}: training goes from 0 to {} epochs; give --epochs {}, or \
                 change the times (--at and --grand-at; epochs, at and grand-at in a file)",
                self.epochs,
                at.abs().ceil()
            );
            ensure!(
                self.template.trainer.is_none() || (at >= 1.0 && at.fract() == 0.0),
                "cannot score at epoch {at}: a trainer of your own records whole epochs, from 1 on; change \
                 the times (--at; at in a file)"
            );
            let step = steps_of(at, self.per_epoch);
            if let Some(same) = times.iter().find(|time| time.step == step) {
                bail!("epochs {} and {at} are the same step, {step}: leave one out", same.epochs);
            }
            times.push(TimePoint { epochs: at, step });
        }
        Ok(times)
    }
}

fn data_ref(options: &TrainingOptions, data: TrainingData<'_>) -> DataRef {
    DataRef {
        name: data.name.into(),
        fingerprint: data.fingerprint.into(),
        limit: options.limit.filter(|&limit| (limit as usize) < data.labels.len()),
    }
}

fn examples(options: &TrainingOptions, data: TrainingData<'_>) -> Result<usize, LabError> {
    let all = data.labels.len();
    match options.limit {
        None => Ok(all),
        Some(limit) if limit >= 1 && limit as usize <= all => Ok(limit as usize),
        Some(limit) => bail!("--limit {limit} must lie between 1 and {all}, the training examples"),
    }
}

fn labels(
    options: &TrainingOptions,
    data: TrainingData<'_>,
    examples: usize,
) -> Result<Vec<u32>, LabError> {
    let original = data.labels;
    let Some(path) = &options.labels else { return Ok(original[..examples].to_vec()) };
    let labels = lists::labels(path, data)?;
    let classes = data.classes.len() as u32;
    match (LabelNoise::Given { labels }).apply(original, classes, 0) {
        Ok(given) => Ok(given.labels[..examples].to_vec()),
        Err(error) => bail!("cannot use the labels of {}: {error}", path.display()),
    }
}

/// Keeps labels for a specification to refer to, unless they are the data set's own.
pub(crate) fn keep_labels(
    store: &Store,
    template: &RunSpec,
    labels: &[u32],
) -> Result<(), LabError> {
    if template.labels != Labels::Original {
        store.keep_list(labels)?;
    }
    Ok(())
}

/// How a specification names labels.
pub(crate) fn labelling(labels: &[u32], original: &[u32]) -> Labels {
    if labels == original { Labels::Original } else { Labels::Listed(ListRef::of(labels)) }
}

/// A number that must not be 0.
///
/// # Errors
/// When it is, naming the option.
pub fn positive(name: &str, given: Option<u32>, default: u32) -> Result<u32, LabError> {
    let value = given.unwrap_or(default);
    ensure!(value > 0, "{name} must be at least 1");
    Ok(value)
}

pub(crate) fn steps_of(epochs: f64, per_epoch: u64) -> u64 {
    (epochs * per_epoch as f64).round() as u64
}

fn network(options: &TrainingOptions, dataset: &Dataset) -> Result<NetworkSpec, LabError> {
    let name = options.model().to_owned();
    let own = catalogue::find(&name)?;
    let (recipe, its) = (options.recipe(), options.recipe().model());
    ensure!(
        recipe != Recipe::Speedrun || name == its,
        "--recipe speedrun is for {its}, whose learning rates mean nothing to {name}; leave --model \
         out, or take --recipe classic with what you want of it, such as --label-smoothing 0.2 \
         --flip=alternating"
    );
    let width = options.width.map_or(Ok(own.default_width), |width| width.channels(&name))?;
    // Its own is not named: the same training is the same run.
    let activation = options.activation.filter(|&activation| activation != own.activation);
    let spec = NetworkSpec { activation, ..NetworkSpec::new(name, width) };
    spec.check(dataset.height(), dataset.width())?;
    Ok(spec)
}

/// Options, and the values of their recipe.
struct Resolver<'a> {
    options: &'a TrainingOptions,
    values: Values,
    batch: u32,
    steps: u64,
    per_epoch: u64,
}

impl Resolver<'_> {
    fn schedule(&self, network: &NetworkSpec) -> Result<Schedule, LabError> {
        let (options, values) = (self.options, &self.values);
        let muon = self.muon(network)?;
        let lr = options.lr.unwrap_or(values.lr);
        ensure!(lr > 0.0 && lr.is_finite(), "--lr {lr} must be above 0, such as 0.1");
        ensure!(
            muon.is_some() || values.muon.is_none() || options.lr.is_some(),
            "without Muon the filters would train with --lr as well, and the {lr} of the recipe, which \
             is for the head, is hundreds of times too high for them: give --lr"
        );
        let momentum = options.momentum.unwrap_or(values.momentum);
        ensure!((0.0..1.0).contains(&momentum), "--momentum {momentum} must lie in [0, 1)");
        let weight_decay = options.weight_decay.unwrap_or(values.weight_decay);
        ensure!(
            weight_decay >= 0.0 && weight_decay.is_finite(),
            "--weight-decay {weight_decay} must not be negative"
        );
        let bias_rate = options.bias_rate.unwrap_or(values.bias_rate);
        ensure!(
            bias_rate > 0.0 && bias_rate.is_finite(),
            "--bias-rate {bias_rate} must be above 0; 1 for the rate of the rest"
        );
        let label_smoothing = options.label_smoothing.unwrap_or(values.label_smoothing);
        ensure!(
            (0.0..1.0).contains(&label_smoothing),
            "--label-smoothing {label_smoothing} must lie in [0, 1), such as 0.2"
        );
        let plain = Schedule::plain(
            (self.steps, self.batch),
            self.learning_rate(lr)?,
            momentum,
            weight_decay,
        );
        Ok(Schedule {
            bias_rate,
            muon,
            lookahead: self.lookahead()?,
            label_smoothing,
            micro_batch: self.micro_batch()?,
            whitening_steps: self.whitening_steps(network)?,
            ..plain
        })
    }

    fn learning_rate(&self, lr: f64) -> Result<LearningRate, LabError> {
        let (options, values, steps) = (self.options, &self.values, self.steps);
        match options.schedule.unwrap_or(values.shape) {
            ScheduleKind::Linear => {
                let default = values.warm_up_part.map_or(0, |part| steps / part);
                let warm_up = options.warm_up.map_or(default, |at| steps_of(at, self.per_epoch));
                ensure!(
                    options.warm_up.is_none_or(|at| at >= 0.0),
                    "--warm-up must not be negative"
                );
                ensure!(
                    warm_up < steps,
                    "--warm-up must be shorter than the training of {steps} steps"
                );
                Ok(LearningRate::WarmUpLinear { peak: lr, warm_up })
            }
            ScheduleKind::Paper => {
                // None at all is what it has.
                if let Some(at) = options.warm_up.filter(|&at| at != 0.0) {
                    bail!(
                        "--warm-up {at}: the learning rate of --schedule paper{} never rises; leave it \
                         out, or give --schedule linear",
                        if options.schedule.is_none() { ", the recipe's," } else { "" }
                    );
                }
                let milestones = [0.3, 0.6, 0.8].map(|at| (at * steps as f64).round() as u64);
                let milestones = milestones.to_vec();
                Ok(LearningRate::Milestones { base: lr, factor: 0.2, milestones })
            }
        }
    }

    fn muon(&self, network: &NetworkSpec) -> Result<Option<Muon>, LabError> {
        let (options, default) = (self.options, self.values.muon);
        let rate = options.muon.map_or(default.map(|muon| muon.rate), |OrNone(rate)| rate);
        let Some(rate) = rate else {
            ensure!(
                options.muon_momentum.is_none(),
                "--muon-momentum is of Muon, which trains nothing here: give --muon, such as --muon \
                 0.24, too"
            );
            return Ok(None);
        };
        let name = &network.name;
        ensure!(has_filters(name), "--muon is for filters of convolutions, which {name} has not");
        ensure!(rate > 0.0 && rate.is_finite(), "--muon {rate} must be above 0, such as 0.24");
        let default = default.map_or(Recipe::MUON_MOMENTUM, |muon| muon.momentum);
        let momentum = options.muon_momentum.unwrap_or(default);
        ensure!((0.0..1.0).contains(&momentum), "--muon-momentum {momentum} must lie in [0, 1)");
        Ok(Some(Muon { rate, momentum }))
    }

    fn lookahead(&self) -> Result<Option<Lookahead>, LabError> {
        let (options, steps) = (self.options, self.steps);
        let Some(OrNone(Some(every))) = options.lookahead else {
            ensure!(
                options.lookahead_decay.is_none(),
                "--lookahead-decay is of the lookahead, which there is none of: give --lookahead, such \
                 as --lookahead 5, too"
            );
            return Ok(None);
        };
        ensure!(
            every <= steps,
            "--lookahead {every}: a training of {steps} steps never gets there; give --lookahead 5"
        );
        let decay = options.lookahead_decay.unwrap_or(Recipe::LOOKAHEAD_DECAY);
        ensure!((0.0..1.0).contains(&decay), "--lookahead-decay {decay} must lie in [0, 1)");
        Ok(Some(Lookahead { every, decay }))
    }

    /// None where the whole minibatch passes at once.
    fn micro_batch(&self) -> Result<Option<u32>, LabError> {
        let (batch, passes) = (self.batch, self.values.passes);
        let size = match self.options.micro_batch {
            // A GPU has no small caches that parts would have to fit in.
            None if passes == 1 || device(self.options) == DeviceKind::Cuda => return Ok(None),
            None => {
                ensure!(
                    batch.is_multiple_of(passes),
                    "the recipe takes a batch in {passes} parts, which {batch} cannot be cut into: \
                     give --batch {}, or --micro-batch none for whole",
                    batch / passes * passes
                );
                batch / passes
            }
            Some(OrNone(None)) => return Ok(None),
            Some(OrNone(Some(size))) => size,
        };
        ensure!(
            size >= 2 && batch.is_multiple_of(size),
            "--micro-batch {size} must be at least 2 and divide the batch of {batch}"
        );
        Ok(Some(size).filter(|&size| size < batch))
    }

    /// None where the bias trains to the end: as many steps as there are is the same training.
    fn whitening_steps(&self, network: &NetworkSpec) -> Result<Option<u64>, LabError> {
        let (steps, name) = (self.steps, &network.name);
        let short = |whitening: &u64| *whitening < steps;
        let Some(epochs) = self.options.whitening_epochs else {
            let of_all = |part: f64| (part * steps as f64).round() as u64;
            return Ok(self.values.whitening.map(of_all).filter(short));
        };
        ensure!(
            has_whitening(name),
            "--whitening-epochs is of the whitened layer of {}, which {name} has not",
            Recipe::Speedrun.model()
        );
        let whitening = steps_of(epochs, self.per_epoch);
        ensure!(
            epochs >= 0.0 && whitening <= steps,
            "--whitening-epochs {epochs} must lie between 0 and the length of the training"
        );
        Ok(Some(whitening).filter(short))
    }

    fn augmentation(&self, side: u32) -> Result<Augmentation, LabError> {
        let crop_padding = self.options.crop_padding.unwrap_or(self.values.crop_padding);
        ensure!(
            crop_padding < side,
            "--crop-padding {crop_padding} must be smaller than the images' side of {side} pixels"
        );
        let flip = self.options.flip.unwrap_or(self.values.flip);
        Ok(Augmentation { crop_padding, flip })
    }

    fn views(&self, side: u32) -> Result<Views, LabError> {
        let views = self.options.views.unwrap_or(self.values.views);
        ensure!(
            views != Views::MirroredShifted || side >= 2,
            "--views mirrored-shifted needs images of at least 2×2 pixels"
        );
        Ok(views)
    }
}

fn precision(options: &TrainingOptions) -> Precision {
    match options.precision.unwrap_or(PrecisionChoice::Auto) {
        PrecisionChoice::F32 => Precision::F32,
        PrecisionChoice::Bf16 => Precision::Bf16,
        PrecisionChoice::Auto if device(options) == DeviceKind::Cuda => Precision::Bf16,
        PrecisionChoice::Auto => options.auto.unwrap_or_else(|| {
            // On a processor only instructions for bfloat16 make it worth while.
            if Avx512Bf16::detect().is_some() { Precision::Bf16 } else { Precision::F32 }
        }),
    }
}

/// Threads of a worker. Far more than there are cores starve the machine.
fn threads(options: &TrainingOptions) -> Result<u32, LabError> {
    /// So many are taken whatever the machine: the worker may run on another one.
    const ANYWHERE: usize = 64;
    let threads = positive("--threads", options.threads, 1)?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    ensure!(
        threads as usize <= cores.max(ANYWHERE),
        "--threads {threads} is far more than this machine's {cores} cores; give --threads {cores}"
    );
    Ok(threads)
}

fn device(options: &TrainingOptions) -> DeviceKind {
    match options.device.unwrap_or(DeviceChoice::Cpu) {
        DeviceChoice::Cpu => DeviceKind::Cpu,
        DeviceChoice::Cuda => DeviceKind::Cuda,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_that_the_recipe_cannot_cut_is_refused() {
        let micro_batch = |batch: u32, micro_batch: Option<OrNone<u32>>| {
            let options = TrainingOptions { micro_batch, ..TrainingOptions::default() };
            let values = Recipe::Speedrun.values(batch, 64, 32);
            Resolver { options: &options, values, batch, steps: 200, per_epoch: 25 }.micro_batch()
        };
        assert_eq!(micro_batch(2000, None).unwrap(), Some(500));
        assert_eq!(micro_batch(998, None).unwrap(), None);
        assert_eq!(micro_batch(1002, Some(OrNone(None))).unwrap(), None);
        assert_eq!(micro_batch(1002, Some(OrNone(Some(501)))).unwrap(), Some(501));
        let message = micro_batch(1002, None).unwrap_err().to_string();
        assert!(message.contains("--batch 1000, or --micro-batch none"), "{message}");
    }
}
