//! Statistics of score columns: ranks, rank correlation, means over replicas, reliability.
//!
//! Own code rather than a library's: columns are `f32` with up to 10⁷ entries, ties are averaged
//! and broken by example id, and `NaN` is an error that names its place.

mod error;
pub mod rank;
pub mod reliability;
pub mod spearman;
pub mod summary;

pub use error::StatsError;
pub use rank::{average_ranks, order};
pub use reliability::{Reliability, reliability, replicas_for};
pub use spearman::spearman;
pub use summary::mean_and_standard_error;
