//! `datadiet completions`: what a shell needs to complete commands and options.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use clap_complete::Shell;

use crate::help;
use crate::output::write_out;

/// Write completions for a shell.
///
/// They go to standard output; where a shell looks for them differs.
#[derive(Args)]
#[command(after_help = "\
Examples:
  datadiet completions bash > ~/.local/share/bash-completion/completions/datadiet
  datadiet completions zsh > ~/.zfunc/_datadiet     # with fpath+=~/.zfunc before compinit in ~/.zshrc
  datadiet completions fish > ~/.config/fish/completions/datadiet.fish
  datadiet completions powershell >> $PROFILE
  datadiet completions elvish >> ~/.config/elvish/rc.elv

bash and fish want the folder to be there (mkdir -p), bash the package bash-completion too.")]
pub struct CompletionsArgs {
    /// Which shell.
    shell: Shell,
}

/// Runs the command.
pub fn run(args: &CompletionsArgs) -> Result<ExitCode> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut help::command(), "datadiet", &mut text);
    write_out(&text)?;
    Ok(ExitCode::SUCCESS)
}
