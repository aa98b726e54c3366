//! The smallest subset that is good enough, or the best window of a size: successive halving over
//! ways to choose, judged on training examples that are held out, then tested once.
//!
//! Rung by rung the trainings get longer and the arms fewer (Jamieson & Talwalkar 2016,
//! arXiv:1502.07943): each rung has a whole schedule of its own length, so accuracies of one rung
//! can be compared. A training on everything runs beside the arms of every rung. The answer is then
//! chosen anew from the whole training set and retrained, beside random examples of the same number
//! and everything, and only now is the test set looked at.
//!
//! The scores come from networks that have seen the held-out examples: a leak from them into the
//! order of the others, not into any network that is judged.

use datadiet_core::{Direction, ExampleId, KeepFraction, Quota, Stream, permutation, rng};
use datadiet_store::{RunSpec, Store};
use serde::{Deserialize, Serialize};

use crate::retraining::{keep_ids, shortened};
use crate::study::point::{Place, Point, PointOutcome};
use crate::{
    Accuracies, Amount, Choice, Chosen, Finished, Fixed, Job, Keep, LabError, Ranking, Retraining,
    Scene, Scored, Sweep,
};

/// A way to choose a subset.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// Fraction kept.
    pub keep: KeepFraction,
    /// Fraction of the hardest that is left out; 0 keeps the hardest.
    pub drop: f64,
    /// How the subset is shared out over the classes.
    pub quota: Quota,
}

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

/// A search as it is asked for, in a TOML file or on the command line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct SearchOptions {
    /// Column to choose by.
    pub by: String,
    /// Fractions to keep.
    pub keep: Vec<KeepFraction>,
    /// Fractions of the hardest that are left out.
    pub drops: Vec<f64>,
    /// How subsets are shared out over the classes.
    pub quotas: Vec<Quota>,
    /// Fraction of the training examples held out to judge.
    pub validation: f64,
    /// Trainings of whole length that the rungs of the search may cost.
    pub budget: f64,
    /// Trainings of the answer, of random examples and of everything.
    pub retrainings: u32,
}

impl Default for SearchOptions {
    fn default() -> Self {
        Self {
            by: "el2n@end".into(),
            keep: Vec::new(),
            drops: vec![0.0, 0.05, 0.1, 0.2],
            quotas: vec![Quota::None],
            validation: 0.1,
            budget: 8.0,
            retrainings: 1,
        }
    }
}

impl SearchOptions {
    /// The search, with as many ways to choose as its budget pays for.
    ///
    /// # Errors
    /// For options that make no sense.
    pub fn plan(&self, tolerance: Option<f64>, seed: u64) -> Result<SearchPlan, LabError> {
        self.check(tolerance)?;
        let mut keep = self.keep.clone();
        keep.sort_by(|a, b| f64::from(*b).total_cmp(&f64::from(*a)));
        let arms = arms(&keep, &self.drops, &self.quotas);
        if arms.is_empty() {
            return Err(LabError::Plan("no keep leaves room for the drops beside it".into()));
        }
        Ok(SearchPlan {
            by: self.by.clone(),
            rungs: SearchPlan::halving(arms.len(), self.budget),
            arms,
            validation: self.validation,
            tolerance,
            finals: self.retrainings,
            seed,
        })
    }

    fn check(&self, tolerance: Option<f64>) -> Result<(), LabError> {
        let fraction = |value: f64| value > 0.0 && value < 0.9;
        let least = SearchPlan::LEAST_BUDGET;
        let problem = if self.keep.is_empty() {
            "a search needs fractions to keep, such as keep = [0.5]".into()
        } else if !fraction(self.validation) {
            format!("validation {} must lie between 0 and 0.9, such as 0.1", self.validation)
        } else if let Some(drop) = self.drops.iter().find(|drop| !(0.0..1.0).contains(*drop)) {
            format!("drops: {drop} must lie in [0, 1), such as 0.1")
        } else if self.budget < least || self.budget.is_nan() {
            format!("a budget of {} is too little: trying one subset takes {least}", self.budget)
        } else if self.retrainings == 0 {
            "retrainings must be at least 1".into()
        } else if tolerance.is_some_and(|tolerance| tolerance < 0.0 || tolerance.is_nan()) {
            "the tolerance must not be negative".into()
        } else {
            return Ok(());
        };
        Err(LabError::Plan(problem))
    }
}

/// All combinations that leave room for what is kept.
fn arms(keep: &[KeepFraction], drops: &[f64], quotas: &[Quota]) -> Vec<Arm> {
    let mut arms = Vec::new();
    for &quota in quotas {
        for &drop in drops {
            let fits = |keep: &&KeepFraction| f64::from(**keep) + drop <= 1.0 + 1e-9;
            arms.extend(keep.iter().filter(fits).map(|&keep| Arm { keep, drop, quota }));
        }
    }
    arms
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
    /// What it means, in words.
    pub verdict: String,
}

/// A round: validation accuracies.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RungOutcome {
    /// Steps of a training.
    pub steps: u64,
    /// Training on everything that is not held out.
    pub full: Option<Accuracies>,
    /// The arms, best first.
    pub arms: Vec<(Arm, Option<Accuracies>)>,
}

/// Test accuracies at the end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finals {
    /// The chosen subset.
    pub answer: PointOutcome,
    /// As many at random.
    pub random: PointOutcome,
    /// Everything.
    pub full: Option<Accuracies>,
    /// The hardest of that number, where that is not the answer.
    pub hardest: Option<PointOutcome>,
}

impl Arm {
    fn choice(&self, direction: Direction, seed: u64) -> Choice {
        let keep = f64::from(self.keep);
        let offset = match direction {
            Direction::HigherIsHarder => (1.0 - keep - self.drop).max(0.0),
            Direction::LowerIsHarder => self.drop,
        };
        let keep = if self.drop == 0.0 { Keep::Hardest } else { Keep::Window { offset } };
        Choice { keep, amount: Amount::Fraction(self.keep), quota: self.quota, seed }
    }

    /// `keep 50 %, without the hardest 10 %, balanced`.
    pub fn text(&self) -> String {
        let percent = |value: f64| format!("{} %", (value * 1000.0).round() / 10.0);
        let mut text = format!("keep {}", percent(self.keep.into()));
        if self.drop > 0.0 {
            text += &format!(", without the hardest {}", percent(self.drop));
        }
        match self.quota {
            Quota::None => {}
            Quota::Proportional => text += ", classes in proportion",
            Quota::Balanced => text += ", classes balanced",
        }
        text
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
        let ranking = Ranking::of(&scored.scores.table, &self.by)?;
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
        let ranking = Ranking::of(&scored.scores.table, &self.by)?;
        let search = Search { plan: self, store: sweep.store, scene, ranking };
        let split = search.split();
        let mut arms = self.arms.clone();
        let mut rungs = Vec::new();
        for rung in &self.rungs {
            arms.truncate(rung.arms);
            let Some(outcome) = search.rung(sweep, *rung, &arms, &split, finished)? else {
                return Ok(None);
            };
            arms = outcome.arms.iter().map(|(arm, _)| *arm).collect();
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
        let choice = arm.choice(self.ranking.direction, self.plan.seed);
        let (labels, classes) = (&self.scene.labels, self.scene.classes.len());
        choice.among(candidates, Some(&self.ranking), labels, classes)
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
        let done = sweep.all(jobs.collect::<Vec<Job>>())?;
        let interrupted = done.interrupted;
        finished.extend(done);
        if interrupted {
            return Ok(None);
        }
        let full = full.validation(finished);
        let judged = trained.iter().map(|(arm, r)| (*arm, r.validation(finished)));
        let mut arms: Vec<(Arm, Option<Accuracies>)> = judged.collect();
        self.sort(&mut arms, full.as_ref(), split.held_out.len(), rung.length < 1.0);
        Ok(Some(RungOutcome { steps: template.stop_after, full, arms }))
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

    /// Best first: with a tolerance, the smallest of those within it, then those closest to it;
    /// without one, the most accurate. Before the last rung, an arm within one standard error of the
    /// tolerance counts as within it.
    fn sort(
        &self,
        arms: &mut [(Arm, Option<Accuracies>)],
        full: Option<&Accuracies>,
        held_out: usize,
        early: bool,
    ) {
        let full = full.map_or(1.0, |full| full.mean);
        let error = (full * (1.0 - full) / held_out as f64).sqrt();
        let slack = if early { error } else { 0.0 };
        let key = |(arm, accuracy): &(Arm, Option<Accuracies>)| {
            let accuracy = accuracy.as_ref().map_or(0.0, |accuracy| accuracy.mean);
            let within = self.plan.tolerance.is_some_and(|t| accuracy >= full - t - slack);
            let size = if within { f64::from(arm.keep) } else { 0.0 };
            (u8::from(!within), size, -accuracy)
        };
        arms.sort_by(|a, b| key(a).partial_cmp(&key(b)).unwrap_or(std::cmp::Ordering::Equal));
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
        let within_tolerance = match (self.plan.tolerance, &reached, &last.full) {
            (None, ..) => true,
            (Some(tolerance), Some(reached), Some(full)) => reached.mean >= full.mean - tolerance,
            _ => false,
        };
        let Some(finals) = self.finals(sweep, &answer, finished)? else { return Ok(None) };
        let verdict = verdict(self.plan, &answer, within_tolerance, &finals);
        Ok(Some(SearchOutcome {
            plan: self.plan.clone(),
            held_out,
            answer,
            within_tolerance,
            finals,
            verdict,
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
            keep: Keep::Random,
            amount: Amount::Count(kept.ids.len()),
            quota: answer.quota,
            seed: self.plan.seed,
        };
        let (labels, classes) = (&self.scene.labels, self.scene.classes.len());
        let random = point("random", &random.among(&examples, None, labels, classes)?)?;
        let plain = Arm { drop: 0.0, quota: Quota::None, ..*answer };
        let hardest = match plain == *answer {
            true => None,
            false => Some(point("hardest", &self.chosen(&plain, &examples)?)?),
        };
        let answer = point("answer", &kept)?;
        let full = Retraining::full(self.scene, self.plan.finals);
        let points = [Some(&answer), Some(&random), hardest.as_ref()];
        let points = points.into_iter().flatten().flat_map(|point| point.retraining.jobs());
        let done = sweep.all(full.jobs().chain(points).collect())?;
        let interrupted = done.interrupted;
        finished.extend(done);
        Ok((!interrupted).then(|| Finals {
            answer: answer.outcome(finished),
            random: random.outcome(finished),
            full: full.test(finished),
            hardest: hardest.map(|point| point.outcome(finished)),
        }))
    }
}

/// What the finals mean.
fn verdict(plan: &SearchPlan, answer: &Arm, within: bool, finals: &Finals) -> String {
    let (Some(reached), Some(random), Some(full)) =
        (&finals.answer.accuracy, &finals.random.accuracy, &finals.full)
    else {
        return "The retrainings failed; there is no answer.".into();
    };
    let text = answer.text();
    let size = finals.answer.size;
    let points = |difference: f64| format!("{:.1} points", difference.abs() * 100.0);
    let lost = full.mean - reached.mean;
    let against = match lost > 0.0 {
        true => format!("loses {}", points(lost)),
        false => format!("gains {}", points(lost)),
    };
    if !within {
        return format!(
            "No pruning is advisable: nothing that was tried stayed within the tolerance on the \
             held-out examples. The closest, {text}, {against} on the test set."
        );
    }
    if random.mean >= reached.mean {
        return format!(
            "Scores buy nothing here: {size} examples at random reach {}, chosen by {} ({text}) \
             {}. Prune at random, or not at all.",
            random.text(),
            plan.by,
            reached.text()
        );
    }
    if plan.tolerance.is_some_and(|tolerance| lost > tolerance) {
        return format!(
            "Not advisable: {text} was within the tolerance on the held-out examples, but {against} \
             on the test set."
        );
    }
    format!(
        "{text} ({size} examples by {}): {against} against training on everything, and is {} \
         better than as many at random.",
        plan.by,
        points(reached.mean - random.mean)
    )
}
