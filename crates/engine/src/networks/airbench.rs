//! The network of Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024 (arXiv 2404.00498), as
//! `airbench94_muon` has it; names are those of its code.
//!
//! Whitened 2×2 patches, which [`Whitening::fit`] computes from images, and GELU; three groups of
//! convolution, max-pool, norm, GELU, convolution, norm, GELU of w, 4w and 4w channels; the largest number
//! of each channel; a linear layer without bias, whose output is divided by its number of inputs. Batch
//! norms have no scale, ε = 10⁻¹², and give the newest batch a weight of 0.4 in their running statistics.
//!
//! The first filters of a convolution, one for each of its inputs, start as the identity, the others as
//! PyTorch's default. The last layer starts with a standard deviation of 1.

use datadiet_store::Activation;
use tch::{Kind, Tensor};

use super::builder::CPU;
use super::{Builder, Task};
use crate::aten::ConvShape;
use crate::layers::{BatchNorm, Conv2d, Linear, Whitening, whitening};
use crate::network::{Network, Stage};

/// Weight of the newest batch in running statistics.
const MOMENTUM: f64 = 0.4;

pub(crate) fn build(builder: &mut Builder, task: Task, width: i64) -> Network {
    let activation = builder.activation.unwrap_or(Activation::Gelu);
    let patch = task.channels * whitening::SIDE * whitening::SIDE;
    let mut inputs = 2 * patch;
    let filters = Tensor::zeros([inputs, task.channels, whitening::SIDE, whitening::SIDE], CPU);
    // PyTorch's default for a convolution.
    let bias = uniform(&[inputs], (patch as f64).sqrt().recip());
    let mut stages = vec![
        Stage::Whitening(Whitening {
            filters: builder.parameters.add_buffer("whiten.weight".into(), filters, None),
            bias: builder.parameters.add("whiten.bias".into(), bias),
        }),
        Stage::Activation(activation),
    ];
    for (index, outputs) in [width, 4 * width, 4 * width].into_iter().enumerate() {
        let name = format!("layers.{}", index + 1);
        stages.push(conv(builder, &format!("{name}.conv1"), inputs, outputs));
        stages.push(Stage::MaxPool(2));
        let norm = norm(builder, &format!("{name}.norm1"), outputs);
        stages.push(Stage::Norm { norm, activation: Some(activation) });
        stages.push(conv(builder, &format!("{name}.conv2"), outputs, outputs));
        let norm = self::norm(builder, &format!("{name}.norm2"), outputs);
        stages.push(Stage::Norm { norm, activation: Some(activation) });
        inputs = outputs;
    }
    stages.extend([Stage::MaxPool(0), Stage::Flatten]);
    let head = uniform(&[task.classes, inputs], 1.0);
    let head = &head / head.std(true);
    stages.push(Stage::Linear(Linear {
        weight: builder.parameters.add("head.weight".into(), head),
        bias: None,
        factor: (inputs as f64).recip(),
    }));
    Network { stages }
}

/// A 3×3 convolution without bias that starts as the identity on its first outputs.
fn conv(builder: &mut Builder, name: &str, inputs: i64, outputs: i64) -> Stage {
    let weight = uniform(&[outputs, inputs, 3, 3], ((inputs * 9) as f64).sqrt().recip());
    let same = inputs.min(outputs);
    let identity = Tensor::eye(same, CPU);
    let mut first = weight.narrow(0, 0, same);
    let _ = first.zero_();
    first.narrow(1, 0, same).select(2, 1).select(2, 1).copy_(&identity);
    Stage::Conv(Conv2d {
        weight: builder.parameters.add(format!("{name}.weight"), weight),
        bias: None,
        shape: ConvShape { stride: 1, padding: 1, groups: 1 },
    })
}

fn norm(builder: &mut Builder, name: &str, channels: i64) -> BatchNorm {
    let parameters = &mut builder.parameters;
    let zeros = || Tensor::zeros([channels], CPU);
    let mut statistic = |which: &str, value: Tensor| {
        parameters.add_buffer(format!("{name}.{which}"), value, Some(MOMENTUM))
    };
    let mean = statistic("running_mean", zeros());
    let variance = statistic("running_var", Tensor::ones([channels], CPU));
    BatchNorm {
        scale: None,
        shift: parameters.add(format!("{name}.bias"), zeros()),
        mean,
        variance,
        epsilon: 1e-12,
        momentum: MOMENTUM,
    }
}

fn uniform(size: &[i64], bound: f64) -> Tensor {
    (Tensor::rand(size, (Kind::Float, CPU.1)) * 2.0 - 1.0) * bound
}
