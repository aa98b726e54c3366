//! What is written and comes back, changed here and there: answers are what somebody changed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use datadiet_core::Task;
use datadiet_exchange::back::{self, About, Answers, Marked};
use datadiet_exchange::{ExchangeError, Only, Outgoing, Wanted, out};
use datadiet_explore::{Contents, Source};
use datadiet_table::{Act, Card, Column, MarkFile, ScoreTable, Table, Verdict};
use serde_json::{Value, json};

const IDS: [&str; 4] = ["a", "b", "c", "d"];

fn texts(texts: &[&str]) -> Column {
    Column::Text(texts.iter().map(|&text| text.to_owned()).collect())
}

/// Four examples: two cats, two dogs.
fn table() -> ScoreTable {
    let mut table = Table::default();
    table.push("key", texts(&IDS)).unwrap();
    table.push("label", Column::U32(vec![0, 0, 1, 1])).unwrap();
    table.push("class", texts(&["cat", "cat", "dog", "dog"])).unwrap();
    table.push("aum@1", Column::F32(vec![-1.0, 2.0, 3.0, 4.0])).unwrap();
    table.push("predicted@1", Column::U32(vec![1, 0, 1, 1])).unwrap();
    ScoreTable::of(table).unwrap()
}

/// All examples, the first a suspect.
fn wanted(marks: Option<PathBuf>) -> Wanted {
    Wanted {
        only: Only::All,
        by: None,
        hard: None,
        suspects: Some(1),
        scores: Vec::new(),
        subset: None,
        marks: marks.into_iter().collect(),
        classes: None,
        turn: "",
    }
}

/// What was heard: ids, marks, right classes.
type Heard = (String, Verdict, Option<String>);

fn heard(id: &str, mark: Verdict, label: Option<&str>) -> Heard {
    (id.into(), mark, label.map(str::to_owned))
}

/// A folder in which a table is written for other programs, and marked.
struct There {
    folder: tempfile::TempDir,
    table: ScoreTable,
}

impl There {
    fn new(table: ScoreTable) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), table }
    }

    /// With marks of bob: a is a dog, b is to be kept.
    fn marked() -> Self {
        let there = Self::new(table());
        there.mark("bob", "2020-01-01T00:00:01.000Z", Verdict::Wrong, Some("dog"), "a");
        there.mark("bob", "2020-01-01T00:00:02.000Z", Verdict::Keep, None, "b");
        there
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn marks(&self) -> PathBuf {
        self.path("marks.jsonl")
    }

    /// As the explorer does it.
    fn mark(&self, by: &str, at: &str, mark: Verdict, label: Option<&str>, id: &str) {
        let act = Act {
            at: at.into(),
            by: by.into(),
            act: format!("{by}{at}"),
            mark: Some(mark),
            label: label.map(str::to_owned),
            ids: vec![id.into()],
            undoes: None,
        };
        MarkFile::of(&self.marks(), &self.table).append(&[act]).unwrap();
    }

    fn csv(&self, marks: Option<PathBuf>) -> PathBuf {
        let to = self.path("out.csv");
        let outgoing = Outgoing::new(&self.table, &wanted(marks)).unwrap();
        out::csv::write(&outgoing, &Contents::None, &to).unwrap();
        to
    }

    /// Writes a cell, as somebody does in a spreadsheet who saves it then.
    fn fill(&self, file: &Path, id: &str, column: &str, value: &str) {
        // Time goes by between two looks at a file.
        std::thread::sleep(Duration::from_millis(5));
        let text = std::fs::read_to_string(file).unwrap();
        let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
        let names = reader.headers().unwrap().clone();
        let place = names.iter().position(|name| name == column).unwrap();
        let mut writer = csv::Writer::from_path(file).unwrap();
        writer.write_record(&names).unwrap();
        for record in reader.records() {
            let record = record.unwrap();
            let is_it = &record[0] == id;
            let cell = |(at, cell)| if is_it && at == place { value } else { cell };
            writer.write_record(record.iter().enumerate().map(cell)).unwrap();
        }
        writer.flush().unwrap();
    }

    /// The folder of FiftyOne, and what it would export of it with some samples changed.
    fn fiftyone(&self, marks: Option<PathBuf>, change: impl Fn(&mut Value)) -> PathBuf {
        let pictures = self.path("pictures");
        std::fs::create_dir(&pictures).unwrap();
        for id in IDS {
            image::RgbImage::new(2, 2).save(pictures.join(format!("{id}.png"))).unwrap();
        }
        let contents = Contents::open(Source::Folder(pictures), &self.table).unwrap();
        let to = self.path("fiftyone");
        let outgoing = Outgoing::new(&self.table, &wanted(marks)).unwrap();
        out::fiftyone::write(&outgoing, &contents, &to).unwrap();
        let file = to.join("samples.json");
        let mut all: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        all["samples"].as_array_mut().unwrap().iter_mut().for_each(change);
        std::fs::write(&file, all.to_string()).unwrap();
        to
    }

    fn read(&self, file: &Path) -> Result<Answers, ExchangeError> {
        let about = About::of(&self.table, None)?;
        match file.extension() {
            Some(_) => back::csv::read(&about, file, "ann"),
            None => back::fiftyone::read(&about, file, "ann"),
        }
    }

    /// What is heard, and of how many examples nothing is.
    fn heard(&self, file: &Path) -> (Vec<Heard>, usize) {
        let read = self.read(file).unwrap();
        let ids = self.table.own_ids().unwrap();
        let one = |said: &back::Said| (ids.text(said.row), said.mark, said.label.clone());
        (read.said.iter().map(one).collect(), read.silent)
    }

    /// Takes a file in.
    fn back(&self, file: &Path) -> Marked {
        let about = About::of(&self.table, None).unwrap();
        back::write(&about, vec![self.read(file).unwrap()], true, &self.marks()).unwrap()
    }
}

#[test]
fn what_was_exported_says_nothing_as_it_comes_back() {
    let there = There::marked();
    let file = there.csv(Some(there.marks()));
    assert_eq!(there.heard(&file), (vec![], 4));
    // Changed where there was something, filled in where there was nothing; bob's other marks are not ann's.
    there.fill(&file, "a", "right_label", "cat");
    there.fill(&file, "c", "mark", "drop");
    let expected = vec![heard("a", Verdict::Keep, None), heard("c", Verdict::Drop, None)];
    assert_eq!(there.heard(&file), (expected.clone(), 2));
    there.fill(&file, "b", "mark", "");
    assert_eq!(there.heard(&file), (expected, 2));
    let notes = there.read(&file).unwrap().notes;
    assert!(notes[0].contains("1 marks that were exported are not there any more"), "{notes:?}");
}

#[test]
fn a_file_that_is_saved_again_does_not_say_again_what_it_said() {
    let there = There::new(table());
    let file = there.csv(None);
    there.fill(&file, "a", "mark", "wrong");
    assert_eq!(there.back(&file).wrong, 1);
    // Ann looks again, in the explorer; later she goes on with other rows of the file.
    let later = datadiet_table::mark_time(Some(&back::saved_at(&file).unwrap()));
    there.mark("ann", &later, Verdict::Keep, None, "a");
    there.fill(&file, "c", "mark", "drop");
    let read = there.back(&file);
    assert_eq!((read.wrong, read.drop, read.known), (0, 1, 1));
    // What she says anew in it is new, also what she had said once.
    for (mark, expected) in [("unsure", (0, 1)), ("wrong", (1, 0))] {
        there.fill(&file, "a", "mark", mark);
        let read = there.back(&file);
        assert_eq!((read.wrong, read.unsure), expected, "{mark}");
    }
}

#[test]
fn what_is_said_again_to_a_later_mark_is_new() {
    let there = There::new(table());
    let file = there.csv(None);
    there.fill(&file, "a", "mark", "drop");
    assert_eq!(there.back(&file).drop, 1);
    let keep = |file: &Path| {
        let later = datadiet_table::mark_time(Some(&back::saved_at(file).unwrap()));
        there.mark("ann", &later, Verdict::Keep, None, "a");
    };
    keep(&file);
    // Exported with that mark, and dropped as before it.
    std::fs::remove_file(&file).unwrap();
    std::fs::remove_file(there.path("out.card.json")).unwrap();
    let file = there.csv(Some(there.marks()));
    there.fill(&file, "a", "mark", "drop");
    let read = there.back(&file);
    assert_eq!((read.drop, read.known), (1, 0));
    // Kept again, the same file is saved for another row: it says of this one what it said.
    keep(&file);
    there.fill(&file, "c", "mark", "drop");
    let read = there.back(&file);
    assert_eq!((read.drop, read.known), (1, 1));
}

#[test]
fn rows_that_lost_their_ids_are_refused_where_something_is_filled_in() {
    let there = There::new(table());
    let file = there.path("filled.csv");
    let read = |text: &str| {
        std::fs::write(&file, format!("id,mark,right_label,label\n{text}")).unwrap();
        there.read(&file).map(|read| read.said.len()).map_err(|error| error.to_string())
    };
    assert_eq!(read("a,drop,,\n,,,\n"), Ok(1));
    for lost in [",drop,,", " ,,cat,", ",,,cat"] {
        let refused = read(&format!("a,drop,,\n{lost}\n")).unwrap_err();
        assert!(refused.contains("line 3 has no id"), "{refused}");
    }
}

#[test]
fn marks_are_not_added_to_a_file_of_something_else() {
    let there = There::new(table());
    let file = there.csv(None);
    there.fill(&file, "a", "mark", "wrong");
    let about = About::of(&there.table, None).unwrap();
    let to = there.path("mine.parquet");
    there.table.write(&to).unwrap();
    let before = std::fs::read(&to).unwrap();
    let answers = || vec![there.read(&file).unwrap()];
    let refused = back::write(&about, answers(), true, &to).unwrap_err().to_string();
    assert!(refused.contains("no file of marks"), "{refused}");
    assert_eq!(std::fs::read(&to).unwrap(), before);
    std::fs::write(there.marks(), "{\"marks\":1}\nhalf a li\n").unwrap();
    let notes = back::write(&about, answers(), true, &there.marks()).unwrap().notes;
    assert!(notes[0].contains("1 lines of"), "{notes:?}");
}

#[test]
fn labels_that_were_others_as_they_were_exported_are_refused() {
    let mut there = There::new(table());
    let file = there.csv(None);
    let mut turned = Table::default();
    for name in there.table.columns().names() {
        let column = match name {
            "label" => Column::U32(vec![1, 0, 1, 1]),
            "class" => texts(&["dog", "cat", "dog", "dog"]),
            name => there.table.columns().column(name).unwrap().clone(),
        };
        turned.push(name, column).unwrap();
    }
    there.table = ScoreTable::of(turned).unwrap();
    let refused = there.read(&file).unwrap_err().to_string();
    assert!(refused.contains("1 examples were labelled otherwise"), "{refused}");
}

#[test]
fn a_corrected_label_that_is_set_back_is_heard() {
    let there = There::marked();
    let back = there.fiftyone(Some(there.marks()), |sample| {
        if sample["key"] == "a" {
            assert_eq!(sample["ground_truth"]["label"], "dog");
            sample["ground_truth"]["label"] = json!("cat");
        }
        if sample["key"] == "b" {
            sample["tags"].as_array_mut().unwrap().push(json!("drop"));
        }
    });
    let expected = vec![heard("a", Verdict::Keep, None), heard("b", Verdict::Drop, None)];
    assert_eq!(there.heard(&back), (expected, 2));
}

/// What appears while an export is written is not taken for it, and not written over.
#[test]
fn what_appears_meanwhile_is_left_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("out");
    let made = datadiet_table::make_folder_atomically(&to, |_| {
        std::fs::create_dir(&to).unwrap();
        std::fs::write(to.join("theirs"), "").unwrap();
        Ok::<_, datadiet_table::FileError>(())
    });
    assert!(!made.unwrap());
    let to = folder.path().join("out.csv");
    let written = datadiet_table::write_new_atomically(&to, |_| std::fs::write(&to, "theirs"));
    assert!(written.is_err());
    assert_eq!(std::fs::read_to_string(&to).unwrap(), "theirs");
}

/// The label that looks wrong is a name of no class that the table knows: tags come back, and it says nothing.
#[test]
fn several_labels_go_to_fiftyone_and_tags_come_back() {
    let mut several = Table::default();
    several.push("key", texts(&IDS)).unwrap();
    several.push("least-aum@1", Column::F32(vec![-1.0, 2.0, 3.0, 4.0])).unwrap();
    several.push("least-aum-label@1", texts(&["cat", "dog", "cat", "owl"])).unwrap();
    several.push("least-aum-given@1", Column::U32(vec![1, 0, 1, 1])).unwrap();
    let card = Card { task: Task::MultiLabel, ..Card::new(Vec::new()) };
    let there = There::new(ScoreTable::new(several, card));
    let back = there.fiftyone(None, |sample| {
        assert_eq!(sample["ground_truth"], Value::Null);
        assert!(sample["given_label"].is_string());
        if sample["key"] == "c" {
            sample["tags"].as_array_mut().unwrap().push(json!("drop"));
        }
    });
    assert_eq!(there.heard(&back), (vec![heard("c", Verdict::Drop, None)], 3));
}

#[test]
fn images_that_share_a_name_or_an_id_are_refused() {
    let there = There::new(table());
    let outgoing = Outgoing::new(&there.table, &wanted(None)).unwrap();
    let image = |id: u32, name: &str| json!({ "id": id, "file_name": name });
    let coco = |more: Value| {
        let names = (1..).zip(IDS).map(|(id, name)| image(id, name));
        let images: Vec<Value> = names.chain([more]).collect();
        let from = there.path("instances.json");
        std::fs::write(&from, json!({ "images": images }).to_string()).unwrap();
        out::coco::write(&outgoing, &Contents::None, Some(&from), &there.path("kept.json"))
            .map_err(|error| error.to_string())
    };
    let refused = coco(image(5, "a")).unwrap_err();
    assert!(refused.contains("more than one image: \"a\""), "{refused}");
    let refused = coco(image(1, "e")).unwrap_err();
    assert!(refused.contains("two of its images have the id 1"), "{refused}");
    assert_eq!(coco(image(5, "e")).unwrap().examples, 4);
}
