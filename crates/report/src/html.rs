//! A page as one HTML file: templates filled, style and script written in, nothing to load.
//!
//! The templates escape all text by themselves. What they take as it is was made here: drawings
//! (escaped by [`crate::svg`]), the style and the script. A content security policy forbids the
//! browser to load anything.

mod ids;
mod table;

use askama::Template;

use crate::{
    Block, DefinitionEntry, Figure, NoteKind, Page, PictureGallery, Section, Stat,
    draw::{Canvas, Entry, sheet},
    palette,
};
use ids::Ids;
use table::TableView;

const STYLE: &str = include_str!("../assets/report.css");
const SCRIPT: &str = include_str!("../assets/report.js");

/// From so many sections on there is a table of contents.
const CONTENTS_FROM: usize = 3;

impl Page {
    /// The page as one HTML file that needs no network and no other file.
    ///
    /// ```
    /// use datadiet_report::{Block, Page, Section};
    ///
    /// let section = Section {
    ///     id: "what".into(),
    ///     title: "What was done".into(),
    ///     blocks: vec![Block::Text("Names may hold <anything>.".into())],
    /// };
    /// let page = Page { title: "Report".into(), sections: vec![section], ..Page::default() };
    /// assert!(page.to_html().contains("Names may hold &#60;anything&#62;."));
    /// ```
    pub fn to_html(&self) -> String {
        let mut ids = Ids::default();
        let sections: Vec<_> =
            self.sections.iter().map(|section| SectionView::of(section, &mut ids)).collect();
        fill(&PageView {
            page: self,
            contents: sections.len() >= CONTENTS_FROM,
            sections,
            style: format!("{}{}{STYLE}", palette::variables(), sheet::style()),
            file_style: sheet::file_style(&palette::families()),
            script: SCRIPT,
        })
    }
}

/// Fills a template. Our templates call nothing that can fail, and neither can writing to a string.
fn fill(template: &impl Template) -> String {
    template.render().expect("a template is written to memory")
}

/// Paragraphs of plain text: an empty line begins a new one.
fn paragraphs(text: &str) -> Vec<String> {
    let mut paragraphs = vec![String::new()];
    for line in text.lines().map(str::trim) {
        let last = paragraphs.last_mut().expect("there is always one");
        match (line.is_empty(), last.is_empty()) {
            (true, false) => paragraphs.push(String::new()),
            (true, true) => {}
            (false, true) => last.push_str(line),
            (false, false) => {
                last.push(' ');
                last.push_str(line);
            }
        }
    }
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs
}

#[derive(Template)]
#[template(path = "page.html")]
struct PageView<'a> {
    page: &'a Page,
    contents: bool,
    sections: Vec<SectionView<'a>>,
    style: String,
    file_style: String,
    script: &'static str,
}

struct SectionView<'a> {
    id: String,
    title: &'a str,
    /// HTML.
    blocks: Vec<String>,
}

impl<'a> SectionView<'a> {
    fn of(section: &'a Section, ids: &mut Ids) -> Self {
        let id = ids.unique(&section.id);
        let blocks = section.blocks.iter().map(|one| block(one, ids)).collect();
        Self { id, title: &section.title, blocks }
    }
}

fn block(block: &Block, ids: &mut Ids) -> String {
    match block {
        Block::Text(text) => fill(&TextView { paragraphs: paragraphs(text) }),
        Block::Note { kind, text } => {
            let warning = *kind == NoteKind::Warning;
            fill(&NoteView { warning, paragraphs: paragraphs(text) })
        }
        Block::Figure(figure) => fill(&FigureView::of(figure, ids)),
        Block::Table(table) => fill(&TableView::of(table)),
        Block::Gallery(gallery) => fill(&GalleryView::of(gallery)),
        Block::Definitions(entries) => fill(&DefinitionsView { entries }),
        Block::Stats(stats) => fill(&StatsView { stats }),
    }
}

#[derive(Template)]
#[template(path = "text.html")]
struct TextView {
    paragraphs: Vec<String>,
}

#[derive(Template)]
#[template(path = "note.html")]
struct NoteView {
    warning: bool,
    paragraphs: Vec<String>,
}

#[derive(Template)]
#[template(path = "definitions.html")]
struct DefinitionsView<'a> {
    entries: &'a [DefinitionEntry],
}

#[derive(Template)]
#[template(path = "stats.html")]
struct StatsView<'a> {
    stats: &'a [Stat],
}

#[derive(Template)]
#[template(path = "figure.html")]
struct FigureView<'a> {
    figure: &'a Figure,
    id: String,
    caption: Vec<String>,
    legend: Vec<Entry>,
    /// SVG.
    drawings: [String; 2],
    /// HTML.
    numbers: String,
}

impl<'a> FigureView<'a> {
    fn of(figure: &'a Figure, ids: &mut Ids) -> Self {
        let (wide, legend) = sheet::inline(figure, Canvas::Wide);
        let (narrow, _) = sheet::inline(figure, Canvas::Narrow);
        Self {
            figure,
            id: ids.unique(&figure.id),
            caption: paragraphs(&figure.caption),
            legend,
            drawings: [wide.to_string(), narrow.to_string()],
            numbers: fill(&TableView::of_numbers(&figure.numbers())),
        }
    }
}

#[derive(Template)]
#[template(path = "gallery.html")]
struct GalleryView<'a> {
    gallery: &'a PictureGallery,
    /// Headings that all rows share, to be shown once; else empty.
    headings: Vec<&'a str>,
}

impl<'a> GalleryView<'a> {
    fn of(gallery: &'a PictureGallery) -> Self {
        let headings = |row: &'a crate::PictureRow| -> Vec<&'a str> {
            row.groups.iter().map(|group| group.heading.as_str()).collect()
        };
        let first = gallery.rows.first().map(headings).unwrap_or_default();
        let shared = gallery.rows.iter().all(|row| headings(row) == first);
        Self { gallery, headings: if shared { first } else { Vec::new() } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_line_begins_a_paragraph() {
        let text = "\n one\ntwo \n\n\n three\n";
        assert_eq!(paragraphs(text), ["one two", "three"]);
        assert!(paragraphs(" \n ").is_empty());
    }
}
