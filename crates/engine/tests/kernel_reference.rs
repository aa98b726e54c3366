//! The neural tangent kernel against an explicit Jacobian (`torch.func.jacrev`), and its laws.

mod common;

use std::sync::Mutex;

use common::{describe, named_with_batch, python, relative_error};
use datadiet_core::kernel_distance;
use datadiet_engine::grand::{Batching, example_norms};
use datadiet_engine::layers::to_nhwc;
use datadiet_engine::network::{Network, Weights};
use datadiet_engine::networks::{Task, build};
use datadiet_engine::ntk::logit_gram;
use datadiet_engine::parameters::Parameters;
use datadiet_engine::trainer::error_vectors;
use datadiet_store::NetworkSpec;
use tch::{Device, Kind, Tensor};

const COLOUR: Task = Task { channels: 3, height: 32, width: 32, classes: 10 };
/// An odd shape, few classes.
const GREY: Task = Task { channels: 1, height: 21, width: 17, classes: 5 };
const AMPLE: usize = 1 << 30;

/// Torch's generator is one for the process: tests that run beside each other draw in turn.
static GENERATOR: Mutex<()> = Mutex::new(());

struct Case {
    spec: NetworkSpec,
    task: Task,
    network: Network,
    parameters: Parameters,
    images: Tensor,
}

impl Case {
    fn new(name: &str, width: u32, task: Task, examples: i64) -> Self {
        let _turn = GENERATOR.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let spec = NetworkSpec { name: name.into(), width };
        let (network, parameters) = build(&spec, task, 5).unwrap();
        let shape = [examples, task.channels, task.height, task.width];
        let images = Tensor::randn(shape, (Kind::Float, Device::Cpu));
        Self { spec, task, network, parameters, images }
    }

    fn kernel_of(&self, images: &Tensor, memory: usize) -> Vec<f64> {
        let weights = Weights { parameters: &self.parameters, working: self.parameters.values() };
        let gram = logit_gram(&self.network, &weights, &to_nhwc(images), memory).unwrap();
        Vec::try_from(gram.view(-1)).unwrap()
    }

    fn kernel(&self) -> Vec<f64> {
        self.kernel_of(&self.images, AMPLE)
    }
}

/// Every entry is within 1e-4 of the Jacobian's, relative to the lengths of its two gradients.
fn agrees(name: &str, width: u32, task: Task) {
    let case = Case::new(name, width, task, 4);
    let tensors = named_with_batch(&case.parameters, &case.images, &[0, 1, 2, 3]);
    let expected = python("ntk.py", describe(&case.spec, case.task), &tensors).get("kernel");
    let found = case.kernel();
    assert_eq!(found.len(), expected.len());
    let rows = (found.len() as f64).sqrt() as usize;
    let length = |row: usize| f64::from(expected[row * rows + row]).sqrt();
    for (at, (found, &expected)) in found.iter().zip(&expected).enumerate() {
        let error = (found - f64::from(expected)).abs() / (length(at / rows) * length(at % rows));
        assert!(error < 1e-4, "{name}: entry {at} is {found}, should be {expected}");
    }
    let found: Vec<f32> = found.iter().map(|&value| value as f32).collect();
    assert!(relative_error(&found, &expected) < 1e-4, "{name}");
}

#[test]
fn resnet8_agrees_with_its_jacobian() {
    agrees("resnet8", 8, COLOUR);
    agrees("resnet8", 5, GREY);
}

#[test]
fn simple_cnn_agrees_with_its_jacobian() {
    agrees("simple-cnn", 8, COLOUR);
}

#[test]
fn mlp_agrees_with_its_jacobian() {
    agrees("mlp", 32, GREY);
}

/// Bottlenecks: 1×1 convolutions.
#[test]
fn resnet50_agrees_with_its_jacobian() {
    agrees("resnet50", 4, GREY);
}

/// The diagonal blocks K_ii with the error vectors g: gᵀ K g = GraNd².
#[test]
fn diagonal_blocks_give_gradient_norms() {
    let case = Case::new("resnet8", 8, COLOUR, 6);
    let labels = [3, 1, 4, 1, 5, 9];
    let weights = Weights { parameters: &case.parameters, working: case.parameters.values() };
    let images = to_nhwc(&case.images);
    let batching = Batching { examples: 6, scratch: 1 << 20 };
    let norms = example_norms(&case.network, &weights, &images, &labels, batching).unwrap().all;
    let logits = case.network.forward(&weights, &images, datadiet_engine::network::Mode::Eval);
    let errors: Vec<f32> = Vec::try_from(error_vectors(&logits, &labels).view(-1)).unwrap();
    let kernel = case.kernel();
    for (example, norm) in norms.iter().enumerate() {
        let row = |class: usize| example * 10 + class;
        let mut square = 0.0;
        for k in 0..10 {
            for l in 0..10 {
                square += f64::from(errors[row(k)])
                    * kernel[row(k) * 60 + row(l)]
                    * f64::from(errors[row(l)]);
            }
        }
        let error = (square.sqrt() - f64::from(*norm)).abs() / f64::from(*norm);
        assert!(error < 1e-4, "example {example}: {} and {norm}", square.sqrt());
    }
}

#[test]
fn a_permuted_order_permutes_the_kernel() {
    let case = Case::new("resnet8", 4, GREY, 3);
    let order = [2_i64, 0, 1];
    let kernel = case.kernel();
    let permuted = case.kernel_of(&case.images.index_select(0, &Tensor::from_slice(&order)), AMPLE);
    let side = 15;
    let place = |row: usize| order[row / 5] as usize * 5 + row % 5;
    for row in 0..side {
        for column in 0..side {
            let expected = kernel[place(row) * side + place(column)];
            let error = (permuted[row * side + column] - expected).abs();
            assert!(error < 1e-4 * expected.abs().max(1e-3), "{row}, {column}: {error}");
        }
    }
    assert!(kernel_distance(&kernel, &kernel).unwrap() == 0.0);
}

/// With memory for one layer at a time the passes are repeated, and the kernel stays the same.
#[test]
fn little_memory_gives_the_same_kernel() {
    let case = Case::new("resnet8", 8, COLOUR, 4);
    let kernel = case.kernel();
    let scarce = case.kernel_of(&case.images, 12 << 20);
    assert!(kernel_distance(&kernel, &scarce).unwrap() < 1e-9);
    let weights = Weights { parameters: &case.parameters, working: case.parameters.values() };
    let images = to_nhwc(&case.images);
    let error = logit_gram(&case.network, &weights, &images, 1 << 20).unwrap_err().to_string();
    assert!(error.contains("--memory"), "{error}");
}

#[test]
fn a_network_without_exact_rules_is_refused_by_name() {
    let mut case = Case::new("mlp", 8, GREY, 2);
    let extra = Tensor::zeros([2, 2], (Kind::Float, Device::Cpu));
    case.parameters.add("attention.weight".into(), extra);
    let weights = Weights { parameters: &case.parameters, working: case.parameters.values() };
    let error = logit_gram(&case.network, &weights, &to_nhwc(&case.images), AMPLE).unwrap_err();
    assert!(error.to_string().contains("attention.weight"), "{error}");
}
