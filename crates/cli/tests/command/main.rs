//! The `datadiet` command as a user meets it, on 1,000 real images of Fashion-MNIST. What trains is
//! tested with the worker, in crates/worker: nothing here needs PyTorch.

mod bad_input;
mod data;
mod documented;
mod dynamics;
mod elsewhere;
mod exchange;
mod experiment;
mod explore;
mod help;
mod identity;
mod ingest;
mod launcher;
mod losses;
mod markdown;
mod no_worker;
mod noise;
mod runs;
mod scores;
mod select;
mod setup;
mod slurm;
mod support;
mod tasks;
mod tour;
mod trackers;
mod train;
mod trainer;
mod versions;

/// A file that is there but does not run: what trains by mistake fails.
fn worker(home: &std::path::Path) -> std::path::PathBuf {
    let program = home.join("trains-nothing");
    std::fs::write(&program, "").unwrap();
    program
}
