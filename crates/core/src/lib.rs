//! The mathematics of datadiet: scores of training examples, trackers of training dynamics, the
//! choice of subsets by score, and the statistics that judge them. Slices in, values out: no I/O,
//! no global state but the threads that long columns are shared among and the choice of instructions
//! ([`isa`]), no tensor library.
//!
//! Bring logits (or probabilities) from any framework, of `f16`, `bf16`, `f32` or `f64`:
//!
//! ```
//! use datadiet_core::{LogitScores, Matrix, ScoreKind};
//!
//! // Two examples, three classes, row-major.
//! let logits = [2.0_f32, 0.0, 0.0, /**/ 0.0, 1.0, 3.0];
//! let scores = LogitScores::of(Matrix::logits(&logits, 3), &[0, 1])?;
//! let el2n = &scores[ScoreKind::El2n];
//! assert!(el2n[0] < el2n[1], "the second example is predicted wrongly, so it is harder");
//! # Ok::<(), datadiet_core::ScoreError>(())
//! ```
//!
//! Each file holds one idea and opens with its formula, its source and what it leaves out.
//! Conventions that hold throughout: matrices are row-major `n × K`; labels are class indices in
//! `0..K`; logarithms are natural; scores are given as `f32`, right to 10⁻⁶ of the larger of 1 and
//! themselves (TDDS: and its largest distance), and have the same bits in a matrix, a minibatch and a recorder; `NaN` marks an
//! example without a value (never seen), and nothing else.

pub mod barrier;
mod checks;
mod class_tracks;
mod confident_joint;
mod correct;
mod digest;
mod el2n;
mod entropy;
mod epoch_losses;
mod epoch_rows;
pub mod example_id;
mod fast;
mod forgetting_key;
mod grouped;
pub mod isa;
mod kept;
mod kept_epochs;
pub mod kernel_distance;
mod l1;
mod label_tracks;
mod logit_scores;
mod loss;
mod loss_recorder;
mod loss_recorder_state;
mod loss_tracks;
mod margin;
mod measure;
mod monotone_key;
mod multi_label;
mod nearest;
mod packed;
mod presence;
pub mod progress;
mod ranks;
mod recorder_state;
mod regression;
mod renumbered;
mod row_scores;
mod score_error;
mod score_kind;
pub mod selection;
mod state_column;
pub mod stats;
pub mod streams;
mod task;
mod task_recorder;
mod token_tracks;
mod tokens;
mod training_dynamics;
mod trajectory_recorder;
pub mod value_kind;
mod windows;

pub use barrier::barrier;
pub use confident_joint::{ConfidentJoint, confident_joint};
pub use correct::correct;
pub use digest::{hex, sha256};
pub use el2n::{el2n, el2n_into};
pub use entropy::entropy;
pub use example_id::ExampleId;
pub use fast::{BatchScores, Element, Matrix};
pub use forgetting_key::forgetting_key;
pub use grouped::{group_digits, grouped};
pub use kept::Kept;
pub use kernel_distance::{KernelError, kernel_distance};
pub use l1::l1;
pub use label_tracks::NO_LABEL;
pub use logit_scores::LogitScores;
pub use loss::loss;
pub use loss_recorder::LossRecorder;
pub use margin::{log_margin, max_margin, sum_margin};
pub use measure::Measure;
pub use multi_label::MultiLabelScores;
pub use nearest::{by_likeness, nearest};
pub use progress::{Progress, Silent};
pub use regression::RegressionScores;
pub use score_error::{MOST_CLASSES, PROBABILITY_TOLERANCE, ScoreError};
pub use score_kind::{Definition, Direction, ParseScoreKindError, ScoreKind, Source};
pub use selection::{
    Amount, Candidates, Choice, Chosen, ClassShare, Classes, KeepFraction, KeepFractionError,
    Quota, Rule, RuleOptions, Scores, SelectionError, check_no_class_vanishes, class_shares, skew,
};
pub use state_column::StateColumn;
pub use stats::{
    CannotTell, Detection, Interval, LabelScore, Mispredicted, Reliability, StatsError,
    WrongLabels, average_ranks, band, detection, mean_and_standard_error, order, percentile,
    reliability, replicas_for, spearman, spearman_interval, top_overlap, wrong_labels,
};
pub use streams::{Stream, permutation, rng};
pub use task::{ParseTaskError, Task};
pub use task_recorder::{
    LeastLabels, MultiLabelRecorder, RegressionRecorder, TaskRecorder, TokenRecorder, Unlabelled,
};
pub use token_tracks::{KeptTokens, NOT_PREDICTED, TokenColumn};
pub use tokens::{NO_EXAMPLE, SequenceScores, Sequences, Token, TokenScores};
pub use training_dynamics::{EpochError, TrainingDynamics};
pub use trajectory_recorder::TrajectoryRecorder;
pub use value_kind::{
    RoundedRows, SigmoidRows, ValueKind, furthest_sum, rounded_rows, sigmoid_rows, softmax_rows,
    value_kind,
};
