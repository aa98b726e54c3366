//! `datadiet explore`: a local page to look at scored examples, mark them, and see what keeping fewer costs.

mod measured;

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use datadiet_data::Dataset;
use datadiet_explore::{Explorer, Options, Place, Source};
use datadiet_table::{MarkFile, ScoreFile, ScoreTable};
use serde_json::json;

use self::measured::measured;
use crate::browser;
use crate::home::HomeArgs;
use crate::output::{OutputArgs, write_out};
use crate::scores_file::{DataArgs, HardArgs, TURN, TruthArgs};

/// Look at scored examples in the browser, and mark them.
///
/// Serves one page on this machine alone: a map of any two scores, a histogram and a gallery that are linked
/// (drag in one, see it in the others), an example's scores and how they went over training, and what keeping
/// fewer would cost. Marks (wrong label with the right one, drop, keep, unsure) are saved at once beside the
/// scores, survive a crash, and come out by `datadiet select --marks` as a subset and by `datadiet noise --from`
/// as labels. All of it works by keyboard; `?` in the page lists the keys.
///
/// The address holds a random key: whoever has it may look and mark. Ctrl-C ends it.
#[derive(Args)]
#[command(after_help = "\
Examples:
  datadiet explore scores/demo
  datadiet explore mine.parquet --data mine                 # pictures of an imported data set
  datadiet explore mine.parquet --images ./photos           # files named by the ids of the table
  datadiet explore reviews.parquet --text reviews.jsonl
  datadiet explore scores/demo --outcome results/demo       # with the accuracies that were measured
  datadiet explore scores/noisy --truth noisy.parquet       # where labels were changed on purpose
  datadiet select scores/demo --marks scores/demo/marks.jsonl --out clean.parquet")]
pub struct ExploreArgs {
    /// A scores.parquet, or the folder that holds one.
    scores: PathBuf,
    #[command(flatten)]
    data: DataArgs,
    /// Folder of pictures that are named by the ids of the table, as paths or names, with or without ending.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["data", "text"])]
    images: Option<PathBuf>,
    /// Texts of the examples, by id, or one a row where the table has no ids: .txt, .jsonl, .json, .csv or .parquet.
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    text: Option<PathBuf>,
    /// Column that the gallery is sorted by at first [default: the latest EL2N].
    #[arg(long, value_name = "COLUMN")]
    by: Option<String>,
    #[command(flatten)]
    hard: HardArgs,
    /// File of marks [default: marks.jsonl beside the scores].
    #[arg(long, value_name = "FILE")]
    marks: Option<PathBuf>,
    /// Your name in the marks [default: that of the account].
    #[arg(long, value_name = "NAME")]
    r#as: Option<String>,
    /// Folder of results of `datadiet run` or `datadiet diet` whose trainings on parts of the data are shown with
    /// the cost [default: that of the scores].
    #[arg(long, value_name = "DIR")]
    outcome: Option<PathBuf>,
    #[command(flatten)]
    truth: TruthArgs,
    /// Port [default: a free one].
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// Address to listen on; other machines can then ask, with the key, unencrypted.
    #[arg(long, value_name = "IP", default_value_t = Ipv4Addr::LOCALHOST.into())]
    host: IpAddr,
    /// A name by which the server is known, beside addresses and localhost.
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
    /// A page that may show this one in a frame: a notebook at http://localhost:8888, vscode-webview: for those of
    /// Visual Studio Code, null for a page without an origin (then any may that knows the address).
    #[arg(long, value_name = "ORIGIN")]
    allow_frame: Vec<String>,
    /// Do not open a browser; --json opens none either.
    #[arg(long)]
    no_open: bool,
    /// End when standard input closes, as it does when the program ends that started this.
    #[arg(long)]
    attached: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the command.
pub fn run(home: &HomeArgs, args: ExploreArgs) -> Result<ExitCode> {
    let scores = ScoreFile::open(&args.scores)?;
    let (source, classes) =
        source(home, &args.data, args.images.as_deref(), args.text.as_deref(), &scores)?;
    let marks = args.marks.clone().unwrap_or_else(|| MarkFile::beside(&args.scores));
    let by = match (&args.by, args.hard.direction()) {
        (None, Some(_)) => Some(scores.header.default_column()?),
        (by, _) => by.clone(),
    };
    if let Some(by) = &by {
        let ranking = scores.header.ranking(by, args.hard.direction())?;
        ranking.assumption(TURN).into_iter().for_each(|note| eprintln!("note: {note}"));
    }
    let explorer = Explorer::open(Options {
        scores: args.scores.clone(),
        source,
        classes,
        by,
        hard: args.hard.direction(),
        marks: Some(marks.clone()),
        who: args.r#as.clone().unwrap_or_else(account),
        truth: args.truth.file(),
        measured: measured(&args.scores, args.outcome.as_deref(), &scores.header)?,
    })?;
    explorer.notes().iter().for_each(|note| eprintln!("note: {note}"));
    if !args.host.is_loopback() {
        eprintln!(
            "warning: others in the network of {} can reach this page if they have its address",
            args.host
        );
    }
    let place = Place {
        host: args.host,
        port: args.port,
        allowed: args.allow_host.clone(),
        frames: args.allow_frame.clone(),
    };
    let server = explorer.bind(&place)?;
    let address = server.url();
    // One line either way: who started this reads a line, not up to an end that does not come.
    if args.output.json {
        write_out(format!("{}\n", json!({ "address": address, "marks": marks })).as_bytes())?;
    } else {
        let ends = if args.attached { "end of input" } else { "Ctrl-C" };
        let told = format!(
            "{address}\n\nmarks are saved at once to {}; {ends} ends this\n",
            marks.display()
        );
        write_out(told.as_bytes())?;
        if !args.no_open {
            browser::open(&address);
        }
    }
    match args.attached {
        true => server.run_until(|| {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        })?,
        false => server.run()?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The name of the account that runs this.
pub fn account() -> String {
    // A container may have them empty.
    let named = |name: &str| std::env::var(name).ok().filter(|name| !name.trim().is_empty());
    let variables = ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(named);
    variables.or_else(account_of_system).unwrap_or_else(|| "somebody".into())
}

#[cfg(unix)]
fn account_of_system() -> Option<String> {
    use nix::unistd::{User, getuid};
    User::from_uid(getuid()).ok().flatten().map(|user| user.name)
}

#[cfg(not(unix))]
fn account_of_system() -> Option<String> {
    None
}

/// Where pictures or texts come from, and the names of classes in the data set that was named, which count where the
/// table has none of its own.
pub fn source(
    home: &HomeArgs,
    data: &DataArgs,
    images: Option<&Path>,
    text: Option<&Path>,
    scores: &ScoreFile,
) -> Result<(Source, Option<Vec<String>>)> {
    if let Some(folder) = images {
        return Ok((Source::Folder(folder.to_owned()), None));
    }
    if let Some(file) = text {
        return Ok((Source::Texts(file.to_owned()), None));
    }
    let named = data.data.is_some();
    if !named && scores.header.card().is_none_or(|card| card.data.is_none()) {
        return Ok((Source::Table, None));
    }
    match pictures(home, data, scores) {
        Ok((source, classes)) => Ok((source, named.then_some(classes))),
        Err(problem) if !named => {
            eprintln!("note: no pictures: {problem:#}");
            Ok((Source::Table, None))
        }
        Err(problem) => Err(problem),
    }
}

fn pictures(home: &HomeArgs, data: &DataArgs, scores: &ScoreFile) -> Result<(Source, Vec<String>)> {
    let dataset: Dataset = data.open(home, &scores.header)?;
    let table: ScoreTable = scores.read_to_choose(None, true)?;
    let examples = table.examples_in(&data.training_set(&dataset))?;
    let classes = dataset.classes().to_vec();
    Ok((Source::Dataset(Box::new(dataset), examples), classes))
}
