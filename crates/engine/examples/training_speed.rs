//! Images a second of training steps: `training_speed NETWORK WIDTH BATCH f32|bf16 ROUNDS STEPS [cuda]`, and of
//! gradient norms with `grand` for STEPS.
//!
//! One thread, CIFAR-10's shape, ten classes, images of noise; a step is all of it: augmentation, both
//! passes, optimiser. Seconds are those that the process had a core, so that other programs on the machine
//! weigh less; with a GPU, of the clock. Prints the rate of every round as JSON.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use datadiet_core::{ExampleId, Stream, rng};
use datadiet_engine::device;
use datadiet_engine::evaluation::{Pass, gradient_norms};
use datadiet_engine::images::{Images, Normalisation};
use datadiet_engine::networks::{Task, build};
use datadiet_engine::precision::kind_of;
use datadiet_engine::trainer::Trainer;
use datadiet_store::{
    Augmentation, DeviceKind, Flip, Labels, LearningRate, NetworkSpec, Precision, Recording,
    RunSpec, Schedule, Subset, Views,
};
use datadiet_table::DataRef;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use rand_chacha::rand_core::Rng;
use tch::Device;

const TASK: Task = Task { channels: 3, height: 32, width: 32, classes: 10 };
const EXAMPLES: usize = 8192;
/// Bytes that gradient norms may use.
const MEMORY: usize = 4 << 30;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let gpu = arguments.last().is_some_and(|last| last == "cuda");
    let [network, width, batch, precision, rounds, steps] =
        &arguments[..arguments.len() - usize::from(gpu)]
    else {
        eprintln!("training_speed NETWORK WIDTH BATCH f32|bf16 ROUNDS STEPS|grand [cuda]");
        std::process::exit(2);
    };
    let number = |text: &str| text.parse::<u32>().expect("a whole number");
    let precision = match precision.as_str() {
        "f32" => Precision::F32,
        "bf16" => Precision::Bf16,
        other => panic!("{other}: f32 or bf16"),
    };
    tch::set_num_threads(1);
    let began = Instant::now();
    let device = if gpu { device::cuda(0).expect("a GPU") } else { Device::Cpu };
    let spec = spec(NetworkSpec::new(network.clone(), number(width)), number(batch), precision);
    let mut pixels = vec![0; EXAMPLES * 32 * 32 * 3];
    rng(0, 0, Stream::Noise, 0).fill_bytes(&mut pixels);
    let normalisation = Normalisation { mean: &[0.5; 3], std: &[0.25; 3] };
    let images = Images::new(&pixels, [32, 32, 3], &normalisation, kind_of(precision), device);
    let labels: Vec<u32> = (0..EXAMPLES as u32).map(|example| example % 10).collect();
    let ids: Vec<ExampleId> = (0..EXAMPLES as u32).map(ExampleId).collect();
    let (network, parameters) = build(&spec.network, TASK, 0).expect("a network of the catalogue");
    let mut trainer = Trainer::new(network, parameters, &spec, &images, &labels, &ids);
    let now = || if gpu { began.elapsed() } else { busy() };
    let mut rates = Vec::new();
    // The first round is not counted: memory and kernels are made in it.
    for round in 0..=number(rounds) {
        let start = now();
        let passed = if steps == "grand" {
            let stop = AtomicBool::new(false);
            let pass = Pass { images: &images, labels: &labels, stop: &stop };
            gradient_norms(&trainer, pass, MEMORY).expect("a rule for every layer").all.len()
        } else {
            for _ in 0..number(steps) {
                let loss = trainer.train_step().loss.double_value(&[]);
                assert!(loss.is_finite(), "the training diverged");
            }
            number(steps) as usize * number(batch) as usize
        };
        let seconds = (now() - start).as_secs_f64();
        if round > 0 {
            rates.push(passed as f64 / seconds);
        }
    }
    println!("{{\"images_per_second\": {rates:.1?}}}");
}

/// How long this process has had a core.
fn busy() -> Duration {
    let used = getrusage(UsageWho::RUSAGE_SELF).expect("the system tells the time");
    let micros = |time: TimeVal| time.tv_sec() as u64 * 1_000_000 + time.tv_usec() as u64;
    Duration::from_micros(micros(used.user_time()) + micros(used.system_time()))
}

fn spec(network: NetworkSpec, batch: u32, precision: Precision) -> RunSpec {
    RunSpec {
        semantics: RunSpec::SEMANTICS,
        data: DataRef { name: "noise".into(), fingerprint: String::new(), limit: None },
        labels: Labels::Original,
        subset: Subset::Full,
        validation: None,
        trainer: None,
        network,
        schedule: Schedule::plain(
            (1 << 20, batch),
            LearningRate::WarmUpLinear { peak: 0.01, warm_up: 1 << 10 },
            0.9,
            5e-4,
        ),
        augmentation: Augmentation { crop_padding: 4, flip: Flip::Random },
        views: Views::Plain,
        precision,
        device: DeviceKind::Cpu,
        threads: 1,
        seed: 0,
        replica: 0,
        stop_after: 1 << 20,
        record: Recording::default(),
        spawn: None,
    }
}
