//! `--on`: where trainings are carried out, over what files of options say in their table `[on]`.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Result;
use clap::Args;
use datadiet_lab::{OnOptions, Place};

/// Where trainings are carried out.
#[derive(Args, Clone, Default)]
pub struct OnArgs {
    /// Where to train: local, slurm, `ray[:ADDRESS]`, a launcher by its path (./launcher), or a TOML file whose
    /// table `[on]` says it, see docs/CLUSTERS.md [default: local].
    #[arg(long, value_name = "WHERE")]
    on: Option<On>,
    /// What the file of options says.
    #[arg(skip)]
    in_file: OnOptions,
    /// What other options say of it that were typed.
    #[arg(skip)]
    typed: OnOptions,
}

/// What `--on` names.
#[derive(Clone)]
enum On {
    Place(Place),
    /// A file whose table `[on]` says it.
    File(PathBuf),
}

impl FromStr for On {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.ends_with(".toml") {
            return Ok(Self::File(text.into()));
        }
        text.parse().map(Self::Place)
    }
}

impl OnArgs {
    /// The same over what the file of options says, with what else was `typed`, which wins over all files.
    #[must_use]
    pub fn over(self, in_file: OnOptions, typed: OnOptions) -> Self {
        Self { in_file, typed, ..self }
    }

    /// What all of it says together.
    ///
    /// # Errors
    /// When a file cannot be read, or what it says makes no sense at the place.
    pub fn resolved(&self) -> Result<OnOptions> {
        let said = match &self.on {
            None => self.in_file.clone().under(self.typed.clone())?,
            Some(On::File(file)) => {
                self.in_file.clone().under(OnOptions::read(file)?)?.under(self.typed.clone())?
            }
            // Here nothing of it is of use.
            Some(On::Place(Place::Local)) => OnOptions::default(),
            Some(On::Place(place)) => {
                let said = self.in_file.clone().under(self.typed.clone())?;
                OnOptions { place: Some(place.clone()), ..said }
            }
        };
        said.check()?;
        Ok(said)
    }
}
