//! How a network is trained, in words.

use datadiet_core::grouped;
use datadiet_store::{Flip, LearningRate, RunSpec, TrainerSpec, Views};

use super::given::{ACTIVATIONS, VIEWS, word};
use super::options::TrainingOptions;

/// Steps of trainings like `template`, in words: of a program, the examples that it passes.
pub fn length(template: &RunSpec, steps: u64) -> String {
    match template.trainer {
        Some(_) => format!("{} examples passed", grouped(steps)),
        None => format!("{} steps", grouped(steps)),
    }
}

/// The same with the size of their minibatches, where there are any.
pub fn amount(template: &RunSpec, steps: u64) -> String {
    let length = length(template, steps);
    match template.trainer {
        Some(_) => length,
        None => format!("{length} of {}", template.schedule.batch),
    }
}

/// The recipe that was taken, and what came of it and of the options that were given, in a line.
pub fn taken(options: &TrainingOptions, template: &RunSpec) -> String {
    if template.trainer.is_some() {
        return format!("trainer: {}", settings(template));
    }
    format!("recipe {}: {}", options.recipe().name(), settings(template))
}

/// All settings of a training in a line. What is not there is not done.
pub fn settings(spec: &RunSpec) -> String {
    if let Some(trainer) = &spec.trainer {
        return of_program(trainer, spec.schedule.steps);
    }
    let schedule = &spec.schedule;
    let batch = grouped(schedule.batch.into());
    let mut parts = vec![format!("{} steps of {batch}", grouped(schedule.steps))];
    let mut add = |part: String| parts.push(part);
    if let Some(size) = schedule.micro_batch {
        add(format!("{} at a time", grouped(size.into())));
    }
    if let Some(activation) = &spec.network.activation {
        add(word(&ACTIVATIONS, activation).into());
    }
    let rate = learning_rate(&schedule.learning_rate);
    add(match schedule.muon {
        None => rate,
        Some(muon) => format!(
            "Muon {} with momentum {} on filters, {rate} on the rest",
            short(muon.rate),
            short(muon.momentum)
        ),
    });
    let nesterov = if schedule.nesterov { " (Nesterov)" } else { "" };
    add(format!("momentum {}{nesterov}", short(schedule.momentum)));
    add(format!("weight decay {}", short(schedule.weight_decay)));
    if schedule.bias_rate != 1.0 {
        add(format!("biases {} times as fast", short(schedule.bias_rate)));
    }
    if let Some(lookahead) = schedule.lookahead {
        add(format!("lookahead every {} steps, decay {}", lookahead.every, short(lookahead.decay)));
    }
    if schedule.label_smoothing > 0.0 {
        add(format!("label smoothing {}", short(schedule.label_smoothing)));
    }
    if let Some(steps) = schedule.whitening_steps {
        add(format!("whitening bias for {} steps", grouped(steps)));
    }
    add(match spec.augmentation.crop_padding {
        0 => "no crop".into(),
        padding => format!("crop {padding}"),
    });
    add(match spec.augmentation.flip {
        Flip::Never => "no flip".into(),
        Flip::Random => "random flip".into(),
        Flip::Alternating => "alternating flip".into(),
    });
    if spec.views != Views::Plain {
        add(format!("tested on {} views", word(&VIEWS, &spec.views)));
    }
    parts.join(" · ")
}

fn of_program(trainer: &TrainerSpec, presentations: u64) -> String {
    let command = Some(trainer.command.join(" ")).filter(|command| !command.is_empty());
    let mut parts = vec![command.unwrap_or_else(|| trainer.name.clone())];
    parts.extend(trainer.version.iter().map(|version| format!("version {version}")));
    parts.push(format!("{} examples passed", grouped(presentations)));
    parts.extend(trainer.settings.iter().map(|(name, value)| format!("{name} {value}")));
    let metric = &trainer.metric;
    if !metric.is_accuracy() {
        let better = if metric.higher_is_better { "higher" } else { "lower" };
        parts.push(format!("judged by {}, {better} is better", metric.name));
    }
    parts.join(" · ")
}

fn learning_rate(rate: &LearningRate) -> String {
    match rate {
        LearningRate::WarmUpLinear { peak, warm_up: 0 } => {
            format!("lr {} falling linearly to 0", short(*peak))
        }
        LearningRate::WarmUpLinear { peak, warm_up } => {
            format!("lr {} after {} steps, then linearly to 0", short(*peak), grouped(*warm_up))
        }
        LearningRate::Milestones { base, factor, milestones } => {
            let at: Vec<String> = milestones.iter().map(|&step| grouped(step)).collect();
            format!("lr {} × {} at steps {}", short(*base), short(*factor), at.join(", "))
        }
    }
}

/// Four digits: the specification has them all.
fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let rounded: f64 = format!("{value:.3e}").parse().expect("a number");
    if (1e-4..1e6).contains(&rounded.abs()) { rounded.to_string() } else { format!("{rounded:e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_digits() {
        for (value, text) in [
            (0.0, "0"),
            (1340.0, "1340"),
            (0.079_104_477, "0.0791"),
            (2.985_074_6e-6, "2.985e-6"),
            (5e-4, "0.0005"),
            (0.9, "0.9"),
        ] {
            assert_eq!(short(value), text);
        }
    }
}
