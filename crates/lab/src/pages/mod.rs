//! From outcomes to the sections of a report: which figures, which tables, in which words.

mod experiment;
mod pruning;
mod scores;
mod search;

pub use experiment::experiment_sections;
pub use scores::{ScoresView, scores_sections};

use datadiet_core::ExampleId;

/// The images of a data set, for galleries.
pub trait Pictures {
    /// The 8-bit pixels of a training example and their shape: height, width, channels.
    fn pixels(&self, id: ExampleId) -> Option<(&[u8], [usize; 3])>;
}

/// A fraction as percent, without needless digits.
fn percent(fraction: f64) -> f64 {
    (fraction * 1e4).round() / 1e2
}
