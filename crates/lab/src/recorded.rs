//! From recorded trainings to a score table: the columns that each replica brought, whoever trained
//! it, as [`crate::aggregate()`] makes them from the store.

use datadiet_core::ScoreKind;
use datadiet_table::{Column, Table};

use crate::LabError;
use crate::aggregate::{ScoreTable, TimePoint, add, most_predicted};

/// What a table of recorded scores says about their pass of the network, where nobody says more.
pub const RECORDED_PASS: &str = "as the training loop recorded it, one row an example and epoch";

/// Scores of one training.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// Each score and time, with one value an example; NaN where there is none.
    pub scores: Vec<(ScoreKind, TimePoint, Vec<f32>)>,
    /// Predicted classes at some times, with one class an example; none where it was not seen.
    pub predicted: Vec<(TimePoint, Vec<Option<u32>>)>,
}

/// The table of some replicas that recorded the same scores at the same times: `id`, `label` where
/// known, means, standard errors where there are several, and the class that most replicas predict
/// (at times when every example was seen by one).
///
/// # Errors
/// When there is no replica, or one recorded other scores, times or examples than the first.
pub fn recorded(
    replicas: &[Recorded],
    labels: Option<&[u32]>,
    classes: usize,
) -> Result<ScoreTable, LabError> {
    let first = replicas.first().ok_or_else(|| LabError::Plan("there is no replica".into()))?;
    let mut table = Table::default();
    if let Some(examples) = examples(first) {
        table.push("id", Column::U32((0..examples as u32).collect()))?;
    }
    if let Some(labels) = labels {
        table.push("label", Column::U32(labels.to_vec()))?;
    }
    let mut columns = Vec::new();
    for (place, (kind, time, _)) in first.scores.iter().enumerate() {
        let of = |replica: &'_ Recorded| match replica.scores.get(place) {
            Some((same, at, _)) if same == kind && at == time => Ok(()),
            _ => Err(differ()),
        };
        replicas.iter().try_for_each(of)?;
        let values: Vec<&[f32]> =
            replicas.iter().map(|replica| replica.scores[place].2.as_slice()).collect();
        columns.push(add(&mut table, *kind, time, &values)?);
    }
    for (place, (time, _)) in first.predicted.iter().enumerate() {
        let runs = replicas.iter().map(|replica| match replica.predicted.get(place) {
            Some((at, classes)) if at == time => Ok(classes.as_slice()),
            _ => Err(differ()),
        });
        let runs: Vec<&[Option<u32>]> = runs.collect::<Result<_, _>>()?;
        let votes_of = |example: usize| runs.iter().filter_map(move |run| run[example]);
        if let Some(predicted) = most_predicted(table.rows(), classes, votes_of) {
            table.push(format!("predicted@{}", time.epochs), Column::U32(predicted))?;
        }
    }
    if replicas.iter().any(|replica| replica.scores.len() != first.scores.len()) {
        return Err(differ());
    }
    Ok(ScoreTable { table, columns })
}

fn examples(replica: &Recorded) -> Option<usize> {
    replica.scores.first().map(|(_, _, values)| values.len())
}

fn differ() -> LabError {
    LabError::Plan(
        "the replicas recorded different scores or times; record the same number of epochs in each, \
         and keep the same ones"
            .into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica(values: &[f32], predicted: &[u32]) -> Recorded {
        let time = TimePoint { epochs: 3.0, step: 3 };
        Recorded {
            scores: vec![(ScoreKind::El2n, time.clone(), values.to_vec())],
            predicted: vec![(time, predicted.iter().copied().map(Some).collect())],
        }
    }

    #[test]
    fn replicas_become_means_with_standard_errors() {
        let replicas = [replica(&[1.0, 0.5], &[0, 1]), replica(&[0.0, 0.5], &[0, 0])];
        let made = recorded(&replicas, Some(&[0, 1]), 2).unwrap();
        let names: Vec<&str> = made.table.names().collect();
        assert_eq!(names, ["id", "label", "el2n@3", "el2n@3.se", "predicted@3"]);
        assert_eq!(made.table.floats("el2n@3").unwrap(), [0.5, 0.5]);
        assert_eq!(made.table.floats("el2n@3.se").unwrap(), [0.5, 0.0]);
        // The second example has one vote for each class: the lowest.
        assert_eq!(made.table.integers("predicted@3").unwrap(), [0, 0]);
        assert_eq!((made.columns.len(), made.columns[0].mean), (1, 0.5));
    }

    #[test]
    fn one_replica_has_no_standard_error() {
        let made = recorded(&[replica(&[1.0], &[0])], None, 2).unwrap();
        assert_eq!(made.table.names().collect::<Vec<_>>(), ["id", "el2n@3", "predicted@3"]);
    }

    #[test]
    fn replicas_of_other_times_are_refused() {
        let mut other = replica(&[1.0], &[0]);
        other.scores[0].1.epochs = 4.0;
        assert!(recorded(&[replica(&[1.0], &[0]), other], None, 2).is_err());
        let mut more = replica(&[1.0], &[0]);
        more.scores.push((ScoreKind::Loss, TimePoint { epochs: 3.0, step: 3 }, vec![0.0]));
        assert!(recorded(&[replica(&[1.0], &[0]), more], None, 2).is_err());
    }
}
