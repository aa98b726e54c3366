//! The smallest subset that is good enough, or the best window of a size: successive halving over
//! ways to choose, judged on training examples that are held out, then tested once.
//!
//! Rung by rung the trainings get longer and the arms fewer (Jamieson & Talwalkar 2016,
//! arXiv:1502.07943): each rung has a whole schedule of its own length, so accuracies of one rung
//! can be compared. Small subsets look better in short trainings than in long ones, so larger ones
//! go on beside them. A training on everything runs beside the arms of every rung. The answer is then
//! chosen anew from the whole training set and retrained, beside random examples of the same number
//! and everything, and only now is the test set looked at.
//!
//! The scores come from networks that have seen the held-out examples: a leak from them into the
//! order of the others, not into any network that is judged.

mod arm;
mod options;
mod promotion;
mod verdict;

use datadiet_core::{Amount, Choice, Chosen, ExampleId, Quota, Rule, Stream, permutation, rng};
use datadiet_store::{RunSpec, Store};
use datadiet_table::Ranking;
use serde::{Deserialize, Serialize};

pub use arm::Arm;
pub use options::SearchOptions;
use promotion::promoted;
use verdict::verdict;

use crate::retraining::{keep_ids, shortened};
use crate::study::point::{Place, Point, PointOutcome};
use crate::{Finished, Fixed, Job, LabError, Retraining, Scene, Scored, Spread, Sweep};

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
    /// Fraction of the training examples that is held out to judge arms.
    pub validation: f64,
    /// Accuracy that may be lost, in [0, 1]: the smallest subset within it is sought. Without a
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
    /// The way to choose that came out first.
    pub answer: Arm,
    /// Whether it was within the tolerance on the held-out examples.
    pub within_tolerance: bool,
    /// On the test set: the answer, random examples of the same number, everything.
    pub finals: Finals,
    /// Whether training on the chosen subset is advised.
    pub advisable: bool,
    /// What it means, in words.
    pub verdict: String,
}

/// A round: validation accuracies.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RungOutcome {
    /// Steps of a training.
    pub steps: u64,
    /// Training on everything that is not held out.
    pub full: Option<Spread>,
    /// The arms, best first.
    pub arms: Vec<(Arm, Option<Spread>)>,
}

/// Test accuracies at the end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finals {
    /// The chosen subset.
    pub answer: PointOutcome,
    /// As many at random.
    pub random: PointOutcome,
    /// Everything.
    pub full: Option<Spread>,
    /// The hardest of that number, where that is not the answer.
    pub hardest: Option<PointOutcome>,
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
    /// the hardest, everything.
    pub fn final_trainings(&self) -> u32 {
        4 * self.finals
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

    /// The subset that an arm chooses from the whole training set.
    ///
    /// # Errors
    /// When it cannot be chosen.
    pub fn subset<'a>(
        &'a self,
        store: &'a Store,
        scene: &'a Scene,
        scored: &'a Scored,
        arm: &Arm,
    ) -> Result<(Ranking<'a>, Chosen), LabError> {
        let ranking = scored.scores.ranking(&self.by, None)?;
        let search = Search { plan: self, store, scene, ranking };
        let chosen = search.chosen(arm, &scene.examples())?;
        Ok((search.ranking, chosen))
    }

    /// Searches. None when it was stopped.
    ///
    /// # Errors
    /// When a subset cannot be chosen, or every training of a kind failed.
    pub fn run(
        &self,
        sweep: &Sweep<'_>,
        scene: &Scene,
        scored: &Scored,
        finished: &mut Finished,
    ) -> Result<Option<SearchOutcome>, LabError> {
        let ranking = scored.scores.ranking(&self.by, None)?;
        // `el2n@end` is called by its time from here on.
        let plan = Self { by: ranking.name.clone(), ..self.clone() };
        let search = Search { plan: &plan, store: sweep.store, scene, ranking };
        let split = search.split();
        let mut arms = self.arms.clone();
        arms.truncate(self.tried());
        let mut rungs: Vec<RungOutcome> = Vec::new();
        for rung in &self.rungs {
            if let Some(before) = rungs.last() {
                arms = promoted(before, rung.arms, self.tolerance, split.held_out.len());
            }
            let Some(outcome) = search.rung(sweep, *rung, &arms, &split, finished)? else {
                return Ok(None);
            };
            rungs.push(outcome);
        }
        search.finish(sweep, rungs, split.held_out.len(), finished)
    }
}

fn cost(rungs: &[Rung]) -> f64 {
    rungs.iter().map(|rung| rung.length * (rung.arms + 1) as f64).sum()
}

/// A search under way.
struct Search<'a> {
    plan: &'a SearchPlan,
    store: &'a Store,
    scene: &'a Scene,
    ranking: Ranking<'a>,
}

/// Training examples, those held out apart.
struct Split {
    rest: Vec<ExampleId>,
    held_out: Vec<ExampleId>,
}

impl Search<'_> {
    fn split(&self) -> Split {
        let examples = self.scene.labels.len();
        let count = (self.plan.validation * examples as f64).round() as usize;
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
        arm.among(candidates, &self.ranking, self.scene.by_class())
    }

    fn rung(
        &self,
        sweep: &Sweep<'_>,
        rung: Rung,
        arms: &[Arm],
        split: &Split,
        finished: &mut Finished,
    ) -> Result<Option<RungOutcome>, LabError> {
        let template = self.judged(rung, split)?;
        let full =
            self.trained(&template, &split.rest, format!("all, {} steps", template.stop_after))?;
        let mut trained = Vec::new();
        for arm in arms {
            let ids = self.chosen(arm, &split.rest)?.ids;
            let name = format!("{}, {} steps", arm.text(), template.stop_after);
            trained.push((*arm, self.trained(&template, &ids, name)?));
        }
        let jobs = full.jobs().chain(trained.iter().flat_map(|(_, retraining)| retraining.jobs()));
        finished.carry_out(sweep, jobs.collect::<Vec<Job>>())?;
        if finished.interrupted {
            return Ok(None);
        }
        let full = full.validation(finished);
        let judged = trained.iter().map(|(arm, r)| (*arm, r.validation(finished)));
        let mut outcome = RungOutcome { steps: template.stop_after, full, arms: judged.collect() };
        outcome.sort(self.plan.tolerance);
        Ok(Some(outcome))
    }

    /// A training of a rung's length, judged on the examples held out.
    fn judged(&self, rung: Rung, split: &Split) -> Result<RunSpec, LabError> {
        let template = &self.scene.template;
        let schedule = shortened(&template.schedule, rung.length);
        let validation = Some(keep_ids(self.store, &split.held_out)?);
        Ok(RunSpec { stop_after: schedule.steps, schedule, validation, ..template.clone() })
    }

    fn trained(
        &self,
        template: &RunSpec,
        ids: &[ExampleId],
        name: String,
    ) -> Result<Retraining, LabError> {
        let examples = self.scene.labels.len();
        Ok(Retraining::on(self.store, template, ids, examples, Fixed::Steps, 1, name)?)
    }

    fn finish(
        &self,
        sweep: &Sweep<'_>,
        rungs: Vec<RungOutcome>,
        held_out: usize,
        finished: &mut Finished,
    ) -> Result<Option<SearchOutcome>, LabError> {
        let last = rungs.last().ok_or_else(|| LabError::Plan("a search needs a rung".into()))?;
        let (answer, reached) = last
            .arms
            .first()
            .cloned()
            .ok_or_else(|| LabError::Plan("a search needs a way to choose".into()))?;
        let judged = reached.as_ref().zip(last.full.as_ref());
        let within = judged.map(|(reached, full)| {
            self.plan.tolerance.is_none_or(|tolerance| reached.mean >= full.mean - tolerance)
        });
        let Some(finals) = self.finals(sweep, &answer, finished)? else { return Ok(None) };
        let verdict = verdict(self.plan, &answer, within, &finals);
        Ok(Some(SearchOutcome {
            plan: self.plan.clone(),
            held_out,
            answer,
            within_tolerance: within == Some(true),
            advisable: verdict.advisable,
            finals,
            verdict: verdict.text,
            rungs,
        }))
    }

    /// Retrains the answer on the whole training set, beside what it must beat.
    fn finals(
        &self,
        sweep: &Sweep<'_>,
        answer: &Arm,
        finished: &mut Finished,
    ) -> Result<Option<Finals>, LabError> {
        let examples = self.scene.examples();
        let point = |series: &str, chosen: &Chosen| {
            let place =
                Place { series: series.into(), keep: answer.keep.into(), ..Place::default() };
            let finals = self.plan.finals;
            Point::new(self.store, self.scene, place, chosen, Fixed::Steps, finals)
        };
        let kept = self.chosen(answer, &examples)?;
        let random = Choice {
            rule: Rule::Random,
            amount: Amount::Count(kept.ids.len()),
            quota: Quota::None,
            seed: self.plan.seed,
        };
        let random = random.among(&examples, None, Some(self.scene.by_class()))?;
        let random = point("random", &random)?;
        let plain = answer.plain();
        let hardest = match plain == *answer {
            true => None,
            false => Some(point("hardest", &self.chosen(&plain, &examples)?)?),
        };
        let answer = point("answer", &kept)?;
        let full = Retraining::full(self.scene, self.plan.finals);
        let points = [Some(&answer), Some(&random), hardest.as_ref()];
        let points = points.into_iter().flatten().flat_map(|point| point.retraining.jobs());
        finished.carry_out(sweep, full.jobs().chain(points).collect())?;
        Ok((!finished.interrupted).then(|| Finals {
            answer: answer.outcome(finished),
            random: random.outcome(finished),
            full: full.test(finished),
            hardest: hardest.map(|point| point.outcome(finished)),
        }))
    }
}
