//! The plot area of a chart with two numeric axes: grid, ticks and labels around it.
//!
//! The label of the y axis stands over it, where it can be read without turning the head.

use crate::{
    Axis,
    draw::{Canvas, LABEL, TICK, label},
    font::{self, Weight},
    number,
    scale::{self, Scale, Ticks},
    svg::Element,
};

/// Between a tick's label and the axis.
const GAP: f64 = 8.0;
const ABOVE: f64 = 32.0;
const BELOW: f64 = 48.0;

/// A plot area.
#[derive(Clone, Debug)]
pub struct Frame {
    /// From numbers to pixels, to the right.
    pub x: Scale,
    /// From numbers to pixels, upwards.
    pub y: Scale,
    x_ticks: Ticks,
    y_ticks: Ticks,
    width: f64,
    height: f64,
}

/// What decides on a plot area.
pub struct Plan<'a> {
    /// Horizontal axis.
    pub x: &'a Axis,
    /// Vertical axis.
    pub y: &'a Axis,
    /// Numbers that the horizontal axis must show.
    pub x_values: Vec<f64>,
    /// Numbers that the vertical axis must show.
    pub y_values: Vec<f64>,
    /// Whether the horizontal axis ends with the data, not at a whole tick.
    pub tight: bool,
    /// Pixels to leave on the right.
    pub right: f64,
}

impl Frame {
    /// Finds room for everything.
    pub fn new(plan: Plan<'_>, canvas: Canvas) -> Self {
        let (width, height) = (canvas.width(), canvas.height());
        let (top, bottom) = (ABOVE, height - BELOW);
        let rows = ((bottom - top) / 55.0) as usize;
        let (low, high) = scale::ends(plan.y.range, plan.y_values.into_iter(), 2 * rows);
        let y_ticks = Ticks::between(low, high, rows);
        let y = Scale { low, high, from: bottom, to: top };

        let left = widest(&y_ticks) + GAP + 4.0;
        let (low, high) = x_ends(plan.x, plan.x_values, plan.tight, (width - left) as usize / 45);
        let x_ticks = spaced_ticks(low, high, width - left - plan.right);
        let right = plan.right.max(widest(&x_ticks) / 2.0 + 4.0);
        let x = Scale { low, high, from: left, to: width - right };
        Self { x, y, x_ticks, y_ticks, width, height }
    }

    /// Grid, ticks and labels.
    pub fn axes(&self, x: &Axis, y: &Axis) -> Element {
        let mut axes = Element::group("axes").set("aria-hidden", "true");
        for &value in &self.y_ticks.values {
            let (at, text) = (self.y.at(value), number::tick(value, self.y_ticks.step));
            axes.push(rule("grid", (self.x.from, at), (self.x.to, at)));
            axes.push(label("end", self.x.from - GAP, at + 4.0, &text, TICK, f64::INFINITY));
        }
        let bottom = self.y.from;
        for &value in &self.x_ticks.values {
            let (at, text) = (self.x.at(value), number::tick(value, self.x_ticks.step));
            axes.push(rule("baseline", (at, bottom), (at, bottom + 5.0)));
            axes.push(label("middle", at, bottom + 19.0, &text, TICK, f64::INFINITY));
        }
        axes.push(rule("baseline", (self.x.from, bottom), (self.x.to, bottom)));
        axes.push(label("axis-label start", 4.0, 14.0, &y.label, LABEL, self.width - 8.0));
        let middle = f64::midpoint(self.x.from, self.x.to);
        let room = 2.0 * (middle - 4.0).min(self.width - middle - 4.0);
        axes.push(label("axis-label middle", middle, self.height - 8.0, &x.label, LABEL, room));
        axes
    }

    /// A group whose content is cut off at the plot area. It is a picture within the picture, so
    /// that it needs no id, of which a page with many figures would have to keep count.
    pub fn clip(&self) -> Element {
        let (left, top) = (self.x.from - 2.0, self.y.to - 2.0);
        let (width, height) = (self.x.to - self.x.from + 4.0, self.y.from - self.y.to + 4.0);
        let view = format!("{left:.2} {top:.2} {width:.2} {height:.2}");
        let element = Element::new("svg").at("x", left).at("y", top);
        element.at("width", width).at("height", height).set("viewBox", view)
    }
}

/// A straight line.
pub fn rule(class: &str, from: (f64, f64), to: (f64, f64)) -> Element {
    let element = Element::new("line").set("class", class).at("x1", from.0).at("y1", from.1);
    element.at("x2", to.0).at("y2", to.1)
}

fn widest(ticks: &Ticks) -> f64 {
    let text = |value: &f64| number::tick(*value, ticks.step);
    let widths = ticks.values.iter().map(|value| font::width(&text(value), TICK, Weight::Regular));
    widths.fold(0.0, f64::max)
}

/// As many ticks as fit side by side.
fn spaced_ticks(low: f64, high: f64, room: f64) -> Ticks {
    let fits = |ticks: &Ticks| {
        let apart = ticks.step / (high - low).abs() * room;
        widest(ticks) + 16.0 <= apart
    };
    let counts = (2..=(room / 75.0) as usize).rev();
    let mut candidates = counts.map(|count| Ticks::between(low, high, count));
    candidates.find(fits).unwrap_or_else(|| Ticks::between(low, high, 1))
}

fn x_ends(axis: &Axis, values: Vec<f64>, tight: bool, count: usize) -> (f64, f64) {
    let ends = |asked| scale::ends(asked, values.iter().copied(), count);
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let data = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    ends(axis.range.or(tight.then_some(data)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(values: &[f64], canvas: Canvas) -> Frame {
        let axis = Axis::new("images");
        let (x_values, y_values) = (values.to_vec(), values.to_vec());
        let plan = Plan { x: &axis, y: &axis, x_values, y_values, tight: false, right: 8.0 };
        Frame::new(plan, canvas)
    }

    #[test]
    fn labels_of_ticks_do_not_touch() {
        let samples =
            [[0.0, 1.0], [1e7, 5e7], [-2e-7, 3e-7], [0.000_1, 0.000_9], [-12.0, 99_999.0]];
        for values in samples {
            for canvas in [Canvas::Wide, Canvas::Narrow] {
                let frame = frame(&values, canvas);
                let ticks = &frame.x_ticks;
                assert!(ticks.values.len() >= 2, "{values:?}: {ticks:?}");
                let apart = frame.x.at(ticks.values[1]) - frame.x.at(ticks.values[0]);
                assert!(widest(ticks) + 8.0 < apart, "{values:?}: {ticks:?}");
                assert!(widest(&frame.y_ticks) <= frame.x.from, "{values:?}");
            }
        }
    }
}
