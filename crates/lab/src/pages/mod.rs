//! From outcomes to the sections of a report: which figures, which tables, in which words.

mod connectivity;
mod experiment;
mod pruning;
mod search;
mod velocity;

pub use experiment::experiment_sections;

use datadiet_report::Point;

use crate::Spread;

/// A point of a curve, in `scale` times the unit of the spread, with a band where there are several
/// trainings.
fn band_point(x: f64, spread: &Spread, scale: f64, note: String) -> Point {
    let several = spread.values.len() > 1;
    Point {
        x,
        y: spread.mean * scale,
        low: several.then_some(spread.low * scale),
        high: several.then_some(spread.high * scale),
        note,
    }
}

/// What a labelling is called in figures.
fn scene_name(scene: &str) -> &str {
    if scene.is_empty() { "labels as they are" } else { scene }
}

/// With a capital at its beginning.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map_or(String::new(), |first| first.to_uppercase().chain(characters).collect())
}

/// A fraction as percent, without needless digits.
fn percent(fraction: f64) -> f64 {
    (fraction * 1e4).round() / 1e2
}
