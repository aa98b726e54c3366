//! Subsets and what trainings on them reach: the points of a figure, with a training on everything
//! beside them.

use datadiet_core::{Choice, Chosen, skew};
use datadiet_report::{Point as FigurePoint, TableBlock};
use datadiet_store::{Metric, RunSpec};
use datadiet_table::Ranking;
use serde::{Deserialize, Serialize};

use super::page::{band_point, scene_name};
use super::{NamedTable, Stage, Wait, cells};
use crate::by_class::{class_name, most_lost};
use crate::spread::{four_digits, metric_with_unit};
use crate::text::{percent, table};
use crate::{ByClass, Fixed, Job, LabError, Results, Retraining, ScoredScene, Spread, metric_name};

pub(super) const BAND: &str = "Bands go from the 16th to the 84th percentile of the trainings on \
                               one subset; random is one random subset of each size.";

/// Where a point stands in its figure.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// What it belongs to: the score that chose it, a baseline, `random` or `full`.
    pub series: String,
    /// Fraction kept.
    pub keep: f64,
    /// Fraction of the ascending order before the window, for windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<f64>,
    /// Epoch at which the scores were taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<f64>,
}

/// A subset to be judged.
#[derive(Clone, Debug)]
pub struct Point {
    place: Place,
    skew: f64,
    size: usize,
    retraining: Retraining,
}

/// A judged subset.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PointOutcome {
    /// Where it stands.
    #[serde(flatten)]
    pub place: Place,
    /// Examples kept, at a time.
    pub size: usize,
    /// Largest over smallest kept share of a class; none where a class vanished.
    pub skew: Option<f64>,
    /// Steps of a training.
    pub steps: u64,
    /// Test accuracy, or what else trainings are judged by; none where every training failed.
    pub accuracy: Option<Spread>,
    /// The same of each class, where trainings say it.
    #[serde(default, skip_serializing_if = "ByClass::is_empty")]
    pub by_class: ByClass,
}

impl Point {
    /// The subset of a whole scene that a choice gives.
    ///
    /// # Errors
    /// When it cannot be chosen, or the ids cannot be kept.
    pub fn chosen_by(
        choice: &Choice,
        ranking: Option<&Ranking<'_>>,
        at: ScoredScene<'_>,
        place: Place,
        fixed: Fixed,
        trainings: u32,
    ) -> Result<Self, LabError> {
        Self::new(at, place, &at.chosen(choice, ranking)?, fixed, trainings)
    }

    /// A chosen subset of a scene.
    ///
    /// # Errors
    /// When the ids cannot be kept.
    pub fn new(
        at: ScoredScene<'_>,
        place: Place,
        chosen: &Chosen,
        fixed: Fixed,
        trainings: u32,
    ) -> Result<Self, LabError> {
        let from = place.offset.map_or(String::new(), |offset| format!(" from {offset}"));
        let name = at.scene.named(&format!("{} {} %{from}", place.series, percent(place.keep)));
        let ids = (chosen.ids.as_slice(), at.scene.examples());
        Ok(Self {
            place,
            skew: skew(&chosen.shares),
            size: chosen.ids.len(),
            retraining: Retraining::on(at.store, &at.scene.template, ids, fixed, trainings, name)?,
        })
    }

    /// [`Baseline::RandomEachEpoch`](super::baseline::Baseline::RandomEachEpoch) for subsets of `size`
    /// examples: trainings on everything as short as those on a subset with epochs fixed.
    pub fn each_epoch(at: ScoredScene<'_>, place: Place, size: usize, trainings: u32) -> Self {
        let (template, all) = (&at.scene.template, at.scene.examples());
        let name = at.scene.named(&format!("{} {} %", place.series, percent(place.keep)));
        let schedule = Fixed::Epochs.schedule(&template.schedule, size, all);
        let spec = RunSpec { stop_after: schedule.steps, schedule, ..template.clone() };
        Self { place, skew: 1.0, size, retraining: Retraining::of(&spec, trainings, name) }
    }

    /// The trainings that judge it.
    pub fn jobs(&self) -> impl Iterator<Item = Job> {
        self.retraining.jobs()
    }

    /// What its trainings reached.
    pub fn outcome(&self, results: &Results) -> PointOutcome {
        PointOutcome {
            place: self.place.clone(),
            size: self.size,
            skew: self.skew.is_finite().then_some(self.skew),
            steps: self.retraining.steps(),
            accuracy: self.retraining.test(results),
            by_class: self.retraining.by_class(results),
        }
    }
}

impl PointOutcome {
    /// It in a figure, at `x`; none where every training failed.
    pub(super) fn at(&self, x: f64, note: String) -> Option<FigurePoint> {
        let accuracy = self.accuracy.as_ref()?;
        Some(band_point(x, accuracy, accuracy.scale(), note))
    }
}

/// Subsets of one scene, beside a training on everything.
#[derive(Clone, Debug)]
pub struct Points {
    /// How subsets are chosen and trained on, in words.
    pub how: String,
    /// The subsets.
    pub points: Vec<Point>,
    /// Trainings on everything.
    pub full: Retraining,
}

/// What the subsets of one scene reach.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PointsOutcome {
    /// Name of the scene; empty for the plain one.
    pub scene: String,
    /// How subsets are chosen and trained on, in words.
    pub how: String,
    /// The subsets.
    pub points: Vec<PointOutcome>,
    /// Accuracy of training on everything.
    pub full: Option<Spread>,
    /// Steps of a training on everything.
    pub steps: u64,
    /// Examples in all.
    pub examples: usize,
    /// Accuracy of training on everything by class, where trainings say it.
    #[serde(default, skip_serializing_if = "ByClass::is_empty")]
    pub full_by_class: ByClass,
    /// Names of the classes, where something is said of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
}

impl Points {
    /// What the trainings on the points of several scenes reached, once all have ended.
    ///
    /// # Errors
    /// [`Wait`] for trainings.
    pub fn judged(
        all: &[(ScoredScene<'_>, Self)],
        stage: &Stage<'_>,
    ) -> Result<Vec<PointsOutcome>, Wait> {
        let jobs = |points: &Self| -> Vec<Job> {
            let subsets = points.points.iter().flat_map(Point::jobs);
            points.full.jobs().chain(subsets).collect()
        };
        stage.trained(all.iter().flat_map(|(_, points)| jobs(points)))?;
        let outcome = |(at, points): &(ScoredScene<'_>, Self)| {
            let full_by_class = points.full.by_class(stage.results);
            let is_said = !full_by_class.is_empty();
            PointsOutcome {
                scene: at.scene.name.clone(),
                how: points.how.clone(),
                points: points.points.iter().map(|point| point.outcome(stage.results)).collect(),
                full: points.full.test(stage.results),
                steps: points.full.steps(),
                examples: at.scene.examples(),
                full_by_class,
                classes: if is_said { at.scene.classes.clone() } else { Vec::new() },
            }
        };
        Ok(all.iter().map(outcome).collect())
    }
}

impl PointsOutcome {
    /// One of the spreads: all are of one metric.
    pub(super) fn any(&self) -> Option<&Spread> {
        let judged = self.points.iter().filter_map(|point| point.accuracy.as_ref());
        self.full.as_ref().into_iter().chain(judged).next()
    }

    /// The class that a subset costs most, in words; none where nothing is said by class.
    fn lost_most(&self, point: &PointOutcome) -> Option<String> {
        let of = point.accuracy.as_ref()?;
        most_lost(&point.by_class, &self.full_by_class, (&self.classes, of), 1)
    }

    /// Whether something is said by class.
    fn has_classes(&self) -> bool {
        !self.full_by_class.is_empty() && self.points.iter().any(|point| !point.by_class.is_empty())
    }
}

/// The tables of subsets: `points.csv`, and `classes.csv` where something is said by class.
pub(super) fn tables(all: &[PointsOutcome]) -> Vec<NamedTable> {
    std::iter::once(csv(all)).chain(classes_csv(all)).collect()
}

/// The metric by class of every subset; none where nothing is said.
fn classes_csv(all: &[PointsOutcome]) -> Option<NamedTable> {
    let mut rows = Vec::new();
    for points in all {
        let full = Place { series: "full".into(), keep: 1.0, ..Place::default() };
        let of_points = points.points.iter().map(|point| (&point.place, &point.by_class));
        for (place, by_class) in of_points.chain([(&full, &points.full_by_class)]) {
            for (class, value) in by_class.values() {
                let optional = |value: Option<f64>| value.map_or(String::new(), |v| v.to_string());
                rows.push(vec![
                    points.scene.clone(),
                    place.series.clone(),
                    place.keep.to_string(),
                    optional(place.offset),
                    class_name(&points.classes, class),
                    value.to_string(),
                ]);
            }
        }
    }
    let header = ["scene", "series", "keep", "offset", "class", metric_name(any(all))];
    (!rows.is_empty()).then(|| NamedTable::new("classes.csv", &header, rows))
}

/// One of the spreads of several scenes.
pub(super) fn any(all: &[PointsOutcome]) -> Option<&Spread> {
    all.iter().find_map(PointsOutcome::any)
}

/// Test accuracy of every subset, as `points.csv`; or what else trainings are judged by.
fn csv(all: &[PointsOutcome]) -> NamedTable {
    let optional = |value: Option<f64>| value.map_or(String::new(), |v| v.to_string());
    let row = |points: &PointsOutcome, place: &Place, numbers: [String; 3], of: Option<&Spread>| {
        let mut row = vec![points.scene.clone(), place.series.clone(), place.keep.to_string()];
        row.extend([optional(place.offset), optional(place.time)]);
        row.extend(numbers.into_iter().chain(cells(of)));
        row
    };
    let mut rows = Vec::new();
    for points in all {
        for point in &points.points {
            let skew = optional(point.skew);
            let numbers = [point.size.to_string(), point.steps.to_string(), skew];
            rows.push(row(points, &point.place, numbers, point.accuracy.as_ref()));
        }
        if let Some(full) = &points.full {
            let place = Place { series: "full".into(), keep: 1.0, ..Place::default() };
            let numbers = [points.examples.to_string(), points.steps.to_string(), "1".into()];
            rows.push(row(points, &place, numbers, Some(full)));
        }
    }
    let name = metric_name(any(all));
    let header = [
        "scene",
        "series",
        "keep",
        "offset",
        "time",
        "examples",
        "steps",
        "skew",
        name,
        "p16",
        "p84",
        if name == Metric::ACCURACY { "accuracies" } else { "values" },
    ];
    NamedTable::new("points.csv", &header, rows)
}

/// For the terminal.
pub(super) fn text(points: &PointsOutcome) -> String {
    let percent = |value: f64| format!("{:.0} %", value * 100.0);
    let mut rows: Vec<Vec<String>> = Vec::new();
    if let Some(full) = &points.full {
        rows.push(vec!["full".into(), percent(1.0), String::new(), full.text()]);
    }
    for point in &points.points {
        rows.push(vec![
            point.place.series.clone(),
            percent(point.place.keep),
            point.place.offset.map_or(String::new(), percent),
            point.accuracy.as_ref().map_or("failed".into(), Spread::text),
        ]);
    }
    let judged = format!("test {}", metric_name(points.any()));
    let mut header = vec!["chosen by", "kept", "from", &judged];
    if points.has_classes() {
        header.push("class that loses most");
        let lost = points.points.iter().map(|point| points.lost_most(point));
        let of_full = points.full.iter().map(|_| None);
        for (row, lost) in rows.iter_mut().zip(of_full.chain(lost)) {
            row.push(lost.unwrap_or_default());
        }
    }
    let text = table(&header, rows, 1);
    if points.scene.is_empty() { text } else { format!("{}\n{text}", points.scene) }
}

/// For the report.
pub(super) fn block(caption: &str, all: &[PointsOutcome]) -> TableBlock {
    let several = all.len() > 1;
    let mut header: Vec<String> = if several { vec!["labels".into()] } else { Vec::new() };
    header.extend(["chosen by", "kept, %", "from, %", "examples", "skew"].map(String::from));
    header.push(metric_with_unit(any(all)));
    header.extend(["p16", "p84", "n"].map(String::from));
    let has_classes = all.iter().any(PointsOutcome::has_classes);
    header.extend(has_classes.then(|| "class that loses most".to_owned()));
    let mut rows = Vec::new();
    for points in all {
        let scene = several.then(|| scene_name(&points.scene).to_owned());
        if let Some(full) = &points.full {
            let size = points.examples.to_string();
            let cells = ["everything".into(), "100".into(), "–".into(), size, "1.0".into()];
            rows.push(row(scene.clone(), cells, Some(full)));
            rows.last_mut().into_iter().for_each(|row| row.extend(has_classes.then(String::new)));
        }
        for point in &points.points {
            let offset = point.place.offset;
            let cells = [
                point.place.series.clone(),
                percent(point.place.keep).to_string(),
                offset.map_or("–".into(), |offset| percent(offset).to_string()),
                point.size.to_string(),
                point.skew.map_or("a class vanished".into(), |skew| format!("{skew:.1}")),
            ];
            let mut row = row(scene.clone(), cells, point.accuracy.as_ref());
            row.extend(has_classes.then(|| points.lost_most(point).unwrap_or_default()));
            rows.push(row);
        }
    }
    TableBlock {
        caption: format!(
            "{caption}. Skew: largest over smallest kept share of a class. n: trainings."
        ),
        header,
        rows,
        text_columns: 1 + usize::from(several),
    }
}

fn row(scene: Option<String>, cells: [String; 5], accuracy: Option<&Spread>) -> Vec<String> {
    let mut row: Vec<String> = scene.into_iter().chain(cells).collect();
    match accuracy {
        None => row.extend(["failed", "–", "–", "0"].map(String::from)),
        Some(accuracy) => {
            let number = |value: f64| match accuracy.metric {
                None => format!("{:.2}", value * 100.0),
                Some(_) => four_digits(value),
            };
            row.extend([accuracy.mean, accuracy.low, accuracy.high].map(number));
            row.push(accuracy.values.len().to_string());
        }
    }
    row
}
