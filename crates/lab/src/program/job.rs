//! What a program is told: `job.json` and lists of ids and labels, for any language.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use datadiet_core::{ScoreKind, Source, Stream, rng, streams::below};
use datadiet_store::program::{CHECKPOINT, KEPT, METRICS, RECORDED, WEIGHTS, kept_epoch};
use datadiet_store::{
    Labels, ListRef, Metric, RunFolder, RunId, RunSpec, Spawn, Subset, TrainerSpec,
};
use datadiet_table::{write_atomically, write_json};
use serde::Serialize;
use serde_json::Value;

use super::TrainerError;

/// The version of what programs and datadiet tell each other.
pub const PROTOCOL: u32 = 1;

/// The examples of a run, and their labels.
#[derive(Clone, Debug)]
pub struct Examples {
    /// Label of each training example, in the subset or not.
    pub labels: Vec<u32>,
    /// Names of the classes.
    pub classes: Vec<String>,
}

/// The job of a run.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Job {
    protocol: u32,
    /// The run's id, which the answer repeats.
    pub run: RunId,
    /// What trains.
    trainer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    settings: BTreeMap<String, Value>,
    metric: Metric,
    data: String,
    /// Training examples in all: ids lie below.
    pub examples: usize,
    classes: Vec<String>,
    train: List,
    validation: List,
    /// Seed of this training: of the experiment's seed and the replica.
    seed: u32,
    replica: u32,
    /// Epochs of the whole schedule.
    epochs: u64,
    /// Epochs to train: scores of early training need the schedule of the whole, but not its end.
    pub stop_after: u64,
    /// Epochs whose logits are recorded, counted from 1.
    pub record: Vec<u64>,
    /// Those of them after which scores are asked for.
    pub score_at: Vec<u64>,
    scores: Vec<ScoreKind>,
    /// Where the program keeps its state to go on from.
    checkpoint: &'static str,
    /// Where it writes what it records.
    recorded: &'static str,
    /// Where it writes how well it did, last.
    metrics: &'static str,
    /// Epochs after which weights are kept, 0 for the initialisation; not there where none are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<u64>,
    /// Where they are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<&'static str>,
    /// What it goes on from, where it leaves another training.
    #[serde(skip_serializing_if = "Option::is_none")]
    spawn: Option<Left>,
}

/// Where a training leaves its parent.
#[derive(Clone, Debug, Serialize)]
struct Left {
    /// Epochs that both share.
    epoch: u64,
    /// What the parent kept then: a folder.
    folder: PathBuf,
    /// Which of the parent's children.
    child: u32,
}

/// A list of examples in a file.
#[derive(Clone, Debug, Serialize)]
pub(super) struct List {
    file: Option<String>,
    count: usize,
}

/// Ids with labels.
pub(super) struct Rows<'a> {
    pub file: &'a str,
    pub ids: Vec<u32>,
    /// Labels of all examples.
    pub labels: &'a [u32],
}

/// Files of the job that are no longer needed when it is done.
pub(super) const LISTS: [&str; 2] = ["train.csv", "validation.csv"];

impl Job {
    /// Writes the job of a run into its folder.
    pub(super) fn write(
        folder: &RunFolder,
        spec: &RunSpec,
        trainer: &TrainerSpec,
        examples: &Examples,
    ) -> Result<Self, TrainerError> {
        let labels = match &spec.labels {
            Labels::Original => examples.labels.clone(),
            Labels::Listed(list) => read(folder, list)?,
        };
        let all = spec.data.limit.map_or(labels.len(), |limit| limit as usize).min(labels.len());
        let labels = &labels[..all];
        let ids = match &spec.subset {
            Subset::Full => (0..all as u32).collect(),
            Subset::Listed(list) => read(folder, list)?,
        };
        let held_out = spec.validation.as_ref().map(|list| read(folder, list)).transpose()?;
        // A subset beside held-out examples is never of these; all but them is a list as well.
        let train = Rows { file: LISTS[0], ids, labels };
        let validation = Rows { file: LISTS[1], ids: held_out.unwrap_or_default(), labels };
        let size = train.ids.len();
        let epochs = |steps: u64| RunSpec::whole_epochs(steps, size);
        let score_at: Vec<u64> = spec.record.steps.iter().map(|&step| epochs(step)).collect();
        let over_time = |kind: &ScoreKind| kind.source() == Source::TrainingMinibatches;
        let record = match score_at.last() {
            Some(&last) if spec.record.scores.iter().any(over_time) => (1..=last).collect(),
            _ => score_at.clone(),
        };
        // Not whole_epochs: 0 is the initialisation.
        let keep = spec.record.weights.iter().map(|&step| whole(step, size)).collect::<Vec<u64>>();
        let spawn = spec.spawn.as_ref().map(|spawn| left(folder, spec, spawn, size)).transpose()?;
        let mut seeds = match &spec.spawn {
            None => rng(spec.seed, spec.replica, Stream::Initialisation, 0),
            // Children of the same number that leave at other epochs go other ways, too.
            Some(Spawn { step, child, .. }) => {
                let counter = step << 32 | u64::from(*child);
                rng(spec.seed, spec.replica, Stream::Child, counter)
            }
        };
        let job = Self {
            protocol: PROTOCOL,
            run: RunId::of(spec),
            trainer: trainer.name.clone(),
            version: trainer.version.clone(),
            settings: trainer.settings.clone(),
            metric: trainer.metric.clone(),
            data: spec.data.name.clone(),
            examples: all,
            classes: examples.classes.clone(),
            train: train.write(folder.path())?,
            validation: validation.write(folder.path())?,
            seed: below(1 << 31, &mut seeds),
            replica: spec.replica,
            epochs: epochs(spec.schedule.steps),
            stop_after: epochs(spec.stop_after),
            record,
            score_at,
            scores: spec.record.scores.clone(),
            checkpoint: CHECKPOINT,
            recorded: RECORDED,
            metrics: METRICS,
            kept: (!keep.is_empty()).then_some(KEPT),
            keep,
            spawn,
        };
        let kept = job.kept;
        for name in [CHECKPOINT, RECORDED].into_iter().chain(kept) {
            std::fs::create_dir_all(folder.path().join(name))
                .map_err(|error| format!("cannot make {name} in the run folder: {error}"))?;
        }
        write_json(&folder.path().join("job.json"), &job).map_err(|error| error.to_string())?;
        Ok(job)
    }

    /// Training examples that it trains on.
    pub(super) fn size(&self) -> usize {
        self.train.count
    }

    /// Epochs that it trains itself, the others being its parent's.
    pub(super) fn own_epochs(&self) -> u64 {
        self.stop_after - self.began().unwrap_or(0)
    }

    /// The epoch at which it leaves its parent; none for a training from the beginning.
    pub(super) fn began(&self) -> Option<u64> {
        self.spawn.as_ref().map(|left| left.epoch)
    }

    /// Names of the classes.
    pub(super) fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Whether examples are held out to judge it by.
    pub(super) fn validates(&self) -> bool {
        self.validation.count > 0
    }
}

impl Rows<'_> {
    /// As `id,label` a line, with these names in the first; no file where there are none.
    pub(super) fn write(&self, folder: &Path) -> Result<List, TrainerError> {
        let count = self.ids.len();
        if count == 0 {
            return Ok(List { file: None, count });
        }
        let write = |file: &mut std::fs::File| {
            let mut file = BufWriter::new(file);
            writeln!(file, "id,label")?;
            for &id in &self.ids {
                writeln!(file, "{id},{}", self.labels[id as usize])?;
            }
            file.flush()
        };
        write_atomically(&folder.join(self.file), write).map_err(|error| error.to_string())?;
        Ok(List { file: Some(self.file.to_owned()), count })
    }
}

/// Whole epochs of `size` examples in so many that were passed.
fn whole(passed: u64, size: usize) -> u64 {
    (passed as f64 / size.max(1) as f64).round() as u64
}

/// What a child goes on from.
fn left(
    folder: &RunFolder,
    spec: &RunSpec,
    spawn: &Spawn,
    size: usize,
) -> Result<Left, TrainerError> {
    let epoch = whole(spawn.step, size);
    let (parent, its) =
        RunFolder::open(&folder.sibling(&spawn.parent)).map_err(|e| e.to_string())?;
    if !spec.trains_like(&its) {
        return Err(format!(
            "run {} is not a parent of this run: it trains by another specification",
            spawn.parent
        )
        .into());
    }
    let kept = parent.path().join(KEPT).join(kept_epoch(epoch));
    let kept = std::path::absolute(&kept).unwrap_or(kept);
    if !kept.join(WEIGHTS).is_file() {
        return Err(kept_none(&parent, epoch).into());
    }
    Ok(Left { epoch, folder: kept, child: spawn.child })
}

/// That a complete run has no weights of an epoch that it kept once.
pub(super) fn kept_none(run: &RunFolder, epoch: u64) -> String {
    format!(
        "run {} has no weights of epoch {epoch}: were they removed? Remove {} too, and the same command trains \
         it again",
        run.id(),
        run.path().display()
    )
}

fn read(folder: &RunFolder, list: &ListRef) -> Result<Vec<u32>, TrainerError> {
    folder.read_list(list).map_err(|error| error.to_string().into())
}
