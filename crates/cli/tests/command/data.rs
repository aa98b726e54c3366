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

/// Writes small grey pictures, each of one value.
fn write_pictures(folder: &std::path::Path, pictures: &[(&str, u8)]) {
    for (name, value) in pictures {
        let file = folder.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        image::GrayImage::from_pixel(3, 2, image::Luma([*value])).save(file).unwrap();
    }
}

#[test]
fn an_import_says_what_it_left_out_and_decided() {
    let home = Home::empty();
    let set = home.path().join("set");
    let pictures =
        [("Train/a/1.png", 1), ("Train/b/x/1.png", 2), ("Train/loose.png", 3), ("val/a/1.png", 4)];
    write_pictures(&set, &pictures);
    std::fs::write(set.join("Train/a/notes.txt"), "text").unwrap();
    let import = ["data", "import", "set", "--quiet", "--json"];
    let output = home.command(&import).output().unwrap();
    let said = crate::support::errors(&output);
    for line in [
        "left out: 1 pictures beside the folders of classes (Train/loose.png)",
        "left out: 1 files without the ending of a picture (Train/a/notes.txt)",
        "the validation split is the test split",
    ] {
        assert!(said.contains(line), "{said}");
    }
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&answer["train"], &answer["test"]), (&2.into(), &1.into()));
    let left_out = answer["left_out"].as_array().unwrap();
    assert_eq!(left_out.iter().map(|entry| entry["count"].as_u64().unwrap()).sum::<u64>(), 2);
    assert!(answer["decided"][0].as_str().unwrap().contains("validation"));
    assert!(home.ok(&["data", "inspect", "set"]).contains("Train/loose.png"), "kept with the data");
}

#[test]
fn broken_pictures_are_refused_or_left_out_by_name() {
    let home = Home::empty();
    let set = home.path().join("set");
    write_pictures(&set, &[("a/1.png", 1), ("a/2.png", 2), ("b/1.png", 3)]);
    let picture =
        image::RgbImage::from_fn(32, 24, |x, y| image::Rgb([(x * y) as u8, x as u8 * 7, 9]));
    let whole = home.path().join("whole.jpg");
    picture.save(&whole).unwrap();
    let bytes = std::fs::read(whole).unwrap();
    std::fs::write(set.join("a/cut.jpg"), &bytes[..bytes.len() * 2 / 5]).unwrap();
    let import = ["data", "import", "set", "--resize", "3x2"];
    let message = home.fails(&import);
    assert!(message.contains("a/cut.jpg") && message.contains("--skip-broken"), "{message}");
    let output = home.command(&[&import[..], &["--skip-broken"]].concat()).output().unwrap();
    let said = crate::support::errors(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("left out: 1 pictures that cannot be decoded"), "{said}");
    assert!(said.contains("a/cut.jpg"), "{said}");
}
