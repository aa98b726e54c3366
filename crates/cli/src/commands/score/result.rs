//! What a scoring job reports: definitions, reliability, accuracy, cost, provenance.

use std::path::PathBuf;
use std::time::Duration;

use datadiet_data::Dataset;
use datadiet_lab::{ColumnSummary, Failure, ScoreOutcome, ScoreTable, TimePoint};
use datadiet_store::{RunId, RunResult, RunSpec};
use serde::{Deserialize, Serialize};

use super::plan::Plan;
use crate::output::{grouped, hard_end, table};

/// The content of `scores.json`.
#[derive(Clone, Debug, Serialize)]
pub struct ScoreReport {
    /// Version of the program that wrote it.
    pub datadiet: String,
    /// What was trained: the specification of replica 0; the others differ in the replica alone.
    pub spec: RunSpec,
    /// Run ids of the replicas that count.
    pub runs: Vec<RunId>,
    /// Replicas that count.
    pub replicas: usize,
    /// Replicas that failed.
    pub failed: Vec<Failure>,
    /// The times, in epochs and steps.
    pub times: Vec<TimePoint>,
    /// Where the data came from.
    pub source: String,
    /// Every score column.
    pub columns: Vec<ColumnSummary>,
    /// Accuracy at the end, on the test split where there is one, in [0, 1].
    pub test_accuracy: Accuracy,
    /// What it cost.
    pub cost: Cost,
    /// Files written.
    pub files: Vec<PathBuf>,
}

/// Accuracy over replicas.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Accuracy {
    /// Which examples: "test", or "train" where there is no test split.
    pub split: String,
    /// Mean over replicas.
    pub mean: f64,
    /// Standard error of that mean; none for one replica.
    pub standard_error: Option<f64>,
    /// Each replica's.
    pub per_replica: Vec<f64>,
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

impl ScoreReport {
    /// Brings it together; the files are filled in once they are written.
    pub fn new(
        plan: &Plan,
        dataset: &Dataset,
        outcome: &ScoreOutcome,
        scores: &ScoreTable,
        wall: Duration,
    ) -> Self {
        let results: Vec<&RunResult> = outcome.completed.iter().map(|(_, result)| result).collect();
        let split = if dataset.test().is_some() { "test" } else { "train" };
        Self {
            datadiet: env!("CARGO_PKG_VERSION").into(),
            spec: plan.job.template.clone(),
            runs: outcome.completed.iter().map(|(spec, _)| RunId::of(spec)).collect(),
            replicas: outcome.completed.len(),
            failed: outcome.failed.clone(),
            times: plan.times.clone(),
            source: dataset.source().into(),
            columns: scores.columns.clone(),
            test_accuracy: Accuracy::of(split, &results),
            cost: Cost::of(&results, outcome.reused, wall),
            files: Vec::new(),
        }
    }

    /// The report as JSON, without what differs from one run of the same job to the next: it goes
    /// into the table, and the same job gives the same table, byte for byte.
    pub fn without_cost(&self) -> serde_json::Result<String> {
        let mut report = serde_json::to_value(self)?;
        if let Some(fields) = report.as_object_mut() {
            fields.remove("cost");
            fields.remove("files");
            // Told differently when it happens and when it is on record.
            for failure in fields["failed"].as_array_mut().into_iter().flatten() {
                failure.as_object_mut().map(|failure| failure.remove("reason"));
            }
        }
        serde_json::to_string(&report)
    }

    /// A table of the scores at the last time; a line for each time would be long.
    fn columns_text(&self) -> String {
        let last = self.times.last().map(|time| time.step);
        let shown = self.columns.iter().filter(|column| Some(column.time.step) == last);
        let header = ["score", "hard is", "mean", "min", "max", "reliability", "replicas for 0.95"];
        let text = table(&header, shown.map(row).collect(), 2);
        let others: Vec<String> =
            self.times.iter().rev().skip(1).rev().map(|time| time.epochs.to_string()).collect();
        if others.is_empty() {
            return text;
        }
        format!("{text}\n\nalso at {}: see `datadiet scores show`", others.join(", "))
    }

    /// For people.
    pub fn text(&self) -> String {
        let accuracy = &self.test_accuracy;
        let spread =
            accuracy.standard_error.map_or(String::new(), |se| format!(" ± {:.1}", se * 100.0));
        let cost = &self.cost;
        let files: Vec<String> = self.files.iter().map(|file| file.display().to_string()).collect();
        format!(
            "{}\n\n{} accuracy   {:.1} %{spread} after {} steps, {} replica{}\ncost            \
             {:.0} s ({:.0} s of workers); {} images trained, {} scored{}\nwritten         {}",
            self.columns_text(),
            accuracy.split,
            accuracy.mean * 100.0,
            grouped(self.spec.stop_after),
            self.replicas,
            if self.replicas == 1 { "" } else { "s" },
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
    let mut row = summary_row(column);
    row.push(wanted.map_or("–".into(), |n| grouped(u64::from(n))));
    row
}

/// Name, hard end, mean, smallest and largest value, and reliability of a column.
pub fn summary_row(column: &ColumnSummary) -> Vec<String> {
    let number = |value: f64| format!("{value:.3}");
    vec![
        column.name.clone(),
        hard_end(column.direction).into(),
        number(column.mean),
        number(f64::from(column.min)),
        number(f64::from(column.max)),
        column.reliability.as_ref().map_or("–".into(), |r| number(r.full)),
    ]
}

impl Accuracy {
    fn of(split: &str, results: &[&RunResult]) -> Self {
        let per_replica: Vec<f64> =
            results.iter().filter_map(|result| result.final_test_accuracy()).collect();
        let count = per_replica.len() as f64;
        let mean = per_replica.iter().sum::<f64>() / count;
        let variance = per_replica.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let standard_error = (per_replica.len() > 1).then(|| (variance / count).sqrt());
        Self { split: split.into(), mean, standard_error, per_replica }
    }
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
