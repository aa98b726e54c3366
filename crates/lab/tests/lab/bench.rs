//! A data set, a store, and a trainer that does not train.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use datadiet_core::{Progress, ScoreKind, Silent, Source};
use datadiet_data::{DataHome, Dataset, ImportOptions, read, write_cache};
use datadiet_lab::executor::local;
use datadiet_lab::{
    CompletedExperiment, Experiment, ExperimentOptions, LabError, Sweep, Trainer, TrainerError,
};
use datadiet_store::{
    Measured, Measurement, MeasurementFolder, Risks, RunFailure, RunFolder, RunResult, RunSpec,
    Store, Subset, TimedAccuracy,
};
use datadiet_table::{Column, Table};

/// Training examples of the data set.
pub const EXAMPLES: u32 = 1000;

/// A thousand examples, and a store of its own.
pub struct Bench {
    _folder: tempfile::TempDir,
    pub store: Store,
    pub dataset: Dataset,
    pub stop: AtomicBool,
    pub retry_failed: bool,
    pub workers: usize,
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/fashion-mnist");
        let (home, options) = (DataHome::new(folder.path()), ImportOptions::default());
        let data = read(&files, None, &options, &Silent).unwrap();
        write_cache(&home, "sample", &data, &options).unwrap();
        Self {
            store: Store::open(folder.path().join("store")).unwrap(),
            dataset: Dataset::open(&home, "sample").unwrap(),
            _folder: folder,
            stop: AtomicBool::new(false),
            retry_failed: false,
            workers: 2,
        }
    }

    /// An experiment as it stands in a file.
    pub fn experiment(&self, text: &str) -> Result<Experiment, LabError> {
        self.resolved(ExperimentOptions::parse(text, &[])?.0)
    }

    pub fn resolved(&self, options: ExperimentOptions) -> Result<Experiment, LabError> {
        Experiment::new(options, Path::new("."), &self.dataset)
    }

    /// Has something done with a sweep that a trainer carries out here.
    pub fn sweep<R>(&self, trainer: &dyn Trainer, work: impl FnOnce(&Sweep<'_>) -> R) -> R {
        local::with(trainer, &self.store, self.workers, |executor| {
            let sweep = Sweep::new(&self.store, executor, &self.stop, &Silent);
            work(&Sweep { retry_failed: self.retry_failed, ..sweep })
        })
    }

    pub fn run(&self, experiment: &Experiment, trainer: &Fake) -> CompletedExperiment {
        let done = self.sweep(trainer, |sweep| experiment.run(sweep));
        done.unwrap().expect("it was not stopped")
    }
}

/// What happens to a run that fails.
pub enum Fails {
    /// It breaks, and may be tried again.
    Breaks,
    /// It records why it cannot be trained.
    OnRecord,
}

/// Gives what it is told to.
pub struct Fake {
    /// The score of an example, of any kind.
    pub score: fn(&RunSpec, u32) -> f32,
    /// Accuracy of a network trained on these examples.
    pub accuracy: fn(&[u32]) -> f64,
    /// Which runs fail.
    pub fails: fn(&RunSpec) -> Option<Fails>,
    /// What was trained.
    pub trained: Mutex<Vec<RunSpec>>,
    /// How many measurements were made.
    pub measured: Mutex<usize>,
}

impl Default for Fake {
    fn default() -> Self {
        Self {
            // The id is the difficulty.
            score: |_, id| id as f32 / EXAMPLES as f32,
            accuracy: |ids| ids.len() as f64 / f64::from(EXAMPLES),
            fails: |_| None,
            trained: Mutex::default(),
            measured: Mutex::default(),
        }
    }
}

impl Trainer for Fake {
    fn train(
        &self,
        folder: &RunFolder,
        _slot: usize,
        stop: &AtomicBool,
        progress: &dyn Progress,
    ) -> Result<(), TrainerError> {
        let (_, spec) = RunFolder::open(folder.path()).unwrap();
        self.trained.lock().unwrap().push(spec.clone());
        if stop.load(Ordering::Relaxed) {
            return Err("stopped".into());
        }
        progress.note("a step of a fake");
        if let Some(fails) = (self.fails)(&spec) {
            if matches!(fails, Fails::OnRecord) {
                let (step, learning_rate) = (Some(3), Some(9.0));
                folder.fail(&RunFailure { reason: "NaN".into(), step, learning_rate }).unwrap();
            }
            return Err("it broke".into());
        }
        if let Some(spawn) = &spec.spawn {
            let (_, parent) = RunFolder::open(&folder.sibling(&spawn.parent)).unwrap();
            assert!(parent.trains_like(&spec) && parent.record.weights.contains(&spawn.step));
        }
        let ids = match &spec.subset {
            Subset::Full => (0..spec.data.limit.unwrap_or(EXAMPLES)).collect(),
            Subset::Listed(list) => folder.read_list(list).unwrap(),
        };
        if let Some(held_out) = &spec.validation {
            let held_out = folder.read_list(held_out).unwrap();
            assert!(held_out.iter().all(|id| !ids.contains(id)), "trained on held-out examples");
        }
        for &step in &spec.record.steps {
            folder.write_scores(step, &self.scores(&spec, step, ids.len() as u32)).unwrap();
        }
        let accuracy = (self.accuracy)(&ids);
        let validation = spec.validation.as_ref().map(|_| accuracy);
        folder.complete(&result(spec.stop_after, accuracy, validation)).unwrap();
        Ok(())
    }

    /// Distances are the difficulty of the examples; lines are as high as the examples are hard and
    /// children leave early.
    fn measure(
        &self,
        folder: &MeasurementFolder,
        _slot: usize,
        _stop: &AtomicBool,
    ) -> Result<(), TrainerError> {
        *self.measured.lock().unwrap() += 1;
        let (_, measurement) = MeasurementFolder::open(folder.path()).unwrap();
        let hardness = |list| {
            let ids = folder.read_list(list).unwrap();
            ids.iter().map(|&id| f64::from(id)).sum::<f64>() / ids.len() as f64 / 1000.0
        };
        let measured = match &measurement {
            Measurement::KernelDistance(wanted) => {
                let (_, spec) = RunFolder::open(&folder.run(&wanted.run)).unwrap();
                assert!(spec.record.weights.contains(&wanted.from));
                assert!(spec.record.weights.contains(&wanted.to));
                Measured::KernelDistance { distance: hardness(&wanted.examples), seconds: 1.0 }
            }
            Measurement::Line(wanted) => {
                let (_, child) = RunFolder::open(&folder.run(&wanted.to)).unwrap();
                let spawn = child.spawn.expect("a child");
                let height = 1.0 - spawn.step as f64 / child.schedule.steps as f64;
                let error = |hardness: f64| {
                    let alphas = wanted.alphas.iter();
                    alphas.map(|a| a * (1.0 - a) * hardness * height).collect()
                };
                let loss = vec![0.5; wanted.alphas.len()];
                let sets = wanted.sets.iter();
                let risks =
                    sets.map(|set| Risks { error: error(hardness(set)), loss: loss.clone() });
                Measured::Line { risks: risks.collect(), seconds: 1.0 }
            }
        };
        folder.complete(&measured).unwrap();
        Ok(())
    }
}

impl Fake {
    fn scores(&self, spec: &RunSpec, step: u64, examples: u32) -> Table {
        let mut table = Table::default();
        let taken = |kind: &&ScoreKind| match kind.source() {
            Source::EvalLogits => true,
            Source::TrainingMinibatches => step > 0,
            Source::Gradients | Source::Inputs => spec.record.gradient_steps.contains(&step),
            Source::Losses | Source::Outputs => false,
        };
        for kind in spec.record.scores.iter().filter(taken) {
            let values = (0..examples).map(|id| (self.score)(spec, id)).collect();
            table.push(kind.name(), Column::F32(values)).unwrap();
        }
        table
    }
}

fn result(steps: u64, accuracy: f64, validation_accuracy: Option<f64>) -> RunResult {
    RunResult {
        steps,
        images_trained: 1,
        images_scored: 1,
        train_seconds: 1.0,
        score_seconds: 1.0,
        images_differentiated: 0,
        gradient_seconds: 0.0,
        final_train_loss: Some(1.0),
        test_accuracy: vec![TimedAccuracy { step: steps, accuracy }],
        validation_accuracy,
        test_by_class: Vec::new(),
        peak_memory_mib: 1.0,
    }
}
