//! What people said in other programs, as marks.
//!
//! | said | mark |
//! |---|---|
//! | another class than the given one | wrong, with that class as the right one |
//! | the given class | keep |
//! | wrong, drop, keep, unsure | that |
//! | skipped, or sent without an answer | unsure |
//! | keep and another class, wrong and the given class, two classes | unsure: nobody can tell; it is counted |
//! | what stood there as it was exported | nothing |
//! | what the same person said in such a file before | nothing new |
//!
//! Ids and classes that the table does not have are refused by name, and so is a file whose labels were others as they
//! were exported. The same file read twice adds nothing the second time: an act has an id of what it says, when and by
//! whom. A file that is saved again has another time, though most of it is as old as before: of what somebody said in
//! such a file the last is known by that id, and is not new because it is still there.

pub mod csv;
pub mod fiftyone;
pub mod label_studio;
mod time;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datadiet_core::sha256;
use datadiet_table::{
    Act, MarkFile, Marks, OwnIds, Row, RowIndex, ScoreTable, Verdict, class_names,
};
use serde::Serialize;

use crate::ExchangeError;
use crate::error::some_of;

pub use time::saved_at;

/// A table that answers are about.
pub struct About<'t> {
    table: &'t ScoreTable,
    ids: OwnIds<'t>,
    index: RowIndex,
    classes: Vec<String>,
    labels: Option<&'t [u32]>,
}

/// What somebody said of one example.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// Its row.
    pub row: Row,
    /// The mark.
    pub mark: Verdict,
    /// The right class of a wrong label.
    pub label: Option<String>,
    /// Who.
    pub by: String,
    /// When, as [`Act::at`] has it.
    pub at: String,
    /// The mark that stood there as it was exported.
    pub exported: Option<Verdict>,
}

/// What was read of a file.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// What is said, in the order of the file.
    pub said: Vec<Said>,
    /// Examples of which nothing is said.
    pub silent: usize,
    /// Ids whose answers nobody can tell.
    pub unclear: Vec<String>,
    /// Ids that the table does not have.
    unknown_ids: Vec<String>,
    /// Classes that the table does not have.
    unknown_classes: Vec<String>,
    /// Ids of examples that were labelled otherwise when they were exported.
    relabelled: Vec<String>,
    /// Marks that were exported, and are gone without another word.
    emptied: usize,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// What became of answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Marked {
    /// The file of marks.
    pub marks: PathBuf,
    /// Examples that were marked as wrong.
    pub wrong: usize,
    /// Of these, those with the right class.
    pub relabelled: usize,
    /// To be dropped.
    pub drop: usize,
    /// To be kept.
    pub keep: usize,
    /// Unsure.
    pub unsure: usize,
    /// Answers that the file of marks has already.
    pub known: usize,
    /// Examples of which nothing is said.
    pub silent: usize,
    /// Examples of which people say different things, in the whole file.
    pub disputed: usize,
    /// What a person should know.
    #[serde(skip)]
    pub notes: Vec<String>,
}

impl<'t> About<'t> {
    /// A table; `classes` are names of the classes in its data set, for one that has none of its own.
    ///
    /// # Errors
    /// When an id is there twice, or two classes have one name.
    pub fn of(table: &'t ScoreTable, classes: Option<&[String]>) -> Result<Self, ExchangeError> {
        let ids = table.own_ids()?;
        Ok(Self {
            table,
            ids,
            index: RowIndex::of(ids)?,
            classes: class_names(table.classes()?, classes)?,
            labels: table.columns().integers("label").ok(),
        })
    }

    /// The row of an id; programs that count turn 7 into 7.0.
    fn row(&self, id: &str) -> Option<Row> {
        let whole = || id.strip_suffix(".0").filter(|_| !matches!(self.ids, OwnIds::Texts(_)));
        self.index.find(self.ids, id).or_else(|| self.index.find(self.ids, whole()?))
    }

    /// A class by its name.
    fn class(&self, name: &str) -> Option<&str> {
        let find = |name: &str| self.classes.iter().find(|class| *class == name);
        find(name).or_else(|| find(name.strip_suffix(".0")?)).map(String::as_str)
    }

    /// What a row is labelled as.
    fn given(&self, row: Row) -> Option<&str> {
        self.classes.get(self.labels?[row.index()] as usize).map(String::as_str)
    }

    /// Adds an answer: the class that somebody named, and what else was said.
    fn hear(&self, answers: &mut Answers, heard: Heard<'_>) {
        let Some(row) = self.row(heard.id) else {
            answers.unknown_ids.push(heard.id.to_owned());
            return;
        };
        let mut classes = Vec::new();
        for name in &heard.classes {
            match self.class(name) {
                Some(class) => classes.push(class),
                None => {
                    answers.unknown_classes.push((*name).to_owned());
                    return;
                }
            }
        }
        let given = self.given(row);
        let exported = heard.labelled.map(|name| self.class(name));
        if exported.is_some_and(|exported| given.is_some() && exported != given) {
            answers.relabelled.push(heard.id.to_owned());
            return;
        }
        let is_given = |class: &str| Some(class) == given;
        let meant = match (&classes[..], &heard.marks[..]) {
            ([], []) if heard.skipped => Some((Verdict::Unsure, None)),
            ([], []) => {
                answers.silent += 1;
                answers.emptied += usize::from(heard.emptied);
                return;
            }
            ([], [mark]) => Some((*mark, None)),
            ([_], [mark @ (Verdict::Drop | Verdict::Unsure)]) => Some((*mark, None)),
            ([class], [] | [Verdict::Keep]) if is_given(class) => Some((Verdict::Keep, None)),
            ([class], [] | [Verdict::Wrong]) if !is_given(class) => {
                Some((Verdict::Wrong, Some((*class).to_owned())))
            }
            _ => None,
        };
        let (mark, label) = meant.unwrap_or_else(|| {
            answers.unclear.push(heard.id.to_owned());
            (Verdict::Unsure, None)
        });
        let Heard { by, at, exported, .. } = heard;
        answers.said.push(Said { row, mark, label, by, at, exported });
    }
}

/// An answer as a program has it: what is said in it, without what stood there as it was exported.
struct Heard<'a> {
    id: &'a str,
    /// What the example was labelled as when it was exported; none where that is not told.
    labelled: Option<&'a str>,
    classes: Vec<&'a str>,
    marks: Vec<Verdict>,
    skipped: bool,
    /// The mark that stood there as it was exported.
    exported: Option<Verdict>,
    /// Whether a mark that was exported is gone.
    emptied: bool,
    by: String,
    at: String,
}

/// The mark of a word.
fn verdict(word: &str) -> Option<Verdict> {
    Verdict::ALL.into_iter().find(|verdict| verdict.name().eq_ignore_ascii_case(word.trim()))
}

impl Answers {
    /// Refuses what the table does not know.
    fn checked(mut self, about: &About<'_>, file: &Path) -> Result<Self, ExchangeError> {
        let refused = |why: String| ExchangeError::refused(format!("{}: {why}", file.display()));
        if !self.unknown_ids.is_empty() {
            return refused(format!(
                "{} ids are not in the table: {} (its first is {:?}); give the scores that were exported",
                self.unknown_ids.len(),
                some_of(&self.unknown_ids),
                about.ids.text(Row(0))
            ));
        }
        if !self.unknown_classes.is_empty() {
            self.unknown_classes.sort();
            self.unknown_classes.dedup();
            let known = if about.classes.is_empty() {
                "the table has no labels".into()
            } else {
                format!("its classes are {}", some_of(&about.classes))
            };
            return refused(format!(
                "{} are no classes of the table: {known}",
                some_of(&self.unknown_classes)
            ));
        }
        if !self.relabelled.is_empty() {
            return refused(format!(
                "{} examples were labelled otherwise when they were exported ({}): the labels of the table, or the \
                 names of its classes, are others now; give the scores that were exported, with --data if they were \
                 exported with it",
                self.relabelled.len(),
                some_of(&self.relabelled)
            ));
        }
        if self.emptied > 0 {
            self.notes.push(format!(
                "{} marks that were exported are not there any more, and nothing in their place: that says nothing; \
                 say keep or unsure instead",
                self.emptied
            ));
        }
        if !self.unclear.is_empty() {
            self.notes.push(format!(
                "{} answers contradict themselves (keep and another class, wrong and the given class, two at once) and \
                 are taken for unsure: {}",
                self.unclear.len(),
                some_of(&self.unclear)
            ));
        }
        Ok(self)
    }
}

/// Adds answers to a file of marks, of which only what is new is written. With `saved` an answer has the time at which
/// its file or its example was changed last, with all that was said there before.
///
/// # Errors
/// When the file holds something else than marks, is of another data set or cannot be written.
pub fn write(
    about: &About<'_>,
    answers: Vec<Answers>,
    saved: bool,
    to: &Path,
) -> Result<Marked, ExchangeError> {
    let mut file = MarkFile::of(to, about.table);
    let mut marks = Marks::default();
    marks.add(file.news()?, |id| about.index.find(about.ids, id));
    let notes = file.damage().into_iter().collect();
    let mut found = Marked { marks: to.to_owned(), notes, ..Marked::default() };
    let mut said = Vec::new();
    for answers in answers {
        found.silent += answers.silent;
        found.notes.extend(answers.notes);
        said.extend(answers.said);
    }
    let (mut acts, mut added) = (Vec::new(), HashSet::new());
    for said in said {
        let act = said.act(about);
        let again = || said.was_heard(about, &marks);
        if marks.knows(&act.act) || (saved && again()) || !added.insert(act.act.clone()) {
            found.known += 1;
            continue;
        }
        match said.mark {
            Verdict::Wrong => {
                found.wrong += 1;
                found.relabelled += usize::from(said.label.is_some());
            }
            Verdict::Drop => found.drop += 1,
            Verdict::Keep => found.keep += 1,
            Verdict::Unsure => found.unsure += 1,
        }
        acts.push(act);
    }
    if !acts.is_empty() {
        file.append(&acts)?;
    }
    marks.add(acts, |id| about.index.find(about.ids, id));
    found.disputed = marks.disputed().len();
    if found.disputed > 0 {
        found.notes.push(format!(
            "people say different things of {} examples: the latest mark of each counts",
            found.disputed
        ));
    }
    Ok(found)
}

impl Said {
    /// Whether the same person said last the same of the example in a file that was read before, and after the mark
    /// that this answer takes the place of: before it, the answer is a new one to what was marked meanwhile.
    fn was_heard(&self, about: &About<'_>, marks: &Marks) -> bool {
        let history = marks.history(self.row);
        let is_heard = |act: &Arc<Act>| {
            let Some(mark) = act.mark else { return false };
            let (label, by, at) = (act.label.clone(), act.by.clone(), act.at.clone());
            act.by == self.by
                && Self { mark, label, by, at, ..self.clone() }.act(about).act == act.act
        };
        let Some(last) = history.iter().rposition(is_heard) else { return false };
        let says_as = history[last].mark == Some(self.mark) && history[last].label == self.label;
        let stood_before = |mark| history[..last].iter().any(|act| act.mark == Some(mark));
        says_as && self.exported.is_none_or(|mark| mark == self.mark || stood_before(mark))
    }

    fn act(&self, about: &About<'_>) -> Act {
        let id = about.ids.text(self.row);
        let label = self.label.clone();
        let digest = sha256(
            [&id, self.mark.name(), label.as_deref().unwrap_or_default(), &self.by, &self.at]
                .join("\0")
                .as_bytes(),
        );
        Act {
            at: self.at.clone(),
            by: self.by.clone(),
            act: digest[..16].to_owned(),
            mark: Some(self.mark),
            label,
            ids: vec![id],
            undoes: None,
        }
    }
}
