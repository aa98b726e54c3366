//! Known wrong labels, to judge scores by: true labels or a mask, by row or by id.

use std::path::Path;

use crate::identity::{OwnIds, TrainingSet};
use crate::list::{LABEL_NAMES, ListFile, ListedIds};
use crate::{Row, ScoreTable, TableError};

/// Names of columns that say which labels are wrong.
const MASKS: [&str; 14] = [
    "changed",
    "is_label_issue",
    "is_label_error",
    "label_error",
    "label_errors",
    "is_error",
    "is_wrong",
    "wrong",
    "is_noisy",
    "noisy",
    "mislabelled",
    "mislabeled",
    "corrupted",
    "mask",
];

/// Names of columns of true labels.
const TRUE_LABELS: [&str; 11] = [
    "original",
    "true_label",
    "true_labels",
    "true",
    "truth",
    "clean_label",
    "clean_labels",
    "clean",
    "original_label",
    "gold",
    "correct_label",
];

/// What the values of a file of truth are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TruthKind {
    /// The true label of each example.
    Labels,
    /// Which labels are wrong: 1 or true for those.
    Mask,
}

/// Which labels of a table are wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// One entry a row.
    pub wrong: Vec<bool>,
    /// What a person should know about how it was read.
    pub notes: Vec<String>,
    /// That the scores were taken with other labels than the file tells of.
    pub warning: Option<String>,
}

enum Values {
    Labels(Vec<u32>),
    Mask(Vec<bool>),
}

impl Truth {
    /// Reads what is known about the labels of a table, by the ids that its owner gave.
    ///
    /// `kind` says what the values of a bare list are, where they could be either.
    ///
    /// # Errors
    /// When the file does not say which labels are wrong, tells of other examples, or of no wrong
    /// label.
    pub fn read(
        path: &Path,
        table: &ScoreTable,
        kind: Option<TruthKind>,
    ) -> Result<Self, TableError> {
        let file = ListFile::read(path, "known wrong labels")?;
        let mut notes = Vec::new();
        let values = values(&file, table, kind, &mut notes)?;
        let size = match &values {
            Values::Labels(labels) => labels.len(),
            Values::Mask(mask) => mask.len(),
        };
        let ids = file.ids_if_any()?;
        let keys = ids.as_ref().map(ListedIds::own).filter(|own| !matches!(own, OwnIds::Rows(_)));
        let name = path.display().to_string();
        let set = TrainingSet {
            name: &name,
            size,
            fingerprint: file.data.as_ref().map(|data| data.fingerprint.as_str()),
            keys,
            ..TrainingSet::default()
        };
        let examples = table.examples_in(&set)?;
        let rows = || (0..table.rows() as u32).map(|row| (Row(row), examples.of(Row(row)).index()));
        let labels = table.columns().integers("label").ok();
        if let (Values::Labels(truth), Some(labels)) = (&values, labels) {
            check_from_zero(&file, truth, labels)?;
        }
        let wrong: Vec<bool> = match (&values, labels) {
            (Values::Mask(mask), _) => rows().map(|(_, at)| mask[at]).collect(),
            (Values::Labels(truth), Some(labels)) => {
                rows().map(|(row, at)| labels[row.index()] != truth[at]).collect()
            }
            (Values::Labels(_), None) => {
                return file.refused(
                    "it has true labels, and the table of scores has none to compare them with; \
                     give a mask of the wrong ones",
                );
            }
        };
        if !wrong.contains(&true) {
            return file.refused("it says that no label is wrong: there is nothing to find");
        }
        let warning = labels.and_then(|labels| {
            let given = |names: &[&str]| file.numbers(names).ok().flatten();
            let (before, after) = (given(&["original"])?, given(&["label"])?);
            let count = |wanted: &dyn Fn(usize, usize) -> bool| {
                rows().filter(|&(row, at)| wanted(row.index(), at)).count()
            };
            let changed = wrong.iter().filter(|&&wrong| wrong).count();
            let as_before = count(&|row, at| wrong[row] && labels[row] == before[at]);
            let others = count(&|row, at| labels[row] != after[at]);
            let what = if as_before > 0 {
                format!(
                    "{as_before} of the {changed} changed examples have their original label in the \
                     scores: those were taken without these changes, and cannot know them"
                )
            } else if others > 0 {
                format!(
                    "{others} examples have another label in the scores than in this file: the \
                     scores were taken with other noise, and the figures below mean little"
                )
            } else {
                return None;
            };
            Some(format!("{what}; score with --labels {name}"))
        });
        Ok(Self { wrong, notes, warning })
    }
}

/// Labels that are counted from 1 are not those of the scores, which are counted from 0.
fn check_from_zero(file: &ListFile, truth: &[u32], labels: &[u32]) -> Result<(), TableError> {
    let ends = |labels: &[u32]| (labels.iter().min().copied(), labels.iter().max().copied());
    match (ends(truth), ends(labels)) {
        ((Some(1..), Some(most)), (Some(0), Some(known))) if most == known + 1 => file.refused(format!(
            "its labels go up to {most} and begin at 1 or above, those of the scores go from 0 to {known}: \
             are they counted from 1? Subtract 1 from each"
        )),
        _ => Ok(()),
    }
}

fn values(
    file: &ListFile,
    table: &ScoreTable,
    kind: Option<TruthKind>,
    notes: &mut Vec<String>,
) -> Result<Values, TableError> {
    let mask = |file: &ListFile, values: Vec<u32>| match values.iter().find(|&&value| value > 1) {
        Some(value) => file.refused(format!("{value} is neither 0 nor 1: a mask has these alone")),
        None => Ok(Values::Mask(values.into_iter().map(|value| value == 1).collect())),
    };
    if kind != Some(TruthKind::Labels)
        && let Some(values) = file.numbers(&MASKS)?
    {
        return mask(file, values);
    }
    if kind != Some(TruthKind::Mask)
        && let Some(values) = file.numbers(&TRUE_LABELS)?
    {
        return Ok(Values::Labels(values));
    }
    let bare = match file.is_scores {
        true => None,
        false => file.numbers(&LABEL_NAMES)?,
    };
    let Some(values) = bare else {
        return file.refused(format!(
            "it does not say which labels were changed; name a column `changed` (0 or 1) or \
             `true_label`. Its columns are: {}",
            file.names().join(", ")
        ));
    };
    match kind {
        Some(TruthKind::Mask) => return mask(file, values),
        Some(TruthKind::Labels) => return Ok(Values::Labels(values)),
        None => {}
    }
    if file.is_flags() {
        return mask(file, values);
    }
    let classes = table.columns().integers("label").ok().and_then(|labels| labels.iter().max());
    let bare = file.names() == [""];
    match (bare && values.iter().all(|&value| value <= 1), classes) {
        (false, _) => Ok(Values::Labels(values)),
        (true, Some(&most)) if most > 1 => {
            notes.push(
                "its numbers are 0 and 1 alone, and there are more classes: they are taken for a \
                 mask, 1 for a wrong label"
                    .into(),
            );
            mask(file, values)
        }
        (true, _) => file.refused(
            "its numbers are 0 and 1 alone, which could be true labels or a mask of the wrong ones; \
             say which with --truth-is labels or --truth-is mask",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Column, Table};

    fn table(labels: &[u32], key: Option<Column>) -> ScoreTable {
        let mut table = Table::default();
        table.push("id", Column::U32((0..labels.len() as u32).collect())).unwrap();
        table.push("label", Column::U32(labels.to_vec())).unwrap();
        key.into_iter().for_each(|key| table.push("key", key).unwrap());
        ScoreTable::of(table).unwrap()
    }

    fn read(
        name: &str,
        text: &str,
        table: &ScoreTable,
        kind: Option<TruthKind>,
    ) -> Result<Truth, TableError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Truth::read(&path, table, kind)
    }

    #[test]
    fn labels_and_masks_are_told_apart() {
        let three = table(&[0, 1, 2, 0], None);
        let wrong = |text: &str, kind| read("t.json", text, &three, kind).unwrap().wrong;
        let expected = [true, false, false, true];
        assert_eq!(wrong("[2, 1, 2, 1]", None), expected);
        assert_eq!(wrong("[true, false, false, true]", None), expected);
        assert_eq!(wrong("[1, 0, 0, 1]", None), expected);
        assert_eq!(wrong(r#"{"true_label": [2, 1, 2, 1]}"#, None), expected);
        assert_eq!(wrong(r#"{"is_error": [1, 0, 0, 1]}"#, None), expected);
        let two = table(&[0, 1, 1, 0], None);
        let message = read("t.json", "[1, 0, 0, 1]", &two, None).unwrap_err().to_string();
        assert!(message.contains("--truth-is"), "{message}");
        let mask = read("t.json", "[1, 0, 0, 1]", &two, Some(TruthKind::Mask)).unwrap().wrong;
        assert_eq!(mask, expected);
        let labels = read("t.json", "[1, 1, 1, 1]", &two, Some(TruthKind::Labels)).unwrap().wrong;
        assert_eq!(labels, expected);
    }

    #[test]
    fn rows_are_found_by_the_ids_of_their_owner() {
        let keys = Column::Text(["b", "a", "d", "c"].map(str::to_owned).to_vec());
        let keyed = table(&[0, 1, 2, 0], Some(keys));
        let csv = "id,true_label\na,1\nb,2\nc,0\nd,2\n";
        assert_eq!(read("t.csv", csv, &keyed, None).unwrap().wrong, [true, false, false, false]);
        // Without ids nobody knows which row is which.
        let message = read("t.json", "[2, 1, 2, 0]", &keyed, None).unwrap_err().to_string();
        assert!(message.contains("texts for ids"), "{message}");
        let few = table(&[0, 1], None);
        let message = read("t.json", "[2, 1, 2, 0]", &few, None).unwrap_err().to_string();
        assert!(message.contains("different data sets"), "{message}");
    }

    #[test]
    fn labels_that_are_counted_from_one_are_refused() {
        let three = table(&[0, 1, 2, 0], None);
        let message = read("t.json", "[1, 2, 3, 3]", &three, None).unwrap_err().to_string();
        assert!(message.contains("Subtract 1"), "{message}");
    }

    #[test]
    fn nothing_to_find_is_an_error() {
        let three = table(&[0, 1, 2], None);
        let message = read("t.json", "[0, 1, 2]", &three, None).unwrap_err().to_string();
        assert!(message.contains("nothing to find"), "{message}");
    }
}
