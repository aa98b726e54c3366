//! How many labels of a table look wrong, and how far down a list of suspects they go.
//!
//! The estimate is [`datadiet_core::wrong_labels`] of one column: the list's own where it is AUM,
//! confidence, loss or L1, else the one of these that the table has at the same time, else the latest.
//! No other column is taken: what its values say about the label is not known, or (EL2N, margins of
//! probabilities) the estimate was far off on known noise.

use std::cmp::Reverse;

use datadiet_core::{Direction, Interval, LabelScore, ScoreKind, group_digits, wrong_labels};
use serde::Serialize;

use crate::ranking::{SUM, kind_of, time_of};
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
        let Some((column, score)) = self.telling(ranking) else {
            return Ok(WrongLabelCount {
                column: None,
                estimate: None,
                cannot_tell: Some(format!(
                    "{} does not tell it, and there is no AUM, confidence or loss in the table",
                    ranking.name
                )),
            });
        };
        let values = scored(self.columns().floats(&column)?);
        let cannot = |why: String| WrongLabelCount {
            column: Some(column.clone()),
            estimate: None,
            cannot_tell: Some(why),
        };
        // Values that the score cannot have are no reason to refuse the list.
        let found = match wrong_labels(&values, score, SEED) {
            Ok(Ok(found)) => found,
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

    /// The column that tells how many labels are wrong, and what its values are.
    fn telling(&self, ranking: &Ranking<'_>) -> Option<(String, LabelScore)> {
        let own = score_of(&ranking.name).filter(|score| score.direction() == ranking.direction);
        if let Some(score) = own {
            return Some((ranking.name.clone(), score));
        }
        let order = [LabelScore::Margin, LabelScore::Probability, LabelScore::Loss, LabelScore::L1];
        let time = time_of(&ranking.name);
        let known = self.scores().into_iter().filter_map(|name| Some((name, score_of(name)?)));
        let rank = |(name, score): &(&str, LabelScore)| {
            let latest = time_of(name).unwrap_or_default();
            let place = order.iter().position(|known| known == score);
            // Times are at least 0, and of such the bits are in order.
            (time.is_some() && time_of(name) != time, place, Reverse(latest.to_bits()))
        };
        known.min_by_key(rank).map(|(name, score)| (name.to_owned(), score))
    }
}

/// What the values of a column say about the label, where its name tells.
fn score_of(column: &str) -> Option<LabelScore> {
    if let Some(kind) = kind_of(column) {
        return LabelScore::of(kind);
    }
    let name = column
        .split('@')
        .next()
        .filter(|_| !column.contains(SUM))?
        .to_lowercase()
        .replace(['-', ' ', '.'], "_");
    if let Ok(kind) = name.replace('_', "-").parse::<ScoreKind>() {
        return LabelScore::of(kind);
    }
    SAME_AS.iter().find(|(known, _)| *known == name).map(|(_, score)| *score)
}

/// The values that there are.
fn scored(values: &[f32]) -> Vec<f32> {
    values.iter().copied().filter(|value| !value.is_nan()).collect()
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

    fn table(columns: &[(&str, Vec<f32>)]) -> ScoreTable {
        let mut table = Table::default();
        for (name, values) in columns {
            table.push(*name, Column::F32(values.clone())).unwrap();
        }
        ScoreTable::of(table).unwrap()
    }

    fn count(table: &ScoreTable, by: &str) -> WrongLabelCount {
        table.wrong_labels(&table.ranking(by, None).unwrap()).unwrap()
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
        let table = table(&[
            ("el2n@1", aum()),
            ("el2n@2", aum()),
            ("el2n@5", aum()),
            ("loss@1", vec![0.5; 1000]),
            ("confidence@1", confidence.clone()),
            ("aum@2", aum()),
            ("confidence@3", confidence),
        ]);
        let column = |by| count(&table, by).column.unwrap();
        assert_eq!(
            [column("el2n@1"), column("el2n@2"), column("el2n@5")],
            ["confidence@1", "aum@2", "aum@2"]
        );
    }

    #[test]
    fn what_cannot_be_told_has_no_number() {
        let alone = table(&[("mine", aum()), ("el2n@1", aum())]);
        let text = count(&alone, "el2n@1").to_string();
        assert_eq!(
            text,
            "how many labels are wrong cannot be told: el2n@1 does not tell it, and there is no AUM, \
             confidence or loss in the table"
        );
        let right: Vec<f32> = aum()[..900].to_vec();
        let text = count(&table(&[("aum@1", right)]), "aum@1").to_string();
        assert!(
            text.starts_with("how many labels are wrong cannot be told from aum@1: "),
            "{text}"
        );
        // Someone else's column of this name that says it is turned round is not AUM.
        let turned = alone.ranking("mine", Some(Direction::LowerIsHarder)).unwrap();
        assert!(alone.wrong_labels(&turned).unwrap().estimate.is_none());
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
