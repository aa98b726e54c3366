//! Random crops from a reflected border, and flips, as indices into the image.
//!
//! Reflect-pad by p, crop back to size at a random offset in [0, 2p]², mirror with probability ½
//! (Paul et al. 2021). Row `i` of the result is row `reflect(i + offset − p)` of the image, so one
//! gather does all three, and no padded copy is kept.

use datadiet_core::streams::below;
use rand_chacha::rand_core::Rng;

/// Which images are mirrored.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mirror<'a> {
    /// None.
    Never,
    /// Half of them.
    Random,
    /// Those whose flag is set.
    Given(&'a [bool]),
}

/// For each image of a batch, which source row and column each of its pixels comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Crops {
    /// Source rows, batch × height.
    pub(crate) rows: Vec<i64>,
    /// Source columns, batch × width.
    pub(crate) columns: Vec<i64>,
}

impl Crops {
    /// Draws one crop and flip for each of `batch` images.
    ///
    /// # Panics
    /// When the border is not smaller than the image: a reflection needs that many pixels.
    pub(crate) fn draw(
        batch: usize,
        (height, width): (usize, usize),
        padding: u32,
        mirror: Mirror<'_>,
        rng: &mut impl Rng,
    ) -> Self {
        assert!((padding as usize) < height.min(width), "the border is smaller than the image");
        let mut crops = Self {
            rows: Vec::with_capacity(batch * height),
            columns: Vec::with_capacity(batch * width),
        };
        for image in 0..batch {
            let mut offset = || i64::from(below(2 * padding + 1, rng)) - i64::from(padding);
            let (down, right) = (offset(), offset());
            let mirrored = match mirror {
                Mirror::Never => false,
                Mirror::Random => below(2, rng) == 1,
                Mirror::Given(flags) => flags[image],
            };
            crops.rows.extend(sources(height, down));
            let columns = sources(width, right);
            if mirrored {
                crops.columns.extend(columns.rev());
            } else {
                crops.columns.extend(columns);
            }
        }
        crops
    }
}

/// Source index of each position along an axis of `side` pixels, shifted by `offset`.
pub(crate) fn sources(side: usize, offset: i64) -> impl DoubleEndedIterator<Item = i64> {
    let last = side as i64 - 1;
    (0..side as i64).map(move |at| {
        let at = (at + offset).abs();
        last - (last - at).abs()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_are_reflected_without_repeating_the_edge() {
        assert_eq!(sources(5, -2).collect::<Vec<_>>(), [2, 1, 0, 1, 2]);
        assert_eq!(sources(5, 2).collect::<Vec<_>>(), [2, 3, 4, 3, 2]);
        assert_eq!(sources(3, 0).collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn all_offsets_and_both_directions_occur() {
        let mut rng = datadiet_core::rng(1, 0, datadiet_core::Stream::Augmentation, 0);
        let crops = Crops::draw(2000, (8, 8), 2, Mirror::Random, &mut rng);
        let seen: std::collections::BTreeSet<_> = crops.columns.chunks(8).collect();
        assert_eq!(seen.len(), 10, "five offsets, mirrored or not");
        let none = Crops::draw(3, (8, 8), 0, Mirror::Never, &mut rng);
        assert!(none.rows.chunks(8).all(|rows| rows == [0, 1, 2, 3, 4, 5, 6, 7]));
        let given = Crops::draw(2, (8, 8), 0, Mirror::Given(&[true, false]), &mut rng);
        assert_eq!(given.columns[..2], [7, 6]);
        assert_eq!(given.columns[8..10], [0, 1]);
    }
}
