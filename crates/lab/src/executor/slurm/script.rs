//! The text of a batch script, and the array that it is submitted as. Nothing is read or started here.

use std::fmt::Write;
use std::path::Path;

use crate::executor::Needs;
use crate::on::OnOptions;

/// Most seconds before the end of a job's time at which its training is told to save.
const WARNING_SECONDS: u64 = 120;

/// How the names of our jobs begin; the sweep's id and the first line of its tasks follow: `datadiet-3fa4c1+100`.
const NAME: &str = "datadiet-";
/// What follows the id in the name of the job that asks a node whether it can train.
const PROBE: &str = "-probe";

/// A batch script.
#[derive(Clone, Copy, Debug)]
pub(super) struct Script<'a> {
    /// Folder of the sweep.
    pub sweep: &'a Path,
    /// The program `datadiet`, as nodes find it.
    pub program: &'a Path,
    /// What it is to do.
    pub does: Does,
    /// What each task needs.
    pub needs: Needs,
    /// What is said of where it is carried out.
    pub on: &'a OnOptions,
}

/// What a script does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    /// Carries out the task on the line of its index in the array, and so many lines more.
    Tasks { offset: usize },
    /// Tells whether a node can train.
    Probe,
}

impl Script<'_> {
    /// What the job is called: by it a command that comes later finds the tasks that wait or go on.
    pub fn name(&self) -> String {
        let id = self.sweep.file_name().unwrap_or_default().to_string_lossy();
        match self.does {
            Does::Tasks { offset } => format!("{NAME}{id}+{offset}"),
            Does::Probe => format!("{NAME}{id}{PROBE}"),
        }
    }

    /// Its text.
    pub fn text(&self) -> String {
        let mut text = String::from("#!/bin/bash\n");
        for option in self.options() {
            writeln!(text, "#SBATCH {}", for_sbatch(&option)).expect("text grows");
        }
        text.push_str("# Written by datadiet.\n\n");
        for line in &self.on.setup {
            let told = format!("error: setup of [on] does not work on this node: {line}");
            let told = quoted(Path::new(&told));
            writeln!(text, "{line}\n[ $? = 0 ] || {{ echo {told} >&2; exit 2; }}")
                .expect("text grows");
        }
        let (sweep, program) = (quoted(self.sweep), quoted(self.program));
        let (cpus, retries) = (self.needs.cpus, self.on.retries());
        match self.does {
            Does::Probe => writeln!(
                text,
                "srun --ntasks=1 --cpus-per-task={cpus} {program} worker --probe {sweep}"
            ),
            Does::Tasks { offset } => write!(
                text,
                "\
sweep={sweep}
task=$((SLURM_ARRAY_TASK_ID + {offset}))
# A signal to this shell means that Slurm itself ends the job, and begins it again or does not.
told=; trap 'told=1' TERM
# A step of its own, since warnings before the end of a job's time go to steps.
srun --ntasks=1 --cpus-per-task={cpus} {program} worker --task \"$task\" \"$sweep\"
code=$?
folder=$sweep/../../$(sed -n \"$((task + 1))s/^[a-z]* //p\" \"$sweep/tasks.txt\")
mkdir -p \"$sweep/ended\"
note=$sweep/ended/$task
# Saved in the middle, and nobody asked to end: on with it in another job, at the same place in the queue, unless
# that leads nowhere. Of a training that does not say how far it is, two minutes count as a step.
stuck=0
if [ $code = 3 ] && [ -z \"$told\" ] && [ ! -e \"$sweep/stop\" ] && [ ! -e \"$folder/stop\" ]; then
    step=$(sed -n 's/.*\"step\": *\\([0-9][0-9]*\\).*/\\1/p' \"$folder/progress.json\" 2>/dev/null | tail -n 1)
    array= best=-1
    [ ! -e \"$note.step\" ] || read -r array best stuck <\"$note.step\"
    [ \"$array\" = \"$SLURM_ARRAY_JOB_ID\" ] || best=-1 stuck=0
    if [ \"${{step:-0}}\" -gt \"$best\" ]; then
        best=${{step:-0}} stuck=0
    elif [ -d \"$folder/checkpoint\" ] && [ -z \"$step\" ] && [ \"$SECONDS\" -ge 120 ]; then
        stuck=0
    else
        stuck=$((stuck + 1))
    fi
    echo \"$SLURM_ARRAY_JOB_ID $best $stuck\" >\"$note.step\"
    if [ \"$stuck\" -le {retries} ]; then
        scontrol requeue \"${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID\" && exit $code
        stuck=0
    fi
fi
echo \"$SLURM_ARRAY_JOB_ID $code $stuck\" >\"$note.aside\" && mv -f \"$note.aside\" \"$note\"
exit $code
"
            ),
        }
        .expect("text grows");
        text
    }

    /// Options of sbatch. They are given to it beside the script, too, since variables such as SBATCH_PARTITION
    /// win over what a script says.
    pub fn options(&self) -> Vec<String> {
        let (needs, on, slurm) = (self.needs, self.on, &self.on.slurm);
        let log = match self.does {
            Does::Tasks { .. } => "%A_%a.log",
            Does::Probe => "probe.log",
        };
        // A per cent sign begins a pattern, such as %A, the number of the array.
        let log = self.sweep.to_string_lossy().replace('%', "%%") + "/" + log;
        let mut options = vec![
            format!("--job-name={}", self.name()),
            format!("--output={log}"),
            "--open-mode=append".into(),
            "--ntasks=1".into(),
            format!("--cpus-per-task={}", needs.cpus),
        ];
        match self.does {
            Does::Tasks { .. } => {
                options.push("--requeue".into());
                options.push(format!("--signal=TERM@{}", warning(on.time.as_deref())));
            }
            Does::Probe => options.push("--no-requeue".into()),
        }
        if needs.memory_mib > 0 {
            options.push(format!("--mem={}M", needs.memory_mib));
        }
        let gpus = (needs.gpus > 0).then(|| format!("gpu:{}", needs.gpus));
        let given = [
            ("gres", slurm.gres.clone().or(gpus)),
            ("time", on.time.clone()),
            ("partition", slurm.partition.clone()),
            ("account", slurm.account.clone()),
            ("qos", slurm.qos.clone()),
            ("constraint", slurm.constraint.clone()),
        ];
        let given = given.into_iter().filter_map(|(name, value)| Some((name, value?)));
        options.extend(given.map(|(name, value)| format!("--{name}={value}")));
        // Last: what the user says wins.
        options.extend(slurm.extra.iter().cloned());
        options
    }
}

/// The sweep and the first line of its tasks that an array of ours is of; none for other jobs.
pub(super) fn parsed_name(name: &str) -> Option<(&str, usize)> {
    let (sweep, offset) = name.strip_prefix(NAME)?.split_once('+')?;
    Some((sweep, offset.parse().ok()?))
}

/// Whether a job of this name is of a sweep.
pub(super) fn is_of(name: &str, sweep: &str) -> bool {
    parsed_name(name).is_some_and(|(id, _)| id == sweep)
        || name.strip_prefix(NAME).and_then(|rest| rest.strip_suffix(PROBE)) == Some(sweep)
}

/// Arrays of these lines of tasks, none of whose indices reaches `limit`: the number that is added to the
/// indices of each, and the indices as `sbatch --array` takes them.
pub(super) fn arrays(lines: &[usize], limit: usize) -> Vec<(usize, Vec<usize>)> {
    let mut lines = lines.to_vec();
    lines.sort_unstable();
    lines.dedup();
    let mut arrays: Vec<(usize, Vec<usize>)> = Vec::new();
    for line in lines {
        match arrays.last_mut() {
            Some((offset, indices)) if line - *offset < limit => indices.push(line - *offset),
            _ => arrays.push((line, vec![0])),
        }
    }
    arrays
}

/// `0-3,7` for 0, 1, 2, 3, 7.
pub(super) fn ranges(indices: &[usize]) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for &index in indices {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == index => *last = index,
            _ => ranges.push((index, index)),
        }
    }
    let text = ranges.iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    text.collect::<Vec<_>>().join(",")
}

/// Seconds before the end of a job of this time at which its training is told to save: of a short one less, or it
/// would be told so at once.
fn warning(time: Option<&str>) -> u64 {
    let short = time.and_then(seconds).map(|seconds| (seconds / 4).max(1));
    short.map_or(WARNING_SECONDS, |short| short.min(WARNING_SECONDS))
}

/// A time in Slurm's words: minutes, minutes:seconds, hours:minutes:seconds, days-hours, days-hours:minutes or
/// days-hours:minutes:seconds; none for others, which sbatch refuses or knows better.
fn seconds(time: &str) -> Option<u64> {
    let (days, rest) = match time.trim().split_once('-') {
        Some((days, rest)) => (Some(days.parse::<u64>().ok()?), rest),
        None => (None, time.trim()),
    };
    let parts: Vec<u64> = rest.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let (hours, minutes, seconds) = match (days, parts.as_slice()) {
        (None, &[minutes]) => (0, minutes, 0),
        (None, &[minutes, seconds]) => (0, minutes, seconds),
        (Some(_), &[hours]) => (hours, 0, 0),
        (Some(_), &[hours, minutes]) => (hours, minutes, 0),
        (_, &[hours, minutes, seconds]) => (hours, minutes, seconds),
        _ => return None,
    };
    let hours = days.unwrap_or(0).checked_mul(24)?.checked_add(hours)?;
    hours.checked_mul(60)?.checked_add(minutes)?.checked_mul(60)?.checked_add(seconds)
}

/// For the shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
}

/// An option for sbatch, which takes the lines of a script apart as a shell does.
fn for_sbatch(option: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:,=%+@*[]&|()".contains(c);
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""));
    match option.split_once('=') {
        _ if option.chars().all(plain) => option.into(),
        Some((name, value)) => format!("{name}={}", quoted(value)),
        None => quoted(option),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::on::{Memory, SlurmOptions};

    const SWEEP: &str = "/shared/a store/sweeps/3fa4c1";

    fn script(does: Does, on: &OnOptions, needs: Needs) -> String {
        let (sweep, program) = (Path::new(SWEEP), Path::new("/shared/bin/datadiet"));
        Script { sweep, program, does, needs, on }.text()
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(text, expected, "the script is now\n{text}");
    }

    #[test]
    fn the_script_of_an_array_is_as_it_was() {
        let on = OnOptions {
            time: Some("4:00:00".into()),
            setup: vec!["module load cuda/12.8".into(), "source /proj/env/bin/activate".into()],
            memory: Some(Memory(8192)),
            slurm: SlurmOptions {
                partition: Some("gpu".into()),
                account: Some("xyz".into()),
                gres: Some("gpu:a100:1".into()),
                extra: vec!["--constraint=nvme".into()],
                ..SlurmOptions::default()
            },
            ..OnOptions::default()
        };
        let text = script(Does::Tasks { offset: 1000 }, &on, on.needs(4, true));
        check(&text, include_str!("snapshots/all.sh"));
    }

    #[test]
    fn a_script_without_options_leaves_everything_to_the_cluster() {
        let on = OnOptions::default();
        check(
            &script(Does::Tasks { offset: 0 }, &on, on.needs(1, false)),
            include_str!("snapshots/plain.sh"),
        );
        check(&script(Does::Probe, &on, on.needs(1, true)), include_str!("snapshots/probe.sh"));
    }

    #[test]
    fn a_name_says_which_tasks_an_array_has() {
        let on = OnOptions::default();
        let text = script(Does::Tasks { offset: 7 }, &on, on.needs(1, false));
        let line = text.lines().find_map(|line| line.strip_prefix("#SBATCH --job-name="));
        assert_eq!(parsed_name(line.unwrap()), Some(("3fa4c1", 7)));
        for other in ["datadiet-3fa4c1-probe", "other", "datadiet-+", "datadiet-3fa4c1+x"] {
            assert_eq!(parsed_name(other), None, "{other}");
        }
    }

    #[test]
    fn lines_are_cut_into_arrays_that_the_cluster_takes() {
        assert_eq!(arrays(&[0, 1, 2], 1001), [(0, vec![0, 1, 2])]);
        assert_eq!(arrays(&[9, 5, 5, 6], 4), [(5, vec![0, 1]), (9, vec![0])]);
        let many: Vec<usize> = (10..2511).collect();
        let cut = arrays(&many, 1001);
        let again: Vec<usize> = cut
            .iter()
            .flat_map(|(offset, indices)| indices.iter().map(move |i| i + offset))
            .collect();
        assert_eq!((cut.len(), again), (3, many));
        assert!(cut.iter().all(|(_, indices)| indices.iter().all(|&index| index < 1001)));
        assert_eq!(arrays(&[], 10), []);
        assert_eq!(ranges(&[0, 1, 2, 3, 7, 9, 10]), "0-3,7,9-10");
    }

    #[test]
    fn a_short_job_is_warned_shortly_before_its_end() {
        for (time, expected) in [
            ("1", 15),
            ("2:00", 30),
            ("10:0", 120),
            ("4:00:00", 120),
            ("0:02:00", 30),
            ("0-1", 120),
            ("0-0:02", 30),
            ("1-0:0:0", 120),
            ("0", 1),
            ("soon", 120),
            ("1:2:3:4", 120),
        ] {
            assert_eq!(warning(Some(time)), expected, "{time}");
        }
        assert_eq!(warning(None), 120);
    }

    /// The end of the script, after a worker that ended with exit code 3, by a Slurm that requeues at once.
    #[cfg(unix)]
    #[test]
    fn a_training_that_comes_no_further_is_not_requeued_for_ever() {
        let home = tempfile::tempdir().unwrap();
        let sweep = home.path().join("sweeps/3fa4c1");
        let run = home.path().join("runs/a1");
        std::fs::create_dir_all(&sweep).unwrap();
        std::fs::create_dir_all(&run).unwrap();
        std::fs::write(sweep.join("tasks.txt"), "train runs/a1\n").unwrap();
        let on = OnOptions { retries: Some(2), ..OnOptions::default() };
        let (does, needs) = (Does::Tasks { offset: 0 }, on.needs(1, false));
        let program = Path::new("/shared/bin/datadiet");
        let text = Script { sweep: &sweep, program, does, needs, on: &on }.text();
        let text = format!("srun() {{ return 3; }}\nscontrol() {{ echo again; }}\n{text}");
        let job = |step: Option<u32>| {
            if let Some(step) = step {
                std::fs::write(run.join("progress.json"), format!("{{\n  \"step\": {step},\n}}"))
                    .unwrap();
            }
            let mut bash = std::process::Command::new("bash");
            bash.arg("-c")
                .arg(&text)
                .env("SLURM_ARRAY_JOB_ID", "7")
                .env("SLURM_ARRAY_TASK_ID", "0");
            String::from_utf8(bash.output().unwrap().stdout).unwrap().contains("again")
        };
        let noted = || std::fs::read_to_string(sweep.join("ended/0")).unwrap_or_default();
        // It comes further each time, then no more, once further, then no more for good.
        let steps = [None, Some(3), Some(9), Some(9), Some(8), Some(10), Some(10), Some(10)];
        for step in steps {
            assert!(job(step), "at {step:?}: {}", noted());
        }
        assert_eq!(noted(), "");
        assert!(!job(Some(10)));
        assert_eq!(noted(), "7 3 3\n");
    }

    #[test]
    fn odd_names_come_through_unharmed() {
        assert_eq!(quoted(Path::new("/it's")), r"'/it'\''s'");
        assert_eq!(for_sbatch("--gres=gpu:a100:1"), "--gres=gpu:a100:1");
        assert_eq!(for_sbatch("--comment=a b\"c\\"), r#"--comment="a b\"c\\""#);
    }
}
