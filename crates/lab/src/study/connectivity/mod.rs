//! Linear mode connectivity of parents and children, on examples of a score (the paper's section 5).

mod page;
mod question;

use clap::Args;
use datadiet_core::{Amount, Choice, Quota, Rule, barrier};
use datadiet_store::{
    Line, ListRef, Measured, Measurement, Recording, Risks, RunId, RunSpec, Spawn,
};
use datadiet_table::TimePoint;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use question::ConnectivityQuestion;

use super::stage::found;
use super::{Kind, Size, Stage, Study, Wait, read};
use crate::refuse::{bail, ensure};
use crate::retraining::{FIRST_REPLICA, keep_ids};
use crate::scenes::Scenes;
use crate::{Job, LabError, MeasurementJob, Results, Scene, ScoredScene, Spread};

/// `[connectivity]`.
pub const KIND: Kind = Kind {
    name: "connectivity",
    read: read::<ConnectivityPlan>,
    findings: |outcome| Ok(page::findings(&ConnectivityOutcome::deserialize(outcome)?)),
};

/// Parents, children, and the examples on which the line between them is judged.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ConnectivityPlan {
    /// Column by which the lowest and the highest examples are chosen.
    #[arg(skip)]
    pub by: String,
    /// Epochs at which children leave [default: 0, a 32nd, a 16th, an eighth, a quarter, a half].
    #[arg(long, value_name = "EPOCHS", value_delimiter = ',')]
    pub spawn: Vec<f64>,
    /// Independent parents.
    #[arg(long, default_value_t = Self::default().parents)]
    pub parents: u32,
    /// Children of each parent at each epoch.
    #[arg(long, default_value_t = Self::default().children)]
    pub children: u32,
    /// Examples in each set: lowest, highest, random.
    #[arg(long, value_name = "N", default_value_t = Self::default().examples)]
    pub examples: u32,
    /// Points on the line, both ends among them.
    #[arg(long, value_name = "N", default_value_t = Self::default().points)]
    pub points: u32,
    /// Training examples from which batch-norm statistics are taken again at every point; all, if
    /// there are not so many.
    #[arg(long, value_name = "N", default_value_t = Self::default().statistics)]
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
const SETS: [(&str, Rule); 3] =
    [("lowest", Rule::Lowest), ("random", Rule::Random), ("highest", Rule::Highest)];

/// Parents and children of one scene.
#[derive(Clone, Debug)]
struct Family {
    parents: Vec<RunSpec>,
    children: Vec<Child>,
}

#[derive(Clone, Debug)]
struct Child {
    time: f64,
    spec: RunSpec,
    line: MeasurementJob,
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

impl Study for ConnectivityPlan {
    fn check(&self, scenes: &Scenes) -> Result<(), LabError> {
        let scene = scenes.plain();
        ensure!(
            !self.spawn.is_empty(),
            "[connectivity] needs spawn, such as spawn = [0, 0.5, 1, 2]"
        );
        let after = |at: &&f64| !scene.has_epoch(**at) || scene.step_at(**at) >= scene.last_step();
        let whole = |at: &&f64| scene.template.trainer.is_none() || at.fract() == 0.0;
        if let Some(at) = self.spawn.iter().find(|at| !whole(at)) {
            bail!(
                "a child cannot leave its parent at epoch {at}: a trainer of your own keeps weights after whole \
                 epochs; change spawn"
            );
        }
        if let Some(at) = self.spawn.iter().find(after) {
            bail!(
                "a child cannot leave its parent at epoch {at}: training goes from 0 to {} epochs, \
                 and a child needs some of them",
                scene.epochs()
            );
        }
        ensure!(
            (1..=scene.examples()).contains(&(self.examples as usize)),
            "sets of {} examples cannot be chosen from {}; take fewer with examples",
            self.examples,
            scene.examples()
        );
        ensure!(
            self.statistics > 0,
            "statistics of batch norm need examples: statistics must be at least 1"
        );
        ensure!(
            self.points >= 3 && self.parents > 0 && self.children > 0,
            "points must be at least 3, parents and children at least 1"
        );
        scene.check_column(&self.by).map(drop)
    }

    fn size(&self, scenes: &Scenes) -> Size {
        let whole = scenes.plain().last_step();
        let times = self.times(scenes.plain());
        let own: u64 = times.iter().map(|time| whole.saturating_sub(time.step)).sum();
        let parents = u64::from(self.parents);
        let children = times.len() * (self.parents * self.children) as usize;
        Size {
            trainings: self.parents as usize + children,
            steps: parents * (whole + u64::from(self.children) * own),
        }
    }

    fn outcome(&self, stage: &Stage<'_>) -> Result<Value, Wait> {
        let (at, results) = (stage.plain()?, stage.results);
        let by = at.ranking(&self.by)?.name;
        let family = self.family(at)?;
        stage.trained(family.parent_jobs(at.scene))?;
        stage.trained(family.child_jobs(at.scene, results))?;
        let there = family.children.iter().filter(|child| results.result(&child.spec).is_some());
        stage.measured(there.map(|child| child.line.clone()))?;
        let accuracy = |specs: &mut dyn Iterator<Item = &RunSpec>| {
            let results = specs.filter_map(|spec| results.result(spec));
            let values = results.filter_map(|result| result.final_test_accuracy()).collect();
            Spread::judged(values, &at.scene.template)
        };
        let times = self.times(at.scene);
        found(ConnectivityOutcome {
            scene: at.scene.name.clone(),
            by,
            examples: self.examples,
            alphas: self.alphas(),
            spawns: times.iter().map(|time| self.spawned(&family, time, results)).collect(),
            parents: accuracy(&mut family.parents.iter()),
            children: accuracy(&mut family.children.iter().map(|child| &child.spec)),
        })
    }
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

    fn alphas(&self) -> Vec<f64> {
        let last = self.points - 1;
        (0..=last).map(|point| f64::from(point) / f64::from(last)).collect()
    }

    /// Specifies parents and children, and chooses the examples.
    fn family(&self, at: ScoredScene<'_>) -> Result<Family, LabError> {
        let scene = at.scene;
        let ranking = at.ranking(&self.by)?;
        let set = |&(_, rule): &(&str, Rule)| {
            let amount = Amount::Count(self.examples as usize);
            let choice = Choice { rule, amount, quota: Quota::None, seed: scene.template.seed };
            keep_ids(at.store, &at.chosen(&choice, Some(&ranking))?.ids)
        };
        let sets = SETS.iter().map(set).collect::<Result<Vec<ListRef>, LabError>>()?;
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
        Ok(Family { parents, children })
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
        let line = MeasurementJob {
            name: scene.named(&format!("line to child {child} of epoch {time}")),
            run: to.clone(),
            replica: spec.replica,
            measurement: Measurement::Line(Line {
                from,
                to,
                step: scene.last_step(),
                alphas: self.alphas(),
                sets: sets.to_vec(),
                statistics: self.statistics.min(scene.examples() as u32),
                evaluation: scene.evaluation.clone(),
            }),
        };
        Child { time, spec, line }
    }

    fn spawned(&self, family: &Family, time: &TimePoint, results: &Results) -> SpawnOutcome {
        let children = family.children.iter().filter(|child| child.time == time.epochs);
        let lines = children.filter_map(|child| match results.measured(&child.line.measurement) {
            Some(Measured::Line { risks, .. }) => Some(risks.as_slice()),
            _ => None,
        });
        let lines: Vec<&[Risks]> = lines.collect();
        let set = |(index, (name, _)): (usize, &(&str, Rule))| {
            let own: Vec<&Risks> = lines.iter().filter_map(|risks| risks.get(index)).collect();
            SetOutcome::of(name, &self.alphas(), &own)
        };
        let sets = SETS.iter().enumerate().map(set).collect();
        SpawnOutcome { time: time.epochs, step: time.step, sets }
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

impl Family {
    /// The trainings that children leave.
    fn parent_jobs(&self, scene: &Scene) -> impl Iterator<Item = Job> {
        self.parents.iter().enumerate().map(|(index, spec)| Job {
            name: scene.named(&format!("parent {index}")),
            spec: spec.clone(),
        })
    }

    /// The trainings that leave a parent that completed.
    fn child_jobs(&self, scene: &Scene, results: &Results) -> impl Iterator<Item = Job> {
        let parents = self.parents.iter().filter(|spec| results.result(spec).is_some());
        let alive: Vec<u32> = parents.map(|spec| spec.replica).collect();
        let children = self.children.iter();
        children.filter(move |child| alive.contains(&child.spec.replica)).map(|child| {
            let number = child.spec.spawn.as_ref().map_or(0, |spawn| spawn.child);
            let parent = child.spec.replica - FIRST_REPLICA;
            let name = format!("child {number} of {parent}, epoch {}", child.time);
            Job { name: scene.named(&name), spec: child.spec.clone() }
        })
    }
}
