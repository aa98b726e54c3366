//! JPEG by libjpeg (its descendant mozjpeg, as C without assembler), strictly: a warning is an error.
//!
//! libjpeg fills what is missing with grey and goes on after damaged data with a warning, which most
//! programs drop. Here the picture is refused instead. Baseline, progressive and arithmetic coding,
//! with one scan or several, give libjpeg's pixels; 12 bits a sample and lossless coding are refused.
//! CMYK and YCCK become RGB as in Pillow: values are inverted, as Adobe writes them, and colours are
//! not managed.

use crate::images::{Header, MOST_BYTES};
use image::error::{DecodingError, ImageFormatHint, LimitError, LimitErrorKind};
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, ImageError, ImageFormat, ImageResult, RgbImage};
use mozjpeg::decompress::{DecompressBuilder, DecompressStarted, Format};
use mozjpeg::{ColorSpace, Decompress, Marker};
use mozjpeg_sys::{jpeg_common_struct, jpeg_error_mgr, jpeg_std_error};
use std::ffi::c_int;
use std::io::BufRead;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// The marker of EXIF, and what its content begins with.
const EXIF: (Marker, &[u8]) = (Marker::APP(1), b"Exif\0\0");

/// libjpeg's `JMSG_LENGTH_MAX`.
const MESSAGE: usize = 200;

/// Whether a file begins as JPEG does.
pub(crate) fn is_jpeg(start: &[u8]) -> bool {
    start.starts_with(&[0xff, 0xd8])
}

/// Size, colour and orientation; reads no further than they stand.
pub(crate) fn header(encoded: impl BufRead) -> ImageResult<Header> {
    strictly(|| {
        let opened = open(encoded)?;
        let grey = opened.color_space() == ColorSpace::JCS_GRAYSCALE;
        let size = (opened.width() as u32, opened.height() as u32);
        Ok(Header { size, grey, orientation: orientation(&opened) })
    })
}

/// The pixels as stored, and the orientation that is to be applied to them.
pub(crate) fn decode(encoded: impl BufRead) -> ImageResult<(DynamicImage, Orientation)> {
    strictly(|| {
        let opened = open(encoded)?;
        let orientation = orientation(&opened);
        let (width, height) = (opened.width() as u32, opened.height() as u32);
        let bytes = opened.width().saturating_mul(opened.height()).saturating_mul(4);
        if bytes > MOST_BYTES {
            let limit = LimitError::from_kind(LimitErrorKind::InsufficientMemory);
            return Err(ImageError::Limits(limit));
        }
        let rgb = |pixels| RgbImage::from_raw(width, height, pixels).map(DynamicImage::from);
        let picture = match opened.image()? {
            Format::RGB(lines) => rgb(pixels(lines)?),
            Format::CMYK(lines) => rgb(rgb_of_inverted_cmyk(&pixels(lines)?)),
            Format::Gray(lines) => {
                GrayImage::from_raw(width, height, pixels(lines)?).map(DynamicImage::from)
            }
        };
        Ok((picture.ok_or_else(|| bad("it has fewer pixels than its header says"))?, orientation))
    })
}

fn open<R: BufRead>(encoded: R) -> ImageResult<Decompress<R>> {
    let builder = DecompressBuilder::new().with_err(strict_errors()).with_markers(&[EXIF.0]);
    Ok(builder.from_reader(encoded)?)
}

fn orientation<R>(opened: &Decompress<R>) -> Orientation {
    let exif = opened.markers().filter(|marker| marker.marker == EXIF.0);
    exif.filter_map(|marker| Orientation::from_exif_chunk(marker.data.strip_prefix(EXIF.1)?))
        .next()
        .unwrap_or(Orientation::NoTransforms)
}

/// All lines, read to the end of the file's data: what is cut off after the last line is missing too.
fn pixels<R: BufRead>(mut lines: DecompressStarted<R>) -> ImageResult<Vec<u8>> {
    let pixels = lines.read_scanlines()?;
    // Set when the first scan of a component begins.
    if lines.components().iter().any(|component| component.quant_table.is_null()) {
        return Err(bad("a colour component has no data"));
    }
    lines.finish()?;
    Ok(pixels)
}

fn rgb_of_inverted_cmyk(pixels: &[u8]) -> Vec<u8> {
    // a × b / 255, rounded, in Pillow's integers.
    let product = |a: u8, b: u8| {
        let scaled = u32::from(a) * u32::from(b) + 128;
        (((scaled >> 8) + scaled) >> 8) as u8
    };
    let rgb = |ink: &[u8]| [0, 1, 2].map(|colour| ink[3] - product(255 - ink[colour], ink[3]));
    pixels.chunks_exact(4).flat_map(rgb).collect()
}

fn bad(problem: impl Into<String>) -> ImageError {
    ImageError::Decoding(DecodingError::new(
        ImageFormatHint::Exact(ImageFormat::Jpeg),
        problem.into(),
    ))
}

/// Runs what may unwind with a message of libjpeg, and makes that an error.
fn strictly<T>(work: impl FnOnce() -> ImageResult<T>) -> ImageResult<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|thrown| {
        match thrown.downcast::<Message>() {
            Ok(message) => Err(bad(message.0)),
            Err(panic) => resume_unwind(panic),
        }
    })
}

/// What libjpeg says; thrown through its frames, which are compiled to be unwound.
struct Message(String);

fn strict_errors() -> jpeg_error_mgr {
    // SAFETY: zeros are a valid value of this struct of integers, pointers and optional functions;
    // `jpeg_std_error` then fills it.
    let mut errors: jpeg_error_mgr = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    unsafe { jpeg_std_error(&mut errors) };
    errors.error_exit = Some(fail);
    errors.emit_message = Some(warn);
    errors
}

extern "C-unwind" fn fail(state: &mut jpeg_common_struct) {
    type Bound = unsafe extern "C-unwind" fn(&mut jpeg_common_struct, &[u8; 80]);
    type Formatter = unsafe extern "C-unwind" fn(&mut jpeg_common_struct, *mut u8);
    let mut text = [0_u8; MESSAGE];
    // SAFETY: libjpeg sets `err` before any of its functions can fail.
    let format = unsafe { (*state.err).format_message };
    if let Some(format) = format {
        // SAFETY: the binding declares a shared array of 80 bytes where C has `char *`, and writes at
        // most `JMSG_LENGTH_MAX` bytes to it; only that type is changed.
        let format = unsafe { std::mem::transmute::<Bound, Formatter>(format) };
        // SAFETY: there is room for `JMSG_LENGTH_MAX` bytes.
        unsafe { format(state, text.as_mut_ptr()) };
    }
    let said = text.split(|&byte| byte == 0).next().unwrap_or_default();
    // Not a panic: nothing is printed.
    resume_unwind(Box::new(Message(String::from_utf8_lossy(said).into_owned())))
}

/// Levels below 0 are warnings, others tell what is being done.
extern "C-unwind" fn warn(state: &mut jpeg_common_struct, level: c_int) {
    if level < 0 {
        fail(state);
    }
}
