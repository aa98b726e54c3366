//! What wrong labels do to scores, and how well scores find them (the paper's figure 5, and the
//! noise metrics that came after it).

use datadiet_report::{
    Axis, Block, Chart, Figure, HistogramChart, HistogramMeasure, HistogramSeries, Section,
    TableBlock,
};
use datadiet_table::{ColumnDetection, Histogram as Bars, Ranking};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::stage::found;
use super::{Findings, Kind, NamedTable, Stage, Study, Wait, read};
use crate::refuse::{bail, ensure};
use crate::scenes::{Labelling, Scenes, Variation};
use crate::text::{percent, table};
use crate::{LabError, ScoredScene};

/// `[noise]`.
pub const KIND: Kind = Kind {
    name: "noise",
    read: read::<NoisePlan>,
    findings: |outcome| Ok(findings(&Vec::<NoiseOutcome>::deserialize(outcome)?)),
};

/// Rows of a table of detection in a report.
const SHOWN: usize = 12;

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

impl Study for NoisePlan {
    fn scenes(&self) -> Vec<Variation> {
        let symmetric = self.symmetric.iter().map(|&fraction| Labelling::Symmetric(fraction));
        let uniform = self.uniform.iter().map(|&fraction| Labelling::Uniform(fraction));
        let confusion = self.confusion.iter().cloned().map(Labelling::Confusion);
        let files = self.files.iter().cloned().map(Labelling::Listed);
        let all = symmetric.chain(uniform).chain(confusion).chain(files);
        all.map(Variation::from).collect()
    }

    fn check(&self, scenes: &Scenes) -> Result<(), LabError> {
        let variations = self.scenes();
        ensure!(!variations.is_empty(), "[noise] needs symmetric, uniform, confusion or files");
        scenes.plain().check_column(&self.by)?;
        if let Some(scene) = scenes.of(&variations).find(|scene| scene.changed() == 0) {
            let what = "no label differs from the data set's: there is nothing to find";
            bail!("{}", scene.named(what));
        }
        Ok(())
    }

    fn outcome(&self, stage: &Stage<'_>) -> Result<Value, Wait> {
        let clean = stage.plain()?;
        let noisy = stage.scored(&self.scenes())?.into_iter();
        let outcomes = noisy.map(|at| self.compared(clean, at));
        found(outcomes.collect::<Result<Vec<NoiseOutcome>, LabError>>()?)
    }
}

impl NoisePlan {
    /// Compares a noisy scene with the clean one.
    fn compared(
        &self,
        clean: ScoredScene<'_>,
        at: ScoredScene<'_>,
    ) -> Result<NoiseOutcome, LabError> {
        let (scene, scores) = (at.scene, &at.scored.scores);
        let (before, after) = (clean.ranking(&self.by)?, at.ranking(&self.by)?);
        let columns: Vec<&str> =
            scores.summaries().iter().map(|column| column.name.as_str()).collect();
        let ks = ColumnDetection::default_ks(&scene.changed);
        Ok(NoiseOutcome {
            scene: scene.name.clone(),
            changed: scene.changed(),
            examples: scene.examples(),
            detection: scores.detections(&columns, &scene.changed, &ks)?,
            histogram: Histogram::of(&before, &after, &scene.changed),
        })
    }
}

impl Histogram {
    fn of(before: &Ranking<'_>, after: &Ranking<'_>, changed: &[bool]) -> Self {
        let all = || before.values.iter().chain(after.values.iter());
        let edges = Bars::edges(all(), BARS).unwrap_or_else(|| {
            let only = all().copied().find(|value| value.is_finite()).map_or(0.0, f64::from);
            vec![only - 0.5, only + 0.5]
        });
        let of = |wanted: bool| {
            let pairs = after.values.iter().zip(changed).filter(|pair| *pair.1 == wanted);
            Bars::counts(&edges, pairs.map(|(&value, _)| value))
        };
        Self {
            column: after.name.clone(),
            changed: of(true),
            unchanged: of(false),
            before: Bars::counts(&edges, before.values.iter().copied()),
            edges,
        }
    }
}

fn findings(all: &[NoiseOutcome]) -> Findings {
    let header = ["scene", "score", "auroc", "average precision", "k", "precision at k"];
    let mut rows = Vec::new();
    for noise in all {
        for ColumnDetection { column, found, .. } in &noise.detection {
            let (auroc, average) = (found.auroc.to_string(), found.average_precision.to_string());
            for (k, precision) in &found.precision_at {
                let at = [k.to_string(), precision.to_string()];
                let row = [noise.scene.clone(), column.clone(), auroc.clone(), average.clone()];
                rows.push(row.into_iter().chain(at).collect());
            }
        }
    }
    Findings {
        tables: vec![NamedTable::new("detection.csv", &header, rows)],
        text: all.iter().map(text).collect(),
        sections: vec![section(all)],
        ..Findings::default()
    }
}

fn text(noise: &NoiseOutcome) -> String {
    let rows = noise.detection.iter().take(6).map(|column| {
        let found = &column.found;
        let (auroc, ap) = (found.auroc, found.average_precision);
        vec![column.column.clone(), format!("{auroc:.3}"), format!("{ap:.3}")]
    });
    let header = ["finds wrong labels", "AUROC", "average precision"];
    format!("{}\n{}", noise.scene, table(&header, rows.collect(), 1))
}

fn section(all: &[NoiseOutcome]) -> Section {
    let mut blocks = Vec::new();
    for (index, noise) in all.iter().enumerate() {
        blocks.push(Block::Figure(figure(noise, index)));
        blocks.push(Block::Table(block(noise)));
    }
    Section { id: "noise".into(), title: "Which labels are wrong".into(), blocks }
}

fn figure(noise: &NoiseOutcome, index: usize) -> Figure {
    let bars = &noise.histogram;
    let series =
        |name: &str, counts: &[u64]| HistogramSeries { name: name.into(), counts: counts.to_vec() };
    Figure {
        id: format!("noise-{index}"),
        title: format!("{}: {} of right and wrong labels", noise.scene, bars.column),
        caption: format!(
            "{} of {} labels are wrong ({} %). “Before” is the same score under the labels of the \
             data set. Bars are shares of each group.",
            noise.changed,
            noise.examples,
            percent(noise.changed as f64 / noise.examples as f64)
        ),
        chart: Chart::Histogram(HistogramChart {
            x: Axis::new(bars.column.clone()),
            edges: bars.edges.clone(),
            series: vec![
                series("right labels", &bars.unchanged),
                series("wrong labels", &bars.changed),
                series("all, before", &bars.before),
            ],
            measure: HistogramMeasure::Shares,
        }),
    }
}

fn block(noise: &NoiseOutcome) -> TableBlock {
    let chance = noise.changed as f64 / noise.examples as f64;
    let ks =
        noise.detection.first().map(|column| &column.found.precision_at[..]).unwrap_or_default();
    let mut header: Vec<String> =
        ["score", "AUROC", "average precision"].map(String::from).to_vec();
    header.extend(ks.iter().map(|(k, _)| format!("precision at {k}")));
    let rows = noise.detection.iter().take(SHOWN).map(|column| {
        let found = &column.found;
        let mut row = vec![column.column.clone()];
        row.extend([found.auroc, found.average_precision].map(|value| format!("{value:.4}")));
        row.extend(found.precision_at.iter().map(|(_, value)| format!("{value:.4}")));
        row
    });
    TableBlock {
        caption: format!(
            "{}: how well scores find wrong labels, the best {SHOWN} of {}. By chance: AUROC 0.5, \
             average precision and precision {chance:.3}",
            noise.scene,
            noise.detection.len()
        ),
        header,
        rows: rows.collect(),
        text_columns: 1,
    }
}
