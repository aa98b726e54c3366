//! `datadiet-worker`: the part of datadiet that needs PyTorch's libraries. It trains one run, or makes
//! one measurement, that `datadiet` or anyone else has written down in a folder of the store.

mod measure;
mod panics;
mod surroundings;
mod train;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use datadiet_store::worker::EXIT_MISUNDERSTOOD;

/// Train one run of datadiet, or make one measurement.
///
/// `datadiet` starts this program for every training and every measurement, and finds it beside
/// itself or where DATADIET_WORKER says. What to do stands in the folder (spec.json or
/// measurement.json), results go there, progress goes to standard output as JSON lines. It stops,
/// its state saved, when standard input closes: by hand give it an open one, such as a terminal.
#[derive(Parser)]
#[command(version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done, and the result is in the folder
  1  failed, for the reason on standard error
  2  not asked in a way that this version understands
  3  stopped, its state saved, or another process is at it; the same command goes on from it";

#[derive(Subcommand)]
enum Command {
    /// Train the run in a folder, from its last checkpoint where there is one.
    Train(train::TrainArgs),
    /// Make the measurement in a folder, on weights that runs kept.
    Measure(measure::MeasureArgs),
}

fn main() -> ExitCode {
    panics::tell_in_words();
    let command = Cli::parse().command;
    let surroundings = match &command {
        Command::Train(args) => &args.surroundings,
        Command::Measure(args) => &args.surroundings,
    };
    if let Err(problem) = surroundings.check_version() {
        eprintln!("error: {problem}");
        return ExitCode::from(EXIT_MISUNDERSTOOD);
    }
    run(command).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    datadiet_core::isa::limit()?;
    match command {
        Command::Train(args) => train::run(&args),
        Command::Measure(args) => measure::run(&args),
    }
}
