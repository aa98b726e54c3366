//! The `datadiet` command as a user meets it, on 1,000 real images of Fashion-MNIST.

mod bad_input;
mod data;
mod interruption;
mod score;
mod scores;
mod support;
