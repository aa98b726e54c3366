//! The card of a table of scores: where its columns come from and what is known about each.
//!
//! It is JSON in the file's metadata. Cards without a version were written in four shapes before
//! there was one; all are read.

use std::collections::BTreeMap;
use std::path::PathBuf;

use datadiet_core::{Definition, Direction, Reliability, ScoreKind, Task};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::TableError;

/// Key of the card in the metadata of a table.
const KEY: &str = "datadiet";

/// Where a table of scores comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Card {
    /// Layout of the card: [`Card::VERSION`] where this program wrote it, 0 before cards had one.
    pub version: u32,
    /// Version of the program that made the table.
    #[serde(alias = "datadiet")]
    pub made_by: String,
    /// Where the data or the values came from, in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// What was learned of each example; classification where the card says nothing.
    #[serde(skip_serializing_if = "Task::is_classification")]
    pub task: Task,
    /// The data set whose training examples were scored; none for values from elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<DataRef>,
    /// Whether the labels differ from the data set's, as label noise makes them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub relabelled: bool,
    /// What was trained, as its trainer wrote it: the specification of the first replica.
    #[serde(alias = "spec", skip_serializing_if = "Value::is_null")]
    pub specification: Value,
    /// Ids of the runs that the scores are of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<String>,
    /// Trainings that the scores are means of; none where nobody knows.
    pub replicas: Option<usize>,
    /// Trainings that failed, and are not in the means.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<FailedReplica>,
    /// When scores were taken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub times: Vec<TimePoint>,
    /// What is known about each column of scores, in their order.
    pub columns: Vec<ColumnSummary>,
    /// Accuracy at the end of training.
    #[serde(alias = "test_accuracy", skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<Accuracy>,
    /// The files that the values were read from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingested: Option<IngestedFiles>,
}

/// A data set by name and content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataRef {
    /// The name under which it was imported.
    pub name: String,
    /// SHA-256 of its content.
    pub fingerprint: String,
    /// Only the first so many training examples, for quick trials.
    pub limit: Option<u32>,
}

/// A time in training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimePoint {
    /// As asked for, in epochs; names the columns.
    pub epochs: f64,
    /// Steps done.
    pub step: u64,
}

/// A training that is not in the means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailedReplica {
    /// What it is called.
    pub name: String,
    /// Its number among the replicas.
    pub replica: u32,
    /// Its run id.
    pub run: String,
    /// Why; in results, not in tables: told differently when it happens and when it is on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a column of scores holds, and how far to trust it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnSummary {
    /// Name of the column of means, such as `el2n@4`, or `loss:box@4` of a part of the loss.
    pub name: String,
    /// The score, or the one that it is a part of.
    pub score: ScoreKind,
    /// When it was taken.
    pub time: TimePoint,
    /// Which end is hard.
    pub direction: Direction,
    /// Formula, pass, range and source.
    pub definition: Definition,
    /// Mean over the examples.
    #[serde(deserialize_with = "number")]
    pub mean: f64,
    /// Smallest value.
    #[serde(deserialize_with = "number")]
    pub min: f32,
    /// Largest value.
    #[serde(deserialize_with = "number")]
    pub max: f32,
    /// Split-half reliability; none for one replica or where all examples score the same.
    pub reliability: Option<Reliability>,
}

/// JSON has no NaN and no ∞: they are null.
fn number<'de, D, N>(from: D) -> Result<N, D::Error>
where
    D: Deserializer<'de>,
    N: Deserialize<'de> + From<f32>,
{
    Ok(Option::deserialize(from)?.unwrap_or_else(|| f32::NAN.into()))
}

/// Accuracy over replicas, or what else they are judged by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// What it is, where a trainer of the user's is judged by another metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// Which examples: "test", or "train" where there is no test split.
    pub split: String,
    /// Mean over replicas, in [0, 1].
    #[serde(deserialize_with = "number")]
    pub mean: f64,
    /// Standard error of that mean; none for one replica.
    pub standard_error: Option<f64>,
    /// Each replica's.
    pub per_replica: Vec<f64>,
}

/// What was read from files of logits or probabilities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IngestedFiles {
    /// "logits" or "probabilities".
    pub kind: String,
    /// The pass that the values come from, as the user says.
    pub pass: String,
    /// What was given: folders and files.
    #[serde(default)]
    pub given: Vec<PathBuf>,
    /// The trainings, in order.
    pub runs: Vec<IngestedRun>,
    /// How names were understood, what was left out, what was changed.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// What was read of one training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IngestedRun {
    /// The folder or file.
    pub path: PathBuf,
    /// What tells it from the other trainings of the same path; empty where it is the only one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its files, in the order in which they were read; none where a card only counts them.
    #[serde(deserialize_with = "files")]
    pub files: Vec<IngestedFile>,
    /// Rows read.
    pub rows: u64,
    /// Epochs, as the files number them.
    pub epochs: Vec<i64>,
    /// How many examples each epoch missed.
    pub missing: Vec<u32>,
}

/// One file of values, and how it was understood.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IngestedFile {
    /// The file.
    pub path: PathBuf,
    /// Its first and last epoch; none where steps were counted.
    pub epochs: Option<(i64, i64)>,
    /// Rows read.
    pub rows: u64,
}

/// Cards without a version have the number of files alone.
fn files<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IngestedFile>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Files {
        Listed(Vec<IngestedFile>),
        Counted(#[allow(dead_code)] u64),
    }
    Ok(match Files::deserialize(from)? {
        Files::Listed(files) => files,
        Files::Counted(_) => Vec::new(),
    })
}

impl Card {
    /// The layout that this program writes.
    pub const VERSION: u32 = 1;

    /// A card of this program without further knowledge.
    pub fn new(columns: Vec<ColumnSummary>) -> Self {
        let made_by = env!("CARGO_PKG_VERSION").into();
        Self { version: Self::VERSION, made_by, columns, ..Self::default() }
    }

    /// What is known about a column.
    pub fn column(&self, name: &str) -> Option<&ColumnSummary> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The card in some metadata; none in the metadata of a table from elsewhere.
    ///
    /// # Errors
    /// When it was written by a newer version, or is damaged.
    pub(crate) fn in_metadata(
        metadata: &BTreeMap<String, String>,
    ) -> Result<Option<Self>, TableError> {
        let Some(text) = metadata.get(KEY) else { return Ok(None) };
        let damaged = |error: serde_json::Error| {
            TableError::Card(format!(
                "the table's card (its metadata `{KEY}`) is damaged: {error}; make the table again, \
                 or remove that entry to use its columns alone"
            ))
        };
        let value: Value = serde_json::from_str(text).map_err(damaged)?;
        let version = value["version"].as_u64().unwrap_or_default();
        if version > u64::from(Self::VERSION) {
            return Err(TableError::Card(format!(
                "the table's card has version {version}, this datadiet reads up to {}; use the one \
                 that wrote it, or a newer one",
                Self::VERSION
            )));
        }
        let mut card: Self = serde_json::from_value(value).map_err(damaged)?;
        if card.version == 0 {
            let spec = &card.specification;
            card.data = serde_json::from_value(spec["data"].clone()).ok();
            card.relabelled = spec["labels"]["kind"] == "listed";
        }
        Ok(Some(card))
    }

    /// Puts the card into some metadata.
    pub(crate) fn write_to(&self, metadata: &mut BTreeMap<String, String>) {
        let text = serde_json::to_string(self).expect("a card is plain data");
        metadata.insert(KEY.into(), text);
    }

    /// Whether some metadata holds a card.
    pub(crate) fn is_in(metadata: &BTreeMap<String, String>) -> bool {
        metadata.contains_key(KEY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Card>, TableError> {
        Card::in_metadata(&BTreeMap::from([(KEY.to_owned(), text.to_owned())]))
    }

    const COLUMN: &str = r#"{"name":"el2n@1","score":"el2n","time":{"epochs":1.0,"step":7},
        "direction":"higher-is-harder","definition":{"formula":"f","pass":"p","range":"r",
        "reference":"s"},"mean":0.5,"min":0.25,"max":null,"reliability":null}"#;

    /// As `datadiet score` wrote them before cards had a version.
    #[test]
    fn the_shape_of_score_is_read() {
        let text = format!(
            r#"{{"columns":[{COLUMN}],"datadiet":"0.1.0","failed":[{{"name":"replica 1",
            "replica":1,"run":"ab12"}}],"replicas":1,"runs":["cd34"],"source":"the internet",
            "spec":{{"semantics":1,"data":{{"name":"cifar10","fingerprint":"aa","limit":null}},
            "labels":{{"kind":"listed","sha256":"bb","length":3}}}},
            "test_accuracy":{{"split":"test","mean":0.5,"standard_error":null,"per_replica":[0.5]}},
            "times":[{{"epochs":1.0,"step":7}}]}}"#
        );
        let card = read(&text).unwrap().unwrap();
        assert_eq!((card.version, card.made_by.as_str(), card.replicas), (0, "0.1.0", Some(1)));
        assert_eq!(card.data.as_ref().map(|data| data.name.as_str()), Some("cifar10"));
        assert!(card.relabelled && card.specification["semantics"] == 1);
        assert_eq!((card.failed[0].name.as_str(), card.times.len()), ("replica 1", 1));
        assert_eq!(card.accuracy.as_ref().map(|accuracy| accuracy.mean), Some(0.5));
        let column = card.column("el2n@1").unwrap();
        assert!(column.min == 0.25 && column.max.is_nan());
    }

    /// As `datadiet run` and `datadiet diet` wrote them.
    #[test]
    fn the_shape_of_run_is_read() {
        let text = format!(
            r#"{{"datadiet":"0.1.0","spec":{{"data":{{"name":"mine","fingerprint":"aa",
            "limit":400}},"labels":{{"kind":"original"}}}},"runs":["cd34"],"replicas":2,
            "source":"a folder","columns":[{COLUMN}]}}"#
        );
        let card = read(&text).unwrap().unwrap();
        assert_eq!(card.data.as_ref().and_then(|data| data.limit), Some(400));
        assert!(!card.relabelled && card.runs == ["cd34"]);
    }

    /// As `datadiet ingest` wrote them.
    #[test]
    fn the_shape_of_ingest_is_read() {
        let text = format!(
            r#"{{"datadiet":"0.1.0","source":"logits recorded in run0","replicas":1,"examples":3,
            "classes":2,"ingested":{{"kind":"logits","pass":"eval mode","runs":[{{"path":"run0",
            "files":4,"rows":12,"epochs":[0,1,2,3],"missing":[0,0,0,0]}}]}},
            "times":[{{"epochs":3.0,"step":3}}],"columns":[{COLUMN}]}}"#
        );
        let card = read(&text).unwrap().unwrap();
        assert!(card.data.is_none() && card.specification.is_null());
        let read = card.ingested.unwrap();
        assert_eq!((read.pass.as_str(), read.runs[0].epochs.len()), ("eval mode", 4));
    }

    /// As the Python package wrote them.
    #[test]
    fn the_shape_of_python_is_read() {
        let card = read(&format!(r#"{{"columns":[{COLUMN}],"replicas":2}}"#)).unwrap().unwrap();
        assert_eq!((card.replicas, card.columns.len()), (Some(2), 1));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut card = Card::new(Vec::new());
        card.data = Some(DataRef { name: "a".into(), fingerprint: "b".into(), limit: None });
        card.relabelled = true;
        card.task = Task::Loss;
        let mut metadata = BTreeMap::new();
        card.write_to(&mut metadata);
        assert_eq!(Card::in_metadata(&metadata).unwrap(), Some(card));
        assert_eq!(Card::in_metadata(&BTreeMap::new()).unwrap(), None);
    }

    #[test]
    fn newer_and_damaged_cards_are_refused() {
        let newer = read(r#"{"version":2}"#).unwrap_err().to_string();
        assert!(newer.contains("version 2"), "{newer}");
        assert!(read("junk").unwrap_err().to_string().contains("damaged"));
    }
}
