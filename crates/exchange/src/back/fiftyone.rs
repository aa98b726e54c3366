//! A data set of FiftyOne that was exported from it, `fiftyone.types.FiftyOneDataset`: another label in `ground_truth`
//! than it had as it was written for FiftyOne, and the tags wrong, drop, keep and unsure, of samples or of that label,
//! but for the one that it had then.
//!
//! A label that was taken away is a wrong one, where other samples have theirs. A sample says when it was changed last;
//! FiftyOne does not say by whom.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use datadiet_table::{FileError, Verdict};
use serde::Deserialize;
use serde_json::Value;

use super::{About, Answers, Heard, saved_at, time, verdict};
use crate::ExchangeError;

#[derive(Deserialize)]
struct Samples {
    samples: Vec<Sample>,
}

#[derive(Deserialize)]
struct Sample {
    key: Option<String>,
    #[serde(default)]
    filepath: String,
    #[serde(default)]
    tags: Vec<String>,
    ground_truth: Option<Label>,
    given_label: Option<String>,
    exported_label: Option<String>,
    exported_mark: Option<String>,
    last_modified_at: Option<Value>,
}

#[derive(Deserialize)]
struct Label {
    label: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
}

/// Reads what somebody, `by`, did: of the folder of an export, or its `samples.json`.
///
/// # Errors
/// When it is none, a sample has no `key`, or an id or a class is unknown.
pub fn read(about: &About<'_>, path: &Path, by: &str) -> Result<Answers, ExchangeError> {
    let file: PathBuf = if path.is_dir() { path.join("samples.json") } else { path.to_owned() };
    let refused = |why: String| ExchangeError::refused(format!("{}: {why}", path.display()));
    let opened = File::open(&file).map_err(FileError::io("read", &file))?;
    let read: Samples = match serde_json::from_reader(BufReader::new(opened)) {
        Ok(read) => read,
        Err(error) => {
            return refused(format!(
                "it is no export of FiftyOne ({error}): export with \
                 dataset.export(DIR, dataset_type=fiftyone.types.FiftyOneDataset)"
            ));
        }
    };
    let saved = saved_at(&file)?;
    let has_labels = read.samples.iter().any(|sample| sample.ground_truth.is_some());
    let mut answers = Answers::default();
    for sample in &read.samples {
        let Some(key) = &sample.key else {
            return refused(format!(
                "the sample of {:?} has no field `key`: it was not exported by datadiet",
                sample.filepath
            ));
        };
        let given = about.row(key).and_then(|row| about.given(row));
        // Of a sample that does not tell what was exported the table says it.
        let exported = sample.exported_label.as_deref().or(given);
        let label = sample.ground_truth.as_ref().and_then(|truth| truth.label.as_deref());
        let label_tags = sample.ground_truth.iter().flat_map(|truth| &truth.tags);
        let mut marks: Vec<Verdict> =
            sample.tags.iter().chain(label_tags).filter_map(|tag| verdict(tag)).collect();
        let exported_mark = sample.exported_mark.as_deref().and_then(verdict);
        let emptied = exported_mark.is_some_and(|mark| !marks.contains(&mark));
        marks.retain(|mark| Some(*mark) != exported_mark);
        marks.dedup();
        if has_labels && label.is_none() && exported.is_some() && marks.is_empty() {
            marks.push(Verdict::Wrong);
        }
        let at = sample.last_modified_at.as_ref().and_then(date).unwrap_or_else(|| saved.clone());
        let classes = label.into_iter().filter(|label| Some(*label) != exported).collect();
        let heard = Heard {
            id: key,
            labelled: sample.given_label.as_deref(),
            classes,
            marks,
            skipped: false,
            exported: exported_mark,
            emptied,
            by: by.to_owned(),
            at,
        };
        about.hear(&mut answers, heard);
    }
    if !has_labels && about.labels.is_some() {
        answers.notes.push("no sample has a `ground_truth`: only tags are read".into());
    }
    answers.checked(about, path)
}

/// A date as MongoDB writes it into JSON: a text, or milliseconds.
fn date(value: &Value) -> Option<String> {
    match &value["$date"] {
        Value::String(text) => time::of_text(text),
        Value::Number(millis) => Some(datadiet_table::time_text(millis.as_u64()?)),
        _ => None,
    }
}
