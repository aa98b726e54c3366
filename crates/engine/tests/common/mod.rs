//! Exchange of tensors with Python's torch.
#![allow(dead_code, reason = "each test file uses a part of it")]

use datadiet_table::DataRef;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use datadiet_data::{ImportOptions, RawDataset};
use datadiet_engine::evaluation::to_vec;
use datadiet_engine::images::{Images, Normalisation};
use datadiet_engine::layers::to_nhwc;
use datadiet_engine::network::{Network, Weights};
use datadiet_engine::networks::{Task, build};
use datadiet_engine::parameters::Parameters;
use datadiet_store::{
    Augmentation, DeviceKind, Flip, Labels, LearningRate, NetworkSpec, Precision, Recording,
    RunSpec, Schedule, Subset, Views,
};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use tch::{Device, Kind, Tensor};

/// The top of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Where the tests compute: on the processor, or on the first GPU if DATADIET_TEST_DEVICE is `cuda`.
pub fn device() -> Device {
    match std::env::var("DATADIET_TEST_DEVICE").as_deref() {
        Err(_) | Ok("cpu") => Device::Cpu,
        Ok("cuda") => datadiet_engine::device::cuda(0).unwrap(),
        Ok(other) => panic!("DATADIET_TEST_DEVICE is cpu or cuda, not {other}"),
    }
}

/// Tensors by name.
pub type Named = Vec<(String, Tensor)>;

/// Torch's generator is one for the process: tests that run beside each other draw in turn, or no
/// seed would give the same numbers twice.
static GENERATOR: Mutex<()> = Mutex::new(());

/// A network with a batch of noise, in 64-bit floats. All numbers are those of 32-bit floats, so that
/// [`Case::single`] has the same.
pub struct Case {
    pub spec: NetworkSpec,
    pub task: Task,
    pub network: Network,
    pub parameters: Parameters,
    pub images: Tensor,
    pub labels: Vec<u32>,
}

impl Case {
    /// The network at initialisation, and so many examples.
    pub fn new(name: &str, width: u32, task: Task, examples: i64, seed: i64) -> Self {
        Self::of(NetworkSpec::new(name, width), task, examples, seed)
    }

    /// The same for any specification of a network. Filters that are not trained are noise.
    pub fn of(spec: NetworkSpec, task: Task, examples: i64, seed: i64) -> Self {
        let device = device();
        let turn = GENERATOR.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let (network, parameters) = build(&spec, task, seed).unwrap();
        let shape = [examples, task.channels, task.height, task.width];
        let images = Tensor::randn(shape, (Kind::Float, Device::Cpu));
        for filters in parameters.buffers().iter().filter(|buffer| buffer.dim() == 4) {
            filters
                .shallow_clone()
                .copy_(&Tensor::randn(filters.size(), (Kind::Float, Device::Cpu)));
        }
        drop(turn);
        let labels = (0..examples as u32).map(|i| i % task.classes as u32).collect();
        let mut parameters = parameters.cast(Kind::Double);
        parameters.move_to(device);
        let images = images.to_kind(Kind::Double).to_device(device);
        Self { spec, task, network, parameters, images, labels }
    }

    /// Moves running statistics, scales and shifts away from their initial values.
    pub fn disturbed(self) -> Self {
        let _turn = GENERATOR.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let draw = |x: &Tensor, low: f64, high: f64| {
            let noise = Tensor::rand(x.size(), (Kind::Float, Device::Cpu)) * (high - low) + low;
            x.shallow_clone().copy_(&noise);
        };
        for buffer in self.parameters.buffers().iter().filter(|buffer| buffer.dim() == 1) {
            draw(buffer, 0.5, 1.5);
        }
        for value in self.parameters.values().iter().filter(|value| value.dim() == 1) {
            draw(value, 0.2, 1.2);
        }
        self
    }

    /// The same numbers in 32-bit floats.
    pub fn single(&self) -> Self {
        Self {
            spec: self.spec.clone(),
            task: self.task,
            network: self.network.clone(),
            parameters: self.parameters.cast(Kind::Float),
            images: self.images.to_kind(Kind::Float),
            labels: self.labels.clone(),
        }
    }

    /// The weights as they are.
    pub fn weights(&self) -> Weights<'_> {
        Weights { parameters: &self.parameters, working: self.parameters.values() }
    }

    /// The batch as layers take it.
    pub fn batch(&self) -> Tensor {
        to_nhwc(&self.images)
    }

    /// What the reference scripts need.
    pub fn question(&self) -> Question {
        let mut tensors = named(&self.parameters);
        tensors.push(("images".into(), self.images.shallow_clone()));
        tensors.push(("labels".into(), wide(&self.labels)));
        Question { metadata: describe(&self.spec, self.task), tensors }
    }
}

/// Labels as Python takes them.
pub fn wide(labels: &[u32]) -> Tensor {
    Tensor::from_slice(&labels.iter().map(|&label| i64::from(label)).collect::<Vec<_>>())
}

/// Copies of parameters and buffers, under the names that the reference scripts expect.
pub fn named(parameters: &Parameters) -> Named {
    let values = parameters.names().iter().zip(parameters.values());
    let buffers = parameters.buffer_names().iter().zip(parameters.buffers());
    values
        .map(|(name, value)| (format!("param.{name}"), value.copy()))
        .chain(buffers.map(|(name, value)| (format!("buffer.{name}"), value.copy())))
        .collect()
}

/// Metadata that says which network to build.
pub fn describe(spec: &NetworkSpec, task: Task) -> HashMap<String, String> {
    let mut metadata = HashMap::from([
        ("network".into(), spec.name.clone()),
        ("width".into(), spec.width.to_string()),
        ("channels".into(), task.channels.to_string()),
        ("height".into(), task.height.to_string()),
        ("width_px".into(), task.width.to_string()),
        ("classes".into(), task.classes.to_string()),
    ]);
    if let Some(activation) = spec.activation {
        metadata.insert("activation".into(), format!("{activation:?}").to_lowercase());
    }
    metadata
}

/// What a reference script is asked.
pub struct Question {
    pub metadata: HashMap<String, String>,
    pub tensors: Named,
}

/// Runs `tests/reference/<script>` once on all questions and gives its answers.
pub fn python(script: &str, questions: &[Question]) -> Vec<Answer> {
    let interpreter = root().join(".torch/python");
    assert!(interpreter.exists(), "run `make torch-python` first");
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(interpreter);
    command.arg(root().join("tests/reference").join(script));
    let outputs: Vec<PathBuf> = (questions.iter().enumerate())
        .map(|(index, question)| {
            let file = |way: &str| folder.path().join(format!("{index}-{way}.safetensors"));
            question.write(&file("in"));
            command.args([file("in"), file("out")]);
            file("out")
        })
        .collect();
    let done = command.output().unwrap();
    assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
    outputs.iter().map(|output| Answer(std::fs::read(output).unwrap())).collect()
}

impl Question {
    fn write(&self, path: &Path) {
        let owned = self.tensors.iter().map(|(name, tensor)| {
            let shape: Vec<usize> = tensor.size().iter().map(|&side| side as usize).collect();
            let (dtype, bytes) = match tensor.kind() {
                Kind::Int64 => (Dtype::I64, bytemuck::cast_slice(&to_vec::<i64>(tensor)).to_vec()),
                Kind::Double => (Dtype::F64, bytemuck::cast_slice(&to_vec::<f64>(tensor)).to_vec()),
                kind => panic!("{name} is {kind:?}: references are in 64-bit floats"),
            };
            (name.as_str(), dtype, shape, bytes)
        });
        let owned: Vec<_> = owned.collect();
        let views = owned.iter().map(|(name, dtype, shape, bytes)| {
            (*name, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
        });
        let metadata = Some(self.metadata.clone());
        std::fs::write(path, safetensors::serialize(views, metadata).unwrap()).unwrap();
    }
}

/// What Python wrote.
pub struct Answer(Vec<u8>);

impl Answer {
    /// A tensor of 64-bit floats, flattened.
    pub fn get(&self, name: &str) -> Vec<f64> {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let view = file.tensor(name).unwrap_or_else(|_| panic!("Python gave no {name}"));
        assert_eq!(view.dtype(), Dtype::F64, "{name}");
        bytemuck::pod_collect_to_vec(view.data())
    }
}

/// Asserts ‖found − expected‖ ≤ `most`·‖expected‖.
#[track_caller]
pub fn assert_close(what: &str, found: &Tensor, expected: &[f64], most: f64) {
    let found: Vec<f64> = to_vec(found);
    assert_eq!(found.len(), expected.len(), "{what}");
    let length = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference = length(&mut found.iter().zip(expected).map(|(a, b)| a - b));
    let error = difference / length(&mut expected.iter().copied());
    assert!(error <= most, "{what} is off by {error:e}");
}

/// 1,000 + 200 real Fashion-MNIST images.
pub fn sample() -> RawDataset {
    let path = root().join("samples/fashion-mnist");
    datadiet_data::read(&path, None, &ImportOptions::default(), &datadiet_core::Silent).unwrap()
}

/// Its training images as activations of `kind`.
pub fn images(raw: &RawDataset, kind: Kind) -> Images<'_> {
    let normalisation = Normalisation { mean: &[0.286], std: &[0.353] };
    let shape = [raw.height, raw.width, raw.channels];
    Images::new(&raw.train.images, shape, &normalisation, kind, device())
}

/// A short training on the sample.
pub fn spec(network: &str, width: u32, precision: Precision) -> RunSpec {
    RunSpec {
        semantics: RunSpec::SEMANTICS,
        data: DataRef { name: "sample".into(), fingerprint: String::new(), limit: None },
        labels: Labels::Original,
        subset: Subset::Full,
        validation: None,
        trainer: None,
        network: NetworkSpec::new(network, width),
        schedule: Schedule::plain(
            (20, 64),
            LearningRate::WarmUpLinear { peak: 0.05, warm_up: 4 },
            0.9,
            5e-4,
        ),
        augmentation: Augmentation { crop_padding: 0, flip: Flip::Never },
        views: Views::Plain,
        precision,
        device: DeviceKind::Cpu,
        threads: 1,
        seed: 7,
        replica: 0,
        stop_after: 20,
        record: Recording::default(),
        spawn: None,
    }
}
