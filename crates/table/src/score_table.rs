//! A table of scores: columns, rows, and the card that says where they come from.

use std::path::{Path, PathBuf};

use datadiet_core::{Direction, ScoreKind, Source, Task, average_ranks, forgetting_key};
use serde::Serialize;

use crate::identity::{OwnIds, are_numbers, called, id_column, is_unnamed};
use crate::ranking::{SUM, direction_of, kind_of, measure_of, time_of};
use crate::{Card, Column, ColumnSummary, Ranking, Table, TableError, TableFile, is_detail};

/// Classes that a table may have: above this a label is taken for a mistake.
const MOST_CLASSES: usize = 1 << 20;

/// Number of a row of a table, from 0. It is not the number of an example in a data set: see
/// [`ScoreTable::examples_in`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row(pub u32);

impl Row {
    /// The same number as an index into a column.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Scores with where they come from.
///
/// Columns are `id`, `label`, `class`, then for every score and time its mean (`el2n@4`), standard
/// error over replicas (`el2n@4.se`), and the replicas where wanted (`el2n@4.r0`); for every time
/// with an evaluation pass `predicted@4`, the class that most replicas predict. A table from
/// elsewhere may have any.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScoreTable {
    columns: Table,
    card: Option<Card>,
}

/// What the values of a column are like.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ColumnDescription {
    /// Its name.
    pub name: String,
    /// Which end is hard; none where the name of the column says nothing.
    pub direction: Option<Direction>,
    /// Mean of the values.
    pub mean: f64,
    /// Smallest value; NaN where there is none.
    pub min: f32,
    /// The middle value, the upper of two.
    pub median: f32,
    /// Largest value.
    pub max: f32,
    /// Rows without a value.
    pub missing: usize,
    /// Split-half reliability of the mean of all replicas, where the card has it.
    pub reliability: Option<f64>,
    /// The formula of a score that datadiet knows, as the table's task reads it.
    pub formula: Option<String>,
    /// When to use that score and when not; none of a part of one.
    pub when: Option<String>,
}

impl ScoreTable {
    /// A table with its card.
    pub fn new(mut columns: Table, card: Card) -> Self {
        card.write_to(&mut columns.metadata);
        Self { columns, card: Some(card) }
    }

    /// A table as it was read, from elsewhere or with a card in its metadata.
    ///
    /// # Errors
    /// When the card is damaged, or of a newer version.
    pub fn of(columns: Table) -> Result<Self, TableError> {
        let card = Card::in_metadata(&columns.metadata)?;
        Ok(Self { columns, card })
    }

    /// Reads a table, or the `scores.parquet` of a folder.
    ///
    /// # Errors
    /// When there is none, it is damaged, or an id is there twice.
    pub fn read(path: &Path) -> Result<Self, TableError> {
        let table = Self::of(Table::read(&located(path)?)?)?;
        table.check_ids()?;
        Ok(table)
    }

    /// Each of the owner's ids is there once. Numbers with fractions are no ids: who needs ids refuses them.
    fn check_ids(&self) -> Result<(), TableError> {
        self.own_ids().map_or(Ok(()), OwnIds::check_once)
    }

    /// Writes the table with its card, atomically.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), TableError> {
        self.columns.write(path)
    }

    /// The columns.
    pub fn columns(&self) -> &Table {
        &self.columns
    }

    /// The columns, to add some.
    pub fn columns_mut(&mut self) -> &mut Table {
        &mut self.columns
    }

    /// Where the table comes from; none for a table from elsewhere.
    pub fn card(&self) -> Option<&Card> {
        self.card.as_ref()
    }

    /// Changes what the card says; a table without one gets one.
    pub fn amend(&mut self, change: impl FnOnce(&mut Card)) {
        let card = self.card.get_or_insert_with(|| Card::new(Vec::new()));
        change(card);
        card.write_to(&mut self.columns.metadata);
    }

    /// What the card says about each column of scores; empty without one.
    pub fn summaries(&self) -> &[ColumnSummary] {
        self.card.as_ref().map_or(&[], |card| &card.columns)
    }

    /// How many replicas the scores are means of, where that is known.
    pub fn replicas(&self) -> Option<usize> {
        self.card.as_ref()?.replicas
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.columns.rows()
    }

    /// Names of the columns of scores: means over replicas, without standard errors and replicas.
    pub fn scores(&self) -> Vec<&str> {
        let is_score = |name: &&str| {
            let floats = matches!(self.columns.column(name), Some(Column::F32(_)));
            floats && !is_detail(name)
        };
        self.columns.names().filter(is_score).collect()
    }

    /// The two columns that a map of the examples shows where nobody names others, across and up: those of the task, as
    /// far as the table has them; else the column `by` against its standard error, else against another score.
    pub fn map_axes<'a>(&'a self, by: &'a str) -> (&'a str, &'a str) {
        let scores = self.scores();
        let latest = |kind: ScoreKind| {
            let all = scores.iter().filter(|name| kind_of(name) == Some(kind));
            let time = |name: &str| time_of(name).unwrap_or_default();
            all.max_by(|a, b| time(a).total_cmp(&time(b))).copied()
        };
        let mut telling = telling_pairs(self.task()).iter();
        if let Some(both) = telling.find_map(|&(x, y)| Some((latest(x)?, latest(y)?))) {
            return both;
        }
        let mut names = self.columns.names();
        if let Some(error) = names.find(|name| name.strip_suffix(".se") == Some(by)) {
            return (by, error);
        }
        let known = self.columns.column(by).is_some();
        let first = if known { by } else { scores.first().copied().unwrap_or(by) };
        let other = scores.iter().rev().find(|name| kind_of(name) != kind_of(first));
        let other = other.or_else(|| scores.iter().find(|name| **name != first));
        (first, other.copied().unwrap_or(first))
    }

    /// What was learned of each example; classification where nobody says.
    pub fn task(&self) -> Task {
        self.card.as_ref().map_or(Task::Classification, |card| card.task)
    }

    /// Whether the table says of each row what class it is labelled as.
    pub fn has_labels(&self) -> bool {
        self.columns.integers("label").is_ok()
    }

    /// The column that examples are ranked by where none is named: EL2N at its latest time, where there are
    /// losses or errors instead the mean of them, else the last score.
    ///
    /// # Errors
    /// When the table has no column of scores.
    pub fn default_column(&self) -> Result<String, TableError> {
        let names = self.scores();
        let last_of =
            |kind: ScoreKind| names.iter().rev().find(|name| measure_of(name) == Some(kind.into()));
        let means = match self.task() {
            Task::Classification | Task::MultiLabel => &[][..],
            Task::Loss | Task::Tokens => &[ScoreKind::MeanLoss, ScoreKind::Loss],
            Task::Regression => &[ScoreKind::MeanError, ScoreKind::ErrorNorm],
        };
        let el2n = [ScoreKind::El2n];
        // Of texts the mean loss goes first, as for suspects.
        let (first, then) = match self.task() {
            Task::Tokens => (means, &el2n[..]),
            _ => (&el2n[..], means),
        };
        let found = first.iter().chain(then).find_map(|kind| last_of(*kind)).or(names.last());
        let found = found.map(|name| (*name).to_owned());
        found.ok_or_else(|| TableError::Column("the table has no column of scores".into()))
    }

    /// The column that wrong labels are looked for with where none is named: at its latest time the first that
    /// the table has of those that find them best (of a classification AUM, margin of mean and log margin, of
    /// losses their mean), else [`Self::default_column`].
    ///
    /// # Errors
    /// When the table has no column of scores.
    pub fn default_suspicion(&self) -> Result<String, TableError> {
        let best: &[ScoreKind] = match self.task() {
            // Of tokens, which are classified one by one, there are losses over time instead of margins.
            Task::Classification => &[
                ScoreKind::Aum,
                ScoreKind::MarginOfMean,
                ScoreKind::LogMargin,
                ScoreKind::MeanLoss,
            ],
            Task::Loss | Task::Tokens => &[ScoreKind::MeanLoss, ScoreKind::Loss],
            Task::MultiLabel => &[ScoreKind::LeastAum, ScoreKind::LeastMargin, ScoreKind::Aum],
            Task::Regression => &[ScoreKind::MeanError, ScoreKind::ErrorNorm],
        };
        let latest = best.iter().find_map(|kind| self.resolved(&format!("{kind}@end")).ok());
        latest.map_or_else(|| self.default_column(), Ok)
    }

    /// The name of a column of scores, `score@end` for its latest time.
    ///
    /// # Errors
    /// When there is no such column; the message names the nearest.
    pub fn resolved(&self, name: &str) -> Result<String, TableError> {
        let table = &self.columns;
        let score = match name.strip_suffix("@end") {
            Some(score) if table.column(name).is_none() => score,
            _ => {
                table.floats(name)?;
                return Ok(name.to_owned());
            }
        };
        let is_float = |name: &&str| matches!(table.column(name), Some(Column::F32(_)));
        let times = table.names().filter(is_float).filter_map(|column| {
            let (found, time) = column.split_once('@')?;
            (found == score).then_some(())?;
            Some((time.parse::<f64>().ok()?, column))
        });
        let latest = times.max_by(|a, b| a.0.total_cmp(&b.0));
        latest.map(|(_, column)| column.to_owned()).ok_or_else(|| {
            let there = self.scores();
            let there = if there.is_empty() { "none".into() } else { there.join(", ") };
            let why = score.parse().ok().and_then(why_absent).unwrap_or_default();
            TableError::Column(format!(
                "the table has no column of {score}{why}; its scores are: {there}"
            ))
        })
    }

    /// The columns asked for by name ([`Self::resolved`]), or all scores.
    ///
    /// # Errors
    /// When there is no such column.
    pub fn chosen(&self, asked: &[String]) -> Result<Vec<String>, TableError> {
        if asked.is_empty() {
            return Ok(self.scores().into_iter().map(str::to_owned).collect());
        }
        asked.iter().map(|name| self.resolved(name)).collect()
    }

    /// A column to rank by: `el2n@4`, or `el2n@end` for the latest time. Its hard end is `hard`
    /// where given, else what its name says.
    ///
    /// Several columns joined by `+`, `log-margin@end+margin-of-mean@end`, rank by the sum of their ranks in (0, 1],
    /// 1 the hardest, equal values sharing the mean of theirs; a row without a value in one of them has none.
    ///
    /// `forgetting@…` ranks never-learned examples above all counts where the table says which
    /// those are ([`forgetting_key()`]), unless it counts them as ∞ already.
    ///
    /// # Errors
    /// When there is no such column; the message names the nearest.
    pub fn ranking(&self, name: &str, hard: Option<Direction>) -> Result<Ranking<'_>, TableError> {
        let terms = self.terms(name)?;
        let [name] = &terms[..] else { return self.sum_of_ranks(&terms, hard) };
        let name = name.clone();
        let counts = self.columns.floats(&name)?;
        let already = || counts.iter().any(|count| count.is_infinite());
        let never = never_learned(&name).and_then(|never| self.columns.floats(&never).ok());
        let values = match never {
            Some(never) if !already() => forgetting_key(counts, never)?.into(),
            _ => counts.into(),
        };
        let known = hard.or_else(|| direction_of(&name));
        let direction = known.unwrap_or(Direction::HigherIsHarder);
        Ok(Ranking { name, values, direction, assumed: known.is_none() })
    }

    /// Columns that [`Self::ranking`] reads for `name`; those that the table lacks are left out.
    ///
    /// # Errors
    /// When the column itself is unknown; the message names the nearest.
    pub fn columns_of(&self, name: &str) -> Result<Vec<String>, TableError> {
        let there = |never: &String| self.columns.floats(never).is_ok();
        let beside = |name: String| {
            let never = never_learned(&name).filter(there);
            std::iter::once(name).chain(never)
        };
        Ok(self.terms(name)?.into_iter().flat_map(beside).collect())
    }

    /// The columns that a ranking by `name` is of: one, or those that `+` joins.
    ///
    /// # Errors
    /// When one is not there; the message names the nearest.
    fn terms(&self, name: &str) -> Result<Vec<String>, TableError> {
        if self.columns.column(name).is_some() {
            return Ok(vec![name.to_owned()]);
        }
        let terms: Vec<&str> = name.split(SUM).map(str::trim).collect();
        if terms.len() > 1 && terms.contains(&"") {
            return Err(TableError::Column(format!(
                "{name:?} joins columns by `+`, and one of them has no name"
            )));
        }
        let terms: Vec<String> =
            terms.into_iter().map(|term| self.resolved(term)).collect::<Result<_, _>>()?;
        match terms.iter().enumerate().find(|(at, term)| terms[..*at].contains(term)) {
            None => Ok(terms),
            Some((_, twice)) => {
                Err(TableError::Column(format!("{twice} is there twice; leave it out once")))
            }
        }
    }

    /// The name of a ranking, its times in numbers.
    ///
    /// # Errors
    /// When it is of a column that is not there; the message names the nearest.
    pub fn ranking_name(&self, name: &str) -> Result<String, TableError> {
        Ok(self.terms(name)?.join("+"))
    }

    fn sum_of_ranks(
        &self,
        terms: &[String],
        hard: Option<Direction>,
    ) -> Result<Ranking<'_>, TableError> {
        if hard.is_some() {
            return Err(TableError::Column(format!(
                "which end is hard can be said of one column, not of several at a time ({}); leave it out, or \
                 name the one to rank by",
                terms.join("+")
            )));
        }
        let rankings: Vec<Ranking<'_>> =
            terms.iter().map(|term| self.ranking(term, None)).collect::<Result<_, _>>()?;
        let valued = |row: &usize| rankings.iter().all(|one| !one.values[*row].is_nan());
        let rows: Vec<usize> = (0..self.columns.rows()).filter(valued).collect();
        let mut sums = vec![0.0; rows.len()];
        for ranking in &rankings {
            let hardness = ranking.hardness();
            let values: Vec<f32> = rows.iter().map(|&row| hardness[row]).collect();
            for (sum, rank) in sums.iter_mut().zip(average_ranks(&values)?) {
                *sum += rank / rows.len() as f64;
            }
        }
        let mut values = vec![f32::NAN; self.columns.rows()];
        rows.iter().zip(&sums).for_each(|(&row, &sum)| values[row] = sum as f32);
        Ok(Ranking {
            name: terms.join("+"),
            values: values.into(),
            direction: Direction::HigherIsHarder,
            assumed: rankings.iter().any(|ranking| ranking.assumed),
        })
    }

    /// What the values of a column are like.
    ///
    /// # Errors
    /// When there is no such column.
    pub fn description(&self, name: &str) -> Result<ColumnDescription, TableError> {
        let all = self.columns.floats(name)?;
        let mut seen: Vec<f32> = all.iter().copied().filter(|value| !value.is_nan()).collect();
        seen.sort_unstable_by(f32::total_cmp);
        let sum: f64 = seen.iter().map(|&value| f64::from(value)).sum();
        let at = |index: usize| seen.get(index).copied().unwrap_or(f32::NAN);
        let known = self.card.as_ref().and_then(|card| card.column(name));
        let measure = measure_of(name);
        let defined = measure.as_ref().map(|measure| self.task().definition_of(measure));
        let whole = measure.is_some_and(|measure| measure.part_name().is_none());
        Ok(ColumnDescription {
            name: name.into(),
            direction: direction_of(name),
            mean: sum / seen.len() as f64,
            min: at(0),
            median: at(seen.len() / 2),
            max: at(seen.len().saturating_sub(1)),
            missing: all.len() - seen.len(),
            reliability: known.and_then(|column| Some(column.reliability?.full)),
            when: defined.clone().filter(|_| whole).map(|defined| defined.when.into_owned()),
            formula: defined.map(|defined| defined.formula.into_owned()),
        })
    }

    /// Columns of the size of each example: tokens, boxes, pixels.
    pub(crate) fn lengths(&self) -> Vec<&str> {
        let is_length = |name: &&str| measure_of(name) == Some(ScoreKind::Length.into());
        self.scores().into_iter().filter(is_length).collect()
    }

    /// Names of the classes, by label; numbers where the table has none.
    ///
    /// # Errors
    /// When a label is too large to be the number of a class.
    pub fn classes(&self) -> Result<Vec<String>, TableError> {
        let Ok(labels) = self.columns.integers("label") else { return Ok(Vec::new()) };
        let mut names = unnamed(labels)?;
        if let Some(Column::Text(classes)) = self.columns.column("class") {
            for (&label, class) in labels.iter().zip(classes) {
                let name = &mut names[label as usize];
                if name.as_ref() != Some(class) {
                    *name = Some(class.clone());
                }
            }
        }
        Ok(called(names))
    }

    /// Numbers of the examples in the table: the column `id`, or the numbers of the rows.
    pub fn ids(&self) -> Vec<u32> {
        match self.columns.integers("id") {
            Ok(ids) => ids.to_vec(),
            Err(_) => (0..self.rows() as u32).collect(),
        }
    }
}

/// A table of scores of which no rows have been read.
#[derive(Debug)]
pub struct ScoreFile {
    /// What is known without its rows.
    pub header: ScoreTable,
    file: TableFile,
}

impl ScoreFile {
    /// Opens a table, or the `scores.parquet` of a folder.
    ///
    /// # Errors
    /// When there is none, or it is damaged.
    pub fn open(path: &Path) -> Result<Self, TableError> {
        let file = TableFile::open(&located(path)?)?;
        Ok(Self { header: ScoreTable::of(file.header().clone())?, file })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.file.rows()
    }

    /// Reads some columns.
    ///
    /// # Errors
    /// When there is none of a name, or the file is damaged.
    pub fn read(&self, columns: &[&str]) -> Result<ScoreTable, TableError> {
        ScoreTable::of(self.file.read(columns)?)
    }

    /// Reads what a choice by a column needs: that column, labels and the owner's ids, the sizes of the
    /// examples, which it may follow, and names of classes if asked for.
    ///
    /// # Errors
    /// As [`Self::read`]; an id that is there twice.
    pub fn read_to_choose(
        &self,
        by: Option<&str>,
        classes: bool,
    ) -> Result<ScoreTable, TableError> {
        let names = self.columns_to_choose(by, classes)?;
        let table = self.read(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
        table.check_ids()?;
        Ok(table)
    }

    /// Names of the columns that [`Self::read_to_choose`] reads.
    ///
    /// # Errors
    /// When there is no such column; the message names the nearest.
    pub fn columns_to_choose(
        &self,
        by: Option<&str>,
        classes: bool,
    ) -> Result<Vec<String>, TableError> {
        let table = self.header.columns();
        let mut names = match by {
            Some(by) => self.header.columns_of(by)?,
            None => Vec::new(),
        };
        let there = |name: &&str| table.column(name).is_some();
        let own = id_column(table).map(|(name, _)| name);
        let others = own.into_iter().chain(["label"]).chain(classes.then_some("class"));
        names.extend(others.filter(there).map(str::to_owned));
        if by.is_some() {
            names.extend(self.header.lengths().into_iter().map(str::to_owned));
        }
        let mut distinct: Vec<String> = Vec::new();
        for name in names {
            if !distinct.contains(&name) {
                distinct.push(name);
            }
        }
        Ok(distinct)
    }

    /// Checks that the table is of a whole training set: numbers in its column `id`, where it has
    /// some, are its rows'.
    ///
    /// # Errors
    /// When they are not.
    pub fn check_whole(&self) -> Result<(), TableError> {
        let numbers = matches!(self.header.columns.column("id"), Some(Column::U32(_)));
        if numbers && !self.file.numbers_rows("id")? {
            return Err(not_whole());
        }
        Ok(())
    }

    /// Names of the classes of these labels; numbers where the table has none.
    ///
    /// # Errors
    /// When a label is too large to be one, or the file is damaged.
    pub fn classes(&self, labels: &[u32]) -> Result<Vec<String>, TableError> {
        let mut names = unnamed(labels)?;
        if matches!(self.header.columns.column("class"), Some(Column::Text(_))) {
            for (label, name) in self.file.texts_by("label", "class")? {
                names[label as usize] = Some(name);
            }
        }
        Ok(called(names))
    }
}

fn not_whole() -> TableError {
    TableError::Ids(
        "the ids of the table are not 0, 1, 2, …: it is not the table of a whole training set, in \
         order; sort it by id, or take the table that it was made from"
            .into(),
    )
}

/// Names of the classes of a table, by label: those of the data set that it belongs to where the table names none, or
/// names all that it names alike, for a part of a table names few; else its own. A data set may number the same classes
/// otherwise, so its names are not those of a table's labels where the table calls these otherwise.
///
/// # Errors
/// When the data set has fewer classes than the table, or two classes have one name: marks, labels and other programs
/// know classes by their names.
pub fn class_names(own: Vec<String>, given: Option<&[String]>) -> Result<Vec<String>, TableError> {
    let names = match given {
        Some(given) if agree(&own, given) => given.to_vec(),
        // Numbers alone disagree where the data set has fewer.
        Some(given) if are_numbers(&own) => {
            return Err(TableError::Column(format!(
                "the table has labels up to {}, and the data set {} classes: they belong to different data sets",
                own.len() - 1,
                given.len()
            )));
        }
        _ => own,
    };
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(TableError::Column(format!(
            "two classes are called {:?}: where classes go by their names nobody could tell one from the other; give \
             them different names",
            pair[0]
        ))),
        None => Ok(names),
    }
}

/// Whether a data set has all classes of a table under their numbers.
fn agree(own: &[String], given: &[String]) -> bool {
    let alike = |(class, name): (usize, &String)| {
        given.get(class).is_some_and(|given| given == name || is_unnamed(class, name))
    };
    own.iter().enumerate().all(alike)
}

/// No name yet for each class of some labels.
fn unnamed(labels: &[u32]) -> Result<Vec<Option<String>>, TableError> {
    let most = labels.iter().enumerate().max_by_key(|(_, label)| **label);
    match most {
        Some((row, &label)) if label as usize >= MOST_CLASSES => {
            Err(TableError::Label { row, label, most: MOST_CLASSES })
        }
        most => Ok(vec![None; most.map_or(0, |(_, &label)| label as usize + 1)]),
    }
}

/// What a score needs that not every table has; none for those that any logits give.
fn why_absent(kind: ScoreKind) -> Option<&'static str> {
    Some(match kind {
        ScoreKind::Aum => {
            ", which takes logits of each epoch of a training: probabilities have none, nor has a single pass \
             (log-margin and margin-of-mean come close)"
        }
        _ => match kind.source() {
            Source::TrainingMinibatches => ", which is taken over the epochs of a training",
            Source::Gradients => {
                ", which takes gradients: --scores, or datadiet.torch, for one of PyTorch's"
            }
            Source::Losses => ", which is taken of losses that a training loop records each epoch",
            Source::Outputs => {
                ", which is taken of tokens, of several labels an example or of a regression"
            }
            Source::Inputs | Source::EvalLogits => return None,
        },
    })
}

/// The column that says who never learned, beside a column of forgetting.
fn never_learned(name: &str) -> Option<String> {
    let time = name.strip_prefix("forgetting@")?;
    Some(format!("never-learned@{time}"))
}

/// The file of a table that was asked for, or the one in a folder.
fn located(path: &Path) -> Result<PathBuf, TableError> {
    let file = if path.is_dir() { path.join("scores.parquet") } else { path.to_owned() };
    if !file.exists() {
        return Err(TableError::Absent(file));
    }
    let parquet = file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"));
    if parquet { Ok(file) } else { Err(TableError::NotATable(file)) }
}

/// Which scores tell most about the examples of a task beside each other, the best first: how sure and how steady
/// (dataset cartography, of losses and errors their mean and spread over the epochs), of texts the loss beside the
/// length, which explains much of it, of several labels all of them beside the worst.
fn telling_pairs(task: Task) -> &'static [(ScoreKind, ScoreKind)] {
    use ScoreKind::{
        Aum, Confidence, ErrorNorm, ErrorStd, LeastAum, LeastMargin, Length, Loss, LossStd,
        MeanError, MeanLoss, MeanMargin, Variability,
    };
    match task {
        Task::Classification => &[(Variability, Confidence)],
        Task::Loss => &[(LossStd, MeanLoss)],
        Task::Tokens => &[(Length, MeanLoss), (Length, Loss), (Loss, MeanLoss)],
        Task::MultiLabel => &[(Aum, LeastAum), (MeanMargin, LeastMargin)],
        Task::Regression => &[(ErrorStd, MeanError), (Loss, ErrorNorm)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> ScoreTable {
        let mut columns = Table::default();
        let mut push = |name: &str, values: [f32; 4]| {
            columns.push(name, Column::F32(values.to_vec())).unwrap();
        };
        push("el2n@2", [0.1, 0.2, 0.3, 0.4]);
        push("el2n@8", [0.1, 0.4, 0.4, f32::NAN]);
        push("aum@8", [-5.0, 1.0, 2.0, 9.0]);
        ScoreTable::of(columns).unwrap()
    }

    #[test]
    fn several_columns_rank_by_the_sum_of_their_ranks() {
        let table = table();
        let ranking = table.ranking("el2n@end+aum@8", None).unwrap();
        assert_eq!(
            (ranking.name.as_str(), ranking.direction),
            ("el2n@8+aum@8", Direction::HigherIsHarder)
        );
        // Among the three that have both: EL2N ranks 1, 2.5, 2.5; AUM, whose low end is hard, 3, 2, 1.
        let expected = [4.0 / 3.0, 4.5 / 3.0, 3.5 / 3.0];
        for (found, expected) in ranking.values.iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-6);
        }
        assert!(ranking.values[3].is_nan());
        assert_eq!(table.columns_of("el2n@end + aum@8").unwrap(), ["el2n@8", "aum@8"]);
        assert_eq!(table.ranking_name("el2n@end+aum@end").unwrap(), "el2n@8+aum@8");
    }

    #[test]
    fn wrong_labels_are_looked_for_with_the_best_margin_that_is_there() {
        let mut columns = Table::default();
        let mut names = Vec::new();
        for name in ["loss@1", "el2n@3", "log-margin@3", "margin-of-mean@3", "aum@3"] {
            columns.push(name, Column::F32(vec![0.5])).unwrap();
            names.push(ScoreTable::of(columns.clone()).unwrap().default_suspicion().unwrap());
        }
        assert_eq!(names, ["loss@1", "el2n@3", "log-margin@3", "margin-of-mean@3", "aum@3"]);
    }

    #[test]
    fn classes_are_called_as_the_table_says_and_by_the_data_set_where_it_does_not() {
        let names =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let data = names(&["dog", "cat", "owl"]);
        let own = names(&["cat", "dog"]);
        assert_eq!(class_names(own.clone(), Some(&data)).unwrap(), own);
        assert_eq!(class_names(names(&["0", "1"]), Some(&data)).unwrap(), data);
        assert_eq!(class_names(names(&["0", "1"]), None).unwrap(), ["0", "1"]);
        // A part of the table has no dog: what there is agrees, or does not.
        assert_eq!(class_names(names(&["0", "cat"]), Some(&data)).unwrap(), data);
        let turned = names(&["0", "dog"]);
        assert_eq!(class_names(turned.clone(), Some(&data)).unwrap(), turned);
        let refused = |own: &[&str], given: Option<&[String]>| {
            class_names(names(own), given).unwrap_err().to_string()
        };
        assert!(refused(&["0", "1", "2", "3"], Some(&data)).contains("labels up to 3"));
        assert!(refused(&["cat", "cat"], None).contains("two classes are called \"cat\""));
    }

    #[test]
    fn star_ratings_without_an_example_of_one_are_told_apart() {
        let mut columns = Table::default();
        columns.push("label", Column::U32(vec![0, 2])).unwrap();
        columns.push("class", Column::Text(["1", "3"].map(str::to_owned).into())).unwrap();
        let own = ScoreTable::of(columns).unwrap().classes().unwrap();
        assert_eq!(own, ["1", "1, without an example", "3"]);
        let stars = ["1", "2", "3", "4", "5"].map(str::to_owned);
        assert_eq!(class_names(own.clone(), Some(&stars)).unwrap(), stars);
        assert_eq!(class_names(own.clone(), None).unwrap(), own);
    }

    #[test]
    fn of_texts_the_mean_loss_is_the_usual_column() {
        let mut columns = Table::default();
        for name in ["mean-loss@3", "el2n@3", "length@3"] {
            columns.push(name, Column::F32(vec![0.0, 1.0])).unwrap();
        }
        let usual = |task| {
            let card = Card { task, ..Card::new(Vec::new()) };
            ScoreTable::new(columns.clone(), card).default_column().unwrap()
        };
        let found = [Task::Tokens, Task::Loss].map(usual);
        assert_eq!(found, ["mean-loss@3", "el2n@3"]);
    }

    #[test]
    fn a_score_that_is_not_there_is_told_with_what_it_needs() {
        let columns = Table::default();
        let table = ScoreTable::of(columns).unwrap();
        let why = |name: &str| table.resolved(name).unwrap_err().to_string();
        assert!(why("aum@end").contains("no column of aum, which takes logits of each epoch"));
        assert!(why("aum@end").contains("probabilities have none"));
        assert!(why("forgetting@end").contains("over the epochs of a training"));
        assert!(why("grand@end").contains("takes gradients"));
        assert!(why("loss@end").contains("no column of loss; its scores are: none"));
        assert!(why("anything@end").contains("no column of anything; its"));
    }

    #[test]
    fn a_sum_of_columns_is_of_columns_that_are_there() {
        let table = table();
        let message = table.ranking("el2n@8+aun@8", None).unwrap_err().to_string();
        assert!(message.contains("aum@8"), "{message}");
        let hard = Some(Direction::LowerIsHarder);
        assert!(
            table.ranking("el2n@8+aum@8", hard).unwrap_err().to_string().contains("one column")
        );
        for (wrong, why) in [("aum@8+", "no name"), ("aum@8+aum@end", "twice")] {
            let message = table.ranking(wrong, None).unwrap_err().to_string();
            assert!(message.contains(why), "{message}");
        }
        assert_eq!(crate::time_of("el2n@8+aum@8"), Some(8.0));
        assert_eq!(crate::time_of("el2n@2+aum@8"), None);
        assert_eq!(crate::kind_of("el2n@8+aum@8"), None);
    }
}
