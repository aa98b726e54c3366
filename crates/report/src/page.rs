//! The document: a page of sections of blocks. It holds what is said, not how it looks.
//!
//! All text is plain text. It is escaped when the page is written, so that names of files and
//! classes may hold anything.

use serde::{Deserialize, Serialize};

use crate::{Figure, PictureGallery};

/// A whole page, written as one HTML file that needs nothing else ([`Page::to_html`]).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// On top and in the window's title.
    pub title: String,
    /// Under the title; may be empty.
    pub subtitle: String,
    /// In reading order; from three on there is a table of contents.
    pub sections: Vec<Section>,
    /// Names and values at the end of the page, such as versions, commands and dates.
    pub provenance: Vec<(String, String)>,
}

/// A part of the page with a heading.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// What links point to; characters that cannot be in an address become `-`.
    pub id: String,
    /// The heading.
    pub title: String,
    /// In reading order.
    pub blocks: Vec<Block>,
}

/// One thing in a section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Block {
    /// Plain text; an empty line begins a new paragraph.
    Text(String),
    /// Plain text that must not be missed.
    Note {
        /// How urgent it is.
        kind: NoteKind,
        /// The text; an empty line begins a new paragraph.
        text: String,
    },
    /// A chart with its numbers.
    Figure(Figure),
    /// Rows of text and numbers.
    Table(TableBlock),
    /// Rows of small pictures.
    Gallery(PictureGallery),
    /// What the names on this page mean.
    Definitions(Vec<DefinitionEntry>),
    /// The numbers that matter most, large.
    Stats(Vec<Stat>),
}

/// How urgent a note is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteKind {
    /// Good to know.
    #[default]
    Info,
    /// Changes what the numbers mean.
    Warning,
}

/// Rows of text and numbers. Long ones show their first 50 rows; the others unfold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TableBlock {
    /// Above the table; may be empty.
    pub caption: String,
    /// One name a column.
    pub header: Vec<String>,
    /// Cells, as they are to be read.
    pub rows: Vec<Vec<String>>,
    /// So many columns on the left hold text; the others hold numbers, aligned on the right.
    pub text_columns: usize,
}

/// What a name means, and where it comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefinitionEntry {
    /// The name defined.
    pub name: String,
    /// The quantity.
    pub formula: String,
    /// The pass over the data that it is taken from.
    pub pass: String,
    /// The values it can take.
    pub range: String,
    /// Which end means what.
    pub direction: String,
    /// Where it was defined.
    pub reference: String,
    /// When to use it and when not.
    #[serde(default)]
    pub when: String,
}

/// A number that matters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stat {
    /// What it is.
    pub label: String,
    /// The number, with its unit.
    pub value: String,
    /// Under the number, such as its uncertainty; may be empty.
    pub detail: String,
}
