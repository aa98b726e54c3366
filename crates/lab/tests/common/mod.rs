//! A training and a result for tests whose trainers do not train.

use datadiet_store::{
    Augmentation, DeviceKind, Labels, LearningRate, NetworkSpec, Precision, Recording, RunResult,
    RunSpec, Schedule, Subset,
};
use datadiet_table::DataRef;

/// A training of so many steps that records nothing.
pub fn training(steps: u64, batch: u32) -> RunSpec {
    RunSpec {
        semantics: RunSpec::SEMANTICS,
        data: DataRef { name: "d".into(), fingerprint: "f".into(), limit: None },
        labels: Labels::Original,
        subset: Subset::Full,
        validation: None,
        network: NetworkSpec { name: "n".into(), width: 1 },
        schedule: Schedule {
            steps,
            batch,
            learning_rate: LearningRate::WarmUpLinear { peak: 0.1, warm_up: 1 },
            momentum: 0.9,
            nesterov: true,
            weight_decay: 0.0,
        },
        augmentation: Augmentation { crop_padding: 0, flip: false },
        precision: Precision::F32,
        device: DeviceKind::Cpu,
        threads: 1,
        seed: 0,
        replica: 0,
        stop_after: steps,
        record: Recording::default(),
        spawn: None,
    }
}

/// What such a training comes to.
pub fn result(steps: u64) -> RunResult {
    RunResult {
        steps,
        images_trained: 1,
        images_scored: 1,
        train_seconds: 1.0,
        score_seconds: 1.0,
        images_differentiated: 0,
        gradient_seconds: 0.0,
        final_train_loss: 1.0,
        test_accuracy: vec![],
        validation_accuracy: None,
        peak_memory_mib: 1.0,
    }
}
