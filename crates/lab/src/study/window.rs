//! A window that slides over the ascending order of a score, with clean and with noisy labels (the
//! paper's figure 4).

use datadiet_core::{Amount, Choice, KeepFraction, Quota, Rule};
use datadiet_report::{Axis, Block, Chart, Figure, LineChart, Section, Series};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::page::{reference, scene_name, sentence};
use super::points::{self, BAND, Place, Point, Points, PointsOutcome};
use super::stage::found;
use super::verdict::verdict;
use super::{Findings, Kind, Size, Stage, Study, Wait, read};
use crate::refuse::ensure;
use crate::scenes::{Scenes, Variation};
use crate::spread::metric_with_unit;
use crate::text::percent;
use crate::{Fixed, LabError, Retraining, ScoredScene, metric_name};

/// `[window]`.
pub const KIND: Kind = Kind {
    name: "window",
    read: read::<WindowPlan>,
    findings: |outcome| Ok(findings(&Vec::<PointsOutcome>::deserialize(outcome)?)),
};

/// Which windows are trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WindowPlan {
    /// Column whose order is slid over.
    pub by: String,
    /// Fraction kept.
    pub keep: KeepFraction,
    /// Fractions of the ascending order before the window.
    pub offsets: Vec<f64>,
    /// Fractions of randomised labels (`uniform`, as in the paper); 0 for clean labels.
    #[serde(default = "clean")]
    pub noise: Vec<f64>,
    /// How the subset is shared out over the classes.
    #[serde(default)]
    pub quota: Quota,
    /// Trainings on each subset.
    #[serde(default = "once")]
    pub retrainings: u32,
}

fn clean() -> Vec<f64> {
    vec![0.0]
}

fn once() -> u32 {
    1
}

impl Study for WindowPlan {
    fn scenes(&self) -> Vec<Variation> {
        Variation::uniform(&self.noise)
    }

    fn needs_test(&self) -> bool {
        true
    }

    fn check(&self, scenes: &Scenes) -> Result<(), LabError> {
        scenes.plain().check_column(&self.by)?;
        let keep = f64::from(self.keep);
        for offset in &self.offsets {
            ensure!(
                *offset >= 0.0 && offset + keep <= 1.0 + 1e-9,
                "a window of {keep} that begins at {offset} ends past the order: offset and size \
                 together are at most 1"
            );
        }
        ensure!(self.retrainings > 0, "[window] retrainings must be at least 1");
        scenes.plain().check_subset(self.keep.size_of(scenes.plain().examples()))
    }

    fn size(&self, scenes: &Scenes) -> Size {
        let subsets = self.noise.len() * (self.offsets.len() + 1) * self.retrainings as usize;
        let variations = self.scenes();
        let full = |scene| Retraining::full(scene, self.retrainings).untrained();
        Size::whole(subsets + scenes.of(&variations).map(full).sum::<usize>(), scenes)
    }

    fn outcome(&self, stage: &Stage<'_>) -> Result<Value, Wait> {
        let scenes = stage.scored(&self.scenes())?.into_iter();
        let all = scenes.map(|at| Ok((at, self.points(at)?))).collect::<Result<Vec<_>, LabError>>();
        found(Points::judged(&all?, stage)?)
    }
}

impl WindowPlan {
    /// The windows of one scene, and a random subset of their size.
    fn points(&self, at: ScoredScene<'_>) -> Result<Points, LabError> {
        let ranking = at.ranking(&self.by)?;
        let windows = self.offsets.iter().map(|&offset| (Some(offset), Rule::Window { offset }));
        let mut points = Vec::new();
        for (offset, rule) in windows.chain([(None, Rule::Random)]) {
            let series = offset.map_or("random", |_| ranking.name.as_str()).to_owned();
            let place = Place { series, offset, keep: self.keep.into(), time: None };
            let (amount, seed) = (Amount::Fraction(self.keep), at.scene.template.seed);
            let choice = Choice { rule, amount, quota: self.quota, seed };
            let (fixed, count) = (Fixed::Steps, self.retrainings);
            points.push(Point::chosen_by(&choice, Some(&ranking), at, place, fixed, count)?);
        }
        let full = Retraining::full(at.scene, self.retrainings);
        let how = "Networks are trained from scratch for as many steps as on everything.".into();
        Ok(Points { how, points, full })
    }
}

fn findings(windows: &[PointsOutcome]) -> Findings {
    Findings {
        tables: points::tables(windows),
        text: windows.iter().map(told).collect(),
        sections: vec![section(windows)],
        full: windows.first().and_then(|points| points.full.clone()),
        ..Findings::default()
    }
}

/// For the terminal: the points of a scene, and what they say.
fn told(points: &PointsOutcome) -> String {
    let verdict = verdict(points).map_or(String::new(), |text| format!("\n{text}"));
    points::text(points) + &verdict
}

fn section(windows: &[PointsOutcome]) -> Section {
    let series = windows.iter().map(|points| Series {
        name: scene_name(&points.scene).into(),
        points: (points.points.iter())
            .filter_map(|p| p.at(percent(p.place.offset?), format!("{} examples", p.size)))
            .collect(),
        dashed: false,
    });
    let mut references = Vec::new();
    for points in windows {
        let random = points.points.iter().find(|point| point.place.offset.is_none());
        let accuracy = random.and_then(|point| point.accuracy.as_ref());
        references.extend(reference(&format!("{}, random", scene_name(&points.scene)), accuracy));
        let everything = format!("{}, everything", scene_name(&points.scene));
        references.extend(reference(&everything, points.full.as_ref()));
    }
    let first = windows.first().and_then(|points| points.points.first());
    let (by, keep) = first.map_or(("", 0.0), |p| (p.place.series.as_str(), p.place.keep));
    let figure = Figure {
        id: "window".into(),
        title: format!(
            "{} of a window of {} % over the order of {by}",
            sentence(metric_name(points::any(windows))),
            percent(keep)
        ),
        caption: format!(
            "The window keeps the examples between the percentile on the axis and {} % further. \
             {BAND}",
            percent(keep)
        ),
        chart: Chart::Lines(LineChart {
            x: Axis::new(format!("window begins after, % of the ascending order of {by}")),
            y: Axis::new(format!("test {}", metric_with_unit(points::any(windows)))),
            series: series.collect(),
            references,
        }),
    };
    let how = windows.first().map_or(String::new(), |points| points.how.clone());
    let mut blocks = vec![Block::Text(how)];
    blocks.extend(windows.iter().filter_map(|points| {
        let scene = scene_name(&points.scene);
        verdict(points).map(|text| Block::Text(format!("{}: {text}", sentence(scene))))
    }));
    // One window is no line; the table has it.
    if windows.iter().any(|points| points.points.len() > 2) {
        blocks.push(Block::Figure(figure));
    }
    blocks.push(Block::Table(points::block(
        &format!("Test {} of every window", metric_name(points::any(windows))),
        windows,
    )));
    Section { id: "windows".into(), title: "Which part teaches most".into(), blocks }
}
