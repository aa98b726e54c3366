//! Hexadecimal MD5 and SHA-256 sums, and the comparison with a pinned one.
//!
//! MD5 appears only because the publishers of CIFAR give MD5 sums; every pinned set also has a
//! SHA-256 sum.

use crate::{DataError, Result};
use sha2::{Digest, Sha256};

/// Lower-case hexadecimal text of a digest.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

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

    /// RFC 1321, appendix A.5, and FIPS 180-2, appendix B.1.
    #[test]
    fn published_vectors() {
        assert_eq!(md5(b"abc"), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn a_mismatch_names_both_sums() {
        let message = expect("thing", "MD5", "aa", "bb".into()).unwrap_err().to_string();
        assert!(message.starts_with("thing has MD5 bb, expected aa;"), "{message}");
    }
}
