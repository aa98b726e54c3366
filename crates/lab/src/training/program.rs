//! A program of the user's that trains, as it is asked for, and what of it belongs to a run.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use datadiet_core::sha256;
use datadiet_store::{Metric, TrainerSpec};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::TrainingOptions;
use crate::LabError;
use crate::options::given;
use crate::refuse::{bail, ensure};

/// A program that trains. In options its command, a list of words, or a table of these.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProgramOption {
    /// Program and arguments; the run folder comes after them.
    pub command: Vec<String>,
    /// What else is said of it.
    pub about: AboutProgram,
}

/// What is said of a program beside its command.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct AboutProgram {
    /// What it is called; its first file where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// SHA-256 of its source, where whoever asks knows that better than the command tells: then the
    /// command is no part of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Its version, for what its files do not show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What it is judged by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// Whether less of that is better.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lower_is_better: Option<bool>,
    /// Which pass of its model the recorded logits are of, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pass: Option<String>,
    /// Program and arguments that evaluate weights; the folder of an evaluation comes after them. No part of a
    /// run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluate: Option<Vec<String>>,
}

/// [`ProgramOption`] as a table.
#[derive(Serialize)]
struct Described<'a> {
    command: &'a [String],
    #[serde(flatten)]
    about: &'a AboutProgram,
}

impl FromStr for ProgramOption {
    type Err = String;

    /// Words apart by blanks; what has blanks in it goes into a file.
    fn from_str(text: &str) -> Result<Self, String> {
        let command: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        if command.is_empty() {
            return Err("name a program, such as 'python train.py'".into());
        }
        if command.iter().any(|word| word.contains(['"', '\''])) {
            return Err("quotes are not understood here; in a file of options write trainer = \
                        [\"program\", \"argument with blanks\"]"
                .into());
        }
        Ok(Self { command, ..Self::default() })
    }
}

impl Serialize for ProgramOption {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.about == AboutProgram::default() {
            return self.command.serialize(serializer);
        }
        Described { command: &self.command, about: &self.about }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ProgramOption {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        fn read<T: serde::de::DeserializeOwned, E: serde::de::Error>(value: Value) -> Result<T, E> {
            serde_json::from_value(value).map_err(|error| {
                E::custom(format!(
                    "in trainer: {error}; expected a list of words, such as [\"python\", \
                     \"train.py\"], or a table with command = [ … ]"
                ))
            })
        }
        match Value::deserialize(deserializer)? {
            Value::Object(mut fields) => {
                let command = read(fields.remove("command").unwrap_or_default())?;
                Ok(Self { command, about: read(Value::Object(fields))? })
            }
            words => Ok(Self { command: read(words)?, about: AboutProgram::default() }),
        }
    }
}

impl ProgramOption {
    /// What of it belongs to a run.
    ///
    /// # Errors
    /// When it names no program, a file of it cannot be read, or its metric makes no sense.
    fn spec(&self, settings: BTreeMap<String, Value>) -> Result<TrainerSpec, LabError> {
        ensure!(
            self.command.first().is_some_and(|program| !program.is_empty()),
            "trainer names no program; give one, such as trainer = [\"python\", \"train.py\"]"
        );
        let about = &self.about;
        let sources = match &about.source {
            Some(source) => [(self.name(), source.clone())].into(),
            None => digests(&self.command)?,
        };
        let named = about.metric.clone().unwrap_or_else(|| Metric::ACCURACY.into());
        let metric = Metric { name: named, higher_is_better: about.lower_is_better != Some(true) };
        ensure!(
            !metric.is_accuracy() || metric.higher_is_better,
            "lower-is-better is of another metric than accuracy: name it, such as metric = \"loss\""
        );
        ensure!(
            metric.is_accuracy() || about.lower_is_better.is_some(),
            "is less of {} better, or more? Give lower-is-better = true or false beside metric",
            metric.name
        );
        let command = if about.source.is_some() { Vec::new() } else { self.command.clone() };
        let (version, pass) = (about.version.clone(), about.pass.clone());
        Ok(TrainerSpec { name: self.name(), command, sources, version, settings, metric, pass })
    }

    /// What evaluates weights, as it belongs to a measurement; none where nothing does.
    ///
    /// # Errors
    /// When it names no program, or a file of it cannot be read.
    pub(crate) fn evaluation(&self) -> Result<Option<String>, LabError> {
        let Some(command) = &self.about.evaluate else { return Ok(None) };
        ensure!(
            command.first().is_some_and(|program| !program.is_empty()),
            "evaluate names no program; give one, such as evaluate = [\"python\", \"evaluate.py\"]"
        );
        let what = match &self.about.source {
            Some(source) => source.clone(),
            None => with_files(command)?,
        };
        Ok(Some(sha256(what.as_bytes())))
    }

    fn name(&self) -> String {
        let file = || own_files(&self.command).next().or(self.command.first().map(String::as_str));
        let stem = |word: &str| -> String {
            let name = Path::new(word).file_name();
            name.map_or_else(|| word.into(), |name| name.to_string_lossy().into_owned())
        };
        self.about.name.clone().unwrap_or_else(|| file().map_or_else(String::new, stem))
    }
}

/// The files that the words of a command name, as `train.py` or with a function of it, `train.py:train`: of the
/// program itself only where no other word does, else it is what runs them.
fn own_files(command: &[String]) -> impl Iterator<Item = &str> {
    let file = |word| {
        let function = |(file, _): &(&str, &str)| file.ends_with(".py");
        let of_function = || str::rsplit_once(word, ':').filter(function).map(|(file, _)| file);
        let found = std::iter::once(word).chain(of_function());
        found.into_iter().find(|file| Path::new(file).is_file())
    };
    let mut words = command.iter().map(String::as_str);
    let program = words.next();
    let others: Vec<&str> = words.filter_map(file).collect();
    let alone = program.filter(|_| others.is_empty()).and_then(file);
    alone.into_iter().chain(others)
}

/// SHA-256 of these files, by their names in the command.
fn digests(command: &[String]) -> Result<BTreeMap<String, String>, LabError> {
    let digest = |word: &str| match std::fs::read(word) {
        Ok(bytes) => Ok((word.to_owned(), sha256(&bytes))),
        Err(error) => bail!("cannot read {word} of the trainer: {error}"),
    };
    own_files(command).map(digest).collect()
}

/// A command with what is in its files.
fn with_files(command: &[String]) -> Result<String, LabError> {
    Ok(format!("{command:?} {:?}", digests(command)?))
}

/// As [`changed_since_asked`], of what evaluates the trainer's weights for a measurement that was asked for with
/// `evaluation`.
pub(crate) fn evaluation_changed(
    trainer: &TrainerSpec,
    command: &[String],
    evaluation: Option<&str>,
) -> Option<String> {
    if trainer.command.is_empty() {
        return None;
    }
    match with_files(command) {
        Ok(now) if evaluation == Some(sha256(now.as_bytes()).as_str()) => None,
        Ok(_) => Some(format!(
            "{} is not as it was when this evaluation was asked for: ask again, and that of now measures",
            command.join(" ")
        )),
        Err(error) => Some(error.to_string()),
    }
}

/// What of a program's files is not as it was when its training was asked for, as a reason not to train: the run would
/// have the name of another program's. None of a function of Python, which looks itself.
pub(crate) fn changed_since_asked(trainer: &TrainerSpec) -> Option<String> {
    if trainer.command.is_empty() {
        return None;
    }
    let now = match digests(&trainer.command) {
        Ok(now) => now,
        Err(error) => return Some(error.to_string()),
    };
    let names: std::collections::BTreeSet<&String> =
        trainer.sources.keys().chain(now.keys()).collect();
    let changed: Vec<&str> = names
        .into_iter()
        .filter(|name| trainer.sources.get(*name) != now.get(*name))
        .map(String::as_str)
        .collect();
    (!changed.is_empty()).then(|| {
        format!(
            "{} is not as it was when this training was asked for: ask again, and the trainer of now trains, in runs \
             of its own",
            changed.join(", ")
        )
    })
}

impl TrainingOptions {
    /// The program that trains, as it belongs to a run; none where one of our networks is trained.
    ///
    /// # Errors
    /// For options of our own networks beside a program, and those of programs without one.
    pub(super) fn program(&self) -> Result<Option<TrainerSpec>, LabError> {
        /// What goes with any program.
        const OF_ALL: [&str; 11] = [
            "trainer", "settings", "examples", "data", "labels", "epochs", "seed", "limit",
            "workers", "threads", "gpus",
        ];
        let Some(trainer) = &self.trainer else {
            ensure!(
                self.examples.is_none() && self.settings.is_none(),
                "examples and settings go with a trainer of your own: give --trainer, or --data for one \
                 of our networks"
            );
            return Ok(None);
        };
        let all = serde_json::to_value(self).expect("options are plain data");
        let given = given(all);
        let given = given.as_object().into_iter().flatten().map(|(name, _)| name);
        let others: Vec<&str> = given.map(String::as_str).filter(|n| !OF_ALL.contains(n)).collect();
        ensure!(
            others.is_empty(),
            "{} {} of our own networks, and a trainer of yours knows nothing of it: leave it out, or tell \
             the trainer by settings = {{ … }}",
            others.join(", "),
            if others.len() == 1 { "is" } else { "are" }
        );
        Ok(Some(trainer.spec(self.settings.clone().unwrap_or_default())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a command starts is told apart from what it was: also where a word names a function of a file.
    #[test]
    fn files_of_a_command_are_found_with_a_function_behind_them() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own.py");
        std::fs::write(&file, "1").unwrap();
        let own = file.display().to_string();
        let spec = |command: &str| {
            let option: ProgramOption = command.parse().unwrap();
            option.spec(BTreeMap::new()).unwrap()
        };
        let command = format!("python -m datadiet.worker {own}:train");
        let before = spec(&command);
        assert_eq!(before.sources.keys().collect::<Vec<_>>(), [&own]);
        assert_eq!(before.name, "own.py");
        assert_eq!(changed_since_asked(&before), None);
        std::fs::write(&file, "2").unwrap();
        assert_ne!(spec(&command).sources, before.sources);
        assert!(changed_since_asked(&before).unwrap().contains("own.py is not as it was"));
        // No function of Python: what stands before the colon is no file of a trainer.
        let data = folder.path().join("data");
        std::fs::write(&data, "").unwrap();
        assert!(spec(&format!("train {}:8080", data.display())).sources.is_empty());
    }
}
