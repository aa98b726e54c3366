//! `datadiet scores`: read a table of scores back: show, head, correlate, export.

mod correlate;
mod export;
mod head;
mod show;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

/// The subcommands of `datadiet scores`.
#[derive(Subcommand)]
pub enum ScoresCommand {
    /// Describe every score: range, direction, reliability, definition.
    Show(show::ShowArgs),
    /// List the hardest (or easiest) examples.
    Head(head::HeadArgs),
    /// Spearman's rank correlation of every pair of scores.
    Correlate(correlate::CorrelateArgs),
    /// Write columns as CSV or npy.
    Export(export::ExportArgs),
}

/// Runs a subcommand.
pub fn run(command: ScoresCommand) -> Result<ExitCode> {
    match command {
        ScoresCommand::Show(args) => show::run(&args),
        ScoresCommand::Head(args) => head::run(&args),
        ScoresCommand::Correlate(args) => correlate::run(&args),
        ScoresCommand::Export(args) => export::run(&args),
    }?;
    Ok(ExitCode::SUCCESS)
}
