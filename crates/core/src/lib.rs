//! The mathematics of datadiet: scores of training examples, trackers of training dynamics, the
//! choice of subsets by score, and the statistics that judge them. Slices in, values out: no I/O,
//! no global state but the threads that long columns are shared among, no tensor library.
//!
//! Bring logits from any framework:
//!
//! ```
//! use datadiet_core::{LogitScores, ScoreKind};
//!
//! // Two examples, three classes, row-major.
//! let logits = [2.0, 0.0, 0.0, /**/ 0.0, 1.0, 3.0];
//! let scores = LogitScores::from_logits(&logits, 3, &[0, 1])?;
//! let el2n = scores.column(ScoreKind::El2n).expect("EL2N comes from logits");
//! assert!(el2n[0] < el2n[1], "the second example is predicted wrongly, so it is harder");
//! # Ok::<(), datadiet_core::ScoreError>(())
//! ```
//!
//! Each file holds one idea and opens with its formula, its source and what it leaves out.
//! Conventions that hold throughout: matrices are row-major `n × K`; labels are class indices in
//! `0..K`; logarithms are natural; a row is computed in `f64` and given as `f32`; `NaN` marks an
//! example without a value (never seen), and nothing else.

pub mod argmax;
pub mod aum;
pub mod barrier;
pub mod cartography;
mod checks;
pub mod el2n;
pub mod entropy;
mod epoch_rows;
pub mod example_id;
pub mod fast;
pub mod forgetting;
pub mod forgetting_key;
mod grouped;
pub mod kernel_distance;
pub mod l1;
pub mod logit_scores;
pub mod loss;
pub mod margin;
mod monotone_key;
mod nearest;
mod packed;
mod presence;
pub mod processor;
pub mod progress;
mod recorder_state;
mod row_scores;
pub mod score_error;
pub mod score_kind;
pub mod selection;
pub mod softmax;
mod softmax_outputs;
pub mod stats;
pub mod streams;
pub mod training_dynamics;
pub mod trajectory_recorder;
pub mod value_kind;

pub use argmax::argmax;
pub use aum::Aum;
pub use barrier::barrier;
pub use cartography::Cartography;
pub use el2n::el2n;
pub use entropy::entropy;
pub use example_id::ExampleId;
pub use forgetting::Forgetting;
pub use forgetting_key::forgetting_key;
pub use grouped::grouped;
pub use kernel_distance::{KernelError, kernel_distance};
pub use l1::l1;
pub use logit_scores::LogitScores;
pub use loss::loss;
pub use margin::{max_margin, sum_margin};
pub use nearest::nearest;
pub use progress::{Progress, Silent};
pub use recorder_state::StateColumn;
pub use score_error::{PROBABILITY_TOLERANCE, ScoreError};
pub use score_kind::{Definition, Direction, ParseScoreKindError, ScoreKind, Source};
pub use selection::{
    Amount, Candidates, Choice, Chosen, ClassShare, Classes, KeepFraction, KeepFractionError,
    Quota, Rule, RuleOptions, Scores, SelectionError, check_no_class_vanishes, class_shares, skew,
};
pub use softmax::softmax;
pub use softmax_outputs::{SUM_TOLERANCE, softmax_rows};
pub use stats::{
    Detection, Interval, Reliability, StatsError, average_ranks, band, detection,
    mean_and_standard_error, order, percentile, reliability, replicas_for, spearman,
    spearman_interval, top_overlap,
};
pub use streams::{Stream, permutation, rng};
pub use training_dynamics::TrainingDynamics;
pub use trajectory_recorder::TrajectoryRecorder;
pub use value_kind::{ROUNDING_TOLERANCE, Renormalised, ValueKind, renormalise, value_kind};
