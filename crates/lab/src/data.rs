//! What is trained on, as far as studies look at it: labels, names of classes, where it comes from.
//!
//! An imported data set has that, and images beside. Examples that only a trainer of the user's can load
//! are *declared* by a file of their labels: their data stay where they are.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use datadiet_core::{MOST_CLASSES, sha256};
use datadiet_data::Dataset;
use datadiet_table::ListFile;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::LabError;
use crate::refuse::{bail, ensure};

/// Training examples.
#[derive(Clone, Copy, Debug)]
pub struct TrainingData<'a> {
    /// What they are called.
    pub name: &'a str,
    /// SHA-256 of their content, as far as it is known here.
    pub fingerprint: &'a str,
    /// Where they come from, in words.
    pub source: &'a str,
    /// The label of each.
    pub labels: &'a [u32],
    /// Names of the classes.
    pub classes: &'a [String],
    /// Whether there are other examples to test with.
    pub has_test: bool,
    /// Their images, where they are a data set that was imported.
    pub images: Option<&'a Dataset>,
}

impl<'a> From<&'a Dataset> for TrainingData<'a> {
    fn from(dataset: &'a Dataset) -> Self {
        Self {
            name: dataset.name(),
            fingerprint: dataset.fingerprint(),
            source: dataset.source(),
            labels: dataset.train().labels,
            classes: dataset.classes(),
            has_test: dataset.test().is_some(),
            images: Some(dataset),
        }
    }
}

/// The file that declares examples. In options a path, or a table of these.
#[derive(Clone, Debug, PartialEq)]
pub struct ExamplesOption {
    /// Parquet, CSV, npy, JSON or text with the label of each example, and perhaps their ids 0, 1, 2, …
    pub file: PathBuf,
    /// What the examples are called; the name of the file where nothing is said.
    pub name: Option<String>,
    /// Names of the classes; where nothing is said the labels themselves.
    pub classes: Vec<String>,
}

/// [`ExamplesOption`] as a table.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Described {
    file: PathBuf,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    classes: Vec<String>,
}

impl FromStr for ExamplesOption {
    type Err = std::convert::Infallible;

    fn from_str(path: &str) -> Result<Self, Self::Err> {
        Ok(Self { file: path.into(), name: None, classes: Vec::new() })
    }
}

impl Serialize for ExamplesOption {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.name.is_none() && self.classes.is_empty() {
            return self.file.serialize(serializer);
        }
        let Self { file, name, classes } = self.clone();
        Described { file, name, classes }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ExamplesOption {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(path) => Ok(path.parse().unwrap_or_else(|never| match never {})),
            other => {
                let wrong = |error| {
                    let expected = "expected a file, or { file = …, name = …, classes = [ … ] }";
                    serde::de::Error::custom(format!("{error}; {expected}"))
                };
                let Described { file, name, classes } =
                    serde_json::from_value(other).map_err(wrong)?;
                Ok(Self { file, name, classes })
            }
        }
    }
}

impl fmt::Display for ExamplesOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.file.display().fmt(f)
    }
}

/// Examples that were declared.
#[derive(Clone, Debug)]
pub struct DeclaredExamples {
    name: String,
    fingerprint: String,
    source: String,
    labels: Vec<u32>,
    classes: Vec<String>,
}

impl DeclaredExamples {
    /// Reads what is declared.
    ///
    /// # Errors
    /// When the file is missing or holds no labels, or the names are not those of its classes.
    pub fn read(options: &ExamplesOption) -> Result<Self, LabError> {
        let path = &options.file;
        let texts = ListFile::read(path, "examples")?.label_texts()?;
        ensure!(!texts.is_empty(), "{} declares no examples", path.display());
        let (labels, classes) = numbered(&texts, &options.classes, path)?;
        let name = options
            .name
            .clone()
            .unwrap_or_else(|| path.file_stem().unwrap_or_default().to_string_lossy().into_owned());
        ensure!(!name.is_empty(), "the examples of {} need a name: give one", path.display());
        let fingerprint = fingerprint(&labels, &classes);
        let source = format!("declared in {}", path.display());
        Ok(Self { name, fingerprint, source, labels, classes })
    }

    /// As studies look at them: whoever trains on them tests with examples of its own.
    pub fn data(&self) -> TrainingData<'_> {
        TrainingData {
            name: &self.name,
            fingerprint: &self.fingerprint,
            source: &self.source,
            labels: &self.labels,
            classes: &self.classes,
            has_test: true,
            images: None,
        }
    }
}

/// Labels as class numbers, and names of the classes. Whole numbers are class numbers; other texts are
/// names, and the classes in their order.
fn numbered(
    texts: &[String],
    names: &[String],
    path: &Path,
) -> Result<(Vec<u32>, Vec<String>), LabError> {
    let whole = |text: &String| text.trim().parse::<f64>().ok().filter(|n| n.fract() == 0.0);
    let numbers: Option<Vec<f64>> = texts.iter().map(whole).collect();
    let Some(numbers) = numbers else {
        let mut classes = names.to_vec();
        if classes.is_empty() {
            let digits = |text: &str| text.contains(|c: char| c.is_ascii_digit());
            let number = |text: &String| digits(text) && text.trim().parse::<f64>().is_ok();
            if let Some(row) = texts.iter().position(|text| number(text) && whole(text).is_none()) {
                bail!(
                    "{}: the label of example {row} is {}, which is no class number; if these are names, \
                     give all of them in classes",
                    path.display(),
                    texts[row]
                );
            }
            classes = texts.to_vec();
            classes.sort();
            classes.dedup();
        }
        let mut places = std::collections::HashMap::new();
        for (place, name) in (0..).zip(&classes) {
            ensure!(
                places.insert(name.as_str(), place).is_none(),
                "two classes are called {name:?}; give each a name of its own"
            );
        }
        let place = |text: &String| match places.get(text.as_str()) {
            Some(place) => Ok(*place),
            None => bail!(
                "{}: no class is called {text:?}; classes has {}",
                path.display(),
                names.join(", ")
            ),
        };
        let labels = texts.iter().map(place).collect::<Result<Vec<u32>, LabError>>()?;
        return Ok((labels, classes));
    };
    let most = f64::from(MOST_CLASSES);
    if let Some(row) = numbers.iter().position(|label| !(0.0..most).contains(label)) {
        bail!(
            "{}: the label of example {row} is {}; labels are class numbers, from 0 on",
            path.display(),
            texts[row]
        );
    }
    let labels: Vec<u32> = numbers.iter().map(|&label| label as u32).collect();
    let count = labels.iter().max().map_or(0, |&most| most as usize + 1);
    if names.is_empty() {
        return Ok((labels, (0..count).map(|class| class.to_string()).collect()));
    }
    ensure!(
        names.len() >= count,
        "{}: there are {} names of classes, but a label of {}; name all classes",
        path.display(),
        names.len(),
        count - 1
    );
    Ok((labels, names.to_vec()))
}

/// SHA-256 of what is known of declared examples: how many, their labels, the names of the classes.
fn fingerprint(labels: &[u32], classes: &[String]) -> String {
    let mut bytes = b"datadiet declared examples 1\n".to_vec();
    bytes.extend(serde_json::to_vec(classes).expect("names are texts"));
    bytes.push(b'\n');
    bytes.extend(labels.iter().flat_map(|label| label.to_le_bytes()));
    sha256(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(name: &str, text: &str, classes: &[&str]) -> Result<DeclaredExamples, LabError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        let classes = classes.iter().map(ToString::to_string).collect();
        DeclaredExamples::read(&ExamplesOption { file, name: None, classes })
    }

    #[test]
    fn examples_are_their_labels() {
        let numbers = declared("mine.csv", "id,label\n0,2\n1,0\n2,2\n", &[]).unwrap();
        assert_eq!((numbers.name.as_str(), &numbers.labels[..]), ("mine", &[2, 0, 2][..]));
        assert_eq!(numbers.classes, ["0", "1", "2"]);
        let names = declared("mine.csv", "label\ndog\ncat\ndog\n", &[]).unwrap();
        assert_eq!(
            (&names.labels[..], &names.classes[..]),
            (&[1, 0, 1][..], &["cat", "dog"].map(String::from)[..])
        );
        let ordered = declared("mine.csv", "label\ndog\ncat\n", &["dog", "cat", "cow"]).unwrap();
        assert_eq!((&ordered.labels[..], ordered.classes.len()), (&[0, 1][..], 3));
        // Other labels or other names are other examples.
        assert_ne!(names.fingerprint, ordered.fingerprint);
        let named = declared("mine.csv", "id,label\n0,2\n1,0\n2,2\n", &["a", "b", "c"]).unwrap();
        assert_ne!(numbers.fingerprint, named.fingerprint);
    }

    #[test]
    fn what_cannot_be_examples_is_refused_with_the_reason() {
        for (text, classes, expected) in [
            ("id,label\n5,0\n7,1\n", &[][..], "its ids (column \"id\") are not 0, 1, 2, …"),
            ("label\n0\n-1\n", &[], "the label of example 1 is -1"),
            ("label\n1\n0.25\n", &[], "the label of example 1 is 0.25, which is no class number"),
            ("label\n0\n3\n", &["a", "b"], "2 names of classes, but a label of 3"),
            ("label\ndog\nbird\n", &["dog", "cat"], "no class is called \"bird\""),
            ("id,x\n0,1\n", &[], "no column named label"),
        ] {
            let message = declared("mine.csv", text, classes).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_path_or_a_table_of_options_is_read_back() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Options {
            examples: ExamplesOption,
        }
        for text in [
            "examples = \"train.csv\"\n",
            "[examples]\nfile = \"train.csv\"\nname = \"mine\"\nclasses = [\"a\", \"b\"]\n",
        ] {
            let options: Options = toml::from_str(text).unwrap();
            assert_eq!(toml::to_string(&options).unwrap(), text);
        }
        let error =
            toml::from_str::<Options>("examples = { fil = \"x\" }").unwrap_err().to_string();
        assert!(
            error.contains("unknown field `fil`") && error.contains("expected a file"),
            "{error}"
        );
    }
}
