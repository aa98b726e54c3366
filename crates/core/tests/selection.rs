//! Laws and errors of selection.

use datadiet_core::{
    Amount, Candidates, Choice, Chosen, ClassShare, Classes, Direction, ExampleId, KeepFraction,
    KeepFractionError, Quota, Rule, RuleOptions, Scores, SelectionError, Stream,
    check_no_class_vanishes, class_shares, rng, skew, streams::below,
};
use proptest::{collection::vec, prelude::*};
use rand_chacha::ChaCha8Rng;

/// Few distinct values, infinities among them, so that ties are common.
fn tied_scores(n: usize) -> impl Strategy<Value = Vec<f32>> {
    let value = prop_oneof![
        8 => (-3_i8..3).prop_map(|value| f32::from(value) / 2.0),
        1 => Just(f32::INFINITY),
        1 => Just(f32::NEG_INFINITY),
        1 => Just(-0.0),
    ];
    vec(value, n)
        .prop_filter("scores that differ", |scores| scores.iter().any(|score| *score != scores[0]))
}

fn any_number() -> impl Strategy<Value = f32> {
    any::<f32>().prop_filter("a number", |value| !value.is_nan())
}

/// The one order, by a stable sort.
fn naive_order(scores: &[f32]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..scores.len() as u32).collect();
    order.sort_by(|&a, &b| scores[a as usize].partial_cmp(&scores[b as usize]).unwrap());
    order
}

fn naive_slice(scores: &[f32], places: std::ops::Range<usize>) -> Vec<u32> {
    let mut chosen = naive_order(scores)[places].to_vec();
    chosen.sort_unstable();
    chosen
}

fn high(values: &[f32]) -> Option<Scores<'_>> {
    Some(Scores { values, direction: Direction::HigherIsHarder })
}

fn low(values: &[f32]) -> Option<Scores<'_>> {
    Some(Scores { values, direction: Direction::LowerIsHarder })
}

fn select(
    rule: Rule,
    scores: &[f32],
    size: usize,
    seed: u64,
) -> Result<Vec<ExampleId>, SelectionError> {
    let choice = Choice { rule, amount: Amount::Count(size), quota: Quota::None, seed };
    Ok(choice.among(Candidates::All(scores.len()), high(scores), None)?.ids)
}

fn select_by_class(
    rule: Rule,
    scores: &[f32],
    classes: Classes<'_>,
    quota: Quota,
    size: usize,
    seed: u64,
) -> Result<Vec<ExampleId>, SelectionError> {
    let choice = Choice { rule, amount: Amount::Count(size), quota, seed };
    Ok(choice.among(Candidates::All(scores.len()), high(scores), Some(classes))?.ids)
}

fn chosen(rule: Rule, scores: &[f32], size: usize, seed: u64) -> Vec<u32> {
    numbers(select(rule, scores, size, seed).unwrap())
}

/// The window that begins at a position of n.
fn window(position: usize, n: usize) -> Rule {
    Rule::Window { offset: position as f64 / n as f64 }
}

fn numbers(ids: Vec<ExampleId>) -> Vec<u32> {
    ids.into_iter().map(|id| id.0).collect()
}

fn is_subset(part: &[u32], whole: &[u32]) -> bool {
    part.iter().all(|id| whole.contains(id))
}

const RULES: [Rule; 5] = [
    Rule::Highest,
    Rule::Lowest,
    Rule::Random,
    Rule::Window { offset: 0.1 },
    Rule::Ccs { cut: 0.1, strata: 4 },
];

proptest! {
    #[test]
    fn a_slice_of_the_order_is_what_sorting_gives(
        scores in prop_oneof![tied_scores(40), vec(any_number(), 40)],
        ends in (0_usize..40, 0_usize..=40),
    ) {
        let (start, end) = (ends.0.min(ends.1), ends.0.max(ends.1));
        prop_assume!(start < end);
        let found = chosen(window(start, 40), &scores, end - start, 0);
        prop_assert_eq!(found, naive_slice(&scores, start..end));
        let lowest = chosen(Rule::Lowest, &scores, end, 0);
        prop_assert_eq!(lowest, naive_slice(&scores, 0..end));
        let highest = chosen(Rule::Highest, &scores, 40 - start, 0);
        prop_assert_eq!(highest, naive_slice(&scores, start..40));
    }

    #[test]
    fn the_highest_are_the_last_window(scores in tied_scores(20), size in 1_usize..=20) {
        let last = chosen(window(20 - size, 20), &scores, size, 0);
        prop_assert_eq!(chosen(Rule::Highest, &scores, size, 0), last);
    }

    #[test]
    fn lowest_and_highest_share_nothing_and_leave_nothing(scores in tied_scores(20), size in 1_usize..20) {
        let mut both = chosen(Rule::Lowest, &scores, size, 0);
        both.extend(chosen(Rule::Highest, &scores, 20 - size, 0));
        both.sort_unstable();
        prop_assert!(both.into_iter().eq(0..20));
    }

    #[test]
    fn every_rule_gives_as_many_distinct_ids_as_asked_in_order(
        scores in tied_scores(30),
        labels in vec(0..4_u32, 30),
        size in 1_usize..=20,
        seed: u64,
    ) {
        let classes = Classes { labels: &labels, count: 5 };
        for rule in RULES {
            for quota in [Quota::None, Quota::Balanced] {
                let ids = select_by_class(rule, &scores, classes, quota, size, seed).unwrap();
                prop_assert_eq!(ids.len(), size);
                prop_assert!(ids.is_sorted_by(|a, b| a < b));
                prop_assert!(ids.last().unwrap().index() < 30);
                let again = select_by_class(rule, &scores, classes, quota, size, seed).unwrap();
                prop_assert_eq!(ids, again);
            }
        }
    }

    #[test]
    fn rules_see_only_order(scores in tied_scores(30), size in 1_usize..=27, seed: u64) {
        let stretched: Vec<f32> = scores.iter().map(|score| score.cbrt() * 7.0 + 1.0).collect();
        for rule in &RULES[..4] {
            prop_assert_eq!(chosen(*rule, &scores, size, seed), chosen(*rule, &stretched, size, seed));
        }
    }

    #[test]
    fn random_subsets_of_one_seed_are_nested(size in 1_usize..50, seed: u64) {
        let scores = [f32::NAN; 50];
        let smaller = chosen(Rule::Random, &scores, size, seed);
        prop_assert!(is_subset(&smaller, &chosen(Rule::Random, &scores, size + 1, seed)));
    }

    #[test]
    fn coverage_never_takes_what_it_cut(scores in tied_scores(40), cut in 0.0_f64..0.5, strata in 1_u32..60, seed: u64) {
        let dropped = (cut * 40.0).round() as usize;
        let rule = Rule::Ccs { cut, strata };
        let candidates = naive_slice(&scores, 0..40 - dropped);
        prop_assert!(is_subset(&chosen(rule, &scores, 20, seed), &candidates));
        // All there is, whatever the strata.
        prop_assert_eq!(chosen(rule, &scores, 40 - dropped, seed), candidates);
    }

    #[test]
    fn coverage_gives_even_shares(scores in vec(0.0_f32..1.0, 60), size in 1_usize..=60, seed: u64) {
        let rule = Rule::Ccs { cut: 0.0, strata: 6 };
        let low = scores.iter().copied().fold(f32::INFINITY, f32::min);
        let high = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let stratum = |score: f32| {
            let exact = f64::from(score - low) / f64::from(high - low) * 6.0;
            // Where f32 and f64 could disagree on the stratum nothing can be said.
            ((exact - exact.round()).abs() > 1e-4 || score == low || score == high)
                .then_some((exact as usize).min(5))
        };
        let strata: Option<Vec<usize>> = scores.iter().map(|&score| stratum(score)).collect();
        prop_assume!(strata.is_some());
        let strata = strata.unwrap();
        let count = |ids: &[u32]| {
            let mut counts = [0_usize; 6];
            ids.iter().for_each(|&id| counts[strata[id as usize]] += 1);
            counts
        };
        let (kept, of) = (count(&chosen(rule, &scores, size, seed)), count(&(0..60).collect::<Vec<_>>()));
        for i in 0..6 {
            for j in 0..6 {
                // A stratum gives fewer than another, by more than one, only if it has no more.
                prop_assert!(kept[i] + 1 >= kept[j] || kept[i] == of[i]);
            }
        }
    }

    #[test]
    fn proportional_quotas_keep_the_same_fraction(
        scores in tied_scores(50),
        labels in vec(0..5_u32, 50),
        size in 1_usize..=50,
        seed: u64,
    ) {
        let classes = Classes { labels: &labels, count: 5 };
        for rule in [Rule::Highest, Rule::Lowest, Rule::Random, window(50 - size, 50)] {
            let ids =
                select_by_class(rule, &scores, classes, Quota::Proportional, size, seed).unwrap();
            prop_assert_eq!(ids.len(), size);
            for share in class_shares(&ids, classes) {
                let exact = size as f64 * share.of as f64 / 50.0;
                prop_assert!((share.kept as f64 - exact).abs() < 1.0);
            }
        }
    }

    #[test]
    fn balanced_quotas_are_equal_but_for_classes_that_have_no_more(
        scores in tied_scores(50),
        labels in vec(prop_oneof![6 => Just(0_u32), 3 => Just(1), 1 => Just(2), 1 => Just(4)], 50),
        size in 1_usize..=50,
    ) {
        let classes = Classes { labels: &labels, count: 5 };
        let ids =
            select_by_class(Rule::Highest, &scores, classes, Quota::Balanced, size, 0).unwrap();
        let shares = class_shares(&ids, classes);
        for a in &shares {
            for b in &shares {
                prop_assert!(a.kept + 1 >= b.kept || a.kept == a.of);
                // What is left over goes to the lower classes.
                prop_assert!(a.class > b.class || a.kept >= b.kept || a.kept == a.of);
            }
        }
    }

    #[test]
    fn within_a_class_the_rule_is_the_same(scores in tied_scores(40), labels in vec(0..3_u32, 40), size in 1_usize..=40) {
        let classes = Classes { labels: &labels, count: 3 };
        let ids =
            select_by_class(Rule::Highest, &scores, classes, Quota::Proportional, size, 0).unwrap();
        let ids = numbers(ids);
        for class in 0..3 {
            let of_class = |ids: &[u32]| -> Vec<u32> {
                ids.iter().copied().filter(|&id| labels[id as usize] == class).collect()
            };
            let (kept, order) = (of_class(&ids), of_class(&naive_order(&scores)));
            let mut expected = order[order.len() - kept.len()..].to_vec();
            expected.sort_unstable();
            prop_assert_eq!(kept, expected);
        }
    }

    /// What is chosen of a class is what the rule could choose of it alone.
    #[test]
    fn coverage_within_a_class_is_coverage_of_that_class(
        scores in tied_scores(60),
        labels in vec(0..3_u32, 60),
        size in 1_usize..=24,
        cut in 0.0_f64..0.4,
        strata in 1_u32..60,
        seed: u64,
    ) {
        let classes = Classes { labels: &labels, count: 3 };
        let of_class = |ids: &[u32], class: u32| -> Vec<u32> {
            ids.iter().copied().filter(|&id| labels[id as usize] == class).collect()
        };
        let candidates = |class: u32| {
            let mut members = of_class(&naive_order(&scores), class);
            members.truncate(members.len() - (cut * members.len() as f64).round() as usize);
            members
        };
        let rule = Rule::Ccs { cut, strata };
        for quota in [Quota::Proportional, Quota::Balanced] {
            // A class whose candidates are fewer than its quota is refused, by name.
            let Ok(ids) = select_by_class(rule, &scores, classes, quota, size, seed) else {
                prop_assert_eq!(quota, Quota::Proportional);
                continue;
            };
            let ids = numbers(ids);
            prop_assert_eq!(ids.len(), size);
            let kept: Vec<usize> = (0..3).map(|class| of_class(&ids, class).len()).collect();
            for class in 0..3 {
                prop_assert!(is_subset(&of_class(&ids, class), &candidates(class)));
                let (kept, n) = (kept[class as usize], of_class(&(0..60).collect::<Vec<_>>(), class).len());
                let fair = match quota {
                    Quota::Proportional => (kept as f64 - size as f64 * n as f64 / 60.0).abs() < 1.0,
                    _ => kept == candidates(class).len() || kept + 1 >= size.div_ceil(3),
                };
                prop_assert!(fair, "{quota:?}: {kept} of {n} in class {class}");
            }
            // Other classes' scores do not matter.
            let others: Vec<f32> = scores.iter().zip(&labels)
                .map(|(&score, &label)| if label == 0 { score } else { score * 3.0 - 7.0 })
                .collect();
            let again = numbers(select_by_class(rule, &others, classes, quota, size, seed).unwrap());
            prop_assert_eq!(of_class(&again, 0), of_class(&ids, 0));
        }
    }

    #[test]
    fn random_subsets_within_classes_see_no_scores_and_are_nested(
        labels in vec(0..3_u32, 40),
        size in 1_usize..40,
        seed: u64,
    ) {
        let classes = Classes { labels: &labels, count: 3 };
        let unscored = [f32::NAN; 40];
        let chosen = |quota, size| {
            numbers(select_by_class(Rule::Random, &unscored, classes, quota, size, seed).unwrap())
        };
        for quota in [Quota::Proportional, Quota::Balanced] {
            let shares = |ids: &[u32]| -> Vec<usize> {
                let ids: Vec<ExampleId> = ids.iter().map(|&id| ExampleId(id)).collect();
                class_shares(&ids, classes).iter().map(|share| share.kept).collect()
            };
            let ids = chosen(quota, size);
            let hardest: Vec<f32> = (0..40).map(|i| i as f32).collect();
            let by_score = select_by_class(Rule::Highest, &hardest, classes, quota, size, 0).unwrap();
            prop_assert_eq!(shares(&ids), shares(&numbers(by_score)), "the quota alone gives the sizes");
            // The largest remainder can give a class of a larger subset fewer, so that only the
            // balanced ones are sure to be nested.
            if quota == Quota::Balanced {
                prop_assert!(is_subset(&ids, &chosen(quota, size + 1)));
            }
        }
    }

    #[test]
    fn fractions_of_a_set_are_sizes_of_it(fraction in 1e-6_f64..=1.0, n in 1_usize..1_000_000) {
        let keep = KeepFraction::try_from(fraction).unwrap();
        let size = keep.size_of(n);
        prop_assert!((1..=n).contains(&size));
        prop_assert!(size == 1 || (size as f64 - fraction * n as f64).abs() <= 0.5);
        prop_assert_eq!(keep.to_string().parse::<KeepFraction>().unwrap(), keep);
    }
}

/// Columns long enough for several threads, with ties across the borders of their parts.
#[test]
fn long_columns_are_cut_as_sorting_cuts_them() {
    let n = 1_300_003;
    let mut words = rng(0, 0, Stream::Noise, 0);
    let mut column = |value: &dyn Fn(&mut ChaCha8Rng) -> f32| -> Vec<f32> {
        (0..n).map(|_| value(&mut words)).collect()
    };
    let few = column(&|words| below(3, words) as f32 - 1.0);
    let wide = column(&|words| {
        let value = f32::from_bits(below(u32::MAX, words));
        if value.is_nan() { f32::INFINITY } else { value }
    });
    let close = column(&|words| 1.0 + below(1000, words) as f32 * f32::EPSILON);
    for scores in [few, wide, close] {
        let order = naive_order(&scores);
        for places in [0..1, n - 1..n, 0..n / 2, n / 3..2 * n / 3, 0..n, 433_334..433_335] {
            let rule = window(places.start, n);
            let mut expected = order[places.clone()].to_vec();
            expected.sort_unstable();
            assert_eq!(chosen(rule, &scores, places.len(), 0), expected, "{places:?}");
        }
    }
}

#[test]
fn infinite_scores_are_the_ends_of_the_order() {
    let scores = [f32::INFINITY, 1.0, f32::NEG_INFINITY, f32::INFINITY];
    assert_eq!(chosen(Rule::Highest, &scores, 1, 0), [3]);
    assert_eq!(chosen(Rule::Lowest, &scores, 1, 0), [2]);
    let coverage = Rule::Ccs { cut: 0.0, strata: 2 };
    // Strata {1, 2} and {0, 3}: one of each.
    let subset = chosen(coverage, &scores, 2, 0);
    assert!([1, 2].contains(&subset[0]) != [1, 2].contains(&subset[1]));
}

#[test]
fn a_class_of_equal_scores_is_chosen_from_by_id() {
    let classes = Classes { labels: &[0, 0, 1, 1], count: 2 };
    let scores = [5.0, 5.0, 1.0, 2.0];
    let ids = select_by_class(Rule::Highest, &scores, classes, Quota::Balanced, 2, 0).unwrap();
    assert_eq!(numbers(ids), [1, 3]);
}

#[test]
fn a_window_starts_at_the_same_fraction_of_each_class() {
    // Class 0 is examples 0 to 7, class 1 the other four; both in ascending order.
    let labels = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1];
    let classes = Classes { labels: &labels, count: 2 };
    let scores: Vec<f32> = (0..12).map(|id| id as f32).collect();
    let half = |quota, size| {
        let rule = Rule::Window { offset: 0.5 };
        numbers(select_by_class(rule, &scores, classes, quota, size, 0).unwrap())
    };
    assert_eq!(half(Quota::Proportional, 3), [4, 5, 10]);
    // Of class 1 three are kept: they cannot start at position 2.
    assert_eq!(half(Quota::Balanced, 6), [4, 5, 6, 9, 10, 11]);
}

#[test]
fn requests_that_cannot_be() {
    let scores = [1.0, 2.0, 3.0, 4.0];
    let error = |rule, size| select(rule, &scores, size, 0).unwrap_err();
    for size in [0, 5] {
        let expected = SelectionError::SizeOutOfRange { size, examples: 4 };
        assert_eq!(error(Rule::Random, size), expected);
    }
    let past = error(Rule::Window { offset: 0.5 }, 3);
    assert_eq!(past, SelectionError::WindowPastTheEnd { offset: 2, size: 3, examples: 4 });
    assert!(past.to_string().ends_with("use an offset of at most 1"), "{past}");
    for offset in [-0.1, 1.0, f64::NAN] {
        let none = error(Rule::Window { offset }, 1);
        assert!(matches!(none, SelectionError::OffsetOutOfRange { .. }), "{none}");
    }
    for cut in [-0.1, 1.0, f64::INFINITY] {
        let rule = Rule::Ccs { cut, strata: 2 };
        assert_eq!(error(rule, 2), SelectionError::CutOutOfRange { cut });
    }
    let nan = Rule::Ccs { cut: f64::NAN, strata: 2 };
    assert!(matches!(error(nan, 2), SelectionError::CutOutOfRange { .. }));
    let none = Rule::Ccs { cut: 0.1, strata: 0 };
    assert_eq!(error(none, 2), SelectionError::NoStrata);
    let deep = error(Rule::Ccs { cut: 0.5, strata: 2 }, 3);
    assert_eq!(
        deep.to_string(),
        "3 example(s) cannot be kept: a cut of 0.5 leaves 2 to choose from; keep no more than that, \
         or cut less"
    );
    assert_eq!(select(Rule::Highest, &[], 0, 0), Err(SelectionError::Empty));
}

#[test]
fn scores_that_nothing_can_be_chosen_by() {
    let mut scores = vec![1.0; 20];
    let constant = select(Rule::Highest, &scores, 3, 0).unwrap_err();
    assert_eq!(constant, SelectionError::Constant { value: 1.0, examples: 20 });
    let zeros = select(Rule::Lowest, &[0.0, -0.0], 1, 0).unwrap_err();
    assert!(matches!(zeros, SelectionError::Constant { .. }));
    assert!(select(Rule::Highest, &[7.0], 1, 0).is_ok(), "one example has nothing to differ from");
    scores[3..11].fill(f32::NAN);
    let nan = select(Rule::Highest, &scores, 3, 0).unwrap_err();
    let first = [3, 4, 5, 6, 7].map(ExampleId).to_vec();
    assert_eq!(nan, SelectionError::Nan { total: 8, first });
    assert!(nan.to_string().contains("first ids 3, 4, 5, 6, 7;"), "{nan}");
    assert_eq!(select(Rule::Random, &scores, 3, 0).unwrap().len(), 3);
    let none = select(Rule::Highest, &[f32::NAN; 9], 3, 0).unwrap_err();
    assert_eq!(none, SelectionError::NoScores { examples: 9 });
}

#[test]
fn classes_that_do_not_fit() {
    let scores = [1.0, 2.0, 3.0, 4.0];
    let error = |labels: &[u32], rule, size| {
        let classes = Classes { labels, count: 2 };
        select_by_class(rule, &scores, classes, Quota::Proportional, size, 0).unwrap_err()
    };
    let lengths = error(&[0, 1], Rule::Highest, 1);
    assert_eq!(lengths, SelectionError::LengthMismatch { scores: 4, labels: 2 });
    let label = error(&[0, 1, 2, 0], Rule::Highest, 1);
    let expected = SelectionError::LabelOutOfRange { id: ExampleId(2), label: 2, classes: 2 };
    assert_eq!(label, expected);
    assert!(matches!(error(&[0; 4], Rule::Lowest, 5), SelectionError::SizeOutOfRange { .. }));
}

#[test]
fn a_cut_that_leaves_classes_too_few() {
    let scores: Vec<f32> = (0..10).map(|id| id as f32).collect();
    let classes = Classes { labels: &[0, 1, 2, 3, 3, 3, 3, 3, 3, 3], count: 4 };
    let half = Rule::Ccs { cut: 0.5, strata: 2 };
    let error = |quota, size| {
        select_by_class(half, &scores, classes, quota, size, 0).unwrap_err().to_string()
    };
    // Half of one example is one: only class 3 has any left, three of them.
    assert_eq!(
        error(Quota::Balanced, 4),
        "4 example(s) cannot be kept: a cut of 0.5 leaves 3 to choose from; keep no more than that, \
         or cut less"
    );
    // In proportion 0.3, 0.3, 0.3 and 2.1: class 0 gets what is left over.
    assert_eq!(
        error(Quota::Proportional, 3),
        "1 example(s) of class 0 cannot be kept: a cut of 0.5 leaves 0 to choose from; keep no more \
         than that, or cut less"
    );
    let balanced = select_by_class(half, &scores, classes, Quota::Balanced, 3, 0).unwrap();
    assert_eq!(numbers(balanced), [3, 4, 5]);
}

#[test]
fn classes_that_vanish() {
    let classes = Classes { labels: &[0, 0, 1, 1, 3, 3], count: 4 };
    let shares = class_shares(&[ExampleId(0), ExampleId(1)], classes);
    assert_eq!(shares[0], ClassShare { class: 0, kept: 2, of: 2 });
    assert!(shares[2].share().is_nan(), "a class without examples has no share");
    assert_eq!(skew(&shares), f64::INFINITY);
    let error = check_no_class_vanishes(&shares).unwrap_err();
    assert_eq!(error, SelectionError::ClassVanishes { class: 1, of: 2, vanished: 2 });
    let all = class_shares(&[0, 1, 2, 4, 5].map(ExampleId), classes);
    assert_eq!(skew(&all), 2.0);
    assert_eq!(check_no_class_vanishes(&all), Ok(()));
    assert_eq!(skew(&[]), 1.0);
}

#[test]
fn half_an_example_is_rounded_up() {
    let size = |fraction: f64, n| KeepFraction::try_from(fraction).unwrap().size_of(n);
    assert_eq!((size(0.5, 5), size(0.5, 7), size(0.1, 4), size(1.0, 9)), (3, 4, 1, 9));
}

#[test]
fn fractions_that_are_none() {
    for value in [0.0, -0.5, 1.5, f64::INFINITY] {
        let error = KeepFraction::try_from(value).unwrap_err();
        assert_eq!(error, KeepFractionError::OutOfRange { value });
    }
    assert!(KeepFraction::try_from(f64::NAN).is_err());
    let percent = "40%".parse::<KeepFraction>().unwrap_err();
    assert_eq!(percent.to_string(), "`40%` is not a number; to keep 40 % write 0.4");
    assert!(serde_json::from_str::<KeepFraction>("0").is_err());
    assert_eq!(serde_json::to_string(&KeepFraction::try_from(0.4).unwrap()).unwrap(), "0.4");
}

#[test]
fn rules_go_through_json() {
    let written = RULES.map(|rule| serde_json::to_string(&rule).unwrap());
    let expected = [
        r#"{"rule":"highest"}"#,
        r#"{"rule":"lowest"}"#,
        r#"{"rule":"random"}"#,
        r#"{"rule":"window","offset":0.1}"#,
        r#"{"rule":"ccs","cut":0.1,"strata":4}"#,
    ];
    assert_eq!(written, expected);
    for (rule, json) in RULES.iter().zip(expected) {
        assert_eq!(serde_json::from_str::<Rule>(json).unwrap(), *rule);
    }
    assert_eq!(serde_json::to_string(&Quota::default()).unwrap(), r#""none""#);
    // As it lies in subset files.
    let choice =
        r#"{"keep":{"rule":"hardest"},"amount":{"fraction":0.5},"quota":"balanced","seed":7}"#;
    let read: Choice = serde_json::from_str(choice).unwrap();
    assert_eq!((read.rule, read.quota, read.seed), (Rule::Hardest, Quota::Balanced, 7));
    assert_eq!(serde_json::to_string(&read).unwrap(), choice);
}

#[test]
fn rules_have_names() {
    for (name, _) in Rule::NAMES {
        let offset = (name == "window").then_some(5.0);
        let rule = Rule::named(name, RuleOptions { offset, ..RuleOptions::default() }, 10).unwrap();
        assert_eq!(rule.name(), name);
        let written = serde_json::to_value(rule).unwrap();
        assert_eq!(written["rule"], name, "the same name in files");
    }
    for quota in Quota::ALL {
        assert_eq!(quota.name().parse::<Quota>().unwrap(), quota);
        assert_eq!(serde_json::to_value(quota).unwrap(), quota.name());
    }
    let window = Rule::named("window", RuleOptions { offset: Some(5.0), ..Default::default() }, 10);
    assert_eq!(window, Ok(Rule::Window { offset: 0.5 }));
    let error = |name, options| Rule::named(name, options, 10).unwrap_err().to_string();
    let none = RuleOptions::default();
    assert!(error("hardst", none).contains("there are hardest, easiest, highest"));
    assert!(error("window", none).contains("where does the window begin"));
    let cut = RuleOptions { cut: Some(0.2), ..none };
    assert!(error("hardest", cut).contains("`cut` belongs to the rule `ccs`"));
    for offset in [1.5, 10.0, -0.1, f64::NAN] {
        let offset = RuleOptions { offset: Some(offset), ..none };
        assert!(error("window", offset).contains("number of examples below 10"));
    }
}

fn of_ten(rule: Rule, scores: fn(&[f32]) -> Option<Scores<'_>>) -> Vec<u32> {
    let values: Vec<f32> = (0..10).map(|value| value as f32).collect();
    let choice = Choice { rule, amount: Amount::Count(2), quota: Quota::None, seed: 0 };
    numbers(choice.among(Candidates::All(10), scores(&values), None).unwrap().ids)
}

#[test]
fn the_hard_end_follows_the_direction() {
    assert_eq!(of_ten(Rule::Hardest, high), [8, 9]);
    assert_eq!(of_ten(Rule::Hardest, low), [0, 1]);
    assert_eq!(of_ten(Rule::Easiest, low), [8, 9]);
    assert_eq!(of_ten(Rule::Highest, low), [8, 9]);
    let ccs = Rule::Ccs { cut: 0.8, strata: 1 };
    assert_eq!(of_ten(ccs, high), [0, 1]);
    assert_eq!(of_ten(ccs, low), [8, 9]);
    assert_eq!(of_ten(Rule::Window { offset: 0.3 }, high), [3, 4]);
}

fn four(rule: Rule, quota: Quota) -> Choice {
    Choice { rule, amount: Amount::Count(4), quota, seed: 0 }
}

#[test]
fn only_candidates_are_chosen() {
    let values: Vec<f32> = (0..10).map(|value| value as f32).collect();
    let some: Vec<ExampleId> = (2..8).map(ExampleId).collect();
    let chosen =
        |rule, scores| numbers(four(rule, Quota::None).among(&some, scores, None).unwrap().ids);
    assert_eq!(chosen(Rule::Hardest, high(&values)), [4, 5, 6, 7]);
    assert!(chosen(Rule::Random, None).iter().all(|id| (2..8).contains(id)));
}

#[test]
fn all_are_the_same_as_a_list_of_all() {
    let values: Vec<f32> = (0..10).map(|value| value as f32).collect();
    let labels = [0, 1, 0, 1, 0, 1, 0, 1, 0, 1];
    let classes = Some(Classes { labels: &labels, count: 2 });
    let list: Vec<ExampleId> = (0..10).map(ExampleId).collect();
    for rule in [Rule::Hardest, Rule::Random, Rule::Ccs { cut: 0.2, strata: 2 }] {
        for quota in [Quota::None, Quota::Balanced] {
            let listed = four(rule, quota).among(&list, low(&values), classes).unwrap();
            let all = four(rule, quota).among(Candidates::All(10), low(&values), classes).unwrap();
            assert_eq!(all, listed);
        }
    }
}

#[test]
fn what_a_choice_lacks() {
    let values: Vec<f32> = (0..10).map(|value| value as f32).collect();
    let hardest = four(Rule::Hardest, Quota::None);
    let Chosen { ids, shares } = hardest.among(Candidates::All(10), high(&values), None).unwrap();
    assert_eq!(numbers(ids), [6, 7, 8, 9]);
    assert_eq!(shares, [ClassShare { class: 0, kept: 4, of: 10 }]);
    let no_scores = hardest.among(Candidates::All(10), None, None).unwrap_err();
    assert_eq!(no_scores, SelectionError::NoScore);
    let quota = four(Rule::Hardest, Quota::Balanced);
    let no_labels = quota.among(Candidates::All(10), high(&values), None).unwrap_err();
    assert!(no_labels.to_string().starts_with("the quota `balanced` needs labels"), "{no_labels}");
}

/// With fewer to keep than strata, all but the largest strata gave none: the ends were left out.
#[test]
fn few_of_each_class_still_cover_the_range_of_scores() {
    let n = 4000;
    let scores: Vec<f32> = (0..n).map(|i| ((i as f32 + 0.5) / n as f32 - 0.5).powi(3)).collect();
    let labels: Vec<u32> = (0..n).map(|i| i % 4).collect();
    let classes = Classes { labels: &labels, count: 4 };
    let rule = Rule::Ccs { cut: 0.0, strata: 50 };
    let chosen = select_by_class(rule, &scores, classes, Quota::Balanced, 80, 0).unwrap();
    let of_range = |low: f32, high: f32| {
        chosen.iter().filter(|id| (low..high).contains(&scores[id.index()])).count()
    };
    assert!(of_range(-0.13, -0.06) >= 8 && of_range(0.06, 0.13) >= 8, "both ends");
}
