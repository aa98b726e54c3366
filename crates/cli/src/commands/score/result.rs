//! What a scoring job reports: definitions, reliability, accuracy, cost, provenance.

use std::path::PathBuf;
use std::time::Duration;

use datadiet_core::grouped;
use datadiet_lab::{Scored, TrainingData, text::table};
use datadiet_store::RunResult;
use datadiet_table::{Accuracy, Card, ColumnSummary};
use serde::{Deserialize, Serialize};

use crate::output::column_row;

/// The content of `scores.json`: the card of the table, and what differs from one run of the same job
/// to the next.
#[derive(Clone, Debug, Serialize)]
pub struct ScoreReport {
    /// Where the scores come from.
    #[serde(flatten)]
    pub card: Card,
    /// What it cost.
    pub cost: Cost,
    /// Files written.
    pub files: Vec<PathBuf>,
}

/// What a job cost.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cost {
    /// Seconds from start to end of this command.
    pub wall_seconds: f64,
    /// Replicas found in the store.
    pub reused_replicas: u32,
    /// Seconds of training, summed over all replicas, those reused too.
    pub train_seconds: f64,
    /// Seconds of scoring and evaluation, likewise.
    pub score_seconds: f64,
    /// Seconds of taking gradient norms, likewise.
    pub gradient_seconds: f64,
    /// Training examples passed through networks, likewise.
    pub images_trained: u64,
    /// Examples scored or evaluated, likewise.
    pub images_scored: u64,
    /// Examples whose gradient norm was taken, likewise.
    pub images_differentiated: u64,
    /// Largest resident memory of a worker, MiB.
    pub peak_worker_memory_mib: f64,
}

/// Adds to the card of a table what a job says beyond its scores.
///
/// Without reasons of failures, which are told differently when they happen and when they are on
/// record: the same job gives the same table, byte for byte.
pub fn complete(card: &mut Card, data: TrainingData<'_>, scored: &Scored) {
    let results: Vec<&RunResult> = scored.completed.iter().map(|(_, result)| result).collect();
    let split = if data.has_test { "test" } else { "train" };
    card.source = data.source.into();
    let trainer = scored.completed.first().and_then(|(spec, _)| spec.trainer.as_ref());
    let metric = trainer.map(|trainer| &trainer.metric).filter(|metric| !metric.is_accuracy());
    let metric = metric.map(|metric| metric.name.clone());
    card.accuracy = Some(Accuracy { metric, ..accuracy(split, &results) });
    card.failed = scored.failed.iter().map(|failure| failure.on_card()).collect();
    card.failed.iter_mut().for_each(|failed| failed.reason = None);
}

impl ScoreReport {
    /// Of the card of the table that was written.
    pub fn new(card: &Card, scored: &Scored, wall: Duration, files: Vec<PathBuf>) -> Self {
        let results: Vec<&RunResult> = scored.completed.iter().map(|(_, result)| result).collect();
        let failed = scored.failed.iter().map(|failure| failure.on_card()).collect();
        let cost = Cost::of(&results, scored.reused, wall);
        Self { card: Card { failed, ..card.clone() }, cost, files }
    }

    /// A table of the scores at the last time; a line for each time would be long.
    fn columns_text(&self) -> String {
        let last = self.card.times.last().map(|time| time.step);
        let shown = self.card.columns.iter().filter(|column| Some(column.time.step) == last);
        let header = ["score", "hard is", "mean", "min", "max", "reliability", "replicas for 0.95"];
        let text = table(&header, shown.map(row).collect(), 2);
        let others: Vec<String> = self
            .card
            .times
            .iter()
            .rev()
            .skip(1)
            .rev()
            .map(|time| time.epochs.to_string())
            .collect();
        if others.is_empty() {
            return text;
        }
        format!("{text}\n\nalso at {}: see `datadiet scores show`", others.join(", "))
    }

    /// For people.
    pub fn text(&self) -> String {
        let accuracy = self.card.accuracy.as_ref().map_or(String::new(), |accuracy| {
            let spread = accuracy.standard_error;
            if let Some(metric) = &accuracy.metric {
                let spread = spread.map_or(String::new(), |se| format!(" ± {se:.4}"));
                return format!("{} {metric}   {:.4}{spread}", accuracy.split, accuracy.mean);
            }
            let spread = spread.map_or(String::new(), |se| format!(" ± {:.1}", se * 100.0));
            format!("{} accuracy   {:.1} %{spread}", accuracy.split, accuracy.mean * 100.0)
        });
        let replicas = self.card.replicas.unwrap_or_default();
        let steps = self.card.times.last().map_or(0, |time| time.step);
        let cost = &self.cost;
        let files: Vec<String> = self.files.iter().map(|file| file.display().to_string()).collect();
        format!(
            "{}\n\n{accuracy} after {}, {} replica{}\ncost            \
             {:.0} s ({:.0} s of workers); {} images trained, {} scored{}\nwritten         {}",
            self.columns_text(),
            match self.card.specification.get("trainer") {
                Some(_) => format!("{} epochs", self.card.times.last().map_or(0.0, |t| t.epochs)),
                None => format!("{} steps", grouped(steps.max(1))),
            },
            replicas,
            if replicas == 1 { "" } else { "s" },
            cost.wall_seconds,
            cost.train_seconds + cost.score_seconds + cost.gradient_seconds,
            grouped(cost.images_trained),
            grouped(cost.images_scored),
            match cost.images_differentiated {
                0 => String::new(),
                count => format!(", {} gradients", grouped(count)),
            },
            files.join("\n                "),
        )
    }
}

fn row(column: &ColumnSummary) -> Vec<String> {
    let wanted = column.reliability.as_ref().and_then(|r| r.replicas_for_95);
    let mut row = column_row(column);
    row.push(wanted.map_or("–".into(), |n| grouped(u64::from(n))));
    row
}

fn accuracy(split: &str, results: &[&RunResult]) -> Accuracy {
    let per_replica: Vec<f64> =
        results.iter().filter_map(|result| result.final_test_accuracy()).collect();
    let count = per_replica.len() as f64;
    let mean = per_replica.iter().sum::<f64>() / count;
    let variance = per_replica.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let standard_error = (per_replica.len() > 1).then(|| (variance / count).sqrt());
    Accuracy { metric: None, split: split.into(), mean, standard_error, per_replica }
}

impl Cost {
    fn of(results: &[&RunResult], reused_replicas: u32, wall: Duration) -> Self {
        Self {
            wall_seconds: wall.as_secs_f64(),
            reused_replicas,
            train_seconds: results.iter().map(|result| result.train_seconds).sum(),
            score_seconds: results.iter().map(|result| result.score_seconds).sum(),
            gradient_seconds: results.iter().map(|result| result.gradient_seconds).sum(),
            images_differentiated: results.iter().map(|result| result.images_differentiated).sum(),
            images_trained: results.iter().map(|result| result.images_trained).sum(),
            images_scored: results.iter().map(|result| result.images_scored).sum(),
            peak_worker_memory_mib: results
                .iter()
                .map(|result| result.peak_memory_mib)
                .fold(0.0, f64::max),
        }
    }
}
