//! Trainings on other machines: what carries them out, and what those machines are asked before.

use std::sync::atomic::Ordering;

use anyhow::{Result, bail};
use datadiet_core::Progress;
use datadiet_lab::executor::launcher::Launcher;
use datadiet_lab::executor::slurm::Slurm;
use datadiet_lab::executor::{Asks, Executor, Needs, Question};
use datadiet_lab::{OnOptions, Place, TrainingOptions};
use datadiet_store::{Precision, Store, SweepFolder, SweepPlan};

use crate::interrupt::{EXIT_INTERRUPTED, STOP, install_quietly};
use crate::torch;

/// What carries out trainings elsewhere, with the sweep that is written down for it.
pub struct Elsewhere {
    executor: Box<dyn Asks>,
    folder: SweepFolder,
    outlive: bool,
    /// What was not answered before.
    question: Option<Question>,
}

impl Elsewhere {
    /// At the place of the options, which is not here; for a new sweep of this plan.
    ///
    /// # Errors
    /// When options make no sense there, or the sweep cannot be written down.
    pub fn new(on: &OnOptions, store: &Store, plan: &SweepPlan) -> Result<Self> {
        let program = torch::this_program()?;
        let question = Question::new(on, &program, plan);
        let answer = question.answered(store)?;
        let folder = SweepFolder::create(store, plan)?;
        let question = answer.is_none().then_some(question);
        let place = on.place();
        let executor: Box<dyn Asks> = match &place {
            Place::Slurm => Box::new(Slurm::new(folder.clone(), program, on.clone(), answer)?),
            Place::Ray(address) => Box::new(Launcher::ray(
                address.clone(),
                folder.clone(),
                &program,
                on.clone(),
                answer,
            )?),
            Place::Launcher(words) => Box::new(Launcher::own(
                words.clone(),
                folder.clone(),
                &program,
                on.clone(),
                answer,
            )?),
            Place::Local | Place::Plan => bail!("{place} is no other machine"),
        };
        Ok(Self { executor, folder, outlive: place == Place::Slurm, question })
    }

    /// What carries them out.
    pub fn executor(&self) -> &dyn Executor {
        &*self.executor
    }

    /// Whether trainings go on when this process is told to end.
    pub fn outlive_us(&self) -> bool {
        self.outlive
    }

    /// Keeps what was answered, and forgets the sweep if it came to nothing: all was in the store.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn clean_up(&self, store: &Store) -> Result<()> {
        if let (Some(question), Some(answer)) = (&self.question, self.executor.answer()) {
            question.keep(store, answer)?;
        }
        let is_empty = self.folder.tasks().is_ok_and(|tasks| tasks.is_empty());
        if is_empty && self.folder.jobs().is_empty() {
            let _ = std::fs::remove_dir_all(self.folder.path());
        }
        Ok(())
    }
}

/// Has a machine of the place say what `auto` is for the arithmetic, since specifications have that. What was
/// answered before is taken; where only a plan is asked for (`quietly`), nobody is asked.
///
/// # Errors
/// When no machine can train, or none answers.
pub fn ask_processor(
    on: &OnOptions,
    store: &Store,
    plan: &SweepPlan,
    training: &mut TrainingOptions,
    quietly: bool,
    progress: &dyn Progress,
) -> Result<()> {
    let question = Question::new(on, &torch::this_program()?, plan);
    let answer = match question.answered(store)? {
        Some(answer) => Some(answer),
        None if quietly => None,
        None => {
            let needs: Needs = on.needs(plan.threads, plan.gpus > 0);
            install_quietly()?;
            let there = Elsewhere::new(on, store, plan)?;
            let answer = there.executor.ask(needs, &STOP, progress)?;
            there.clean_up(store)?;
            if STOP.load(Ordering::Relaxed) {
                progress.note("stopped; the question was taken back, and nothing was begun");
                std::process::exit(i32::from(EXIT_INTERRUPTED));
            }
            answer
        }
    };
    if let Some(answer) = answer {
        training.auto = Some(if answer.has_bf16 { Precision::Bf16 } else { Precision::F32 });
    }
    Ok(())
}
