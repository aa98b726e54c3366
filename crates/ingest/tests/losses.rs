//! Losses, one of each example and epoch, from every format: the table is what the recorder of losses makes
//! of them, bit for bit, whatever the order of rows and the kind of the ids.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, Int64Array, RecordBatch, StringArray, UInt64Array};
use datadiet_core::{ExampleId, LossRecorder, Task};
use datadiet_ingest::{IngestError, Ingested, Kind, Names, Options, find, ingest};
use datadiet_table::{Column, KEY, KeyMap, Keys, ScoreTable};

const EXAMPLES: usize = 7;
const EPOCHS: usize = 3;
const THRESHOLD: f32 = 1.5;

type Files = Vec<(String, Vec<u8>)>;

fn loss(epoch: usize, example: usize) -> f32 {
    ((epoch * 31 + example * 17) % 23) as f32 / 7.0 - 0.3 * epoch as f32
}

/// Another order in every epoch.
fn order(epoch: usize) -> impl Iterator<Item = usize> + Clone {
    (0..EXAMPLES).map(move |row| (row * 3 + epoch) % EXAMPLES)
}

/// Hashes, half of them above 2⁶³.
fn hash(example: usize) -> u64 {
    (example as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn name(example: usize) -> String {
    format!("shard-{}/{example}.jpg", example % 2)
}

fn place(files: &Files) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    folder
}

fn read(files: &Files, options: &Options) -> Result<Ingested, IngestError> {
    let folder = place(files);
    ingest(&find(&[folder.path().to_owned()], options)?, options, &datadiet_core::Silent)
}

fn learned() -> Options {
    Options { threshold: Some(THRESHOLD), ..Options::default() }
}

/// What the recorder makes of the same losses, by the ids of the examples.
fn recorded(keys: &Keys, at: &[u32]) -> Vec<(String, Column)> {
    let mut map = KeyMap::default();
    let recorder = LossRecorder::new(0).keep_at(at).with_threshold(THRESHOLD);
    let mut recorder = recorder.unwrap();
    for epoch in 0..EPOCHS {
        for example in order(epoch).collect::<Vec<_>>().into_iter().rev() {
            let id = ExampleId(map.number(keys.get(example)).unwrap());
            recorder.grow(map.len());
            recorder.update(&[id], &[loss(epoch, example)], &[]).unwrap();
        }
        recorder.end_epoch();
    }
    let (sorted, numbers) = map.sorted();
    let mut columns = vec![("id".to_owned(), Column::U32((0..EXAMPLES as u32).collect()))];
    if !sorted.are_rows() {
        columns.push((KEY.to_owned(), sorted.into_column()));
    }
    for (measure, epoch, values) in recorder.columns() {
        let values = numbers.iter().map(|&number| values[number as usize]).collect();
        columns.push((format!("{measure}@{epoch}"), Column::F32(values)));
    }
    columns
}

#[track_caller]
fn assert_table(table: &ScoreTable, expected: &[(String, Column)], what: &str) {
    let names: Vec<&str> = table.columns().names().collect();
    let expected_names: Vec<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, expected_names, "{what}");
    for (name, column) in expected {
        match (table.columns().column(name).unwrap(), column) {
            (Column::F32(found), Column::F32(expected)) => {
                let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(found), bits(expected), "{what}: {name}");
            }
            (found, expected) => assert_eq!(found, expected, "{what}: {name}"),
        }
    }
    let card = table.card().unwrap();
    assert_eq!(card.task, Task::Loss, "{what}");
    assert_eq!(card.ingested.as_ref().unwrap().kind, "losses", "{what}");
}

/// The files give the table of the recorder.
#[track_caller]
fn assert_read_with(files: &Files, keys: &Keys, options: &Options, what: &str) {
    let found = read(files, options).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(
        (found.kind, found.classes, found.examples()),
        (Kind::Losses, 0, EXAMPLES),
        "{what}"
    );
    assert_eq!(found.runs[0].rows as usize, rows_of(files), "{what}");
    let at: Vec<u32> = options.at.iter().map(|&epoch| epoch as u32).collect();
    let table = found.into_table(&[PathBuf::from("run")], None, "mine").unwrap();
    assert_table(&table, &recorded(keys, &at), what);
}

/// Rows of three epochs, unless a row has all of them.
fn rows_of(files: &Files) -> usize {
    if files.iter().any(|(name, _)| name.contains("wide")) { EXAMPLES } else { EXAMPLES * EPOCHS }
}

#[track_caller]
fn assert_read(files: Files, keys: &Keys, what: &str) {
    assert_read_with(&files, keys, &learned(), what);
}

fn one(name: &str, bytes: impl Into<Vec<u8>>) -> Files {
    vec![(name.to_owned(), bytes.into())]
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn npy(descr: &str, shape: &str, elements: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(elements);
    bytes
}

fn floats(values: impl IntoIterator<Item = f32>) -> Vec<u8> {
    values.into_iter().flat_map(f32::to_le_bytes).collect()
}

fn rows() -> Keys {
    Keys::Integers((0..EXAMPLES as i64).collect())
}

fn hashes() -> Keys {
    Keys::of_u64(&(0..EXAMPLES).map(hash).collect::<Vec<_>>())
}

fn names() -> Keys {
    Keys::Texts((0..EXAMPLES).map(name).collect())
}

/// Rows of all epochs.
fn all() -> impl Iterator<Item = (usize, usize)> + Clone {
    (0..EPOCHS).flat_map(|epoch| order(epoch).map(move |example| (epoch, example)))
}

#[test]
fn csv_of_all_kinds_of_ids() {
    let csv = |id: &dyn Fn(usize) -> String| {
        let line =
            |(epoch, example)| format!("{},{},{}\n", epoch + 1, id(example), loss(epoch, example));
        "epoch,id,loss\n".to_owned() + &all().map(line).collect::<String>()
    };
    assert_read(one("losses.csv", csv(&|example| example.to_string())), &rows(), "rows");
    assert_read(one("losses.csv", csv(&|example| hash(example).to_string())), &hashes(), "hashes");
    assert_read(one("losses.csv", csv(&name)), &names(), "names");
    let negative = |example: usize| (5 - 4 * example as i64).to_string();
    let keys = Keys::Integers((0..EXAMPLES as i64).map(|example| 5 - 4 * example).collect());
    assert_read(one("losses.csv", csv(&negative)), &keys, "below 0");
    let packed = gzip(csv(&name).as_bytes());
    assert_read(one("losses.csv.gz", packed), &names(), "packed");
    let tsv = csv(&name).replace(',', "\t");
    assert_read(one("losses.tsv", tsv), &names(), "tabs");
    let mut turned: Vec<String> = csv(&name).lines().map(|line| format!("{line}\n")).collect();
    turned[1..].reverse();
    assert_read(one("log.csv", turned.concat()), &names(), "the last epoch first");
}

#[test]
fn files_of_epochs() {
    let of = |epoch: usize| {
        let line = |example| format!("{},{}\n", name(example), loss(epoch, example));
        ("id,loss\n".to_owned() + &order(epoch).map(line).collect::<String>()).into_bytes()
    };
    let files = (0..EPOCHS).map(|epoch| (format!("epoch_{}.csv", epoch + 1), of(epoch))).collect();
    assert_read(files, &names(), "files of epochs");
    let arrays = |named: fn(usize) -> String| -> Files {
        let of = |epoch| npy("<f4", "(7,)", &floats((0..EXAMPLES).map(|e| loss(epoch, e))));
        (0..EPOCHS).map(|epoch| (named(epoch + 1), of(epoch))).collect()
    };
    assert_read(arrays(|epoch| format!("loss_epoch_{epoch}.npy")), &rows(), "loss_epoch_1.npy");
    assert_read(
        arrays(|epoch| format!("train_losses_ep{epoch}.npy")),
        &rows(),
        "train_losses_ep1.npy",
    );
    assert_read(arrays(|epoch| format!("e{epoch}/losses.npy")), &rows(), "e1/losses.npy");
    let mut with_ids = arrays(|epoch| format!("losses_{epoch}.npy"));
    let ids: String = (0..EXAMPLES).map(|example| name(example) + "\n").collect();
    with_ids.push(("ids.txt".into(), ids.into_bytes()));
    with_ids.push(("labels.txt".into(), b"a regression has other labels: 0.5".to_vec()));
    assert_read(with_ids.clone(), &names(), "ids.txt");
    let found = read(&with_ids, &Options::default()).unwrap();
    assert!(found.notes.iter().any(|note| note.contains("--labels")), "{:?}", found.notes);
}

#[test]
fn json_of_lines_and_lists() {
    let object = |(epoch, example): (usize, usize)| {
        let (epoch, id, loss) = (epoch + 1, hash(example), loss(epoch, example));
        format!("{{\"epoch\": {epoch}, \"sample_id\": {id}, \"loss\": {loss}, \"label\": [1, 0]}}")
    };
    let objects: Vec<String> = all().map(object).collect();
    assert_read(one("log.jsonl", objects.join("\n")), &hashes(), "lines");
    assert_read(one("log.json", format!("[{}]", objects.join(",\n"))), &hashes(), "a list");
    // In dataset cartography's layout, but for the values.
    let of = |epoch: usize| {
        let line = |example| {
            format!(
                "{{\"guid\": \"{}\", \"loss_epoch_{}\": {}}}\n",
                name(example),
                epoch + 1,
                loss(epoch, example)
            )
        };
        order(epoch).map(line).collect::<String>().into_bytes()
    };
    let files = (0..EPOCHS).map(|e| (format!("dynamics_epoch_{}.jsonl", e + 1), of(e))).collect();
    assert_read(files, &names(), "cartography");
    let wide = |example: usize| {
        let losses =
            (0..EPOCHS).map(|e| format!(", \"loss_epoch_{}\": {}", e + 1, loss(e, example)));
        format!("{{\"id\": \"{}\"{}}}\n", name(example), losses.collect::<String>())
    };
    assert_read(one("wide.jsonl", order(0).map(wide).collect::<String>()), &names(), "wide");
}

#[test]
fn arrays_with_an_axis_of_epochs() {
    let values =
        || floats((0..EPOCHS).flat_map(|epoch| (0..EXAMPLES).map(move |e| loss(epoch, e))));
    assert_read(one("losses.npy", npy("<f4", "(3, 7)", &values())), &rows(), "npy");
    assert_read(
        one("losses.npy", npy("<f4", "(3, 7, 1)", &values())),
        &rows(),
        "npy with an axis of one",
    );
    let header = "{\"losses\":{\"dtype\":\"F32\",\"shape\":[3,7],\"data_offsets\":[0,84]},\
                  \"ids\":{\"dtype\":\"U64\",\"shape\":[7],\"data_offsets\":[84,140]}}";
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend(values());
    file.extend((0..EXAMPLES).flat_map(|example| hash(example).to_le_bytes()));
    assert_read(one("run.safetensors", file), &hashes(), "safetensors");
    let options = Options { at: vec![1, 2], ..learned() };
    assert_read_with(
        &one("losses.npy", npy("<f4", "(3, 7)", &values())),
        &rows(),
        &options,
        "kept epochs",
    );
}

fn long(ids: ArrayRef) -> RecordBatch {
    let epochs = Int64Array::from_iter_values(all().map(|(epoch, _)| epoch as i64 + 1));
    let losses = Float32Array::from_iter_values(all().map(|(epoch, example)| loss(epoch, example)));
    let columns: [(&str, ArrayRef); 3] =
        [("uid", ids), ("epoch", Arc::new(epochs)), ("loss", Arc::new(losses))];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn arrow(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = arrow_ipc::writer::FileWriter::try_new(&mut bytes, &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    bytes
}

#[test]
fn parquet_and_arrow() {
    let texts = Arc::new(StringArray::from_iter_values(all().map(|(_, example)| name(example))));
    let numbers = Arc::new(UInt64Array::from_iter_values(all().map(|(_, example)| hash(example))));
    assert_read(one("all.parquet", parquet(&long(texts.clone()))), &names(), "parquet, texts");
    assert_read(one("all.parquet", parquet(&long(numbers.clone()))), &hashes(), "parquet, hashes");
    assert_read(one("all.feather", arrow(&long(texts))), &names(), "feather, texts");
    assert_read(one("all.arrow", arrow(&long(numbers))), &hashes(), "arrow, hashes");
    let ids: ArrayRef = Arc::new(StringArray::from_iter_values(order(1).map(name)));
    let losses = |epoch: usize| -> ArrayRef {
        Arc::new(Float32Array::from_iter_values(order(1).map(|example| loss(epoch, example))))
    };
    // The columns in no order.
    let names_of = ["loss_epoch_3", "loss_epoch_1", "loss_epoch_2"].into_iter();
    let wide = names_of.zip([2, 0, 1]).map(|(name, epoch)| (name, losses(epoch)));
    let wide = RecordBatch::try_from_iter([("id", ids)].into_iter().chain(wide)).unwrap();
    assert_read(one("wide.parquet", parquet(&wide)), &names(), "an epoch a column");
}

#[test]
fn other_names_and_rows_without_ids_are_asked_for() {
    let csv = |header: &str| {
        let line = |example| format!("{},{}\n", example, loss(0, example));
        one("log.csv", header.to_owned() + &(0..EXAMPLES).map(line).collect::<String>())
    };
    let refused = |files: &Files, options: &Options| read(files, options).unwrap_err().to_string();
    let error = refused(&csv("batch,loss\n"), &Options::default());
    assert!(error.contains("what a trainer logs") && error.contains("--kind losses"), "{error}");
    let losses = || Names { kind: Some(Kind::Losses), ..Names::default() };
    let asked = |names| Options { names, ..Options::default() };
    let found = read(&csv("batch,loss\n"), &asked(losses())).unwrap();
    assert_eq!((found.kind, found.examples()), (Kind::Losses, EXAMPLES));
    let mine = Names { values: Some("nll".into()), ..losses() };
    let mut found = read(&csv("id,nll\n"), &asked(mine)).unwrap();
    assert_eq!(found.column(0, 0).unwrap(), (0..EXAMPLES).map(|e| loss(0, e)).collect::<Vec<_>>());
    // A name that says so needs no --kind.
    let train = Names { values: Some("train_loss".into()), ..Names::default() };
    assert_eq!(read(&csv("id,train_loss\n"), &asked(train)).unwrap().kind, Kind::Losses);
    // A file of nothing but numbers.
    let bare: String = (0..EXAMPLES).map(|example| format!("{}\n", loss(0, example))).collect();
    assert_eq!(read(&one("e1.csv", bare), &asked(losses())).unwrap().examples(), EXAMPLES);
    let flat = one("e1.npy", npy("<f4", "(7,)", &floats((0..EXAMPLES).map(|e| loss(0, e)))));
    assert!(refused(&flat, &Options::default()).contains("say --kind losses"));
    assert_eq!(read(&flat, &asked(losses())).unwrap().kind, Kind::Losses);
}

#[test]
fn logits_go_before_losses_and_that_is_said() {
    let line =
        |example: usize| format!("{example},{},0.5,{},0\n", loss(0, example), loss(1, example));
    let text =
        "id,loss,logit_0,logit_1,label\n".to_owned() + &(0..EXAMPLES).map(line).collect::<String>();
    let files = one("epoch_1.csv", text);
    let found = read(&files, &Options::default()).unwrap();
    assert_eq!((found.kind, found.classes), (Kind::Logits, 2));
    let said = |note: &String| note.contains("loss is not read") && note.contains("--kind losses");
    assert!(found.notes.iter().any(said), "{:?}", found.notes);
    let names = Names { kind: Some(Kind::Losses), ..Names::default() };
    let asked = Options { names: names.clone(), ..Options::default() };
    let found = read(&files, &asked).unwrap();
    assert_eq!((found.kind, found.classes, found.labels.len()), (Kind::Losses, 0, 0));
    let said = |note: &String| note.contains("label is not read") && note.contains("--label label");
    assert!(found.notes.iter().any(said), "{:?}", found.notes);
    let named = Options { names: Names { labels: Some("label".into()), ..names }, ..asked };
    let found = read(&files, &named).unwrap();
    assert_eq!((found.classes, found.labels.clone()), (1, vec![0; EXAMPLES]));
    let table = found.into_table(&[], None, "mine").unwrap();
    assert_eq!(table.columns().names().take(3).collect::<Vec<_>>(), ["id", "label", "class"]);
    // A log of losses beside files of logits is left out, and said.
    let mut folder = files;
    folder.push(("ids_log.csv".into(), b"id,loss\n0,0.5\n".to_vec()));
    let found = read(&folder, &Options::default()).unwrap();
    assert_eq!(found.kind, Kind::Logits);
    assert!(found.notes.iter().any(|note| note.contains("ids_log.csv")), "{:?}", found.notes);
}

#[test]
fn bad_losses_are_named() {
    let refused = |name: &str, bytes: &[u8]| {
        let error = read(&one(name, bytes), &Options::default());
        error.map(|_| ()).unwrap_err().to_string()
    };
    for (name, bytes, said) in [
        ("a.csv", "id,loss\nx1,0.5\nx2,nan\n", &["x2", "NaN or infinity"][..]),
        ("a.csv", "id,loss\nx1,0.5\nx2,inf\n", &["x2", "NaN or infinity"]),
        ("a.csv", "id,loss\nx1,0.5\nx2,\n", &["x2", "NaN or infinity"]),
        ("a.csv", "id,loss\nx1,0.5\nx2,high\n", &["x2", "not a number"]),
        (
            "a.csv",
            "id,epoch,loss\nx1,1,0.5\nx1,1,0.9\n",
            &["x1", "twice in epoch 1", "--keep-first"],
        ),
        (
            "a.csv",
            "id,loss\nx1,\"[0.5, 0.25]\"\n",
            &["loss is a list", "mean or sum", "loss_epoch_1"],
        ),
        (
            "a.csv",
            "id,epoch,loss_epoch_1,loss_epoch_2\nx,1,2,3\n",
            &["several epochs", "--epoch none"],
        ),
        ("a.csv", "id,loss,losses\nx1,1,2\n", &["several values: loss, losses", "--values"]),
        (
            "a.jsonl",
            "{\"id\": \"x1\", \"loss\": [0.5, 0.25]}\n",
            &["loss is a list", "mean or sum"],
        ),
        ("a.jsonl", "{\"id\": \"x1\", \"loss\": null}\n", &["x1", "missing value"]),
        ("a.jsonl", "{\"id\": \"x1\", \"loss\": NaN}\n", &["x1", "NaN"]),
        (
            "a.jsonl",
            "{\"id\": \"x1\", \"loss\": 1}\n{\"id\": \"x2\", \"logits\": [1, 2]}\n",
            &["row 2", "other values"],
        ),
    ] {
        let error = refused(name, bytes.as_bytes());
        assert!(said.iter().all(|word| error.contains(word)), "{error} lacks some of {said:?}");
    }
    let scalar = refused("loss_epoch_1.npy", &npy("<f4", "()", &floats([0.5])));
    assert!(scalar.contains("reduction=\"none\""), "{scalar}");
    let whole = refused("losses.npy", &npy("<i8", "(2,)", &[0; 16]));
    assert!(whole.contains("losses are f16"), "{whole}");
    let tokens = refused("losses.npy", &npy("<f4", "(2, 2, 2)", &floats([0.5; 8])));
    assert!(tokens.contains("tokens"), "{tokens}");
    let lines = |text: &str| text.as_bytes().to_vec();
    let files = vec![
        ("epoch_1.csv".to_owned(), lines("id,loss\n1,0.5\n")),
        ("epoch_2.csv".to_owned(), lines("id,logit_0,logit_1,label\n1,0.5,2.5,0\n")),
    ];
    let found = read(&files, &Options::default()).unwrap();
    assert_eq!((found.kind, found.runs[0].files.len()), (Kind::Logits, 1));
    let error = read(
        &one("a.csv", "id,loss\n1,0.5\n"),
        &Options { threshold: Some(f32::NAN), ..learned() },
    );
    assert!(error.unwrap_err().to_string().contains("--threshold"));
}

/// Rows that repeat with the same loss, as samplers of several processes make them, and examples that an
/// epoch misses.
#[test]
fn repeated_and_missing_rows() {
    let text = "id,epoch,loss\na,1,0.5\nb,1,1\na,1,0.5\nb,2,0.25\n";
    let mut found = read(&one("a.csv", text), &Options::default()).unwrap();
    assert!(found.notes.iter().any(|note| note.contains("1 rows repeat")), "{:?}", found.notes);
    assert_eq!(found.runs[0].unseen, [0, 1]);
    let last = found.column(0, 0).unwrap();
    assert!(last[0].is_nan() && last[1] == 0.25, "{last:?}");
}

#[test]
fn replicas_are_joined_by_their_ids() {
    let of = |seed: usize| {
        let ids: Vec<&str> = if seed == 0 { vec!["a", "b", "c"] } else { vec!["d", "c", "a"] };
        let line = |(row, id): (usize, &&str)| format!("{id},{}\n", row + 10 * seed);
        ("id,loss\n".to_owned() + &ids.iter().enumerate().map(line).collect::<String>())
            .into_bytes()
    };
    let files: Files = (0..2).map(|seed| (format!("seed{seed}_epoch1.csv"), of(seed))).collect();
    let table = read(&files, &Options::default()).unwrap().into_table(&[], None, "mine").unwrap();
    let keys = Column::Text(["a", "b", "c", "d"].map(str::to_owned).to_vec());
    assert_eq!(table.columns().column(KEY), Some(&keys));
    // Means over the trainings that saw the example.
    assert_eq!(table.columns().floats("loss@1").unwrap(), [6.0, 1.0, 6.5, 10.0]);
}
