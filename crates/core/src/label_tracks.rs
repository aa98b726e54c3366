//! What each label of each example was like over training: sums of margins, and who was right when.
//!
//! Over the T presentations of an example with labels j of K, margins m(t, j) = (2 y_j − 1) z(t, j), and a label
//! right where z > 0 as y = 1 or z ≤ 0 as y = 0:
//!
//! * **AUM** of a label is (1/T) Σ_t m(t, j), after Pleiss et al. 2020 (arXiv 2001.10528), whose margin is
//!   that to the largest other logit; of the example the mean and the least over labels, and which is least;
//! * **forgetting** counts how often all labels were right and then some were not, **never-learned** says
//!   that they never were, **correctness** how often, after Toneva et al. 2019 (arXiv 1812.05159);
//! * **label-forgetting** counts the same label by label, and adds up.
//!
//! Memory: 12 bytes and 3 bits an example and label, a bit of it for each epoch where ranks are joined.
//! Where that is too much, the labels of an example are taken as one, whose margin is their mean and which is
//! right where all are: then there is no least AUM and no label-forgetting.

use fixedbitset::FixedBitSet;

use crate::{
    ExampleId, Measure, ScoreError, ScoreKind,
    kept_epochs::with_the_last,
    ranks::same,
    state_column::{Saved, StateColumn, packed, unpacked},
    task_recorder::Tracks,
};

/// Who was seen in a finished epoch, and which of their labels were right.
#[derive(Clone, Debug, PartialEq)]
struct Rights {
    seen: FixedBitSet,
    /// A bit an example and label; none of unseen examples.
    right: FixedBitSet,
}

/// The labels of all examples over the epochs of one training.
#[derive(Clone, Debug)]
pub struct LabelTracks {
    examples: usize,
    /// K.
    labels: usize,
    /// Labels that are kept of an example: K, or 1 where they are taken as one.
    each: usize,
    sums: Vec<f64>,
    presentations: Vec<u32>,
    /// Presentations of which every label was right.
    correct: Vec<u32>,
    forgotten: Vec<u32>,
    labels_forgotten: Vec<u32>,
    /// Labels that were right when last presented.
    known: FixedBitSet,
    /// Examples whose labels are known.
    noted: FixedBitSet,
    /// Labels that are 1.
    given: FixedBitSet,
    current: Vec<f32>,
    current_right: FixedBitSet,
    current_least: Vec<u32>,
    /// Which label had the least margin in the last epoch and in those kept.
    last_least: Vec<u32>,
    kept_least: Vec<(u32, Vec<u32>)>,
    history: Option<Vec<Rights>>,
}

/// In a column of labels: the example was not seen.
pub const NO_LABEL: u32 = u32::MAX;

impl LabelTracks {
    /// Of n examples with K labels each; `by_label`: each is kept, not all as one.
    pub(crate) fn new(examples: usize, labels: usize, by_label: bool) -> Self {
        let each = if by_label { labels } else { 1 };
        let bits = || FixedBitSet::with_capacity(examples * each);
        Self {
            examples,
            labels,
            each,
            sums: vec![0.0; examples * each],
            presentations: vec![0; examples],
            correct: vec![0; examples],
            forgotten: vec![0; examples],
            labels_forgotten: vec![0; examples],
            known: bits(),
            noted: FixedBitSet::with_capacity(examples),
            given: FixedBitSet::with_capacity(examples * labels),
            current: vec![0.0; examples * each],
            current_right: bits(),
            current_least: vec![NO_LABEL; examples],
            last_least: vec![NO_LABEL; examples],
            kept_least: Vec::new(),
            history: Some(Vec::new()),
        }
    }

    /// K.
    pub(crate) fn labels(&self) -> usize {
        self.labels
    }

    /// Whether each label is kept.
    pub(crate) fn by_label(&self) -> bool {
        self.each == self.labels
    }

    /// Bytes of n examples with K labels, without the history.
    pub(crate) fn bytes(examples: usize, labels: usize, by_label: bool) -> usize {
        let each = if by_label { labels } else { 1 };
        let example = 6 * size_of::<u32>();
        let numbers =
            examples.saturating_mul(each).saturating_mul(size_of::<f64>() + size_of::<f32>());
        numbers.saturating_add(examples.saturating_mul(example + (labels + 2 * each) / 8))
    }

    /// The labels of these examples are those that they had.
    ///
    /// # Errors
    /// The first one that changed.
    pub(crate) fn check(&self, ids: &[ExampleId], labels: &[u8]) -> Result<(), ScoreError> {
        for (id, labels) in ids.iter().zip(labels.chunks_exact(self.labels)) {
            if !self.noted.contains(id.index()) {
                continue;
            }
            let first = id.index() * self.labels;
            let changed =
                (0..self.labels).find(|&at| self.given.contains(first + at) != (labels[at] == 1));
            if let Some(label) = changed {
                return Err(ScoreError::LabelsChanged { id: id.0, label, now: labels[label] });
            }
        }
        Ok(())
    }

    /// Notes what a batch of the current epoch told: B × K labels, B × K margins, and of each example whether
    /// all labels are right, their mean margin and which is the least.
    pub(crate) fn set(&mut self, ids: &[ExampleId], batch: &LabelBatch) {
        let (labels, each) = (self.labels, self.each);
        for (row, id) in ids.iter().enumerate() {
            let of = row * labels..(row + 1) * labels;
            let (given, margins) = (&batch.labels[of.clone()], &batch.margins[of]);
            self.noted.insert(id.index());
            for (label, &given) in given.iter().enumerate() {
                self.given.set(id.index() * labels + label, given == 1);
            }
            self.current_least[id.index()] = batch.least[row];
            let first = id.index() * each;
            if each == labels {
                self.current[first..first + each].copy_from_slice(margins);
                for (label, (&margin, &given)) in margins.iter().zip(given).enumerate() {
                    // z ≤ 0 is a prediction of 0.
                    let right = margin > 0.0 || margin == 0.0 && given == 0;
                    self.current_right.set(first + label, right);
                }
            } else {
                self.current[first] = batch.mean_margin[row];
                self.current_right.set(first, batch.correct[row] == 1.0);
            }
        }
    }

    /// Which label had the least margin in each kept epoch and the last, and, over all of them, the least
    /// AUM: n labels each, [`NO_LABEL`] where the example was not seen (in that epoch, or at all).
    pub(crate) fn least_labels(&self, epochs: u32) -> Vec<(ScoreKind, u32, Vec<u32>)> {
        let shown = with_the_last(&self.kept_least, epochs, &self.last_least);
        let mut columns: Vec<_> =
            shown.map(|(epoch, labels)| (ScoreKind::LeastMargin, epoch, labels.clone())).collect();
        if epochs > 0 && self.by_label() {
            let least = (0..self.examples).map(|example| self.least_aum(example).1);
            columns.push((ScoreKind::LeastAum, epochs, least.collect()));
        }
        columns
    }

    /// Whether a label of an example is 1.
    pub(crate) fn is_given(&self, example: usize, label: u32) -> bool {
        self.given.contains(example * self.labels + label as usize)
    }

    /// Sums of margins of an example's labels.
    fn sums_of(&self, example: usize) -> &[f64] {
        &self.sums[example * self.each..][..self.each]
    }

    /// The least AUM and its label, the lowest among ties; NaN where it was not seen.
    fn least_aum(&self, example: usize) -> (f64, u32) {
        let times = self.presentations[example];
        if times == 0 {
            return (f64::NAN, NO_LABEL);
        }
        let mut least = (f64::INFINITY, 0);
        for (label, &sum) in (0..).zip(self.sums_of(example)) {
            if sum < least.0 {
                least = (sum, label);
            }
        }
        (least.0 / f64::from(times), least.1)
    }

    /// Notes which labels of an example were right in one more presentation.
    fn present(&mut self, example: usize, right: &FixedBitSet) {
        let of = example * self.each..(example + 1) * self.each;
        let (mut all, mut all_before, mut lost) = (true, true, 0);
        for bit in of {
            let (before, now) = (self.known.contains(bit), right.contains(bit));
            all &= now;
            all_before &= before;
            lost += u32::from(before && !now);
            self.known.set(bit, now);
        }
        self.labels_forgotten[example] += lost;
        self.forgotten[example] += u32::from(all_before && !all);
        self.correct[example] += u32::from(all);
    }

    /// Goes through the history again: what of it is order. Sums of margins are added up elsewhere.
    fn replay(&mut self) {
        let Some(history) = self.history.take() else { return };
        self.known.clear();
        for counts in [&mut self.correct, &mut self.forgotten, &mut self.labels_forgotten] {
            counts.fill(0);
        }
        for epoch in &history {
            for example in epoch.seen.ones() {
                self.present(example, &epoch.right);
            }
        }
        self.history = Some(history);
    }

    /// Examples that the history has, how often.
    fn times_in_history(&self) -> Option<Vec<u32>> {
        let mut times = vec![0; self.examples];
        for example in self.history.as_ref()?.iter().flat_map(|epoch| epoch.seen.ones()) {
            times[example] += 1;
        }
        Some(times)
    }
}

/// What a batch of B examples tells.
pub(crate) struct LabelBatch<'a> {
    /// B × K zeros and ones.
    pub(crate) labels: &'a [u8],
    /// B × K.
    pub(crate) margins: &'a [f32],
    pub(crate) correct: &'a [f32],
    pub(crate) mean_margin: &'a [f32],
    pub(crate) least: &'a [u32],
}

/// Takes the labels that only `theirs` has.
fn fill(mine: &mut [u32], theirs: &[u32]) {
    for (mine, &theirs) in mine.iter_mut().zip(theirs) {
        *mine = if *mine == NO_LABEL { theirs } else { *mine };
    }
}

/// Copies the bits of an example's labels.
fn copy_bits(to: &mut FixedBitSet, from: &FixedBitSet, example: usize, each: usize) {
    for bit in example * each..(example + 1) * each {
        to.set(bit, from.contains(bit));
    }
}

impl Tracks for LabelTracks {
    fn grow(&mut self, examples: usize) {
        let each = self.each;
        self.examples = examples;
        self.sums.resize(examples * each, 0.0);
        self.current.resize(examples * each, 0.0);
        for counts in [
            &mut self.presentations,
            &mut self.correct,
            &mut self.forgotten,
            &mut self.labels_forgotten,
        ] {
            counts.resize(examples, 0);
        }
        let kept = self.kept_least.iter_mut().map(|(_, labels)| labels);
        for labels in kept.chain([&mut self.current_least, &mut self.last_least]) {
            labels.resize(examples, NO_LABEL);
        }
        self.known.grow(examples * each);
        self.current_right.grow(examples * each);
        self.noted.grow(examples);
        self.given.grow(examples * self.labels);
        for epoch in self.history.iter_mut().flatten() {
            epoch.seen.grow(examples);
            epoch.right.grow(examples * each);
        }
    }

    fn single_rank(&mut self) {
        self.history = None;
    }

    fn end_epoch(&mut self, epoch: u32, seen: &FixedBitSet, keep: bool) {
        let right = std::mem::take(&mut self.current_right);
        for example in seen.ones() {
            self.presentations[example] += 1;
            let of = example * self.each..(example + 1) * self.each;
            for (sum, &margin) in self.sums[of.clone()].iter_mut().zip(&self.current[of]) {
                *sum += f64::from(margin);
            }
            self.present(example, &right);
        }
        self.current_right = FixedBitSet::with_capacity(self.examples * self.each);
        if let Some(history) = &mut self.history {
            history.push(Rights { seen: seen.clone(), right });
        }
        if keep {
            self.kept_least.push((epoch, self.current_least.clone()));
        }
        std::mem::swap(&mut self.last_least, &mut self.current_least);
        self.current_least.fill(NO_LABEL);
    }

    fn check_same(&self, other: &Self) -> Result<(), ScoreError> {
        same("number of labels", &self.labels, &other.labels)?;
        same("what is kept of labels", &self.each, &other.each)?;
        for example in self.noted.intersection(&other.noted) {
            let bits = example * self.labels..(example + 1) * self.labels;
            let differs = |&bit: &usize| self.given.contains(bit) != other.given.contains(bit);
            if let Some(bit) = bits.clone().find(differs) {
                let now = u8::from(other.given.contains(bit));
                let label = bit - bits.start;
                return Err(ScoreError::LabelsChanged { id: example as u32, label, now });
            }
        }
        Ok(())
    }

    fn merge(&mut self, other: &Self, only_theirs: &FixedBitSet) {
        for (mine, theirs) in self.sums.iter_mut().zip(&other.sums) {
            *mine += theirs;
        }
        for (mine, theirs) in self.presentations.iter_mut().zip(&other.presentations) {
            *mine += theirs;
        }
        for example in other.noted.ones() {
            if !self.noted.put(example) {
                copy_bits(&mut self.given, &other.given, example, self.labels);
            }
        }
        for example in only_theirs.ones() {
            let of = example * self.each..(example + 1) * self.each;
            self.current[of.clone()].copy_from_slice(&other.current[of]);
            copy_bits(&mut self.current_right, &other.current_right, example, self.each);
        }
        fill(&mut self.current_least, &other.current_least);
        fill(&mut self.last_least, &other.last_least);
        for ((_, mine), (_, theirs)) in self.kept_least.iter_mut().zip(&other.kept_least) {
            fill(mine, theirs);
        }
        let each = self.each;
        if let (Some(mine), Some(theirs)) = (&mut self.history, &other.history) {
            for (mine, theirs) in mine.iter_mut().zip(theirs) {
                for example in theirs.seen.ones() {
                    if !mine.seen.put(example) {
                        copy_bits(&mut mine.right, &theirs.right, example, each);
                    }
                }
            }
        }
        self.replay();
    }

    fn columns(&self, epochs: u32) -> Vec<(Measure, u32, Vec<f32>)> {
        if epochs == 0 {
            return Vec::new();
        }
        let mut columns = Vec::new();
        let mut add = |kind: ScoreKind, value: &dyn Fn(usize, f64) -> f64| {
            let of = |example: usize| match self.presentations[example] {
                0 => f32::NAN,
                times => value(example, f64::from(times)) as f32,
            };
            columns.push((kind.into(), epochs, (0..self.examples).map(of).collect()));
        };
        let count = |counts: &[u32], example: usize| f64::from(counts[example]);
        add(ScoreKind::Forgetting, &|example, _| count(&self.forgotten, example));
        add(ScoreKind::NeverLearned, &|example, _| f64::from(u8::from(self.correct[example] == 0)));
        add(ScoreKind::Aum, &|example, times| {
            self.sums_of(example).iter().sum::<f64>() / times / self.each as f64
        });
        // A presentation on two ranks counts twice in means, but once here.
        let once = self.times_in_history();
        add(ScoreKind::Correctness, &|example, times| {
            let times = once.as_ref().map_or(times, |once| f64::from(once[example]));
            count(&self.correct, example) / times
        });
        if self.by_label() {
            add(ScoreKind::LeastAum, &|example, _| self.least_aum(example).0);
            add(ScoreKind::LabelForgetting, &|example, _| count(&self.labels_forgotten, example));
        }
        columns
    }

    fn state(&self, unfinished: bool) -> Vec<(String, StateColumn)> {
        let shape = [self.labels as u32, self.each as u32, u32::from(self.history.is_some())];
        let u32s = |values: &[u32]| StateColumn::U32(values.to_vec());
        let bits = |set: &FixedBitSet| StateColumn::U8(packed(set));
        let mut columns = vec![
            ("labels.shape", u32s(&shape)),
            ("labels.sums", StateColumn::F64(self.sums.clone())),
            ("labels.presentations", u32s(&self.presentations)),
            ("labels.noted", bits(&self.noted)),
            ("labels.given", bits(&self.given)),
            ("labels.last_least", u32s(&self.last_least)),
        ];
        if unfinished {
            columns.push(("labels.current", StateColumn::F32(self.current.clone())));
            columns.push(("labels.current_right", bits(&self.current_right)));
            columns.push(("labels.current_least", u32s(&self.current_least)));
        }
        match &self.history {
            Some(history) => {
                let all = |of: fn(&Rights) -> &FixedBitSet| {
                    StateColumn::U8(history.iter().flat_map(|epoch| packed(of(epoch))).collect())
                };
                columns.push(("labels.history_seen", all(|epoch| &epoch.seen)));
                columns.push(("labels.history_right", all(|epoch| &epoch.right)));
            }
            None => {
                columns.push(("labels.correct", u32s(&self.correct)));
                columns.push(("labels.forgotten", u32s(&self.forgotten)));
                columns.push(("labels.labels_forgotten", u32s(&self.labels_forgotten)));
                columns.push(("labels.known", bits(&self.known)));
            }
        }
        let kept = self.kept_least.iter();
        let kept = kept.map(|(epoch, labels)| (format!("labels.kept_least.{epoch}"), u32s(labels)));
        columns.into_iter().map(|(name, column)| (name.to_owned(), column)).chain(kept).collect()
    }

    fn from_state<F: Fn(&str) -> Option<StateColumn>>(
        saved: &Saved<F>,
        examples: usize,
        epochs: u32,
        kept: &[u32],
        unfinished: bool,
    ) -> Result<Self, ScoreError> {
        const SHAPE: &str = "labels.shape";
        let shape = Saved::<F>::check(SHAPE, saved.u32(SHAPE)?, 3)?;
        let [labels, each, history] = [0, 1, 2].map(|at| shape[at] as usize);
        if each != labels && each != 1 || labels == 0 {
            return Err(Saved::<F>::damaged(SHAPE, format!("{each} of {labels} labels")));
        }
        let (bytes, all) = (examples.div_ceil(8), (examples * each).div_ceil(8));
        let least = |name: &str| {
            let found = saved.u32s(name, examples)?;
            let unfit = |&&label: &&u32| label as usize >= labels && label != NO_LABEL;
            match found.iter().find(unfit) {
                None => Ok(found),
                Some(label) => Err(Saved::<F>::damaged(name, format!("{label} is not a label"))),
            }
        };
        let set = |name: &str, size: usize| -> Result<FixedBitSet, ScoreError> {
            Ok(unpacked(&saved.u8(name, size.div_ceil(8))?, size))
        };
        const SUMS: &str = "labels.sums";
        // First those that take most: a damaged shape may ask for more than there is memory.
        let sums = saved.f64(SUMS, examples * each)?;
        let given = set("labels.given", examples * labels)?;
        let mut tracks = Self::new(examples, labels, each == labels);
        (tracks.each, tracks.sums, tracks.given) = (each, sums, given);
        if tracks.sums.iter().any(|sum| !sum.is_finite()) {
            return Err(Saved::<F>::damaged(SUMS, "it has numbers that are not finite"));
        }
        tracks.presentations = saved.u32s("labels.presentations", examples)?;
        tracks.noted = set("labels.noted", examples)?;
        tracks.last_least = least("labels.last_least")?;
        for &epoch in kept {
            let labels = least(&format!("labels.kept_least.{epoch}"))?;
            tracks.kept_least.push((epoch, labels));
        }
        if unfinished {
            tracks.current = saved.f32("labels.current", examples * each)?;
            tracks.current_right = set("labels.current_right", examples * each)?;
            tracks.current_least = least("labels.current_least")?;
        }
        if history == 1 {
            let epochs = epochs as usize;
            let seen = saved.u8("labels.history_seen", epochs * bytes)?;
            let right = saved.u8("labels.history_right", epochs * all)?;
            let one = |epoch: usize| Rights {
                seen: unpacked(&seen[epoch * bytes..(epoch + 1) * bytes], examples),
                right: unpacked(&right[epoch * all..(epoch + 1) * all], examples * each),
            };
            tracks.history = Some((0..epochs).map(one).collect());
            tracks.replay();
        } else {
            tracks.history = None;
            tracks.correct = saved.u32s("labels.correct", examples)?;
            tracks.forgotten = saved.u32s("labels.forgotten", examples)?;
            tracks.labels_forgotten = saved.u32s("labels.labels_forgotten", examples)?;
            tracks.known = set("labels.known", examples * each)?;
        }
        Ok(tracks)
    }
}
