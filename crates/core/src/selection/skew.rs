//! What a subset does to the classes: the share that each keeps, and how far the shares differ.
//!
//! `share_c = kept_c / n_c`; `skew = max share / min share` over the classes that have examples.
//! 1 means that every class keeps the same share; it is infinite if a class vanishes.
//!
//! Score pruning skews classes (Kirsch 2023, arXiv 2303.14753: 3,999 cats and 1,598 trucks of
//! 5,000 each, a skew of 2.5). No threshold is given from which on it hurts.

use serde::{Deserialize, Serialize};

use crate::{
    example_id::ExampleId,
    selection::{Classes, SelectionError},
};

/// What is kept of one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassShare {
    /// The class index.
    pub class: u32,
    /// Number of its examples in the subset.
    pub kept: usize,
    /// Number of its examples in the full training set.
    pub of: usize,
}

impl ClassShare {
    /// Fraction kept, in [0, 1]; NaN for a class without examples.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.kept as f64 / self.of as f64
    }

    /// Whether the class has examples, and keeps none.
    #[must_use]
    pub const fn vanishes(&self) -> bool {
        self.kept == 0 && self.of > 0
    }
}

/// What a subset keeps of each of K classes, in the order of the classes.
///
/// # Panics
/// If an id has no label, or a label is not below K.
///
/// ```
/// use datadiet_core::{Classes, ExampleId, class_shares, skew};
///
/// let classes = Classes { labels: &[0, 0, 1, 1, 1, 1], count: 2 };
/// let shares = class_shares(&[ExampleId(1), ExampleId(2)], classes);
/// assert_eq!((shares[0].share(), shares[1].share()), (0.5, 0.25));
/// assert_eq!(skew(&shares), 2.0);
/// ```
#[must_use]
pub fn class_shares(ids: &[ExampleId], classes: Classes<'_>) -> Vec<ClassShare> {
    let mut kept = vec![0; classes.count];
    for id in ids {
        kept[classes.labels[id.index()] as usize] += 1;
    }
    let pairs = kept.into_iter().zip(classes.sizes());
    (0..).zip(pairs).map(|(class, (kept, of))| ClassShare { class, kept, of }).collect()
}

/// The largest share over the smallest, among classes with examples: a value in [1, ∞]; ∞ if one
/// of them vanishes, and 1 if there are none.
#[must_use]
pub fn skew(shares: &[ClassShare]) -> f64 {
    if shares.iter().any(ClassShare::vanishes) {
        return f64::INFINITY;
    }
    let known = || shares.iter().filter(|share| share.of > 0).map(ClassShare::share);
    // Without any class this is −∞ / ∞, a NaN, which `max` drops.
    (known().fold(f64::NEG_INFINITY, f64::max) / known().fold(f64::INFINITY, f64::min)).max(1.0)
}

/// For callers that train on the subset: every class with examples keeps some.
///
/// # Errors
/// A class that vanishes; the first, with the number of them.
///
/// ```
/// use datadiet_core::{ClassShare, check_no_class_vanishes};
///
/// let shares = [ClassShare { class: 0, kept: 0, of: 9 }, ClassShare { class: 1, kept: 3, of: 4 }];
/// assert!(check_no_class_vanishes(&shares[1..]).is_ok());
/// assert!(check_no_class_vanishes(&shares).is_err());
/// ```
pub fn check_no_class_vanishes(shares: &[ClassShare]) -> Result<(), SelectionError> {
    let mut lost = shares.iter().filter(|share| share.vanishes());
    match lost.next() {
        None => Ok(()),
        Some(&ClassShare { class, of, .. }) => {
            Err(SelectionError::ClassVanishes { class, of, vanished: 1 + lost.count() })
        }
    }
}
