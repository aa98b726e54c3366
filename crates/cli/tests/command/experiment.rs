//! `datadiet run` and `datadiet diet`.

use crate::support::{ALL, DIET, Home};

fn write(home: &Home, name: &str, text: &str) {
    std::fs::write(home.path().join(name), text).unwrap();
}

#[test]
fn mistakes_in_a_file_are_named_before_anything_is_trained() {
    let home = Home::with_sample();
    write(&home, "all.toml", ALL);
    for (change, expected) in [
        ("training.epoch=2", "unknown key `training.epoch`"),
        ("trainings.epochs=2", "trainings"),
        ("scoring.times=[1]", "unknown key `scoring.times`"),
        ("curve.kep=[0.5]", "kep"),
        ("window.offset=[0]", "offset"),
        ("noise.fraction=[0.2]", "fraction"),
        ("training.epochs", "KEY=VALUE"),
        ("curve.keep=[0]", "to keep 40 % write 0.4"),
        ("curve.keep=[1.5]", "not a fraction in (0, 1]"),
        ("curve.keep=[]", "[curve] needs keep"),
        ("curve.retrainings=0", "at least 1"),
        ("curve.baselines=[\"random-each-epoch\"]", "in another order"),
        ("curve.baselines=[\"random/even\"]", "no quota is called `even`"),
        ("curve.keep=[0.1]", "a batch of 50 is more than the 40 examples"),
        ("window.offsets=[0.6]", "ends past the order"),
        ("window.noise=[1.2]", "must lie between 0 and 1"),
        ("noise.symmetric=[]", "[noise] needs"),
        ("noise.symmetric=[-0.1]", "must lie between 0 and 1"),
        ("noise.files=[\"nowhere.npy\"]", "nowhere.npy"),
        ("tune.keep=[]", "such as keep = [0.5]"),
        ("tune.validation=1", "such as 0.1"),
        ("correlations.networks=[{ model = \"mpl\" }]", "mlp"),
        ("training.data=simple", "sample"),
        ("training.epochs=many", "epochs"),
        ("scoring.at=[2]", "from 0 to 1"),
        ("scoring.scores=[\"el2m\"]", "el2n"),
    ] {
        let message = home.fails(&["run", "all.toml", "--set", change]);
        assert!(message.contains(expected), "{change}: {message}");
    }
    write(&home, "none.toml", &ALL[..ALL.find("[curve]").unwrap()]);
    let message = home.fails(&["run", "none.toml"]);
    assert!(message.contains("no study") && message.contains("[curve]"), "{message}");
    write(&home, "odd.toml", &ALL.replace("title", "titel"));
    let message = home.fails(&["run", "odd.toml"]);
    assert!(message.contains("titel") && message.contains("odd.toml"), "{message}");
    write(&home, "broken.toml", "[training");
    assert!(home.fails(&["run", "broken.toml"]).contains("broken.toml"));
    assert!(home.fails(&["run", "nowhere.toml"]).contains("experiments/"));
    assert!(!home.path().join("store/runs").exists(), "nothing was trained");
}

#[test]
fn columns_that_scoring_does_not_take_are_named() {
    let home = Home::with_sample();
    write(&home, "all.toml", &ALL[..ALL.find("[window]").unwrap()]);
    let message = home.fails(&["run", "all.toml", "--set", "curve.by=[\"el2n@2\"]"]);
    assert!(message.contains("el2n@2") && message.contains("el2n@1"), "{message}");
}

#[test]
fn a_plan_of_a_diet_trains_nothing() {
    let home = Home::with_sample();
    let plan = home.json(&[DIET, &["--plan"]].concat());
    assert!(plan["steps"].as_u64().unwrap() > 20, "{plan}");
    assert_eq!(plan["search"]["arms"].as_array().unwrap().len(), 2, "without and with a quota");
    assert_eq!(plan["recipe"], "classic");
    let text = home.ok(&[DIET, &["--plan"]].concat());
    assert!(
        text.contains("budget") && text.contains("recipe classic: 80 steps of 50 · lr"),
        "{text}"
    );
    let shorter = home.json(&[DIET, &["--plan", "--fixed", "epochs"]].concat());
    assert_eq!(shorter["search"]["fixed"], "epochs");
    assert!(shorter["trainings"].as_u64() > plan["trainings"].as_u64(), "a baseline more");
    let fast = ["diet", "--data", "sample", "--recipe", "speedrun", "--width", "0.25x", "--plan"];
    let fast = home.json(&fast);
    assert_eq!(
        (&fast["recipe"], &fast["template"]["network"]["width"]),
        (&"speedrun".into(), &16.into())
    );
    assert!(fast["settings"].as_str().unwrap().contains("Muon 0.24"), "{fast}");
    assert!(!home.path().join("store").exists() && !home.path().join("diets").exists());
}

#[test]
fn diets_that_cannot_be() {
    let home = Home::with_sample();
    for (options, expected) in [
        (["--tolerance", "-1"], "must not be negative"),
        (["--validation", "0"], "such as 0.1"),
        (["--validation", "1"], "such as 0.1"),
        (["--keep", "0"], "to keep 40 % write 0.4"),
        (["--keep", "1.5"], "not a fraction"),
        (["--drops", "1"], "[0, 1)"),
        (["--by", "el2m"], "el2n"),
        (["--at", "5"], "from 0 to 4"),
        (["--replicas", "0"], "at least 1"),
        (["--retrainings", "0"], "at least 1"),
    ] {
        let message = home.fails(&[DIET, &options].concat());
        assert!(message.contains(expected), "{options:?}: {message}");
    }
    let wide: Vec<&str> =
        DIET.iter().map(|word| if *word == "0.4" { "0.9" } else { word }).collect();
    assert!(home.fails(&wide).contains("leaves room"));
    assert!(!home.path().join("store").exists());
}
