//! Layers: what they compute, and how a gradient passes back through them.

mod batch_norm;
mod conv2d;
mod linear;
pub(crate) mod nhwc;
pub mod subsample;

pub(crate) use batch_norm::STATISTICS_MOMENTUM;
pub use batch_norm::{BatchNorm, NormBackward, NormSaved, NormTap};
pub use conv2d::Conv2d;
pub use linear::Linear;
pub use nhwc::{bytes_of, to_nhwc};
