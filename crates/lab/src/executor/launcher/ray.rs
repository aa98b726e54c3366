//! The launcher of Ray, which is Python: `python -m datadiet.on.ray`.

use std::process::Command;

use crate::python::{self, PYTHON};

/// Starts the launcher of the cluster at an address, or of that which Ray finds; with what it is called.
pub(super) fn command(address: Option<&str>) -> (Command, String) {
    let mut command = python::module("datadiet.on.ray");
    command.args(address);
    let name = format!(
        "of Ray (in {}, which needs datadiet[ray]; {PYTHON} names another Python)",
        command.get_program().display()
    );
    (command, name)
}
