//! Which array, column or field is what.

use std::path::Path;

use crate::{IngestError, Kind};

const LOGITS: &[&str] = &["logits", "logit"];
/// Logits to some, probabilities to others.
const EITHER: &[&str] = &["outputs", "output", "scores", "preds", "predictions"];
const PROBABILITIES: &[&str] = &["probabilities", "probs", "prob", "softmax", "pred_probs"];
const LABELS: &[&str] = &["labels", "label", "gold", "targets", "target", "y"];
const IDS: &[&str] = &["ids", "id", "guid", "guids", "index", "indices", "idx", "key", "keys"];
const EPOCHS: &[&str] = &["epochs", "epoch", "step", "steps"];

/// Names given by the user; where none is given the usual ones are tried.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Values: logits or probabilities.
    pub values: Option<String>,
    /// Labels.
    pub labels: Option<String>,
    /// Ids.
    pub ids: Option<String>,
    /// Epochs.
    pub epochs: Option<String>,
}

/// What a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Values(Option<Kind>),
    Labels,
    Ids,
    Epochs,
}

impl Names {
    /// The one of some arrays or columns that is the field; `None` where none is.
    ///
    /// # Errors
    /// Where there are several.
    pub(crate) fn one<'n>(
        &self,
        path: &Path,
        field: Field,
        all: impl Iterator<Item = &'n str>,
    ) -> Result<Option<&'n str>, IngestError> {
        let found: Vec<&str> = all.filter(|name| self.field(name) == Some(field)).collect();
        let (what, option) = match field {
            Field::Labels => ("labels", "--label"),
            Field::Ids => ("ids", "--id"),
            Field::Epochs => ("epochs", "--epoch"),
            Field::Values(_) => ("values", "--values"),
        };
        match found[..] {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            _ => Err(IngestError::Several {
                path: path.to_owned(),
                what,
                found: found.iter().map(|&name| name.to_owned()).collect(),
                option,
            }),
        }
    }

    /// What the field of this name is; `None` where it is nothing that is read.
    pub(crate) fn field(&self, name: &str) -> Option<Field> {
        let is = |given: &Option<String>, usual: &[&str]| match given {
            Some(given) => given == name,
            None => usual.contains(&name),
        };
        if is(&self.labels, LABELS) {
            return Some(Field::Labels);
        }
        if is(&self.ids, IDS) {
            return Some(Field::Ids);
        }
        if is(&self.epochs, EPOCHS) {
            return Some(Field::Epochs);
        }
        let kind = Self::kind(name);
        let wanted = match &self.values {
            Some(given) => given == name,
            None => kind.is_some() || EITHER.contains(&stem(name).as_str()),
        };
        wanted.then_some(Field::Values(kind))
    }

    /// What the values of this name are, whether it ends in an epoch's number or not.
    pub(crate) fn kind(name: &str) -> Option<Kind> {
        let stem = stem(name);
        if PROBABILITIES.contains(&stem.as_str()) {
            Some(Kind::Probabilities)
        } else if LOGITS.contains(&stem.as_str()) {
            Some(Kind::Logits)
        } else {
            None
        }
    }
}

/// `logits_epoch_3`, `Logits_3` and `logits` are all `logits`.
fn stem(name: &str) -> String {
    let lower = name.to_lowercase();
    let stem = lower.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(['_', '-']);
    stem.strip_suffix("_epoch").or(stem.strip_suffix("_step")).unwrap_or(stem).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_names_are_known() {
        let names = Names::default();
        let values = |kind| Some(Field::Values(Some(kind)));
        assert_eq!(names.field("logits_epoch_12"), values(Kind::Logits));
        assert_eq!(names.field("logits"), values(Kind::Logits));
        assert_eq!(names.field("probs_3"), values(Kind::Probabilities));
        assert_eq!(names.field("gold"), Some(Field::Labels));
        assert_eq!(names.field("guid"), Some(Field::Ids));
        assert_eq!(names.field("epoch"), Some(Field::Epochs));
        assert_eq!(names.field("preds"), Some(Field::Values(None)));
        assert_eq!(names.field("text"), None);
    }

    #[test]
    fn given_names_replace_the_usual() {
        let names = Names { values: Some("z".into()), ids: Some("y".into()), ..Names::default() };
        assert_eq!(names.field("z"), Some(Field::Values(None)));
        assert_eq!(names.field("logits"), None);
        assert_eq!(names.field("id"), None);
        // `y` usually means labels; here it is asked for as ids, and labels win only by `y` unasked.
        let asked = Names { labels: Some("label".into()), ..names };
        assert_eq!(asked.field("y"), Some(Field::Ids));
    }
}
