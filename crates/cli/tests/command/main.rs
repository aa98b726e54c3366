//! The `datadiet` command as a user meets it, on 1,000 real images of Fashion-MNIST.

mod bad_input;
mod data;
mod dynamics;
mod experiment;
mod ingest;
mod interruption;
mod noise;
mod score;
mod scores;
mod select;
mod support;
mod train;
