//! The sections of an experiment.

use datadiet_report::{Block, NoteKind, Section, Stat, TableBlock};

use crate::ledger::LedgerRow;
use crate::text::percent;
use crate::{ExperimentOutcome, LabError, Spread, metric_name};

/// Everything that an experiment found.
///
/// # Errors
/// When the outcome was written by another version.
pub fn experiment_sections(outcome: &ExperimentOutcome) -> Result<Vec<Section>, LabError> {
    let findings = outcome.findings()?;
    let full = findings.iter().find_map(|findings| findings.full.as_ref());
    let mut sections = vec![summary(outcome, full)];
    sections.extend(findings.iter().flat_map(|findings| findings.sections.clone()));
    if !outcome.ledger.is_empty() {
        sections.push(ledger_section(&outcome.ledger));
    }
    Ok(sections)
}

fn summary(outcome: &ExperimentOutcome, full: Option<&Spread>) -> Section {
    let spec = &outcome.template;
    let cost = &outcome.cost;
    let stat =
        |label: &str, value: String, detail: String| Stat { label: label.into(), value, detail };
    let full = full.or(outcome.scenes.first().and_then(|scene| scene.accuracy.as_ref()));
    let (network, schedule) = match &spec.trainer {
        Some(trainer) => (
            stat("trainer", trainer.name.clone(), trainer.version.clone().unwrap_or_default()),
            stat("length", spec.schedule.steps.to_string(), "examples passed".into()),
        ),
        None => (
            stat("network", spec.network.name.clone(), format!("width {}", spec.network.width)),
            stat(
                "schedule",
                format!("{} steps", spec.schedule.steps),
                format!("of {}", spec.schedule.batch),
            ),
        ),
    };
    let mut stats = vec![
        stat("data", spec.data.name.clone(), spec.data.fingerprint[..12].to_owned()),
        network,
        schedule,
        stat(
            "trainings",
            cost.trainings.to_string(),
            format!("{:.1} h of workers", cost.worker_seconds / 3600.0),
        ),
    ];
    if let Some(full) = full {
        let detail = format!("test {}", metric_name(Some(full)));
        stats.push(stat("trained on everything", full.mean_text(), detail));
    }
    let mut blocks = vec![Block::Stats(stats)];
    let warning = |text: String| Block::Note { kind: NoteKind::Warning, text };
    if !outcome.failed.is_empty() {
        let names: Vec<String> =
            outcome.failed.iter().map(|f| format!("{}: {}", f.name, f.reason)).collect();
        let names = names.join("\n\n");
        blocks.push(warning(format!("Trainings that failed, and are missing below:\n\n{names}")));
    }
    blocks.extend(outcome.left_out.iter().cloned().map(warning));
    Section { id: "summary".into(), title: "Summary".into(), blocks }
}

/// What scoring costs and saves.
fn ledger_section(ledger: &[LedgerRow]) -> Section {
    let blocks = vec![
        Block::Text(
            "With the number of steps fixed, as in the paper, a subset saves no step of a training. \
             The ledger says what scoring cost (in seconds of one worker) and what a training on \
             the subset would save with the number of epochs fixed; the accuracy of such shorter \
             trainings is another question."
                .into(),
        ),
        Block::Table(ledger_table(ledger)),
    ];
    Section { id: "ledger".into(), title: "What scoring costs and saves".into(), blocks }
}

fn ledger_table(ledger: &[LedgerRow]) -> TableBlock {
    let row = |row: &LedgerRow| {
        vec![
            row.by.clone(),
            percent(row.keep).to_string(),
            row.replicas.to_string(),
            row.scoring_steps.to_string(),
            format!("{:.0}", row.scoring_seconds),
            format!("{:.0}", row.full_seconds),
            row.saved_steps.to_string(),
            row.saved_examples.to_string(),
            row.pays_after.map_or("never".into(), |trainings| trainings.to_string()),
        ]
    };
    let header = [
        "chosen by",
        "kept, %",
        "replicas",
        "steps of each",
        "scoring, s",
        "a full training, s",
        "steps saved",
        "examples saved",
        "pays after, trainings",
    ];
    TableBlock {
        caption: "What scoring cost, and what a training on the subset saves with epochs fixed"
            .into(),
        header: header.map(String::from).to_vec(),
        rows: ledger.iter().map(row).collect(),
        text_columns: 1,
    }
}
