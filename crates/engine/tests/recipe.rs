//! What recipes of training add: parts of minibatches, averaged weights, flips, a first layer that stays.

mod common;

use std::sync::Mutex;

use common::{images, sample, spec};
use datadiet_core::ExampleId;
use datadiet_engine::evaluation::to_vec;
use datadiet_engine::images::Images;
use datadiet_engine::networks::{Task, build};
use datadiet_engine::parameters::Parameters;
use datadiet_engine::trainer::Trainer;
use datadiet_store::{Augmentation, Flip, Lookahead, Precision, RunSpec, Schedule};
use tch::Kind;

const GREY: Task = Task { channels: 1, height: 28, width: 28, classes: 10 };

/// Torch's generator is one for the process: networks are built in turn, or no seed would give the same twice.
static GENERATOR: Mutex<()> = Mutex::new(());

/// Trains so many steps and gives the trained numbers and running statistics, and what `look` sees of the
/// trainer after each step.
fn trained<R>(
    spec: &RunSpec,
    steps: u64,
    mut look: impl FnMut(&Trainer<'_>) -> R,
) -> (Vec<f32>, Vec<R>) {
    // Tests run beside each other, and libtorch's number of threads, which changes the last bits, is one for
    // all: a training in parts sets it for a while.
    tch::set_num_threads(1);
    let raw = sample();
    let images = images(&raw, Kind::Float);
    let examples: Vec<ExampleId> = (0..raw.train.labels.len() as u32).map(ExampleId).collect();
    let mut trainer = trainer(spec, &images, &raw.train.labels, &examples);
    let seen = (0..steps)
        .map(|_| {
            trainer.train_step();
            look(&trainer)
        })
        .collect();
    (numbers(trainer.evaluated()), seen)
}

fn trainer<'a>(
    spec: &'a RunSpec,
    images: &'a Images<'a>,
    labels: &'a [u32],
    examples: &'a [ExampleId],
) -> Trainer<'a> {
    let turn = GENERATOR.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let (network, parameters) = build(&spec.network, GREY, 3).unwrap();
    drop(turn);
    Trainer::new(network, parameters, spec, images, labels, examples)
}

fn numbers(parameters: &Parameters) -> Vec<f32> {
    parameters.values().iter().chain(parameters.buffers()).flat_map(to_vec::<f32>).collect()
}

fn with(network: &str, change: impl FnOnce(&mut Schedule)) -> RunSpec {
    let mut spec = spec(network, 4, Precision::F32);
    change(&mut spec.schedule);
    spec
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn one_part_is_the_whole() {
    let whole = trained(&with("airbench", |_| ()), 5, |_| ()).0;
    let part = trained(&with("airbench", |schedule| schedule.micro_batch = Some(64)), 5, |_| ()).0;
    assert!(whole == part);
}

/// A network without batch norm has the same gradient in parts, but for rounding.
#[test]
fn parts_give_the_gradient_of_the_whole() {
    let whole = trained(&with("simple-cnn", |_| ()), 3, |_| ()).0;
    let parts =
        trained(&with("simple-cnn", |schedule| schedule.micro_batch = Some(10)), 3, |_| ()).0;
    let difference = largest_difference(&whole, &parts);
    assert!(difference < 1e-5 && whole != parts, "{difference}");
}

/// Slow weights by their definition, from the fast ones.
#[test]
fn lookahead_averages_as_it_says() {
    let lookahead = Lookahead { every: 3, decay: 0.9 };
    let spec = with("simple-cnn", |schedule| {
        schedule.steps = 8;
        schedule.lookahead = Some(lookahead);
    });
    let plain = with("simple-cnn", |schedule| schedule.steps = 8);
    let fast = |trainer: &Trainer<'_>| numbers(&trainer.parameters);
    let slow = |trainer: &Trainer<'_>| (fast(trainer), numbers(trainer.evaluated()));
    // Until the first average both are one training.
    let (_, without) = trained(&plain, 3, fast);
    let (end, with) = trained(&spec, 8, slow);
    assert!(with[1].0 == without[1] && with[1].1 != without[1], "slow weights wait");
    assert!(with[2].0 == with[2].1, "every third step the fast weights become the slow ones");
    let initial = trained(&plain, 0, fast).0;
    let decay = 0.9f64.powi(3) * (3.0f64 / 8.0).powi(3);
    let expected: Vec<f32> = initial
        .iter()
        .zip(&without[2])
        .map(|(&slow, &fast)| (decay * f64::from(slow) + (1.0 - decay) * f64::from(fast)) as f32)
        .collect();
    assert!(largest_difference(&expected, &with[2].1) < 1e-6);
    assert!(with[6].0 != with[6].1, "between two averages the fast weights go on");
    assert!(
        with[7].0 == with[7].1 && end == with[5].1,
        "in the end the slow weights are the result"
    );
}

#[test]
fn the_bias_of_a_whitened_layer_stops_when_it_is_told() {
    let spec = with("airbench", |schedule| schedule.whitening_steps = Some(2));
    let bias = |trainer: &Trainer<'_>| {
        let at = trainer.parameters.names().iter().position(|name| name == "whiten.bias").unwrap();
        let values = trainer.parameters.values();
        (to_vec::<f32>(&values[at]), to_vec::<f32>(&values[at + 1]))
    };
    let (_, seen) = trained(&spec, 4, bias);
    assert!(seen[0].0 != seen[1].0, "it trains");
    assert!(seen[1].0 == seen[2].0 && seen[2].0 == seen[3].0, "and stays");
    assert!(seen[2].1 != seen[3].1, "while the others go on");
}

/// Two epochs show every image both ways: their sums of pixels weighted by the column add up.
#[test]
fn alternating_flips_show_both_sides_in_two_epochs() {
    let raw = sample();
    let images = images(&raw, Kind::Float);
    let examples: Vec<ExampleId> = (0..raw.train.labels.len() as u32).map(ExampleId).collect();
    let mut spec = spec("mlp", 4, Precision::F32);
    spec.augmentation = Augmentation { crop_padding: 0, flip: Flip::Alternating };
    let trainer = trainer(&spec, &images, &raw.train.labels, &examples);
    let ids = &examples[..50];
    let [even, odd, later] = [0, 1, 2].map(|epoch| trainer.augmented_at(ids, epoch));
    let mirrored = even.flip([3]);
    assert!(to_vec::<f32>(&mirrored) == to_vec::<f32>(&odd));
    assert!(to_vec::<f32>(&even) == to_vec::<f32>(&later));
    let plain = images.select(&(0..50).collect::<Vec<i64>>());
    let as_they_are = (0..50).filter(|&i| even.get(i) == plain.get(i)).count();
    assert!((10..40).contains(&as_they_are), "{as_they_are} of 50 are not mirrored");
}
