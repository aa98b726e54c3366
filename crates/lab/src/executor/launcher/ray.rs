//! The launcher of Ray, which is Python: `python -m datadiet.on.ray`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the Python that has the package `datadiet`, and Ray.
const PYTHON: &str = "DATADIET_PYTHON";

/// Starts the launcher of the cluster at an address, or of that which Ray finds; with what it is called.
pub(super) fn command(address: Option<&str>) -> (Command, String) {
    let python = python();
    let mut command = Command::new(&python);
    // Nothing in the current folder is taken for a module of Python.
    command.args(["-m", "datadiet.on.ray"]).args(address).env("PYTHONSAFEPATH", "1");
    let name = format!(
        "of Ray (in {}, which needs datadiet[ray]; {PYTHON} names another Python)",
        python.display()
    );
    (command, name)
}

/// Where the package is: that which started this program, the one beside it, the environment that is active, or
/// whatever is found by name.
fn python() -> PathBuf {
    let named = |variable: &str| std::env::var_os(variable).filter(|text| !text.is_empty());
    if let Some(python) = named(PYTHON) {
        return python.into();
    }
    let beside =
        std::env::current_exe().ok().and_then(|program| Some(program.parent()?.to_owned()));
    let active = named("VIRTUAL_ENV").map(|folder| Path::new(&folder).join("bin"));
    let in_folder = |folder: PathBuf| Some(folder.join("python")).filter(|python| python.is_file());
    let found = [beside, active].into_iter().flatten().find_map(in_folder);
    found.unwrap_or_else(|| "python3".into())
}
