//! Folders of pictures as they are published, and as people have them.

use crate::flat::*;
use crate::support::*;
use datadiet_data::{Format, RawDataset};
use std::fs;
use std::path::Path;

fn message(path: &Path) -> String {
    detect_and_read(path).map(|_| ()).unwrap_err().to_string()
}

/// Each class with a picture's value.
fn pairs(dataset: &RawDataset) -> Vec<(&str, u8)> {
    classes_of(dataset, &dataset.train).into_iter().zip(values(&dataset.train)).collect()
}

#[test]
fn a_split_is_a_word_of_a_folder_that_holds_classes() {
    for [train, test] in [
        ["Train", "Test"],
        ["training", "testing"],
        ["TRAIN", "val"],
        ["birds-train", "birds-valid"],
        ["train_images", "dev"],
        ["train.2", "validation"],
    ] {
        let here = folder();
        // The given folder's own name says nothing.
        let root = here.path().join("test");
        let files = [(train, "a", 1), (train, "b", 2), (test, "a", 3), (test, "b", 4)]
            .map(|(split, class, value)| (format!("{split}/{class}/x.png"), value));
        write_flat(&root, &files.each_ref().map(|(name, value)| (&**name, *value)));
        let found = detect_and_read(&root).unwrap();
        assert_eq!(pairs(&found), [("a", 1), ("b", 2)], "{train}");
        assert_eq!(values(found.test.as_ref().unwrap()), [3, 4], "{test}");
    }
}

#[test]
fn a_folder_with_pictures_is_a_class_whatever_its_name() {
    let here = folder();
    write_flat(
        here.path(),
        &[("bus/1.png", 1), ("train/1.png", 2), ("val/1.png", 3), ("latest/1.png", 4)],
    );
    fs::remove_dir_all(here.path().join("val")).unwrap();
    let found = detect_and_read(here.path()).unwrap();
    assert_eq!(pairs(&found), [("bus", 1), ("latest", 4), ("train", 2)]);
    assert!(found.test.is_none());
}

#[test]
fn what_may_be_a_class_or_a_split_is_refused() {
    for (files, said) in [
        (&[("train/a/1.png", 1), ("bus/1.png", 2)][..], "rename the first if it is a class"),
        (&[("train/1.png", 1), ("test/1.png", 2)], "there are no labels"),
        (
            &[
                ("trainset/a/1.png", 1),
                ("trainset/b/1.png", 2),
                ("testset/a/1.png", 3),
                ("testset/b/1.png", 4),
            ],
            "all hold the same folders (a, b)",
        ),
        (&[("val/a/1.png", 1), ("test/a/1.png", 2)], "no folder of classes is called train"),
        (&[("train/a/1.png", 1), ("Training/a/1.png", 2)], "are both the train split"),
        (&[("train-test/a/1.png", 1)], "says both train and test"),
        (
            &[("cat/train/1.png", 1), ("cat/test/1.png", 1), ("dog/train/1.png", 2)],
            "lies below `cat`",
        ),
        (&[("set/train/a/1.png", 1), ("set/test/a/1.png", 1)], "lies below `set`"),
        (&[("images/a/1.png", 1), ("images/b/1.png", 2)], "the only class would be `images`"),
    ] {
        let here = folder();
        write_flat(here.path(), files);
        let message = message(here.path());
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn splits_without_labels_and_second_held_out_splits_are_left_out() {
    let here = folder();
    write_flat(
        here.path(),
        &[
            ("train/a/1.png", 1),
            ("train/b/1.png", 2),
            ("test/1.png", 3),
            ("test/2.png", 4),
            ("val/a/1.png", 5),
            ("extra/more/1.png", 6),
        ],
    );
    let found = detect_and_read(here.path()).unwrap();
    assert_eq!(values(found.test.as_ref().unwrap()), [5]);
    let unlabelled = "files of a split without folders of classes, so without labels";
    assert_eq!(left_out(&found), [(unlabelled, 2), ("files in folders beside the splits", 1)]);
    assert!(found.notes.decided[0].contains("validation split is the test split"));
    write_flat(here.path(), &[("testing/a/1.png", 7)]);
    let found = detect_and_read(here.path()).unwrap();
    assert_eq!(values(found.test.as_ref().unwrap()), [7]);
    assert!(
        left_out(&found).contains(&("files of the validation split, as there is a test split", 1))
    );
}

#[test]
fn deeper_folders_and_all_endings_are_read_and_the_rest_is_counted() {
    let here = folder();
    write_flat(
        here.path(),
        &[
            ("a/1.png", 1),
            ("a/deep/er/2.png", 2),
            ("a/deep/3.PNG", 3),
            ("b/4.png", 4),
            ("loose.png", 5),
            ("b/.hidden.png", 6),
        ],
    );
    let (x, y) = (
        b"P5 2 2 255\n\x07\x07\x07\x07",
        b"P6 2 2 255\n\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08",
    );
    write_files(
        here.path(),
        &[
            ("b/7.pgm".into(), x.to_vec()),
            ("b/8.ppm".into(), y.to_vec()),
            ("b/readme.txt".into(), b"text".to_vec()),
            ("b/table.csv".into(), b"text".to_vec()),
            ("readme".into(), b"text".to_vec()),
        ],
    );
    let found = detect_and_read(here.path()).unwrap();
    let first: Vec<u8> = found.train.images.chunks_exact(12).map(|image| image[0]).collect();
    assert_eq!(first, [1, 3, 2, 4, 7, 8]);
    assert_eq!(found.train.labels, [0, 0, 0, 1, 1, 1]);
    assert!(found.notes.decided[0].starts_with("2 pictures in further folders"));
    let mut left_out = left_out(&found);
    left_out.sort();
    let expected = [
        ("files without the ending of a picture", 3),
        ("hidden files or folders", 1),
        ("pictures beside the folders of classes", 1),
    ];
    assert_eq!(left_out, expected);
}

#[test]
fn a_folder_that_leads_back_to_itself_is_an_error() {
    let here = folder();
    write_flat(here.path(), &[("a/1.png", 1), ("b/1.png", 2)]);
    std::os::unix::fs::symlink("..", here.path().join("a/up")).unwrap();
    assert!(message(here.path()).contains("a link to a folder above itself"));
}

#[test]
fn tiny_imagenet_as_published() {
    let here = folder();
    write_flat(
        here.path(),
        &[
            ("train/n02000001/images/n02000001_0.JPEG", 1),
            ("train/n02000001/images/n02000001_1.JPEG", 2),
            ("train/n01000001/images/n01000001_0.JPEG", 3),
            ("val/images/val_0.JPEG", 4),
            ("val/images/val_1.JPEG", 5),
            ("val/images/val_2.JPEG", 6),
            ("test/images/test_0.JPEG", 7),
        ],
    );
    let text = |name: &str, text: &str| fs::write(here.path().join(name), text).unwrap();
    text("train/n02000001/n02000001_boxes.txt", "n02000001_0.JPEG\t0\t0\t9\t9\n");
    text(
        "val/val_annotations.txt",
        "val_1.JPEG\tn01000001\t0\t0\t9\t9\nval_0.JPEG\tn02000001\t0\t0\t9\t9\n",
    );
    text("wnids.txt", "n02000001\nn01000001\n");
    text("words.txt", "n01000001\tgoldfish, Carassius auratus\nn02000001\tegg\nn03000001\tegg\n");
    assert_eq!(Format::detect(here.path()).unwrap(), Format::TinyImagenet);
    let found = detect_and_read(here.path()).unwrap();
    assert_eq!(found.classes, ["goldfish, Carassius auratus", "egg"]);
    assert_eq!((values(&found.train), &found.train.labels[..]), (vec![3, 1, 2], &[0, 1, 1][..]));
    let test = found.test.as_ref().unwrap();
    assert_eq!((values(test), &test.labels[..]), (vec![4, 5], &[1, 0][..]));
    let mut left_out = left_out(&found);
    left_out.sort();
    let expected = [
        ("files of the test split, which has no labels", 1),
        ("files without the ending of a picture", 1),
        ("validation pictures that val_annotations.txt does not list", 1),
    ];
    assert_eq!(left_out, expected);

    text("val/val_annotations.txt", "val_1.JPEG\tn09000001\t0\t0\t9\t9\n");
    assert!(message(here.path()).contains("`n09000001`, which has no training folder"));
}

#[test]
fn imagenet_folders_have_names_of_synsets() {
    let here = folder();
    write_flat(
        here.path(),
        &[
            ("train/n03126707/1.JPEG", 1),
            ("train/n02012849/1.JPEG", 2),
            ("val/n02012849/1.JPEG", 3),
            ("val/n03126707/1.JPEG", 4),
        ],
    );
    let found = detect_and_read(here.path()).unwrap();
    assert_eq!(pairs(&found), [("n02012849", 2), ("n03126707", 1)]);
    assert_eq!(values(found.test.as_ref().unwrap()), [3, 4]);
    let words = "n02012849 crane\nn03126707 crane\n";
    fs::write(here.path().join("LOC_synset_mapping.txt"), words).unwrap();
    let found = detect_and_read(here.path()).unwrap();
    assert_eq!(found.classes, ["crane (n02012849)", "crane (n03126707)"]);
    assert!(found.notes.left_out.is_empty(), "{:?}", found.notes);
}

#[test]
fn traffic_signs_as_kaggle_has_them() {
    let here = folder();
    let picture = |class: usize, n: u8| format!("Train/{class}/{class:05}_{n}.png");
    let signs = [(2, 1), (10, 2), (0, 3), (1, 4)];
    for (class, value) in signs {
        write_flat(here.path(), &[(&picture(class, value), value)]);
    }
    write_flat(here.path(), &[("Test/00000.png", 8), ("Train/9/lost.png", 9), ("Meta/0.png", 0)]);
    let row = |(class, value)| format!("53,54,6,5,48,49,{class},{}\n", picture(class, value));
    let head = "Width,Height,Roi.X1,Roi.Y1,Roi.X2,Roi.Y2,ClassId,Path\n";
    let text = |name: &str, text: String| fs::write(here.path().join(name), text).unwrap();
    text("Train.csv", head.to_owned() + &signs.map(row).concat());
    text("Test.csv", head.to_owned() + "53,54,6,5,48,49,10,Test/00000.png\n");
    assert_eq!(Format::detect(here.path()).unwrap(), Format::Gtsrb);
    let options = datadiet_data::ImportOptions { allow_empty_class: true, ..Default::default() };
    let found = datadiet_data::read(here.path(), None, &options, &datadiet_core::Silent).unwrap();
    assert_eq!(
        (values(&found.train), &found.train.labels[..]),
        (vec![1, 2, 3, 4], &[2, 10, 0, 1][..])
    );
    assert_eq!(found.test.as_ref().unwrap().labels, [10]);
    assert_eq!(
        left_out(&found),
        [("pictures without a ClassId in the lists of pictures", 1), ("other files", 1)]
    );
    text("Train.csv", head.to_owned() + "53,54,6,5,48,49,0,../secret.png\n");
    assert!(message(here.path()).contains("line 2 has a file outside of the folder"));
}

#[test]
fn traffic_signs_as_their_authors_have_them() {
    let here = folder();
    write_flat(
        here.path(),
        &[
            ("Final_Training/Images/00000/00000_00000.png", 1),
            ("Final_Training/Images/00000/00000_00001.png", 2),
            ("Final_Training/Images/00001/00000_00000.png", 3),
            ("Final_Test/Images/00000.png", 4),
            ("Final_Test/Images/00001.png", 5),
        ],
    );
    let head = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2";
    let text = |name: &str, text: String| fs::write(here.path().join(name), text).unwrap();
    let row = |file: &str| format!("{file};29;30;5;6;24;25");
    for class in 0..2 {
        let name = format!("Final_Training/Images/{class:05}/GT-{class:05}.csv");
        // The list goes before the place: the second picture of folder 00000 is a 1.
        let second = if class == 0 { row("00000_00001.png") + ";1\n" } else { String::new() };
        text(&name, format!("{head};ClassId\r\n{};{class}\r\n{second}", row("00000_00000.png")));
    }
    text("Final_Test/Images/GT-final_test.test.csv", format!("{head}\n{}\n", row("00000.png")));
    let found = detect_and_read(here.path()).unwrap();
    assert_eq!((values(&found.train), &found.train.labels[..]), (vec![1, 2, 3], &[0, 1, 1][..]));
    assert!(found.test.is_none());
    assert_eq!(left_out(&found), [("pictures without a ClassId in the lists of pictures", 2)]);
    text(
        "GT-final_test.csv",
        format!("{head};ClassId\n{};1\n{};0\n", row("00000.png"), row("00001.png")),
    );
    let found = detect_and_read(here.path()).unwrap();
    let test = found.test.as_ref().unwrap();
    assert_eq!((values(test), &test.labels[..]), (vec![4, 5], &[1, 0][..]));
}

#[test]
fn readers_of_arrays_and_records_count_other_files() {
    for name in ["idx", "npy", "npz", "cifar10", "tar.gz"] {
        let here = folder();
        let extra =
            vec![("data_batch_6.bin".to_owned(), vec![0]), ("x_val.npy".to_owned(), vec![0])];
        let mut path = here.path().to_owned();
        match name {
            "idx" => write_idx(here.path(), &grey()),
            "npy" => write_files(here.path(), &npy_files(&grey(), &Axes::Nhw)),
            "npz" => {
                path = here.path().join("x.npz");
                write_npz_with(&path, &grey(), &["x_val", "y_val"]);
            }
            "cifar10" => write_files(here.path(), &cifar10_files(&colour())),
            _ => {
                path = here.path().join("cifar.tar.gz");
                let files = [cifar10_files(&colour()), extra.clone()].concat();
                fs::write(&path, tar_gz(&files)).unwrap();
            }
        }
        if path.is_dir() {
            let inside =
                if name == "cifar10" { path.join("cifar-10-batches-bin") } else { path.clone() };
            write_files(&inside, &extra);
        }
        let found = detect_and_read(&path).unwrap();
        let reason = if name == "npz" { "other arrays" } else { "other files" };
        assert_eq!(left_out(&found), [(reason, 2)], "{name}");
    }
}

#[test]
fn blank_lines_among_names_of_classes_are_refused() {
    let here = folder();
    write_idx(here.path(), &grey());
    fs::write(here.path().join("classes.txt"), "\u{feff}a\n\nc\n").unwrap();
    assert!(message(here.path()).contains("line 2 is blank"));
}
