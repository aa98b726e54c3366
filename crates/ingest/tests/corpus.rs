//! Every damaged file that was kept (see `scripts/fuzz`) is answered as it was: `corpus.tsv` has the
//! verdict of each, so that a change of one is seen.
//!
//! `CORPUS=write cargo test --release -p datadiet-ingest --test corpus` writes the verdicts again;
//! look at the difference before it is committed. `CORPUS=fewest` also removes files: of those whose
//! verdicts differ in numbers and names alone the smallest stays.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use datadiet_ingest::{Batch, IngestError, Names, open};

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn read(path: &Path) -> Result<String, IngestError> {
    let mut reader = open(path, &Names::default())?;
    let (mut batch, mut rows) = (Batch::default(), 0);
    while reader.read(&mut batch)? {
        assert_eq!(batch.values.len(), batch.rows * reader.columns());
        rows += batch.rows as u64;
    }
    let kind = reader.kind().map_or("values".into(), |kind| kind.to_string());
    Ok(format!("read: {rows} rows of {} {kind}", reader.columns()))
}

/// What is said of a file: its rows, or the first line of the error.
fn verdict(path: &Path) -> String {
    let said = read(path).unwrap_or_else(|error| format!("refused: {error}"));
    let said = said.replace(&path.display().to_string(), "FILE");
    let stem = path.file_stem().unwrap().to_str().unwrap();
    said.replace(stem, "STEM").lines().next().unwrap_or_default().replace('\t', " ")
}

/// A verdict without what differs from file to file: numbers, and names in the file.
fn shape(verdict: &str) -> String {
    let mut shape = String::new();
    for word in verdict.split(' ').take(14) {
        let plain = word.chars().all(|c| c.is_ascii_alphabetic() || ".,;:()".contains(c));
        shape += if plain { word } else { "#" };
        shape += " ";
    }
    shape
}

#[test]
fn damaged_files_are_answered_as_before() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let (folder, list) = (tests.join("corpus"), tests.join("corpus.tsv"));
    let wish = std::env::var("CORPUS").unwrap_or_default();
    let name = |path: &PathBuf| path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
    let mut found: BTreeMap<String, String> =
        files(&folder).iter().map(|path| (name(path), verdict(path))).collect();
    if wish == "fewest" {
        let mut kept: BTreeMap<(String, String), (u64, String)> = BTreeMap::new();
        for (name, verdict) in &found {
            let path = folder.join(name);
            let format = name.split('/').next().unwrap().to_owned();
            let size = std::fs::metadata(&path).unwrap().len();
            // Files that have a name of their own are kept in any case.
            let own = path.file_stem().unwrap().len() != 40;
            let key = (format, if own { name.clone() } else { shape(verdict) });
            let new = (size, name.clone());
            if kept.get(&key).is_none_or(|before| new < *before) {
                kept.insert(key, new);
            }
        }
        let kept: Vec<String> = kept.into_values().map(|(_, name)| name).collect();
        for name in found.keys().filter(|name| !kept.contains(name)) {
            std::fs::remove_file(folder.join(name)).unwrap();
        }
        found.retain(|name, _| kept.contains(name));
    }
    let written: String = found.iter().map(|(name, said)| format!("{name}\t{said}\n")).collect();
    if !wish.is_empty() {
        std::fs::write(&list, &written).unwrap();
    }
    let known = std::fs::read_to_string(&list).unwrap();
    let changed: Vec<_> =
        written.lines().filter(|line| !known.lines().any(|k| k == *line)).collect();
    assert!(changed.is_empty(), "{} new verdicts:\n{}", changed.len(), changed.join("\n"));
    assert_eq!(written.lines().count(), known.lines().count(), "some files are gone");
    assert!(found.len() > 100, "the corpus is not there: {} files", found.len());
}
