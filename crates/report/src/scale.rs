//! From numbers to pixels, and the round numbers to write beside an axis.
//!
//! Steps are 1, 2 or 5 times a power of ten. Time and logarithmic axes are not here.

/// A linear map from numbers to pixels; either may run downwards.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// The number at the first end.
    pub low: f64,
    /// The number at the second end.
    pub high: f64,
    /// The pixel of `low`.
    pub from: f64,
    /// The pixel of `high`.
    pub to: f64,
}

impl Scale {
    /// The pixel of a number.
    pub fn at(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        self.from + share * (self.to - self.from)
    }

    /// Whether a number lies on the axis.
    pub fn holds(&self, value: f64) -> bool {
        let slack = (self.high - self.low).abs() * 1e-9;
        let (low, high) = (self.low.min(self.high), self.low.max(self.high));
        (low - slack..=high + slack).contains(&value)
    }
}

/// Round numbers along an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Ticks {
    /// Ascending.
    pub values: Vec<f64>,
    /// How far apart.
    pub step: f64,
}

impl Ticks {
    /// About `count` round numbers between two numbers, in either order.
    pub fn between(low: f64, high: f64, count: usize) -> Self {
        let (low, high) = (low.min(high), low.max(high));
        let step = step(high - low, count);
        let first = (low / step - 1e-6).ceil();
        let last = (high / step + 1e-6).floor();
        let values = (0..=(last - first).max(0.0) as usize).map(|index| first + index as f64);
        Self { values: values.map(|index| index * step).collect(), step }
    }
}

/// The round step that divides `span` into at most about `count` parts.
pub fn step(span: f64, count: usize) -> f64 {
    let raw = span / count.max(1) as f64;
    let power = 10f64.powf(raw.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| raw <= factor * power * (1.0 + 1e-9));
    factor.unwrap_or(10.0) * power
}

/// The ends of an axis: as asked for, else the data's, rounded outwards to whole
/// steps, of which there would be about `count`.
pub fn ends(
    asked: Option<(f64, f64)>,
    data: impl Iterator<Item = f64>,
    count: usize,
) -> (f64, f64) {
    if let Some((low, high)) = asked.filter(|&(low, high)| usable(low, high)) {
        return (low, high);
    }
    let finite = data.filter(|value| value.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if low > high {
        return (0.0, 1.0);
    }
    let (low, high) = if usable(low, high) { (low, high) } else { widened(low, high) };
    let step = step(high - low, count);
    ((low / step + 1e-6).floor() * step, (high / step - 1e-6).ceil() * step)
}

/// Whether two numbers are far enough apart to be told from each other on an axis.
fn usable(low: f64, high: f64) -> bool {
    let span = (high - low).abs();
    span.is_finite() && span > low.abs().max(high.abs()) * 1e-9
}

fn widened(low: f64, high: f64) -> (f64, f64) {
    if !(high - low).is_finite() {
        return (-1.0, 1.0);
    }
    let room = if high == 0.0 { 0.5 } else { high.abs() * 0.05 };
    (low - room, high + room)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounded(ticks: &Ticks) -> Vec<f64> {
        ticks.values.iter().map(|value| (value * 1e6).round() / 1e6).collect()
    }

    #[test]
    fn ticks_are_round_numbers_inside_the_axis() {
        assert_eq!(rounded(&Ticks::between(0.0, 1.0, 5)), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
        assert_eq!(rounded(&Ticks::between(91.3, 95.2, 5)), [92.0, 93.0, 94.0, 95.0]);
        assert_eq!(rounded(&Ticks::between(-0.07, 0.11, 4)), [-0.05, 0.0, 0.05, 0.1]);
        assert_eq!(rounded(&Ticks::between(50_000.0, 0.0, 4)), [0.0, 20_000.0, 40_000.0]);
    }

    #[test]
    fn ends_are_those_of_the_data_rounded_outwards() {
        assert_eq!(ends(None, [91.3, 95.2].into_iter(), 5), (91.0, 96.0));
        assert_eq!(ends(None, [0.0, 200.0, f64::NAN].into_iter(), 5), (0.0, 200.0));
        assert_eq!(ends(Some((1.0, 0.0)), [5.0].into_iter(), 5), (1.0, 0.0));
    }

    #[test]
    fn degenerate_data_still_have_an_axis() {
        for data in [vec![], vec![3.0], vec![0.0, 0.0], vec![f64::MAX, f64::MIN], vec![1e17, 1e17]]
        {
            let (low, high) = ends(Some((f64::NAN, 1.0)), data.iter().copied(), 5);
            assert!(low < high && (high - low).is_finite(), "{data:?}: {low} to {high}");
            assert!(Ticks::between(low, high, 5).values.len() >= 2, "{data:?}");
        }
    }

    #[test]
    fn a_scale_may_run_downwards() {
        let scale = Scale { low: 0.0, high: 10.0, from: 200.0, to: 100.0 };
        assert_eq!([0.0, 5.0, 10.0].map(|value| scale.at(value)), [200.0, 150.0, 100.0]);
        assert!(scale.holds(10.0) && !scale.holds(10.1) && !scale.holds(f64::NAN));
    }
}
