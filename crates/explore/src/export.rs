//! Marks as files of commas, for spreadsheets and other programs.

use datadiet_table::{Row, plain_cell, sheet_writer};

use crate::Explorer;
use crate::answers::{NAME, short};
use crate::explorer::{Answer, Answered};

/// Labels with the marked corrections: `id,label,class,original,mark`, a row of the table each. Where somebody named a
/// class that the table does not have, nobody knows its number, and it is refused.
pub fn labels(explorer: &Explorer) -> Answered {
    let scores = &explorer.scores;
    let Some(labels) = scores.labels() else {
        return Ok(Answer::error(404, "the table has no labels"));
    };
    let classes = scores.classes();
    let board = explorer.fresh_board()?;
    let ids = scores.own_ids();
    let mut lines = vec![["id", "label", "class", "original", "mark"].map(str::to_owned)];
    for (row, &original) in (0..).map(Row).zip(labels) {
        let act = board.marks.of(row);
        let label = match act.and_then(|act| act.label.as_ref()) {
            None => original as usize,
            Some(right) => match classes.iter().position(|class| class == right) {
                Some(label) => label,
                None => {
                    let (id, right) = (short(&ids.text(row), NAME), short(right, NAME));
                    let why = format!(
                        "the right class of {id} is said to be {right}, which is no class of these scores: mark it \
                         again with one that is, or clear its mark"
                    );
                    return Ok(Answer::error(400, why));
                }
            },
        };
        let class = classes.get(label).map(|class| plain_cell(class)).unwrap_or_default();
        let mark = act.and_then(|act| act.mark).map_or("", |mark| mark.name());
        let id = plain_cell(&ids.text(row));
        lines.push([id, label.to_string(), class, original.to_string(), mark.into()]);
    }
    Ok(answer("labels.csv", &lines))
}

/// What is marked: `id,mark,label,by,at`, a marked row each.
pub fn marks(explorer: &Explorer) -> Answered {
    let board = explorer.fresh_board()?;
    let ids = explorer.scores.own_ids();
    let mut lines = vec![["id", "mark", "label", "by", "at"].map(str::to_owned)];
    for (row, act) in board.marks.marked() {
        let mark = act.mark.map_or("", |mark| mark.name());
        let label = act.label.as_deref().unwrap_or_default();
        let id = ids.text(row);
        lines.push([id.as_str(), mark, label, &act.by, &act.at].map(plain_cell));
    }
    Ok(answer("marks.csv", &lines))
}

fn answer(name: &'static str, lines: &[[String; 5]]) -> Answer {
    let mut writer = sheet_writer(Vec::new());
    let written = lines.iter().try_for_each(|line| writer.write_record(line));
    if let Err(error) = written {
        return Answer::error(500, error);
    }
    match writer.into_inner() {
        Ok(bytes) => {
            let answer = Answer::of("text/csv; charset=utf-8", bytes);
            Answer { save_as: Some(name), ..answer }
        }
        Err(error) => Answer::error(500, error),
    }
}
