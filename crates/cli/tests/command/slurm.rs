//! `--on slurm`, with a Slurm of a few lines of shell that starts what it is given here and forgets it. A real one is in
//! tests/clusters.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use crate::support::{Home, errors};
use crate::trainer::{by, home, home_with, runs};

/// Starts each index of an array, after it has answered.
const SBATCH: &str = r#"
for word; do case $word in --array=*) array=${word#--array=};; esac; script=$word; done
job=$(($(cat "$SLURM/job" 2>/dev/null || echo 100) + 1)); echo $job >"$SLURM/job"
echo "sbatch $*" >>"$SLURM/said"
echo $job
log() { sed -n 's/^#SBATCH --output=//p' "$script" | tr -d '"' | sed "s/%A/$job/; s/%a/$1/"; }
(
    if [ -z "${array:-}" ]; then sh "$script" >>"$(log)" 2>&1; exit; fi
    for part in $(echo $array | tr , ' '); do
        for index in $(seq ${part%-*} ${part#*-}); do
            SLURM_ARRAY_JOB_ID=$job SLURM_ARRAY_TASK_ID=$index SLURM_JOB_ID=$job \
                sh "$script" >>"$(log $index)" 2>&1 </dev/null
        done
    done
) >/dev/null 2>&1 &
"#;
/// A step: without the options of srun.
const SRUN: &str = r#"
while case $1 in --*) true;; *) false;; esac; do shift; done
exec "$@"
"#;
const SCONTROL: &str = "echo 'MaxArraySize = 3'";

/// Puts such commands in the place of Slurm's.
fn slurm(home: &Home, commands: &[(&str, &str)]) {
    let folder = home.path().join("slurm");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, text) in commands {
        let file = folder.join(name);
        std::fs::write(&file, format!("#!/bin/sh\nSLURM={}\n{text}\n", folder.display())).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// One that works.
fn working(home: &Home) {
    slurm(
        home,
        &[
            ("sbatch", SBATCH),
            ("squeue", ""),
            ("srun", SRUN),
            ("scontrol", SCONTROL),
            ("scancel", ""),
        ],
    );
}

fn run(home: &Home, arguments: &[&str]) -> Output {
    let path = format!("{}:/usr/bin:/bin", home.path().join("slurm").display());
    home.command(arguments).env("PATH", path).env("DATADIET_PATIENCE", "1").output().unwrap()
}

const SCORE: [&str; 4] = ["--replicas", "4", "--at", "1,4"];

#[test]
fn scores_are_those_of_this_machine_and_arrays_as_long_as_the_cluster_takes() {
    let (here, there) = (home(), home());
    let trainer = "sh nearest_mean.sh points.csv test.csv";
    let ask = |out| [&by("score", trainer, &SCORE)[..], &["--out", out]].concat();
    here.ok(&ask("out"));
    working(&there);
    std::fs::write(
        there.path().join("on.toml"),
        "[on]\nwhere = \"slurm\"\nsetup = [\"export OURS=1\"]\n",
    )
    .unwrap();
    let output = run(&there, &[&ask("out")[..], &["--on", "on.toml"]].concat());
    assert!(output.status.success(), "{}", errors(&output));
    assert!(errors(&output).contains("on slurm"), "{}", errors(&output));
    let table = |home: &Home| std::fs::read(home.path().join("out/scores.parquet")).unwrap();
    assert!(table(&here) == table(&there), "tables differ");
    let names = |home: &Home| -> Vec<_> {
        runs(home).iter().map(|run| run.file_name().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&here), names(&there), "runs have other ids");
    let said = std::fs::read_to_string(there.path().join("slurm/said")).unwrap();
    let arrays: Vec<&str> =
        said.split_whitespace().filter_map(|word| word.strip_prefix("--array=")).collect();
    assert_eq!(arrays, ["0-2", "0"], "{said}");
    // All is there: nobody is asked.
    let again = run(&there, &[&ask("again")[..], &["--on", "slurm"]].concat());
    assert!(again.status.success(), "{}", errors(&again));
    assert_eq!(std::fs::read_to_string(there.path().join("slurm/said")).unwrap(), said);
    assert_eq!(std::fs::read_dir(there.path().join("store/sweeps")).unwrap().count(), 1);
}

#[test]
fn what_a_node_says_is_told() {
    let home = home_with("echo 'error: no luck today' >&2; exit 7");
    working(&home);
    let output = run(&home, &[&by("train", "sh own.sh", &["--on", "slurm"])[..]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    assert!(errors(&output).contains("no luck today"), "{}", errors(&output));
}

#[test]
fn a_cluster_that_does_not_take_a_job_or_never_answers_is_told() {
    let home = home_with("finish");
    let ask = by("train", "sh own.sh", &["--on", "slurm"]);
    let refused = "echo 'sbatch: error: Batch job submission failed: Invalid account' >&2; exit 1";
    for (commands, expected) in [
        (vec![], "there is no sbatch on this machine"),
        (
            vec![("sbatch", refused)],
            "Slurm does not take the job: Batch job submission failed: Invalid account; what",
        ),
        // As of a node that does not see the store.
        (vec![("sbatch", "echo 7"), ("squeue", "")], "Nodes do not see that folder"),
        (vec![("squeue", "echo '7|' >&2; echo 'CANCELLED|None'")], "job 7, which asks a node"),
    ] {
        slurm(&home, &commands);
        let path = home.path().join("slurm").display().to_string();
        let mut command = home.command(&ask);
        let path = if commands.is_empty() { path } else { format!("{path}:/usr/bin:/bin") };
        let output = command.env("PATH", path).env("DATADIET_PATIENCE", "1").output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
        assert!(errors(&output).contains(expected), "{}", errors(&output));
        assert!(!errors(&output).contains("started again"), "{}", errors(&output));
    }
}

#[test]
fn a_lost_job_is_submitted_again_but_not_for_ever() {
    let home = home_with("finish");
    // The question is answered; what trains is never heard of again.
    let forgets = format!(
        "case \"$*\" in *--array=*) echo \"sbatch $*\" >>\"$SLURM/said\"; echo 9; exit;; esac\n{SBATCH}"
    );
    slurm(
        &home,
        &[
            ("sbatch", &forgets),
            ("squeue", ""),
            ("srun", SRUN),
            ("scontrol", SCONTROL),
            ("scancel", ""),
        ],
    );
    std::fs::write(home.path().join("on.toml"), "[on]\nwhere = \"slurm\"\nretries = 1\n").unwrap();
    let output = run(&home, &by("train", "sh own.sh", &["--on", "on.toml"]));
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    for part in ["lost, and started again: Slurm no longer knows its job 9_0", "2 times in a row"] {
        assert!(errors(&output).contains(part), "{}", errors(&output));
    }
    let said = std::fs::read_to_string(home.path().join("slurm/said")).unwrap();
    assert_eq!(said.matches("--array=").count(), 2, "{said}");
}

/// The question is answered, and afterwards each of these is what starts programs on nodes, in turn.
fn on_bad_nodes(commands: &str) -> Output {
    let home = home_with("finish");
    working(&home);
    let srun = format!(
        "case \"$*\" in *--probe*) ;; *) echo x >>\"$SLURM/tries\"; tries=$(wc -l <\"$SLURM/tries\"); {commands};; esac\n{SRUN}"
    );
    slurm(&home, &[("srun", &srun)]);
    run(&home, &by("train", "sh own.sh", &["--on", "slurm"]))
}

#[test]
fn a_bad_node_is_not_all_of_them() {
    let once = on_bad_nodes("[ $tries -gt 1 ] || { echo 'error: no library here' >&2; exit 2; }");
    assert!(once.status.success(), "{}", errors(&once));
    let lost = "lost, and started again: job 102_0 cannot train: no library here";
    assert!(errors(&once).contains(lost), "{}", errors(&once));
    let always = on_bad_nodes("echo 'error: no library here' >&2; exit 127");
    assert_eq!(always.status.code(), Some(1), "{}", errors(&always));
    assert!(errors(&always).contains("no library here (4 times in a row"), "{}", errors(&always));
}

#[test]
fn a_controller_that_is_started_again_is_waited_for() {
    let home = home_with("finish");
    working(&home);
    // Of each command the first call, and one in the middle, meet nobody.
    let fails = |text: &str| {
        format!(
            "echo x >>\"$0.calls\"; case $(wc -l <\"$0.calls\") in *[13]) \
             echo 'error: Unable to contact slurm controller (connect failure)' >&2; exit 1;; esac\n{text}"
        )
    };
    slurm(&home, &[("sbatch", &fails(SBATCH)), ("squeue", &fails(""))]);
    let output = run(&home, &by("train", "sh own.sh", &["--on", "slurm"]));
    assert!(output.status.success(), "{}", errors(&output));
    assert!(errors(&output).contains("Slurm does not answer, waiting"), "{}", errors(&output));
}

#[test]
fn only_jobs_that_the_queue_shows_are_cancelled() {
    let home = home_with("finish");
    // What is submitted is never carried out; its number is somebody else's job by now.
    slurm(
        &home,
        &[
            ("sbatch", "echo 7"),
            (
                "squeue",
                "case \"$*\" in *--jobs=7*) echo 'RUNNING|None';; *) echo \"$SHOWN\";; esac",
            ),
            ("scancel", "echo \"$*\" >>\"$SLURM/cancelled\""),
        ],
    );
    let path = format!("{}:/usr/bin:/bin", home.path().join("slurm").display());
    let mut asked = std::process::Command::new(assert_cmd::cargo::cargo_bin("datadiet"))
        .args(by("train", "sh own.sh", &["--on", "slurm"]))
        .current_dir(home.path())
        .env("DATADIET_HOME", home.path())
        .env("PATH", &path)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let sweep = loop {
        let sweeps =
            std::fs::read_dir(home.path().join("store/sweeps")).into_iter().flatten().flatten();
        match sweeps.map(|sweep| sweep.path()).find(|sweep| sweep.join("jobs.txt").exists()) {
            Some(sweep) => break sweep,
            None => std::thread::sleep(std::time::Duration::from_millis(20)),
        }
    };
    asked.kill().unwrap();
    asked.wait().unwrap();
    std::fs::write(sweep.join("tasks.txt"), "train runs/a1\n").unwrap();
    let id = sweep.file_name().unwrap().to_string_lossy().into_owned();
    let shown = format!("7|somebody\n8|datadiet-{id}+0\n9|datadiet-{id}x+0");
    let stopped =
        home.command(&["runs", "stop"]).env("PATH", &path).env("SHOWN", shown).output().unwrap();
    assert!(stopped.status.success(), "{}", errors(&stopped));
    assert_eq!(std::fs::read_to_string(home.path().join("slurm/cancelled")).unwrap(), "8\n");
}

#[test]
fn options_of_the_place_are_checked() {
    let home = home_with("finish");
    for (text, expected) in [
        ("[on]\nwhere = \"slrum\"", "did you mean slurm?"),
        ("[on]\nwhere = \"slurm\"\n[on.slurm]\nparition = \"x\"", "did you mean `partition`?"),
        ("[on]\nwhere = \"slurm\"\nmemory = \"lots\"", "is no amount of memory"),
        ("epochs = 2", "there is no [on]"),
    ] {
        std::fs::write(home.path().join("on.toml"), text).unwrap();
        let message = home.fails(&by("train", "sh own.sh", &["--on", "on.toml"]));
        assert!(message.contains("in on.toml: ") && message.contains(expected), "{message}");
    }
    let message = home.fails(&by("train", "sh own.sh", &["--on", "slrum"]));
    assert!(message.contains("did you mean slurm?"), "{message}");
    let message = home.fails(&by("train", "sh own.sh", &["--on", "nowhere.toml"]));
    assert!(message.contains("cannot read nowhere.toml"), "{message}");
}
