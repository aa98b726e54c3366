//! What people give that cannot be read: the first line of each answer, as a table. A line names
//! the file, the row or field, what was read, and what to do.
//!
//! `REFUSALS=write cargo test --release -p datadiet-ingest --test refusals` writes the table again.

use std::fmt::Write;
use std::path::Path;

use datadiet_ingest::{IngestError, Kind, Names, Options, find, ingest};

/// Files of a folder by name, and what is given beside the folder.
struct Case {
    name: &'static str,
    files: Vec<(&'static str, Vec<u8>)>,
    options: Options,
}

fn case(name: &'static str, files: &[(&'static str, &str)]) -> Case {
    let files = files.iter().map(|(name, text)| (*name, text.as_bytes().to_vec())).collect();
    Case { name, files, options: Options::default() }
}

fn with(mut case: Case, change: impl FnOnce(&mut Options)) -> Case {
    change(&mut case.options);
    case
}

fn npy(descr: &str, shape: &str, elements: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(elements);
    bytes
}

fn arrays(name: &'static str, files: &[(&'static str, Vec<u8>)]) -> Case {
    Case { name, files: files.to_vec(), options: Options::default() }
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn cases() -> Vec<Case> {
    let row = "{\"id\": 1, \"logits\": [0, 2.5], \"label\": 0}\n";
    let good = || npy("'<f4'", "(2, 2)", &floats(&[0.0, 1.5, 3.0, -1.0]));
    let labels = || npy("'<i8'", "(2,)", &[0; 16]);
    vec![
        // What is there.
        case("an empty folder", &[]),
        case("checkpoints of PyTorch", &[("epoch_1.pt", "x"), ("epoch_2.pt", "x")]),
        case("an empty file", &[("a.jsonl", "")]),
        case("no values", &[("log.jsonl", "{\"step\": 1, \"loss\": 0.5}\n")]),
        case("a log of Lightning", &[("metrics.csv", "epoch,step,train_loss\n0,9,0.7\n")]),
        case("a log of Keras", &[("log.csv", "epoch,accuracy,loss\n0,0.5,0.7\n")]),
        case(
            "a trainer's state",
            &[("trainer_state.json", "{\"epoch\": 3.0, \"log_history\": [{\"loss\": 0.5}]}")],
        ),
        case("words in a text", &[("a.jsonl", "hello\n")]),
        case("half an object", &[("a.jsonl", "{\"id\": 1, \"logits\": [0, 1\n")]),
        case("half a list", &[("a.json", &format!("[{row}"))]),
        arrays("half an array", &[("e1.npy", good()[..70].to_vec())]),
        arrays("pickled objects", &[("e1.npy", npy("'|O'", "(2, 2)", b"\x80"))]),
        arrays("complex numbers", &[("e1.npy", npy("'<c8'", "(2, 2)", &[0; 32]))]),
        arrays("whole numbers", &[("logits.npy", npy("'<i8'", "(2, 2)", &[0; 32]))]),
        arrays("a flat array", &[("e1.npy", npy("'<f4'", "(4,)", &floats(&[0.0; 4])))]),
        // Names of files.
        case("names without numbers", &[("a.jsonl", row), ("b.jsonl", row)]),
        case("networks", &[("resnet18.jsonl", row), ("resnet34.jsonl", row)]),
        case("a best one", &[("epoch_1.jsonl", row), ("epoch_2.jsonl", row), ("best.jsonl", row)]),
        case("two splits", &[("train_epoch_1.jsonl", row), ("val_epoch_1.jsonl", row)]),
        case(
            "two numbers",
            &[
                ("p_1_1.jsonl", row),
                ("p_1_2.jsonl", row),
                ("p_2_1.jsonl", row),
                ("p_2_2.jsonl", row),
            ],
        ),
        case("parts of epochs", &[("epoch_0.5.jsonl", row), ("epoch_1.0.jsonl", row)]),
        case(
            "a shard is missing",
            &[("d-00000-of-00003.jsonl", row), ("d-00002-of-00003.jsonl", row)],
        ),
        with(case("a pattern that fits nothing", &[("epoch_1.jsonl", row)]), |options| {
            options.pattern = Some("e{epoch}.jsonl".parse().unwrap());
        }),
        // Labels and ids.
        arrays("no labels", &[("e1.npy", good())]),
        arrays(
            "labels of two kinds",
            &[("e1.npy", good()), ("given_labels.npy", labels()), ("true_labels.npy", labels())],
        ),
        arrays(
            "too many labels",
            &[("e1.npy", good()), ("labels.npy", npy("'<i8'", "(3,)", &[0; 24]))],
        ),
        case("names of classes", &[("a.csv", "id,label,logit_0,logit_1\n1,cat,0,2.5\n")]),
        case("a label is missing", &[("a.csv", "id,label,logit_0,logit_1\n1,,0,2.5\n")]),
        case("a label is a fraction", &[("a.jsonl", "{\"logits\": [0, 2.5], \"label\": 0.5}\n")]),
        case("a label is -1", &[("a.jsonl", "{\"logits\": [0, 2.5], \"label\": -1}\n")]),
        case("several labels", &[("a.jsonl", "{\"logits\": [0, 2.5], \"label\": [0, 1]}\n")]),
        case(
            "a label beyond the classes",
            &[("a.jsonl", "{\"id\": 7, \"logits\": [0, 2.5], \"label\": 2}\n")],
        ),
        case(
            "an id that is a fraction",
            &[("a.jsonl", "{\"id\": 0.5, \"logits\": [0, 2.5], \"label\": 0}\n")],
        ),
        case(
            "an id of another name",
            &[
                ("e1.jsonl", "{\"speaker_id\": 3, \"logits\": [0, 2.5], \"label\": 0}\n"),
                ("e2.jsonl", "{\"speaker_id\": 3, \"logits\": [0, 2.5], \"label\": 0}\n"),
            ],
        ),
        case(
            "epochs that are fractions",
            &[("a.jsonl", "{\"id\": 1, \"logits\": [0, 2.5], \"label\": 0, \"epoch\": 0.5}\n")],
        ),
        case(
            "a label that changes",
            &[("e1.jsonl", row), ("e2.jsonl", "{\"id\": 1, \"logits\": [0, 2.5], \"label\": 1}\n")],
        ),
        case(
            "processes without ids",
            &[
                ("rank0.jsonl", "{\"logits\": [0, 2.5], \"label\": 0}\n"),
                ("rank1.jsonl", "{\"logits\": [0, 2.5], \"label\": 0}\n"),
            ],
        ),
        // Values.
        case("a null", &[("a.jsonl", "{\"id\": 5, \"logits\": [0, null], \"label\": 0}\n")]),
        case("a NaN", &[("a.jsonl", "{\"id\": 5, \"logits\": [0, NaN], \"label\": 0}\n")]),
        case("a hole in CSV", &[("a.csv", "id,label,logit_0,logit_1\n5,0,,2.5\n")]),
        case(
            "a word for a value",
            &[("a.csv", "id,label,logit_0,logit_1\n1,0,0.1,0.2\n5,0,0.1,high\n")],
        ),
        case(
            "rows of two lengths",
            &[("a.jsonl", &format!("{row}{{\"id\": 2, \"logits\": [0], \"label\": 0}}\n"))],
        ),
        case(
            "a softmax called logits",
            &[("a.jsonl", "{\"id\": 1, \"logits\": [0.25, 0.75], \"label\": 0}\n")],
        ),
        case("a sigmoid", &[("a.jsonl", &"{\"outputs\": [0.9, 0.75], \"label\": 0}\n".repeat(9))]),
        case(
            "sums far from 1",
            &[("a.jsonl", "{\"id\": 1, \"probs\": [0.5, 0.6], \"label\": 0}\n")],
        ),
        case(
            "no probabilities",
            &[("a.jsonl", "{\"id\": 1, \"probs\": [1.5, -0.5], \"label\": 0}\n")],
        ),
        case(
            "an example twice",
            &[("a.jsonl", &format!("{row}{{\"id\": 1, \"logits\": [3, 0], \"label\": 0}}\n"))],
        ),
        with(case("an epoch that is not there", &[("epoch_1.jsonl", row)]), |options| {
            options.at = vec![5]
        }),
        with(case("a field that is not there", &[("a.jsonl", row)]), |options| {
            options.names = Names { values: Some("z".into()), ..Names::default() };
        }),
        with(case("another kind", &[("e1.jsonl", row)]), |options| {
            options.names.kind = Some(Kind::Probabilities)
        }),
    ]
}

fn refused(case: &Case) -> String {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    std::fs::create_dir(&run).unwrap();
    for (name, bytes) in &case.files {
        std::fs::write(run.join(name), bytes).unwrap();
    }
    let read = || -> Result<_, IngestError> {
        ingest(
            &find(std::slice::from_ref(&run), &case.options)?,
            &case.options,
            &datadiet_core::Silent,
        )
    };
    let error = read().expect_err(case.name).to_string();
    error.replace(&format!("{}/", folder.path().display()), "").lines().next().unwrap().to_owned()
}

#[test]
fn refusals_say_what_and_what_to_do() {
    let cases = cases();
    assert!(cases.len() >= 40);
    let mut found = String::new();
    for case in &cases {
        writeln!(found, "{}\n    {}", case.name, refused(case)).unwrap();
    }
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/refusals.txt");
    if std::env::var("REFUSALS").is_ok() {
        std::fs::write(&table, &found).unwrap();
    }
    let known = std::fs::read_to_string(&table).unwrap();
    for (found, known) in found.lines().zip(known.lines()) {
        assert_eq!(found, known);
    }
    assert_eq!(found.lines().count(), known.lines().count());
}
