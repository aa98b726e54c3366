//! A matrix of coloured cells, such as correlations.

use serde::{Deserialize, Serialize};

/// A matrix of values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HeatmapChart {
    /// Names of the rows, from the top.
    pub rows: Vec<String>,
    /// Names of the columns, from the left.
    pub columns: Vec<String>,
    /// Values by row, then column; `None` where there is none.
    pub values: Vec<Vec<Option<f64>>>,
    /// What the tooltip adds, by row, then column; may be empty or shorter.
    pub details: Vec<Vec<String>>,
    /// The values at the ends of the palette. It diverges around 0 if 0 is inside.
    pub range: (f64, f64),
}
