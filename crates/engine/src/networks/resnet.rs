//! Residual networks (He et al. 2015) with a low-resolution stem.
//!
//! Names and strides follow torchvision (v1.5: a bottleneck strides in its 3×3 convolution), so
//! that weights can be exchanged with Python.

use super::{Builder, Task};
use crate::network::{Network, Residual, Stage};

/// The two kinds of residual block.
#[derive(Clone, Copy, PartialEq)]
enum Block {
    /// Two 3×3 convolutions.
    Basic,
    /// 1×1, 3×3, 1×1, four times as wide outside as inside.
    Bottleneck,
}

impl Block {
    fn expansion(self) -> i64 {
        if self == Self::Bottleneck { 4 } else { 1 }
    }
}

pub(crate) fn resnet8(builder: &mut Builder, task: Task, width: i64) -> Network {
    resnet(builder, task, width, Block::Basic, &[1, 1, 1])
}

pub(crate) fn resnet14(builder: &mut Builder, task: Task, width: i64) -> Network {
    resnet(builder, task, width, Block::Basic, &[2, 2, 2])
}

pub(crate) fn resnet20(builder: &mut Builder, task: Task, width: i64) -> Network {
    resnet(builder, task, width, Block::Basic, &[3, 3, 3])
}

pub(crate) fn resnet18(builder: &mut Builder, task: Task, width: i64) -> Network {
    resnet(builder, task, width, Block::Basic, &[2, 2, 2, 2])
}

pub(crate) fn resnet50(builder: &mut Builder, task: Task, width: i64) -> Network {
    resnet(builder, task, width, Block::Bottleneck, &[3, 4, 6, 3])
}

fn resnet(builder: &mut Builder, task: Task, width: i64, kind: Block, depths: &[usize]) -> Network {
    let mut stages = vec![
        builder.conv("conv1", (task.channels, width), 3, 1, false),
        Stage::Norm { norm: builder.norm("bn1", width), activation: Some(builder.relu()) },
    ];
    let mut inputs = width;
    for (stage, &depth) in depths.iter().enumerate() {
        let inner = width << stage;
        for index in 0..depth {
            let stride = if stage > 0 && index == 0 { 2 } else { 1 };
            let name = format!("layer{}.{index}", stage + 1);
            stages.push(block(builder, &name, kind, inputs, inner, stride));
            inputs = inner * kind.expansion();
        }
    }
    stages.push(Stage::MeanPool);
    stages.push(builder.linear("fc", inputs, task.classes));
    Network { stages }
}

fn block(
    builder: &mut Builder,
    name: &str,
    kind: Block,
    inputs: i64,
    inner: i64,
    stride: i64,
) -> Stage {
    let outputs = inner * kind.expansion();
    // (inputs, outputs, kernel, stride) of each convolution.
    let convolutions = match kind {
        Block::Basic => vec![(inputs, inner, 3, stride), (inner, outputs, 3, 1)],
        Block::Bottleneck => {
            vec![(inputs, inner, 1, 1), (inner, inner, 3, stride), (inner, outputs, 1, 1)]
        }
    };
    let last = convolutions.len();
    let mut body = Vec::new();
    let mut norm = None;
    for (number, (inputs, outputs, kernel, stride)) in (1..).zip(convolutions) {
        body.push(builder.conv(
            &format!("{name}.conv{number}"),
            (inputs, outputs),
            kernel,
            stride,
            false,
        ));
        let made = builder.norm(&format!("{name}.bn{number}"), outputs);
        if number < last {
            body.push(Stage::Norm { norm: made, activation: Some(builder.relu()) });
        } else {
            norm = Some(made);
        }
    }
    let norm = norm.expect("a block has convolutions");
    let shortcut = shortcut(builder, name, inputs, outputs, stride);
    Stage::Residual(Residual { body, norm, stride, shortcut, activation: builder.relu() })
}

/// The projection, behind the block's own subsampling.
fn shortcut(
    builder: &mut Builder,
    name: &str,
    inputs: i64,
    outputs: i64,
    stride: i64,
) -> Vec<Stage> {
    if stride == 1 && inputs == outputs {
        return Vec::new();
    }
    vec![
        builder.conv(&format!("{name}.downsample.0"), (inputs, outputs), 1, 1, false),
        Stage::Norm {
            norm: builder.norm(&format!("{name}.downsample.1"), outputs),
            activation: None,
        },
    ]
}
