//! The Python that has the package `datadiet`: what is written in Python is started with it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Names another.
pub const PYTHON: &str = "DATADIET_PYTHON";

/// `python -m MODULE`, in which nothing of the current folder is taken for a module.
pub fn module(name: &str) -> Command {
    let mut command = Command::new(interpreter());
    command.args(["-m", name]).env("PYTHONSAFEPATH", "1");
    command
}

/// That which started this program, the one beside it, that of the environment that is active, or whatever is found
/// by name.
pub fn interpreter() -> PathBuf {
    let named = |variable: &str| std::env::var_os(variable).filter(|text| !text.is_empty());
    if let Some(python) = named(PYTHON) {
        return python.into();
    }
    // Installers of tools put links to this program elsewhere.
    let this = std::env::current_exe().ok();
    let target = this.as_deref().and_then(|this| std::fs::canonicalize(this).ok());
    let beside = [this, target]
        .into_iter()
        .flatten()
        .filter_map(|program| Some(program.parent()?.to_owned()));
    let active = named("VIRTUAL_ENV").map(|folder| Path::new(&folder).join("bin"));
    let in_folder = |folder: PathBuf| Some(folder.join("python")).filter(|python| python.is_file());
    beside.chain(active).find_map(in_folder).unwrap_or_else(|| "python3".into())
}
