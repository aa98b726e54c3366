//! Runs of earlier versions still open: `../cli/tests/scores/whole` was written by one of them, with
//! the specification of its first run and the ids of all.

use std::path::Path;

use datadiet_store::{RunFolder, RunId, RunSpec, RunStatus, Store};
use serde_json::Value;

/// As the earlier version wrote it.
const RESULT: &str = r#"{
  "steps": 20, "images_trained": 1000, "images_scored": 2400, "train_seconds": 0.5, "score_seconds": 0.1,
  "images_differentiated": 0, "gradient_seconds": 0.0, "final_train_loss": 1.25,
  "test_accuracy": [{"step": 20, "accuracy": 0.75}], "peak_memory_mib": 300.0
}"#;

#[test]
fn a_run_of_an_earlier_version_opens_under_its_id() {
    let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cli/tests/scores/whole/scores.json");
    let old: Value = serde_json::from_slice(&std::fs::read(old).unwrap()).unwrap();
    let spec: RunSpec = serde_json::from_value(old["spec"].clone()).unwrap();
    assert_eq!(spec.semantics, 1);
    let id = old["runs"][0].as_str().unwrap();
    assert_eq!(RunId::of(&spec).as_str(), id);

    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path()).unwrap();
    let folder = home.path().join("runs").join(id);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("spec.json"), old["spec"].to_string()).unwrap();
    std::fs::write(folder.join("result.json"), RESULT).unwrap();
    let (run, found) = RunFolder::open(&store.run_folders().unwrap()[0]).unwrap();
    assert_eq!(found, spec);
    let RunStatus::Complete(result) = run.status().unwrap() else { panic!("it is complete") };
    assert_eq!(result.final_test_accuracy(), Some(0.75));
}
