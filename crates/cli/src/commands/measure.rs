//! `datadiet measure`: makes one measurement of the store, on weights that runs kept.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use datadiet_data::DataHome;
use datadiet_engine::EngineError;
use datadiet_engine::measure::{self, Surroundings};
use datadiet_lab::EXIT_STOPPED;
use datadiet_store::MeasurementFolder;

use super::worker::stopped_by_parent;

/// Arguments of a measurement.
#[derive(Args)]
pub struct MeasureArgs {
    /// The measurement's folder, with its measurement.json.
    folder: PathBuf,
    /// Folder of the data sets.
    #[arg(long, value_name = "DIR")]
    data_home: PathBuf,
    /// Index of the GPU, for runs on one.
    #[arg(long, default_value_t = 0)]
    gpu: usize,
    /// Memory that a kernel may use, MiB.
    #[arg(long, default_value_t = 1024)]
    memory: usize,
}

/// Measures, or stops when standard input closes.
pub fn run(args: MeasureArgs) -> Result<ExitCode> {
    let stop = stopped_by_parent()?;
    let (folder, measurement) = MeasurementFolder::open(&args.folder)?;
    let data = DataHome::new(args.data_home);
    let surroundings = Surroundings { data: &data, gpu: args.gpu, memory: args.memory << 20, stop };
    match measure::measure(&folder, &measurement, &surroundings) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(EngineError::Stopped) => Ok(ExitCode::from(EXIT_STOPPED)),
        Err(error) => Err(error.into()),
    }
}
