//! From an experiment's file to what is done: scenes, their labels, the studies in them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use datadiet_data::{Dataset, LabelNoise, NoisyLabels};
use datadiet_lab::study::velocity::VelocityPlan;
use datadiet_lab::{Experiment, Scene};
use datadiet_store::{Labels, Recording, RunSpec, Store};
use serde_json::{Value, json};

use super::file::ExperimentFile;
use crate::commands::score::{ScoreOptions, recording};
use crate::lists;
use crate::training::{Training, TrainingOptions, labelling, positive, steps_of};

/// An experiment ready to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How networks are trained in the plain scene.
    pub training: Training,
    /// The experiment.
    pub experiment: Experiment,
}

impl Plan {
    /// Resolves and checks a file for a data set. Paths in it are relative to `folder`.
    ///
    /// # Errors
    /// For anything that makes no sense or does not fit the data.
    pub fn new(file: &ExperimentFile, folder: &Path, dataset: &Dataset) -> Result<Self> {
        let training = Training::new(&file.training, dataset)?;
        let mut scenes = Scenes { file, dataset, folder, all: Vec::new() };
        scenes.add(String::new(), &file.training, &NoisyLabels::clean(&training.labels))?;
        let mut experiment = Experiment::default();
        if let Some(window) = &file.window {
            let noisy = window.noise.iter().map(|&fraction| scenes.uniform(&training, fraction));
            let indices = noisy.collect::<Result<Vec<usize>>>()?;
            experiment.window = Some((window.clone(), indices));
        }
        if let Some(noise) = &file.noise {
            let mut indices = Vec::new();
            for &fraction in &noise.symmetric {
                indices.push(scenes.symmetric(&training, fraction)?);
            }
            for &fraction in &noise.uniform {
                indices.push(scenes.uniform(&training, fraction)?);
            }
            for file in &noise.confusion {
                indices.push(scenes.confused(&training, file)?);
            }
            for file in &noise.files {
                indices.push(scenes.labelled(&training, file)?);
            }
            ensure!(!indices.is_empty(), "[noise] needs symmetric, uniform, confusion or files");
            experiment.noise = Some((noise.clone(), indices));
        }
        if let Some(correlations) = &file.correlations {
            let mut indices = vec![0];
            for network in &correlations.networks {
                let (model, width) = (Some(network.model.clone()), network.width);
                let lr = network.lr.or(file.training.lr);
                let options = TrainingOptions { model, width, lr, ..file.training.clone() };
                let name = match width {
                    Some(width) => format!("{} width {width}", network.model),
                    None => network.model.clone(),
                };
                let labels = NoisyLabels::clean(&training.labels);
                indices.push(scenes.add(name, &options, &labels)?);
            }
            experiment.correlations = Some((correlations.clone(), indices));
        }
        if let Some(velocity) = &file.velocity {
            let noisy = velocity.noise.iter().map(|&fraction| scenes.uniform(&training, fraction));
            let indices = noisy.collect::<Result<Vec<usize>>>()?;
            experiment.velocity = Some((velocity.clone(), indices));
        }
        experiment.connectivity = file.connectivity.clone();
        experiment.curve = file.curve.clone();
        let seed = training.template.seed;
        experiment.tune =
            file.tune.as_ref().map(|tune| tune.plan(None, training.examples, seed)).transpose()?;
        experiment.scenes = scenes.all;
        experiment.check()?;
        let retrains =
            experiment.curve.is_some() || experiment.window.is_some() || experiment.tune.is_some();
        ensure!(
            !retrains || dataset.test().is_some(),
            "{} has no test split, without which accuracies would be those of the images trained \
             on; import it with one (a folder test/ beside train/, x_test and y_test in npz)",
            dataset.name()
        );
        Ok(Self { training, experiment })
    }

    /// Keeps the labels of all scenes for their runs to refer to.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn keep_labels(&self, store: &Store) -> Result<()> {
        for scene in &self.experiment.scenes {
            if scene.template.labels != Labels::Original {
                store.keep_list(&scene.labels)?;
            }
        }
        Ok(())
    }

    /// What it would train.
    pub fn summary(&self) -> Value {
        let (trainings, steps) = self.experiment.size();
        let scenes: Vec<&str> =
            self.experiment.scenes.iter().map(|scene| scene.name.as_str()).collect();
        json!({
            "trainings": trainings, "steps": steps, "scenes": scenes,
            "template": self.training.template,
        })
    }
}

/// The scenes of an experiment, each once.
struct Scenes<'a> {
    file: &'a ExperimentFile,
    dataset: &'a Dataset,
    folder: &'a Path,
    all: Vec<Scene>,
}

impl Scenes<'_> {
    /// Adds a scene, or finds it; gives its index.
    fn add(
        &mut self,
        name: String,
        options: &TrainingOptions,
        noisy: &NoisyLabels,
    ) -> Result<usize> {
        let labels = &noisy.labels;
        let training = Training::new(options, self.dataset)?;
        let scoring = &self.file.scoring;
        let options = ScoreOptions {
            scores: scoring.scores.clone(),
            at: scoring.at.clone(),
            grand_at: scoring.grand_at.clone(),
            ..ScoreOptions::default()
        };
        let velocity = self.file.velocity.as_ref();
        let asked = velocity.map_or_else(Vec::new, VelocityPlan::score_times);
        let mut at = options.at.clone();
        at.extend(asked.iter().chain(&options.grand_at));
        if at.is_empty() {
            at.push(training.epochs);
        }
        let times = training.times(at)?;
        let kept = velocity.map_or_else(Vec::new, VelocityPlan::weight_times);
        let kept = kept.iter().map(|&at| steps_of(at, training.per_epoch));
        // Those after the end are refused when the experiment is checked.
        let weights: Vec<u64> = kept.filter(|&step| step <= training.template.stop_after).collect();
        let record = Recording { weights, ..recording(&options, &training, &times)? };
        let original = &self.dataset.train().labels[..training.examples];
        let template = RunSpec { labels: labelling(labels, original), ..training.template.clone() };
        let last = times.last().map_or(template.stop_after, |time| time.step);
        let stop_after = last.max(record.weights.last().copied().unwrap_or_default()).max(1);
        let scoring = RunSpec { record, stop_after, ..template.clone() };
        if let Some(index) = self.all.iter().position(|scene| scene.scoring == scoring) {
            return Ok(index);
        }
        ensure!(
            self.all.iter().all(|scene| scene.name != name),
            "two scenes would be called {name:?}; give their files other names"
        );
        self.all.push(Scene {
            name,
            template,
            scoring,
            replicas: positive("scoring.replicas", self.file.scoring.replicas, 4)?,
            times,
            changed: labels.iter().zip(original).map(|(new, old)| new != old).collect(),
            labels: labels.clone(),
            touched: noisy.touched.clone(),
            classes: self.dataset.classes().to_vec(),
        });
        Ok(self.all.len() - 1)
    }

    fn noisy(&mut self, training: &Training, name: String, noise: &LabelNoise) -> Result<usize> {
        let classes = self.dataset.classes().len() as u32;
        let noisy = noise.apply(&training.labels, classes, training.template.seed)?;
        self.add(name, &self.file.training, &noisy)
    }

    fn uniform(&mut self, training: &Training, fraction: f64) -> Result<usize> {
        if fraction == 0.0 {
            return Ok(0);
        }
        let name = format!("{} % of labels random", percent(fraction));
        self.noisy(training, name, &LabelNoise::Uniform { fraction })
    }

    fn symmetric(&mut self, training: &Training, fraction: f64) -> Result<usize> {
        let name = format!("{} % of labels wrong", percent(fraction));
        self.noisy(training, name, &LabelNoise::Symmetric { fraction })
    }

    fn confused(&mut self, training: &Training, file: &Path) -> Result<usize> {
        let path = self.folder.join(file);
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let confusion = lists::read_matrix(&path)?;
        self.noisy(training, name, &LabelNoise::ClassDependent { confusion })
            .with_context(|| format!("cannot use {}", path.display()))
    }

    fn labelled(&mut self, training: &Training, file: &Path) -> Result<usize> {
        let path: PathBuf = self.folder.join(file);
        let mut labels = lists::labels(&path, self.dataset)?;
        if labels.len() == self.dataset.train().len() {
            labels.truncate(training.examples);
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        self.noisy(training, name, &LabelNoise::Given { labels })
            .with_context(|| format!("cannot use the labels of {}", path.display()))
    }
}

/// A fraction as percent, without needless digits.
fn percent(fraction: f64) -> f64 {
    (fraction * 1e4).round() / 1e2
}
