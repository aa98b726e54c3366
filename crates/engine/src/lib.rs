//! Networks, training and per-example gradients on libtorch. The only
//! library of the project that links it.
//!
//! Networks are trees of layers with a written-out backward pass ([`network`]). That gives every
//! layer's input and output gradient to whoever asks, which is what training, gradient norms of
//! single examples and kernels of logit Jacobians are made of, and lets batch norm, ReLU and
//! residual sums run as one kernel on the processor.

#![warn(unreachable_pub)]

mod aten;
mod augment;
mod checkpoint;
pub mod connectivity;
pub mod device;
mod error;
pub mod evaluation;
pub mod gradients;
pub mod grand;
pub mod images;
mod kernels;
pub mod layers;
mod material;
pub mod measure;
mod memory;
mod micro_batch;
pub mod network;
pub mod networks;
pub mod ntk;
mod optimiser;
pub mod parameters;
pub mod precision;
mod recorder;
pub mod session;
mod snapshot;
mod state_file;
pub mod trainer;

pub use error::EngineError;
pub use memory::peak_memory_mib;
