//! What an example looks like: a picture or a text.
//!
//! Files are listed when the explorer starts, each with the row that it belongs to; a page asks by row. No other
//! file is ever opened.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use datadiet_data::Dataset;
use datadiet_report::png;
use datadiet_table::{Column, Examples, OwnIds, Row, ScoreTable, TOKEN, TableError};
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use crate::ExploreError;
use crate::columns::Kept;
use crate::path_names::{Named, PathNames, stem};
use crate::scores::Scores;
use crate::texts::{Tokens, texts_of};

/// Longest side of a picture in the gallery that is a file of its own.
const SMALL: u32 = 256;
/// The largest picture that is decoded, in bytes of pixels.
const MOST_BYTES: u64 = 512 << 20;
/// Files of folders that are listed.
const MOST_FILES: usize = 50_000_000;
/// Folders within folders.
const DEEPEST: usize = 16;

/// Where pictures or texts come from.
pub enum Source {
    /// The table's own texts, where it has some.
    Table,
    /// An imported data set, and which of its examples each row is.
    Dataset(Box<Dataset>, Examples),
    /// A folder of pictures, named by the ids of the rows.
    Folder(PathBuf),
    /// A file of texts, by id, or one a row where the table has no ids: .txt (one a line), .jsonl, .json, .csv or .parquet.
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
    /// A token a row, of texts that are the tokens of an example in the order of their positions.
    Tokens(Tokens),
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
            Source::Table => {
                table.texts().map_or(Self::None, |(_, texts)| Self::Texts(texts.to_vec()))
            }
            Source::Dataset(dataset, examples) => Self::Dataset(dataset, examples),
            Source::Folder(folder) => Self::Files(Files {
                of_row: pictures_of(&folder, table)?,
                folder,
                small: Kept::default(),
            }),
            Source::Texts(file) => Self::Texts(texts_of(&file, table)?),
        })
    }

    /// The texts of the table itself, where it has some: those of its tokens, or a column of a usual name.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) fn of_table(scores: &Scores) -> Result<Self, ExploreError> {
        let header = scores.header();
        let texts = |name: &str| match &*scores.column(name)? {
            Column::Text(texts) => Ok(texts.clone()),
            _ => Ok::<_, TableError>(Vec::new()),
        };
        let numbers = |name: &str| match &*scores.column(name)? {
            Column::U32(numbers) => Ok(numbers.clone()),
            _ => Ok::<_, TableError>(Vec::new()),
        };
        if header.has_tokens() {
            let (example, position) = (numbers("example")?, numbers("position")?);
            return Ok(Self::Tokens(Tokens::of(texts(TOKEN)?, example, position)));
        }
        Ok(match header.texts() {
            Some((name, _)) => Self::Texts(texts(name)?),
            None => Self::None,
        })
    }

    /// The kind, for the page: `pictures`, `texts` or `ids`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::None => "ids",
            Self::Dataset(..) | Self::Files(_) => "pictures",
            Self::Texts(_) | Self::Tokens(_) => "texts",
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

    /// The text of a row; of a token it and those around it.
    pub fn text(&self, row: Row) -> Option<Cow<'_, str>> {
        match self {
            Self::Texts(texts) => texts.get(row.index()).map(|text| text.as_str().into()),
            Self::Tokens(tokens) => Some(tokens.around(row).into()),
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
            Self::None | Self::Texts(_) | Self::Tokens(_) => Ok(None),
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
/// alone where only one file has it. Files that are named by numbers are those of rows without ids where there are as
/// many of both, from 0.
fn pictures_of(folder: &Path, table: &ScoreTable) -> Result<Vec<Option<PathBuf>>, ExploreError> {
    let ids = table.own_ids()?;
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
    if matches!(ids, OwnIds::Rows(_)) {
        let left = numbered_and_left(&files, &of_row).filter(|_| !table.is_limited());
        let without = of_row.iter().position(Option::is_none);
        let why = match (without, left) {
            (Some(row), _) => format!("row {row} has no picture of its number"),
            (None, Some(name)) => format!("{name:?} is of no row"),
            (None, None) => return Ok(of_row),
        };
        return refused(format!(
            "the table gives its {} rows no ids but their numbers from 0, and {why}: nothing says that pictures are \
             numbered as the rows are; record the names of the files as ids, or import the folder (`datadiet data \
             import {} --name NAME`) and give --data NAME",
            ids.len(),
            folder.display()
        ));
    }
    Ok(of_row)
}

/// A file that is named by a number and is of no row.
fn numbered_and_left<'f>(
    files: &'f [(String, PathBuf)],
    of_row: &[Option<PathBuf>],
) -> Option<&'f str> {
    let of_rows: HashSet<&PathBuf> = of_row.iter().flatten().collect();
    let is_left = |(name, path): &&(String, PathBuf)| {
        let name = stem(name).rsplit('/').next().unwrap_or_default();
        let is_number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
        is_number && !of_rows.contains(path)
    };
    files.iter().find(is_left).map(|(name, _)| name.as_str())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::tests::{numbered, table};

    #[test]
    fn pictures_go_by_the_ids_of_their_rows() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("cat")).unwrap();
        let pixel = image::RgbImage::from_pixel(1, 1, image::Rgb([255, 0, 0]));
        for name in ["cat/1.png", "a.b.png", "c.png", "cat/c.png"] {
            pixel.save(folder.path().join(name)).unwrap();
        }
        std::fs::write(folder.path().join("secret.txt"), "no").unwrap();
        let named = table(&["cat/1.png", "1", "a.b", "c", "cat/c", "../secret.txt", "secret.txt"]);
        let found = pictures_of(folder.path(), &named).unwrap();
        let there: Vec<bool> = found.iter().map(Option::is_some).collect();
        // Two files are called c.
        assert_eq!(there, [true, true, true, false, true, false, false]);
        let none = table(&["nothing"]);
        let error = pictures_of(folder.path(), &none).unwrap_err().to_string();
        assert!(error.contains("data import"), "{error}");
    }

    #[test]
    fn numbers_of_pictures_are_those_of_rows_where_there_are_as_many_of_both() {
        let folder = tempfile::tempdir().unwrap();
        let save = |name: &str| {
            image::RgbImage::new(1, 1).save(folder.path().join(name)).unwrap();
        };
        let refused = |rows: u32| {
            let error = pictures_of(folder.path(), &numbered(rows)).unwrap_err().to_string();
            assert!(error.contains("record the names of the files as ids"), "{error}");
            error
        };
        ["1.png", "2.png", "3.png", "cover.png"].into_iter().for_each(save);
        // Counted from 1: each row would have the picture of the next.
        assert!(refused(3).contains("row 0 has no picture"));
        save("0.png");
        assert!(refused(3).contains("\"3.png\" is of no row"));
        assert!(refused(5).contains("row 4 has no picture"));
        assert!(pictures_of(folder.path(), &numbered(4)).unwrap().iter().all(Option::is_some));
        // Whoever says which pictures they are may name some.
        assert!(pictures_of(folder.path(), &table(&["3", "1"])).is_ok());
    }
}
