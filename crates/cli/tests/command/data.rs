//! `datadiet data`.

use crate::support::{Home, sample};

#[test]
fn import_list_and_inspect() {
    let home = Home::empty();
    assert!(home.ok(&["data", "list"]).contains("datadiet data fetch"), "says how to get one");
    let imported = home.json(&["data", "import", sample().to_str().unwrap(), "--name", "sample"]);
    assert_eq!(imported["train"], 1000);
    assert_eq!(imported["shape"], serde_json::json!([28, 28, 1]));
    let listed = home.json(&["data", "list"]);
    assert_eq!(listed[0]["name"], "sample");
    assert_eq!(listed[0]["fingerprint"], imported["fingerprint"]);
    assert!(home.ok(&["data", "inspect", "sample"]).contains("1,000 training, 200 test images"));
}

#[test]
fn a_changed_file_does_not_pass_inspection() {
    let home = Home::with_sample();
    let file = home.path().join("data/sample/dataset.safetensors");
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let message = home.fails(&["data", "inspect", "sample"]);
    assert!(message.contains("sample"), "{message}");
}

#[test]
fn the_nearest_name_is_suggested() {
    let home = Home::with_sample();
    let message = home.fails(&["data", "inspect", "sampel"]);
    assert!(message.contains("sample"), "{message}");
    let message = home.fails(&["data", "fetch", "cifar"]);
    assert!(message.contains("cifar10"), "{message}");
}
