//! `datadiet plan`: writes down what another command would train now, for whatever starts processes elsewhere.

use anyhow::{Context, Result, ensure};
use clap::{Args, FromArgMatches};

use crate::home::HomeArgs;
use crate::{Cli, help};

/// Commands that train, and can be planned.
const COMMANDS: [&str; 7] = ["score", "train", "diet", "run", "suspects", "ntk", "lmc"];

/// Write down what a command would train, a line each.
///
/// The lines are `datadiet worker --task N SWEEP`: GNU parallel, a Kubernetes Indexed Job or any other engine carries
/// them out, wherever the folder can be seen, in any order and more than once. The same command without `plan` takes
/// the results, and tells what is wanted next: `diet` and `run` ask for some trainings only when others are done.
#[derive(Args)]
pub struct PlanArgs {
    /// A command that trains, with its options: score, train, diet, run, suspects, ntk, lmc.
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    command: Vec<String>,
}

/// The command that is planned.
///
/// # Errors
/// When it is none that trains, or its options make no sense.
pub fn command(home: HomeArgs, args: &PlanArgs) -> Result<Cli> {
    let name = args.command.first().context("which command?")?;
    ensure!(
        COMMANDS.contains(&&**name),
        "{name} trains nothing; what can be planned is {}",
        COMMANDS.join(", ")
    );
    let words = std::iter::once("datadiet").chain(args.command.iter().map(String::as_str));
    let matches = help::command().get_matches_from(words.chain(["--only-plan"]));
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    Ok(Cli { home: cli.home.or(home), ..cli })
}
