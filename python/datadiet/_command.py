"""The command ``datadiet``, asked for what this package does not do itself: trainings by a function of Python, exports."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from datadiet._datadiet import RECORDED_PASS
from datadiet._program import Running, find
from datadiet.exceptions import CommandError, TrainerError
from datadiet.training import Trainer


class Asked:
    """A question about a trainer, and the folder of its answer."""

    def __init__(
        self,
        trainer: Trainer,
        what: Mapping[str, Any],
        *,
        folder: str,
        epochs: int | None,
        settings: Mapping[str, Any] | None,
        seed: int,
        workers: int | None,
        on: str | Mapping[str, Any] | None = None,
        limit: int | None = None,
        out: str | os.PathLike[str] | None,
    ) -> None:
        if not isinstance(trainer, Trainer):
            raise TypeError(
                f"a {type(trainer).__name__} is no trainer: decorate the function with"
                " @datadiet.trainer(…)"
            )
        if os.environ.get("DATADIET_RUN"):
            raise TrainerError(
                "this process is a training, and imports the file of its function: put what asks for"
                ' trainings under if __name__ == "__main__":'
            )
        self.trainer = trainer
        # Once: values of a notebook may be large.
        self._typed = trainer.typed()
        self._source = trainer.source if self._typed is None else self._typed.digest
        self._epochs = trainer.epochs if epochs is None else epochs
        self._settings = {**trainer.settings, **(settings or {})}
        self._options: dict[str, Any] = {"seed": seed, "workers": workers, "limit": limit}
        self._on = {"where": on} if isinstance(on, str) else on
        asked = {
            "trainer": [trainer.name, self._source, trainer.version],
            "examples": self._digest_of_examples(),
            "what": what,
            "epochs": self._epochs,
            "settings": self._settings,
            "seed": seed,
            "limit": limit,
        }
        text = json.dumps(asked, sort_keys=True, default=str).encode()
        name = trainer.name.replace(":", "-")
        default = Path(folder) / f"{name}-{hashlib.sha256(text).hexdigest()[:8]}"
        self.out = default if out is None else Path(out)

    def training(self) -> dict[str, Any]:
        """The options of a training, with the files that they name written to the folder."""
        trainer = self.trainer
        self.out.mkdir(parents=True, exist_ok=True)
        target = trainer.target
        if self._typed is not None:
            target = f"{self._typed.write(self.out)}:{trainer.function.__name__}"
        command = [sys.executable, "-m", "datadiet.worker", target]
        about: dict[str, Any] = {
            "command": command,
            "evaluate": None if trainer.evaluate is None else command,
            "name": trainer.name,
            "source": self._source,
            "version": trainer.version,
        }
        if trainer.metric != "accuracy":
            about |= {"metric": trainer.metric, "lower-is-better": not trainer.higher_is_better}
        if trainer.pass_ != RECORDED_PASS:
            about["pass"] = trainer.pass_
        options: dict[str, Any] = {"trainer": about, "epochs": self._epochs, **self._options}
        if self._settings:
            options["settings"] = self._settings
        if trainer.data is not None:
            options["data"] = trainer.data
        else:
            options["examples"] = self._examples()
        return options

    def _examples(self) -> dict[str, Any]:
        trainer = self.trainer
        file = trainer.examples
        if file is None:
            file = self.out / "examples.npy"
            np.save(file, trainer.labels)  # type: ignore[arg-type]
        name = trainer.examples_name
        if name is None:
            own = trainer.name.split(":")[0].removesuffix(".py")
            name = own if trainer.examples is None else file.stem
        return {"file": str(file.absolute()), "name": name, "classes": trainer.classes}

    def _digest_of_examples(self) -> str:
        trainer = self.trainer
        if trainer.labels is not None:
            return hashlib.sha256(trainer.labels.tobytes()).hexdigest()
        return str(trainer.data or trainer.examples)

    def ask(
        self, verb: str, options: Mapping[str, Any], arguments: Sequence[str], quiet: bool
    ) -> dict[str, Any]:
        """The JSON answer of ``datadiet VERB FILE …``, with these options in the file."""
        if self._on is not None:
            options = {**options, "on": self._on}
        file = self.out / "options.toml"
        file.write_text(_toml(options), encoding="utf-8")
        # The child finds modules where this process does.
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        environment = {"DATADIET_PYTHON": sys.executable, **os.environ, "PYTHONPATH": path}
        command = [find(), verb, str(file), *arguments, "--json"]
        if quiet:
            command.append("--quiet")
        return _run(command, environment)


def answer(verb: str, arguments: Sequence[str]) -> dict[str, Any]:
    """The JSON answer of ``datadiet VERB …``."""
    return _run([find(), verb, *arguments, "--json"], os.environ)


def _run(command: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """Its answer; what it tells meanwhile goes to standard error."""
    # A second Ctrl-C would keep it from saving: it is asked once to stop.
    running = Running(command, lambda line: True, stdin=subprocess.DEVNULL, env=environment)
    assert running.process.stdout is not None
    try:
        text = running.process.stdout.read()
        running.wait()
    except KeyboardInterrupt:
        running.process.terminate()
        running.wait()
        raise
    answer = _answer(text)
    if answer is None:
        raise CommandError(
            f"datadiet {command[1]} failed: {running.said().removeprefix('error: ')}"
        )
    for failed in answer.get("failed", []):
        reason = failed.get("reason") or ""
        warnings.warn(f"{failed['name']} failed: {reason}", stacklevel=4)
    return answer


def _answer(text: str) -> dict[str, Any] | None:
    try:
        answer: dict[str, Any] = json.loads(text)
    except ValueError:
        return None
    return answer


def _toml(options: Mapping[str, Any]) -> str:
    """Options as TOML; those that are None are left out."""
    plain = {name: value for name, value in options.items() if not isinstance(value, Mapping)}
    lines = [
        f"{_key(name)} = {_value(value)}" for name, value in plain.items() if value is not None
    ]
    for name, value in options.items():
        if isinstance(value, Mapping):
            lines.append(f"\n[{_key(name)}]")
            given = {key: one for key, one in value.items() if one is not None}
            lines.extend(f"{_key(key)} = {_value(one)}" for key, one in given.items())
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return json.dumps(str(name), ensure_ascii=False)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        given = [f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None]
        return "{ " + ", ".join(given) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, np.generic):
        return _value(value.item())
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (int, float)):
        return repr(value)
    raise TypeError(
        f"{value!r} cannot be a setting: pass numbers, texts, lists and tables of these"
    )
