//! What the fuzz targets share: the fuzzer's bytes as a file, as a data set or as names of files, read to
//! the end or to the first error.
//!
//! A target fails where a reader panics, where a sum overflows, where the address sanitiser objects
//! and where memory grows beyond the fuzzer's limit. A panic of a decoder from elsewhere that the
//! reader answers for with an error is not a failure.

use std::cell::RefCell;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::OnceLock;

use datadiet_core::Silent;
use datadiet_data::ImportOptions;
use datadiet_ingest::{Batch, Kind, Names, Options, find, open};
pub use libfuzzer_sys;

/// Most files in a folder of names.
const MOST_NAMES: usize = 12;

thread_local! {
    /// What the last panic said.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps what a panic says, in place of the fuzzer's own hook, which ends the process before a
/// reader can answer for its decoder.
pub fn hear_panics() {
    std::panic::set_hook(Box::new(|panic| {
        PANIC.with_borrow_mut(|last| *last = format!("{panic}"));
    }));
}

/// Ends the process where a reader panics. What is wrong with a file is not the question here.
pub fn survive(read: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(read)).is_err() {
        PANIC.with_borrow(|last| eprintln!("{last}"));
        process::abort();
    }
}

/// A folder of this process alone, in memory where the system has such.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let folder = parent.join(format!("datadiet-fuzz-{}", process::id()));
        fs::create_dir_all(&folder).expect("room for temporary files");
        folder
    })
}

fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let file = folder().join(name);
    fs::create_dir_all(file.parent().expect("in the folder")).expect("room for temporary files");
    fs::write(&file, bytes).expect("room for temporary files");
    file
}

/// Reads the bytes as a file of logits of that ending, and as one of losses.
pub fn logits(ending: &str, bytes: &[u8]) {
    let file = file(&format!("logits.{ending}"), bytes);
    for kind in [None, Some(Kind::Losses)] {
        let names = Names { kind, ..Names::default() };
        let Ok(mut reader) = open(&file, &names) else { continue };
        let mut batch = Batch::default();
        while let Ok(true) = reader.read(&mut batch) {
            assert_eq!(batch.values.len(), batch.rows * reader.columns(), "values of every row");
            if reader.kind() == Some(Kind::Losses) {
                let epochs = reader.said().epochs.len();
                assert_eq!(reader.columns(), epochs.max(1), "a loss of each epoch");
            }
        }
    }
}

/// Imports the bytes as a data set in a file of that name.
pub fn data_set(name: &str, bytes: &[u8]) {
    let file = file(name, bytes);
    let options = ImportOptions { allow_empty_class: true, ..ImportOptions::default() };
    if let Ok(set) = datadiet_data::read(&file, None, &options, &Silent) {
        assert!(set.train.labels.iter().all(|&label| (label as usize) < set.classes.len()));
    }
}

/// Imports the bytes as the one picture of a class. Pictures are small, as in a data set: what is
/// wrong with one does not depend on its size.
pub fn picture(bytes: &[u8]) {
    let picture = file("pictures/class/picture.jpg", bytes);
    let set = picture.parent().and_then(Path::parent).expect("a folder of classes");
    let options = ImportOptions { resize: Some((8, 8)), ..ImportOptions::default() };
    if let Ok(set) = datadiet_data::read(set, None, &options, &Silent) {
        assert_eq!(set.train.labels, [0]);
    }
}

/// Takes the lines of the bytes for names of files of one training; a first line with `{` is a pattern.
pub fn names(bytes: &[u8]) {
    // One row of two logits.
    const ARRAY: &[u8] = b"\x93NUMPY\x01\x00\x46\x00\
{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }            \n\
\x00\x00\x80\x3f\x00\x00\x00\x00";
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines().peekable();
    let pattern = lines.next_if(|line| line.contains('{')).map(|line| line.parse().ok());
    let training = folder().join("names");
    let _ = fs::remove_dir_all(&training);
    for name in lines.take(MOST_NAMES) {
        let plain = !name.is_empty() && !name.contains(['/', '\0']) && name.len() < 200;
        if plain && name != "." && name != ".." {
            file(&format!("names/{name}.npy"), ARRAY);
        }
    }
    let options = Options { pattern: pattern.flatten(), ..Options::default() };
    let Ok(found) = find(&[training], &options) else { return };
    for run in &found.runs {
        assert!(!run.files.is_empty(), "a run without files");
    }
}

/// A target of what reads bytes.
#[macro_export]
macro_rules! target {
    ($read:expr) => {
        $crate::libfuzzer_sys::fuzz_target!(
            init: $crate::hear_panics(),
            |bytes: &[u8]| $crate::survive(|| ($read)(bytes))
        );
    };
}

/// The target of a reader of logits, by the ending of its files.
#[macro_export]
macro_rules! reader {
    ($ending:literal) => {
        $crate::target!(|bytes| $crate::logits($ending, bytes));
    };
}
