//! Which array, column or field is what, by its name.
//!
//! Several names may fit a field; the best rank goes first: `logits` before `predictions`, `guid`
//! before `index`, `epoch` before `step`. Two of one rank are refused, with the option that
//! chooses.

use std::path::Path;

use crate::cells::ClassNames;
use crate::{IngestError, Kind};

const LOGITS: &[&str] = &["logits", "logit"];
const PROBABILITIES: &[&str] = &[
    "probabilities",
    "probability",
    "probs",
    "prob",
    "proba",
    "probas",
    "softmax",
    "pred_probs",
    "predprobs",
];
/// Losses of single examples. A loss of whole batches, as trainers log it, is called so too.
const LOSSES: &[&str] = &[
    "losses",
    "loss",
    "example_losses",
    "example_loss",
    "sample_losses",
    "sample_loss",
    "per_example_losses",
    "per_example_loss",
    "per_sample_losses",
    "per_sample_loss",
];
/// Logits to some, probabilities to others.
const EITHER: &[&str] =
    &["outputs", "output", "out", "scores", "preds", "predictions", "raw_predictions"];
const LABELS: &[&str] = &[
    "labels",
    "label",
    "gold",
    "golds",
    "targets",
    "target",
    "y",
    "y_true",
    "ground_truth",
    "given_label",
    "given_labels",
];
/// Names of ids, best first.
const IDS: [&[&str]; 3] = [
    &[
        "ids",
        "id",
        "guid",
        "guids",
        "uid",
        "uids",
        "uuid",
        "key",
        "keys",
        "example_id",
        "example_ids",
        "sample_id",
        "sample_ids",
        "text_id",
        "image_id",
        "img_id",
        "data_id",
        "item_id",
        "row_id",
        "doc_id",
        "document_id",
        "sentence_id",
        "question_id",
        "instance_id",
        "record_id",
        "datapoint_id",
        "point_id",
        "sampleid",
        "exampleid",
        "imageid",
        "textid",
    ],
    &[
        "index",
        "indices",
        "indexes",
        "idx",
        "idxs",
        "example_idx",
        "sample_idx",
        "data_idx",
        "example_index",
        "sample_index",
        "data_index",
        "dataset_index",
        "row_idx",
    ],
    // A frame's own index: pandas in Parquet, pandas in CSV.
    &["__index_level_0__", "unnamed: 0", ""],
];
const EPOCHS: &[&str] = &["epochs", "epoch", "ep"];
const STEPS: &[&str] = &["step", "steps", "global_step", "iteration", "iter"];

/// Ends of names that look like ids.
const LIKE_IDS: &[&str] = &[
    "_id", "_ids", "_idx", "_index", "_key", "_guid", "_uid", "_uuid", "id", "_name", "filename",
    "path", "file", "image", "img", "url", "hash", "_str", "__key__",
];
/// Names that look like ids only as a whole.
const ARE_LIKE_IDS: &[&str] = &["name", "pk", "text", "sentence", "document"];
/// Names that end so and are of something else than examples.
const UNLIKE_IDS: &[&str] = &[
    "class_id",
    "label_id",
    "run_id",
    "model_id",
    "batch_id",
    "seed_id",
    "epoch_id",
    "fold_id",
    "rank_id",
    "worker_id",
    "class_name",
    "label_name",
    "model_name",
    "run_name",
    "label_idx",
    "class_idx",
    "valid",
    "batch_idx",
];

/// Names given by the user; where none is given the usual ones are tried.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// What the values are, whatever their names say. Losses are then looked for by the names of losses, and
    /// logits and probabilities by theirs.
    pub kind: Option<Kind>,
    /// Values: logits, probabilities or losses.
    pub values: Option<String>,
    /// Labels. Of losses there are none unless they are named here: they may be targets of any kind.
    pub labels: Option<String>,
    /// Ids; `none` where rows are examples, in the same order in every file.
    pub ids: Option<String>,
    /// Epochs.
    pub epochs: Option<String>,
    /// Names of the classes in the order of the values, where labels may be these.
    pub classes: ClassNames,
}

/// What a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Values(Option<Kind>),
    Labels,
    Ids,
    Epochs,
}

/// Of names for one field, the lower goes first.
pub(crate) type Rank = usize;

/// The rank of steps among the epochs.
pub(crate) const STEP: Rank = 1;

/// The rank of losses among the values: below all that losses can be computed from.
const LOSS: Rank = 3;

impl Names {
    /// The one of some arrays or columns that is the field; `None` where none is.
    ///
    /// # Errors
    /// Where there are several of the best rank.
    pub(crate) fn one<'n>(
        &self,
        path: &Path,
        field: Field,
        all: impl Iterator<Item = &'n str>,
    ) -> Result<Option<(&'n str, Rank)>, IngestError> {
        let of = |name| match self.ranked(name) {
            Some((found, rank)) if found == field => Some((name, rank)),
            _ => None,
        };
        let found: Vec<(&str, Rank)> = all.filter_map(of).collect();
        let Some(best) = found.iter().map(|(_, rank)| *rank).min() else { return Ok(None) };
        let mut found: Vec<&str> =
            found.iter().filter(|(_, rank)| *rank == best).map(|(name, _)| *name).collect();
        match found[..] {
            [one] => Ok(Some((one, best))),
            _ => {
                found.sort_unstable();
                Err(self.several(path, field, found.iter().map(|&name| name.to_owned()).collect()))
            }
        }
    }

    /// That several fit a field.
    pub(crate) fn several(&self, path: &Path, field: Field, found: Vec<String>) -> IngestError {
        let (what, option) = match field {
            Field::Labels => ("labels", "--label"),
            Field::Ids => ("ids", "--id"),
            Field::Epochs => ("epochs", "--epoch"),
            Field::Values(_) => ("values", "--values"),
        };
        IngestError::Several { path: path.to_owned(), what, found, option }
    }

    /// What the field of this name is; `None` where it is nothing that is read.
    pub(crate) fn field(&self, name: &str) -> Option<Field> {
        self.ranked(name).map(|(field, _)| field)
    }

    /// What the field of this name is, and its rank among the names of that field.
    pub(crate) fn ranked(&self, name: &str) -> Option<(Field, Rank)> {
        let lower = name.to_lowercase();
        let is = |given: &Option<String>, usual: &[&[&str]]| match given {
            Some(given) => (given == name).then_some(0),
            None => usual.iter().position(|usual| usual.contains(&lower.as_str())),
        };
        if let Some(rank) = is(&self.labels, &[LABELS]) {
            return Some((Field::Labels, rank));
        }
        if let Some(rank) = is(&self.ids, &IDS) {
            return Some((Field::Ids, rank));
        }
        if let Some(rank) = is(&self.epochs, &[EPOCHS, STEPS]) {
            return Some((Field::Epochs, rank));
        }
        let called = Self::kind(name);
        let rank = match &self.values {
            // `z` names the array z, or the columns z_0, z_1, …
            Some(given) => (given == name || numbered(name).is_some_and(|(stem, _)| stem == given))
                .then_some(0),
            None => {
                let either = EITHER.contains(&stem(&lower)).then_some(2);
                let outputs = match called {
                    Some(Kind::Logits) => Some(0),
                    Some(Kind::Probabilities) => Some(1),
                    _ => either,
                };
                let losses = LOSSES.contains(&stem(&lower)).then_some(LOSS);
                match self.kind {
                    None => outputs.or(losses),
                    Some(Kind::Losses) => losses,
                    Some(_) => outputs,
                }
            }
        };
        Some((Field::Values(self.kind.or(called)), rank?))
    }

    /// Whether rows without ids are examples: of a table of losses only where somebody says so, since trainers
    /// log the loss of a batch or an epoch in such.
    pub(crate) fn rows_may_be_examples(&self) -> bool {
        self.kind == Some(Kind::Losses) || self.ids.as_deref() == Some("none")
    }

    /// Whether labels are looked for beside values of a kind.
    pub(crate) fn wants_labels(&self, kind: Option<Kind>) -> bool {
        kind != Some(Kind::Losses) || self.labels.is_some()
    }

    /// What the values of this name are, whether it ends in an epoch's number or not.
    pub(crate) fn kind(name: &str) -> Option<Kind> {
        let lower = name.to_lowercase();
        let stem = stem(&lower);
        if PROBABILITIES.contains(&stem) {
            Some(Kind::Probabilities)
        } else if LOGITS.contains(&stem) {
            Some(Kind::Logits)
        } else if LOSSES.contains(&stem) || stem.ends_with("_loss") || stem.ends_with("_losses") {
            Some(Kind::Losses)
        } else {
            None
        }
    }

    /// The epoch that the name of values says: `logits_epoch_3` is of epoch 3.
    pub(crate) fn epoch(name: &str) -> Option<i64> {
        let lower = name.to_lowercase();
        let (stem, number) = numbered(&lower)?;
        let called = ["_epoch", "_step", "_ep"].iter().any(|end| stem.ends_with(end));
        called.then_some(number.into())
    }

    /// Names that look like ids, of those that are not read.
    pub(crate) fn like_ids<'n>(&self, all: impl Iterator<Item = &'n str>) -> Vec<String> {
        let like = |name: &&str| {
            let lower = name.to_lowercase();
            self.ids.is_none()
                && self.ranked(name).is_none()
                && (ARE_LIKE_IDS.contains(&lower.as_str())
                    || LIKE_IDS.iter().any(|end| lower.ends_with(end)))
                && !UNLIKE_IDS.contains(&lower.as_str())
        };
        all.filter(like).map(str::to_owned).collect()
    }
}

/// What a file of one array holds, by the words of its name: `train_y_epoch` holds labels.
pub(crate) fn of_words(words: &[String]) -> Option<Field> {
    let is = |names: &[&str]| words.iter().any(|word| names.contains(&word.as_str()));
    if is(LOGITS) {
        Some(Field::Values(Some(Kind::Logits)))
    } else if is(PROBABILITIES) {
        Some(Field::Values(Some(Kind::Probabilities)))
    } else if is(&["pred", "preds", "predicted", "predictions", "hat"]) {
        // `y_pred` is not `y`.
        Some(Field::Values(None))
    } else if is(LABELS) {
        Some(Field::Labels)
    } else if is(&["ids", "id", "guid", "guids", "uid", "uids", "index", "indices", "idx"]) {
        Some(Field::Ids)
    } else if is(EITHER) {
        Some(Field::Values(None))
    } else if is(&["losses"]) || words.first().is_some_and(|word| word == "loss") {
        // Not `epoch=3-val_loss=0.31`.
        Some(Field::Values(Some(Kind::Losses)))
    } else {
        None
    }
}

/// `logits_epoch_3`, `logits.3`, `logits[3]` and `logits` are all `logits`.
fn stem(lower: &str) -> &str {
    let stem = numbered(lower).map_or(lower, |(stem, _)| stem);
    ["_epoch", "_step", "_ep"].iter().find_map(|end| stem.strip_suffix(end)).unwrap_or(stem)
}

/// `logit_12`, `logit.12` and `logit[12]` are `logit` and 12.
pub(crate) fn numbered(name: &str) -> Option<(&str, u32)> {
    let inner = name.strip_suffix([']', ')']).unwrap_or(name);
    let stem = inner.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = inner[stem.len()..].parse().ok()?;
    Some((stem.trim_end_matches(['_', '-', '.', '[', '(', ' ', ':']), number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_names_are_known() {
        let names = Names::default();
        let values = |kind| Some(Field::Values(Some(kind)));
        for name in ["logits_epoch_12", "logits", "Logits.3", "logits[0]", "logit_0", "LOGITS"] {
            assert_eq!(names.field(name), values(Kind::Logits), "{name}");
        }
        assert_eq!(names.field("probs_3"), values(Kind::Probabilities));
        assert_eq!(names.field("gold"), Some(Field::Labels));
        for name in ["guid", "sample_id", "text_id", "uid", "idx", "__index_level_0__"] {
            assert_eq!(names.field(name), Some(Field::Ids), "{name}");
        }
        assert_eq!(names.field("epoch"), Some(Field::Epochs));
        assert_eq!(names.field("OUT"), Some(Field::Values(None)));
        assert_eq!(names.field("text"), None);
        for name in ["loss", "losses", "loss_epoch_3", "per_sample_loss"] {
            assert_eq!(names.field(name), values(Kind::Losses), "{name}");
        }
        // Of trainers' logs.
        assert_eq!(names.field("train_loss"), None);
        let asked = Names { values: Some("train_loss".into()), ..Names::default() };
        assert_eq!(asked.field("train_loss"), values(Kind::Losses));
        let losses = Names { kind: Some(Kind::Losses), ..Names::default() };
        assert_eq!((losses.field("logits"), losses.field("loss")), (None, values(Kind::Losses)));
        let logits = Names { kind: Some(Kind::Logits), ..Names::default() };
        assert_eq!((logits.field("out"), logits.field("loss")), (values(Kind::Logits), None));
        assert_eq!(Names::epoch("logits_epoch_12"), Some(12));
        assert_eq!(Names::epoch("logit_12"), None);
    }

    #[test]
    fn ranks_decide_and_two_of_one_rank_are_refused() {
        let names = Names::default();
        let one = |field, all: &[&'static str]| {
            let found = names.one(Path::new("f"), field, all.iter().copied());
            found.map(|found| found.map(|(name, _)| name)).map_err(|error| error.to_string())
        };
        assert_eq!(one(Field::Ids, &["index", "guid"]).unwrap(), Some("guid"));
        assert_eq!(one(Field::Epochs, &["step", "epoch"]).unwrap(), Some("epoch"));
        assert_eq!(one(Field::Ids, &["text"]).unwrap(), None);
        let both = one(Field::Labels, &["label", "gold"]).unwrap_err();
        assert_eq!(both, "f has several labels: gold, label; name the one to read with --label");
        let like = names.like_ids(["speaker_id", "class_id", "loss", "id"].into_iter());
        assert_eq!(like, ["speaker_id"]);
    }

    #[test]
    fn given_names_replace_the_usual() {
        let names = Names { values: Some("z".into()), ids: Some("y".into()), ..Names::default() };
        assert_eq!(names.field("z"), Some(Field::Values(None)));
        assert_eq!(names.field("z_3"), Some(Field::Values(None)));
        assert_eq!(names.field("logits"), None);
        assert_eq!(names.field("id"), None);
        // `y` usually means labels; here it is asked for as ids, and labels win only by `y` unasked.
        let asked = Names { labels: Some("label".into()), ..names };
        assert_eq!(asked.field("y"), Some(Field::Ids));
    }
}
