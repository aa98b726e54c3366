//! Constants from NumPy 2.4.6 and SciPy 1.17.1, with the expression that gave each beside it.

use datadiet_core::{
    ExampleId, LogitScores, ScoreKind, Stream, TrainingDynamics, average_ranks,
    mean_and_standard_error, permutation, reliability, rng, spearman, streams::below,
};
use rand_chacha::rand_core::Rng;

#[track_caller]
fn assert_close(found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (&found, &expected) in found.iter().zip(expected) {
        // One rounding to f32 of a value that is right in f64.
        let tolerance = f64::from(f32::EPSILON) * expected.abs();
        assert!((f64::from(found) - expected).abs() <= tolerance, "{found} is not {expected}");
    }
}

/// `z`, `y` below; `p = scipy.special.softmax(z, axis=1)`, `Y = np.eye(4)[y]`.
#[test]
fn logit_scores_agree_with_numpy() {
    let z = [
        2.0, -1.0, 0.5, 0.25, //
        0.125, 3.0, -2.0, 1.5, //
        -4.0, 8.0, 8.0, 0.0, //
        30.0, -30.0, 1.0, 0.0,
    ];
    let scores = LogitScores::from_logits(&z, 4, &[0, 3, 2, 0]).unwrap();
    // np.linalg.norm(p - Y, axis=1)
    let el2n = [0.3670673886253314, 1.13556473270569, 0.7071068113909966, 4.410485401011603e-13];
    // np.abs(p - Y).sum(1)
    let l1 = [0.6175349385169384, 1.6530624382140635, 1.0001707742513017];
    // -scipy.special.log_softmax(z, axis=1)[range(4), y]
    let loss =
        [0.36927899844825335, 1.7517576330021876, 0.6933179693948297, 3.4794389591746353e-13];
    // scipy.stats.entropy(p, axis=1)
    let entropy = [0.9140814149121843, 0.6642491780652211, 0.6946964497314037];
    // np.where(Y == 1, -np.inf, p).max(1) - p[range(4), y]
    let max_margin = [-0.5369977054573686, 0.6039643584799161, 0.0, -0.9999999999993977];
    // (p - p[range(4), y][:, None]).sum(1)
    let sum_margin =
        [-1.764930122966123, 0.306124876428127, -0.9996584514973967, -2.9999999999986082];

    // The last row is so easy that 1 - p_y keeps three digits, in NumPy as here.
    assert_close(&scores.el2n[..3], &el2n[..3]);
    assert!((f64::from(scores.el2n[3]) / el2n[3] - 1.0).abs() < 1e-3);
    assert_close(&scores.l1[..3], &l1);
    assert_close(&scores.loss[..3], &loss[..3]);
    assert!((f64::from(scores.loss[3]) / loss[3] - 1.0).abs() < 1e-3);
    assert_close(&scores.entropy[..3], &entropy);
    assert_close(&scores.max_margin, &max_margin);
    assert_close(&scores.sum_margin, &sum_margin);
    // z.argmax(1) == y: the tie of row 2 goes to class 1.
    assert_eq!(scores.correct, [1.0, 0.0, 0.0, 1.0]);
}

/// `z = np.array([[1, 0, -1], [.5, 2, 0], [0, .25, 3], [2.5, 1, 0]])`, label 0 throughout.
#[test]
fn training_dynamics_agree_with_numpy() {
    let presentations = [[1.0, 0.0, -1.0], [0.5, 2.0, 0.0], [0.0, 0.25, 3.0], [2.5, 1.0, 0.0]];
    let mut dynamics = TrainingDynamics::new(1, 3);
    for logits in presentations {
        dynamics.observe(&[ExampleId(0)], &logits, &[0]).unwrap();
    }
    let column = |kind| dynamics.column(kind).unwrap();
    // p = softmax(z, axis=1)[:, 0]; p.mean(), p.std()
    assert_close(&column(ScoreKind::Confidence), &[0.41008834785767934]);
    assert_close(&column(ScoreKind::Variability), &[0.3105759131702467]);
    // (z.argmax(1) == 0).mean()
    assert_eq!(column(ScoreKind::Correctness), [0.5]);
    // (z[:, 0] - z[:, 1:].max(1)).mean()
    assert_eq!(column(ScoreKind::Aum), [-0.5]);
    // By hand: correct, wrong, wrong, correct.
    assert_eq!(column(ScoreKind::Forgetting), [1.0]);
    assert_eq!(column(ScoreKind::NeverLearned), [0.0]);
}

#[test]
fn ranks_and_spearman_agree_with_scipy() {
    let a = [0.5, 0.25, 0.5, -1.0, 3.0, 0.25, 0.5, 7.0];
    let b = [1.0, 2.0, 2.0, 0.0, 9.0, -3.0, 5.0, 4.0];
    // scipy.stats.rankdata(a), rankdata(b)
    assert_eq!(average_ranks(&a).unwrap(), [5.0, 2.5, 5.0, 1.0, 7.0, 2.5, 5.0, 8.0]);
    assert_eq!(average_ranks(&b).unwrap(), [3.0, 4.5, 4.5, 2.0, 8.0, 1.0, 7.0, 6.0]);
    // scipy.stats.spearmanr(a, b)[0]
    assert!((spearman(&a, &b).unwrap() - 0.7471413672544194).abs() < 1e-14);
}

/// `r.mean(0)` and `scipy.stats.sem(r, axis=0)`, one row of `r` a replica.
#[test]
fn mean_and_standard_error_agree_with_scipy() {
    let r = [[0.5, 1.25, 2.0], [0.75, 1.0, 2.5], [0.25, 1.5, 3.0], [1.0, 0.5, 2.25]];
    let columns: Vec<&[f32]> = r.iter().map(|column| &column[..]).collect();
    let (mean, error) = mean_and_standard_error(&columns).unwrap();
    assert_eq!(mean, [0.625, 1.0625, 2.4375]);
    assert_close(&error, &[0.1613743060919757, 0.21347814095749162, 0.21347814095749162]);
}

/// Spearman of the means of the two halves with `scipy.stats.spearmanr`, averaged over the splits
/// that `itertools.combinations` gives, then the formulas of `stats/reliability.rs`. Values are
/// sixteenths, so that means tie alike in `f32` and `f64`.
#[test]
fn reliability_agrees_with_scipy() {
    let sixteenths = [
        [1.0, 6.0, 5.0, 13.0, 10.0, 3.0],
        [3.0, 5.0, 8.0, 11.0, 14.0, 2.0],
        [2.0, 9.0, 4.0, 10.0, 11.0, 6.0],
        [5.0, 3.0, 7.0, 15.0, 8.0, 1.0],
        [4.0, 4.0, 9.0, 12.0, 9.0, 0.0],
    ];
    let columns: Vec<Vec<f32>> =
        sixteenths.iter().map(|column| column.iter().map(|value| value / 16.0).collect()).collect();
    let columns: Vec<&[f32]> = columns.iter().map(Vec::as_slice).collect();

    let four = reliability(&columns[..4]).unwrap();
    assert_eq!((four.halves_of, four.splits), (2, 3));
    assert!((four.half - 0.8252100840336135).abs() < 1e-12);
    assert!((four.single - 0.7024320457796854).abs() < 1e-12);
    assert!((four.full - 0.9042357274401474).abs() < 1e-12);
    // ceil(8.0489)
    assert_eq!(four.replicas_for_95, Some(9));
    let five = reliability(&columns).unwrap();
    assert_eq!((five.halves_of, five.splits), (2, 15));
    assert!((five.half - 0.8578216325192312).abs() < 1e-12);
    assert!((five.single - 0.7510399924761966).abs() < 1e-12);
    assert!((five.full - 0.9378246600048491).abs() < 1e-12);
    // ceil(6.2983)
    assert_eq!(five.replicas_for_95, Some(7));
}

/// ChaCha8 and the shuffle written again in Python from the paper of the cipher (64-bit counter,
/// no nonce), with the key of `streams.rs`.
#[test]
fn streams_agree_with_an_independent_chacha8() {
    let mut words = rng(42, 7, Stream::Order, 3);
    let found = [(); 4].map(|()| words.next_u32());
    assert_eq!(found, [0xc0558d53, 0x0db77d61, 0x1fb53b12, 0xd60fae30]);

    let shuffled = permutation(10, &mut rng(42, 7, Stream::Order, 3));
    assert_eq!(shuffled, [9, 6, 3, 4, 1, 2, 5, 8, 0, 7]);
    assert_eq!(permutation(3, &mut rng(0, 0, Stream::Initialisation, 0)), [2, 0, 1]);

    // Three of the first seven words are refused.
    let mut words = rng(1, 0, Stream::Augmentation, 0);
    let found = [(); 4].map(|()| below(3_000_000_000, &mut words));
    assert_eq!(found, [1301827407, 2442091601, 161776459, 53857085]);
}
