//! Which folder is which class, and what classes are called.
//!
//! A file `classes.csv` with the columns `folder` and `class`, which exports write, gives the order
//! and the names. Without it classes are in the order of their folders' names; folders named by
//! WordNet ids (`n01443537`) get their words from `words.txt`, `LOC_synset_mapping.txt` or
//! `synset_words.txt`, as Tiny ImageNet and ImageNet publish them. Folders and classes are always
//! joined by name, never by position.

use crate::{DataError, Result};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// The list of classes that exports write and imports read.
const LIST: &str = "classes.csv";
const COLUMNS: [&str; 2] = ["folder", "class"];

/// Lists of the words of WordNet ids.
const WORDS: [&str; 3] = ["words.txt", "LOC_synset_mapping.txt", "synset_words.txt"];

/// The classes in order, each with its folder.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Classes {
    pub folders: Vec<String>,
    places: HashMap<String, usize>,
    pub names: Vec<String>,
    /// The file that the order or the names are from.
    pub source: Option<PathBuf>,
}

impl Classes {
    /// The classes of a data set at `root` whose training folders are given.
    pub(crate) fn of(root: &Path, training: impl Iterator<Item = String>) -> Result<Self> {
        let mut folders: Vec<String> = training.collect();
        folders.sort();
        folders.dedup();
        if let Some(listed) = Self::listed(root)? {
            let missing = folders.iter().find(|folder| !listed.places.contains_key(*folder));
            let Some(missing) = missing else { return Ok(listed) };
            let problem =
                format!("it does not list the folder `{missing}`; add it, or remove the list");
            return Err(DataError::bad_file(&root.join(LIST), problem));
        }
        let (names, source) = match words(root, &folders)? {
            Some((names, source)) => (names, Some(source)),
            None => (folders.clone(), None),
        };
        Ok(Self::new(folders, names, source))
    }

    fn new(folders: Vec<String>, names: Vec<String>, source: Option<PathBuf>) -> Self {
        let places = folders.iter().cloned().zip(0..).collect();
        Self { folders, places, names, source }
    }

    /// The number of the class of a folder.
    pub(crate) fn of_folder(&self, folder: &str) -> Option<usize> {
        self.places.get(folder).copied()
    }

    /// Classes and folders by `classes.csv`, if there is one with its columns.
    fn listed(root: &Path) -> Result<Option<Self>> {
        let path = root.join(LIST);
        if !path.is_file() {
            return Ok(None);
        }
        let bad = |error: csv::Error| DataError::bad_file(&path, error.to_string());
        // As spreadsheets save it: with a byte-order mark, with semicolons, columns in any order.
        let text = std::fs::read_to_string(&path).map_err(DataError::io("read", &path))?;
        let text = text.trim_start_matches('\u{feff}');
        let first = text.lines().next().unwrap_or_default();
        let delimiter = if first.contains(';') && !first.contains(',') { b';' } else { b',' };
        let mut reader =
            csv::ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_bytes());
        let header = reader.headers().map_err(bad)?.clone();
        let place = |name: &str| header.iter().position(|column| column.trim() == name);
        let (folder, class) = match COLUMNS.map(place) {
            [Some(folder), Some(class)] => (folder, class),
            [None, None] => return Ok(None),
            _ => {
                let problem = format!(
                    "its first line is `{first}`; a list of classes has the columns `folder` and `class`: \
                     name them so, or remove the list"
                );
                return Err(DataError::bad_file(&path, problem));
            }
        };
        let (mut folders, mut names) = (Vec::new(), Vec::new());
        for row in reader.records() {
            let row = row.map_err(bad)?;
            folders.push(row[folder].to_owned());
            names.push(row[class].to_owned());
        }
        let listed = Self::new(folders, names, Some(path.clone()));
        if listed.places.len() < listed.folders.len() {
            return Err(DataError::bad_file(
                &path,
                "it lists a folder twice; remove one of the lines",
            ));
        }
        Ok(Some(listed))
    }

    /// Writes `classes.csv` below a folder.
    pub(crate) fn write(root: &Path, folders: &[String], names: &[String]) -> Result<()> {
        let path = root.join(LIST);
        let failed =
            |error: csv::Error| DataError::io("write", &path)(std::io::Error::other(error));
        let mut writer = csv::Writer::from_path(&path).map_err(failed)?;
        writer.write_record(COLUMNS).map_err(failed)?;
        for row in folders.iter().zip(names) {
            writer.serialize(row).map_err(failed)?;
        }
        writer.flush().map_err(DataError::io("write", &path))
    }
}

/// Whether a name is `n` and eight digits.
fn is_wordnet_id(name: &str) -> bool {
    name.strip_prefix('n')
        .is_some_and(|digits| digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The words of WordNet ids, if all names are some and a list of words knows them all. Words of
/// several ids get the id with them.
fn words(root: &Path, ids: &[String]) -> Result<Option<(Vec<String>, PathBuf)>> {
    if ids.is_empty() || !ids.iter().all(|id| is_wordnet_id(id)) {
        return Ok(None);
    }
    let Some(path) = WORDS.iter().map(|name| root.join(name)).find(|path| path.is_file()) else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(&path).map_err(DataError::io("read", &path))?;
    let lines = text.lines().filter_map(|line| line.split_once([' ', '\t']));
    let words: HashMap<&str, &str> = lines.map(|(id, words)| (id.trim(), words.trim())).collect();
    let Some(names) =
        ids.iter().map(|id| words.get(id.as_str()).copied()).collect::<Option<Vec<_>>>()
    else {
        return Ok(None);
    };
    let (mut seen, mut twice) = (HashSet::new(), HashSet::new());
    twice.extend(names.iter().copied().filter(|&name| !seen.insert(name)));
    let name = |(name, id): (&&str, &String)| match twice.contains(*name) {
        true => format!("{name} ({id})"),
        false => (*name).to_owned(),
    };
    Ok(Some((names.iter().zip(ids).map(name).collect(), path)))
}
