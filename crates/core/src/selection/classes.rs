//! The class of each example, as selection needs it.

use crate::{example_id::ExampleId, selection::SelectionError};

/// Labels of the full training set.
///
/// ```
/// use datadiet_core::Classes;
///
/// let classes = Classes { labels: &[0, 2, 2, 0], count: 3 };
/// assert_eq!(classes.sizes(), [2, 0, 2]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Classes<'a> {
    /// The class index of each example.
    pub labels: &'a [u32],
    /// Number of classes K.
    pub count: usize,
}

impl Classes<'_> {
    /// Number of examples of each class.
    ///
    /// # Panics
    /// If a label is not below K.
    #[must_use]
    pub fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.count];
        self.labels.iter().for_each(|&label| sizes[label as usize] += 1);
        sizes
    }

    /// The examples of each class, in ascending order.
    pub(crate) fn members(&self) -> Vec<Vec<u32>> {
        let mut members: Vec<_> = self.sizes().into_iter().map(Vec::with_capacity).collect();
        for (id, &label) in (0..).zip(self.labels) {
            members[label as usize].push(id);
        }
        members
    }

    /// There is a label for each of n examples, and it is a class index.
    pub(crate) fn check(&self, n: usize) -> Result<(), SelectionError> {
        if self.labels.len() != n {
            return Err(SelectionError::LengthMismatch { scores: n, labels: self.labels.len() });
        }
        match self.labels.iter().position(|&label| label as usize >= self.count) {
            None => Ok(()),
            Some(id) => Err(SelectionError::LabelOutOfRange {
                id: ExampleId(id as u32),
                label: self.labels[id],
                classes: self.count,
            }),
        }
    }
}
