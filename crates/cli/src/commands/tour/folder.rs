//! The folder of the tour: what it holds at the beginning, and whether it may be replaced.

use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use datadiet_table::{ASIDE, write_atomically};

use crate::output::check_writable;

/// The files that a tour begins with, and their contents.
const FILES: [(&str, &[u8]); 8] = [
    ("LICENSE", include_bytes!("../../../assets/tour/LICENSE")),
    ("changed.csv", include_bytes!("../../../assets/tour/changed.csv")),
    ("images/classes.txt", include_bytes!("../../../assets/tour/images/classes.txt")),
    (
        "images/train-images-idx3-ubyte.gz",
        include_bytes!("../../../assets/tour/images/train-images-idx3-ubyte.gz"),
    ),
    (
        "images/train-labels-idx1-ubyte.gz",
        include_bytes!("../../../assets/tour/images/train-labels-idx1-ubyte.gz"),
    ),
    (LOGITS[0], include_bytes!("../../../assets/tour/logits/run1.npz")),
    (LOGITS[1], include_bytes!("../../../assets/tour/logits/run2.npz")),
    (LOGITS[2], include_bytes!("../../../assets/tour/logits/run3.npz")),
];

/// Logits of one training each.
pub const LOGITS: [&str; 3] = ["logits/run1.npz", "logits/run2.npz", "logits/run3.npz"];

/// Says what the folder is, to people and to the next tour; written before anything else.
const README: &str = "README.txt";

/// The line by which the next tour knows that it may replace what is there.
const OURS: &str =
    "`datadiet tour` wrote this folder, and replaces what it wrote when it runs again.";

const CONTENTS: &str = "\
images/        the first 5,000 training images of Fashion-MNIST; 250 of the labels are changed
logits/        what three trainings gave for each image after each epoch: logits [epochs, images, classes]
changed.csv    for each image the label it has, the original one, and whether they differ
home/          the imported data set
scores/        the scores, taken from the logits
suspects.png   the likeliest wrong labels
half.parquet   ids of the half that was selected
report.html    open this one in a browser; its figures are in figures/
LICENSE        of the images and labels: Fashion-MNIST is (c) 2017 Zalando SE
";

/// What the steps of a tour write and would refuse to replace, or take for an answer of before.
const REPLACED: [&str; 3] =
    ["home/data/tour/dataset.safetensors", "scores/scores.parquet", "scores/scores.json"];

/// Folders in it that are the tour's own: what a link points to is not.
const FOLDERS: [&str; 7] =
    ["images", "logits", "home", "home/data", "home/data/tour", "scores", "figures"];

/// A folder with the files that a tour begins with.
pub struct Folder {
    name: String,
}

impl Folder {
    /// Writes the files into `out`, which a tour wrote before, or which is empty or not there.
    ///
    /// # Errors
    /// When something else is there, or it cannot be written to.
    pub fn prepare(out: &Path) -> Result<Self> {
        let name = out.to_str().context(
            "the commands of the tour cannot be printed with this name of a folder; choose another \
             with --out DIR",
        )?;
        ensure!(
            is_free(out) || is_ours(out),
            "{name} holds something else than a tour; choose another folder with --out DIR"
        );
        for inner in FOLDERS {
            ensure!(
                !out.join(inner).is_symlink(),
                "{name}/{inner} is a link to elsewhere; choose another folder with --out DIR"
            );
        }
        check_writable(out)?;
        let folder = Self { name: name.to_owned() };
        folder.fill().with_context(|| {
            format!("cannot write the tour to {name}; choose another folder with --out DIR")
        })?;
        Ok(folder)
    }

    fn fill(&self) -> Result<()> {
        let at = |path: &str| Path::new(&self.name).join(path);
        let readme = format!("{OURS}\n\n{CONTENTS}");
        write_atomically(&at(README), |file| file.write_all(readme.as_bytes()))?;
        for path in REPLACED {
            match std::fs::remove_file(at(path)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        for (path, content) in FILES {
            write_atomically(&at(path), |file| file.write_all(content))?;
        }
        Ok(())
    }

    /// The folder as it was named.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A file or folder in it, as it is typed where the tour was started.
    pub fn path(&self, name: &str) -> String {
        Path::new(&self.name).join(name).display().to_string()
    }
}

/// Whether nothing is there, but for what a killed writer left.
fn is_free(folder: &Path) -> bool {
    let aside = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(ASIDE);
    match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.all(|entry| entry.is_ok_and(|entry| aside(&entry.file_name()))),
        Err(_) => !folder.exists(),
    }
}

fn is_ours(folder: &Path) -> bool {
    std::fs::read_to_string(folder.join(README)).is_ok_and(|text| text.starts_with(OURS))
}
