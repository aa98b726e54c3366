//! `datadiet ntk` and `datadiet lmc`.

use datadiet_store::{RunFolder, RunSpec, Schedule, Store};
use serde_json::Value;

use crate::support::{Home, errors, with};

fn rows(home: &Home, name: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(home.path().join(name)).unwrap();
    text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn velocities_are_measured_and_reported_once() {
    let home = Home::with_sample();
    let options = ["--at", "0.5,1", "--interval", "0.5", "--positions", "0,1", "--examples", "10"];
    let options = [&options[..], &["--noise", "0,0.2", "--out", "kernels", "--json"]].concat();
    let answer = home.json(&with("ntk", &options));
    let scenes = answer["velocity"].as_array().unwrap();
    assert_eq!(scenes.len(), 2);
    for scene in scenes {
        let windows = scene["windows"].as_array().unwrap();
        assert_eq!(windows.len(), 4);
        let ranks: Vec<f64> = windows.iter().map(|w| number(&w["first_rank"])).collect();
        assert_eq!(ranks, [0.0, 390.0, 0.0, 390.0]);
        for window in windows {
            let mean = number(&window["velocity"]["mean"]);
            assert!(mean > 0.0 && mean <= 1.0, "{window}");
            assert_eq!(window["velocity"]["values"].as_array().unwrap().len(), 2);
        }
    }
    assert_eq!(number(&answer["cost"]["measurements"]), 16.0);
    let table = rows(&home, "kernels/velocity.csv");
    assert_eq!(table.len(), 1 + 8);
    let first = &scenes[0]["windows"][0]["velocity"]["mean"];
    assert_eq!(table[1][5].parse::<f64>().unwrap(), number(first));
    let report = std::fs::read_to_string(home.path().join("kernels/report.html")).unwrap();
    assert!(report.contains("Kernel velocity along the order of el2n"), "{}", report.len());
    assert!(home.path().join("kernels/figures/velocity-1.svg").exists());

    // The same again measures nothing: what was measured is older than the second start.
    let measured = || std::fs::read_dir(home.path().join("store/measurements")).unwrap().count();
    assert_eq!(measured(), 16);
    let again = home.json(&with("ntk", &options));
    assert_eq!((&again["velocity"], measured()), (&answer["velocity"], 16));
}

#[test]
fn barriers_are_measured_and_children_are_runs() {
    let home = Home::with_sample();
    let options = ["--spawn", "0,1", "--children", "2", "--examples", "50", "--points", "3"];
    let options = [&options[..], &["--statistics", "100", "--out", "lines", "--json"]].concat();
    let answer = home.json(&with("lmc", &options));
    // Two that score, a parent, two children at each of two times.
    assert_eq!(home.runs().len(), 7);
    let spawns = answer["connectivity"]["spawns"].as_array().unwrap();
    assert_eq!(spawns.len(), 2);
    for spawn in spawns {
        for set in spawn["sets"].as_array().unwrap() {
            assert!(number(&set["error_barrier"]["mean"]) >= 0.0);
            assert_eq!(set["error"].as_array().unwrap().len(), 3);
            // All children have the same parent.
            let parents = set["error"][0]["values"].as_array().unwrap();
            assert_eq!(parents[0], parents[1], "{set}");
            let children = set["loss"][2]["values"].as_array().unwrap();
            assert_ne!(children[0], children[1], "{set}");
        }
    }
    assert_eq!(rows(&home, "lines/barriers.csv").len(), 1 + 2 * 3 * 2);
    assert_eq!(rows(&home, "lines/lines.csv").len(), 1 + 2 * 3 * 2 * 3);
    assert!(home.path().join("lines/figures/barrier-error.png").exists());
    let again = home.json(&with("lmc", &options));
    assert_eq!((&again["connectivity"], home.runs().len()), (&answer["connectivity"], 7));

    // A child of a parent that trains otherwise is refused.
    let child = home.runs().into_iter().find_map(|run| {
        let (_, spec) = RunFolder::open(&run).unwrap();
        spec.spawn.is_some().then_some(spec)
    });
    let child = child.expect("there are four");
    let schedule = Schedule { weight_decay: 0.1, ..child.schedule.clone() };
    let other = RunSpec { schedule, ..child };
    let folder = Store::open(home.path().join("store")).unwrap().run(&other);
    folder.prepare(&other).unwrap();
    let (path, data) = (folder.path().to_str().unwrap(), home.path().join("data"));
    let arguments = ["train", path, "--data-home", data.to_str().unwrap()];
    let output =
        assert_cmd::Command::new(crate::worker(home.path())).args(arguments).output().unwrap();
    let text = errors(&output);
    assert!(text.contains("not a parent of this run"), "{text}");
    std::fs::remove_dir_all(folder.path()).unwrap();

    // A parent that lost its weights is named.
    let with_weights =
        home.runs().into_iter().find(|run| run.join("weights/00000000.safetensors").exists());
    let parent = with_weights.expect("a parent keeps the weights that children start from");
    std::fs::remove_dir_all(parent.join("weights")).unwrap();
    std::fs::remove_dir_all(home.path().join("store/measurements")).unwrap();
    let text = home.fails(&with("lmc", &options));
    assert!(text.contains("kept no weights") && text.contains("runs gc --yes"), "{text}");
    home.ok(&["runs", "gc", "--yes"]);
    let repaired = home.json(&with("lmc", &options));
    assert_eq!(repaired["connectivity"], answer["connectivity"]);
}

/// Between the last average and the end of training the slow weights stay. A child that leaves its parent
/// there ends where the parent does, if it has the parent's slow weights, and its line is of these.
#[test]
fn children_inherit_the_slow_weights_of_lookahead() {
    let home = Home::with_sample();
    let training =
        ["lmc", "--data", "sample", "--recipe", "speedrun", "--width", "8", "--epochs", "1"];
    let lookahead = ["--batch", "40", "--lookahead", "20", "--precision", "f32", "--replicas", "1"];
    let options = ["--spawn", "0.88", "--children", "2", "--examples", "50", "--points", "3"];
    let out = ["--statistics", "200", "--out", "lines", "--json"];
    let answer = home.json(&[&training[..], &lookahead, &options, &out].concat());
    let sets = answer["connectivity"]["spawns"][0]["sets"].as_array().unwrap();
    for set in sets {
        let errors = set["error"].as_array().unwrap();
        assert!(errors.iter().all(|error| error["mean"] == errors[0]["mean"]), "{set}");
    }
    let accuracies: Vec<f64> = home
        .runs()
        .iter()
        .map(|run| {
            let text = std::fs::read_to_string(run.join("result.json")).unwrap();
            serde_json::from_str::<Value>(&text).unwrap()
        })
        // The one that scores ends before the first average: its slow weights are the initial ones.
        .filter(|result| result["steps"] == 25)
        .map(|result| number(&result["test_accuracy"][0]["accuracy"]))
        .collect();
    assert_eq!(accuracies.len(), 3, "a parent and two children");
    assert!(
        accuracies[0] > 0.3 && accuracies.iter().all(|one| *one == accuracies[0]),
        "{accuracies:?}"
    );
}
