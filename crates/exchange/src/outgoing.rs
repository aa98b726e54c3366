//! What leaves: rows of a table, with all that is said of each.

use std::path::{Path, PathBuf};

use datadiet_core::Direction;
use datadiet_table::{
    Act, Marks, OwnIds, Ranking, Row, ScoreTable, SubsetFile, Suspect, TableError, TokenPlace,
    WrongLabelCount, class_names,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::ExchangeError;

/// Which rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    /// All of them.
    All,
    /// Those whose labels look wrong.
    Suspects,
    /// Those of a subset.
    Kept,
    /// Those that a subset leaves out.
    Dropped,
    /// Those that people marked.
    Marked,
}

impl Only {
    /// All of them, with a sentence for help.
    pub const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::All, "all", "All examples"),
        (Self::Suspects, "suspects", "Those whose labels look wrong, or the first -n"),
        (Self::Kept, "kept", "Those of --subset"),
        (Self::Dropped, "dropped", "Those that --subset leaves out"),
        (Self::Marked, "marked", "Those that --marks marks"),
    ];

    /// The word in options and files.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(only, ..)| *only == self).map_or("", |(_, name, _)| name)
    }
}

/// What is wanted of a table.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Which rows.
    pub only: Only,
    /// The column that suspects are listed by; none for the one that finds them best.
    pub by: Option<String>,
    /// Which end of it is suspect; none for what its name says.
    pub hard: Option<Direction>,
    /// How many suspects; none for as many as look wrong.
    pub suspects: Option<usize>,
    /// Columns of scores that go along; none for those that suspects are listed by.
    pub scores: Vec<String>,
    /// A subset of the table.
    pub subset: Option<PathBuf>,
    /// Files of marks.
    pub marks: Vec<PathBuf>,
    /// Names of the classes in the data set, for a table that has none of its own.
    pub classes: Option<Vec<String>>,
    /// How a person says which end is suspect, for messages.
    pub turn: &'static str,
}

/// Rows of a table that leave it.
pub struct Outgoing<'t> {
    table: &'t ScoreTable,
    ids: OwnIds<'t>,
    classes: Vec<String>,
    by: String,
    only: Only,
    columns: Vec<(String, &'t [f32])>,
    /// All rows with a value, likeliest first.
    listed: Vec<Suspect>,
    /// The place of each row among them, from 1; 0 where it has no value.
    ranks: Vec<u32>,
    suspects: usize,
    kept: Option<(PathBuf, Vec<bool>)>,
    marks: Option<Marks>,
    rows: Vec<Row>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// What is said of one row.
#[derive(Clone, Debug, Serialize)]
pub struct Example<'a> {
    /// Its row.
    #[serde(skip)]
    pub row: Row,
    /// The id that its owner gave.
    pub id: String,
    /// What it is labelled as.
    pub label: Option<&'a str>,
    /// What is predicted.
    pub predicted: Option<&'a str>,
    /// Whether its label looks wrong.
    pub suspect: bool,
    /// Its place in the list of suspects, from 1; none without a score.
    pub rank: Option<u32>,
    /// The fraction of the scored examples that are no likelier suspects, in (0, 1]: 1 is the likeliest.
    pub suspicion: Option<f64>,
    /// Whether a subset has it; none where there is no subset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<bool>,
    /// The latest mark.
    #[serde(skip)]
    pub mark: Option<&'a Act>,
}

impl Example<'_> {
    /// Whatever people say its label should be, else what is predicted.
    pub fn suggested(&self) -> Option<&str> {
        self.mark.and_then(|act| act.label.as_deref()).or(self.predicted)
    }
}

impl<'t> Outgoing<'t> {
    /// Takes the rows that are wanted.
    ///
    /// # Errors
    /// When a column is not there, a list is of another data set, or no row is left.
    pub fn new(table: &'t ScoreTable, wanted: &Wanted) -> Result<Self, ExchangeError> {
        let ids = table.own_ids()?;
        ids.check_once()?;
        let classes = class_names(table.classes()?, wanted.classes.as_deref())?;
        let by = match &wanted.by {
            Some(by) => by.clone(),
            None => table.default_suspicion()?,
        };
        let ranking = table.ranking(&by, wanted.hard)?;
        let mut notes: Vec<String> = ranking.assumption(wanted.turn).into_iter().collect();
        let listed = table.suspects(&classes, &ranking, None, usize::MAX)?;
        let mut ranks = vec![0; table.rows()];
        for (rank, suspect) in (1..).zip(&listed) {
            ranks[suspect.row.index()] = rank;
        }
        let suspects = suspects(table, &ranking, wanted, listed.len(), &mut notes)?;
        let kept = wanted
            .subset
            .as_ref()
            .map(|file| Ok::<_, TableError>((file.clone(), mask(table, file)?)));
        let kept = kept.transpose()?;
        let marks = match &wanted.marks[..] {
            [] => None,
            files => {
                let (marks, told) = Marks::of_table(table, files)?;
                notes.extend(told);
                Some(marks)
            }
        };
        let columns = columns(table, &by, &wanted.scores)?;
        let mut out = Self {
            table,
            ids,
            classes,
            by: ranking.name.clone(),
            only: wanted.only,
            columns,
            listed,
            ranks,
            suspects,
            kept,
            marks,
            rows: Vec::new(),
            notes,
        };
        out.rows = out.wanted_rows()?;
        Ok(out)
    }

    fn wanted_rows(&self) -> Result<Vec<Row>, ExchangeError> {
        let all = || (0..self.table.rows() as u32).map(Row);
        let of_subset = |wanted: bool| match &self.kept {
            Some((_, kept)) => Ok(all().filter(|row| kept[row.index()] == wanted).collect()),
            None => ExchangeError::refused(format!(
                "{} by which choice? Give --subset FILE (`datadiet select` writes one), or --only all or suspects",
                self.only.name()
            )),
        };
        let rows: Vec<Row> = match self.only {
            Only::All => all().collect(),
            Only::Suspects => self.listed.iter().take(self.suspects).map(|one| one.row).collect(),
            Only::Kept => of_subset(true)?,
            Only::Dropped => of_subset(false)?,
            Only::Marked => match &self.marks {
                Some(marks) => marks.marked().into_iter().map(|(row, _)| row).collect(),
                None => {
                    return ExchangeError::refused(
                        "marked by whom? Give --marks FILE (`datadiet explore` writes one)",
                    );
                }
            },
        };
        if rows.is_empty() {
            return ExchangeError::refused(format!(
                "no example is {}: there is nothing to write; --only all takes all {}",
                match self.only {
                    Only::Suspects => "suspect",
                    only => only.name(),
                },
                self.table.rows()
            ));
        }
        Ok(rows)
    }

    /// The table.
    pub fn table(&self) -> &'t ScoreTable {
        self.table
    }

    /// The owner's ids of all rows.
    pub fn ids(&self) -> OwnIds<'t> {
        self.ids
    }

    /// Names of the classes; none where the table has no labels.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The column that suspects are listed by.
    pub fn by(&self) -> &str {
        &self.by
    }

    /// The rows, ascending.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = self.rows.clone();
        rows.sort_unstable();
        rows
    }

    /// The rows for people: the likeliest suspects first, those without a score last.
    pub fn suspects_first(&self) -> Vec<Row> {
        let mut rows = self.rows.clone();
        rows.sort_by_key(|row| (self.ranks[row.index()].wrapping_sub(1), *row));
        rows
    }

    /// Whether what people marked goes along.
    pub fn has_marks(&self) -> bool {
        self.marks.is_some()
    }

    /// Whether it is said of some row what it is labelled as.
    pub fn has_labels(&self) -> bool {
        self.table.has_labels() || self.listed.iter().any(|one| one.class.is_some())
    }

    /// Whether it is known which rows a subset has.
    pub fn has_subset(&self) -> bool {
        self.kept.is_some()
    }

    /// All that is said of a row but its scores.
    pub fn example(&self, row: Row) -> Example<'_> {
        let rank = self.ranks[row.index()];
        let listed = rank.checked_sub(1).map(|place| &self.listed[place as usize]);
        let labels = self.table.columns().integers("label").ok();
        let label = || self.classes.get(labels?[row.index()] as usize).map(String::as_str);
        let of = self.listed.len() as f64;
        Example {
            row,
            id: self.ids.text(row),
            label: listed.map_or_else(label, |one| one.class.as_deref()),
            predicted: listed.and_then(|one| one.predicted.as_deref()),
            suspect: rank > 0 && rank as usize <= self.suspects,
            rank: (rank > 0).then_some(rank),
            suspicion: (rank > 0).then(|| 1.0 - f64::from(rank - 1) / of),
            kept: self.kept.as_ref().map(|(_, kept)| kept[row.index()]),
            mark: self.marks.as_ref().and_then(|marks| marks.of(row)),
        }
    }

    /// Whether rows are tokens of examples.
    pub fn has_tokens(&self) -> bool {
        self.listed.first().is_some_and(|one| one.token.is_some())
    }

    /// Where the token of a row is, in a table whose rows are tokens.
    pub fn token(&self, row: Row) -> Option<&TokenPlace> {
        let place = self.ranks[row.index()].checked_sub(1)?;
        self.listed[place as usize].token.as_ref()
    }

    /// Names of the scores that go along.
    pub fn scores(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(name, _)| name.as_str())
    }

    /// The scores of a row, in the order of their names; NaN where it has none.
    pub fn values(&self, row: Row) -> impl Iterator<Item = f32> {
        self.columns.iter().map(move |(_, values)| values[row.index()])
    }

    /// All that is said of a row, as JSON: its scores under `scores` by their names, its mark under `mark`.
    pub fn record(&self, row: Row) -> Map<String, Value> {
        let example = self.example(row);
        let Ok(Value::Object(mut record)) = serde_json::to_value(&example) else {
            return Map::new();
        };
        let scores = self.scores().zip(self.values(row));
        let scores: Map<String, Value> =
            scores.map(|(name, value)| (name.to_owned(), number(value))).collect();
        record.insert("scores".into(), scores.into());
        if let Some(act) = example.mark {
            let mark = act.mark.map(|mark| mark.name());
            let said = json!({ "mark": mark, "label": act.label, "by": act.by, "at": act.at });
            record.insert("mark".into(), said);
        }
        record
    }

    /// Where the rows come from: the table's card, and what was asked for.
    pub fn card(&self) -> Value {
        json!({
            "datadiet": env!("CARGO_PKG_VERSION"),
            "examples": self.rows.len(),
            "of": self.table.rows(),
            "only": self.only.name(),
            "suspects": { "by": self.by, "count": self.suspects },
            "scores": self.scores().collect::<Vec<_>>(),
            "classes": self.classes,
            "subset": self.kept.as_ref().map(|(file, _)| file),
            "card": self.table.card(),
        })
    }
}

/// A number as JSON has it: null where there is none.
pub(crate) fn number(value: f32) -> Value {
    // As 32 bits are written shortest, not as the 64 bits nearest to them.
    value.to_string().parse::<f64>().ok().filter(|value| value.is_finite()).into()
}

/// How many rows, likeliest first, look wrong.
fn suspects(
    table: &ScoreTable,
    ranking: &Ranking<'_>,
    wanted: &Wanted,
    listed: usize,
    notes: &mut Vec<String>,
) -> Result<usize, ExchangeError> {
    if let Some(count) = wanted.suspects {
        if count == 0 {
            return ExchangeError::refused("no suspects are none to write; give -n 1 or more");
        }
        return Ok(count.min(listed));
    }
    let found: WrongLabelCount = table.wrong_labels(ranking)?;
    match (&found.estimate, wanted.only) {
        (Some(estimate), _) => Ok(estimate.suspects),
        (None, Only::Suspects) => ExchangeError::refused(format!(
            "how many labels look wrong cannot be told ({}); say how many suspects you want: -n N",
            found.cannot_tell.unwrap_or_default()
        )),
        (None, _) => {
            notes.push(format!(
                "no example is called a suspect: how many labels look wrong cannot be told ({}); -n N calls the \
                 first N so",
                found.cannot_tell.unwrap_or_default()
            ));
            Ok(0)
        }
    }
}

fn mask(table: &ScoreTable, subset: &Path) -> Result<Vec<bool>, TableError> {
    let mut mask = vec![false; table.rows()];
    for row in SubsetFile::read(subset)?.rows_in(table)? {
        mask[row.index()] = true;
    }
    Ok(mask)
}

/// The columns that were asked for, else those that suspects are listed by.
fn columns<'t>(
    table: &'t ScoreTable,
    by: &str,
    asked: &[String],
) -> Result<Vec<(String, &'t [f32])>, ExchangeError> {
    let names = match asked {
        [] => table.columns_of(by)?,
        [all] if all == "all" => table.chosen(&[])?,
        asked => table.chosen(asked)?,
    };
    let mut columns: Vec<(String, &[f32])> = Vec::new();
    for name in names {
        if !columns.iter().any(|(known, _)| *known == name) {
            let values = table.columns().floats(&name)?;
            columns.push((name, values));
        }
    }
    Ok(columns)
}
