//! An experiment as it is asked for, in a TOML file or by a program.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use toml::Table;

use crate::on::OnOptions;
use crate::options;
use crate::refuse::{bail, ensure};
use crate::study::{Kind, STUDIES, Study, connectivity, velocity};
use crate::{LabError, ScoringOptions, TrainingOptions};

/// An experiment as it is asked for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ExperimentOptions {
    /// One line for the top of the report.
    pub title: String,
    /// What it is about, in a paragraph.
    pub about: String,
    /// How networks are trained.
    pub training: TrainingOptions,
    /// How scores are taken.
    pub scoring: ScoringOptions,
    /// What is asked; a table each.
    #[serde(flatten)]
    pub studies: Studies,
}

/// The studies of an experiment, in the order of [`STUDIES`].
#[derive(Clone, Debug, Default)]
pub struct Studies(Vec<Asked>);

#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub kind: Kind,
    /// The study as it stands in a file, defaults filled in.
    pub options: Value,
    pub study: Arc<dyn Study>,
}

impl ExperimentOptions {
    /// An experiment without a study: it scores.
    pub fn new(title: &str, training: TrainingOptions, scoring: ScoringOptions) -> Self {
        Self { title: title.into(), training, scoring, ..Self::default() }
    }

    /// With a study of this kind instead of any other of the kind.
    ///
    /// # Panics
    /// When it cannot be written as JSON.
    #[must_use]
    pub fn with<S: Study + Clone + Serialize + 'static>(mut self, kind: Kind, study: &S) -> Self {
        let options = serde_json::to_value(study).expect("options are plain data");
        let studies = &mut self.studies.0;
        studies.retain(|asked| asked.kind.name != kind.name);
        studies.push(Asked { kind, options, study: Arc::new(study.clone()) });
        studies.sort_by_key(|a| STUDIES.iter().position(|kind| kind.name == a.kind.name));
        self
    }

    /// Reads a TOML file and lays `changes` (`key=value`) over it. Beside the experiment: where it is carried out, the
    /// table `[on]`.
    ///
    /// # Errors
    /// For unknown keys, wrong types, or a file without a study.
    pub fn read(path: &Path, changes: &[String]) -> Result<(Self, OnOptions), LabError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => bail!(
                "cannot read {}: {error}; the repository's experiments/ has examples",
                path.display()
            ),
        };
        Self::parse(&text, changes).map_err(options::in_file(path))
    }

    /// Reads a TOML text and lays `changes` (`key=value`) over it.
    ///
    /// # Errors
    /// For unknown keys, wrong types, or a text without a study.
    pub fn parse(text: &str, changes: &[String]) -> Result<(Self, OnOptions), LabError> {
        let mut given: Table = toml::from_str(text)?;
        for change in changes {
            if let Err(error) = options::set(&mut given, change) {
                bail!("in --set {change}: {error}");
            }
        }
        let on = OnOptions::taken_from(&mut given)?;
        let options: Self = options::of_table(given)?;
        ensure!(
            !options.studies.0.is_empty(),
            "there is no study: add [{}]; see `datadiet run --help`",
            STUDIES.iter().map(|kind| kind.name).collect::<Vec<&str>>().join("], [")
        );
        Ok((options, on))
    }
}

impl ExperimentOptions {
    /// Refuses what a program of the user's cannot give: gradients to measure on, and weights where it does not
    /// offer them.
    pub(super) fn check_for_programs(&self) -> Result<(), LabError> {
        let Some(trainer) = &self.training.trainer else { return Ok(()) };
        for asked in self.studies.iter() {
            ensure!(
                asked.kind.name != velocity::KIND.name,
                "[velocity] (ntk) measures on the gradients of our own networks, which a trainer of yours does \
                 not give: leave out trainer, or [velocity]"
            );
            ensure!(
                asked.kind.name != connectivity::KIND.name || trainer.about.evaluate.is_some(),
                "[connectivity] (lmc) measures on weights, and this trainer does not say how they are evaluated: \
                 give trainer = {{ command = [ … ], evaluate = [ … ] }}, in Python @train.evaluation (see \
                 docs/TRAINERS.md), or leave out [connectivity]"
            );
        }
        Ok(())
    }
}

impl Studies {
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Asked> {
        self.0.iter()
    }
}

/// Kinds that are not asked for are null: so the known keys are all there.
impl Serialize for Studies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let asked = |kind: &Kind| {
            let asked = self.0.iter().find(|asked| asked.kind.name == kind.name);
            (kind.name, asked.map_or(Value::Null, |asked| asked.options.clone()))
        };
        serializer.collect_map(STUDIES.iter().map(asked))
    }
}

/// Tables that are not a study are left out: whoever reads options finds them as unknown keys.
impl<'de> Deserialize<'de> for Studies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut given: BTreeMap<String, toml::Value> = BTreeMap::deserialize(deserializer)?;
        let asked = |kind: &Kind| {
            let read = (kind.read)(given.remove(kind.name)?);
            let asked = |(options, study)| Asked { kind: *kind, options, study };
            let name = kind.name;
            let wrong = |error| serde::de::Error::custom(format!("in [{name}]: {error}"));
            Some(read.map(asked).map_err(wrong))
        };
        STUDIES.iter().filter_map(asked).collect::<Result<Vec<Asked>, D::Error>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_can_be_changed_by_their_path() {
        let mut options: Table = toml::from_str("[training]\nepochs = 8").unwrap();
        for change in ["training.epochs=2", "training.data = cifar10", "curve.keep=[0.5, 0.2]"] {
            options::set(&mut options, change).unwrap();
        }
        assert_eq!(options["training"]["epochs"].as_integer(), Some(2));
        assert_eq!(options["training"]["data"].as_str(), Some("cifar10"));
        assert_eq!(options["curve"]["keep"].as_array().unwrap().len(), 2);
        assert!(options::set(&mut options, "training.epochs").is_err());
    }

    #[test]
    fn where_it_is_carried_out_is_no_part_of_an_experiment() {
        let text = "[curve]\nby = [\"el2n@1\"]\n[on]\nwhere = \"slurm\"";
        let changes = ["on.time=1:00:00", "on.slurm.partition=gpu"].map(String::from);
        let (elsewhere, on) = ExperimentOptions::parse(text, &changes).unwrap();
        assert_eq!(
            (on.time.as_deref(), on.slurm.partition.as_deref()),
            (Some("1:00:00"), Some("gpu"))
        );
        let (here, _) = ExperimentOptions::parse("[curve]\nby = [\"el2n@1\"]", &[]).unwrap();
        let text = |options| serde_json::to_string(&options).unwrap();
        assert_eq!(text(elsewhere), text(here));
    }

    #[test]
    fn unknown_keys_are_refused_with_the_nearest() {
        for (text, expected) in [
            ("titel = \"x\"", "unknown key `titel`; did you mean `title`?"),
            ("[training]\nepoch = 2", "unknown key `training.epoch`; did you mean `epochs`?"),
            ("[scoring]\nreplica = 2", "unknown key `scoring.replica`; did you mean `replicas`?"),
            ("[curve]\nkep = [0.5]", "in [curve]: unknown field `kep`"),
            ("[curv]\nkeep = [0.5]", "unknown key `curv`; did you mean `curve`?"),
            ("[on]\nwher = 1", "unknown key `on.wher`; did you mean `where`?"),
            ("", "there is no study"),
        ] {
            let message = ExperimentOptions::parse(text, &[]).unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }
}
