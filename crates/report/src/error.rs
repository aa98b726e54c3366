//! What can go wrong while making a picture. Making a page cannot fail.

/// Why a picture could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The pixels of a picture do not have the shape that goes with them.
    #[error(
        "a picture of {height} × {width} × {channels} has {found} bytes; give height × width × channels of them, with 1 or 3 channels"
    )]
    Shape {
        /// Height in pixels.
        height: usize,
        /// Width in pixels.
        width: usize,
        /// Values a pixel.
        channels: usize,
        /// Bytes given.
        found: usize,
    },

    /// A picture would be too large, or have no extent.
    #[error(
        "a scale of {scale} gives no picture of a size that can be drawn; use a scale between 0.1 and 20"
    )]
    Scale {
        /// The scale asked for.
        scale: f32,
    },

    /// The drawing of a figure is not SVG.
    #[error(
        "the figure `{id}` could not be drawn: {cause}; this is a defect of datadiet, please report it"
    )]
    Svg {
        /// The figure.
        id: String,
        /// The reason given.
        cause: resvg::usvg::Error,
    },

    /// The PNG encoder refused.
    #[error("cannot write the picture as PNG: {0}; try a smaller scale")]
    Encode(String),
}
