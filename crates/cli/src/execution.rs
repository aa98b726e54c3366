//! Carrying out trainings: where the store is, which workers train, who hears about it.

use std::fmt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use datadiet_core::isa::Avx512Bf16;
use datadiet_core::{Progress, Silent};
use datadiet_data::Dataset;
use datadiet_lab::executor::{Executor, Needs, Plan, local};
use datadiet_lab::{
    DeclaredExamples, Effort, Failure, OnOptions, Place as At, Program, Resources, Speed, Sweep,
    Trainer, TrainingData, TrainingOptions, changed_since, positive, taken,
};
use datadiet_store::{Precision, RunSpec, Store, SweepFolder};
use serde::Serialize;
use serde_json::Value;

use crate::carrier::{OwnWorker, examples_of, needs, own_plan, sweep_plan};
use crate::elsewhere::{Elsewhere, ask_processor};
use crate::home::HomeArgs;
use crate::interrupt::{self, EXIT_INTERRUPTED, STOP};
use crate::on::OnArgs;
use crate::output::{OutputArgs, check_writable};
use crate::progress::{Drawer, Losses, ProgressArgs};
use crate::tracker::{Done, LogArgs, Loggable};
use crate::worker::Worker;

/// Options of commands that train.
#[derive(Args, Clone)]
pub struct ExecutionArgs {
    /// Train runs again whose failure is on record.
    #[arg(long)]
    retry_failed: bool,
    /// Least time between two checkpoints of a run.
    #[arg(long, value_name = "SECONDS", default_value_t = 15.0)]
    checkpoint_every: f64,
    /// Train for ten seconds first and say how long everything is going to take on this machine.
    #[arg(long)]
    estimate: bool,
    /// Only write down what would be trained now: `datadiet plan` gives it.
    #[arg(long, hide = true)]
    only_plan: bool,
    #[command(flatten)]
    on: OnArgs,
    #[command(flatten)]
    pub log: LogArgs,
    #[command(flatten)]
    progress: ProgressArgs,
}

/// How long the training lasts that shows how fast this machine is.
const MEASURED: Duration = Duration::from_secs(10);

impl ExecutionArgs {
    fn checkpoint_every(&self) -> Result<Duration> {
        Duration::try_from_secs_f64(self.checkpoint_every)
            .context("--checkpoint-every is a number of seconds, such as 15")
    }

    /// The same, with what a file of options says of where trainings are carried out, and what beside --on was
    /// `typed` of it.
    #[must_use]
    pub fn on(self, in_file: OnOptions, typed: OnOptions) -> Self {
        Self { on: self.on.over(in_file, typed), ..self }
    }

    /// Where trainings are carried out.
    fn place(&self) -> Result<OnOptions> {
        let on = self.on.resolved()?;
        Ok(if self.only_plan { OnOptions { place: Some(At::Plan), ..on } } else { on })
    }

    /// Has a machine say what `auto` is for the arithmetic, where trainings are carried out on other machines.
    /// Where only a `plan` is wanted, it goes by what was answered before.
    ///
    /// # Errors
    /// When no machine can train, or none answers.
    pub fn ask_processor(
        &self,
        home: &HomeArgs,
        training: &mut TrainingOptions,
        plan: bool,
    ) -> Result<()> {
        let on = self.place()?;
        if !training.asks_processor() || on.place() == At::Local {
            return Ok(());
        }
        if on.place() == At::Plan {
            let here =
                if Avx512Bf16::detect().is_some() { Precision::Bf16 } else { Precision::F32 };
            training.auto = Some(here);
            eprintln!(
                "note: --precision auto is {} here, and the tasks are written down so; give --precision f32 or bf16 \
                 where machines of another kind carry them out",
                match here {
                    Precision::Bf16 => "bf16",
                    Precision::F32 => "f32",
                }
            );
            return Ok(());
        }
        let threads = positive("--threads", training.threads, 1)?;
        let sweep = own_plan(home, threads, self.checkpoint_every()?)?;
        ask_processor(&on, &home.store()?, &sweep, training, plan, &self.progress.drawer(None))
    }
}

/// What is needed to carry out trainings.
pub struct Execution<'a> {
    /// Where runs live.
    pub store: &'a Store,
    /// Hears about progress.
    pub reporter: &'a Drawer,
    prepared: &'a Prepared,
    executor: &'a dyn Executor,
}

/// What is prepared before trainings are carried out.
struct Prepared {
    store: Store,
    reporter: Arc<Drawer>,
    /// The losses that are told, where they are logged.
    losses: Option<Losses>,
    place: Place,
    /// What each training needs.
    needs: Needs,
    /// How often in a row one is started again that was lost.
    retries: u32,
    retry_failed: bool,
}

/// Where trainings are carried out.
enum Place {
    /// By this process.
    Here {
        trainer: Box<dyn Trainer>,
        /// Trainings at a time.
        workers: usize,
    },
    /// On other machines.
    There(Box<Elsewhere>),
    /// Nowhere: they are written down.
    Nowhere(Plan),
}

/// What is trained on.
pub enum Opened {
    /// A data set that was imported.
    Imported(Box<Dataset>),
    /// Examples that only a trainer of the user's can load.
    Declared(DeclaredExamples),
}

impl Opened {
    /// As studies look at it.
    pub fn data(&self) -> TrainingData<'_> {
        match self {
            Self::Imported(dataset) => (&**dataset).into(),
            Self::Declared(examples) => examples.data(),
        }
    }

    /// The data set, where it was imported.
    pub fn images(&self) -> Option<&Dataset> {
        match self {
            Self::Imported(dataset) => Some(dataset),
            Self::Declared(_) => None,
        }
    }
}

/// Opens what options say is trained on.
///
/// # Errors
/// When they name nothing or two things, or it is not there.
pub fn open(home: &HomeArgs, options: &TrainingOptions) -> Result<Opened> {
    if let Some(examples) = &options.examples {
        ensure!(
            options.data.is_none(),
            "--data and --train-examples both say what is trained on: give one of them"
        );
        return Ok(Opened::Declared(DeclaredExamples::read(examples)?));
    }
    ensure!(
        options.data.is_some() || options.trainer.is_none(),
        "which examples does the trainer train on? Give --train-examples FILE with the label of each, or \
         --data NAME for a data set that was imported"
    );
    let name = options.data.as_deref().context(
        "which data set? Give --data NAME; `datadiet data list` shows what there is, `datadiet \
         data fetch cifar10` gets one",
    )?;
    Ok(Opened::Imported(Dataset::open(&home.data()?, name)?.into()))
}

/// Images on which a trained network is tested; none where that is a trainer's own affair.
pub fn tested(opened: &Opened) -> usize {
    opened.images().map_or(0, |images| images.test().unwrap_or_else(|| images.train()).len())
}

/// What a command is going to train.
pub struct Task<'a> {
    /// The options, which say what part of the machine trains.
    pub options: &'a TrainingOptions,
    /// A training.
    pub template: &'a RunSpec,
    /// What it trains on.
    pub data: TrainingData<'a>,
    /// Training examples.
    pub examples: usize,
    /// What is done, for the line that tells it.
    pub what: String,
    /// Steps of all trainings together.
    pub steps: u64,
    /// How much of it is not in the store.
    pub effort: &'a dyn Fn(&Store) -> Result<Effort>,
    /// Folder for the results.
    pub out: Option<&'a Path>,
    /// What would be done, where that is all that is asked.
    pub plan: Option<Value>,
}

/// How long something is going to take.
struct Estimate {
    time: Duration,
    effort: Effort,
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = if self.effort.partly_done { "at most about" } else { "about" };
        if self.effort.is_nothing() {
            return f.write_str("nothing has to be trained");
        }
        match self.time.as_secs() {
            0 => f.write_str("less than a second on this machine"),
            seconds @ 1..60 => write!(f, "{about} {seconds} s on this machine"),
            seconds @ 60..3600 => write!(f, "{about} {} min on this machine", (seconds + 30) / 60),
            seconds => write!(f, "{about} {:.1} h on this machine", seconds as f64 / 3600.0),
        }
    }
}

/// What a command answers.
pub struct Answer<T> {
    /// For programs.
    pub value: T,
    /// For people.
    pub text: String,
    /// Runs that failed.
    pub failed: Vec<Failure>,
    /// What `--log` logs.
    pub results: Loggable,
}

/// What all commands that train do, in order: tell what is going to be trained, find out whether
/// results can be written, `work` (none when it was stopped), answer, tell what failed.
///
/// # Errors
/// When the machine is too small for the options, the folder or the store cannot be written, or the
/// work fails.
pub fn carry_out<T: Serialize>(
    home: &HomeArgs,
    args: ExecutionArgs,
    output: OutputArgs,
    task: &Task<'_>,
    work: impl FnOnce(&Execution<'_>) -> Result<Option<Answer<T>>>,
) -> Result<ExitCode> {
    ensure!(
        !args.estimate || task.template.trainer.is_none(),
        "--estimate measures networks of datadiet's own; how long a trainer takes, its first run tells"
    );
    let on = args.place()?;
    let on = OnOptions { at_a_time: on.at_a_time.or(task.options.workers), ..on };
    let resources = Resources::new(task.options, task.template)?;
    let resources = match on.place() {
        At::Local => resources,
        _ => resources.elsewhere(task.options, &on),
    };
    let headline = resources.headline(task.template, task.examples, &on);
    let headline = format!("{headline} · {}\n{}", task.what, taken(task.options, task.template));
    if let (Some(plan), false) = (&task.plan, args.estimate) {
        output.answer(plan, || headline)?;
        return Ok(ExitCode::SUCCESS);
    }
    if task.plan.is_none() {
        task.out.map_or(Ok(()), check_writable)?;
        ensure!(
            !(args.only_plan && args.log.is_given()),
            "a plan trains nothing that could be logged: give --log to the command that takes the results"
        );
        args.log.check()?;
    }
    let prepared = Prepared::new(home, &args, &on, task, resources)?;
    let reporter = &prepared.reporter;
    let estimate = match args.estimate.then(|| prepared.estimate(task)).transpose() {
        Err(_) if STOP.load(Ordering::Relaxed) => {
            reporter.finish();
            reporter.note("stopped before anything was trained");
            return Ok(ExitCode::from(EXIT_INTERRUPTED));
        }
        estimate => estimate?,
    };
    if let Some(plan) = &task.plan {
        reporter.finish();
        let mut plan = plan.clone();
        plan["seconds"] = estimate.as_ref().map(|estimate| estimate.time.as_secs_f64()).into();
        let estimate = estimate.map_or(String::new(), |estimate| format!("\n{estimate}"));
        output.answer(&plan, || headline + &estimate)?;
        return Ok(ExitCode::SUCCESS);
    }
    reporter.note(&headline);
    estimate.iter().for_each(|estimate| reporter.note(&estimate.to_string()));
    let answer = prepared.carry_out(work);
    reporter.finish();
    if let (Place::Nowhere(plan), Ok(None)) = (&prepared.place, &answer) {
        return tell_plan(plan.folder(), output);
    }
    if let Place::There(there) = &prepared.place {
        there.clean_up(&prepared.store)?;
    }
    let Some(Answer { value, text, failed, results }) = answer? else {
        reporter.note("stopped; run the same command again to go on");
        return Ok(ExitCode::from(EXIT_INTERRUPTED));
    };
    output.answer(&value, || text)?;
    let losses = prepared.losses.as_ref().map(Losses::curves).unwrap_or_default();
    let is_logged = args.log.log(&Done { results, losses }, &value, reporter);
    for failure in &failed {
        reporter.failed(&failure.name, &failure.reason);
    }
    if !failed.is_empty() {
        reporter.note(&format!("error: {} failed; the results are without them", failed.len()));
    }
    Ok(if failed.is_empty() && is_logged { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Prepared {
    /// Opens the store and prepares workers; from now on Ctrl-C stops at the next step.
    fn new(
        home: &HomeArgs,
        args: &ExecutionArgs,
        on: &OnOptions,
        task: &Task<'_>,
        resources: Resources,
    ) -> Result<Self> {
        let store = home.store()?;
        let checkpoint_every = args.checkpoint_every()?;
        let plan = || sweep_plan(home, &store, task, resources, checkpoint_every);
        let place = match on.place() {
            At::Plan => Place::Nowhere(Plan::new(SweepFolder::create(&store, &plan()?)?, &STOP)),
            At::Slurm | At::Ray(_) | At::Launcher(_) => {
                Place::There(Elsewhere::new(on, &store, &plan()?)?.into())
            }
            At::Local => {
                let trainer: Box<dyn Trainer> = match &task.options.trainer {
                    Some(own) => {
                        let commands = (own.command.clone(), own.about.evaluate.clone());
                        let examples = examples_of(task.data);
                        Box::new(Program::new(commands, examples, resources, checkpoint_every))
                    }
                    None => {
                        let data_home = home.data()?.path().to_owned();
                        let found = Worker::find()?;
                        Box::new(OwnWorker::new(found, data_home, resources, checkpoint_every))
                    }
                };
                Place::Here { trainer, workers: resources.workers }
            }
        };
        let reporter = Arc::new(args.progress.drawer(Some(task.steps)));
        let losses = args.log.is_given().then(|| Losses::new(reporter.clone()));
        let outlive = matches!(&place, Place::There(there) if there.outlive_us());
        interrupt::install(reporter.clone(), outlive)?;
        let own = task.template.trainer.as_ref();
        own.and_then(|own| changed_since(&store, own)).iter().for_each(|note| reporter.note(note));
        let needs = match place {
            Place::There(_) => on.needs(resources.threads, resources.gpus > 0),
            Place::Here { .. } | Place::Nowhere(_) => needs(resources),
        };
        let (retries, retry_failed) = (on.retries(), args.retry_failed);
        Ok(Self { store, reporter, losses, place, needs, retries, retry_failed })
    }

    /// Has `work` done with something that carries out trainings.
    fn carry_out<R>(&self, work: impl FnOnce(&Execution<'_>) -> R) -> R {
        let by = |executor: &dyn Executor| {
            let (store, reporter) = (&self.store, &*self.reporter);
            work(&Execution { store, reporter, prepared: self, executor })
        };
        match &self.place {
            Place::Here { trainer, workers } => local::with(&**trainer, &self.store, *workers, by),
            Place::There(there) => by(there.executor()),
            Place::Nowhere(plan) => by(plan),
        }
    }

    /// How long a task is going to take, from how fast a training like those goes.
    fn estimate(&self, task: &Task<'_>) -> Result<Estimate> {
        let effort = (task.effort)(&self.store)?;
        if effort.is_nothing() {
            return Ok(Estimate { time: Duration::ZERO, effort });
        }
        let Place::Here { trainer, workers } = &self.place else {
            bail!("--estimate measures this machine, and nothing is trained here: leave it out");
        };
        self.reporter.note(&format!("measuring the speed for {} seconds", MEASURED.as_secs()));
        let workers = effort.most_at_a_time().min(*workers);
        let speed = Speed::measured(&**trainer, task.template, workers, MEASURED, &STOP)?;
        Ok(Estimate { time: speed.time(&effort), effort })
    }
}

impl Execution<'_> {
    /// A way to carry out runs.
    pub fn sweep(&self) -> Sweep<'_> {
        let Prepared { needs, retries, retry_failed, place, losses, .. } = self.prepared;
        let progress: &dyn Progress = match place {
            Place::Here { .. } | Place::There(_) => match losses {
                Some(losses) => losses,
                None => self.reporter,
            },
            // What is only written down neither starts nor ends.
            Place::Nowhere(_) => &Silent,
        };
        let sweep = Sweep::new(self.store, self.executor, &STOP, progress);
        Sweep { needs: *needs, retries: *retries, retry_failed: *retry_failed, ..sweep }
    }
}

/// Tells what was written down: the line that carries out each task.
fn tell_plan(folder: &SweepFolder, output: OutputArgs) -> Result<ExitCode> {
    let path = folder.path().to_string_lossy().into_owned();
    let quoted = shlex::try_quote(&path)?.into_owned();
    let tasks = folder.tasks()?;
    let line = |(index, _)| format!("datadiet worker --task {index} {quoted}");
    let lines: Vec<String> = tasks.iter().enumerate().map(line).collect();
    let plan = serde_json::json!({ "sweep": path, "tasks": tasks.len(), "lines": lines });
    output.answer(&plan, || lines.join("\n"))?;
    eprintln!(
        "note: these lines may be carried out anywhere that sees {path}, in any order and more than once; \
               the same command without `plan` takes the results"
    );
    Ok(ExitCode::SUCCESS)
}
