//! What is explored, and the answers to what the page asks.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use datadiet_core::{Direction, hex};
use datadiet_table::{Act, MarkFile, Marks, Row, TableError, Truth, TruthKind, Verdict, mark_time};
use serde::Serialize;

use crate::scores::Scores;
use crate::{Contents, ExploreError, Source, answers, assets, choice, export, info};

/// How often acts are written that do not come back from the file.
const ATTEMPTS: usize = 3;

/// Rows that the page may ask for at a time.
pub(crate) const MOST_ROWS: usize = 2048;

/// What to explore.
pub struct Options {
    /// A `scores.parquet`, or the folder that holds one.
    pub scores: PathBuf,
    /// Where pictures or texts come from.
    pub source: Source,
    /// Names of the classes, where the table has none of its own.
    pub classes: Option<Vec<String>>,
    /// The column that the gallery is sorted by at first; none for the table's default.
    pub by: Option<String>,
    /// Which end of that column is hard; none for what its name says.
    pub hard: Option<Direction>,
    /// The file of marks; none for the one beside the scores.
    pub marks: Option<PathBuf>,
    /// Who marks.
    pub who: String,
    /// A file that says which labels are known to be wrong, and what a bare list in it is.
    pub truth: Option<(PathBuf, Option<TruthKind>)>,
    /// What trainings on parts of the data have measured.
    pub measured: Vec<Measured>,
}

/// What trainings on a part of the data reach.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Measured {
    /// What the part was chosen by: a column, `random`, `everything`.
    pub by: String,
    /// The rule, by its name in [`datadiet_core::Rule::NAMES`].
    pub rule: String,
    /// Fraction kept, in (0, 1].
    pub keep: f64,
    /// Where a window began, in [0, 1).
    pub offset: Option<f64>,
    /// How it was shared out over the classes, by the name of the quota.
    pub quota: String,
    /// What else is to be said of the part, such as that it was drawn anew every epoch; empty where nothing is.
    pub also: String,
    /// What trainings are judged by; none for the accuracy on the test set.
    pub metric: Option<String>,
    /// Whether less of it is better.
    pub less_is_better: bool,
    /// The mean, of accuracies in [0, 1].
    pub mean: f64,
    /// The lower end of its band.
    pub low: f64,
    /// The upper end of its band.
    pub high: f64,
    /// Trainings.
    pub trainings: usize,
}

/// A table that is being explored.
pub struct Explorer {
    pub(crate) scores: Scores,
    pub(crate) contents: Contents,
    pub(crate) by: String,
    pub(crate) who: String,
    pub(crate) path: PathBuf,
    pub(crate) measured: Vec<Measured>,
    pub(crate) known: Option<Known>,
    marks: Mutex<Board>,
}

/// Labels that are known to be wrong.
pub(crate) struct Known {
    /// Of each row, whether its label is.
    pub truth: Truth,
    /// The file that says so.
    pub path: PathBuf,
}

/// The marks, and their file.
pub(crate) struct Board {
    pub marks: Marks,
    pub file: MarkFile,
}

/// An answer to the page.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Status of HTTP.
    pub status: u16,
    /// Type of the content.
    pub kind: &'static str,
    /// Content.
    pub body: Vec<u8>,
    /// A name to save it under; none to show it.
    pub save_as: Option<&'static str>,
    /// Whether the same address always has the same answer.
    pub constant: bool,
}

impl Answer {
    /// An object of JSON.
    pub fn json(value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self::of("application/json", body),
            Err(error) => Self::error(500, error),
        }
    }

    /// Numbers, little-endian: `bytes` gives those of one.
    pub fn words<T: Copy>(numbers: &[T], bytes: impl Fn(T) -> [u8; 4]) -> Self {
        let mut body = vec![0; 4 * numbers.len()];
        let (places, _) = body.as_chunks_mut();
        places.iter_mut().zip(numbers).for_each(|(place, &number)| *place = bytes(number));
        Self::of("application/octet-stream", body)
    }

    /// Some content.
    pub fn of(kind: &'static str, body: Vec<u8>) -> Self {
        Self { status: 200, kind, body, save_as: None, constant: false }
    }

    /// A reason, for people.
    pub fn error(status: u16, why: impl ToString) -> Self {
        let body = why.to_string().into_bytes();
        Self { status, ..Self::of("text/plain; charset=utf-8", body) }
    }
}

impl From<TableError> for Answer {
    fn from(error: TableError) -> Self {
        let status = match error {
            TableError::File(_) => 500,
            _ => 400,
        };
        Self::error(status, error)
    }
}

/// An answer, or the one that says why there is none.
pub(crate) type Answered = Result<Answer, Answer>;

impl Explorer {
    /// Opens a table, what its rows look like, and the marks beside it.
    ///
    /// # Errors
    /// When one of them cannot be read, or they do not belong together.
    pub fn open(options: Options) -> Result<Self, ExploreError> {
        let Options { scores: path, source, classes, by, hard, marks, who, truth, measured } =
            options;
        let named = by.as_deref().zip(hard).map(|(by, hard)| (by.to_owned(), hard));
        let scores = Scores::open(&path, classes, named)?;
        let by = match &by {
            Some(by) => scores.header().ranking_name(by)?,
            None => scores.header().default_column()?,
        };
        let contents = match Contents::open(source, scores.base())? {
            Contents::None => Contents::of_table(&scores)?,
            contents => contents,
        };
        let known = match truth {
            Some((path, kind)) => {
                let truth = Truth::read(&path, scores.base(), kind)?;
                Some(Known { truth, path })
            }
            None => None,
        };
        let marks = marks.unwrap_or_else(|| MarkFile::beside(&path));
        let file = MarkFile::of(&marks, scores.header());
        let mut board = Board { marks: Marks::default(), file };
        board.refresh(&scores)?;
        if board.marks.unknown > 0 && board.marks.version() == 0 {
            return Err(ExploreError::Option(format!(
                "{} marks no example of this table: it is of another; name another file with --marks",
                marks.display()
            )));
        }
        Ok(Self { scores, contents, by, who, path, measured, known, marks: Mutex::new(board) })
    }

    /// What a person should know before looking, a line each.
    pub fn notes(&self) -> Vec<String> {
        let board = self.board();
        let path = board.file.path().display();
        let mut notes: Vec<String> = board.file.damage().into_iter().collect();
        let marked = board.marks.marked();
        // Where neither says it, the marks are beside a table of somebody's own as a rule.
        if !marked.is_empty() && board.file.is_one_sided() {
            notes.extend(board.file.assumption(self.scores.own_ids()));
        }
        let acts = marked.iter().map(|(_, act)| act);
        if let Some(last) = acts.max_by(|one, other| one.at.cmp(&other.at)) {
            let examples = match marked.len() {
                1 => "1 example is".to_owned(),
                several => format!("{several} examples are"),
            };
            notes.push(format!(
                "{examples} marked already in {path}, the last by {} at {}",
                last.by, last.at
            ));
        }
        if board.marks.unknown > 0 {
            notes.push(format!("{} ids in {path} are not in this table", board.marks.unknown));
        }
        if self.contents.missing() > 0 {
            notes.push(format!("{} rows have no picture", self.contents.missing()));
        }
        if let Some(known) = &self.known {
            notes.extend(known.truth.notes.iter().chain(&known.truth.warning).cloned());
        }
        notes
    }

    /// The answer to a request: its path below the token, its query, its body. Never panics on what a page may
    /// send, and opens no file that a page names.
    pub fn answer(&self, post: bool, path: &str, query: &str, body: &[u8]) -> Answer {
        let answered = match (post, path) {
            (false, path) if !path.starts_with("api/") => Ok(match assets::asset(path) {
                Some((kind, text)) => Answer::of(kind, text.into_bytes()),
                None => Answer::error(404, "there is no such page"),
            }),
            (false, "api/info") => info::info(self),
            (false, "api/column") => answers::column(self, query),
            (false, "api/order") => answers::order(self, query),
            (false, "api/rows") => answers::rows(self, query),
            (false, "api/picture") => answers::picture(self, query),
            (false, "api/example") => answers::example(self, query),
            (false, "api/find") => answers::find(self, query),
            (false, "api/suspects") => answers::suspects(self),
            (false, "api/truth") => answers::truth(self),
            (false, "api/worst") => answers::worst(self, query),
            (false, "api/choice") => choice::choice(self, query),
            (false, "api/marks") => answers::marks(self, query),
            (false, "api/labels.csv") => export::labels(self),
            (false, "api/marks.csv") => export::marks(self),
            (true, "api/mark") => answers::mark(self, query, body),
            (true, "api/undo") => answers::undo(self, query, body),
            _ => Ok(Answer::error(404, "there is nothing of this name")),
        };
        answered.unwrap_or_else(|error| error)
    }

    /// The marks, with what others have written meanwhile.
    pub(crate) fn fresh_board(&self) -> Result<MutexGuard<'_, Board>, TableError> {
        let mut board = self.board();
        board.refresh(&self.scores)?;
        Ok(board)
    }

    pub(crate) fn board(&self) -> MutexGuard<'_, Board> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new act of this person, after all that are known.
    pub(crate) fn act(
        &self,
        board: &Board,
        mark: Option<Verdict>,
        label: Option<String>,
        ids: Vec<String>,
        undoes: Option<String>,
    ) -> Result<Act, Answer> {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).map_err(|error| Answer::error(500, error))?;
        let at = mark_time(board.marks.latest());
        Ok(Act { at, by: self.who.clone(), act: hex(&bytes), mark, label, ids, undoes })
    }

    /// A row by its number, where there is such a row.
    pub(crate) fn row(&self, number: u32) -> Option<Row> {
        ((number as usize) < self.scores.rows()).then_some(Row(number))
    }
}

impl Board {
    /// Reads what is new in the file.
    pub(crate) fn refresh(&mut self, scores: &Scores) -> Result<(), TableError> {
        let news = self.file.news()?;
        if self.file.anew {
            // What is shown is what the file has.
            self.marks.forget();
        }
        self.marks.add(news, |id| scores.find(id));
        Ok(())
    }

    /// Saves acts, and takes them in: they are saved when they came back.
    pub(crate) fn save(&mut self, acts: &[Act], scores: &Scores) -> Result<(), TableError> {
        let mut lost = acts.to_vec();
        // Where somebody puts another file in the place of the one that was just written to, the next has them.
        for _ in 0..ATTEMPTS {
            self.file.append(&lost)?;
            self.refresh(scores)?;
            lost.retain(|act| !self.marks.knows(&act.act));
            if lost.is_empty() {
                return Ok(());
            }
        }
        Err(TableError::List(format!(
            "what was written to {} is not in it: something else writes this file; name another with --marks",
            self.file.path().display()
        )))
    }
}

#[cfg(test)]
mod tests {
    use datadiet_table::{Column, ScoreTable, Table};

    use super::*;

    #[test]
    fn what_does_not_come_back_from_the_file_is_not_saved() {
        let folder = tempfile::tempdir().unwrap();
        let mut table = Table::default();
        table.push("el2n@1", Column::F32(vec![0.5, 0.7])).unwrap();
        ScoreTable::of(table).unwrap().write(&folder.path().join("scores.parquet")).unwrap();
        let scores = Scores::open(folder.path(), None, None).unwrap();
        let file = MarkFile::new(&folder.path().join("marks.jsonl"), None);
        let mut board = Board { marks: Marks::default(), file };
        let act = |act: &str, at: &str| Act {
            at: at.into(),
            by: "ann".into(),
            act: act.into(),
            mark: Some(Verdict::Drop),
            label: None,
            ids: vec!["1".into()],
            undoes: None,
        };
        board.save(&[act("1", "2026-01-01T00:00:00.000Z")], &scores).unwrap();
        // A line that is read as none stands for one that is lost.
        let error = board.save(&[act("2", "never")], &scores).unwrap_err().to_string();
        assert!(error.contains("is not in it"), "{error}");
    }
}
