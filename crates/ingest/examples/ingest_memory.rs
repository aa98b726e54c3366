//! Ingests runs and says how long it took and how much memory, at most (Linux).
//!
//! `cargo run --release -p datadiet-ingest --example ingest_memory -- RUN…`

use std::path::Path;
use std::time::Instant;

use datadiet_ingest::{Options, Run, ingest};

fn main() {
    let runs: Vec<String> = std::env::args().skip(1).collect();
    let runs = runs.iter().map(|run| Run::find(Path::new(run)));
    let runs: Vec<Run> = runs.collect::<Result<_, _>>().expect("folders or files of logits");
    let bytes: u64 = runs
        .iter()
        .flat_map(|run| &run.files)
        .map(|file| std::fs::metadata(&file.path).map_or(0, |found| found.len()))
        .sum();
    let start = Instant::now();
    let found = ingest(&runs, &Options::default(), &mut |_| {}).expect("files that can be read");
    let seconds = start.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("no peak known");
    println!(
        "{:.1} GB, {} examples, {} columns: {seconds:.1} s, {:.2} GB/s, {peak}",
        bytes as f64 / 1e9,
        found.labels.len(),
        found.columns.len(),
        bytes as f64 / 1e9 / seconds,
    );
}
