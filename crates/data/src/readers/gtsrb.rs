//! The German Traffic Sign Recognition Benchmark, as its authors and as Kaggle publish it.
//!
//! Kaggle: `Train.csv` and `Test.csv` with the columns `Path` and `ClassId`. Authors:
//! `Final_Training/Images/00000/GT-00000.csv`, … (also `Training/`), with the columns `Filename` and
//! `ClassId` between semicolons, and `Final_Test/Images` with `GT-final_test.csv`, which is a download
//! of its own and may lie in the given folder. Labels are the class ids of these lists, not places of
//! folders. Whole pictures are read, not their regions. A test split without class ids is left out.
//! Source: <https://benchmark.ini.rub.de/gtsrb_dataset.html>.

use super::class_folders::is_picture;
use super::walk::{entries, names, walk};
use super::{class_indices, file_name, numbered_classes};
use crate::images::{Labelled, Picture, decode_splits};
use crate::{DataError, ImportNotes, ImportOptions, RawDataset, Result};
use datadiet_core::Progress;
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

const CLASS: &str = "ClassId";
const TEST_LISTS: [&str; 2] = ["GT-final_test.csv", "GT-final_test.test.csv"];

/// Whether the lists of training pictures are there.
pub(crate) fn detect(root: &Path) -> bool {
    lists(root).is_ok_and(|lists| lists.is_some())
}

/// Lists of the pictures of both splits.
#[derive(Default)]
struct Lists {
    train: Vec<PathBuf>,
    test: Vec<PathBuf>,
    /// Where pictures of the splits lie.
    folders: Vec<PathBuf>,
}

fn lists(root: &Path) -> Result<Option<Lists>> {
    if !root.is_dir() {
        return Ok(None);
    }
    let existing = |path: PathBuf| path.exists().then_some(path);
    if let Some(train) = existing(root.join("Train.csv")) {
        let test = existing(root.join("Test.csv")).into_iter().collect();
        let folders = ["Train", "Test"].iter().filter_map(|name| existing(root.join(name)));
        let lists = Lists { train: vec![train], test, folders: folders.collect() };
        let labelled = columns(&lists.train[0])?.is_some_and(|columns| columns.class.is_some());
        return Ok(labelled.then_some(lists));
    }
    let training = ["Final_Training/Images", "Training"].map(|name| existing(root.join(name)));
    let Some(training) = training.into_iter().flatten().next() else { return Ok(None) };
    let mut lists = Lists::default();
    for class in entries(&training)?.folders {
        let files = entries(&class)?.files;
        lists.train.extend(files.into_iter().filter(|file| {
            let name = file_name(file);
            name.starts_with("GT-") && name.ends_with(".csv")
        }));
    }
    lists.folders.push(training);
    if let Some(test) = existing(root.join("Final_Test/Images")) {
        let places = TEST_LISTS.iter().flat_map(|name| [root.join(name), test.join(name)]);
        lists.test.extend(places.filter_map(existing).next());
        lists.folders.push(test);
    }
    Ok(Some(lists).filter(|lists| !lists.train.is_empty()))
}

/// Reads all pictures.
pub(crate) fn read(
    root: &Path,
    options: &ImportOptions,
    progress: &dyn Progress,
) -> Result<RawDataset> {
    let Some(lists) = lists(root)? else {
        let problem = format!(
            "there is neither Train.csv with Path and {CLASS} nor Final_Training/Images/*/GT-*.csv; \
             give the folder that holds them"
        );
        return Err(DataError::bad_file(root, problem));
    };
    let mut notes = ImportNotes::default();
    let mut train = Listed::default();
    lists.train.iter().try_for_each(|list| train.add(root, list))?;
    let mut test = Listed::default();
    lists.test.iter().try_for_each(|list| test.add(root, list))?;
    leave_out(root, &lists, &train, &test, &mut notes)?;
    let classes = numbered_classes(&[&train.labels, &test.labels])?;
    let labelled = |split, listed: Listed| -> Result<Labelled> {
        let labels = class_indices(split, &listed.labels, classes.len())?;
        Ok(Labelled { pictures: listed.files.into_iter().map(Picture::File).collect(), labels })
    };
    let test = if test.files.is_empty() { None } else { Some(labelled("test", test)?) };
    let train = labelled("train", train)?;
    let decoded = decode_splits(train, test, options, progress, &mut notes)?;
    let source = format!("GTSRB from {}", file_name(root));
    Ok(RawDataset::of_pictures(classes, decoded, source, notes))
}

/// Pictures with their class ids, in the order of the lists.
#[derive(Default)]
struct Listed {
    files: Vec<PathBuf>,
    labels: Vec<i64>,
}

/// Where a list has the file and, in a list of labels, the class.
struct Columns {
    file: usize,
    class: Option<usize>,
    /// Whether files are seen from the root, not from the list's folder.
    from_root: bool,
    delimiter: u8,
}

/// The columns of a list; `None` if it names no files.
fn columns(list: &Path) -> Result<Option<Columns>> {
    let text = std::fs::read(list).map_err(DataError::io("read", list))?;
    let line =
        String::from_utf8_lossy(text.split(|&byte| byte == b'\n').next().unwrap_or_default());
    let delimiter = if line.contains(';') { ';' } else { ',' };
    let names: Vec<&str> = line
        .trim_start_matches('\u{feff}')
        .split(delimiter)
        .map(|name| name.trim().trim_matches('"'))
        .collect();
    let place = |wanted: &str| names.iter().position(|name| name.eq_ignore_ascii_case(wanted));
    let Some(file) = place("Path").or_else(|| place("Filename")) else { return Ok(None) };
    let from_root = place("Path").is_some();
    Ok(Some(Columns { file, class: place(CLASS), from_root, delimiter: delimiter as u8 }))
}

impl Listed {
    /// Adds what a list says; nothing if it has no class ids.
    fn add(&mut self, root: &Path, list: &Path) -> Result<()> {
        let bad = |problem: String| DataError::bad_file(list, problem);
        let Some(columns) = columns(list)? else {
            return Err(bad("it has neither a column Path nor Filename; download it again".into()));
        };
        let Some(class) = columns.class else { return Ok(()) };
        let near = list.parent().unwrap_or(root);
        let images = root.join("Final_Test/Images");
        let folder = match (columns.from_root, TEST_LISTS.contains(&&*file_name(list))) {
            (true, _) => root,
            (false, true) => &images,
            (false, false) => near,
        };
        let mut builder = csv::ReaderBuilder::new();
        let builder = builder.delimiter(columns.delimiter).trim(csv::Trim::All);
        let mut reader = builder.from_path(list).map_err(|error| bad(error.to_string()))?;
        for (line, row) in reader.records().zip(2..) {
            let row_of = |problem: &str| bad(format!("line {row} {problem}; correct or remove it"));
            let cells = line.map_err(|error| bad(error.to_string()))?;
            let file = Path::new(cells.get(columns.file).unwrap_or_default());
            if !file.components().all(|part| matches!(part, Component::Normal(_))) {
                return Err(row_of("has a file outside of the folder"));
            }
            let label = cells.get(class).and_then(|cell| cell.parse().ok());
            self.labels.push(label.ok_or_else(|| row_of("has no whole number as class id"))?);
            self.files.push(folder.join(file));
        }
        Ok(())
    }
}

/// Notes pictures that no list has, and what else is there.
fn leave_out(
    root: &Path,
    lists: &Lists,
    train: &Listed,
    test: &Listed,
    notes: &mut ImportNotes,
) -> Result<()> {
    let used: BTreeSet<&PathBuf> = train.files.iter().chain(&test.files).collect();
    let all = walk(root)?;
    let is_list = |file: &PathBuf| lists.train.contains(file) || lists.test.contains(file);
    let mut unlisted = Vec::new();
    let mut other = Vec::new();
    for file in all.files.into_iter().filter(|file| !used.contains(file) && !is_list(file)) {
        let split = lists.folders.iter().any(|folder| file.starts_with(folder));
        if split && is_picture(&file) { unlisted.push(file) } else { other.push(file) }
    }
    let reason = format!("pictures without a {CLASS} in the lists of pictures");
    notes.leave_out(reason, unlisted.len(), names(root, &unlisted));
    notes.leave_out("other files", other.len(), names(root, &other));
    notes.leave_out("hidden files or folders", all.hidden.len(), names(root, &all.hidden));
    Ok(())
}
