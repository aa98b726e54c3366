//! What part of this machine trains.

use datadiet_core::grouped;
use datadiet_store::{DeviceKind, Precision, RunSpec};

use crate::LabError;
use crate::on::{OnOptions, Place};
use crate::refuse::ensure;
use crate::training::{TrainingOptions, positive};

/// Memory of a machine that does not tell, MiB.
const UNKNOWN_MEMORY: u64 = 4096;

/// Memory of a GPU that gradient norms may use where nothing is said, MiB: cards of 8 GiB have it.
const GPU_MEMORY: u64 = 4096;

/// How many trainings go on at a time, and what each may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resources {
    /// Trainings at a time, a process each.
    pub workers: usize,
    /// Memory that the gradient norms of a process may use, MiB.
    pub memory: u64,
    /// GPUs to spread them over; none on the processor.
    pub gpus: usize,
    /// Threads that each may use.
    pub threads: u32,
}

impl Resources {
    /// For trainings like `template`; where the options leave it open, the whole machine.
    ///
    /// # Errors
    /// For numbers that must not be 0.
    pub fn new(options: &TrainingOptions, template: &RunSpec) -> Result<Self, LabError> {
        let gpus = positive("--gpus", options.gpus, 1)? as usize;
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let threads = threads(options, template);
        let (default, gpus) = match template.device {
            // Whether a program uses a GPU is its own affair; it is given one of those that are named.
            DeviceKind::Cpu if template.trainer.is_some() && options.gpus.is_some() => (gpus, gpus),
            DeviceKind::Cpu => ((cores / threads as usize).max(1), 0),
            DeviceKind::Cuda => (gpus, gpus),
        };
        let workers = positive("--workers", options.workers, default as u32)? as usize;
        let shared_out = || match template.device {
            DeviceKind::Cpu => (memory_mib() / 2 / workers as u64).max(256),
            DeviceKind::Cuda => GPU_MEMORY / (workers.div_ceil(gpus) as u64),
        };
        let memory = options.memory.unwrap_or_else(shared_out);
        ensure!(memory > 0, "--memory must be at least 1 MiB");
        Ok(Self { workers, memory, gpus, threads })
    }

    /// The same for trainings on other machines, of whose memory nothing is known but what they are given.
    #[must_use]
    pub fn elsewhere(self, options: &TrainingOptions, on: &OnOptions) -> Self {
        let half = on.memory.map_or(UNKNOWN_MEMORY / 4, |memory| (memory.0 / 2).max(256));
        Self { memory: options.memory.unwrap_or(half), ..self }
    }

    /// Data, network, arithmetic, and where so many trainings go on at a time, in one line.
    pub fn headline(&self, template: &RunSpec, examples: usize, on: &OnOptions) -> String {
        let precision = match template.precision {
            _ if template.trainer.is_some() => "",
            Precision::Bf16 => " · bf16",
            Precision::F32 => " · f32",
        };
        format!(
            "{}: {} examples · {}{precision} · {}",
            template.data.name,
            grouped(examples as u64),
            template.trained(),
            match on.place() {
                Place::Local => format!("{} at a time", self.workers),
                place => format!("on {place}"),
            },
        )
    }
}

/// Threads that a training may use.
fn threads(options: &TrainingOptions, template: &RunSpec) -> u32 {
    match template.trainer {
        Some(_) => options.threads.unwrap_or(1).max(1),
        None => template.threads,
    }
}

/// Memory of the machine, MiB.
fn memory_mib() -> u64 {
    #[cfg(target_os = "linux")]
    return nix::sys::sysinfo::sysinfo().map_or(UNKNOWN_MEMORY, |about| about.ram_total() >> 20);
    #[cfg(not(target_os = "linux"))]
    UNKNOWN_MEMORY
}
