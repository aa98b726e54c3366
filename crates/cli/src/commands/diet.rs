//! `datadiet diet`: the smallest subset that is good enough, checked against random and full.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Args;
use datadiet_core::{KeepFraction, Quota, ScoreKind};
use datadiet_lab::{Experiment, Scene, SearchOptions, SearchOutcome, SearchPlan, Spread};
use datadiet_store::RunSpec;
use datadiet_table::{Row, Subset, write_json};

use crate::commands::score::{ScoreOptions, recording};
use crate::execution::{Execution, ExecutionArgs};
use crate::home::HomeArgs;
use crate::output::{OutputArgs, check_writable, grouped, named_folder, table};
use crate::progress::Work;
use crate::training::{self, Training, TrainingOptions, positive};

/// Find the smallest subset that is good enough, and check it against random and full.
///
/// Scores the training set, then tries subsets (sizes, with and without the hardest examples, with
/// and without class quotas) by successive halving, judged on training examples that are held out.
/// The answer is retrained on the whole, beside as many examples at random and everything, and
/// tested. What it costs at most is stated before anything is trained.
#[derive(Args)]
#[command(
    args_override_self = true,
    allow_negative_numbers = true,
    after_help = "\
Examples:
  datadiet diet --data cifar10 --tolerance 0.5
  datadiet diet --data mine --model resnet18 --epochs 30 --tolerance 1 --budget 20
  datadiet diet --data cifar10 --keep 0.5,0.7,0.9 --drops 0,0.1 --plan    # what it would cost"
)]
pub struct DietArgs {
    #[command(flatten)]
    training: TrainingOptions,
    /// Accuracy that may be lost, in points.
    #[arg(long, value_name = "POINTS", default_value_t = 0.5)]
    tolerance: f64,
    /// Trainings of whole length that the search may cost; scoring and the final check come on top.
    #[arg(long, value_name = "N", default_value_t = 12.0)]
    budget: f64,
    /// Score to choose by.
    #[arg(long, value_name = "SCORE", default_value = "el2n")]
    by: ScoreKind,
    /// When to take it, in epochs [default: three eighths of the training].
    #[arg(long, value_name = "EPOCH")]
    at: Option<f64>,
    /// Independent trainings to take scores from.
    #[arg(long, default_value_t = 2)]
    replicas: u32,
    /// Fractions to try.
    #[arg(long, value_delimiter = ',', default_values_t = [0.3, 0.5, 0.7, 0.85])]
    keep: Vec<f64>,
    /// Fractions of the hardest to leave out.
    #[arg(long, value_delimiter = ',', default_values_t = [0.0, 0.1])]
    drops: Vec<f64>,
    /// Fraction of the training examples that is held out to judge subsets.
    #[arg(long, value_name = "FRACTION", default_value_t = 0.1)]
    validation: f64,
    /// Trainings of the answer, of random examples and of everything.
    #[arg(long, value_name = "N", default_value_t = 2)]
    retrainings: u32,
    /// Say what it would cost, and stop.
    #[arg(long)]
    pub plan: bool,
    /// Folder for the results [default: diets/DATA-MODEL-ID].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    execution: ExecutionArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the command.
pub fn run(home: &HomeArgs, args: DietArgs) -> Result<ExitCode> {
    let dataset = training::open(home, &args.training)?;
    let training = Training::new(&args.training, &dataset)?;
    ensure!(
        dataset.test().is_some(),
        "{} has no test split to check an answer with; import it with one (a folder test/ beside \
         train/, x_test and y_test in npz)",
        dataset.name()
    );
    let scene = args.scene(&training, &dataset)?;
    let search = args.search(&scene, training.epochs)?;
    let experiment =
        Experiment { scenes: vec![scene], tune: Some(search), ..Experiment::default() };
    let (_, steps) = experiment.size();
    let headline = args.headline(&experiment, &training, steps);
    if args.plan {
        let plan = serde_json::json!({ "steps": steps, "search": experiment.tune });
        args.output.answer(&plan, || headline)?;
        return Ok(ExitCode::SUCCESS);
    }
    let spec = &training.template;
    let out = match &args.out {
        Some(out) => out.clone(),
        None => {
            let name = format!("{}-{}", spec.data.name, spec.network.name);
            named_folder("diets", &name, &(spec, &experiment.tune))?
        }
    };
    check_writable(&out)?;
    let work = Work { steps, batch: spec.schedule.batch };
    let execution = Execution::new(home, args.execution, &training, work)?;
    execution.reporter.note(&headline);
    let Some(done) = experiment.run(&execution.sweep())? else {
        return Ok(execution.interrupted());
    };
    execution.finish();
    let mut scores = done.scored[0].scores.clone();
    scores.amend(|card| card.source = dataset.source().into());
    scores.write(&out.join("scores.parquet"))?;
    write_json(&out.join("outcome.json"), &done.outcome)?;
    let found = done.outcome.tune.as_ref().expect("an experiment answers what it was asked");
    let (scene, scored) = (&experiment.scenes[0], &done.scored[0]);
    if found.advisable {
        let (ranking, chosen) =
            found.plan.subset(&execution.store, scene, scored, &found.answer)?;
        let rows: Vec<Row> = chosen.ids.iter().map(|id| Row(id.0)).collect();
        let file = Subset {
            table: &scores,
            ranking: Some(&ranking),
            rows: &rows,
            how: serde_json::json!({ "by": ranking.name, "choice": found.answer }),
        };
        file.write(&out.join("subset.parquet"))?;
    }
    crate::commands::report::of_folder(home, &out)?;
    args.output.answer(&done.outcome, || text(found, &out))?;
    for failure in &done.outcome.failed {
        execution.reporter.failed(&failure.name, &failure.reason);
    }
    Ok(if done.outcome.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl DietArgs {
    fn time(&self, epochs: f64) -> f64 {
        self.at.unwrap_or(epochs * 0.375)
    }

    fn scene(&self, training: &Training, dataset: &datadiet_data::Dataset) -> Result<Scene> {
        let times = training.times(vec![self.time(training.epochs)])?;
        let scores = vec![self.by.name().to_owned()];
        let options = ScoreOptions { scores, ..ScoreOptions::default() };
        let record = recording(&options, training, &times)?;
        let stop_after = times[0].step.max(1);
        Ok(Scene {
            name: String::new(),
            template: training.template.clone(),
            scoring: RunSpec { record, stop_after, ..training.template.clone() },
            replicas: positive("--replicas", Some(self.replicas), 2)?,
            times,
            labels: training.labels.clone(),
            changed: training.changed(dataset),
            touched: training.changed(dataset),
            classes: dataset.classes().to_vec(),
        })
    }

    fn search(&self, scene: &Scene, epochs: f64) -> Result<SearchPlan> {
        let keep = self.keep.iter().map(|&keep| KeepFraction::try_from(keep));
        let options = SearchOptions {
            by: format!("{}@{}", self.by, self.time(epochs)),
            keep: keep.collect::<Result<Vec<KeepFraction>, _>>()?,
            drops: self.drops.clone(),
            quotas: vec![Quota::None, Quota::Balanced],
            validation: self.validation,
            budget: self.budget,
            retrainings: self.retrainings,
        };
        Ok(options.plan(Some(self.tolerance / 100.0), scene.labels.len(), scene.template.seed)?)
    }

    /// What it is going to cost.
    fn headline(&self, experiment: &Experiment, training: &Training, steps: u64) -> String {
        let search = experiment.tune.as_ref().expect("made with one");
        let rungs: Vec<String> = search
            .rungs
            .iter()
            .map(|rung| format!("{} of {} × the length", rung.arms, rung.length))
            .collect();
        let schedule = training.template.schedule.steps;
        format!(
            "{}\nbudget, in trainings of {} steps: {:.2} to score ({} replicas to epoch {}), at most \
             {:.2} to search ({} of {} ways to choose: {}, each beside everything), at most {} to \
             check; {} steps in all",
            training.headline(),
            grouped(schedule),
            f64::from(self.replicas) * self.time(training.epochs) / training.epochs,
            self.replicas,
            self.time(training.epochs),
            search.cost(),
            search.tried(),
            search.arms.len(),
            rungs.join(", "),
            search.final_trainings(),
            grouped(steps),
        )
    }
}

fn text(found: &SearchOutcome, out: &std::path::Path) -> String {
    let percent =
        |accuracy: &Option<Spread>| accuracy.as_ref().map_or("failed".to_owned(), Spread::percent);
    let finals = &found.finals;
    let mut rows = vec![
        vec!["everything".to_owned(), String::new(), percent(&finals.full)],
        vec![
            found.answer.text(),
            grouped(finals.answer.size as u64),
            percent(&finals.answer.accuracy),
        ],
        vec![
            "as many at random".into(),
            grouped(finals.random.size as u64),
            percent(&finals.random.accuracy),
        ],
    ];
    if let Some(hardest) = &finals.hardest {
        let size = grouped(hardest.size as u64);
        rows.push(vec!["as many of the hardest".into(), size, percent(&hardest.accuracy)]);
    }
    format!(
        "{}\n\n{}\n\nwritten to {}",
        table(&["trained on", "examples", "test accuracy"], rows, 1),
        found.verdict,
        out.display()
    )
}
