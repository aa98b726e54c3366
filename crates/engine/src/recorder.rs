//! Scores taken at given steps, and training dynamics fed by the minibatches.

use datadiet_core::{ScoreKind, Source, TrainingDynamics};
use datadiet_store::{Column, RunFolder, RunSpec, Table, TimedAccuracy};

use crate::EngineError;
use crate::evaluation::{accuracy, score, to_vec};
use crate::images::Images;
use crate::trainer::{Minibatch, Trainer};

/// A split with its labels.
pub struct Labelled<'a> {
    /// The images.
    pub images: &'a Images<'a>,
    /// Their labels.
    pub labels: &'a [u32],
}

/// Takes and stores the scores of a run.
pub struct Recorder<'a> {
    /// What the minibatches have shown so far.
    pub dynamics: TrainingDynamics,
    /// Test accuracies so far.
    pub test_accuracy: Vec<TimedAccuracy>,
    /// The step up to which everything is recorded.
    pub recorded: Option<u64>,
    /// Examples passed through the network to score or evaluate them.
    pub images_scored: u64,
    spec: &'a RunSpec,
    folder: &'a RunFolder,
    train: Labelled<'a>,
    test: Option<Labelled<'a>>,
}

impl<'a> Recorder<'a> {
    /// Nothing recorded yet.
    pub fn new(
        spec: &'a RunSpec,
        folder: &'a RunFolder,
        classes: usize,
        train: Labelled<'a>,
        test: Option<Labelled<'a>>,
    ) -> Self {
        let dynamics = TrainingDynamics::new(train.labels.len(), classes);
        let test_accuracy = Vec::new();
        Self {
            dynamics,
            test_accuracy,
            recorded: None,
            images_scored: 0,
            spec,
            folder,
            train,
            test,
        }
    }

    /// Feeds the trackers.
    pub fn observe(&mut self, batch: &Minibatch) -> Result<(), EngineError> {
        if self.wants(Source::TrainingMinibatches) {
            self.dynamics.observe(&batch.ids, &to_vec(&batch.logits), &batch.labels)?;
        }
        Ok(())
    }

    /// Whether something is to be recorded at this step and is not yet.
    pub fn is_due(&self, step: u64) -> bool {
        let listed = self.spec.record.steps.contains(&step) || step == self.spec.stop_after;
        listed && self.recorded.is_none_or(|recorded| recorded < step)
    }

    /// Scores every training example; at the end of training also evaluates on the test split.
    pub fn record(&mut self, trainer: &Trainer<'_>) -> Result<(), EngineError> {
        if self.spec.record.steps.contains(&trainer.step) {
            let table = self.scores(trainer)?;
            self.folder.write_scores(trainer.step, &table)?;
        }
        if trainer.step == self.spec.stop_after {
            let judged = self.test.as_ref().unwrap_or(&self.train);
            let accuracy = accuracy(trainer, judged.images, judged.labels)?;
            self.images_scored += judged.labels.len() as u64;
            self.test_accuracy.push(TimedAccuracy { step: trainer.step, accuracy });
        }
        self.recorded = Some(trainer.step);
        Ok(())
    }

    fn scores(&mut self, trainer: &Trainer<'_>) -> Result<Table, EngineError> {
        let mut table = Table::default();
        let evaluated = if self.wants(Source::EvalLogits) {
            self.images_scored += self.train.labels.len() as u64;
            Some(score(trainer, self.train.images, self.train.labels)?)
        } else {
            None
        };
        for &kind in &self.spec.record.scores {
            let column = match kind.source() {
                Source::EvalLogits => {
                    evaluated.as_ref().and_then(|scores| scores.column(kind)).map(<[f32]>::to_vec)
                }
                // Nothing has been seen at initialisation.
                Source::TrainingMinibatches if trainer.step == 0 => continue,
                Source::TrainingMinibatches => self.dynamics.column(kind),
                Source::Gradients | Source::Inputs => None,
            };
            let column = column.ok_or_else(|| unsupported(kind))?;
            table.push(kind.name(), Column::F32(column))?;
        }
        Ok(table)
    }

    /// Number of training examples.
    pub fn train_examples(&self) -> usize {
        self.train.labels.len()
    }

    fn wants(&self, source: Source) -> bool {
        self.spec.record.scores.iter().any(|kind| kind.source() == source)
    }
}

fn unsupported(kind: ScoreKind) -> EngineError {
    EngineError::Unsuitable(format!("the engine does not compute {kind} yet"))
}
