//! Small pictures in rows, such as the easiest and hardest examples of each class, for a page.
//!
//! [`Gallery`](crate::Gallery) draws the same as one PNG file.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};

use crate::ReportError;

/// Rows of pictures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureGallery {
    /// Above the rows; may be empty.
    pub title: String,
    /// One row a class, say.
    pub rows: Vec<PictureRow>,
}

/// The pictures of one class, say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureRow {
    /// What the pictures have in common.
    pub name: String,
    /// Side by side; groups of the same place in all rows stand under each other.
    pub groups: Vec<PictureGroup>,
}

/// Pictures that belong together, such as the easiest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureGroup {
    /// Above the pictures.
    pub heading: String,
    /// From the left.
    pub tiles: Vec<Picture>,
}

/// A small picture.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// The picture as PNG, in base64.
    pub png: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Under the picture, such as the score.
    pub caption: String,
    /// In the tooltip; may be empty.
    pub title: String,
}

impl Picture {
    /// A picture of 8-bit pixels, `height × width × channels`, channels innermost; 1 or 3 channels.
    pub fn from_pixels(
        pixels: &[u8],
        shape: [usize; 3],
        caption: impl Into<String>,
        title: impl Into<String>,
    ) -> Result<Self, ReportError> {
        let [height, width, _] = shape;
        Ok(Self {
            png: BASE64_STANDARD.encode(png(pixels, shape)?),
            width: width as u32,
            height: height as u32,
            caption: caption.into(),
            title: title.into(),
        })
    }
}

/// 8-bit pixels, `height × width × channels`, channels innermost, as a PNG file; 1 or 3 channels.
///
/// # Errors
/// When the pixels do not have that shape.
pub fn png(pixels: &[u8], shape: [usize; 3]) -> Result<Vec<u8>, ReportError> {
    use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

    let [height, width, channels] = shape;
    let colour = match channels {
        1 => Some(ExtendedColorType::L8),
        3 => Some(ExtendedColorType::Rgb8),
        _ => None,
    };
    let colour = colour
        .filter(|_| height * width > 0 && pixels.len() == height * width * channels)
        .ok_or(ReportError::Shape { height, width, channels, found: pixels.len() })?;
    let mut png = Vec::new();
    PngEncoder::new(&mut png)
        .write_image(pixels, width as u32, height as u32, colour)
        .map_err(|cause| ReportError::Encode(cause.to_string()))?;
    Ok(png)
}

/// Pictures are shown enlarged to about so many pixels, or no larger than so many.
const SHOWN: (u32, u32) = (60, 112);

impl Picture {
    /// Width and height on the page, in CSS pixels: a whole multiple of the picture's own, or a part
    /// if it is large.
    pub(crate) fn shown(&self) -> [u32; 2] {
        let (short, long) =
            (self.width.min(self.height).max(1), self.width.max(self.height).max(1));
        let zoom = (SHOWN.0.div_ceil(short)).min((SHOWN.1 / long).max(1));
        let sides = [self.width * zoom, self.height * zoom];
        let shrink = (f64::from(SHOWN.1) / f64::from(long * zoom)).min(1.0);
        sides.map(|side| (f64::from(side) * shrink).round().max(1.0) as u32)
    }

    /// What stands for the picture where it cannot be seen.
    pub(crate) fn words(&self) -> &str {
        if self.title.is_empty() { &self.caption } else { &self.title }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_png_and_shown_at_whole_multiples() -> Result<(), Box<dyn std::error::Error>> {
        let pixels: Vec<u8> = (0..2 * 3 * 3).collect();
        let picture = Picture::from_pixels(&pixels, [2, 3, 3], "0.5", "id 7")?;
        let decoded = image::load_from_memory(&BASE64_STANDARD.decode(&picture.png)?)?.to_rgb8();
        assert_eq!((decoded.width(), decoded.height()), (3, 2));
        assert_eq!(decoded.into_raw(), pixels);

        let shown = |width, height| Picture { width, height, ..Picture::default() }.shown();
        assert_eq!([shown(32, 32), shown(28, 28), shown(8, 8)], [[64, 64], [84, 84], [64, 64]]);
        assert_eq!([shown(500, 250), shown(2, 1000)], [[112, 56], [1, 112]]);
        Ok(())
    }

    #[test]
    fn pixels_must_have_their_shape() {
        let error = Picture::from_pixels(&[0; 8], [2, 2, 3], "", "").unwrap_err();
        assert!(error.to_string().contains("2 × 2 × 3 has 8 bytes"), "{error}");
        assert!(Picture::from_pixels(&[0; 8], [2, 2, 2], "", "").is_err());
    }
}
