//! SVG files as PNG files.

use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{Options, Tree},
};

use crate::{ReportError, font};

/// Draws an SVG file, `scale` pixels per unit.
pub fn png(id: &str, svg: &str, scale: f32) -> Result<Vec<u8>, ReportError> {
    let options = Options {
        font_family: font::FAMILY.into(),
        fontdb: font::for_text(svg),
        ..Options::default()
    };
    let tree = Tree::from_str(svg, &options)
        .map_err(|cause| ReportError::Svg { id: id.to_owned(), cause })?;
    let side = |length: f32| (length * scale).ceil() as u32;
    let pixels = Some(tree.size()).filter(|_| (0.1..=20.0).contains(&scale));
    let mut pixels = pixels
        .and_then(|size| Pixmap::new(side(size.width()), side(size.height())))
        .ok_or(ReportError::Scale { scale })?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    pixels.encode_png().map_err(|cause| ReportError::Encode(cause.to_string()))
}
