//! `datadiet select`.

use std::collections::BTreeMap;
use std::path::Path;

use datadiet_data::{DataHome, Dataset};
use datadiet_table::{Column, Table};

use crate::support::{Home, errors};

/// A table of ten examples in two classes, with these columns of scores.
fn ten(home: &Home, columns: &[(&str, [f32; 10])]) {
    let mut table = Table::default();
    table.push("id", Column::U32((0..10).collect())).unwrap();
    table.push("label", Column::U32(vec![0, 0, 0, 0, 0, 1, 1, 1, 1, 1])).unwrap();
    let classes = ["cat"; 5].into_iter().chain(["dog"; 5]).map(str::to_owned);
    table.push("class", Column::Text(classes.collect())).unwrap();
    for (name, values) in columns {
        table.push(*name, Column::F32(values.to_vec())).unwrap();
    }
    table.write(&home.path().join("ten.parquet")).unwrap();
}

/// Alternating between the classes, lowest first.
const RISING: [f32; 10] = [0.0, 2.0, 4.0, 6.0, 8.0, 1.0, 3.0, 5.0, 7.0, 9.0];

fn ids(home: &Home, options: &[&str]) -> Vec<u32> {
    let file = home.path().join("ids.json");
    home.ok(&[&["select", "ten.parquet", "--out", "ids.json"], options].concat());
    let text = std::fs::read(&file).unwrap();
    let subset: serde_json::Value = serde_json::from_slice(&text).unwrap();
    subset["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

fn complaint(home: &Home, options: &[&str]) -> String {
    let message = home.fails(&[&["select", "ten.parquet", "--out", "x.npy"], options].concat());
    assert!(!home.path().join("x.npy").exists(), "{options:?} wrote something");
    message
}

#[test]
fn each_rule_keeps_its_part() {
    let home = Home::empty();
    ten(&home, &[("el2n@1", RISING), ("confidence@1", RISING)]);
    for (options, expected) in [
        (&["--by", "el2n@1", "--keep", "0.3"][..], &[4, 8, 9][..]),
        (&["--by", "confidence@1", "--keep", "0.3"], &[0, 1, 5]),
        (&["--by", "el2n@1", "--count", "3", "--rule", "easiest"], &[0, 1, 5]),
        (&["--by", "confidence@1", "--count", "3", "--rule", "highest"], &[4, 8, 9]),
        (&["--by", "el2n@1", "--keep", "0.2", "--rule", "window", "--offset", "0.4"], &[2, 7]),
        (&["--by", "el2n@1", "--count", "2", "--rule", "window", "--offset", "4"], &[2, 7]),
        (&["--by", "el2n@1", "--keep", "0.2", "--rule", "window", "--offset", "4"], &[2, 7]),
        (&["--by", "el2n@1", "--keep", "0.2", "--quota", "balanced"], &[4, 9]),
        (
            &["--by", "el2n@1", "--keep", "0.2", "--rule", "ccs", "--cut", "0.8", "--strata", "1"],
            &[0, 5],
        ),
    ] {
        assert_eq!(ids(&home, options), expected, "{options:?}");
    }
    let random = |seed: &str| ids(&home, &["--rule", "random", "--count", "8", "--seed", seed]);
    assert_eq!(random("3"), random("3"));
    assert!((0..9).any(|seed| random(&seed.to_string()) != random("9")));
}

#[test]
fn every_format_reads_back_the_same() {
    let home = Home::scored();
    for file in ["s.parquet", "s.npy", "s.txt", "s.json"] {
        let answer = home.json(&["select", "out", "--keep", "0.5", "--out", file]);
        assert_eq!((&answer["kept"], &answer["by"]), (&500.into(), &"el2n@1".into()));
    }
    let read = |file: &str| std::fs::read(home.path().join(file)).unwrap();
    let table = Table::read(&home.path().join("s.parquet")).unwrap();
    let ids = table.integers("id").unwrap().to_vec();
    assert!(ids.len() == 500 && ids.is_sorted());
    let npy: Vec<u32> = npyz::NpyFile::new(&read("s.npy")[..]).unwrap().into_vec().unwrap();
    assert_eq!(npy, ids);
    let text = String::from_utf8(read("s.txt")).unwrap();
    assert_eq!(text.lines().map(|line| line.parse().unwrap()).collect::<Vec<u32>>(), ids);
    let json: serde_json::Value = serde_json::from_slice(&read("s.json")).unwrap();
    assert_eq!(json["ids"], serde_json::json!(ids));

    // The table also says of what, by what, and how.
    let scores = Table::read(&home.path().join("out/scores.parquet")).unwrap();
    let (labels, el2n) = (scores.integers("label").unwrap(), scores.floats("el2n@1").unwrap());
    let at = |id: &u32| *id as usize;
    assert!(table.integers("label").unwrap().iter().eq(ids.iter().map(|id| &labels[at(id)])));
    assert!(table.floats("el2n@1").unwrap().iter().eq(ids.iter().map(|id| &el2n[at(id)])));
    let imported = home.json(&["data", "inspect", "sample"]);
    assert_eq!(table.metadata["fingerprint"], imported["fingerprint"].as_str().unwrap());
    assert_eq!(json["fingerprint"], imported["fingerprint"]);
    let choice: serde_json::Value = serde_json::from_str(&table.metadata["choice"]).unwrap();
    assert_eq!(choice["by"], "el2n@1");
    assert_eq!(choice, json["how"]);
    let least_kept = ids.iter().map(|id| el2n[at(id)]).fold(f32::INFINITY, f32::min);
    let above = el2n.iter().filter(|&&score| score > least_kept).count();
    assert!(above < 500, "the highest were kept");
}

#[test]
fn the_end_is_the_latest_time() {
    let home = Home::empty();
    let mut falling = RISING;
    falling.reverse();
    ten(&home, &[("forgetting@2", falling), ("forgetting@10", RISING), ("el2n@10", falling)]);
    let answer = home.json(&[
        "select",
        "ten.parquet",
        "--by",
        "forgetting@end",
        "--keep",
        "0.3",
        "--out",
        "x.npy",
    ]);
    assert_eq!(answer["by"], "forgetting@10");
    let head = home.json(&["scores", "head", "ten.parquet", "--by", "forgetting@end", "-n", "1"]);
    assert_eq!(head[0]["id"], 9);
    std::fs::remove_file(home.path().join("x.npy")).unwrap();
    assert!(complaint(&home, &["--by", "aum@end", "--keep", "0.3"]).contains("no column of aum"));
}

#[test]
fn amounts_and_parts_that_cannot_be() {
    let home = Home::empty();
    ten(&home, &[("el2n@1", RISING)]);
    for (options, expected) in [
        (&["--keep", "0"][..], "not a fraction in (0, 1]"),
        (&["--keep", "1.5"], "to keep 40 % write 0.4"),
        (&["--keep", "-1"], "not a fraction"),
        (&["--keep", "nan"], "not a fraction"),
        (&["--count", "0"], "ask for 1 to 10"),
        (&["--count", "11"], "ask for 1 to 10"),
        (&[], "--keep FRACTION"),
        (&["--keep", "0.5", "--offset", "0.2"], "rule `window`"),
        (&["--keep", "0.5", "--rule", "window"], "`offset`, such as 0.4"),
        (&["--keep", "0.5", "--rule", "window", "--offset", "0.6"], "offset of at most 5"),
        (&["--keep", "0.5", "--rule", "window", "--offset", "1.5"], "number of examples"),
        (&["--keep", "0.5", "--rule", "window", "--offset", "10"], "below 10"),
        (&["--keep", "0.5", "--rule", "window", "--offset", "-0.1"], "[0, 1)"),
        (&["--keep", "0.5", "--cut", "0.2"], "rule `ccs`"),
        (&["--keep", "0.5", "--rule", "ccs", "--cut", "1"], "[0, 1)"),
        (&["--keep", "0.5", "--rule", "ccs", "--strata", "0"], "at least 1"),
        (&["--keep", "0.9", "--rule", "ccs", "--cut", "0.5"], "cut less"),
        (&["--keep", "0.5", "--by", "eln@1"], "did you mean el2n@1?"),
        (&["--keep", "0.5", "--by", "class"], "no score column named class"),
    ] {
        let message = complaint(&home, options);
        assert!(message.contains(expected), "{options:?}: {message}");
    }
    let message = home.fails(&["select", "ten.parquet", "--keep", "0.5"]);
    assert!(message.contains("--out FILE"), "{message}");
    let message = home.fails(&["select", "ten.parquet", "--keep", "0.5", "--out", "x.xlsx"]);
    assert!(message.contains(".parquet, .json, .npy or .txt"), "{message}");
    let message = home.fails(&["select", "nowhere", "--keep", "0.5", "--out", "x.npy"]);
    assert!(message.contains("datadiet score"), "{message}");
}

#[test]
fn a_class_that_would_vanish_is_an_error_until_it_is_allowed() {
    let home = Home::empty();
    let mut apart = RISING;
    apart.sort_by(f32::total_cmp);
    ten(&home, &[("el2n@1", apart)]);
    let message = complaint(&home, &["--keep", "0.5"]);
    assert!(
        message.contains("--allow-empty-class") && message.contains("quota `proportional`"),
        "{message}"
    );
    let options = ["--keep", "0.5", "--allow-empty-class"];
    assert_eq!(ids(&home, &options), [5, 6, 7, 8, 9]);
    let arguments = [&["select", "ten.parquet", "--out", "ids.npy"], &options[..]].concat();
    let warnings = errors(&home.command(&arguments).output().unwrap());
    assert!(warnings.contains("100 % of dog but 0 % of cat"), "{warnings}");
    assert_eq!(ids(&home, &["--keep", "0.5", "--quota", "proportional"]).len(), 5);
}

#[test]
fn scores_that_order_nothing_are_refused() {
    let home = Home::empty();
    let mut holes = RISING;
    (holes[3], holes[9]) = (f32::NAN, f32::NAN);
    ten(
        &home,
        &[("el2n@1", [f32::NAN; 10]), ("aum@1", holes), ("loss@1", [0.5; 10]), ("l1@1", RISING)],
    );
    let message = complaint(&home, &["--by", "el2n@1", "--keep", "0.5"]);
    assert!(message.contains("no example has a score in el2n@1"), "{message}");
    let message = complaint(&home, &["--by", "aum@1", "--keep", "0.5"]);
    assert!(
        message.contains("2 examples have no score in aum@1 (the first is 3)")
            && message.contains("--drop-unscored"),
        "{message}"
    );
    let options = ["--by", "aum@1", "--keep", "0.5", "--rule", "highest", "--drop-unscored"];
    assert_eq!(ids(&home, &options), [2, 4, 7, 8]);
    let message = complaint(&home, &["--by", "loss@1", "--keep", "0.5"]);
    assert!(message.contains("0.5") && message.contains("10"), "{message}");
    assert_eq!(ids(&home, &["--rule", "random", "--count", "4"]).len(), 4);
}

#[test]
fn infinity_is_an_ordinary_top_end() {
    let home = Home::empty();
    let mut counts = RISING;
    (counts[0], counts[7]) = (f32::INFINITY, f32::INFINITY);
    let mut never = [0.0; 10];
    (never[0], never[7]) = (1.0, 0.5);
    ten(&home, &[("forgetting@5", counts)]);
    assert_eq!(ids(&home, &["--by", "forgetting@5", "--count", "3"]), [0, 7, 9]);
    // A column that already counts them as infinite stays as it is beside who never learned.
    ten(&home, &[("forgetting@5", counts), ("never-learned@5", never)]);
    assert_eq!(ids(&home, &["--by", "forgetting@end", "--count", "3"]), [0, 7, 9]);
    let ccs = ["--by", "forgetting@5", "--count", "4", "--rule", "ccs", "--cut", "0.2"];
    assert!(ids(&home, &ccs).iter().all(|id| ![0, 7].contains(id)));
}

#[test]
fn a_table_that_is_not_whole_is_refused() {
    let home = Home::empty();
    let mut table = Table::default();
    table.push("id", Column::U32(vec![1, 0, 2])).unwrap();
    table.push("el2n@1", Column::F32(vec![0.1, 0.2, 0.3])).unwrap();
    table.write(&home.path().join("ten.parquet")).unwrap();
    let message = complaint(&home, &["--keep", "0.5"]);
    assert!(message.contains("0, 1, 2") && message.contains("sort it by id"), "{message}");
    std::fs::write(home.path().join("ten.parquet"), "no Parquet").unwrap();
    assert!(complaint(&home, &["--keep", "0.5"]).contains("ten.parquet is damaged"));
}

#[test]
fn columns_alone_are_enough() {
    let home = Home::empty();
    let mut table = Table::default();
    table.push("mine", Column::F32(RISING.to_vec())).unwrap();
    table.write(&home.path().join("ten.parquet")).unwrap();
    assert_eq!(ids(&home, &["--keep", "0.3"]), [4, 8, 9]);
    let quota = complaint(&home, &["--keep", "0.3", "--quota", "balanced"]);
    assert!(quota.contains("needs labels"), "{quota}");
    let answer = home.json(&["select", "ten.parquet", "--keep", "0.3", "--out", "x.parquet"]);
    assert_eq!(
        answer["classes"],
        serde_json::json!([{"class": "all", "kept": 3, "of": 10, "share": 0.3}])
    );
    let subset = Table::read(&home.path().join("x.parquet")).unwrap();
    assert_eq!(subset.names().collect::<Vec<_>>(), ["id", "mine"]);
}

/// Class names and pictures of a training split, in any order.
fn pictures(dataset: &Dataset, ids: impl Iterator<Item = usize>) -> BTreeMap<Vec<u8>, String> {
    let train = dataset.train();
    let class = |id: usize| dataset.classes()[train.labels[id] as usize].replace('/', "_");
    ids.map(|id| (train.image(id).to_vec(), class(id))).collect()
}

fn opened(home: &Path, name: &str) -> Dataset {
    Dataset::open(&DataHome::new(home.join("data")), name).unwrap()
}

#[test]
fn exports_are_data_sets_to_import() {
    let home = Home::scored();
    let original = opened(home.path(), "sample");
    for format in ["image-folder", "parquet", "safetensors"] {
        let choice =
            ["select", "out", "--keep", "0.4", "--quota", "balanced", "--out", "ids.parquet"];
        let answer = home.json(&[&choice[..], &["--export", format, "--format", format]].concat());
        assert_eq!(answer["written"], serde_json::json!(["ids.parquet", format]));
        let table = Table::read(&home.path().join("ids.parquet")).unwrap();
        let kept = || table.integers("id").unwrap().iter().map(|&id| id as usize);
        if format == "safetensors" {
            continue;
        }
        let imported = home.json(&["data", "import", format, "--name", format]);
        assert_eq!((&imported["train"], &imported["test"]), (&400.into(), &200.into()));
        let pruned = opened(home.path(), format);
        assert!(pictures(&pruned, 0..400) == pictures(&original, kept()), "{format}");
        assert_eq!(pruned.classes(), original.classes());
        if format == "parquet" {
            let labels = kept().map(|id| original.train().labels[id]);
            assert!(labels.eq(pruned.train().labels.iter().copied()), "in the order of ids");
        }
    }
    let again = ["select", "out", "--keep", "0.4", "--export", "parquet", "--format", "parquet"];
    assert!(home.fails(&again).contains("remove it or choose another"));
    let options = ["select", "out", "--keep", "0.4", "--export", "x", "--format", "parquet"];
    let message = home.fails(&[&options[..], &["--link-from", "image-folder"]].concat());
    assert!(message.contains("image-folder"), "{message}");
    // Scores of one data set choose nothing from another.
    let message = home.fails(&[&options[..], &["--data", "parquet"]].concat());
    assert!(message.contains("another version"), "{message}");
}

/// Lists that are for fewer examples, or are not a choice at all, were taken without a word.
#[test]
fn what_is_no_subset_of_this_training_set_is_refused() {
    let home = Home::with_scores("limited");
    let train = ["train", "--data", "sample", "--model", "mlp", "--epochs", "1", "--subset"];
    for file in ["half.parquet", "half.json"] {
        let half = ["select", "out", "--keep", "0.5", "--quota", "proportional", "--out", file];
        home.ok(&half);
        let message = home.fails(&[&train[..], &[file]].concat());
        assert!(message.contains("first 400 examples alone"), "{message}");
    }
    let message = home.fails(&[&train[..], &["out/scores.parquet"]].concat());
    assert!(message.contains("not a subset; choose one with `datadiet select`"), "{message}");
    let message = home.fails(&["suspects", "out", "--picture", "x.jpg"]);
    assert!(message.contains("x.jpg must end in .png"), "{message}");
    let csv = home.ok(&["scores", "export", "out", "-", "--columns", "el2n@end"]);
    assert!(csv.starts_with("id,el2n@1\n"), "{csv:.40}");
}
