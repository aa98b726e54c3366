//! Tasks for Label Studio, with what is predicted as pre-annotation, and the labelling interface for them.
//!
//! ```text
//! tasks.json   data: key (the id), image or text, label, predicted, rank, suspicion, …; predictions
//! config.xml   the labelling interface: the classes, and wrong, drop, unsure beside them
//! images/      pictures of an imported data set
//! card.json
//! ```
//!
//! The score of a prediction is the suspicion, in [0, 1]: sorted by it the likeliest suspects come first. Pictures go
//! by an address: that of Label Studio's own server of local files, or one that begins as the caller says.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use datadiet_core::Task;
use datadiet_explore::Contents;
use datadiet_table::{Row, Verdict};
use serde_json::{Map, Value, json};

use super::{Written, fields, not_written, pictures};
use crate::outgoing::number;
use crate::text::{attribute, percent};
use crate::{ExchangeError, Outgoing};

/// Names of the two questions of the interface, which annotations name.
pub const LABEL: &str = "label";
/// As [`LABEL`]: what else is to be said.
pub const MARK: &str = "mark";

/// Where Label Studio serves files of its own machine, below the folder that it was told.
const LOCAL: &str = "/data/local-files/?d=";
/// Folder of the pictures of an imported data set.
const IMAGES: &str = "images";
/// Classes that are shown side by side; more are a list to choose from.
const MOST_SHOWN: usize = 20;
/// Names in `data` that are ours.
const TAKEN: [&str; 13] = [
    "key",
    "id",
    "image",
    "text",
    "label",
    "predicted",
    "suspect",
    "rank",
    "suspicion",
    "kept",
    "mark",
    "right_label",
    "marked_by",
];

/// Writes the tasks, the likeliest suspects first. `url` goes before the path of a picture below its folder.
///
/// # Errors
/// When there are neither pictures nor texts, a class cannot be named in XML, or something is in the way.
pub fn write(
    out: &Outgoing<'_>,
    contents: &Contents,
    url: Option<&str>,
    to: &Path,
) -> Result<Written, ExchangeError> {
    if out.table().task() == Task::Tokens && out.has_tokens() {
        return ExchangeError::refused(
            "the rows of this table are tokens, and a task of Label Studio is a whole text: --to csv has them one by one",
        );
    }
    if matches!(contents, Contents::None) {
        return ExchangeError::refused(
            "Label Studio shows pictures or texts: give --images DIR, --data NAME or --text FILE",
        );
    }
    let config = config(out.classes(), matches!(contents, Contents::Texts(_)))?;
    let names = fields::names(out.scores(), &TAKEN);
    let (mut examples, mut notes) = (0, Vec::new());
    super::folder(out, to, |folder| {
        let file = folder.join("config.xml");
        std::fs::write(&file, config.as_bytes()).map_err(not_written(&file))?;
        let path = folder.join("tasks.json");
        let failed = not_written(&path);
        let mut file = BufWriter::new(File::create(&path).map_err(&failed)?);
        let mut add = |row: Row, (name, shown): (&str, String)| -> Result<(), ExchangeError> {
            let mut task = task(out, &names, row);
            task["data"][name] = shown.into();
            file.write_all(if examples == 0 { b"[\n" } else { b",\n" }).map_err(&failed)?;
            examples += 1;
            serde_json::to_writer(&mut file, &task).map_err(|error| failed(error.into()))
        };
        let rows = out.suspects_first();
        if let Contents::Texts(_) = contents {
            for row in rows {
                add(row, ("text", contents.text(row).unwrap_or_default().into_owned()))?;
            }
        } else {
            let (placed, note) = pictures::placed(out, contents, rows, "Label Studio")?;
            notes.extend(note);
            let ours = matches!(contents, Contents::Dataset(..));
            for one in &placed {
                if ours {
                    pictures::put(contents, one, &folder.join(IMAGES))?;
                }
                let below =
                    if ours { format!("{IMAGES}/{}", one.place) } else { one.place.clone() };
                let address = format!("{}{}", url.unwrap_or(LOCAL), percent(&below));
                add(one.row, ("image", address))?;
            }
            if url.is_none() {
                notes.push(format!(
                    "pictures are where Label Studio serves files of its machine: start it with \
                     LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT set to \
                     {}, or say where else they are with --url",
                    if ours { "the folder that was written" } else { "the folder of the pictures" }
                ));
            }
        }
        file.write_all(b"\n]\n").and_then(|()| file.flush()).map_err(&failed)
    })?;
    Ok(Written { written: to.to_owned(), examples, notes })
}

/// A task without what it shows.
fn task(out: &Outgoing<'_>, names: &[String], row: Row) -> Value {
    let example = out.example(row);
    let mut data = Map::new();
    data.insert("key".into(), example.id.clone().into());
    data.insert("label".into(), example.label.into());
    data.insert("predicted".into(), example.predicted.into());
    data.insert("suspect".into(), example.suspect.into());
    data.insert("rank".into(), example.rank.into());
    data.insert("suspicion".into(), example.suspicion.into());
    let scores =
        names.iter().zip(out.values(row)).map(|(name, value)| (name.clone(), number(value)));
    data.extend(scores);
    if let Some(kept) = example.kept {
        data.insert("kept".into(), kept.into());
    }
    if let Some(act) = example.mark {
        data.insert("mark".into(), act.mark.map(Verdict::name).into());
        data.insert("right_label".into(), act.label.clone().into());
        data.insert("marked_by".into(), act.by.clone().into());
    }
    let suggested =
        example.suggested().filter(|label| out.classes().iter().any(|known| known == label));
    let predictions: Vec<Value> = suggested
        .map(|label| {
            json!({
                "model_version": format!("datadiet {}", out.by()),
                "score": example.suspicion,
                "result": [{
                    "from_name": LABEL, "to_name": "example", "type": "choices",
                    "value": { "choices": [label] },
                }],
            })
        })
        .into_iter()
        .collect();
    json!({ "data": data, "predictions": predictions })
}

/// The labelling interface.
fn config(classes: &[String], texts: bool) -> Result<String, ExchangeError> {
    let mut xml = String::from("<View>\n");
    xml += if texts {
        "  <Text name=\"example\" value=\"$text\"/>\n"
    } else {
        "  <Image name=\"example\" value=\"$image\" zoom=\"true\"/>\n"
    };
    if !classes.is_empty() {
        let layout =
            if classes.len() > MOST_SHOWN { " layout=\"select\"" } else { " showInLine=\"true\"" };
        xml += "  <Header value=\"Labelled as: $label\"/>\n";
        let _ = writeln!(
            xml,
            "  <Choices name=\"{LABEL}\" toName=\"example\" choice=\"single\"{layout}>"
        );
        for class in classes {
            let Some(name) = attribute(class) else {
                return ExchangeError::refused(format!(
                    "the class {class:?} has a character in its name that XML cannot hold: rename it"
                ));
            };
            let _ = writeln!(xml, "    <Choice value=\"{name}\"/>");
        }
        xml += "  </Choices>\n  <Header value=\"Or, or as well\"/>\n";
    }
    let _ = writeln!(
        xml,
        "  <Choices name=\"{MARK}\" toName=\"example\" choice=\"single\" showInLine=\"true\">"
    );
    // Where there are classes, the right one says that a label is kept.
    let verdicts = Verdict::ALL.into_iter();
    for verdict in verdicts.filter(|&verdict| classes.is_empty() || verdict != Verdict::Keep) {
        let _ = writeln!(xml, "    <Choice value=\"{}\"/>", verdict.name());
    }
    xml += "  </Choices>\n</View>\n";
    Ok(xml)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interface_has_the_classes_and_what_else_can_be_said() {
        let classes = ["a & b".to_owned(), "<cat>".to_owned()];
        let xml = config(&classes, true).unwrap();
        assert!(
            xml.contains("value=\"a &amp; b\"") && xml.contains("value=\"&lt;cat&gt;\""),
            "{xml}"
        );
        assert!(xml.contains("\"wrong\"") && !xml.contains("\"keep\""), "{xml}");
        assert!(config(&[], false).unwrap().contains("\"keep\""));
        assert!(config(&["\u{1}".to_owned()], true).unwrap_err().to_string().contains("rename"));
    }
}
