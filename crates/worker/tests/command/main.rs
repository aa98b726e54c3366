//! `datadiet` and `datadiet-worker` together, on 1,000 real images of Fashion-MNIST: what trains.
//!
//! Cargo builds the worker for these tests, and the command when its own tests are run with them
//! (`cargo test --workspace`); else it must be there: `cargo build --package datadiet`.

mod dynamics;
mod elsewhere;
mod experiment;
mod failures;
mod interruption;
mod noise;
mod score;
#[path = "../../../cli/tests/command/support.rs"]
mod support;
mod train;
mod versions;

/// The program that trains.
fn worker(_home: &std::path::Path) -> std::path::PathBuf {
    env!("CARGO_BIN_EXE_datadiet-worker").into()
}
