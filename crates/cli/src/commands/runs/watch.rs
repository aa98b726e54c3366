//! `datadiet runs watch`: how far runs are that others train, here or on other machines.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use datadiet_core::Progress;
use datadiet_core::progress::Event;
use datadiet_store::{Holder, LeaseWatch, RunFolder, RunProgress, RunStatus, Store};

use crate::interrupt::{self, EXIT_INTERRUPTED, STOP};
use crate::progress::ProgressArgs;

/// Time between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// Looks at which nothing is trained, after which there is nothing more to see.
const LOOKS: u32 = 3;

/// Arguments of `runs watch`.
#[derive(Args)]
pub struct WatchArgs {
    /// Ids of runs, or their beginnings [default: all].
    ids: Vec<String>,
    #[command(flatten)]
    progress: ProgressArgs,
}

/// A run that somebody trains.
struct Watched {
    folder: RunFolder,
    /// Says when its holder is gone, also on another machine.
    lease: LeaseWatch,
    /// The step that was told last.
    told: Option<u64>,
}

/// Tells how far they are until nobody trains any.
pub fn run(store: &Store, args: &WatchArgs) -> Result<ExitCode> {
    let drawer = Arc::new(args.progress.drawer(None));
    interrupt::install_quietly()?;
    let mut watched: HashMap<String, Watched> = HashMap::new();
    let mut nothing = 0;
    while nothing < LOOKS {
        if STOP.load(Ordering::Relaxed) {
            drawer.finish();
            return Ok(ExitCode::from(EXIT_INTERRUPTED));
        }
        for path in store.run_folders()? {
            let id = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let asked = args.ids.is_empty() || args.ids.iter().any(|start| id.starts_with(start));
            if !asked || watched.contains_key(&id) || path.join("result.json").exists() {
                continue;
            }
            let Some(holder) = Holder::of(&path)? else { continue };
            let Ok((folder, spec)) = RunFolder::open(&path) else { continue };
            let (task, total) = ((&id).into(), Some(spec.stop_after));
            let (worker, batch) = (Some(watched.len()), Some(spec.schedule.batch));
            drawer.tell(&Event::Started { task, total, worker, batch });
            drawer.note(&format!("{id}: {} replica {}, {holder}", spec.data.name, spec.replica));
            let lease = LeaseWatch::new(&path);
            watched.insert(id, Watched { folder, lease, told: None });
        }
        let mut gone = Vec::new();
        for (id, Watched { folder, lease, told }) in &mut watched {
            if lease.holder()?.is_none() {
                gone.push(id.clone());
            } else if let Some(at) = RunProgress::read(folder.path())
                && told.replace(at.step) != Some(at.step)
            {
                let (done, loss, doing) = (at.step, at.loss, at.doing.map(Into::into));
                drawer.tell(&Event::At { task: id.into(), done, loss, doing });
            }
        }
        for id in gone {
            let Some(Watched { folder, .. }) = watched.remove(&id) else { continue };
            let problem = match folder.status()? {
                RunStatus::Complete(_) => None,
                RunStatus::Failed(failure) => Some(failure.reason),
                RunStatus::Unfinished => {
                    Some("nobody trains it any more; it is not complete".into())
                }
            };
            drawer.tell(&Event::Ended { task: id.into(), problem: problem.map(Into::into) });
        }
        nothing = if watched.is_empty() { nothing + 1 } else { 0 };
        std::thread::sleep(LOOK);
    }
    drawer.finish();
    drawer.note("nothing is being trained now");
    Ok(ExitCode::SUCCESS)
}
