//! Scores taken at given steps, and training dynamics fed by the minibatches.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use datadiet_core::{ExampleId, Kept, LogitScores, Matrix, ScoreKind, Source, TrainingDynamics};
use datadiet_store::{RunFolder, RunSpec, TimedAccuracy, Views};
use datadiet_table::{Column, Table};

use crate::EngineError;
use crate::evaluation::{
    Pass, accuracy, accuracy_of, gradient_norms, input_norms, last_layer_gradient_norms,
    logit_scores, to_vec,
};
use crate::grand::ExampleNorms;
use crate::images::Images;
use crate::trainer::{Minibatch, Trainer};

/// A split with its labels.
pub(crate) struct Labelled<'a> {
    /// The images.
    pub(crate) images: &'a Images<'a>,
    /// Their labels.
    pub(crate) labels: &'a [u32],
}

/// How scores are taken. The memory decides how many examples are passed at a time, and so, at
/// most, the last bits of gradient norms.
#[derive(Clone, Copy)]
pub(crate) struct Means<'a> {
    /// Bytes that gradient norms may use.
    pub(crate) memory: usize,
    /// Set from outside to stop in the middle.
    pub(crate) stop: &'a AtomicBool,
}

/// Takes and stores the scores of a run.
pub(crate) struct Recorder<'a> {
    /// What the minibatches have shown so far.
    pub(crate) dynamics: TrainingDynamics,
    /// Test accuracies so far.
    pub(crate) test_accuracy: Vec<TimedAccuracy>,
    /// Accuracy on the held-out training examples, once training has ended.
    pub(crate) validation_accuracy: Option<f64>,
    /// The step up to which everything is recorded.
    pub(crate) recorded: Option<u64>,
    /// Examples passed through the network to score or evaluate them.
    pub(crate) images_scored: u64,
    /// Examples whose gradient norm was taken.
    pub(crate) images_differentiated: u64,
    /// Seconds that this took.
    pub(crate) gradient_seconds: f64,
    spec: &'a RunSpec,
    folder: &'a RunFolder,
    means: Means<'a>,
    train: Labelled<'a>,
    test: Option<Labelled<'a>>,
    validation: &'a [ExampleId],
}

impl<'a> Recorder<'a> {
    /// Nothing recorded yet.
    pub(crate) fn new(
        spec: &'a RunSpec,
        folder: &'a RunFolder,
        means: Means<'a>,
        train: Labelled<'a>,
        test: Option<Labelled<'a>>,
        validation: &'a [ExampleId],
    ) -> Self {
        Self {
            dynamics: TrainingDynamics::keeping(train.labels.len(), Kept::of(&spec.record.scores)),
            test_accuracy: Vec::new(),
            validation_accuracy: None,
            recorded: None,
            images_scored: 0,
            images_differentiated: 0,
            gradient_seconds: 0.0,
            spec,
            folder,
            means,
            train,
            test,
            validation,
        }
    }

    /// Feeds the trackers.
    pub(crate) fn observe(&mut self, batch: &Minibatch) -> Result<(), EngineError> {
        if self.wants(Source::TrainingMinibatches) {
            let classes = batch.logits.size()[1] as usize;
            let logits = to_vec::<f32>(&batch.logits);
            self.dynamics.observe(&batch.ids, Matrix::logits(&logits, classes), &batch.labels)?;
        }
        Ok(())
    }

    /// Whether something is to be recorded at this step and is not yet.
    pub(crate) fn is_due(&self, step: u64) -> bool {
        let listed = self.spec.record.steps.contains(&step) || step == self.spec.stop_after;
        listed && self.recorded.is_none_or(|recorded| recorded < step)
    }

    /// Scores every training example; at the end of training also evaluates on the test split.
    /// Gives what a person should know about the scores.
    pub(crate) fn record(&mut self, trainer: &Trainer<'_>) -> Result<Vec<String>, EngineError> {
        let mut warnings = Vec::new();
        if self.spec.record.steps.contains(&trainer.step) {
            let table = self.scores(trainer, &mut warnings)?;
            self.folder.write_scores(trainer.step, &table)?;
        }
        if trainer.step == self.spec.stop_after {
            self.judge(trainer)?;
        }
        self.recorded = Some(trainer.step);
        Ok(warnings)
    }

    /// Spread at the end of training.
    fn judge(&mut self, trainer: &Trainer<'_>) -> Result<(), EngineError> {
        let judged = self.test.as_ref().unwrap_or(&self.train);
        let accuracy = accuracy(trainer, self.pass(judged))?;
        let held_out = match self.validation {
            [] => None,
            ids => Some(accuracy_of(trainer, self.pass(&self.train), ids)?),
        };
        self.images_scored += (judged.labels.len() + self.validation.len()) as u64;
        self.test_accuracy.push(TimedAccuracy { step: trainer.step, accuracy });
        self.validation_accuracy = held_out;
        Ok(())
    }

    fn scores(
        &mut self,
        trainer: &Trainer<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<Table, EngineError> {
        let step = trainer.step;
        let evaluated = self.evaluated(trainer)?;
        let with_gradients = self.spec.record.gradient_steps.contains(&step);
        let norms = if with_gradients { self.norms(trainer)? } else { ExampleNorms::default() };
        let mut table = Table::default();
        for &kind in &self.spec.record.scores {
            let column = match (kind, kind.source()) {
                (_, Source::EvalLogits) => {
                    evaluated.as_ref().and_then(|scores| scores.column(kind)).map(<[f32]>::to_vec)
                }
                // Nothing has been seen at initialisation.
                (_, Source::TrainingMinibatches) if step == 0 => continue,
                (_, Source::TrainingMinibatches) => self.dynamics.column(kind),
                (_, Source::Gradients | Source::Inputs) if !with_gradients => continue,
                (ScoreKind::Grand, _) => Some(finite(&norms.all, kind, step, warnings)),
                (ScoreKind::GrandLastLayer, _) => {
                    Some(finite(&norms.last_layer, kind, step, warnings))
                }
                (_, Source::Inputs) => Some(input_norms(self.pass(&self.train))?),
                (_, Source::Gradients | Source::Losses | Source::Outputs) => None,
            };
            let column = column.ok_or_else(|| unsupported(kind))?;
            table.push(kind.name(), Column::F32(column))?;
        }
        if let Some(scores) = evaluated {
            table.push("predicted", Column::U32(scores.predicted))?;
        }
        Ok(table)
    }

    fn evaluated(&mut self, trainer: &Trainer<'_>) -> Result<Option<LogitScores>, EngineError> {
        if !self.wants(Source::EvalLogits) {
            return Ok(None);
        }
        let scores = logit_scores(trainer, self.pass(&self.train), Views::Plain)?;
        self.images_scored += self.train.labels.len() as u64;
        Ok(Some(scores))
    }

    /// Gradient norms, with a backward pass only where one is needed.
    fn norms(&mut self, trainer: &Trainer<'_>) -> Result<ExampleNorms, EngineError> {
        let start = Instant::now();
        let wanted = |kind| self.spec.record.scores.contains(&kind);
        let pass = self.pass(&self.train);
        let norms = if wanted(ScoreKind::Grand) {
            gradient_norms(trainer, pass, self.means.memory)?
        } else if wanted(ScoreKind::GrandLastLayer) {
            let last_layer = last_layer_gradient_norms(trainer, pass)?;
            ExampleNorms { last_layer, ..ExampleNorms::default() }
        } else {
            return Ok(ExampleNorms::default());
        };
        self.images_differentiated += self.train.labels.len() as u64;
        self.gradient_seconds += start.elapsed().as_secs_f64();
        Ok(norms)
    }

    fn pass<'p>(&'p self, split: &'p Labelled<'_>) -> Pass<'p> {
        Pass { images: split.images, labels: split.labels, stop: self.means.stop }
    }

    /// Number of training examples, in the subset or not.
    pub(crate) fn train_examples(&self) -> usize {
        self.train.labels.len()
    }

    fn wants(&self, source: Source) -> bool {
        self.spec.record.scores.iter().any(|kind| kind.source() == source)
    }
}

/// The norms, those that are not finite as missing values, with a warning that names them.
fn finite(norms: &[f64], kind: ScoreKind, step: u64, warnings: &mut Vec<String>) -> Vec<f32> {
    let ids: Vec<usize> = (0..norms.len()).filter(|&id| !norms[id].is_finite()).collect();
    if !ids.is_empty() {
        let named: Vec<String> = ids.iter().take(10).map(usize::to_string).collect();
        let more = if ids.len() > named.len() { ", …" } else { "" };
        warnings.push(format!(
            "{kind} after step {step} is not finite for {} examples, whose scores are left out: {}{more}",
            ids.len(),
            named.join(", "),
        ));
    }
    norms.iter().map(|&norm| if norm.is_finite() { norm as f32 } else { f32::NAN }).collect()
}

fn unsupported(kind: ScoreKind) -> EngineError {
    EngineError::Unsuitable(format!("the engine does not compute {kind}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_that_are_not_finite_are_named_and_left_out() {
        let mut warnings = Vec::new();
        let kept = finite(&[1.0, f64::INFINITY, f64::NAN, 2.0], ScoreKind::Grand, 7, &mut warnings);
        assert_eq!((kept[0], kept[3]), (1.0, 2.0));
        assert!(kept[1].is_nan() && kept[2].is_nan());
        assert!(warnings[0].ends_with("left out: 1, 2"), "{}", warnings[0]);
        assert!(warnings[0].contains("2 examples"));
    }
}
