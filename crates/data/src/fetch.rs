//! Fetching published data sets by name.
//!
//! Each has its own file with its sources in order of preference. Whatever the source, the bytes
//! are checked against pinned sums before anything is cached, so all sources give the same
//! fingerprint. Everything temporary lies in a hidden folder of the data home and is removed.

mod cifar10;
mod cifar100;
mod command;
mod download;
mod fashion_mnist;

use crate::leftovers;
use crate::{DataError, DataHome, Dataset, ImportOptions, RawDataset, Result, write_cache};
use datadiet_core::{Progress, nearest};
use std::path::Path;

/// The names that [`fetch`] knows.
pub const FETCHABLE: [&str; 3] = ["cifar10", "cifar100", "fashion-mnist"];

/// What the names of temporary folders begin with.
const PREFIX: &str = ".fetch-";

/// Downloads, checks and caches a published data set under its own name.
///
/// One that is there already is opened and nothing is downloaded; `options.replace` forces it.
pub fn fetch(
    name: &str,
    home: &DataHome,
    options: &ImportOptions,
    progress: &dyn Progress,
) -> Result<Dataset> {
    let Some(published) = published(name) else { return Err(not_fetchable(name)) };
    if home.path_of(name).exists() && !options.replace {
        return opened(home, name, &published);
    }
    let temporary = temporary_folder(home)?;
    let raw = (published.obtain)(temporary.path(), progress)?;
    write_cache(home, name, &raw, options)
}

/// A data set that can be fetched.
struct Published {
    /// What its cache must have as fingerprint, whatever the source, where that is pinned.
    fingerprint: Option<&'static str>,
    /// Downloads and checks it, using the folder for temporary files.
    obtain: fn(&Path, &dyn Progress) -> Result<RawDataset>,
}

fn published(name: &str) -> Option<Published> {
    match name {
        "cifar10" => {
            Some(Published { fingerprint: Some(cifar10::FINGERPRINT), obtain: cifar10::obtain })
        }
        "cifar100" => Some(Published { fingerprint: None, obtain: cifar100::obtain }),
        "fashion-mnist" => Some(Published {
            fingerprint: Some(fashion_mnist::FINGERPRINT),
            obtain: fashion_mnist::obtain,
        }),
        _ => None,
    }
}

fn opened(home: &DataHome, name: &str, published: &Published) -> Result<Dataset> {
    let dataset = Dataset::open(home, name)?;
    if published.fingerprint.is_none_or(|pinned| dataset.fingerprint() == pinned) {
        return Ok(dataset);
    }
    Err(DataError::AlreadyExists { name: name.into(), path: home.path_of(name) })
}

fn temporary_folder(home: &DataHome) -> Result<tempfile::TempDir> {
    std::fs::create_dir_all(home.path())
        .map_err(DataError::io("create the folder", home.path()))?;
    leftovers::sweep(home.path(), PREFIX);
    tempfile::Builder::new()
        .prefix(PREFIX)
        .tempdir_in(home.path())
        .map_err(DataError::io("write to the folder", home.path()))
}

fn not_fetchable(name: &str) -> DataError {
    DataError::NotFetchable {
        name: name.into(),
        nearest: nearest(name, FETCHABLE).map(str::to_owned),
        known: FETCHABLE.join(", "),
    }
}

/// The first source that answers; if none does, what each of them said.
fn first_of(name: &str, sources: &[&dyn Fn() -> Result<RawDataset>]) -> Result<RawDataset> {
    let mut attempts = Vec::new();
    for source in sources {
        match source() {
            Ok(dataset) => return Ok(dataset),
            Err(error) => attempts.push(error.to_string()),
        }
    }
    Err(DataError::AllSourcesFailed { name: name.into(), attempts })
}
