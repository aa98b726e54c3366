//! From the replicas of a training to the columns of a table: mean, standard error and reliability
//! of every score, whoever trained it.

use std::fmt::Display;

use datadiet_core::{Measure, Task, mean_and_standard_error, reliability};

use crate::{Card, Column, ColumnSummary, ScoreTable, Table, TableError, TimePoint};

/// What a table of recorded scores says about their pass of the network, where nobody says more.
pub const RECORDED_PASS: &str = "as the training loop recorded it, one row an example and epoch";

/// Name of the column of a score, or a part of one, at a time: `el2n@4`, `loss:box@4`.
pub fn column_name(measure: impl Display, time: &TimePoint) -> String {
    format!("{measure}@{}", time.epochs)
}

/// Scores of one training.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// Each score and time, with one value an example; NaN where there is none.
    pub scores: Vec<(Measure, TimePoint, Vec<f32>)>,
    /// Predicted classes at some times, with one class an example; none where it was not seen.
    pub predicted: Vec<(TimePoint, Vec<Option<u32>>)>,
}

/// The columns of a table of replicas, and what is known about each, as they are made.
#[derive(Clone, Debug, Default)]
pub struct TableBuilder {
    table: Table,
    columns: Vec<ColumnSummary>,
    task: Task,
}

impl TableBuilder {
    /// Of another task than classification, whose scores mean what it says.
    pub fn of_task(task: Task) -> Self {
        Self { task, ..Self::default() }
    }

    /// Adds a column that is not a score.
    ///
    /// # Errors
    /// As [`Table::push`].
    pub fn push(&mut self, name: impl Into<String>, column: Column) -> Result<(), TableError> {
        self.table.push(name, column)
    }

    /// Adds the mean of a score over some replicas, and its standard error where there are several;
    /// gives the name of the column.
    ///
    /// # Errors
    /// When there is no replica, or two differ in length.
    pub fn add(
        &mut self,
        measure: impl Into<Measure>,
        time: &TimePoint,
        replicas: &[&[f32]],
    ) -> Result<String, TableError> {
        let measure = measure.into();
        let name = column_name(&measure, time);
        let (mean, error) = mean_and_standard_error(replicas)?;
        self.columns.push(summary(&name, (self.task, &measure), time, &mean, replicas));
        self.table.push(name.clone(), Column::F32(mean))?;
        if replicas.len() > 1 {
            self.table.push(format!("{name}.se"), Column::F32(error))?;
        }
        Ok(name)
    }

    /// Adds `predicted@time`, the class that most replicas predict, ties to the lowest; nothing where
    /// an example has no vote.
    ///
    /// # Errors
    /// As [`Table::push`].
    pub fn add_predicted<V: Iterator<Item = u32>>(
        &mut self,
        time: &TimePoint,
        examples: usize,
        votes_of: impl Fn(usize) -> V,
    ) -> Result<(), TableError> {
        match (0..examples).map(|example| most_voted(votes_of(example))).collect() {
            Some(predicted) => {
                self.table.push(format!("predicted@{}", time.epochs), Column::U32(predicted))
            }
            None => Ok(()),
        }
    }

    /// Adds what each of some replicas recorded: the same scores at the same times.
    ///
    /// # Errors
    /// When there is no replica, or one recorded other scores, times or examples than the first.
    pub fn add_recorded(&mut self, replicas: &[Recorded]) -> Result<(), TableError> {
        let none = || TableError::Column("there is no replica".into());
        let first = replicas.first().ok_or_else(none)?;
        if replicas.iter().any(|replica| !replica.is_like(first)) {
            return Err(TableError::Column(
                "the replicas recorded different scores or times; record the same number of epochs \
                 in each, and keep the same ones"
                    .into(),
            ));
        }
        for (place, (measure, time, _)) in first.scores.iter().enumerate() {
            let values: Vec<&[f32]> =
                replicas.iter().map(|replica| replica.scores[place].2.as_slice()).collect();
            self.add(measure.clone(), time, &values)?;
        }
        for (place, (time, seen)) in first.predicted.iter().enumerate() {
            let votes_of = |example: usize| {
                replicas.iter().filter_map(move |replica| replica.predicted[place].1[example])
            };
            self.add_predicted(time, seen.len(), votes_of)?;
        }
        Ok(())
    }

    /// The table, with a card that knows its task, columns and times, and the pass where one is given.
    pub fn finish(self, pass: Option<&str>) -> (Table, Card) {
        let task = self.task;
        let mut columns = self.columns;
        for column in &mut columns {
            if let Some(pass) = pass {
                column.definition.pass = pass.to_owned().into();
            }
        }
        let mut times: Vec<TimePoint> = Vec::new();
        for column in &columns {
            if !times.contains(&column.time) {
                times.push(column.time.clone());
            }
        }
        (self.table, Card { task, times, ..Card::new(columns) })
    }
}

/// The class that has the most votes, the lowest among equals; none where nobody votes.
pub fn most_voted(votes: impl Iterator<Item = u32>) -> Option<u32> {
    let mut votes: Vec<u32> = votes.collect();
    votes.sort_unstable();
    // Of equal runs the last is taken, which backwards is that of the lowest class.
    let most = votes.chunk_by(|a, b| a == b).rev().max_by_key(|run| run.len())?;
    most.first().copied()
}

impl Recorded {
    fn is_like(&self, other: &Self) -> bool {
        let scores = |of: &Self| -> Vec<(Measure, TimePoint)> {
            of.scores.iter().map(|(measure, time, _)| (measure.clone(), time.clone())).collect()
        };
        let times = |of: &Self| -> Vec<TimePoint> {
            of.predicted.iter().map(|(time, _)| time.clone()).collect()
        };
        scores(self) == scores(other) && times(self) == times(other)
    }
}

impl ScoreTable {
    /// The table of some replicas that recorded the same scores at the same times: `id`, `label`
    /// where known, means, standard errors where there are several, and the class that most replicas
    /// predict (at times when every example was seen by one). `pass` says which pass of the network
    /// the values are of.
    ///
    /// # Errors
    /// As [`TableBuilder::add_recorded`].
    pub fn recorded(
        replicas: &[Recorded],
        labels: Option<&[u32]>,
        pass: &str,
    ) -> Result<Self, TableError> {
        Self::recorded_of(Task::Classification, replicas, labels, pass)
    }

    /// The same of any task. Labels and predicted classes are those of a classification.
    ///
    /// # Errors
    /// As [`TableBuilder::add_recorded`].
    pub fn recorded_of(
        task: Task,
        replicas: &[Recorded],
        labels: Option<&[u32]>,
        pass: &str,
    ) -> Result<Self, TableError> {
        let mut made = TableBuilder::of_task(task);
        if let Some((_, _, values)) = replicas.first().and_then(|first| first.scores.first()) {
            made.push("id", Column::U32((0..values.len() as u32).collect()))?;
        }
        if let Some(labels) = labels {
            made.push("label", Column::U32(labels.to_vec()))?;
        }
        made.add_recorded(replicas)?;
        let (table, card) = made.finish(Some(pass));
        Ok(Self::new(table, Card { replicas: Some(replicas.len()), ..card }))
    }
}

fn summary(
    name: &str,
    (task, measure): (Task, &Measure),
    time: &TimePoint,
    mean: &[f32],
    replicas: &[&[f32]],
) -> ColumnSummary {
    let seen: Vec<f32> = mean.iter().copied().filter(|value| !value.is_nan()).collect();
    let sum: f64 = seen.iter().map(|&value| f64::from(value)).sum();
    ColumnSummary {
        name: name.into(),
        score: measure.kind(),
        time: time.clone(),
        direction: measure.kind().direction(),
        definition: task.definition_of(measure),
        mean: sum / seen.len() as f64,
        min: seen.iter().copied().fold(f32::INFINITY, f32::min),
        max: seen.iter().copied().fold(f32::NEG_INFINITY, f32::max),
        reliability: if replicas.len() > 1 { reliability(replicas).ok() } else { None },
    }
}

#[cfg(test)]
mod tests {
    use datadiet_core::ScoreKind;

    use super::*;

    fn replica(values: &[f32], predicted: &[u32]) -> Recorded {
        let time = TimePoint { epochs: 3.0, step: 3 };
        Recorded {
            scores: vec![(ScoreKind::El2n.into(), time.clone(), values.to_vec())],
            predicted: vec![(time, predicted.iter().copied().map(Some).collect())],
        }
    }

    #[test]
    fn replicas_become_means_with_standard_errors() {
        let replicas = [replica(&[1.0, 0.5], &[0, 1]), replica(&[0.0, 0.5], &[0, 0])];
        let made = ScoreTable::recorded(&replicas, Some(&[0, 1]), "mine").unwrap();
        let names: Vec<&str> = made.columns().names().collect();
        assert_eq!(names, ["id", "label", "el2n@3", "el2n@3.se", "predicted@3"]);
        assert_eq!(made.columns().floats("el2n@3").unwrap(), [0.5, 0.5]);
        assert_eq!(made.columns().floats("el2n@3.se").unwrap(), [0.5, 0.0]);
        // The second example has one vote for each class: the lowest.
        assert_eq!(made.columns().integers("predicted@3").unwrap(), [0, 0]);
        let card = made.card().unwrap();
        assert_eq!((card.columns.len(), card.columns[0].mean, card.replicas), (1, 0.5, Some(2)));
        assert_eq!((card.columns[0].definition.pass.as_ref(), card.times.len()), ("mine", 1));
    }

    #[test]
    fn one_replica_has_no_standard_error() {
        let made = ScoreTable::recorded(&[replica(&[1.0], &[0])], None, "").unwrap();
        let names: Vec<&str> = made.columns().names().collect();
        assert_eq!(names, ["id", "el2n@3", "predicted@3"]);
    }

    #[test]
    fn another_task_reads_its_scores_in_its_own_way() {
        let time = TimePoint { epochs: 3.0, step: 3 };
        let part = Measure::part(ScoreKind::Loss, "box").unwrap();
        let scores = vec![
            (ScoreKind::Loss.into(), time.clone(), vec![1.0]),
            (part, time.clone(), vec![0.5]),
        ];
        let recorded = Recorded { scores, predicted: Vec::new() };
        let made = ScoreTable::recorded_of(Task::Loss, &[recorded], None, "mine").unwrap();
        let names: Vec<&str> = made.columns().names().collect();
        assert_eq!(names, ["id", "loss@3", "loss:box@3"]);
        let card = made.card().unwrap();
        assert_eq!(card.task, Task::Loss);
        let formulas: Vec<_> =
            card.columns.iter().map(|column| &column.definition.formula).collect();
        assert_eq!(formulas[0], "the loss of the example, as it was given");
        assert_eq!(formulas[1], "the part `box` of the loss of the example, as it was given");
        assert!(card.columns.iter().all(|column| column.score == ScoreKind::Loss));
        assert_eq!(made.resolved("loss:box@end").unwrap(), "loss:box@3");
        assert_eq!(made.default_column().unwrap(), "loss@3");
    }

    #[test]
    fn replicas_of_other_times_are_refused() {
        let recorded =
            |other: Recorded| ScoreTable::recorded(&[replica(&[1.0], &[0]), other], None, "");
        let mut other = replica(&[1.0], &[0]);
        other.scores[0].1.epochs = 4.0;
        assert!(recorded(other).is_err());
        let mut more = replica(&[1.0], &[0]);
        more.scores.push((ScoreKind::Loss.into(), TimePoint { epochs: 3.0, step: 3 }, vec![0.0]));
        assert!(recorded(more).is_err());
        assert!(recorded(replica(&[1.0, 2.0], &[0])).is_err());
    }
}
