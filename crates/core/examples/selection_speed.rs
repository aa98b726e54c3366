//! Seconds that choosing the top half and correlating ranks take, as JSON.
//!
//! ```text
//! selection_speed select SCORES.f32                the half with the highest scores
//! selection_speed spearman FIRST.f32 SECOND.f32    the rank correlation of two columns
//! ```
//!
//! Files are raw little-endian 32-bit floats, so that another program can be timed on the same
//! ones: `bench/selection.py` does. Reading them is not part of the seconds, and the first call is
//! not timed: it starts the threads.

use std::{
    env,
    error::Error,
    fs::{self, File},
    io::{BufReader, Read},
    time::Instant,
};

use datadiet_core::{
    Amount, Candidates, Choice, Direction, ExampleId, Quota, Rule, Scores, SelectionError, spearman,
};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["select", scores] => time_select(&column(scores)?),
        ["spearman", first, second] => time_spearman(&column(first)?, &column(second)?),
        _ => Err("usage: selection_speed select SCORES | spearman FIRST SECOND".into()),
    }
}

fn time_select(scores: &[f32]) -> Outcome<()> {
    top_half(scores)?;
    let began = Instant::now();
    let chosen = top_half(scores)?;
    let seconds = began.elapsed().as_secs_f64();
    let lowest = chosen.iter().map(|id| scores[id.index()]).fold(f32::INFINITY, f32::min);
    let found = format!(r#""chosen": {}, "lowest": {}"#, chosen.len(), f64::from(lowest));
    report(&found, seconds)
}

fn top_half(scores: &[f32]) -> Result<Vec<ExampleId>, SelectionError> {
    let amount = Amount::Count(scores.len() / 2);
    let choice = Choice { rule: Rule::Highest, amount, quota: Quota::None, seed: 0 };
    let n = scores.len();
    let scores = Scores { values: scores, direction: Direction::HigherIsHarder };
    Ok(choice.among(Candidates::All(n), Some(scores), None)?.ids)
}

fn time_spearman(first: &[f32], second: &[f32]) -> Outcome<()> {
    spearman(first, second)?;
    let began = Instant::now();
    let rho = spearman(first, second)?;
    report(&format!(r#""spearman": {rho}"#), began.elapsed().as_secs_f64())
}

fn report(found: &str, seconds: f64) -> Outcome<()> {
    println!("{{{found}, \"seconds\": {seconds}, \"peak_mib\": {}}}", peak_mib()?);
    Ok(())
}

/// Most memory that the process ever had, as Linux counts it.
fn peak_mib() -> Outcome<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmHWM")?;
    Ok(kib.parse::<f64>()? / 1024.0)
}

fn column(path: &str) -> Outcome<Vec<f32>> {
    let file = File::open(path).map_err(|error| format!("{path}: {error}"))?;
    let n = usize::try_from(file.metadata()?.len())? / 4;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut number = [0; 4];
    let mut next = || reader.read_exact(&mut number).map(|()| f32::from_le_bytes(number));
    let mut column = Vec::with_capacity(n);
    for _ in 0..n {
        column.push(next()?);
    }
    Ok(column)
}
