//! The recorder of trajectories: equal to the trackers and to the scores of a pass, whatever the
//! order of rows, the ranks that they came on and the checkpoints in between.

mod common;

use std::collections::HashSet;

use common::softmax;
use datadiet_core::{
    ExampleId, Kept, LogitScores, Matrix, ScoreError, ScoreKind, Source, StateColumn,
    TrainingDynamics, TrajectoryRecorder,
};
use proptest::{collection::vec, prelude::*};

const EXAMPLES: usize = 11;
const CLASSES: usize = 4;

/// What one presentation is.
#[derive(Clone, Debug)]
struct Row {
    /// `None` where the example is missed in this epoch.
    rank: Option<usize>,
    logits: Vec<f32>,
}

/// Labels by example, and epochs of one row an example in an order of their own.
#[derive(Clone, Debug)]
struct Training {
    labels: Vec<u32>,
    epochs: Vec<(Vec<usize>, Vec<Row>)>,
}

fn training() -> impl Strategy<Value = Training> {
    let row = (
        prop_oneof![1 => Just(None), 5 => (0..3_usize).prop_map(Some)],
        vec(-15.0_f32..15.0, CLASSES),
    );
    let row = row.prop_map(|(rank, logits)| Row { rank, logits });
    let order = Just((0..EXAMPLES).collect::<Vec<_>>()).prop_shuffle();
    let epoch = (order, vec(row, EXAMPLES));
    // Windows are of ten epochs.
    (vec(0..CLASSES as u32, EXAMPLES), vec(epoch, 1..14))
        .prop_map(|(labels, epochs)| Training { labels, epochs })
}

impl Training {
    /// Rows of an epoch that a rank saw, in order: ids, logits, labels.
    fn batch(
        &self,
        epoch: usize,
        on: impl Fn(usize) -> bool,
    ) -> (Vec<ExampleId>, Vec<f32>, Vec<u32>) {
        let (order, rows) = &self.epochs[epoch];
        let here = order.iter().copied().filter(|&id| rows[id].rank.is_some_and(&on));
        let ids: Vec<usize> = here.collect();
        let logits = ids.iter().flat_map(|&id| rows[id].logits.clone()).collect();
        let labels = ids.iter().map(|&id| self.labels[id]).collect();
        (ids.into_iter().map(|id| ExampleId(id as u32)).collect(), logits, labels)
    }

    /// Records everything that `on` accepts, epochs 1 and 2 kept.
    fn record(&self, on: impl Fn(usize) -> bool + Copy) -> TrajectoryRecorder {
        let mut recorder = TrajectoryRecorder::new(EXAMPLES, CLASSES).keep_at(&[2, 1]);
        for epoch in 0..self.epochs.len() {
            let (ids, logits, labels) = self.batch(epoch, on);
            recorder.update(&ids, Matrix::logits(&logits, CLASSES), &labels).unwrap();
            recorder.end_epoch();
        }
        recorder
    }
}

fn restored(recorder: &TrajectoryRecorder) -> TrajectoryRecorder {
    let saved = recorder.state();
    TrajectoryRecorder::from_state(|name| find(&saved, name)).unwrap()
}

fn find(saved: &[(String, StateColumn)], name: &str) -> Option<StateColumn> {
    saved.iter().find(|(known, _)| known == name).map(|(_, column)| column.clone())
}

/// The state with every number as its bits, since NaN differs from itself.
fn bits(recorder: &TrajectoryRecorder) -> Vec<(String, Vec<u64>)> {
    let of = |column: StateColumn| match column {
        StateColumn::F64(values) => values.into_iter().map(f64::to_bits).collect(),
        StateColumn::F32(values) => values.into_iter().map(|v| u64::from(v.to_bits())).collect(),
        StateColumn::U32(values) => values.into_iter().map(u64::from).collect(),
        StateColumn::U8(values) => values.into_iter().map(u64::from).collect(),
    };
    recorder.state().into_iter().map(|(name, column)| (name, of(column))).collect()
}

fn close(a: f32, b: f32) -> bool {
    (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-6 * a.abs().max(1.0)
}

fn assert_same_columns(
    a: &TrajectoryRecorder,
    b: &TrajectoryRecorder,
) -> Result<(), TestCaseError> {
    let a_in_order = a.in_order();
    let (a, mut b) = (a.columns(), b.columns());
    if !a_in_order {
        // The order of presentations is on no rank alone.
        let of_order = [ScoreKind::Dual, ScoreKind::DynUnc, ScoreKind::Tdds];
        b.retain(|(kind, ..)| !of_order.contains(kind));
    }
    prop_assert_eq!(a.len(), b.len());
    for ((kind, epoch, left), (other, at, right)) in a.iter().zip(&b) {
        prop_assert_eq!((kind, epoch), (other, at));
        for (left, right) in left.iter().zip(right) {
            prop_assert!(close(*left, *right), "{}@{}: {} and {}", kind, epoch, left, right);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_recorder_equals_the_trackers_and_the_scores_of_each_pass(training in training()) {
        let recorder = training.record(|_| true);
        let mut dynamics = TrainingDynamics::new(EXAMPLES);
        for epoch in 0..training.epochs.len() {
            let (ids, logits, labels) = training.batch(epoch, |_| true);
            dynamics.observe(&ids, Matrix::logits(&logits, CLASSES), &labels).unwrap();
        }
        let last = training.epochs.len() as u32;
        for (kind, epoch, column) in recorder.columns() {
            if kind.source() == Source::TrainingMinibatches {
                prop_assert_eq!(epoch, last);
                let expected = dynamics.column(kind).unwrap();
                prop_assert!(column.iter().zip(&expected).all(|(a, b)| close(*a, *b)), "{}", kind);
                continue;
            }
            let (ids, logits, labels) = training.batch(epoch as usize - 1, |_| true);
            let scores = LogitScores::of(Matrix::logits(&logits, CLASSES), &labels).unwrap();
            let seen = ids.iter().zip(scores.column(kind).unwrap());
            let mut expected = vec![f32::NAN; EXAMPLES];
            seen.for_each(|(id, value)| expected[id.index()] = *value);
            prop_assert!(column.iter().zip(&expected).all(|(a, b)| close(*a, *b)), "{}", kind);
        }
        for (epoch, predicted) in recorder.predicted() {
            let (ids, logits, labels) = training.batch(epoch as usize - 1, |_| true);
            let scores = LogitScores::of(Matrix::logits(&logits, CLASSES), &labels).unwrap();
            let seen = predicted.iter().flatten().count();
            prop_assert_eq!(seen, ids.len());
            for (id, class) in ids.iter().zip(scores.predicted) {
                prop_assert_eq!(predicted[id.index()], Some(class));
            }
        }
    }

    #[test]
    fn ranks_that_share_the_examples_anew_each_epoch_join_into_one(training in training()) {
        let whole = training.record(|_| true);
        let mut joined = training.record(|rank| rank == 2);
        for other in [0, 1] {
            let rank = training.record(|rank| rank == other);
            match joined.merge_ranks(&rank) {
                Ok(repeated) => prop_assert_eq!(repeated, 0),
                Err(error) => prop_assert!(false, "{}", error),
            }
        }
        assert_same_columns(&joined, &whole)?;
        let ranks = |id: usize| -> HashSet<usize> {
            training.epochs.iter().filter_map(|(_, rows)| rows[id].rank).collect()
        };
        prop_assert_eq!(joined.in_order(), (0..EXAMPLES).all(|id| ranks(id).len() <= 1));
        prop_assert_eq!(joined.labels(), whole.labels());
        prop_assert_eq!(joined.unseen(), whole.unseen());
        prop_assert_eq!(joined.predicted(), whole.predicted());
        // Counts are exact, not only close.
        for ((kind, _, a), (_, _, b)) in joined.columns().iter().zip(whole.columns()) {
            if matches!(kind, ScoreKind::Forgetting | ScoreKind::NeverLearned | ScoreKind::Correctness) {
                prop_assert!(a.iter().zip(&b).all(|(a, b)| a.to_bits() == b.to_bits()));
            }
        }
    }

    #[test]
    fn a_restored_recorder_goes_on_bit_for_bit(training in training(), stop in 0_usize..12) {
        let mut undisturbed = TrajectoryRecorder::new(EXAMPLES, CLASSES).keep_at(&[1, 3]);
        let mut stopped = undisturbed.clone();
        for epoch in 0..training.epochs.len() {
            // Two batches an epoch: a checkpoint may fall in the middle of one.
            for half in 0..2 {
                if stop == 2 * epoch + half {
                    stopped = restored(&stopped);
                }
                let (ids, logits, labels) = training.batch(epoch, |rank| (rank == 0) == (half == 0));
                undisturbed.update(&ids, Matrix::logits(&logits, CLASSES), &labels).unwrap();
                stopped.update(&ids, Matrix::logits(&logits, CLASSES), &labels).unwrap();
            }
            undisturbed.end_epoch();
            stopped.end_epoch();
        }
        prop_assert_eq!(bits(&undisturbed), bits(&stopped));
        prop_assert_eq!(bits(&undisturbed), bits(&restored(&undisturbed)));
    }

    #[test]
    fn a_recorder_that_grows_is_one_that_was_large_from_the_start(training in training()) {
        let whole = training.record(|_| true);
        let mut grown = TrajectoryRecorder::new(0, CLASSES).keep_at(&[1, 2]);
        for epoch in 0..training.epochs.len() {
            let (ids, logits, labels) = training.batch(epoch, |_| true);
            for ((id, logits), label) in ids.iter().zip(logits.chunks(CLASSES)).zip(&labels) {
                grown.grow(grown.examples().max(id.index() + 1));
                grown.update(&[*id], Matrix::logits(logits, CLASSES), &[*label]).unwrap();
            }
            grown.end_epoch();
        }
        grown.grow(EXAMPLES);
        prop_assert_eq!(bits(&grown), bits(&whole));
    }

    #[test]
    fn probabilities_score_as_a_pass_of_probabilities_and_have_no_aum(training in training()) {
        let mut recorder = TrajectoryRecorder::new(EXAMPLES, CLASSES);
        let (ids, logits, labels) = training.batch(0, |_| true);
        prop_assume!(!ids.is_empty());
        let probs: Vec<f32> = logits.chunks(CLASSES).flat_map(softmax).collect();
        recorder.update(&ids, Matrix::probabilities(&probs, CLASSES), &labels).unwrap();
        recorder.end_epoch();
        let scores = LogitScores::of(Matrix::probabilities(&probs, CLASSES), &labels).unwrap();
        for (kind, _, column) in recorder.columns() {
            prop_assert!(kind != ScoreKind::Aum);
            if let Some(expected) = scores.column(kind) {
                prop_assert!(ids.iter().zip(expected).all(|(id, value)| column[id.index()].to_bits() == value.to_bits()));
            }
        }
    }
}

fn ids(ids: &[u32]) -> Vec<ExampleId> {
    ids.iter().copied().map(ExampleId).collect()
}

#[test]
fn a_refused_batch_leaves_no_trace_and_names_its_examples() {
    let mut recorder = TrajectoryRecorder::new(4, 2);
    recorder.update(&ids(&[3]), Matrix::logits(&[0.0_f32, 1.0], 2), &[1]).unwrap();
    let before = bits(&recorder);
    let refused = |found: Result<(), ScoreError>| found.unwrap_err().to_string();
    let nan = refused(recorder.update(
        &ids(&[0, 2]),
        Matrix::logits(&[0.0, 1.0, f32::NAN, 0.0], 2),
        &[0, 0],
    ));
    assert!(nan.starts_with("example(s) [2]: logits: 1 row(s) hold NaN"), "{nan}");
    let label = refused(recorder.update(&ids(&[0, 2]), Matrix::logits(&[0.0_f32; 4], 2), &[0, 2]));
    assert!(label.starts_with("example(s) [2]: row 1 has label 2"), "{label}");
    let sum =
        refused(recorder.update(&ids(&[1]), Matrix::probabilities(&[0.5_f32, 0.75], 2), &[0]));
    assert!(sum.starts_with("example(s) [1]: row 0 of the probabilities sums to 1.25"), "{sum}");
    let range = recorder.update(&ids(&[4]), Matrix::logits(&[0.0_f32; 2], 2), &[0]).unwrap_err();
    assert_eq!(range, ScoreError::IdOutOfRange { row: 0, id: 4, examples: 4 });
    let again =
        recorder.update(&ids(&[0, 3]), Matrix::logits(&[0.0_f32; 4], 2), &[0, 1]).unwrap_err();
    assert_eq!(again, ScoreError::RepeatedId { row: 1, id: 3, epoch: 1 });
    let twice =
        recorder.update(&ids(&[0, 0]), Matrix::logits(&[0.0_f32; 4], 2), &[0, 0]).unwrap_err();
    assert_eq!(twice, ScoreError::RepeatedId { row: 1, id: 0, epoch: 1 });
    assert!(recorder.update(&ids(&[0]), Matrix::logits(&[0.0_f32; 4], 2), &[0]).is_err());
    assert_eq!(bits(&recorder), before);
    recorder.end_epoch();
    let changed =
        recorder.update(&ids(&[3]), Matrix::logits(&[0.0_f32, 1.0], 2), &[0]).unwrap_err();
    assert_eq!(changed, ScoreError::LabelChanged { id: 3, before: 1, now: 0 });
}

#[test]
fn a_sure_prediction_keeps_its_digits() {
    let mut recorder = TrajectoryRecorder::new(1, 2);
    recorder.update(&ids(&[0]), Matrix::logits(&[50.0_f32, 0.0], 2), &[0]).unwrap();
    recorder.end_epoch();
    let columns = recorder.columns();
    let value = |wanted| columns.iter().find(|(kind, ..)| *kind == wanted).unwrap().2[0];
    // exp(-50): both would be 0 from a probability that was rounded to 1.
    assert!((value(ScoreKind::Loss) / 1.928_749_8e-22 - 1.0).abs() < 1e-6);
    assert!((value(ScoreKind::Entropy) / (51.0 * 1.928_749_8e-22) - 1.0).abs() < 1e-6);
}

#[test]
fn logits_of_64_bits_are_not_rounded_before_their_margin() {
    let mut recorder = TrajectoryRecorder::new(1, 2);
    let logits = [1e6_f64 + 1e-4, 1e6];
    recorder.update(&ids(&[0]), Matrix::logits(&logits, 2), &[0]).unwrap();
    recorder.end_epoch();
    let columns = recorder.columns();
    let (.., aum) = columns.iter().find(|(kind, ..)| *kind == ScoreKind::Aum).unwrap();
    assert_eq!(aum[0], (logits[0] - logits[1]) as f32);
}

#[test]
fn an_example_takes_the_memory_that_is_promised() {
    assert_eq!(TrajectoryRecorder::BYTES, 220);
    assert_eq!(TrajectoryRecorder::BYTES_OF_CLASS, 16);
}

/// An example that stays on its rank keeps the order of its presentations.
#[test]
fn ranks_with_examples_of_their_own_keep_the_scores_of_windows() {
    let record = |seen: &[u32]| {
        let mut recorder = TrajectoryRecorder::new(4, 2);
        for epoch in 0..12_u32 {
            let logit = |&id: &u32| [((id * 7 + epoch * 5) % 9) as f32 / 2.0, 1.0];
            let logits: Vec<f32> = seen.iter().flat_map(logit).collect();
            let labels = vec![0; seen.len()];
            recorder.update(&ids(seen), Matrix::logits(&logits, 2), &labels).unwrap();
            recorder.end_epoch();
        }
        recorder
    };
    let mut joined = record(&[0, 3]);
    joined.merge_ranks(&record(&[1])).unwrap();
    let whole = record(&[0, 1, 3]);
    assert!(joined.in_order());
    assert_eq!(bits(&joined), bits(&whole));
    joined.merge_ranks(&record(&[1, 2])).unwrap();
    let kinds: Vec<ScoreKind> = joined.columns().into_iter().map(|(kind, ..)| kind).collect();
    assert!(!kinds.contains(&ScoreKind::Dual) && kinds.contains(&ScoreKind::MarginOfMean));
    // The recorder that is read back does not have them again.
    assert!(!restored(&joined).in_order());
}

/// As written before there were scores of windows and of distributions.
#[test]
fn states_of_the_layout_before_go_on_without_the_newer_scores() {
    let mut recorder = TrajectoryRecorder::new(3, 2);
    recorder.update(&ids(&[0, 2]), Matrix::logits(&[0.5_f32, 1.0, 2.0, 0.0], 2), &[1, 0]).unwrap();
    recorder.end_epoch();
    let old: Vec<(String, StateColumn)> = recorder
        .state()
        .into_iter()
        .filter(|(name, _)| {
            let newer = ["window", "class", "tdds", "label", "el2n"];
            let of_tracker = name.strip_prefix("dynamics.");
            !of_tracker.is_some_and(|name| newer.iter().any(|newer| name.starts_with(newer)))
                && name != "current.distributions"
        })
        .map(|(name, column)| match column {
            StateColumn::F64(shape) if name == "recorder.shape" => {
                let shape = [&[2.0], &shape[1..6]].concat();
                (name, StateColumn::F64(shape))
            }
            column => (name, column),
        })
        .collect();
    let mut read = TrajectoryRecorder::from_state(|name| find(&old, name)).unwrap();
    assert_eq!(read.kept(), Kept::NONE);
    for recorder in [&mut read, &mut recorder] {
        recorder.update(&ids(&[2]), Matrix::logits(&[0.0_f32, 3.0], 2), &[0]).unwrap();
        recorder.end_epoch();
    }
    let mut whole = recorder.columns();
    whole.retain(|(kind, ..)| *kind <= ScoreKind::Correctness);
    let text = |columns: &[(ScoreKind, u32, Vec<f32>)]| format!("{columns:?}");
    assert_eq!(text(&read.columns()), text(&whole));
    assert_eq!(restored(&read).kept(), Kept::NONE);
    assert_eq!(bits(&restored(&read)), bits(&read));
}

/// States of probabilities had no margin of logits to take for the log margin.
#[test]
fn log_margins_of_probabilities_are_found_in_states_of_the_layout_before() {
    let mut recorder = TrajectoryRecorder::new(6, 3).keep_at(&[1]);
    let probs =
        [[0.7_f32, 0.2, 0.1], [0.2, 0.7, 0.1], [0.05, 0.15, 0.8], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]];
    let probs = Matrix::probabilities(probs.as_flattened(), 3);
    recorder.update(&ids(&[0, 1, 2, 3, 5]), probs, &[0, 0, 2, 0, 0]).unwrap();
    recorder.end_epoch();
    let state = recorder.state().into_iter().filter(|(name, _)| !name.ends_with(".log-margin"));
    let old: Vec<(String, StateColumn)> = state
        .map(|(name, column)| match column {
            StateColumn::F64(shape) if name == "recorder.shape" => {
                (name, StateColumn::F64([&[2.0], &shape[1..6]].concat()))
            }
            column => (name, column),
        })
        .collect();
    let read = TrajectoryRecorder::from_state(|name| find(&old, name)).unwrap();
    let margins = |recorder: &TrajectoryRecorder| {
        let columns = recorder.columns();
        columns.into_iter().find(|(kind, ..)| *kind == ScoreKind::LogMargin).unwrap().2
    };
    let (found, expected) = (margins(&read), margins(&recorder));
    assert!((expected[0] - 3.5_f32.ln()).abs() < 1e-5 && expected[3] > 87.0, "{expected:?}");
    for (id, (found, expected)) in found.iter().zip(&expected).enumerate() {
        if id == 4 {
            assert!(found.is_nan() && expected.is_nan());
        } else {
            assert!((found - expected).abs() < 1e-5, "{id}: {found}, {expected}");
        }
    }
}

/// Up to 2²⁵ examples times classes are kept; a recorder that grows beyond that drops them for good.
#[test]
fn numbers_of_many_examples_and_classes_are_kept_only_where_asked_for() {
    let classes = 1 << 20;
    let many = Kept::MOST_NUMBERS / classes + 1;
    assert!(TrajectoryRecorder::new(many - 1, classes).kept().classes);
    assert!(!TrajectoryRecorder::new(many, classes).kept().classes);
    let asked = TrajectoryRecorder::keeping(1, 2, false);
    assert_eq!(asked.kept(), Kept { classes: false, ..Kept::ALL });
    let mut grown = TrajectoryRecorder::new(0, classes);
    grown.grow(1);
    assert!(grown.kept().classes);
    grown.grow(many);
    assert_eq!(grown.kept(), Kept { classes: false, ..Kept::ALL });
    assert!(TrajectoryRecorder::keeping(many, classes, true).kept().classes);
    assert_eq!(TrajectoryRecorder::bytes(10, 100, false), 2_200);
    assert_eq!(TrajectoryRecorder::bytes(10, 100, true), 10 * (220 + 1_600 + 48));
}

#[test]
fn examples_repeated_to_fill_a_batch_are_counted() {
    let rank = |seen: &[u32], correct: bool| {
        let mut recorder = TrajectoryRecorder::new(3, 2);
        let logits = if correct { [1.0, 0.0] } else { [0.0, 1.0] };
        let logits: Vec<f32> = logits.repeat(seen.len());
        let labels = vec![0; seen.len()];
        recorder.update(&ids(seen), Matrix::logits(&logits, 2), &labels).unwrap();
        recorder.end_epoch();
        recorder
    };
    let mut joined = rank(&[0, 1], true);
    assert_eq!(joined.merge_ranks(&rank(&[2, 0], false)), Ok(1));
    let columns = joined.columns();
    let column = |wanted| &columns.iter().find(|(kind, ..)| *kind == wanted).unwrap().2;
    assert_eq!(column(ScoreKind::Correctness)[..], [0.5, 1.0, 0.0]);
    assert_eq!(column(ScoreKind::NeverLearned)[..], [0.0, 0.0, 1.0]);
    assert_eq!(column(ScoreKind::Correct)[..], [1.0, 1.0, 0.0]);
    assert_eq!(joined.unseen(), [0]);
}

#[test]
fn recorders_that_cannot_be_merged() {
    let recorder = |classes| {
        let mut recorder = TrajectoryRecorder::new(2, classes);
        recorder
            .update(&ids(&[0]), Matrix::logits(&vec![0.0_f32; classes], classes), &[1])
            .unwrap();
        recorder.end_epoch();
        recorder
    };
    let mut mine = recorder(2);
    let before = bits(&mine);
    let same = mine.merge_ranks(&recorder(2)).unwrap_err();
    assert_eq!(same, ScoreError::MergedBefore { presentations: 1 });
    let classes = mine.merge_ranks(&recorder(3)).unwrap_err();
    assert!(matches!(classes, ScoreError::DifferentTraining { what: "number of classes", .. }));
    let epochs = mine.merge_ranks(&TrajectoryRecorder::new(2, 2)).unwrap_err();
    assert!(epochs.to_string().contains("number of finished epochs (1 and 0)"), "{epochs}");
    let mut other = TrajectoryRecorder::new(2, 2);
    other.update(&ids(&[0]), Matrix::logits(&[0.0_f32; 2], 2), &[0]).unwrap();
    other.end_epoch();
    let label = mine.merge_ranks(&other).unwrap_err();
    assert_eq!(label, ScoreError::LabelChanged { id: 0, before: 1, now: 0 });
    let mut alone = TrajectoryRecorder::new(2, 2).single_rank();
    alone.end_epoch();
    assert_eq!(mine.merge_ranks(&alone).unwrap_err(), ScoreError::NoHistory);
    assert_eq!(bits(&mine), before);
}

#[test]
fn nothing_is_told_of_an_epoch_that_has_not_ended() {
    let mut recorder = TrajectoryRecorder::new(2, 2).keep_at(&[1]);
    recorder.update(&ids(&[1]), Matrix::logits(&[0.0_f32, 1.0], 2), &[1]).unwrap();
    assert!(recorder.columns().is_empty() && recorder.predicted().is_empty());
    assert_eq!((recorder.epochs(), recorder.unfinished()), (0, 1));
    assert_eq!(recorder.labels(), [None, Some(1)]);
    recorder.end_epoch();
    assert_eq!((recorder.epochs(), recorder.unfinished()), (1, 0));
    // Epoch 1 is kept and is the last: it is told once.
    let el2n = recorder.columns().into_iter().filter(|(kind, ..)| *kind == ScoreKind::El2n);
    assert_eq!(el2n.count(), 1);
}

#[test]
fn damaged_states_are_refused() {
    let mut recorder = TrajectoryRecorder::new(9, 2).keep_at(&[1]);
    recorder.update(&ids(&[8]), Matrix::logits(&[0.0_f32, 1.0], 2), &[1]).unwrap();
    recorder.end_epoch();
    let saved = recorder.state();
    let damage = |name: &str, column: Option<StateColumn>| {
        let look =
            |wanted: &str| if wanted == name { column.clone() } else { find(&saved, wanted) };
        TrajectoryRecorder::from_state(look).unwrap_err().to_string()
    };
    for (name, _) in &saved {
        let missing = damage(name, None);
        assert!(missing.contains(name.as_str()), "{name}: {missing}");
        damage(name, Some(StateColumn::U8(vec![1; 3])));
    }
    let version = damage("recorder.shape", Some(StateColumn::F64(vec![1.0; 6])));
    assert!(version.contains("its layout is 1, this version reads 2 and 3"), "{version}");
    let labels = damage("recorder.labels", Some(StateColumn::U32(vec![7; 9])));
    assert!(labels.contains("7 is not a class"), "{labels}");
    let classes = damage("dynamics.class_sums", Some(StateColumn::F64(vec![0.0; 27])));
    assert!(classes.contains("class_"), "{classes}");
    let forged = damage("history.seen", Some(StateColumn::U8(vec![3, 1])));
    assert!(forged.contains("other forgetting events"), "{forged}");
}
