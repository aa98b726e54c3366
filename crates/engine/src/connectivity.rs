//! Networks on the straight line between two others: what they get wrong.
//!
//! Batch-norm statistics of the ends do not suit the points between, whose activations have other
//! variances: they are taken again at every point, the ends too, as means over batches of training
//! images (Izmailov et al. 2018). Un-augmented images, evaluation mode.

use datadiet_core::{ExampleId, ScoreKind};
use datadiet_store::{Risks, Views};
use tch::Tensor;

use crate::EngineError;
use crate::evaluation::{Pass, indices, logit_scores_of, mean};
use crate::network::{Mode, Network, Weights};
use crate::parameters::Parameters;

/// Images in a batch whose statistics are averaged.
const BATCH: usize = 128;

/// A line between two networks, and the data to judge points on it by.
pub struct Path<'a> {
    /// Structure of both.
    pub network: &'a Network,
    /// The end at α = 0.
    pub from: &'a Parameters,
    /// The end at α = 1.
    pub to: &'a Parameters,
    /// Images and labels of the training split.
    pub pass: Pass<'a>,
    /// Training examples, in random order, from which batch-norm statistics are taken.
    pub statistics: &'a [ExampleId],
}

impl Path<'_> {
    /// Error and loss on each of `sets` at each of `alphas`.
    ///
    /// # Errors
    /// When it is stopped, or the logits are not finite.
    pub fn risks(
        &self,
        alphas: &[f64],
        sets: &[Vec<ExampleId>],
    ) -> Result<Vec<Risks>, EngineError> {
        let mut risks = vec![Risks { error: Vec::new(), loss: Vec::new() }; sets.len()];
        for &alpha in alphas {
            let point = self.point(alpha);
            let working = point.working_copy(self.pass.images.kind());
            let weights = Weights { parameters: &point, working: &working };
            for (set, risks) in sets.iter().zip(&mut risks) {
                let scores = logit_scores_of(self.network, &weights, self.pass, set, Views::Plain)?;
                risks.error.push(1.0 - mean(&scores[ScoreKind::Correct]));
                risks.loss.push(mean(&scores[ScoreKind::Loss]));
            }
        }
        Ok(risks)
    }

    /// The network at `alpha`, with batch-norm statistics of its own.
    pub fn point(&self, alpha: f64) -> Parameters {
        let point = self.from.toward(self.to, alpha);
        renew_statistics(self.network, &point, self.pass, self.statistics);
        point
    }
}

/// Replaces the running statistics by means over batches of the examples `ids`.
fn renew_statistics(network: &Network, parameters: &Parameters, pass: Pass<'_>, ids: &[ExampleId]) {
    if parameters.buffers().is_empty() {
        return;
    }
    let working = parameters.working_copy(pass.images.kind());
    let weights = Weights { parameters, working: &working };
    // Incomplete batches are dropped, as in training.
    let batches: Vec<&[ExampleId]> = ids.chunks_exact(BATCH.min(ids.len())).collect();
    let mut sums: Vec<Tensor> = parameters.statistics().map(|(of, _)| of.zeros_like()).collect();
    for ids in &batches {
        // From nothing, a step of the running statistics is a known part of the batch's own.
        parameters.statistics().for_each(|(of, _)| drop(of.shallow_clone().zero_()));
        drop(network.forward(&weights, &pass.images.select(&indices(ids)), Mode::Train));
        for (sum, (statistic, _)) in sums.iter_mut().zip(parameters.statistics()) {
            *sum += statistic;
        }
    }
    for ((statistic, momentum), sum) in parameters.statistics().zip(&sums) {
        statistic.shallow_clone().copy_(&(sum / (momentum * batches.len() as f64)));
    }
}
