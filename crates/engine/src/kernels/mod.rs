//! Processor kernels for what libtorch does slowly in small networks.
//!
//! Batch norm, ReLU and the residual sum are six passes over each activation in libtorch, and
//! memory is the limit; here they are two forward and two backward. Gradients of single examples are
//! computed image by image ([`conv`]). Everything else is left to libtorch.

pub(crate) mod batch_norm;
pub(crate) mod conv;
mod element;
mod pixels;
pub(crate) mod subsample;

pub(crate) use element::{Bf16, Element};
pub(crate) use pixels::PixelTable;
