//! Feeds damaged files to a reader and keeps those that it answers in a new way.
//!
//! ```text
//! cargo run --release -p datadiet-ingest --example fuzz -- npz 120 [SEED]
//! ```
//!
//! Seeds are the files of that format in `tests/data` and `tests/corpus`. A mutation flips bits,
//! writes numbers that are likely to hurt, cuts, repeats or splices pieces. What a reader answers,
//! digits aside, stands for the path that it took: the first file of every answer is kept in
//! `tests/corpus/FORMAT` and mutated further. A file that makes a reader panic is kept as
//! `panic-…` and ends the run; limit the memory (`ulimit -v 4000000`) to find files that make it
//! ask for too much, the last file is then `current.FORMAT` in the temporary folder.
//! `tests/corpus.rs` reads the whole corpus again in every test run.

use std::collections::HashSet;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use datadiet_core::streams::below;
use datadiet_core::{Stream, rng};
use datadiet_ingest::{Batch, Names, open};
use rand_chacha::ChaCha8Rng;

/// Files longer than this are not made.
const LONGEST: usize = 1 << 16;

/// Files that a run keeps.
const MOST_KEPT: u32 = 100;

/// Numbers that lengths and offsets are replaced by.
const NUMBERS: [u64; 12] = [
    0,
    1,
    2,
    0x7f,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_ffff,
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [format, seconds, rest @ ..] = &arguments[..] else { panic!("fuzz FORMAT SECONDS [SEED]") };
    let time = Duration::from_secs(seconds.parse().expect("a number of seconds"));
    let seed: u64 = rest.first().map_or(0, |seed| seed.parse().expect("a number"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let corpus = root.join("corpus").join(format);
    std::fs::create_dir_all(&corpus).expect("a folder for the corpus");
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    for file in files(&root) {
        if file.extension().is_some_and(|ending| ending.to_str() == Some(format.as_str())) {
            seeds.push(std::fs::read(file).expect("a seed"));
        }
    }
    assert!(!seeds.is_empty(), "no file of this format in tests/data");
    let current = std::env::temp_dir().join(format!("current.{format}"));
    let mut answers = HashSet::new();
    for bytes in &seeds {
        std::fs::write(&current, bytes).expect("a temporary file");
        answers.insert(answer(&current));
    }
    // Readers answer for decoders that panic; a panic of their own ends the run with its file named.
    std::panic::set_hook(Box::new(|_| {}));
    let mut rng = rng(seed, 0, Stream::Subset, 0);
    let (start, mut tried, mut kept) = (Instant::now(), 0_u64, 0);
    while start.elapsed() < time {
        let bytes = mutated(&seeds, &mut rng);
        std::fs::write(&current, &bytes).expect("a temporary file");
        tried += 1;
        let Ok(found) = catch_unwind(|| answer(&current)) else {
            let path = corpus.join(format!("panic-{seed}-{tried}.{format}"));
            std::fs::write(&path, &bytes).expect("room for the corpus");
            println!("{} makes the reader panic", path.display());
            std::process::exit(1);
        };
        if answers.insert(found) && kept < MOST_KEPT {
            let path = corpus.join(format!("answer-{seed}-{tried}.{format}"));
            std::fs::write(&path, &bytes).expect("room for the corpus");
            seeds.push(bytes);
            kept += 1;
        }
    }
    println!("{format}: {tried} files in {:?}, {kept} kept, no panic", start.elapsed());
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.into_iter().flat_map(|p| if p.is_dir() { files(&p) } else { vec![p] }).collect()
}

/// What a reader says of a file, without digits.
fn answer(path: &Path) -> String {
    let read = || {
        let mut reader = open(path, &Names::default())?;
        let mut batch = Batch::default();
        while reader.read(&mut batch)? {
            assert_eq!(batch.values.len(), batch.rows * reader.columns(), "values of every row");
        }
        Ok::<_, datadiet_ingest::IngestError>(())
    };
    let text = read().map_or_else(|error| error.to_string(), |()| "read".into());
    text.chars().filter(|c| !c.is_ascii_digit()).take(100).collect()
}

fn mutated(seeds: &[Vec<u8>], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut pick = |bound: usize| below(bound as u32, rng) as usize;
    let mut bytes = seeds[pick(seeds.len())].clone();
    for _ in 0..=pick(4) {
        if bytes.is_empty() {
            bytes.push(0);
        }
        let at = pick(bytes.len());
        match pick(8) {
            0 | 1 => bytes[at] ^= 1 << pick(8),
            2 => bytes[at] = pick(256) as u8,
            3 | 4 => {
                let number = NUMBERS[pick(NUMBERS.len())].to_le_bytes();
                let width = 1 << pick(4);
                for (byte, new) in bytes[at..].iter_mut().zip(&number[..width]) {
                    *byte = *new;
                }
            }
            5 => bytes.truncate(at),
            6 => {
                let piece = bytes[at..(at + pick(64)).min(bytes.len())].to_vec();
                let to = pick(bytes.len());
                bytes.splice(to..to, piece);
            }
            _ => {
                let other = &seeds[pick(seeds.len())];
                let from = pick(other.len().max(1)).min(other.len());
                let piece = other[from..(from + pick(64)).min(other.len())].to_vec();
                let end = (at + pick(64)).min(bytes.len());
                bytes.splice(at..end, piece);
            }
        }
    }
    bytes.truncate(LONGEST);
    bytes
}
