//! Processor kernels for what libtorch does in several passes over memory.
//!
//! Small networks spend more time between convolutions than in them: batch norm, ReLU and the
//! residual sum are six passes over each activation in libtorch, and memory is the limit. Here
//! they are two forward and two backward. Everything else is left to libtorch.

pub mod batch_norm;
mod element;
mod pixels;
pub mod subsample;

pub use element::{Bf16, Element};
pub use pixels::PixelTable;
