"""Scores, trainings and studies of a training function of your own (see `datadiet.trainer`).

Every training is a run of the store: what is there already is not trained again, and a call that was
interrupted goes on where it was. Failed trainings are warned of, and are in no answer.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from datadiet._arrays import Ids, wholes
from datadiet._command import Asked
from datadiet.plots import OutcomePlots
from datadiet.table import ScoreTable, read_subset
from datadiet.training import Trainer

__all__ = [
    "Connectivity",
    "Curve",
    "Diet",
    "Spread",
    "Trained",
    "connectivity",
    "curve",
    "diet",
    "score",
    "train",
]

Fixed: TypeAlias = Literal["steps", "epochs"]
"""What stays the same when the training set shrinks."""


@dataclass(frozen=True)
class Spread:
    """A number of which every training has its own, such as its accuracy."""

    mean: float
    low: float
    """16th percentile."""
    high: float
    """84th percentile."""
    values: list[float]


@dataclass(frozen=True)
class Trained:
    """What `train` gives."""

    metric: Spread | None
    """What the trainings are judged by, such as their accuracy; None where all failed."""
    examples: int
    """Trained on."""
    of: int
    """Training examples in all."""
    runs: list[str]
    """Ids of the runs, for ``datadiet runs show``."""
    by_class: dict[str, float] = field(default_factory=dict)
    """The metric of each class by its name, means over the trainings; empty where the function says none."""
    failed: list[dict[str, Any]] = field(default_factory=list)
    outcome: dict[str, Any] = field(default_factory=dict)
    """All of it: what ``datadiet train --json`` answers."""


@dataclass(frozen=True)
class Diet:
    """What `diet` gives."""

    verdict: str
    """What came out, in words, with cautions where part of it is chance."""
    advisable: bool
    """Whether training on the subset is advised."""
    subset: npt.NDArray[np.uint32] | None
    """The subset, where it is advised: ids, ascending."""
    report: Path
    """The page that shows it."""
    outcome: dict[str, Any]
    """All of it: the content of outcome.json."""

    @property
    def plot(self) -> OutcomePlots:
        """Figures: ``plot.curve()``. See `datadiet.plots`."""
        return OutcomePlots(self.outcome)


@dataclass(frozen=True)
class Curve:
    """What `curve` gives."""

    points: list[dict[str, Any]]
    """Each subset: its series, the fraction kept, and what trainings on it reached."""
    full: Spread | None
    """What trainings on everything reached."""
    report: Path
    """The page that shows it."""
    outcome: dict[str, Any]
    """All of it: the content of outcome.json."""

    @property
    def plot(self) -> OutcomePlots:
        """Figures: ``plot.curve()``. See `datadiet.plots`."""
        return OutcomePlots(self.outcome)


@dataclass(frozen=True)
class Connectivity:
    """What `connectivity` gives."""

    spawns: list[dict[str, Any]]
    """For each epoch at which children leave: on each set of examples the barriers, and the error and the loss
    at each point."""
    report: Path
    """The page that shows it."""
    outcome: dict[str, Any]
    """All of it: the content of outcome.json."""


def score(
    trainer: Trainer,
    *,
    replicas: int = 4,
    at: Sequence[int] | None = None,
    epochs: int | None = None,
    scores: Sequence[str] | None = None,
    until_reliability: float | None = None,
    per_replica: bool = False,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    limit: int | None = None,
    workers: int | None = None,
    on: str | Mapping[str, Any] | None = None,
    out: str | os.PathLike[str] | None = None,
    quiet: bool = False,
) -> ScoreTable:
    """Score every training example by independent trainings of a function: ``datadiet score``.

    The function records logits (`Job.record`) in the epochs that are asked for.

    Parameters
    ----------
    trainer
        The function, decorated with `datadiet.trainer`.
    replicas
        Independent trainings to average over.
    at
        When to score: after these epochs, counted from 1. The end where nothing is said.
    epochs
        Length of a training; the trainer's, or where it has none the last of `at`. Trainings stop at the
        last of `at` in any case, but schedules of learning rates know the whole.
    scores
        Which, such as ``["el2n", "forgetting"]``; all that logits give where nothing is said.
    until_reliability
        Start no more replicas once the first score at the last time is as reliable.
    per_replica
        Also a column for every replica.
    settings
        Laid over those of the trainer, for `Job.settings`.
    seed, limit, workers
        Seed of all trainings; only the first so many examples, for a trial; trainings at a time.
    on
        Where to train, such as ``"slurm"``; or the table ``[on]`` of a file of options:
        ``{"where": "slurm", "time": "2:00:00", "slurm": {"partition": "gpu"}}`` (docs/CLUSTERS.md). This
        machine where nothing is said.
    out
        Folder of table and report; in ``scores/`` where nothing is said.
    quiet
        Tell nothing meanwhile.

    Raises
    ------
    CommandError, TrainerError
        What the command says; a function that cannot be started by another process.
    """
    scoring: dict[str, Any] = {
        "replicas": replicas,
        "at": None if at is None else [int(epoch) for epoch in at],
        "scores": None if scores is None else list(scores),
        "until-reliability": until_reliability,
        "per-replica": per_replica or None,
    }
    if epochs is None and isinstance(trainer, Trainer) and trainer.epochs is None and at:
        epochs = max(at)
    asked = Asked(
        trainer,
        {"score": scoring},
        folder="scores",
        epochs=epochs,
        settings=settings,
        seed=seed,
        limit=limit,
        workers=workers,
        on=on,
        out=out,
    )
    asked.ask("score", {**scoring, **asked.training()}, ["--out", str(asked.out)], quiet)
    return ScoreTable.read(asked.out)


def train(
    trainer: Trainer,
    *,
    subset: Ids | None = None,
    replicas: int = 1,
    fixed: Fixed = "steps",
    epochs: int | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    limit: int | None = None,
    workers: int | None = None,
    on: str | Mapping[str, Any] | None = None,
    out: str | os.PathLike[str] | None = None,
    quiet: bool = False,
) -> Trained:
    """Train on a subset, or on everything, and judge: ``datadiet train``.

    Parameters
    ----------
    subset
        Ids to train on, as `ScoreTable.select` gives them; all where nothing is said.
    fixed
        With ``"steps"`` a training on half the examples has twice the epochs, as in the paper; with
        ``"epochs"`` as many.
    trainer, replicas, epochs, settings, seed, limit, workers, on, out, quiet
        As for `score`.

    Raises
    ------
    CommandError, TrainerError, IdError
        As for `score`; ids that are not those of examples.
    """
    chosen = None if subset is None else np.asarray(wholes(subset, "subset")).astype(np.int64)
    what = {"train": [replicas, fixed, None if chosen is None else chosen.tolist()]}
    asked = Asked(
        trainer,
        what,
        folder="trainings",
        epochs=epochs,
        settings=settings,
        seed=seed,
        limit=limit,
        workers=workers,
        on=on,
        out=out,
    )
    options = asked.training()
    arguments = ["--replicas", str(replicas), "--fixed", fixed]
    arguments += ["--out", str(asked.out / "trained.json")]
    if chosen is not None:
        np.save(asked.out / "subset.npy", chosen)
        arguments += ["--subset", str(asked.out / "subset.npy")]
    found = asked.ask("train", options, arguments, quiet)
    return Trained(
        metric=_spread(found["accuracy"]),
        examples=found["examples"],
        of=found["of"],
        runs=found["runs"],
        by_class=found.get("by_class", {}),
        failed=found["failed"],
        outcome=found,
    )


def diet(
    trainer: Trainer,
    *,
    tolerance: float | None = None,
    budget: float = 12,
    by: str = "el2n",
    at: int | None = None,
    replicas: int = 2,
    keep: Sequence[float] = (0.3, 0.5, 0.7, 0.85),
    drops: Sequence[float] = (0.0, 0.1),
    fixed: Fixed = "steps",
    held_out: float = 0.1,
    retrainings: int = 2,
    epochs: int | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    limit: int | None = None,
    workers: int | None = None,
    on: str | Mapping[str, Any] | None = None,
    out: str | os.PathLike[str] | None = None,
    quiet: bool = False,
) -> Diet:
    """Find the smallest subset that is good enough, and check it against random and full: ``datadiet
    diet``.

    Subsets are judged on training examples that are held out: the function must return
    ``job.result(…, validation=…)`` where `Job.validation_ids` has some.

    Parameters
    ----------
    tolerance
        Accuracy that may be lost, in points of percent; 0.5 where nothing is said. Of another metric so
        much of that, which must be said.
    budget
        Trainings of whole length that the search may cost; scoring and the final check come on top.
    by, at, replicas
        The score to choose by, the epoch after which it is taken, the trainings that it is a mean of.
    keep, drops
        Fractions to try to keep, and of the hardest to leave out.
    fixed
        As for `train`.
    held_out
        Fraction of the training examples that is held out to judge subsets.
    retrainings
        Trainings of the answer, of random examples and of everything.
    trainer, epochs, settings, seed, limit, workers, on, out, quiet
        As for `score`.

    Raises
    ------
    CommandError, TrainerError
        As for `score`.
    """
    how: dict[str, Any] = {
        "tolerance": tolerance,
        "budget": budget,
        "by": by,
        "at": at,
        "replicas": replicas,
        "keep": list(keep),
        "drops": list(drops),
        "fixed": fixed,
        "validation": held_out,
        "retrainings": retrainings,
    }
    asked = Asked(
        trainer,
        {"diet": how},
        folder="diets",
        epochs=epochs,
        settings=settings,
        seed=seed,
        limit=limit,
        workers=workers,
        on=on,
        out=out,
    )
    arguments = ["--out", str(asked.out), *_options(how)]
    outcome = asked.ask("diet", asked.training(), arguments, quiet)
    found = outcome["tune"]
    file = asked.out / "subset.parquet"
    advised = found["advisable"] and file.is_file()
    return Diet(
        verdict=found["verdict"],
        advisable=found["advisable"],
        subset=np.asarray(read_subset(file), dtype=np.uint32) if advised else None,
        report=asked.out / "report.html",
        outcome=outcome,
    )


def curve(
    trainer: Trainer,
    *,
    by: str | Sequence[str],
    keep: Sequence[float],
    retrainings: int = 1,
    fixed: Fixed = "steps",
    random: bool = True,
    columns: Mapping[str, Any] | str | os.PathLike[str] | None = None,
    replicas: int = 4,
    at: Sequence[int] | None = None,
    epochs: int | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    limit: int | None = None,
    workers: int | None = None,
    on: str | Mapping[str, Any] | None = None,
    out: str | os.PathLike[str] | None = None,
    quiet: bool = False,
) -> Curve:
    """What trainings on subsets reach, against the fraction kept: ``[curve]`` of ``datadiet run``.

    Parameters
    ----------
    by
        Scores to choose by, with their epochs: ``"el2n@5"``.
    keep
        Fractions to keep of the hardest.
    retrainings
        Trainings on each subset.
    fixed
        As for `train`.
    random
        Whether random subsets of the same sizes are trained on as well.
    columns
        Numbers of your own that `by` may name too, such as the lengths of texts: ``{"length": lengths}``, a value
        for each training example, or a file of such columns. The highest count as the hardest, but where the
        name is one of a known score.
    replicas
        Trainings that the scores are means of.
    at
        Epochs after which scores are taken; those in `by` where nothing is said.
    trainer, epochs, settings, seed, limit, workers, on, out, quiet
        As for `score`.

    Raises
    ------
    CommandError, TrainerError
        As for `score`.
    """
    series = [by] if isinstance(by, str) else list(by)
    if at is None:
        after = {column.partition("@")[2] for column in series}
        at = sorted(int(epoch) for epoch in after if epoch.isdigit()) or None
    study = {
        "by": series,
        "keep": [float(one) for one in keep],
        "retrainings": retrainings,
        "fixed": fixed,
        "random": random,
    }
    scoring: dict[str, Any] = {
        "replicas": replicas,
        "at": None if at is None else [int(one) for one in at],
        "scores": sorted({column.partition("@")[0] for column in series if "@" in column}),
    }
    table = None
    beside = None if columns is None else str(columns)
    if isinstance(columns, Mapping):
        own = {str(name): np.asarray(values, np.float32) for name, values in columns.items()}
        table = ScoreTable.from_columns(own)
        digest = hashlib.sha256(repr(list(own)).encode())
        for values in own.values():
            digest.update(values.tobytes())
        beside = digest.hexdigest()
    asked = Asked(
        trainer,
        {"curve": study, "scoring": scoring, **({"columns": beside} if beside else {})},
        folder="results",
        epochs=epochs,
        settings=settings,
        seed=seed,
        limit=limit,
        workers=workers,
        on=on,
        out=out,
    )
    options = {"training": asked.training(), "scoring": scoring, "curve": study}
    if table is not None:
        table.write(asked.out / "columns.parquet")
        scoring["columns"] = str((asked.out / "columns.parquet").absolute())
    elif columns is not None:
        scoring["columns"] = str(Path(str(columns)).absolute())
    outcome = asked.ask("run", options, ["--out", str(asked.out)], quiet)
    found = outcome["curve"]
    return Curve(
        points=found["points"],
        full=_spread(found["full"]),
        report=asked.out / "report.html",
        outcome=outcome,
    )


def connectivity(
    trainer: Trainer,
    *,
    spawn: Sequence[int] | None = None,
    by: str = "el2n",
    at: int | None = None,
    parents: int = 1,
    children: int = 2,
    examples: int = 1000,
    points: int = 11,
    statistics: int = 5120,
    replicas: int = 2,
    epochs: int | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    limit: int | None = None,
    workers: int | None = None,
    out: str | os.PathLike[str] | None = None,
    quiet: bool = False,
) -> Connectivity:
    """Barriers on the straight line between a training and others that leave it early: ``datadiet lmc``.

    The function gives its model to `Job.epochs_left` first, and says with `Trainer.evaluation` how weights are
    evaluated.

    Parameters
    ----------
    spawn
        Epochs after which children leave, 0 for the initialisation; 0, a 32nd, a 16th, an eighth, a quarter
        and a half of the training where nothing is said.
    by, at, replicas
        The score whose lowest and highest examples are judged on, the epoch after which it is taken, the
        trainings that it is a mean of.
    parents, children
        Trainings, and those that leave each at each epoch.
    examples
        Examples in each of the three sets: with the lowest, the highest and random scores.
    points
        Points on the line, both ends among them.
    statistics
        Examples in `Point.statistics_ids`, at most.
    trainer, epochs, settings, seed, limit, workers, out, quiet
        As for `score`.

    Raises
    ------
    CommandError, TrainerError
        As for `score`; a trainer without an evaluation.
    """
    how: dict[str, Any] = {
        "by": by,
        "at": at,
        "replicas": replicas,
        "spawn": None if spawn is None else [int(one) for one in spawn],
        "parents": parents,
        "children": children,
        "examples": examples,
        "points": points,
        "statistics": statistics,
    }
    asked = Asked(
        trainer,
        {"connectivity": how},
        folder="results",
        epochs=epochs,
        settings=settings,
        seed=seed,
        limit=limit,
        workers=workers,
        out=out,
    )
    arguments = ["--out", str(asked.out), *_options(how)]
    outcome = asked.ask("lmc", asked.training(), arguments, quiet)
    return Connectivity(
        spawns=outcome["connectivity"]["spawns"],
        report=asked.out / "report.html",
        outcome=outcome,
    )


def _options(given: Mapping[str, Any]) -> list[str]:
    """As they are typed: what is None is left out, lists have commas."""

    def text(one: object) -> str:
        return repr(float(one)) if isinstance(one, float) else str(one)

    words = []
    for name, value in given.items():
        if value is not None:
            one = ",".join(map(text, value)) if isinstance(value, list) else str(value)
            words += [f"--{name}", one]
    return words


def _spread(found: Mapping[str, Any] | None) -> Spread | None:
    if found is None:
        return None
    return Spread(found["mean"], found["low"], found["high"], list(found["values"]))
