//! Tables of a page: tables of callers and tables under figures.

use askama::Template;

use crate::{
    TableBlock,
    numbers::{Cell, Numbers},
};

/// So many rows are shown; the others unfold.
const SHOWN: usize = 50;

/// Texts of so many characters stay on one line.
const SHORT: usize = 28;

#[derive(Template)]
#[template(path = "table.html")]
pub struct TableView {
    caption: String,
    header: Vec<CellView>,
    shown: Vec<Vec<CellView>>,
    hidden: Vec<Vec<CellView>>,
}

struct CellView {
    text: String,
    /// The number in full, where the text is shorter.
    value: Option<String>,
    remark: String,
    is_number: bool,
    /// Whether it names its row.
    is_name: bool,
}

impl CellView {
    /// Numbers stand on the right; short texts are not broken at their hyphens.
    fn class(&self) -> &'static str {
        match self.text.chars().count() {
            _ if self.is_number => "number",
            0..=SHORT => "short",
            _ => "long",
        }
    }
}

impl TableView {
    /// A table of a caller.
    pub fn of(table: &TableBlock) -> Self {
        let cell = |row: &[String], column: usize| CellView {
            text: row.get(column).cloned().unwrap_or_default(),
            value: None,
            remark: String::new(),
            is_number: column >= table.text_columns,
            is_name: column == 0 && table.text_columns > 0,
        };
        let longest = table.rows.iter().map(Vec::len).max().unwrap_or(0).max(table.header.len());
        let cells = |row: &[String]| (0..longest).map(|column| cell(row, column)).collect();
        let rows = table.rows.iter().map(|row| cells(row)).collect();
        Self::new(table.caption.clone(), cells(&table.header), rows)
    }

    /// The table under a figure.
    pub fn of_numbers(numbers: &Numbers) -> Self {
        let is_number = |column: usize| {
            numbers.rows.iter().all(|row| row.get(column).is_some_and(Cell::is_number))
        };
        let name = |(column, text): (usize, &String)| CellView {
            text: text.clone(),
            value: None,
            remark: String::new(),
            is_number: is_number(column),
            is_name: false,
        };
        let cell = |(column, cell): (usize, &Cell)| CellView {
            text: cell.text(),
            value: cell.value(),
            remark: cell.remark().to_owned(),
            is_number: is_number(column),
            is_name: column == 0 && !is_number(column),
        };
        let header = numbers.header.iter().enumerate().map(name).collect();
        let rows = numbers.rows.iter().map(|row| row.iter().enumerate().map(cell).collect());
        Self::new(String::new(), header, rows.collect())
    }

    fn new(caption: String, header: Vec<CellView>, mut shown: Vec<Vec<CellView>>) -> Self {
        let hidden = shown.split_off(SHOWN.min(shown.len()));
        Self { caption, header, shown, hidden }
    }
}
