//! Exchange of tensors with Python's torch.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use datadiet_data::{ImportOptions, RawDataset};
use datadiet_engine::evaluation::to_vec;
use datadiet_engine::networks::Task;
use datadiet_engine::parameters::Parameters;
use datadiet_store::{
    Augmentation, DataRef, DeviceKind, Labels, LearningRate, NetworkSpec, Precision, Recording,
    RunSpec, Schedule, Subset,
};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use tch::{Kind, Tensor};

/// The top of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Tensors by name.
pub type Named = Vec<(String, Tensor)>;

/// Parameters and buffers under the names that the reference scripts expect.
pub fn named(parameters: &Parameters) -> Named {
    let values = parameters.names().iter().zip(parameters.values());
    let buffers = parameters.buffer_names().iter().zip(parameters.buffers());
    values
        .map(|(name, value)| (format!("param.{name}"), value.copy()))
        .chain(buffers.map(|(name, value)| (format!("buffer.{name}"), value.copy())))
        .collect()
}

/// The same with a batch that the reference scripts are to pass through the network.
pub fn named_with_batch(parameters: &Parameters, images: &Tensor, labels: &[u32]) -> Named {
    let mut tensors = named(parameters);
    tensors.push(("images".into(), images.copy()));
    let wide: Vec<i64> = labels.iter().map(|&label| i64::from(label)).collect();
    tensors.push(("labels".into(), Tensor::from_slice(&wide)));
    tensors
}

/// Metadata that says which network to build.
pub fn describe(spec: &NetworkSpec, task: Task) -> HashMap<String, String> {
    HashMap::from([
        ("network".into(), spec.name.clone()),
        ("width".into(), spec.width.to_string()),
        ("channels".into(), task.channels.to_string()),
        ("height".into(), task.height.to_string()),
        ("width_px".into(), task.width.to_string()),
        ("classes".into(), task.classes.to_string()),
    ])
}

/// Runs `tests/reference/<script>` on these tensors and gives what it wrote.
pub fn python(script: &str, metadata: HashMap<String, String>, tensors: &Named) -> Answer {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) =
        (folder.path().join("in.safetensors"), folder.path().join("out.safetensors"));
    let owned: Vec<_> = tensors
        .iter()
        .map(|(name, tensor)| {
            let shape: Vec<usize> = tensor.size().iter().map(|&side| side as usize).collect();
            (name, shape, bytes(tensor))
        })
        .collect();
    let views = owned.iter().map(|(name, shape, (dtype, bytes))| {
        (name.as_str(), TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    std::fs::write(&input, safetensors::serialize(views, Some(metadata)).unwrap()).unwrap();
    let interpreter = root().join(".torch/python");
    assert!(interpreter.exists(), "run scripts/setup-torch --python first");
    let done = Command::new(interpreter)
        .arg(root().join("tests/reference").join(script))
        .args([&input, &output])
        .output()
        .unwrap();
    assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
    Answer(std::fs::read(&output).unwrap())
}

fn bytes(tensor: &Tensor) -> (Dtype, Vec<u8>) {
    match tensor.kind() {
        Kind::Int64 => {
            let values: Vec<i64> = tensor.contiguous().view(-1).try_into().unwrap();
            (Dtype::I64, bytemuck::cast_slice(&values).to_vec())
        }
        _ => (Dtype::F32, bytemuck::cast_slice(&to_vec(tensor)).to_vec()),
    }
}

/// What Python wrote.
pub struct Answer(Vec<u8>);

impl Answer {
    /// A tensor of floats, flattened.
    pub fn get(&self, name: &str) -> Vec<f32> {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let view = file.tensor(name).unwrap_or_else(|_| panic!("Python gave no {name}"));
        bytemuck::pod_collect_to_vec(view.data())
    }
}

/// ‖a − b‖ / ‖b‖.
pub fn relative_error(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let both = found.iter().zip(expected);
    let difference = square(&mut both.map(|(a, b)| f64::from(*a) - f64::from(*b)));
    difference / square(&mut expected.iter().map(|&b| f64::from(b))).max(1e-12)
}

/// 1,000 + 200 real Fashion-MNIST images.
pub fn sample() -> RawDataset {
    let path = root().join("samples/fashion-mnist");
    datadiet_data::read(&path, None, &ImportOptions::default(), &datadiet_data::Silent).unwrap()
}

/// A short training on the sample.
pub fn spec(network: &str, width: u32, precision: Precision) -> RunSpec {
    RunSpec {
        semantics: RunSpec::SEMANTICS,
        data: DataRef { name: "sample".into(), fingerprint: String::new(), limit: None },
        labels: Labels::Original,
        subset: Subset::Full,
        validation: None,
        network: NetworkSpec { name: network.into(), width },
        schedule: Schedule {
            steps: 20,
            batch: 64,
            learning_rate: LearningRate::WarmUpLinear { peak: 0.05, warm_up: 4 },
            momentum: 0.9,
            nesterov: true,
            weight_decay: 5e-4,
        },
        augmentation: Augmentation { crop_padding: 0, flip: false },
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
