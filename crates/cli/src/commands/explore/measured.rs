//! What trainings on parts of the data have reached, of the results of `datadiet run` and `datadiet diet`.
//!
//! Curves and windows have points of their own; of a search (`[tune]`, `datadiet diet`) it is what was retrained at its
//! end and tested. What a search measures on its way is of shorter trainings, on examples that are held out, and is not
//! shown. Only trainings with the labels that the scores were taken with are: the others are of other tables.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use datadiet_core::{Quota, Rule};
use datadiet_explore::Measured;
use datadiet_lab::study::baseline::Baseline;
use datadiet_lab::study::points::{PointOutcome, PointsOutcome};
use datadiet_lab::study::search::SearchOutcome;
use datadiet_lab::{ExperimentOutcome, Spread};
use datadiet_store::Labels;
use datadiet_table::{Card, ScoreTable};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The studies that train on parts.
const STUDIES: &str = "curve, window, tune";

/// What the trainings of the folder that is named reached, else of the one that the scores lie in, where that holds
/// results.
pub fn measured(scores: &Path, named: Option<&Path>, table: &ScoreTable) -> Result<Vec<Measured>> {
    let beside = if scores.is_dir() { scores } else { scores.parent().unwrap_or(Path::new(".")) };
    let folder = named.unwrap_or(beside);
    let file = folder.join("outcome.json");
    if named.is_none() && !file.exists() {
        return Ok(Vec::new());
    }
    match of_file(&file, table) {
        Ok(found) => Ok(found),
        Err(error) if named.is_none() => {
            eprintln!("note: no accuracies are shown: {error:#}");
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

fn of_file(file: &Path, table: &ScoreTable) -> Result<Vec<Measured>> {
    let name = file.display();
    let text = std::fs::read(file).with_context(|| {
        format!(
            "{name} cannot be read; `datadiet run` and `datadiet diet` write it, give its folder"
        )
    })?;
    let outcome: ExperimentOutcome = serde_json::from_slice(&text).with_context(|| {
        format!("{name} is not the outcome of an experiment of this version; run it again")
    })?;
    let data = &outcome.template.data;
    match table.card().and_then(|card| Some((card, card.data.as_ref()?))) {
        Some((card, own)) => {
            ensure!(
                (&own.fingerprint, own.limit) == (&data.fingerprint, data.limit),
                "{name} is of trainings on {}, and the scores are of {}, of another version or of another part of it; \
                 give the results of these data",
                data.name,
                own.name
            );
            let labels = &outcome.template.labels;
            ensure!(
                labels_of(card).as_ref() == Some(labels),
                "{name} is of trainings with {}, and the scores were taken with {}; give the results of trainings \
                 with the labels of these scores",
                match labels {
                    Labels::Original => "the labels of the data set",
                    Labels::Listed(_) => "changed labels",
                },
                if card.relabelled { "others" } else { "those of the data set" }
            );
        }
        None => eprintln!(
            "note: the table does not say of which data set it is: {name} is taken for trainings on the same data \
             with the same labels, {}",
            data.name
        ),
    }
    let mut found = Vec::new();
    let studies = &outcome.studies;
    let points_of = |study: &str| -> Result<Vec<PointsOutcome>> {
        match studies.get(study) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(all @ Value::Array(_)) => typed(file, study, all),
            Some(one) => Ok(vec![typed(file, study, one)?]),
        }
    };
    let plan = &outcome.experiment["curve"];
    let rule = plan["rule"].as_str().unwrap_or(Rule::Hardest.name());
    for (study, rule) in [("curve", rule), ("window", "window")] {
        let quota = outcome.experiment[study]["quota"].as_str().unwrap_or(Quota::None.name());
        for points in points_of(study)?.iter().filter(|points| points.scene.is_empty()) {
            found.extend(everything(points.full.as_ref()));
            found.extend(points.points.iter().filter_map(|point| of_point(point, rule, quota)));
        }
    }
    if let Some(search) = studies.get("tune").filter(|value| !value.is_null()) {
        found.extend(of_search(&typed(file, "tune", search)?, table));
    }
    if found.is_empty() {
        bail!(
            "{name} has no accuracy of a training on a part of the data with the labels of these scores: of its \
             studies none of {STUDIES} has one (it has {})",
            match studies.keys().filter(|key| !studies[*key].is_null()).count() {
                0 => "no study".to_owned(),
                _ => studies.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
            }
        );
    }
    let mut distinct: Vec<Measured> = Vec::new();
    for one in found {
        if !distinct.contains(&one) {
            distinct.push(one);
        }
    }
    Ok(distinct)
}

/// The labels that scores were taken with; none where they are others than the data set's and nothing says which.
fn labels_of(card: &Card) -> Option<Labels> {
    let trained = Labels::deserialize(&card.specification["labels"]).ok();
    trained.or_else(|| (!card.relabelled).then_some(Labels::Original))
}

fn typed<T: DeserializeOwned>(file: &Path, study: &str, value: &Value) -> Result<T> {
    let unread = || {
        format!(
            "{}: the study `{study}` was written by another version; run the experiment again",
            file.display()
        )
    };
    T::deserialize(value).with_context(unread)
}

/// What trainings on everything reached.
fn everything(full: Option<&Spread>) -> Option<Measured> {
    let part = Measured { by: "everything".into(), keep: 1.0, ..Measured::default() };
    Some(of_spread(part, full?))
}

/// A point of a curve or a window, whose series names what chose it; none where every training failed.
fn of_point(point: &PointOutcome, rule: &str, quota: &str) -> Option<Measured> {
    let place = &point.place;
    // `el2n@4 ccs/balanced` is the rule `ccs` by el2n@4.
    let (by, baseline) = match place.series.rsplit_once(' ') {
        Some((by, baseline)) => (Some(by), baseline.parse::<Baseline>().ok()),
        None => (None, place.series.parse::<Baseline>().ok()),
    };
    let mut part = Measured { keep: place.keep, offset: place.offset, ..Measured::default() };
    match baseline {
        Some(Baseline::RandomEachEpoch) => {
            (part.by, part.also) = ("random".into(), "drawn anew every epoch".into());
            part.rule = Rule::Random.name().into();
        }
        Some(Baseline::Chosen { rule, quota: own }) => {
            part.by = by.unwrap_or(Rule::Random.name()).to_owned();
            part.rule = rule.into();
            // Plain `random` is drawn with the quota of the study.
            let of_study = place.series == Rule::Random.name();
            part.quota = if of_study { quota } else { own.name() }.into();
        }
        None => {
            (part.by, part.rule) = (place.series.clone(), rule.into());
            part.quota = quota.into();
        }
    }
    Some(of_spread(part, point.accuracy.as_ref()?))
}

/// What a search retrained at its end.
fn of_search(found: &SearchOutcome, table: &ScoreTable) -> Vec<Measured> {
    let (arm, finals) = (&found.answer, &found.finals);
    let keep = f64::from(arm.keep);
    let part = |by: &str, rule: Rule, quota: Quota| Measured {
        by: by.to_owned(),
        rule: rule.name().into(),
        keep,
        quota: quota.name().into(),
        ..Measured::default()
    };
    // `el2n@end` by the name of its column.
    let by = table.ranking_name(&found.plan.by).unwrap_or_else(|_| found.plan.by.clone());
    let by = by.as_str();
    // Without the hardest it is a window that ends where they begin.
    let mut answer = part(by, Rule::Hardest, arm.quota);
    if arm.drop > 0.0 {
        answer.also = format!("without the hardest {} %", (arm.drop * 1000.0).round() / 10.0);
        if arm.quota == Quota::None {
            answer.rule = "window".into();
            answer.offset = Some((1.0 - arm.drop - keep).max(0.0));
        }
    }
    let anew = Measured {
        also: "drawn anew every epoch".into(),
        ..part("random", Rule::Random, Quota::None)
    };
    let of = |part: Measured, point: Option<&PointOutcome>| {
        Some(of_spread(part, point?.accuracy.as_ref()?))
    };
    [
        everything(finals.full.as_ref()),
        of(answer, Some(&finals.answer)),
        of(part("random", Rule::Random, arm.quota), Some(&finals.random)),
        of(anew, finals.each_epoch.as_ref()),
        of(part(by, Rule::Hardest, Quota::None), finals.hardest.as_ref()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn of_spread(part: Measured, spread: &Spread) -> Measured {
    Measured {
        metric: spread.metric.as_ref().map(|metric| metric.name.clone()),
        less_is_better: spread.less_is_better(),
        mean: spread.mean,
        low: spread.low,
        high: spread.high,
        trainings: spread.values.len(),
        ..part
    }
}

#[cfg(test)]
mod tests {
    use datadiet_table::{Card, Column, Table};
    use serde_json::json;

    use super::*;

    /// An outcome of the repository.
    fn outcome(name: &str) -> Value {
        let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results");
        let text = std::fs::read(results.join(name).join("outcome.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// What is measured in an outcome, of a table of the data that its trainings are of.
    fn read(outcome: &Value) -> Result<Vec<Measured>> {
        let mut columns = Table::default();
        columns.push("el2n@8", Column::F32(vec![0.5])).unwrap();
        read_for(outcome, &ScoreTable::new(columns, card(outcome)))
    }

    /// The card of a table of those data.
    fn card(outcome: &Value) -> Card {
        let data = serde_json::from_value(json!({ "name": "mine", "limit": null,
            "fingerprint": outcome["template"]["data"]["fingerprint"] }));
        Card { data: Some(data.unwrap()), ..Card::new(Vec::new()) }
    }

    fn read_for(outcome: &Value, table: &ScoreTable) -> Result<Vec<Measured>> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("outcome.json"), outcome.to_string()).unwrap();
        measured(Path::new("nothing.parquet"), Some(folder.path()), table)
    }

    fn words(one: &Measured) -> String {
        let offset = one.offset.map_or(String::new(), |offset| format!(" from {offset}"));
        let of = format!("{} {} {} {}{offset}", one.by, one.rule, one.quota, one.keep);
        format!("{of} {}", one.also).trim().to_owned()
    }

    #[test]
    fn curves_and_windows_say_how_each_part_was_chosen() {
        let mut asked = outcome("cifar10-airbench/curve");
        asked["curve"]["points"][0]["series"] = json!("el2n@4 ccs/balanced");
        asked["curve"]["points"][1]["series"] = json!("random/proportional");
        let found = read(&asked).unwrap();
        let all: Vec<String> = found.iter().map(words).collect();
        for expected in [
            "everything   1",
            "el2n@4 ccs balanced 0.75",
            "random random proportional 0.5",
            "random random none 0.75",
            "el2n@4 window none 0.5 from 0.4",
        ] {
            assert!(all.iter().any(|one| one == expected), "{expected}: {all:#?}");
        }
        assert_eq!(found[0].trainings, 2);
        assert!((found[0].mean - 0.8847).abs() < 1e-9 && found[0].metric.is_none());
        // With changed labels it is of another table.
        let (plain, all) = (found.len(), asked["window"].as_array().unwrap().len());
        let mut noisy = asked["window"][0].clone();
        noisy["scene"] = json!("10 % of labels random");
        noisy["points"][0]["keep"] = json!(0.123);
        asked["window"].as_array_mut().unwrap().push(noisy);
        assert_eq!(asked["window"].as_array().unwrap().len(), all + 1);
        assert_eq!(read(&asked).unwrap().len(), plain);
    }

    #[test]
    fn trainings_with_other_labels_than_the_scores_are_refused() {
        let clean = outcome("cifar10-airbench/curve");
        let listed = |sha: &str| json!({ "kind": "listed", "sha256": sha, "length": 3 });
        let mut noisy = clean.clone();
        noisy["template"]["labels"] = listed("ab");
        let table = |labels: Value, relabelled: bool| {
            let mut columns = Table::default();
            columns.push("el2n@8", Column::F32(vec![0.5])).unwrap();
            let specification = json!({ "labels": labels });
            ScoreTable::new(columns, Card { specification, relabelled, ..card(&clean) })
        };
        let original = json!({ "kind": "original" });
        // A table that was recorded elsewhere says but whether labels were changed.
        for (outcome, labels, relabelled, refused) in [
            (&clean, original.clone(), false, None),
            (&clean, Value::Null, false, None),
            (&noisy, listed("ab"), true, None),
            (
                &clean,
                listed("ab"),
                true,
                Some("with the labels of the data set, and the scores were taken with others"),
            ),
            (&clean, Value::Null, true, Some("taken with others")),
            (
                &noisy,
                original,
                false,
                Some("with changed labels, and the scores were taken with those of the data set"),
            ),
            (
                &noisy,
                listed("cd"),
                true,
                Some("with changed labels, and the scores were taken with others"),
            ),
            (&noisy, Value::Null, true, Some("taken with others")),
        ] {
            let found = read_for(outcome, &table(labels.clone(), relabelled));
            match (found, refused) {
                (Ok(found), None) => assert!(!found.is_empty(), "{labels}"),
                (Err(error), Some(why)) => assert!(error.to_string().contains(why), "{error}"),
                (found, _) => panic!("{labels} {relabelled}: {found:?}"),
            }
        }
    }

    #[test]
    fn of_a_search_it_is_what_was_tested_at_the_end() {
        let mut asked = outcome("cifar10-airbench-64/noise");
        let spread = |mean: f64| {
            json!({ "mean": mean, "low": mean, "high": mean, "values": [mean],
            "metric": { "name": "perplexity", "higher_is_better": false } })
        };
        let point = |series: &str, mean: f64| {
            json!({ "series": series, "keep": 0.5, "size": 5, "skew": null,
            "steps": 9, "accuracy": spread(mean) })
        };
        let arm = json!({ "keep": 0.5, "drop": 0.1, "quota": "none" });
        asked["tune"] = json!({
            "plan": { "by": "el2n@end", "arms": [arm], "rungs": [], "validation": 0.1, "tolerance": 0.01,
                "finals": 1, "seed": 0 },
            "held_out": 1, "rungs": [{ "steps": 3, "full": spread(9.0), "arms": [[arm, spread(8.0)]] }],
            "answer": arm, "within_tolerance": true, "advisable": true, "verdict": "",
            "finals": { "answer": point("answer", 3.5), "random": point("random", 4.5), "full": spread(3.0),
                "each_epoch": point("random-each-epoch", 3.25), "hardest": point("hardest", 5.0) },
        });
        let found = read(&asked).unwrap();
        let all: Vec<String> =
            found.iter().map(|one| format!("{}: {}", words(one), one.mean)).collect();
        assert_eq!(
            all,
            [
                "everything   1: 3",
                "el2n@8 window none 0.5 from 0.4 without the hardest 10 %: 3.5",
                "random random none 0.5: 4.5",
                "random random none 0.5 drawn anew every epoch: 3.25",
                "el2n@8 hardest none 0.5: 5",
            ]
        );
        assert!(found.iter().all(|one| one.metric.as_deref() == Some("perplexity")));
        assert!(found.iter().all(|one| one.less_is_better));
        asked["tune"] = json!({ "plan": 3 });
        assert!(
            format!("{:#}", read(&asked).unwrap_err())
                .contains("the study `tune` was written by another")
        );
    }

    #[test]
    fn what_says_nothing_of_parts_of_these_data_is_refused_by_name() {
        for name in [
            "cifar10-airbench-64/noise",
            "cifar10-airbench/velocity",
            "cifar10-airbench-64/connectivity",
        ] {
            let message = format!("{:#}", read(&outcome(name)).unwrap_err());
            let study = name.rsplit('/').next().unwrap();
            assert!(
                message.contains("outcome.json has no accuracy") && message.contains(study),
                "{message}"
            );
        }
        let curve = outcome("cifar10-airbench/curve");
        let mut columns = Table::default();
        columns.push("el2n@8", Column::F32(vec![0.5])).unwrap();
        let data = json!({ "name": "other", "fingerprint": "ab", "limit": null });
        let card = Card { data: serde_json::from_value(data).unwrap(), ..Card::new(Vec::new()) };
        let other = ScoreTable::new(columns.clone(), card);
        let message = read_for(&curve, &other).unwrap_err().to_string();
        assert!(
            message.contains("is of trainings on cifar10, and the scores are of other"),
            "{message}"
        );
        // Of which data nobody says, that is noted.
        assert!(!read_for(&curve, &ScoreTable::of(columns).unwrap()).unwrap().is_empty());
        let message =
            format!("{:#}", read_for(&json!({ "template": { "data": {} } }), &other).unwrap_err());
        assert!(message.contains("is not the outcome of an experiment"), "{message}");
    }

    #[test]
    fn results_of_the_repository_are_read() {
        for name in ["cifar10-airbench-64/window", "cifar10-resnet8/curve", "wordnet-minilm/curve"]
        {
            let found = read(&outcome(name)).unwrap();
            assert!(found.iter().any(|one| one.by == "everything"), "{name}");
            assert!(found.iter().all(|one| one.mean > 0.0 && one.keep <= 1.0), "{name}");
        }
    }
}
