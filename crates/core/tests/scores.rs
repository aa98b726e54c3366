//! The scores against those written out in `f64`, and against themselves: the same logits have the
//! same bits wherever they come from.

mod common;

use common::{Presentations, Reference, el2n as el2n_of, loss, softmax, softmax_f64};
use datadiet_core::{
    BatchScores, Element, EpochError, ExampleId, Kept, LogitScores, Matrix, ScoreError, ScoreKind,
    Source, TrainingDynamics, TrajectoryRecorder, el2n, el2n_into, spearman,
};
use half::{bf16, f16};
use proptest::{collection::vec, prelude::*};

/// Numbers of classes on both sides of every change of method: the lanes, rows taken one by one,
/// and sums that are emptied on the way.
const CLASSES: [usize; 12] = [2, 3, 10, 15, 16, 17, 32, 33, 47, 100, 1000, 4100];

fn el2n_f64(logits: &[f32], label: usize) -> f64 {
    el2n_of(&softmax_f64(logits), label)
}

/// Logits of a kind chosen by the seed: spread, near ties, exact ties, one far above, huge.
fn logits(classes: usize) -> impl Strategy<Value = Vec<f32>> {
    (0_usize..7, vec(-1.0_f32..1.0, classes), 0..classes).prop_map(|(kind, mut row, top)| {
        let scale: f32 = [1.0, 5.0, 20.0, 38.0, 100.0, 1e4, 3.0][kind];
        row.iter_mut().for_each(|z| *z *= scale);
        if kind == 6 {
            // Ties, and one entry that is nearly certain.
            row.iter_mut().for_each(|z| *z = z.round());
            row[top] += 25.0;
        }
        row
    })
}

fn matrix() -> impl Strategy<Value = (usize, Vec<f32>, Vec<u32>)> {
    (0..CLASSES.len(), 1_usize..20).prop_flat_map(|(index, rows)| {
        let classes = CLASSES[index];
        let rows = if classes > 500 { rows.min(3) } else { rows };
        let many = vec(logits(classes), rows).prop_map(|rows| rows.concat());
        (Just(classes), many, vec(0..classes as u32, rows))
    })
}

#[track_caller]
fn assert_near(what: &str, found: f32, truth: f64, scale: f64) {
    let (found, tolerance) = (f64::from(found), 1e-6 * scale);
    // Numbers below the normal ones have fewer digits.
    let tolerance = tolerance.max(f64::from(f32::MIN_POSITIVE));
    assert!((found - truth).abs() <= tolerance, "{what}: {found} is not {truth}");
}

/// Every column of the scores of `logits` as they are read.
fn check_scores(found: &LogitScores, classes: usize, logits: &[f32], labels: &[u32]) {
    let slow = Reference::of_logits(logits, classes, labels);
    assert_eq!(found.predicted, slow.predicted);
    for (row, (z, &label)) in logits.chunks(classes).zip(labels).enumerate() {
        for kind in ScoreKind::OF_PASS {
            let truth = slow.score(kind, row);
            let scale = match kind {
                ScoreKind::El2n => truth.max(1e-3),
                ScoreKind::Loss => loss(z, label as usize),
                _ => truth.abs().max(1.0),
            };
            assert_near(kind.name(), found[kind][row], truth, scale);
        }
    }
}

fn logit_scores<E: Element>(logits: &[E], classes: usize, labels: &[u32]) -> LogitScores {
    LogitScores::of(Matrix::logits(logits, classes), labels).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn logits_of_every_kind_score_as_in_f64((classes, z, y) in matrix()) {
        check_scores(&logit_scores(&z, classes, &y), classes, &z, &y);
        let wide: Vec<f64> = z.iter().map(|&z| f64::from(z)).collect();
        check_scores(&logit_scores(&wide, classes, &y), classes, &z, &y);
        let half: Vec<f16> = z.iter().map(|&z| f16::from_f32(z)).collect();
        let read: Vec<f32> = half.iter().map(|z| z.to_f32()).collect();
        check_scores(&logit_scores(&half, classes, &y), classes, &read, &y);
        let brain: Vec<bf16> = z.iter().map(|&z| bf16::from_f32(z)).collect();
        let read: Vec<f32> = brain.iter().map(|z| z.to_f32()).collect();
        check_scores(&logit_scores(&brain, classes, &y), classes, &read, &y);
    }

    #[test]
    fn el2n_keeps_its_digits_however_small((classes, z, y) in matrix()) {
        let most = z.iter().fold(0.0, |most: f32, z| most.max(z.abs()));
        let found = el2n(Matrix::logits(&z, classes), &y).unwrap();
        for ((z, &label), found) in z.chunks(classes).zip(&y).zip(found) {
            let truth = el2n_f64(z, label as usize);
            assert_near("el2n", found, truth, if most <= 40.0 { truth } else { truth.max(1e-3) });
        }
    }

    #[test]
    fn gaps_between_rows_are_not_read((classes, z, y) in matrix(), gap in 1_usize..20) {
        let mut spread = Vec::new();
        for row in z.chunks(classes) {
            spread.extend_from_slice(row);
            spread.resize(spread.len() + gap, f32::NAN);
        }
        let spread_out = Matrix::logits(&spread, classes).with_stride(classes + gap);
        let close = Matrix::logits(&z, classes);
        prop_assert_eq!(el2n(spread_out, &y), el2n(close, &y));
        prop_assert_eq!(LogitScores::of(spread_out, &y), LogitScores::of(close, &y));
        let without_last_gap = &spread[..spread.len() - gap];
        let cut = Matrix::logits(without_last_gap, classes).with_stride(classes + gap);
        prop_assert_eq!(el2n(cut, &y), el2n(close, &y));
    }

    #[test]
    fn minibatches_score_as_matrices_and_have_exact_margins((classes, z, y) in matrix()) {
        let mut batch = BatchScores::default();
        // Something else before, longer and wider, of which nothing may be left.
        batch.score(Matrix::logits(&[1.0_f32; 50 * 40], 40), &[3; 50]).unwrap();
        batch.score(Matrix::logits(&z, classes), &y).unwrap();
        prop_assert_eq!(batch.scores(), &logit_scores(&z, classes, &y));
        for (row, (z, &label)) in z.chunks(classes).zip(&y).enumerate() {
            let others = (0..classes).filter(|class| *class != label as usize).map(|class| z[class]);
            let top = others.fold(f32::NEG_INFINITY, f32::max);
            prop_assert_eq!(batch.margin()[row], f64::from(z[label as usize]) - f64::from(top));
            let probs = softmax_f64(z);
            prop_assert!((batch.true_prob()[row] - probs[label as usize]).abs() < 1e-6);
        }
    }

    #[test]
    fn probabilities_score_as_in_f64((classes, z, y) in matrix()) {
        let probs: Vec<f32> = z.chunks(classes).flat_map(softmax).collect();
        let slow = Reference::of_probs(&probs, classes, &y);
        let wide: Vec<f64> = probs.iter().map(|&p| f64::from(p)).collect();
        for found in [
            LogitScores::of(Matrix::probabilities(&probs, classes), &y).unwrap(),
            LogitScores::of(Matrix::probabilities(&wide, classes), &y).unwrap(),
        ] {
            prop_assert_eq!(&found.predicted, &slow.predicted);
            for kind in ScoreKind::OF_PASS {
                for (row, &found) in found[kind].iter().enumerate() {
                    let slow = slow.score(kind, row);
                    assert_near(kind.name(), found, slow, slow.abs().max(1.0));
                }
            }
        }
        let alone = el2n(Matrix::probabilities(&probs, classes), &y).unwrap();
        let all = LogitScores::of(Matrix::probabilities(&probs, classes), &y).unwrap();
        prop_assert_eq!(&alone, &all[ScoreKind::El2n]);
    }

    /// A matrix, a minibatch, a recorder and the trackers of a run are one arithmetic, whatever the
    /// kind of number, the number of classes and the size of the batch.
    #[test]
    fn the_same_logits_have_the_same_bits_everywhere((classes, z, y) in matrix(), batch in 1_usize..9) {
        same_bits(&z, classes, &y, batch)?;
        let wide: Vec<f64> = z.iter().map(|&z| f64::from(z)).collect();
        same_bits(&wide, classes, &y, batch)?;
        let half: Vec<f16> = z.iter().map(|&z| f16::from_f32(z)).collect();
        same_bits(&half, classes, &y, batch)?;
    }

    #[test]
    fn trajectories_score_as_written_out(
        (classes, n, z, y) in (2_usize..40, 1_usize..40).prop_flat_map(|(classes, n)| {
            let all = (1_usize..15).prop_flat_map(move |epochs| vec(logits(classes), epochs * n));
            let all = all.prop_map(|rows| rows.concat());
            (Just(classes), Just(n), all, vec(0..classes as u32, n))
        })
    ) {
        let mut written = vec![Presentations::default(); n];
        let mut observed = TrainingDynamics::new(n);
        let ids: Vec<ExampleId> = (0..n as u32).map(ExampleId).collect();
        let mut epochs = Vec::new();
        for epoch in z.chunks_exact(n * classes) {
            for ((seen, row), &label) in written.iter_mut().zip(epoch.chunks(classes)).zip(&y) {
                seen.add(row, label as usize);
            }
            observed.observe(&ids, Matrix::logits(epoch, classes), &y).unwrap();
            epochs.push(Matrix::logits(epoch, classes));
        }
        let found = TrainingDynamics::of_epochs(&epochs, &y).unwrap();
        prop_assert_eq!(bits(&found), bits(&observed), "one by one or epoch by epoch");
        for &kind in ScoreKind::ALL.iter().filter(|kind| is_dynamic(**kind)) {
            for (found, seen) in found.column(kind).unwrap().into_iter().zip(&written) {
                let truth = seen.score(kind);
                let exact = [
                    ScoreKind::Forgetting,
                    ScoreKind::NeverLearned,
                    ScoreKind::Aum,
                    ScoreKind::Correctness,
                ];
                if exact.contains(&kind) {
                    prop_assert_eq!(found, truth as f32, "{}", kind);
                } else {
                    // What TDDS takes the spread of may be far larger than the spread.
                    let of = if kind == ScoreKind::Tdds { seen.distances() } else { vec![truth] };
                    let scale = of.iter().fold(1.0, |most: f64, one| most.max(one.abs()));
                    assert_near(kind.name(), found, truth, scale);
                }
            }
        }
    }
}

fn is_dynamic(kind: ScoreKind) -> bool {
    kind.source() == Source::TrainingMinibatches
}

fn bits(dynamics: &TrainingDynamics) -> Vec<(&'static str, Vec<u64>)> {
    let bits = |column: Vec<f64>| column.into_iter().map(f64::to_bits).collect();
    dynamics.state().into_iter().map(|(name, column)| (name, bits(column))).collect()
}

/// `datadiet score` appends the scores of batches and feeds the trackers; a recorder takes batches in
/// any order; Python takes whole matrices and cubes.
fn same_bits<E: Element>(
    z: &[E],
    classes: usize,
    labels: &[u32],
    batch: usize,
) -> Result<(), TestCaseError> {
    let ids: Vec<ExampleId> = (0..labels.len() as u32).map(ExampleId).collect();
    let mut appended = LogitScores::default();
    let mut run = TrainingDynamics::new(labels.len());
    let mut recorder = TrajectoryRecorder::new(labels.len(), classes);
    let batches = z.chunks(batch * classes).zip(labels.chunks(batch)).zip(ids.chunks(batch));
    for ((z, labels), ids) in batches.clone() {
        appended.append(logit_scores(z, classes, labels));
        run.observe(ids, Matrix::logits(z, classes), labels).unwrap();
    }
    for ((z, labels), ids) in batches.collect::<Vec<_>>().into_iter().rev() {
        recorder.update(ids, Matrix::logits(z, classes), labels).unwrap();
    }
    recorder.end_epoch();
    let whole = logit_scores(z, classes, labels);
    let cube = TrainingDynamics::of_epochs(&[Matrix::logits(z, classes)], labels).unwrap();
    prop_assert_eq!(&appended, &whole);
    prop_assert_eq!(bits(&run), bits(&cube));
    for (kind, _, column) in recorder.columns() {
        let same = match whole.column(kind) {
            Some(expected) => column == expected,
            None => Some(column) == cube.column(kind),
        };
        prop_assert!(same, "{kind}");
    }
    Ok(())
}

/// A hundred thousand examples of a network that is sure of most of them.
#[test]
fn ranks_are_those_of_f64() {
    let (n, classes) = (100_000, 10);
    // A linear congruential generator: any numbers will do.
    let mut state = 1_u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32
    };
    let labels: Vec<u32> = (0..n).map(|_| (next() * classes as f32) as u32).collect();
    let mut z: Vec<f32> = (0..n * classes).map(|_| 8.0 * next()).collect();
    for (row, &label) in z.chunks_mut(classes).zip(&labels) {
        row[label as usize] += 20.0 * next();
    }
    let row = |(z, &label): (&[f32], &u32)| el2n_f64(z, label as usize) as f32;
    let slow: Vec<f32> = z.chunks(classes).zip(&labels).map(row).collect();
    let fast = el2n(Matrix::logits(&z, classes), &labels).unwrap();
    let rho = spearman(&fast, &slow).unwrap();
    assert!(rho > 1.0 - 1e-9, "Spearman's correlation is {rho}");
}

#[test]
fn sure_networks_tell_their_easiest_examples_apart() {
    // 1 − p_y is 2·10⁻³⁵ and 4·10⁻³⁵; subtracted from 1 in f64, both would be 0.
    let z = [80.0_f32, 0.0, 0.0, /**/ 79.306_85, 0.0, 0.0];
    let scores = el2n(Matrix::logits(&z, 3), &[0, 0]).unwrap();
    for (&score, z) in scores.iter().zip([80.0_f64, 79.306_85]) {
        assert_near("el2n", score, 6.0_f64.sqrt() * (-z).exp(), 1e-5 * 1e-34);
        assert!((f64::from(score) / (6.0_f64.sqrt() * (-z).exp()) - 1.0).abs() < 1e-5);
    }
    let wide = [700.0_f64, 660.0, 0.0];
    let scores = logit_scores(&wide, 3, &[0]);
    assert!((f64::from(scores[ScoreKind::Loss][0]) / (-40.0_f64).exp() - 1.0).abs() < 1e-6);
}

#[test]
fn differences_of_f64_are_taken_before_rounding() {
    let near = [1e9_f64, 1e9 + 0.25, 1e9 - 1.0];
    let found = el2n(Matrix::logits(&near, 3), &[1]).unwrap();
    assert_near("el2n", found[0], el2n_f64(&[0.0, 0.25, -1.0], 1), 1.0);
    // A difference that `f32` cannot hold still is one.
    assert_eq!(logit_scores(&[0.0_f64, 1e-300, 0.0], 3, &[2]).predicted, [1]);
}

#[test]
fn extremes_of_f32_are_no_trouble() {
    let z =
        [f32::MAX, f32::MIN, 0.0, /**/ f32::MIN, f32::MAX, f32::MAX, /**/ -0.0, 0.0, 0.0];
    let labels = [0, 0, 2];
    let found = logit_scores(&z, 3, &labels);
    let slow = Reference::of_logits(&z, 3, &labels);
    assert_eq!(found.predicted, slow.predicted);
    assert_eq!(found[ScoreKind::El2n][0], 0.0);
    for row in 0..3 {
        assert_eq!(found[ScoreKind::Loss][row], slow.score(ScoreKind::Loss, row) as f32);
    }
    assert_near("el2n", found[ScoreKind::El2n][1], slow.score(ScoreKind::El2n, 1), 1.0);
    let many = vec![f32::MAX; 100];
    let found = el2n(Matrix::logits(&many, 100), &[7]).unwrap();
    assert!((found[0] - 0.99_f32.sqrt()).abs() < 1e-6);
}

fn refused<E: Element>(bad: impl Fn(f32) -> E) {
    for (classes, rows) in [(3, 40), (40, 40), (1000, 40)] {
        let mut z: Vec<E> = (0..rows * classes).map(|_| bad(0.5)).collect();
        let labels = vec![(classes - 1) as u32; rows];
        for (row, value) in
            [(1, f32::NAN), (4, f32::INFINITY), (9, f32::NEG_INFINITY), (16, f32::NAN)]
        {
            z[row * classes + row % classes] = bad(value);
        }
        // In the label's place, and in the last.
        z[(rows - 1) * classes + classes - 1] = bad(f32::NAN);
        z[20 * classes + classes - 1] = bad(f32::INFINITY);
        let expected =
            ScoreError::NonFinite { what: "logits", rows: vec![1, 4, 9, 16, 20], total: 6 };
        let matrix = Matrix::logits(&z, classes);
        assert_eq!(el2n(matrix, &labels).unwrap_err(), expected);
        assert_eq!(LogitScores::of(matrix, &labels).unwrap_err(), expected);
        assert_eq!(BatchScores::default().score(matrix, &labels).unwrap_err(), expected);
        let epochs = TrainingDynamics::of_epochs(&[matrix], &labels).unwrap_err();
        assert_eq!(epochs, EpochError { epoch: 1, source: expected });
        let probs = LogitScores::of(Matrix::probabilities(&z, classes), &labels).unwrap_err();
        assert!(matches!(probs, ScoreError::NonFinite { what: "probabilities", total: 6, .. }));
    }
}

#[test]
fn rows_that_are_not_finite_are_named() {
    refused(f16::from_f32);
    refused(bf16::from_f32);
    refused(|value| value);
    refused(f64::from);
    let beyond = el2n(Matrix::logits(&[0.0, 1e39_f64], 2), &[0]).unwrap_err();
    assert!(matches!(beyond, ScoreError::NonFinite { total: 1, .. }));
}

#[test]
fn shapes_and_labels_that_do_not_fit() {
    let z = [0.0_f32; 6];
    let one = el2n(Matrix::logits(&z, 1), &[0; 6]).unwrap_err();
    assert_eq!(one, ScoreError::TooFewClasses { classes: 1 });
    let short = el2n(Matrix::logits(&z, 2), &[0; 4]).unwrap_err();
    assert_eq!(short, ScoreError::ShapeMismatch { what: "logits", expected: 8, found: 6 });
    let label = el2n(Matrix::logits(&z, 2), &[0, 2, 0]).unwrap_err();
    assert_eq!(label, ScoreError::LabelOutOfRange { row: 1, label: 2, classes: 2 });
    let stride = el2n(Matrix::logits(&z, 3).with_stride(2), &[0, 0]).unwrap_err();
    assert_eq!(stride, ScoreError::ShapeMismatch { what: "stride", expected: 3, found: 2 });
    let column = el2n_into(Matrix::logits(&z, 2), &[0; 3], &mut [0.0; 2]);
    assert!(matches!(column, Err(ScoreError::ShapeMismatch { what: "scores", .. })));
    assert_eq!(el2n(Matrix::logits(&z[..0], 2), &[]).unwrap(), [0.0; 0]);
    let epochs = [Matrix::logits(&z, 3), Matrix::logits(&z, 2)];
    let classes = TrainingDynamics::of_epochs(&epochs, &[0, 0]).unwrap_err();
    let source = ScoreError::OtherClasses { expected: 3, found: 2 };
    assert_eq!(classes, EpochError { epoch: 2, source });
    let none = TrainingDynamics::of_epochs::<f32>(&[], &[0, 0]).unwrap();
    let aum = none.column(ScoreKind::Aum).unwrap();
    assert!(aum.len() == 2 && aum[0].is_nan());
}

/// Sixteen examples share their lanes with those that come later.
#[test]
fn an_odd_number_of_examples_leaves_no_trace_in_their_lanes() {
    let z: Vec<f32> = (0..2 * 19).map(|i| (i as f32).sin()).collect();
    let dynamics = TrainingDynamics::of_epochs(&[Matrix::logits(&z, 2)], &[0; 19]).unwrap();
    let saved = dynamics.state();
    let find = |name: &str| saved.iter().find(|(known, _)| *known == name).map(|(_, c)| c.clone());
    let restored = TrainingDynamics::from_state(19, Kept::ALL, true, find).unwrap();
    assert_eq!(bits(&restored), bits(&dynamics));
}

#[test]
fn rows_that_are_not_distributions() {
    for classes in [2, 3, 40] {
        let mut probs = vec![1.0 / classes as f64; 3 * classes];
        let y = [0; 3];
        assert!(LogitScores::of(Matrix::probabilities(&probs, classes), &y).is_ok());
        probs[classes] += 1.1e-2;
        let sum = el2n(Matrix::probabilities(&probs, classes), &y).unwrap_err();
        assert!(matches!(sum, ScoreError::NotNormalised { row: 1, .. }));
        probs[classes] -= 1.001e-3;
        assert!(el2n(Matrix::probabilities(&probs, classes), &y).is_ok(), "within the tolerance");
        probs[2 * classes + 1] += 1.5;
        probs[2 * classes] -= 1.5;
        let negative = LogitScores::of(Matrix::probabilities(&probs, classes), &y).unwrap_err();
        assert!(matches!(negative, ScoreError::NegativeProbability { row: 2, class: 0, .. }));
    }
}
