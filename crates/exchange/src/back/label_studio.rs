//! Completed tasks of Label Studio, exported as JSON.
//!
//! Each annotation is what one person said: the class under `label`, and `mark` beside it, as in the interface that
//! [`crate::out::label_studio`] writes. Drafts and predictions are not read.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use datadiet_table::FileError;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{About, Answers, Heard, saved_at, time, verdict};
use crate::ExchangeError;
use crate::error::some_of;
use crate::out::label_studio::{LABEL, MARK};

#[derive(Deserialize)]
struct Task {
    data: Option<Map<String, Value>>,
    annotations: Option<Vec<Annotation>>,
}

#[derive(Deserialize)]
struct Annotation {
    #[serde(default)]
    completed_by: Value,
    #[serde(default)]
    was_cancelled: bool,
    #[serde(default)]
    result: Vec<Value>,
    updated_at: Option<String>,
    created_at: Option<String>,
}

/// Reads what everybody said.
///
/// # Errors
/// When it is another export, its tasks are not ours, or an id, a class or a mark is unknown.
pub fn read(about: &About<'_>, path: &Path) -> Result<Answers, ExchangeError> {
    let refused = |why: String| ExchangeError::refused(format!("{}: {why}", path.display()));
    let opened = File::open(path).map_err(FileError::io("read", path))?;
    let tasks: Vec<Task> = match serde_json::from_reader(BufReader::new(opened)) {
        Ok(tasks) => tasks,
        Err(error) => {
            return refused(format!(
                "it is no export of Label Studio ({error}): export the project as JSON"
            ));
        }
    };
    let saved = saved_at(path)?;
    let (mut answers, mut words, mut others) = (Answers::default(), Vec::new(), Vec::new());
    let (mut skipped, mut read) = (0, 0);
    for task in &tasks {
        let (Some(data), Some(annotations)) = (&task.data, &task.annotations) else {
            return refused(
                "its tasks have no `data` and `annotations`: export the project as JSON, not as JSON-MIN or CSV".into(),
            );
        };
        let id = match &data.get("key") {
            Some(Value::String(id)) => id.clone(),
            Some(Value::Number(id)) => id.to_string(),
            _ => {
                return refused(
                    "a task has no `key` in its data: it was not exported by datadiet".into(),
                );
            }
        };
        if annotations.is_empty() {
            answers.silent += 1;
            // An unknown id is one, said or not.
            if about.row(&id).is_none() {
                answers.unknown_ids.push(id);
            }
            continue;
        }
        for annotation in annotations {
            let (mut classes, mut marks) = (Vec::new(), Vec::new());
            let cancelled = annotation.was_cancelled;
            for one in annotation.result.iter().filter(|_| !cancelled) {
                let chosen = one["value"]["choices"].as_array().into_iter().flatten();
                let chosen: Vec<&str> = chosen.filter_map(Value::as_str).collect();
                match one["from_name"].as_str().unwrap_or_default() {
                    LABEL => classes.extend(chosen),
                    MARK => {
                        for word in chosen {
                            match verdict(word) {
                                Some(mark) => marks.push(mark),
                                None => words.push(word.to_owned()),
                            }
                        }
                    }
                    other => {
                        if !others.iter().any(|known| known == other) {
                            others.push(other.to_owned());
                        }
                        continue;
                    }
                }
                read += 1;
            }
            let is_skipped = cancelled || annotation.result.is_empty();
            skipped += usize::from(is_skipped);
            let at = annotation.updated_at.as_deref().or(annotation.created_at.as_deref());
            let heard = Heard {
                id: &id,
                labelled: data.get("label").and_then(Value::as_str),
                classes,
                marks,
                skipped: is_skipped,
                exported: None,
                emptied: false,
                by: who(&annotation.completed_by),
                at: at.and_then(time::of_text).unwrap_or_else(|| saved.clone()),
            };
            about.hear(&mut answers, heard);
        }
    }
    if !words.is_empty() {
        return refused(format!(
            "{} are no marks: wrong, drop, keep and unsure are",
            some_of(&words)
        ));
    }
    if !others.is_empty() {
        if read == 0 {
            return refused(format!(
                "its annotations answer {}, and none answers {LABEL:?} or {MARK:?}, the names in the config.xml of \
                 the export",
                some_of(&others)
            ));
        }
        answers.notes.push(format!("answers to {} are left aside", some_of(&others)));
    }
    if skipped > 0 {
        answers.notes.push(format!("{skipped} were skipped, or sent without an answer: unsure"));
    }
    answers.checked(about, path)
}

/// The e-mail address of a person, or the number that Label Studio has for one.
fn who(by: &Value) -> String {
    let named = ["email", "username"].iter().find_map(|name| by.get(name)?.as_str());
    if let Some(name) = named.filter(|name| !name.is_empty()) {
        return name.to_owned();
    }
    match by.get("id").unwrap_or(by) {
        Value::Number(number) => format!("label-studio user {number}"),
        Value::String(name) => name.clone(),
        _ => "label-studio".into(),
    }
}
