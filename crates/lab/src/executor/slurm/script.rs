//! The text of a batch script, and the array that it is submitted as. Nothing is read or started here.

use std::fmt::Write;
use std::path::Path;

use crate::executor::Needs;
use crate::on::OnOptions;

/// Seconds before the end of a job's time at which its training is told to save.
const WARNING_SECONDS: u32 = 120;

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
            writeln!(text, "{line}").expect("text grows");
        }
        let (sweep, program) = (quoted(self.sweep), quoted(self.program));
        let cpus = self.needs.cpus;
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
folder=$sweep/../../$(sed -n \"$((task + 1))s/^[a-z]* //p\" \"$sweep/tasks.txt\")
# A signal to this shell means that Slurm itself ends the job, and begins it again or does not.
told=; trap 'told=1' TERM
# A step of its own, since warnings before the end of a job's time go to steps.
srun --ntasks=1 --cpus-per-task={cpus} {program} worker --task \"$task\" \"$sweep\"
code=$?
# Saved in the middle, and nobody asked to end: on with it in another job, at the same place in the queue.
if [ $code = 3 ] && [ -z \"$told\" ] && [ ! -e \"$sweep/stop\" ] && [ ! -e \"$folder/stop\" ]; then
    scontrol requeue \"${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID\" && exit $code
fi
mkdir -p \"$sweep/ended\"
echo \"$SLURM_ARRAY_JOB_ID $code\" >\"$sweep/ended/.$task\" && mv -f \"$sweep/ended/.$task\" \"$sweep/ended/$task\"
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
                options.push(format!("--signal=TERM@{WARNING_SECONDS}"));
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
    fn odd_names_come_through_unharmed() {
        assert_eq!(quoted(Path::new("/it's")), r"'/it'\''s'");
        assert_eq!(for_sbatch("--gres=gpu:a100:1"), "--gres=gpu:a100:1");
        assert_eq!(for_sbatch("--comment=a b\"c\\"), r#"--comment="a b\"c\\""#);
    }
}
