//! What the lines and bars of a chart are called: buttons in a page, a list in a file.

use crate::{
    draw::LABEL,
    font::{self, Weight},
    palette,
    svg::Element,
};

/// Size of the sample of a line or bar.
const SAMPLE: (f64, f64) = (30.0, 14.0);
const GAP: f64 = 8.0;
const BETWEEN: f64 = 22.0;
const ROW: f64 = 24.0;

/// A series that can be switched on and off.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What its marks carry as `data-key`.
    pub key: String,
    /// Its name.
    pub name: String,
    /// What it looks like.
    pub sample: Element,
}

impl Entry {
    /// The sample as a picture of its own.
    pub fn swatch(&self) -> Element {
        let (width, height) = SAMPLE;
        let element = Element::new("svg").set("class", "chart swatch").at("width", width);
        let element = element.at("height", height).set("viewBox", format!("0 0 {width} {height}"));
        element.set("aria-hidden", "true").with(self.sample.clone())
    }
}

/// Class of a series: its colour.
pub fn colour(index: usize) -> String {
    format!("s{}", index % palette::SERIES)
}

/// A sample of a line through the middle.
pub fn sample_line(class: &str) -> Element {
    let (width, height) = SAMPLE;
    let data = format!("M1,{y}H{end}", y = height / 2.0, end = width - 1.0);
    Element::new("path").set("class", class).set("d", data)
}

/// The middle of a sample.
pub fn sample_middle() -> (f64, f64) {
    (SAMPLE.0 / 2.0, SAMPLE.1 / 2.0)
}

/// A sample of a bar.
pub fn sample_bar(class: &str) -> Element {
    let (width, height) = SAMPLE;
    let element = Element::new("rect").set("class", class).at("x", 1.0).at("y", 1.0);
    element.at("width", width - 2.0).at("height", height - 2.0)
}

/// The list of entries under a chart of `width` pixels, from `top` down, and its height.
pub fn list(entries: &[Entry], width: f64, top: f64) -> (Element, f64) {
    let mut legend = Element::group("legend");
    let (mut left, mut row) = (4.0, 0.0);
    for entry in entries {
        let room = width - 8.0 - SAMPLE.0 - GAP;
        let name = font::fit(&entry.name, LABEL, room);
        let wide = SAMPLE.0 + GAP + font::width(&name, LABEL, Weight::Regular);
        if left > 4.0 && left + wide > width - 4.0 {
            (left, row) = (4.0, row + 1.0);
        }
        legend.push(item(entry, &name, left, top + row * ROW));
        left += wide + BETWEEN;
    }
    let height = if entries.is_empty() { 0.0 } else { (row + 1.0) * ROW + 6.0 };
    (legend, height)
}

fn item(entry: &Entry, name: &str, left: f64, top: f64) -> Element {
    let place = format!("translate({left:.2} {top:.2})");
    let text = Element::new("text").at("x", SAMPLE.0 + GAP).at("y", 12.0).text(name);
    let group = Element::new("g").set("data-key", &entry.key).set("transform", place);
    group.with(entry.sample.clone()).with(text)
}
