//! A table of scores as the page asks for it: columns, orders, ranks, suspects.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use datadiet_core::Direction;
use datadiet_table::{
    Column, OwnIds, Ranking, Row, RowIndex, ScoreFile, ScoreTable, Table, TableError, WorstLabels,
    WrongLabelCount, class_names, is_detail,
};

use crate::columns::{Kept, read};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A score.
    Score,
    /// A standard error or the value of one replica.
    Detail,
    /// Whole numbers.
    Whole,
    /// Texts.
    Text,
}

/// A table of scores, of which ids and labels are in memory and the rest is read when it is asked for.
pub struct Scores {
    file: ScoreFile,
    /// Ids and labels.
    base: ScoreTable,
    index: RowIndex,
    classes: Vec<String>,
    hard: Option<(String, Direction)>,
    columns: Kept<Column>,
    tables: Kept<ScoreTable>,
    orders: Kept<Vec<u32>>,
    suspects: OnceLock<Suspects>,
    worst: OnceLock<Option<WorstLabels>>,
}

/// The rows whose labels look wrong.
pub struct Suspects {
    /// The column that they are listed by.
    pub by: String,
    /// How many look wrong, in a sentence; or why nobody can tell.
    pub sentence: String,
    /// The rows, likeliest first; none where it cannot be told.
    pub rows: Vec<u32>,
}

impl Scores {
    /// Opens a table. `classes` are names of the classes in its data set, for a table that has none of its own; `hard`
    /// says which end of a column is hard, where that is not its name's.
    ///
    /// # Errors
    /// When there is none, it is damaged, has no rows, or an id is there twice; when two classes have one name.
    pub fn open(
        path: &Path,
        classes: Option<Vec<String>>,
        hard: Option<(String, Direction)>,
    ) -> Result<Self, TableError> {
        let file = ScoreFile::open(path)?;
        if file.rows() == 0 {
            return Err(TableError::Column(
                "the table has no rows: there is nothing to look at".into(),
            ));
        }
        file.header.default_column()?;
        // By the name that every question about it comes to: `el2n@end` is a column with its time in numbers.
        let resolved =
            |(by, end): (String, _)| Ok::<_, TableError>((file.header.ranking_name(&by)?, end));
        let hard = hard.map(resolved).transpose()?;
        let base = file.read_to_choose(None, false)?;
        let labels = base.columns().integers("label");
        let own = match labels {
            Ok(labels) => file.classes(labels)?,
            Err(_) => Vec::new(),
        };
        let classes = class_names(own, classes.as_deref())?;
        let index = RowIndex::of(base.own_ids()?)?;
        Ok(Self {
            file,
            base,
            index,
            classes,
            hard,
            columns: Kept::default(),
            tables: Kept::default(),
            orders: Kept::default(),
            suspects: OnceLock::new(),
            worst: OnceLock::new(),
        })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.file.rows()
    }

    /// The table without its columns of scores: ids, labels, the card.
    pub fn base(&self) -> &ScoreTable {
        &self.base
    }

    /// What is known without rows.
    pub fn header(&self) -> &ScoreTable {
        &self.file.header
    }

    /// Names of the classes.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The labels, where there are some.
    pub fn labels(&self) -> Option<&[u32]> {
        self.base.columns().integers("label").ok()
    }

    /// Names and kinds of the columns, in order.
    pub fn columns(&self) -> Vec<(&str, Kind)> {
        let table = self.file.header.columns();
        let kind = |name: &str| {
            Some(match table.column(name)? {
                Column::F32(_) if is_detail(name) => Kind::Detail,
                Column::F32(_) => Kind::Score,
                Column::U32(_) => Kind::Whole,
                Column::Text(_) => Kind::Text,
            })
        };
        table.names().filter_map(|name| Some((name, kind(name)?))).collect()
    }

    /// One column.
    ///
    /// # Errors
    /// When there is none of this name, or the file is damaged.
    pub fn column(&self, name: &str) -> Result<Arc<Column>, TableError> {
        self.columns.get(name, || read(&self.file, name))
    }

    /// Which end of a column is hard, where somebody said so.
    pub fn hard(&self, by: &str) -> Option<Direction> {
        self.hard.as_ref().filter(|(name, _)| name == by).map(|(_, direction)| *direction)
    }

    /// Does something with the ranking by a column, or by several joined by `+`.
    ///
    /// # Errors
    /// When there is no such column, or the file is damaged.
    pub fn ranked<T>(
        &self,
        by: &str,
        then: impl FnOnce(&ScoreTable, &Ranking<'_>) -> Result<T, TableError>,
    ) -> Result<T, TableError> {
        let by = self.file.header.ranking_name(by)?;
        let table = self.tables.get(&by, || {
            let table = self.table_to_choose(&by)?;
            let size = table.columns().names().count() * table.rows() * 4;
            Ok::<_, TableError>((table, size))
        })?;
        let ranking = table.ranking(&by, self.hard(&by))?;
        then(&table, &ranking)
    }

    /// What [`ScoreFile::read_to_choose`] reads, but for texts, of columns that are in memory.
    fn table_to_choose(&self, by: &str) -> Result<ScoreTable, TableError> {
        let base = self.base.columns();
        let mut table = Table::default();
        table.metadata.clone_from(&base.metadata);
        for name in self.file.columns_to_choose(Some(by), false)? {
            match base.column(&name) {
                Some(Column::Text(_)) => {}
                Some(column) => table.push(&name, column.clone())?,
                None => table.push(&name, Column::clone(&*self.column(&name)?))?,
            }
        }
        ScoreTable::of(table)
    }

    /// The rows in the order of a column: of a score hardest first, those without a value last, in the order of
    /// the table; of whole numbers and texts ascending, ties in the order of the table.
    ///
    /// # Errors
    /// When there is no such column, or the file is damaged.
    pub fn order(&self, by: &str) -> Result<Arc<Vec<u32>>, TableError> {
        self.orders.get(by, || {
            let rows = self.rows() as u32;
            let order = match self.file.header.columns().column(by) {
                Some(Column::U32(_) | Column::Text(_)) => {
                    let column = self.column(by)?;
                    let mut order: Vec<u32> = (0..rows).collect();
                    match &*column {
                        Column::U32(values) => order.sort_by_key(|&row| values[row as usize]),
                        Column::Text(texts) => {
                            order.sort_by(|&a, &b| texts[a as usize].cmp(&texts[b as usize]));
                        }
                        Column::F32(_) => {}
                    }
                    order
                }
                _ => self.ranked(by, |table, ranking| {
                    let mut order: Vec<u32> =
                        ranking.hardest_first(&table.ids())?.into_iter().map(|row| row.0).collect();
                    order.extend((0..rows).filter(|&row| ranking.values[row as usize].is_nan()));
                    Ok(order)
                })?,
            };
            let size = order.len() * 4;
            Ok::<_, TableError>((order, size))
        })
    }

    /// The value of a row in a column of scores, its rank from the hard end (1 is the hardest; ties share the
    /// best) and how many rows have a value. None where the row has none.
    ///
    /// # Errors
    /// When there is no such column, or the file is damaged.
    pub fn rank(&self, by: &str, row: Row) -> Result<Option<Rank>, TableError> {
        self.ranked(by, |table, ranking| {
            let value = ranking.values[row.index()];
            // Forgetting is ranked with what was never learned on top, and shown as it was counted.
            let own = table.columns().floats(&ranking.name).map_or(value, |own| own[row.index()]);
            if value.is_nan() {
                return Ok(None);
            }
            let harder = |&other: &f32| match ranking.direction {
                Direction::HigherIsHarder => other > value,
                Direction::LowerIsHarder => other < value,
            };
            let rank = 1 + ranking.values.iter().filter(|other| harder(other)).count();
            let of = ranking.values.iter().filter(|other| !other.is_nan()).count();
            let ties = ranking.values.iter().filter(|&&other| other == value).count() - 1;
            Ok(Some(Rank { value: own, rank, of, ties, direction: ranking.direction }))
        })
    }

    /// The rows beside a row in the order of a column, itself among them.
    ///
    /// # Errors
    /// When there is no such column, or the file is damaged.
    pub fn neighbours(&self, by: &str, row: Row, each_side: usize) -> Result<Vec<u32>, TableError> {
        let order = self.order(by)?;
        let place = order.iter().position(|&other| other == row.0).unwrap_or_default();
        let end = (place + each_side + 1).min(order.len());
        Ok(order[place.saturating_sub(each_side)..end].to_vec())
    }

    /// The rows whose labels look wrong, by the column that finds them best. Computed once.
    ///
    /// # Errors
    /// When a column cannot be read.
    pub fn suspects(&self) -> Result<&Suspects, TableError> {
        if let Some(found) = self.suspects.get() {
            return Ok(found);
        }
        let by = self.file.header.default_suspicion()?;
        let names = self.header().columns_of_wrong_labels(&by)?;
        let table = self.file.read(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
        let ranking = table.ranking(&by, self.hard(&by))?;
        let found: WrongLabelCount = table.wrong_labels(&ranking)?;
        let count = found.estimate.as_ref().map_or(0, |estimate| estimate.suspects);
        let rows = self.order(&by)?.iter().take(count).copied().collect();
        Ok(self.suspects.get_or_init(|| Suspects { by, sentence: found.to_string(), rows }))
    }

    /// Of each row of a table of several labels the one that looks wrong; none of other tables. Computed once.
    ///
    /// # Errors
    /// When a column cannot be read.
    pub fn worst(&self) -> Result<Option<&WorstLabels>, TableError> {
        if let Some(found) = self.worst.get() {
            return Ok(found.as_ref());
        }
        let header = self.header();
        let by = header.default_suspicion()?;
        let found = match header.columns_of_one_label(&by) {
            Some(names) => self.file.read(&names.each_ref().map(String::as_str))?.worst_labels(&by),
            None => None,
        };
        Ok(self.worst.get_or_init(|| found).as_ref())
    }

    /// The ids by which the owner knows the rows.
    pub fn own_ids(&self) -> OwnIds<'_> {
        // Checked when the table was opened.
        self.base.own_ids().unwrap_or(OwnIds::Rows(self.rows()))
    }

    /// The row of an id.
    pub fn find(&self, id: &str) -> Option<Row> {
        self.index.find(self.own_ids(), id)
    }

    /// Up to `most` rows whose ids begin with a text, the one that it is first.
    pub fn beginning_with(&self, start: &str, most: usize) -> Vec<Row> {
        self.index.beginning_with(self.own_ids(), start, most)
    }
}

/// Where a row stands in a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rank {
    /// Its value.
    pub value: f32,
    /// From the hard end, from 1.
    pub rank: usize,
    /// Rows with a value.
    pub of: usize,
    /// Other rows with the same value.
    pub ties: usize,
    /// Which end is hard.
    pub direction: Direction,
}
