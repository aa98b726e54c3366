//! Seconds that the fast scores take, and the time to read the same memory once, as JSON.
//!
//! ```text
//! fast_scores el2n LOGITS.f16 LABELS.u32           EL2N of n × K logits
//! fast_scores scores LOGITS.f16 LABELS.u32         all scores of an evaluation pass
//! fast_scores trajectories LOGITS.f32 LABELS.u32   forgetting, AUM and cartography of T × n × K logits
//! fast_scores batch LOGITS.f32 LABELS.u32          all scores of a minibatch, on one thread
//! ```
//!
//! K is 1,000 for the first two and 10 for the others; T and n follow from the lengths. Files are
//! raw little-endian numbers, so that another program can be timed on the same ones:
//! `bench/fast_scores.py` does. Reading the files is not part of the seconds. Each call is made
//! once untimed and then several times; the least and the median seconds are given. So are those
//! of a sum of the logits' memory as 64-bit words, on as many threads, taken in turn with them:
//! nothing that looks at all logits can be faster.

use std::{env, error::Error, fs::File, hint::black_box, io::Read, time::Instant};

use bytemuck::Pod;
use datadiet_core::{
    BatchScores, Element, EpochError, Kept, LogitScores, Matrix, ScoreKind, TrainingDynamics,
    el2n_into,
};
use half::f16;
use rayon::prelude::*;

type Outcome<T> = Result<T, Box<dyn Error>>;

const MANY_CLASSES: usize = 1000;
const FEW_CLASSES: usize = 10;

/// Times that a call is timed.
const ROUNDS: usize = 5;

/// Calls in one timing of what takes microseconds.
const CALLS: usize = 1000;

fn main() -> Outcome<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["el2n", logits, labels] => time_el2n(&numbers::<f16>(logits)?, &numbers(labels)?),
        ["scores", logits, labels] => time_scores(&numbers::<f16>(logits)?, &numbers(labels)?),
        ["trajectories", logits, labels] => {
            time_trajectories(&numbers::<f32>(logits)?, &numbers(labels)?)
        }
        ["batch", logits, labels] => time_batch(&numbers::<f32>(logits)?, &numbers(labels)?),
        _ => Err("usage: fast_scores el2n|scores|trajectories|batch LOGITS LABELS".into()),
    }
}

fn time_el2n<E: Element + Pod>(logits: &[E], labels: &[u32]) -> Outcome<()> {
    let matrix = Matrix::logits(logits, MANY_CLASSES);
    let mut scores = vec![0.0; labels.len()];
    let times = timed(logits, || el2n_into(matrix, labels, &mut scores))?;
    report(&[("mean", mean(&scores))], &times, size_of_val(logits))
}

fn time_scores<E: Element + Pod>(logits: &[E], labels: &[u32]) -> Outcome<()> {
    let matrix = Matrix::logits(logits, MANY_CLASSES);
    let times = timed(logits, || LogitScores::of(matrix, labels).map(drop))?;
    let scores = LogitScores::of(matrix, labels)?;
    let found = [
        ("mean", mean(&scores[ScoreKind::El2n])),
        ("mean_entropy", mean(&scores[ScoreKind::Entropy])),
    ];
    report(&found, &times, size_of_val(logits))
}

fn time_trajectories(logits: &[f32], labels: &[u32]) -> Outcome<()> {
    let epochs = logits.chunks_exact(labels.len() * FEW_CLASSES);
    let epochs: Vec<_> = epochs.map(|epoch| Matrix::logits(epoch, FEW_CLASSES)).collect();
    let columns = || -> Result<Vec<Vec<f32>>, EpochError> {
        let dynamics = TrainingDynamics::of_epochs_keeping(&epochs, labels, Kept::NONE)?;
        Ok(ScoreKind::ALL.iter().filter_map(|&kind| dynamics.column(kind)).collect())
    };
    let times = timed(logits, || columns().map(drop))?;
    let means: Vec<f64> = columns()?.iter().map(|column| mean(column)).collect();
    let found = [
        ("mean", means[3]),
        ("forgetting", means[0]),
        ("aum", means[2]),
        ("variability", means[4]),
        ("correctness", means[5]),
    ];
    report(&found, &times, size_of_val(logits))
}

fn time_batch(logits: &[f32], labels: &[u32]) -> Outcome<()> {
    let matrix = Matrix::logits(logits, FEW_CLASSES);
    let mut batch = BatchScores::default();
    let mut times = timed(logits, || {
        for _ in 0..CALLS {
            batch.score(black_box(matrix), black_box(labels))?;
        }
        Ok::<(), datadiet_core::ScoreError>(())
    })?;
    times.ours.iter_mut().for_each(|seconds| *seconds /= CALLS as f64);
    report(&[("mean", mean(&batch.scores()[ScoreKind::El2n]))], &times, size_of_val(logits))
}

/// Seconds, ascending.
struct Times {
    ours: Vec<f64>,
    reading: Vec<f64>,
}

fn timed<E: Pod + Sync, R>(
    memory: &[E],
    mut call: impl FnMut() -> Result<(), R>,
) -> Result<Times, R> {
    call()?;
    read_all(memory);
    let mut times = Times { ours: Vec::new(), reading: Vec::new() };
    for _ in 0..ROUNDS {
        let began = Instant::now();
        call()?;
        times.ours.push(began.elapsed().as_secs_f64());
        let began = Instant::now();
        read_all(memory);
        times.reading.push(began.elapsed().as_secs_f64());
    }
    times.ours.sort_by(f64::total_cmp);
    times.reading.sort_by(f64::total_cmp);
    Ok(times)
}

/// Reads every whole word of 64 bits.
fn read_all<E: Pod + Sync>(memory: &[E]) {
    let bytes: &[u8] = bytemuck::cast_slice(memory);
    let (_, words, _) = bytemuck::pod_align_to::<u8, u64>(bytes);
    let sum = |words: &[u64]| words.iter().fold(0, |sum: u64, word| sum.wrapping_add(*word));
    black_box(words.par_chunks(1 << 17).map(sum).reduce(|| 0, u64::wrapping_add));
}

fn report(found: &[(&str, f64)], times: &Times, bytes: usize) -> Outcome<()> {
    let found: Vec<String> =
        found.iter().map(|(name, value)| format!("\"{name}\": {value}, ")).collect();
    let [ours, reading] = [&times.ours, &times.reading];
    println!(
        "{{{}\"seconds\": {}, \"least_seconds\": {}, \"reading_seconds\": {}, \
         \"least_reading_seconds\": {}, \"bytes\": {bytes}, \"threads\": {}}}",
        found.concat(),
        ours[ROUNDS / 2],
        ours[0],
        reading[ROUNDS / 2],
        reading[0],
        rayon::current_num_threads()
    );
    Ok(())
}

fn mean(column: &[f32]) -> f64 {
    column.iter().map(|&value| f64::from(value)).sum::<f64>() / column.len() as f64
}

fn numbers<N: Pod>(path: &str) -> Outcome<Vec<N>> {
    let mut file = File::open(path).map_err(|error| format!("{path}: {error}"))?;
    let n = usize::try_from(file.metadata()?.len())? / size_of::<N>();
    let mut numbers = vec![N::zeroed(); n];
    file.read_exact(bytemuck::cast_slice_mut(&mut numbers))?;
    Ok(numbers)
}
