//! `datadiet train`.

use datadiet_table::{Column, Table};

use crate::support::{Home, JOB};

/// The small job's options, without its first word and length.
fn job() -> Vec<&'static str> {
    JOB[1..].to_vec()
}

fn complaint(home: &Home, options: &[&str]) -> String {
    home.fails(&[&["train"], &job()[..], options].concat())
}

fn write(home: &Home, name: &str, text: &str) {
    std::fs::write(home.path().join(name), text).unwrap();
}

#[test]
fn lists_that_cannot_be_a_subset() {
    let home = Home::with_sample();
    for (name, text, expected) in [
        (
            "twice.txt",
            "1\n2\n2\n7\n7\n7\n",
            "2 of the ids are there more than once, the first is 2",
        ),
        ("negative.txt", "-5\n2\n", "line 1 is \"-5\""),
        ("negative.json", "[3, -1]", "entry 1 is -1"),
        ("fraction.json", "[3, 1.5]", "1.5 is not a whole number"),
        (
            "large.txt",
            "1\n1000\n",
            "there is an example 1000, but the data set has 1000 (0 to 999)",
        ),
        ("huge.txt", "5000000000\n", "2³²"),
        ("huge.json", "[5000000000]", "entry 0 is 5000000000"),
        ("word.txt", "id\n3\nfour\n", "line 3 is \"four\""),
        ("empty.txt", "\n", "nothing to train on"),
        ("few.txt", "1\n2\n3\n", "--batch 3"),
        ("labels.json", "{\"labels\": [1]}", "an object with `ids`"),
        ("ids.xlsx", "", ".parquet, .npy, .json, .txt and .csv"),
    ] {
        write(&home, name, text);
        let message = complaint(&home, &["--subset", name]);
        assert!(
            message.contains(expected) && message.contains(name) || name == "few.txt",
            "{message}"
        );
        assert!(message.contains(expected), "{message}");
    }
    let message = complaint(&home, &["--subset", "nowhere.txt"]);
    assert!(message.contains("nowhere.txt"), "{message}");
    let mut table = Table::default();
    table.push("label", Column::U32(vec![1, 2])).unwrap();
    table.write(&home.path().join("no-ids.parquet")).unwrap();
    let message = complaint(&home, &["--subset", "no-ids.parquet"]);
    assert!(message.contains("named id"), "{message}");
    assert!(!home.path().join("store/runs").exists(), "nothing was trained");
}

#[test]
fn arrays_of_numpy_are_read_or_explained() {
    let home = Home::with_sample();
    for (name, bytes) in [
        ("signed.npy", npy(&[3_i64, -1])),
        ("wide.npy", npy(&[3_u64, u64::MAX])),
        ("floats.npy", npy(&[0.5_f32])),
    ] {
        std::fs::write(home.path().join(name), bytes).unwrap();
    }
    let message = complaint(&home, &["--subset", "signed.npy"]);
    assert!(message.contains("entry 1 is -1"), "{message}");
    let message = complaint(&home, &["--subset", "wide.npy"]);
    assert!(message.contains("entry 1 is 18446744073709551615"), "{message}");
    let message = complaint(&home, &["--subset", "floats.npy"]);
    assert!(message.contains("a list holds integers"), "{message}");
}

fn npy<T: npyz::AutoSerialize + Copy>(values: &[T]) -> Vec<u8> {
    use npyz::WriterBuilder;
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::new().default_dtype();
    let mut writer = options.shape(&[values.len() as u64]).writer(&mut bytes).begin_nd().unwrap();
    writer.extend(values.iter().copied()).unwrap();
    writer.finish().unwrap();
    bytes
}

#[test]
fn a_subset_of_another_data_set_is_refused() {
    let home = Home::scored();
    let choice = ["select", "out", "--keep", "0.5", "--out", "s.parquet"];
    home.ok(&[&choice[..], &["--export", "half", "--format", "parquet"]].concat());
    home.ok(&["select", "out", "--keep", "0.5", "--out", "s.json"]);
    home.ok(&["data", "import", "half", "--name", "half"]);
    for subset in ["s.parquet", "s.json"] {
        let message = complaint(&home, &["--data", "half", "--subset", subset]);
        assert!(
            message.contains("made for another data set than half") && message.contains(subset),
            "{message}"
        );
    }
}
