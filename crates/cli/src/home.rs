//! Where data sets and runs are kept.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use datadiet_data::{DataHome, user_root};
use datadiet_store::Store;

/// Folders shared by all commands.
#[derive(Args)]
pub struct HomeArgs {
    /// Folder of data sets and runs [default: datadiet in the user's data folder].
    #[arg(long, global = true, env = "DATADIET_HOME", value_name = "DIR", hide_env_values = true)]
    home: Option<PathBuf>,
    /// Folder of runs, when it is to be elsewhere.
    #[arg(long, global = true, value_name = "DIR")]
    store: Option<PathBuf>,
}

impl HomeArgs {
    /// These, and others where they are not given.
    pub fn or(self, others: Self) -> Self {
        Self { home: self.home.or(others.home), store: self.store.or(others.store) }
    }

    fn root(&self) -> Result<PathBuf> {
        if let Some(home) = &self.home {
            return Ok(std::path::absolute(home)?);
        }
        user_root().context("the user has no home folder; give --home DIR or set DATADIET_HOME")
    }

    /// Where data sets are.
    pub fn data(&self) -> Result<DataHome> {
        Ok(DataHome::within(&self.root()?))
    }

    /// The store of runs, made when it does not exist.
    pub fn store(&self) -> Result<Store> {
        let root = match &self.store {
            Some(store) => std::path::absolute(store)?,
            None => self.root()?.join("store"),
        };
        Ok(Store::open(root)?)
    }
}
