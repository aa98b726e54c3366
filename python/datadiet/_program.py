"""Where the command ``datadiet`` is."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

from datadiet.exceptions import CommandError


def find(what: str = "trainings are") -> str:
    """The command that belongs to this package: beside this Python, else on the PATH; `what` it carries out.

    Raises
    ------
    CommandError
        There is none.
    """
    named = os.environ.get("DATADIET_COMMAND")
    if named:
        if not Path(named).is_file():
            raise CommandError(f"DATADIET_COMMAND says {named}, but no such file is there")
        return named
    program = "datadiet.exe" if os.name == "nt" else "datadiet"
    for folder in (Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))):
        if (folder / program).is_file():
            return str(folder / program)
    found = shutil.which(program)
    if found is None:
        raise CommandError(
            f"{what} carried out by the command datadiet, which is not beside this Python: install"
            " the wheel that has it, or name the program in DATADIET_COMMAND"
        )
    return found
