//! Scores that need the whole distribution of every presentation: the margin of the mean, and TDDS.
//!
//! With p(t) the K probabilities at presentation t of T and y the label:
//!
//! * **margin of the mean**, `ln p̄_y − max_{j≠y} ln p̄_j` with `p̄ = (1/T) Σ_t p(t)`: Pickler,
//!   Kamassury, Silva, "Benchmarking noisy label detection methods" (arXiv 2510.16211), where the logit
//!   margin of probabilities averaged over training did best at finding wrong labels in the sample that
//!   was trained on. The paper averages over trainings too, before the logarithm; here a training has
//!   its score, and a column over replicas is the mean of the scores. A probability below 2⁻¹²⁶ counts as
//!   0, and a mean below it is read as 2⁻¹²⁶, as for [`ScoreKind::Loss`](crate::ScoreKind::Loss).
//! * **TDDS**: with `d_t = Σ_j |p_j(t) (ln(p_j(t) + ε) − ln(p_j(t−1) + ε))|`, ε = 10⁻⁸, and for each
//!   window of J = 10 consecutive presentations, k = 1 … T − J + 1, the length of the deviation of its
//!   J − 1 distances from their mean, `w_k = sqrt( Σ_t (d_t − d̄_k)² )`: the moving average
//!   `R_k = 0.9 w_k + 0.1 R_{k−1}`, R₀ = 0; the score is the last R. Zhang, Du, Li, Xie, Zhou, "Spanning
//!   Training Progress: Temporal Dual-Depth Scoring (TDDS) for Enhanced Dataset Pruning", CVPR 2024 (arXiv
//!   2311.13613), as their program computes it, which takes the size of every class's term where a
//!   Kullback–Leibler divergence would sum them first. With fewer than J presentations there is one window,
//!   of all of them.
//!
//! They cost memory for each example **and class**, 12 bytes: sums in `f64`, and the last logarithms.

use std::ops::Range;

use crate::{
    fast::exp::ln,
    isa::{Isa, Kernel, LANES, dispatch},
    trajectory_recorder::UNKNOWN,
    windows::WINDOW,
};

/// Distances in a window.
pub(crate) const DISTANCES: usize = WINDOW - 1;

/// What TDDS adds to a probability before its logarithm is taken.
const EPSILON: f32 = 1e-8;

/// Weight of the newest window in TDDS's moving average.
const NEWEST: f64 = 0.9;

/// Chunks of lanes whose sum stays in `f32`; then it goes into `f64`.
const FLUSH: usize = 64;

/// What is kept of n examples of K classes; K is 0 until the first presentation.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClassTracks {
    pub(crate) classes: usize,
    /// n labels, each that of the last presentation.
    pub(crate) labels: Vec<u32>,
    /// n × K sums of probabilities.
    pub(crate) sums: Vec<f64>,
    /// n × K logarithms of the last presentation.
    pub(crate) logs: Vec<f32>,
    /// The last distances; the one before presentation t, from 1, is at (t − 1) mod (J − 1).
    pub(crate) distances: Vec<[f32; DISTANCES]>,
    /// R.
    pub(crate) moving: Vec<f64>,
}

/// One presentation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Presented {
    /// The example.
    pub(crate) index: usize,
    /// How often it was presented before.
    pub(crate) times: u32,
    pub(crate) label: u32,
    /// Its row in the matrix of probabilities.
    pub(crate) row: usize,
}

impl ClassTracks {
    /// Bytes that are kept of an example and class.
    pub(crate) const BYTES_OF_CLASS: usize = size_of::<f64>() + size_of::<f32>();

    /// Bytes that are kept of an example beside.
    pub(crate) const BYTES: usize =
        size_of::<u32>() + size_of::<[f32; DISTANCES]>() + size_of::<f64>();

    /// No example seen.
    pub(crate) fn new(examples: usize, classes: usize) -> Self {
        let mut tracks = Self::default();
        tracks.grow(examples);
        tracks.set_classes(classes);
        tracks
    }

    /// Number of examples.
    fn len(&self) -> usize {
        self.labels.len()
    }

    /// Makes room for K classes, where none were known.
    pub(crate) fn set_classes(&mut self, classes: usize) {
        if self.classes == 0 {
            self.classes = classes;
            self.sums = vec![0.0; self.len() * classes];
            self.logs = vec![0.0; self.len() * classes];
        }
    }

    /// Adds examples, unseen, until there are n.
    pub(crate) fn grow(&mut self, examples: usize) {
        self.labels.resize(examples, UNKNOWN);
        self.sums.resize(examples * self.classes, 0.0);
        self.logs.resize(examples * self.classes, 0.0);
        self.distances.resize(examples, [0.0; DISTANCES]);
        self.moving.resize(examples, 0.0);
    }

    /// Records presentations in order; `probabilities` has rows of K.
    pub(crate) fn present(&mut self, presented: &[Presented], probabilities: &[f32]) {
        let Some(mut part) = self.parts(self.len()).into_iter().next() else { return };
        dispatch(Present { part: &mut part, presented, probabilities });
    }

    /// Runs of `examples` examples, which threads can share.
    pub(crate) fn parts(&mut self, examples: usize) -> Vec<Part<'_>> {
        let (examples, classes) = (examples.max(1), self.classes);
        let run = (examples * classes).max(1);
        let mut sums = self.sums.chunks_mut(run);
        let mut logs = self.logs.chunks_mut(run);
        let mut distances = self.distances.chunks_mut(examples);
        let mut moving = self.moving.chunks_mut(examples);
        let part = |labels| Part {
            classes,
            labels,
            sums: sums.next().unwrap_or_default(),
            logs: logs.next().unwrap_or_default(),
            distances: distances.next().unwrap_or_default(),
            moving: moving.next().unwrap_or_default(),
        };
        self.labels.chunks_mut(examples).map(part).collect()
    }

    fn of(&self, example: usize) -> Range<usize> {
        example * self.classes..(example + 1) * self.classes
    }

    /// The margin of the mean of an example that was presented `times` > 0 times.
    pub(crate) fn margin_of_mean(&self, example: usize, times: f64) -> f64 {
        let least = f64::from(f32::MIN_POSITIVE);
        let label = self.labels[example] as usize;
        let means = self.sums[self.of(example)].iter().map(|sum| (sum / times).max(least));
        let (mut truth, mut other) = (least, least);
        for (class, mean) in means.enumerate() {
            if class == label {
                truth = mean;
            } else if mean > other {
                other = mean;
            }
        }
        truth.ln() - other.ln()
    }

    /// TDDS of an example that was presented `times` > 0 times.
    pub(crate) fn tdds(&self, example: usize, times: u32) -> f64 {
        let distances = times as usize - 1;
        if distances < DISTANCES {
            return NEWEST * spread(&self.distances[example][..distances]);
        }
        self.moving[example]
    }

    /// Takes an example that only `other` saw.
    pub(crate) fn take(&mut self, other: &Self, example: usize) {
        self.set_classes(other.classes);
        let of = self.of(example);
        self.labels[example] = other.labels[example];
        self.sums[of.clone()].copy_from_slice(&other.sums[of.clone()]);
        self.logs[of.clone()].copy_from_slice(&other.logs[of]);
        self.distances[example] = other.distances[example];
        self.moving[example] = other.moving[example];
    }

    /// Adds the sums of an example that `other` saw too; TDDS is worth nothing then.
    pub(crate) fn add(&mut self, other: &Self, example: usize) {
        let of = self.of(example);
        for (mine, theirs) in self.sums[of.clone()].iter_mut().zip(&other.sums[of]) {
            *mine += theirs;
        }
    }
}

/// `sqrt( Σ (d − d̄)² )`; 0 of nothing.
#[inline(always)]
fn spread(distances: &[f32]) -> f64 {
    let (mut sum, mut squares) = (0.0, 0.0);
    for &distance in distances {
        sum += f64::from(distance);
    }
    let mean = sum / distances.len().max(1) as f64;
    for &distance in distances {
        let off = f64::from(distance) - mean;
        squares += off * off;
    }
    f64::sqrt(squares)
}

/// A run of examples.
pub(crate) struct Part<'a> {
    classes: usize,
    labels: &'a mut [u32],
    sums: &'a mut [f64],
    logs: &'a mut [f32],
    distances: &'a mut [[f32; DISTANCES]],
    moving: &'a mut [f64],
}

impl Part<'_> {
    /// Records a presentation of an example of this run.
    #[inline(always)]
    pub(crate) fn present<I: Isa>(
        &mut self,
        isa: I,
        index: usize,
        times: u32,
        label: u32,
        probabilities: &[f32],
    ) {
        let of = index * self.classes..(index + 1) * self.classes;
        let distance = advance(isa, probabilities, &mut self.sums[of.clone()], &mut self.logs[of]);
        self.labels[index] = label;
        if times == 0 {
            return;
        }
        let distances = &mut self.distances[index];
        distances[(times as usize - 1) % DISTANCES] = distance as f32;
        if times as usize >= DISTANCES {
            self.moving[index] = NEWEST * spread(distances) + (1.0 - NEWEST) * self.moving[index];
        }
    }
}

/// Adds probabilities to their sums and puts their logarithms in the place of the last ones; gives
/// their distance from these.
#[inline(always)]
fn advance<I: Isa>(isa: I, probabilities: &[f32], sums: &mut [f64], logs: &mut [f32]) -> f64 {
    for (sum, &probability) in sums.iter_mut().zip(probabilities) {
        // Exponentials end a little below 2⁻¹²⁶, where instruction sets differ: all end there.
        let probability = if probability < f32::MIN_POSITIVE { 0.0 } else { probability };
        *sum += f64::from(probability);
    }
    let mut distance = 0.0;
    let blocks = probabilities.chunks(FLUSH * LANES).zip(logs.chunks_mut(FLUSH * LANES));
    for (probabilities, logs) in blocks {
        let mut lanes = [0.0; LANES];
        let (whole, tail) = probabilities.as_chunks::<LANES>();
        let (whole_logs, tail_logs) = logs.as_chunks_mut::<LANES>();
        for (probabilities, logs) in whole.iter().zip(whole_logs) {
            away(isa, probabilities, logs, &mut lanes);
        }
        if !tail.is_empty() {
            let (mut padded, mut padded_logs) = ([0.0; LANES], [0.0; LANES]);
            padded[..tail.len()].copy_from_slice(tail);
            padded_logs[..tail.len()].copy_from_slice(tail_logs);
            away(isa, &padded, &mut padded_logs, &mut lanes);
            tail_logs.copy_from_slice(&padded_logs[..tail.len()]);
        }
        distance += f64::from(isa.sum(&lanes));
    }
    distance
}

/// Adds `|p (ln(p + ε) − l)|` to each lane and puts the logarithm in l's place.
#[inline(always)]
fn away<I: Isa>(
    isa: I,
    probabilities: &[f32; LANES],
    logs: &mut [f32; LANES],
    lanes: &mut [f32; LANES],
) {
    let mut raised = [0.0; LANES];
    for lane in 0..LANES {
        raised[lane] = probabilities[lane] + EPSILON;
    }
    let now = ln(isa, raised);
    for lane in 0..LANES {
        lanes[lane] += (probabilities[lane] * (now[lane] - logs[lane])).abs();
    }
    *logs = now;
}

struct Present<'a, 'b> {
    part: &'a mut Part<'b>,
    presented: &'a [Presented],
    probabilities: &'a [f32],
}

impl Kernel for Present<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let classes = self.part.classes;
        for presented in self.presented {
            let probabilities = &self.probabilities[presented.row * classes..][..classes];
            let Presented { index, times, label, .. } = *presented;
            self.part.present(isa, index, times, label, probabilities);
        }
    }
}
