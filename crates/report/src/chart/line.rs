//! Curves with bands of uncertainty, and horizontal lines to compare them with.

use serde::{Deserialize, Serialize};

use super::Axis;

/// Curves over a common x axis.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LineChart {
    /// Horizontal.
    pub x: Axis,
    /// Vertical.
    pub y: Axis,
    /// The curves.
    pub series: Vec<Series>,
    /// Horizontal lines, such as the accuracy of the full data.
    pub references: Vec<Reference>,
}

/// One curve.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// In the legend.
    pub name: String,
    /// Joined in the order given; a value that is not finite is a gap.
    pub points: Vec<Point>,
    /// Whether the line is dashed, such as for a baseline.
    pub dashed: bool,
}

/// A point of a curve, with its uncertainty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Horizontal.
    pub x: f64,
    /// Vertical.
    pub y: f64,
    /// Lower end of the band.
    pub low: Option<f64>,
    /// Upper end of the band.
    pub high: Option<f64>,
    /// In the tooltip; may be empty.
    pub note: String,
}

impl Point {
    /// A point without uncertainty.
    pub fn new(x: f64, y: f64) -> Self {
        Self { x, y, ..Self::default() }
    }
}

/// A horizontal line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// Beside the line and in the legend.
    pub name: String,
    /// Where it lies.
    pub value: f64,
    /// Lower end of its band.
    pub low: Option<f64>,
    /// Upper end of its band.
    pub high: Option<f64>,
}
