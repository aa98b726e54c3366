//! CIFAR-100 from the University of Toronto.
//!
//! Source: <https://www.cs.toronto.edu/~kriz/cifar.html> (binary version, fine labels). There is no
//! second source: where that host cannot be reached, import a copy from elsewhere. Its fingerprint
//! is not pinned; the publisher's MD5 of the archive is.

use super::download;
use crate::checksum;
use crate::readers::cifar::{self, Cifar};
use crate::{DataError, RawDataset, Result};
use datadiet_core::Progress;
use std::path::Path;

const URL: &str = "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz";
/// The archive has 168,513,733 bytes.
const LIMIT: u64 = 180 << 20;
/// As published beside the archive.
const ARCHIVE_MD5: &str = "03b5dce01913d631647c71ecec9e9cb8";

/// Downloads and checks the data set.
pub(super) fn obtain(temporary: &Path, progress: &dyn Progress) -> Result<RawDataset> {
    let archive = temporary.join("cifar-100-binary.tar.gz");
    download::to_file(URL, &archive, LIMIT, progress)?;
    let bytes = std::fs::read(&archive).map_err(DataError::io("read", &archive))?;
    checksum::expect(URL, "MD5", ARCHIVE_MD5, checksum::md5(&bytes))?;
    let mut dataset = cifar::read(&archive, Cifar::Hundred, progress)?;
    dataset.source = format!("CIFAR-100 (Krizhevsky 2009), fine labels, {URL}");
    Ok(dataset)
}
