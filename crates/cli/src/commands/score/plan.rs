//! From what was typed to what is done: defaults filled in, everything checked.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};
use datadiet_core::{ScoreKind, Source};
use datadiet_data::Dataset;
use datadiet_engine::kernels::conv::has_bf16;
use datadiet_engine::networks;
use datadiet_engine::session::task_of;
use datadiet_lab::{ColumnSummary, ScoreJob, TimePoint};
use datadiet_store::{
    Augmentation, DataRef, DeviceKind, Labels, LearningRate, NetworkSpec, Precision, Recording,
    RunId, RunSpec, Schedule, Subset,
};

use super::options::{DeviceChoice, PrecisionChoice, ScheduleKind, ScoreOptions};
use crate::output::grouped;
use crate::progress::Work;

/// A job ready to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The replicas.
    pub job: ScoreJob,
    /// The times asked for.
    pub times: Vec<TimePoint>,
    /// Processes at a time.
    pub workers: usize,
    /// Memory that the gradient norms of a process may use, MiB.
    pub memory: u64,
    /// GPUs to spread them over.
    pub gpus: usize,
    /// Whether to write every replica's columns.
    pub per_replica: bool,
    /// Examples of each class at each end of the gallery.
    pub gallery: usize,
    /// Folder for the results.
    pub out: PathBuf,
}

impl Plan {
    /// Resolves and checks options for a data set.
    pub fn new(options: &ScoreOptions, dataset: &Dataset) -> Result<Self> {
        let examples = examples(options, dataset)?;
        let batch = positive("--batch", options.batch, 128)?;
        ensure!(
            examples >= batch as usize,
            "a batch of {batch} is more than the {examples} training examples; give --batch {}",
            examples.min(32)
        );
        let per_epoch = examples as u64 / u64::from(batch);
        let epochs = options.epochs.unwrap_or(4.0);
        let steps = steps_of(epochs, per_epoch);
        ensure!(
            epochs.is_finite() && steps >= 1,
            "--epochs {epochs} is not a length of training: an epoch has {per_epoch} steps, and at \
             least one is needed"
        );
        let scores = scores(options)?;
        let times = times(options, epochs, per_epoch)?;
        let last = times.last().map_or(steps, |time| time.step);
        let template = RunSpec {
            semantics: RunSpec::SEMANTICS,
            data: DataRef {
                name: dataset.name().into(),
                fingerprint: dataset.fingerprint().into(),
                limit: options.limit.filter(|&limit| (limit as usize) < dataset.train().len()),
            },
            labels: Labels::Original,
            subset: Subset::Full,
            network: network(options, dataset)?,
            schedule: schedule(options, batch, steps, per_epoch)?,
            augmentation: augmentation(options, dataset)?,
            precision: precision(options),
            device: device(options),
            threads: positive("--threads", options.threads, 1)?,
            seed: options.seed.unwrap_or(0),
            replica: 0,
            stop_after: last.max(1),
            record: Recording {
                steps: times.iter().map(|time| time.step).collect(),
                gradient_steps: gradient_steps(options, &scores, &times, per_epoch)?,
                scores,
            },
        };
        let judged = judged(&template.record, last)?;
        let replicas = positive("--replicas", options.replicas, 4)?;
        if let Some(target) = options.until_reliability {
            ensure!(
                (0.0..1.0).contains(&target),
                "--until-reliability {target} must lie between 0 and 1, such as 0.95"
            );
        }
        let out = options.out.clone().unwrap_or_else(|| default_out(&template));
        let gpus = positive("--gpus", options.gpus, 1)? as usize;
        let workers = workers(options, &template, replicas, gpus)?;
        let memory = options.memory.unwrap_or_else(|| default_memory(workers));
        ensure!(memory > 0, "--memory must be at least 1 MiB");
        Ok(Self {
            workers,
            memory,
            gpus,
            job: ScoreJob {
                template,
                replicas,
                until_reliability: options.until_reliability,
                judged: (judged, last),
            },
            times,
            per_replica: options.per_replica.unwrap_or(false),
            gallery: options.gallery.unwrap_or(8) as usize,
            out,
        })
    }

    /// What progress is measured against.
    pub fn work(&self) -> Work {
        let spec = &self.job.template;
        Work { runs: self.job.replicas, steps: spec.stop_after, batch: spec.schedule.batch }
    }

    /// One line about what is going to happen.
    pub fn headline(&self, dataset: &Dataset) -> String {
        let spec = &self.job.template;
        let precision = if spec.precision == Precision::Bf16 { "bf16" } else { "f32" };
        format!(
            "{}: {} examples · {} of width {} · {} replicas of {} steps (batch {}) · {precision} · \
             {} at a time",
            spec.data.name,
            grouped(self.labels(dataset).len() as u64),
            spec.network.name,
            spec.network.width,
            self.job.replicas,
            grouped(spec.stop_after),
            spec.schedule.batch,
            self.workers,
        )
    }

    /// Labels of the examples that are scored.
    pub fn labels<'d>(&self, dataset: &'d Dataset) -> &'d [u32] {
        let labels = dataset.train().labels;
        let limit = self.job.template.data.limit.map_or(labels.len(), |limit| limit as usize);
        &labels[..limit.min(labels.len())]
    }

    /// The column that the gallery is sorted by: EL2N where it was taken, at the last time.
    pub fn gallery_column<'c>(&self, columns: &'c [ColumnSummary]) -> Option<&'c ColumnSummary> {
        if self.gallery == 0 {
            return None;
        }
        let el2n = columns.iter().rev().find(|column| column.score == ScoreKind::El2n);
        el2n.or(columns.last())
    }
}

fn examples(options: &ScoreOptions, dataset: &Dataset) -> Result<usize> {
    let all = dataset.train().len();
    match options.limit {
        None => Ok(all),
        Some(limit) if limit >= 1 && limit as usize <= all => Ok(limit as usize),
        Some(limit) => bail!("--limit {limit} must lie between 1 and {all}, the training examples"),
    }
}

fn positive(name: &str, given: Option<u32>, default: u32) -> Result<u32> {
    let value = given.unwrap_or(default);
    ensure!(value > 0, "{name} must be at least 1");
    Ok(value)
}

fn steps_of(epochs: f64, per_epoch: u64) -> u64 {
    (epochs * per_epoch as f64).round() as u64
}

fn times(options: &ScoreOptions, epochs: f64, per_epoch: u64) -> Result<Vec<TimePoint>> {
    let mut asked = if options.at.is_empty() { vec![epochs] } else { options.at.clone() };
    asked.extend(&options.grand_at);
    asked.sort_by(f64::total_cmp);
    asked.dedup();
    let mut times: Vec<TimePoint> = Vec::new();
    for at in asked {
        ensure!(
            at >= 0.0 && at <= epochs,
            "cannot score at epoch {at}: training goes from 0 to {epochs} epochs; give --epochs {} \
             for a longer schedule",
            at.abs().ceil()
        );
        let step = steps_of(at, per_epoch);
        if let Some(same) = times.iter().find(|time| time.step == step) {
            bail!("epochs {} and {at} are the same step, {step}: leave one out", same.epochs);
        }
        times.push(TimePoint { epochs: at, step });
    }
    Ok(times)
}

fn network(options: &ScoreOptions, dataset: &Dataset) -> Result<NetworkSpec> {
    let name = options.model.clone().unwrap_or_else(|| "resnet8".into());
    let width = options.width.map_or_else(|| networks::find(&name).map(|e| e.default_width), Ok)?;
    let spec = NetworkSpec { name, width };
    networks::check(&spec, task_of(dataset))?;
    Ok(spec)
}

fn schedule(options: &ScoreOptions, batch: u32, steps: u64, per_epoch: u64) -> Result<Schedule> {
    let lr = options.lr.unwrap_or(0.1);
    ensure!(lr > 0.0 && lr.is_finite(), "--lr {lr} must be above 0, such as 0.1");
    let momentum = options.momentum.unwrap_or(0.9);
    ensure!((0.0..1.0).contains(&momentum), "--momentum {momentum} must lie in [0, 1)");
    let weight_decay = options.weight_decay.unwrap_or(5e-4);
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
    Ok(Schedule { steps, batch, learning_rate, momentum, nesterov: momentum > 0.0, weight_decay })
}

fn augmentation(options: &ScoreOptions, dataset: &Dataset) -> Result<Augmentation> {
    let side = dataset.height().min(dataset.width()) as u32;
    let crop_padding = options.crop_padding.unwrap_or((side / 8).min(4));
    ensure!(
        crop_padding < side,
        "--crop-padding {crop_padding} must be smaller than the images' side of {side} pixels"
    );
    Ok(Augmentation { crop_padding, flip: options.flip.unwrap_or(true) })
}

fn precision(options: &ScoreOptions) -> Precision {
    match options.precision.unwrap_or(PrecisionChoice::Auto) {
        PrecisionChoice::F32 => Precision::F32,
        PrecisionChoice::Bf16 => Precision::Bf16,
        PrecisionChoice::Auto if device(options) == DeviceKind::Cuda || has_bf16() => {
            Precision::Bf16
        }
        PrecisionChoice::Auto => Precision::F32,
    }
}

fn device(options: &ScoreOptions) -> DeviceKind {
    match options.device.unwrap_or(DeviceChoice::Cpu) {
        DeviceChoice::Cpu => DeviceKind::Cpu,
        DeviceChoice::Cuda => DeviceKind::Cuda,
    }
}

fn scores(options: &ScoreOptions) -> Result<Vec<ScoreKind>> {
    let all = ScoreKind::ALL.iter().copied();
    if options.scores.iter().any(|name| name == "all") {
        return Ok(all.collect());
    }
    if options.scores.is_empty() {
        return Ok(all.filter(|kind| !of_gradients(*kind)).collect());
    }
    let mut kinds = Vec::new();
    for name in &options.scores {
        kinds.push(ScoreKind::from_str(name)?);
    }
    // At initialisation GraNd is little more than the norm of the input (Kirsch 2023): whoever
    // looks at the one should see the other beside it.
    if kinds.contains(&ScoreKind::Grand) {
        kinds.push(ScoreKind::InputNorm);
    }
    // One order, whatever was typed: the same scores are the same run.
    Ok(all.filter(|kind| kinds.contains(kind)).collect())
}

/// The first score that is taken at the last time: its reliability decides when there are enough
/// replicas.
fn judged(record: &Recording, last: u64) -> Result<ScoreKind> {
    let taken = |kind: &&ScoreKind| match kind.source() {
        Source::EvalLogits => true,
        Source::TrainingMinibatches => last > 0,
        Source::Gradients | Source::Inputs => record.gradient_steps.contains(&last),
    };
    let found = record.scores.iter().find(taken).copied();
    found.context("none of the --scores is taken at the last of the times; change --scores or --at")
}

fn of_gradients(kind: ScoreKind) -> bool {
    matches!(kind.source(), Source::Gradients | Source::Inputs)
}

fn gradient_steps(
    options: &ScoreOptions,
    scores: &[ScoreKind],
    times: &[TimePoint],
    per_epoch: u64,
) -> Result<Vec<u64>> {
    let wanted = scores.iter().any(|&kind| of_gradients(kind));
    ensure!(
        wanted || options.grand_at.is_empty(),
        "--grand-at needs a score of gradients: add grand to --scores"
    );
    let all = times.iter().map(|time| time.step);
    Ok(match (wanted, options.grand_at.is_empty()) {
        (false, _) => Vec::new(),
        (true, true) => all.collect(),
        (true, false) => {
            let asked = options.grand_at.iter().map(|&at| steps_of(at, per_epoch));
            let asked: Vec<u64> = asked.collect();
            all.filter(|step| asked.contains(step)).collect()
        }
    })
}

/// Half of the machine's memory, shared out to the workers; MiB.
fn default_memory(workers: usize) -> u64 {
    (crate::machine::memory_mib() / 2 / workers as u64).max(256)
}

fn workers(options: &ScoreOptions, spec: &RunSpec, replicas: u32, gpus: usize) -> Result<usize> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let default = match spec.device {
        DeviceKind::Cpu => (cores / spec.threads as usize).max(1),
        DeviceKind::Cuda => gpus,
    };
    let workers = positive("--workers", options.workers, default as u32)?;
    Ok(workers.min(replicas) as usize)
}

fn default_out(spec: &RunSpec) -> PathBuf {
    let id = RunId::of(spec);
    let name = format!("{}-{}-{}", spec.data.name, spec.network.name, &id.as_str()[..8]);
    PathBuf::from("scores").join(name)
}
