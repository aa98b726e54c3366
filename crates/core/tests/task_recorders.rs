//! Recorders of tokens, of several labels and of regressions: what must hold whoever recorded which example.

use datadiet_core::{
    ExampleId, KeptTokens, Measure, MultiLabelRecorder, RegressionRecorder, ScoreError, ScoreKind,
    Sequences, StateColumn, TokenRecorder, Unlabelled,
};

const N: usize = 7;
const K: usize = 3;
const EPOCHS: usize = 5;

/// Numbers that look like chance.
fn logit(epoch: usize, example: usize, label: usize) -> f32 {
    (((epoch * 31 + example * 17 + label * 7) as f32) * 0.77).sin() * 2.0
}

fn labels(example: usize) -> [u8; K] {
    std::array::from_fn(|label| u8::from((example + label).is_multiple_of(2)))
}

fn record(recorder: &mut MultiLabelRecorder, epoch: usize, examples: &[usize]) {
    let ids: Vec<ExampleId> = examples.iter().map(|&id| ExampleId(id as u32)).collect();
    let rows = examples.iter().flat_map(|&id| (0..K).map(move |label| logit(epoch, id, label)));
    let given: Vec<u8> = examples.iter().flat_map(|&id| labels(id)).collect();
    recorder.update(&ids, &rows.collect::<Vec<_>>(), &given, None).unwrap();
}

/// A recorder that saw everything, and one that another rank, which saw each second presentation, was merged
/// into. A macro, since recorders of two tasks have no public trait in common.
macro_rules! one_and_merged {
    ($make:expr, $update:expr) => {{
        let (mut truth, mut first, mut second) = ($make(), $make(), $make());
        for epoch in 0..EPOCHS {
            for id in 0..N {
                $update(&mut truth, epoch, id);
                let even = (id + epoch).is_multiple_of(2);
                $update(if even { &mut first } else { &mut second }, epoch, id);
            }
            for recorder in [&mut truth, &mut first, &mut second] {
                recorder.end_epoch();
            }
        }
        first.merge_ranks(&second).unwrap();
        (truth, first)
    }};
}

/// All examples but the last, which is never seen, and the first, which the third epoch misses.
fn seen(epoch: usize) -> Vec<usize> {
    (0..N - 1).filter(|&id| epoch != 2 || id != 0).collect()
}

fn whole(recorder: MultiLabelRecorder) -> MultiLabelRecorder {
    let mut recorder = recorder;
    for epoch in 0..EPOCHS {
        record(&mut recorder, epoch, &seen(epoch));
        recorder.end_epoch();
    }
    recorder
}

type Columns = Vec<(Measure, u32, Vec<f32>)>;

#[track_caller]
fn assert_same(found: &Columns, expected: &Columns, slack: f32) {
    assert_eq!(found.len(), expected.len());
    for ((measure, epoch, found), (other, at, expected)) in found.iter().zip(expected) {
        assert_eq!((measure, epoch), (other, at));
        for (found, expected) in found.iter().zip(expected) {
            let same = (found - expected).abs() <= slack || found.is_nan() && expected.is_nan();
            assert!(same, "{measure}@{epoch}: {found} is not {expected}");
        }
    }
}

fn saved(state: &[(String, StateColumn)]) -> impl Fn(&str) -> Option<StateColumn> {
    |name| state.iter().find(|(known, _)| known == name).map(|(_, column)| column.clone())
}

/// By what is shown of it: a state has NaN where nobody gave a threshold, which equals nothing.
#[track_caller]
fn assert_same_state(found: &[(String, StateColumn)], expected: &[(String, StateColumn)]) {
    assert!(format!("{found:?}") == format!("{expected:?}"), "the states differ");
}

#[test]
fn ranks_of_several_labels_are_as_one_recorder() {
    for by_label in [true, false] {
        let make = || MultiLabelRecorder::of_labels(N, K, by_label).keep_at(&[2]);
        let truth = whole(make());
        let mut ranks = [make(), make()];
        for epoch in 0..EPOCHS {
            for (rank, recorder) in ranks.iter_mut().enumerate() {
                // Another half in each epoch.
                let mine = |id: &usize| (id + epoch) % 2 == rank;
                let examples: Vec<usize> = seen(epoch).into_iter().filter(mine).collect();
                record(recorder, epoch, &examples);
                recorder.end_epoch();
            }
        }
        let [mut first, second] = ranks;
        assert_eq!(first.merge_ranks(&second).unwrap(), 0);
        assert_same(&first.columns(), &truth.columns(), 1e-6);
        assert_eq!(first.least_labels(), truth.least_labels());
        let again = first.merge_ranks(&second).unwrap_err();
        assert!(matches!(again, ScoreError::MergedBefore { .. }), "{again}");
    }
}

#[test]
fn a_presentation_on_two_ranks_is_forgotten_once() {
    let make = || MultiLabelRecorder::of_labels(N, K, true);
    let truth = whole(make());
    let mut ranks = [make(), make()];
    for epoch in 0..EPOCHS {
        for (rank, recorder) in ranks.iter_mut().enumerate() {
            let mine = |id: &usize| *id == 1 || id % 2 == rank;
            record(recorder, epoch, &seen(epoch).into_iter().filter(mine).collect::<Vec<_>>());
            recorder.end_epoch();
        }
    }
    let [mut first, second] = ranks;
    assert_eq!(first.merge_ranks(&second).unwrap(), EPOCHS as u64);
    assert_same(&first.columns(), &truth.columns(), 1e-6);
}

#[test]
fn room_may_be_made_later() {
    for by_label in [true, false] {
        let mut grown = MultiLabelRecorder::of_labels(1, K, by_label).keep_at(&[1]);
        record(&mut grown, 0, &[0]);
        grown.grow(N);
        grown.grow(2);
        record(&mut grown, 0, &seen(0)[1..]);
        grown.end_epoch();
        for epoch in 1..EPOCHS {
            record(&mut grown, epoch, &seen(epoch));
            grown.end_epoch();
        }
        let truth = whole(MultiLabelRecorder::of_labels(N, K, by_label).keep_at(&[1]));
        assert_same(&grown.columns(), &truth.columns(), 0.0);
        assert_eq!(grown.least_labels(), truth.least_labels());
    }
}

#[test]
fn a_state_is_read_back_whole() {
    for single in [false, true] {
        let make = || {
            let recorder = MultiLabelRecorder::of_labels(N, K, true).keep_at(&[1]);
            if single { recorder.single_rank() } else { recorder }
        };
        let mut recorder = whole(make());
        record(&mut recorder, EPOCHS, &[2, 4]);
        let state = recorder.state();
        let mut back = MultiLabelRecorder::from_state(saved(&state)).unwrap();
        assert_same_state(&back.state(), &state);
        for one in [&mut recorder, &mut back] {
            record(one, EPOCHS, &[0, 1]);
            one.end_epoch();
        }
        assert_same(&back.columns(), &recorder.columns(), 0.0);
        for (name, _) in &state {
            let cut: Vec<_> = state.iter().filter(|(known, _)| known != name).cloned().collect();
            // A state before any epoch has less; what is missing here is told.
            let found = MultiLabelRecorder::from_state(saved(&cut));
            assert!(found.is_err(), "{name} was not missed");
        }
    }
}

/// Errors are joined as losses are: bit for bit.
#[test]
fn ranks_of_regressions_are_as_one_recorder() {
    let update = |recorder: &mut RegressionRecorder, epoch: usize, id: usize| {
        let outputs = [logit(epoch, id, 0), logit(epoch, id, 1)];
        recorder.update(&[ExampleId(id as u32)], &outputs, &[0.5, -0.5], 2, None).unwrap();
    };
    let make = || RegressionRecorder::of_numbers(N).keep_at(&[2]);
    let (truth, first) = one_and_merged!(make, update);
    assert_same(&first.columns(), &truth.columns(), 0.0);
    let state = first.state();
    let back = RegressionRecorder::from_state(saved(&state)).unwrap();
    assert_same_state(&back.state(), &state);
    assert_same(&back.columns(), &truth.columns(), 0.0);
    let kinds: Vec<Measure> = truth.columns().into_iter().map(|(measure, ..)| measure).collect();
    assert!(kinds.contains(&ScoreKind::ErrorRatio.into()));
}

#[test]
fn tokens_that_are_kept_go_through_ranks_and_states() {
    let update = |recorder: &mut TokenRecorder, epoch: usize, id: usize| {
        let logits: Vec<f32> = (0..4 * K).map(|at| logit(epoch, id, at)).collect();
        let labels = [0, -100, 2, 1];
        let sequences =
            Sequences { labels: &labels, length: 4, ignore: -100, shift: false, examples: None };
        let ids = [ExampleId(id as u32)];
        recorder.update(&ids, &logits, K, &sequences, Unlabelled::Refuse).unwrap();
    };
    let keep = || KeptTokens::Of([1, 4].into());
    let make = || TokenRecorder::of_tokens(N, keep());
    let (truth, mut first) = one_and_merged!(make, update);
    assert_same(&first.columns(), &truth.columns(), 0.0);
    let (found, expected) = (first.tokens(), truth.tokens());
    assert_eq!(found.example, [1, 1, 1, 4, 4, 4]);
    assert_eq!(found.position, [0, 2, 3, 0, 2, 3]);
    assert_eq!((&found.loss, &found.predicted), (&expected.loss, &expected.predicted));
    for (found, expected) in found.mean_loss.iter().zip(&expected.mean_loss) {
        assert!((found - expected).abs() < 1e-6);
    }
    update(&mut first, EPOCHS, 4);
    let state = first.state();
    let mut back = TokenRecorder::from_state(saved(&state)).unwrap();
    assert_same_state(&back.state(), &state);
    for recorder in [&mut first, &mut back] {
        recorder.end_epoch();
    }
    assert_eq!(back.tokens(), first.tokens());
}
