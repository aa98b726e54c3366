//! GraNd against `torch.func.vmap(grad)` on the same weights and images.

mod common;

use std::sync::atomic::AtomicBool;

use common::{Answer, Case, images, python, sample, spec};
use datadiet_core::{ExampleId, spearman};
use datadiet_engine::evaluation::{Pass, gradient_norms, last_layer_gradient_norms};
use datadiet_engine::gradients::BatchGradient;
use datadiet_engine::grand::{Batching, example_norms};
use datadiet_engine::layers::{Conv2d, ConvShape, Linear, to_nhwc};
use datadiet_engine::network::{Mode, Network, Stage, Weights};
use datadiet_engine::networks::{Task, build};
use datadiet_engine::parameters::Parameters;
use datadiet_engine::trainer::{Trainer, error_vectors};
use datadiet_store::{NetworkSpec, Precision};
use tch::{Device, Kind, Tensor};

const COLOUR: Task = Task { channels: 3, height: 32, width: 32, classes: 10 };
const GREY: Task = Task { channels: 1, height: 28, width: 28, classes: 10 };
const BATCHING: Batching = Batching { examples: 8, scratch: 1 << 20 };

/// At initialisation and after some steps, all norms are within 1e-9 of those that PyTorch computes.
fn agrees(name: &str, width: u32, task: Task, examples: i64) {
    let cases: Vec<Case> = [5, 6]
        .into_iter()
        .flat_map(|seed| {
            let new = || Case::new(name, width, task, examples, seed);
            [new(), trained_a_little(new())]
        })
        .collect();
    let questions: Vec<_> = cases.iter().map(Case::question).collect();
    for (case, answer) in cases.iter().zip(python("grand.py", &questions)) {
        for (found, expected, _) in compared(case, &answer) {
            assert!((found - expected).abs() <= 1e-9 * expected, "{name}: {found}, not {expected}");
        }
    }
}

/// The norms of a case, what they should be, and how far its example is from where they jump.
fn compared(case: &Case, answer: &Answer) -> Vec<(f64, f64, f64)> {
    let norms =
        example_norms(&case.network, &case.weights(), &case.batch(), &case.labels, BATCHING)
            .unwrap();
    let found = [norms.all, norms.last_layer].concat();
    let expected = [answer.get("grand"), answer.get("grand_last_layer")].concat();
    let margins = [answer.get("margin"), answer.get("margin")].concat();
    assert!(found.len() == expected.len() && found.len() == margins.len());
    let each = found.into_iter().zip(expected).zip(margins);
    each.map(|((found, expected), margin)| (found, expected, margin)).collect()
}

/// Some steps down the gradient, so that batch norm has statistics and classes differ; in 32-bit
/// floats, which is faster.
fn trained_a_little(case: Case) -> Case {
    let single = case.single();
    let images = single.batch();
    for _ in 0..5 {
        let (logits, tape) = case.network.forward_recorded(&single.weights(), &images, Mode::Train);
        let mut gradient = BatchGradient::new(&single.parameters);
        let errors = error_vectors(&logits, &single.labels) / images.size()[0] as f64;
        case.network.backward(&single.weights(), tape, &errors, &mut gradient);
        for (value, gradient) in single.parameters.values().iter().zip(gradient.into_tensors()) {
            let mut value = value.shallow_clone();
            value -= gradient * 0.05;
        }
    }
    Case { parameters: single.parameters.cast(Kind::Double), ..case }
}

#[test]
fn resnet8_agrees() {
    agrees("resnet8", 16, COLOUR, 8);
    agrees("resnet8", 5, Task { channels: 1, height: 21, width: 17, classes: 5 }, 8);
}

#[test]
fn resnet18_agrees() {
    agrees("resnet18", 64, COLOUR, 4);
}

#[test]
fn resnet50_agrees() {
    agrees("resnet50", 32, COLOUR, 4);
}

#[test]
fn simple_cnn_agrees() {
    agrees("simple-cnn", 32, COLOUR, 8);
}

#[test]
fn mlp_agrees() {
    agrees("mlp", 128, COLOUR, 8);
}

#[test]
fn airbench_agrees() {
    agrees("airbench", 16, COLOUR, 8);
    agrees("airbench", 5, GREY, 8);
}

/// In 32-bit floats a norm jumps where rounding opens or shuts a ReLU: examples are compared of which
/// no ReLU's input is so near to 0. Where two numbers of a max-pool are all but equal it jumps as well, by
/// less; each image has thousands of them, so that none is left out for that.
#[test]
fn norms_in_32_bit_floats_agree() {
    let cases = [("resnet8", 16, 1e-5), ("simple-cnn", 17, 1e-5), ("airbench", 8, 1e-4)];
    for (name, width, most) in cases {
        let case = Case::new(name, width, COLOUR, 32, 5);
        let answer = &python("grand.py", &[case.question()])[0];
        let compared: Vec<_> = compared(&case.single(), answer)
            .into_iter()
            .filter(|(_, _, margin)| *margin > 1e-5)
            .collect();
        assert!(compared.len() >= 16, "{name}: {} of 64 norms are compared", compared.len());
        for (found, expected, _) in compared {
            assert!((found - expected).abs() <= most * expected, "{name}: {found}, not {expected}");
        }
    }
}

/// In pieces of another size, and without the backward pass, norms are the same.
#[test]
fn the_memory_does_not_matter() {
    let raw = sample();
    let images = images(&raw, Kind::Double);
    let spec = spec("resnet8", 16, Precision::F32);
    let (network, parameters) = build(&spec.network, GREY, 3).unwrap();
    let trainer = Trainer::new(
        network,
        parameters.cast(Kind::Double),
        &spec,
        &images,
        &raw.train.labels,
        &[],
    );
    let stop = AtomicBool::new(false);
    let pass = Pass { images: &images, labels: &raw.train.labels[..100], stop: &stop };
    let norms = gradient_norms(&trainer, pass, 256 << 20).unwrap();
    let agree = |found: &[f64], expected: &[f64]| {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() <= 1e-9 * expected, "{found}, not {expected}");
        }
    };
    agree(&gradient_norms(&trainer, pass, 24 << 20).unwrap().all, &norms.all);
    agree(&last_layer_gradient_norms(&trainer, pass).unwrap(), &norms.last_layer);
}

/// Ranks of bf16 against f32 on real images, after some training.
#[test]
fn bf16_ranks_as_f32_does() {
    let raw = sample();
    let examples: Vec<ExampleId> = (0..raw.train.labels.len() as u32).map(ExampleId).collect();
    let stop = AtomicBool::new(false);
    let spec = spec("resnet8", 16, Precision::F32);
    let (network, parameters) = build(&spec.network, GREY, 3).unwrap();
    let (in_single, in_half) = (images(&raw, Kind::Float), images(&raw, Kind::BFloat16));
    let labels = &raw.train.labels;
    let mut trainer =
        Trainer::new(network.clone(), parameters, &spec, &in_single, labels, &examples);
    (0..20).for_each(|_| drop(trainer.train_step()));
    let norms = |trainer: &Trainer<'_>, images| -> Vec<f32> {
        let pass = Pass { images, labels, stop: &stop };
        let norms = gradient_norms(trainer, pass, 256 << 20).unwrap().all;
        norms.into_iter().map(|norm| norm as f32).collect()
    };
    let in_single_precision = norms(&trainer, &in_single);
    // The same weights in the other precision.
    let trainer = Trainer::new(network, trainer.parameters, &spec, &in_half, labels, &examples);
    let rho = spearman(&in_single_precision, &norms(&trainer, &in_half)).unwrap();
    assert!(rho > 0.995, "{rho}");
}

/// A grouped, strided convolution with a bias, which no network of the zoo has, by finite sums.
#[test]
fn grouped_convolution_with_bias_agrees_with_its_gradient() {
    let mut parameters = Parameters::default();
    let cpu = (Kind::Double, Device::Cpu);
    tch::manual_seed(1);
    let conv = Conv2d {
        weight: parameters.add("conv.weight".into(), Tensor::randn([6, 2, 3, 3], cpu)),
        bias: Some(parameters.add("conv.bias".into(), Tensor::randn([6], cpu))),
        shape: ConvShape { stride: 2, padding: 1, groups: 3 },
    };
    let network =
        Network { stages: vec![Stage::Conv(conv), Stage::MeanPool, linear(&mut parameters)] };
    let weights = Weights { parameters: &parameters, working: parameters.values() };
    let images = to_nhwc(&Tensor::randn([4, 6, 9, 7], cpu));
    let labels = [0, 1, 2, 0];
    let norms = example_norms(&network, &weights, &images, &labels, BATCHING).unwrap();
    for (example, &found) in norms.all.iter().enumerate() {
        let one = images.narrow(0, example as i64, 1);
        let one = to_nhwc(&one);
        let (logits, tape) = network.forward_recorded(&weights, &one, Mode::Eval);
        let mut gradient = BatchGradient::new(&parameters);
        let errors = error_vectors(&logits, &labels[example..=example]);
        network.backward(&weights, tape, &errors, &mut gradient);
        let squares = gradient
            .into_tensors()
            .iter()
            .map(|g| g.square().sum(g.kind()).double_value(&[]))
            .sum::<f64>();
        assert!((found - squares.sqrt()).abs() < 1e-9 * squares.sqrt());
    }
}

fn linear(parameters: &mut Parameters) -> Stage {
    let cpu = (Kind::Double, Device::Cpu);
    Stage::Linear(Linear {
        weight: parameters.add("fc.weight".into(), Tensor::randn([3, 6], cpu)),
        bias: Some(parameters.add("fc.bias".into(), Tensor::randn([3], cpu))),
        factor: 1.0,
    })
}

#[test]
fn a_parameter_without_a_rule_is_refused_by_name() {
    let spec = NetworkSpec::new("mlp", 8);
    let (network, mut parameters) = build(&spec, COLOUR, 1).unwrap();
    parameters.add("attention.weight".into(), Tensor::zeros([2, 2], (Kind::Float, Device::Cpu)));
    let weights = Weights { parameters: &parameters, working: parameters.values() };
    let images = Tensor::zeros([1, 3, 32, 32], (Kind::Float, Device::Cpu));
    let images = to_nhwc(&images);
    let error = example_norms(&network, &weights, &images, &[0], BATCHING).unwrap_err();
    assert!(error.to_string().contains("attention.weight"), "{error}");
}

#[test]
fn one_bad_example_does_not_poison_the_others() {
    let spec = NetworkSpec::new("resnet8", 8);
    let (network, parameters) = build(&spec, COLOUR, 1).unwrap();
    let weights = Weights { parameters: &parameters, working: parameters.values() };
    let clean = Tensor::randn([3, 3, 32, 32], (Kind::Float, Device::Cpu));
    let dirty = clean.copy();
    let _ = dirty.get(1).fill_(f64::INFINITY);
    let norms = |images: &Tensor| {
        let images = to_nhwc(images);
        example_norms(&network, &weights, &images, &[0, 1, 2], BATCHING).unwrap().all
    };
    let (clean, dirty) = (norms(&clean), norms(&dirty));
    assert!(!dirty[1].is_finite());
    assert_eq!((clean[0], clean[2]), (dirty[0], dirty[2]));
}
