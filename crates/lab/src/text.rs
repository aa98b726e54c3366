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

/// A text with lines of at most `width` characters, broken at blanks; what goes on is set in by two. A word that is
/// longer stands alone.
pub fn wrapped(text: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.split('\n') {
        let mut current = String::new();
        for word in line.split(' ') {
            let length = current.chars().count();
            if length > 0 && length + 1 + word.chars().count() > width {
                lines.push(std::mem::replace(&mut current, format!("  {word}")));
            } else {
                if length > 0 {
                    current.push(' ');
                }
                current.push_str(word);
            }
        }
        lines.push(current);
    }
    lines.join("\n")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_at_blanks_and_no_word_is_lost() {
        let text = "one two three four\n\nfive-and-a-half six";
        assert_eq!(wrapped(text, 9), "one two\n  three\n  four\n\nfive-and-a-half\n  six");
        assert_eq!(wrapped(text, 80), text);
    }
}
