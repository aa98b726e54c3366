//! Seconds and memory of one kernel: `kernel_speed NETWORK WIDTH EXAMPLES THREADS MEMORY_MIB`.
//!
//! CIFAR-10's shape, ten classes, weights at initialisation. Prints one JSON object.

use std::time::Instant;

use datadiet_engine::layers::to_nhwc;
use datadiet_engine::network::Weights;
use datadiet_engine::networks::{Task, build};
use datadiet_engine::ntk::logit_gram;
use datadiet_engine::peak_memory_mib;
use datadiet_store::NetworkSpec;
use tch::{Device, Kind, Tensor};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, width, examples, threads, memory] = &arguments[..] else {
        eprintln!("kernel_speed NETWORK WIDTH EXAMPLES THREADS MEMORY_MIB");
        std::process::exit(2);
    };
    let number = |text: &str| text.parse::<i64>().expect("a whole number");
    tch::set_num_threads(number(threads) as i32);
    let spec = NetworkSpec::new(name.clone(), number(width) as u32);
    let task = Task { channels: 3, height: 32, width: 32, classes: 10 };
    let (network, parameters) = build(&spec, task, 0).expect("a network of the zoo");
    let images = Tensor::randn([number(examples), 3, 32, 32], (Kind::Float, Device::Cpu));
    let images = to_nhwc(&images);
    let weights = Weights { parameters: &parameters, working: parameters.values() };
    let start = Instant::now();
    let gram = logit_gram(&network, &weights, &images, (number(memory) as usize) << 20)
        .expect("enough memory");
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{{\"network\": \"{name}\", \"width\": {width}, \"seconds\": {seconds:.3}, \
         \"peak_mib\": {:.0}, \"trace\": {:e}}}",
        peak_memory_mib(),
        gram.trace().double_value(&[])
    );
}
