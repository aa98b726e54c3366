//! From what was typed to what is done: defaults filled in, everything checked.

use datadiet_table::TimePoint;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result, ensure};
use datadiet_core::{ScoreKind, Source};
use datadiet_data::Dataset;
use datadiet_lab::ScoreJob;
use datadiet_store::{Recording, RunId, RunSpec};

use super::options::ScoreOptions;
use crate::output::grouped;
use crate::progress::Work;
use crate::training::{Training, positive, steps_of};

/// A job ready to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How a replica is trained.
    pub training: Training,
    /// The replicas.
    pub job: ScoreJob,
    /// The times asked for.
    pub times: Vec<TimePoint>,
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
        let training = Training::new(&options.training, dataset)?;
        let times = training.times(times(options, training.epochs))?;
        let record = recording(options, &training, &times)?;
        let last = times.last().map_or(training.template.stop_after, |time| time.step);
        let judged = judged(&record, last)?;
        let template = RunSpec { stop_after: last.max(1), record, ..training.template.clone() };
        if let Some(target) = options.until_reliability {
            ensure!(
                (0.0..1.0).contains(&target),
                "--until-reliability {target} must lie between 0 and 1, such as 0.95"
            );
        }
        let out = options.out.clone().unwrap_or_else(|| default_out(&template));
        Ok(Self {
            job: ScoreJob {
                name: String::new(),
                template,
                replicas: positive("--replicas", options.replicas, 4)?,
                until_reliability: options.until_reliability,
                judged: (judged, last),
            },
            training,
            times,
            per_replica: options.per_replica.unwrap_or(false),
            gallery: options.gallery.unwrap_or(8) as usize,
            out,
        })
    }

    /// What progress is measured against.
    pub fn work(&self) -> Work {
        let spec = &self.job.template;
        let steps = u64::from(self.job.replicas) * spec.stop_after;
        Work { steps, batch: spec.schedule.batch }
    }

    /// One line about what is going to happen.
    pub fn headline(&self) -> String {
        let spec = &self.job.template;
        format!(
            "{} · {} replicas of {} steps (batch {})",
            self.training.headline(),
            self.job.replicas,
            grouped(spec.stop_after),
            spec.schedule.batch,
        )
    }
}

fn times(options: &ScoreOptions, epochs: f64) -> Vec<f64> {
    let mut asked = if options.at.is_empty() { vec![epochs] } else { options.at.clone() };
    asked.extend(&options.grand_at);
    asked
}

/// What every replica records.
///
/// # Errors
/// For unknown scores, or times of gradients without a score that needs them.
pub fn recording(
    options: &ScoreOptions,
    training: &Training,
    times: &[TimePoint],
) -> Result<Recording> {
    let scores = scores(options)?;
    Ok(Recording {
        steps: times.iter().map(|time| time.step).collect(),
        gradient_steps: gradient_steps(options, &scores, times, training.per_epoch)?,
        scores,
        weights: Vec::new(),
    })
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

fn default_out(spec: &RunSpec) -> PathBuf {
    let id = RunId::of(spec);
    let name = format!("{}-{}-{}", spec.data.name, spec.network.name, &id.as_str()[..8]);
    PathBuf::from("scores").join(name)
}
