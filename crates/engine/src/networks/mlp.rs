//! Two hidden layers on the flattened image.

use super::{Builder, Task};
use crate::network::{Network, Stage};

pub(crate) fn build(builder: &mut Builder, task: Task, width: i64) -> Network {
    let stages = vec![
        Stage::Flatten,
        builder.linear("fc1", task.channels * task.height * task.width, width),
        Stage::Activation(builder.relu()),
        builder.linear("fc2", width, width),
        Stage::Activation(builder.relu()),
        builder.linear("fc3", width, task.classes),
    ];
    Network { stages }
}
