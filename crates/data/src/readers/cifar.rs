//! CIFAR-10 and CIFAR-100 in their binary version, as a folder or a `.tar.gz`.
//!
//! A CIFAR-10 record is one label byte and 3,072 bytes of red, then green, then blue plane, each
//! 32 × 32 in row-major order; five training files and one test file. A CIFAR-100 record has a
//! coarse and a fine label byte in front; the fine label is used.
//! Source: <https://www.cs.toronto.edu/~kriz/cifar.html>.
//! The pickled Python version and the Matlab version are not read.

use crate::archive::{find_in_tar_gz, read_maybe_gz, visit_tar_gz};
use crate::{DataError, ImportNotes, RawDataset, RawSplit, Result};
use datadiet_core::Progress;
use datadiet_core::progress::Count;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;
const IMAGE: usize = 3 * PLANE;

/// Both data sets unpack to about 180 MB.
const LIMIT: u64 = 256 << 20;

/// The classes of CIFAR-10 in label order.
pub(crate) const CIFAR10_CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// Which of the two data sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cifar {
    Ten,
    Hundred,
}

impl Cifar {
    fn train_files(self) -> &'static [&'static str] {
        match self {
            Self::Ten => &[
                "data_batch_1.bin",
                "data_batch_2.bin",
                "data_batch_3.bin",
                "data_batch_4.bin",
                "data_batch_5.bin",
            ],
            Self::Hundred => &["train.bin"],
        }
    }

    fn test_file(self) -> &'static str {
        match self {
            Self::Ten => "test_batch.bin",
            Self::Hundred => "test.bin",
        }
    }

    fn names_file(self) -> &'static str {
        match self {
            Self::Ten => "batches.meta.txt",
            Self::Hundred => "fine_label_names.txt",
        }
    }

    /// The folder inside the published archive.
    fn folder(self) -> &'static str {
        match self {
            Self::Ten => "cifar-10-batches-bin",
            Self::Hundred => "cifar-100-binary",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Ten => "CIFAR-10",
            Self::Hundred => "CIFAR-100",
        }
    }

    /// Label bytes in front of an image; the last one counts.
    fn label_bytes(self) -> usize {
        match self {
            Self::Ten => 1,
            Self::Hundred => 2,
        }
    }
}

/// Which data set is at the path, if any.
pub(crate) fn detect(path: &Path) -> Result<Option<Cifar>> {
    let first = |cifar: Cifar| cifar.train_files()[0];
    let both = [Cifar::Ten, Cifar::Hundred];
    if path.is_dir() {
        return Ok(both
            .into_iter()
            .find(|&cifar| folder_with(path, cifar, first(cifar)).is_some()));
    }
    let named = |name: &str| both.into_iter().find(|&cifar| name == first(cifar));
    if is_tar_gz(path) { find_in_tar_gz(path, LIMIT, named) } else { Ok(None) }
}

fn is_tar_gz(path: &Path) -> bool {
    let name = path.to_string_lossy().to_lowercase();
    name.ends_with(".tar.gz") || name.ends_with(".tgz")
}

fn folder_with(path: &Path, cifar: Cifar, file: &str) -> Option<PathBuf> {
    [path.to_path_buf(), path.join(cifar.folder())]
        .into_iter()
        .find(|folder| folder.join(file).is_file())
}

/// Reads one of the data sets from a folder or `.tar.gz`.
pub(crate) fn read(path: &Path, cifar: Cifar, progress: &dyn Progress) -> Result<RawDataset> {
    let total = cifar.train_files().len() as u64 + 1;
    let count = Count::start(progress, format!("reading {}", cifar.title()), Some(total));
    let mut notes = ImportNotes::default();
    let files = if path.is_dir() {
        from_folder(path, cifar, &count, &mut notes)?
    } else {
        from_archive(path, cifar, &count, &mut notes)?
    };
    drop(count);
    let mut train = RawSplit::default();
    for name in cifar.train_files() {
        decode(path, name, file(path, &files, name)?, cifar, &mut train)?;
    }
    let mut test = RawSplit::default();
    decode(path, cifar.test_file(), file(path, &files, cifar.test_file())?, cifar, &mut test)?;
    let classes = classes(path, cifar, files.get(cifar.names_file()).map(Vec::as_slice))?;
    let source = format!("{}, binary version, from {}", cifar.title(), super::file_name(path));
    Ok(RawDataset {
        classes,
        height: SIDE,
        width: SIDE,
        channels: 3,
        train,
        test: Some(test),
        source,
        notes,
    })
}

type Files = BTreeMap<String, Vec<u8>>;

fn is_wanted(cifar: Cifar, name: &str) -> bool {
    cifar.train_files().contains(&name) || name == cifar.test_file() || name == cifar.names_file()
}

/// What is published with the data and says nothing of them.
fn is_description(name: &str) -> bool {
    matches!(name, "readme.html" | "coarse_label_names.txt")
}

fn from_archive(
    path: &Path,
    cifar: Cifar,
    count: &Count<'_>,
    notes: &mut ImportNotes,
) -> Result<Files> {
    let mut files = Files::new();
    let mut others = Vec::new();
    visit_tar_gz(
        path,
        LIMIT,
        |name| {
            let wanted = is_wanted(cifar, name);
            if !wanted && !is_description(name) {
                others.push(name.to_owned());
            }
            wanted
        },
        |name, bytes| {
            count.advance(u64::from(name.ends_with(".bin")));
            match files.insert(name.to_owned(), bytes) {
                None => Ok(()),
                Some(_) => Err(DataError::bad_file(
                    path,
                    format!("it has two files {name}; unpack it, and give one of the folders"),
                )),
            }
        },
    )?;
    notes.leave_out("other files", others.len(), others);
    Ok(files)
}

fn from_folder(
    path: &Path,
    cifar: Cifar,
    count: &Count<'_>,
    notes: &mut ImportNotes,
) -> Result<Files> {
    let Some(folder) = folder_with(path, cifar, cifar.train_files()[0]) else {
        return Err(missing(path, cifar.train_files()[0]));
    };
    let mut files = Files::new();
    for name in cifar.train_files().iter().chain([&cifar.test_file(), &cifar.names_file()]) {
        if folder.join(name).is_file() {
            files.insert((*name).to_owned(), read_maybe_gz(&folder.join(name), LIMIT)?);
            count.advance(u64::from(name.ends_with(".bin")));
        }
    }
    let is_used = |name: &str| is_wanted(cifar, name) || is_description(name);
    super::leave_out_others(&folder, is_used, notes)?;
    Ok(files)
}

fn file<'a>(path: &Path, files: &'a Files, name: &str) -> Result<&'a [u8]> {
    files.get(name).map(Vec::as_slice).ok_or_else(|| missing(path, name))
}

fn missing(path: &Path, name: &str) -> DataError {
    DataError::bad_file(
        path,
        format!(
            "there is no {name}; this reader needs the binary version, not the Python or Matlab one"
        ),
    )
}

/// Appends the records of one file, turning planes into pixels.
fn decode(path: &Path, name: &str, bytes: &[u8], cifar: Cifar, split: &mut RawSplit) -> Result<()> {
    let record = cifar.label_bytes() + IMAGE;
    if bytes.is_empty() || !bytes.len().is_multiple_of(record) {
        let problem = format!(
            "{name} has {} bytes, which is not a multiple of the {record} of a record",
            bytes.len()
        );
        return Err(DataError::truncated(path, problem));
    }
    split.images.reserve(bytes.len() / record * IMAGE);
    for record in bytes.chunks_exact(record) {
        let (labels, planes) = record.split_at(cifar.label_bytes());
        split.labels.push(u32::from(labels[labels.len() - 1]));
        split
            .images
            .extend((0..PLANE).flat_map(|i| [planes[i], planes[PLANE + i], planes[2 * PLANE + i]]));
    }
    Ok(())
}

/// CIFAR-10 records of a split: the inverse of reading. For checksums of what was published.
pub(crate) fn encode_cifar10(images: &[u8], labels: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(labels.len() * (1 + IMAGE));
    for (image, &label) in images.chunks_exact(IMAGE).zip(labels) {
        bytes.push(label as u8);
        for channel in 0..3 {
            bytes.extend(image.iter().skip(channel).step_by(3));
        }
    }
    bytes
}

fn classes(path: &Path, cifar: Cifar, text: Option<&[u8]>) -> Result<Vec<String>> {
    match (text, cifar) {
        (Some(text), _) => super::lines(path, &String::from_utf8_lossy(text)),
        (None, Cifar::Ten) => Ok(CIFAR10_CLASSES.map(str::to_owned).to_vec()),
        (None, Cifar::Hundred) => Err(missing(path, cifar.names_file())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn decoding_undoes_encoding(
            labels in prop::collection::vec(0_u32..10, 1..4),
            seed in any::<u64>(),
        ) {
            let images: Vec<u8> = (0..labels.len() * IMAGE)
                .map(|i| (seed.wrapping_mul(i as u64 + 1) >> 56) as u8)
                .collect();
            let mut back = RawSplit::default();
            decode(Path::new("x"), "x", &encode_cifar10(&images, &labels), Cifar::Ten, &mut back).unwrap();
            prop_assert_eq!(back, RawSplit { images, labels });
        }
    }

    #[test]
    fn planes_become_pixels() {
        let mut record = vec![4_u8];
        record.extend([1; PLANE]);
        record.extend([2; PLANE]);
        record.extend([3; PLANE]);
        let mut split = RawSplit::default();
        decode(Path::new("x"), "x", &record, Cifar::Ten, &mut split).unwrap();
        assert_eq!(split.labels, [4]);
        assert_eq!(split.images[..6], [1, 2, 3, 1, 2, 3]);
    }
}
