//! Agreement with the same networks in Python's torch, on the same weights and images.
//!
//! In 64-bit floats everything agrees to 1e-9, whatever the seed. In 32-bit floats rounding opens or
//! shuts a ReLU whose input is all but 0, and gradients jump, PyTorch's too: there they are compared
//! where no ReLU is so near to its corner, and logits, which do not jump, always.

mod common;

use common::{Case, Question, assert_close, describe, images, named, python, sample, spec, wide};
use datadiet_core::{ExampleId, LogitScores, Matrix, ScoreKind};
use datadiet_engine::evaluation::to_vec;
use datadiet_engine::gradients::BatchGradient;
use datadiet_engine::network::Mode;
use datadiet_engine::networks::{Task, build};
use datadiet_engine::trainer::{Trainer, mean_cross_entropy};
use datadiet_store::{Activation, Muon, NetworkSpec, Precision, RunSpec, Schedule};
use tch::{Kind, Tensor};

const COLOUR: Task = Task { channels: 3, height: 32, width: 32, classes: 10 };
const GREY: Task = Task { channels: 1, height: 28, width: 28, classes: 7 };
const SMALL: Task = Task { channels: 3, height: 12, width: 12, classes: 10 };
const ODD: Task = Task { channels: 3, height: 21, width: 17, classes: 5 };
const TINY: Task = Task { channels: 3, height: 8, width: 9, classes: 5 };

/// Rounding of 64-bit floats.
const DOUBLE: f64 = 1e-9;
/// Rounding of 32-bit floats, where nothing jumps.
const SINGLE: f64 = 1e-5;

/// What a network makes of a batch.
struct Passes {
    evaluated: Tensor,
    trained: Tensor,
    gradients: Vec<Tensor>,
}

/// Forward pass in evaluation mode, then both passes in training mode, which move the running
/// statistics.
fn passes(case: &Case) -> Passes {
    let (weights, images) = (case.weights(), case.batch());
    let evaluated = case.network.forward(&weights, &images, Mode::Eval);
    let (trained, tape) = case.network.forward_recorded(&weights, &images, Mode::Train);
    let (_, grad) = mean_cross_entropy(&trained, &case.labels, 0.0);
    let mut gradient = BatchGradient::new(&case.parameters);
    case.network.backward(&weights, tape, &grad, &mut gradient);
    Passes { evaluated, trained, gradients: gradient.into_tensors() }
}

/// Forward and backward pass in both modes against `tests/reference/logits.py`.
fn agrees(name: &str, width: u32, task: Task) {
    agrees_with(NetworkSpec::new(name, width), task);
}

fn agrees_with(spec: NetworkSpec, task: Task) {
    let name = &format!("{spec:?}");
    let cases = [11, 12].map(|seed| Case::of(spec.clone(), task, 16, seed).disturbed());
    let questions = cases.each_ref().map(Case::question);
    for (case, answer) in cases.iter().zip(python("logits.py", &questions)) {
        let single = case.single();
        for (case, most) in [(case, DOUBLE), (&single, SINGLE)] {
            let found = passes(case);
            assert_close(name, &found.evaluated, &answer.get("logits_eval"), most);
            assert_close(name, &found.trained, &answer.get("logits_train"), most);
            let buffers = case.parameters.buffer_names().iter().zip(case.parameters.buffers());
            for (buffer, value) in buffers.filter(|(_, value)| value.dim() == 1) {
                let (layer, statistic) = buffer.rsplit_once('.').unwrap();
                let expected = answer.get(&format!("{statistic}_after.{layer}"));
                assert_close(buffer, value, &expected, most);
            }
            if most == DOUBLE {
                for (parameter, found) in case.parameters.names().iter().zip(&found.gradients) {
                    let what = format!("{name} {parameter}");
                    let expected = answer.get(&format!("grad.{parameter}"));
                    assert_close(&what, found, &expected, most);
                }
            }
            let logits: Vec<f32> = to_vec(&found.evaluated);
            let classes = task.classes as usize;
            let scores = LogitScores::of(Matrix::logits(&logits, classes), &case.labels).unwrap();
            for (found, expected) in scores[ScoreKind::El2n].iter().zip(answer.get("el2n")) {
                let error = (f64::from(*found) - expected).abs();
                assert!(error < SINGLE, "{name}: EL2N {found}, should be {expected}");
            }
        }
    }
}

#[test]
fn resnet8_agrees() {
    agrees("resnet8", 16, COLOUR);
    agrees("resnet8", 10, GREY);
    agrees("resnet8", 5, ODD);
}

#[test]
fn resnet14_and_20_agree() {
    agrees("resnet14", 16, SMALL);
    agrees("resnet20", 8, SMALL);
}

#[test]
fn resnet18_agrees() {
    agrees("resnet18", 64, SMALL);
}

#[test]
fn resnet50_agrees() {
    agrees("resnet50", 16, SMALL);
}

#[test]
fn simple_cnn_agrees() {
    agrees("simple-cnn", 32, COLOUR);
    agrees("simple-cnn", 6, ODD);
}

#[test]
fn mlp_agrees() {
    agrees("mlp", 64, COLOUR);
    agrees("mlp", 32, GREY);
}

#[test]
fn airbench_agrees() {
    agrees("airbench", 16, COLOUR);
    agrees("airbench", 5, GREY);
    agrees("airbench", 4, ODD);
    agrees("airbench", 3, Task { channels: 2, height: 9, width: 11, classes: 3 });
}

#[test]
fn every_network_agrees_with_any_activation() {
    for activation in [Activation::Relu, Activation::Gelu, Activation::Silu] {
        for (name, width) in
            [("resnet8", 6), ("resnet50", 3), ("simple-cnn", 5), ("mlp", 9), ("airbench", 3)]
        {
            let activation = Some(activation);
            agrees_with(NetworkSpec { activation, ..NetworkSpec::new(name, width) }, SMALL);
        }
    }
}

/// Gradients in 32-bit floats. The network and the batch are so small that no ReLU's input is near 0,
/// which the reference says.
#[test]
fn gradients_in_32_bit_floats_agree() {
    let case = Case::new("resnet8", 5, TINY, 3, 1).disturbed();
    let answer = &python("logits.py", &[case.question()])[0];
    let margin = answer.get("margin").into_iter().fold(f64::INFINITY, f64::min);
    assert!(margin > 1e-4, "take another seed: an input of a ReLU is {margin:e}");
    let single = case.single();
    let found = passes(&single).gradients;
    for (parameter, found) in case.parameters.names().iter().zip(&found) {
        assert_close(parameter, found, &answer.get(&format!("grad.{parameter}")), SINGLE);
    }
}

#[test]
fn training_steps_agree() {
    steps_agree(&spec("resnet8", 8, Precision::F32));
    let mut without_momentum = spec("mlp", 8, Precision::F32);
    without_momentum.schedule.momentum = 0.0;
    without_momentum.schedule.nesterov = false;
    steps_agree(&without_momentum);
}

/// Muon, biases with a rate of their own, smoothed labels; without and with a first layer that stays.
#[test]
fn training_steps_of_a_fast_recipe_agree() {
    let plain = spec("airbench", 4, Precision::F32);
    let schedule = Schedule {
        bias_rate: 0.25,
        label_smoothing: 0.2,
        muon: Some(Muon { rate: 0.24, momentum: 0.6 }),
        ..plain.schedule.clone()
    };
    steps_agree(&RunSpec { schedule, ..plain.clone() });
    let schedule = Schedule { bias_rate: 4.0, label_smoothing: 0.1, ..plain.schedule.clone() };
    steps_agree(&RunSpec { schedule, ..plain });
}

/// Every step of a training by our loop against PyTorch's optimiser, from the same weights, momentum
/// and running statistics on the same batch.
fn steps_agree(spec: &RunSpec) {
    let raw = sample();
    let images = images(&raw, Kind::Double);
    let task = Task { channels: 1, height: 28, width: 28, classes: 10 };
    let (network, parameters) = build(&spec.network, task, 3).unwrap();
    let parameters = parameters.cast(Kind::Double);
    let examples: Vec<ExampleId> = (0..raw.train.labels.len() as u32).map(ExampleId).collect();
    let mut trainer =
        Trainer::new(network, parameters, spec, &images, &raw.train.labels, &examples);
    let state = |trainer: &Trainer<'_>| {
        let momentum = trainer.parameters.names().iter().zip(&trainer.momentum);
        let momentum = momentum.map(|(name, value)| (format!("momentum.{name}"), value.copy()));
        let mut tensors = named(&trainer.parameters);
        tensors.extend(momentum);
        tensors
    };
    let (mut questions, mut after) = (Vec::new(), Vec::new());
    for _ in 0..spec.schedule.steps {
        let mut tensors = state(&trainer);
        let batch = trainer.train_step();
        let ids: Vec<i64> = batch.ids.iter().map(|id| i64::from(id.0)).collect();
        tensors.push(("images".into(), images.select(&ids)));
        tensors.push(("labels".into(), wide(&batch.labels)));
        let mut metadata = describe(&spec.network, task);
        metadata.insert("lr".into(), batch.learning_rate.to_string());
        metadata.insert("momentum".into(), spec.schedule.momentum.to_string());
        metadata.insert("weight_decay".into(), spec.schedule.weight_decay.to_string());
        metadata.insert("bias_rate".into(), spec.schedule.bias_rate.to_string());
        metadata.insert("label_smoothing".into(), spec.schedule.label_smoothing.to_string());
        if let Some(muon) = spec.schedule.muon {
            let rate = muon.rate * batch.learning_rate / spec.schedule.learning_rate.peak();
            metadata.insert("muon_rate".into(), rate.to_string());
            metadata.insert("muon_momentum".into(), muon.momentum.to_string());
        }
        questions.push(Question { metadata, tensors });
        let mut tensors = state(&trainer);
        tensors.push(("loss".into(), batch.loss));
        after.push(tensors);
    }
    for (step, (tensors, answer)) in
        after.iter().zip(python("optimiser.py", &questions)).enumerate()
    {
        // Without momentum nothing is kept of it.
        let kept = |name: &str| spec.schedule.momentum > 0.0 || !name.starts_with("momentum.");
        for (name, value) in tensors.iter().filter(|(name, _)| kept(name)) {
            assert_close(&format!("step {step}: {name}"), value, &answer.get(name), DOUBLE);
        }
    }
}
