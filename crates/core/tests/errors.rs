//! Errors name the place and the next thing to do, and leave nothing half done.

use datadiet_core::{
    ExampleId, Kept, LogitScores, LossRecorder, Matrix, ScoreError, ScoreKind, StatsError,
    TrainingDynamics, average_ranks, band, detection, forgetting_key, mean_and_standard_error,
    percentile, reliability, spearman, spearman_interval, top_overlap,
};

#[test]
fn logits_that_cannot_be_scored() {
    let shape = LogitScores::of(Matrix::logits(&[0.0_f32; 5], 2), &[0, 1]).unwrap_err();
    assert_eq!(shape, ScoreError::ShapeMismatch { what: "logits", expected: 4, found: 5 });
    let classes = LogitScores::of(Matrix::logits(&[0.0_f32], 1), &[0]).unwrap_err();
    assert_eq!(classes, ScoreError::TooFewClasses { classes: 1 });
    let label = LogitScores::of(Matrix::logits(&[0.0_f32; 4], 2), &[0, 2]).unwrap_err();
    assert_eq!(
        label.to_string(),
        "row 1 has label 2, but there are 2 classes (0 to 1); map the labels to 0..K, or pass the \
         right number of classes"
    );
}

#[test]
fn the_first_rows_with_nan_are_listed() {
    let mut logits = vec![0.0; 20];
    for row in 1..9 {
        logits[2 * row] = if row % 2 == 0 { f32::NAN } else { f32::INFINITY };
    }
    let error = LogitScores::of(Matrix::logits(&logits, 2), &[0; 10]).unwrap_err();
    let expected = ScoreError::NonFinite { what: "logits", rows: vec![1, 2, 3, 4, 5], total: 8 };
    assert_eq!(error, expected);
}

#[test]
fn logits_passed_as_probabilities() {
    let error =
        LogitScores::of(Matrix::probabilities(&[0.5_f32, 0.5, -1.0, 2.0], 2), &[0, 1]).unwrap_err();
    assert_eq!(error, ScoreError::NegativeProbability { row: 1, class: 0, value: -1.0 });
    let error = LogitScores::of(Matrix::probabilities(&[0.5_f32, 0.75], 2), &[0]).unwrap_err();
    assert_eq!(error, ScoreError::NotNormalised { row: 0, sum: 1.25, tolerance: 0.01 });
}

#[test]
fn a_refused_minibatch_leaves_no_trace() {
    let fresh = TrainingDynamics::new(2);
    let mut dynamics = fresh.clone();
    let known = [ExampleId(0), ExampleId(1)];
    let unknown = [ExampleId(0), ExampleId(2)];
    let zeros = Matrix::logits(&[0.0_f32; 4], 2);
    let nan = Matrix::logits(&[0.0, 1.0, f32::NAN, 0.0], 2);
    let id = dynamics.observe(&unknown, zeros, &[0, 0]).unwrap_err();
    assert_eq!(id, ScoreError::IdOutOfRange { row: 1, id: 2, examples: 2 });
    assert!(dynamics.observe(&known, nan, &[0, 0]).is_err());
    assert!(dynamics.observe(&known, zeros, &[0, 5]).is_err());
    assert!(dynamics.observe(&known, zeros, &[0]).is_err());
    assert_eq!(dynamics.state(), fresh.state());
}

/// What becomes of a saved column on its way back.
type Damage<'a> = &'a dyn Fn(&str, Vec<f64>) -> Option<Vec<f64>>;

#[test]
fn damaged_checkpoints() {
    let saved = TrainingDynamics::new(2).state();
    let restore = |damage: Damage| {
        let find = |name: &str| {
            let (_, column) = saved.iter().find(|(known, _)| *known == name)?;
            damage(name, column.clone())
        };
        TrainingDynamics::from_state(2, Kept::ALL, true, find)
    };
    assert!(restore(&|_, column| Some(column)).is_ok());
    let missing =
        restore(&|name, column| (name != "dynamics.margins").then_some(column)).unwrap_err();
    assert_eq!(missing, ScoreError::MissingState { column: "dynamics.margins" });
    let short = restore(&|_, column| Some(column[1..].to_vec())).unwrap_err();
    assert!(matches!(short, ScoreError::ShapeMismatch { expected: 2, found: 1, .. }));
    for wrong in [-1.0, 0.5, 4.0, f64::NAN] {
        let found = restore(&|name, column| {
            Some(if name == "dynamics.known" { vec![0.0, wrong] } else { column })
        });
        let damaged =
            ScoreError::CorruptState { column: "dynamics.known", example: 1, value: wrong };
        // By text, since NaN differs from itself.
        assert_eq!(found.unwrap_err().to_string(), damaged.to_string());
    }
}

#[test]
fn statistics_that_do_not_exist() {
    let nan = average_ranks(&[1.0, f32::NAN]).unwrap_err();
    assert_eq!(nan, StatsError::Nan { column: 0, index: 1 });
    let nan = spearman(&[1.0, 2.0], &[f32::NAN, 1.0]).unwrap_err();
    assert_eq!(nan, StatsError::Nan { column: 1, index: 0 });
    let lengths = spearman(&[1.0, 2.0], &[1.0]).unwrap_err();
    assert_eq!(lengths, StatsError::LengthMismatch { first: 2, second: 1 });
    assert!(matches!(spearman(&[1.0], &[1.0]), Err(StatsError::TooFew { found: 1, .. })));
    assert!(matches!(reliability(&[&[1.0, 2.0]]), Err(StatsError::TooFew { needed: 2, .. })));
    assert!(matches!(mean_and_standard_error(&[]), Err(StatsError::TooFew { .. })));
    let fraction = forgetting_key(&[1.0], &[1.5]).unwrap_err();
    assert_eq!(fraction, StatsError::NotAFraction { index: 0, value: 1.5 });
}

#[test]
fn detection_of_nothing() {
    let scores = [1.0, 2.0, 3.0];
    let none = detection(&scores, &[false; 3], &[]).unwrap_err();
    assert_eq!(none, StatsError::NothingTouched { examples: 3 });
    let all = detection(&scores, &[true; 3], &[]).unwrap_err();
    assert_eq!(all, StatsError::AllTouched { examples: 3 });
    let mask = [true, false, true];
    for k in [0, 4] {
        let top = detection(&scores, &mask, &[1, k]).unwrap_err();
        assert_eq!(top, StatsError::TopOutOfRange { k, examples: 3 });
    }
    let nan = detection(&[1.0, f32::NAN, 0.0], &mask, &[]).unwrap_err();
    assert_eq!(nan, StatsError::Nan { column: 0, index: 1 });
    let lengths = detection(&scores, &mask[..2], &[]).unwrap_err();
    assert_eq!(lengths, StatsError::LengthMismatch { first: 3, second: 2 });
}

#[test]
fn tops_percentiles_and_intervals_that_do_not_exist() {
    let two = [1.0, 2.0];
    let top = top_overlap(&two, &two, 3).unwrap_err();
    assert_eq!(top.to_string(), "there is no top 3 of 2 examples; ask for 1 to 2");
    let nan = top_overlap(&two, &[1.0, f32::NAN], 1).unwrap_err();
    assert_eq!(nan, StatsError::Nan { column: 1, index: 1 });
    assert!(matches!(top_overlap(&two, &[1.0], 1), Err(StatsError::LengthMismatch { .. })));
    assert!(matches!(percentile(&[], 50.0), Err(StatsError::TooFew { .. })));
    assert!(matches!(band(&[]), Err(StatsError::TooFew { .. })));
    assert_eq!(band(&[1.0, f64::NAN]), Err(StatsError::Nan { column: 0, index: 1 }));
    for q in [-0.1, 100.1] {
        assert_eq!(percentile(&[1.0], q), Err(StatsError::NotAPercentile { q }));
    }
    assert!(percentile(&[1.0], f64::NAN).is_err());
    let none = spearman_interval(&two, &two, 0, 0).unwrap_err();
    assert!(matches!(none, StatsError::TooFew { found: 0, .. }));
    let constant = spearman_interval(&two, &[1.0, 1.0], 10, 0).unwrap_err();
    assert_eq!(constant, StatsError::Constant { column: 1 });
}

#[test]
fn a_misspelt_score_is_answered_with_the_nearest() {
    let error = "el2m".parse::<ScoreKind>().unwrap_err();
    assert_eq!(error.nearest, Some("el2n"));
    assert_eq!(
        error.to_string(),
        "no score is called `el2m`; did you mean `el2n`? known: el2n, l1, loss, entropy, \
         max-margin, sum-margin, log-margin, correct, grand, grand-last-layer, input-norm, forgetting, \
         never-learned, aum, confidence, variability, correctness, margin-of-mean, dual, dyn-unc, \
         mean-el2n, tdds, mean-loss, loss-std, loss-drop, learned-at, loss-forgetting, excess-loss, \
         loss-sum, perplexity, token-accuracy, length, error-norm, mean-error, error-std, error-ratio, \
         mean-margin, least-margin, least-aum, label-forgetting"
    );
}

#[test]
fn names_go_through_text_and_json() {
    for &kind in ScoreKind::ALL {
        assert_eq!(kind.name().parse(), Ok(kind));
        assert_eq!(kind.to_string(), kind.name());
        let json = serde_json::to_string(&kind).unwrap();
        assert_eq!(json, format!("\"{}\"", kind.name()));
        assert_eq!(serde_json::from_str::<ScoreKind>(&json).unwrap(), kind);
    }
    let error = serde_json::from_str::<ScoreKind>("\"garnd\"").unwrap_err();
    assert!(error.to_string().contains("did you mean `grand`?"), "{error}");
    assert_eq!(serde_json::to_string(&ExampleId(3)).unwrap(), "3");
}

#[test]
fn every_score_has_one_home() {
    let scores = LogitScores::default();
    let dynamics = TrainingDynamics::new(0);
    for &kind in ScoreKind::ALL {
        use datadiet_core::Source;
        assert_eq!(scores.column(kind).is_some(), kind.source() == Source::EvalLogits, "{kind}");
        let tracked = kind.source() == Source::TrainingMinibatches;
        assert_eq!(dynamics.column(kind).is_some(), tracked, "{kind}");
        assert_eq!(ScoreKind::OF_PASS.contains(&kind), scores.column(kind).is_some());
        assert!(!kind.definition().formula.is_empty());
        let other = matches!(kind.source(), Source::Losses | Source::Outputs);
        assert_eq!(ScoreKind::OF_CLASSIFICATION.contains(&kind), !other, "{kind}");
        let over_time = LossRecorder::OVER_TIME.contains(&kind);
        assert_eq!(
            LossRecorder::new(0).column(kind).is_some(),
            over_time && kind != ScoreKind::LearnedAt
        );
        let when = kind.definition().when;
        assert!(when.contains("; not ") || kind == ScoreKind::GrandLastLayer, "{kind}: {when}");
    }
}
