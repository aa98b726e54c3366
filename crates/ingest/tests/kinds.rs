//! The same three epochs of nine examples, in the files, names and types that people have: each
//! kind gives the same areas under the margin, and the epochs that the names say.

use std::io::Write;
use std::path::PathBuf;

use datadiet_core::ScoreKind;
use datadiet_ingest::{Ingested, Kind, Options, find, ingest};

const EXAMPLES: usize = 9;
const EPOCHS: usize = 3;

fn logits(epoch: usize, example: usize) -> [f32; 3] {
    let value = |class: usize| ((epoch * 31 + example * 17 + class * 23) % 37) as f32 / 4.0 - 4.0;
    [value(0), value(1), value(2)]
}

fn label(example: usize) -> usize {
    example * example % 3
}

fn margin(epoch: usize, example: usize) -> f32 {
    let row = logits(epoch, example);
    let other = (0..3).filter(|&class| class != label(example)).map(|class| row[class]);
    row[label(example)] - other.fold(f32::MIN, f32::max)
}

type Files = Vec<(String, Vec<u8>)>;

#[track_caller]
fn read(files: &Files, options: &Options) -> Ingested {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let found = find(&[folder.path().to_owned()], options);
    let read = found.and_then(|found| ingest(&found, options, &datadiet_core::Silent));
    read.unwrap_or_else(|error| panic!("{error}"))
}

/// The areas of a run are those of all epochs, and the epochs are called so.
#[track_caller]
fn assert_run(found: &mut Ingested, run: usize, epochs: &[i64]) {
    assert_eq!(found.runs[run].epochs, epochs);
    let place = found.columns.iter().rposition(|(kind, _)| *kind == ScoreKind::Aum).unwrap();
    let aum = found.column(run, place).unwrap();
    assert_eq!(aum.len(), EXAMPLES);
    for (example, aum) in aum.iter().enumerate() {
        let expected: f32 = (0..epochs.len()).map(|epoch| margin(epoch, example)).sum();
        let expected = expected / epochs.len() as f32;
        assert!((aum - expected).abs() < 1e-5, "{aum} instead of {expected} for {example}");
    }
}

#[track_caller]
fn assert_read(files: &Files, epochs: &[i64]) {
    assert_run(&mut read(files, &Options::default()), 0, epochs);
}

fn object(epoch: usize, example: usize, more: &str) -> String {
    let [a, b, c] = logits(epoch, example);
    let label = label(example);
    format!("{{\"id\": {example}, \"logits\": [{a}, {b}, {c}], \"label\": {label}{more}}}\n")
}

/// JSON lines of some examples.
fn lines(epoch: usize, examples: impl Iterator<Item = usize>) -> Vec<u8> {
    examples.map(|example| object(epoch, example, "")).collect::<String>().into_bytes()
}

fn named(names: &[&str], of: impl Fn(usize) -> Vec<u8>) -> Files {
    names.iter().enumerate().map(|(epoch, name)| ((*name).to_owned(), of(epoch))).collect()
}

fn npy(descr: &str, order: bool, shape: &str, elements: &[u8]) -> Vec<u8> {
    let order = if order { "True" } else { "False" };
    let header = format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(elements);
    bytes
}

fn matrix(epoch: usize) -> Vec<u8> {
    let values = (0..EXAMPLES).flat_map(|example| logits(epoch, example));
    let bytes: Vec<u8> = values.flat_map(f32::to_le_bytes).collect();
    npy("'<f4'", false, "(9, 3)", &bytes)
}

fn labels() -> Vec<u8> {
    let bytes: Vec<u8> = (0..EXAMPLES).flat_map(|e| (label(e) as i64).to_le_bytes()).collect();
    npy("'<i8'", false, "(9,)", &bytes)
}

#[test]
fn names_of_epochs() {
    for (names, epochs) in [
        (["epoch_0.jsonl", "epoch_1.jsonl", "epoch_2.jsonl"], [0, 1, 2]),
        (["ep8.jsonl", "ep9.jsonl", "ep10.jsonl"], [8, 9, 10]),
        (
            ["checkpoint-500/out.jsonl", "checkpoint-1000/out.jsonl", "checkpoint-1500/out.jsonl"],
            [500, 1000, 1500],
        ),
        (["epoch=0-step=10.jsonl", "epoch=1-step=20.jsonl", "epoch=2-step=30.jsonl"], [0, 1, 2]),
        (["cifar10_r18_1.jsonl", "cifar10_r18_2.jsonl", "cifar10_r18_3.jsonl"], [1, 2, 3]),
        (["epoch_1_of_3.jsonl", "epoch_2_of_3.jsonl", "epoch_3_of_3.jsonl"], [1, 2, 3]),
        (["step_500.jsonl", "step_1k.jsonl", "step_2k.jsonl"], [500, 1000, 2000]),
        (["model.05-0.32.jsonl", "model.06-0.30.jsonl", "model.07-0.31.jsonl"], [5, 6, 7]),
    ] {
        assert_read(&named(&names, |epoch| lines(epoch, 0..EXAMPLES)), &epochs);
    }
}

#[test]
fn runs_and_parts() {
    let mut seeds = Files::new();
    let mut parts = Files::new();
    for epoch in 0..EPOCHS {
        for seed in [0, 7] {
            seeds.push((format!("seed{seed}_epoch{epoch}.jsonl"), lines(epoch, 0..EXAMPLES)));
        }
        for rank in 0..2 {
            let examples = (0..EXAMPLES).filter(move |example| example % 2 == rank);
            parts.push((format!("epoch_{epoch}_rank_{rank}.jsonl"), lines(epoch, examples)));
        }
    }
    let mut found = read(&seeds, &Options::default());
    assert_eq!(
        found.runs.iter().map(|run| run.name.as_str()).collect::<Vec<_>>(),
        ["seed 0", "seed 7"]
    );
    assert_run(&mut found, 0, &[0, 1, 2]);
    assert_run(&mut found, 1, &[0, 1, 2]);
    assert_read(&parts, &[0, 1, 2]);
    // Shards of a log of all epochs, and bare arrays that go on where the part before ends.
    let all = |examples: std::ops::Range<usize>| -> Vec<u8> {
        let rows = (0..EPOCHS).flat_map(|epoch| {
            examples
                .clone()
                .map(move |example| object(epoch, example, &format!(", \"epoch\": {epoch}.0")))
        });
        rows.collect::<String>().into_bytes()
    };
    let shards: Files = vec![
        ("train-00000-of-00002.jsonl".into(), all(0..5)),
        ("train-00001-of-00002.jsonl".into(), all(5..9)),
    ];
    assert_read(&shards, &[0, 1, 2]);
    let mut arrays: Files = vec![("labels.npy".into(), labels())];
    for epoch in 0..EPOCHS {
        for (part, examples) in [(0, 0..5), (1, 5..9)] {
            let shape = format!("({}, 3)", examples.len());
            let bytes: Vec<u8> = examples
                .flat_map(|example| logits(epoch, example))
                .flat_map(f32::to_le_bytes)
                .collect();
            let name = format!("logits_epoch_{epoch}_part_{part}.npy");
            arrays.push((name, npy("'<f4'", false, &shape, &bytes)));
        }
    }
    assert_read(&arrays, &[0, 1, 2]);
}

#[test]
fn folds_with_their_own_examples_are_one_run() {
    let folds: Files = (0..3)
        .map(|fold| (format!("fold_{fold}.jsonl"), lines(0, fold * 3..fold * 3 + 3)))
        .collect();
    let mut found = read(&folds, &Options::default());
    assert_eq!(found.runs.len(), 1);
    assert_run(&mut found, 0, &[1]);
    let same: Files = (0..3).map(|f| (format!("fold_{f}.jsonl"), lines(0, 0..EXAMPLES))).collect();
    assert_eq!(read(&same, &Options::default()).runs.len(), 3);
}

#[test]
fn a_pattern_decides_and_leaves_out() {
    let mut files = Files::new();
    for epoch in 0..EPOCHS {
        for run in 1..3 {
            files.push((format!("p_{run}_{epoch}.jsonl"), lines(epoch, 0..EXAMPLES)));
        }
        files.push((format!("val_{epoch}.jsonl"), lines(epoch, 0..2)));
    }
    let options =
        Options { pattern: Some("p_{run}_{epoch}.jsonl".parse().unwrap()), ..Options::default() };
    let mut found = read(&files, &options);
    assert_eq!(found.runs.len(), 2);
    assert!(found.notes.iter().any(|note| note.contains("left out 3 files")), "{:?}", found.notes);
    assert_run(&mut found, 1, &[0, 1, 2]);
}

#[test]
fn labels_beside_arrays() {
    for name in ["labels.npy", "y_train.npy", "train_targets.npy"] {
        let mut files = named(&["logits_1.npy", "logits_2.npy", "logits_3.npy"], matrix);
        files.push((name.into(), labels()));
        assert_read(&files, &[1, 2, 3]);
    }
    let mut files = Files::new();
    for epoch in 1..=EPOCHS {
        files.push((format!("train_logits_epoch{epoch}.npy"), matrix(epoch - 1)));
        files.push((format!("train_y_epoch{epoch}.npy"), labels()));
        files.push((format!("train_features_epoch{epoch}.npy"), matrix(0)));
    }
    let mut found = read(&files, &Options::default());
    assert!(found.notes[0].contains("train_features_epoch1.npy"), "{:?}", found.notes);
    assert_run(&mut found, 0, &[1, 2, 3]);
}

#[track_caller]
fn refusal(files: &Files) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let options = Options::default();
    let found = find(&[folder.path().to_owned()], &options);
    let read = found.and_then(|found| ingest(&found, &options, &datadiet_core::Silent));
    read.map(drop).unwrap_err().to_string()
}

#[test]
fn another_number_is_not_the_epoch_where_one_is_called_so() {
    let names = ["model0_epoch_1.jsonl", "model1_epoch_1.jsonl", "model2_epoch_1.jsonl"];
    let error = refusal(&named(&names, |epoch| lines(epoch, 0..EXAMPLES)));
    assert!(error.contains("--pattern"), "{error}");
}

#[test]
fn percentages_are_probabilities() {
    let row = |example: usize| {
        let rest = 75.5 - example as f64;
        format!("{{\"outputs\": [{}.25, {rest}, 24.25], \"label\": {}}}\n", example, label(example))
    };
    let text: String = (0..EXAMPLES).map(row).collect();
    let error = refusal(&vec![("epoch_1.jsonl".into(), text.into_bytes())]);
    assert!(error.contains("--kind probabilities"), "{error}");
}

#[test]
fn predicted_classes_are_not_logits() {
    let row = |example: usize| {
        let place = |class| if class == example % 3 { "1.0" } else { "0.0" };
        let row = [place(0), place(1), place(2)].join(", ");
        format!("{{\"predictions\": [{row}], \"label\": {}}}\n", label(example))
    };
    let text: String = (0..EXAMPLES).map(row).collect();
    let error = refusal(&vec![("epoch_1.jsonl".into(), text.into_bytes())]);
    assert!(error.contains("a single 1"), "{error}");
}

/// Rows in another order in every epoch: labels of an epoch are of its rows, labels of all epochs of
/// the ids that are their numbers.
#[test]
fn labels_of_an_epoch_are_in_the_order_of_its_rows() {
    let order = |epoch: usize| (0..EXAMPLES).map(move |row| (row * 2 + epoch) % EXAMPLES);
    let mut files = Files::new();
    for epoch in 0..EPOCHS {
        let line = |example: usize| {
            let [a, b, c] = logits(epoch, example);
            format!("{{\"id\": {example}, \"logits\": [{a}, {b}, {c}]}}\n")
        };
        let text: String = order(epoch).map(line).collect();
        files.push((format!("epoch_{epoch}.jsonl"), text.into_bytes()));
    }
    let mut by_row = files.clone();
    for epoch in 0..EPOCHS {
        let text: String = order(epoch).map(|example| format!("{}\n", label(example))).collect();
        by_row.push((format!("labels_epoch_{epoch}.txt"), text.into_bytes()));
    }
    assert_read(&by_row, &[0, 1, 2]);
    let text: String = (0..EXAMPLES).map(|example| format!("{}\n", label(example))).collect();
    files.push(("labels.txt".into(), text.into_bytes()));
    let mut found = read(&files, &Options::default());
    assert!(found.notes.iter().any(|note| note.contains("not for row i")), "{:?}", found.notes);
    assert_run(&mut found, 0, &[0, 1, 2]);
}

/// A file does not tell the order of its classes: names are read once that is given.
#[test]
fn labels_that_are_names() {
    let names = ["owl", "dog", "cat"];
    let line = |epoch: usize, example: usize| {
        let [a, b, c] = logits(epoch, example);
        let label = names[label(example)];
        format!("{{\"id\": {example}, \"logits\": [{a}, {b}, {c}], \"label\": \"{label}\"}}\n")
    };
    let text = |epoch| (0..EXAMPLES).map(|e| line(epoch, e)).collect::<String>().into_bytes();
    let files = named(&["epoch_1.jsonl", "epoch_2.jsonl", "epoch_3.jsonl"], text);
    let mut options = Options::default();
    options.names.classes = names.map(str::to_owned).to_vec().into();
    assert_run(&mut read(&files, &options), 0, &[1, 2, 3]);
}

/// Labels and ids in tables, and refused where they are of rows in another order.
#[test]
fn labels_in_tables() {
    let rows = |ids: &mut dyn Iterator<Item = usize>| {
        let line = |id: usize| format!("{id},{}.0\n", label(id));
        "id,label\n".to_owned() + &ids.map(line).collect::<String>()
    };
    let objects = |id: usize| format!(r#"{{"id": {id}, "label": {}}}"#, label(id));
    let json = format!("[{}]", (0..EXAMPLES).map(objects).collect::<Vec<_>>().join(", "));
    let outside = tempfile::tempdir().unwrap();
    let given = |name: &str, text: &str| {
        let path = outside.path().join(name);
        std::fs::write(&path, text).unwrap();
        Options { labels: Some(path), ..Options::default() }
    };
    let files = named(&["epoch_1.npy", "epoch_2.npy", "epoch_3.npy"], matrix);
    for (name, text) in [("y.csv", rows(&mut (0..EXAMPLES))), ("y.json", json)] {
        assert_run(&mut read(&files, &given(name, &text)), 0, &[1, 2, 3]);
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in &files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let options = given("turned.csv", &rows(&mut (0..EXAMPLES).rev()));
    let found = find(&[folder.path().to_owned()], &options).unwrap();
    let error = ingest(&found, &options, &datadiet_core::Silent).map(drop).unwrap_err();
    assert!(error.to_string().contains("sort it by id"), "{error}");
}

#[test]
fn arrays_of_all_orders_and_fields() {
    let transposed = |epoch: usize| {
        let values = (0..3).flat_map(|k| (0..EXAMPLES).map(move |e| logits(epoch, e)[k]));
        let bytes: Vec<u8> = values.flat_map(f32::to_le_bytes).collect();
        npy("'<f4'", true, "(9, 3)", &bytes)
    };
    let mut files = named(&["e1.npy", "e2.npy", "e3.npy"], transposed);
    files.push(("labels.npy".into(), labels()));
    assert_read(&files, &[1, 2, 3]);
    // [T, n, K], column-major.
    let values = (0..3).flat_map(|k| {
        (0..EXAMPLES).flat_map(move |e| (0..EPOCHS).map(move |epoch| logits(epoch, e)[k]))
    });
    let bytes: Vec<u8> = values.flat_map(f32::to_le_bytes).collect();
    let all = npy("'<f4'", true, "(3, 9, 3)", &bytes);
    assert_read(&vec![("all.npy".into(), all), ("labels.npy".into(), labels())], &[1, 2, 3]);
    let record = |epoch: usize| {
        let mut bytes = Vec::new();
        for example in (0..EXAMPLES).rev() {
            bytes.extend((example as u16).to_le_bytes());
            bytes.extend(logits(epoch, example).iter().flat_map(|value| value.to_le_bytes()));
            bytes.push(label(example) as u8);
        }
        npy("[('id', '<u2'), ('OUT', '<f4', (3,)), ('y', '|u1')]", false, "(9,)", &bytes)
    };
    assert_read(&named(&["e1.npy", "e2.npy", "e3.npy"], record), &[1, 2, 3]);
}

#[test]
fn texts_of_all_coats() {
    let names = |ending: &str| [0, 1, 2].map(|epoch| format!("epoch_{epoch}.{ending}"));
    let written = |ending: &str, of: &dyn Fn(usize) -> Vec<u8>| -> Files {
        names(ending).into_iter().enumerate().map(|(epoch, name)| (name, of(epoch))).collect()
    };
    let gzip = |bytes: &[u8]| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    };
    let utf16 = |bytes: &[u8]| -> Vec<u8> {
        let text = str::from_utf8(bytes).unwrap();
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    };
    let json = |epoch| lines(epoch, 0..EXAMPLES);
    let csv = |delimiter: &str| {
        let delimiter = delimiter.to_owned();
        move |epoch| {
            let mut text = ["sample_id", "label", "logit.0", "logit.1", "logit.2"].join(&delimiter);
            for example in (0..EXAMPLES).rev() {
                let [a, b, c] = logits(epoch, example).map(|value| value.to_string());
                let (id, label) = (format!("{example}.0"), format!("{}.0", label(example)));
                text += "\r\n";
                text += &[id, label, a, b, c].join(&delimiter);
            }
            (text + "\r\n\r\n").into_bytes()
        }
    };
    assert_read(&written("jsonl.gz", &|epoch| gzip(&json(epoch))), &[0, 1, 2]);
    assert_read(
        &written("jsonl.zst", &|epoch| zstd::encode_all(&json(epoch)[..], 1).unwrap()),
        &[0, 1, 2],
    );
    assert_read(&written("ndjson", &|epoch| utf16(&json(epoch))), &[0, 1, 2]);
    let list = |epoch| {
        let text = String::from_utf8(json(epoch)).unwrap();
        format!("[\n{}\n]\n", text.trim_end().replace('\n', ",\n")).into_bytes()
    };
    assert_read(&written("json", &list), &[0, 1, 2]);
    for delimiter in [",", ";", "|", "\t"] {
        assert_read(&written("csv", &csv(delimiter)), &[0, 1, 2]);
    }
    assert_read(&written("csv.gz", &|epoch| gzip(&csv(",")(epoch))), &[0, 1, 2]);
    // A frame's index, lists in brackets, a matrix of numpy.savetxt.
    let lists = |epoch: usize| {
        let row = |e: usize| {
            let [a, b, c] = logits(epoch, e);
            format!("{e},\"[{a} {b}\n {c}]\",{}\n", label(e))
        };
        (",logits,label\n".to_owned() + &(0..EXAMPLES).map(row).collect::<String>()).into_bytes()
    };
    assert_read(&written("csv", &lists), &[0, 1, 2]);
    let bare = |epoch: usize| {
        let row = |e: usize| {
            let [a, b, c] = logits(epoch, e);
            format!("{a:.6e} {b:.6e} {c:.6e}\n").replace(' ', ",")
        };
        (0..EXAMPLES).map(row).collect::<String>().into_bytes()
    };
    let mut files = written("csv", &bare);
    let column: String = (0..EXAMPLES).map(|e| format!("{}\n", label(e))).collect();
    files.push(("labels.txt".into(), [b"\xef\xbb\xbf", column.as_bytes(), b"\n"].concat()));
    assert_read(&files, &[0, 1, 2]);
}

/// A file is a step, and no epoch begins within one.
#[test]
fn epochs_of_steps_end_between_files() {
    let seen = [[0, 1, 2, 3], [2, 3, 0, 1], [4, 0, 2, 1]];
    let mut files = Files::new();
    for (epoch, examples) in seen.iter().enumerate() {
        for (half, examples) in examples.chunks(2).enumerate() {
            let name = format!("step_{:03}.jsonl", epoch * 2 + half + 1);
            files.push((name, lines(epoch, examples.iter().copied())));
        }
    }
    let options = Options { per_step: true, ..Options::default() };
    let found = read(&files, &options);
    assert_eq!(found.runs[0].epochs, [1, 2, 3]);
    // Example 4 comes in the last epoch alone, 3 in the others.
    assert_eq!(found.runs[0].unseen, [1, 1, 1]);
}

#[test]
fn rounded_probabilities_are_divided_by_their_sums() {
    let row =
        |id: usize, probs: &str| format!("{{\"id\": {id}, \"probs\": {probs}, \"label\": 0}}\n");
    let rounded = row(0, "[0.333, 0.333, 0.333]") + &row(1, "[0.5, 0.25, 0.255]");
    let mut found = read(&vec![("a.jsonl".into(), rounded.into_bytes())], &Options::default());
    assert_eq!(found.kind, Kind::Probabilities);
    assert!(found.notes[0].contains("2 rows sum to up to"), "{:?}", found.notes);
    let place = found.columns.iter().position(|(kind, _)| *kind == ScoreKind::Confidence).unwrap();
    let confidence = found.column(0, place).unwrap();
    assert!((confidence[0] - 1.0 / 3.0).abs() < 1e-6, "{confidence:?}");
    let counts = row(0, "[2, 1, 1]") + &row(1, "[0, 5, 5]");
    let options = Options { renormalise: true, ..Options::default() };
    let mut found = read(&vec![("a.jsonl".into(), counts.into_bytes())], &options);
    assert_eq!(found.column(0, place).unwrap(), [0.5, 0.0]);
}

#[test]
fn files_given_by_name_are_runs_or_epochs_as_their_names_say() {
    let folder = tempfile::tempdir().unwrap();
    let given = |names: &[&str]| -> Result<Ingested, String> {
        let paths: Vec<PathBuf> = names.iter().map(|name| folder.path().join(name)).collect();
        for (epoch, path) in paths.iter().enumerate() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, lines(epoch, 0..EXAMPLES)).unwrap();
        }
        let options = Options::default();
        let read = || ingest(&find(&paths, &options)?, &options, &datadiet_core::Silent);
        read().map_err(|error| error.to_string())
    };
    let epochs = given(&["epoch_1.jsonl", "epoch_2.jsonl", "epoch_3.jsonl"]).unwrap();
    assert_eq!((epochs.runs.len(), &epochs.runs[0].epochs[..]), (1, &[1, 2, 3][..]));
    for names in [
        &["final_seed0.jsonl", "final_seed1.jsonl"][..],
        &["a.jsonl", "b.jsonl"],
        &["a/last.jsonl", "b/last.jsonl"],
        &["a/resnet18.jsonl", "b/resnet18.jsonl"],
    ] {
        assert_eq!(given(names).unwrap().runs.len(), 2, "{names:?}");
    }
    let open = given(&["p_1.jsonl", "p_2.jsonl"]).unwrap_err();
    assert!(open.contains("nothing says what 1 is") && open.contains("{run}"), "{open}");
    let single = given(&["resnet18.jsonl"]).unwrap();
    assert_eq!(single.runs[0].epochs, [1]);
    let named = given(&["epoch_18.jsonl"]).unwrap();
    assert_eq!(named.runs[0].epochs, [18]);
}
