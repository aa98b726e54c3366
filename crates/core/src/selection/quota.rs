//! How a subset is shared among classes.
//!
//! Choosing by score alone skews classes: of the half of CIFAR-10 with the highest EL2N 3,999 are
//! cats and 1,598 are trucks. A quota fixes the size of each class, for a subset of `size` of N
//! examples, n_c of them in class c:
//!
//! - proportional: `size n_c / N`, rounded by the largest remainder (ties: the lower class);
//! - balanced: the same for every class; a class that has fewer gives all it has, and the others
//!   share the rest evenly, what is left over going to the lower classes.
//!
//! Source: the largest remainder is Hamilton's method of apportionment; the balanced shares are a
//! max-min fair allocation ("water-filling").

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::selection::SelectionError;

/// Whether classes have sizes of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quota {
    /// No: scores alone decide, and a class may vanish.
    #[default]
    None,
    /// Each class keeps the same fraction.
    Proportional,
    /// Each class keeps the same number, as far as it has so many.
    Balanced,
}

impl Quota {
    /// Every quota.
    pub const ALL: [Self; 3] = [Self::None, Self::Proportional, Self::Balanced];

    /// The name in commands and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Proportional => "proportional",
            Self::Balanced => "balanced",
        }
    }

    /// What it does, in a line.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::None => "As the scores have it",
            Self::Proportional => "Each class the same fraction",
            Self::Balanced => "Each class the same number, as far as it has them",
        }
    }
}

impl FromStr for Quota {
    type Err = SelectionError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|quota| quota.name() == word);
        found.ok_or_else(|| SelectionError::UnknownQuota { given: word.to_owned() })
    }
}

/// Sizes in proportion to the classes; `size` is at most their sum.
pub(crate) fn proportional(members: &[usize], size: usize) -> Vec<usize> {
    let n: u64 = members.iter().map(|&of| of as u64).sum();
    // Both factors are below 2³².
    let exact = |class: usize| size as u64 * members[class] as u64;
    let mut sizes: Vec<usize> =
        (0..members.len()).map(|class| (exact(class) / n) as usize).collect();
    let left = size - sizes.iter().sum::<usize>();
    let mut largest_first: Vec<usize> = (0..members.len()).collect();
    largest_first.sort_by_key(|&class| std::cmp::Reverse(exact(class) % n));
    largest_first[..left].iter().for_each(|&class| sizes[class] += 1);
    sizes
}

/// Equal sizes, as far as classes have so many candidates; `size` is at most their sum.
pub(crate) fn balanced(candidates: &[usize], size: usize) -> Vec<usize> {
    let mut fewest_first: Vec<usize> = (0..candidates.len()).collect();
    fewest_first.sort_by_key(|&class| candidates[class]);
    let mut sizes = candidates.to_vec();
    let mut rest = size;
    for (done, &class) in fewest_first.iter().enumerate() {
        let sharing = candidates.len() - done;
        if candidates[class] * sharing > rest {
            share_evenly(rest, &fewest_first[done..], &mut sizes);
            break;
        }
        rest -= candidates[class];
    }
    sizes
}

/// `rest` shared among classes that all have more than enough.
fn share_evenly(rest: usize, classes: &[usize], sizes: &mut [usize]) {
    let mut classes = classes.to_vec();
    classes.sort_unstable();
    let (each, left) = (rest / classes.len(), rest % classes.len());
    for (index, class) in classes.into_iter().enumerate() {
        sizes[class] = each + usize::from(index < left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_remainders_are_rounded_up() {
        // 10 · (6, 3, 2) / 11 = 5.45, 2.73, 1.82.
        assert_eq!(proportional(&[6, 3, 2], 10), [5, 3, 2]);
        // All remainders are a half: the lower classes.
        assert_eq!(proportional(&[5, 5, 5, 5], 10), [3, 3, 2, 2]);
        assert_eq!(proportional(&[0, 4], 3), [0, 3]);
    }

    #[test]
    fn small_classes_give_all_and_the_others_share_the_rest() {
        assert_eq!(balanced(&[9, 2, 9, 9], 12), [4, 2, 3, 3]);
        assert_eq!(balanced(&[1, 2, 3], 6), [1, 2, 3]);
        assert_eq!(balanced(&[1, 0, 9], 3), [1, 0, 2]);
        assert_eq!(balanced(&[5, 5, 5], 1), [1, 0, 0]);
    }
}
