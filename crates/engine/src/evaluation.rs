//! Passes over a whole split in evaluation mode, un-augmented.

use std::sync::atomic::{AtomicBool, Ordering};

use datadiet_core::{ExampleId, LogitScores, Matrix, ScoreKind};
use datadiet_store::Views;
use tch::{Device, Kind, Tensor};

use crate::EngineError;
use crate::augment::sources;
use crate::grand::{Batching, ExampleNorms, bytes_of_an_example, example_norms, last_layer_norms};
use crate::images::Images;
use crate::layers::to_nhwc;
use crate::network::{Mode, Network, Weights};
use crate::trainer::Trainer;

/// Images in a batch: on the processor so few that activations stay in its cache; on a GPU so many that its
/// cores are busy.
fn batch(images: &Images<'_>) -> usize {
    /// Of pictures of 32×32 a thousand.
    const PIXELS: usize = 1 << 20;
    let (height, width) = images.sides();
    if images.device() == Device::Cpu { 64 } else { (PIXELS / (height * width)).clamp(16, 1024) }
}

/// What is passed over, and how.
#[derive(Clone, Copy)]
pub struct Pass<'a> {
    /// The images.
    pub images: &'a Images<'a>,
    /// Labels of the images, of all or of the first so many: the others are left out.
    pub labels: &'a [u32],
    /// Set from outside to stop in the middle.
    pub stop: &'a AtomicBool,
}

impl Pass<'_> {
    /// Visits batches of `size` images with their labels.
    fn visit(
        &self,
        size: usize,
        mut visit: impl FnMut(&Tensor, &[u32]) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        for (index, labels) in self.labels.chunks(size).enumerate() {
            if self.stop.load(Ordering::Relaxed) {
                return Err(EngineError::Stopped);
            }
            visit(&self.images.range(index * size, labels.len()), labels)?;
        }
        Ok(())
    }
}

/// Logits of images, N × classes: means over what `views` shows of each.
fn viewed_logits(
    network: &Network,
    weights: &Weights<'_>,
    images: &Tensor,
    views: Views,
) -> Tensor {
    let logits = |images: &Tensor| network.forward(weights, images, Mode::Eval);
    let both = |images: &Tensor| {
        let mirrored = to_nhwc(&images.flip([3]));
        (logits(images) + logits(&mirrored)) / 2.0
    };
    match views {
        Views::Plain => logits(images),
        Views::Mirrored => both(images),
        Views::MirroredShifted => {
            let shifted = both(&shifted(images, -1)) + both(&shifted(images, 1));
            both(images) / 2.0 + shifted / 4.0
        }
    }
}

/// Images of which row and column `i` is row and column `i + offset` of what was given, reflected at the
/// border.
fn shifted(images: &Tensor, offset: i64) -> Tensor {
    let along = |axis: i64| {
        let from: Vec<i64> = sources(images.size()[axis as usize] as usize, offset).collect();
        Tensor::from_slice(&from).to_device(images.device())
    };
    to_nhwc(&images.index_select(2, &along(2)).index_select(3, &along(3)))
}

/// Scores of the logits, means over `views`.
///
/// # Errors
/// When it is stopped, or the logits cannot be scored.
pub(crate) fn logit_scores(
    trainer: &Trainer<'_>,
    pass: Pass<'_>,
    views: Views,
) -> Result<LogitScores, EngineError> {
    let working = trainer.working_copy();
    let weights = trainer.weights(&working);
    let mut scores = LogitScores::default();
    pass.visit(batch(pass.images), |images, labels| {
        let logits = viewed_logits(&trainer.network, &weights, images, views);
        let classes = logits.size()[1] as usize;
        scores.append(LogitScores::of(Matrix::logits(&to_vec::<f32>(&logits), classes), labels)?);
        Ok(())
    })?;
    Ok(scores)
}

/// Scores of the logits of the images `ids` alone.
///
/// # Errors
/// As [`logit_scores`].
pub(crate) fn logit_scores_of(
    network: &Network,
    weights: &Weights<'_>,
    pass: Pass<'_>,
    ids: &[ExampleId],
    views: Views,
) -> Result<LogitScores, EngineError> {
    let mut scores = LogitScores::default();
    for ids in ids.chunks(batch(pass.images)) {
        if pass.stop.load(Ordering::Relaxed) {
            return Err(EngineError::Stopped);
        }
        let labels: Vec<u32> = ids.iter().map(|id| pass.labels[id.index()]).collect();
        let images = pass.images.select(&indices(ids));
        let logits = viewed_logits(network, weights, &images, views);
        let classes = logits.size()[1] as usize;
        scores.append(LogitScores::of(Matrix::logits(&to_vec::<f32>(&logits), classes), &labels)?);
    }
    Ok(scores)
}

/// Fraction of the images `ids` whose largest logit, over the views of the run, is that of their label.
///
/// # Errors
/// As [`logit_scores`].
pub(crate) fn accuracy_of(
    trainer: &Trainer<'_>,
    pass: Pass<'_>,
    ids: &[ExampleId],
) -> Result<f64, EngineError> {
    let working = trainer.working_copy();
    let weights = trainer.weights(&working);
    Ok(mean(
        &logit_scores_of(&trainer.network, &weights, pass, ids, trainer.views())?
            [ScoreKind::Correct],
    ))
}

/// Ids as libtorch indexes with them.
pub fn indices(ids: &[ExampleId]) -> Vec<i64> {
    ids.iter().map(|id| i64::from(id.0)).collect()
}

/// The mean of a column, summed in 64-bit floats.
pub(crate) fn mean(column: &[f32]) -> f64 {
    column.iter().map(|&value| f64::from(value)).sum::<f64>() / column.len() as f64
}

/// Fraction of the images whose largest logit, over the views of the run, is that of their label.
///
/// # Errors
/// As [`logit_scores`].
pub(crate) fn accuracy(trainer: &Trainer<'_>, pass: Pass<'_>) -> Result<f64, EngineError> {
    Ok(mean(&logit_scores(trainer, pass, trainer.views())?[ScoreKind::Correct]))
}

/// Gradient norms, with at most about `memory` bytes for the passes.
///
/// # Errors
/// When it is stopped, when one example does not fit the memory, or when the network has a layer
/// without an exact rule.
pub fn gradient_norms(
    trainer: &Trainer<'_>,
    pass: Pass<'_>,
    memory: usize,
) -> Result<ExampleNorms, EngineError> {
    let working = trainer.working_copy();
    let weights = trainer.weights(&working);
    let example = bytes_of_an_example(&trainer.network, &weights, &pass.images.range(0, 1));
    let batching = Batching::within(memory, example, pass.images.device())?;
    let mut norms = ExampleNorms::default();
    pass.visit(batching.examples, |images, labels| {
        norms.append(example_norms(&trainer.network, &weights, images, labels, batching)?);
        Ok(())
    })?;
    Ok(norms)
}

/// Gradient norms over the last layer alone.
///
/// # Errors
/// When it is stopped.
pub fn last_layer_gradient_norms(
    trainer: &Trainer<'_>,
    pass: Pass<'_>,
) -> Result<Vec<f64>, EngineError> {
    let working = trainer.working_copy();
    let weights = trainer.weights(&working);
    let mut norms = Vec::new();
    pass.visit(batch(pass.images), |images, labels| {
        norms.extend(last_layer_norms(&trainer.network, &weights, images, labels));
        Ok(())
    })?;
    Ok(norms)
}

/// Norms of the normalised images.
///
/// # Errors
/// When it is stopped.
pub(crate) fn input_norms(pass: Pass<'_>) -> Result<Vec<f32>, EngineError> {
    let mut norms = Vec::new();
    pass.visit(batch(pass.images), |images, _| {
        let squares = images.to_kind(Kind::Float).square();
        let sums = squares.sum_dim_intlist([1i64, 2, 3].as_slice(), false, Kind::Float);
        norms.extend(to_vec::<f32>(&sums.sqrt()));
        Ok(())
    })?;
    Ok(norms)
}

/// A tensor's values, row by row.
pub fn to_vec<T: tch::kind::Element + Copy>(tensor: &Tensor) -> Vec<T> {
    let tensor = tensor.to_kind(T::KIND).contiguous().view(-1);
    Vec::try_from(tensor).expect("a vector of numbers of this type")
}
