//! Statistics of score columns: ranks, rank correlation, means over replicas, reliability, overlap
//! of tops, detection of touched examples, the number of wrong labels, percentiles and resampling.
//!
//! Own code rather than a library's: columns are `f32` with up to 10⁷ entries, ties are averaged
//! and broken by example id, and `NaN` is an error that names its place.

pub mod bootstrap;
pub mod detection;
mod error;
mod normal_mixture;
pub mod overlap;
pub mod percentile;
pub mod rank;
pub mod reliability;
pub mod spearman;
pub mod summary;
pub mod wrong_labels;

pub use bootstrap::{Interval, spearman_interval};
pub use detection::{Detection, detection};
pub use error::StatsError;
pub use overlap::top_overlap;
pub use percentile::{band, percentile};
pub use rank::{average_ranks, order};
pub use reliability::{Reliability, reliability, replicas_for};
pub use spearman::spearman;
pub use summary::mean_and_standard_error;
pub use wrong_labels::{CannotTell, LabelScore, Mispredicted, WrongLabels, wrong_labels};
