//! What research says about a choice that is about to be trained on: warnings, not refusals.

use datadiet_core::{ClassShare, Direction, Rule, ScoreKind, Task, skew, spearman};

use crate::ranking::{kind_of, time_of};
use crate::{Ranking, ScoreTable};

/// Largest over smallest kept share of a class above which a choice is called skewed.
const MOST_SKEW: f64 = 2.0;

/// Kept fraction below which keeping the hardest does worse than random (PROTOCOL.md).
const LEAST_HARDEST: f64 = 0.3;

/// Reliability below which the order of examples is mostly the run's.
const LEAST_RELIABILITY: f64 = 0.8;

/// Rank correlation from which on a score says more of the size of an example than of anything else: a quarter of
/// the variance of the ranks.
const MOST_OF_LENGTH: f64 = 0.5;

/// How options are written in advice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// As the command takes them: `--rule ccs`.
    Command,
    /// As Python's functions take them: `rule="ccs"`.
    Python,
}

impl Spelling {
    fn option(self, name: &str, value: &str) -> String {
        match self {
            Self::Command => format!("--{name} {value}"),
            Self::Python => format!("{name}=\"{value}\""),
        }
    }
}

/// A choice that was made.
#[derive(Clone, Copy, Debug)]
pub struct Made<'a> {
    /// Which part was kept.
    pub rule: Rule,
    /// Fraction kept.
    pub fraction: f64,
    /// The column it was chosen by; none for a random choice.
    pub ranking: Option<&'a Ranking<'a>>,
    /// The table it was chosen from.
    pub table: &'a ScoreTable,
    /// What is kept of each class, and its name.
    pub shares: &'a [ClassShare],
    /// Names of the classes.
    pub classes: &'a [String],
    /// How advice names options.
    pub spelling: Spelling,
}

/// What a person should know about a choice.
pub fn cautions(made: &Made<'_>) -> Vec<String> {
    let of_order = made.ranking.filter(|_| made.rule != Rule::Random);
    let of_order = of_order.and_then(|ranking| chance_of_order(made.table, &ranking.name));
    let of_length = made.ranking.filter(|_| made.rule != Rule::Random);
    let of_length = of_length.and_then(|ranking| follows_length(made.table, ranking));
    [few_hardest(made), at_initialisation(made), of_length, of_order, skewed(made)]
        .into_iter()
        .flatten()
        .collect()
}

/// That the order of examples by a column is partly the chance of the trainings that it comes from, with the
/// number; none where it is reliable, or nobody knows.
pub fn chance_of_order(table: &ScoreTable, by: &str) -> Option<String> {
    if table.replicas() == Some(1) {
        return Some(
            "the scores come from one training, whose chance is part of the order; average over several \
             (`score --replicas 4`, `ingest` of several runs)"
                .into(),
        );
    }
    let reliability = table.card()?.column(by)?.reliability.as_ref()?.full;
    (reliability < LEAST_RELIABILITY).then(|| {
        format!(
            "{by} has a split-half reliability of {reliability:.2}: another set of replicas would choose \
             other examples; train more replicas"
        )
    })
}

/// That an order of examples is mostly that of their sizes, where the table has these (`length`): what longer
/// texts and images with more boxes give for nothing. None where it is not, and where nobody says.
pub fn follows_length(table: &ScoreTable, ranking: &Ranking<'_>) -> Option<String> {
    let by = &ranking.name;
    let lengths = table.lengths();
    let of_time = lengths.iter().find(|name| time_of(name) == time_of(by));
    let column = of_time.or(lengths.last()).filter(|name| *name != by)?;
    let lengths = table.columns().floats(column).ok()?;
    let both = ranking.values.iter().zip(lengths).filter(|(a, b)| !a.is_nan() && !b.is_nan());
    let (values, lengths): (Vec<f32>, Vec<f32>) = both.unzip();
    let rho = spearman(&values, &lengths).ok().filter(|rho| rho.abs() >= MOST_OF_LENGTH)?;
    let harder = (rho > 0.0) == (ranking.direction == Direction::HigherIsHarder);
    let tokens = table.task() == Task::Tokens;
    let what = if tokens { "texts" } else { "examples" };
    let end = if harder { "longest" } else { "shortest" };
    // Of tokens all but the sum are means as they are; of losses nobody knows.
    let advice = match (tokens, kind_of(by) == Some(ScoreKind::LossSum), harder) {
        (true, true, true) => "take a mean over tokens, and ".to_owned(),
        (false, _, true) => {
            "take a mean over their parts (tokens, boxes, pixels) where it is a sum, and "
                .to_owned()
        }
        (_, _, true) => String::new(),
        (.., false) => format!("short {what} have extreme means; "),
    };
    Some(format!(
        "{by} follows {column} (Spearman {rho:.2}): the hardest {what} are above all the {end}; {advice}compare \
         with a choice by length and one at random",
    ))
}

fn few_hardest(made: &Made<'_>) -> Option<String> {
    let hard_end = match made.ranking?.direction {
        Direction::HigherIsHarder => Rule::Highest,
        Direction::LowerIsHarder => Rule::Lowest,
    };
    let hardest = made.rule == Rule::Hardest || made.rule == hard_end;
    (hardest && made.fraction < LEAST_HARDEST).then(|| {
        format!(
            "keeping only the hardest {} % is usually worse than a random choice; try {}, a {} that \
             leaves out the hardest, or easiest, and train on as many at random too (of an imported \
             data set `datadiet diet` does)",
            if made.fraction < 0.01 {
                format!("{:.2}", made.fraction * 100.0)
            } else {
                format!("{:.0}", made.fraction * 100.0)
            },
            made.spelling.option("rule", "ccs"),
            made.spelling.option("rule", "window"),
        )
    })
}

fn at_initialisation(made: &Made<'_>) -> Option<String> {
    let by = &made.ranking?.name;
    let gradients = matches!(kind_of(by), Some(ScoreKind::Grand | ScoreKind::GrandLastLayer));
    (gradients && time_of(by) == Some(0.0)).then(|| {
        format!(
            "{} follows the norm of the input and does not beat a random choice (Kirsch 2023); \
             take scores later in training",
            by
        )
    })
}

fn skewed(made: &Made<'_>) -> Option<String> {
    let ratio = skew(made.shares);
    if made.shares.len() < 2 || ratio <= MOST_SKEW {
        return None;
    }
    let present = made.shares.iter().filter(|share| share.of > 0);
    let most = present.clone().max_by(|a, b| a.share().total_cmp(&b.share()))?;
    let least = present.min_by(|a, b| a.share().total_cmp(&b.share()))?;
    let text = |share: &ClassShare| {
        let name = made.classes.get(share.class as usize).map_or("?", String::as_str);
        let class = if name.parse::<u32>().is_ok() { "class " } else { "" };
        format!("{:.0} % of {class}{name}", share.share() * 100.0)
    };
    Some(format!(
        "classes are kept unevenly: {} but {}; {} or balanced evens that out",
        text(most),
        text(least),
        made.spelling.option("quota", "proportional")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Card, Column, Table};

    fn said(by: &str, fraction: f64, replicas: usize, shares: &[ClassShare]) -> String {
        let classes = ["cat".to_owned(), "truck".to_owned()];
        let card = Card { replicas: Some(replicas), ..Card::new(Vec::new()) };
        let table = ScoreTable::new(Table::default(), card);
        let ranking = Ranking {
            name: by.into(),
            values: vec![1.0].into(),
            direction: Direction::HigherIsHarder,
            assumed: false,
        };
        let (ranking, table, classes) = (Some(&ranking), &table, &classes[..]);
        let (rule, spelling) = (Rule::Hardest, Spelling::Python);
        cautions(&Made { rule, fraction, ranking, table, shares, classes, spelling }).join("\n")
    }

    #[test]
    fn a_sound_choice_has_no_warning() {
        assert_eq!(said("el2n@4", 0.5, 4, &[]), "");
    }

    #[test]
    fn an_order_of_lengths_is_told() {
        let table = |task, sizes: [f32; 5]| {
            let mut columns = Table::default();
            columns.push("length@2", Column::F32(sizes.to_vec())).unwrap();
            columns.push("loss-drop@2", Column::F32(vec![1.0, 2.0, 3.0, f32::NAN, 4.0])).unwrap();
            ScoreTable::new(columns, Card { task, ..Card::new(Vec::new()) })
        };
        let said = |table: &ScoreTable, by: &str| {
            let ranking = table.ranking(by, None).unwrap();
            follows_length(table, &ranking)
        };
        let texts = table(Task::Tokens, [10.0, 20.0, 30.0, 0.0, 40.0]);
        let text = said(&texts, "loss-drop@end").unwrap();
        for part in
            ["follows length@2 (Spearman 1.00)", "hardest texts", "the shortest", "extreme means"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("take a mean"), "what is one already: {text}");
        assert_eq!(said(&texts, "length@2"), None, "itself");
        let boxes = table(Task::Loss, [9.0, 8.0, 7.0, 6.0, 5.0]);
        let text = said(&boxes, "loss-drop@end").unwrap();
        assert!(
            text.contains("-1.00") && text.contains("hardest examples are above all the longest")
        );
        assert!(text.contains("take a mean over their parts"), "{text}");
        let sums = |by: &str| {
            let mut columns = texts.columns().clone();
            columns.push(by, Column::F32(vec![1.0, 2.0, 3.0, 0.0, 4.0])).unwrap();
            let card = Card { task: Task::Tokens, ..Card::new(Vec::new()) };
            said(&ScoreTable::new(columns, card), by).unwrap()
        };
        assert!(sums("loss-sum@2").contains("the longest; take a mean over tokens, and compare"));
        assert!(sums("mean-loss@2").contains("the longest; compare with a choice by length"));
        assert_eq!(said(&table(Task::Loss, [2.0, 1.0, 4.0, 9.0, 2.0]), "loss-drop@end"), None);
    }

    #[test]
    fn each_risk_is_named() {
        let shares = [
            ClassShare { class: 0, kept: 90, of: 100 },
            ClassShare { class: 1, kept: 10, of: 100 },
        ];
        let text = said("grand@0", 0.2, 1, &shares);
        for part in [
            "hardest 20 %",
            "norm of the input",
            "one training",
            "90 % of cat but 10 % of truck",
            "rule=\"ccs\"",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
