//! Images and annotations as COCO has them: the owner's file without the images that do not go, or a bare list of
//! picture files.
//!
//! Of a file of the owner's all is kept as it is written, but for the images and annotations that are left out; each
//! image gets an object `datadiet` with all that is said of it. Images are joined by number where the table has numbers
//! for ids, else by `file_name`, as a path or a name, with or without ending.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{BufWriter, Write};
use std::path::Path;

use datadiet_explore::{Contents, Named, PathNames};
use datadiet_table::{FileError, OwnIds, Row};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{Written, pictures};
use crate::error::some_of;
use crate::{ExchangeError, Outgoing};

/// Our key in an image.
const OURS: &str = "datadiet";

#[derive(Deserialize)]
struct Image {
    id: Value,
    #[serde(default)]
    file_name: Option<String>,
    #[serde(default)]
    datadiet: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: Value,
}

/// Writes a list of picture files, or, of a file of the owner's, the images of the rows with their annotations.
///
/// # Errors
/// When a row has no image or more than one, two rows the same, or the file is not COCO's.
pub fn write(
    out: &Outgoing<'_>,
    contents: &Contents,
    from: Option<&Path>,
    to: &Path,
) -> Result<Written, ExchangeError> {
    if to.extension().is_none_or(|ending| ending != "json") {
        return ExchangeError::refused(format!("{} must end in .json", to.display()));
    }
    match (from, contents) {
        (Some(from), _) => filtered(out, from, to),
        (None, Contents::Files(_)) => listed(out, contents, to),
        (None, _) => ExchangeError::refused(
            "which images? Give --from instances.json, a COCO file to take them from, or --images DIR to list its files",
        ),
    }
}

/// The owner's file, without what is left out.
fn filtered(out: &Outgoing<'_>, from: &Path, to: &Path) -> Result<Written, ExchangeError> {
    let text = std::fs::read_to_string(from).map_err(FileError::io("read", from))?;
    let not_coco = |why: String| {
        ExchangeError::Refused(format!("{} is no file of COCO: {why}", from.display()))
    };
    let broken = |error: serde_json::Error| not_coco(error.to_string());
    let parts: BTreeMap<&str, &RawValue> = serde_json::from_str(&text).map_err(broken)?;
    let list = |name: &str| -> Result<Vec<&RawValue>, ExchangeError> {
        let part = parts.get(name).ok_or_else(|| not_coco(format!("it has no {name:?}")))?;
        serde_json::from_str(part.get()).map_err(broken)
    };
    let raw_images = list("images")?;
    let images: Vec<Image> = raw_images
        .iter()
        .map(|raw| serde_json::from_str(raw.get()).map_err(broken))
        .collect::<Result<_, _>>()?;
    if images.iter().any(|image| image.datadiet.is_some()) {
        return Err(not_coco(format!(
            "its images have a {OURS:?} already: give the one it was made from"
        )));
    }
    // Annotations name images by these.
    let mut ids = HashSet::new();
    if let Some(twice) = images.iter().find(|image| !ids.insert(image.id.to_string())) {
        return Err(not_coco(format!("two of its images have the id {}", twice.id)));
    }
    let row_of = join(out, &images, from)?;
    let annotations = match parts.contains_key("annotations") {
        true => list("annotations")?,
        false => Vec::new(),
    };
    let kept: HashMap<String, Row> =
        row_of.iter().map(|(&place, &row)| (images[place].id.to_string(), row)).collect();
    let mut kept_annotations = Vec::new();
    for raw in &annotations {
        let annotation: Annotation = serde_json::from_str(raw.get()).map_err(broken)?;
        if kept.contains_key(&annotation.image_id.to_string()) {
            kept_annotations.push(raw.get());
        }
    }
    super::file(out, to, |file| {
        let mut file = BufWriter::new(file);
        let images = raw_images.iter().enumerate().filter_map(|(place, raw)| {
            let record = Value::Object(out.record(*row_of.get(&place)?));
            let open = raw.get().trim_end().strip_suffix('}').unwrap_or("{").trim_end();
            let comma = if open.ends_with('{') { "" } else { ", " };
            Some(format!("{open}{comma}\"{OURS}\": {record}}}"))
        });
        array(&mut file, "{\n\"images\": ", images)?;
        array(&mut file, ",\n\"annotations\": ", kept_annotations.iter())?;
        for (name, part) in
            parts.iter().filter(|(name, _)| !["images", "annotations"].contains(name))
        {
            write!(file, ",\n{}: {}", Value::from(*name), part.get())?;
        }
        file.write_all(b"\n}\n")?;
        file.flush()
    })?;
    let of = |what: &str, kept: usize, all: usize| format!("{kept} of {all} {what}");
    let note = format!(
        "{} and {} of {} are written",
        of("images", row_of.len(), images.len()),
        of("annotations", kept_annotations.len(), annotations.len()),
        from.display()
    );
    Ok(Written { written: to.to_owned(), examples: row_of.len(), notes: vec![note] })
}

/// An array of JSON, one entry a line.
fn array<S: AsRef<str>>(
    file: &mut impl Write,
    before: &str,
    entries: impl Iterator<Item = S>,
) -> std::io::Result<()> {
    write!(file, "{before}[")?;
    for (place, entry) in entries.enumerate() {
        let comma = if place == 0 { "" } else { "," };
        write!(file, "{comma}\n{}", entry.as_ref())?;
    }
    file.write_all(b"\n]")
}

/// The image of each row.
fn join(
    out: &Outgoing<'_>,
    images: &[Image],
    from: &Path,
) -> Result<HashMap<usize, Row>, ExchangeError> {
    let refused = |why: String| ExchangeError::refused(format!("{}: {why}", from.display()));
    let ids = out.ids();
    let by_id: HashMap<String, usize> =
        images.iter().enumerate().map(|(place, image)| (image.id.to_string(), place)).collect();
    // An image without a name is found by none.
    let paths: Vec<&str> =
        images.iter().map(|image| image.file_name.as_deref().unwrap_or_default()).collect();
    let names = PathNames::of(paths.iter().copied());
    let (mut row_of, mut unknown, mut several) = (HashMap::new(), Vec::new(), Vec::new());
    for row in out.rows() {
        let id = ids.text(row);
        let found = match ids {
            OwnIds::Rows(_) => {
                return refused(format!(
                    "the table gives its {} examples no ids, and nothing says which images they are: record them with \
                     the ids or the file names of the images",
                    ids.len()
                ));
            }
            OwnIds::Numbers(_) => by_id.get(&id).map_or(Named::None, |&place| Named::One(place)),
            OwnIds::Texts(_) => names.find(&id),
        };
        match found {
            Named::One(place) => {
                if let Some(other) = row_of.insert(place, row) {
                    return refused(format!(
                        "{:?} and {id:?} are the same image, {:?}",
                        ids.text(other),
                        paths[place]
                    ));
                }
            }
            Named::Several => several.push(id),
            Named::None => unknown.push(id),
        }
    }
    if !several.is_empty() {
        return refused(format!(
            "{} ids are the name of more than one image: {}; record paths as they are in file_name, each of one image",
            several.len(),
            some_of(&several)
        ));
    }
    if !unknown.is_empty() {
        let first = images.first().map_or(String::new(), |image| match ids {
            OwnIds::Texts(_) => format!("; its first file_name is {:?}", paths[0]),
            _ => format!("; its first id is {}", image.id),
        });
        return refused(format!(
            "{} of {} examples have no image there: {}{first}",
            unknown.len(),
            out.rows().len(),
            some_of(&unknown)
        ));
    }
    Ok(row_of)
}

/// A bare list of files.
fn listed(out: &Outgoing<'_>, contents: &Contents, to: &Path) -> Result<Written, ExchangeError> {
    let (placed, note) = pictures::placed(out, contents, out.rows(), "a list for COCO")?;
    let mut images = Vec::with_capacity(placed.len());
    for (number, one) in (1..).zip(&placed) {
        let Some((path, _)) = contents.file(one.row) else { continue };
        let size = image::image_dimensions(path);
        let (width, height) = size.map_err(|error| {
            ExchangeError::Refused(format!("cannot read {}: {error}", path.display()))
        })?;
        let image = json!({
            "id": number, "file_name": one.place, "width": width, "height": height,
            OURS: out.record(one.row),
        });
        images.push(image.to_string());
    }
    super::file(out, to, |file| {
        let mut file = BufWriter::new(file);
        array(&mut file, "{\n\"images\": ", images.iter())?;
        file.write_all(b",\n\"annotations\": [],\n\"categories\": []\n}\n")?;
        file.flush()
    })?;
    let notes = note.into_iter().collect();
    Ok(Written { written: to.to_owned(), examples: images.len(), notes })
}
