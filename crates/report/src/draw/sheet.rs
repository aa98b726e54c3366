//! What stands around a drawing: in a page nothing (the page has the title and the legend), in a
//! file a title above, a legend below, and the style that a page has elsewhere.
//!
//! A page's drawing carries the title and legend too, out of sight, and says which part of the sheet
//! is the file: a script that saves the drawing only has to show them.

use crate::{
    Figure,
    draw::{Canvas, Drawing, draw, legend},
    font::{self, Weight},
    number, palette,
    svg::Element,
};

const MARGIN: f64 = 16.0;
const TITLE: f64 = 17.0;
const TITLE_LINE: f64 = 24.0;
const STYLE: &str = include_str!("../../assets/figure.css");

/// The style of figures, the same in pages and files.
pub fn style() -> String {
    format!("{STYLE}\n{}", palette::classes())
}

/// The style of a file, in the light theme and given font families.
pub fn file_style(families: &str) -> String {
    palette::written_in(&style(), families)
}

/// The figure as a file.
pub fn file(figure: &Figure, families: &str) -> String {
    let drawing = draw(&figure.chart, Canvas::Wide);
    let sheet = Sheet::of(figure, &drawing);
    let root = Element::new("svg").set("xmlns", "http://www.w3.org/2000/svg");
    let root = root.set("class", "chart").at("width", sheet.width).at("height", sheet.height);
    let mut root = root.set("viewBox", sheet.view());
    if !figure.caption.is_empty() {
        root.push(Element::new("desc").text(&figure.caption));
    }
    root = root.style(&file_style(families)).with(sheet.surroundings);
    for part in drawing.parts {
        root.push(part);
    }
    root.to_string()
}

/// The figure as a part of a page, for one of the widths of the page.
pub fn inline(figure: &Figure, canvas: Canvas) -> (Element, Vec<legend::Entry>) {
    let drawing = draw(&figure.chart, canvas);
    let Drawing { width, height, .. } = drawing;
    let mut root = Element::new("svg").set("class", format!("chart {}", canvas.class()));
    root = root.set("viewBox", format!("0 0 {width:.0} {height:.0}"));
    root = root.set("style", format!("--natural:{width:.0}px"));
    root = root.set("role", "group").set("aria-roledescription", "chart").set("tabindex", 0);
    root = root.set("aria-label", &figure.title);
    if canvas == Canvas::Wide {
        let sheet = Sheet::of(figure, &drawing);
        root = root.set("data-sheet", sheet.view()).with(sheet.surroundings);
    }
    for part in drawing.parts {
        root.push(part);
    }
    (root, drawing.legend)
}

/// The drawing with a title above and a legend below.
struct Sheet {
    surroundings: Element,
    top: f64,
    width: f64,
    height: f64,
}

impl Sheet {
    fn of(figure: &Figure, drawing: &Drawing) -> Self {
        let room = drawing.width;
        let lines = font::wrap(&figure.title, TITLE, Weight::Bold, room - 8.0);
        let above = MARGIN + 8.0 + lines.len() as f64 * TITLE_LINE;
        let (list, below) = legend::list(&drawing.legend, room, drawing.height + 10.0);
        let width = room + 2.0 * MARGIN;
        let height = above + drawing.height + 10.0 + below + MARGIN;
        let background = Element::new("rect").set("class", "background").at("x", -MARGIN);
        let background = background.at("y", -above).at("width", width).at("height", height);
        let mut surroundings = Element::group("surroundings").with(background);
        for (index, line) in lines.iter().enumerate() {
            let baseline = -above + MARGIN + TITLE + index as f64 * TITLE_LINE;
            let title = Element::new("text").set("class", "chart-title").at("x", 4.0);
            surroundings.push(title.at("y", baseline).text(line));
        }
        Self { surroundings: surroundings.with(list), top: -above, width, height }
    }

    fn view(&self) -> String {
        let [left, top] = [-MARGIN, self.top].map(number::exact);
        format!("{left} {top} {} {}", number::exact(self.width), number::exact(self.height))
    }
}
