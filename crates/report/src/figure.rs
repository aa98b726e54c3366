//! A chart with its title and caption, as SVG or PNG.

use serde::{Deserialize, Serialize};

use crate::{
    HeatmapChart, HistogramChart, LineChart, ReportError, draw::sheet, font, palette, raster,
};

/// A chart with its title and caption.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What links and file names use; characters that cannot be in an address become `-`.
    pub id: String,
    /// Above the chart.
    pub title: String,
    /// Under the chart: what is shown, of how many, with which uncertainty. May be empty.
    pub caption: String,
    /// What is drawn.
    pub chart: Chart,
}

/// What a figure draws.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chart {
    /// Curves with bands of uncertainty.
    Lines(LineChart),
    /// Distributions over common bins.
    Histogram(HistogramChart),
    /// A matrix of coloured cells.
    Heatmap(HeatmapChart),
}

impl Figure {
    /// The figure as an SVG file of its own, in light colours, with title and legend.
    pub fn to_svg(&self) -> String {
        sheet::file(self, &palette::families())
    }

    /// The same picture as PNG, `scale` pixels per unit; 2 suits screens and slides.
    ///
    /// The fonts are part of the program, so that every machine draws the same, and one without
    /// fonts draws at all. Only characters that they lack, such as Chinese ones, come from fonts of
    /// the machine.
    pub fn to_png(&self, scale: f32) -> Result<Vec<u8>, ReportError> {
        raster::png(&self.id, &sheet::file(self, font::FAMILY), scale)
    }
}

impl Chart {
    /// What scripts and styles call this kind of chart.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Lines(_) => "lines",
            Self::Histogram(_) => "histogram",
            Self::Heatmap(_) => "heatmap",
        }
    }

    /// The label of the horizontal axis, if it has one.
    pub(crate) fn x_label(&self) -> &str {
        match self {
            Self::Lines(chart) => &chart.x.label,
            Self::Histogram(chart) => &chart.x.label,
            Self::Heatmap(_) => "",
        }
    }
}
