//! Pictures and labels in Parquet, in the types that people's tools write.

use crate::flat::*;
use crate::support::*;
use arrow_array::types::{Int8Type, UInt32Type};
use arrow_array::{
    ArrayRef, BinaryViewArray, BooleanArray, Decimal128Array, DictionaryArray, Float32Array,
    Int64Array, LargeBinaryArray, LargeStringArray, StringArray, StringViewArray, UInt64Array,
};
use datadiet_core::Silent;
use datadiet_data::{ImportOptions, read};
use std::path::Path;
use std::sync::Arc;

fn pictures() -> Vec<Vec<u8>> {
    [10, 20, 30, 40].map(flat_png).to_vec()
}

fn message(path: &Path) -> String {
    detect_and_read(path).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn labels_of_any_type_are_whole_numbers_or_names() {
    let texts = vec!["dog", "cat", "dog", "10"];
    let names: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(texts.clone())),
        Arc::new(LargeStringArray::from(texts.clone())),
        Arc::new(StringViewArray::from(texts.clone())),
        Arc::new(texts.iter().copied().collect::<DictionaryArray<Int8Type>>()),
        Arc::new(texts.iter().copied().collect::<DictionaryArray<UInt32Type>>()),
    ];
    for column in names {
        let here = folder();
        let file = here.path().join("x.parquet");
        write_columns(&file, vec![("image", bytes_column(&pictures())), ("label", column)], None);
        let found = detect_and_read(&file).unwrap();
        assert_eq!(found.classes, ["10", "cat", "dog"]);
        assert_eq!(classes_of(&found, &found.train), texts);
        assert_eq!(values(&found.train), [10, 20, 30, 40]);
    }
    let decimals =
        Decimal128Array::from(vec![100, 0, 1000, 100]).with_precision_and_scale(9, 2).unwrap();
    let numbers: Vec<ArrayRef> = vec![
        Arc::new(Float32Array::from(vec![1.0, 0.0, 10.0, 1.0])),
        Arc::new(UInt64Array::from(vec![Some(1), Some(0), Some(10), Some(1)])),
        Arc::new(StringArray::from(vec!["1", "0", "10", "1"])),
        Arc::new(decimals),
    ];
    for column in numbers {
        let here = folder();
        let file = here.path().join("x.parquet");
        write_columns(&file, vec![("image", bytes_column(&pictures())), ("label", column)], None);
        let options = ImportOptions { allow_empty_class: true, ..Default::default() };
        let found = read(&file, None, &options, &Silent).unwrap();
        assert_eq!((found.train.labels, found.classes.len()), (vec![1, 0, 10, 1], 11));
    }
    let here = folder();
    let file = here.path().join("x.parquet");
    let column: ArrayRef = Arc::new(BooleanArray::from(vec![true, false, true, true]));
    write_columns(&file, vec![("image", bytes_column(&pictures())), ("label", column)], None);
    let found = detect_and_read(&file).unwrap();
    assert_eq!(
        (found.train.labels, found.classes),
        (vec![1, 0, 1, 1], vec!["false".into(), "true".into()])
    );
}

#[test]
fn labels_that_are_missing_or_no_classes_are_named() {
    for (column, said) in [
        (
            Arc::new(Int64Array::from(vec![Some(0), None, Some(1), Some(0)])) as ArrayRef,
            "row 1 has no label",
        ),
        (Arc::new(Float32Array::from(vec![0.0, 1.0, f32::NAN, 0.0])), "row 2 has no label"),
        (Arc::new(Float32Array::from(vec![0.0, 1.0, 0.5, 0.0])), "row 2 has the label 0.5"),
    ] {
        let here = folder();
        let file = here.path().join("x.parquet");
        write_columns(&file, vec![("image", bytes_column(&pictures())), ("label", column)], None);
        let message = message(&file);
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn pictures_may_be_bytes_of_any_width() {
    let all = pictures();
    for column in [
        Arc::new(LargeBinaryArray::from_iter_values(&all)) as ArrayRef,
        Arc::new(BinaryViewArray::from_iter_values(&all)),
    ] {
        let here = folder();
        let file = here.path().join("x.parquet");
        let labels: ArrayRef = Arc::new(Int64Array::from(vec![0, 1, 0, 1]));
        write_columns(&file, vec![("data", column), ("label", labels)], None);
        assert_eq!(values(&detect_and_read(&file).unwrap().train), [10, 20, 30, 40]);
    }
}

#[test]
fn columns_are_chosen_by_name_or_asked_for() {
    let here = folder();
    let file = here.path().join("x.parquet");
    let numbers = |numbers: [i64; 4]| Arc::new(Int64Array::from(numbers.to_vec())) as ArrayRef;
    let (image, mask) = (bytes_column(&pictures()), bytes_column(&[1, 2, 3, 4].map(flat_png)));
    write_columns(
        &file,
        vec![
            ("mask", mask.clone()),
            ("image", image.clone()),
            ("coarse_label", numbers([0, 0, 0, 1])),
            ("fine_label", numbers([0, 1, 2, 3])),
        ],
        None,
    );
    let found = detect_and_read(&file).unwrap();
    assert_eq!(
        (values(&found.train), found.train.labels),
        (vec![10, 20, 30, 40], vec![0, 1, 2, 3])
    );
    assert!(found.notes.decided.iter().any(|line| line.contains("fine_label, not coarse_label")));
    let options = ImportOptions { label: Some("coarse_label".into()), ..Default::default() };
    assert_eq!(read(&file, None, &options, &Silent).unwrap().train.labels, [0, 0, 0, 1]);
    let options = ImportOptions { label: Some("nothing".into()), ..Default::default() };
    let refused = read(&file, None, &options, &Silent).unwrap_err().to_string();
    assert!(refused.contains("called nothing"), "{refused}");

    let caption: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c", "d"]));
    let age = || vec![("image", image.clone()), ("age", numbers([0, 1, 0, 1]))];
    write_columns(
        &file,
        [age(), vec![("caption", caption), ("id", numbers([7, 8, 9, 6]))]].concat(),
        None,
    );
    let found = detect_and_read(&file).unwrap();
    assert!(found.notes.decided.iter().any(|line| line.contains("from the column age (--label)")));
    write_columns(&file, [age(), vec![("sex", numbers([0, 0, 1, 1]))]].concat(), None);
    assert!(message(&file).contains("--label NAME"), "{}", message(&file));
    let two = vec![("a", image.clone()), ("b", mask), ("label", numbers([0, 1, 0, 1]))];
    write_columns(&file, two, None);
    assert!(
        message(&file).contains("one of several called image, but has 2"),
        "{}",
        message(&file)
    );
}

/// Two files number the same names otherwise.
#[test]
fn files_are_joined_by_the_names_of_classes() {
    let here = folder();
    let labels = |labels: [i64; 4]| Arc::new(Int64Array::from(labels.to_vec())) as ArrayRef;
    let columns = |numbers| vec![("image", bytes_column(&pictures())), ("label", labels(numbers))];
    let write = |name: &str, numbers, names: Option<&[&str]>| {
        write_columns(&here.path().join(name), columns(numbers), names);
    };
    write("train-0.parquet", [0, 1, 2, 0], Some(&["ant", "bee", "cow"]));
    write("train-1.parquet", [0, 1, 2, 0], Some(&["cow", "bee", "ant"]));
    write("test.parquet", [0, 1, 1, 0], Some(&["cow", "ant"]));
    let found = detect_and_read(here.path()).unwrap();
    assert_eq!(found.train.labels, [0, 1, 2, 0, 2, 1, 0, 2]);
    let test = found.test.as_ref().unwrap();
    assert_eq!(classes_of(&found, test), ["cow", "ant", "ant", "cow"]);

    write("test.parquet", [0, 1, 1, 0], Some(&["cow", "dog"]));
    assert!(message(here.path()).contains("`dog` is not among"), "{}", message(here.path()));
    write("test.parquet", [0, 1, 2, 0], Some(&["cow", "ant"]));
    assert!(message(here.path()).contains("the label 2, but names 2"), "{}", message(here.path()));
    write("test.parquet", [0, 1, 2, 0], None);
    let found = detect_and_read(here.path()).unwrap();
    assert_eq!(found.test.unwrap().labels, [0, 1, 2, 0]);
    assert!(
        found
            .notes
            .decided
            .iter()
            .any(|line| line.contains("test.parquet are numbers without names"))
    );
}

#[test]
fn texts_and_numbers_are_not_joined() {
    let here = folder();
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["cat", "dog", "cat", "dog"]));
    let columns = vec![("image", bytes_column(&pictures())), ("label", texts)];
    write_columns(&here.path().join("train.parquet"), columns, None);
    write_labelled_parquet(&here.path().join("test.parquet"), &pictures(), &[0, 1, 0, 1]);
    assert!(
        message(here.path()).contains("labels of other files are texts"),
        "{}",
        message(here.path())
    );
}

/// All of them -1, missing, or no such column.
#[test]
fn a_test_split_without_labels_is_left_out() {
    let here = folder();
    write_labelled_parquet(&here.path().join("train.parquet"), &pictures(), &[0, 1, 0, 1]);
    let nulls: ArrayRef = Arc::new(Int64Array::from(vec![None::<i64>; 4]));
    let minus: ArrayRef = Arc::new(Int64Array::from(vec![-1; 4]));
    for label in [vec![("label", minus)], vec![("label", nulls)], vec![]] {
        let columns = [vec![("image", bytes_column(&pictures()))], label].concat();
        write_columns(&here.path().join("test.parquet"), columns, None);
        let found = detect_and_read(here.path()).unwrap();
        assert!(found.test.is_none());
        let reason = "pictures of the test split, whose labels are all -1 or missing";
        assert_eq!(left_out(&found), [(reason, 4)]);
    }
    write_labelled_parquet(&here.path().join("validation.parquet"), &pictures()[..2], &[1, 0]);
    let found = detect_and_read(here.path()).unwrap();
    assert_eq!(found.test.unwrap().labels, [1, 0]);
    assert!(found.notes.decided[0].contains("validation split is the test split"));
    write_labelled_parquet(&here.path().join("test.parquet"), &pictures(), &[0, -1, 0, 1]);
    assert!(
        message(here.path()).contains("test example 1 has label -1"),
        "{}",
        message(here.path())
    );
}
