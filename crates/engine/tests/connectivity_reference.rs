//! Points between two networks against PyTorch's own tools, and the laws of such lines.

mod common;

use std::sync::atomic::AtomicBool;

use common::{describe, named, named_with_batch, python, sample, spec};
use datadiet_core::{ExampleId, barrier};
use datadiet_data::RawDataset;
use datadiet_engine::connectivity::Path;
use datadiet_engine::evaluation::{Pass, indices};
use datadiet_engine::images::{Images, Normalisation};
use datadiet_engine::networks::{Task, build};
use datadiet_engine::parameters::Parameters;
use datadiet_engine::trainer::Trainer;
use datadiet_store::{Precision, RunSpec, Spawn};
use tch::{Device, Kind, Tensor};

const GREY: Task = Task { channels: 1, height: 28, width: 28, classes: 10 };

fn images(raw: &RawDataset) -> Images<'_> {
    let normalisation = Normalisation { mean: &[0.286], std: &[0.353] };
    let shape = [raw.height, raw.width, raw.channels];
    Images::new(&raw.train.images, shape, &normalisation, Kind::Float, Device::Cpu)
}

/// Parameters after 20 steps of a run; children of different numbers go different ways from the
/// same initialisation.
fn trained(raw: &RawDataset, images: &Images<'_>, child: u32) -> Parameters {
    let base = spec("resnet8", 4, Precision::F32);
    let parent = datadiet_store::RunId::of(&base);
    let spec = RunSpec { spawn: Some(Spawn { parent, step: 0, child }), ..base };
    let (network, parameters) = build(&spec.network, GREY, 3).unwrap();
    let examples: Vec<ExampleId> = (0..raw.train.labels.len() as u32).map(ExampleId).collect();
    let mut trainer =
        Trainer::new(network, parameters, &spec, images, &raw.train.labels, &examples);
    (0..20).for_each(|_| drop(trainer.train_step()));
    trainer.parameters
}

#[test]
fn the_line_between_two_networks() {
    let raw = sample();
    let images = images(&raw);
    let (from, to) = (trained(&raw, &images, 0), trained(&raw, &images, 1));
    let again = trained(&raw, &images, 1);
    assert_eq!(to.values(), again.values(), "the same child goes the same way");
    assert_ne!(from.values(), to.values(), "another child goes another way");

    let base = spec("resnet8", 4, Precision::F32);
    let (network, _) = build(&base.network, GREY, 3).unwrap();
    let stop = AtomicBool::new(false);
    let statistics: Vec<ExampleId> = (500..500 + 256).map(ExampleId).collect();
    let risks_of = |from: &Parameters, to: &Parameters, alphas: &[f64], set: &[ExampleId]| {
        let path = Path {
            network: &network,
            from,
            to,
            kind: Kind::Float,
            pass: Pass { images: &images, labels: &raw.train.labels, stop: &stop },
            statistics: &statistics,
        };
        path.risks(alphas, &[set.to_vec()]).unwrap().remove(0)
    };
    let set: Vec<ExampleId> = (0..200).map(ExampleId).collect();
    let alphas = [0.0, 0.25, 0.5, 0.75, 1.0];
    let risks = risks_of(&from, &to, &alphas, &set);

    // PyTorch's `update_bn` at the same points.
    let labels: Vec<u32> = set.iter().map(|id| raw.train.labels[id.index()]).collect();
    let mut tensors = named_with_batch(&from, &images.select(&indices(&set)), &labels);
    tensors.extend(named(&to).into_iter().map(|(name, tensor)| (format!("to.{name}"), tensor)));
    tensors.push(("alphas".into(), Tensor::from_slice(&alphas.map(|alpha| alpha as f32))));
    tensors.push(("statistics".into(), images.select(&indices(&statistics))));
    tensors.push(("batch".into(), Tensor::from_slice(&[128_i64])));
    let expected = python("line.py", describe(&base.network, GREY), &tensors);
    for (found, expected) in risks.loss.iter().zip(expected.get("loss")) {
        assert!((found - f64::from(expected)).abs() < 1e-5 * found, "{found} {expected}");
    }
    for (found, expected) in risks.error.iter().zip(expected.get("error")) {
        assert!((found - f64::from(expected)).abs() < 1e-6, "{found} {expected}");
    }

    // α = 0 and 1 are the ends themselves.
    let own = |end: &Parameters| risks_of(end, end, &[0.0], &set);
    assert_eq!([risks.error[0], risks.loss[0]], [own(&from).error[0], own(&from).loss[0]]);
    assert_eq!([risks.error[4], risks.loss[4]], [own(&to).error[0], own(&to).loss[0]]);
    // Between identical children there is no barrier.
    let same = risks_of(&from, &from, &alphas, &set);
    assert_eq!(barrier(&alphas, &same.error), Some(0.0));
    assert_eq!(barrier(&alphas, &same.loss), Some(0.0));
}
