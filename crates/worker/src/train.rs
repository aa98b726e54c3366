//! `datadiet-worker train`: trains one run folder, tells about it on standard output as JSON lines.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use datadiet_core::Progress;
use datadiet_core::progress::Event;
use datadiet_data::DataHome;
use datadiet_engine::EngineError;
use datadiet_engine::session::{self, Ending, Surroundings};
use datadiet_store::worker::EXIT_STOPPED;
use datadiet_store::{Over, RunFolder, RunStatus, StoreError};

use crate::surroundings::{SurroundingArgs, held, stopped_by_parent};

/// Arguments of a training.
#[derive(Args)]
pub struct TrainArgs {
    /// The run folder, with its spec.json.
    folder: PathBuf,
    #[command(flatten)]
    pub surroundings: SurroundingArgs,
    /// Least time between two checkpoints.
    #[arg(long, value_name = "SECONDS", default_value_t = 15.0)]
    checkpoint_every: f64,
}

/// Trains the run to its end, or until standard input closes, or the run is taken over by another process.
pub fn run(args: &TrainArgs) -> Result<ExitCode> {
    let stop = stopped_by_parent()?;
    let (folder, spec) = RunFolder::open(&args.folder)?;
    let lease = match folder.lock_patiently() {
        Err(error @ StoreError::Locked { .. }) => return Ok(held(&error)),
        lease => lease?,
    };
    // Whoever had it before may have come to its end.
    if let RunStatus::Complete(_) = folder.status()? {
        return Ok(ExitCode::SUCCESS);
    }
    lease.stops(stop);
    let folder = folder.fenced(&lease);
    let SurroundingArgs { data_home, gpu, memory, .. } = &args.surroundings;
    let data = DataHome::new(data_home.clone());
    let checkpoint_every = Duration::try_from_secs_f64(args.checkpoint_every)?;
    let surroundings =
        Surroundings { data: &data, gpu: *gpu, memory: memory << 20, checkpoint_every, stop };
    let lines = Lines::default();
    let progress = lease.telling(spec.stop_after, &lines);
    match session::run(&folder, &spec, &surroundings, &progress) {
        Ok(Ending::Complete(_)) => Ok(ExitCode::SUCCESS),
        Ok(Ending::Stopped { .. }) => {
            if let Some(Over::Lost(reason)) = lease.over() {
                eprintln!("error: {reason}");
            }
            Ok(ExitCode::from(EXIT_STOPPED))
        }
        Err(EngineError::Store(error @ StoreError::Fenced { .. })) => Ok(held(&error)),
        Err(error) => Err(error.into()),
    }
}

/// Writes events to standard output, of steps a few a second.
#[derive(Default)]
struct Lines {
    last: Mutex<Option<Instant>>,
}

impl Progress for Lines {
    fn tell(&self, event: &Event<'_>) {
        if matches!(event, Event::At { doing: None, .. }) {
            let mut last = self.last.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            if last.is_some_and(|last| last.elapsed() < Duration::from_millis(250)) {
                return;
            }
            *last = Some(Instant::now());
        }
        let mut out = std::io::stdout().lock();
        // A parent that is gone also closed our input; nothing more to do about it here.
        let _ = serde_json::to_writer(&mut out, event).map(|()| out.write_all(b"\n"));
        let _ = out.flush();
    }
}
