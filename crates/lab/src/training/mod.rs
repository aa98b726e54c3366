//! From the options of a training to what is trained: defaults filled in, everything checked.

mod options;

use datadiet_core::isa::Avx512Bf16;
use datadiet_data::{Dataset, LabelNoise};
use datadiet_store::{
    Augmentation, DeviceKind, Flip, Labels, LearningRate, ListRef, NetworkSpec, Precision,
    Recording, RunSpec, Schedule, Store, Subset, Views, catalogue,
};

pub use options::{DeviceChoice, PrecisionChoice, ScheduleKind, TrainingOptions};

use crate::refuse::{bail, ensure};
use crate::{LabError, lists};
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
    pub fn new(options: &TrainingOptions, dataset: &Dataset) -> Result<Self, LabError> {
        let examples = examples(options, dataset)?;
        let batch = positive("--batch", options.batch, TrainingOptions::BATCH)?;
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
        let labels = labels(options, dataset, examples)?;
        let template = RunSpec {
            semantics: RunSpec::SEMANTICS,
            data: DataRef {
                name: dataset.name().into(),
                fingerprint: dataset.fingerprint().into(),
                limit: options.limit.filter(|&limit| (limit as usize) < dataset.train().len()),
            },
            labels: labelling(&labels, &dataset.train().labels[..examples]),
            subset: Subset::Full,
            validation: None,
            network: network(options, dataset)?,
            schedule: schedule(options, batch, steps, per_epoch)?,
            augmentation: augmentation(options, dataset)?,
            views: Views::Plain,
            precision: precision(options),
            device: device(options),
            threads: positive("--threads", options.threads, 1)?,
            seed: options.seed.unwrap_or(0),
            replica: 0,
            stop_after: steps,
            record: Recording::default(),
            spawn: None,
        };
        Ok(Self { template, epochs, per_epoch, labels })
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
            let step = steps_of(at, self.per_epoch);
            if let Some(same) = times.iter().find(|time| time.step == step) {
                bail!("epochs {} and {at} are the same step, {step}: leave one out", same.epochs);
            }
            times.push(TimePoint { epochs: at, step });
        }
        Ok(times)
    }
}

fn examples(options: &TrainingOptions, dataset: &Dataset) -> Result<usize, LabError> {
    let all = dataset.train().len();
    match options.limit {
        None => Ok(all),
        Some(limit) if limit >= 1 && limit as usize <= all => Ok(limit as usize),
        Some(limit) => bail!("--limit {limit} must lie between 1 and {all}, the training examples"),
    }
}

fn labels(
    options: &TrainingOptions,
    dataset: &Dataset,
    examples: usize,
) -> Result<Vec<u32>, LabError> {
    let original = dataset.train().labels;
    let Some(path) = &options.labels else { return Ok(original[..examples].to_vec()) };
    let labels = lists::labels(path, dataset)?;
    let classes = dataset.classes().len() as u32;
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
    let width = match options.width {
        Some(width) => width,
        None => catalogue::find(&name)?.default_width,
    };
    let spec = NetworkSpec::new(name, width);
    spec.check(dataset.height(), dataset.width())?;
    Ok(spec)
}

fn schedule(
    options: &TrainingOptions,
    batch: u32,
    steps: u64,
    per_epoch: u64,
) -> Result<Schedule, LabError> {
    let lr = options.lr.unwrap_or(TrainingOptions::LR);
    ensure!(lr > 0.0 && lr.is_finite(), "--lr {lr} must be above 0, such as 0.1");
    let momentum = options.momentum.unwrap_or(TrainingOptions::MOMENTUM);
    ensure!((0.0..1.0).contains(&momentum), "--momentum {momentum} must lie in [0, 1)");
    let weight_decay = options.weight_decay.unwrap_or(TrainingOptions::WEIGHT_DECAY);
    ensure!(weight_decay >= 0.0, "--weight-decay {weight_decay} must not be negative");
    let learning_rate = match options.schedule.unwrap_or(ScheduleKind::Linear) {
        ScheduleKind::Linear => {
            let warm_up = options.warm_up.map_or(steps / 10, |at| steps_of(at, per_epoch));
            ensure!(options.warm_up.is_none_or(|at| at >= 0.0), "--warm-up must not be negative");
            ensure!(
                warm_up < steps,
                "--warm-up must be shorter than the training of {steps} steps"
            );
            LearningRate::WarmUpLinear { peak: lr, warm_up }
        }
        ScheduleKind::Paper => LearningRate::Milestones {
            base: lr,
            factor: 0.2,
            milestones: [0.3, 0.6, 0.8].map(|at| (at * steps as f64).round() as u64).to_vec(),
        },
    };
    Ok(Schedule::plain((steps, batch), learning_rate, momentum, weight_decay))
}

fn augmentation(options: &TrainingOptions, dataset: &Dataset) -> Result<Augmentation, LabError> {
    let side = dataset.height().min(dataset.width()) as u32;
    let crop_padding = options.crop_padding.unwrap_or((side / 8).min(4));
    ensure!(
        crop_padding < side,
        "--crop-padding {crop_padding} must be smaller than the images' side of {side} pixels"
    );
    let flip =
        if options.flip.unwrap_or(TrainingOptions::FLIP) { Flip::Random } else { Flip::Never };
    Ok(Augmentation { crop_padding, flip })
}

fn precision(options: &TrainingOptions) -> Precision {
    match options.precision.unwrap_or(PrecisionChoice::Auto) {
        PrecisionChoice::F32 => Precision::F32,
        PrecisionChoice::Bf16 => Precision::Bf16,
        PrecisionChoice::Auto => {
            // On a processor only instructions for bfloat16 make it worth while.
            let fast = device(options) == DeviceKind::Cuda || Avx512Bf16::detect().is_some();
            if fast { Precision::Bf16 } else { Precision::F32 }
        }
    }
}

fn device(options: &TrainingOptions) -> DeviceKind {
    match options.device.unwrap_or(DeviceChoice::Cpu) {
        DeviceChoice::Cpu => DeviceKind::Cpu,
        DeviceChoice::Cuda => DeviceKind::Cuda,
    }
}
