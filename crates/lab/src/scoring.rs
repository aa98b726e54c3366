//! From the options of scoring to what replicas record.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use datadiet_core::{Kept, ScoreKind, Source, grouped};
use datadiet_store::Recording;
use datadiet_table::TimePoint;
use serde::{Deserialize, Serialize};

use crate::LabError;
use crate::defaults_to::DefaultsTo;
use crate::refuse::ensure;
use crate::training::{Training, steps_of};

/// How scores are taken, as typed on the command line or in a TOML file.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ScoringOptions {
    /// Independent trainings to average over.
    #[arg(long, defaults_to = Self::REPLICAS)]
    pub replicas: Option<u32>,
    /// Start no more replicas once the split-half reliability of the first score at the last time
    /// passes this, such as 0.95.
    #[arg(long, value_name = "R")]
    pub until_reliability: Option<f64>,
    /// When to score, in epochs, fractions allowed; 0 is the initialisation [default: the end].
    #[arg(long, value_delimiter = ',', value_name = "EPOCHS")]
    pub at: Vec<f64>,
    /// Scores to take: el2n, grand, forgetting, … or `all`; of more than 33 million examples times
    /// classes, margin-of-mean and tdds only if named [default: all without a backward pass].
    #[arg(long, value_delimiter = ',')]
    pub scores: Vec<String>,
    /// When to take GraNd, which costs about a training step an example, in epochs [default: --at].
    #[arg(long, value_delimiter = ',', value_name = "EPOCHS")]
    pub grand_at: Vec<f64>,
    /// Also write a column for every replica.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub per_replica: Option<bool>,
    /// Numbers of your own to rank by as well, such as the lengths of texts: a file (.csv, .parquet, .json) with a
    /// row for each training example; each of its columns of numbers is one.
    #[arg(long, value_name = "FILE")]
    pub columns: Option<PathBuf>,
}

impl ScoringOptions {
    /// Replicas where no number is given.
    pub const REPLICAS: u32 = 4;

    /// Bytes that the scores of [`Kept::OF_CLASSES`] take for each example and class in a training.
    const BYTES_OF_CLASS: usize = 12;

    /// One score, once.
    pub fn one(kind: ScoreKind, at: f64, replicas: u32) -> Self {
        let scores = vec![kind.name().into()];
        Self { replicas: Some(replicas), at: vec![at], scores, ..Self::default() }
    }

    /// The times at which a training is scored; `also` at these.
    ///
    /// # Errors
    /// When one lies outside the training, or two are the same step.
    pub fn times(&self, training: &Training, also: &[f64]) -> Result<Vec<TimePoint>, LabError> {
        let mut asked: Vec<f64> = self.at.iter().chain(also).copied().collect();
        if asked.is_empty() {
            asked.push(training.epochs);
        }
        asked.extend(&self.grand_at);
        training.times(asked)
    }

    /// What every replica records at these times, on data of so many classes.
    ///
    /// # Errors
    /// For unknown scores, or times of gradients without a score that needs them.
    pub fn recording(
        &self,
        training: &Training,
        times: &[TimePoint],
        classes: usize,
    ) -> Result<Recording, LabError> {
        let mut scores = self.kinds(training.labels.len(), classes)?;
        if let Some(kind) = scores.iter().find(|kind| !training.can_take(**kind)) {
            ensure!(
                self.of_all_kinds(),
                "{kind} needs the network itself, and a trainer of your own gives logits alone: leave it \
                 out of --scores"
            );
        }
        scores.retain(|kind| training.can_take(*kind));
        let of_gradients = scores.iter().any(|&kind| of_gradients(kind));
        ensure!(
            of_gradients || self.grand_at.is_empty(),
            "--grand-at needs a score of gradients: add grand to --scores"
        );
        let asked = self.grand_at.iter().map(|&at| steps_of(at, training.per_epoch));
        let asked: Vec<u64> = asked.collect();
        let steps = times.iter().map(|time| time.step);
        let at = |step: &u64| of_gradients && (asked.is_empty() || asked.contains(step));
        Ok(Recording {
            gradient_steps: steps.clone().filter(at).collect(),
            steps: steps.collect(),
            scores,
            weights: Vec::new(),
        })
    }

    /// What to know before trainings that score so many examples of so many classes: that scores which
    /// nobody named are left out for their memory, or how much memory those take that were named.
    /// None where neither is so.
    pub fn memory_note(&self, examples: usize, classes: usize) -> Option<String> {
        if Kept::within(examples, classes).classes {
            return None;
        }
        let asked = |kind: &&ScoreKind| {
            self.scores.iter().any(|name| ScoreKind::from_str(name).ok() == Some(**kind))
        };
        let named = Kept::OF_CLASSES.iter().filter(asked);
        let named: Vec<&str> = named.map(|kind| kind.name()).collect();
        let data = || {
            let (examples, classes) = (grouped(examples as u64), grouped(classes as u64));
            format!("of {examples} examples and {classes} classes")
        };
        let bytes = examples.saturating_mul(classes).saturating_mul(Self::BYTES_OF_CLASS);
        let memory =
            format!("{:.1} GB of memory for each training that goes on", bytes as f64 / 1e9);
        if !named.is_empty() {
            let (takes, named) =
                (if named.len() == 1 { "takes" } else { "take" }, named.join(" and "));
            return Some(format!("{named} {takes} {memory}: {}", data()));
        }
        self.of_all_kinds().then(|| {
            let names = Kept::OF_CLASSES.map(ScoreKind::name).join(" and ");
            format!(
                "note: without {names}, which {} take {memory}; `datadiet score` has them if --scores \
                 names them (a file's scores)",
                data()
            )
        })
    }

    /// Whether the kinds were left to us, not named one by one.
    fn of_all_kinds(&self) -> bool {
        self.scores.is_empty() || self.scores.iter().any(|name| name == "all")
    }

    fn kinds(&self, examples: usize, classes: usize) -> Result<Vec<ScoreKind>, LabError> {
        let mut kinds = Vec::new();
        for name in self.scores.iter().filter(|name| *name != "all") {
            let kind = ScoreKind::from_str(name)?;
            ensure!(
                ScoreKind::OF_CLASSIFICATION.contains(&kind),
                "{kind} is of losses or outputs that a loop of your own records (datadiet.LossRecorder and its \
                 kin in Python): these trainings learn one class an example and do not take it"
            );
            kinds.push(kind);
        }
        let all = ScoreKind::OF_CLASSIFICATION.iter().copied();
        if self.of_all_kinds() {
            let gradients = !self.scores.is_empty();
            let of_classes = Kept::within(examples, classes).classes || Kept::of(&kinds).classes;
            let taken = |kind: &ScoreKind| {
                (gradients || !of_gradients(*kind))
                    && (of_classes || !Kept::OF_CLASSES.contains(kind))
            };
            return Ok(all.filter(taken).collect());
        }
        // At initialisation GraNd is little more than the norm of the input (Kirsch 2023): whoever
        // looks at the one should see the other beside it.
        if kinds.contains(&ScoreKind::Grand) {
            kinds.push(ScoreKind::InputNorm);
        }
        // One order, whatever was typed: the same scores are the same run.
        Ok(all.filter(|kind| kinds.contains(kind)).collect())
    }
}

fn of_gradients(kind: ScoreKind) -> bool {
    matches!(kind.source(), Source::Gradients | Source::Inputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(scores: &[&str]) -> ScoringOptions {
        let scores = scores.iter().map(ToString::to_string).collect();
        ScoringOptions { scores, ..ScoringOptions::default() }
    }

    /// Numbers for each example and class are kept of large data only where someone asked for them by
    /// name, and then their memory is told.
    #[test]
    fn numbers_of_each_class_are_bounded_unless_named() {
        use ScoreKind::{El2n, MarginOfMean, Tdds};
        let imagenet = (1_281_167, 1000);
        let of = |scores: &[&str], (examples, classes): (usize, usize)| {
            let options = options(scores);
            let kinds = options.kinds(examples, classes).unwrap();
            (kinds, options.memory_note(examples, classes))
        };
        for scores in [&[][..], &["all"]] {
            // All but these two, which cost 12 bytes each time.
            let (few, note) = of(scores, (50_000, 10));
            assert!(few.contains(&MarginOfMean) && few.contains(&Tdds) && note.is_none());
            let (many, note) = of(scores, imagenet);
            let without = |kind: &&ScoreKind| ![MarginOfMean, Tdds].contains(*kind);
            assert_eq!(many, few.iter().filter(without).copied().collect::<Vec<_>>());
            let note = note.unwrap();
            for part in ["note: without margin-of-mean and tdds", "15.4 GB", "--scores names"] {
                assert!(note.contains(part), "{note}");
            }
        }
        let largest = Kept::MOST_NUMBERS / 1000;
        assert!(of(&[], (largest, 1000)).1.is_none());
        assert!(of(&[], (largest + 1, 1000)).1.is_some());
        let (kinds, note) = of(&["tdds", "el2n"], imagenet);
        assert!(kinds.len() == 2 && kinds.contains(&El2n) && kinds.contains(&Tdds));
        let note = note.unwrap();
        assert!(note.starts_with("tdds takes 15.4 GB of memory"), "{note}");
        let (kinds, note) = of(&["all", "margin-of-mean"], imagenet);
        assert_eq!(kinds, ScoreKind::OF_CLASSIFICATION, "the memory of one is that of both");
        assert!(note.unwrap().starts_with("margin-of-mean takes"));
        assert_eq!(of(&["el2n"], imagenet), (vec![El2n], None));
        assert!(options(&["all", "el2m"]).kinds(10, 10).is_err());
        let other = options(&["el2n", "mean-loss"]).kinds(10, 10).unwrap_err().to_string();
        assert!(other.starts_with("mean-loss is of losses or outputs that a loop"), "{other}");
    }
}
