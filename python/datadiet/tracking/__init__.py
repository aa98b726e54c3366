"""MLflow, Weights & Biases and TensorBoard: what a table or a study says, in a run of yours.

`datadiet.log` and `ScoreTable.log` write to a run that is open; ``python -m datadiet.tracking`` is what the command
starts for ``--log``. What is logged under which name: docs/TRACKERS.md.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from datadiet.exceptions import TrackerError
from datadiet.tracking.backends import Backend, of_run
from datadiet.tracking.record import Record
from datadiet.tracking.results import collect

if TYPE_CHECKING:
    from datadiet.experiments import Connectivity, Curve, Diet, Trained
    from datadiet.table import ScoreTable

__all__ = ["PREFIX", "log"]

PREFIX = "datadiet"
"""What names begin with."""

Loggable: TypeAlias = "ScoreTable | Trained | Diet | Curve | Connectivity | str | os.PathLike[str]"


def log(
    what: Loggable,
    run: Any = None,
    *,
    prefix: str = PREFIX,
    report: bool = True,
) -> None:
    """Log a table or what came of a study to a run of MLflow, W&B or TensorBoard.

    Parameters
    ----------
    what
        A `ScoreTable`; what `datadiet.train`, `datadiet.diet`, `datadiet.experiments.curve` or ``connectivity``
        gave; or the path of results of the command: a folder, or a file of ``datadiet train --out``.
    run
        A run of MLflow (what ``mlflow.start_run`` gives), of W&B (``wandb.init``), or a ``SummaryWriter`` of
        ``torch.utils.tensorboard`` or tensorboardX. The active run of MLflow or W&B where nothing is said. It stays
        open.
    prefix
        What all names begin with. Two tables in one run need two.
    report
        Whether the report is among the files. Where none was written of a table it is made for this, without
        pictures; of a study it is told on standard error that it is missing.

    Raises
    ------
    TrackerError
        No run is active, or two are; a run of something else, or one in which this prefix has other values; a prefix
        that is no name; what the tracker says.
    FileNotFoundError, TableError, OSError
        No such results, or none that can be read; of what a study gave, files that are of another since.
    TypeError
        Something that cannot be logged.

    Notes
    -----
    The same values are not logged twice to a run. With W&B call it behind your own ``run.log``: it takes steps of
    the run.
    """
    if not re.fullmatch(r"[A-Za-z_]\w*(/\w+)*", prefix, re.ASCII) or len(prefix) > 50:
        raise TrackerError(
            f"the prefix {prefix!r} is no name: take letters, digits and _, such as 'datadiet' or 'clean/datadiet'"
        )
    backend = of_run(_active() if run is None else run, prefix)
    with tempfile.TemporaryDirectory() as folder:
        write(backend, collect(what, Path(folder), report))


def write(backend: Backend, record: Record) -> None:
    """Writes to a run, unless the run has it; the digest last, so that it says that all is there."""
    digest = record.digest
    before = backend.digest()
    if before == digest:
        return
    if before is not None:
        raise TrackerError(
            f"this run has other values under {backend.prefix!r}: give another prefix=, such as"
            f" prefix='{backend.prefix}_2', or another run"
        )
    backend.write(record, digest)


def _active() -> Any:
    """The run that is open, of whichever tracker was imported."""
    found = []
    if "mlflow" in sys.modules:
        found.append(sys.modules["mlflow"].active_run())
    if "wandb" in sys.modules:
        found.append(sys.modules["wandb"].run)
    found = [run for run in found if run is not None]
    if len(found) == 1:
        return found[0]
    if found:
        raise TrackerError("a run of MLflow and one of W&B are active: pass the one to log to")
    raise TrackerError(
        "no run of MLflow or W&B is active: pass one (mlflow.start_run(), wandb.init(), a SummaryWriter)"
    )
