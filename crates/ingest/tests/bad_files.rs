//! Files that cannot be read: each error names the file, the row or the example, and what to do.

use std::io::Write;
use std::path::{Path, PathBuf};

use datadiet_ingest::{IngestError, Ingested, Kind, Names, Options, find, ingest};

/// A folder to write files to.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn run(&self) -> Result<Ingested, IngestError> {
        self.run_with(&Options::default())
    }

    fn run_with(&self, options: &Options) -> Result<Ingested, IngestError> {
        ingest(&find(&[self.0.path().to_owned()], options)?, options, &datadiet_core::Silent)
    }

    /// The error of reading one file.
    fn error(name: &str, bytes: &[u8]) -> IngestError {
        let folder = Self::new();
        folder.file(name, bytes);
        folder.run().unwrap_err()
    }
}

fn of_kind(kind: Kind) -> Options {
    let names = Names { kind: Some(kind), ..Names::default() };
    Options { names, ..Options::default() }
}

/// The bytes of an npy.
fn npy(descr: &str, shape: &str, elements: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(elements);
    bytes
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A zip of one member each, deflated; `declared` replaces the true length.
fn zip(members: &[(&str, &[u8])], declared: Option<u32>) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in members {
        let mut packer =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(content).unwrap();
        let packed = packer.finish().unwrap();
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let mut common = Vec::new();
        common.extend([20, 0, 0, 0, 8, 0, 0, 0, 0, 0]);
        common.extend(crc.sum().to_le_bytes());
        common.extend((packed.len() as u32).to_le_bytes());
        common.extend(declared.unwrap_or(content.len() as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        let start = bytes.len() as u32;
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&common);
        bytes.extend(name.as_bytes());
        bytes.extend(packed);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(start.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let start = bytes.len() as u32;
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    let count = (members.len() as u16).to_le_bytes();
    bytes.extend([count, count].concat());
    bytes.extend((directory.len() as u32).to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

const GOOD: [f32; 4] = [0.0, 1.0, 3.0, -1.0];

fn good() -> Vec<u8> {
    npy("<f4", "(2, 2)", &floats(&GOOD))
}

#[track_caller]
fn says(error: &IngestError, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

#[test]
fn pickles_are_refused_before_they_are_read() {
    let error = Folder::error("e1.npy", &npy("|O", "(2, 2)", b"not even a pickle"));
    says(&error, &["e1.npy", "pickled Python objects"]);
    let record = b"\x93NUMPY\x01\x00\x4c\x00{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (2,), }            \n";
    let error = Folder::error("e1.npz", &zip(&[("logits.npy", record)], None));
    says(&error, &["e1.npz", "logits.a", "pickled Python objects"]);
}

#[test]
fn truncated_files_of_every_array_format() {
    let whole = good();
    for cut in 1..whole.len() {
        let folder = Folder::new();
        folder.file("labels.txt", b"0\n1\n");
        folder.file("e1.npy", &whole[..whole.len() - cut]);
        assert!(matches!(folder.run(), Err(IngestError::Damaged { .. })), "{cut}");
    }
    let longer = Folder::error("e1.npy", &[whole.clone(), vec![0]].concat());
    says(&longer, &["e1.npy is damaged", "promises"]);
    let labels = npy("<i8", "(2,)", &[0; 16]);
    let whole = zip(&[("logits.npy", &good()), ("labels.npy", &labels)], None);
    for cut in (1..whole.len()).step_by(7) {
        let folder = Folder::new();
        folder.file("e1.npz", &whole[..whole.len() - cut]);
        assert!(matches!(folder.run(), Err(IngestError::Damaged { .. })), "{cut}");
    }
}

#[test]
fn a_damaged_member_does_not_match_its_check_sum() {
    let labels = npy("<i8", "(2,)", &[0; 16]);
    let mut bytes = zip(&[("logits.npy", &good()), ("labels.npy", &labels)], None);
    let folder = Folder::new();
    folder.file("e1.npz", &bytes);
    folder.run().unwrap();
    // The check sum of the first member, in its header and in the directory.
    let directory = bytes.windows(4).position(|word| word == b"PK\x01\x02").unwrap();
    bytes[14] ^= 1;
    bytes[directory + 16] ^= 1;
    says(&Folder::error("e1.npz", &bytes), &["a check sum does not match"]);
}

/// Labels and ids are read whole, and once stopped before the end where the sum is checked.
#[test]
fn the_check_sum_of_labels_is_checked_too() {
    let labels = npy("<i8", "(2,)", &[0; 16]);
    let mut bytes = zip(&[("labels.npy", &labels), ("logits.npy", &good())], None);
    let directory = bytes.windows(4).position(|word| word == b"PK\x01\x02").unwrap();
    bytes[14] ^= 1;
    bytes[directory + 16] ^= 1;
    says(&Folder::error("e1.npz", &bytes), &["a check sum does not match"]);
}

/// A softmax that is called logits, or by a name that says neither, gave scores of a second softmax.
#[test]
fn a_softmax_is_not_taken_for_logits() {
    let labels = npy("<i8", "(2,)", &[0; 16]);
    let softmax = npy("<f4", "(2, 2)", &floats(&[0.25, 0.75, 0.5, 0.5]));
    for name in ["logits.npy", "preds.npy", "output.npy"] {
        let folder = Folder::new();
        folder.file("e1.npz", &zip(&[(name, &softmax), ("labels.npy", &labels)], None));
        let error = folder.run().unwrap_err();
        says(&error, &["lies in [0, 1] and sums to 1", "--kind probabilities"]);
        assert!(!error.to_string().contains("--kind logits"), "wrong advice: {error}");
        for kind in [Kind::Logits, Kind::Probabilities] {
            let options = of_kind(kind);
            assert_eq!(folder.run_with(&options).unwrap().kind, kind);
        }
    }
    let folder = Folder::new();
    folder.file("e1.npz", &zip(&[("preds.npy", &good()), ("labels.npy", &labels)], None));
    assert_eq!(folder.run().unwrap().kind, Kind::Logits);
}

/// Each epoch's rows became examples of their own, each seen once.
#[test]
fn epochs_without_ids_are_refused() {
    let line = |epoch: u32| {
        format!("{{\"logits\": [0, 1.5], \"label\": 0, \"epoch\": {epoch}}}\n").repeat(2)
    };
    let folder = Folder::new();
    folder.file("a.jsonl", (line(1) + &line(2)).as_bytes());
    says(&folder.run().unwrap_err(), &["a.jsonl", "no ids", "one file an epoch"]);
    let folder = Folder::new();
    for step in [1, 2] {
        folder.file(&format!("step_{step}.jsonl"), b"{\"logits\": [0, 1.5], \"label\": 0}\n");
    }
    assert_eq!(folder.run().unwrap().labels.len(), 1);
    let options = Options { per_step: true, ..Options::default() };
    says(&folder.run_with(&options).unwrap_err(), &["step_1.jsonl", "no ids"]);
}

/// The first of several columns was taken, in whatever order the file had them.
#[test]
fn several_columns_that_could_be_the_one() {
    let labels = npy("<i8", "(2,)", &[0; 16]);
    let members: [(&str, &[u8]); 3] =
        [("logits.npy", &good()), ("label.npy", &labels), ("gold.npy", &labels)];
    let folder = Folder::new();
    folder.file("e1.npz", &zip(&members, None));
    says(&folder.run().unwrap_err(), &["several labels: gold, label", "--label"]);
    let names = Names { labels: Some("gold".into()), ..Names::default() };
    folder.run_with(&Options { names, ..Options::default() }).unwrap();
}

/// Empty lines were counted as rows, so that examples moved by one.
#[test]
fn empty_lines_are_no_examples() {
    let row = "{\"logits\": [0, 1.5], \"label\": 0}\n";
    let folder = Folder::new();
    folder.file("epoch_1.jsonl", row.repeat(2).as_bytes());
    folder.file("epoch_2.jsonl", format!("\n{row}\n{row}\n").as_bytes());
    let found = folder.run().unwrap();
    assert_eq!((found.labels, found.runs[0].unseen.clone()), (vec![0, 0], vec![0, 0]));
}

/// Hashes of 64 bits are ids as they are: they became negative.
#[test]
fn large_ids_are_kept() {
    let large = u64::MAX - 5;
    let ids = npy("<u8", "(2,)", &[7_u64.to_le_bytes(), large.to_le_bytes()].concat());
    let labels = npy("<i8", "(2, 1)", &[0; 16]);
    let members: [(&str, &[u8]); 3] =
        [("logits.npy", &good()), ("id.npy", &ids), ("label.npy", &labels)];
    let folder = Folder::new();
    folder.file("e1.npz", &zip(&members, None));
    let keys = folder.run().unwrap().keys;
    let texts = ["7".into(), large.to_string()];
    assert_eq!([keys.text(0), keys.text(1)], texts);
    let line = |id: u64| format!("{{\"id\": {id}, \"logits\": [0, 1.5], \"label\": 0}}\n");
    let folder = Folder::new();
    folder.file("a.jsonl", (line(large) + &line(7)).as_bytes());
    let keys = folder.run().unwrap().keys;
    assert_eq!([keys.text(0), keys.text(1)], texts);
}

/// A stream that was cut where a message ends looks whole but for its end mark.
#[test]
fn arrow_streams_without_an_end_are_refused() {
    let whole =
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tables/fixed.arrows"))
            .unwrap();
    let folder = Folder::new();
    folder.file("all.arrows", &whole);
    folder.run().unwrap();
    let end = whole.len() - 8;
    assert_eq!(whole[end..], [255, 255, 255, 255, 0, 0, 0, 0]);
    for cut in [end, end + 2, end + 4, end + 6] {
        let error = Folder::error("all.arrows", &whole[..cut]);
        assert!(matches!(error, IngestError::Damaged { .. }), "{cut}: {error}");
    }
    says(&Folder::error("all.arrows", &whole[..end]), &["no end mark"]);
}

/// Rounding to `bf16` moves the sum of a row by up to 2⁻⁹.
#[test]
fn probabilities_of_bf16_sum_to_one() {
    let rows = [0.9985_f32, 0.0015, 0.501, 0.499];
    let halves = rows.map(|value| half::bf16::from_f32(value).to_le_bytes());
    let folder = Folder::new();
    folder.file("labels.txt", b"0\n1\n");
    folder.file("epoch_1.npy", &npy("|V2", "(2, 2)", halves.as_flattened()));
    let options = of_kind(Kind::Probabilities);
    folder.run_with(&options).unwrap();
    says(&folder.run().unwrap_err(), &["--kind probabilities"]);
}

/// One array of another type made the whole file unreadable.
#[test]
fn other_arrays_of_an_npz_may_be_anything() {
    let labels = npy("<i8", "(2,)", &[0; 16]);
    let members: [(&str, &[u8]); 4] = [
        ("config.npy", &npy("|O", "()", b"a pickle that nobody reads")),
        ("logits.npy", &good()),
        ("labels.npy", &labels),
        ("when.npy", &npy("<M8[s]", "(1,)", &[0; 8])),
    ];
    let folder = Folder::new();
    folder.file("e1.npz", &zip(&members, None));
    folder.run().unwrap();
}

#[test]
fn zip_bombs_stop_at_what_is_declared_and_at_the_limit() {
    // 300 MB of zeros in 300 kB, honestly declared: 100 times 300 kB and 256 MiB is less.
    let header = npy("<f4", "(37500000, 2)", &[]);
    let bomb = [header, vec![0; 300_000_000]].concat();
    let error = Folder::error("e1.npz", &zip(&[("logits.npy", &bomb)], None));
    says(&error, &["logits expands from", "to 300000077 bytes"]);
    // Declared as small: reading stops there.
    let labels = npy("<i8", "(2,)", &[0; 16]);
    let lies = zip(&[("logits.npy", &good()), ("labels.npy", &labels)], Some(60));
    says(&Folder::error("e1.npz", &lies), &["a member is longer than declared"]);
}

#[test]
fn shapes_that_do_not_fit() {
    let flat = Folder::error("e1.npy", &npy("<f4", "(4,)", &floats(&GOOD)));
    says(&flat, &["is [4]; write [n, K]"]);
    let huge = "(4611686018427387904, 4, 4)";
    says(&Folder::error("e1.npy", &npy("<f4", huge, &[])), &["promises too many bytes"]);
    let labels = npy("<i8", "(3,)", &[0; 24]);
    let error = Folder::error("e1.npz", &zip(&[("logits.npy", &good()), ("y.npy", &labels)], None));
    says(&error, &["y is [3], but there are 2 rows"]);
    let whole = npy("<i8", "(2, 2)", &[0; 32]);
    says(&Folder::error("e1.npy", &whole), &["is of type int64", "f16, bf16, f32 or f64"]);
    // Another number of classes in another epoch.
    let folder = Folder::new();
    folder.file("labels.txt", b"0\n1\n");
    folder.file("e1.npy", &good());
    folder.file("e2.npy", &npy("<f4", "(2, 1)", &floats(&GOOD[..2])));
    says(&folder.run().unwrap_err(), &["e2.npy has 1 classes, files before it had 2"]);
}

#[test]
fn targets_that_are_no_classes() {
    let of = |labels: Vec<u8>| {
        Folder::error("e1.npz", &zip(&[("logits.npy", &good()), ("labels.npy", &labels)], None))
    };
    let multi = of(npy("<i8", "(2, 2)", &[0; 32]));
    says(&multi, &["multi-label", "binary problem of its own"]);
    let real = of(npy("<f4", "(2,)", &floats(&[1.0, 0.25])));
    says(&real, &["label 0.25 of row 1", "regression"]);
    let negative = of(npy("<i4", "(2,)", &[255; 8]));
    says(&negative, &["label -1 of row 0 is not a class index"]);
    let large = of(npy("<i4", "(2,)", &[0, 0, 0, 0, 2, 0, 0, 0]));
    says(&large, &["epoch 1, example 1: label 2, but there are 2 columns of values"]);
    let lines = "{\"id\": 7, \"logits\": [0, 1], \"labels\": [0, 1]}\n";
    says(&Folder::error("a.jsonl", lines.as_bytes()), &["multi-label", "line 1"]);
}

#[test]
fn values_that_are_no_scores_name_the_example() {
    let line =
        |id: &str, values: &str| format!("{{\"id\": {id}, \"probs\": {values}, \"label\": 0}}\n");
    let two = line("\"cat\"", "[0.5, 0.5]") + &line("\"dog\"", "[0.5, 0.6]");
    let sum = Folder::error("a.jsonl", two.as_bytes());
    says(&sum, &["a.jsonl, example dog", "its probabilities sum to 1.1", "--renormalise"]);
    assert!(!sum.to_string().contains("--kind logits"), "wrong advice: {sum}");
    let negative = line("3", "[1.5, -0.5]");
    says(
        &Folder::error("a.jsonl", negative.as_bytes()),
        &["example 3", "-0.5 of class 1 is not a probability", "--kind logits"],
    );
    let nan = line("3", "[NaN, 0.5]");
    says(
        &Folder::error("a.jsonl", nan.as_bytes()),
        &["row 1:", "of example 3 hold NaN or Infinity"],
    );
    let folder = Folder::new();
    folder.file("labels.txt", b"0\n1\n");
    folder.file("ids.txt", b"left\nright\n");
    folder.file("e1.npy", &npy("<f4", "(2, 2)", &floats(&[0.0, 1.0, f32::NAN, 1.0])));
    says(&folder.run().unwrap_err(), &["e1.npy, epoch 1, example right", "NaN or infinity"]);
}

#[test]
fn examples_that_occur_twice_or_change_their_label() {
    let line = |id: u32, epoch: u32, label: u32| {
        format!("{{\"id\": {id}, \"logits\": [0, 1], \"label\": {label}, \"epoch\": {epoch}}}\n")
    };
    // The same row again, as samplers fill the last batch: the first counts, with a word.
    let twice = line(4, 1, 0) + &line(9, 1, 0) + &line(4, 1, 0);
    let folder = Folder::new();
    folder.file("a.jsonl", twice.as_bytes());
    let found = folder.run().unwrap();
    assert_eq!(found.labels.len(), 2);
    assert!(found.notes[0].contains("1 rows repeat an example"), "{:?}", found.notes);
    // Another row for the example.
    let other = "{\"id\": 4, \"logits\": [0, 2], \"label\": 0, \"epoch\": 1}\n";
    let differs = line(4, 1, 0) + &line(9, 1, 0) + other;
    let error = Folder::error("a.jsonl", differs.as_bytes());
    says(&error, &["example 4 occurs twice in epoch 1", "--keep-first", "--per-step"]);
    folder.file("a.jsonl", differs.as_bytes());
    folder.run_with(&Options { keep_first: true, ..Options::default() }).unwrap();
    // In no order, too.
    let other = other.replace("\"epoch\": 1", "\"epoch\": 2");
    let twice = line(4, 2, 0) + &line(9, 1, 0) + &line(4, 1, 0) + &other;
    says(&Folder::error("a.jsonl", twice.as_bytes()), &["example 4 occurs twice in epoch 2"]);
    let changed = line(4, 1, 0) + &line(4, 2, 1);
    let error = Folder::error("a.jsonl", changed.as_bytes());
    says(&error, &["example 4 has label 1, but had 0"]);
}

#[test]
fn missing_rows_are_counted_and_scores_are_over_what_was_seen() {
    let folder = Folder::new();
    let line = |id: u32, epoch: u32| {
        format!("{{\"id\": {id}, \"logits\": [0, 1], \"label\": 0, \"epoch\": {epoch}}}\n")
    };
    // Example 8 comes in epoch 2 only, 5 in epoch 1 only.
    folder.file("a.jsonl", (line(5, 1) + &line(6, 1) + &line(6, 2) + &line(8, 2)).as_bytes());
    let mut found = folder.run().unwrap();
    assert_eq!(found.runs[0].unseen, [1, 1]);
    let place = found.columns.iter().position(|(kind, _)| kind.name() == "aum").unwrap();
    assert_eq!(found.column(0, place).unwrap(), [-1.0, -1.0, -1.0]);
    let place = found.columns.iter().position(|(kind, _)| kind.name() == "el2n").unwrap();
    assert!(found.column(0, place).unwrap()[0].is_nan());
}

#[test]
fn labels_and_ids_that_cannot_be_brought_together() {
    let folder = Folder::new();
    folder.file("e1.npy", &good());
    assert!(matches!(folder.run(), Err(IngestError::NoLabels { .. })));
    folder.file("labels.txt", b"1\n");
    says(&folder.run().unwrap_err(), &["labels.txt has no label for example 1"]);
    folder.file("labels.txt", b"1\nx\n");
    says(&folder.run().unwrap_err(), &["label \"x\" of row 2"]);
    folder.file("labels.txt", b"1\n0\n");
    folder.file("ids.txt", b"a\n");
    says(&folder.run().unwrap_err(), &["ids.txt has 1 ids, but", "has 2 rows or more"]);
    folder.file("ids.txt", b"a\nb\n");
    folder.run().unwrap();
    folder.file("e2.jsonl", b"{\"id\": \"c\", \"logits\": [0, 1]}\n");
    says(&folder.run().unwrap_err(), &["labels.txt has no label for example c"]);
}

#[test]
fn probabilities_without_a_name_are_asked_about() {
    let folder = Folder::new();
    folder.file("labels.txt", b"0\n1\n");
    folder.file("e1.npy", &npy("<f4", "(2, 2)", &floats(&[0.25, 0.75, 0.5, 0.5])));
    assert!(matches!(folder.run(), Err(IngestError::LooksLikeProbabilities { .. })));
    for kind in [Kind::Logits, Kind::Probabilities] {
        let found = folder.run_with(&of_kind(kind)).unwrap();
        assert_eq!(found.kind, kind);
        let aum = found.columns.iter().any(|(kind, _)| kind.name() == "aum");
        assert_eq!(aum, kind == Kind::Logits);
    }
}

#[test]
fn one_column_is_a_binary_problem() {
    let folder = Folder::new();
    folder.file("labels.txt", b"1\n0\n");
    folder.file("prob_1.npy", &npy("<f4", "(2, 1)", &floats(&[0.75, 0.25])));
    let mut found = folder.run().unwrap();
    assert_eq!((found.classes, found.kind), (2, Kind::Probabilities));
    let place = found.columns.iter().position(|(kind, _)| kind.name() == "confidence").unwrap();
    assert_eq!(found.column(0, place).unwrap(), [0.75, 0.75]);
}

fn found_of(path: &Path) -> datadiet_ingest::Found {
    find(&[path.to_owned()], &Options::default()).unwrap()
}

#[test]
fn runs_must_have_the_same_epochs_and_names_must_be_found() {
    let folder = Folder::new();
    let line = b"{\"guid\": 1, \"logits\": [0, 1], \"gold\": 1}\n";
    let both = folder.0.path();
    let [first, other] = ["a", "b"].map(|run| both.join(run));
    for (run, epoch) in [(&first, 0), (&other, 3)] {
        std::fs::create_dir(run).unwrap();
        std::fs::write(run.join(format!("dynamics_epoch_{epoch}.jsonl")), line).unwrap();
    }
    let of = |options: &Options| {
        let found = find(&[first.clone(), other.clone()], options).unwrap();
        ingest(&found, options, &datadiet_core::Silent).unwrap_err()
    };
    says(&of(&Options::default()), &["b has epochs 3, the first run has 0"]);
    let names = Names { values: Some("z".into()), ..Names::default() };
    let error =
        ingest(&found_of(&first), &Options { names, ..Options::default() }, &datadiet_core::Silent);
    says(&error.unwrap_err(), &["has no logits, probabilities or losses", "--values"]);
    says(&Folder::error("a.pt", b"1,2\n"), &["holds no file of logits or losses (it has a.pt)"]);
    let torch = find(&[folder.file("a.pt", b"1,2\n")], &Options::default()).unwrap_err();
    says(&torch, &["not a known ending", "jsonl", "numpy.savez"]);
    says(&Folder::error("a.jsonl", b"\n"), &["holds no rows"]);
}
