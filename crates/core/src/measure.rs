//! What a column of scores holds, but for its time: a score, or a part of one.
//!
//! Detectors have a loss of boxes, of classes, of objects, whose sum is the loss. Each is a part of it:
//! `loss:box` beside `loss`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{ScoreError, ScoreKind};

/// A score, or a named part of it. Written and parsed as `loss` and `loss:box`.
///
/// ```
/// use datadiet_core::{Measure, ScoreKind};
///
/// let measure: Measure = "loss:box".parse()?;
/// assert_eq!(measure, Measure::part(ScoreKind::Loss, "box")?);
/// assert_eq!(measure.to_string(), "loss:box");
/// assert_eq!(Measure::from(ScoreKind::Loss).to_string(), "loss");
/// assert!(Measure::part(ScoreKind::Loss, "a+b").is_err(), "which means a sum of ranks");
/// # Ok::<(), datadiet_core::ScoreError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Measure {
    kind: ScoreKind,
    part: Option<String>,
}

impl Measure {
    /// A part of a score.
    ///
    /// # Errors
    /// When its name is empty, or has a character that means something else in the name of a column: `@`,
    /// `+`, `:`, `,`, `.` or a space.
    pub fn part(kind: ScoreKind, part: impl Into<String>) -> Result<Self, ScoreError> {
        let part = part.into();
        let unfit = |c: char| c.is_whitespace() || c.is_control() || "@+:,.".contains(c);
        if part.is_empty() || part.contains(unfit) {
            return Err(ScoreError::PartName { kind: kind.name(), part });
        }
        Ok(Self { kind, part: Some(part) })
    }

    /// The score that it is, or is a part of.
    #[must_use]
    pub fn kind(&self) -> ScoreKind {
        self.kind
    }

    /// The name of the part; none of a whole score.
    #[must_use]
    pub fn part_name(&self) -> Option<&str> {
        self.part.as_deref()
    }
}

impl From<ScoreKind> for Measure {
    fn from(kind: ScoreKind) -> Self {
        Self { kind, part: None }
    }
}

impl From<Measure> for String {
    fn from(measure: Measure) -> Self {
        measure.to_string()
    }
}

impl TryFrom<String> for Measure {
    type Error = ScoreError;

    fn try_from(text: String) -> Result<Self, ScoreError> {
        text.parse()
    }
}

impl FromStr for Measure {
    type Err = ScoreError;

    fn from_str(text: &str) -> Result<Self, ScoreError> {
        let (kind, part) = match text.split_once(':') {
            Some((kind, part)) => (kind, Some(part)),
            None => (text, None),
        };
        let kind: ScoreKind = kind.parse()?;
        part.map_or(Ok(kind.into()), |part| Self::part(kind, part))
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.part {
            Some(part) => f.pad(&format!("{}:{part}", self.kind)),
            None => self.kind.fmt(f),
        }
    }
}
