"""What the command starts for ``--log``: ``python -m datadiet.tracking check|log KIND[:WHERE] …``.

``check KIND[:WHERE]`` finds out before anything is trained whether something can be logged there. ``log KIND[:WHERE]
RESULTS [--report FILE] [--losses FILE]`` logs results to a run of its own and says on standard output where it is. What is wrong is one
line on standard error; exit codes: 0 done, 1 not done, 2 not understood.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import inspect
import itertools
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from datadiet.exceptions import DatadietError, TrackerError
from datadiet.tracking import PREFIX, write
from datadiet.tracking.backends import Backend, MLflow, TensorBoard, Wandb
from datadiet.tracking.record import Record, add_losses
from datadiet.tracking.results import collect

_EXPERIMENT = "datadiet"
"""Of MLflow, and project of W&B, where nothing is said."""
_PIP = {
    "mlflow": "mlflow-skinny",  # For a server or a folder; a database needs mlflow.
    "wandb": "wandb",
    "tensorboard": "tensorboard",
}
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
"""For the question alone: MLflow asks a server that is away for minutes."""

_OFFLINE = "; WANDB_MODE=offline keeps runs here, to be synced later"

Opened: TypeAlias = "tuple[Backend, str]"
"""A run, and where it is in words."""


def main(arguments: list[str]) -> int:
    """Carry out what is asked; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m datadiet.tracking")
    asks = parser.add_subparsers(dest="ask", required=True)
    check = asks.add_parser("check")
    check.add_argument("to", metavar="KIND[:WHERE]")
    log = asks.add_parser("log")
    log.add_argument("to", metavar="KIND[:WHERE]")
    log.add_argument("results", type=Path)
    log.add_argument("--report", type=Path)
    log.add_argument("--losses", type=Path)
    asked = parser.parse_args(arguments)
    kind, _, where = asked.to.partition(":")
    if kind not in _KINDS:
        parser.error(f"{kind!r} is no tracker: take mlflow, wandb or tensorboard")
    try:
        _needed(kind)
        ready, opened = _KINDS[kind]
        # What packages say of themselves is no result.
        with contextlib.redirect_stdout(sys.stderr):
            if asked.ask == "check":
                ready(where)
                return 0
            with tempfile.TemporaryDirectory() as folder:
                record = collect(asked.results, Path(folder), asked.report or True)
                if asked.losses is not None:
                    add_losses(record, json.loads(asked.losses.read_text(encoding="utf-8")))
                results = Path(os.path.abspath(asked.results))
                name = (results.stem if results.is_file() else results.name) or PREFIX
                if results.is_dir():
                    record.tags["results"] = str(results)
                told = _log(record, opened, where, name)
    except (DatadietError, OSError) as error:
        print(_one_line(error), file=sys.stderr)
        return 1
    except Exception as error:
        # A client's own: of a server that does not answer, a key that is not taken.
        print(f"{type(error).__name__}: {_one_line(error)}", file=sys.stderr)
        return 1
    print(told)
    return 0


def _log(record: Record, opened: Any, where: str, name: str) -> str:
    with opened(where, name) as (backend, told):
        write(backend, record)
    return str(told)


def _needed(kind: str) -> None:
    spec = importlib.util.find_spec(kind)
    # A folder of that name, as W&B makes one, is no package.
    if spec is None or spec.origin is None:
        raise TrackerError(
            f"{kind} is not installed for {sys.executable}: {sys.executable} -m pip install {_PIP[kind]}"
        )


def _mlflow(where: str) -> Any:
    """The client's module, set to where runs are: a server, a database, a folder, or as the environment says."""
    folder = _folder_of(where)
    if folder is not None:
        # Whoever names a folder wants one: newer versions keep files only where this is said.
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        where = folder.absolute().as_uri()
    import mlflow

    if where:
        mlflow.set_tracking_uri(where)
    return mlflow


def _folder_of(where: str) -> Path | None:
    if not where:
        return None
    scheme, separator, rest = where.partition(":")
    if scheme == "file" and separator:
        return Path(rest.removeprefix("//")) if rest else None
    has_scheme = separator and len(scheme) > 1 or where.startswith("databricks")
    return None if has_scheme else Path(where)


def _mlflow_ready(where: str) -> None:
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)
    mlflow = _mlflow(where)
    try:
        _experiment(mlflow)
    except Exception as error:
        uri = mlflow.get_tracking_uri()
        raise TrackerError(f"MLflow cannot log to {uri}: {_one_line(error)}{_hint(uri)}") from error


def _experiment(mlflow: Any) -> Any:
    """The experiment that is named, made where there is none: that shows whether one may write."""
    number = os.environ.get("MLFLOW_EXPERIMENT_ID")
    if number:
        return mlflow.set_experiment(experiment_id=number)
    return mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME") or _EXPERIMENT)


def _hint(uri: str) -> str:
    if uri.startswith("sqlite:") and importlib.util.find_spec("sqlalchemy") is None:
        return "; a database needs all of mlflow (pip install mlflow), mlflow:./mlruns names a folder instead"
    if uri.startswith("file:") and "MLFLOW_ALLOW_FILE_STORE" not in os.environ:
        return "; mlflow:./mlruns, which names a folder, says that too"
    return ""


@contextlib.contextmanager
def _mlflow_run(where: str, name: str) -> Iterator[Opened]:
    mlflow = _mlflow(where)
    experiment = _experiment(mlflow).name
    with mlflow.start_run(run_name=name) as run:
        own, uri = run.info.run_id, mlflow.get_tracking_uri()
        yield MLflow(own, PREFIX), f"run {own} of MLflow's experiment {experiment}, {uri}"


def _wandb_ready(where: str) -> None:
    import wandb

    mode = wandb.setup().settings.mode
    if mode == "disabled":
        raise TrackerError("W&B is disabled (WANDB_MODE=disabled): nothing would be logged")
    if mode in ("offline", "dryrun"):
        return
    try:
        # Standard input is empty: versions that do not know `prompt` cannot ask.
        asks = "prompt" in inspect.signature(wandb.login).parameters
        how: dict[str, Any] = {"prompt": False} if asks else {}
        known = wandb.login(verify=True, **how)
    except wandb.Error as error:
        raise TrackerError(f"W&B takes no runs: {_one_line(error)}{_OFFLINE}") from error
    if not known:
        raise TrackerError(f"W&B has no key: type `wandb login` or set WANDB_API_KEY{_OFFLINE}")


@contextlib.contextmanager
def _wandb_run(where: str, name: str) -> Iterator[Opened]:
    import wandb

    entity, _, project = where.rpartition("/")
    project = project or os.environ.get("WANDB_PROJECT") or _EXPERIMENT
    with wandb.init(project=project, entity=entity or None, name=name) as run:
        place = run.url or f"offline: wandb sync {Path(run.dir).parent}"
        yield Wandb(run, PREFIX), f"run {run.id} of W&B's project {project}, {place}"


def _tensorboard_folder(where: str) -> Path:
    return Path(where or "runs")


def _tensorboard_ready(where: str) -> None:
    folder = _tensorboard_folder(where)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


@contextlib.contextmanager
def _tensorboard_run(where: str, name: str) -> Iterator[Opened]:
    from datadiet.tracking.events import Events

    folder = _new(_tensorboard_folder(where), name)
    with contextlib.closing(Events(folder)) as events:
        yield TensorBoard(events, PREFIX), f"{folder}: tensorboard --logdir {folder.parent}"


def _new(parent: Path, name: str) -> Path:
    """A folder that nobody else has: TensorBoard shows all events of one as one run."""
    for number in itertools.count(1):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        with contextlib.suppress(FileExistsError):
            folder.mkdir(parents=True)
            return folder
    raise AssertionError


_KINDS: dict[str, tuple[Callable[[str], None], Any]] = {
    "mlflow": (_mlflow_ready, _mlflow_run),
    "wandb": (_wandb_ready, _wandb_run),
    "tensorboard": (_tensorboard_ready, _tensorboard_run),
}
"""Of each tracker the question, and what opens a run of its own."""


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
