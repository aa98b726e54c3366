//! Texts of examples: from files, by id or one a row, and of tables whose rows are tokens.

use std::collections::HashMap;
use std::path::Path;

use datadiet_table::{Column, ListFile, OwnIds, Row, ScoreTable, TEXT_NAMES};

use crate::ExploreError;

/// Tokens that are shown on each side of one.
const BESIDE: usize = 12;

/// The tokens of a table whose rows are tokens.
pub struct Tokens {
    texts: Vec<String>,
    example: Vec<u32>,
    position: Vec<u32>,
    /// Rows by example and position.
    order: Vec<u32>,
}

impl Tokens {
    /// Of a table's columns.
    pub fn of(texts: Vec<String>, example: Vec<u32>, position: Vec<u32>) -> Self {
        let mut order: Vec<u32> = (0..texts.len() as u32).collect();
        order.sort_by_key(|&row| (example[row as usize], position[row as usize]));
        Self { texts, example, position, order }
    }

    /// A token between those beside it: `in ⟦Rome⟧ it rains`.
    pub fn around(&self, row: Row) -> String {
        let key = |row: u32| (self.example[row as usize], self.position[row as usize]);
        let place = self.order.partition_point(|&other| key(other) < key(row.0));
        let from = place.saturating_sub(BESIDE);
        let to = (place + BESIDE + 1).min(self.order.len());
        let same = |other: &&u32| self.example[**other as usize] == self.example[row.index()];
        let words = self.order[from..to].iter().filter(same).map(|&other| {
            let text = &self.texts[other as usize];
            if other == row.0 { format!("⟦{text}⟧") } else { text.clone() }
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

/// The texts of a file in the order of the table's rows.
///
/// # Errors
/// When they do not belong to them.
pub fn texts_of(path: &Path, table: &ScoreTable) -> Result<Vec<String>, ExploreError> {
    let refused = |why: String| Err(ExploreError::Contents(format!("{}: {why}", path.display())));
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let (ids, texts) = match ending.to_lowercase().as_str() {
        "txt" => {
            let text = std::fs::read_to_string(path).map_err(|cause| {
                ExploreError::Contents(format!("cannot read {}: {cause}", path.display()))
            })?;
            (None, text.lines().map(str::to_owned).collect())
        }
        "jsonl" | "ndjson" => {
            let text = std::fs::read_to_string(path).map_err(|cause| {
                ExploreError::Contents(format!("cannot read {}: {cause}", path.display()))
            })?;
            json_lines(&text)
                .map_err(|why| ExploreError::Contents(format!("{}: {why}", path.display())))?
        }
        "parquet" => {
            let table = datadiet_table::Table::read(path).map_err(ExploreError::Table)?;
            let text = TEXT_NAMES.iter().find_map(|name| table.column(name));
            let only = || {
                table
                    .names()
                    .find_map(|name| table.column(name).filter(|c| matches!(c, Column::Text(_))))
            };
            let Some(Column::Text(texts)) = text.or_else(only) else {
                return refused(format!(
                    "it has no column of texts ({}, …)",
                    TEXT_NAMES[..3].join(", ")
                ));
            };
            let own = OwnIds::of(&table)?;
            let ids = match own {
                OwnIds::Rows(_) => None,
                own => Some((0..own.len() as u32).map(|row| own.text(Row(row))).collect()),
            };
            (ids, texts.clone())
        }
        _ => {
            let file = ListFile::read(path, "texts")?;
            let ids = file.ids_if_any()?.map(|ids| {
                let own = ids.own();
                (0..own.len() as u32).map(|row| own.text(Row(row))).collect()
            });
            (ids, file.texts(&TEXT_NAMES)?)
        }
    };
    arranged(ids, texts, table).or_else(refused)
}

/// The texts in the order of the table's rows: by their ids where they have some, else as many as rows.
fn arranged(
    ids: Option<Vec<String>>,
    texts: Vec<String>,
    table: &ScoreTable,
) -> Result<Vec<String>, String> {
    let own = table.own_ids().map_err(|error| error.to_string())?;
    let Some(ids) = ids else {
        if texts.len() != own.len() {
            return Err(format!(
                "it has {} texts and the table {} rows, and no ids say which is whose",
                texts.len(),
                own.len()
            ));
        }
        return Ok(texts);
    };
    let mut by_id: HashMap<String, String> = HashMap::with_capacity(ids.len());
    for (id, text) in ids.into_iter().zip(texts) {
        if let Some(twice) = by_id.insert(id.clone(), text) {
            drop(twice);
            return Err(format!("the id {id:?} is there twice; keep one"));
        }
    }
    (0..own.len() as u32)
        .map(|row| {
            let id = own.text(Row(row));
            by_id
                .remove(&id)
                .ok_or_else(|| format!("it has no text for the id {id:?} of the table"))
        })
        .collect()
}

type Listed = (Option<Vec<String>>, Vec<String>);

fn json_lines(text: &str) -> Result<Listed, String> {
    let (mut ids, mut texts) = (Vec::new(), Vec::new());
    for (line, value) in (1..).zip(text.lines().filter(|line| !line.trim().is_empty())) {
        let value: serde_json::Value = serde_json::from_str(value)
            .map_err(|error| format!("line {line} is not JSON: {error}"))?;
        let found = TEXT_NAMES.iter().find_map(|name| value.get(name)?.as_str());
        let Some(text) = found.or_else(|| value.as_str()) else {
            return Err(format!("line {line} has no text under {}", TEXT_NAMES[..3].join(", ")));
        };
        texts.push(text.to_owned());
        let id = ["key", "id", "guid", "uid"].iter().find_map(|name| value.get(name));
        ids.extend(id.map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned)));
    }
    match ids.len() {
        0 => Ok((None, texts)),
        some if some == texts.len() => Ok((Some(ids), texts)),
        some => Err(format!("{some} of {} lines have an id; all must, or none", texts.len())),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use datadiet_table::Table;

    /// A table of nothing but ids.
    pub(crate) fn table(ids: &[&str]) -> ScoreTable {
        let mut table = Table::default();
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        table.push("key", Column::Text(ids)).unwrap();
        ScoreTable::of(table).unwrap()
    }

    #[test]
    fn a_token_stands_between_those_beside_it() {
        let words = ["Rome", "in", "rains", "it", "late"].map(str::to_owned);
        let tokens = Tokens::of(words.to_vec(), vec![3, 3, 3, 3, 9], vec![1, 0, 7, 2, 3]);
        assert_eq!(tokens.around(Row(0)), "in ⟦Rome⟧ it rains");
        assert_eq!(tokens.around(Row(4)), "⟦late⟧");
    }

    #[test]
    fn texts_go_by_ids_or_by_rows() {
        let folder = tempfile::tempdir().unwrap();
        let table = table(&["x", "y"]);
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            texts_of(&path, &table)
        };
        let both = ["one".to_owned(), "two".to_owned()];
        assert_eq!(write("a.txt", "one\ntwo\n").unwrap(), both);
        let lines = "{\"id\":\"y\",\"text\":\"two\"}\n{\"id\":\"x\",\"text\":\"one\"}\n";
        assert_eq!(write("a.jsonl", lines).unwrap(), both);
        assert_eq!(write("a.csv", "id,text\ny,two\nx,one\n").unwrap(), both);
        let error = write("b.txt", "one\n").unwrap_err().to_string();
        assert!(error.contains("1 texts and the table 2 rows"), "{error}");
        let error = write("b.jsonl", "{\"id\":\"z\",\"text\":\"\"}\n").unwrap_err().to_string();
        assert!(error.contains("no text for the id \"x\""), "{error}");
    }
}
