//! One step down the gradient, as a [`Schedule`] says.

use datadiet_store::{Muon, Schedule};
use tch::Tensor;

use crate::aten::{SgdStep, fused_sgd};
use crate::precision::sum_kind;

/// Moves `values` by the step `step` (0-based) of the schedule, and the momentum of each with it. A value
/// without gradient is frozen. Gives the learning rate.
pub(crate) fn descend(
    schedule: &Schedule,
    step: u64,
    values: &[Tensor],
    gradients: &[Option<Tensor>],
    momentum: &[Tensor],
) -> f64 {
    let learning_rate = schedule.learning_rate.at(step, schedule.steps);
    let settings = SgdStep {
        learning_rate,
        momentum: schedule.momentum,
        weight_decay: schedule.weight_decay,
        nesterov: schedule.nesterov,
    };
    let of_biases = SgdStep {
        learning_rate: learning_rate * schedule.bias_rate,
        weight_decay: schedule.weight_decay / schedule.bias_rate,
        ..settings
    };
    let (mut matrices, mut biases) = (Group::default(), Group::default());
    for ((value, gradient), buffer) in values.iter().zip(gradients).zip(momentum) {
        let Some(gradient) = gradient else { continue };
        match (&schedule.muon, value.dim()) {
            (Some(muon), 4) => {
                let rate = muon.rate * learning_rate / schedule.learning_rate.peak();
                orthogonal_step(value, gradient, buffer, *muon, rate);
            }
            (_, 1) if schedule.bias_rate != 1.0 => biases.push(value, gradient, buffer),
            _ => matrices.push(value, gradient, buffer),
        }
    }
    matrices.descend(settings);
    biases.descend(of_biases);
    learning_rate
}

/// Parameters with the same settings.
#[derive(Default)]
struct Group {
    values: Vec<Tensor>,
    gradients: Vec<Tensor>,
    momentum: Vec<Tensor>,
}

impl Group {
    fn push(&mut self, value: &Tensor, gradient: &Tensor, momentum: &Tensor) {
        self.values.push(value.shallow_clone());
        self.gradients.push(gradient.shallow_clone());
        self.momentum.push(momentum.shallow_clone());
    }

    fn descend(&self, settings: SgdStep) {
        // libtorch's step takes no momentum of 0.
        if settings.momentum == 0.0 {
            for (value, gradient) in self.values.iter().zip(&self.gradients) {
                let step = gradient + value * settings.weight_decay;
                let mut value = value.shallow_clone();
                value -= step * settings.learning_rate;
            }
        } else if !self.values.is_empty() {
            fused_sgd(&self.values, &self.gradients, &self.momentum, settings);
        }
    }
}

/// A step of Muon with this rate ([`Muon`] has the formulas).
fn orthogonal_step(weight: &Tensor, gradient: &Tensor, buffer: &Tensor, muon: Muon, rate: f64) {
    let (mut weight, mut buffer) = (weight.shallow_clone(), buffer.shallow_clone());
    buffer *= muon.momentum;
    buffer += gradient;
    let ahead = gradient + &buffer * muon.momentum;
    let outputs = weight.size()[0];
    let norm = weight.square().sum(weight.kind()).sqrt();
    weight *= norm.reciprocal() * (outputs as f64).sqrt();
    let update = orthogonal(&ahead.reshape([outputs, -1])).view(weight.size().as_slice());
    weight -= update * rate;
}

/// Three Newton–Schulz iterations for the orthogonal factor of a matrix, with the coefficients of Jordan et
/// al. 2024: singular values come out between about ½ and 1½.
fn orthogonal(matrix: &Tensor) -> Tensor {
    const ITERATIONS: usize = 3;
    const COEFFICIENTS: [f64; 3] = [3.4445, -4.7750, 2.0315];
    let [a, b, c] = COEFFICIENTS;
    let tall = matrix.size()[0] > matrix.size()[1];
    let x =
        if tall { matrix.tr() } else { matrix.shallow_clone() }.to_kind(sum_kind(matrix.kind()));
    // The norm bounds the largest singular value.
    let mut x = &x / (x.square().sum(x.kind()).sqrt() + 1e-7);
    for _ in 0..ITERATIONS {
        let gram = x.matmul(&x.tr());
        let polynomial = &gram * b + gram.matmul(&gram) * c;
        x = &x * a + polynomial.matmul(&x);
    }
    if tall { x.tr().contiguous() } else { x }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    /// Singular vectors stay, singular values draw near to 1.
    #[test]
    fn newton_schulz_gives_the_orthogonal_factor_but_for_its_singular_values() {
        for shape in [[8, 20], [20, 8]] {
            let matrix = Tensor::randn(shape, (Kind::Float, Device::Cpu));
            let (u, _, v) = matrix.svd(true, true);
            let found = orthogonal(&matrix);
            let turned = u.tr().matmul(&found).matmul(&v);
            let values = turned.diagonal(0, 0, 1);
            let off = (&turned - Tensor::diag(&values, 0)).abs().max().double_value(&[]);
            assert!(off < 1e-3, "{off}");
            assert!(values.min().double_value(&[]) > 0.4 && values.max().double_value(&[]) < 1.6);
        }
    }
}
