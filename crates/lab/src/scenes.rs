//! The scenes of an experiment: the plain one, and those with other labels or another network.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datadiet_data::{LabelNoise, NoisyLabels};
use datadiet_store::{Recording, RunSpec};
use serde::{Deserialize, Serialize};

use crate::refuse::{bail, ensure};
use crate::text::percent;
use crate::training::{Recipe, Training, TrainingOptions, Width, labelling, positive, steps_of};
use crate::{LabError, Scene, ScoringOptions, TrainingData, lists};

/// What sets a scene apart from the plain one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variation {
    /// Its labels.
    pub labelling: Labelling,
    /// Its network; the experiment's own where none is given.
    pub network: Option<OtherNetwork>,
}

/// Labels of a scene.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Labelling {
    /// The experiment's own.
    #[default]
    Plain,
    /// A fraction of them redrawn from all classes.
    Uniform(f64),
    /// A fraction of them changed to another class.
    Symmetric(f64),
    /// Each class confused with others as the matrix of a JSON file says.
    Confusion(PathBuf),
    /// Those of a file.
    Listed(PathBuf),
}

impl Variation {
    /// A scene for each of these fractions of labels that are redrawn from all classes; 0 is the
    /// plain one.
    pub fn uniform(fractions: &[f64]) -> Vec<Self> {
        let labelling = |&fraction: &f64| match fraction {
            0.0 => Labelling::Plain,
            _ => Labelling::Uniform(fraction),
        };
        fractions.iter().map(labelling).map(Self::from).collect()
    }
}

impl From<Labelling> for Variation {
    fn from(labelling: Labelling) -> Self {
        Self { labelling, network: None }
    }
}

/// A network to score with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OtherNetwork {
    /// Its name, such as `simple-cnn`.
    pub model: String,
    /// Its width; its own default where none is given.
    #[serde(default)]
    pub width: Option<Width>,
    /// Its learning rate, where it needs another.
    #[serde(default)]
    pub lr: Option<f64>,
    /// Its recipe. Where none is given, the experiment's; but the speedrun for airbench, and for no
    /// other network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Recipe>,
}

impl OtherNetwork {
    /// How it is trained in an experiment whose own network is trained so: see
    /// [`TrainingOptions::with_network`].
    fn options(&self, of: &TrainingOptions) -> TrainingOptions {
        let its = Recipe::of_model(&self.model);
        let own = if [its, of.recipe()].contains(&Recipe::Speedrun) { its } else { of.recipe() };
        let recipe = self.recipe.unwrap_or(own);
        let options = of.with_network(&self.model, self.width, recipe);
        TrainingOptions { lr: self.lr.or(options.lr), ..options }
    }
}

/// The scenes of an experiment, each once; the first is the plain one.
#[derive(Clone, Debug)]
pub struct Scenes {
    all: Vec<Scene>,
    /// Where each variation is found.
    places: Vec<(Variation, usize)>,
}

/// How all scenes of an experiment are trained and scored.
pub(crate) struct Common<'a> {
    pub training: &'a TrainingOptions,
    pub scoring: &'a ScoringOptions,
    pub data: TrainingData<'a>,
    /// Folder that paths are relative to.
    pub folder: &'a Path,
    /// Columns of the user's beside the scores, a value for each example of the training set.
    pub columns: Arc<Vec<(String, Vec<f32>)>>,
    /// When scores are taken beside the times of the scoring options, in epochs.
    pub score_times: Vec<f64>,
    /// When weights are kept, in epochs.
    pub weight_times: Vec<f64>,
}

impl Scenes {
    /// The plain scene, and the scenes of these variations.
    ///
    /// # Errors
    /// For anything that makes no sense or does not fit the data.
    pub(crate) fn new(common: &Common<'_>, variations: &[Variation]) -> Result<Self, LabError> {
        let mut scenes = Self { all: Vec::new(), places: Vec::new() };
        for variation in std::iter::once(&Variation::default()).chain(variations) {
            if scenes.places.iter().all(|(known, _)| known != variation) {
                let at = scenes.add(common.scene(variation)?)?;
                scenes.places.push((variation.clone(), at));
            }
        }
        Ok(scenes)
    }

    /// Adds a scene, or finds it.
    fn add(&mut self, scene: Scene) -> Result<usize, LabError> {
        if let Some(at) = self.all.iter().position(|known| known.scoring == scene.scoring) {
            return Ok(at);
        }
        ensure!(
            self.all.iter().all(|known| known.name != scene.name),
            "two scenes would be called {:?}; give their files other names",
            scene.name
        );
        self.all.push(scene);
        Ok(self.all.len() - 1)
    }

    /// The plain scene.
    pub fn plain(&self) -> &Scene {
        &self.all[0]
    }

    /// All, the plain one first.
    pub fn all(&self) -> &[Scene] {
        &self.all
    }

    /// The scenes of variations that a study asked for.
    pub fn of(&self, variations: &[Variation]) -> impl Iterator<Item = &Scene> {
        variations.iter().map(|variation| &self.all[self.position(variation)])
    }

    pub(crate) fn position(&self, variation: &Variation) -> usize {
        let known = self.places.iter().find(|(known, _)| known == variation);
        known.expect("a study looks at scenes that it asked for").1
    }
}

impl Common<'_> {
    fn scene(&self, variation: &Variation) -> Result<Scene, LabError> {
        let training = match &variation.network {
            None => Training::new(self.training, self.data)?,
            Some(network) => {
                ensure!(
                    self.training.trainer.is_none(),
                    "networks are of our own, and a trainer of yours trains but one model: leave out {}, \
                     and make an experiment for each trainer",
                    network.model
                );
                Training::new(&network.options(self.training), self.data)?
            }
        };
        let (labels_name, noisy) = self.noisy(&training, &variation.labelling)?;
        let network_name = variation.network.as_ref().map(|network| match network.width {
            Some(width) => format!("{} width {width}", network.model),
            None => network.model.clone(),
        });
        let names: Vec<String> = labels_name.into_iter().chain(network_name).collect();
        let scoring = self.scoring;
        let times = scoring.times(&training, &self.score_times)?;
        // Those after the end are refused when the study that asks for them is checked.
        let kept = self.weight_times.iter().map(|&at| steps_of(at, training.per_epoch));
        let kept = kept.filter(|&step| step <= training.template.stop_after);
        let mut weights: Vec<u64> = kept.collect();
        weights.sort_unstable();
        weights.dedup();
        let classes = self.data.classes.len();
        let record = Recording { weights, ..scoring.recording(&training, &times, classes)? };
        let original = &self.data.labels[..training.labels.len()];
        let labels = labelling(&noisy.labels, original);
        let template = RunSpec { labels, ..training.template };
        let last = times.iter().map(|time| time.step).chain(record.weights.last().copied()).max();
        let stop_after = last.unwrap_or(template.stop_after).max(1);
        if let Some(target) = scoring.until_reliability {
            ensure!(
                (0.0..1.0).contains(&target),
                "--until-reliability {target} must lie between 0 and 1, such as 0.95"
            );
        }
        Ok(Scene {
            name: names.join(", "),
            scoring: RunSpec { record, stop_after, ..template.clone() },
            template,
            replicas: positive("--replicas", scoring.replicas, ScoringOptions::REPLICAS)?,
            until_reliability: scoring.until_reliability,
            times,
            per_replica: scoring.per_replica.unwrap_or(false),
            columns: self.columns.clone(),
            changed: noisy.changed(original),
            labels: noisy.labels,
            touched: noisy.touched,
            classes: self.data.classes.to_vec(),
            evaluation: match &self.training.trainer {
                Some(trainer) => trainer.evaluation()?,
                None => None,
            },
        })
    }

    /// Labels, and what they are called where they are not the plain ones.
    fn noisy(
        &self,
        training: &Training,
        labelling: &Labelling,
    ) -> Result<(Option<String>, NoisyLabels), LabError> {
        let stem =
            |file: &Path| file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (name, file, noise) = match labelling {
            Labelling::Plain => return Ok((None, NoisyLabels::clean(&training.labels))),
            Labelling::Uniform(fraction) => {
                let name = format!("{} % of labels random", percent(*fraction));
                (name, None, LabelNoise::Uniform { fraction: *fraction })
            }
            Labelling::Symmetric(fraction) => {
                let name = format!("{} % of labels wrong", percent(*fraction));
                (name, None, LabelNoise::Symmetric { fraction: *fraction })
            }
            Labelling::Confusion(file) => {
                let path = self.folder.join(file);
                let confusion = lists::matrix(&path)?;
                (stem(file), Some(path), LabelNoise::ClassDependent { confusion })
            }
            Labelling::Listed(file) => {
                let path = self.folder.join(file);
                let mut labels = lists::labels(&path, self.data)?;
                if labels.len() == self.data.labels.len() {
                    labels.truncate(training.labels.len());
                }
                (stem(file), Some(path), LabelNoise::Given { labels })
            }
        };
        let classes = self.data.classes.len() as u32;
        match (noise.apply(&training.labels, classes, training.template.seed), file) {
            (Ok(noisy), _) => Ok((Some(name), noisy)),
            (Err(error), None) => Err(error.into()),
            (Err(error), Some(path)) => {
                bail!("cannot use the labels of {}: {error}", path.display())
            }
        }
    }
}
