//! Marks as files of commas, for spreadsheets and other programs.

use datadiet_table::{OwnIds, Row};

use crate::Explorer;
use crate::explorer::{Answer, Answered};

/// Labels with the marked corrections: `id,label,class,original,mark`, a row of the table each.
pub fn labels(explorer: &Explorer) -> Answered {
    let scores = &explorer.scores;
    let Some(labels) = scores.labels() else {
        return Ok(Answer::error(404, "the table has no labels"));
    };
    let classes = scores.classes();
    let board = explorer.fresh_board()?;
    let ids = scores.own_ids();
    let mut lines = Lines::new(&["id", "label", "class", "original", "mark"]);
    for (row, &original) in (0..).map(Row).zip(labels) {
        let act = board.marks.of(row);
        let right = act.and_then(|act| act.label.as_ref());
        let label = right.and_then(|label| classes.iter().position(|class| class == label));
        let label = label.unwrap_or(original as usize);
        let class = classes.get(label).map_or("", String::as_str);
        let mark = act.and_then(|act| act.mark).map_or("", |mark| mark.name());
        lines.add(&[&id(ids, row), &label.to_string(), class, &original.to_string(), mark]);
    }
    Ok(lines.answer("labels.csv"))
}

/// What is marked: `id,mark,label,by,at`, a marked row each.
pub fn marks(explorer: &Explorer) -> Answered {
    let board = explorer.fresh_board()?;
    let ids = explorer.scores.own_ids();
    let mut lines = Lines::new(&["id", "mark", "label", "by", "at"]);
    for (row, act) in board.marks.marked() {
        let mark = act.mark.map_or("", |mark| mark.name());
        let label = act.label.as_deref().unwrap_or_default();
        lines.add(&[&id(ids, row), mark, label, &act.by, &act.at]);
    }
    Ok(lines.answer("marks.csv"))
}

fn id(ids: OwnIds<'_>, row: Row) -> String {
    ids.text(row)
}

/// Lines of fields as RFC 4180 has them.
struct Lines(String);

impl Lines {
    fn new(names: &[&str]) -> Self {
        let mut lines = Self(String::new());
        lines.add(names);
        lines
    }

    fn add(&mut self, fields: &[&str]) {
        for (place, field) in fields.iter().enumerate() {
            if place > 0 {
                self.0.push(',');
            }
            if field.contains([',', '"', '\n', '\r']) || field.trim() != *field {
                self.0.push('"');
                self.0.push_str(&field.replace('"', "\"\""));
                self.0.push('"');
            } else {
                self.0.push_str(field);
            }
        }
        self.0.push_str("\r\n");
    }

    fn answer(self, name: &'static str) -> Answer {
        let answer = Answer::of("text/csv; charset=utf-8", self.0.into_bytes());
        Answer { save_as: Some(name), ..answer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        let mut lines = Lines::new(&["a", "b"]);
        lines.add(&["1,2", "say \"no\"\n"]);
        assert_eq!(lines.0, "a,b\r\n\"1,2\",\"say \"\"no\"\"\n\"\r\n");
    }
}
