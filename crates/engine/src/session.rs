//! One run from its specification to its result: train, record, checkpoint, resume.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use datadiet_core::progress::Event;
use datadiet_core::{Progress, Stream, rng};
use datadiet_data::{DataHome, Dataset, Split};
use datadiet_store::{RunFailure, RunFolder, RunResult, RunSpec};
use rand_chacha::rand_core::Rng;
use tch::{Device, Kind};

use crate::EngineError;
use crate::checkpoint::{self, Counters};
use crate::device::device_for;
use crate::images::{Images, Normalisation};
use crate::material::Material;
use crate::memory::peak_memory_mib;
use crate::networks::{self, Task};
use crate::precision::kind_of;
use crate::recorder::{Labelled, Means, Recorder};
use crate::snapshot;
use crate::trainer::{Minibatch, Trainer};

/// How a session ended without an error.
#[derive(Debug)]
pub enum Ending {
    /// The run is complete.
    Complete(RunResult),
    /// It was asked to stop, saved its state, and can go on later.
    Stopped {
        /// Steps done.
        step: u64,
    },
}

/// What a run needs from its surroundings. None of it changes the result, but for the last bits of
/// gradient norms, which depend on how many examples fit the memory.
pub struct Surroundings<'a> {
    /// Where data sets are.
    pub data: &'a DataHome,
    /// Which GPU, for a run that wants one.
    pub gpu: usize,
    /// Bytes that gradient norms may use.
    pub memory: usize,
    /// Least time between two checkpoints.
    pub checkpoint_every: Duration,
    /// Set from outside to stop the run at the next step.
    pub stop: &'a AtomicBool,
}

/// Trains a run, from its last checkpoint where there is one, and stores its result. The caller
/// holds the run's lease, and `folder` is fenced by it.
///
/// A diverged run is recorded as failed before the error is returned.
pub fn run(
    folder: &RunFolder,
    spec: &RunSpec,
    surroundings: &Surroundings<'_>,
    progress: &dyn Progress,
) -> Result<Ending, EngineError> {
    check_semantics(spec)?;
    if let Some(trainer) = &spec.trainer {
        return Err(EngineError::Unsuitable(format!(
            "this run is trained by {}, a program of its own, and not by datadiet-worker",
            trainer.name
        )));
    }
    let dataset = open_data(surroundings.data, spec)?;
    let ending = train(folder, spec, &dataset, surroundings, progress);
    if let Err(EngineError::Diverged { step, learning_rate, .. }) = &ending {
        let reason = ending.as_ref().expect_err("matched above").to_string();
        let (step, learning_rate) = (Some(*step), Some(*learning_rate));
        folder.fail(&RunFailure { reason, step, learning_rate })?;
    }
    ending
}

/// What this version computes is what the specification means.
fn check_semantics(spec: &RunSpec) -> Result<(), EngineError> {
    if spec.semantics == RunSpec::SEMANTICS {
        return Ok(());
    }
    Err(EngineError::Unsuitable(format!(
        "this run was planned by a version whose specifications have the meaning {}, and this one \
         computes {}; finish it with that version, or ask for the same training again",
        spec.semantics,
        RunSpec::SEMANTICS
    )))
}

/// Opens the data set of a run.
///
/// # Errors
/// When there is none of that name, or it has changed since.
pub(crate) fn open_data(home: &DataHome, spec: &RunSpec) -> Result<Dataset, EngineError> {
    let dataset = Dataset::open(home, &spec.data.name)?;
    if dataset.fingerprint() == spec.data.fingerprint {
        return Ok(dataset);
    }
    Err(EngineError::Unsuitable(format!(
        "the data set {} has changed since this run was planned (its fingerprint is {}, the run \
         wants {}); import the data of then, or start a new run",
        spec.data.name,
        dataset.fingerprint(),
        spec.data.fingerprint,
    )))
}

fn train(
    folder: &RunFolder,
    spec: &RunSpec,
    dataset: &Dataset,
    surroundings: &Surroundings<'_>,
    progress: &dyn Progress,
) -> Result<Ending, EngineError> {
    let device = device_for(spec, surroundings.gpu)?;
    let task = task_of(dataset);
    let seed = rng(spec.seed, spec.replica, Stream::Initialisation, 0).next_u64() as i64;
    let (network, parameters) = networks::build(&spec.network, task, seed)?;
    let kind = kind_of(spec.precision);
    let (images, original) = load_train(dataset, spec, kind, device);
    let test = dataset.test().map(|split| load_split(dataset, split, usize::MAX, kind, device));
    let material = Material::read(folder, spec, original, task.classes as u32)?;
    let labels = &*material.labels;
    let mut session = Session {
        folder,
        spec,
        trainer: Trainer::new(network, parameters, spec, &images, labels, &material.examples),
        recorder: Recorder::new(
            spec,
            folder,
            Means { memory: surroundings.memory, stop: surroundings.stop },
            Labelled { images: &images, labels },
            test.as_ref().map(|(images, labels)| Labelled { images, labels }),
            &material.validation,
        ),
        counters: Counters::default(),
        saved: Instant::now(),
        pause: surroundings.checkpoint_every,
        due_after: surroundings.checkpoint_every,
    };
    session.resume()?;
    session.run(surroundings.stop, progress)
}

/// Shape of a data set's images and number of classes.
pub(crate) fn task_of(dataset: &Dataset) -> Task {
    Task {
        channels: dataset.channels() as i64,
        height: dataset.height() as i64,
        width: dataset.width() as i64,
        classes: dataset.classes().len() as i64,
    }
}

/// The training examples of a run's data set, with the labels that it has.
pub(crate) fn load_train<'a>(
    dataset: &'a Dataset,
    spec: &RunSpec,
    kind: Kind,
    device: Device,
) -> (Images<'a>, &'a [u32]) {
    let kept = spec.data.limit.map_or(usize::MAX, |limit| limit as usize);
    load_split(dataset, dataset.train(), kept, kind, device)
}

fn load_split<'a>(
    dataset: &'a Dataset,
    split: Split<'a>,
    kept: usize,
    kind: Kind,
    device: Device,
) -> (Images<'a>, &'a [u32]) {
    let shape = [dataset.height(), dataset.width(), dataset.channels()];
    let kept = kept.min(split.len());
    let pixels = &split.images[..kept * shape.iter().product::<usize>()];
    let normalisation = Normalisation { mean: dataset.mean(), std: dataset.std() };
    let images = Images::new(pixels, shape, &normalisation, kind, device);
    (images, &split.labels[..kept])
}

struct Session<'a> {
    folder: &'a RunFolder,
    spec: &'a RunSpec,
    trainer: Trainer<'a>,
    recorder: Recorder<'a>,
    counters: Counters,
    saved: Instant,
    /// Least time between two checkpoints.
    pause: Duration,
    /// Time after the last one at which the next is due.
    due_after: Duration,
}

impl Session<'_> {
    fn resume(&mut self) -> Result<(), EngineError> {
        let path = self.folder.checkpoint_file();
        let loaded = checkpoint::load(&path, &mut self.trainer, &mut self.recorder)?;
        match (loaded, &self.spec.spawn) {
            (Some(counters), _) => self.counters = counters,
            (None, Some(spawn)) => {
                snapshot::inherit(self.folder, self.spec, spawn, &mut self.trainer)?;
            }
            (None, None) => {}
        }
        Ok(())
    }

    fn run(&mut self, stop: &AtomicBool, progress: &dyn Progress) -> Result<Ending, EngineError> {
        let total = self.spec.stop_after;
        loop {
            let step = self.trainer.step;
            // Before the checkpoint that would go on from here: weights are never missed.
            if self.spec.record.weights.contains(&step) {
                self.folder.pass_fence()?;
                snapshot::save(self.folder, &self.trainer)?;
            }
            if self.recorder.is_due(step) {
                let doing = Some(format!("scoring after step {step}").into());
                progress.tell(&Event::At { task: "".into(), done: step, loss: None, doing });
                let start = Instant::now();
                let recorded = self.recorder.record(&self.trainer);
                self.counters.score_seconds += start.elapsed().as_secs_f64();
                match recorded {
                    Ok(warnings) => warnings.iter().for_each(|text| progress.note(text)),
                    Err(EngineError::Stopped) => {
                        self.save()?;
                        return Ok(Ending::Stopped { step });
                    }
                    Err(error) => return Err(error),
                }
            }
            if step == total {
                return self.complete();
            }
            // After a long pass over the data, at once: it should not be done twice.
            if self.saved.elapsed() > self.due_after {
                self.save()?;
            }
            if stop.load(Ordering::Relaxed) {
                self.save()?;
                return Ok(Ending::Stopped { step });
            }
            let start = Instant::now();
            let batch = self.trainer.train_step();
            let loss = self.check(&batch)?;
            self.recorder.observe(&batch)?;
            self.counters.train_seconds += start.elapsed().as_secs_f64();
            let (done, loss) = (self.trainer.step, Some(loss));
            progress.tell(&Event::At { task: "".into(), done, loss, doing: None });
        }
    }

    /// The loss of a minibatch, added to the epoch's mean.
    fn check(&mut self, batch: &Minibatch) -> Result<f64, EngineError> {
        let loss = batch.loss.double_value(&[]);
        let step = self.trainer.step;
        if !loss.is_finite() {
            let learning_rate = batch.learning_rate;
            return Err(EngineError::Diverged { step, learning_rate, loss });
        }
        let counters = &mut self.counters;
        counters.loss_sum += loss;
        counters.loss_count += 1;
        if counters.loss_count >= self.spec.steps_per_epoch(self.trainer.examples().len()) {
            counters.epoch_loss = Some(counters.loss_sum / counters.loss_count as f64);
            (counters.loss_sum, counters.loss_count) = (0.0, 0);
        }
        Ok(loss)
    }

    fn save(&mut self) -> Result<(), EngineError> {
        let start = Instant::now();
        self.counters.peak_memory_mib = self.counters.peak_memory_mib.max(peak_memory_mib());
        let path = self.folder.checkpoint_file();
        self.folder.pass_fence()?;
        checkpoint::save(&path, &self.trainer, &self.recorder, &self.counters)?;
        // Saving takes at most a fiftieth of the time.
        self.due_after = self.pause.max(start.elapsed() * 50);
        self.saved = Instant::now();
        Ok(())
    }

    fn complete(&mut self) -> Result<Ending, EngineError> {
        let counters = &self.counters;
        let partial = counters.loss_sum / counters.loss_count.max(1) as f64;
        let batch = u64::from(self.spec.schedule.batch).min(self.trainer.examples().len() as u64);
        let result = RunResult {
            steps: self.trainer.step,
            images_trained: self.spec.own_steps() * batch,
            images_scored: self.recorder.images_scored,
            train_seconds: counters.train_seconds,
            score_seconds: counters.score_seconds - self.recorder.gradient_seconds,
            images_differentiated: self.recorder.images_differentiated,
            gradient_seconds: self.recorder.gradient_seconds,
            final_train_loss: Some(counters.epoch_loss.unwrap_or(partial)),
            test_accuracy: self.recorder.test_accuracy.clone(),
            validation_accuracy: self.recorder.validation_accuracy,
            test_by_class: Vec::new(),
            peak_memory_mib: counters.peak_memory_mib.max(peak_memory_mib()),
        };
        self.folder.complete(&result)?;
        Ok(Ending::Complete(result))
    }
}
