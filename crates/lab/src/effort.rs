//! How long trainings are going to take on this machine: their size, times the speed that a few seconds of
//! the same training show.
//!
//! What is not a training step is counted as one: a forward pass of as many examples as a third of it (a step
//! goes forward, and back to inputs and to weights), their gradient norms as a whole one. Choosing subsets,
//! measurements of studies on kept weights, tables and pictures are not counted.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use datadiet_core::Progress;
use datadiet_core::progress::Event;
use datadiet_store::{
    Labels, Recording, RunFolder, RunResult, RunSpec, RunStatus, Store, Subset, TimedAccuracy,
    Views,
};
use datadiet_table::{Column, Table, TableError};

use crate::study::Size;
use crate::{LabError, Trainer, TrainerError};

/// Training steps that a forward pass over the examples of one step takes.
const FORWARD: f64 = 1.0 / 3.0;
/// Training steps that gradient norms of the examples of one step take.
const GRADIENTS: f64 = 1.0;
/// Memory and kernels are prepared in a worker's first seconds of steps.
const WARM_UP: Duration = Duration::from_secs(2);
/// How long workers may take until their first step.
const PATIENCE: Duration = Duration::from_secs(120);

/// The size of trainings: parts that wait for one another.
#[derive(Clone, Debug, PartialEq)]
pub struct Effort {
    parts: Vec<Part>,
    /// Whether some of what was asked is in the store already.
    pub partly_done: bool,
}

/// Trainings that do not wait for one another.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Part {
    trainings: usize,
    /// Their steps together, and what else they do as steps.
    steps: f64,
}

impl Effort {
    /// Of the runs that an experiment of `examples` training and `test` test images is going to ask for and
    /// the store does not have.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn of_runs(
        runs: &[RunSpec],
        store: &Store,
        examples: usize,
        test: usize,
    ) -> Result<Self, LabError> {
        let [mut scoring, mut others] = [Part::default(); 2];
        let mut partly_done = false;
        for spec in runs {
            if matches!(store.run(spec).status()?, RunStatus::Complete(_)) {
                partly_done = true;
                continue;
            }
            let Recording { steps, gradient_steps, .. } = &spec.record;
            let passes = FORWARD * steps.len() as f64 + GRADIENTS * gradient_steps.len() as f64;
            let part = if steps.is_empty() { &mut others } else { &mut scoring };
            part.trainings += 1;
            part.steps +=
                spec.own_steps() as f64 + passes * in_steps(examples, spec) + of_test(test, spec);
        }
        Ok(Self { parts: vec![scoring, others], partly_done })
    }

    /// Whether nothing has to be trained.
    pub fn is_nothing(&self) -> bool {
        self.most_at_a_time() == 0
    }

    /// Trainings that could go on at the same time.
    pub fn most_at_a_time(&self) -> usize {
        self.parts.iter().map(|part| part.trainings).max().unwrap_or(0)
    }

    /// Of trainings like `template`, tested on `test` images.
    pub fn of_trainings(size: Size, template: &RunSpec, test: usize) -> Self {
        let steps = size.steps as f64 + size.trainings as f64 * of_test(test, template);
        let part = Part { trainings: size.trainings, steps };
        Self { parts: vec![part], partly_done: false }
    }
}

/// Trains nothing: every run has ended at once, with scores and an accuracy that stand in for those to come.
/// An experiment that goes through with it tells which runs it asks for.
pub(crate) struct Rehearsal {
    examples: usize,
    runs: Mutex<Vec<RunSpec>>,
}

impl Rehearsal {
    /// For so many training examples.
    pub fn new(examples: usize) -> Self {
        Self { examples, runs: Mutex::default() }
    }

    /// What it was asked to train.
    pub fn runs(self) -> Vec<RunSpec> {
        self.runs.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Every kind of score in an order of its own, so that no two choose the same subset. From 0 to 1, which counts,
    /// fractions and norms all may be.
    fn scores(&self, spec: &RunSpec) -> Result<Table, TableError> {
        let mut table = Table::default();
        for (kind, column) in spec.record.scores.iter().zip(1_u64..) {
            let stand_in = |id: u64| {
                let mixed = (id + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ (column << 20));
                (mixed >> 40) as f32 / (1 << 24) as f32
            };
            let values = (0..self.examples as u64).map(stand_in).collect();
            table.push(kind.name(), Column::F32(values))?;
        }
        Ok(table)
    }
}

impl Trainer for Rehearsal {
    fn train(
        &self,
        folder: &RunFolder,
        _slot: usize,
        _stop: &AtomicBool,
        _progress: &dyn Progress,
    ) -> Result<(), TrainerError> {
        let failed = |error: &dyn std::error::Error| TrainerError::Failed(error.to_string());
        let (_, spec) = RunFolder::open(folder.path()).map_err(|error| failed(&error))?;
        let table = self.scores(&spec).map_err(|error| failed(&error))?;
        for &step in &spec.record.steps {
            folder.write_scores(step, &table).map_err(|error| failed(&error))?;
        }
        let accuracy = 0.5;
        let result = RunResult {
            steps: spec.stop_after,
            images_trained: 0,
            images_scored: 0,
            train_seconds: 0.0,
            score_seconds: 0.0,
            images_differentiated: 0,
            gradient_seconds: 0.0,
            final_train_loss: None,
            test_accuracy: vec![TimedAccuracy { step: spec.stop_after, accuracy }],
            validation_accuracy: spec.validation.as_ref().map(|_| accuracy),
            test_by_class: Vec::new(),
            peak_memory_mib: 0.0,
        };
        self.runs.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(spec);
        folder.complete(&result).map_err(|error| failed(&error))
    }
}

/// So many examples, in minibatches of the training.
fn in_steps(examples: usize, spec: &RunSpec) -> f64 {
    examples as f64 / f64::from(spec.schedule.batch)
}

/// Steps that the test of a trained network takes as long as.
fn of_test(test: usize, spec: &RunSpec) -> f64 {
    let views = match spec.views {
        Views::Plain => 1.0,
        Views::Mirrored => 2.0,
        Views::MirroredShifted => 6.0,
    };
    FORWARD * views * in_steps(test, spec)
}

/// How fast workers train, all of them at the same time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// Seconds from the start of a worker to its first step.
    pub start: f64,
    /// Seconds of a worker's step.
    pub step: f64,
    /// Workers.
    pub workers: usize,
}

impl Speed {
    /// Has `workers` train as `template` says for about `time`, on all of the data, in a store that is
    /// removed afterwards.
    ///
    /// # Errors
    /// When they cannot train, or `stop` is set before they did.
    pub fn measured(
        trainer: &dyn Trainer,
        template: &RunSpec,
        workers: usize,
        time: Duration,
        stop: &AtomicBool,
    ) -> Result<Self, LabError> {
        let io = |error| LabError::Plan(format!("cannot make a folder to measure in: {error}"));
        let folder = tempfile::tempdir().map_err(io)?;
        let store = Store::open(folder.path())?;
        let clocks: Vec<Clock> = (0..workers).map(|_| Clock::new()).collect();
        let enough = AtomicBool::new(false);
        let going = std::sync::atomic::AtomicUsize::new(workers);
        let train = |slot: usize| -> Result<(), LabError> {
            let spec = RunSpec {
                labels: Labels::Original,
                subset: Subset::Full,
                validation: None,
                record: Recording::default(),
                spawn: None,
                stop_after: template.schedule.steps,
                replica: slot as u32,
                ..template.clone()
            };
            let run = store.run(&spec);
            run.prepare(&spec)?;
            match trainer.train(&run, slot, &enough, &clocks[slot]) {
                Err(TrainerError::Unusable(reason)) => Err(LabError::Trainer(reason)),
                Err(error) if !enough.load(Ordering::Relaxed) => {
                    Err(LabError::Trainer(error.to_string()))
                }
                Ok(()) | Err(_) => Ok(()),
            }
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..workers)
                .map(|slot| {
                    let (train, going) = (&train, &going);
                    scope.spawn(move || {
                        let ended = train(slot);
                        going.fetch_sub(1, Ordering::Relaxed);
                        ended
                    })
                })
                .collect();
            let begin = Instant::now();
            let mut all_train: Option<Instant> = None;
            loop {
                std::thread::sleep(Duration::from_millis(50));
                if all_train.is_none() && clocks.iter().all(Clock::is_training) {
                    all_train = Some(Instant::now());
                }
                let over = match all_train {
                    Some(since) => since.elapsed() > time,
                    None => begin.elapsed() > PATIENCE,
                };
                // One that ended early leaves its share of the machine to the others.
                let ended = going.load(Ordering::Relaxed) < workers;
                if over || ended || stop.load(Ordering::Relaxed) {
                    break;
                }
            }
            enough.store(true, Ordering::Relaxed);
            threads.into_iter().try_for_each(|thread| thread.join().expect("does not panic"))
        })?;
        if stop.load(Ordering::Relaxed) {
            return Err(LabError::Plan("stopped before the speed was measured".into()));
        }
        let told: Option<Vec<(f64, f64)>> = clocks.iter().map(Clock::told).collect();
        let Some(told) = told.filter(|told| !told.is_empty()) else {
            return Err(LabError::Plan(
                "a step takes too long to measure the speed; leave --estimate out".into(),
            ));
        };
        let mean =
            |of: &dyn Fn(&(f64, f64)) -> f64| told.iter().map(of).sum::<f64>() / workers as f64;
        // Of rates, not of times: the work goes to whoever is free.
        let step = 1.0 / mean(&|(_, step)| 1.0 / step);
        Ok(Self { start: mean(&|(start, _)| *start), step, workers })
    }

    /// How long all of it takes, where every worker takes the next training when it has ended one.
    pub fn time(&self, effort: &Effort) -> Duration {
        let seconds = effort.parts.iter().filter(|part| part.trainings > 0).map(|part| {
            let rounds = part.trainings.div_ceil(self.workers) as f64;
            rounds * (self.start + self.step * part.steps / part.trainings as f64)
        });
        Duration::from_secs_f64(seconds.sum())
    }
}

/// When a worker did its steps.
struct Clock {
    begin: Instant,
    steps: Mutex<Vec<(Instant, u64)>>,
}

impl Clock {
    fn new() -> Self {
        Self { begin: Instant::now(), steps: Mutex::default() }
    }

    fn steps(&self) -> std::sync::MutexGuard<'_, Vec<(Instant, u64)>> {
        self.steps.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn is_training(&self) -> bool {
        !self.steps().is_empty()
    }

    /// Seconds until the first step was done, and seconds of a step once it is warm.
    fn told(&self) -> Option<(f64, f64)> {
        let steps = self.steps();
        let (first, last) = (steps.first()?, steps.last()?);
        let warm = steps.iter().find(|(at, _)| *at >= first.0 + WARM_UP);
        let from = warm.filter(|from| from.1 < last.1).unwrap_or(first);
        let done = last.1.checked_sub(from.1).filter(|&done| done > 0)?;
        let step = (last.0 - from.0).as_secs_f64() / done as f64;
        Some(((first.0 - self.begin).as_secs_f64(), step))
    }
}

impl Progress for Clock {
    fn tell(&self, event: &Event<'_>) {
        if let Event::At { done, doing: None, .. } = event
            && *done > 0
        {
            self.steps().push((Instant::now(), *done));
        }
    }
}
