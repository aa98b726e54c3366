//! Linear mode connectivity of parents and children, on examples of a score (the paper's section 5).

use datadiet_core::{Amount, Candidates, Choice, Quota, Rule, barrier};
use datadiet_store::{
    Line, ListRef, Measured, Measurement, Recording, Risks, RunId, RunSpec, Spawn, Store,
};
use datadiet_table::{Ranking, TimePoint};
use serde::{Deserialize, Serialize};

use crate::retraining::{FIRST_REPLICA, keep_ids};
use crate::{Finished, Job, LabError, MeasureJob, Scene, Scored, Spread};

/// Parents, children, and the examples on which the line between them is judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ConnectivityPlan {
    /// Column by which the lowest and the highest examples are chosen.
    pub by: String,
    /// Epochs at which children leave their parent.
    pub spawn: Vec<f64>,
    /// Independent parents.
    pub parents: u32,
    /// Children of each parent at each time.
    pub children: u32,
    /// Examples in each of the sets `lowest`, `highest` and `random`.
    pub examples: u32,
    /// Points on the line, both ends among them.
    pub points: u32,
    /// Training examples from which batch-norm statistics are taken anew at every point; all, where
    /// there are not so many.
    pub statistics: u32,
}

impl Default for ConnectivityPlan {
    fn default() -> Self {
        Self {
            by: String::new(),
            spawn: Vec::new(),
            parents: 1,
            children: 2,
            examples: 1000,
            points: 11,
            statistics: 5120,
        }
    }
}

/// The sets of examples.
const SETS: [Rule; 3] = [Rule::Lowest, Rule::Random, Rule::Highest];

/// Parents and children of one scene.
#[derive(Clone, Debug)]
pub struct Connectivity {
    scene: String,
    by: String,
    parents: Vec<RunSpec>,
    children: Vec<Child>,
    sets: Vec<ListRef>,
}

#[derive(Clone, Debug)]
struct Child {
    time: f64,
    spec: RunSpec,
    line: MeasureJob,
}

/// Barriers by the time at which children leave.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConnectivityOutcome {
    /// Name of the scene; empty for the plain one.
    pub scene: String,
    /// Column by which the examples were chosen.
    pub by: String,
    /// Examples in each set.
    pub examples: u32,
    /// Points on the line, as fractions of the way from parent to child.
    pub alphas: Vec<f64>,
    /// The times, ascending.
    pub spawns: Vec<SpawnOutcome>,
    /// Test accuracy of the parents.
    pub parents: Option<Spread>,
    /// Test accuracy of all children.
    pub children: Option<Spread>,
}

/// Barriers between a parent and the children that left it at one time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SpawnOutcome {
    /// In epochs.
    pub time: f64,
    /// In steps.
    pub step: u64,
    /// One a set of examples.
    pub sets: Vec<SetOutcome>,
}

/// Barriers on one set of examples; none where no measurement succeeded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetOutcome {
    /// `lowest`, `random` or `highest`.
    pub set: String,
    /// Barrier of the training error, one a child, in [0, 1].
    pub error_barrier: Option<Spread>,
    /// Barrier of the cross-entropy, one a child, in nats.
    pub loss_barrier: Option<Spread>,
    /// Training error at each point.
    pub error: Vec<Spread>,
    /// Cross-entropy at each point.
    pub loss: Vec<Spread>,
}

impl ConnectivityPlan {
    /// When children leave, ascending; times of the same step count once.
    fn times(&self, scene: &Scene) -> Vec<TimePoint> {
        let time = |&epochs: &f64| TimePoint { epochs, step: scene.step_at(epochs) };
        let mut times: Vec<TimePoint> = self.spawn.iter().map(time).collect();
        times.sort_by(|a, b| a.epochs.total_cmp(&b.epochs));
        times.dedup_by_key(|time| time.step);
        times
    }

    /// Number of trainings and their steps.
    pub fn size(&self, scene: &Scene) -> (usize, u64) {
        let whole = scene.template.stop_after;
        let times = self.times(scene);
        let own: u64 = times.iter().map(|time| whole.saturating_sub(time.step)).sum();
        let parents = u64::from(self.parents);
        let children = times.len() * (self.parents * self.children) as usize;
        let steps = parents * (whole + u64::from(self.children) * own);
        (self.parents as usize + children, steps)
    }

    /// Checks what does not need the scores.
    ///
    /// # Errors
    /// For a column that scoring does not take, times after the end, or sets larger than the data.
    pub fn check(&self, scene: &Scene) -> Result<(), LabError> {
        let all = scene.labels.len();
        let after = |at: &&f64| !scene.has_epoch(**at) || scene.step_at(**at) >= scene.last_step();
        let problem = if self.spawn.is_empty() {
            "[connectivity] needs spawn, such as spawn = [0, 0.5, 1, 2]".to_owned()
        } else if let Some(at) = self.spawn.iter().find(after) {
            format!(
                "a child cannot leave its parent at epoch {at}: training goes from 0 to {} epochs, \
                 and a child needs some of them",
                scene.epochs()
            )
        } else if !(1..=all).contains(&(self.examples as usize)) {
            format!(
                "sets of {} examples cannot be chosen from {all}; take fewer with examples",
                self.examples
            )
        } else if self.statistics == 0 {
            "statistics of batch norm need examples: statistics must be at least 1".into()
        } else if self.points < 3 || self.parents == 0 || self.children == 0 {
            "points must be at least 3, parents and children at least 1".into()
        } else {
            return scene.check_column(&self.by).map(drop);
        };
        Err(LabError::Plan(problem))
    }

    fn alphas(&self) -> Vec<f64> {
        let last = self.points - 1;
        (0..=last).map(|point| f64::from(point) / f64::from(last)).collect()
    }

    /// Specifies parents and children of one scene, and chooses the examples.
    ///
    /// # Errors
    /// When the column is unknown or does not order the examples, or a list cannot be kept.
    pub fn prepare(
        &self,
        store: &Store,
        scene: &Scene,
        scored: &Scored,
    ) -> Result<Connectivity, LabError> {
        let ranking = scored.scores.ranking(&self.by, None)?;
        let sets = SETS.map(|rule| self.set(store, scene, &ranking, rule)).into_iter();
        let sets = sets.collect::<Result<Vec<ListRef>, _>>()?;
        let times = self.times(scene);
        let mut weights: Vec<u64> = times.iter().map(|time| time.step).collect();
        weights.push(scene.last_step());
        let parent = |index| RunSpec {
            replica: FIRST_REPLICA + index,
            record: Recording { weights: weights.clone(), ..Recording::default() },
            ..scene.template.clone()
        };
        let parents: Vec<RunSpec> = (0..self.parents).map(parent).collect();
        let mut children = Vec::new();
        for time in &times {
            for parent in &parents {
                for child in 0..self.children {
                    children.push(self.child(scene, parent, time, child, &sets));
                }
            }
        }
        Ok(Connectivity { scene: scene.name.clone(), by: ranking.name, parents, children, sets })
    }

    fn set(
        &self,
        store: &Store,
        scene: &Scene,
        ranking: &Ranking<'_>,
        rule: Rule,
    ) -> Result<ListRef, LabError> {
        let amount = Amount::Count(self.examples as usize);
        let choice = Choice { rule, amount, quota: Quota::None, seed: scene.template.seed };
        let all = Candidates::All(scene.labels.len());
        let chosen = choice.among(all, Some(ranking.scores()), Some(scene.by_class()))?;
        Ok(keep_ids(store, &chosen.ids)?)
    }

    fn child(
        &self,
        scene: &Scene,
        parent: &RunSpec,
        time: &TimePoint,
        child: u32,
        sets: &[ListRef],
    ) -> Child {
        let from = RunId::of(parent);
        let (time, step) = (time.epochs, time.step);
        let spec = RunSpec {
            record: Recording { weights: vec![scene.last_step()], ..Recording::default() },
            spawn: Some(Spawn { parent: from.clone(), step, child }),
            ..parent.clone()
        };
        let to = RunId::of(&spec);
        let line = MeasureJob {
            name: scene.named(&format!("line to child {child} of epoch {time}")),
            run: to.clone(),
            replica: spec.replica,
            measurement: Measurement::Line(Line {
                from,
                to,
                step: scene.last_step(),
                alphas: self.alphas(),
                sets: sets.to_vec(),
                statistics: self.statistics.min(scene.labels.len() as u32),
            }),
        };
        Child { time, spec, line }
    }

    /// What was measured of `found`.
    pub fn outcome(&self, found: &Connectivity, finished: &Finished) -> ConnectivityOutcome {
        let mut times: Vec<f64> = found.children.iter().map(|child| child.time).collect();
        times.dedup();
        let accuracy = |specs: &mut dyn Iterator<Item = &RunSpec>| {
            let results = specs.filter_map(|spec| finished.result(spec));
            Spread::of(results.filter_map(|result| result.final_test_accuracy()).collect())
        };
        ConnectivityOutcome {
            scene: found.scene.clone(),
            by: found.by.clone(),
            examples: self.examples,
            alphas: self.alphas(),
            spawns: times.iter().map(|&time| self.spawned(found, time, finished)).collect(),
            parents: accuracy(&mut found.parents.iter()),
            children: accuracy(&mut found.children.iter().map(|child| &child.spec)),
        }
    }

    fn spawned(&self, found: &Connectivity, time: f64, finished: &Finished) -> SpawnOutcome {
        let children: Vec<&Child> = found.children.iter().filter(|c| c.time == time).collect();
        let lines =
            children.iter().filter_map(|child| match finished.measured(&child.line.measurement) {
                Some(Measured::Line { risks, .. }) => Some(risks.as_slice()),
                _ => None,
            });
        let lines: Vec<&[Risks]> = lines.collect();
        let set = |index: usize| {
            let own: Vec<&Risks> = lines.iter().filter_map(|risks| risks.get(index)).collect();
            SetOutcome::of(SETS[index].name(), &self.alphas(), &own)
        };
        let spawn = children.first().and_then(|child| child.spec.spawn.as_ref());
        let step = spawn.map_or(0, |spawn| spawn.step);
        SpawnOutcome { time, step, sets: (0..found.sets.len()).map(set).collect() }
    }
}

impl SetOutcome {
    fn of(set: &str, alphas: &[f64], lines: &[&Risks]) -> Self {
        let errors: Vec<&[f64]> = lines.iter().map(|line| line.error.as_slice()).collect();
        let losses: Vec<&[f64]> = lines.iter().map(|line| line.loss.as_slice()).collect();
        let barriers = |curves: &[&[f64]]| {
            Spread::of(curves.iter().filter_map(|curve| barrier(alphas, curve)).collect())
        };
        let mean_curve = |curves: &[&[f64]]| {
            let at = |point| curves.iter().filter_map(|curve| curve.get(point).copied()).collect();
            (0..alphas.len()).filter_map(|point| Spread::of(at(point))).collect()
        };
        Self {
            set: set.to_owned(),
            error_barrier: barriers(&errors),
            loss_barrier: barriers(&losses),
            error: mean_curve(&errors),
            loss: mean_curve(&losses),
        }
    }
}

impl Connectivity {
    /// The trainings that children leave.
    pub fn parents(&self) -> Vec<Job> {
        let job = |(index, spec): (usize, &RunSpec)| Job {
            name: self.named(&format!("parent {index}")),
            spec: spec.clone(),
        };
        self.parents.iter().enumerate().map(job).collect()
    }

    /// The trainings that leave a parent that `finished`.
    pub fn children(&self, finished: &Finished) -> Vec<Job> {
        let lives = |child: &&Child| {
            let parent = |spec: &&RunSpec| spec.replica == child.spec.replica;
            self.parents.iter().find(parent).is_some_and(|spec| finished.result(spec).is_some())
        };
        let job = |child: &Child| {
            let number = child.spec.spawn.as_ref().map_or(0, |spawn| spawn.child);
            let parent = child.spec.replica - FIRST_REPLICA;
            Job {
                name: self.named(&format!("child {number} of {parent}, epoch {}", child.time)),
                spec: child.spec.clone(),
            }
        };
        self.children.iter().filter(lives).map(job).collect()
    }

    /// What is to be measured of the children that `finished`.
    pub fn lines(&self, finished: &Finished) -> Vec<MeasureJob> {
        let there = |child: &&Child| finished.result(&child.spec).is_some();
        self.children.iter().filter(there).map(|child| child.line.clone()).collect()
    }

    fn named(&self, what: &str) -> String {
        if self.scene.is_empty() { what.to_owned() } else { format!("{}: {what}", self.scene) }
    }
}
