//! Text for the terminal.

use comfy_table::{CellAlignment, Table, presets};

/// A table without lines; columns after the first `text_columns` are numbers, set to the right.
pub fn table(header: &[&str], rows: Vec<Vec<String>>, text_columns: usize) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header.iter().copied());
    table.add_rows(rows);
    for index in text_columns..header.len() {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// A fraction as percent, without needless digits.
pub(crate) fn percent(fraction: f64) -> f64 {
    (fraction * 1e4).round() / 1e2
}

/// Lines that are told of a program's words where none of them begins with `error: `.
const TOLD_LINES: usize = 5;

/// Why a program failed, from the end of what it wrote: from the last line that begins with `error: `, if there is one.
pub(crate) fn last_words<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let lines: Vec<&str> = lines.filter(|line| !line.trim().is_empty()).collect();
    let error = lines.iter().rposition(|line| line.starts_with("error: "));
    lines[error.unwrap_or(lines.len().saturating_sub(TOLD_LINES))..].join("\n")
}
