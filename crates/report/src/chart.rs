//! The kinds of charts: what they hold, and how each is drawn.
//!
//! The charts are drawn by our own code, as SVG, on the side that writes the page. Crates that plot
//! give pictures whose series cannot be switched off, whose colours do not follow a light or dark
//! theme, and whose marks do not carry their numbers; crates that wrap a JavaScript library bring
//! a megabyte of it into every page. What is needed here is small: ticks, lines, bars and cells.

mod heatmap;
mod histogram;
mod line;

pub use heatmap::HeatmapChart;
pub use histogram::{HistogramChart, HistogramMeasure, HistogramSeries};
pub use line::{LineChart, Point, Reference, Series};

use serde::{Deserialize, Serialize};

/// One axis of a chart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// What is measured, with its unit.
    pub label: String,
    /// The values shown; without it the data's, rounded outwards.
    pub range: Option<(f64, f64)>,
}

impl Axis {
    /// An axis that shows the range of the data.
    pub fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), range: None }
    }
}
