//! Measurements on the weights that runs kept.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use datadiet_core::{ExampleId, Stream, kernel_distance, permutation, rng};
use datadiet_data::DataHome;
use datadiet_store::{
    KernelDistance, Line, ListRef, Measured, Measurement, MeasurementFolder, Risks, RunFolder,
    RunSpec,
};
use tch::{Kind, Tensor};

use crate::EngineError;
use crate::connectivity::Path;
use crate::device::device_for;
use crate::evaluation::{Pass, indices};
use crate::material::{Material, checked_ids};
use crate::network::{Network, Weights};
use crate::networks;
use crate::ntk::logit_gram;
use crate::parameters::Parameters;
use crate::precision::kind_of;
use crate::session::{load_train, open_data, task_of};
use crate::snapshot::read_weights;

/// What a measurement needs from its surroundings; none of it changes the result, but for the last
/// bits of a kernel, which depend on how much fits the memory.
pub struct Surroundings<'a> {
    /// Where data sets are.
    pub data: &'a DataHome,
    /// Which GPU, for runs on one.
    pub gpu: usize,
    /// Bytes that a kernel may use.
    pub memory: usize,
    /// Set from outside to stop.
    pub stop: &'a AtomicBool,
}

/// Makes a measurement and records it.
///
/// # Errors
/// When weights are missing, the runs do not suit each other or the data, or it is stopped.
pub fn measure(
    folder: &MeasurementFolder,
    measurement: &Measurement,
    surroundings: &Surroundings<'_>,
) -> Result<(), EngineError> {
    let start = Instant::now();
    let seconds = || start.elapsed().as_secs_f64();
    let measured = match measurement {
        Measurement::KernelDistance(wanted) => {
            let distance = distance(folder, wanted, surroundings)?;
            Measured::KernelDistance { distance, seconds: seconds() }
        }
        Measurement::Line(wanted) => {
            let risks = line(folder, wanted, surroundings)?;
            Measured::Line { risks, seconds: seconds() }
        }
    };
    Ok(folder.complete(&measured)?)
}

fn distance(
    folder: &MeasurementFolder,
    wanted: &KernelDistance,
    surroundings: &Surroundings<'_>,
) -> Result<f64, EngineError> {
    let (run, spec) = RunFolder::open(&folder.run(&wanted.run))?;
    let dataset = open_data(surroundings.data, &spec)?;
    let device = device_for(&spec, surroundings.gpu)?;
    let (network, mut parameters) = networks::build(&spec.network, task_of(&dataset), 0)?;
    parameters.move_to(device);
    let (images, labels) = load_train(&dataset, &spec, Kind::Float, device);
    let ids = ids(folder, &wanted.examples, labels.len())?;
    let images = images.select(&indices(&ids));
    let kernel = |step| -> Result<Vec<f64>, EngineError> {
        if surroundings.stop.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(EngineError::Stopped);
        }
        read_weights(&run, step, &parameters)?;
        kernel(&network, &parameters, &images, surroundings.memory)
    };
    let (first, second) = (kernel(wanted.from)?, kernel(wanted.to)?);
    kernel_distance(&first, &second).map_err(|error| EngineError::Unsuitable(error.to_string()))
}

fn kernel(
    network: &Network,
    parameters: &Parameters,
    images: &Tensor,
    memory: usize,
) -> Result<Vec<f64>, EngineError> {
    let working = parameters.working_copy(Kind::Float);
    let gram = logit_gram(network, &Weights { parameters, working: &working }, images, memory)?;
    Ok(Vec::try_from(gram.view(-1)).expect("a vector of 64-bit floats"))
}

fn line(
    folder: &MeasurementFolder,
    wanted: &Line,
    surroundings: &Surroundings<'_>,
) -> Result<Vec<Risks>, EngineError> {
    let (from, spec) = RunFolder::open(&folder.run(&wanted.from))?;
    let (to, other) = RunFolder::open(&folder.run(&wanted.to))?;
    if !spec.trains_like(&other) {
        return Err(EngineError::Unsuitable(format!(
            "runs {} and {} train by different specifications: the line between them means nothing",
            wanted.from, wanted.to
        )));
    }
    let dataset = open_data(surroundings.data, &spec)?;
    let device = device_for(&spec, surroundings.gpu)?;
    let (images, original) = load_train(&dataset, &spec, kind_of(spec.precision), device);
    let task = task_of(&dataset);
    let material = Material::read(&from, &spec, original, task.classes as u32)?;
    let end = |run: &RunFolder| -> Result<(Network, Parameters), EngineError> {
        let (network, mut parameters) = networks::build(&spec.network, task, 0)?;
        parameters.move_to(device);
        read_weights(run, wanted.step, &parameters)?;
        Ok((network, parameters))
    };
    let ((network, first), (_, second)) = (end(&from)?, end(&to)?);
    let sets = wanted.sets.iter().map(|set| ids(folder, set, original.len()));
    let sets = sets.collect::<Result<Vec<_>, _>>()?;
    let path = Path {
        network: &network,
        from: &first,
        to: &second,
        pass: Pass { images: &images, labels: &material.labels, stop: surroundings.stop },
        statistics: &drawn(&material.examples, wanted.statistics as usize, &spec),
    };
    path.risks(&wanted.alphas, &sets)
}

/// `count` of the examples trained on, the same for all points and pairs of a training.
fn drawn(examples: &[ExampleId], count: usize, spec: &RunSpec) -> Vec<ExampleId> {
    let mut rng = rng(spec.seed, 0, Stream::Statistics, 0);
    let order = permutation(examples.len(), &mut rng);
    order.iter().take(count).map(|&at| examples[at as usize]).collect()
}

fn ids(
    folder: &MeasurementFolder,
    list: &ListRef,
    all: usize,
) -> Result<Vec<ExampleId>, EngineError> {
    checked_ids(folder.read_list(list)?, all)
}
