//! Folders of pictures, one folder a class: what image folders and CINIC-10 share.
//!
//! Classes are the sorted names of the folders, pictures are in sorted order of their names within
//! a class, so example ids are the same on every machine. Hidden files, other files and deeper
//! folders are ignored.

use crate::images::{Picture, common_shape, decode};
use crate::{DataError, ImportNotes, ImportOptions, RawDataset, RawSplit, Result};
use datadiet_core::Progress;
use datadiet_core::progress::Count;
use std::path::{Path, PathBuf};

const EXTENSIONS: [&str; 8] = ["png", "jpg", "jpeg", "bmp", "gif", "webp", "tif", "tiff"];

/// The pictures of one class.
pub(crate) struct ClassFolder {
    pub name: String,
    pub pictures: Vec<PathBuf>,
}

/// The class folders below a folder, in order; empty ones too.
pub(crate) fn list(folder: &Path) -> Result<Vec<ClassFolder>> {
    let folders = sorted_entries(folder)?.into_iter().filter(|path| path.is_dir());
    folders
        .map(|path| Ok(ClassFolder { name: super::file_name(&path), pictures: pictures(&path)? }))
        .collect()
}

/// Whether there are class folders with pictures below a folder.
pub(crate) fn has_pictures(folder: &Path) -> bool {
    list(folder).is_ok_and(|classes| classes.iter().any(|class| !class.pictures.is_empty()))
}

fn pictures(folder: &Path) -> Result<Vec<PathBuf>> {
    let is_picture = |path: &PathBuf| {
        let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
            && path.is_file()
    };
    Ok(sorted_entries(folder)?.into_iter().filter(is_picture).collect())
}

fn sorted_entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(DataError::io("read", folder))?;
    let paths: std::io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(DataError::io("read", folder))?;
    paths.retain(|path| !super::file_name(path).starts_with('.'));
    paths.sort();
    Ok(paths)
}

/// Decodes training and test folders into one data set; several training folders follow each other.
pub(crate) fn read(
    train: &[PathBuf],
    test: Option<&Path>,
    source: String,
    options: &ImportOptions,
    progress: &dyn Progress,
) -> Result<RawDataset> {
    let train_folders = train.iter().map(|folder| list(folder)).collect::<Result<Vec<_>>>()?;
    let train_folders: Vec<ClassFolder> = train_folders.into_iter().flatten().collect();
    let test_folders = test.map(list).transpose()?;
    let mut classes: Vec<String> = train_folders.iter().map(|class| class.name.clone()).collect();
    classes.sort();
    classes.dedup();
    let (train_pictures, train_labels) =
        flatten(train_folders, &classes, train.first().map(PathBuf::as_path))?;
    let (test_pictures, test_labels) = match test_folders {
        Some(folders) => flatten(folders, &classes, test)?,
        None => Default::default(),
    };
    let all: Vec<&Picture> = train_pictures.iter().chain(&test_pictures).collect();
    let shape = common_shape(&all, options.resize)?;
    let count = Count::start(progress, "decoding pictures", Some(all.len() as u64));
    let train = RawSplit { images: decode(&train_pictures, shape, &count)?, labels: train_labels };
    let test_images = decode(&test_pictures, shape, &count)?;
    Ok(RawDataset {
        classes,
        height: shape.height as usize,
        width: shape.width as usize,
        channels: shape.channels,
        train,
        test: test.map(|_| RawSplit { images: test_images, labels: test_labels }),
        source,
        notes: ImportNotes::default(),
    })
}

fn flatten(
    folders: Vec<ClassFolder>,
    classes: &[String],
    below: Option<&Path>,
) -> Result<(Vec<Picture>, Vec<u32>)> {
    let (mut pictures, mut labels) = (Vec::new(), Vec::new());
    for folder in folders {
        let Ok(class) = classes.binary_search(&folder.name) else {
            let problem = format!(
                "the class folder `{}` is not among the training classes; rename or remove it",
                folder.name
            );
            return Err(DataError::bad_file(below.unwrap_or(Path::new(&folder.name)), problem));
        };
        labels.extend(std::iter::repeat_n(class as u32, folder.pictures.len()));
        pictures.extend(folder.pictures.into_iter().map(Picture::File));
    }
    Ok((pictures, labels))
}
