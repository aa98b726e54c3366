//! Pictures of what the scores say.

mod gallery;
mod text;

pub use gallery::{Gallery, GalleryRow, Tile};
