"""The command ``datadiet``: where it is, and what it tells while it runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from datadiet.exceptions import CommandError

_TOLD_LINES = 30


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


class Running:
    """The command while it runs, in a session of its own: Ctrl-C is for this process, which decides what becomes of it.

    Its last lines on standard error are kept; those that `is_shown` are written to ours meanwhile.
    """

    def __init__(
        self, command: Sequence[str], is_shown: Callable[[str], bool], **options: Any
    ) -> None:
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
            **options,
        )
        self._is_shown = is_shown
        self._told: deque[str] = deque(maxlen=_TOLD_LINES)
        self._telling = threading.Thread(target=self._listen, daemon=True)
        self._telling.start()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._told.append(line)
            if self._is_shown(line):
                sys.stderr.write(line)
                sys.stderr.flush()

    def wait(self) -> int:
        """Its exit code, once it has ended and all that it told is here."""
        code = self.process.wait()
        self._telling.join()
        return code

    def said(self) -> str:
        """What it told last, or how it ended."""
        code = self.wait()
        return "".join(self._told).strip() or f"it ended with exit code {code}"
