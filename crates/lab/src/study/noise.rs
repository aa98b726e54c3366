//! What wrong labels do to scores, and how well scores find them (the paper's figure 5, and the
//! noise metrics that came after it).

use datadiet_core::{Detection, Direction, ScoreKind, detection};
use datadiet_table::{Ranking, ScoreTable, kind_of};
use serde::{Deserialize, Serialize};

use crate::{LabError, Scene, Scored};

/// Bars of a histogram.
const BARS: usize = 40;

/// Which labellings are scored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NoisePlan {
    /// Column whose histograms are drawn.
    pub by: String,
    /// Fractions of labels changed to another class (`symmetric`).
    #[serde(default)]
    pub symmetric: Vec<f64>,
    /// Fractions of labels redrawn from all classes (`uniform`, the paper's).
    #[serde(default)]
    pub uniform: Vec<f64>,
    /// JSON files of confusion matrices: row a says how likely class a becomes which.
    #[serde(default)]
    pub confusion: Vec<std::path::PathBuf>,
    /// Files of labels from elsewhere.
    #[serde(default)]
    pub files: Vec<std::path::PathBuf>,
}

/// Scores under one labelling.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NoiseOutcome {
    /// The labelling.
    pub scene: String,
    /// Examples with a wrong label.
    pub changed: usize,
    /// Examples in all.
    pub examples: usize,
    /// How well each column finds them, best average precision first.
    pub detection: Vec<ColumnDetection>,
    /// Histograms of one column.
    pub histogram: Histogram,
}

/// How well one column finds wrong labels.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ColumnDetection {
    /// The column.
    pub column: String,
    /// Which end is suspect: the hard one.
    pub direction: Direction,
    /// The metrics.
    #[serde(flatten)]
    pub found: Detection,
}

/// Counts of a column's values.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Histogram {
    /// The column.
    pub column: String,
    /// Borders of the bars, one more than bars.
    pub edges: Vec<f64>,
    /// Examples with wrong labels.
    pub changed: Vec<u64>,
    /// The others.
    pub unchanged: Vec<u64>,
    /// All examples under the labels of the data set.
    pub before: Vec<u64>,
}

impl NoisePlan {
    /// Compares a noisy scene with the clean one.
    ///
    /// # Errors
    /// When a column is unknown, or no label differs.
    pub fn outcome(
        &self,
        clean: &Scored,
        scene: &Scene,
        scored: &Scored,
    ) -> Result<NoiseOutcome, LabError> {
        let changed = scene.changed.iter().filter(|&&changed| changed).count();
        if changed == 0 {
            let what =
                scene.named("no label differs from the data set's: there is nothing to find");
            return Err(LabError::Plan(what));
        }
        let before = clean.scores.ranking(&self.by, None)?;
        let table = &scored.scores;
        let after = table.ranking(&self.by, None)?;
        let columns = scored.scores.summaries().iter().map(|column| column.name.as_str());
        let columns: Vec<&str> = columns.collect();
        Ok(NoiseOutcome {
            scene: scene.name.clone(),
            changed,
            examples: scene.changed.len(),
            detection: detections(table, &columns, &scene.changed, &default_ks(&scene.changed))?,
            histogram: Histogram::of(&before, &after, &scene.changed),
        })
    }
}

/// The k at which precision is judged where none are asked for: the number changed, and a tenth.
pub fn default_ks(changed: &[bool]) -> Vec<usize> {
    let count = changed.iter().filter(|&&changed| changed).count();
    let mut ks = vec![(count / 10).max(1), count];
    ks.dedup();
    ks
}

/// How well columns of a table find the changed examples, best average precision first. Columns that
/// not every example has a value in are left out.
///
/// # Errors
/// When a statistic is not defined, as where no label changed.
pub fn detections(
    table: &ScoreTable,
    columns: &[&str],
    changed: &[bool],
    at: &[usize],
) -> Result<Vec<ColumnDetection>, LabError> {
    let mut found = Vec::new();
    for column in columns {
        // Not about difficulty under a label: a flag that is part of another score.
        if matches!(kind_of(column), Some(ScoreKind::NeverLearned | ScoreKind::Correct)) {
            continue;
        }
        let ranking = table.ranking(column, None)?;
        if ranking.values.iter().any(|value| value.is_nan()) {
            continue;
        }
        let found_by = detection(&ranking.hardness(), changed, at)?;
        let (column, direction) = ((*column).to_owned(), ranking.direction);
        found.push(ColumnDetection { column, direction, found: found_by });
    }
    found.sort_by(|a, b| b.found.average_precision.total_cmp(&a.found.average_precision));
    Ok(found)
}

impl Histogram {
    fn of(before: &Ranking, after: &Ranking, changed: &[bool]) -> Self {
        let finite =
            || before.values.iter().chain(after.values.iter()).filter(|value| value.is_finite());
        let low = f64::from(finite().copied().fold(f32::INFINITY, f32::min));
        let high = f64::from(finite().copied().fold(f32::NEG_INFINITY, f32::max));
        let width = ((high - low) / BARS as f64).max(f64::MIN_POSITIVE);
        let count = |values: &mut dyn Iterator<Item = f32>| {
            let mut counts = vec![0; BARS];
            for value in values.filter(|value| value.is_finite()) {
                let bar = ((f64::from(value) - low) / width) as usize;
                counts[bar.min(BARS - 1)] += 1;
            }
            counts
        };
        let of = |wanted: bool| {
            let pairs = after.values.iter().zip(changed);
            count(&mut pairs.filter(|pair| *pair.1 == wanted).map(|(&value, _)| value))
        };
        Self {
            column: after.name.clone(),
            edges: (0..=BARS).map(|bar| low + width * bar as f64).collect(),
            changed: of(true),
            unchanged: of(false),
            before: count(&mut before.values.iter().copied()),
        }
    }
}
