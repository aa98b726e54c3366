//! `datadiet runs stop`: asks whoever trains runs to save their state and end.

use anyhow::{Result, bail};
use clap::Args;
use datadiet_lab::executor::slurm;
use datadiet_store::{RunFolder, Store, SweepFolder, TaskLine};
use serde::Serialize;

use super::{Listed, State, all, rows};
use crate::output::OutputArgs;

/// Arguments of `runs stop`.
#[derive(Args)]
pub struct StopArgs {
    /// Ids of runs, or their beginnings [default: all that are trained now, and the sweeps that have more to do].
    ids: Vec<String>,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Serialize)]
struct Asked {
    runs: Vec<Listed>,
    /// Sweeps whose tasks are not begun any more.
    sweeps: Vec<String>,
    /// What engines call the jobs of these.
    jobs: Vec<String>,
}

/// Asks them; they end within seconds, or when their machine looks at the store again.
pub fn run(store: &Store, args: &StopArgs) -> Result<()> {
    let mut runs = all(store)?;
    runs.retain(|run| run.state == State::Training);
    for start in &args.ids {
        if !runs.iter().any(|run| run.id.starts_with(start)) {
            bail!(
                "no run that is trained now has an id that begins with {start}; `datadiet runs list` shows \
                   them"
            );
        }
    }
    if !args.ids.is_empty() {
        runs.retain(|run| args.ids.iter().any(|start| run.id.starts_with(start)));
    }
    let (mut sweeps, mut jobs, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    if args.ids.is_empty() {
        for sweep in unfinished(store)? {
            sweep.stop()?;
            if let Err(problem) = slurm::cancel(&sweep) {
                problems.push(problem);
            }
            jobs.extend(sweep.jobs());
            sweeps.push(sweep.id());
        }
    }
    for run in &runs {
        RunFolder::ask_to_stop(&run.path)?;
    }
    for problem in problems {
        eprintln!("warning: Slurm's scancel: {problem}; jobs that wait end when they begin");
    }
    let asked = Asked { runs, sweeps, jobs };
    args.output.answer(&asked, || {
        let Asked { runs, sweeps, jobs } = &asked;
        let mut text = match runs.len() {
            0 => "no run is trained now".to_owned(),
            count => format!("{}\n\nasked {count} to save and end", rows(runs)),
        };
        if !sweeps.is_empty() {
            text += &format!("; the tasks of {} sweeps are not begun any more", sweeps.len());
        }
        if !jobs.is_empty() {
            text += &format!("; jobs: {}", jobs.join(", "));
        }
        text
    })
}

/// Sweeps that are not stopped and have tasks without a result.
fn unfinished(store: &Store) -> Result<Vec<SweepFolder>> {
    let mut sweeps = SweepFolder::all(store)?;
    sweeps.retain(|sweep| {
        let is_open = |task: &TaskLine| !sweep.folder_of(task).join("result.json").exists();
        !sweep.is_stopped() && sweep.tasks().is_ok_and(|tasks| tasks.iter().any(is_open))
    });
    Ok(sweeps)
}
