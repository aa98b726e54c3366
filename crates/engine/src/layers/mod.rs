//! Layers: what they compute, and how a gradient passes back through them.

pub(crate) mod activation;
mod batch_norm;
mod conv2d;
mod linear;
pub(crate) mod max_pool;
pub(crate) mod nhwc;
pub(crate) mod subsample;
pub(crate) mod whitening;

pub(crate) use batch_norm::NormSaved;
pub use batch_norm::{BatchNorm, NormTap};
pub use conv2d::Conv2d;
pub use linear::Linear;
pub(crate) use nhwc::bytes_of;
pub use nhwc::to_nhwc;
pub use whitening::Whitening;

pub use crate::aten::ConvShape;
