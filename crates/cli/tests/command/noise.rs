//! `datadiet noise` and `datadiet suspects`.

use datadiet_table::{Column, Table};

use crate::support::{Home, errors};

fn noise(home: &Home, options: &[&str]) -> serde_json::Value {
    home.json(&[&["noise", "--data", "sample", "--out", "noisy.parquet"], options].concat())
}

fn complaint(home: &Home, options: &[&str]) -> String {
    let message =
        home.fails(&[&["noise", "--data", "sample", "--out", "x.parquet"], options].concat());
    assert!(!home.path().join("x.parquet").exists());
    message
}

fn write(home: &Home, name: &str, text: &str) {
    std::fs::write(home.path().join(name), text).unwrap();
}

/// A matrix that moves half of every class to the next one.
fn confusion(classes: usize) -> String {
    let row = |class: usize| -> Vec<f64> {
        let share = |to: usize| if to == class || to == (class + 1) % classes { 0.5 } else { 0.0 };
        (0..classes).map(share).collect()
    };
    serde_json::to_string(&(0..classes).map(row).collect::<Vec<_>>()).unwrap()
}

#[test]
fn labels_change_as_asked_and_the_mask_says_which() {
    let home = Home::with_sample();
    write(&home, "matrix.json", &confusion(10));
    for (options, touched) in [
        (&["--symmetric", "0.2"][..], Some(200)),
        (&["--uniform", "0.2"], Some(200)),
        (&["--confusion", "matrix.json"], None),
    ] {
        let answer = noise(&home, options);
        let table = Table::read(&home.path().join("noisy.parquet")).unwrap();
        let column = |name| table.integers(name).unwrap().to_vec();
        let (new, old) = (column("label"), column("original"));
        let differ: Vec<u32> = new.iter().zip(&old).map(|(a, b)| u32::from(a != b)).collect();
        assert_eq!(column("changed"), differ);
        assert_eq!(answer["changed"], differ.iter().sum::<u32>());
        if let Some(touched) = touched {
            assert_eq!(answer["touched"], touched);
        }
        match options[0] {
            "--symmetric" => assert_eq!(column("touched"), differ),
            "--uniform" => assert!(answer["changed"].as_u64() < Some(200)),
            _ => assert!((400..600).contains(&answer["changed"].as_u64().unwrap())),
        }
        assert_eq!(noise(&home, options), answer, "the same seed");
    }
    // What was written is a labelling itself.
    let again = ["noise", "--data", "sample", "--from", "noisy.parquet", "--out", "again.parquet"];
    home.ok(&again);
    let labels =
        |name| Table::read(&home.path().join(name)).unwrap().integers("label").unwrap().to_vec();
    assert_eq!(labels("noisy.parquet"), labels("again.parquet"));
}

#[test]
fn noise_that_cannot_be() {
    let home = Home::with_sample();
    let labels = |count: usize, label: u32| serde_json::to_string(&vec![label; count]).unwrap();
    write(&home, "small.json", &confusion(9));
    write(&home, "wide.json", "[[1, 0]]");
    write(&home, "sum.json", &confusion(10).replace("0.5", "0.75"));
    write(&home, "vector.json", "[1, 2]");
    write(&home, "short.json", &labels(999, 1));
    write(&home, "outside.json", &labels(1000, 10));
    write(&home, "words.txt", "cat\ndog\n");
    let mut table = Table::default();
    table.push("id", Column::U32((0..1000).rev().collect())).unwrap();
    table.push("label", Column::U32(vec![1; 1000])).unwrap();
    table.write(&home.path().join("order.parquet")).unwrap();
    for (options, expected) in [
        (["--symmetric", "1.2"], "must lie between 0 and 1"),
        (["--symmetric", "-0.1"], "must lie between 0 and 1"),
        (["--uniform", "nan"], "must lie between 0 and 1"),
        (["--uniform", "20"], "such as 0.1"),
        (["--confusion", "small.json"], "10 rows of 10 probabilities"),
        (["--confusion", "wide.json"], "10 rows of 10 probabilities"),
        (["--confusion", "sum.json"], "sum to 1.5"),
        (["--confusion", "vector.json"], "not a JSON array of rows"),
        (["--confusion", "nowhere.json"], "nowhere.json"),
        (["--from", "short.json"], "999 labels were given for 1000 training examples"),
        (["--from", "outside.json"], "label 10, but there are 10 classes (0 to 9)"),
        (["--from", "words.txt"], "line 2 is \"dog\""),
        (["--from", "order.parquet"], "sort it by id"),
    ] {
        let message = complaint(&home, &options);
        assert!(message.contains(expected), "{options:?}: {message}");
    }
    assert!(complaint(&home, &[]).contains("--symmetric"));
    let message = home.fails(&["noise", "--data", "sample", "--uniform", "0.1", "--out", "x.txt"]);
    assert!(message.contains("must end in .parquet"), "{message}");
    // The same files are refused where labels are used.
    for (file, expected) in
        [("short.json", "999 labels"), ("outside.json", "label 10"), ("order.parquet", "by id")]
    {
        let message = home.fails(&[crate::support::JOB, &["--labels", file]].concat());
        assert!(message.contains(expected), "{file}: {message}");
    }
}

#[test]
fn scores_of_the_original_labels_are_told_apart() {
    let home = Home::scored();
    noise(&home, &["--uniform", "0.1"]);
    let arguments = ["suspects", "out", "--truth", "noisy.parquet", "--by", "el2n@end", "--json"];
    let output = home.command(&arguments).output().unwrap();
    assert!(output.status.success());
    let text = errors(&output);
    assert!(text.contains("cannot know them") && text.contains("--labels noisy.parquet"), "{text}");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["warnings"].as_array().unwrap().len(), 1);
    let quiet = home.command(&["suspects", "out"]).output().unwrap();
    assert!(errors(&quiet).is_empty());

    for (name, fraction, expected) in
        [("none.parquet", "0", "nothing to find"), ("out/scores.parquet", "", "which labels were")]
    {
        if !fraction.is_empty() {
            home.ok(&["noise", "--data", "sample", "--symmetric", fraction, "--out", name]);
        }
        let message = home.fails(&["suspects", "out", "--truth", name]);
        assert!(message.contains(expected), "{message}");
    }
}

/// A table of 5,000 AUMs, 400 of them of labels that the networks contradict.
fn write_aum(home: &Home, name: &str) {
    let quantile = |i: usize, n: usize| {
        let u = (i as f32 + 0.5) / n as f32;
        (u / (1.0 - u)).ln()
    };
    let right = (0..4600).map(|i| 3.0 + 0.6 * quantile(i, 4600));
    let aum: Vec<f32> = right.chain((0..400).map(|i| -3.0 + 0.4 * quantile(i, 400))).collect();
    let mut table = Table::default();
    table.push("label", Column::U32((0..5000).map(|i| i % 10).collect())).unwrap();
    table.push("el2n@4", Column::F32(aum.iter().map(|aum| (3.0 - aum) / 20.0).collect())).unwrap();
    table.push("aum@4", Column::F32(aum)).unwrap();
    table.write(&home.path().join(name)).unwrap();
}

#[test]
fn suspects_say_how_many_labels_look_wrong() {
    let home = Home::with_sample();
    write_aum(&home, "aum.parquet");
    let found = home.json(&["suspects", "aum.parquet", "-n", "1"]);
    let wrong = &found["wrong_labels"];
    let number = |name: &str| wrong[name].as_f64().unwrap();
    assert!((number("fraction") - 0.08).abs() < 0.005, "{wrong}");
    assert!(wrong["interval"]["low"].as_f64().unwrap() < 0.08, "{wrong}");
    assert!(wrong["interval"]["high"].as_f64().unwrap() > 0.08, "{wrong}");
    assert_eq!((&wrong["column"], &wrong["by"]), (&"aum@4".into(), &"aum@4".into()));
    let text = home.ok(&["suspects", "aum.parquet", "-n", "1", "--by", "el2n@4"]);
    assert!(text.contains("about 400 labels look wrong (8."), "{text}");
    assert!(
        text.contains("; fit of aum@4): the first ") && text.contains("down to el2n@4 ≥ 0."),
        "{text}"
    );
    for (by, end) in [("aum@end", "high"), ("el2n@end", "low")] {
        let turned = ["suspects", "aum.parquet", "-n", "1", "--by", by, "--hard-is", end];
        let text = home.ok(&turned);
        assert!(text.contains("the list begins with the easiest examples"), "{text}");
        assert!(!text.contains("look wrong"), "{text}");
        assert!(home.json(&turned)["wrong_labels"]["suspects"].is_null());
    }
    home.ok(&["report", "aum.parquet", "--out", "page.html"]);
    let page = std::fs::read_to_string(home.path().join("page.html")).unwrap();
    assert!(page.contains("About 400 labels look wrong") && page.contains("over examples"));
}

#[test]
fn suspects_say_when_it_cannot_be_told_how_many_labels_are_wrong() {
    let home = Home::with_sample();
    let mut table = Table::default();
    table.push("label", Column::U32(vec![0; 9])).unwrap();
    table.push("loss@4", Column::F32((1..10).map(|i| i as f32).collect())).unwrap();
    table.write(&home.path().join("few.parquet")).unwrap();
    let text = home.ok(&["suspects", "few.parquet"]);
    assert!(text.contains("cannot be told from loss@4: 9 examples are too few"), "{text}");
    let found = home.json(&["suspects", "few.parquet"]);
    assert!(found["wrong_labels"]["fraction"].is_null(), "{found}");
}

/// Options of a training go with a data set, not with scores that are there.
#[test]
fn suspects_are_of_scores_or_of_a_data_set() {
    let home = Home::scored();
    assert!(home.fails(&["suspects"]).contains("--data NAME"));
    let message = home.fails(&["suspects", "out", "--epochs", "2"]);
    assert!(message.contains("only --data goes with it"), "{message}");
    for options in [["--replicas", "2"], ["--out", "other"]] {
        let message = home.fails(&[&["suspects", "out"], &options[..]].concat());
        assert!(message.contains("cannot be used with"), "{message}");
    }
    let message = home.fails(&["suspects", "--data", "sample", "--other-labels"]);
    assert!(message.contains("SCORES"), "{message}");
    let message = home.fails(&["suspects", "--data", "sample", "--width", "0.25"]);
    assert!(message.contains("such as 0.25x"), "{message}");
    for (options, words) in [(["--by", "el2m@end"], "el2n"), (["--truth", "gone.npy"], "gone.npy")]
    {
        let message = home.fails(&[&["suspects", "--data", "sample"], &options[..]].concat());
        assert!(message.contains(words), "{message}");
    }
    // What could not be answered after the training is refused before it.
    let write = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    write("short.csv", "true_label\n1\n2\n");
    write("other.csv", "a,b\n1,2\n");
    let scores = Table::read(&home.path().join("out/scores.parquet")).unwrap();
    write("right.json", &format!("{:?}", scores.integers("label").unwrap()));
    for (truth, words) in [
        ("short.csv", "different data sets"),
        ("other.csv", "Its columns are: a, b"),
        ("right.json", "no label is wrong"),
    ] {
        let message = home.fails(&["suspects", "--data", "sample", "--truth", truth]);
        assert!(message.contains(words), "{message}");
    }
    let message = home.fails(&["suspects", "--data", "sample", "--hard-is", "low"]);
    for words in ["of one column", "log-margin@", "+margin-of-mean@", "name the one"] {
        assert!(message.contains(words), "{message}");
    }
    // As before there were other ways.
    let found = home.json(&["suspects", "out", "--data", "sample", "--picture", "s.png"]);
    assert!(found["suspects"].is_array() && found.get("scores").is_none());
    assert!(!home.path().join("store/runs").exists(), "nothing was trained");
}

/// What `suspects` of a data set are taken from follows the recipe that is resolved, whether it was named
/// or came with the network.
#[test]
fn suspects_of_a_data_set_are_of_one_speedrun_or_of_four_others() {
    let home = Home::with_sample();
    let cores = std::thread::available_parallelism().unwrap().get();
    let told = |options: &[&str]| {
        let command = [&["suspects", "--data", "sample"], options].concat();
        let text = errors(&home.command(&command).output().unwrap());
        text.lines().next().unwrap_or_default().to_owned()
    };
    let speedruns: [&[&str]; 3] = [&[], &["--model", "airbench"], &["--recipe", "speedrun"]];
    for named in speedruns {
        // Batches of 40 pass whole: one thread.
        let first = told(named);
        assert!(first.contains("1 replicas of 200 steps (batch 40)"), "{named:?}: {first}");
        assert!(first.contains(&format!("{cores} at a time")), "{named:?}: {first}");
        for (options, parts) in [
            (&["--batch", "1000"][..], 4),
            (&["--batch", "1000", "--micro-batch", "500"], 2),
            (&["--batch", "1000", "--micro-batch", "none"], 1),
        ] {
            let first = told(&[named, options].concat());
            let workers = format!("· {} at a time", cores / parts.min(cores));
            assert!(first.contains(&workers), "{named:?} {options:?}: {first}");
        }
    }
    let first = told(&["--recipe", "classic"]);
    assert!(first.contains("resnet8") && first.contains("4 replicas"), "{first}");
    let first = told(&["--model", "airbench", "--replicas", "3"]);
    assert!(
        first.contains("3 replicas") && first.contains(&format!("{cores} at a time")),
        "{first}"
    );
}
