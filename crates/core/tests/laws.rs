//! Laws that hold for all inputs.

mod common;

use common::{softmax, softmax_f64};
use datadiet_core::{
    CannotTell, ExampleId, Kept, KernelError, LabelScore, LogitScores, Matrix, Mispredicted,
    ScoreKind, StatsError, Stream, TrainingDynamics, average_ranks, band, barrier, detection,
    forgetting_key, kernel_distance, mean_and_standard_error, order, percentile, permutation,
    reliability, replicas_for, rng, spearman, spearman_interval, top_overlap, wrong_labels,
};
use proptest::{collection::vec, prelude::*};

const CLASSES: usize = 5;

fn logits(rows: usize) -> impl Strategy<Value = Vec<f32>> {
    vec(-20.0_f32..20.0, rows * CLASSES)
}

fn labels(rows: usize) -> impl Strategy<Value = Vec<u32>> {
    vec(0..CLASSES as u32, rows)
}

/// Few distinct values, so that ties are common.
fn tied_column(n: usize) -> impl Strategy<Value = Vec<f32>> {
    vec((-6_i8..6).prop_map(|value| f32::from(value) / 2.0), n)
}

fn varied(column: &[f32]) -> bool {
    column.iter().any(|value| *value != column[0])
}

fn scores(logits: &[f32], labels: &[u32]) -> LogitScores {
    LogitScores::of(Matrix::logits(logits, CLASSES), labels).unwrap()
}

proptest! {
    #[test]
    fn scores_do_not_change_when_logits_shift(z in logits(1), y in labels(1), shift in -64_i16..64) {
        // Multiples of 1/256 below 2^7, so that the shift itself is exact.
        let z: Vec<f32> = z.iter().map(|z| (z * 256.0).round() / 256.0).collect();
        let shifted: Vec<f32> = z.iter().map(|z| z + f32::from(shift)).collect();
        prop_assert_eq!(scores(&z, &y), scores(&shifted, &y));
    }

    #[test]
    fn scores_stay_in_their_ranges(z in logits(8), y in labels(8)) {
        let scores = scores(&z, &y);
        let most_entropy = (CLASSES as f32).ln() + 1e-6;
        for (kind, range) in [
            (ScoreKind::El2n, 0.0..=2.0_f32.sqrt()),
            (ScoreKind::L1, 0.0..=2.0),
            (ScoreKind::Loss, 0.0..=f32::MAX),
            (ScoreKind::Entropy, 0.0..=most_entropy),
            (ScoreKind::MaxMargin, -1.0..=1.0),
            (ScoreKind::SumMargin, 1.0 - CLASSES as f32..=1.0),
        ] {
            prop_assert!(scores[kind].iter().all(|score| range.contains(score)), "{kind}");
        }
    }

    #[test]
    fn l1_and_sum_margin_both_follow_the_true_probability(z in logits(8), y in labels(8)) {
        let scores = scores(&z, &y);
        for (l1, margin) in scores[ScoreKind::L1].iter().zip(&scores[ScoreKind::SumMargin]) {
            // l1 = 2 (1 − p), margin = 1 − K p.
            let true_probability = 1.0 - l1 / 2.0;
            prop_assert!((margin - (1.0 - CLASSES as f32 * true_probability)).abs() < 3e-6);
        }
    }

    #[test]
    fn a_positive_max_margin_is_a_mistake(z in logits(8), y in labels(8)) {
        let scores = scores(&z, &y);
        for (margin, correct) in scores[ScoreKind::MaxMargin].iter().zip(&scores[ScoreKind::Correct]) {
            prop_assert!(*margin <= 0.0 || *correct == 0.0);
            prop_assert!(*margin >= 0.0 || *correct == 1.0);
        }
    }

    #[test]
    fn logits_and_their_probabilities_score_alike(z in logits(4), y in labels(4)) {
        let probs: Vec<f32> = z.chunks(CLASSES).flat_map(softmax).collect();
        let from_logits = scores(&z, &y);
        let from_probs = LogitScores::of(Matrix::probabilities(&probs, CLASSES), &y).unwrap();
        for kind in ScoreKind::OF_PASS.into_iter().filter(|kind| *kind != ScoreKind::Loss) {
            for (a, b) in from_logits[kind].iter().zip(&from_probs[kind]) {
                // Log margins are large numbers, and have their rounding.
                prop_assert!((a - b).abs() < 2e-6 * a.abs().max(1.0), "{kind}: {a} and {b}");
            }
        }
    }

    #[test]
    fn rounded_probabilities_score_as_the_row_divided_by_its_sum(
        z in logits(4), y in labels(4), off in -0.0099_f64..0.0099
    ) {
        // In 64 bits, so that the division itself is exact enough to compare.
        let rounded: Vec<f64> = z.chunks(CLASSES)
            .flat_map(|row| softmax_f64(row).into_iter().map(|p| p * (1.0 + off)))
            .collect();
        let divided: Vec<f64> = rounded.chunks(CLASSES)
            .flat_map(|row| { let sum: f64 = row.iter().sum(); row.iter().map(move |p| p / sum) })
            .collect();
        let of = |probs| LogitScores::of(Matrix::probabilities(probs, CLASSES), &y).unwrap();
        let (found, expected) = (of(&rounded), of(&divided));
        prop_assert_eq!(&found.predicted, &expected.predicted);
        for kind in ScoreKind::OF_PASS {
            for (a, b) in found[kind].iter().zip(&expected[kind]) {
                // Sums within the rounding of 32-bit floats are left alone.
                let near = if off.abs() < 1.1e-4 { 2e-4 } else { 1e-6 } * (1.0 + b.abs());
                prop_assert!((a - b).abs() < near, "{kind}: {a} and {b}");
            }
        }
    }

    #[test]
    fn ranks_sum_to_the_triangle_number(column in (0_usize..40).prop_flat_map(tied_column)) {
        let n = column.len() as f64;
        prop_assert_eq!(average_ranks(&column).unwrap().iter().sum::<f64>(), n * (n + 1.0) / 2.0);
    }

    #[test]
    fn ranks_count_what_lies_below(column in vec(any::<f32>().prop_filter("a number", |v| !v.is_nan()), 1..40)) {
        for (value, rank) in column.iter().zip(average_ranks(&column).unwrap()) {
            let below = column.iter().filter(|other| *other < value).count() as f64;
            let tied = column.iter().filter(|other| *other == value).count() as f64;
            prop_assert_eq!(rank, below + (tied + 1.0) / 2.0);
        }
    }

    #[test]
    fn order_ascends_and_breaks_ties_by_id(column in tied_column(30), seed: u64) {
        let ids = permutation(30, &mut rng(seed, 0, Stream::Subset, 0));
        let ids: Vec<ExampleId> = ids.into_iter().map(ExampleId).collect();
        let sorted = order(&column, &ids).unwrap();
        for pair in sorted.windows(2) {
            let [a, b] = [pair[0] as usize, pair[1] as usize];
            prop_assert!((column[a], ids[a]) < (column[b], ids[b]));
        }
    }

    #[test]
    fn spearman_sees_only_order(a in tied_column(20), b in tied_column(20)) {
        prop_assume!(varied(&a) && varied(&b));
        let rho = spearman(&a, &b).unwrap();
        let rising: Vec<f32> = a.iter().map(|value| value.exp() - 5.0).collect();
        let falling: Vec<f32> = a.iter().map(|value| -value.powi(3)).collect();
        prop_assert_eq!(spearman(&rising, &b).unwrap(), rho);
        prop_assert!((spearman(&falling, &b).unwrap() + rho).abs() < 1e-12);
        prop_assert_eq!(spearman(&b, &a).unwrap(), rho);
        prop_assert_eq!(spearman(&a, &a).unwrap(), 1.0);
        prop_assert!((-1.0..=1.0).contains(&rho));
    }

    #[test]
    fn auroc_is_the_share_of_pairs_in_order(scores in tied_column(20), touched in vec(any::<bool>(), 20)) {
        let positives = touched.iter().filter(|touched| **touched).count();
        prop_assume!((1..20).contains(&positives));
        let found = detection(&scores, &touched, &[1, 5, 20]).unwrap();
        let mut wins = 0.0;
        for (a, _) in scores.iter().zip(&touched).filter(|(_, touched)| **touched) {
            for (b, _) in scores.iter().zip(&touched).filter(|(_, touched)| !**touched) {
                wins += if a > b { 1.0 } else if a == b { 0.5 } else { 0.0 };
            }
        }
        prop_assert!((found.auroc - wins / (positives * (20 - positives)) as f64).abs() < 1e-12);
        prop_assert!(found.average_precision > 0.0 && found.average_precision <= 1.0);
        prop_assert!(found.precision_at.iter().all(|(_, share)| (0.0..=1.0).contains(share)));
        // All examples are looked at: what is left is the fraction touched.
        prop_assert_eq!(found.precision_at[2], (20, positives as f64 / 20.0));
    }

    #[test]
    fn detection_turns_round_with_the_score(scores in tied_column(20), touched in vec(any::<bool>(), 20)) {
        prop_assume!(touched.contains(&true) && touched.contains(&false));
        let negated: Vec<f32> = scores.iter().map(|score| -score).collect();
        let auroc = |scores: &[f32]| detection(scores, &touched, &[]).unwrap().auroc;
        prop_assert!((auroc(&scores) + auroc(&negated) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn precision_at_k_is_the_mean_over_orders_of_the_ties(touched in vec(any::<bool>(), 12), k in 1_usize..=12) {
        prop_assume!(touched.contains(&true) && touched.contains(&false));
        // Two above, ten that tie: any of these is among the k highest with the same probability.
        let scores: Vec<f32> = (0..12).map(|i| if i < 2 { 1.0 } else { 0.0 }).collect();
        let share = |part: &[bool]| part.iter().filter(|t| **t).count() as f64 / part.len() as f64;
        let (top, rest) = (k.min(2) as f64, k.saturating_sub(2) as f64);
        let expected = (top * share(&touched[..2]) + rest * share(&touched[2..])) / k as f64;
        let found = detection(&scores, &touched, &[k]).unwrap().precision_at[0].1;
        prop_assert!((found - expected).abs() < 1e-12);
    }

    #[test]
    fn tops_of_distinct_values_overlap_as_sets_do(
        a in Just((0..15).collect::<Vec<u8>>()).prop_shuffle(),
        b in Just((0..15).collect::<Vec<u8>>()).prop_shuffle(),
        k in 1_usize..=15,
    ) {
        let [a, b] = [a, b].map(|values| values.into_iter().map(f32::from).collect::<Vec<f32>>());
        let top = |column: &[f32]| -> std::collections::BTreeSet<u32> {
            let ids: Vec<ExampleId> = (0..15).map(ExampleId).collect();
            order(column, &ids).unwrap().into_iter().rev().take(k).collect()
        };
        let shared = top(&a).intersection(&top(&b)).count();
        prop_assert_eq!(top_overlap(&a, &b, k).unwrap(), shared as f64 / k as f64);
        prop_assert_eq!(top_overlap(&a, &a, k).unwrap(), 1.0);
    }

    #[test]
    fn a_constant_column_shares_the_top_as_chance_does(b in tied_column(15), k in 1_usize..=15) {
        let overlap = top_overlap(&[1.0; 15], &b, k).unwrap();
        prop_assert!((overlap - k as f64 / 15.0).abs() < 1e-12);
        prop_assert_eq!(overlap, top_overlap(&b, &[1.0; 15], k).unwrap());
    }

    #[test]
    fn percentiles_rise_from_the_lowest_to_the_highest(
        values in vec(-1e3_f64..1e3, 1..20),
        q in 0.0_f64..=100.0,
        further in 0.0_f64..=100.0,
    ) {
        let at = |q| percentile(&values, q).unwrap();
        let (low, high) = (q.min(further), q.max(further));
        prop_assert!(at(low) <= at(high));
        prop_assert_eq!(at(0.0), values.iter().copied().fold(f64::INFINITY, f64::min));
        prop_assert_eq!(at(100.0), values.iter().copied().fold(f64::NEG_INFINITY, f64::max));
        let (mean, p16, p84) = band(&values).unwrap();
        prop_assert_eq!((p16, p84), (at(16.0), at(84.0)));
        prop_assert!(at(0.0) - 1e-9 <= mean && mean <= at(100.0) + 1e-9);
    }

    #[test]
    fn an_interval_does_not_depend_on_the_order_of_its_columns(a in tied_column(30), b in tied_column(30), seed: u64) {
        prop_assume!(varied(&a) && varied(&b));
        let interval = spearman_interval(&a, &b, 50, seed).unwrap();
        prop_assert!(-1.0 <= interval.low && interval.low <= interval.high && interval.high <= 1.0);
        let turned = spearman_interval(&b, &a, 50, seed).unwrap();
        prop_assert!((interval.low - turned.low).abs() < 1e-12);
        prop_assert!((interval.high - turned.high).abs() < 1e-12);
        let of_itself = spearman_interval(&a, &a, 50, seed).unwrap();
        prop_assert!(of_itself.low > 1.0 - 1e-12);
    }

    #[test]
    fn a_permutation_holds_every_number_once(n in 0_usize..200, seed: u64, counter: u64) {
        let mut numbers = permutation(n, &mut rng(seed, 0, Stream::Order, counter));
        numbers.sort_unstable();
        prop_assert!(numbers.into_iter().eq(0..n as u32));
    }

    #[test]
    fn a_restored_tracker_goes_on_as_if_undisturbed(
        // Some examples of six are presented more often than a window is long.
        batches in vec((vec(0..6_u32, 4), logits(4), labels(4)), 1..24),
        stop in 0_usize..24,
    ) {
        let mut undisturbed = TrainingDynamics::new(6);
        let mut stopped = undisturbed.clone();
        for (step, (ids, z, y)) in batches.iter().enumerate() {
            if step == stop {
                stopped = restored(&stopped);
            }
            let ids: Vec<ExampleId> = ids.iter().copied().map(ExampleId).collect();
            undisturbed.observe(&ids, Matrix::logits(z, CLASSES), y).unwrap();
            stopped.observe(&ids, Matrix::logits(z, CLASSES), y).unwrap();
        }
        prop_assert_eq!(bits(&undisturbed), bits(&stopped));
    }

    /// An epoch presents each example once: the order of its minibatches, and their sizes, change no bit.
    #[test]
    fn the_order_within_an_epoch_does_not_matter(
        epochs in vec((logits(6), Just((0..6_usize).collect::<Vec<_>>()).prop_shuffle(), 1_usize..7), 1..14),
        y in labels(6),
    ) {
        let (mut in_order, mut shuffled) = (TrainingDynamics::new(6), TrainingDynamics::new(6));
        let ids: Vec<ExampleId> = (0..6).map(ExampleId).collect();
        for (z, order, batch) in &epochs {
            in_order.observe(&ids, Matrix::logits(z, CLASSES), &y).unwrap();
            for batch in order.chunks(*batch) {
                let ids: Vec<ExampleId> = batch.iter().map(|&i| ExampleId(i as u32)).collect();
                let row = |&i: &usize| z[i * CLASSES..][..CLASSES].to_vec();
                let z: Vec<f32> = batch.iter().flat_map(row).collect();
                let y: Vec<u32> = batch.iter().map(|&i| y[i]).collect();
                shuffled.observe(&ids, Matrix::logits(&z, CLASSES), &y).unwrap();
            }
        }
        prop_assert_eq!(bits(&in_order), bits(&shuffled));
    }

    /// What an example is worth does not depend on what is kept beside, and scores lie where the
    /// catalogue says.
    #[test]
    fn what_is_kept_changes_no_other_score(epochs in vec(logits(6), 1..14), y in labels(6)) {
        let epochs: Vec<_> = epochs.iter().map(|z| Matrix::logits(z, CLASSES)).collect();
        let all = TrainingDynamics::of_epochs(&epochs, &y).unwrap();
        for kept in [
            Kept::NONE,
            Kept { windows: true, classes: false },
            Kept { windows: false, classes: true },
        ] {
            let less = TrainingDynamics::of_epochs_keeping(&epochs, &y, kept).unwrap();
            for &kind in ScoreKind::ALL {
                if let Some(column) = less.column(kind) {
                    prop_assert_eq!(Some(column), all.column(kind));
                } else {
                    let needs = Kept::of(&[kind]);
                    let lacks = needs.windows && !kept.windows || needs.classes && !kept.classes;
                    prop_assert!(lacks || all.column(kind).is_none(), "{}", kind);
                }
            }
        }
        for (kind, low, high) in [
            (ScoreKind::MarginOfMean, -87.4, 87.4),
            (ScoreKind::Dual, 0.0, 2.0 / 27_f32.sqrt()),
            (ScoreKind::DynUnc, 0.0, 0.5_f32.sqrt()),
            (ScoreKind::MeanEl2n, 0.0, 2_f32.sqrt()),
            (ScoreKind::Tdds, 0.0, 27.5),
        ] {
            for value in all.column(kind).unwrap() {
                prop_assert!((low..=high).contains(&value), "{} is {}", kind, value);
            }
        }
    }

    #[test]
    fn a_mean_lies_between_its_replicas(a in tied_column(10), b in tied_column(10)) {
        let (mean, error) = mean_and_standard_error(&[&a, &b]).unwrap();
        for i in 0..10 {
            prop_assert!(a[i].min(b[i]) <= mean[i] && mean[i] <= a[i].max(b[i]));
            // For two values the standard error is half their distance.
            prop_assert!((error[i] - (a[i] - b[i]).abs() / 2.0).abs() < 1e-6);
        }
    }

    #[test]
    fn equal_replicas_are_perfectly_reliable(column in tied_column(12), replicas in 2_usize..10) {
        prop_assume!(varied(&column));
        let columns = vec![&column[..]; replicas];
        let found = reliability(&columns).unwrap();
        prop_assert!((found.half - 1.0).abs() < 1e-12);
        prop_assert!((found.full - 1.0).abs() < 1e-12);
        prop_assert_eq!(found.replicas_for_95, Some(1));
    }

    #[test]
    fn the_predicted_number_of_replicas_suffices_and_no_fewer(single in 0.01_f64..0.99, target in 0.01_f64..0.99) {
        let mean_of = |k: f64| k * single / (1.0 + (k - 1.0) * single);
        let k = f64::from(replicas_for(single, target).unwrap());
        prop_assert!(mean_of(k) >= target - 1e-9);
        prop_assert!(k == 1.0 || mean_of(k - 1.0) < target + 1e-9);
    }

    #[test]
    fn never_learned_ranks_above_every_count(runs in vec(vec(prop_oneof![3 => (0_u8..9).prop_map(Some), 1 => Just(None)], 8), 1..5)) {
        // runs[r][i]: events of example i in replica r, None where it was never learned.
        let count = runs.len() as f32;
        let mean = |i: usize| runs.iter().map(|run| f32::from(run[i].unwrap_or(0))).sum::<f32>() / count;
        let never = |i: usize| runs.iter().filter(|run| run[i].is_none()).count() as f32 / count;
        let means: Vec<f32> = (0..8).map(mean).collect();
        let nevers: Vec<f32> = (0..8).map(never).collect();
        let key = forgetting_key(&means, &nevers).unwrap();
        for i in 0..8 {
            for j in 0..8 {
                prop_assert!(!(nevers[i] == 1.0 && nevers[j] < 1.0) || key[i] > key[j]);
                prop_assert!(!(nevers[i] == 0.0 && nevers[j] == 0.0 && means[i] < means[j]) || key[i] < key[j]);
            }
        }
    }
}

fn restored(dynamics: &TrainingDynamics) -> TrainingDynamics {
    let saved = dynamics.state();
    let find = |name: &str| {
        saved.iter().find(|(known, _)| *known == name).map(|(_, column)| column.clone())
    };
    TrainingDynamics::from_state(6, Kept::ALL, true, find).unwrap()
}

fn bits(dynamics: &TrainingDynamics) -> Vec<u64> {
    dynamics.state().into_iter().flat_map(|(_, column)| column).map(f64::to_bits).collect()
}

#[test]
fn negative_zero_ties_with_zero() {
    assert_eq!(average_ranks(&[0.0, -0.0, -1.0]).unwrap(), [2.5, 2.5, 1.0]);
    let ids = [ExampleId(0), ExampleId(1)];
    assert_eq!(order(&[0.0, -0.0], &ids).unwrap(), [0, 1]);
}

#[test]
fn streams_differ_in_each_argument() {
    let first = |mut rng: rand_chacha::ChaCha8Rng| rand_chacha::rand_core::Rng::next_u64(&mut rng);
    let found = [
        first(rng(0, 0, Stream::Initialisation, 0)),
        first(rng(1, 0, Stream::Initialisation, 0)),
        first(rng(0, 1, Stream::Initialisation, 0)),
        first(rng(0, 0, Stream::Order, 0)),
        first(rng(0, 0, Stream::Augmentation, 0)),
        first(rng(0, 0, Stream::Noise, 0)),
        first(rng(0, 0, Stream::Subset, 0)),
        first(rng(0, 0, Stream::Bootstrap, 0)),
        first(rng(0, 0, Stream::Initialisation, 1)),
    ];
    let distinct: std::collections::BTreeSet<_> = found.into_iter().collect();
    assert_eq!(distinct.len(), found.len());
}

#[test]
fn a_constant_column_has_no_reliability() {
    let zeros: &[f32] = &[0.0; 4];
    let error = reliability(&[zeros, zeros]).unwrap_err();
    assert_eq!(error, StatsError::Constant { column: 0 });
    assert!(error.is_not_defined());
}

#[test]
fn opposite_replicas_have_no_reliability() {
    let found = reliability(&[&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]]).unwrap();
    assert_eq!((found.half, found.single, found.full), (-1.0, 0.0, 0.0));
    assert_eq!(found.replicas_for_95, None);
}

#[test]
fn examples_that_a_replica_never_saw_do_not_count() {
    let whole = reliability(&[&[1.0, 2.0, 3.0], &[1.0, 3.0, 2.0]]).unwrap();
    let holed = reliability(&[&[1.0, 9.0, 2.0, 3.0], &[1.0, f32::NAN, 3.0, 2.0]]).unwrap();
    assert_eq!(whole, holed);
}

/// The Gram matrix of `rows` vectors.
fn gram(rows: usize) -> impl Strategy<Value = Vec<f64>> {
    const LENGTH: usize = 3;
    let vectors = vec(-3.0_f64..3.0, rows * LENGTH).prop_filter("all zero", |v| v[0].abs() > 0.1);
    vectors.prop_map(move |vectors| {
        let row = |i: usize| &vectors[i * LENGTH..(i + 1) * LENGTH];
        let product = |i, j| row(i).iter().zip(row(j)).map(|(a, b)| a * b).sum::<f64>();
        (0..rows * rows).map(|at| product(at / rows, at % rows)).collect()
    })
}

proptest! {
    #[test]
    fn kernel_distance_is_a_distance_of_directions(
        a in gram(4), b in gram(4), scale in 1e-6_f64..1e6,
    ) {
        let distance = kernel_distance(&a, &b).unwrap();
        prop_assert!((0.0..=1.0 + 1e-12).contains(&distance), "{}", distance);
        prop_assert_eq!(kernel_distance(&a, &a), Ok(0.0));
        prop_assert_eq!(kernel_distance(&b, &a), Ok(distance));
        let scaled: Vec<f64> = a.iter().map(|x| x * scale).collect();
        prop_assert!(kernel_distance(&a, &scaled).unwrap() < 1e-12);
        prop_assert!((kernel_distance(&scaled, &b).unwrap() - distance).abs() < 1e-12);
        // The definition.
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        let cosine = product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt();
        prop_assert!((distance - (1.0 - cosine)).abs() < 1e-12);
    }

    #[test]
    fn a_barrier_is_what_lies_above_the_chord(
        risks in vec(0.0_f64..1.0, 2..12), level in 0.0_f64..1.0,
    ) {
        let steps = risks.len() - 1;
        let alphas: Vec<f64> = (0..=steps).map(|i| i as f64 / steps as f64).collect();
        let found = barrier(&alphas, &risks).unwrap();
        let mut expected = 0.0_f64;
        for (alpha, risk) in alphas.iter().zip(&risks) {
            expected = expected.max(risk - (1.0 - alpha) * risks[0] - alpha * risks[steps]);
        }
        prop_assert!((found - expected).abs() < 1e-12);
        let back: Vec<f64> = risks.iter().rev().copied().collect();
        prop_assert!((barrier(&alphas, &back).unwrap() - found).abs() < 1e-12);
        prop_assert_eq!(barrier(&alphas, &vec![level; alphas.len()]), Some(0.0));
    }
}

#[test]
fn kernels_without_a_direction_are_refused() {
    assert_eq!(
        kernel_distance(&[1.0], &[1.0, 2.0]),
        Err(KernelError::Sizes { first: 1, second: 2 })
    );
    assert_eq!(kernel_distance(&[], &[]), Err(KernelError::Sizes { first: 0, second: 0 }));
    for bad in [0.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(kernel_distance(&[1.0], &[bad]), Err(KernelError::NoDirection { .. })));
    }
    assert!(kernel_distance(&[1e300, 1e-300], &[1e-300, 1e300]).unwrap() > 0.999);
}

#[test]
fn a_path_without_ends_has_no_barrier() {
    assert_eq!(barrier(&[0.5, 1.0], &[0.1, 0.2]), None);
    assert_eq!(barrier(&[0.0, 1.0], &[0.1, 0.2, 0.3]), None);
    assert_eq!(barrier(&[0.0, 0.5, 1.0], &[0.1, f64::NAN, 0.3]), None);
    assert_eq!(barrier(&[], &[]), None);
}

/// Doubts of 400 to 800 examples in two groups, the second of them wrong labels.
fn doubts() -> impl Strategy<Value = (Vec<f64>, usize)> {
    let bell = |n| vec(vec(-1.0_f64..1.0, 6).prop_map(|six| six.iter().sum::<f64>() / 1.4), n);
    (bell(400..650), bell(60..150)).prop_map(|(right, wrong)| {
        let count = wrong.len();
        let right = right.into_iter().map(|z| z - 3.0);
        (right.chain(wrong.into_iter().map(|z| z + 3.0)).collect(), count)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn wrong_labels_are_counted_alike_by_every_score((doubts, wrong) in doubts(), seed: u64) {
        let p = |z: &f64| 1.0 / (1.0 + z.exp());
        let columns: [(LabelScore, Vec<f32>); 4] = [
            (LabelScore::Margin, doubts.iter().map(|z| -z as f32).collect()),
            (LabelScore::Probability, doubts.iter().map(|z| p(z) as f32).collect()),
            (LabelScore::Loss, doubts.iter().map(|z| -p(z).ln() as f32).collect()),
            (LabelScore::L1, doubts.iter().map(|z| 2.0 * (1.0 - p(z)) as f32).collect()),
        ];
        let truth = wrong as f64 / doubts.len() as f64;
        for (score, values) in columns {
            let found = wrong_labels(&values, score, Mispredicted::OfTwoClasses, seed).unwrap().unwrap();
            prop_assert!((found.fraction - truth).abs() < 0.02, "{score:?}: {found:?}, {truth}");
            prop_assert!(found.interval.low <= found.interval.high);
            prop_assert!(found.interval.low > 0.0 && found.interval.high < 0.5);
            let listed = values.iter().filter(|&&value| match score {
                LabelScore::Margin | LabelScore::Probability => value <= found.cut,
                LabelScore::Loss | LabelScore::L1 => value >= found.cut,
            });
            prop_assert_eq!(listed.count(), found.suspects);
        }
    }

    #[test]
    fn the_order_of_examples_does_not_change_how_many_labels_are_wrong((doubts, _) in doubts(), seed: u64) {
        let values: Vec<f32> = doubts.iter().map(|z| -z as f32).collect();
        let order = permutation(values.len(), &mut rng(seed, 0, Stream::Order, 0));
        let shuffled: Vec<f32> = order.iter().map(|&at| values[at as usize]).collect();
        let one = wrong_labels(&values, LabelScore::Margin, Mispredicted::Unknown, seed).unwrap().unwrap();
        let other = wrong_labels(&shuffled, LabelScore::Margin, Mispredicted::Unknown, seed).unwrap().unwrap();
        prop_assert_eq!((one.fraction, one.cut, one.suspects), (other.fraction, other.cut, other.suspects));
        let again = wrong_labels(&values, LabelScore::Margin, Mispredicted::Unknown, seed).unwrap().unwrap();
        prop_assert_eq!(one, again);
    }

    #[test]
    fn right_labels_alone_have_no_number_of_wrong_ones((doubts, wrong) in doubts()) {
        let right = &doubts[..doubts.len() - wrong];
        let values: Vec<f32> = right.iter().map(|z| -z as f32).collect();
        prop_assert!(wrong_labels(&values, LabelScore::Margin, Mispredicted::Unknown, 0).unwrap().is_err());
    }
}

#[test]
fn values_that_no_number_of_wrong_labels_can_be_told_from() {
    let told = |values: &[f32], score| {
        wrong_labels(values, score, Mispredicted::OfTwoClasses, 0).unwrap().unwrap_err()
    };
    assert_eq!(told(&[1.0; 199], LabelScore::Margin), CannotTell::TooFew { examples: 199 });
    assert_eq!(told(&[1.0; 500], LabelScore::Margin), CannotTell::Alike);
    assert_eq!(told(&[f32::INFINITY; 500], LabelScore::Margin), CannotTell::Alike);
    // All labels memorised.
    let memorised: Vec<f32> = (0..500).map(|i| 0.99 + 0.01 * (i % 97) as f32 / 97.0).collect();
    assert_eq!(told(&memorised, LabelScore::Probability), CannotTell::NoneContradicted);
    // Nothing learned yet: most of the labels are doubted.
    let bell = |i: i32| ((i % 100) as f32 + 0.5).ln() - (99.5 - (i % 100) as f32).ln();
    let unlearned: Vec<f32> =
        (0..500).map(|i| if i < 100 { 6.0 } else { -6.0 } + bell(i)).collect();
    assert_eq!(told(&unlearned, LabelScore::Margin), CannotTell::MostContradicted);

    // Infinite margins are not alike.
    let mut infinite: Vec<f32> = (0..500).map(bell).collect();
    infinite[..3].fill(f32::INFINITY);
    let found = told(&infinite, LabelScore::Margin);
    assert_eq!(found, CannotTell::Infinite { values: 3 });
    assert_eq!(found.to_string(), "3 values are infinite");
    // Nor does one in a thousand stretch the fit.
    let mut one = vec![f32::INFINITY];
    one.extend((0..4_000).map(|i| if i < 3_600 { 6.0 } else { -6.0 } + bell(i)));
    assert!(wrong_labels(&one, LabelScore::Margin, Mispredicted::Unknown, 0).unwrap().is_ok());
    // Probabilities do not say what is predicted.
    let unsure =
        wrong_labels(&memorised, LabelScore::Probability, Mispredicted::Unknown, 0).unwrap();
    assert_eq!(unsure, Err(CannotTell::PredictionsUnknown));
    let few = wrong_labels(&memorised, LabelScore::L1, Mispredicted::Known(&[true]), 0);
    assert!(few.unwrap_err().to_string().contains("500 and 1 entries"));

    let error = |values: &[f32], score| {
        wrong_labels(values, score, Mispredicted::OfTwoClasses, 0).unwrap_err().to_string()
    };
    assert!(error(&[0.5, f32::NAN], LabelScore::Margin).contains("entry 1 of column 0 is NaN"));
    assert!(error(&[0.5, 50.0], LabelScore::Probability).contains("not a probability in [0, 1]"));
    assert!(error(&[-1.0], LabelScore::Loss).contains("not a loss of at least 0"));
    assert!(error(&[2.5], LabelScore::L1).contains("not an L1 error in [0, 2]"));
}
