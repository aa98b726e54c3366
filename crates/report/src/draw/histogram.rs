//! Draws distributions as steps over their bins. Several lie over each other, translucent, with
//! outlines of different dashes.

use crate::{
    Axis, HistogramChart, HistogramMeasure, HistogramSeries,
    draw::{
        Canvas, Drawing, Entry,
        frame::{Frame, Plan},
        legend,
    },
    number,
    svg::{self, Element},
};

/// Draws the chart.
pub fn draw(chart: &HistogramChart, canvas: Canvas) -> Drawing {
    let y = Axis { label: chart.measure.label().into(), range: None };
    let heights: Vec<f64> = chart.series.iter().flat_map(|series| chart.heights(series)).collect();
    let plan = Plan {
        x: &chart.x,
        y: &y,
        x_values: chart.edges.clone(),
        y_values: heights.into_iter().chain([0.0]).collect(),
        tight: true,
        right: 14.0,
    };
    let frame = Frame::new(plan, canvas);
    let mut plot = frame.clip();
    for (index, series) in chart.series.iter().enumerate() {
        plot.push(steps(&frame, chart, index, series));
    }
    let parts = vec![frame.axes(&chart.x, &y), plot];
    let (width, height) = (canvas.width(), canvas.height());
    Drawing { width, height, parts, legend: entries(chart) }
}

impl HistogramMeasure {
    /// The label of the vertical axis.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Counts => "count",
            Self::Shares => "share of the series, %",
        }
    }
}

impl HistogramChart {
    /// The heights of the bars of a series: counts, or percentages of the series.
    pub(crate) fn heights(&self, series: &HistogramSeries) -> Vec<f64> {
        let total = series.counts.iter().sum::<u64>().max(1) as f64;
        let unit = match self.measure {
            HistogramMeasure::Counts => 1.0,
            HistogramMeasure::Shares => total / 100.0,
        };
        let bins = self.edges.len().saturating_sub(1);
        series.counts.iter().take(bins).map(|&count| count as f64 / unit).collect()
    }
}

fn key(index: usize) -> String {
    format!("series-{index}")
}

fn outline_class(index: usize) -> String {
    format!("outline o{}", index % 4)
}

fn steps(frame: &Frame, chart: &HistogramChart, index: usize, series: &HistogramSeries) -> Element {
    let class = format!("series {}", legend::colour(index));
    let mut group = Element::new("g").set("class", class).set("data-key", key(index));
    let heights = chart.heights(series);
    let bars = bins(&chart.edges, &heights).zip(&series.counts);
    for ((edges, height), count) in bars {
        let bar = bar(frame, edges, height).set("data-series", &series.name);
        let bar = bar.set("data-key", key(index)).set("data-x", number::exact(edges[0]));
        let bar = bar.set("data-to", number::exact(edges[1])).set("data-y", number::exact(height));
        group.push(bar.set("data-count", count));
    }
    let outline = svg::path(corners(frame, &chart.edges, &heights).into_iter().map(Some));
    group.with(Element::new("path").set("class", outline_class(index)).set("d", outline))
}

/// The bins that can be drawn, up to the first edge that is not a number.
fn bins<'a>(edges: &'a [f64], heights: &'a [f64]) -> impl Iterator<Item = (&'a [f64], f64)> {
    let finite = |edges: &&[f64]| edges.iter().all(|edge| edge.is_finite());
    edges.windows(2).take_while(finite).zip(heights.iter().copied())
}

fn bar(frame: &Frame, edges: &[f64], height: f64) -> Element {
    let (left, right) = (frame.x.at(edges[0]), frame.x.at(edges[1]));
    let (top, bottom) = (frame.y.at(height), frame.y.at(0.0));
    let rect = Element::new("rect").set("class", "mark bar").at("x", left.min(right)).at("y", top);
    rect.at("width", (right - left).abs()).at("height", (bottom - top).max(0.0))
}

/// The corners of the outline, from the baseline back to it.
fn corners(frame: &Frame, edges: &[f64], heights: &[f64]) -> Vec<(f64, f64)> {
    let ground = frame.y.at(0.0);
    let mut corners = Vec::new();
    for (edges, height) in bins(edges, heights) {
        let top = frame.y.at(height);
        let (left, right) = (frame.x.at(edges[0]), frame.x.at(edges[1]));
        corners.extend([(left, top), (right, top)]);
    }
    let first = corners.first().map(|&(x, _)| (x, ground));
    let last = corners.last().map(|&(x, _)| (x, ground));
    first.into_iter().chain(corners).chain(last).collect()
}

fn entries(chart: &HistogramChart) -> Vec<Entry> {
    let entry = |(index, series): (usize, &HistogramSeries)| {
        let sample = Element::group(&legend::colour(index)).with(legend::sample_bar("bar"));
        let sample = sample.with(legend::sample_bar(&outline_class(index)));
        Entry { key: key(index), name: series.name.clone(), sample }
    };
    chart.series.iter().enumerate().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_percentages_of_each_series() {
        let series = HistogramSeries { name: "a".into(), counts: vec![1, 3, 4] };
        let mut chart = HistogramChart { edges: vec![0.0, 1.0, 2.0, 3.0], ..Default::default() };
        assert_eq!(chart.heights(&series), [12.5, 37.5, 50.0]);
        chart.measure = HistogramMeasure::Counts;
        assert_eq!(chart.heights(&series), [1.0, 3.0, 4.0]);
    }
}
