//! How long `TrajectoryRecorder::update` takes for a batch of 128 × 10, and the end of an epoch.
//!
//! `cargo run --release -p datadiet-core --example recorder_speed`

use std::time::Instant;

use datadiet_core::{ExampleId, Matrix, Stream, TrajectoryRecorder, permutation, rng};

const EXAMPLES: usize = 50_048;
const CLASSES: usize = 10;
const BATCH: usize = 128;
const EPOCHS: u64 = 10;

fn main() {
    let ids = permutation(EXAMPLES, &mut rng(0, 0, Stream::Order, 0));
    let ids: Vec<ExampleId> = ids.into_iter().map(ExampleId).collect();
    let labels: Vec<u32> = ids.iter().map(|id| id.0 % CLASSES as u32).collect();
    let logits: Vec<f32> =
        (0..EXAMPLES * CLASSES).map(|i| ((i * 2_654_435_761) % 1000) as f32 / 100.0).collect();
    let mut recorder = TrajectoryRecorder::new(EXAMPLES, CLASSES);
    let mut batches = Vec::new();
    let mut ends = Vec::new();
    for _ in 0..EPOCHS {
        let rows = logits.chunks(BATCH * CLASSES);
        for ((ids, labels), rows) in ids.chunks(BATCH).zip(labels.chunks(BATCH)).zip(rows) {
            let start = Instant::now();
            recorder.update(ids, Matrix::logits(rows, CLASSES), labels).expect("a good batch");
            batches.push(start.elapsed());
        }
        let start = Instant::now();
        recorder.end_epoch();
        ends.push(start.elapsed());
    }
    batches.sort_unstable();
    ends.sort_unstable();
    println!("update of {BATCH} x {CLASSES}: median {:?}", batches[batches.len() / 2]);
    println!("end_epoch of {EXAMPLES}: median {:?}", ends[ends.len() / 2]);
}
