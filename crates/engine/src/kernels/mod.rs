//! Processor kernels for what libtorch does slowly in small networks.
//!
//! Batch norm, the activation and the residual sum are six passes over each activation in libtorch, and
//! memory is the limit; here they are two forward and two backward. Max-pool keeps two bytes a number
//! for the way back instead of eight. Gradients of single examples are
//! computed image by image ([`conv`]). Everything else is left to libtorch.

pub(crate) mod activation;
pub(crate) mod batch_norm;
pub(crate) mod conv;
mod element;
pub(crate) mod max_pool;
mod pixels;
pub(crate) mod subsample;

pub(crate) use element::{Bf16, Element};
pub(crate) use pixels::PixelTable;
