//! Training in bfloat16 with our convolutions and with oneDNN's. One test, since what it forces holds
//! for the whole process.

mod common;

use common::Case;
use datadiet_core::isa::Avx512Bf16;
use datadiet_engine::convolutions::{Convolutions, force};
use datadiet_engine::gradients::BatchGradient;
use datadiet_engine::network::{Mode, Weights};
use datadiet_engine::networks::Task;
use datadiet_engine::trainer::mean_cross_entropy;
use tch::{Kind, Tensor};

/// Logits and gradients of a training pass with activations of `kind`.
fn pass(case: &Case, kind: Kind) -> Vec<Tensor> {
    let working = case.parameters.working_copy(kind);
    let weights = Weights { parameters: &case.parameters, working: &working };
    let images = case.batch().to_kind(kind);
    let (logits, tape) = case.network.forward_recorded(&weights, &images, Mode::Train);
    let (_, grad) = mean_cross_entropy(&logits, &case.labels);
    let mut gradient = BatchGradient::new(&case.parameters);
    case.network.backward(&weights, tape, &grad, &mut gradient);
    let mut found = gradient.into_tensors();
    found.push(logits);
    found
}

/// Rounding to bfloat16 is the same in both, but where; so ours is as near to 32-bit floats as
/// oneDNN's, to within a half.
#[test]
fn ours_are_as_near_to_32_bit_floats_as_those_of_onednn() {
    if Avx512Bf16::detect().is_none() {
        return;
    }
    tch::set_num_threads(1);
    let task = Task { channels: 3, height: 32, width: 32, classes: 10 };
    let case = Case::new("resnet8", 16, task, 32, 5).single();
    let exact = pass(&case, Kind::Float);
    let [ours, others] = [Convolutions::Own, Convolutions::OneDnn].map(|convolutions| {
        force(Some(convolutions));
        pass(&case, Kind::BFloat16)
    });
    force(None);
    let same = ours.iter().zip(&others).all(|(own, other)| own.equal(other));
    assert!(!same, "two ways of summing cannot round alike everywhere: one has not been taken");
    let error = |found: &[Tensor]| {
        let squares = found.iter().zip(&exact).map(|(found, exact)| (found - exact).square());
        squares.map(|squares| squares.sum(Kind::Double).double_value(&[])).sum::<f64>().sqrt()
    };
    let (own, other) = (error(&ours), error(&others));
    assert!(own < 1.5 * other, "ours are off by {own:e}, oneDNN's by {other:e}");
}
