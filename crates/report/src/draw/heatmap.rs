//! Draws a matrix as coloured cells, with its palette under it.
//!
//! Colours come in steps, as classes, so that they follow the reader's theme. A palette whose range
//! holds 0 inside diverges around it; any other runs from the background to blue.

use crate::{
    HeatmapChart,
    draw::{Canvas, Drawing, TICK, frame::rule, label},
    font::{self, Weight},
    number,
    palette::LEVELS,
    svg::Element,
};

const GAP: f64 = 8.0;
/// Sides of cells, in pixels.
const CELL: (f64, f64) = (18.0, 56.0);
const CELL_HEIGHT: f64 = 34.0;
/// The longest name of a column, in pixels.
const COLUMN_NAME: f64 = 132.0;
/// Columns whose names do not fit are named along a diagonal.
const SLANT: f64 = std::f64::consts::FRAC_1_SQRT_2;
const VALUE: f64 = 11.0;
const PALETTE: (f64, f64) = (198.0, 10.0);

/// Draws the chart.
pub fn draw(chart: &HeatmapChart, canvas: Canvas) -> Drawing {
    let layout = Layout::of(chart, canvas);
    let mut cells = Element::group("marks");
    let numbers = layout.numbers_fit(chart);
    for (row, name) in chart.rows.iter().enumerate() {
        let key = format!("series-{row}");
        let mut group = Element::group("series").set("data-key", &key);
        for column in 0..chart.columns.len() {
            group.push(cell(chart, &layout, row, column).set("data-key", &key));
            if chart.value(row, column).is_none() {
                group.push(layout.strike(row, column));
            }
        }
        cells.push(group);
        let middle = layout.top + (row as f64 + 0.5) * layout.tall;
        let room = layout.left - GAP - 4.0;
        cells.push(label("end", layout.left - GAP, middle + 4.0, name, TICK, room));
    }
    let mut parts = vec![layout.column_names(chart), cells];
    if numbers {
        parts.push(values(chart, &layout));
    }
    let bottom = layout.top + layout.tall * chart.rows.len() as f64;
    parts.push(palette(chart, layout.left, bottom + 16.0));
    Drawing { width: layout.width, height: bottom + 54.0, parts, legend: Vec::new() }
}

impl HeatmapChart {
    /// The value of a cell; none where it is missing or not finite.
    pub(crate) fn value(&self, row: usize, column: usize) -> Option<f64> {
        let value = self.values.get(row)?.get(column).copied().flatten();
        value.filter(|value| value.is_finite())
    }

    /// What the tooltip adds to a cell; may be empty.
    pub(crate) fn detail(&self, row: usize, column: usize) -> &str {
        self.details.get(row).and_then(|row| row.get(column)).map_or("", String::as_str)
    }

    fn diverges(&self) -> bool {
        let (low, high) = self.range;
        low.min(high) < 0.0 && low.max(high) > 0.0
    }

    /// The step of colour of a value.
    fn level(&self, value: f64) -> i32 {
        let (low, high) = self.range;
        let (from, share) = if self.diverges() {
            (0, value / low.abs().max(high.abs()))
        } else {
            // The lowest cells still stand out from the background.
            (1, ((value - low) / (high - low)).max(0.0))
        };
        let share = if share.is_finite() { share.clamp(-1.0, 1.0) } else { 0.0 };
        from + (share * f64::from(LEVELS - from)).round() as i32
    }

    /// The value as it is written into its cell.
    fn written(&self, value: f64) -> String {
        number::tick(value, crate::scale::step((self.range.1 - self.range.0).abs(), 100))
    }
}

fn cell(chart: &HeatmapChart, layout: &Layout, row: usize, column: usize) -> Element {
    let (x, y) = layout.corner(row, column);
    let value = chart.value(row, column);
    let colour = value.map_or("missing".into(), |value| format!("h{}", chart.level(value)));
    let rect = Element::new("rect").set("class", format!("mark cell {colour}"));
    let rect = rect.at("x", x).at("y", y).at("width", layout.wide).at("height", layout.tall);
    let rect = rect.set("data-series", &chart.rows[row]).set("data-x", &chart.columns[column]);
    let rect = rect.set("data-y", value.map(number::exact).unwrap_or_default());
    let detail = chart.detail(row, column);
    if detail.is_empty() { rect } else { rect.set("data-note", detail) }
}

/// The numbers in the cells.
fn values(chart: &HeatmapChart, layout: &Layout) -> Element {
    let mut group = Element::group("values").set("aria-hidden", "true");
    for row in 0..chart.rows.len() {
        for column in 0..chart.columns.len() {
            let Some(value) = chart.value(row, column) else { continue };
            let (x, y) = layout.corner(row, column);
            let text = Element::new("text").at("x", x + layout.wide / 2.0);
            let text = text.at("y", y + layout.tall / 2.0 + 4.0);
            let class = format!("value t{}", chart.level(value));
            group.push(text.set("class", class).text(&chart.written(value)));
        }
    }
    group
}

/// The palette with the values of its ends and middle.
fn palette(chart: &HeatmapChart, left: f64, top: f64) -> Element {
    let mut group = Element::group("palette").set("aria-hidden", "true");
    let (low, high) = chart.range;
    let steps = 33;
    let wide = PALETTE.0 / f64::from(steps);
    let at = |share: f64| low + share * (high - low);
    for step in 0..steps {
        let value = at(f64::from(step) / f64::from(steps - 1));
        let rect = Element::new("rect").set("class", format!("h{}", chart.level(value)));
        let rect = rect.at("x", left + f64::from(step) * wide).at("y", top);
        group.push(rect.at("width", wide + 0.3).at("height", PALETTE.1));
    }
    for (share, class) in [(0.0, "start"), (0.5, "middle"), (1.0, "end")] {
        let text = number::readable(at(share));
        let (x, y) = (left + share * PALETTE.0, top + PALETTE.1 + 15.0);
        group.push(label(class, x, y, &text, TICK, PALETTE.0 / 3.0));
    }
    group
}

/// Where the cells are, in pixels.
struct Layout {
    left: f64,
    top: f64,
    wide: f64,
    tall: f64,
    width: f64,
    slanted: bool,
}

impl Layout {
    fn of(chart: &HeatmapChart, canvas: Canvas) -> Self {
        let width = |name: &String| font::width(name, TICK, Weight::Regular);
        let widest = |names: &[String]| names.iter().map(width).fold(0.0, f64::max);
        let left = widest(&chart.rows).min(canvas.width() * 0.3) + GAP + 4.0;
        let columns = chart.columns.len().max(1) as f64;
        let names = widest(&chart.columns).min(COLUMN_NAME);
        let side = |right: f64| ((canvas.width() - left - right) / columns).clamp(CELL.0, CELL.1);
        let slanted = names + 6.0 > side(4.0);
        let right = if slanted { names * SLANT + 4.0 } else { 4.0 };
        let wide = side(right);
        let top = if slanted { names * SLANT + 16.0 } else { 24.0 };
        let tall = wide.min(CELL_HEIGHT);
        let width = (left + wide * columns + right).max(canvas.width());
        Self { left, top, wide, tall, width, slanted }
    }

    fn corner(&self, row: usize, column: usize) -> (f64, f64) {
        (self.left + column as f64 * self.wide, self.top + row as f64 * self.tall)
    }

    /// What tells a cell without a value from one near 0: a line from corner to corner.
    fn strike(&self, row: usize, column: usize) -> Element {
        let (x, y) = self.corner(row, column);
        rule("strike", (x + 1.0, y + self.tall - 1.0), (x + self.wide - 1.0, y + 1.0))
    }

    fn numbers_fit(&self, chart: &HeatmapChart) -> bool {
        let values = chart.values.iter().flatten().flatten();
        let texts = values.map(|&value| chart.written(value));
        let widest =
            texts.map(|text| font::width(&text, VALUE, Weight::Regular)).fold(0.0, f64::max);
        widest + 4.0 <= self.wide && self.tall >= 16.0
    }

    fn column_names(&self, chart: &HeatmapChart) -> Element {
        let mut group = Element::group("columns");
        for (column, name) in chart.columns.iter().enumerate() {
            let middle = self.left + (column as f64 + 0.5) * self.wide;
            group.push(if self.slanted {
                let (x, y) = (middle, self.top - 7.0);
                let turned = label("start", x, y, name, TICK, COLUMN_NAME);
                turned.set("transform", format!("rotate(-45 {x:.2} {y:.2})"))
            } else {
                label("middle", middle, self.top - 8.0, name, TICK, self.wide)
            });
        }
        group
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_palette_diverges_around_zero_only_if_zero_is_inside() {
        let levels = |range, values: [f64; 3]| {
            let chart = HeatmapChart { range, ..Default::default() };
            values.map(|value| chart.level(value))
        };
        assert_eq!(levels((-1.0, 1.0), [-1.0, 0.0, 0.5]), [-LEVELS, 0, LEVELS / 2]);
        assert_eq!(levels((-0.5, 1.0), [-0.5, 0.0, 7.0]), [-LEVELS / 2, 0, LEVELS]);
        assert_eq!(levels((0.0, 4.0), [-1.0, 2.0, 4.0]), [1, 9, LEVELS]);
        assert_eq!(levels((2.0, 2.0), [2.0, f64::NAN, 3.0])[0], 1);
    }
}
