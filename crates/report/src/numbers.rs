//! The numbers of a figure as a table, so that nobody has to read them off a picture.

use crate::{Chart, Figure, HeatmapChart, HistogramChart, LineChart, Point, Reference, number};

/// A table of what a figure shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    /// One name a column.
    pub header: Vec<String>,
    /// As many cells a row as there are names.
    pub rows: Vec<Vec<Cell>>,
}

/// A cell of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// A name or a note.
    Text(String),
    /// A number.
    Number(f64),
    /// A number with a remark.
    Remarked(f64, String),
    /// Nothing.
    Missing,
}

impl Cell {
    /// What to show.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(value) | Self::Remarked(value, _) => number::readable(*value),
            Self::Missing => "–".into(),
        }
    }

    /// The number in full, if it is one.
    pub fn value(&self) -> Option<String> {
        match self {
            Self::Number(value) | Self::Remarked(value, _) => Some(number::exact(*value)),
            Self::Text(_) | Self::Missing => None,
        }
    }

    /// The remark, or nothing.
    pub fn remark(&self) -> &str {
        if let Self::Remarked(_, remark) = self { remark } else { "" }
    }

    /// Whether it is aligned as numbers are.
    pub fn is_number(&self) -> bool {
        !matches!(self, Self::Text(_))
    }
}

impl From<Option<f64>> for Cell {
    fn from(value: Option<f64>) -> Self {
        value.filter(|value| value.is_finite()).map_or(Self::Missing, Self::Number)
    }
}

impl Figure {
    /// The numbers that the figure shows.
    pub(crate) fn numbers(&self) -> Numbers {
        match &self.chart {
            Chart::Lines(chart) => lines(chart),
            Chart::Histogram(chart) => histogram(chart),
            Chart::Heatmap(chart) => heatmap(chart),
        }
    }
}

fn lines(chart: &LineChart) -> Numbers {
    let header = ["series", &chart.x.label, &chart.y.label, "low", "high", "note"];
    let points = chart
        .series
        .iter()
        .flat_map(|series| series.points.iter().map(|point| point_row(&series.name, point)));
    let rows = points.chain(chart.references.iter().map(reference_row)).collect();
    without_empty_columns(Numbers { header: header.map(str::to_owned).to_vec(), rows })
}

fn point_row(name: &str, point: &Point) -> Vec<Cell> {
    vec![
        Cell::Text(name.to_owned()),
        Some(point.x).into(),
        Some(point.y).into(),
        point.low.into(),
        point.high.into(),
        Cell::Text(point.note.clone()),
    ]
}

fn reference_row(line: &Reference) -> Vec<Cell> {
    vec![
        Cell::Text(line.name.clone()),
        Cell::Missing,
        Some(line.value).into(),
        line.low.into(),
        line.high.into(),
        Cell::Text(String::new()),
    ]
}

/// Without the last columns, as far as they say nothing: bands and notes that no point has.
fn without_empty_columns(mut numbers: Numbers) -> Numbers {
    let says = |cell: &Cell| !matches!(cell, Cell::Missing) && *cell != Cell::Text(String::new());
    for column in (3..numbers.header.len()).rev() {
        if !numbers.rows.iter().any(|row| says(&row[column])) {
            numbers.header.remove(column);
            for row in &mut numbers.rows {
                row.remove(column);
            }
        }
    }
    numbers
}

fn histogram(chart: &HistogramChart) -> Numbers {
    let heights: Vec<_> = chart.series.iter().map(|series| chart.heights(series)).collect();
    let shares = chart.measure == crate::HistogramMeasure::Shares;
    let mut header = vec![format!("{}, from", chart.x.label), "to".to_owned()];
    for series in &chart.series {
        header.push(format!("{}, count", series.name));
        header.extend(shares.then(|| format!("{}, %", series.name)));
    }
    let row = |(bin, edges): (usize, &[f64])| {
        let mut row = vec![Cell::Number(edges[0]), Cell::Number(edges[1])];
        for (series, heights) in chart.series.iter().zip(&heights) {
            row.push(series.counts.get(bin).map(|&count| count as f64).into());
            row.extend(shares.then(|| heights.get(bin).copied().into()));
        }
        row
    };
    Numbers { header, rows: chart.edges.windows(2).enumerate().map(row).collect() }
}

fn heatmap(chart: &HeatmapChart) -> Numbers {
    let cell = |row, column| match (chart.value(row, column), chart.detail(row, column)) {
        (Some(value), "") => Cell::Number(value),
        (Some(value), detail) => Cell::Remarked(value, detail.to_owned()),
        (None, _) => Cell::Missing,
    };
    let row = |(row, name): (usize, &String)| {
        let cells = (0..chart.columns.len()).map(|column| cell(row, column));
        [Cell::Text(name.clone())].into_iter().chain(cells).collect()
    };
    let header = [String::new()].into_iter().chain(chart.columns.iter().cloned()).collect();
    Numbers { header, rows: chart.rows.iter().enumerate().map(row).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Axis, HistogramMeasure, HistogramSeries, Series};

    fn values(numbers: &Numbers, row: usize) -> Vec<String> {
        numbers.rows[row].iter().map(|cell| cell.value().unwrap_or_else(|| cell.text())).collect()
    }

    #[test]
    fn the_table_of_a_line_chart_has_every_number_in_full() {
        let band =
            Point { low: Some(0.1 + 0.2), note: "4 runs".into(), ..Point::new(0.5, 1.0 / 3.0) };
        let series = Series { name: "el2n".into(), points: vec![band], dashed: false };
        let references = vec![Reference { name: "all".into(), value: 0.9, ..Default::default() }];
        let (x, y) = (Axis::new("kept"), Axis::new("accuracy"));
        let numbers = lines(&LineChart { x, y, series: vec![series], references });
        assert_eq!(numbers.header, ["series", "kept", "accuracy", "low", "note"]);
        let first = ["el2n", "0.5", "0.3333333333333333", "0.30000000000000004", "4 runs"];
        assert_eq!(values(&numbers, 0), first);
        assert_eq!(values(&numbers, 1), ["all", "–", "0.9", "–", ""]);
    }

    #[test]
    fn the_table_of_a_histogram_has_counts_and_shares() {
        let mut chart = HistogramChart {
            x: Axis::new("score"),
            edges: vec![0.0, 0.5, 1.0],
            series: vec![HistogramSeries { name: "clean".into(), counts: vec![3, 1] }],
            measure: HistogramMeasure::Shares,
        };
        assert_eq!(histogram(&chart).header, ["score, from", "to", "clean, count", "clean, %"]);
        assert_eq!(values(&histogram(&chart), 0), ["0", "0.5", "3", "75"]);
        chart.measure = HistogramMeasure::Counts;
        assert_eq!(values(&histogram(&chart), 1), ["0.5", "1", "1"]);
    }

    #[test]
    fn the_table_of_a_heatmap_is_its_matrix() {
        let chart = HeatmapChart {
            rows: vec!["a".into()],
            columns: vec!["b".into(), "c".into(), "d".into()],
            values: vec![vec![Some(0.25), None]],
            details: vec![vec!["50,000 examples".into()]],
            range: (-1.0, 1.0),
        };
        let numbers = heatmap(&chart);
        assert_eq!(numbers.header, ["", "b", "c", "d"]);
        assert_eq!(values(&numbers, 0), ["a", "0.25", "–", "–"]);
        assert_eq!(numbers.rows[0][1].remark(), "50,000 examples");
    }
}
