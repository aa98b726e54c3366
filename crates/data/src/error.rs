//! Everything that can go wrong while reading, caching or fetching a data set.
//!
//! Each message names the file or example concerned and ends with the next thing to do.
//! The type keeps the parts (paths, numbers) so that callers can act on them without parsing text.
//! It does not wrap context from above: that is the caller's job.

use std::path::{Path, PathBuf};

/// The result of everything in this crate.
pub type Result<T, E = DataError> = std::result::Result<T, E>;

/// What went wrong with a data set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system refused.
    #[error("cannot {action} {}: {cause}; check that the path exists, that you may use it and that the disk is not full", path.display())]
    Io {
        /// What was tried, as a verb: `read`, `write`, …
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The reason given.
        cause: std::io::Error,
    },

    /// No data set of this name has been imported.
    #[error("no data set `{name}` is imported{}; {hint}", did_you_mean(.nearest))]
    UnknownDataset {
        /// The name asked for.
        name: String,
        /// The imported or fetchable name most like it.
        nearest: Option<String>,
        /// The command to run next.
        hint: String,
    },

    /// The name cannot be the name of a folder on every system.
    #[error(
        "`{name}` cannot name a data set; use letters, digits, `-`, `_` and `.`, starting with a letter or digit"
    )]
    InvalidName {
        /// The name asked for.
        name: String,
    },

    /// The cache file is damaged.
    #[error("the cached data set {} is damaged: {problem}; import it again with `--replace`", path.display())]
    DamagedCache {
        /// The cache file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },

    /// The cache file was written by another version of this library.
    #[error("the cached data set {} has format version {found}, this build reads version {expected}; import it again with `--replace`", path.display())]
    CacheVersion {
        /// The cache file.
        path: PathBuf,
        /// The version found in it.
        found: String,
        /// The version this build writes.
        expected: &'static str,
    },

    /// Another data set has the name already.
    #[error("a different data set `{name}` is imported already ({}); choose another name, or pass `--replace`", path.display())]
    AlreadyExists {
        /// The name asked for.
        name: String,
        /// The cache file that is there.
        path: PathBuf,
    },

    /// A label has no class.
    #[error("{split} example {index} has label {label}, but there are {classes} classes (0 to {}); correct the label, or give the names of all classes", classes.saturating_sub(1))]
    LabelOutsideClasses {
        /// `train` or `test`.
        split: &'static str,
        /// Position in the split.
        index: usize,
        /// The label found.
        label: i64,
        /// How many classes there are.
        classes: usize,
    },

    /// A class has no training example.
    #[error(
        "class `{class}` has no training example; remove the class, or pass `--allow-empty-class`"
    )]
    EmptyClass {
        /// The name of the class.
        class: String,
    },

    /// The parts of a data set do not fit together.
    #[error("{what}; correct the data set and import it again")]
    Inconsistent {
        /// What does not fit.
        what: String,
    },

    /// Two images differ in size.
    #[error(
        "{} is {}x{} but {} is {}x{}; all images need one size: pass `--resize {}x{}` or another size",
        first.display(), first_size.0, first_size.1, second.display(), second_size.0, second_size.1,
        first_size.0, first_size.1
    )]
    MixedSizes {
        /// The first image in order.
        first: PathBuf,
        /// Its width and height.
        first_size: (u32, u32),
        /// The first image that differs from it.
        second: PathBuf,
        /// Its width and height.
        second_size: (u32, u32),
    },

    /// An image cannot be decoded.
    #[error(
        "the image {name} cannot be decoded: {cause}; replace or remove it, or pass `--skip-broken`"
    )]
    BadImage {
        /// The file, or the place within a larger file.
        name: String,
        /// The decoder's reason.
        cause: image::ImageError,
    },

    /// A file is not what its format says.
    #[error("{}: {problem}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do about it.
        problem: String,
    },

    /// A file ends too early.
    #[error("{} is truncated: {problem}; download or copy it again", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// What is missing.
        problem: String,
    },

    /// A file unpacks to much more than its format can hold.
    #[error("{} unpacks to more than {limit} bytes, which no such data set does; check where it came from", path.display())]
    Oversized {
        /// The file.
        path: PathBuf,
        /// The limit that was passed.
        limit: u64,
    },

    /// The text names no format.
    #[error("`{text}` is not a data set format{}; the formats are {known}", did_you_mean(.nearest))]
    UnknownFormat {
        /// The text given.
        text: String,
        /// The format most like it.
        nearest: Option<String>,
        /// All formats.
        known: String,
    },

    /// No format fits the path.
    #[error("no known data set format at {}; looked for {looked_for}; name one with `--format`", path.display())]
    NotDetected {
        /// The path given.
        path: PathBuf,
        /// What was looked for.
        looked_for: String,
    },

    /// A checksum differs from the pinned one.
    #[error(
        "{what} has {algorithm} {found}, expected {expected}; fetch it again, and distrust the source if that does not help"
    )]
    Checksum {
        /// What was summed.
        what: String,
        /// `MD5` or `SHA-256`.
        algorithm: &'static str,
        /// The pinned sum.
        expected: String,
        /// The sum found.
        found: String,
    },

    /// The data set is not one that this library can fetch.
    #[error("`{name}` cannot be fetched{}; fetchable are {known}; import other data sets from files with `datadiet data import`", did_you_mean(.nearest))]
    NotFetchable {
        /// The name asked for.
        name: String,
        /// The fetchable name most like it.
        nearest: Option<String>,
        /// All fetchable names.
        known: String,
    },

    /// A URL could not be downloaded.
    #[error(
        "cannot download {url}: {problem}; check the network, or download it elsewhere and use `datadiet data import`"
    )]
    Download {
        /// The address.
        url: String,
        /// The reason given.
        problem: String,
    },

    /// A command that fetching needs is missing or failed.
    #[error("`{command}` failed: {problem}")]
    Command {
        /// The command line.
        command: String,
        /// Its last words, or how to install it.
        problem: String,
    },

    /// Every source of a fetchable data set failed.
    #[error("`{name}` could not be fetched from any source:\n{}\ndownload it elsewhere and use `datadiet data import`", attempts.iter().map(|a| format!("  - {a}")).collect::<Vec<_>>().join("\n"))]
    AllSourcesFailed {
        /// The data set.
        name: String,
        /// One line for each source.
        attempts: Vec<String>,
    },
}

impl DataError {
    /// Makes a closure for `map_err` that says what was being done to which path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |cause| Self::Io { action, path: path.to_owned(), cause }
    }

    pub(crate) fn bad_file(path: &Path, problem: impl Into<String>) -> Self {
        Self::BadFile { path: path.to_owned(), problem: problem.into() }
    }

    pub(crate) fn truncated(path: &Path, problem: impl Into<String>) -> Self {
        Self::Truncated { path: path.to_owned(), problem: problem.into() }
    }
}

fn did_you_mean(name: &Option<String>) -> String {
    name.as_ref().map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}
