//! The recorder of losses: equal to what its definitions say, written plainly here, whatever the order of
//! rows, the ranks that they came on and the checkpoints in between.

use datadiet_core::{ExampleId, LossRecorder, Measure, ScoreError, ScoreKind, StateColumn, Task};
use proptest::{collection::vec, prelude::*};

const EXAMPLES: usize = 9;
const THRESHOLD: f32 = 1.0;

/// Losses by epoch and example, with the rank that saw it; `None` where the example is missed.
#[derive(Clone, Debug)]
struct Training {
    epochs: Vec<Vec<Option<(usize, f32)>>>,
    orders: Vec<Vec<usize>>,
    reference: Vec<f32>,
}

fn training() -> impl Strategy<Value = Training> {
    // Few values, so that losses equal the median and the threshold.
    let loss = prop_oneof![
        2 => (0..8_u8).prop_map(|eighths| f32::from(eighths) / 4.0),
        1 => -1e3_f32..1e3,
    ];
    let one = prop_oneof![
        1 => Just(None),
        5 => (0..3_usize, loss.clone()).prop_map(Some),
    ];
    let order = Just((0..EXAMPLES).collect::<Vec<_>>()).prop_shuffle();
    let epoch = (vec(one, EXAMPLES), order);
    (vec(epoch, 0..8), vec(loss, EXAMPLES)).prop_map(|(epochs, reference)| {
        let (epochs, orders) = epochs.into_iter().unzip();
        Training { epochs, orders, reference }
    })
}

/// What a value beside a loss is, in these tests.
fn part(loss: f32) -> f32 {
    loss / 3.0
}

fn parts() -> [Measure; 2] {
    [Measure::part(ScoreKind::Loss, "box").unwrap(), ScoreKind::Length.into()]
}

impl Training {
    fn recorder(&self) -> LossRecorder {
        let mut recorder = LossRecorder::new(EXAMPLES).keep_at(&[3, 1]);
        recorder = recorder.with_threshold(THRESHOLD).unwrap();
        recorder = recorder.with_reference(self.reference.clone()).unwrap();
        recorder.set_beside(&parts()).unwrap();
        recorder
    }

    /// Records the examples of an epoch that `on` accepts, by rank and example.
    fn update(&self, recorder: &mut LossRecorder, epoch: usize, on: impl Fn(usize, usize) -> bool) {
        let seen = |&id: &usize| self.epochs[epoch][id].filter(|(rank, _)| on(*rank, id));
        let here: Vec<usize> =
            self.orders[epoch].iter().copied().filter(|id| seen(id).is_some()).collect();
        let losses: Vec<f32> = here.iter().filter_map(|id| Some(seen(id)?.1)).collect();
        let ids: Vec<ExampleId> = here.iter().map(|&id| ExampleId(id as u32)).collect();
        let boxes: Vec<f32> = losses.iter().copied().map(part).collect();
        let lengths: Vec<f32> = here.iter().map(|&id| id as f32).collect();
        recorder.update(&ids, &losses, &[&boxes, &lengths]).unwrap();
    }

    fn record(&self, on: impl Fn(usize, usize) -> bool + Copy) -> LossRecorder {
        let mut recorder = self.recorder();
        for epoch in 0..self.epochs.len() {
            self.update(&mut recorder, epoch, on);
            recorder.end_epoch();
        }
        recorder
    }

    /// Epochs, from 1, and losses of an example.
    fn of(&self, id: usize) -> Vec<(usize, f64)> {
        let losses = self.epochs.iter().map(|epoch| epoch[id]);
        (1..).zip(losses).filter_map(|(at, loss)| Some((at, f64::from(loss?.1)))).collect()
    }

    /// NumPy's median of the losses of an epoch: the mean of two in the middle.
    fn median(&self, epoch: usize) -> f64 {
        let seen = self.epochs[epoch - 1].iter().flatten();
        let mut losses: Vec<f64> = seen.map(|(_, loss)| f64::from(*loss)).collect();
        losses.sort_unstable_by(f64::total_cmp);
        (losses[(losses.len() - 1) / 2] + losses[losses.len() / 2]) / 2.0
    }

    /// A score over time, from its definition.
    fn truth(&self, kind: ScoreKind, id: usize) -> f64 {
        let seen = self.of(id);
        let (Some((_, first)), Some((_, last))) = (seen.first(), seen.last()) else {
            return f64::NAN;
        };
        let n = seen.len() as f64;
        let mean = seen.iter().map(|(_, loss)| loss).sum::<f64>() / n;
        let learned = |loss: f64| loss <= f64::from(THRESHOLD);
        match kind {
            ScoreKind::MeanLoss => mean,
            ScoreKind::LossStd => {
                (seen.iter().map(|(_, loss)| (loss - mean).powi(2)).sum::<f64>() / n).sqrt()
            }
            ScoreKind::LossDrop => first - last,
            ScoreKind::LearnedAt => {
                let from = (0..seen.len())
                    .find(|&from| seen[from..].iter().all(|(_, loss)| learned(*loss)));
                from.map_or(self.epochs.len() + 1, |from| seen[from].0) as f64
            }
            ScoreKind::LossForgetting => {
                let low = |(at, loss): (usize, f64)| loss <= self.median(at);
                seen.windows(2).filter(|pair| low(pair[0]) && !low(pair[1])).count() as f64
            }
            _ => unreachable!("{kind}"),
        }
    }
}

fn find(saved: &[(String, StateColumn)], name: &str) -> Option<StateColumn> {
    saved.iter().find(|(known, _)| known == name).map(|(_, column)| column.clone())
}

fn restored(recorder: &LossRecorder) -> LossRecorder {
    let saved = recorder.state();
    LossRecorder::from_state(|name| find(&saved, name)).unwrap()
}

type Bits = (Vec<(String, Vec<u64>)>, Vec<(String, Vec<u32>)>, Vec<u32>);

/// State, columns and missed examples with every number as its bits, since NaN differs from itself.
fn bits(recorder: &LossRecorder) -> Bits {
    let of = |column: StateColumn| match column {
        StateColumn::F64(values) => values.into_iter().map(f64::to_bits).collect(),
        StateColumn::F32(values) => values.into_iter().map(|v| u64::from(v.to_bits())).collect(),
        StateColumn::U32(values) => values.into_iter().map(u64::from).collect(),
        StateColumn::U8(values) => values.into_iter().map(u64::from).collect(),
    };
    let state = recorder.state().into_iter().map(|(name, column)| (name, of(column))).collect();
    let columns = recorder.columns().into_iter().map(|(measure, epoch, column)| {
        (format!("{measure}@{epoch}"), column.into_iter().map(f32::to_bits).collect())
    });
    (state, columns.collect(), recorder.unseen().to_vec())
}

proptest! {
    #[test]
    fn scores_are_what_their_definitions_say(training in training()) {
        let recorder = training.record(|_, _| true);
        let last = training.epochs.len() as u32;
        for kind in LossRecorder::OVER_TIME {
            let column = recorder.column(kind).unwrap();
            for (id, found) in column.into_iter().enumerate() {
                let truth = training.truth(kind, id);
                let exact = matches!(kind, ScoreKind::LearnedAt | ScoreKind::LossForgetting);
                let near = (f64::from(found) - truth).abs() <= 1e-6 * truth.abs().max(1.0);
                let same = found.is_nan() && truth.is_nan();
                prop_assert!(
                    same || if exact { f64::from(found) == truth } else { near },
                    "{} of {}: {} for {}", kind, id, found, truth
                );
            }
        }
        for (measure, epoch, column) in recorder.columns() {
            if LossRecorder::OVER_TIME.contains(&measure.kind()) {
                prop_assert_eq!(epoch, last);
                continue;
            }
            prop_assert!(epoch == last || [1, 3].contains(&epoch));
            for (id, found) in column.into_iter().enumerate() {
                let loss = training.epochs[epoch as usize - 1][id].map(|(_, loss)| loss);
                let truth = match measure.to_string().as_str() {
                    "loss" => loss,
                    "excess-loss" => loss.map(|loss| loss - training.reference[id]),
                    "loss:box" => loss.map(part),
                    _ => loss.map(|_| id as f32),
                };
                prop_assert_eq!(found.to_bits(), truth.unwrap_or(f32::NAN).to_bits());
            }
        }
        let missed = training.epochs.iter().map(|epoch| epoch.iter().filter(|one| one.is_none()));
        let missed: Vec<u32> = missed.map(|missed| missed.count() as u32).collect();
        prop_assert_eq!(recorder.unseen(), missed);
    }

    #[test]
    fn ranks_that_share_the_examples_anew_each_epoch_join_into_one_bit_for_bit(
        training in training(),
    ) {
        let whole = training.record(|_, _| true);
        let mut joined = training.record(|rank, _| rank == 2);
        let any = |rank: usize| training.epochs.iter().flatten().flatten().any(|one| one.0 == rank);
        for other in [0, 1] {
            let rank = training.record(|rank, _| rank == other);
            prop_assert_eq!(joined.merge_ranks(&rank), Ok(0));
            if any(other) {
                // All that it has is there now.
                prop_assert!(joined.clone().merge_ranks(&rank).is_err());
            }
        }
        prop_assert_eq!(bits(&joined), bits(&whole));
    }

    /// Between epochs and in the middle of one, with a history and without.
    #[test]
    fn a_restored_recorder_goes_on_bit_for_bit(training in training(), stop in 0_usize..16) {
        for single in [false, true] {
            let make = || if single {
                training.recorder().single_rank()
            } else {
                training.recorder()
            };
            let (mut undisturbed, mut stopped) = (make(), make());
            for epoch in 0..training.epochs.len() {
                for half in 0..2 {
                    if stop == 2 * epoch + half {
                        stopped = restored(&stopped);
                    }
                    let on = |_: usize, id: usize| id % 2 == half;
                    training.update(&mut undisturbed, epoch, on);
                    training.update(&mut stopped, epoch, on);
                }
                undisturbed.end_epoch();
                stopped.end_epoch();
            }
            prop_assert_eq!(bits(&undisturbed), bits(&stopped));
            prop_assert_eq!(bits(&undisturbed), bits(&restored(&undisturbed)));
        }
    }

    #[test]
    fn a_recorder_without_history_has_the_same_scores(training in training()) {
        let mut alone = training.recorder().single_rank();
        for epoch in 0..training.epochs.len() {
            training.update(&mut alone, epoch, |_, _| true);
            alone.end_epoch();
        }
        prop_assert_eq!(bits(&alone).1, bits(&training.record(|_, _| true)).1);
        prop_assert_eq!(alone.merge_ranks(&alone.clone()), Err(ScoreError::NoHistory));
    }

    #[test]
    fn a_recorder_that_grows_is_one_that_was_large_from_the_start(training in training()) {
        let training = Training { reference: vec![f32::NAN; EXAMPLES], ..training };
        let whole = training.record(|_, _| true);
        let mut grown = LossRecorder::new(0).keep_at(&[1, 3]).with_threshold(THRESHOLD).unwrap();
        grown = grown.with_reference(Vec::new()).unwrap();
        grown.set_beside(&parts()).unwrap();
        for epoch in 0..training.epochs.len() {
            for id in training.orders[epoch].clone() {
                grown.grow(grown.examples().max(id + 1));
                training.update(&mut grown, epoch, |_, one| one == id);
            }
            grown.end_epoch();
        }
        grown.grow(EXAMPLES);
        prop_assert_eq!(bits(&grown), bits(&whole));
    }
}

fn ids(ids: &[u32]) -> Vec<ExampleId> {
    ids.iter().copied().map(ExampleId).collect()
}

#[test]
fn an_example_takes_the_memory_that_is_promised() {
    assert_eq!(LossRecorder::BYTES, 48);
}

#[test]
fn a_refused_batch_leaves_no_trace_and_names_its_examples() {
    let mut recorder = LossRecorder::new(4);
    recorder.set_beside(&parts()[..1]).unwrap();
    recorder.update(&ids(&[3]), &[0.5], &[&[0.25]]).unwrap();
    let before = bits(&recorder);
    let mut refused = |of: &[u32], losses: &[f32], boxes: &[f32]| {
        recorder.update(&ids(of), losses, &[boxes]).unwrap_err().to_string()
    };
    let nan = refused(&[0, 2], &[0.0, f32::NAN], &[0.0; 2]);
    assert!(nan.starts_with("example(s) [2]: losses: 1 row(s) hold NaN or infinity"), "{nan}");
    let infinite = refused(&[0, 2], &[f32::INFINITY, 0.0], &[0.0; 2]);
    assert!(infinite.starts_with("example(s) [0]: losses"), "{infinite}");
    let part = refused(&[0, 2], &[0.0; 2], &[0.0, f32::INFINITY]);
    assert!(part.starts_with("loss:box: example(s) [2]: values: 1 row(s)"), "{part}");
    let one = refused(&[0, 2], &[0.5], &[0.0; 2]);
    assert!(one.starts_with("that is one loss for the batch of 2 examples"), "{one}");
    assert!(one.contains("reduction=\"none\""), "{one}");
    let tokens = refused(&[0, 2], &[0.5; 8], &[0.0; 2]);
    assert!(tokens.starts_with("losses: 8 values for 2 examples"), "{tokens}");
    let boxes = refused(&[0, 2], &[0.5; 2], &[0.0; 3]);
    assert!(boxes.starts_with("loss:box: 3 values for 2 examples"), "{boxes}");
    let range = refused(&[0, 4], &[0.5; 2], &[0.0; 2]);
    assert!(range.starts_with("row 1 has example id 4"), "{range}");
    let again = refused(&[0, 3], &[0.5; 2], &[0.0; 2]);
    assert!(again.starts_with("row 1: example 3 was seen before in epoch 1"), "{again}");
    let twice = refused(&[0, 0], &[0.5; 2], &[0.0; 2]);
    assert!(twice.starts_with("row 1: example 0 was seen before in epoch 1"), "{twice}");
    assert!(recorder.update(&ids(&[0]), &[0.5], &[]).is_err());
    let other = recorder.set_beside(&[]).unwrap_err().to_string();
    assert!(other.starts_with("the values beside the loss are []"), "{other}");
    assert_eq!(bits(&recorder), before);
}

#[test]
fn what_cannot_be_compared_with_is_refused() {
    let recorder = LossRecorder::new(2);
    let threshold = recorder.clone().with_threshold(f32::NAN).unwrap_err();
    assert!(threshold.to_string().starts_with("the threshold is NaN"), "{threshold}");
    assert!(recorder.clone().with_reference(vec![0.0]).is_err());
    let infinite = recorder.with_reference(vec![0.0, f32::INFINITY]).unwrap_err();
    assert!(infinite.to_string().starts_with("reference: 1 row(s)"), "{infinite}");
}

/// Repeated to fill a batch: the loss of the rank that is merged into stands, as if it had come first.
#[test]
fn examples_on_two_ranks_are_counted() {
    let rank = |seen: &[u32], loss: f32| {
        let mut recorder = LossRecorder::new(3);
        recorder.update(&ids(seen), &vec![loss; seen.len()], &[]).unwrap();
        recorder.end_epoch();
        recorder
    };
    let mut joined = rank(&[0, 1], 1.0);
    assert_eq!(joined.merge_ranks(&rank(&[2, 0], 5.0)), Ok(1));
    assert_eq!(joined.column(ScoreKind::MeanLoss).unwrap(), [1.0, 1.0, 5.0]);
    assert_eq!(joined.unseen(), [0]);
    let again = joined.merge_ranks(&rank(&[2, 0], 5.0)).unwrap_err();
    assert_eq!(again, ScoreError::MergedBefore { presentations: 2 });
}

#[test]
fn recorders_that_cannot_be_merged() {
    let recorded = |mut recorder: LossRecorder, id: u32| {
        recorder.update(&ids(&[id]), &[0.5], &[]).unwrap();
        recorder.end_epoch();
        recorder
    };
    let mut mine = recorded(LossRecorder::new(2), 0);
    let before = bits(&mine);
    let mut why = |other: LossRecorder| mine.merge_ranks(&other).unwrap_err().to_string();
    assert!(why(recorded(LossRecorder::new(3), 1)).contains("number of examples (2 and 3)"));
    assert!(why(LossRecorder::new(2)).contains("number of finished epochs (1 and 0)"));
    let other = LossRecorder::new(2).with_threshold(0.5).unwrap();
    assert!(why(recorded(other, 1)).contains("threshold (None and Some(0.5))"));
    let other = LossRecorder::new(2).with_reference(vec![0.0; 2]).unwrap();
    assert!(why(recorded(other, 1)).contains("losses of a reference model (none and some)"));
    assert!(why(recorded(LossRecorder::new(2).single_rank(), 1)).contains("single_rank"));
    let mut other = LossRecorder::new(2);
    other.set_beside(&parts()[..1]).unwrap();
    other.update(&ids(&[1]), &[0.5], &[&[0.5]]).unwrap();
    other.end_epoch();
    assert!(why(other).contains("values beside the loss ([] and [\"loss:box\"])"));
    assert_eq!(bits(&mine), before);
    // A rank that had no example knows of no values beside.
    let mut other = LossRecorder::new(2);
    other.set_beside(&parts()[..1]).unwrap();
    other.update(&ids(&[1]), &[0.5], &[&[0.5]]).unwrap();
    other.end_epoch();
    let mut empty = LossRecorder::new(2);
    empty.end_epoch();
    assert_eq!(empty.merge_ranks(&other), Ok(0));
    assert_eq!(bits(&empty), bits(&other));
}

#[test]
fn damaged_states_are_refused() {
    for single in [false, true] {
        let mut recorder = LossRecorder::new(9).keep_at(&[1]);
        recorder = recorder.with_reference(vec![0.5; 9]).unwrap();
        recorder.set_beside(&parts()).unwrap();
        if single {
            recorder = recorder.single_rank();
        }
        recorder.update(&ids(&[8]), &[0.5], &[&[0.25], &[7.0]]).unwrap();
        recorder.end_epoch();
        let saved = recorder.state();
        let damage = |name: &str, column: Option<StateColumn>| {
            let look = |wanted: &str| {
                if wanted == name { column.clone() } else { find(&saved, wanted) }
            };
            LossRecorder::from_state(look).unwrap_err().to_string()
        };
        for (name, _) in &saved {
            let missing = damage(name, None);
            assert!(missing.contains(name.as_str()), "{name}: {missing}");
            damage(name, Some(StateColumn::U8(vec![200; 3])));
        }
        let version = damage("losses.shape", Some(StateColumn::F64(vec![2.0; 7])));
        assert!(version.contains("its layout is 2, this version reads 1"), "{version}");
        let nan = damage("last.loss", Some(StateColumn::F32(vec![f32::NAN; 9])));
        assert!(nan.contains("NaN is not a loss"), "{nan}");
        let names = damage("losses.beside", Some(StateColumn::U8(b"lass:box".to_vec())));
        assert!(names.contains("no score is called `lass`"), "{names}");
        if single {
            let counts = damage("tracks.forgotten", Some(StateColumn::U32(vec![7; 9])));
            assert!(counts.contains("example 0"), "{counts}");
        } else {
            let forged = damage("history.seen", Some(StateColumn::U8(vec![3, 1])));
            assert!(forged.contains("history.loss"), "{forged}");
        }
    }
}

#[test]
fn nothing_is_told_of_an_epoch_that_has_not_ended() {
    let mut recorder = LossRecorder::new(2).keep_at(&[1]);
    recorder.update(&ids(&[1]), &[0.5], &[]).unwrap();
    assert!(recorder.columns().is_empty());
    assert_eq!((recorder.epochs(), recorder.unfinished()), (0, 1));
    recorder.end_epoch();
    assert_eq!((recorder.epochs(), recorder.unfinished()), (1, 0));
    // Epoch 1 is kept and is the last: it is told once.
    let losses = recorder.columns().into_iter().filter(|one| one.0 == ScoreKind::Loss.into());
    assert_eq!(losses.count(), 1);
}

#[test]
fn tasks_read_the_scores_that_they_share() {
    for task in Task::ALL {
        assert_eq!(task.name().parse(), Ok(task));
        assert_eq!(serde_json::to_string(&task).unwrap(), format!("\"{task}\""));
        for &kind in ScoreKind::ALL {
            let (own, general) = (task.definition(kind), kind.definition());
            assert!(own == general || task != Task::Classification, "{task}: {kind}");
            assert!(own == general || own.when.contains("; not "), "{task}: {kind}");
        }
    }
    let el2n: Vec<_> = Task::ALL.map(|task| task.definition(ScoreKind::El2n).range).into();
    assert_eq!(el2n, ["[0, √2]", "[0, √2]", "[0, √K]", "[0, √2]", "[0, √2]"]);
    let part = Task::Loss.definition_of(&parts()[0]);
    assert_eq!(part.formula, "the part `box` of the loss of the example, as it was given");
    assert_eq!(
        "tok".parse::<Task>().unwrap_err().to_string(),
        "no task is called `tok`; known: classification, loss, multi-label, regression, tokens"
    );
}
