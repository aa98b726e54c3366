//! A data set of FiftyOne in its own format of JSON: `fiftyone.types.FiftyOneDataset`.
//!
//! ```text
//! metadata.json   fields, classes, and the card under `info`
//! samples.json    one sample an example
//! data/           the pictures: links or copies of files, else PNG
//! card.json
//! ```
//!
//! Fields of a sample: `key` (the id), `ground_truth` and `predictions` (classifications), `rank`, `suspicion`, the
//! scores by plain names (`aum_10`; the description of a field is its name here), `marked_by`. Tags: `suspect`, `kept`,
//! `dropped`, and the mark: `wrong`, `drop`, `keep`, `unsure`. `ground_truth` of a wrong label whose right class is
//! marked is that class (of several labels an example there is none), and `given_label` what it was. `exported_label`
//! and `exported_mark` are the class and the mark that it has as it is written: what differs from them when it comes
//! back is what somebody said.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use datadiet_core::sha256;
use datadiet_explore::Contents;
use datadiet_table::{Row, Verdict};
use serde_json::{Map, Value, json};

use super::{Written, fields, not_written, pictures};
use crate::outgoing::number;
use crate::{ExchangeError, Outgoing};

/// The version whose layout is written: later ones bring it up to theirs as they import it.
const VERSION: &str = "1.0.0";
/// The folder of pictures.
const DATA: &str = "data";
/// Names of fields that are FiftyOne's or ours.
const TAKEN: [&str; 19] = [
    "id",
    "filepath",
    "tags",
    "metadata",
    "created_at",
    "last_modified_at",
    "dataset_id",
    "media_type",
    "rand",
    "key",
    "ground_truth",
    "predictions",
    "given_label",
    "exported_label",
    "exported_mark",
    "rank",
    "suspicion",
    "marked_by",
    "uniqueness",
];

/// Writes the data set, the likeliest suspects first.
///
/// # Errors
/// When there are no pictures, or something is in the way.
pub fn write(out: &Outgoing<'_>, contents: &Contents, to: &Path) -> Result<Written, ExchangeError> {
    let (placed, note) = pictures::placed(out, contents, out.suspects_first(), "FiftyOne")?;
    let names = fields::names(out.scores(), &TAKEN);
    super::folder(out, to, |folder| {
        let path = folder.join("samples.json");
        let failed = not_written(&path);
        let mut file = BufWriter::new(File::create(&path).map_err(&failed)?);
        file.write_all(b"{\"samples\": [").map_err(&failed)?;
        for (number, one) in placed.iter().enumerate() {
            pictures::put(contents, one, &folder.join(DATA))?;
            let sample = sample(out, &names, one.row, &format!("{DATA}/{}", one.place));
            file.write_all(if number == 0 { b"\n" } else { b",\n" }).map_err(&failed)?;
            serde_json::to_writer(&mut file, &sample).map_err(|error| failed(error.into()))?;
        }
        file.write_all(b"\n]}\n").and_then(|()| file.flush()).map_err(&failed)?;
        let path = folder.join("metadata.json");
        let failed = not_written(&path);
        let file = BufWriter::new(File::create(&path).map_err(&failed)?);
        serde_json::to_writer_pretty(file, &metadata(out, &names))
            .map_err(|error| failed(error.into()))
    })?;
    let notes = note.into_iter().collect();
    Ok(Written { written: to.to_owned(), examples: placed.len(), notes })
}

fn sample(out: &Outgoing<'_>, names: &[String], row: Row, file: &str) -> Map<String, Value> {
    let example = out.example(row);
    let mark = example.mark.and_then(|act| act.mark);
    let tags = [
        (example.suspect, "suspect"),
        (example.kept == Some(true), "kept"),
        (example.kept == Some(false), "dropped"),
        (mark.is_some(), mark.map_or("", Verdict::name)),
    ];
    let tags: Vec<&str> =
        tags.into_iter().filter(|(there, _)| *there).map(|(_, tag)| tag).collect();
    let id = |what: &str| json!({ "$oid": object_id(&[what, &example.id, file]) });
    let class = |what: &str, label: Option<&str>| {
        label.map_or(
            Value::Null,
            |label| json!({ "_id": id(what), "_cls": "Classification", "tags": [], "label": label }),
        )
    };
    let right = example.mark.and_then(|act| act.label.as_deref());
    // What an example is labelled as where it has one label: of several the one that looks wrong is not the truth.
    let truth = right.or(example.label).filter(|_| out.table().has_labels());
    let mut sample = Map::new();
    let mut add = |name: &str, value: Value| drop(sample.insert(name.into(), value));
    add("_id", id("sample"));
    add("filepath", file.into());
    add("tags", tags.into());
    add("_media_type", "image".into());
    add("_rand", random(&example.id).into());
    add("key", example.id.clone().into());
    add("ground_truth", class("ground_truth", truth));
    add("predictions", class("predictions", example.predicted));
    add("given_label", example.label.into());
    add("exported_label", truth.into());
    add("exported_mark", mark.map(Verdict::name).into());
    add("rank", example.rank.into());
    add("suspicion", example.suspicion.into());
    add("marked_by", example.mark.map(|act| act.by.as_str()).into());
    names.iter().zip(out.values(row)).for_each(|(name, value)| add(name, number(value)));
    sample
}

fn metadata(out: &Outgoing<'_>, names: &[String]) -> Value {
    let about = |name: &str| {
        let columns = &out.table().card()?.columns;
        let known = columns.iter().find(|column| column.name == name)?;
        Some(format!("{name}: {}", known.definition.formula))
    };
    let mut fields = vec![
        field("id", "_id", "ObjectIdField", None),
        field("_dataset_id", "_dataset_id", "ObjectIdField", None),
        field("filepath", "filepath", "StringField", None),
        list("tags"),
        embedded(
            "metadata",
            "fiftyone.core.metadata.ImageMetadata",
            &[
                field("size_bytes", "size_bytes", "IntField", None),
                field("mime_type", "mime_type", "StringField", None),
                field("width", "width", "IntField", None),
                field("height", "height", "IntField", None),
                field("num_channels", "num_channels", "IntField", None),
            ],
        ),
        field("_media_type", "_media_type", "StringField", None),
        field("_rand", "_rand", "FloatField", None),
        dated("created_at"),
        dated("last_modified_at"),
        field("key", "key", "StringField", Some("id in the table of scores")),
        classification("ground_truth"),
        classification("predictions"),
        field("given_label", "given_label", "StringField", Some("the label that was trained on")),
        field("exported_label", "exported_label", "StringField", Some("ground_truth as exported")),
        field("exported_mark", "exported_mark", "StringField", Some("the mark as exported")),
        field("rank", "rank", "IntField", Some("place among the suspects: 1 is the likeliest")),
        field("suspicion", "suspicion", "FloatField", Some("1 is the likeliest suspect")),
        field("marked_by", "marked_by", "StringField", Some("who marked it last")),
    ];
    for (name, column) in names.iter().zip(out.scores()) {
        let about = about(column).unwrap_or_else(|| column.to_owned());
        fields.push(field(name, name, "FloatField", Some(&about)));
    }
    json!({
        "version": VERSION,
        "media_type": "image",
        "tags": [],
        "info": { "datadiet": out.card() },
        "classes": {},
        "default_classes": out.classes(),
        "mask_targets": {},
        "default_mask_targets": {},
        "sample_fields": fields,
        "frame_fields": [],
    })
}

fn field(name: &str, in_database: &str, kind: &str, about: Option<&str>) -> Value {
    json!({
        "name": name,
        "ftype": format!("fiftyone.core.fields.{kind}"),
        "embedded_doc_type": null,
        "subfield": null,
        "fields": [],
        "db_field": in_database,
        "description": about,
        "info": null,
        "read_only": false,
    })
}

fn list(name: &str) -> Value {
    let mut list = field(name, name, "ListField", None);
    list["subfield"] = "fiftyone.core.fields.StringField".into();
    list
}

fn dated(name: &str) -> Value {
    let mut date = field(name, name, "DateTimeField", None);
    date["read_only"] = true.into();
    date
}

fn embedded(name: &str, kind: &str, fields: &[Value]) -> Value {
    let mut embedded = field(name, name, "EmbeddedDocumentField", None);
    embedded["embedded_doc_type"] = kind.into();
    embedded["fields"] = fields.into();
    embedded
}

fn classification(name: &str) -> Value {
    embedded(
        name,
        "fiftyone.core.labels.Classification",
        &[
            field("id", "_id", "ObjectIdField", None),
            list("tags"),
            field("label", "label", "StringField", None),
            field("confidence", "confidence", "FloatField", None),
            field("logits", "logits", "VectorField", None),
        ],
    )
}

/// An id of the database: the same of the same example, different of others.
fn object_id(of: &[&str]) -> String {
    sha256(of.join("\0").as_bytes())[..24].to_owned()
}

/// What FiftyOne draws samples by, in [0, 1).
fn random(id: &str) -> f64 {
    let digits = u64::from_str_radix(&sha256(id.as_bytes())[..12], 16).unwrap_or_default();
    digits as f64 / (1_u64 << 48) as f64
}
