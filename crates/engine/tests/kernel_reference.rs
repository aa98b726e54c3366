//! The neural tangent kernel against an explicit Jacobian (`torch.func.jacrev`), and its laws.

mod common;

use common::{Case, device, python};
use datadiet_core::kernel_distance;
use datadiet_engine::evaluation::to_vec;
use datadiet_engine::grand::{Batching, example_norms};
use datadiet_engine::network::Mode;
use datadiet_engine::networks::Task;
use datadiet_engine::ntk::logit_gram;
use datadiet_engine::trainer::error_vectors;
use tch::{Device, Kind, Tensor};

const COLOUR: Task = Task { channels: 3, height: 32, width: 32, classes: 10 };
/// An odd shape, few classes.
const GREY: Task = Task { channels: 1, height: 21, width: 17, classes: 5 };
const AMPLE: usize = 1 << 30;

fn kernel_within(case: &Case, memory: usize) -> Vec<f64> {
    to_vec(&logit_gram(&case.network, &case.weights(), &case.batch(), memory).unwrap())
}

fn kernel(case: &Case) -> Vec<f64> {
    kernel_within(case, AMPLE)
}

/// Asserts that every entry is within `most` of the Jacobian's, relative to the lengths of its two
/// gradients.
fn assert_entries(found: &[f64], expected: &[f64], most: f64) {
    assert_eq!(found.len(), expected.len());
    let rows = expected.len().isqrt();
    let length = |row: usize| expected[row * rows + row].sqrt();
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found - expected).abs() / (length(at / rows) * length(at % rows));
        assert!(error <= most, "entry {at} is {found}, should be {expected}");
    }
}

fn agrees(name: &str, width: u32, task: Task) {
    let cases = [5, 6].map(|seed| Case::new(name, width, task, 4, seed));
    for (case, answer) in cases.iter().zip(python("ntk.py", &cases.each_ref().map(Case::question)))
    {
        assert_entries(&kernel(case), &answer.get("kernel"), 1e-9);
    }
}

/// In 32-bit floats entries jump where rounding opens or shuts a ReLU: of a network and a batch so
/// small that no ReLU's input is near 0, which the reference says.
#[test]
fn kernels_in_32_bit_floats_agree() {
    let case = Case::new("resnet8", 5, Task { channels: 1, height: 8, width: 9, classes: 5 }, 3, 2);
    let margin = python("grand.py", &[case.question()])[0].get("margin");
    assert!(margin.iter().all(|&margin| margin > 1e-4), "take another seed: {margin:?}");
    assert_entries(&kernel(&case.single()), &kernel(&case), 1e-5);
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

/// A first layer of which the bias alone is trained, norms without scale, a last layer with a factor.
#[test]
fn airbench_agrees_with_its_jacobian() {
    agrees("airbench", 4, GREY);
}

/// Bottlenecks: 1×1 convolutions.
#[test]
fn resnet50_agrees_with_its_jacobian() {
    agrees("resnet50", 4, GREY);
}

/// The diagonal blocks K_ii with the error vectors g: gᵀ K g = GraNd².
#[test]
fn diagonal_blocks_give_gradient_norms() {
    let case = Case::new("resnet8", 8, COLOUR, 6, 5);
    let batching = Batching { examples: 6, scratch: 1 << 20 };
    let (weights, images) = (case.weights(), case.batch());
    let norms =
        example_norms(&case.network, &weights, &images, &case.labels, batching).unwrap().all;
    let logits = case.network.forward(&weights, &images, Mode::Eval);
    let errors: Vec<f64> = to_vec(&error_vectors(&logits, &case.labels));
    let kernel = kernel(&case);
    for (example, norm) in norms.iter().enumerate() {
        let row = |class: usize| example * 10 + class;
        let mut square = 0.0;
        for k in 0..10 {
            for l in 0..10 {
                square += errors[row(k)] * kernel[row(k) * 60 + row(l)] * errors[row(l)];
            }
        }
        let error = (square.sqrt() - norm).abs() / norm;
        assert!(error < 1e-9, "example {example}: {} and {norm}", square.sqrt());
    }
}

#[test]
fn a_permuted_order_permutes_the_kernel() {
    let mut case = Case::new("resnet8", 4, GREY, 3, 5);
    let order = [2_i64, 0, 1];
    let before = kernel(&case);
    case.images = case.images.index_select(0, &Tensor::from_slice(&order).to_device(device()));
    let place = |row: usize| order[row / 5] as usize * 5 + row % 5;
    let rows = 0..15;
    let expected: Vec<f64> = rows
        .clone()
        .flat_map(|row| rows.clone().map(move |column| (row, column)))
        .map(|(row, column)| before[place(row) * 15 + place(column)])
        .collect();
    assert_entries(&kernel(&case), &expected, 1e-12);
    assert_eq!(kernel_distance(&before, &before).unwrap(), 0.0);
}

/// With memory for one layer at a time the passes are repeated, and the kernel stays the same.
#[test]
fn little_memory_gives_the_same_kernel() {
    let case = Case::new("resnet8", 8, COLOUR, 4, 5).single();
    assert_entries(&kernel_within(&case, 12 << 20), &kernel(&case), 1e-6);
    let error = logit_gram(&case.network, &case.weights(), &case.batch(), 1 << 20).unwrap_err();
    assert!(error.to_string().contains("--memory"), "{error}");
}

#[test]
fn a_network_without_exact_rules_is_refused_by_name() {
    let mut case = Case::new("mlp", 8, GREY, 2, 5);
    let extra = Tensor::zeros([2, 2], (Kind::Double, Device::Cpu));
    case.parameters.add("attention.weight".into(), extra);
    let error = logit_gram(&case.network, &case.weights(), &case.batch(), AMPLE).unwrap_err();
    assert!(error.to_string().contains("attention.weight"), "{error}");
}
