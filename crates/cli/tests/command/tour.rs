//! `datadiet tour`, as somebody meets it who has nothing else: an empty home, no network.

use std::path::Path;
use std::process::{Output, Stdio};

use assert_cmd::Command;
use datadiet_data::{DataHome, Dataset};
use datadiet_table::Table;
use serde_json::Value;

use crate::support::{Home, errors};

const IMAGES: usize = 5_000;
const CHANGED: usize = 250;
const EPOCHS: usize = 10;
const CLASSES: usize = 10;

/// An empty home, in which the command is run.
struct Visitor(tempfile::TempDir);

impl Visitor {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn home(&self) -> &Path {
        self.0.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::cargo_bin("datadiet").unwrap();
        command.current_dir(self.home()).args(arguments).env("HOME", self.home());
        for name in ["DATADIET_HOME", "XDG_DATA_HOME", "DATADIET_WORKER"] {
            command.env_remove(name);
        }
        // Whoever asks the network is refused.
        for name in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"] {
            command.env(name, "http://127.0.0.1:1");
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(&[&["tour"], arguments].concat()).output().unwrap()
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", errors(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[arguments, &["--json"]].concat())).unwrap()
    }

    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
        errors(&output)
    }
}

fn number(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

/// The labels, and which of them were changed.
fn changes(folder: &Path) -> (Vec<usize>, Vec<bool>) {
    let text = std::fs::read_to_string(folder.join("changed.csv")).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("id,label,original,changed"));
    let (mut labels, mut changed) = (Vec::new(), Vec::new());
    for (place, line) in lines.enumerate() {
        let cells: Vec<usize> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
        let [id, label, original, flag] = cells[..] else { panic!("{line}") };
        assert_eq!((id, flag), (place, usize::from(label != original)));
        assert!(label < CLASSES && original < CLASSES);
        labels.push(label);
        changed.push(flag == 1);
    }
    (labels, changed)
}

/// An array of a run: its sides and its numbers.
fn array(folder: &Path, run: usize, name: &str) -> (Vec<u64>, Vec<f64>) {
    let path = folder.join(format!("logits/run{run}.npz"));
    let file = datadiet_arrays::open(&path, &|_| true).unwrap().unwrap();
    let place = file.arrays().iter().position(|array| array.name == name).unwrap();
    let array = file.arrays()[place].clone();
    let mut bytes = file.read_all(place).unwrap();
    let element = array.element;
    let numbers = if element.is_float() {
        element.numbers(&mut bytes)
    } else {
        let whole = element.integers(&mut bytes).unwrap();
        whole.into_iter().map(|number| number as f64).collect()
    };
    (array.shape, numbers)
}

/// Area under the margin by its definition, the mean over three trainings.
fn aum(folder: &Path, labels: &[usize]) -> Vec<f64> {
    let mut sums = vec![0.0; IMAGES];
    for run in 1..=3 {
        let (shape, logits) = array(folder, run, "logits");
        assert_eq!(shape, [EPOCHS as u64, IMAGES as u64, CLASSES as u64]);
        for (place, row) in logits.chunks_exact(CLASSES).enumerate() {
            let label = labels[place % IMAGES];
            let others = (0..CLASSES).filter(|&class| class != label).map(|class| row[class]);
            let margin = row[label] - others.fold(f64::NEG_INFINITY, f64::max);
            sums[place % IMAGES] += margin / (3 * EPOCHS) as f64;
        }
    }
    sums
}

#[test]
fn it_tells_how_many_of_the_changed_labels_it_found() {
    let visitor = Visitor::new();
    let answer = visitor.json(&[]);
    let made: Vec<_> = std::fs::read_dir(visitor.home()).unwrap().collect();
    assert_eq!(made.len(), 1, "everything is in one folder: {made:?}");
    let folder = visitor.home().join("datadiet-tour");
    let (labels, changed) = changes(&folder);
    let count = |rows: &[usize]| rows.iter().filter(|&&row| changed[row]).count();

    let aum = aum(&folder, &labels);
    let mut order: Vec<usize> = (0..IMAGES).collect();
    order.sort_by(|&a, &b| aum[a].total_cmp(&aum[b]));
    let suspects = &answer["suspects"];
    assert_eq!(suspects["by"], "aum@10");
    let listed = number(&suspects["listed"]);
    assert_eq!(number(&suspects["listed_changed"]), count(&order[..listed]));
    let found = number(&suspects["likeliest_changed"]);
    assert_eq!(found, count(&order[..CHANGED]));
    assert!(answer["wrong_labels"]["count"].as_u64().is_some_and(|n| (150..400).contains(&n)));

    let half = Table::read(&folder.join("half.parquet")).unwrap();
    let rows: Vec<usize> = half.integers("id").unwrap().iter().map(|&id| id as usize).collect();
    assert_eq!((rows.len(), number(&answer["half"]["kept"])), (IMAGES / 2, IMAGES / 2));
    assert_eq!(number(&answer["half"]["changed"]), count(&rows));
    // What README quotes, and the half of which the tour tells what it was worth when it was recorded.
    assert_eq!((count(&order[..listed]), found, count(&rows)), (59, 217, 19));

    let page = std::fs::read_to_string(answer["report"].as_str().unwrap()).unwrap();
    let tiles = page.matches("data:image/").count();
    assert!(tiles >= 2 * 4 * CLASSES + 40, "{tiles} pictures on the page");
    assert!(page.contains("Ankle boot"));
    let picture = image::open(visitor.home().join(answer["picture"].as_str().unwrap())).unwrap();
    assert!(picture.width() > 400 && picture.height() > 400);
    assert_eq!(answer["opened"], false);
}

#[test]
fn what_was_recorded_is_as_told() {
    let visitor = Visitor::new();
    let answer = visitor.json(&["--out", "here"]);
    let folder = visitor.home().join("here");
    let (labels, changed) = changes(&folder);
    assert_eq!(labels.len(), IMAGES);
    assert_eq!(changed.iter().filter(|&&changed| changed).count(), CHANGED);
    for run in 1..=3 {
        for (name, expected) in [("labels", &labels), ("ids", &(0..IMAGES).collect())] {
            let (shape, numbers) = array(&folder, run, name);
            assert_eq!(shape, [IMAGES as u64]);
            assert!(numbers.iter().zip(expected).all(|(&a, &b)| a == b as f64), "{name}");
        }
    }
    for (name, expected) in
        [("images", IMAGES), ("changed", CHANGED), ("classes", CLASSES), ("trainings", 3)]
    {
        assert_eq!(number(&answer[name]), expected, "{name}");
    }
    let said = visitor.ok(&["--out", "here"]);
    assert!(said.starts_with("5,000 images of Fashion-MNIST, 250 of their labels changed"));
    assert!(said.contains("after each of ten epochs") && said.contains("three\nsmall networks"));
    // The sample in git is the beginning of the same images, with the labels as they were.
    let open = |home: &Path, name: &str| Dataset::open(&DataHome::new(home.join("data")), name);
    let sample = Home::with_sample();
    let known = open(sample.path(), "sample").unwrap();
    let tour = open(&folder.join("home"), "tour").unwrap();
    assert_eq!(tour.classes(), known.classes());
    let (known, tour) = (known.train(), tour.train());
    for (place, &changed) in changed.iter().enumerate().take(known.len()) {
        assert_eq!(tour.image(place), known.image(place));
        assert_eq!(tour.labels[place] != known.labels[place], changed);
    }
}

#[test]
fn every_command_that_it_shows_works_when_it_is_typed() {
    let visitor = Visitor::new();
    let answer = visitor.json(&["--out", "it's a tour"]);
    let commands: Vec<&str> =
        answer["commands"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    let said = visitor.ok(&["--out", "it's a tour"]);
    assert!(commands.iter().all(|line| said.contains(line)), "{said}");
    let found = &answer["suspects"];
    for (count, of) in [("listed_changed", "listed"), ("likeliest_changed", "")] {
        let of = if of.is_empty() { CHANGED } else { number(&found[of]) };
        let text = format!("{} of the {of} ", number(&found[count]));
        assert!(said.contains(&text), "{text}: {said}");
    }

    let folder = visitor.home().join("it's a tour");
    let made = ["scores/scores.parquet", "suspects.png", "half.parquet", "report.html"];
    let contents = || made.map(|name| std::fs::read(folder.join(name)).unwrap());
    let before = contents();
    std::fs::remove_dir_all(folder.join("home")).unwrap();
    std::fs::remove_dir_all(folder.join("scores")).unwrap();
    made[1..].iter().for_each(|name| std::fs::remove_file(folder.join(name)).unwrap());
    for line in commands {
        let output = std::process::Command::new("sh")
            .args(["-c", line])
            .current_dir(visitor.home())
            .env("HOME", visitor.home())
            .env_remove("DATADIET_HOME")
            .output()
            .unwrap();
        assert!(output.status.success(), "{line}\n{}", errors(&output));
    }
    for ((name, before), after) in made.iter().zip(before).zip(contents()) {
        assert!(before == after, "{name} is another one when its command is typed");
    }
}

#[test]
fn it_runs_again_over_what_it_left() {
    let visitor = Visitor::new();
    let first = visitor.json(&[]);
    let folder = visitor.home().join("datadiet-tour");
    std::fs::write(folder.join("notes.txt"), "mine").unwrap();
    std::fs::write(folder.join("logits/run2.npz"), "cut off").unwrap();
    std::fs::write(folder.join("scores/scores.json"), "{}").unwrap();
    std::fs::write(folder.join("home/data/tour/dataset.safetensors"), "cut off").unwrap();
    assert_eq!(visitor.json(&[]), first);
    assert_eq!(std::fs::read_to_string(folder.join("notes.txt")).unwrap(), "mine");

    // Killed wherever it is: the next one begins anew.
    for milliseconds in [0, 20, 80, 320] {
        let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("datadiet"))
            .args(["tour", "--out", "killed"])
            .current_dir(visitor.home())
            .env("HOME", visitor.home())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        let _ = child.kill();
        child.wait().unwrap();
    }
    let after = visitor.json(&["--out", "killed"]);
    assert_eq!(after["suspects"], first["suspects"]);
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let visitor = Visitor::new();
    let home = visitor.home();
    std::fs::create_dir_all(home.join("mine/images")).unwrap();
    std::fs::write(home.join("mine/images/cat.jpg"), "a cat").unwrap();
    std::fs::write(home.join("mine/README.txt"), "my cats").unwrap();
    let message = visitor.refused(&["--out", "mine"]);
    assert!(message.contains("mine") && message.contains("--out DIR"), "{message}");
    assert_eq!(std::fs::read_to_string(home.join("mine/images/cat.jpg")).unwrap(), "a cat");
    assert_eq!(std::fs::read_to_string(home.join("mine/README.txt")).unwrap(), "my cats");
    std::fs::write(home.join("file"), "mine").unwrap();
    for out in ["file", "file/tour"] {
        let message = visitor.refused(&["--out", out]);
        assert!(message.contains(out) && message.contains("--out DIR"), "{message}");
    }
    assert_eq!(std::fs::read_to_string(home.join("file")).unwrap(), "mine");
    // An empty one is free.
    std::fs::create_dir(home.join("empty")).unwrap();
    assert_eq!(number(&visitor.json(&["--out", "empty"])["images"]), IMAGES);
}
