//! An experiment as it stands in a TOML file.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use datadiet_lab::SearchOptions;
use datadiet_lab::study::connectivity::ConnectivityPlan;
use datadiet_lab::study::correlations::CorrelationsPlan;
use datadiet_lab::study::curve::CurvePlan;
use datadiet_lab::study::noise::NoisePlan;
use datadiet_lab::study::velocity::VelocityPlan;
use datadiet_lab::study::window::WindowPlan;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::options_file;
use crate::training::TrainingOptions;

/// The whole file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[derive(Default)]
pub struct ExperimentFile {
    /// One line for the top of the report.
    pub title: String,
    /// What it is about, in a paragraph.
    pub about: String,
    /// How networks are trained.
    pub training: TrainingOptions,
    /// How scores are taken.
    pub scoring: Scoring,
    /// Accuracy against fraction and time.
    pub curve: Option<CurvePlan>,
    /// Sliding window.
    pub window: Option<WindowPlan>,
    /// The best window of a size.
    pub tune: Option<SearchOptions>,
    /// Agreement of scores.
    pub correlations: Option<CorrelationsPlan>,
    /// Wrong labels.
    pub noise: Option<NoisePlan>,
    /// Kernel velocity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub velocity: Option<VelocityPlan>,
    /// Linear mode connectivity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connectivity: Option<ConnectivityPlan>,
}

/// How scores are taken.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Scoring {
    /// Independent trainings to average over; 4 by default.
    pub replicas: Option<u32>,
    /// When, in epochs; at the end by default.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub at: Vec<f64>,
    /// Which scores; all without a backward pass by default.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<String>,
    /// When to take gradient norms, in epochs; with the others by default.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grand_at: Vec<f64>,
}

impl ExperimentFile {
    /// Reads a file and lays `changes` (`key=value`) over it.
    ///
    /// # Errors
    /// For unknown keys, wrong types, or a file without a study.
    pub fn read(path: &Path, changes: &[String]) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| {
            format!("cannot read {}; the repository's experiments/ has examples", path.display())
        })?;
        let mut table: Table =
            toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
        for change in changes {
            set(&mut table, change).with_context(|| format!("in --set {change}"))?;
        }
        let file: Self = options_file::parse(&toml::to_string(&table)?)
            .with_context(|| format!("in {}", path.display()))?;
        let studies = [
            file.curve.is_some(),
            file.window.is_some(),
            file.tune.is_some(),
            file.correlations.is_some(),
            file.noise.is_some(),
            file.velocity.is_some(),
            file.connectivity.is_some(),
        ];
        ensure!(
            studies.contains(&true),
            "{} has no study: add [curve], [window], [tune], [correlations], [noise], [velocity] \
             or [connectivity]; see `datadiet run --help`",
            path.display()
        );
        Ok(file)
    }
}

fn set(table: &mut Table, change: &str) -> Result<()> {
    let (key, value) =
        change.split_once('=').context("give KEY=VALUE, such as training.epochs=2")?;
    let value = parsed(value.trim());
    let mut parts: Vec<&str> = key.trim().split('.').collect();
    let last = parts.pop().unwrap_or_default();
    let mut inner = table;
    for part in parts {
        let entry = inner.entry(part).or_insert_with(|| Value::Table(Table::new()));
        let Value::Table(next) = entry else { bail!("{part} is no table") };
        inner = next;
    }
    inner.insert(last.to_owned(), value);
    Ok(())
}

/// As TOML, or else as text: `--set training.data=cifar10` needs no quotes.
fn parsed(text: &str) -> Value {
    let as_toml = toml::from_str::<Table>(&format!("value = {text}")).ok();
    as_toml.and_then(|mut t| t.remove("value")).unwrap_or_else(|| Value::String(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_can_be_changed_by_their_path() {
        let mut table: Table = toml::from_str("[training]\nepochs = 8").unwrap();
        for change in ["training.epochs=2", "training.data = cifar10", "curve.keep=[0.5, 0.2]"] {
            set(&mut table, change).unwrap();
        }
        assert_eq!(table["training"]["epochs"].as_integer(), Some(2));
        assert_eq!(table["training"]["data"].as_str(), Some("cifar10"));
        assert_eq!(table["curve"]["keep"].as_array().unwrap().len(), 2);
        assert!(set(&mut table, "training.epochs").is_err());
    }
}
