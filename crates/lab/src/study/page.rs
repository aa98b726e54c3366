//! What the sections of several studies share.

use datadiet_report::{Point, Reference};

use crate::Spread;

/// A point of a curve, in `scale` times the unit of the spread, with a band where there are several
/// trainings.
pub(super) fn band_point(x: f64, spread: &Spread, scale: f64, note: String) -> Point {
    let several = spread.values.len() > 1;
    Point {
        x,
        y: spread.mean * scale,
        low: several.then_some(spread.low * scale),
        high: several.then_some(spread.high * scale),
        note,
    }
}

/// A line across a figure, in percent where it is an accuracy.
pub(super) fn reference(name: &str, accuracy: Option<&Spread>) -> Option<Reference> {
    let accuracy = accuracy?;
    let scale = accuracy.scale();
    let several = accuracy.values.len() > 1;
    Some(Reference {
        name: name.into(),
        value: accuracy.mean * scale,
        low: several.then_some(accuracy.low * scale),
        high: several.then_some(accuracy.high * scale),
    })
}

/// What a labelling is called in figures.
pub(super) fn scene_name(scene: &str) -> &str {
    if scene.is_empty() { "labels as given" } else { scene }
}

/// With a capital at its beginning.
pub(super) fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map_or(String::new(), |first| first.to_uppercase().chain(characters).collect())
}
