//! Encoded pictures (PNG, JPEG, …) to equal-sized bytes.
//!
//! Two passes, both parallel: the headers give size and colour of all pictures, then each is
//! decoded straight to its place. If all pictures are grey they keep one channel, else all become
//! red, green, blue. Alpha is dropped, 16-bit values are scaled to 8. Orientation tags are ignored,
//! as most training code does. Only the first frame of an animation is used.

use crate::{DataError, Result};
use datadiet_core::progress::Count;
use image::imageops::FilterType;
use image::{ImageDecoder, ImageError, ImageReader};
use rayon::prelude::*;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Seek};
use std::path::PathBuf;

/// One encoded picture.
pub(crate) enum Picture {
    /// In a file of its own.
    File(PathBuf),
    /// Inside a larger file; the name is for messages.
    Bytes { name: String, bytes: Vec<u8> },
}

/// What all pictures of a data set become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub width: u32,
    pub height: u32,
    pub channels: usize,
}

impl Shape {
    fn image_len(self) -> usize {
        self.width as usize * self.height as usize * self.channels
    }
}

/// Reads all headers; an error if the sizes differ and no new size is given.
pub(crate) fn common_shape(pictures: &[&Picture], resize: Option<(u32, u32)>) -> Result<Shape> {
    let headers: Vec<Result<Header>> =
        pictures.par_iter().map(|picture| picture.header()).collect();
    let headers = headers.into_iter().collect::<Result<Vec<_>>>()?;
    let grey = headers.iter().all(|header| header.grey);
    let first = headers.first().map(|header| header.size).unwrap_or_default();
    let other = headers.iter().position(|header| header.size != first);
    let (width, height) = match (resize, other) {
        (Some(size), _) => size,
        (None, None) => first,
        (None, Some(other)) => return Err(mixed(pictures, other, first, headers[other].size)),
    };
    Ok(Shape { width, height, channels: if grey { 1 } else { 3 } })
}

fn mixed(
    pictures: &[&Picture],
    other: usize,
    first_size: (u32, u32),
    second_size: (u32, u32),
) -> DataError {
    let (first, second) = (pictures[0].name().into(), pictures[other].name().into());
    DataError::MixedSizes { first, first_size, second, second_size }
}

/// Decodes all pictures, one after the other in the result.
pub(crate) fn decode(pictures: &[Picture], shape: Shape, count: &Count<'_>) -> Result<Vec<u8>> {
    let mut bytes = vec![0; pictures.len() * shape.image_len()];
    let places = bytes.par_chunks_exact_mut(shape.image_len().max(1));
    let outcomes: Vec<Result<()>> = places
        .zip(pictures)
        .map(|(place, picture)| {
            count.advance(1);
            picture.decode_into(shape, place)
        })
        .collect();
    outcomes.into_iter().collect::<Result<()>>()?;
    Ok(bytes)
}

struct Header {
    size: (u32, u32),
    grey: bool,
}

impl Picture {
    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Bytes { name, .. } => name.clone(),
        }
    }

    fn header(&self) -> Result<Header> {
        let decoder = self.reader()?.into_decoder().map_err(|source| self.bad(source))?;
        Ok(Header { size: decoder.dimensions(), grey: !decoder.color_type().has_color() })
    }

    fn decode_into(&self, shape: Shape, place: &mut [u8]) -> Result<()> {
        let mut picture = self.reader()?.decode().map_err(|source| self.bad(source))?;
        if (picture.width(), picture.height()) != (shape.width, shape.height) {
            picture = picture.resize_exact(shape.width, shape.height, FilterType::Lanczos3);
        }
        match shape.channels {
            1 => place.copy_from_slice(&picture.into_luma8()),
            _ => place.copy_from_slice(&picture.into_rgb8()),
        }
        Ok(())
    }

    fn reader(&self) -> Result<ImageReader<Box<dyn Encoded + '_>>> {
        let bytes: Box<dyn Encoded + '_> = match self {
            Self::File(path) => {
                Box::new(BufReader::new(File::open(path).map_err(DataError::io("read", path))?))
            }
            Self::Bytes { bytes, .. } => Box::new(Cursor::new(bytes)),
        };
        ImageReader::new(bytes).with_guessed_format().map_err(|error| self.bad(error.into()))
    }

    fn bad(&self, cause: ImageError) -> DataError {
        DataError::BadImage { name: self.name(), cause }
    }
}

/// What the decoders need of a file or of bytes.
trait Encoded: BufRead + Seek {}
impl<T: BufRead + Seek> Encoded for T {}
