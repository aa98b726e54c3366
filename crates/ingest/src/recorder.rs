//! The recorder of a run: of logits and probabilities, or of losses. Both know epochs and grow with the ids.

use datadiet_core::{ExampleId, LossRecorder, Matrix, ScoreError, ScoreKind, TrajectoryRecorder};

use crate::batch::Kind;
use crate::layout::Layout;
use crate::{IngestError, Options};

/// What rows of a run go into.
pub(crate) enum Recorder {
    Outputs(Box<TrajectoryRecorder>),
    Losses(Box<LossRecorder>),
}

impl Recorder {
    /// Of no examples yet.
    pub(crate) fn new(layout: Layout, options: &Options) -> Result<Self, IngestError> {
        Ok(if layout.kind == Kind::Losses {
            let recorder = LossRecorder::new(0).single_rank();
            let recorder = match options.threshold {
                Some(threshold) => recorder
                    .with_threshold(threshold)
                    .map_err(|_| IngestError::Threshold { threshold })?,
                None => recorder,
            };
            Self::Losses(Box::new(recorder))
        } else {
            let recorder = if options.class_means {
                TrajectoryRecorder::keeping(0, layout.width(), true)
            } else {
                TrajectoryRecorder::new(0, layout.width())
            };
            Self::Outputs(Box::new(recorder.single_rank()))
        })
    }

    /// Records rows of the current epoch, of n examples so far.
    pub(crate) fn update(
        &mut self,
        examples: usize,
        layout: Layout,
        ids: &[ExampleId],
        values: &[f32],
        labels: &[u32],
    ) -> Result<(), ScoreError> {
        match self {
            Self::Outputs(recorder) => {
                recorder.grow(examples);
                let outputs = if layout.kind == Kind::Probabilities {
                    Matrix::probabilities(values, layout.width())
                } else {
                    Matrix::logits(values, layout.width())
                };
                recorder.update(ids, outputs, labels)
            }
            Self::Losses(recorder) => {
                recorder.grow(examples);
                recorder.update(ids, values, &[])
            }
        }
    }

    /// Ends the current epoch, whose scores of a pass are kept if asked for.
    pub(crate) fn end_epoch(self, keep: bool) -> Self {
        match self {
            Self::Outputs(recorder) => {
                let next = recorder.epochs() + 1;
                let mut recorder =
                    if keep { Box::new(recorder.keep_at(&[next])) } else { recorder };
                recorder.end_epoch();
                Self::Outputs(recorder)
            }
            Self::Losses(recorder) => {
                let next = recorder.epochs() + 1;
                let mut recorder =
                    if keep { Box::new(recorder.keep_at(&[next])) } else { recorder };
                recorder.end_epoch();
                Self::Losses(recorder)
            }
        }
    }

    pub(crate) fn examples(&self) -> usize {
        match self {
            Self::Outputs(recorder) => recorder.examples(),
            Self::Losses(recorder) => recorder.examples(),
        }
    }

    /// Examples that each epoch missed.
    pub(crate) fn unseen(&self) -> &[u32] {
        match self {
            Self::Outputs(recorder) => recorder.unseen(),
            Self::Losses(recorder) => recorder.unseen(),
        }
    }

    /// Scores, the epochs at which they stand, counted from 1, and one value an example.
    pub(crate) fn columns(&self) -> Vec<(ScoreKind, u32, Vec<f32>)> {
        match self {
            Self::Outputs(recorder) => recorder.columns(),
            Self::Losses(recorder) => {
                let columns = recorder.columns().into_iter();
                columns.map(|(measure, epoch, values)| (measure.kind(), epoch, values)).collect()
            }
        }
    }

    /// Predicted classes of some epochs.
    pub(crate) fn predicted(&self) -> Vec<(u32, Vec<Option<u32>>)> {
        match self {
            Self::Outputs(recorder) => recorder.predicted(),
            Self::Losses(_) => Vec::new(),
        }
    }
}
