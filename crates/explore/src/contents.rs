//! What an example looks like: a picture or a text.
//!
//! Files are listed when the explorer starts, each with the row that it belongs to; a page asks by row. No other
//! file is ever opened.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use datadiet_data::Dataset;
use datadiet_report::png;
use datadiet_table::{Column, Examples, ListFile, OwnIds, Row, ScoreTable};
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use crate::ExploreError;
use crate::columns::Kept;
use crate::path_names::{Named, PathNames};

/// Longest side of a picture in the gallery that is a file of its own.
const SMALL: u32 = 256;
/// The largest picture that is decoded, in bytes of pixels.
const MOST_BYTES: u64 = 512 << 20;
/// Files of folders that are listed.
const MOST_FILES: usize = 50_000_000;
/// Folders within folders.
const DEEPEST: usize = 16;

/// Names of columns of texts, the likeliest first.
pub const TEXT_NAMES: [&str; 9] =
    ["text", "sentence", "content", "document", "prompt", "question", "review", "premise", "input"];

/// Where pictures or texts come from.
pub enum Source {
    /// The table's own texts, where it has some.
    Table,
    /// An imported data set, and which of its examples each row is.
    Dataset(Box<Dataset>, Examples),
    /// A folder of pictures, named by the ids of the rows.
    Folder(PathBuf),
    /// A file of texts, one a row: .txt (one a line), .jsonl, .json, .csv or .parquet.
    Texts(PathBuf),
}

/// Pictures or texts, by row.
pub enum Contents {
    /// Nothing but ids.
    None,
    /// Pictures of an imported data set.
    Dataset(Box<Dataset>, Examples),
    /// A picture file a row; none where a row has none.
    Files(Files),
    /// A text a row.
    Texts(Vec<String>),
}

/// A picture file for each row.
pub struct Files {
    folder: PathBuf,
    of_row: Vec<Option<PathBuf>>,
    small: Kept<(&'static str, Vec<u8>)>,
}

/// A picture as it is sent: type and bytes.
pub type Picture = (&'static str, Vec<u8>);

impl Contents {
    /// Reads what there is for the rows of a table.
    ///
    /// # Errors
    /// When files or texts do not belong to the rows.
    pub fn open(source: Source, table: &ScoreTable) -> Result<Self, ExploreError> {
        Ok(match source {
            Source::Table => Self::of_table(table),
            Source::Dataset(dataset, examples) => Self::Dataset(dataset, examples),
            Source::Folder(folder) => Self::Files(Files {
                of_row: pictures_of(&folder, table.own_ids()?)?,
                folder,
                small: Kept::default(),
            }),
            Source::Texts(file) => Self::Texts(texts_of(&file, table)?),
        })
    }

    /// The texts that a table has itself.
    fn of_table(table: &ScoreTable) -> Self {
        let columns = table.columns();
        let texts = TEXT_NAMES.iter().find_map(|name| match columns.column(name) {
            Some(Column::Text(texts)) => Some(texts.clone()),
            _ => None,
        });
        texts.map_or(Self::None, Self::Texts)
    }

    /// The kind, for the page: `pictures`, `texts` or `ids`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::None => "ids",
            Self::Dataset(..) | Self::Files(_) => "pictures",
            Self::Texts(_) => "texts",
        }
    }

    /// Rows without a picture or text.
    pub fn missing(&self) -> usize {
        match self {
            Self::Files(files) => files.of_row.iter().filter(|file| file.is_none()).count(),
            _ => 0,
        }
    }

    /// The picture file of a row and its path below the folder, where pictures are files of a folder.
    pub fn file(&self, row: Row) -> Option<(&Path, &Path)> {
        let Self::Files(files) = self else { return None };
        let path = files.of_row.get(row.index())?.as_deref()?;
        Some((path, path.strip_prefix(&files.folder).unwrap_or(path)))
    }

    /// Height and width of all pictures, where they are of one size.
    pub fn shape(&self) -> Option<[usize; 2]> {
        match self {
            Self::Dataset(dataset, _) => Some([dataset.height(), dataset.width()]),
            _ => None,
        }
    }

    /// The text of a row.
    pub fn text(&self, row: Row) -> Option<&str> {
        match self {
            Self::Texts(texts) => texts.get(row.index()).map(String::as_str),
            _ => None,
        }
    }

    /// The picture of a row; `large` as it is, else no larger than a tile needs.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn picture(&self, row: Row, large: bool) -> Result<Option<Picture>, ExploreError> {
        match self {
            Self::Dataset(dataset, examples) => {
                let shape = [dataset.height(), dataset.width(), dataset.channels()];
                let pixels = dataset.train().image(examples.of(row).index());
                let failed = |cause: datadiet_report::ReportError| ExploreError::Picture {
                    path: dataset.path().to_owned(),
                    cause: cause.to_string(),
                };
                Ok(Some(("image/png", png(pixels, shape).map_err(failed)?)))
            }
            Self::Files(files) => match files.of_row.get(row.index()) {
                Some(Some(path)) if large => whole(path).map(Some),
                Some(Some(path)) => {
                    let kept = files.small.get(&row.0.to_string(), || {
                        let picture = small(path)?;
                        let size = picture.1.len() + 64;
                        Ok::<_, ExploreError>((picture, size))
                    })?;
                    Ok(Some((kept.0, kept.1.clone())))
                }
                _ => Ok(None),
            },
            Self::None | Self::Texts(_) => Ok(None),
        }
    }
}

fn failed(path: &Path) -> impl Fn(String) -> ExploreError {
    move |cause| ExploreError::Picture { path: path.to_owned(), cause }
}

/// A picture as browsers show it: the file itself where they know the format.
fn whole(path: &Path) -> Result<Picture, ExploreError> {
    let failed = failed(path);
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| failed(error.to_string()))?;
    file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(|error| failed(error.to_string()))?;
    let known = match image::guess_format(&bytes) {
        Ok(ImageFormat::Png) => Some("image/png"),
        Ok(ImageFormat::Jpeg) => Some("image/jpeg"),
        Ok(ImageFormat::Gif) => Some("image/gif"),
        Ok(ImageFormat::WebP) => Some("image/webp"),
        Ok(ImageFormat::Bmp) => Some("image/bmp"),
        _ => None,
    };
    match known {
        Some(kind) => Ok((kind, bytes)),
        None => encoded(&decoded(path)?).map_err(failed),
    }
}

fn small(path: &Path) -> Result<Picture, ExploreError> {
    let picture = decoded(path)?;
    let fits = picture.width() <= SMALL && picture.height() <= SMALL;
    let picture = if fits { picture } else { picture.thumbnail(SMALL, SMALL) };
    encoded(&picture).map_err(failed(path))
}

fn decoded(path: &Path) -> Result<DynamicImage, ExploreError> {
    let failed = failed(path);
    let decode = || -> image::ImageResult<DynamicImage> {
        let mut reader =
            ImageReader::new(BufReader::new(File::open(path)?)).with_guessed_format()?;
        let mut limits = Limits::default();
        limits.max_alloc = Some(MOST_BYTES);
        reader.limits(limits.clone());
        let mut decoder = reader.into_decoder()?;
        limits.reserve(decoder.total_bytes())?;
        let orientation = decoder.orientation()?;
        let mut picture = DynamicImage::from_decoder(decoder)?;
        picture.apply_orientation(orientation);
        Ok(picture)
    };
    decode().map_err(|error| failed(error.to_string()))
}

fn encoded(picture: &DynamicImage) -> Result<Picture, String> {
    let picture = match picture.color().channel_count() {
        1 | 2 => DynamicImage::ImageLuma8(picture.to_luma8()),
        _ => DynamicImage::ImageRgb8(picture.to_rgb8()),
    };
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).map_err(|error| error.to_string())?;
    Ok(("image/png", bytes.into_inner()))
}

/// The picture file of each row, by its id: the path below the folder, with or without its ending, or the name
/// alone where only one file has it.
fn pictures_of(folder: &Path, ids: OwnIds<'_>) -> Result<Vec<Option<PathBuf>>, ExploreError> {
    let refused = |why: String| Err(ExploreError::Contents(format!("{}: {why}", folder.display())));
    let mut files = Vec::new();
    list(folder, "", 0, &mut files).map_err(|cause| {
        ExploreError::Contents(format!("cannot read {}: {cause}", folder.display()))
    })?;
    if files.is_empty() {
        return refused(
            "there are no pictures in it (.png, .jpg, .webp, .gif, .bmp, .tif, …)".into(),
        );
    }
    files.sort();
    let names = PathNames::of(files.iter().map(|(name, _)| name.as_str()));
    // A name that several files have is nobody's.
    let of_row: Vec<Option<PathBuf>> = (0..ids.len() as u32)
        .map(|row| match names.find(&ids.text(Row(row))) {
            Named::One(place) => Some(files[place].1.clone()),
            Named::Several | Named::None => None,
        })
        .collect();
    if of_row.iter().all(Option::is_none) {
        return refused(format!(
            "none of its {} pictures is named by an id of the table (the first id is {:?}, the first picture {:?}); \
             import the folder (`datadiet data import {} --name NAME`) and give --data NAME, or record the names of \
             the files as ids",
            files.len(),
            ids.text(Row(0)),
            files[0].0,
            folder.display()
        ));
    }
    Ok(of_row)
}

/// The pictures below a folder, with their names below it.
fn list(
    folder: &Path,
    prefix: &str,
    depth: usize,
    into: &mut Vec<(String, PathBuf)>,
) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let (path, name) = (entry.path(), format!("{prefix}{name}"));
        let kind = std::fs::metadata(&path)?;
        if kind.is_dir() && depth < DEEPEST {
            list(&path, &format!("{name}/"), depth + 1, into)?;
        } else if kind.is_file() && ImageFormat::from_path(&path).is_ok() && into.len() < MOST_FILES
        {
            into.push((name, path));
        }
    }
    Ok(())
}

fn texts_of(path: &Path, table: &ScoreTable) -> Result<Vec<String>, ExploreError> {
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
            let own = OwnIds::of(&table)?;
            let ids = match own {
                OwnIds::Rows(_) => None,
                own => Some((0..own.len() as u32).map(|row| own.text(Row(row))).collect()),
            };
            (ids, texts.clone())
        }
        _ => {
            let file = ListFile::read(path, "texts")?;
            let ids = file.ids_if_any()?.map(|ids| {
                let own = ids.own();
                (0..own.len() as u32).map(|row| own.text(Row(row))).collect()
            });
            (ids, file.texts(&TEXT_NAMES)?)
        }
    };
    arranged(ids, texts, table).or_else(refused)
}

/// The texts in the order of the table's rows: by their ids where they have some, else as many as rows.
fn arranged(
    ids: Option<Vec<String>>,
    texts: Vec<String>,
    table: &ScoreTable,
) -> Result<Vec<String>, String> {
    let own = table.own_ids().map_err(|error| error.to_string())?;
    let Some(ids) = ids else {
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
    (0..own.len() as u32)
        .map(|row| {
            let id = own.text(Row(row));
            by_id
                .remove(&id)
                .ok_or_else(|| format!("it has no text for the id {id:?} of the table"))
        })
        .collect()
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
        let id = ["key", "id", "guid", "uid"].iter().find_map(|name| value.get(name));
        ids.extend(id.map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned)));
    }
    match ids.len() {
        0 => Ok((None, texts)),
        some if some == texts.len() => Ok((Some(ids), texts)),
        some => Err(format!("{some} of {} lines have an id; all must, or none", texts.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datadiet_table::Table;

    fn table(ids: &[&str]) -> ScoreTable {
        let mut table = Table::default();
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        table.push("key", Column::Text(ids)).unwrap();
        ScoreTable::of(table).unwrap()
    }

    #[test]
    fn pictures_go_by_the_ids_of_their_rows() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("cat")).unwrap();
        let pixel = image::RgbImage::from_pixel(1, 1, image::Rgb([255, 0, 0]));
        for name in ["cat/1.png", "a.b.png", "c.png", "cat/c.png"] {
            pixel.save(folder.path().join(name)).unwrap();
        }
        std::fs::write(folder.path().join("secret.txt"), "no").unwrap();
        let table = table(&["cat/1.png", "1", "a.b", "c", "cat/c", "../secret.txt", "secret.txt"]);
        let found = pictures_of(folder.path(), table.own_ids().unwrap()).unwrap();
        let there: Vec<bool> = found.iter().map(Option::is_some).collect();
        // Two files are called c.
        assert_eq!(there, [true, true, true, false, true, false, false]);
        let none = super::tests::table(&["nothing"]);
        let error = pictures_of(folder.path(), none.own_ids().unwrap()).unwrap_err().to_string();
        assert!(error.contains("data import"), "{error}");
    }

    #[test]
    fn texts_go_by_ids_or_by_rows() {
        let folder = tempfile::tempdir().unwrap();
        let table = table(&["x", "y"]);
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            texts_of(&path, &table)
        };
        let both = ["one".to_owned(), "two".to_owned()];
        assert_eq!(write("a.txt", "one\ntwo\n").unwrap(), both);
        let lines = "{\"id\":\"y\",\"text\":\"two\"}\n{\"id\":\"x\",\"text\":\"one\"}\n";
        assert_eq!(write("a.jsonl", lines).unwrap(), both);
        assert_eq!(write("a.csv", "id,text\ny,two\nx,one\n").unwrap(), both);
        let error = write("b.txt", "one\n").unwrap_err().to_string();
        assert!(error.contains("1 texts and the table 2 rows"), "{error}");
        let error = write("b.jsonl", "{\"id\":\"z\",\"text\":\"\"}\n").unwrap_err().to_string();
        assert!(error.contains("no text for the id \"x\""), "{error}");
    }
}
