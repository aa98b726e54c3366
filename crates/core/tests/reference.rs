//! Constants from NumPy 2.4.6, SciPy 1.17.1, scikit-learn 1.9.1 and cleanlab 2.9.0, with the expression that gave each beside it.

use datadiet_core::{
    Amount, Candidates, Choice, Classes, Direction, ExampleId, LabelScore, LogitScores, Matrix,
    Mispredicted, Quota, Rule, ScoreKind, Scores, Stream, TrainingDynamics, average_ranks, band,
    confident_joint, detection, mean_and_standard_error, percentile, permutation, reliability, rng,
    spearman, spearman_interval, streams::below, top_overlap, wrong_labels,
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
        2.0_f32, -1.0, 0.5, 0.25, //
        0.125, 3.0, -2.0, 1.5, //
        -4.0, 8.0, 8.0, 0.0, //
        30.0, -30.0, 1.0, 0.0,
    ];
    let scores = LogitScores::of(Matrix::logits(&z, 4), &[0, 3, 2, 0]).unwrap();
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
    assert_close(&scores[ScoreKind::El2n][..3], &el2n[..3]);
    assert!((f64::from(scores[ScoreKind::El2n][3]) / el2n[3] - 1.0).abs() < 1e-3);
    assert_close(&scores[ScoreKind::L1][..3], &l1);
    assert_close(&scores[ScoreKind::Loss][..3], &loss[..3]);
    assert!((f64::from(scores[ScoreKind::Loss][3]) / loss[3] - 1.0).abs() < 1e-3);
    assert_close(&scores[ScoreKind::Entropy][..3], &entropy);
    assert_close(&scores[ScoreKind::MaxMargin], &max_margin);
    assert_close(&scores[ScoreKind::SumMargin], &sum_margin);
    // z[range(4), y] - np.where(Y == 1, -np.inf, z).max(1)
    for (row, &found) in scores[ScoreKind::LogMargin].iter().enumerate() {
        let label = [0, 3, 2, 0][row];
        let row = &z[4 * row..][..4];
        let others = (0..4).filter(|&class| class != label).map(|class| row[class]);
        assert_eq!(found, row[label] - others.fold(f32::NEG_INFINITY, f32::max));
    }
    // z.argmax(1) == y: the tie of row 2 goes to class 1.
    assert_eq!(scores[ScoreKind::Correct], [1.0, 0.0, 0.0, 1.0]);
}

/// `z = np.array([[1, 0, -1], [.5, 2, 0], [0, .25, 3], [2.5, 1, 0]])`, label 0 throughout.
#[test]
fn training_dynamics_agree_with_numpy() {
    let presentations = [[1.0_f32, 0.0, -1.0], [0.5, 2.0, 0.0], [0.0, 0.25, 3.0], [2.5, 1.0, 0.0]];
    let mut dynamics = TrainingDynamics::new(1);
    for logits in presentations {
        dynamics.observe(&[ExampleId(0)], Matrix::logits(&logits, 3), &[0]).unwrap();
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
    // m = np.log(softmax(z).mean(0)); m[0] - m[1:].max()
    assert_close(&column(ScoreKind::MarginOfMean), &[0.3049473120048748]);
    // np.linalg.norm(softmax(z) - [1, 0, 0], axis=1).mean()
    assert_close(&column(ScoreKind::MeanEl2n), &[0.787800119846569]);
    // Fewer presentations than a window: p.std(ddof=1), (1 - p.mean()) * p.std(ddof=1)
    assert_close(&column(ScoreKind::DynUnc), &[0.35862217414531156]);
    assert_close(&column(ScoreKind::Dual), &[0.21155539924493177]);
    // d = [abs(p[t+1] * (log(p[t+1] + 1e-8) - log(p[t] + 1e-8))).sum() for t in range(3)], p of all
    // classes; 0.9 * np.linalg.norm(d - d.mean())
    assert_close(&column(ScoreKind::Tdds), &[0.9842326016370346]);
}

/// What the authors' programs print of a trajectory of 13 epochs × 4 examples × 3 classes,
/// `t, i, j = np.ogrid[:13, :4, :3]; z = ((t*5 + j*7 + i*3 + t*j*3 + t*t*i) % 17) / 4`, labels
/// `[0, 1, 2, 1]`, run with torch 2.11.0 and NumPy 2.2.6 in `f64`: `dual` and `dynunc` of
/// github.com/behaapyy/dual-pruning at 4ab525d (exp_cifar/importance_evaluation.py), divided by the 10
/// that they multiply by; importance_evaluation.py of github.com/zhangxin-xd/Dataset-Pruning-TDDS at
/// 9c1e3bd with `--trajectory_len 13 --window_size 10`. The other two are NumPy's, by their formulas.
#[test]
fn scores_of_windows_agree_with_their_authors_programs() {
    let logit = |t: u32, i: u32, j: u32| {
        ((t * 5 + j * 7 + i * 3 + t * j * 3 + t * t * i) % 17) as f32 / 4.0
    };
    let epoch =
        |t| -> Vec<f32> { (0..4).flat_map(|i| (0..3).map(move |j| logit(t, i, j))).collect() };
    let epochs: Vec<Vec<f32>> = (0..13).map(epoch).collect();
    let epochs: Vec<_> = epochs.iter().map(|z| Matrix::logits(z, 3)).collect();
    let dynamics = TrainingDynamics::of_epochs(&epochs, &[0, 1, 2, 1]).unwrap();
    let column = |kind| dynamics.column(kind).unwrap();
    let dual = [0.16825263876219826, 0.1656608111320506, 0.17392400004601627, 0.17288633937188722];
    assert_close(&column(ScoreKind::Dual), &dual);
    let dyn_unc = [0.26686569794130205, 0.2930410028990186, 0.2944762097362307, 0.2845581906227293];
    assert_close(&column(ScoreKind::DynUnc), &dyn_unc);
    let tdds = [2.05536485646862, 1.711981713384089, 2.239416374121961, 1.8437824327001588];
    assert_close(&column(ScoreKind::Tdds), &tdds);
    // p = softmax(z); m = np.log(p.mean(0)); m[range(4), y], less the largest of the others
    let margin =
        [0.037168181108295784, 0.2749891032054316, 0.31554554034933935, 0.027929009528178117];
    // A difference of two logarithms near −1: what cancels is no part of the tolerance.
    for (found, expected) in column(ScoreKind::MarginOfMean).into_iter().zip(margin) {
        assert!((f64::from(found) - expected).abs() < 2e-7, "{found} is not {expected}");
    }
    // np.linalg.norm(p - np.eye(3)[y], axis=2).mean(0)
    let el2n = [0.8542492197466911, 0.6740957801528443, 0.7758212109144823, 0.7838028512352777];
    assert_close(&column(ScoreKind::MeanEl2n), &el2n);
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

/// `s`, `t` below; scikit-learn refuses infinities, so `r = scipy.stats.rankdata(s)`.
#[test]
fn detection_agrees_with_scikit_learn() {
    let s = [0.9, 0.8, 0.8, 0.7, 0.5, 0.5, 0.5, 0.3, 0.2, 0.2, 0.1, -1.0];
    let s = [&s[..], &[f32::INFINITY, f32::NEG_INFINITY]].concat();
    let t = [1, 1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 1, 0].map(|touched| touched == 1);
    let found = detection(&s, &t, &[1, 3, 6, 7, 14]).unwrap();
    // sklearn.metrics.roc_auc_score(t, r), average_precision_score(t, r)
    assert!((found.auroc - 0.7916666666666667).abs() < 1e-15);
    assert!((found.average_precision - 0.7575757575757576).abs() < 1e-15);
    assert_eq!((found.positives, found.examples), (6, 14));
    // v = sorted(r, reverse=True)[k - 1]; above = r > v
    // (t[above].sum() + t[r == v].mean() * (k - above.sum())) / k
    let precision = [
        (1, 1.0),
        (3, 0.8333333333333334),
        (6, 0.611111111111111),
        (7, 0.619047619047619),
        (14, 0.42857142857142855),
    ];
    for (found, expected) in found.precision_at.iter().zip(precision) {
        assert_eq!(found.0, expected.0);
        assert!((found.1 - expected.1).abs() < 1e-15);
    }
}

#[test]
fn percentiles_agree_with_numpy() {
    let values = [3.0, 1.0, 4.0, 1.5, 9.25];
    // numpy.percentile(values, q)
    let expected = [
        (0.0, 1.0),
        (16.0, 1.32),
        (37.5, 2.25),
        (50.0, 3.0),
        (84.0, 5.889999999999999),
        (97.5, 8.725),
        (100.0, 9.25),
    ];
    for (q, expected) in expected {
        assert_eq!(percentile(&values, q).unwrap(), expected, "{q}");
    }
    // v.mean(), *numpy.percentile(v, [16, 84])
    let (mean, low, high) = band(&[0.9432, 0.9511, 0.9476, 0.9389]).unwrap();
    assert!((mean - 0.9452).abs() < 1e-15);
    assert_eq!((low, high), (0.940964, 0.9494199999999999));
}

/// `len(set(np.argsort(a)[-k:]) & set(np.argsort(b)[-k:])) / k`
#[test]
fn overlaps_agree_with_numpy() {
    let a = [5.0, 1.0, 4.0, 2.0, 8.0, 7.0, 3.0, 6.0];
    let b = [1.0, 5.0, 8.0, 2.0, 7.0, 3.0, 4.0, 6.0];
    for (k, expected) in [(1, 0.0), (3, 0.6666666666666666), (4, 0.5), (6, 0.8333333333333334)] {
        assert_eq!(top_overlap(&a, &b, k).unwrap(), expected, "top {k}");
    }
}

/// `i = np.arange(400); x = i * 37 % 101; y = x + i * 53 % 89`. SciPy ranks every resample anew and
/// draws other ones: two of its own intervals, of 10,000 resamples, differ by 0.002.
#[test]
fn the_interval_agrees_with_scipy_within_its_own_chance() {
    let x: Vec<f32> = (0..400).map(|i| (i * 37 % 101) as f32).collect();
    let y: Vec<f32> = (0..400).map(|i| (i * 37 % 101 + i * 53 % 89) as f32).collect();
    let found = spearman_interval(&x, &y, 10_000, 0).unwrap();
    // scipy.stats.bootstrap((x, y), lambda a, b: scipy.stats.spearmanr(a, b)[0], paired=True,
    //     vectorized=False, method="percentile", n_resamples=10000, rng=0).confidence_interval
    assert!((found.low - 0.6983436788502625).abs() < 0.005, "{found:?}");
    assert!((found.high - 0.7768395370797626).abs() < 0.005, "{found:?}");
}

/// Python's `sorted(permutation(12, key)[:5])`, with the shuffle and the ChaCha8 of
/// `streams_agree_with_an_independent_chacha8`; within class c the same of its members, with
/// counter 1 + c.
#[test]
fn random_subsets_agree_with_python_and_stay() {
    let numbers = |ids: Vec<ExampleId>| ids.into_iter().map(|id| id.0).collect::<Vec<_>>();
    let chosen = |count, quota, classes| {
        let choice = Choice { rule: Rule::Random, amount: Amount::Count(count), quota, seed: 42 };
        numbers(choice.among(Candidates::All(12), None, classes).unwrap().ids)
    };
    assert_eq!(chosen(5, Quota::None, None), [1, 4, 5, 6, 11]);
    let classes = Classes { labels: &[0, 1, 1, 0, 1, 0, 1, 1, 0, 1, 1, 1], count: 2 };
    assert_eq!(chosen(6, Quota::Proportional, Some(classes)), [1, 4, 5, 7, 8, 11]);
}

/// Coverage-centred selection written again in Python, `permutation` as above with counter 0:
///
/// ```text
/// order = sorted(range(16), key=lambda i: (scores[i], i))
/// kept = sorted(order[:16 - round(0.125 * 16)])
/// low, high = min(scores[i] for i in kept), max(scores[i] for i in kept)
/// strata = [[], [], [], []]
/// for i in kept:
///     strata[min(int((scores[i] - low) / (high - low) * 4), 3)].append(i)
/// shares, rest = [0] * 4, 10
/// for given, j in enumerate(sorted(range(4), key=lambda j: len(strata[j]))):
///     shares[j] = min(len(strata[j]), rest // (4 - given))
///     rest -= shares[j]
/// chosen = [s[k] for s, share in zip(strata, shares) for k in permutation(len(s))[:share]]
/// ```
#[test]
fn coverage_agrees_with_python() {
    let scores = [0.0, 0.1, 0.2, 0.3, 0.35, 0.4, 0.6, 0.7, 0.9, 1.1, 1.3, 1.6, 1.9, 2.0, 5.0, 9.0];
    let rule = Rule::Ccs { cut: 0.125, strata: 4 };
    let choice = Choice { rule, amount: Amount::Count(10), quota: Quota::None, seed: 42 };
    let scores = Scores { values: &scores, direction: Direction::HigherIsHarder };
    let chosen = choice.among(Candidates::All(16), Some(scores), None).unwrap();
    let chosen: Vec<u32> = chosen.ids.into_iter().map(|id| id.0).collect();
    // sorted(chosen); shares are 3, 2, 2, 3
    assert_eq!(chosen, [1, 2, 5, 6, 8, 9, 10, 11, 12, 13]);
}

/// `x = np.concatenate([4 + .5*q(2000), 1.5 + .6*q(700), -3 + .4*q(300)]).astype(np.float32)` with
/// `q(n) = np.log(u / (1 - u))`, `u = (np.arange(n) + .5) / n`.
fn three_groups() -> Vec<f32> {
    let group = |count: usize, centre: f64, scale: f64| {
        (0..count).map(move |i| {
            let u = (i as f64 + 0.5) / count as f64;
            (centre + scale * (u / (1.0 - u)).ln()) as f32
        })
    };
    group(2000, 4.0, 0.5).chain(group(700, 1.5, 0.6)).chain(group(300, -3.0, 0.4)).collect()
}

#[test]
fn the_fraction_of_wrong_labels_agrees_with_scikit_learns_mixture() {
    let aum = three_groups();
    let found = wrong_labels(&aum, LabelScore::Margin, Mispredicted::Unknown, 0).unwrap().unwrap();
    // m = {k: GaussianMixture(k, tol=1e-10, max_iter=5000, n_init=20, random_state=0, reg_covar=0,
    //         init_params="random_from_data").fit(-x[:, None].astype(float)) for k in (1, 2, 3)}
    // min(m, key=lambda k: m[k].bic(-x[:, None].astype(float)))
    assert_eq!(found.normals, 3);
    // m[3].weights_[m[3].means_.ravel().argmax()], to within the width of a bin
    assert!((found.fraction - 0.09792537).abs() < 2e-4, "{found:?}");
    // (3.03451674 + 2.71278255) / np.sqrt((0.68191474**2 + 1.63206594**2) / 2), means and deviations
    assert!((found.separation - 4.5952).abs() < 0.02, "{found:?}");
    let listed = aum.iter().filter(|&&value| value <= found.cut).count();
    assert_eq!((listed, found.examples), (found.suspects, 3000));
    assert!(found.interval.low < 0.0979 && found.interval.high > 0.0979);
    // Half the width of a binomial interval is 1.96 * np.sqrt(.0979 * .9021 / 3000) = 0.0106.
    let half = (found.interval.high - found.interval.low) / 2.0;
    assert!((0.009..0.016).contains(&half), "{half}");
}

#[test]
fn the_confident_joint_agrees_with_cleanlab() {
    // p = scipy.special.softmax(z, axis=1) of z.reshape(8, 3), labels = [0, 0, 0, 1, 1, 1, 2, 2]
    let z = [
        2.0_f32, 0.0, 0.0, 1.0, 0.5, 0.0, 0.0, 2.5, 0.0, 0.0, 1.5, 0.0, 0.5, 1.0, 1.5, 0.25, 2.0,
        0.0, 1.0, 0.0, 1.25, 1.0, 1.0, 1.0,
    ];
    let found = confident_joint(Matrix::logits(&z, 3), &[0, 0, 0, 1, 1, 1, 2, 2]).unwrap();
    // cleanlab.count.get_confident_thresholds(labels, p)
    let thresholds = [0.4546586312928191, 0.5875041799984233, 0.4087615919205657];
    for (found, expected) in found.thresholds.iter().zip(thresholds) {
        assert!((found - expected).abs() < 1e-7, "{found}");
    }
    // cleanlab.count.compute_confident_joint(labels, p, calibrate=False).ravel()
    assert_eq!(found.counts, [2, 1, 0, 0, 2, 1, 0, 0, 1]);
    // C = compute_confident_joint(…); Q = C / C.sum(1, keepdims=True) * np.bincount(labels)[:, None]
    // 1 - np.trace(Q / Q.sum())
    assert!((found.wrong() - 0.25).abs() < 1e-12, "{}", found.wrong());
}
