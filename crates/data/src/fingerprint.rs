//! The fingerprint of a data set: what makes two imports the same.
//!
//! SHA-256 over, in order and with every integer little-endian:
//! `datadiet data set 1\n`; height, width, channels, number of classes (u64 each); each class name
//! (length as u64, then UTF-8); for train and then test: number of examples as u64 (all ones for a
//! missing test split), image bytes (NHWC), labels (u32 each).
//! The source and the name of the data set do not enter.

use crate::checksum::hex;
use sha2::{Digest, Sha256};

/// The parts that make the fingerprint.
pub(crate) struct Parts<'a> {
    pub classes: &'a [String],
    /// Height, width, channels.
    pub shape: [usize; 3],
    pub train: (&'a [u8], &'a [u32]),
    pub test: Option<(&'a [u8], &'a [u32])>,
}

/// Hexadecimal SHA-256 of the parts.
pub(crate) fn fingerprint(parts: &Parts<'_>) -> String {
    let mut hash = Sha256::new();
    hash.update(b"datadiet data set 1\n");
    for size in parts.shape {
        number(&mut hash, size as u64);
    }
    number(&mut hash, parts.classes.len() as u64);
    for class in parts.classes {
        number(&mut hash, class.len() as u64);
        hash.update(class.as_bytes());
    }
    split(&mut hash, Some(parts.train));
    split(&mut hash, parts.test);
    hex(&hash.finalize())
}

fn split(hash: &mut Sha256, split: Option<(&[u8], &[u32])>) {
    let Some((images, labels)) = split else {
        return number(hash, u64::MAX);
    };
    number(hash, labels.len() as u64);
    hash.update(images);
    for chunk in labels.chunks(4096) {
        let bytes: Vec<u8> = chunk.iter().flat_map(|label| label.to_le_bytes()).collect();
        hash.update(&bytes);
    }
}

fn number(hash: &mut Sha256, value: u64) {
    hash.update(value.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(
        classes: &[&str],
        images: &[u8],
        labels: &[u32],
        test: Option<(&[u8], &[u32])>,
    ) -> String {
        let classes: Vec<String> = classes.iter().map(|c| (*c).to_owned()).collect();
        fingerprint(&Parts { classes: &classes, shape: [1, 1, 1], train: (images, labels), test })
    }

    #[test]
    fn every_part_counts() {
        let base = of(&["a", "b"], &[1, 2], &[0, 1], None);
        assert_eq!(base, of(&["a", "b"], &[1, 2], &[0, 1], None));
        assert_ne!(base, of(&["ab", ""], &[1, 2], &[0, 1], None));
        assert_ne!(base, of(&["a", "b"], &[1, 3], &[0, 1], None));
        assert_ne!(base, of(&["a", "b"], &[1, 2], &[1, 1], None));
        assert_ne!(base, of(&["a", "b"], &[1, 2], &[0, 1], Some((&[], &[]))));
    }
}
