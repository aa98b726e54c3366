//! `datadiet man`: the manual pages.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, CommandFactory};
use clap_mangen::Man;

use crate::Cli;
use crate::output::write_out;

/// Write the manual page, or a folder of all of them.
///
/// Without --out the page of `datadiet` itself goes to standard output. With it every command has a page
/// of its own there: datadiet.1, datadiet-score.1, datadiet-scores-show.1, …
#[derive(Args)]
#[command(after_help = "\
Examples:
  datadiet man | man -l -
  datadiet man --out ~/.local/share/man/man1       # then: man datadiet-select")]
pub struct ManArgs {
    /// Folder to write the pages of all commands to.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &ManArgs) -> Result<ExitCode> {
    // Without the grouped listing: a manual has sections of its own.
    let command = Cli::command();
    match &args.out {
        None => {
            let mut page = Vec::new();
            Man::new(command).render(&mut page)?;
            write_out(&page)?;
        }
        Some(out) => {
            let written =
                std::fs::create_dir_all(out).and_then(|()| clap_mangen::generate_to(command, out));
            written.with_context(|| {
                format!("cannot write to {}; choose another folder with --out DIR", out.display())
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
