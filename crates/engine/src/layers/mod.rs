//! Layers: what they compute, and how a gradient passes back through them.

mod batch_norm;
mod conv2d;
mod linear;
pub(crate) mod nhwc;
pub(crate) mod subsample;

pub use batch_norm::{BatchNorm, NormTap};
pub(crate) use batch_norm::{NormSaved, STATISTICS_MOMENTUM};
pub use conv2d::Conv2d;
pub use linear::Linear;
pub(crate) use nhwc::bytes_of;
pub use nhwc::to_nhwc;

pub use crate::aten::ConvShape;
