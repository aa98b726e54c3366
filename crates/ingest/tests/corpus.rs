//! Every damaged file that was ever kept (see `scripts/fuzz`) is answered, not died of.

use std::path::{Path, PathBuf};

use datadiet_ingest::{Batch, IngestError, Names, open};

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn read(path: &Path) -> Result<u64, IngestError> {
    let mut reader = open(path, &Names::default())?;
    let (mut batch, mut rows) = (Batch::default(), 0);
    while reader.read(&mut batch)? {
        assert_eq!(batch.values.len(), batch.rows * reader.columns());
        rows += batch.rows as u64;
    }
    Ok(rows)
}

#[test]
fn damaged_files_are_answered() {
    let corpus = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus"));
    assert!(corpus.len() > 50, "the corpus is not there: {} files", corpus.len());
    let refused = corpus.iter().filter(|path| read(path).is_err()).count();
    assert!(refused * 2 > corpus.len(), "{refused} of {} are refused", corpus.len());
}
