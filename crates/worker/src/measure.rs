//! `datadiet-worker measure`: makes one measurement of the store, on weights that runs kept.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use datadiet_data::DataHome;
use datadiet_engine::EngineError;
use datadiet_engine::measure::{self, Surroundings};
use datadiet_store::worker::EXIT_STOPPED;
use datadiet_store::{Lease, MeasurementFolder, StoreError};

use crate::surroundings::{SurroundingArgs, held, stopped_by_parent};

/// Arguments of a measurement.
#[derive(Args)]
pub struct MeasureArgs {
    /// The measurement's folder, with its measurement.json.
    folder: PathBuf,
    #[command(flatten)]
    pub surroundings: SurroundingArgs,
}

/// Measures, or stops when standard input closes.
pub fn run(args: &MeasureArgs) -> Result<ExitCode> {
    let stop = stopped_by_parent()?;
    let (folder, measurement) = MeasurementFolder::open(&args.folder)?;
    let lease = match Lease::take_patiently(folder.path()) {
        Err(error @ StoreError::Locked { .. }) => return Ok(held(&error)),
        lease => lease?,
    };
    if folder.result()?.is_some() {
        return Ok(ExitCode::SUCCESS);
    }
    lease.stops(stop);
    let SurroundingArgs { data_home, gpu, memory, .. } = &args.surroundings;
    let data = DataHome::new(data_home.clone());
    let surroundings = Surroundings { data: &data, gpu: *gpu, memory: memory << 20, stop };
    match measure::measure(&folder, &measurement, &surroundings) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(EngineError::Stopped) => Ok(ExitCode::from(EXIT_STOPPED)),
        Err(error) => Err(error.into()),
    }
}
