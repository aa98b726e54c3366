//! What `run`, `ntk`, `lmc` and `diet` have in common: an experiment, a folder of its results, and a
//! report.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use datadiet_lab::{Experiment, ExperimentOptions};

use crate::execution::{Answer, ExecutionArgs, Task, carry_out, open, tested};
use crate::home::HomeArgs;
use crate::output::{OutputArgs, named_folder};
use crate::tracker::Loggable;

/// Options of commands that carry out an experiment.
#[derive(Args)]
pub struct QuestionArgs {
    /// Say what it would train and cost, and stop.
    #[arg(long)]
    pub plan: bool,
    /// Folder for the results [default: in results/ or diets/, named by what is asked].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    pub execution: ExecutionArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Where results go if nothing else is said.
pub enum DefaultFolder<'a> {
    /// There.
    At(PathBuf),
    /// In `FOLDER/PREFIXDATA-MODEL-ID`, the id a digest of what is asked.
    Named(&'a str, &'a str),
}

impl QuestionArgs {
    /// Carries out an experiment, writes its results and its report. Paths in it are relative to
    /// `folder`.
    ///
    /// # Errors
    /// When it makes no sense, does not fit the data, or nothing came of it.
    pub fn answer(
        self,
        home: &HomeArgs,
        mut options: ExperimentOptions,
        folder: &Path,
        default: DefaultFolder<'_>,
    ) -> Result<ExitCode> {
        self.execution.ask_processor(home, &mut options.training, self.plan)?;
        let training = options.training.clone();
        let opened = open(home, &training)?;
        let experiment = Experiment::new(options, folder, opened.data())?;
        let scene = experiment.scenes.plain();
        let spec = &scene.template;
        let out = match (self.out, default) {
            (Some(out), _) | (None, DefaultFolder::At(out)) => out,
            (None, DefaultFolder::Named(folder, prefix)) => {
                let name = format!("{prefix}{}-{}", spec.data.name, spec.file_name());
                named_folder(folder, &name, &(&scene.scoring, &experiment.options.studies))?
            }
        };
        let task = Task {
            options: &training,
            template: spec,
            data: opened.data(),
            examples: scene.examples(),
            what: experiment.headline(),
            steps: experiment.size().steps,
            effort: &|store| Ok(experiment.effort(store, tested(&opened))?),
            out: Some(&out),
            plan: self.plan.then(|| experiment.plan()),
        };
        carry_out(home, self.execution, self.output, &task, |execution| {
            experiment.check_folder(&out)?;
            let Some(mut done) = experiment.run(&execution.sweep())? else { return Ok(None) };
            experiment.write(&out, execution.store, opened.data(), &mut done)?;
            crate::commands::report::of_folder(home, &out)?;
            let (text, failed) = (done.outcome.text()?, done.outcome.failed.clone());
            let results = Loggable::In(out.clone());
            Ok(Some(Answer { text, failed, value: done.outcome, results }))
        })
    }
}
