//! Files of commas for people, who open them in spreadsheets.

use std::io::Write;

/// What a spreadsheet takes for the beginning of a formula, and our own sign that it is none.
const FORMULA: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\''];

/// A text that no spreadsheet takes for a formula: an apostrophe goes before one that begins like one.
pub fn plain_cell(text: &str) -> String {
    if text.starts_with(FORMULA) { format!("'{text}") } else { text.to_owned() }
}

/// The text that [`plain_cell`] was given.
pub fn cell_text(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(text) if text.starts_with(FORMULA) => text,
        _ => cell,
    }
}

/// Writes records as RFC 4180 has them. A first cell that begins like a comment of our lists is quoted, so that the
/// record is not left out where it is read again.
pub fn sheet_writer<W: Write>(to: W) -> csv::Writer<W> {
    let mut writer = csv::WriterBuilder::new();
    writer.terminator(csv::Terminator::CRLF).comment(Some(b'#')).from_writer(to)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_is_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "'", "\t=1", "'=1"] {
            assert!(plain_cell(text).starts_with('\''), "{text}");
        }
        assert_eq!((cell_text("'s-Hertogenbosch"), cell_text("'-5")), ("'s-Hertogenbosch", "-5"));
    }

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        let mut writer = sheet_writer(Vec::new());
        writer.write_record(["a", "b"]).unwrap();
        writer.write_record(["1,2", "say \"no\"\n"]).unwrap();
        writer.write_record(["#7", "x"]).unwrap();
        let text = writer.into_inner().unwrap();
        assert_eq!(text, b"a,b\r\n\"1,2\",\"say \"\"no\"\"\n\"\r\n\"#7\",x\r\n");
    }

    proptest! {
        #[test]
        fn cells_come_back(text in "['=+@\\-\t]{0,3}.{0,5}") {
            let cell = plain_cell(&text);
            prop_assert_eq!(cell_text(&cell), text.as_str());
        }
    }
}
