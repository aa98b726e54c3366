//! What Slurm's commands answer, read. Nothing is started here.

use super::script::{is_of, parsed_name};
use crate::text;

/// What `squeue --format` is asked for: one task of an array a line.
pub(super) const FORMAT: &str = "%F|%K|%T|%N|%r|%j";

/// A task of an array of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Queued {
    /// The array's number.
    pub array: u64,
    /// The sweep that it is of.
    pub sweep: String,
    /// The line of the sweep's tasks.
    pub line: usize,
    /// Its index in the array.
    pub index: usize,
    /// How far it is.
    pub state: State,
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It has not begun, for a reason in Slurm's words: `Resources`, `Priority`, `JobHeldUser`.
    Waiting(String),
    /// It runs on a node.
    Running(String),
    /// It ends.
    Ending,
    /// It has ended, in Slurm's word: `COMPLETED`, `CANCELLED`, `NODE_FAIL`. Slurm knows that for some minutes.
    Ended(String),
}

/// The tasks of our arrays that `squeue --array` tells of, in [`FORMAT`].
pub(super) fn queued(answer: &str) -> Vec<Queued> {
    answer.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<Queued> {
    let mut fields = line.splitn(6, '|').map(str::trim);
    let array = fields.next()?.parse().ok()?;
    let index: usize = fields.next()?.parse().ok()?;
    let (state, node, reason) = (fields.next()?, fields.next()?, fields.next()?);
    let (sweep, offset) = parsed_name(fields.next()?)?;
    let state = match state {
        "RUNNING" | "SUSPENDED" | "STOPPED" | "SIGNALING" | "RESIZING" => {
            State::Running(node.into())
        }
        "PENDING" | "CONFIGURING" | "REQUEUED" | "REQUEUE_FED" | "REQUEUE_HOLD"
        | "SPECIAL_EXIT" => State::Waiting(reason.into()),
        "COMPLETING" | "STAGE_OUT" => State::Ending,
        ended => State::Ended(ended.into()),
    };
    Some(Queued { array, sweep: sweep.into(), line: offset + index, index, state })
}

/// The numbers in lines of `number|name` whose name is of a sweep, each once.
pub(super) fn jobs_of(answer: &str, sweep: &str) -> Vec<String> {
    let is_ours = |line: &str| {
        let (job, name) = line.trim().split_once('|')?;
        is_of(name, sweep).then(|| job.to_owned())
    };
    let mut jobs: Vec<String> = answer.lines().filter_map(is_ours).collect();
    jobs.sort();
    jobs.dedup();
    jobs
}

/// Whether a job that waits for this reason waits until a person does something.
pub(super) fn is_stuck(reason: &str) -> bool {
    let words = [
        "Held",
        "held",
        "BadConstraints",
        "InvalidAccount",
        "InvalidQOS",
        "PartitionDown",
        "PartitionConfig",
    ];
    let limits = [
        "PartitionTimeLimit",
        "PartitionNodeLimit",
        "PartitionInactive",
        "DependencyNeverSatisfied",
    ];
    words.iter().chain(&limits).any(|word| reason.contains(word))
}

/// The number of the array that `sbatch --parsable` answers: `1234`, or `1234;cluster`.
pub(super) fn submitted(answer: &str) -> Option<u64> {
    let last = answer.lines().rev().find(|line| !line.trim().is_empty())?;
    last.split(';').next()?.trim().parse().ok()
}

/// How many indices an array may have, from `scontrol show config`.
pub(super) fn most_in_an_array(configuration: &str) -> Option<usize> {
    let value = configuration.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == "MaxArraySize").then(|| value.trim())
    });
    value?.parse().ok()
}

/// What a script noted at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub array: u64,
    /// Its exit code.
    pub code: i32,
    /// Jobs in a row that came no further.
    pub stuck: u32,
}

/// What a script noted at its end, as `array code stuck`.
pub(super) fn ended(note: &str) -> Option<Ended> {
    let mut words = note.split_whitespace();
    let (array, code) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some(Ended { array, code, stuck: words.next()?.parse().ok()? })
}

/// Why a task failed, from the end of its job's log: from the last line that begins with `error: `, if there is one,
/// without the words of Slurm.
pub(super) fn last_words(log: &str) -> String {
    let of_slurm = |line: &&str| line.starts_with("srun: ") || line.starts_with("slurmstepd");
    // Perhaps it did not even start: then Slurm's words are all that there is.
    match text::last_words(log.lines().filter(|line| !of_slurm(line))) {
        told if told.is_empty() => text::last_words(log.lines()),
        told => told,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As squeue 22.05 answered.
    const ANSWER: &str = "\
12|3|PENDING||JobArrayTaskLimit|datadiet-3fa4c1+0
12|0|RUNNING|n1|None|datadiet-3fa4c1+0
12|1|COMPLETING|n2|None|datadiet-3fa4c1+0
15|2|PENDING||BeginTime|datadiet-3fa4c1+1000
16|N/A|RUNNING|n1|None|datadiet-3fa4c1-probe
17|0|RUNNING|n1|None|somebody-else
18|1|NODE_FAIL|n2|None|datadiet-3fa4c1+0
";

    #[test]
    fn the_queue_is_read() {
        let found = queued(ANSWER);
        let waiting = |reason: &str| State::Waiting(reason.into());
        let expected = [
            (12, 0, 3, waiting("JobArrayTaskLimit")),
            (12, 0, 0, State::Running("n1".into())),
            (12, 0, 1, State::Ending),
            (15, 1000, 2, waiting("BeginTime")),
            (18, 0, 1, State::Ended("NODE_FAIL".into())),
        ];
        let expected = expected.map(|(array, offset, index, state)| Queued {
            array,
            sweep: "3fa4c1".into(),
            line: offset + index,
            index,
            state,
        });
        assert_eq!(found, expected);
        assert_eq!(
            queued("slurm_load_jobs error: Unable to contact slurm controller\n\n|||||"),
            []
        );
    }

    #[test]
    fn only_jobs_of_a_sweep_are_ended() {
        let answer = "12|datadiet-3fa4c1+0\n12|datadiet-3fa4c1+0\n13|datadiet-3fa4c1-probe\n\
                      14|datadiet-3fa4c12+0\n15|mine\n16|datadiet-3fa4c1\n17|datadiet-99\n";
        assert_eq!(jobs_of(answer, "3fa4c1"), ["12", "13"]);
    }

    #[test]
    fn what_waits_for_a_person_is_known() {
        for reason in
            ["JobHeldUser", "JobHeldAdmin", "launch failed requeued held", "PartitionTimeLimit"]
        {
            assert!(is_stuck(reason), "{reason}");
        }
        for reason in [
            "Resources",
            "Priority",
            "BeginTime",
            "None",
            "JobArrayTaskLimit",
            "QOSMaxCpuPerUserLimit",
        ] {
            assert!(!is_stuck(reason), "{reason}");
        }
    }

    #[test]
    fn numbers_of_jobs_are_read() {
        assert_eq!(submitted("1234\n"), Some(1234));
        assert_eq!(submitted("sbatch: a message of the site\n1234;alpha\n"), Some(1234));
        assert_eq!(submitted("Submitted batch job"), None);
        assert_eq!(ended("1234 137 0\n"), Some(Ended { array: 1234, code: 137, stuck: 0 }));
        assert_eq!(ended(""), None);
    }

    #[test]
    fn the_length_of_arrays_is_read() {
        let configuration =
            "Configuration data as of 2026\nMaxArraySize            = 1001\nMaxJobCount = 10000\n";
        assert_eq!(most_in_an_array(configuration), Some(1001));
        assert_eq!(most_in_an_array(""), None);
    }

    #[test]
    fn a_reason_is_what_the_worker_said() {
        let log = "error: of an earlier try\nstep 3\nerror: there is no data set\n  but others\n\
                   srun: error: n1: task 0: Exited with exit code 1\n";
        assert_eq!(last_words(log), "error: there is no data set\n  but others");
        let log = "slurmstepd-n1: error: execve(): /x/datadiet: No such file or directory\n\
                   srun: error: n1: task 0: Exited with exit code 2\n";
        assert!(last_words(log).contains("execve(): /x/datadiet: No such file"));
        assert_eq!(last_words(""), "");
    }
}
