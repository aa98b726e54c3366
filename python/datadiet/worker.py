"""One training, or one evaluation of weights, by a function of yours: ``python -m datadiet.worker
FILE.py:FUNCTION FOLDER``.

The command ``datadiet`` starts it for each training; it is `datadiet-worker` for Python. Exit codes are the
same: 0 done, 1 failed, 2 not understood (the function cannot be imported, say), 3 stopped.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import signal
import stat
import sys
import threading
import traceback
from pathlib import Path
from types import FrameType

from datadiet.exceptions import NonFiniteError, TrainerError
from datadiet.training import Job, Stopped, Trainer, answer_evaluation, tell

__all__ = ["main"]

DONE, FAILED, MISUNDERSTOOD, STOPPED = 0, 1, 2, 3


def main(arguments: list[str]) -> int:
    """Train one run, or evaluate; gives the exit code."""
    if len(arguments) != 2:
        return _refuse(
            "usage: python -m datadiet.worker FILE.py:FUNCTION FOLDER (or MODULE:FUNCTION)"
        )
    target, folder = arguments
    own = os.getpid()
    # Words of the function come as they are said, each line whole.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)
    evaluates = (Path(folder) / "evaluation.json").is_file()
    try:
        job = None if evaluates else Job(folder)
    except TrainerError as error:
        return _refuse(str(error))
    try:
        _stop_when_told(job)
        try:
            trainer = _import(target)
        except Exception as error:
            traceback.print_exc()
            return _refuse(f"{target} cannot be imported: {type(error).__name__}: {error}")
        except SystemExit as ended:
            return _refuse(
                f"{target} cannot be imported: the file ends the process (sys.exit({ended.code!r})) when it is"
                ' imported; put what it does as a program under if __name__ == "__main__":'
            )
        if not isinstance(trainer, Trainer):
            return _refuse(f"{target} is no trainer: decorate it with @datadiet.trainer(…)")
        if job is None:
            answer_evaluation(trainer, Path(folder))
            return DONE
        _check_unchanged(trainer, Path(folder))
        job._pass = trainer.pass_
        result = trainer(job)
        if os.getpid() != own:
            # A fork that came back from the function: the answer is for the training itself to give.
            text = f"warning: process {os.getpid()}, a fork of this training, came back from the function too"
            tell({"event": "note", "text": f"{text}: end it there with os._exit(0)"})
            os._exit(FAILED)
        job.finish(result)
    except Stopped:
        return STOPPED
    except NonFiniteError as error:
        # The same training gives the same numbers.
        traceback.print_exc()
        if job is None:
            _say(f"logits at a point between two trainings are not finite: {error}")
            return FAILED
        job.fail(f"what it recorded is not finite: {error}")
    except TrainerError as error:
        _say(str(error))
        return FAILED
    except Exception as error:
        traceback.print_exc()
        _say(f"{type(error).__name__}: {error}")
        return FAILED
    return DONE


def _say(problem: str) -> None:
    """The last line, which the command takes as the reason; what is above goes to the log."""
    print(f"error: {problem}", file=sys.stderr)


def _refuse(problem: str) -> int:
    _say(problem)
    return MISUNDERSTOOD


def _import(target: str) -> object:
    place, _, function = target.rpartition(":")
    if not place.endswith(".py"):
        return getattr(importlib.import_module(place), function)
    path = Path(place)
    # As the file would be found by itself, and by processes that it starts.
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a file of Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return getattr(module, function)


def _check_unchanged(trainer: Trainer, folder: Path) -> None:
    """What was planned is what trains: a file may be saved while trainings wait."""
    spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    planned = spec["trainer"]["sources"].get(trainer.name)
    if planned is not None and planned != trainer.source:
        raise TrainerError(
            f"{trainer.name} has changed since this run was planned; ask again to train as it is now"
        )


def _stop_when_told(job: Job | None) -> None:
    """Stops when told by a signal, or when the input closes: whoever started this is gone."""
    own = os.getpid()

    def told(number: int, _: FrameType | None) -> None:
        if os.getpid() != own:  # A process of a loader, which has the handler from us.
            os._exit(128 + number)
        if job is None:
            raise Stopped
        job._interrupts.stop()

    signal.signal(signal.SIGTERM, told)
    signal.signal(signal.SIGINT, told)
    if not stat.S_ISFIFO(os.fstat(0).st_mode):
        return

    def watch() -> None:
        while os.read(0, 4096):
            pass
        os.kill(own, signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
