//! How many test images are training images too.
//!
//! Images are found by a hash of their pixels and compared byte for byte, so the number is exact.
//! Near duplicates (another compression, a shifted crop) are not found.

use crate::notes::Overlap;
use rayon::prelude::*;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};

/// Counts the test images whose pixels are those of a training image. Both splits are image bytes
/// of `image_len` each, with their labels.
pub(crate) fn overlap(train: (&[u8], &[u32]), test: (&[u8], &[u32]), image_len: usize) -> Overlap {
    let hashes = |images: &[u8]| -> Vec<u64> {
        images.par_chunks_exact(image_len).map(hash).collect::<Vec<_>>()
    };
    let place_of = |i: usize| i * image_len..(i + 1) * image_len;
    let mut places: HashMap<u64, Vec<usize>> = HashMap::with_capacity(test.1.len());
    for (place, hash) in hashes(test.0).into_iter().enumerate() {
        places.entry(hash).or_default().push(place);
    }
    // For each test image: whether a training image has its pixels, and whether one its label too.
    let mut found = vec![(false, false); test.1.len()];
    for (id, hash) in hashes(train.0).into_iter().enumerate() {
        for &place in places.get(&hash).into_iter().flatten() {
            if train.0[place_of(id)] == test.0[place_of(place)] {
                found[place].0 = true;
                found[place].1 |= train.1[id] == test.1[place];
            }
        }
    }
    let count = |of: fn(&(bool, bool)) -> bool| found.iter().filter(|&both| of(both)).count();
    Overlap { images: count(|both| both.0), other_label: count(|both| both.0 && !both.1) }
}

fn hash(image: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(image);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// As by comparing every test image with every training image.
        #[test]
        fn as_by_comparing_all_pairs(
            train in prop::collection::vec((0_u8..3, 0_u8..3, 0_u32..2), 1..20),
            test in prop::collection::vec((0_u8..3, 0_u8..3, 0_u32..2), 1..20),
        ) {
            let split = |rows: &[(u8, u8, u32)]| -> (Vec<u8>, Vec<u32>) {
                (rows.iter().flat_map(|row| [row.0, row.1]).collect(), rows.iter().map(|row| row.2).collect())
            };
            let pixels = |row: &(u8, u8, u32)| (row.0, row.1);
            let also = test.iter().filter(|&row| train.iter().any(|other| pixels(other) == pixels(row)));
            let other_label = also.clone().filter(|&row| !train.contains(row)).count();
            let (a, b) = (split(&train), split(&test));
            let found = overlap((&a.0, &a.1), (&b.0, &b.1), 2);
            prop_assert_eq!(found, Overlap { images: also.count(), other_label });
        }
    }
}
