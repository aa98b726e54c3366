//! Accuracy against the fraction kept, and against the time at which scores were taken (the paper's
//! figures 1 and 2).

use std::collections::BTreeMap;

use datadiet_core::{Amount, Choice, KeepFraction, Quota, Rule, RuleOptions, SelectionError};
use datadiet_report::{
    Axis, Block, Chart, Figure, LineChart, Point as FigurePoint, Section, Series,
};
use datadiet_table::{Ranking, kind_of, time_of};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::baseline::Baseline;
use super::page::{reference, sentence};
use super::points::{self, BAND, Place, Point, Points, PointsOutcome};
use super::stage::found;
use super::verdict::verdict;
use super::{Findings, Kind, Size, Stage, Study, Wait, read};
use crate::refuse::{bail, ensure};
use crate::scenes::Scenes;
use crate::spread::metric_with_unit;
use crate::text::percent;
use crate::{Fixed, LabError, Retraining, ScoredScene, Spread, metric_name};

/// `[curve]`.
pub const KIND: Kind = Kind {
    name: "curve",
    read: read::<CurvePlan>,
    findings: |outcome| Ok(findings(PointsOutcome::deserialize(outcome)?)),
};

/// Which subsets are trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct CurvePlan {
    /// Columns to choose by, such as `el2n@4`.
    pub by: Vec<String>,
    /// Fractions to keep.
    pub keep: Vec<KeepFraction>,
    /// Which part of the order is kept, by its name in [`Rule::NAMES`].
    pub rule: String,
    /// For `ccs`: fraction of the hardest that is dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<f64>,
    /// For `ccs`: strata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strata: Option<u32>,
    /// How the subset is shared out over the classes.
    pub quota: Quota,
    /// What stays the same when the training set shrinks.
    pub fixed: Fixed,
    /// Trainings on each subset.
    pub retrainings: u32,
    /// Whether random subsets of the same sizes are trained on as well; with epochs fixed also random
    /// examples that are drawn anew every epoch.
    pub random: bool,
    /// Baselines beside these, such as `random/balanced` and `ccs/proportional`. Those that need a
    /// score are of every score in `by`.
    pub baselines: Vec<Baseline>,
}

impl Default for CurvePlan {
    fn default() -> Self {
        Self {
            by: Vec::new(),
            keep: Vec::new(),
            rule: Rule::Hardest.name().into(),
            cut: None,
            strata: None,
            quota: Quota::None,
            fixed: Fixed::Steps,
            retrainings: 1,
            random: true,
            baselines: Vec::new(),
        }
    }
}

impl Study for CurvePlan {
    fn needs_test(&self) -> bool {
        true
    }

    fn check(&self, scenes: &Scenes) -> Result<(), LabError> {
        self.by.iter().try_for_each(|by| scenes.plain().check_column(by).map(drop))?;
        if let Some(by) = self.by.iter().find(|by| by.parse::<Baseline>().is_ok()) {
            bail!("[curve] by: {by} is the name of a baseline; give that column another name");
        }
        ensure!(!self.keep.is_empty(), "[curve] needs keep, such as keep = [0.75, 0.5]");
        ensure!(!self.by.is_empty() || self.random, "[curve] needs by, such as by = [\"el2n@4\"]");
        ensure!(self.retrainings > 0, "[curve] retrainings must be at least 1");
        self.rule(&self.rule)?;
        self.check_baselines()?;
        let sizes = self.keep.iter().map(|keep| keep.size_of(scenes.plain().examples()));
        scenes.plain().check_subset(sizes.min().unwrap_or_default())
    }

    fn size(&self, scenes: &Scenes) -> Size {
        let baselines = self.baselines();
        let scored = baselines.iter().filter(|baseline| baseline.is_scored()).count();
        let unscored = usize::from(self.random) + baselines.len() - scored;
        let series = self.by.len() * (1 + scored) + unscored;
        let subsets = series * self.keep.len() * self.retrainings as usize;
        let full = Retraining::full(scenes.plain(), self.retrainings).untrained();
        Size::whole(subsets + full, scenes)
    }

    fn outcome(&self, stage: &Stage<'_>) -> Result<Value, Wait> {
        let plain = stage.plain()?;
        let judged = Points::judged(&[(plain, self.points(plain)?)], stage)?;
        found(&judged[0])
    }
}

impl CurvePlan {
    /// The rule of a name. `cut` and `strata` are of every `ccs`.
    fn rule(&self, name: &str) -> Result<Rule, SelectionError> {
        let is_ccs = |name: &str| name == "ccs";
        let baselines = self.baselines.iter();
        let mut of_baselines = baselines.filter_map(|baseline| match baseline {
            Baseline::Chosen { rule, .. } => Some(*rule),
            Baseline::RandomEachEpoch => None,
        });
        // Where no rule takes them, they are refused.
        let taken = is_ccs(name) || !(is_ccs(&self.rule) || of_baselines.any(is_ccs));
        let (cut, strata) = if taken { (self.cut, self.strata) } else { (None, None) };
        Rule::named(name, RuleOptions { offset: None, cut, strata }, 1)
    }

    fn check_baselines(&self) -> Result<(), LabError> {
        for (index, baseline) in self.baselines.iter().enumerate() {
            ensure!(
                *baseline != Baseline::RandomEachEpoch || self.fixed == Fixed::Epochs,
                "[curve] baselines: with the number of steps fixed, {baseline} is training on \
                 everything in another order, which is there already; take fixed = \"epochs\", or \
                 leave it out"
            );
            let random = Baseline::Chosen { rule: Rule::Random.name(), quota: self.quota };
            ensure!(
                !(self.baselines[..index].contains(baseline) || self.random && *baseline == random),
                "[curve] baselines: {baseline} is there already (random = true is a baseline too)"
            );
            ensure!(
                !baseline.is_scored() || !self.by.is_empty(),
                "[curve] baselines: {baseline} needs a score; give by, such as by = [\"el2n@4\"]"
            );
        }
        Ok(())
    }

    /// The baselines beside `random`.
    fn baselines(&self) -> Vec<Baseline> {
        let mut baselines = self.baselines.clone();
        let each_epoch = Baseline::RandomEachEpoch;
        if self.random && self.fixed == Fixed::Epochs && !baselines.contains(&each_epoch) {
            baselines.push(each_epoch);
        }
        baselines
    }

    /// How subsets are chosen and trained on, in words.
    fn how(&self) -> Result<String, SelectionError> {
        let rule = self.rule(&self.rule)?;
        let quota = match self.quota {
            Quota::None => "",
            Quota::Proportional => ", each class in proportion",
            Quota::Balanced => ", each class alike",
        };
        let fixed = match self.fixed {
            Fixed::Steps => "as many steps as on everything",
            Fixed::Epochs => "as many epochs as on everything, so fewer steps",
        };
        let each_epoch = match self.baselines().contains(&Baseline::RandomEachEpoch) {
            false => "",
            true => {
                " random-each-epoch draws as many examples anew every epoch: that is a training on \
                 everything, shortened as those on subsets are."
            }
        };
        Ok(format!(
            "Subsets of each size are chosen by the rule `{}` ({rule}{quota}); networks are trained on \
             them from scratch for {fixed}.{each_epoch}",
            rule.name()
        ))
    }

    fn points(&self, at: ScoredScene<'_>) -> Result<Points, LabError> {
        let (rule, quota) = (self.rule(&self.rule)?, self.quota);
        let rankings = self.by.iter().map(|by| at.ranking(by));
        let rankings = rankings.collect::<Result<Vec<Ranking<'_>>, LabError>>()?;
        let mut points = Vec::new();
        for ranking in &rankings {
            let (series, time) = (ranking.name.clone(), time_of(&ranking.name));
            let place = Place { series, time, ..Place::default() };
            points.extend(self.series(at, &place, (rule, quota), Some(ranking))?);
        }
        let named = |series: String| Place { series, ..Place::default() };
        if self.random {
            points.extend(self.series(at, &named("random".into()), (Rule::Random, quota), None)?);
        }
        for baseline in self.baselines() {
            match baseline {
                Baseline::RandomEachEpoch => {
                    points.extend(self.keep.iter().map(|&keep| {
                        let place = Place { keep: keep.into(), ..named(baseline.to_string()) };
                        let size = keep.size_of(at.scene.examples());
                        Point::each_epoch(at, place, size, self.retrainings)
                    }));
                }
                Baseline::Chosen { rule, quota } if baseline.is_scored() => {
                    let rule = self.rule(rule)?;
                    for ranking in &rankings {
                        let place = named(format!("{} {baseline}", ranking.name));
                        points.extend(self.series(at, &place, (rule, quota), Some(ranking))?);
                    }
                }
                Baseline::Chosen { quota, .. } => {
                    let place = named(baseline.to_string());
                    points.extend(self.series(at, &place, (Rule::Random, quota), None)?);
                }
            }
        }
        Ok(Points { how: self.how()?, points, full: Retraining::full(at.scene, self.retrainings) })
    }

    /// A subset of every size.
    fn series(
        &self,
        at: ScoredScene<'_>,
        place: &Place,
        (rule, quota): (Rule, Quota),
        ranking: Option<&Ranking<'_>>,
    ) -> Result<Vec<Point>, LabError> {
        let point = |&keep: &KeepFraction| {
            let (amount, seed) = (Amount::Fraction(keep), at.scene.template.seed);
            let place = Place { keep: keep.into(), ..place.clone() };
            let choice = Choice { rule, amount, quota, seed };
            Point::chosen_by(&choice, ranking, at, place, self.fixed, self.retrainings)
        };
        self.keep.iter().map(point).collect()
    }
}

fn findings(curve: PointsOutcome) -> Findings {
    let curve = [curve];
    Findings {
        tables: points::tables(&curve),
        text: vec![points::text(&curve[0])].into_iter().chain(verdict(&curve[0])).collect(),
        sections: vec![section(&curve)],
        places: curve[0].points.iter().map(|point| point.place.clone()).collect(),
        full: curve[0].full.clone(),
    }
}

fn section(all: &[PointsOutcome; 1]) -> Section {
    let [curve] = all;
    let mut blocks = vec![Block::Text(format!(
        "{} A score is worth its cost where its curve lies {} random.",
        curve.how,
        if curve.any().is_some_and(Spread::less_is_better) { "below" } else { "above" }
    ))];
    blocks.extend(verdict(curve).map(Block::Text));
    if fractions(curve).len() > 1 {
        blocks.push(Block::Figure(against_fraction(curve, None)));
        blocks
            .extend(close_up(curve).map(|from| Block::Figure(against_fraction(curve, Some(from)))));
    }
    for keep in fractions(curve) {
        blocks.extend(against_time(curve, keep).map(Block::Figure));
    }
    blocks.push(Block::Table(points::block(
        &format!("Test {} of every subset", metric_name(curve.any())),
        all,
    )));
    Section { id: "curve".into(), title: "How much can go".into(), blocks }
}

fn fractions(curve: &PointsOutcome) -> Vec<f64> {
    let mut fractions: Vec<f64> = curve.points.iter().map(|point| point.place.keep).collect();
    fractions.sort_by(f64::total_cmp);
    fractions.dedup();
    fractions
}

/// Series by their names, each in the order of x.
fn series(by_name: BTreeMap<&str, Vec<FigurePoint>>) -> Vec<Series> {
    let series = by_name.into_iter().map(|(name, mut points)| {
        points.sort_by(|a, b| a.x.total_cmp(&b.x));
        let last = name.rsplit(' ').next().unwrap_or_default();
        Series { name: name.into(), points, dashed: last.parse::<Baseline>().is_ok() }
    });
    series.collect()
}

/// From which fraction on a second figure is drawn, without the smaller ones, beside which nothing else could be told apart:
/// they take two thirds of the height or more. At least three fractions are left; none where all can stay.
fn close_up(curve: &PointsOutcome) -> Option<f64> {
    let range = |from: f64| {
        let points = curve.points.iter().filter(|point| point.place.keep >= from);
        let reached = points.filter_map(|point| point.accuracy.as_ref()).chain(&curve.full);
        let means: Vec<f64> = reached.map(|spread| spread.mean).collect();
        let highest = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        highest - means.iter().copied().fold(f64::INFINITY, f64::min)
    };
    let all = range(0.0);
    // Where nothing is reached from a fraction on, there is no range, and nothing to see.
    let is_close = |&from: &f64| (0.0..=all / 3.0).contains(&range(from));
    fractions(curve).windows(3).skip(1).map(|three| three[0]).find(is_close)
}

/// Of all fractions, or of those from one on.
fn against_fraction(curve: &PointsOutcome, from: Option<f64>) -> Figure {
    let mut by_name: BTreeMap<&str, Vec<FigurePoint>> = BTreeMap::new();
    let shown = curve.points.iter().filter(|point| point.place.keep >= from.unwrap_or_default());
    for outcome in shown {
        let note = format!("{} examples", outcome.size);
        let point = outcome.at(percent(outcome.place.keep), note);
        by_name.entry(&outcome.place.series).or_default().extend(point);
    }
    let (id, on) = match from {
        None => ("accuracy-by-fraction", String::new()),
        Some(from) => ("accuracy-by-fraction-close-up", format!(", from {} % on", percent(from))),
    };
    Figure {
        id: id.into(),
        title: format!("{} against the fraction kept{on}", sentence(metric_name(curve.any()))),
        caption: BAND.into(),
        chart: Chart::Lines(LineChart {
            x: Axis::new("kept, % of the training examples"),
            y: Axis::new(format!("test {}", metric_with_unit(curve.any()))),
            series: series(by_name),
            references: reference("everything", curve.full.as_ref()).into_iter().collect(),
        }),
    }
}

/// None where no score was taken at three times or more.
fn against_time(curve: &PointsOutcome, keep: f64) -> Option<Figure> {
    let mut by_name: BTreeMap<&str, Vec<FigurePoint>> = BTreeMap::new();
    for outcome in curve.points.iter().filter(|point| point.place.keep == keep) {
        let Some(time) = outcome.place.time else { continue };
        let name = kind_of(&outcome.place.series)?.name();
        by_name.entry(name).or_default().extend(outcome.at(time, outcome.place.series.clone()));
    }
    if by_name.values().all(|points| points.len() < 3) {
        return None;
    }
    let random = curve.points.iter().find(|p| p.place.series == "random" && p.place.keep == keep);
    let random = random.and_then(|point| point.accuracy.as_ref());
    let references = [("random", random), ("everything", curve.full.as_ref())];
    Some(Figure {
        id: format!("accuracy-by-time-{}", percent(keep)),
        title: format!(
            "{} with {} % kept, against the time of the scores",
            sentence(metric_name(curve.any())),
            percent(keep)
        ),
        caption: BAND.into(),
        chart: Chart::Lines(LineChart {
            x: Axis::new("scores taken after, epochs"),
            y: Axis::new(format!("test {}", metric_with_unit(curve.any()))),
            series: series(by_name),
            references: references.iter().filter_map(|(n, a)| reference(n, *a)).collect(),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::super::points::PointOutcome;
    use super::*;
    use crate::ByClass;

    #[test]
    fn a_close_up_leaves_out_what_hides_the_rest() {
        let curve = |reached: &[(f64, f64)]| {
            let point = |&(keep, mean): &(f64, f64)| PointOutcome {
                place: Place { series: "aum@8".into(), keep, ..Place::default() },
                size: 1,
                skew: None,
                steps: 1,
                accuracy: Spread::of(vec![mean]),
                by_class: ByClass::default(),
            };
            PointsOutcome {
                scene: String::new(),
                how: String::new(),
                points: reached.iter().map(point).collect(),
                full: Spread::of(vec![0.941]),
                steps: 1,
                examples: 10,
                full_by_class: ByClass::default(),
                classes: Vec::new(),
            }
        };
        // Airbench at its full width: half a point is to be seen beside 50 of them.
        let steep = [(0.9, 0.941), (0.75, 0.943), (0.5, 0.941), (0.3, 0.913), (0.1, 0.338)];
        assert_eq!(close_up(&curve(&steep)), Some(0.3));
        let figure = against_fraction(&curve(&steep), Some(0.3));
        let Chart::Lines(chart) = &figure.chart else { panic!("{figure:?}") };
        assert_eq!(chart.series[0].points.len(), 4);
        assert!(figure.title.ends_with("from 30 % on"), "{}", figure.title);
        // Where they can be told apart, and where two would be left.
        assert_eq!(close_up(&curve(&[(0.9, 0.94), (0.7, 0.92), (0.5, 0.9), (0.3, 0.87)])), None);
        assert_eq!(close_up(&curve(&[(0.75, 0.94), (0.5, 0.93), (0.1, 0.3)])), None);
        // Where all of the larger ones have failed.
        let mut failed = curve(&steep);
        failed.points[..4].iter_mut().for_each(|point| point.accuracy = None);
        failed.full = None;
        assert_eq!(close_up(&failed), None);
    }
}
