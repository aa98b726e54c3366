//! What the fuzz targets share: a file of the fuzzer's bytes, read to its end or its first error.
//!
//! A target fails where a reader panics, where a sum overflows, where the address sanitiser objects
//! and where memory grows beyond the fuzzer's limit. A panic of a decoder from elsewhere that the
//! reader answers for with an error (`guard.rs`) is none.

use std::{
    cell::RefCell, fs, panic::catch_unwind, path::Path, path::PathBuf, process, sync::OnceLock,
};

use datadiet_ingest::{Batch, IngestError, Names, open};
pub use libfuzzer_sys;

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

/// Reads the bytes as a file of that ending.
pub fn read(ending: &str, bytes: &[u8]) {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    let name = || format!("datadiet-fuzz-{}.{ending}", process::id());
    let file = FILE.get_or_init(|| std::env::temp_dir().join(name()));
    fs::write(file, bytes).expect("room in the folder for temporary files");
    // What is wrong with the file is not the question here.
    let Ok(_) = catch_unwind(|| rows(file)) else {
        PANIC.with_borrow(|last| eprintln!("{last}"));
        process::abort();
    };
}

fn rows(file: &Path) -> Result<u64, IngestError> {
    let mut reader = open(file, &Names::default())?;
    let (mut batch, mut rows) = (Batch::default(), 0);
    while reader.read(&mut batch)? {
        assert_eq!(batch.values.len(), batch.rows * reader.columns(), "values of every row");
        rows += batch.rows as u64;
    }
    Ok(rows)
}

/// The target of a reader, by the ending of its files.
#[macro_export]
macro_rules! reader {
    ($ending:literal) => {
        $crate::libfuzzer_sys::fuzz_target!(
            init: $crate::hear_panics(),
            |bytes: &[u8]| $crate::read($ending, bytes)
        );
    };
}
