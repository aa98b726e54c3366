//! docs/SCORES.md says the same about every score as the catalogue.

use datadiet_core::{Direction, ScoreKind, Source};

const PAGE: &str = include_str!("../../../docs/SCORES.md");

#[test]
fn the_page_of_scores_agrees_with_the_catalogue() {
    for &kind in ScoreKind::ALL {
        let begin = format!("| `{kind}` |");
        let rows: Vec<&str> = PAGE.lines().filter(|line| line.starts_with(&begin)).collect();
        let [row] = rows[..] else { panic!("docs/SCORES.md has {} rows for {kind}", rows.len()) };
        let cells: Vec<&str> = row.split(" | ").map(str::trim).collect();
        assert_eq!(cells[2], kind.definition().range, "range of {kind}");
        let hard = match kind.direction() {
            Direction::HigherIsHarder => "high",
            Direction::LowerIsHarder => "low",
        };
        assert_eq!(cells[3], hard, "direction of {kind}");
        let pass = match kind.source() {
            Source::EvalLogits => "evaluation pass",
            Source::Gradients => "evaluation pass, gradient of each example",
            Source::Inputs => "the images alone",
            Source::TrainingMinibatches => "training minibatches",
            Source::Losses => "recorded losses",
            Source::Outputs => "recorded outputs",
        };
        assert_eq!(cells[4], pass, "pass of {kind}");
    }
}
