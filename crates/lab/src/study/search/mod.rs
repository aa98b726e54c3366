//! The smallest subset that is good enough, or the best window of a size: successive halving over
//! ways to choose, judged on training examples that are held out, then tested once.
//!
//! Rung by rung the trainings get longer and the arms fewer (Jamieson & Talwalkar 2016,
//! arXiv:1502.07943): each rung has a whole schedule of its own length, so accuracies of one rung
//! can be compared. Small subsets look better in short trainings than in long ones, so larger ones
//! go on beside them. A training on everything runs beside the arms of every rung. The answer is then
//! chosen from the whole training set and retrained, beside random examples of the same number and
//! everything, and only now is the test set looked at.
//!
//! The scores come from networks that have seen the held-out examples: a leak from them into the
//! order of the others, not into any network that is judged.

mod arm;
mod diet;
mod options;
mod page;
mod promotion;
mod verdict;

use datadiet_core::{
    Amount, Candidates, Choice, Chosen, ExampleId, Rule, Stream, permutation, rng,
};
use datadiet_store::RunSpec;
use datadiet_table::Ranking;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use arm::Arm;
pub use diet::DietOptions;
pub use options::SearchOptions;
use promotion::promoted;
use verdict::{cautions, verdict};

use super::baseline::Baseline;
use super::points::{Place, Point, PointOutcome};
use super::stage::found;
use super::{Budget, Kind, Recommended, Size, Stage, Study, Wait, read};
use crate::refuse::bail;
use crate::retraining::{keep_ids, shortened};
use crate::scenes::Scenes;
use crate::training::length;
use crate::{ByClass, Fixed, LabError, Retraining, ScoredScene, Spread, metric_name};

/// `[tune]`.
pub const KIND: Kind = Kind {
    name: "tune",
    read: read::<SearchOptions>,
    findings: |outcome| Ok(page::findings(&SearchOutcome::deserialize(outcome)?)),
};

/// A round of halving.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rung {
    /// Length of a training, as a fraction of the whole schedule.
    pub length: f64,
    /// Arms tried.
    pub arms: usize,
}

/// A search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchPlan {
    /// Column to choose by.
    pub by: String,
    /// Ways to choose, the likeliest first.
    pub arms: Vec<Arm>,
    /// Rounds.
    pub rungs: Vec<Rung>,
    /// What stays the same when the training set shrinks.
    #[serde(default)]
    pub fixed: Fixed,
    /// Fraction of the training examples that is held out to judge arms.
    pub validation: f64,
    /// Accuracy that may be lost, in [0, 1], or so much of another metric: the smallest subset within it is sought. Without a
    /// tolerance, the most accurate.
    pub tolerance: Option<f64>,
    /// Trainings of the answer, of random examples and of everything.
    pub finals: u32,
    /// Seed of the held-out examples and of random choices.
    pub seed: u64,
}

/// What a search found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SearchOutcome {
    /// The search.
    pub plan: SearchPlan,
    /// Examples held out.
    pub held_out: usize,
    /// The rounds.
    pub rungs: Vec<RungOutcome>,
    /// The way to choose that came out first, whether it is advised or not.
    pub answer: Arm,
    /// Whether it was within the tolerance on the held-out examples.
    pub within_tolerance: bool,
    /// On the test set: the answer, random examples of the same number, everything.
    pub finals: Finals,
    /// Whether training on the chosen subset is advised.
    pub advisable: bool,
    /// What it means, in words, with the cautions at its end.
    pub verdict: String,
    /// What of it is partly chance, with the numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cautions: Vec<String>,
}

/// A round: validation accuracies.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RungOutcome {
    /// Steps of a training.
    pub steps: u64,
    /// Training on everything that is not held out.
    pub full: Option<Spread>,
    /// The arms: with a tolerance the smallest within it first, then the others from the best on; without one
    /// from the best on.
    pub arms: Vec<(Arm, Option<Spread>)>,
}

/// Test accuracies at the end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finals {
    /// The chosen subset.
    pub answer: PointOutcome,
    /// As many at random, with the class quota of the answer.
    pub random: PointOutcome,
    /// As many at random, drawn anew every epoch; none with the number of steps fixed, when that is
    /// training on everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each_epoch: Option<PointOutcome>,
    /// Everything.
    pub full: Option<Spread>,
    /// Everything by class, where trainings say it.
    #[serde(default, skip_serializing_if = "ByClass::is_empty")]
    pub full_by_class: ByClass,
    /// Names of the classes, where something is said of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// The hardest of that number, where that is not the answer.
    pub hardest: Option<PointOutcome>,
}

impl SearchOutcome {
    /// One of the spreads: all are of one metric.
    fn any(&self) -> Option<&Spread> {
        let of_rungs = self.rungs.iter().filter_map(|rung| rung.full.as_ref());
        let finals = [self.finals.full.as_ref(), self.finals.answer.accuracy.as_ref()];
        finals.into_iter().flatten().chain(of_rungs).next()
    }

    /// What trainings are judged by.
    fn metric(&self) -> &str {
        metric_name(self.any())
    }
}

impl Study for SearchOptions {
    fn needs_test(&self) -> bool {
        true
    }

    fn check(&self, scenes: &Scenes) -> Result<(), LabError> {
        self.plan(scenes.plain()).map(drop)
    }

    fn size(&self, scenes: &Scenes) -> Size {
        let schedule = scenes.plain().last_step();
        let size =
            |plan: SearchPlan| Size { trainings: plan.trainings(), steps: plan.steps(schedule) };
        self.plan(scenes.plain()).map(size).unwrap_or_default()
    }

    fn budget(&self, scenes: &Scenes) -> Option<Budget> {
        let scene = scenes.plain();
        let plan = self.plan(scene).ok()?;
        let (schedule, scoring) = (scene.last_step(), scene.scoring.stop_after);
        let length = |steps| length(&scene.template, steps);
        let rungs = plan.rungs.iter();
        let rungs = rungs.map(|rung| format!("{} of {} × the length", rung.arms, rung.length));
        let text = format!(
            "budget, in trainings of {}: {:.2} to score ({} replicas of {}), at most {:.2} \
             to search ({} of {} ways to choose: {}, each beside everything), at most {} to check",
            length(schedule),
            f64::from(scene.replicas) * scoring as f64 / schedule as f64,
            scene.replicas,
            length(scoring),
            plan.cost(),
            plan.tried(),
            plan.arms.len(),
            rungs.collect::<Vec<String>>().join(", "),
            plan.final_trainings(),
        );
        Some(Budget { text, name: "search", value: json!(plan) })
    }

    fn outcome(&self, stage: &Stage<'_>) -> Result<Value, Wait> {
        let at = stage.plain()?;
        found(Search::new(self.plan(at.scene)?, at)?.outcome(stage)?)
    }

    fn recommended<'a>(
        &self,
        outcome: &Value,
        plain: ScoredScene<'a>,
    ) -> Result<Option<Recommended<'a>>, LabError> {
        let found = SearchOutcome::deserialize(outcome).ok().filter(|found| found.advisable);
        let Some(found) = found else { return Ok(None) };
        let search = Search::new(found.plan, plain)?;
        let chosen = search.chosen(&found.answer, &search.examples())?;
        let choice = json!({ "by": search.ranking.name, "choice": found.answer });
        Ok(Some(Recommended { ranking: search.ranking, chosen, choice }))
    }
}

impl SearchPlan {
    /// What a search of one arm costs, in trainings of whole length.
    pub const LEAST_BUDGET: f64 = 3.5;

    /// Rungs of a quarter, half and all of the schedule, with as many arms as `budget` trainings of
    /// whole length pay for: `n` arms cost `n/4 + ⌈n/2⌉/2 + ⌈n/4⌉`, and training on everything beside
    /// them 7/4. At least one arm is tried. The finals are not part of the budget.
    pub fn halving(arms: usize, budget: f64) -> Vec<Rung> {
        let rungs = |n: usize| {
            [(0.25, n), (0.5, n.div_ceil(2)), (1.0, n.div_ceil(4))]
                .map(|(length, arms)| Rung { length, arms })
                .to_vec()
        };
        let affordable = |n: &usize| cost(&rungs(*n)) <= budget;
        rungs((1..=arms.max(1)).rev().find(affordable).unwrap_or(1))
    }

    /// How many of the ways to choose the budget pays for.
    pub fn tried(&self) -> usize {
        self.rungs.first().map_or(0, |rung| rung.arms.min(self.arms.len()))
    }

    /// What the rungs cost, in trainings of whole length.
    pub fn cost(&self) -> f64 {
        cost(&self.rungs)
    }

    /// Trainings of whole length after the rungs, at most: the answer, as many at random, as many of
    /// the hardest, everything; with epochs fixed also as many at random, drawn anew every epoch.
    pub fn final_trainings(&self) -> u32 {
        let kinds = if self.fixed == Fixed::Epochs { 5 } else { 4 };
        kinds * self.finals
    }

    /// Trainings of any length, at most.
    pub fn trainings(&self) -> usize {
        let rungs: usize = self.rungs.iter().map(|rung| rung.arms + 1).sum();
        rungs + self.final_trainings() as usize
    }

    /// Steps that it takes at most.
    pub fn steps(&self, schedule: u64) -> u64 {
        let trainings = self.cost() + f64::from(self.final_trainings());
        (trainings * schedule as f64).ceil() as u64
    }
}

/// How many of so many examples are held out.
fn held_out(examples: usize, fraction: f64) -> usize {
    (fraction * examples as f64).round() as usize
}

fn cost(rungs: &[Rung]) -> f64 {
    rungs.iter().map(|rung| rung.length * (rung.arms + 1) as f64).sum()
}

/// A search under way.
struct Search<'a> {
    plan: SearchPlan,
    at: ScoredScene<'a>,
    ranking: Ranking<'a>,
}

/// Training examples, those held out apart.
struct Split {
    rest: Vec<ExampleId>,
    held_out: Vec<ExampleId>,
}

impl<'a> Search<'a> {
    fn new(plan: SearchPlan, at: ScoredScene<'a>) -> Result<Self, LabError> {
        Ok(Self { ranking: at.ranking(&plan.by)?, plan, at })
    }

    fn examples(&self) -> Vec<ExampleId> {
        (0..self.at.scene.examples() as u32).map(ExampleId).collect()
    }

    fn split(&self) -> Split {
        let examples = self.at.scene.examples();
        let count = held_out(examples, self.plan.validation);
        let mut generator = rng(self.plan.seed, 1, Stream::Subset, 0);
        let order = permutation(examples, &mut generator);
        let sorted = |ids: &[u32]| {
            let mut ids: Vec<ExampleId> = ids.iter().copied().map(ExampleId).collect();
            ids.sort_unstable();
            ids
        };
        Split { held_out: sorted(&order[..count]), rest: sorted(&order[count..]) }
    }

    fn chosen(&self, arm: &Arm, candidates: &[ExampleId]) -> Result<Chosen, LabError> {
        arm.among(candidates, &self.ranking, self.at.classes())
    }

    fn outcome(&self, stage: &Stage<'_>) -> Result<SearchOutcome, Wait> {
        let (plan, split) = (&self.plan, self.split());
        let held_out = split.held_out.len();
        let mut arms = plan.arms.clone();
        arms.truncate(plan.tried());
        let mut rungs: Vec<RungOutcome> = Vec::new();
        for rung in &plan.rungs {
            if let Some(before) = rungs.last() {
                arms = promoted(before, rung.arms, plan.tolerance, held_out);
            }
            rungs.push(self.rung(*rung, &arms, &split, stage)?);
        }
        let best = rungs.last().and_then(|last| Some((last.arms.first()?.clone(), &last.full)));
        let Some(((answer, reached), full)) = best else {
            bail!("a search needs a rung and a way to choose");
        };
        let within = reached.as_ref().zip(full.as_ref()).map(|(reached, full)| {
            plan.tolerance.is_none_or(|tolerance| reached.goodness() >= full.goodness() - tolerance)
        });
        let full = full.as_ref();
        let cautions = cautions(plan, &self.at.scored.scores, held_out, full);
        let finals = self.finals(&answer, stage)?;
        let verdict = verdict(plan, &answer, within, &finals);
        let cautioned = cautions.iter().map(|caution| format!(" Caution: {caution}."));
        let text = verdict.text + &cautioned.collect::<String>();
        Ok(SearchOutcome {
            plan: plan.clone(),
            held_out,
            answer,
            within_tolerance: within == Some(true),
            advisable: verdict.advisable,
            finals,
            verdict: text,
            cautions,
            rungs,
        })
    }

    fn rung(
        &self,
        rung: Rung,
        arms: &[Arm],
        split: &Split,
        stage: &Stage<'_>,
    ) -> Result<RungOutcome, Wait> {
        let template = self.judged(rung, split)?;
        let steps = template.stop_after;
        let length = match template.trainer {
            Some(_) => format!("{steps} examples passed"),
            None => format!("{steps} steps"),
        };
        let full = self.trained(&template, &split.rest, format!("search: all, {length}"))?;
        let mut trained = Vec::new();
        for arm in arms {
            let ids = self.chosen(arm, &split.rest)?.ids;
            let name = format!("search: {}, {length}", arm.text());
            trained.push((*arm, self.trained(&template, &ids, name)?));
        }
        let jobs = full.jobs().chain(trained.iter().flat_map(|(_, retraining)| retraining.jobs()));
        stage.trained(jobs)?;
        let judged = trained.iter().map(|(arm, r)| (*arm, r.validation(stage.results)));
        let (full, arms) = (full.validation(stage.results), judged.collect());
        let mut outcome = RungOutcome { steps, full, arms };
        outcome.sort(self.plan.tolerance);
        Ok(outcome)
    }

    /// A training of a rung's length, judged on the examples held out.
    fn judged(&self, rung: Rung, split: &Split) -> Result<RunSpec, LabError> {
        let template = &self.at.scene.template;
        let schedule = shortened(&template.schedule, rung.length);
        let validation = Some(keep_ids(self.at.store, &split.held_out)?);
        Ok(RunSpec { stop_after: schedule.steps, schedule, validation, ..template.clone() })
    }

    fn trained(
        &self,
        template: &RunSpec,
        ids: &[ExampleId],
        name: String,
    ) -> Result<Retraining, LabError> {
        let ids = (ids, self.at.scene.examples());
        Retraining::on(self.at.store, template, ids, self.plan.fixed, 1, name)
    }

    /// Retrains the answer on the whole training set, beside what it must beat.
    fn finals(&self, answer: &Arm, stage: &Stage<'_>) -> Result<Finals, Wait> {
        let examples = self.examples();
        let place = |series: &str| {
            let (series, keep) = (series.to_owned(), answer.keep.into());
            Place { series, keep, ..Place::default() }
        };
        let (fixed, count) = (self.plan.fixed, self.plan.finals);
        let point = |series: &str, chosen: &Chosen| {
            Point::new(self.at, place(series), chosen, fixed, count)
        };
        let kept = self.chosen(answer, &examples)?;
        let random = Choice {
            rule: Rule::Random,
            amount: Amount::Count(kept.ids.len()),
            // What its classes alone are worth is no merit of the scores.
            quota: answer.quota,
            seed: self.plan.seed,
        };
        let all = Candidates::All(examples.len());
        let random = point("random", &random.among(all, None, Some(self.at.classes()))?)?;
        let plain = answer.plain();
        let hardest = match plain == *answer {
            true => None,
            false => Some(point("hardest", &self.chosen(&plain, &examples)?)?),
        };
        let each_epoch = (fixed == Fixed::Epochs).then(|| {
            Point::each_epoch(self.at, place(Baseline::EACH_EPOCH), kept.ids.len(), count)
        });
        let answer = point("answer", &kept)?;
        let full = Retraining::full(self.at.scene, self.plan.finals);
        let points = [Some(&answer), Some(&random), each_epoch.as_ref(), hardest.as_ref()];
        stage.trained(full.jobs().chain(points.into_iter().flatten().flat_map(Point::jobs)))?;
        let full_by_class = full.by_class(stage.results);
        let is_said = !full_by_class.is_empty();
        Ok(Finals {
            full_by_class,
            classes: if is_said { self.at.scene.classes.clone() } else { Vec::new() },
            answer: answer.outcome(stage.results),
            random: random.outcome(stage.results),
            each_epoch: each_epoch.map(|point| point.outcome(stage.results)),
            full: full.test(stage.results),
            hardest: hardest.map(|point| point.outcome(stage.results)),
        })
    }
}
