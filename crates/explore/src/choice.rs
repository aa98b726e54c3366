//! What a choice would keep: how many of each class, what research says about it, what was measured.

use datadiet_core::{
    Amount, Choice, Classes, ExampleId, KeepFraction, Quota, Rule, RuleOptions,
    check_no_class_vanishes, skew,
};
use datadiet_table::{AmongMarked, Made, Marked, Ranking, Spelling, cautions, hard_end};
use serde::Deserialize;
use serde_json::json;

use crate::Explorer;
use crate::answers::parsed;
use crate::explorer::{Answer, Answered};

#[derive(Deserialize)]
struct Asked {
    by: Option<String>,
    rule: String,
    keep: f64,
    offset: Option<f64>,
    cut: Option<f64>,
    #[serde(default)]
    quota: Option<String>,
    #[serde(default)]
    seed: u64,
    /// Answer with the kept rows alone, a bit each.
    #[serde(default)]
    bits: bool,
}

/// What a choice keeps, as `datadiet select` makes it with the marks; rows without a score are left out.
pub fn choice(explorer: &Explorer, query: &str) -> Answered {
    let asked: Asked = parsed(query)?;
    let bad = |error: &dyn std::fmt::Display| Answer::error(400, error);
    let scores = &explorer.scores;
    let by = asked.by.as_deref().unwrap_or(&explorer.by);
    let quota: Quota = match asked.quota.as_deref() {
        Some(name) => name.parse().map_err(|error: datadiet_core::SelectionError| bad(&error))?,
        None => Quota::None,
    };
    let options = RuleOptions { offset: asked.offset, cut: asked.cut, strata: None };
    let rule = Rule::named(&asked.rule, options, scores.rows()).map_err(|error| bad(&error))?;
    let keep = KeepFraction::try_from(asked.keep).map_err(|error| bad(&error))?;
    let choice = Choice { rule, amount: Amount::Fraction(keep), quota, seed: asked.seed };
    let classes = match scores.labels() {
        Some(_) => scores.classes().to_vec(),
        None => vec!["all".to_owned()],
    };
    let by_class = scores.labels().map(|labels| Classes { labels, count: classes.len() });
    let (marked, marks) = {
        let board = explorer.fresh_board()?;
        let is_marked = !board.marks.marked().is_empty();
        let marked = is_marked.then(|| Marked::of(&board.marks, false));
        (marked, board.file.path().display().to_string())
    };
    scores
        .ranked(by, |table, ranking| {
            let valued = (0..).zip(ranking.values.iter()).filter(|(_, value)| !value.is_nan());
            let valued: Vec<ExampleId> = valued.map(|(row, _)| ExampleId(row)).collect();
            let left_out = scores.rows() - valued.len();
            let (scored, order) = match rule {
                Rule::Random => (None, None),
                _ if left_out == 0 => (None, Some(ranking)),
                _ => (Some(valued), Some(ranking)),
            };
            let made = AmongMarked::new(scores.rows(), scored, marked.as_ref()).and_then(|among| {
                let chosen = among.choose(Some(&choice), order.map(Ranking::scores), by_class)?;
                Ok((chosen, among.candidates().count()))
            });
            let (chosen, candidates) = match made {
                Ok(made) => made,
                Err(error) => return Ok(Answer::error(400, error)),
            };
            if asked.bits {
                let mut bits = vec![0_u8; scores.rows().div_ceil(8)];
                chosen.ids.iter().for_each(|id| bits[id.index() / 8] |= 1 << (id.index() % 8));
                return Ok(Answer::of("application/octet-stream", bits));
            }
            let mut cautions = cautions(&Made {
                rule,
                fraction: chosen.ids.len() as f64 / candidates as f64,
                ranking: order,
                table,
                shares: &chosen.shares,
                classes: &classes,
                spelling: Spelling::Command,
            });
            let vanishing = check_no_class_vanishes(&chosen.shares).err();
            cautions.extend(vanishing.as_ref().map(ToString::to_string));
            if left_out > 0 && order.is_some() {
                cautions
                    .push(format!("{left_out} examples have no score in {by}: they are left out"));
            }
            let share =
                |share: &datadiet_core::ClassShare| json!([share.class, share.kept, share.of]);
            // Word by word, all that makes it keep the same: the page quotes words as a shell needs it.
            let table = explorer.path.display().to_string();
            let mut command = vec!["datadiet".to_owned(), "select".into(), table];
            let mut add = |name: &str, value: String| command.extend([format!("--{name}"), value]);
            if let Some(ranking) = order {
                add("by", ranking.name.clone());
                if let Some(hard) = scores.hard(&ranking.name) {
                    add("hard-is", hard_end(hard).into());
                }
            }
            add("rule", rule.name().into());
            add("keep", asked.keep.to_string());
            for (name, value) in [("offset", asked.offset), ("cut", asked.cut)] {
                if let Some(value) = value {
                    add(name, value.to_string());
                }
            }
            if quota != Quota::None {
                add("quota", quota.name().into());
            }
            if asked.seed != 0 {
                add("seed", asked.seed.to_string());
            }
            if marked.is_some() {
                add("marks", marks);
            }
            add("out", "kept.parquet".into());
            if left_out > 0 && order.is_some() {
                command.push("--drop-unscored".into());
            }
            // The caution is there to be read; without this the command keeps nothing.
            if vanishing.is_some() {
                command.push("--allow-empty-class".into());
            }
            Ok(Answer::json(&json!({
                "kept": chosen.ids.len(),
                "of": candidates,
                "marked": marked.as_ref().map(ToString::to_string),
                "shares": chosen.shares.iter().map(share).collect::<Vec<_>>(),
                "skew": Some(skew(&chosen.shares)).filter(|skew| skew.is_finite()),
                "cautions": cautions,
                "command": command,
                "rule": rule.to_string(),
            })))
        })
        .map_err(Answer::from)
}
