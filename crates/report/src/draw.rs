//! How charts are drawn: from their numbers to SVG elements.
//!
//! A [`Drawing`] is the same in a page, in an SVG file and in a PNG file; what differs around it
//! (title, legend, colours) is in [`sheet`].

mod frame;
mod heatmap;
mod histogram;
mod legend;
mod line;
pub mod sheet;

pub use legend::Entry;

use crate::{Chart, svg::Element};

/// The size of the text of ticks, in pixels.
const TICK: f64 = 12.0;

/// The size of the text of axes and legends, in pixels.
const LABEL: f64 = 13.0;

/// The room that a chart is drawn for. Text has the same size in all, so that it can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canvas {
    /// A desktop, a slide, paper.
    Wide,
    /// A phone.
    Narrow,
}

impl Canvas {
    /// Class of the drawing.
    pub fn class(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Narrow => "narrow",
        }
    }

    fn width(self) -> f64 {
        match self {
            Self::Wide => 840.0,
            Self::Narrow => 380.0,
        }
    }

    fn height(self) -> f64 {
        match self {
            Self::Wide => 430.0,
            Self::Narrow => 320.0,
        }
    }
}

/// A chart, drawn.
#[derive(Clone, Debug)]
pub struct Drawing {
    /// In pixels.
    pub width: f64,
    /// In pixels.
    pub height: f64,
    /// What is drawn.
    pub parts: Vec<Element>,
    /// What can be switched on and off.
    pub legend: Vec<Entry>,
}

/// Draws a chart.
pub fn draw(chart: &Chart, canvas: Canvas) -> Drawing {
    match chart {
        Chart::Lines(chart) => line::draw(chart, canvas),
        Chart::Histogram(chart) => histogram::draw(chart, canvas),
        Chart::Heatmap(chart) => heatmap::draw(chart, canvas),
    }
}

/// A text of a class with its baseline at (`x`, `y`), cut to `room` pixels; the whole of a text
/// that was cut is in its title.
fn label(class: &str, x: f64, y: f64, text: &str, size: f64, room: f64) -> Element {
    let shown = crate::font::fit(text, size, room);
    let element = Element::new("text").set("class", class).at("x", x).at("y", y);
    let element = element.text(&shown);
    if shown == text { element } else { element.with(Element::new("title").text(text)) }
}
