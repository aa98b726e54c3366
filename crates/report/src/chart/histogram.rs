//! Distributions of several samples over common bins.

use serde::{Deserialize, Serialize};

use super::Axis;

/// Distributions over common bins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HistogramChart {
    /// What was binned.
    pub x: Axis,
    /// Edges of the bins, ascending: one more than there are bins.
    pub edges: Vec<f64>,
    /// The samples.
    pub series: Vec<HistogramSeries>,
    /// What the height of a bar is.
    pub measure: HistogramMeasure,
}

/// The distribution of one sample.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistogramSeries {
    /// In the legend.
    pub name: String,
    /// How many values fell into each bin.
    pub counts: Vec<u64>,
}

/// What the height of a bar is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HistogramMeasure {
    /// The number of values.
    Counts,
    /// The share of the series' values, so that samples of different sizes compare.
    #[default]
    Shares,
}
