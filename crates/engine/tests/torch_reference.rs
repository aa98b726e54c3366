//! Agreement with the same networks in Python's torch, on the same weights and images.

mod common;

use common::{describe, named, named_with_batch, python, relative_error, sample, spec};
use datadiet_core::{ExampleId, LogitScores};
use datadiet_engine::evaluation::to_vec;
use datadiet_engine::gradients::BatchGradient;
use datadiet_engine::images::{Images, Normalisation};
use datadiet_engine::network::{Mode, Weights};
use datadiet_engine::networks::{Task, build};
use datadiet_engine::trainer::{Trainer, mean_cross_entropy};
use datadiet_store::{NetworkSpec, Precision};
use tch::{Device, Kind, Tensor};

const COLOUR: Task = Task { channels: 3, height: 32, width: 32, classes: 10 };
const GREY: Task = Task { channels: 1, height: 28, width: 28, classes: 7 };
const SMALL: Task = Task { channels: 3, height: 12, width: 12, classes: 10 };
const ODD: Task = Task { channels: 3, height: 21, width: 17, classes: 5 };

/// Forward and backward pass in both modes against `tests/reference/logits.py`.
///
/// Where a ReLU is all but closed, rounding opens or shuts it, and moves the gradients of a deep
/// network by up to a percent, PyTorch's too. That is a matter of luck, a mistake is not: gradients
/// must agree for one of a few seeds, everything else for all.
fn agrees(name: &str, width: u32, task: Task) {
    let worst = (11..17).map(|seed| worst_gradient(name, width, task, seed));
    let tried: Vec<f64> = worst
        .scan(false, |found, error| {
            let go_on = !*found;
            *found = error < 1e-4;
            go_on.then_some(error)
        })
        .collect();
    assert!(tried.iter().any(|&error| error < 1e-4), "{name}: gradients are off by {tried:?}");
}

/// Asserts that everything but the gradients agrees; gives the largest relative error of those.
fn worst_gradient(name: &str, width: u32, task: Task, seed: i64) -> f64 {
    let network_spec = NetworkSpec { name: name.into(), width };
    let (network, parameters) = build(&network_spec, task, seed).unwrap();
    // Running statistics and scales away from their initial values.
    for buffer in parameters.buffers() {
        let _ = buffer.shallow_clone().uniform_(0.5, 1.5);
    }
    for value in parameters.values().iter().filter(|value| value.dim() == 1) {
        let _ = value.shallow_clone().uniform_(0.2, 1.2);
    }
    let images =
        Tensor::randn([16, task.channels, task.height, task.width], (Kind::Float, Device::Cpu));
    let labels: Vec<u32> = (0..16).map(|i| i % task.classes as u32).collect();
    let tensors = named_with_batch(&parameters, &images, &labels);
    let answer = python("logits.py", describe(&network_spec, task), &tensors);

    let working = parameters.working_copy(Kind::Float);
    let weights = Weights { parameters: &parameters, working: &working };
    let evaluated = to_vec(&network.forward(&weights, &images, Mode::Eval));
    assert!(relative_error(&evaluated, &answer.get("logits_eval")) < 1e-5, "{name}: eval logits");
    let scores = LogitScores::from_logits(&evaluated, task.classes as usize, &labels).unwrap();
    for (found, expected) in scores.el2n.iter().zip(answer.get("el2n")) {
        assert!((found - expected).abs() < 1e-5, "{name}: EL2N {found} {expected}");
    }

    let (logits, tape) = network.forward_recorded(&weights, &images, Mode::Train);
    let trained = to_vec(&logits);
    assert!(relative_error(&trained, &answer.get("logits_train")) < 1e-5, "{name}: train logits");
    let (_, grad) = mean_cross_entropy(&logits, &labels);
    let mut gradient = BatchGradient::new(&parameters);
    network.backward(&weights, tape, &grad, &mut gradient);
    for (buffer, value) in parameters.buffer_names().iter().zip(parameters.buffers()) {
        let (layer, statistic) = buffer.rsplit_once('.').unwrap();
        let error =
            relative_error(&to_vec(value), &answer.get(&format!("{statistic}_after.{layer}")));
        assert!(error < 1e-5, "{name}: {buffer} is off by {error:e}");
    }
    let errors = parameters.names().iter().zip(gradient.into_tensors()).map(|(parameter, grad)| {
        relative_error(&to_vec(&grad), &answer.get(&format!("grad64.{parameter}")))
    });
    errors.fold(0.0, f64::max)
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

/// Twenty steps of our loop against PyTorch's optimiser on the same batches.
#[test]
fn training_steps_agree() {
    let raw = sample();
    let shape = [raw.height, raw.width, raw.channels];
    let normalisation = Normalisation { mean: &[0.286], std: &[0.353] };
    let images = Images::new(&raw.train.images, shape, &normalisation, Kind::Float, Device::Cpu);
    let spec = spec("resnet8", 8, Precision::F32);
    let task = Task { channels: 1, height: 28, width: 28, classes: 10 };
    let (network, parameters) = build(&spec.network, task, 3).unwrap();
    let mut tensors = named(&parameters);
    let examples: Vec<ExampleId> = (0..raw.train.labels.len() as u32).map(ExampleId).collect();
    let mut trainer =
        Trainer::new(network, parameters, &spec, &images, &raw.train.labels, &examples);
    let (mut batches, mut labels, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..spec.schedule.steps {
        let batch = trainer.train_step();
        let ids: Vec<i64> = batch.ids.iter().map(|id| i64::from(id.0)).collect();
        batches.push(images.select(&ids));
        let wide: Vec<i64> = batch.labels.iter().map(|&label| i64::from(label)).collect();
        labels.push(Tensor::from_slice(&wide));
        rates.push(batch.learning_rate);
    }
    tensors.push(("batches.images".into(), Tensor::stack(&batches, 0)));
    tensors.push(("batches.labels".into(), Tensor::stack(&labels, 0)));
    let mut metadata = describe(&spec.network, task);
    metadata.insert("lr".into(), serde_json::to_string(&rates).unwrap());
    metadata.insert("momentum".into(), "0.9".into());
    metadata.insert("weight_decay".into(), "5e-4".into());
    let answer = python("optimiser.py", metadata, &tensors);
    for (name, value) in named(&trainer.parameters) {
        let exact = answer.get(&format!("exact.{name}"));
        let rounding = relative_error(&answer.get(&name), &exact);
        let error = relative_error(&to_vec(&value), &exact);
        assert!(
            error < 3.0 * rounding + 1e-4,
            "{name} is off by {error:e}, PyTorch by {rounding:e}"
        );
    }
}
