//! What can stop a run.

use datadiet_core::ScoreError;
use datadiet_store::StoreError;
use datadiet_store::catalogue::NetworkError;

/// An error of the engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Reading or writing the run folder failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A table of scores cannot be made.
    #[error(transparent)]
    Table(#[from] datadiet_table::TableError),
    /// The data set cannot be opened.
    #[error(transparent)]
    Data(#[from] datadiet_data::DataError),
    /// The network cannot be built.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Logits that cannot be scored.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// The loss is no longer a number.
    #[error(
        "the loss became {loss} at step {step} with learning rate {learning_rate:.4}; \
         try a lower --lr, or a longer warm-up"
    )]
    Diverged {
        /// The step, counted from 1.
        step: u64,
        /// Its learning rate.
        learning_rate: f64,
        /// The loss: NaN or infinite.
        loss: f64,
    },
    /// It was asked to stop in the middle of a pass over the data.
    #[error("stopped")]
    Stopped,
    /// The specification does not suit the data or the machine.
    #[error("{0}")]
    Unsuitable(String),
}
