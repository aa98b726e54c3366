//! Texts of examples: from files, by id, or one a row where the table has no ids, and of tables whose rows are tokens.

use std::collections::HashMap;
use std::path::Path;

use datadiet_table::{Column, ID_NAMES, ListFile, OwnIds, Row, ScoreTable, TEXT_NAMES};

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
            (OwnIds::written(&table)?.map(written), texts.clone())
        }
        _ => {
            let file = ListFile::read(path, "texts")?;
            let ids = file.ids_if_any()?;
            (ids.as_ref().map(|ids| written(ids.own())), file.texts(&TEXT_NAMES)?)
        }
    };
    arranged(ids, texts, table).or_else(refused)
}

/// Ids as texts.
fn written(ids: OwnIds<'_>) -> Vec<String> {
    (0..ids.len() as u32).map(|row| ids.text(Row(row))).collect()
}

/// The texts in the order of the table's rows: by their ids where they have some, else, of a table without ids of its
/// own, as many as rows.
fn arranged(
    ids: Option<Vec<String>>,
    texts: Vec<String>,
    table: &ScoreTable,
) -> Result<Vec<String>, String> {
    let own = table.own_ids().map_err(|error| error.to_string())?;
    let by_row = matches!(own, OwnIds::Rows(_));
    let Some(ids) = ids else {
        if !by_row {
            return Err(format!(
                "it has no ids, and the table knows its rows by ids (the first is {:?}): nothing says which text is \
                 whose; write them beside the texts, as `id` of each line of a .jsonl file or as a column of .csv or \
                 .parquet",
                own.text(Row(0))
            ));
        }
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
    let of_row = |id: String| {
        by_id.remove(&id).ok_or_else(|| format!("it has no text for the id {id:?} of the table"))
    };
    let arranged = written(own).into_iter().map(of_row).collect::<Result<_, _>>()?;
    if by_row && !by_id.is_empty() && !table.is_limited() {
        return Err(format!(
            "the table gives its {} rows no ids but their numbers, and the file has {} texts more: nothing says which \
             of them the rows are; record the ids of the texts",
            own.len(),
            by_id.len()
        ));
    }
    Ok(arranged)
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
        let id = ID_NAMES.iter().find_map(|name| value.get(name));
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

    /// A table of so many rows that nobody gave ids.
    pub(crate) fn numbered(rows: u32) -> ScoreTable {
        let mut table = Table::default();
        table.push("el2n@1", Column::F32((0..rows).map(|row| row as f32).collect())).unwrap();
        ScoreTable::of(table).unwrap()
    }

    #[test]
    fn texts_go_by_ids_and_by_rows_where_the_table_has_none() {
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str, text: &str, table: &ScoreTable| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            texts_of(&path, table).map_err(|error| error.to_string())
        };
        let (named, bare) = (table(&["x", "y"]), numbered(2));
        let both = || Ok(vec!["one".to_owned(), "two".to_owned()]);
        assert_eq!(read("a.txt", "one\ntwo\n", &bare), both());
        let lines = "{\"id\":\"y\",\"text\":\"two\"}\n{\"id\":\"x\",\"text\":\"one\"}\n";
        assert_eq!(read("a.jsonl", lines, &named), both());
        assert_eq!(read("b.jsonl", &lines.replace("\"id\"", "\"idx\""), &named), both());
        assert_eq!(read("a.csv", "id,text\ny,two\nx,one\n", &named), both());
        assert_eq!(read("b.csv", "id,text\n1,two\n0,one\n", &bare), both());
        let refused = |name: &str, text: &str, table: &ScoreTable, why: &str| {
            let error = read(name, text, table).unwrap_err();
            assert!(error.contains(why), "{error}");
        };
        refused("b.txt", "one\n", &bare, "1 texts and the table 2 rows");
        refused("c.jsonl", "{\"id\":\"z\",\"text\":\"\"}\n", &named, "no text for the id \"x\"");
        // As many as rows, but nothing says that they are in their order.
        refused("c.txt", "one\ntwo\n", &named, "nothing says which text is whose");
        refused("d.jsonl", "{\"text\":\"one\"}\n{\"text\":\"two\"}\n", &named, "is whose");
        // Rows that nobody numbered may be any two of three texts.
        refused("d.csv", "id,text\n0,one\n1,two\n2,three\n", &bare, "1 texts more");
    }

    #[test]
    fn ids_of_a_parquet_file_are_ids_though_they_count_its_rows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("texts.parquet");
        let mut texts = Table::default();
        texts.push("id", Column::U32((0..6).collect())).unwrap();
        let words = ["a", "b", "c", "d", "e", "f"].map(str::to_owned).to_vec();
        texts.push("text", Column::Text(words)).unwrap();
        texts.write(&path).unwrap();
        assert_eq!(texts_of(&path, &table(&["4", "1"])).unwrap(), ["e", "b"]);
        let all = table(&["14", "17", "11", "12", "13", "16"]);
        let error = texts_of(&path, &all).unwrap_err().to_string();
        assert!(error.contains("no text for the id \"14\""), "{error}");
    }
}
