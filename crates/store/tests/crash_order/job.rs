//! All that a command and its worker write into a store, and how a reader checks it.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use datadiet_core::ScoreKind;
use datadiet_store::{
    Augmentation, DeviceKind, Flip, KernelDistance, Labels, LearningRate, ListRef, Measured,
    Measurement, MeasurementFolder, NetworkSpec, Precision, Recording, RunFailure, RunFolder,
    RunId, RunResult, RunSpec, RunStatus, Schedule, Store, StoreError, Subset, TimedAccuracy,
    Views,
};
use datadiet_table::{Column, DataRef, FileError, Table, write_atomically};

const IDS: [u32; 4] = [3, 1, 4, 15];
const LABELS: [u32; 5] = [0, 1, 0, 2, 2];
const STEPS: [u64; 2] = [0, 10];

/// Keeps lists, trains the one run where it is not done, measures on its weights.
pub fn job(root: &Path) {
    let store = open(root);
    let run = store.run(&spec());
    match run.status().unwrap() {
        RunStatus::Complete(_) => {}
        other => {
            if matches!(other, RunStatus::Failed(_)) {
                run.retry().unwrap();
            }
            run.prepare(&spec()).unwrap();
            train(run.path());
        }
    }
    let folder = store.measurement(&measurement());
    if folder.result().unwrap().is_none() {
        folder.prepare(&measurement()).unwrap();
        let (folder, wanted) = MeasurementFolder::open(folder.path()).unwrap();
        assert_eq!(wanted, measurement());
        folder.complete(&measured()).unwrap();
    }
}

/// A store with the lists that the run needs.
fn open(root: &Path) -> Store {
    let store = Store::open(root).unwrap();
    for list in [&IDS[..], &LABELS] {
        store.keep_list(list).unwrap();
    }
    store
}

/// Prepares the run, begins it, and records that it fails.
pub fn fail(root: &Path) {
    let store = open(root);
    let run = store.run(&spec());
    run.prepare(&spec()).unwrap();
    let _lock = run.lock().unwrap();
    record(&run, STEPS[0]);
    run.fail(&failure()).unwrap();
}

/// The one run.
pub fn run(root: &Path) -> RunFolder {
    Store::open(root).unwrap().run(&spec())
}

/// As a worker does it, from the checkpoint where there is one.
fn train(path: &Path) {
    let (folder, spec) = RunFolder::open(path).unwrap();
    let _lock = folder.lock().unwrap();
    let Subset::Listed(list) = &spec.subset else { unreachable!() };
    assert_eq!(folder.read_list(list).unwrap(), IDS);
    let done = saved(&folder.checkpoint_file()).unwrap_or(0);
    for step in STEPS.into_iter().filter(|&step| step >= done) {
        record(&folder, step);
    }
    folder.complete(&result()).unwrap();
}

fn record(folder: &RunFolder, step: u64) {
    folder.write_scores(step, &scores(step)).unwrap();
    save(&folder.weights_file(step), step);
    save(&folder.checkpoint_file(), step + 1);
}

/// Checks whatever is there: all of it must be whole.
pub fn check(root: &Path, when: &str) {
    let store = Store::open(root).unwrap();
    for path in store.run_folders().unwrap() {
        let (folder, found) = RunFolder::open(&path).unwrap_or_else(|e| panic!("{when}: {e}"));
        assert_eq!(found, spec(), "{when}");
        match folder.status().unwrap() {
            RunStatus::Complete(found) => {
                assert_eq!(found, result(), "{when}");
                check_run(&folder, when);
            }
            RunStatus::Failed(found) => assert_eq!(found, failure(), "{when}"),
            RunStatus::Unfinished => {}
        }
        for step in STEPS {
            match folder.read_scores(step) {
                Ok(found) => assert_eq!(found, scores(step), "{when}"),
                Err(error) => assert!(is_missing(&error), "{when}: {error}"),
            }
            saved(&folder.weights_file(step));
        }
        // It goes on after what the checkpoint names, which must be there.
        for step in STEPS.into_iter().filter(|&at| saved(&folder.checkpoint_file()) > Some(at)) {
            check_step(&folder, step, when);
        }
        check_lists(&folder, when);
    }
    for list in [&IDS[..], &LABELS] {
        match store.read_list(&ListRef::of(list)) {
            Ok(found) => assert_eq!(found, list, "{when}"),
            Err(error) => assert!(is_missing(&error), "{when}: {error}"),
        }
    }
    let folder = store.measurement(&measurement());
    if folder.path().exists() {
        assert_eq!(MeasurementFolder::open(folder.path()).unwrap().1, measurement(), "{when}");
    }
    if let Some(found) = folder.result().unwrap() {
        assert_eq!(found, measured(), "{when}");
    }
}

/// Checks that all is there.
pub fn check_complete(root: &Path, when: &str) {
    let store = Store::open(root).unwrap();
    assert!(matches!(run(root).status().unwrap(), RunStatus::Complete(_)), "{when}");
    assert_eq!(store.measurement(&measurement()).result().unwrap(), Some(measured()), "{when}");
    check_run(&run(root), when);
}

fn check_run(run: &RunFolder, when: &str) {
    STEPS.iter().for_each(|&step| check_step(run, step, when));
    check_lists(run, when);
}

fn check_step(run: &RunFolder, step: u64, when: &str) {
    assert_eq!(run.read_scores(step).unwrap(), scores(step), "{when}");
    assert_eq!(saved(&run.weights_file(step)), Some(step), "{when}");
}

fn check_lists(run: &RunFolder, when: &str) {
    assert_eq!(run.read_list(&ListRef::of(&IDS)).unwrap(), IDS, "{when}");
    assert_eq!(run.read_list(&ListRef::of(&LABELS)).unwrap(), LABELS, "{when}");
}

/// Files by name from the root, with their size and a hash of their content.
pub type Files = BTreeMap<PathBuf, (usize, u64)>;

/// All files but locks.
pub fn files(root: &Path) -> Files {
    fn add(root: &Path, folder: &Path, files: &mut Files) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                add(root, &path, files);
            } else if path.file_name().is_some_and(|name| name != "lock") {
                let bytes = fs::read(&path).unwrap();
                let mut hasher = DefaultHasher::new();
                bytes.hash(&mut hasher);
                let name = path.strip_prefix(root).unwrap().into();
                files.insert(name, (bytes.len(), hasher.finish()));
            }
        }
    }
    let mut files = Files::new();
    add(root, root, &mut files);
    files
}

fn is_missing(error: &StoreError) -> bool {
    let missing = |cause: &std::io::Error| cause.kind() == ErrorKind::NotFound;
    matches!(error, StoreError::File(FileError::Io { cause, .. }) if missing(cause))
}

/// Writes a state, in several writes.
fn save(path: &Path, step: u64) {
    let written = write_atomically(path, |file| {
        (0..3).try_for_each(|_| writeln!(file, "{}", format!("{step} ").repeat(1000)))
    });
    written.unwrap();
}

/// The state in a file, if there is one; all of it must be there.
fn saved(path: &Path) -> Option<u64> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        read => read.unwrap(),
    };
    let states: Vec<u64> = text.split_whitespace().map(|state| state.parse().unwrap()).collect();
    assert!(states.len() == 3000 && states.iter().all(|&state| state == states[0]), "{path:?}");
    Some(states[0])
}

fn scores(step: u64) -> Table {
    let mut table = Table::default();
    let values = IDS.map(|id| (u64::from(id) + step) as f32 / 16.0);
    table.push("el2n", Column::F32(values.to_vec())).unwrap();
    table
}

fn measurement() -> Measurement {
    let run = RunId::of(&spec());
    let [from, to] = STEPS;
    Measurement::KernelDistance(KernelDistance { run, from, to, examples: ListRef::of(&IDS) })
}

fn measured() -> Measured {
    Measured::KernelDistance { distance: 0.25, seconds: 1.5 }
}

fn failure() -> RunFailure {
    RunFailure { reason: "its loss became NaN".into(), step: Some(3), learning_rate: Some(9.0) }
}

fn result() -> RunResult {
    RunResult {
        steps: 10,
        images_trained: 40,
        images_scored: 8,
        train_seconds: 1.5,
        score_seconds: 0.5,
        images_differentiated: 0,
        gradient_seconds: 0.0,
        final_train_loss: Some(0.75),
        test_accuracy: vec![TimedAccuracy { step: 10, accuracy: 0.5 }],
        validation_accuracy: None,
        test_by_class: Vec::new(),
        peak_memory_mib: 12.0,
    }
}

fn spec() -> RunSpec {
    let data = DataRef { name: "sample".into(), fingerprint: "f".repeat(64), limit: None };
    RunSpec {
        semantics: RunSpec::SEMANTICS,
        data,
        labels: Labels::Listed(ListRef::of(&LABELS)),
        subset: Subset::Listed(ListRef::of(&IDS)),
        validation: None,
        trainer: None,
        network: NetworkSpec::new("mlp", 8),
        schedule: Schedule {
            nesterov: false,
            ..Schedule::plain(
                (10, 4),
                LearningRate::WarmUpLinear { peak: 0.1, warm_up: 2 },
                0.9,
                0.0,
            )
        },
        augmentation: Augmentation { crop_padding: 0, flip: Flip::Never },
        views: Views::Plain,
        precision: Precision::F32,
        device: DeviceKind::Cpu,
        threads: 1,
        seed: 1,
        replica: 0,
        stop_after: 10,
        record: Recording {
            scores: vec![ScoreKind::El2n],
            steps: STEPS.to_vec(),
            gradient_steps: Vec::new(),
            weights: STEPS.to_vec(),
        },
        spawn: None,
    }
}
