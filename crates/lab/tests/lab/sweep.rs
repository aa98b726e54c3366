//! What a sweep makes of what executors tell: losses, runs of others, results that are seen late, stopping.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use datadiet_core::progress::Event;
use datadiet_core::{Progress, Silent};
use datadiet_lab::executor::{End, Executor, Happened, Plan, Task, local};
use datadiet_lab::{LabError, Results, Scored, Sweep, Trainer};
use datadiet_store::{Lease, RunFailure, RunFolder, RunStatus, SweepFolder, SweepPlan, Trains};

use crate::bench::{Bench, Fake};

/// Tells of each task that is started what a test says, having done what it likes.
struct Scripted<'a> {
    bench: &'a Bench,
    /// What becomes of a task that is started for the so-many-th time, from 0.
    becomes: &'a (dyn Fn(&RunFolder, usize) -> End + Sync),
    patience: Duration,
    folder: Option<SweepFolder>,
    /// Whether it starts nothing.
    refuses: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Task>,
    started: Vec<Task>,
    stopped: bool,
}

impl<'a> Scripted<'a> {
    fn new(bench: &'a Bench, becomes: &'a (dyn Fn(&RunFolder, usize) -> End + Sync)) -> Self {
        let patience = Duration::from_secs(60);
        Self { bench, becomes, patience, folder: None, refuses: false, state: Mutex::default() }
    }

    /// How often each run was started, fewest first.
    fn counts(&self) -> Vec<usize> {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for task in &self.state.lock().unwrap().started {
            *counts.entry(task.id.clone()).or_default() += 1;
        }
        let mut counts: Vec<usize> = counts.into_values().collect();
        counts.sort_unstable();
        counts
    }
}

impl Executor for Scripted<'_> {
    fn at_a_time(&self) -> usize {
        2
    }

    fn start(&self, tasks: &[Task]) -> Result<(), LabError> {
        if self.refuses {
            return Err(LabError::Trainer("no such partition".into()));
        }
        self.state.lock().unwrap().waiting.extend(tasks.iter().cloned());
        Ok(())
    }

    fn next(&self, wait: Duration) -> Result<Option<Happened>, LabError> {
        let Some(task) = self.state.lock().unwrap().waiting.pop_front() else {
            std::thread::sleep(wait);
            return Ok(None);
        };
        let mut state = self.state.lock().unwrap();
        let before = state.started.iter().filter(|started| started.id == task.id).count();
        state.started.push(task.clone());
        let stopped = state.stopped;
        drop(state);
        if stopped {
            return Ok(Some(Happened::Ended { id: task.id, how: End::Stopped }));
        }
        let folder = run(self.bench, &task.id);
        let how = (self.becomes)(&folder, before);
        Ok(Some(Happened::Ended { id: task.id, how }))
    }

    fn stop(&self) {
        self.state.lock().unwrap().stopped = true;
    }

    fn sweep_folder(&self) -> Option<&SweepFolder> {
        self.folder.as_ref()
    }

    fn patience(&self) -> Duration {
        self.patience
    }
}

/// Hears what is worth a line.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Progress for Notes {
    fn tell(&self, event: &Event<'_>) {
        if let Event::Note { text } = event {
            self.0.lock().unwrap().push(text.clone().into_owned());
        }
    }
}

impl Notes {
    fn all(&self) -> String {
        self.0.lock().unwrap().join("\n")
    }
}

fn run(bench: &Bench, id: &str) -> RunFolder {
    RunFolder::open(&bench.store.root().join("runs").join(id)).unwrap().0
}

fn train(folder: &RunFolder) -> End {
    let idle = AtomicBool::new(false);
    Fake::default().train(folder, 0, &idle, &Silent).unwrap();
    End::Done
}

/// Waits for something that happens soon.
fn until(happened: impl Fn() -> bool) {
    let start = Instant::now();
    while !happened() {
        assert!(start.elapsed() < Duration::from_secs(60), "it did not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Replicas that completed, and why others did not.
fn score(bench: &Bench, executor: &dyn Executor, notes: &Notes) -> (Vec<u32>, Vec<String>) {
    let (job, mut results) = (bench.job(2), Results::default());
    let scene = job.scenes.plain();
    let sweep = Sweep::new(&bench.store, executor, &bench.stop, notes);
    scene.score(&sweep, &mut results).unwrap();
    let failed = results.failed.iter().map(|failure| failure.reason.clone()).collect();
    match scene.scored(&bench.store, &results).unwrap() {
        Err(_) => (Vec::new(), failed),
        Ok(Scored { completed, .. }) => {
            (completed.iter().map(|(spec, _)| spec.replica).collect(), failed)
        }
    }
}

/// The folders of the two runs, made as by a sweep before.
fn prepared(bench: &Bench) -> Vec<PathBuf> {
    let fails = |_: &RunFolder, _| End::Failed("not yet".into());
    score(bench, &Scripted::new(bench, &fails), &Notes::default());
    bench.store.run_folders().unwrap()
}

/// Hears of how many examples the steps of trainings are.
#[derive(Default)]
struct Batches(Mutex<Vec<(String, Option<u32>)>>);

impl Progress for Batches {
    fn tell(&self, event: &Event<'_>) {
        if let Event::Started { task, batch, .. } = event {
            self.0.lock().unwrap().push((task.clone().into_owned(), *batch));
        }
    }
}

/// Images a second are of these: another network beside the experiment's own has another batch.
#[test]
fn a_training_begins_with_the_batch_of_its_own_network() {
    let bench = Bench::new();
    let text = "[training]\nrecipe = 'speedrun'\n[scoring]\nat = [1]\nreplicas = 1\n\
                [correlations]\ncolumns = ['el2n@1']\nnetworks = [{ model = 'resnet8', width = 4 }]";
    let experiment = bench.experiment(text).unwrap();
    let batches = Batches::default();
    local::with(&Fake::default(), &bench.store, 2, |executor| {
        let sweep = Sweep::new(&bench.store, executor, &bench.stop, &batches);
        experiment.run(&sweep).unwrap().expect("it was not stopped");
    });
    let mut begun = batches.0.into_inner().unwrap();
    begun.sort();
    let trainings: Vec<_> = begun.iter().map(|(name, batch)| (name.as_str(), *batch)).collect();
    assert_eq!(trainings, [("replica 0", Some(40)), ("resnet8 width 4: replica 0", Some(128))]);
}

#[test]
fn what_is_lost_is_started_again() {
    let bench = Bench::new();
    let becomes = |folder: &RunFolder, before| match before {
        0 => End::Lost("node n2 is down".into()),
        // Nobody asked for it to stop, so it was lost as well.
        1 => End::Stopped,
        _ => train(folder),
    };
    let (executor, notes) = (Scripted::new(&bench, &becomes), Notes::default());
    assert_eq!(score(&bench, &executor, &notes), (vec![0, 1], vec![]));
    assert_eq!(executor.counts(), [3, 3]);
    assert!(notes.all().contains("lost, and started again: node n2 is down"), "{}", notes.all());
}

#[test]
fn what_is_lost_again_and_again_with_no_newer_checkpoint_has_failed() {
    let bench = Bench::new();
    let becomes = |_: &RunFolder, _| End::Lost("out of memory".into());
    let executor = Scripted::new(&bench, &becomes);
    let (completed, failed) = score(&bench, &executor, &Notes::default());
    assert!(completed.is_empty());
    assert_eq!(failed[0], "out of memory (4 times in a row, with no newer checkpoint)");
    assert_eq!(executor.counts(), [4, 4]);

    // With a newer one each time it goes on for as long as it takes.
    let becomes = |folder: &RunFolder, before: usize| {
        if before == 9 {
            return train(folder);
        }
        save(folder, before as u64);
        tell(folder, 1 + before as u64);
        End::Lost("preempted".into())
    };
    let executor = Scripted::new(&bench, &becomes);
    assert_eq!(score(&bench, &executor, &Notes::default()), (vec![0, 1], vec![]));
    assert_eq!(executor.counts(), [10, 10]);
}

/// A trainer may write its state when it begins, and come no further.
#[test]
fn a_newer_checkpoint_of_no_further_step_is_no_progress() {
    let bench = Bench::new();
    let becomes = |folder: &RunFolder, before: usize| {
        save(folder, before as u64);
        tell(folder, 7);
        End::Lost("out of memory".into())
    };
    let executor = Scripted::new(&bench, &becomes);
    let (completed, failed) = score(&bench, &executor, &Notes::default());
    assert!(completed.is_empty());
    assert!(failed[0].starts_with("out of memory (4 times in a row"), "{failed:?}");
    assert_eq!(executor.counts(), [4, 4]);
}

/// A checkpoint of its own time: the machine that wrote the later one may have the slower clock.
fn save(folder: &RunFolder, number: u64) {
    let file = std::fs::File::create(folder.checkpoint_file()).unwrap();
    let time = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1000 - number);
    file.set_modified(time).unwrap();
}

/// What its worker had told when it was killed.
fn tell(folder: &RunFolder, step: u64) {
    let text = format!("{{\"step\": {step}, \"total\": 100}}");
    std::fs::write(folder.path().join("progress.json"), text).unwrap();
}

/// On another machine its lease outlives it for a while.
#[test]
fn what_is_lost_again_and_again_and_leaves_its_lease_has_failed() {
    let bench = Bench::new();
    let becomes = |folder: &RunFolder, _: usize| {
        let lease = folder.lock().unwrap();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            drop(lease);
        });
        End::Lost("out of memory".into())
    };
    let (executor, notes) = (Scripted::new(&bench, &becomes), Notes::default());
    let (completed, failed) = score(&bench, &executor, &notes);
    assert!(completed.is_empty());
    assert_eq!(failed[0], "out of memory (4 times in a row, with no newer checkpoint)");
    assert_eq!(executor.counts(), [4, 4]);
    assert!(notes.all().contains("lost: out of memory"), "{}", notes.all());
}

#[test]
fn a_run_that_somebody_else_trains_is_waited_for() {
    let bench = Bench::new();
    let runs = prepared(&bench);
    let lease = Lease::take(&runs[0]).unwrap();
    let (becomes, notes) = (|folder: &RunFolder, _: usize| train(folder), Notes::default());
    let executor = Scripted::new(&bench, &becomes);
    std::thread::scope(|scope| {
        let scored = scope.spawn(|| score(&bench, &executor, &notes));
        until(|| notes.all().contains("waits for process") || scored.is_finished());
        train(&RunFolder::open(&runs[0]).unwrap().0);
        drop(lease);
        assert_eq!(scored.join().unwrap(), (vec![0, 1], vec![]));
    });
    assert_eq!(executor.counts(), [1], "the other is the only one that was started here");
    assert!(notes.all().contains("waits for process"), "{}", notes.all());
}

#[test]
fn a_run_whose_holder_lets_go_before_it_is_done_is_trained() {
    let bench = Bench::new();
    let runs = prepared(&bench);
    let lease = Lease::take(&runs[0]).unwrap();
    let becomes = |folder: &RunFolder, _: usize| train(folder);
    let (executor, notes) = (Scripted::new(&bench, &becomes), Notes::default());
    std::thread::scope(|scope| {
        let scored = scope.spawn(|| score(&bench, &executor, &notes));
        until(|| notes.all().contains("waits for process") || scored.is_finished());
        drop(lease);
        assert_eq!(scored.join().unwrap(), (vec![0, 1], vec![]));
    });
    assert_eq!(executor.counts(), [1, 1]);
}

/// As `datadiet runs stop` does it, whoever has the run and whoever waits for it.
#[test]
fn a_run_that_is_asked_to_stop_is_not_trained_by_whoever_waits_for_it() {
    let bench = Bench::new();
    let runs = prepared(&bench);
    let becomes = |folder: &RunFolder, _: usize| train(folder);
    // What was asked before the command was typed, it forgets.
    for (asked_before, completed) in [(false, vec![1]), (true, vec![0, 1])] {
        let (executor, notes) = (Scripted::new(&bench, &becomes), Notes::default());
        let lease = Lease::take(&runs[0]).unwrap();
        let first = RunFolder::open(&runs[0]).unwrap().1.replica;
        let completed: Vec<u32> = completed.iter().map(|replica| (replica + first) % 2).collect();
        std::thread::scope(|scope| {
            let scored = scope.spawn(|| score(&bench, &executor, &notes));
            until(|| notes.all().contains("waits for process") || scored.is_finished());
            if !asked_before {
                RunFolder::ask_to_stop(&runs[0]).unwrap();
            }
            drop(lease);
            let (mut trained, failed) = scored.join().unwrap();
            trained.sort_unstable();
            let mut completed = completed;
            completed.sort_unstable();
            assert_eq!(trained, completed);
            let stopped = failed.iter().all(|reason| reason.contains("`datadiet runs stop`"));
            assert!(stopped && failed.len() == usize::from(!asked_before), "{failed:?}");
        });
    }
    assert!(!runs[0].join("stop").exists());
}

/// Two may have seen that nobody had it, and the slower one fails to take it.
#[test]
fn a_task_that_found_its_run_taken_has_not_failed() {
    let bench = Bench::new();
    let taken: Mutex<Option<Lease>> = Mutex::default();
    let becomes = |folder: &RunFolder, before: usize| {
        let mut taken = taken.lock().unwrap();
        if before > 0 || taken.is_some() {
            return train(folder);
        }
        *taken = Some(folder.lock().unwrap());
        End::Failed("the run is locked".into())
    };
    let (executor, notes) = (Scripted::new(&bench, &becomes), Notes::default());
    std::thread::scope(|scope| {
        let scored = scope.spawn(|| score(&bench, &executor, &notes));
        until(|| notes.all().contains("waits for process") || scored.is_finished());
        drop(taken.lock().unwrap().take());
        assert_eq!(scored.join().unwrap(), (vec![0, 1], vec![]));
    });
}

#[test]
fn a_result_that_is_seen_late_is_a_result() {
    let bench = Bench::new();
    let done: Mutex<Vec<PathBuf>> = Mutex::default();
    let becomes = |folder: &RunFolder, _: usize| {
        done.lock().unwrap().push(folder.path().to_owned());
        End::Done
    };
    let executor = Scripted::new(&bench, &becomes);
    std::thread::scope(|scope| {
        let scored = scope.spawn(|| score(&bench, &executor, &Notes::default()));
        until(|| done.lock().unwrap().len() == 2 || scored.is_finished());
        // It looks at once, and then again and again.
        std::thread::sleep(Duration::from_millis(200));
        for path in done.lock().unwrap().iter() {
            train(&RunFolder::open(path).unwrap().0);
        }
        assert_eq!(scored.join().unwrap(), (vec![0, 1], vec![]));
    });
    assert_eq!(executor.counts(), [1, 1]);

    let bench = Bench::new();
    let becomes = |_: &RunFolder, _: usize| End::Done;
    let executor =
        Scripted { patience: Duration::from_millis(600), ..Scripted::new(&bench, &becomes) };
    let (completed, failed) = score(&bench, &executor, &Notes::default());
    assert!(completed.is_empty() && failed[0].contains("do all machines see the same store?"));
}

/// A file system in the network that is busy; here, a file that cannot be read.
#[cfg(target_os = "linux")]
#[test]
fn a_store_that_does_not_answer_is_asked_again() {
    let bench = Bench::new();
    let unreadable = |folder: &PathBuf| {
        std::os::unix::fs::symlink("/proc/self/mem", folder.join("result.json")).unwrap();
    };
    let (runs, notes) = (prepared(&bench), Notes::default());
    runs.iter().for_each(unreadable);
    let ended: Mutex<Option<PathBuf>> = Mutex::default();
    // As a piece begins, and as it has ended.
    let becomes = |folder: &RunFolder, before: usize| {
        let mut ended = ended.lock().unwrap();
        if before == 0 && ended.is_none() {
            *ended = Some(folder.path().to_owned());
            unreadable(ended.as_ref().unwrap());
            return End::Lost("its node does not answer".into());
        }
        train(folder)
    };
    let executor = Scripted::new(&bench, &becomes);
    std::thread::scope(|scope| {
        let scored = scope.spawn(|| score(&bench, &executor, &notes));
        let told = || notes.all().matches("that is tried again").count();
        let wait = |times| until(|| told() >= times || scored.is_finished());
        wait(1);
        runs.iter().for_each(|run| std::fs::remove_file(run.join("result.json")).unwrap());
        wait(2);
        let ended = ended.lock().unwrap().clone().expect("one was started");
        std::fs::remove_file(ended.join("result.json")).unwrap();
        assert_eq!(scored.join().unwrap(), (vec![0, 1], vec![]));
    });
}

#[test]
fn what_can_train_nothing_ends_everything() {
    let bench = Bench::new();
    let becomes = |_: &RunFolder, _: usize| End::Unusable("no libtorch on n3".into());
    let executor = Scripted::new(&bench, &becomes);
    let sweep = Sweep::new(&bench.store, &executor, &bench.stop, &Silent);
    let ran = bench.job(2).scenes.plain().score(&sweep, &mut Results::default());
    assert_eq!(ran.unwrap_err().to_string(), "no libtorch on n3");
    assert!(executor.state.lock().unwrap().stopped, "the others were told to end");
}

/// A driver that began earlier forgot the failure as well, and its worker trains.
#[test]
fn a_failure_is_tried_again_once_and_not_in_the_middle_of_the_work_of_another() {
    let bench = Bench::new();
    let runs = prepared(&bench);
    let failure = RunFailure { reason: "diverged".into(), step: None, learning_rate: None };
    let fail = |folder: &RunFolder| folder.fail(&failure).unwrap();
    let folders: Vec<RunFolder> = runs.iter().map(|run| RunFolder::open(run).unwrap().0).collect();
    folders.iter().for_each(fail);
    std::fs::write(folders[0].checkpoint_file(), "").unwrap();
    let lease = folders[0].lock().unwrap();
    let becomes = |folder: &RunFolder, _: usize| {
        assert!(!matches!(folder.status().unwrap(), RunStatus::Failed(_)), "it was forgotten");
        fail(folder);
        End::Lost("nobody said that it failed".into())
    };
    let executor = Scripted::new(&bench, &becomes);
    std::thread::scope(|scope| {
        let scored = scope.spawn(|| {
            let mut results = Results::default();
            let mut sweep = Sweep::new(&bench.store, &executor, &bench.stop, &Silent);
            sweep.retry_failed = true;
            bench.job(2).scenes.plain().score(&sweep, &mut results).unwrap();
            results.failed
        });
        // What the other does meanwhile.
        std::thread::sleep(Duration::from_millis(200));
        std::fs::remove_file(runs[0].join("failure.json")).unwrap();
        until(|| !executor.counts().is_empty() || scored.is_finished());
        assert!(folders[0].checkpoint_file().exists(), "it is that of the other");
        fail(&folders[0]);
        drop(lease);
        let failed = scored.join().unwrap();
        assert!(failed.iter().all(|failed| failed.reason.contains("diverged")), "{failed:?}");
        assert_eq!(failed.len(), 2);
    });
    assert_eq!(executor.counts(), [1], "neither was tried a second time");
}

/// Waits for the end of none that was never started.
#[test]
fn a_store_that_is_damaged_and_an_executor_that_refuses_end_everything_at_once() {
    let bench = Bench::new();
    let runs = prepared(&bench);
    for run in &runs {
        std::fs::write(run.join("result.json"), "{").unwrap();
        let becomes = |_: &RunFolder, _: usize| End::Lost("nobody started it".into());
        let executor = Scripted::new(&bench, &becomes);
        let error = unscored(&bench, &executor).to_string();
        assert!(error.contains("is damaged"), "{error}");
        std::fs::remove_file(run.join("result.json")).unwrap();
    }

    let becomes = |_: &RunFolder, _: usize| unreachable!("it refuses all");
    let executor = Scripted { refuses: true, ..Scripted::new(&bench, &becomes) };
    assert_eq!(unscored(&bench, &executor).to_string(), "no such partition");

    let folder = plan(&bench);
    let _ = std::fs::remove_file(folder.tasks_file());
    std::fs::create_dir(folder.tasks_file()).unwrap();
    let executor = Scripted { folder: Some(folder), ..Scripted::new(&bench, &becomes) };
    let error = unscored(&bench, &executor).to_string();
    assert!(error.contains("tasks.txt"), "{error}");
}

/// Why two replicas were not scored; within a time that is shorter than tasks are waited for that were started.
fn unscored(bench: &Bench, executor: &dyn Executor) -> LabError {
    let start = Instant::now();
    let mut sweep = Sweep::new(&bench.store, executor, &bench.stop, &Silent);
    sweep.retry_failed = true;
    let error = bench.job(2).scenes.plain().score(&sweep, &mut Results::default()).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(60));
    error
}

#[test]
fn to_stop_is_passed_on_and_ends_the_sweep_with_what_others_train_going_on() {
    let bench = Bench::new();
    let runs = prepared(&bench);
    let _lease = Lease::take(&runs[0]).unwrap();
    let becomes = |_: &RunFolder, _: usize| {
        bench.stop.store(true, Ordering::Relaxed);
        End::Lost("it is on its way out".into())
    };
    let executor = Scripted::new(&bench, &becomes);
    let (completed, failed) = score(&bench, &executor, &Notes::default());
    assert!(completed.is_empty() && executor.state.lock().unwrap().stopped);
    assert_eq!(failed, ["stopped; its state is saved"]);
    assert_eq!(executor.counts(), [1]);
}

fn plan(bench: &Bench) -> SweepFolder {
    let plan = SweepPlan {
        format: SweepPlan::FORMAT,
        token: SweepPlan::new_token().unwrap(),
        asked_by: "0".into(),
        trains: Trains::Worker { program: None, torch: None },
        data_home: None,
        threads: 1,
        gpus: 0,
        memory: 1,
        checkpoint_every: 15.0,
    };
    SweepFolder::create(&bench.store, &plan).unwrap()
}

#[test]
fn tasks_are_written_down_before_they_are_started_and_keep_their_lines() {
    let bench = Bench::new();
    let folder = plan(&bench);
    let written = folder.clone();
    let becomes = |run: &RunFolder, before: usize| {
        let tasks = written.tasks().unwrap();
        assert!(tasks.iter().any(|task| written.folder_of(task) == run.path()));
        if before == 0 { End::Lost("again".into()) } else { train(run) }
    };
    let executor = Scripted { folder: Some(folder), ..Scripted::new(&bench, &becomes) };
    assert_eq!(score(&bench, &executor, &Notes::default()), (vec![0, 1], vec![]));
    let tasks = executor.folder.as_ref().unwrap().tasks().unwrap();
    assert_eq!(tasks.len(), 2);
    let state = executor.state.lock().unwrap();
    assert_eq!(state.started.len(), 4);
    assert!(state.started.iter().all(|task| tasks[task.index] == task.line()));
}

#[test]
fn a_plan_has_what_is_wanted_now_and_starts_nothing() {
    static STOP: AtomicBool = AtomicBool::new(false);
    let bench = Bench::new();
    let executor = Plan::new(plan(&bench), &STOP);
    let sweep = Sweep::new(&bench.store, &executor, &STOP, &Silent);
    let job = bench.job(3);
    job.scenes.plain().score(&sweep, &mut Results::default()).unwrap();
    assert!(sweep.is_stopped());
    let tasks = executor.folder().tasks().unwrap();
    let folders: Vec<PathBuf> =
        tasks.iter().map(|task| executor.folder().folder_of(task)).collect();
    assert_eq!(folders.len(), 3);
    assert!(folders.iter().all(|folder| folder.join("spec.json").exists()));
    assert_eq!(bench.store.run_folders().unwrap().len(), 3);
}
