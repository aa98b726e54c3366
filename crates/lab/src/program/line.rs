//! Weights that a program kept, on the straight line between two trainings: they are laid between both here,
//! and a program of the user's says what they get wrong. docs/TRAINERS.md is the protocol.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use datadiet_core::{Stream, permutation, rng};
use datadiet_store::program::{KEPT, WEIGHTS, kept_epoch};
use datadiet_store::{
    Labels, Line, MeasurementFolder, Risks, RunFolder, RunId, RunSpec, Subset, TrainerSpec,
};
use datadiet_table::{ASIDE, write_json};
use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::job::{List, PROTOCOL, Rows, kept_none};
use super::{Program, TrainerError, text};
use crate::training::evaluation_changed;

/// What a program is asked, in the folder of an evaluation.
const QUESTION: &str = "evaluation.json";
/// What it answers there, last.
const ANSWER: &str = "risks.json";

/// `evaluation.json`.
#[derive(Serialize)]
struct Question<'a> {
    protocol: u32,
    /// What the answer repeats.
    evaluation: String,
    trainer: &'a str,
    settings: &'a BTreeMap<String, Value>,
    data: &'a str,
    /// Training examples in all.
    examples: usize,
    classes: &'a [String],
    /// Files with the weights at each point, from the parent to the child.
    points: Vec<String>,
    /// Examples to judge each point on.
    sets: Vec<List>,
    /// Examples that statistics of activations (batch norm) are to be taken of again at each point.
    statistics: List,
    /// Where the answer goes.
    answer: &'static str,
}

/// `risks.json`.
#[derive(Deserialize)]
struct Answer {
    evaluation: String,
    /// One a set.
    #[serde(default)]
    sets: Vec<OfSet>,
}

/// On one set of examples, one a point.
#[derive(Deserialize)]
struct OfSet {
    /// Fractions of the examples that are classified as labelled.
    accuracy: Vec<f64>,
    /// Mean cross-entropies, in nats.
    loss: Vec<f64>,
}

/// What a question and its answer are about.
pub(super) struct Evaluation {
    folder: tempfile::TempDir,
    id: String,
    points: usize,
    sets: usize,
}

/// Refuses an answer without weights of an epoch that it was to keep, or with such that cannot be read.
pub(super) fn check_kept(folder: &RunFolder, epoch: u64) -> Result<(), TrainerError> {
    let name = format!("{KEPT}/{}/{WEIGHTS}", kept_epoch(epoch));
    let file = folder.path().join(&name);
    let bytes = match std::fs::read(&file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(format!(
                "it kept no weights of epoch {epoch}: {name} is not there (see `keep` of job.json); in Python give \
                 the model to job.epochs_left(model, …)"
            )
            .into());
        }
        Err(error) => return Err(format!("cannot read {}: {error}", file.display()).into()),
    };
    let read = SafeTensors::deserialize(&bytes).map_err(|error| unreadable(&file, &error))?;
    if !read.iter().any(|(_, tensor)| is_float(tensor.dtype())) {
        return Err(format!("{name} has no tensor of floats to lay between others").into());
    }
    Ok(())
}

fn unreadable(file: &Path, error: &impl std::fmt::Display) -> TrainerError {
    format!("{} is no file of safetensors: {error}", file.display()).into()
}

impl Evaluation {
    /// Writes points and lists for a line, and the question.
    pub(super) fn of_line(
        program: &Program,
        folder: &MeasurementFolder,
        line: &Line,
        id: String,
    ) -> Result<Self, TrainerError> {
        let open = |run: &RunId| RunFolder::open(&folder.run(run)).map_err(text);
        let ((from, spec), (to, other)) = (open(&line.from)?, open(&line.to)?);
        if !spec.trains_like(&other) {
            return Err(format!(
                "runs {} and {} train by different specifications: the line between them means nothing",
                line.from, line.to
            )
            .into());
        }
        let Some(trainer) = &spec.trainer else {
            return Err("these runs are of our own networks, and not of a trainer".into());
        };
        let command = program.evaluate.as_deref().unwrap_or_default();
        if let Some(reason) = evaluation_changed(trainer, command, line.evaluation.as_deref()) {
            return Err(reason.into());
        }
        let labels = match &spec.labels {
            Labels::Original => program.examples.labels.clone(),
            Labels::Listed(list) => from.read_list(list).map_err(text)?,
        };
        let all = spec.data.limit.map_or(labels.len(), |limit| limit as usize).min(labels.len());
        let trained = match &spec.subset {
            Subset::Full => (0..all as u32).collect(),
            Subset::Listed(list) => from.read_list(list).map_err(text)?,
        };
        let epoch = (line.step as f64 / trained.len().max(1) as f64).round() as u64;
        // Of that name it is cleared away where this process is killed.
        let at = tempfile::Builder::new()
            .prefix(ASIDE)
            .tempdir_in(folder.path())
            .map_err(|error| format!("cannot make a folder for the points: {error}"))?;
        let points = write_points((&from, &to), epoch, &line.alphas, at.path())?;
        let write =
            |file: &str, ids: Vec<u32>| Rows { file, ids, labels: &labels }.write(at.path());
        let mut sets = Vec::new();
        for (number, set) in line.sets.iter().enumerate() {
            let ids = folder.read_list(set).map_err(text)?;
            sets.push(write(&format!("set_{number}.csv"), ids)?);
        }
        let evaluation = Self { id, points: points.len(), sets: sets.len(), folder: at };
        let statistics = drawn(&trained, line.statistics as usize, &spec);
        let statistics = Rows { file: "statistics.csv", ids: statistics, labels: &labels };
        let statistics = statistics.write(evaluation.folder())?;
        evaluation.ask(
            trainer,
            &spec,
            (all, &program.examples.classes),
            (points, sets, statistics),
        )?;
        Ok(evaluation)
    }

    fn ask(
        &self,
        trainer: &TrainerSpec,
        spec: &RunSpec,
        (examples, classes): (usize, &[String]),
        (points, sets, statistics): (Vec<String>, Vec<List>, List),
    ) -> Result<(), TrainerError> {
        let question = Question {
            protocol: PROTOCOL,
            evaluation: self.id.clone(),
            trainer: &trainer.name,
            settings: &trainer.settings,
            data: &spec.data.name,
            examples,
            classes,
            points,
            sets,
            statistics,
            answer: ANSWER,
        };
        Ok(write_json(&self.folder().join(QUESTION), &question).map_err(|e| e.to_string())?)
    }

    /// The folder that the program is given; gone with this.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the program answered, if it holds.
    pub(super) fn answer(&self) -> Result<Vec<Risks>, TrainerError> {
        let bytes = std::fs::read(self.folder().join(ANSWER)).map_err(|error| {
            format!(
                "the evaluation ended without {ANSWER}, in which it says accuracy and loss: {error}"
            )
        })?;
        let answer: Answer = serde_json::from_slice(&bytes).map_err(|error| {
            format!("{ANSWER} is not what docs/TRAINERS.md says (NaN is not JSON): {error}")
        })?;
        if answer.evaluation != self.id {
            let of = &answer.evaluation;
            return Err(format!("{ANSWER} is of {of:?}, and not of this evaluation").into());
        }
        let counts = |of: &OfSet| of.accuracy.len() == self.points && of.loss.len() == self.points;
        if answer.sets.len() != self.sets || !answer.sets.iter().all(counts) {
            return Err(format!(
                "{ANSWER} has values for {} sets, and there are {} of {} points each: for each of `sets` of \
                 {QUESTION} an accuracy and a loss at each of its `points`",
                answer.sets.len(),
                self.sets,
                self.points
            )
            .into());
        }
        let risks = |of: OfSet| {
            if let Some(wrong) = of.accuracy.iter().find(|value| !(0.0..=1.0).contains(*value)) {
                return Err(format!(
                    "an accuracy of {wrong} is no fraction: it lies between 0 and 1"
                ));
            }
            Ok(Risks {
                error: of.accuracy.iter().map(|value| 1.0 - value).collect(),
                loss: of.loss,
            })
        };
        Ok(answer.sets.into_iter().map(risks).collect::<Result<_, String>>()?)
    }
}

/// `count` of the examples trained on, the same for all points and pairs of a training.
fn drawn(trained: &[u32], count: usize, spec: &RunSpec) -> Vec<u32> {
    let mut rng = rng(spec.seed, 0, Stream::Statistics, 0);
    let order = permutation(trained.len(), &mut rng);
    order.iter().take(count).map(|&at| trained[at as usize]).collect()
}

/// Writes the weights at each point; gives the names of the files.
fn write_points(
    (from, to): (&RunFolder, &RunFolder),
    epoch: u64,
    alphas: &[f64],
    folder: &Path,
) -> Result<Vec<String>, TrainerError> {
    let read = |run: &RunFolder| -> Result<(PathBuf, Vec<u8>), TrainerError> {
        let file = run.path().join(KEPT).join(kept_epoch(epoch)).join(WEIGHTS);
        let bytes = std::fs::read(&file).map_err(|_| kept_none(run, epoch))?;
        Ok((file, bytes))
    };
    let ((first, from), (last, to)) = (read(from)?, read(to)?);
    let parse = |file: &Path, bytes| {
        SafeTensors::deserialize(bytes).map_err(|error| unreadable(file, &error))
    };
    let metadata = SafeTensors::read_metadata(&from).ok();
    let metadata = metadata.and_then(|(_, metadata)| metadata.metadata().clone());
    let (from, to) = (parse(&first, &from)?, parse(&last, &to)?);
    let pairs = pairs(&from, &to)?;
    let mut names = Vec::new();
    for (number, &alpha) in alphas.iter().enumerate() {
        let name = format!("point_{number}.safetensors");
        write_point(&pairs, alpha, &metadata, &folder.join(&name))?;
        names.push(name);
    }
    Ok(names)
}

/// A tensor at both ends.
struct Pair<'a> {
    name: &'a str,
    from: TensorView<'a>,
    to: TensorView<'a>,
}

fn pairs<'a>(
    from: &'a SafeTensors<'_>,
    to: &'a SafeTensors<'_>,
) -> Result<Vec<Pair<'a>>, TrainerError> {
    let mut pairs = Vec::new();
    for (name, one) in from.iter() {
        let other = to
            .tensor(name)
            .ok()
            .filter(|other| other.dtype() == one.dtype() && other.shape() == one.shape());
        let Some(to) = other else {
            return Err(format!("{name} is not at both ends with the same type and shape").into());
        };
        pairs.push(Pair { name, from: one, to });
    }
    if to.len() != pairs.len() {
        return Err("the weights of one end have other names than those of the other".into());
    }
    Ok(pairs)
}

fn write_point(
    pairs: &[Pair<'_>],
    alpha: f64,
    metadata: &Option<HashMap<String, String>>,
    file: &Path,
) -> Result<(), TrainerError> {
    let cannot = |error: String| format!("cannot write {}: {error}", file.display());
    let laid: Vec<Vec<u8>> = pairs.iter().map(|pair| pair.at(alpha)).collect();
    let views = pairs.iter().zip(&laid).map(|(pair, bytes)| {
        let view = TensorView::new(pair.from.dtype(), pair.from.shape().to_vec(), bytes);
        (pair.name, view.expect("as many bytes as before"))
    });
    let bytes =
        safetensors::serialize(views, metadata.clone()).map_err(|e| cannot(e.to_string()))?;
    Ok(std::fs::write(file, bytes).map_err(|error| cannot(error.to_string()))?)
}

fn is_float(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::BF16)
}

impl Pair<'_> {
    /// `(1 − α)·from + α·to`, rounded once; the ends as they are. What is no float (a count of batches) is the
    /// nearer end's.
    fn at(&self, alpha: f64) -> Vec<u8> {
        let (from, to) = (self.from.data(), self.to.data());
        if alpha == 0.0 || alpha == 1.0 || !is_float(self.from.dtype()) {
            return if alpha < 0.5 { from.to_vec() } else { to.to_vec() };
        }
        let between = |a: f64, b: f64| (1.0 - alpha) * a + alpha * b;
        match self.from.dtype() {
            Dtype::F64 => laid(from, to, |a, b| {
                between(f64::from_le_bytes(a), f64::from_le_bytes(b)).to_le_bytes()
            }),
            Dtype::F32 => laid(from, to, |a, b| {
                let (a, b) = (f32::from_le_bytes(a), f32::from_le_bytes(b));
                (between(a.into(), b.into()) as f32).to_le_bytes()
            }),
            Dtype::F16 => laid(from, to, |a, b| {
                let (a, b) = (f16::from_le_bytes(a), f16::from_le_bytes(b));
                f16::from_f64(between(a.into(), b.into())).to_le_bytes()
            }),
            _ => laid(from, to, |a, b| {
                let (a, b) = (bf16::from_le_bytes(a), bf16::from_le_bytes(b));
                bf16::from_f64(between(a.into(), b.into())).to_le_bytes()
            }),
        }
    }
}

/// Words of two tensors, made one by one.
fn laid<const N: usize>(
    from: &[u8],
    to: &[u8],
    between: impl Fn([u8; N], [u8; N]) -> [u8; N],
) -> Vec<u8> {
    let words = |bytes| {
        let (words, _): (&[[u8; N]], &[u8]) = <[u8]>::as_chunks(bytes);
        words
    };
    words(from).iter().zip(words(to)).flat_map(|(a, b)| between(*a, *b)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    #[test]
    fn weights_between_two_ends_are_their_weighted_mean() {
        let (a, b) = (bytes(&[1.0, -2.0, 0.1]), bytes(&[3.0, 2.0, 0.2]));
        let view = |data| TensorView::new(Dtype::F32, vec![3], data).unwrap();
        let pair = Pair { name: "w", from: view(&a), to: view(&b) };
        assert_eq!(pair.at(0.25), bytes(&[1.5, -1.0, 0.125]));
        assert_eq!((pair.at(0.0), pair.at(1.0)), (a.clone(), b.clone()));
        let (a, b) = (7_i64.to_le_bytes(), 9_i64.to_le_bytes());
        let view = |data| TensorView::new(Dtype::I64, vec![1], data).unwrap();
        let pair = Pair { name: "n", from: view(&a), to: view(&b) };
        assert_eq!((pair.at(0.25), pair.at(0.75)), (a.to_vec(), b.to_vec()));
        let half = |value: f32| f16::from_f32(value).to_le_bytes();
        let (a, b) = (half(1.0), half(2.0));
        let view = |data| TensorView::new(Dtype::F16, vec![1], data).unwrap();
        let pair = Pair { name: "h", from: view(&a), to: view(&b) };
        assert_eq!(pair.at(0.5), half(1.5));
        let brain = |value: f32| bf16::from_f32(value).to_le_bytes();
        let (a, b) = (brain(1.0), brain(2.0));
        let view = |data| TensorView::new(Dtype::BF16, vec![1], data).unwrap();
        assert_eq!(Pair { name: "b", from: view(&a), to: view(&b) }.at(0.5), brain(1.5));
    }

    #[test]
    fn ends_of_other_names_or_shapes_are_no_line() {
        let data = bytes(&[1.0, 2.0]);
        let file = |name: &str, shape: Vec<usize>| {
            let view = TensorView::new(Dtype::F32, shape, &data).unwrap();
            safetensors::serialize([(name, view)], None).unwrap()
        };
        let one = file("w", vec![2]);
        for other in [file("w", vec![2, 1]), file("v", vec![2])] {
            let (from, to) = (
                SafeTensors::deserialize(&one).unwrap(),
                SafeTensors::deserialize(&other).unwrap(),
            );
            assert!(pairs(&from, &to).is_err());
        }
        let same = SafeTensors::deserialize(&one).unwrap();
        assert_eq!(pairs(&same, &same).unwrap().len(), 1);
    }
}
