//! How many labels of a table look wrong, and how far down a list of suspects they go.
//!
//! The estimate is [`datadiet_core::wrong_labels`] of one column: the list's own where it is AUM, log margin,
//! confidence, loss or L1, else the one of these that the table has at the same time, else the latest.
//! No other column is taken: what its values say about the label is not known, or (EL2N, margins of
//! probabilities) the estimate was far off on known noise.
//!
//! Confidence, loss and L1 do not say whether another class is predicted, where there are more than two. Then
//! they are taken only with a column of the same time that does: `correctness`, `correct`, or `predicted`
//! beside `label`.
//!
//! A list that begins with the easiest examples, or that is by something that says nothing of labels, has
//! no place down to which it is worth a look.

use std::cmp::Reverse;
use std::collections::HashSet;

use datadiet_core::{
    CannotTell, Direction, Interval, LabelScore, Mispredicted, ScoreKind, Task, group_digits,
    wrong_labels,
};
use serde::Serialize;

use crate::ranking::{PART, SUM, direction_of, hard_end, plain_name, time_of};
use crate::{Ranking, ScoreTable, TableError};

/// Seed of the resamples of the interval: the same table has the same interval.
const SEED: u64 = 0;

/// Columns of other tools that are a score of ours.
const SAME_AS: [(&str, LabelScore); 10] = [
    ("area_under_margin", LabelScore::Margin),
    ("self_confidence", LabelScore::Probability),
    ("given_label_probability", LabelScore::Probability),
    ("given_label_prob", LabelScore::Probability),
    ("true_prob", LabelScore::Probability),
    ("prob_true", LabelScore::Probability),
    ("p_true", LabelScore::Probability),
    ("gold_prob", LabelScore::Probability),
    ("target_prob", LabelScore::Probability),
    ("nll", LabelScore::Loss),
];

/// Columns that say what is predicted of an example: over the training, at the time of the column, as a class.
const PREDICTIONS: [&str; 3] =
    [ScoreKind::Correctness.name(), ScoreKind::Correct.name(), PREDICTED];
const PREDICTED: &str = "predicted";

/// Columns of other tools that do not depend on the label.
const WITHOUT_LABEL: [&str; 1] = ["max_prob"];

/// How many labels look wrong; `Display` says it in a sentence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WrongLabelCount {
    /// The column that the estimate is of; none where the table has none that tells.
    pub column: Option<String>,
    /// The estimate; none where it cannot be told.
    #[serde(flatten)]
    pub estimate: Option<WrongLabelEstimate>,
    /// Why it cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cannot_tell: Option<String>,
}

/// A number of wrong labels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WrongLabelEstimate {
    /// How many labels look wrong.
    pub count: usize,
    /// As a fraction of the examples with a score, in [0, 1/2].
    pub fraction: f64,
    /// 95 % interval of the fraction, over examples alone.
    pub interval: Interval,
    /// Deviations between the wrong labels and the next group of the fit.
    pub separation: f64,
    /// How many suspects to look at.
    pub suspects: usize,
    /// The column by which suspects are listed.
    pub by: String,
    /// Its value at the last of them.
    pub down_to: f32,
    /// Which of its ends is suspect.
    pub direction: Direction,
}

impl ScoreTable {
    /// Estimates how many labels are wrong, and how far down the list of suspects by `ranking` they
    /// go. Examples without a score are left out.
    ///
    /// # Errors
    /// When the column cannot be ordered.
    pub fn wrong_labels(&self, ranking: &Ranking<'_>) -> Result<WrongLabelCount, TableError> {
        let nothing =
            |why| Ok(WrongLabelCount { column: None, estimate: None, cannot_tell: Some(why) });
        if let Some(why) = not_a_list_of_suspects(ranking) {
            return nothing(why);
        }
        if let Some(why) = not_of_classes(self.task()) {
            return nothing(why.into());
        }
        let Some((column, score)) = self.telling(&ranking.name) else {
            return nothing(format!(
                "{} does not tell it, and there is no AUM, log margin, confidence or loss in the table",
                ranking.name
            ));
        };
        let values = self.columns().floats(&column)?;
        let rows: Vec<usize> = (0..values.len()).filter(|&row| !values[row].is_nan()).collect();
        let values: Vec<f32> = rows.iter().map(|&row| values[row]).collect();
        let known = self.mispredicted(&column, score, &rows);
        let mispredicted = match &known {
            Some(known) => Mispredicted::Known(known),
            None if self.has_two_classes() => Mispredicted::OfTwoClasses,
            None => Mispredicted::Unknown,
        };
        let cannot = |why: String| WrongLabelCount {
            column: Some(column.clone()),
            estimate: None,
            cannot_tell: Some(why),
        };
        // Values that the score cannot have are no reason to refuse the list.
        let found = match wrong_labels(&values, score, mispredicted, SEED) {
            Ok(Ok(found)) => found,
            Ok(Err(why @ CannotTell::PredictionsUnknown)) => {
                let at =
                    column.split_once('@').map_or(String::new(), |(_, time)| format!("@{time}"));
                return Ok(cannot(format!(
                    "{why}; the table needs a column correctness{at}, correct{at} or predicted{at} (the \
                     last beside label), or AUM"
                )));
            }
            Ok(Err(why)) => return Ok(cannot(why.to_string())),
            Err(error) => return Ok(cannot(error.to_string())),
        };
        let down_to = match ranking.hardest_first(&self.ids())?.get(found.suspects - 1) {
            _ if ranking.name == column => found.cut,
            Some(row) => ranking.values[row.index()],
            None => {
                let why = format!("{} has fewer values than there are suspects", ranking.name);
                return Ok(cannot(why));
            }
        };
        let estimate = WrongLabelEstimate {
            count: (found.fraction * found.examples as f64).round() as usize,
            fraction: found.fraction,
            interval: found.interval,
            separation: found.separation,
            suspects: found.suspects,
            by: ranking.name.clone(),
            down_to,
            direction: ranking.direction,
        };
        Ok(WrongLabelCount { column: Some(column), estimate: Some(estimate), cannot_tell: None })
    }

    /// Names of the columns that [`Self::wrong_labels`] looks at for a list by `by`, as far as the table has them; of a
    /// table of which no rows are read, too.
    ///
    /// # Errors
    /// When there is no column `by`; the message names the nearest.
    pub fn columns_of_wrong_labels(&self, by: &str) -> Result<Vec<String>, TableError> {
        let mut names = self.columns_of(by)?;
        names.extend(["id", "label"].map(str::to_owned));
        for (column, score) in self.that_tell(&self.ranking_name(by)?) {
            names.push(column.to_owned());
            // It says itself what is predicted, so that none behind it is taken.
            if score == LabelScore::Margin {
                break;
            }
            names.extend(PREDICTIONS.map(|name| of_the_time(column, name)));
        }
        let mut seen = HashSet::new();
        names.retain(|name| self.columns().column(name).is_some() && seen.insert(name.clone()));
        Ok(names)
    }

    /// The column that tells how many labels are wrong, and what its values are: one whose predictions are
    /// known goes before one where they are not.
    fn telling(&self, by: &str) -> Option<(String, LabelScore)> {
        let all = self.that_tell(by);
        let known = all.iter().find(|(name, score)| self.tells_predictions(name, *score));
        known.or(all.first()).map(|(name, score)| ((*name).to_owned(), *score))
    }

    /// The columns that may tell how many labels are wrong in a list by `by`, and what their values are: those that
    /// are rather taken first.
    fn that_tell(&self, by: &str) -> Vec<(&str, LabelScore)> {
        let order = [LabelScore::Margin, LabelScore::Probability, LabelScore::Loss, LabelScore::L1];
        let time = time_of(by);
        let known = self.scores().into_iter().filter_map(|name| Some((name, score_of(name)?)));
        let rank = |(name, score): &(&str, LabelScore)| {
            let latest = time_of(name).unwrap_or_default();
            let place = order.iter().position(|known| known == score);
            let one_sight =
                plain_name(name).is_some_and(|(_, kind)| kind == Some(ScoreKind::LogMargin));
            let other_time = time.is_some() && time_of(name) != time;
            // Times are at least 0, and of such the bits are in order.
            (*name != by, other_time, place, one_sight, Reverse(latest.to_bits()))
        };
        let mut all: Vec<_> = known.collect();
        all.sort_by_key(rank);
        all
    }

    /// Whether it is known which examples are taken for another class, by a column of a score.
    fn tells_predictions(&self, column: &str, score: LabelScore) -> bool {
        score == LabelScore::Margin
            || self.has_two_classes()
            || self.mispredicted(column, score, &[]).is_some()
    }

    /// Whether the labels are of two classes.
    fn has_two_classes(&self) -> bool {
        let labels = self.columns().integers("label").ok();
        labels.is_some_and(|labels| labels.iter().max() == Some(&1))
    }

    /// Which of some rows most predictions take for another class, by the column nearest to that of a
    /// score; none where the table does not say it of all of them. A margin says it itself.
    fn mispredicted(&self, column: &str, score: LabelScore, rows: &[usize]) -> Option<Vec<bool>> {
        let fractions = |name: &str| {
            let right = self.columns().floats(&of_the_time(column, name)).ok()?;
            // Of cartography's authors correctness is a count.
            let is_fraction =
                right.iter().all(|right| right.is_nan() || (0.0..=1.0).contains(right));
            let whole = is_fraction && rows.iter().all(|&row| !right[row].is_nan());
            whole.then(|| rows.iter().map(|&row| right[row] < 0.5).collect())
        };
        let predicted = || {
            let predicted = self.columns().integers(&of_the_time(column, PREDICTED)).ok()?;
            let labels = self.columns().integers("label").ok()?;
            Some(rows.iter().map(|&row| predicted[row] != labels[row]).collect())
        };
        let [over_training, at_the_time, _] = PREDICTIONS;
        match score {
            LabelScore::Margin => None,
            LabelScore::Probability => {
                fractions(over_training).or_else(|| fractions(at_the_time)).or_else(predicted)
            }
            LabelScore::Loss | LabelScore::L1 => {
                fractions(at_the_time).or_else(predicted).or_else(|| fractions(over_training))
            }
        }
    }
}

/// The column of a name at the time of another.
fn of_the_time(column: &str, name: &str) -> String {
    match column.split_once('@') {
        Some((_, time)) => format!("{name}@{time}"),
        None => name.to_owned(),
    }
}

/// Why nothing tells how many labels are wrong, where it is not one class an example that is learned.
fn not_of_classes(task: Task) -> Option<&'static str> {
    match task {
        Task::Classification => None,
        Task::Loss => Some(
            "losses that a training loop gave need not be −ln p of a label; of a classification record the \
             logits, which tell more (in Python datadiet.Recorder)",
        ),
        Task::MultiLabel | Task::Regression | Task::Tokens => {
            Some("the estimate is of one class an example")
        }
    }
}

/// Why a list by a ranking is not one of suspects, if that is known.
fn not_a_list_of_suspects(ranking: &Ranking<'_>) -> Option<String> {
    let name = &ranking.name;
    if let Some(term) = name.split(SUM).find(|term| says_nothing_of_labels(term)) {
        return Some(format!("{term} does not say which labels are wrong"));
    }
    let known = direction_of(name).filter(|known| *known != ranking.direction)?;
    Some(format!(
        "by its name {} values of {name} are hard, so that with the other end as the hard one the list begins \
         with the easiest examples; if its values are turned, give the column another name",
        hard_end(known)
    ))
}

/// Whether a score does not depend on the label, or not on whether networks contradict it: what is always
/// predicted wrongly varies as little as what is always predicted rightly.
fn says_nothing_of_labels(column: &str) -> bool {
    let of_kind = |kind| {
        matches!(
            kind,
            ScoreKind::Entropy
                | ScoreKind::InputNorm
                | ScoreKind::Variability
                | ScoreKind::DynUnc
                | ScoreKind::Tdds
                | ScoreKind::LossStd
                | ScoreKind::LossDrop
                | ScoreKind::Length
                | ScoreKind::ErrorStd
        )
    };
    match plain_name(column) {
        Some((_, Some(kind))) => of_kind(kind),
        Some((name, None)) => WITHOUT_LABEL.contains(&name.as_str()),
        None => false,
    }
}

/// What the values of a column say about the label, where its name tells.
fn score_of(column: &str) -> Option<LabelScore> {
    match plain_name(column)? {
        (name, _) if name.contains(PART) => None,
        (_, Some(kind)) => LabelScore::of(kind),
        (name, None) => SAME_AS.iter().find(|(known, _)| *known == name).map(|(_, score)| *score),
    }
}

/// `about 4,400 labels look wrong (8.8 %, 95 % interval 8.1 to 9.6 %; fit of aum@8): the first 4,150
/// suspects, down to aum@8 ≤ -1.213`.
impl std::fmt::Display for WrongLabelCount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(found) = &self.estimate else {
            let why = self.cannot_tell.as_deref().unwrap_or_default();
            let of = self.column.as_ref().map_or(String::new(), |column| format!(" from {column}"));
            return write!(f, "how many labels are wrong cannot be told{of}: {why}");
        };
        let sign = match found.direction {
            Direction::HigherIsHarder => '≥',
            Direction::LowerIsHarder => '≤',
        };
        let Interval { low, high } = found.interval;
        write!(
            f,
            "about {} labels look wrong ({:.1} %, 95 % interval {:.1} to {:.1} %; fit of {}): the first \
             {} suspects, down to {} {sign} {:.3}",
            group_digits(&rounded(found.count).to_string()),
            found.fraction * 100.0,
            low * 100.0,
            high * 100.0,
            self.column.as_deref().unwrap_or_default(),
            group_digits(&found.suspects.to_string()),
            found.by,
            found.down_to,
        )
    }
}

/// To two digits: no more of them are known.
fn rounded(count: usize) -> usize {
    let step = 10_usize.pow(count.checked_ilog10().unwrap_or_default().saturating_sub(1));
    (count + step / 2) / step * step
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Column, Table};

    /// 900 labels that networks believe and 100 that they contradict, as AUM.
    fn aum() -> Vec<f32> {
        let spread = |n: usize, i: usize| ((i as f32 + 0.5) / n as f32 - 0.5) * 2.0;
        let right = (0..900).map(|i| 3.0 + 2.0 * spread(900, i) + spread(900, i).powi(3));
        right.chain((0..100).map(|i| -3.0 + spread(100, i))).collect()
    }

    /// The same as probabilities of the label.
    fn confidence() -> Vec<f32> {
        aum().into_iter().map(|margin| 1.0 / (1.0 + (-margin).exp())).collect()
    }

    fn table(columns: &[(&str, Vec<f32>)]) -> ScoreTable {
        labelled(columns, &[])
    }

    fn labelled(columns: &[(&str, Vec<f32>)], whole: &[(&str, Vec<u32>)]) -> ScoreTable {
        let mut table = Table::default();
        for (name, values) in whole {
            table.push(*name, Column::U32(values.clone())).unwrap();
        }
        for (name, values) in columns {
            table.push(*name, Column::F32(values.clone())).unwrap();
        }
        ScoreTable::of(table).unwrap()
    }

    fn count(table: &ScoreTable, by: &str) -> WrongLabelCount {
        table.wrong_labels(&table.ranking(by, None).unwrap()).unwrap()
    }

    /// Who reads columns as they are needed comes to the same.
    #[test]
    fn the_columns_that_are_named_are_all_that_it_looks_at() {
        let el2n: Vec<f32> = (0..1000).map(|i| i as f32 / 1000.0).collect();
        let right: Vec<f32> =
            confidence().into_iter().map(|p| f32::from(u8::from(p > 0.5))).collect();
        let label: Vec<u32> = (0..1000).map(|i| i % 5).collect();
        let predicted: Vec<u32> = label
            .iter()
            .zip(&right)
            .map(|(label, right)| (label + u32::from(*right == 0.0)) % 5)
            .collect();
        let whole =
            [("id", (0..1000).rev().collect()), ("label", label), ("predicted@1", predicted)];
        let floats = [
            ("margin-of-mean@4", el2n.clone()),
            ("el2n@4", el2n),
            ("confidence@4", confidence()),
            ("confidence@1", confidence()),
            ("correct@2", right),
            ("loss@2", confidence().into_iter().map(|p| -p.ln()).collect()),
            ("aum@2", aum()),
        ];
        // Of a list at 4: what tells there, but for predictions; at an earlier time with them; a margin.
        for (shown, from) in [(4, "confidence@1"), (6, "loss@2"), (7, "aum@2"), (2, "")] {
            let some: Vec<_> = floats[..shown].to_vec();
            let table = labelled(&some, if shown == 6 { &whole[..2] } else { &whole[..] });
            let expected = table.telling("margin-of-mean@4");
            let names = table.columns_of_wrong_labels("margin-of-mean@4").unwrap();
            let mut fewer = Table::default();
            for name in &names {
                fewer.push(name, table.columns().column(name).unwrap().clone()).unwrap();
            }
            let fewer = ScoreTable::of(fewer).unwrap();
            assert_eq!(fewer.telling("margin-of-mean@4"), expected);
            assert_eq!(expected.as_ref().map_or("", |(column, _)| column), from, "{names:?}");
            if let Some((column, score)) = &expected {
                let rows: Vec<usize> = (0..1000).collect();
                let said = |table: &ScoreTable| table.mispredicted(column, *score, &rows);
                assert_eq!(said(&fewer), said(&table));
            }
            assert!(!names.iter().any(|name| name == "el2n@4"), "{names:?}");
        }
        let table = labelled(&floats, &whole);
        assert_eq!(table.columns_of_wrong_labels("aum@2").unwrap(), ["aum@2", "id", "label"]);
    }

    #[test]
    fn a_list_by_another_score_goes_down_to_as_many() {
        let el2n: Vec<f32> = (0..1000).map(|i| i as f32 / 1000.0).collect();
        let table = table(&[("el2n@3", el2n), ("aum@3", aum())]);
        let own = count(&table, "aum@3");
        assert_eq!(own.column.as_deref(), Some("aum@3"));
        let estimate = own.estimate.as_ref().unwrap();
        assert_eq!((estimate.count, estimate.suspects), (100, 100));
        assert!(estimate.down_to < -1.9 && estimate.down_to > -2.1, "{own}");
        let other = count(&table, "el2n@3");
        assert_eq!(other.column.as_deref(), Some("aum@3"));
        assert_eq!(other.estimate.as_ref().unwrap().down_to, 0.9);
        let text = other.to_string();
        assert!(text.starts_with("about 100 labels look wrong (10.0 %, 95 % interval "), "{text}");
        assert!(
            text.ends_with("; fit of aum@3): the first 100 suspects, down to el2n@3 ≥ 0.900"),
            "{text}"
        );
    }

    #[test]
    fn the_column_of_the_same_time_goes_before_a_better_one_of_another() {
        let confidence = vec![0.9; 1000];
        let columns = [
            ("el2n@1", aum()),
            ("el2n@2", aum()),
            ("el2n@5", aum()),
            ("el2n@6", aum()),
            ("loss@1", vec![0.5; 1000]),
            ("confidence@1", confidence.clone()),
            ("log-margin@2", aum()),
            ("aum@2", aum()),
            ("confidence@3", confidence),
            ("log-margin@6", aum()),
        ];
        let times = ["el2n@1", "el2n@2", "el2n@5", "el2n@6"];
        let found = |table: &ScoreTable| times.map(|by| count(table, by).column.unwrap());
        let two_classes = labelled(&columns, &[("label", [0, 1].repeat(500))]);
        assert_eq!(found(&two_classes), ["confidence@1", "aum@2", "aum@2", "log-margin@6"]);
        // Of more classes it is not known what is predicted where confidence is low.
        assert_eq!(found(&table(&columns)), ["aum@2", "aum@2", "aum@2", "log-margin@6"]);
    }

    /// Networks that are sure of most labels, and unsure of many that they predict rightly all the same.
    #[test]
    fn unsure_is_not_wrong_where_there_are_many_classes() {
        let logistic = |i: usize, n: usize| {
            let u = (i as f32 + 0.5) / n as f32;
            0.25 * (u / (1.0 - u)).ln()
        };
        let p = |z: f32| 1.0 / (1.0 + (-z).exp());
        let sure = (0..3000).map(|i| p(3.0 + logistic(i, 3000)));
        let p: Vec<f32> = sure.chain((0..2000).map(|i| p(-1.0 + logistic(i, 2000)))).collect();
        let loss: Vec<f32> = p.iter().map(|p| -p.ln()).collect();
        let l1: Vec<f32> = p.iter().map(|p| 2.0 * (1.0 - p)).collect();
        let scores = [("confidence@3", p), ("loss@3", loss), ("l1@3", l1)];
        let label: Vec<u32> = (0..5000).map(|i| i % 100).collect();
        let other: Vec<u32> = label.iter().map(|label| (label + 1) % 100).collect();
        let doubted = |right: &[u32], wrong: &[u32]| [&right[..3000], &wrong[3000..]].concat();
        let fractions = |right: f32| [vec![0.9; 3000], vec![right; 2000]].concat();
        for score in scores {
            let by = score.0;
            let told = |columns: &[(&str, Vec<f32>)], whole: &[(&str, Vec<u32>)]| {
                let columns = [std::slice::from_ref(&score), columns].concat();
                let whole = [&[("label", label.clone())], whole].concat();
                count(&labelled(&columns, &whole), by)
            };
            // Nothing says that another class is predicted.
            let unknown = told(&[], &[]).to_string();
            for word in ["from ", by, "predictions are not known", "correctness@3", "predicted@3"] {
                assert!(unknown.contains(word), "{word}: {unknown}");
            }
            let other_time = told(&[("correct@2", fractions(1.0))], &[]);
            assert_eq!(other_time.to_string(), unknown);
            // A count of presentations is no fraction of them.
            let counts = told(&[("correctness@3", vec![2.0; 5000])], &[]);
            assert_eq!(counts.to_string(), unknown);
            // The label is what is predicted.
            let none = "there is no group of examples whose labels the networks contradict";
            for right in [
                told(&[], &[("predicted@3", label.clone())]),
                told(&[("correct@3", fractions(0.75))], &[]),
                told(&[("correctness@3", fractions(0.6))], &[]),
            ] {
                assert!(right.estimate.is_none() && right.to_string().contains(none), "{right}");
            }
            // It is not.
            let wrong = match by {
                "confidence@3" => told(&[("correctness@3", fractions(0.2))], &[]),
                "loss@3" => told(&[("correct@3", fractions(0.25))], &[]),
                _ => told(&[], &[("predicted@3", doubted(&label, &other))]),
            };
            let found = wrong.estimate.as_ref().expect("it is told");
            assert!((found.fraction - 0.4).abs() < 0.01, "{wrong}");
        }
    }

    #[test]
    fn two_classes_need_no_predictions() {
        let two = labelled(&[("confidence@1", confidence())], &[("label", [0, 1].repeat(500))]);
        let found = count(&two, "confidence@1").estimate.expect("it is told");
        assert_eq!(found.count, 100);
    }

    #[test]
    fn a_list_that_begins_with_the_easiest_is_not_one_of_suspects() {
        let values: Vec<f32> = (0..1000).map(|i| i as f32 / 1000.0).collect();
        let table = table(&[
            ("el2n@3", values.clone()),
            ("mine", values.clone()),
            ("entropy@3", values.clone()),
            ("input-norm@0", values),
            ("aum@3", aum()),
        ]);
        let told = |by, hard| table.wrong_labels(&table.ranking(by, hard).unwrap()).unwrap();
        let (low, high) = (Direction::LowerIsHarder, Direction::HigherIsHarder);
        for (by, turned, end) in [("aum@3", high, "low"), ("el2n@3", low, "high")] {
            let found = told(by, Some(turned));
            assert!(found.estimate.is_none() && found.column.is_none(), "{found}");
            let text = found.to_string();
            assert!(text.contains(&format!("{end} values of {by} are hard")), "{text}");
            assert!(text.contains("the easiest examples"), "{text}");
            let right = Some(if turned == high { low } else { high });
            assert_eq!(told(by, right), told(by, None));
            assert!(told(by, None).estimate.is_some());
        }
        // Nobody knows which end of it is hard but who asks.
        assert!(told("mine", Some(low)).estimate.is_some());
        for by in ["entropy@3", "input-norm@0", "aum@3+entropy@3"] {
            let text = told(by, None).to_string();
            assert!(text.contains("does not say which labels are wrong"), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_told_has_no_number() {
        let alone = table(&[("mine", aum()), ("el2n@1", aum())]);
        let text = count(&alone, "el2n@1").to_string();
        assert_eq!(
            text,
            "how many labels are wrong cannot be told: el2n@1 does not tell it, and there is no AUM, log \
             margin, confidence or loss in the table"
        );
        let right: Vec<f32> = aum()[..900].to_vec();
        let text = count(&table(&[("aum@1", right)]), "aum@1").to_string();
        assert!(
            text.starts_with("how many labels are wrong cannot be told from aum@1: "),
            "{text}"
        );
        let percents = count(&table(&[("confidence@1", aum())]), "confidence@1").to_string();
        assert!(percents.contains("not a probability in [0, 1]"), "{percents}");
    }

    #[test]
    fn examples_without_a_score_are_left_out() {
        let mut values = aum();
        values.extend([f32::NAN; 50]);
        let with = count(&table(&[("aum@1", values)]), "aum@1");
        assert_eq!(with, count(&table(&[("aum@1", aum())]), "aum@1"));
    }

    #[test]
    fn counts_are_told_to_two_digits() {
        assert_eq!([0, 7, 12, 149, 4449].map(rounded), [0, 7, 12, 150, 4400]);
    }
}
