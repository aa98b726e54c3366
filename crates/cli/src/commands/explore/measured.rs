//! What trainings on parts of the data have reached, of the results of `datadiet run` and `datadiet diet`.
//!
//! Curves and windows have points of their own; of a search (`[tune]`, `datadiet diet`) it is what was retrained at its
//! end and tested. What a search measures on its way is of shorter trainings, on examples that are held out, and is not
//! shown. Of windows with changed labels only those with the labels of the data are: the others are of other tables.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use datadiet_core::{Quota, Rule};
use datadiet_explore::Measured;
use datadiet_lab::study::baseline::Baseline;
use datadiet_lab::study::points::{PointOutcome, PointsOutcome};
use datadiet_lab::study::search::SearchOutcome;
use datadiet_lab::{ExperimentOutcome, Spread};
use datadiet_table::ScoreTable;
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
    match table.card().and_then(|card| card.data.as_ref()) {
        Some(own) => ensure!(
            (&own.fingerprint, own.limit) == (&data.fingerprint, data.limit),
            "{name} is of trainings on {}, and the scores are of {}, of another version or of another part of it; \
             give the results of these data",
            data.name,
            own.name
        ),
        None => eprintln!(
            "note: the table does not say of which data set it is: {name} is taken for trainings on the same data, {}",
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
