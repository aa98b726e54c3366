//! `datadiet`: which of my training examples matter?

mod browser;
mod carrier;
mod commands;
#[cfg(test)]
mod documented;
mod elsewhere;
mod execution;
mod help;
mod home;
mod interrupt;
mod on;
mod output;
mod pictures;
mod progress;
mod scores_file;
mod torch;
mod tracker;
mod worker;

use std::process::ExitCode;

use clap::{FromArgMatches, Parser, Subcommand};

use home::HomeArgs;

/// Find out which training examples matter.
///
/// Scores every training example early in training (EL2N, GraNd, forgetting events and their kin;
/// Paul, Ganguli, Dziugaite 2021), prunes the training set by the scores, retrains to show what that
/// costs, and finds labels that are likely wrong.
#[derive(Parser)]
// The examples stand in the manual: the help is a screen of commands (help.rs).
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    home: HomeArgs,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  datadiet data fetch cifar10
  datadiet score --data cifar10 --model resnet8 --replicas 4 --epochs 4 --at 0,1,2,4
  datadiet report scores/cifar10-resnet8-…        # what the scores say, as one HTML file
  datadiet select scores/cifar10-resnet8-… --keep 0.5 --out half.parquet
  datadiet train --data cifar10 --subset half.parquet
  datadiet diet --data cifar10 --tolerance 0.5   # or let it find out how much can go
  datadiet data import ./birds --name birds   # a folder of images, one folder a class";

// The help of a command is the text at its arguments, short and long: a text here would replace both.
// A new command goes into a group of help.rs, too.
#[derive(Subcommand)]
enum Command {
    /// Fetch, import, list and inspect data sets.
    #[command(subcommand)]
    Data(commands::data::DataCommand),
    Score(Box<commands::score::ScoreArgs>),
    Ingest(Box<commands::ingest::IngestArgs>),
    /// Read a table of scores: show, head, correlate, export.
    #[command(subcommand)]
    Scores(commands::scores::ScoresCommand),
    Select(commands::select::SelectArgs),
    Train(Box<commands::train::TrainArgs>),
    Diet(Box<commands::diet::DietArgs>),
    Noise(commands::noise::NoiseArgs),
    Suspects(Box<commands::suspects::SuspectsArgs>),
    Run(Box<commands::run::RunArgs>),
    Ntk(Box<commands::ntk::NtkArgs>),
    Lmc(Box<commands::lmc::LmcArgs>),
    Explore(Box<commands::explore::ExploreArgs>),
    Export(Box<commands::export::ExportArgs>),
    Marks(commands::marks::MarksArgs),
    Report(commands::report::ReportArgs),
    Tour(commands::tour::TourArgs),
    /// List, show, watch, stop and clean up trainings.
    #[command(subcommand)]
    Runs(commands::runs::RunsCommand),
    Plan(commands::plan::PlanArgs),
    Worker(commands::worker::WorkerArgs),
    Setup(commands::setup::SetupArgs),
    Completions(commands::completions::CompletionsArgs),
    Man(commands::man::ManArgs),
}

impl Command {
    /// Whether it is going to train or measure with our own worker.
    fn needs_worker(&self) -> bool {
        match self {
            Self::Score(args) => args.needs_worker(),
            Self::Train(args) => args.needs_worker(),
            Self::Suspects(args) => args.needs_worker(),
            Self::Diet(args) => !args.question.plan && args.needs_worker(),
            Self::Run(args) => !args.question.plan && args.needs_worker(),
            Self::Ntk(args) => !args.question.plan && args.needs_worker(),
            Self::Lmc(args) => !args.question.plan && args.needs_worker(),
            _ => false,
        }
    }
}

fn main() -> ExitCode {
    let cli = Cli::from_arg_matches(&help::command().get_matches());
    let cli = cli.unwrap_or_else(|error| error.format(&mut help::command()).exit());
    run(cli, false).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// Carries out a command. Where trainings are only written down nothing is needed that trains.
fn run(cli: Cli, only_plan: bool) -> anyhow::Result<ExitCode> {
    datadiet_core::isa::limit()?;
    if cli.command.needs_worker() && !only_plan {
        // Before anything else is done: not after minutes of reading.
        worker::Worker::find()?;
    }
    match cli.command {
        Command::Data(command) => commands::data::run(&cli.home, command),
        Command::Score(args) => commands::score::run(&cli.home, *args),
        Command::Ingest(args) => commands::ingest::run(&args),
        Command::Scores(command) => commands::scores::run(command),
        Command::Select(args) => commands::select::run(&cli.home, args),
        Command::Train(args) => commands::train::run(&cli.home, *args),
        Command::Diet(args) => commands::diet::run(&cli.home, *args),
        Command::Noise(args) => commands::noise::run(&cli.home, args),
        Command::Suspects(args) => commands::suspects::run(&cli.home, *args),
        Command::Run(args) => commands::run::run(&cli.home, *args),
        Command::Ntk(args) => commands::ntk::run(&cli.home, *args),
        Command::Lmc(args) => commands::lmc::run(&cli.home, *args),
        Command::Explore(args) => commands::explore::run(&cli.home, *args),
        Command::Export(args) => commands::export::run(&cli.home, *args),
        Command::Marks(args) => commands::marks::run(&cli.home, args),
        Command::Report(args) => commands::report::run(&cli.home, args),
        Command::Tour(args) => commands::tour::run(&args),
        Command::Runs(command) => commands::runs::run(&cli.home, command),
        Command::Plan(args) => run(commands::plan::command(cli.home, &args)?, true),
        Command::Worker(args) => commands::worker::run(&cli.home, &args),
        Command::Setup(args) => commands::setup::run(&args),
        Command::Completions(args) => commands::completions::run(&args),
        Command::Man(args) => commands::man::run(&args),
    }
}
