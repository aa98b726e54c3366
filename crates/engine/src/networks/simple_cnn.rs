//! Three pairs of 3×3 convolutions with bias; the second of each pair halves the size.

use super::{Builder, Task};
use crate::network::{Network, Stage};

pub(crate) fn build(builder: &mut Builder, task: Task, width: i64) -> Network {
    let mut stages = Vec::new();
    let mut inputs = task.channels;
    for (pair, outputs) in [width, 2 * width, 4 * width].into_iter().enumerate() {
        let number = pair + 1;
        stages.push(builder.conv(&format!("conv{number}a"), (inputs, outputs), 3, 1, true));
        stages.push(Stage::Activation(builder.relu()));
        stages.push(builder.conv(&format!("conv{number}b"), (outputs, outputs), 3, 2, true));
        stages.push(Stage::Activation(builder.relu()));
        inputs = outputs;
    }
    stages.push(Stage::MeanPool);
    stages.push(builder.linear("fc", inputs, task.classes));
    Network { stages }
}
