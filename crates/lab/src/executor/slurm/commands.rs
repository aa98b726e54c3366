//! Slurm's commands, started and read.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::process::{Command, Output, Stdio};

use super::queue::{self, Queued};
use crate::LabError;
use crate::executor::OF_THIS_PROCESS;

/// How many indices an array may have where the cluster does not tell: Slurm's own default.
const MOST_IN_AN_ARRAY: usize = 1001;

/// Variables of Slurm that say where it is and who asks, not what job this process is part of.
const KEPT: [&str; 3] = ["SLURM_CONF", "SLURM_JWT", "SLURM_CLUSTERS"];

/// Variables that give sbatch options that are ours to give, or have it wait for the end of the job.
const OURS: [&str; 6] = [
    "SBATCH_ARRAY_INX",
    "SBATCH_ERROR",
    "SBATCH_INPUT",
    "SBATCH_JOB_NAME",
    "SBATCH_OUTPUT",
    "SBATCH_WAIT",
];

/// Whether Slurm's commands are started without a variable of this process: it may be part of a job itself, whose
/// size and number are none of the new ones'; and what the user has squeue show is not what is read here.
fn is_dropped(name: &str) -> bool {
    let is_of = |prefixes: [&str; 3]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    (is_of(["SLURM_", "SQUEUE_", "SCANCEL_"]) && !KEPT.contains(&name))
        || OURS.contains(&name)
        || OF_THIS_PROCESS.contains(&name)
}

/// Why a job is not submitted.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Slurm does not answer now, in its words.
    Passing(String),
    /// It will not be otherwise.
    ForGood(LabError),
}

impl<E: Into<LabError>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::ForGood(error.into())
    }
}

/// Whether these words of Slurm are of a controller that is being started again or has too much to do.
fn is_passing(problem: &str) -> bool {
    let words = [
        "Unable to contact slurm controller",
        "Socket timed out",
        "Connection refused",
        "Connection reset",
        "Connection timed out",
        "temporarily un",
        "standby mode",
        "Zero Bytes were transmitted",
    ];
    words.iter().any(|word| problem.contains(word))
}

/// Submits a script. Answers with the job's number.
///
/// # Errors
/// When there is no sbatch, Slurm does not answer, or refuses the job, in its own words.
pub(super) fn sbatch(options: &[String], script: &OsStr) -> Result<u64, Trouble> {
    let mut command = command("sbatch");
    command.arg("--parsable").args(options).arg(script);
    let output = output(&mut command)?;
    let (said, problem) = (text(&output.stdout), text(&output.stderr));
    match queue::submitted(&said) {
        Some(job) if output.status.success() => Ok(job),
        _ => {
            let problem = if problem.is_empty() { said } else { problem };
            if is_passing(&problem) {
                return Err(Trouble::Passing(of_sbatch(&problem)));
            }
            let refused = format!(
                "Slurm does not take the job: {}; what is asked for stands in {} (partition, time, memory and the \
                 like: [on] and [on.slurm] of a file of options)",
                of_sbatch(&problem),
                script.display()
            );
            Err(LabError::Plan(refused).into())
        }
    }
}

/// The tasks of this user's arrays.
///
/// # Errors
/// When squeue does not answer, in its own words.
pub(super) fn squeue() -> Result<Vec<Queued>, String> {
    let mut command = command("squeue");
    command
        .args(["--me", "--array", "--noheader", "--states=all"])
        .arg(format!("--format={}", queue::FORMAT));
    let output = output(&mut command).map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(text(&output.stderr));
    }
    Ok(queue::queued(&text(&output.stdout)))
}

/// The numbers of this user's jobs that are of a sweep and not over: its arrays, and the question to a node.
///
/// # Errors
/// When squeue does not answer, in its own words.
pub(super) fn jobs_of(sweep: &str) -> Result<Vec<String>, String> {
    let mut command = command("squeue");
    command.args(["--me", "--noheader", "--format=%F|%j"]);
    let output = output(&mut command).map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(text(&output.stderr));
    }
    Ok(queue::jobs_of(&text(&output.stdout), sweep))
}

/// What squeue says of one job: its state and its reason; none when it no longer knows it.
///
/// # Errors
/// When squeue does not answer, in its own words.
pub(super) fn squeue_of(job: u64) -> Result<Option<(String, String)>, String> {
    let mut command = command("squeue");
    command.args(["--noheader", "--states=all", "--format=%T|%r"]).arg(format!("--jobs={job}"));
    let output = output(&mut command).map_err(|error| error.to_string())?;
    let problem = text(&output.stderr);
    if !output.status.success() && !problem.contains("Invalid job id") {
        return Err(problem);
    }
    let said = text(&output.stdout);
    Ok(said.lines().next().and_then(|line| line.split_once('|')).map(|(s, r)| (s.into(), r.into())))
}

/// Ends jobs, waiting or not. What they do not hear of ends by itself.
pub(super) fn scancel(jobs: &[String]) -> Result<(), String> {
    if jobs.is_empty() {
        return Ok(());
    }
    let output = output(command("scancel").args(jobs)).map_err(|error| error.to_string())?;
    let problem = text(&output.stderr);
    // Jobs that are over already are what was wanted.
    if output.status.success() || problem.contains("Invalid job id") {
        Ok(())
    } else {
        Err(problem)
    }
}

/// How many indices an array may have.
pub(super) fn most_in_an_array() -> usize {
    let answer = output(command("scontrol").args(["show", "config"]));
    let most = answer.ok().and_then(|output| queue::most_in_an_array(&text(&output.stdout)));
    most.filter(|&most| most > 0).unwrap_or(MOST_IN_AN_ARRAY)
}

fn command(name: &str) -> Command {
    let mut command = Command::new(name);
    command.stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if is_dropped(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
    command
}

fn output(command: &mut Command) -> Result<Output, LabError> {
    command.output().map_err(|error| {
        let name = command.get_program().display();
        LabError::Plan(match error.kind() {
            ErrorKind::NotFound => format!(
                "there is no {name} on this machine: --on slurm submits jobs, so type it where you would type sbatch \
                 (a login node), or leave --on out to train here"
            ),
            _ => format!("cannot start {name}: {error}"),
        })
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

/// The words of sbatch in one line, without what it is called in each.
fn of_sbatch(problem: &str) -> String {
    let lines = problem
        .lines()
        .map(|line| line.trim_start_matches("sbatch: ").trim_start_matches("error: "));
    lines.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_variables_of_this_process_and_of_its_user_s_squeue_are_dropped() {
        let dropped = [
            "SLURM_JOB_ID",
            "SLURM_CPUS_PER_TASK",
            "SQUEUE_FORMAT",
            "SQUEUE_STATES",
            "SCANCEL_PARTITION",
            "SBATCH_WAIT",
            "SBATCH_ARRAY_INX",
            "SBATCH_ERROR",
            "DATADIET_HOST",
            "DATADIET_JOB",
        ];
        for name in dropped {
            assert!(super::is_dropped(name), "{name}");
        }
        let kept = [
            "SLURM_CONF",
            "SLURM_CLUSTERS",
            "SBATCH_PARTITION",
            "SBATCH_TIMELIMIT",
            "PATH",
            "DATADIET_TORCH",
        ];
        for name in kept {
            assert!(!super::is_dropped(name), "{name}");
        }
    }

    #[test]
    fn a_controller_that_is_started_again_is_waited_for() {
        for said in [
            "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)",
            "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
            "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying",
        ] {
            assert!(super::is_passing(said), "{said}");
        }
        assert!(!super::is_passing("sbatch: error: Batch job submission failed: Invalid account"));
    }

    #[test]
    fn the_words_of_sbatch_are_kept() {
        let said = "sbatch: error: invalid partition specified: nope\n\
                    sbatch: error: Batch job submission failed: Invalid partition name specified";
        let expected = "invalid partition specified: nope; Batch job submission failed: Invalid partition name specified";
        assert_eq!(super::of_sbatch(said), expected);
    }
}
