//! Hexadecimal MD5 and SHA-256 sums, and the comparison with a pinned one.
//!
//! MD5 appears only because the publishers of CIFAR give MD5 sums; every pinned set also has a
//! SHA-256 sum.

use crate::{DataError, Result};
pub(crate) use datadiet_core::{hex, sha256};
use md5::Digest;

/// MD5 of some bytes.
pub(crate) fn md5(bytes: &[u8]) -> String {
    hex(&md5::Md5::digest(bytes))
}

/// Refuses a sum that is not the pinned one.
pub(crate) fn expect(
    what: &str,
    algorithm: &'static str,
    expected: &str,
    found: String,
) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(DataError::Checksum { what: what.into(), algorithm, expected: expected.into(), found })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1321, appendix A.5.
    #[test]
    fn published_vector() {
        assert_eq!(md5(b"abc"), "900150983cd24fb0d6963f7d28e17f72");
    }

    #[test]
    fn a_mismatch_names_both_sums() {
        let message = expect("thing", "MD5", "aa", "bb".into()).unwrap_err().to_string();
        assert!(message.starts_with("thing has MD5 bb, expected aa;"), "{message}");
    }
}
