//! Threads of a training in parts. Alone in its program: libtorch's number of threads is one for all tests.

mod common;

use common::{images, sample, spec};
use datadiet_core::ExampleId;
use datadiet_engine::evaluation::to_vec;
use datadiet_engine::networks::{Task, build};
use datadiet_engine::trainer::Trainer;
use datadiet_store::{Muon, Precision, RunSpec};
use tch::Kind;

/// So wide that libtorch would share out a sum over a layer's filters.
fn wide(parts: u32) -> RunSpec {
    let mut spec = spec("airbench", 16, Precision::F32);
    spec.schedule.micro_batch = Some(parts);
    spec.schedule.muon = Some(Muon { rate: 0.24, momentum: 0.6 });
    spec
}

/// What three steps make of all numbers.
fn trained(spec: &RunSpec) -> Vec<f32> {
    let raw = sample();
    let images = images(&raw, Kind::Float);
    let examples: Vec<ExampleId> = (0..raw.train.labels.len() as u32).map(ExampleId).collect();
    let task = Task { channels: 1, height: 28, width: 28, classes: 10 };
    let (network, parameters) = build(&spec.network, task, 3).unwrap();
    let labels = &raw.train.labels;
    let mut trainer = Trainer::new(network, parameters, spec, &images, labels, &examples);
    (0..3).for_each(|_| drop(trainer.train_step()));
    let parameters = &trainer.parameters;
    parameters.values().iter().chain(parameters.buffers()).flat_map(to_vec::<f32>).collect()
}

#[test]
fn the_number_of_threads_changes_no_bit_of_a_training_in_parts() {
    for parts in [16, 24] {
        tch::set_num_threads(1);
        let mut spec = wide(parts);
        let expected = trained(&spec);
        spec.threads = 3;
        tch::set_num_threads(3);
        assert!(trained(&spec) == expected, "parts of {parts}");
        assert_eq!(tch::get_num_threads(), 3, "as it was");
    }
}
