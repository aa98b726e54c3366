//! Documents of what experiments say: figures, tables and pictures in one HTML file.
//!
//! A [`Page`] is written as one file that needs no network and no other file; its figures can be
//! touched, and each is also there as SVG and PNG. This crate knows nothing of experiments: callers
//! fill the document. [`Gallery`] draws examples as a single PNG picture.

mod chart;
mod draw;
mod error;
mod figure;
mod font;
mod gallery;
mod html;
mod number;
mod numbers;
mod page;
mod palette;
mod picture;
mod raster;
mod scale;
mod svg;
mod text;

pub use chart::{
    Axis, HeatmapChart, HistogramChart, HistogramMeasure, HistogramSeries, LineChart, Point,
    Reference, Series,
};
pub use error::ReportError;
pub use figure::{Chart, Figure};
pub use gallery::{Gallery, GalleryRow, Tile};
pub use page::{Block, DefinitionEntry, NoteKind, Page, Section, Stat, TableBlock};
pub use palette::{SERIES, series_colours, variables as theme_variables};
pub use picture::{Picture, PictureGallery, PictureGroup, PictureRow, png};
