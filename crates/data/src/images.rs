//! Encoded pictures (PNG, JPEG, …) to equal-sized bytes.
//!
//! Two passes, both parallel: the headers give size and colour of all pictures, then each is
//! decoded straight to its place. If all pictures are grey they keep one channel, else all become
//! red, green, blue. Alpha is dropped, 16-bit values are scaled to 8. Pictures are turned as their
//! EXIF orientation says, and counted. Only the first frame of an animation is used. What cannot be
//! decoded to its end is an error, or left out and counted.

use crate::{DataError, ImportNotes, ImportOptions, RawSplit, Result, jpeg};
use datadiet_core::Progress;
use datadiet_core::progress::Count;
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, ImageResult, Limits};
use rayon::prelude::*;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Seek};
use std::path::PathBuf;

/// Pixels of more memory are refused: a header of a few bytes may promise any size.
pub(crate) const MOST_BYTES: usize = 512 << 20;

/// The longest side, which is that of JPEG.
const LONGEST_SIDE: u32 = 65_535;

/// The decoder of a picture that is not too large. `DynamicImage::from_decoder` does not look.
fn limited<'e, R: BufRead + Seek + 'e>(
    mut encoded: ImageReader<R>,
) -> ImageResult<impl ImageDecoder + 'e> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_BYTES as u64);
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    encoded.limits(limits.clone());
    let decoder = encoded.into_decoder()?;
    limits.reserve(decoder.total_bytes())?;
    Ok(decoder)
}

/// One encoded picture.
pub(crate) enum Picture {
    /// In a file of its own.
    File(PathBuf),
    /// Inside a larger file; the name is for messages.
    Bytes { name: String, bytes: Vec<u8> },
}

/// The pictures of a split, each with its class.
#[derive(Default)]
pub(crate) struct Labelled {
    pub pictures: Vec<Picture>,
    pub labels: Vec<u32>,
}

/// Both splits in pixels.
pub(crate) struct Decoded {
    /// Height, width, channels.
    pub shape: [usize; 3],
    pub train: RawSplit,
    pub test: Option<RawSplit>,
}

/// What all pictures of a data set become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    width: u32,
    height: u32,
    channels: usize,
}

impl Shape {
    fn image_len(self) -> usize {
        self.width as usize * self.height as usize * self.channels
    }
}

/// What a picture says of itself.
pub(crate) struct Header {
    /// Width and height as stored.
    pub size: (u32, u32),
    pub grey: bool,
    pub orientation: Orientation,
}

impl Header {
    /// Width and height once it is turned.
    fn turned_size(&self) -> (u32, u32) {
        use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
        let (width, height) = self.size;
        match self.orientation {
            Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH => (height, width),
            _ => (width, height),
        }
    }
}

/// Decodes all pictures to one size and colour.
///
/// # Errors
/// When the sizes differ and no new one is given; when a picture cannot be decoded, unless
/// `options.skip_broken`, which leaves it out with a note.
pub(crate) fn decode_splits(
    mut train: Labelled,
    mut test: Option<Labelled>,
    options: &ImportOptions,
    progress: &dyn Progress,
    notes: &mut ImportNotes,
) -> Result<Decoded> {
    let mut broken = Broken { skip: options.skip_broken, ..Broken::default() };
    let mut headers = train.headers(&mut broken)?;
    if let Some(test) = &mut test {
        headers.extend(test.headers(&mut broken)?);
    }
    let all: Vec<&Picture> = [Some(&train), test.as_ref()]
        .into_iter()
        .flatten()
        .flat_map(|split| &split.pictures)
        .collect();
    let shape = common_shape(&all, &headers, options.resize)?;
    let count = Count::start(progress, "decoding pictures", Some(all.len() as u64));
    let (train, mut turned) = train.decode(shape, &count, &mut broken)?;
    let mut decoded = Decoded {
        shape: [shape.height as usize, shape.width as usize, shape.channels],
        train,
        test: None,
    };
    if let Some(test) = test {
        let (test, turned_too) = test.decode(shape, &count, &mut broken)?;
        turned += turned_too;
        decoded.test = Some(test);
    }
    drop(count);
    notes.leave_out("pictures that cannot be decoded", broken.names.len(), broken.names);
    if turned > 0 {
        notes.decide(format!("turned as their EXIF orientation says: {turned} pictures"));
    }
    Ok(decoded)
}

/// Pictures that cannot be decoded, and whether that is an error.
#[derive(Default)]
struct Broken {
    skip: bool,
    names: Vec<String>,
}

impl Broken {
    /// Whether each outcome is good; the first that may not be skipped is an error.
    fn sort<T>(&mut self, outcomes: Vec<Result<T>>) -> Result<Vec<Option<T>>> {
        let sorted = outcomes.into_iter().map(|outcome| match outcome {
            Err(DataError::BadImage { name, cause }) if self.skip => {
                self.names.push(format!("{name}: {cause}"));
                Ok(None)
            }
            outcome => outcome.map(Some),
        });
        sorted.collect()
    }
}

impl Labelled {
    /// The headers of the pictures; those without a readable one go.
    fn headers(&mut self, broken: &mut Broken) -> Result<Vec<Header>> {
        let headers = self.pictures.par_iter().map(Picture::header).collect();
        let headers = broken.sort(headers)?;
        let mut good = headers.iter().map(Option::is_some);
        self.pictures.retain(|_| good.next().unwrap_or(true));
        let mut good = headers.iter().map(Option::is_some);
        self.labels.retain(|_| good.next().unwrap_or(true));
        Ok(headers.into_iter().flatten().collect())
    }

    /// The pixels of all that can be decoded, and how many of them were turned.
    fn decode(
        self,
        shape: Shape,
        count: &Count<'_>,
        broken: &mut Broken,
    ) -> Result<(RawSplit, usize)> {
        let len = shape.image_len();
        let mut images = vec![0; self.pictures.len() * len];
        let places = images.par_chunks_exact_mut(len.max(1));
        let outcomes = places.zip(&self.pictures).map(|(place, picture)| {
            count.advance(1);
            picture.decode_into(shape, place)
        });
        let outcomes = broken.sort(outcomes.collect())?;
        let mut labels = Vec::with_capacity(self.labels.len());
        for (from, (outcome, label)) in outcomes.iter().zip(self.labels).enumerate() {
            if outcome.is_some() {
                images.copy_within(from * len..(from + 1) * len, labels.len() * len);
                labels.push(label);
            }
        }
        images.truncate(labels.len() * len);
        let turned = outcomes.iter().filter(|&&outcome| outcome == Some(true)).count();
        Ok((RawSplit { images, labels }, turned))
    }
}

/// The one shape of all pictures; an error if the sizes differ and no new size is given.
fn common_shape(
    pictures: &[&Picture],
    headers: &[Header],
    resize: Option<(u32, u32)>,
) -> Result<Shape> {
    let grey = headers.iter().all(|header| header.grey);
    let first = headers.first().map(Header::turned_size).unwrap_or_default();
    let other = headers.iter().position(|header| header.turned_size() != first);
    let (width, height) = match (resize, other) {
        (Some(size), _) => size,
        (None, None) => first,
        (None, Some(other)) => {
            return Err(DataError::MixedSizes {
                first: pictures[0].name().into(),
                first_size: first,
                second: pictures[other].name().into(),
                second_size: headers[other].turned_size(),
            });
        }
    };
    Ok(Shape { width, height, channels: if grey { 1 } else { 3 } })
}

impl Picture {
    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Bytes { name, .. } => name.clone(),
        }
    }

    fn header(&self) -> Result<Header> {
        self.read(
            |encoded| jpeg::header(encoded),
            |encoded| {
                let mut decoder = limited(encoded)?;
                let (size, grey) = (decoder.dimensions(), !decoder.color_type().has_color());
                Ok(Header { size, grey, orientation: decoder.orientation()? })
            },
        )
    }

    /// Fills the place; gives whether the picture was turned.
    fn decode_into(&self, shape: Shape, place: &mut [u8]) -> Result<bool> {
        let (mut picture, orientation) = self.read(
            |encoded| jpeg::decode(encoded),
            |encoded| {
                let mut decoder = limited(encoded)?;
                let orientation = decoder.orientation()?;
                Ok((DynamicImage::from_decoder(decoder)?, orientation))
            },
        )?;
        picture.apply_orientation(orientation);
        if (picture.width(), picture.height()) != (shape.width, shape.height) {
            picture = picture.resize_exact(shape.width, shape.height, FilterType::Lanczos3);
        }
        match shape.channels {
            1 => place.copy_from_slice(&picture.into_luma8()),
            _ => place.copy_from_slice(&picture.into_rgb8()),
        }
        Ok(orientation != Orientation::NoTransforms)
    }

    /// Opens the picture and reads it as JPEG or as what it is.
    fn read<T>(
        &self,
        jpeg: impl FnOnce(Box<dyn Encoded + '_>) -> ImageResult<T>,
        other: impl FnOnce(ImageReader<Box<dyn Encoded + '_>>) -> ImageResult<T>,
    ) -> Result<T> {
        let mut encoded: Box<dyn Encoded + '_> = match self {
            Self::File(path) => {
                Box::new(BufReader::new(File::open(path).map_err(DataError::io("read", path))?))
            }
            Self::Bytes { bytes, .. } => Box::new(Cursor::new(bytes)),
        };
        let read = move || {
            if jpeg::is_jpeg(encoded.fill_buf()?) {
                return jpeg(encoded);
            }
            other(ImageReader::new(encoded).with_guessed_format()?)
        };
        read().map_err(|cause| self.bad(cause))
    }

    fn bad(&self, cause: ImageError) -> DataError {
        DataError::BadImage { name: self.name(), cause }
    }
}

/// What the decoders need of a file or of bytes.
trait Encoded: BufRead + Seek {}
impl<T: BufRead + Seek> Encoded for T {}
