//! Points between two networks against PyTorch's own tools, and the laws of such lines.

mod common;

use std::sync::atomic::AtomicBool;

use common::{Question, assert_close, describe, images, named, python, sample, spec, wide};
use datadiet_core::{ExampleId, barrier};
use datadiet_data::RawDataset;
use datadiet_engine::connectivity::Path;
use datadiet_engine::evaluation::{Pass, indices};
use datadiet_engine::images::Images;
use datadiet_engine::network::Network;
use datadiet_engine::networks::{Task, build};
use datadiet_engine::parameters::Parameters;
use datadiet_engine::trainer::Trainer;
use datadiet_store::{Precision, RunSpec, Spawn};
use tch::{Kind, Tensor};

const GREY: Task = Task { channels: 1, height: 28, width: 28, classes: 10 };

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

/// What all lines have in common.
struct Common<'a> {
    network: &'a Network,
    labels: &'a [u32],
    stop: &'a AtomicBool,
    statistics: &'a [ExampleId],
}

impl Common<'_> {
    fn path<'p>(
        &'p self,
        images: &'p Images<'p>,
        from: &'p Parameters,
        to: &'p Parameters,
    ) -> Path<'p> {
        let pass = Pass { images, labels: self.labels, stop: self.stop };
        Path { network: self.network, from, to, pass, statistics: self.statistics }
    }
}

#[test]
fn the_line_between_two_networks() {
    let raw = sample();
    let single = images(&raw, Kind::Float);
    let (from, to) = (trained(&raw, &single, 0), trained(&raw, &single, 1));
    let again = trained(&raw, &single, 1);
    assert_eq!(to.values(), again.values(), "the same child goes the same way");
    assert_ne!(from.values(), to.values(), "another child goes another way");

    let base = spec("resnet8", 4, Precision::F32);
    let (network, _) = build(&base.network, GREY, 3).unwrap();
    let stop = AtomicBool::new(false);
    let statistics: Vec<ExampleId> = (500..500 + 256).map(ExampleId).collect();
    let common = Common {
        network: &network,
        labels: &raw.train.labels,
        stop: &stop,
        statistics: &statistics,
    };
    let set: Vec<ExampleId> = (0..200).map(ExampleId).collect();
    let alphas = [0.0, 0.25, 0.5, 0.75, 1.0];

    // PyTorch's `update_bn` at the same points, in 64-bit floats.
    let double = images(&raw, Kind::Double);
    let labels: Vec<u32> = set.iter().map(|id| raw.train.labels[id.index()]).collect();
    let (from_double, to_double) = (from.cast(Kind::Double), to.cast(Kind::Double));
    let mut tensors = named(&from_double);
    tensors.extend(named(&to_double).into_iter().map(|(name, x)| (format!("to.{name}"), x)));
    tensors.push(("images".into(), double.select(&indices(&set))));
    tensors.push(("labels".into(), wide(&labels)));
    tensors.push(("alphas".into(), Tensor::from_slice(&alphas)));
    tensors.push(("statistics".into(), double.select(&indices(&statistics))));
    tensors.push(("batch".into(), Tensor::from_slice(&[128_i64])));
    let question = Question { metadata: describe(&base.network, GREY), tensors };
    let expected = &python("line.py", &[question])[0];
    for (index, &alpha) in alphas.iter().enumerate() {
        let point = common.path(&double, &from_double, &to_double).point(alpha);
        for (name, buffer) in point.buffer_names().iter().zip(point.buffers()) {
            let expected = expected.get(&format!("buffer.{name}.{index}"));
            assert_close(&format!("{name} at {alpha}"), buffer, &expected, 1e-9);
        }
    }
    // Losses are in 32-bit floats; with the passes, too.
    for images in [&double, &single] {
        let (from, to) = (from.cast(images.kind()), to.cast(images.kind()));
        let risks = common
            .path(images, &from, &to)
            .risks(&alphas, std::slice::from_ref(&set))
            .unwrap()
            .remove(0);
        for (found, expected) in risks.loss.iter().zip(expected.get("loss")) {
            assert!((found - expected).abs() < 1e-5 * expected, "{found} {expected}");
        }
        if images.kind() == Kind::Double {
            let wrong = |errors: &[f64]| -> Vec<f64> {
                errors.iter().map(|error| (error * set.len() as f64).round()).collect()
            };
            assert_eq!(wrong(&risks.error), wrong(&expected.get("error")));
        }
    }

    let risks_of = |from: &Parameters, to: &Parameters, alphas: &[f64]| {
        common.path(&single, from, to).risks(alphas, std::slice::from_ref(&set)).unwrap().remove(0)
    };
    let risks = risks_of(&from, &to, &alphas);
    // α = 0 and 1 are the ends themselves.
    let own = |end: &Parameters| risks_of(end, end, &[0.0]);
    assert_eq!([risks.error[0], risks.loss[0]], [own(&from).error[0], own(&from).loss[0]]);
    assert_eq!([risks.error[4], risks.loss[4]], [own(&to).error[0], own(&to).loss[0]]);
    // Between identical children there is no barrier.
    let same = risks_of(&from, &from, &alphas);
    assert_eq!(barrier(&alphas, &same.error), Some(0.0));
    assert_eq!(barrier(&alphas, &same.loss), Some(0.0));
}
