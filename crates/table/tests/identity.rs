//! Laws of identity: whatever ids an owner gives and in whatever order, what is chosen from a table,
//! written to a file and read again is the same examples of the data set, or nothing.

use datadiet_core::ExampleId;
use datadiet_table::{
    Card, Column, KEY, OwnIds, Row, Rows, ScoreTable, Subset, SubsetFile, Table, TrainingSet,
    Truth, TruthKind,
};
use proptest::prelude::*;

/// Labels of a training set: more than one class, as one alone tells nothing of the order.
fn labels() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0u32..4, 8..60)
        .prop_filter("two classes", |labels| labels.iter().any(|&label| label != labels[0]))
}

/// A training set, and some of its examples in any order.
fn examples() -> impl Strategy<Value = (Vec<u32>, Vec<u32>)> {
    labels().prop_flat_map(|labels| {
        let all: Vec<u32> = (0..labels.len() as u32).collect();
        let some = prop::sample::subsequence(all, 1..=labels.len()).prop_shuffle();
        (Just(labels), some)
    })
}

/// A table of scores of these examples; a score is the number of its example.
fn table(labels: &[u32], examples: &[u32], keys: Column) -> ScoreTable {
    let mut table = Table::default();
    table.push("id", Column::U32((0..examples.len() as u32).collect())).unwrap();
    table.push(KEY, keys).unwrap();
    let of = |&example: &u32| labels[example as usize];
    table.push("label", Column::U32(examples.iter().map(of).collect())).unwrap();
    table.push("el2n@1", Column::F32(examples.iter().map(|&e| e as f32).collect())).unwrap();
    ScoreTable::new(table, Card::new(Vec::new()))
}

fn set<'d>(labels: &'d [u32], keys: Option<OwnIds<'d>>) -> TrainingSet<'d> {
    let size = labels.len();
    TrainingSet { name: "mine", size, labels: Some(labels), keys, ..TrainingSet::default() }
}

/// Names that sort otherwise than the numbers in them.
fn name(example: u32) -> String {
    format!("picture {example}, of\tanother")
}

fn ids(examples: &[u32]) -> Vec<ExampleId> {
    examples.iter().copied().map(ExampleId).collect()
}

/// Rows that say nothing of themselves are all examples in order: else their labels show it.
fn bare<'t>(labels: &'t [u32]) -> Rows<'t> {
    Rows {
        name: "the table",
        ids: OwnIds::Rows(labels.len()),
        data: None,
        relabelled: false,
        labels: Some(labels),
        classes: &[],
    }
}

proptest! {
    #[test]
    fn a_row_is_the_example_of_its_id((labels, examples) in examples()) {
        let table = table(&labels, &examples, Column::U32(examples.clone()));
        // 0, 1, 2, … without all examples behind it may be any first few of them.
        let plain = examples.iter().zip(0..).all(|(&id, row)| id == row);
        let found = table.examples_in(&set(&labels, None));
        if plain && examples.len() < labels.len() {
            prop_assert!(found.is_err());
        } else {
            let found = found.unwrap();
            prop_assert_eq!(found.all(), &ids(&examples)[..]);
        }
    }

    #[test]
    fn a_row_is_the_example_of_its_name((labels, examples) in examples()) {
        let texts = |examples: &[u32]| -> Vec<String> { examples.iter().map(|&e| name(e)).collect() };
        let all: Vec<u32> = (0..labels.len() as u32).collect();
        let known = texts(&all);
        let table = table(&labels, &examples, Column::Text(texts(&examples)));
        let found = table.examples_in(&set(&labels, Some(OwnIds::Texts(&known)))).unwrap();
        prop_assert_eq!(found.all(), &ids(&examples)[..]);
        // A data set that knows no names cannot say which they are.
        prop_assert!(table.examples_in(&set(&labels, None)).is_err());
    }

    #[test]
    fn an_id_that_is_foreign_or_there_twice_is_refused(
        (labels, examples) in examples(), at in any::<prop::sample::Index>(), beyond in 0u32..1000
    ) {
        let at = at.index(examples.len());
        let labels_of: Vec<u32> = examples.iter().map(|&e| labels[e as usize]).collect();
        let with = |ids: &[u32], labels_of: &[u32]| {
            let rows = Rows { ids: OwnIds::Numbers(ids), ..bare(labels_of) };
            rows.examples_in(&set(&labels, None)).is_ok()
        };
        prop_assert!(with(&examples, &labels_of));
        let mut foreign = examples.clone();
        foreign[at] = labels.len() as u32 + beyond;
        prop_assert!(!with(&foreign, &labels_of));
        let (mut twice, mut labels_twice) = (examples.clone(), labels_of.clone());
        twice.push(examples[at]);
        labels_twice.push(labels_of[at]);
        prop_assert!(!with(&twice, &labels_twice));
    }

    #[test]
    fn rows_in_another_order_without_ids_are_refused(
        (labels, order) in labels().prop_flat_map(|labels| {
            let order: Vec<usize> = (0..labels.len()).collect();
            (Just(labels), Just(order).prop_shuffle())
        })
    ) {
        let moved: Vec<u32> = order.iter().map(|&row| labels[row]).collect();
        let found = bare(&moved).examples_in(&set(&labels, None));
        prop_assert_eq!(found.is_ok(), moved == labels);
    }

    #[test]
    fn a_subset_keeps_its_examples_in_every_format(
        (labels, examples) in examples(), texts in any::<bool>(), kept in any::<prop::sample::Index>()
    ) {
        let folder = tempfile::tempdir().unwrap();
        let all: Vec<String> = (0..labels.len() as u32).map(name).collect();
        let keys = match texts {
            true => Column::Text(examples.iter().map(|&e| name(e)).collect()),
            false => Column::U32(examples.clone()),
        };
        let path = folder.path().join("scores.parquet");
        table(&labels, &examples, keys).write(&path).unwrap();
        let table = ScoreTable::read(&path).unwrap();
        let rows: Vec<Row> = (0..=kept.index(examples.len()) as u32).map(Row).collect();
        let mut expected = ids(&examples[..rows.len()]);
        expected.sort_unstable();
        let known = texts.then_some(OwnIds::Texts(&all));
        let how = serde_json::json!({});
        let subset = Subset { table: &table, ranking: None, rows: &rows, how };
        for ending in ["parquet", "json", "txt", "npy"] {
            let path = folder.path().join(format!("subset.{ending}"));
            match subset.write(&path) {
                Ok(()) => {
                    let file = SubsetFile::read(&path).unwrap();
                    let found = file.examples_in(&set(&labels, known)).unwrap();
                    prop_assert_eq!(&found, &expected, "{}", ending);
                }
                Err(error) => prop_assert!(ending == "npy" && texts, "{}: {}", ending, error),
            }
        }
    }

    #[test]
    fn known_labels_are_those_of_the_same_examples(
        (labels, examples) in examples(), wrong in any::<prop::sample::Index>()
    ) {
        // The file has all examples, last first; one of those in the table has another label there.
        let wrong = wrong.index(examples.len());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("truth.csv");
        let mut lines = String::from("id,true_label\n");
        for example in (0..labels.len() as u32).rev() {
            let other = u32::from(example == examples[wrong]);
            lines += &format!("{},{}\n", name(example).replace(',', ";"), labels[example as usize] + other);
        }
        std::fs::write(&path, lines).unwrap();
        let keys = examples.iter().map(|&e| name(e).replace(',', ";")).collect();
        let table = table(&labels, &examples, Column::Text(keys));
        let truth = Truth::read(&path, &table, Some(TruthKind::Labels)).unwrap();
        let expected: Vec<bool> = (0..examples.len()).map(|row| row == wrong).collect();
        prop_assert_eq!(truth.wrong, expected);
    }
}
