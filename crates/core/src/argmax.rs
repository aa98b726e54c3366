//! The predicted class, and whether it is the label.
//!
//! `argmax_j z_j`; among equal entries the lowest class index wins, as in NumPy. Softmax keeps
//! order, so logits and probabilities predict the same class (save where rounding makes two
//! probabilities equal).

/// Index of the largest entry of a row; the lowest index among ties.
///
/// `row`: K logits or probabilities, none of them NaN.
///
/// # Panics
/// If the row is empty.
///
/// ```
/// assert_eq!(datadiet_core::argmax(&[0.1, 0.7, 0.2]), 1);
/// assert_eq!(datadiet_core::argmax(&[3.0, 3.0, 1.0]), 0);
/// ```
#[must_use]
pub fn argmax<T: Copy + PartialOrd>(row: &[T]) -> usize {
    assert!(!row.is_empty(), "argmax of an empty row");
    let mut best = 0;
    for (index, &value) in row.iter().enumerate() {
        if value > row[best] {
            best = index;
        }
    }
    best
}

/// Whether the predicted class of a row is its label.
///
/// # Panics
/// If the row is empty.
///
/// ```
/// assert!(datadiet_core::argmax::is_correct(&[0.1, 0.7, 0.2], 1));
/// ```
#[must_use]
pub fn is_correct<T: Copy + PartialOrd>(row: &[T], label: usize) -> bool {
    argmax(row) == label
}
