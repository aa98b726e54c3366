//! Passes over a whole split in evaluation mode, un-augmented.

use datadiet_core::{LogitScores, ScoreError};
use tch::{Kind, Tensor};

use crate::images::Images;
use crate::trainer::Trainer;

/// Images in a batch: small enough that activations stay in the processor's cache.
const BATCH: usize = 64;

/// Scores of the first `labels.len()` images, from one pass.
pub fn score(
    trainer: &Trainer<'_>,
    images: &Images<'_>,
    labels: &[u32],
) -> Result<LogitScores, ScoreError> {
    let mut scores = LogitScores::default();
    for_each_batch(trainer, images, labels.len(), |start, logits| {
        let classes = logits.size()[1] as usize;
        let batch = &labels[start..start + logits.size()[0] as usize];
        scores.append(LogitScores::from_logits(&to_vec(logits), classes, batch)?);
        Ok(())
    })?;
    Ok(scores)
}

/// Fraction of the images whose largest logit is that of their label.
pub fn accuracy(
    trainer: &Trainer<'_>,
    images: &Images<'_>,
    labels: &[u32],
) -> Result<f64, ScoreError> {
    let correct: f32 = score(trainer, images, labels)?.correct.iter().sum();
    Ok(f64::from(correct) / labels.len() as f64)
}

fn for_each_batch(
    trainer: &Trainer<'_>,
    images: &Images<'_>,
    count: usize,
    mut visit: impl FnMut(usize, &Tensor) -> Result<(), ScoreError>,
) -> Result<(), ScoreError> {
    let working = trainer.parameters.working_copy(trainer.kind());
    for start in (0..count).step_by(BATCH) {
        let batch = images.range(start, BATCH.min(count - start));
        visit(start, &trainer.evaluate(&working, &batch))?;
    }
    Ok(())
}

/// A tensor's values on the processor, row by row.
pub fn to_vec(tensor: &Tensor) -> Vec<f32> {
    let tensor = tensor.to_kind(Kind::Float).contiguous().view(-1);
    Vec::<f32>::try_from(tensor).expect("a vector of floats")
}
