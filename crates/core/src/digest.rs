//! SHA-256 sums as text, by which texts and files are told apart.

use sha2::{Digest, Sha256};

/// Lower-case hexadecimal text of some bytes.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 of some bytes, in 64 hexadecimal digits.
///
/// ```
/// // FIPS 180-2, appendix B.1.
/// assert_eq!(
///     datadiet_core::sha256(b"abc"),
///     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
/// );
/// ```
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
