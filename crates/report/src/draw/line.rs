//! Draws curves, their bands and marks, and horizontal lines with their names beside them.

use crate::{
    LineChart, Point, Reference, Series,
    draw::{
        Canvas, Drawing, Entry, TICK,
        frame::{Frame, Plan, rule},
        label, legend,
    },
    font::{self, Weight},
    number,
    svg::{self, Element, Pixels},
};

/// Height of the name of a reference.
const NAME: f64 = 16.0;
/// From this many points on, marks are small and lie on their line without a rim.
const MANY: usize = 60;

/// The corners of a plus sign; turned, of a cross.
const PLUS: [(f64, f64); 12] = [
    (-0.5, -1.4),
    (0.5, -1.4),
    (0.5, -0.5),
    (1.4, -0.5),
    (1.4, 0.5),
    (0.5, 0.5),
    (0.5, 1.4),
    (-0.5, 1.4),
    (-0.5, 0.5),
    (-1.4, 0.5),
    (-1.4, -0.5),
    (-0.5, -0.5),
];

/// Draws the chart.
pub fn draw(chart: &LineChart, canvas: Canvas) -> Drawing {
    let margin = names_width(chart, canvas);
    let frame = Frame::new(plan(chart, margin + 14.0), canvas);
    let mut plot = frame.clip();
    let mut marks = Element::group("marks");
    for (index, reference) in chart.references.iter().enumerate() {
        plot.push(reference_line(&frame, index, reference));
    }
    for (index, series) in chart.series.iter().enumerate() {
        plot.push(curve(&frame, index, series));
        marks.push(marks_of(&frame, index, series));
    }
    let mut parts = vec![frame.axes(&chart.x, &chart.y), plot, marks];
    if margin > 0.0 {
        parts.push(names(&frame, &chart.references, margin));
    }
    let (width, height) = (canvas.width(), canvas.height());
    Drawing { width, height, parts, legend: entries(chart) }
}

fn plan(chart: &LineChart, right: f64) -> Plan<'_> {
    let points = || chart.series.iter().flat_map(|series| &series.points);
    let point_values = points().flat_map(|point| spread(point.y, point.low, point.high));
    let references = chart.references.iter();
    let reference_values = references.flat_map(|line| spread(line.value, line.low, line.high));
    Plan {
        x: &chart.x,
        y: &chart.y,
        x_values: points().map(|point| point.x).collect(),
        y_values: point_values.chain(reference_values).collect(),
        tight: false,
        right,
    }
}

fn spread(value: f64, low: Option<f64>, high: Option<f64>) -> [f64; 3] {
    [low.unwrap_or(value), value, high.unwrap_or(value)]
}

fn series_key(index: usize) -> String {
    format!("series-{index}")
}

fn reference_key(index: usize) -> String {
    format!("reference-{index}")
}

fn group(index: usize, class: &str) -> Element {
    let class = format!("{} series {class}", legend::colour(index));
    Element::new("g").set("class", class).set("data-key", series_key(index))
}

fn curve(frame: &Frame, index: usize, series: &Series) -> Element {
    let mut group = group(index, "");
    for run in series.points.split(|point| !drawable(point)) {
        match run {
            [] => {}
            [alone] => group.push(whisker(frame, alone)),
            _ => group.push(band(frame, run)),
        }
    }
    let at = |point: &Point| (frame.x.at(point.x), frame.y.at(point.y));
    let points = series.points.iter().map(|point| drawable(point).then(|| at(point)));
    let class = if series.dashed { "line dashed" } else { "line" };
    group.with(Element::new("path").set("class", class).set("d", svg::path(points)))
}

fn drawable(point: &Point) -> bool {
    point.x.is_finite() && point.y.is_finite()
}

/// The two ends of the band at a point, in pixels.
fn band_ends(frame: &Frame, point: &Point) -> Option<(f64, f64)> {
    let finite = |end: Option<f64>| end.filter(|value| value.is_finite());
    let (low, high) = (finite(point.low), finite(point.high));
    let any = low.or(high).is_some();
    any.then(|| (frame.y.at(low.unwrap_or(point.y)), frame.y.at(high.unwrap_or(point.y))))
}

fn whisker(frame: &Frame, point: &Point) -> Element {
    let (low, high) = band_ends(frame, point).unwrap_or_default();
    let x = frame.x.at(point.x);
    rule("whisker", (x, low), (x, high))
}

fn band(frame: &Frame, run: &[Point]) -> Element {
    let mut data = String::new();
    for part in run.split(|point| band_ends(frame, point).is_none()) {
        let ends = part.iter().filter_map(|point| {
            band_ends(frame, point).map(|(low, high)| (frame.x.at(point.x), low, high))
        });
        let lower = ends.clone().map(|(x, low, _)| Some((x, low)));
        let upper = ends.rev().map(|(x, _, high)| Some((x, high)));
        data.push_str(&svg::path(lower.chain(upper)));
        data.push_str(if part.is_empty() { "" } else { "Z" });
    }
    Element::new("path").set("class", "band").set("d", data)
}

/// The marks of the points that lie in the plot area.
fn marks_of(frame: &Frame, index: usize, series: &Series) -> Element {
    let (class, radius) = if series.points.len() < MANY { ("", 4.2) } else { ("dense", 1.6) };
    let mut group = group(index, class);
    for point in &series.points {
        if frame.x.holds(point.x) && frame.y.holds(point.y) {
            let (x, y) = (frame.x.at(point.x), frame.y.at(point.y));
            group.push(mark(index, x, y, radius).set_point(index, &series.name, point));
        }
    }
    group
}

impl Element {
    /// Adds the numbers of a point, exactly.
    fn set_point(self, index: usize, name: &str, point: &Point) -> Self {
        let mut element = self.set("data-series", name).set("data-key", series_key(index));
        element = element.set("data-x", number::exact(point.x));
        element = element.set("data-y", number::exact(point.y));
        for (attribute, end) in [("data-low", point.low), ("data-high", point.high)] {
            if let Some(value) = end.filter(|value| value.is_finite()) {
                element = element.set(attribute, number::exact(value));
            }
        }
        if point.note.is_empty() { element } else { element.set("data-note", &point.note) }
    }
}

/// The mark of a series: its shape tells it apart where its colour does not.
fn mark(index: usize, x: f64, y: f64, radius: f64) -> Element {
    let r = radius;
    let corners: &[(f64, f64)] = match (index + index / 8) % 8 {
        0 => {
            let circle = Element::new("circle").at("cx", x).at("cy", y).at("r", r);
            return circle.set("class", "mark");
        }
        1 => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        2 => &[(0.0, -1.25), (1.15, 0.85), (-1.15, 0.85)],
        3 => &[(0.0, -1.35), (1.2, 0.0), (0.0, 1.35), (-1.2, 0.0)],
        4 => &[(0.0, 1.25), (1.15, -0.85), (-1.15, -0.85)],
        5 => &PLUS,
        6 => &PLUS.map(|(right, down)| (0.71 * (right - down), 0.71 * (right + down))),
        _ => &[(0.0, -1.25), (1.2, -0.35), (0.75, 1.05), (-0.75, 1.05), (-1.2, -0.35)],
    };
    let points: Vec<_> = corners
        .iter()
        .map(|(right, down)| format!("{},{}", Pixels(x + right * r), Pixels(y + down * r)))
        .collect();
    Element::new("polygon").set("points", points.join(" ")).set("class", "mark")
}

fn reference_class(index: usize) -> String {
    format!("reference-line r{}", index % 4)
}

fn reference_line(frame: &Frame, index: usize, reference: &Reference) -> Element {
    let mut group = Element::group("reference").set("data-key", reference_key(index));
    if !reference.value.is_finite() {
        return group;
    }
    let point =
        Point { low: reference.low, high: reference.high, ..Point::new(0.0, reference.value) };
    if let Some((low, high)) = band_ends(frame, &point) {
        let band = Element::new("rect").set("class", "band").at("x", frame.x.from).at("y", high);
        group.push(band.at("width", frame.x.to - frame.x.from).at("height", (low - high).max(0.0)));
    }
    let y = frame.y.at(reference.value);
    let line = rule(&reference_class(index), (frame.x.from, y), (frame.x.to, y));
    let line = line.set("data-series", &reference.name);
    group.with(line.set("data-y", number::exact(reference.value)))
}

/// Room for the names of the references on the right; none on a phone, where the legend must do.
fn names_width(chart: &LineChart, canvas: Canvas) -> f64 {
    let width = |line: &Reference| font::width(&line.name, TICK, Weight::Regular);
    let widest = chart.references.iter().map(width).fold(0.0, f64::max);
    if canvas == Canvas::Narrow { 0.0 } else { widest.min(canvas.width() * 0.22) }
}

/// The names of the references beside their lines, moved apart where lines lie close together.
fn names(frame: &Frame, references: &[Reference], room: f64) -> Element {
    let mut group = Element::group("names");
    let shown = references.iter().enumerate().filter(|(_, line)| frame.y.holds(line.value));
    let mut lines: Vec<_> =
        shown.map(|(index, line)| (frame.y.at(line.value), index, &line.name)).collect();
    lines.sort_by(|one, other| one.0.total_cmp(&other.0));
    let wished: Vec<f64> = lines.iter().map(|line| line.0).collect();
    for (place, (y, index, name)) in apart(&wished, frame.y.to, frame.y.from).iter().zip(&lines) {
        let (end, left) = (frame.x.to, frame.x.to + 12.0);
        let leader = rule("leader", (end + 1.0, *y), (left - 2.0, *place));
        let text = label("start", left, place + 4.0, name, TICK, room);
        let key = reference_key(*index);
        group.push(Element::new("g").set("data-key", key).with(leader).with(text));
    }
    group
}

/// Places at least a name apart and inside the plot, near the ascending ones wished for.
fn apart(wished: &[f64], top: f64, bottom: f64) -> Vec<f64> {
    let mut places = wished.to_vec();
    for index in 1..places.len() {
        places[index] = places[index].max(places[index - 1] + NAME);
    }
    let mut limit = bottom;
    for place in places.iter_mut().rev() {
        *place = place.min(limit).max(top - NAME);
        limit = *place - NAME;
    }
    places
}

fn entries(chart: &LineChart) -> Vec<Entry> {
    let series = chart.series.iter().enumerate().map(|(index, series)| {
        let (x, y) = legend::sample_middle();
        let class = if series.dashed { "line dashed" } else { "line" };
        let sample = Element::group(&legend::colour(index)).with(legend::sample_line(class));
        let sample = sample.with(mark(index, x, y, 4.2));
        Entry { key: series_key(index), name: series.name.clone(), sample }
    });
    let references = chart.references.iter().enumerate().map(|(index, line)| {
        let sample = legend::sample_line(&reference_class(index));
        let sample = Element::group("reference").with(sample);
        let name = format!("{} ({})", line.name, number::readable(line.value));
        Entry { key: reference_key(index), name, sample }
    });
    series.chain(references).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_references_do_not_touch() {
        let places = apart(&[100.0, 101.0, 102.0, 300.0], 30.0, 380.0);
        assert_eq!(places, [100.0, 116.0, 132.0, 300.0]);
        let pushed = apart(&[370.0, 375.0, 380.0], 30.0, 380.0);
        assert_eq!(pushed, [348.0, 364.0, 380.0]);
    }
}
