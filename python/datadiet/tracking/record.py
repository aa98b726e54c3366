"""What is told to a tracker, whichever it is: parameters, numbers, curves, distributions, texts and files.

`Record` is that, with names that every tracker takes; `add_table`, `add_trainings`, `add_losses` and `add_outcome` fill it with
what this package and the command answer. Nothing here knows of a tracker.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from datadiet._datadiet import __version__
from datadiet.table import ScoreTable

__all__ = [
    "Histogram",
    "Param",
    "Record",
    "add_losses",
    "add_outcome",
    "add_table",
    "add_trainings",
]

Param: TypeAlias = str | int | float | bool
"""A value of a parameter."""

BINS = 64
"""Of a histogram: W&B's default."""
NAME = 60
"""Most characters of a part of a name: a file system's 255 bytes hold it in any alphabet."""
_TEXT = 500
"""Most characters of a parameter: MLflow before 2.10 took no more."""

_ODD = re.compile(r"\W")


@dataclass(frozen=True)
class Histogram:
    """How the values of a score are distributed."""

    counts: npt.NDArray[np.int64]
    edges: npt.NDArray[np.float64]
    """One more than `counts`, ascending."""
    total: float
    """Sum of the values."""
    squares: float
    """Sum of their squares."""


@dataclass
class Record:
    """What is told to a tracker. Names are as in `name`, without the prefix."""

    params: dict[str, Param] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    """Of the whole: there is one value."""
    curves: dict[str, dict[int, float]] = field(default_factory=dict)
    """Values by step. What a step is, the page docs/TRACKERS.md says of each name."""
    histograms: dict[str, dict[int, Histogram]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    card: dict[str, Any] = field(default_factory=dict)
    """Where it all comes from: the card of a table, or what was asked of an experiment."""
    names: dict[str, str] = field(default_factory=dict)
    """What parts of names were before they were renamed."""
    _taken: dict[str, str] = field(default_factory=dict)
    """What each part of a name was, renamed or not."""
    files: list[Path] = field(default_factory=list)

    def name(self, *parts: str) -> str:
        """A name that every tracker takes: parts of letters, digits and ``_``, joined by ``/``.

        Other characters become ``_``, long parts are cut, and where two parts become the same the later is numbered:
        ``el2n@4`` is ``el2n_4``. What a part was is kept in `names`.
        """
        return "/".join(self._part(str(part)) for part in parts)

    def _part(self, part: str) -> str:
        base = _ODD.sub("_", part)[:NAME] or "_"
        for number in range(1, len(self._taken) + 2):
            renamed = base if number == 1 else f"{base}_{number}"
            if self._taken.setdefault(renamed, part) == part:
                if renamed != part:
                    self.names[renamed] = part
                return renamed
        raise AssertionError("more names than parts")

    def param(self, value: Any, *parts: str) -> None:
        """Adds a parameter: those of a mapping each; nothing for what is not said."""
        if value is None or value in ("", [], ()):
            return
        if isinstance(value, Mapping):
            for key, one in value.items():
                self.param(one, *parts, key)
        elif isinstance(value, (bool, int, float, str)):
            self.params[self.name(*parts)] = _short(value) if isinstance(value, str) else value
        else:
            text = json.dumps(value, ensure_ascii=False, default=str)
            self.params[self.name(*parts)] = _short(text)

    def number(self, value: Any, *parts: str) -> None:
        """Adds a number of the whole, unless it is none."""
        if _is_number(value):
            self.numbers[self.name(*parts)] = float(value)

    def point(self, step: float, value: Any, *parts: str) -> None:
        """Adds a point of a curve, unless its value is none."""
        if _is_number(value):
            self.curves.setdefault(self.name(*parts), {})[round(step)] = float(value)

    def spread(
        self, found: Mapping[str, Any] | None, *parts: str, step: float | None = None
    ) -> None:
        """Adds the mean of trainings, and where they are several their 16th and 84th percentile."""
        if found is None:
            return
        several = len(found.get("values", ())) > 1
        for which in ("mean", "low", "high") if several else ("mean",):
            if step is None:
                self.number(found.get(which), *parts, which)
            else:
                self.point(step, found.get(which), *parts, which)

    @property
    def digest(self) -> str:
        """The same for what says the same."""
        histograms = {
            name: [(step, one.counts.tolist(), one.edges.tolist()) for step, one in by_step.items()]
            for name, by_step in self.histograms.items()
        }
        tags = {key: text for key, text in self.tags.items() if key != "results"}
        told = (self.params, self.numbers, self.curves, histograms, tags, self.card)
        text = json.dumps(told, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def steps(self) -> list[int]:
        """All steps at which there is something, ascending."""
        curves = {step for by_step in self.curves.values() for step in by_step}
        return sorted(curves.union(*self.histograms.values()))


def add_table(record: Record, table: ScoreTable) -> None:
    """The summaries of each score over training, its distribution, and where the table comes from."""
    card = table.card or {}
    record.card = record.card or dict(card)
    _provenance(record, card)
    record.param(len(table), "examples")
    record.param(card.get("replicas"), "replicas")
    record.param(card.get("specification"), "specification")
    described = {str(column["name"]): column for column in card.get("columns", [])}
    times = _times(table.scores, described)
    epochs: dict[int, float] = {}
    for column in table.scores:
        values = table[column]
        if isinstance(values, list):
            continue
        score, epoch = _score_of(column)
        step = times.get(column, 0)
        if epoch is not None:
            epochs[step] = epoch
        finite = values[np.isfinite(values)].astype(np.float64)
        if not len(finite):
            continue
        for which, value in (("mean", finite.mean()), ("min", finite.min()), ("max", finite.max())):
            record.point(step, value, score, which)
        missing = len(values) - len(finite)
        if missing:
            record.point(step, missing, score, "missing")
        reliability = (described.get(column, {}).get("reliability") or {}).get("full")
        record.point(step, reliability, score, "reliability")
        record.histograms.setdefault(record.name(score, "values"), {})[step] = _histogram(finite)
    for step, epoch in sorted(epochs.items()):
        record.point(step, epoch, "time", "epochs")
    accuracy = card.get("accuracy")
    if accuracy:
        of = (accuracy.get("split", "test"), accuracy.get("metric") or "accuracy")
        record.number(accuracy.get("mean"), *of, "mean")
        record.number(accuracy.get("standard_error"), *of, "standard_error")


def add_trainings(record: Record, found: Mapping[str, Any]) -> None:
    """What ``datadiet train`` answers."""
    numbers = ("accuracy", "by_class")
    record.card = {key: value for key, value in found.items() if key not in numbers}
    spec = found.get("spec") or {}
    _provenance(record, {**spec, "runs": found.get("runs")})
    record.param(spec or None, "specification")
    for key in ("examples", "of", "fixed"):
        record.param(found.get(key), key)
    record.param(len(found.get("runs", ())), "replicas")
    record.number(len(found.get("failed", ())), "cost", "failed")
    accuracy = found.get("accuracy")
    of = (found.get("split") or "test", _metric(accuracy))
    record.spread(accuracy, *of)
    for name, value in (found.get("by_class") or {}).items():
        record.number(value, *of, "by_class", name)


def add_losses(record: Record, curves: Mapping[str, Sequence[Sequence[float]]]) -> None:
    """The losses of minibatches of each training, by its steps."""
    for training, points in curves.items():
        for step, loss in points:
            record.point(step, loss, "training", training, "loss")


def add_outcome(record: Record, outcome: Mapping[str, Any]) -> None:
    """What ``datadiet run``, ``diet``, ``ntk`` and ``lmc`` write to outcome.json."""
    asked = outcome.get("experiment") or {}
    template = outcome.get("template") or {}
    told = ("datadiet", "source", "experiment", "template", "failed", "left_out", "cost")
    record.card = record.card or {key: outcome[key] for key in told if key in outcome}
    _provenance(record, {**template, **outcome})
    # Of a training on everything; that of a replica for the scores is in the card.
    of_scores = [name for name in record.params if name.startswith("specification/")]
    for name in of_scores:
        del record.params[name]
    record.param(template, "specification")
    record.param(asked, "experiment")
    for scene in outcome.get("scenes", ()):
        accuracy = scene.get("accuracy")
        record.spread(accuracy, "scoring", _scene(scene.get("name")), _metric(accuracy))
    for key, value in (outcome.get("cost") or {}).items():
        record.number(value, "cost", key)
    record.number(len(outcome.get("failed", ())), "cost", "failed")
    for study, tell in _STUDIES.items():
        found = outcome.get(study)
        for one in found if isinstance(found, list) else [found] if found else []:
            tell(record, one, outcome)


def _curve(record: Record, found: Mapping[str, Any], _: Any) -> None:
    """By the number of examples trained on."""
    for point in found["points"]:
        of = ("curve", point["series"], _metric(point["accuracy"]))
        record.spread(point["accuracy"], *of, step=point["size"])
    full = found.get("full")
    record.spread(full, "curve", "full", _metric(full), step=found["examples"])


def _window(record: Record, found: Mapping[str, Any], _: Any) -> None:
    """By the number of harder examples that are left out."""
    scene = _scene(found.get("scene"))
    for point in found["points"]:
        of = ("window", scene, point["series"], _metric(point["accuracy"]))
        left_out = round((point.get("offset") or 0) * found["examples"])
        record.spread(point["accuracy"], *of, step=left_out)
    full = found.get("full")
    record.spread(full, "window", scene, "full", _metric(full))


def _tune(record: Record, found: Mapping[str, Any], _: Any) -> None:
    """On held-out examples by the steps of a training."""
    finals = found["finals"]
    record.number(found.get("advisable"), "diet", "advisable")
    record.number(found.get("within_tolerance"), "diet", "within_tolerance")
    answer = finals["answer"]
    record.number(answer.get("size"), "diet", "answer", "examples")
    record.number(answer.get("keep"), "diet", "answer", "keep")
    for which in ("answer", "random", "each_epoch", "hardest"):
        accuracy = (finals.get(which) or {}).get("accuracy")
        record.spread(accuracy, "diet", which, _metric(accuracy))
    record.spread(finals.get("full"), "diet", "full", _metric(finals.get("full")))
    record.tags["verdict"] = found.get("verdict", "")
    for rung in found.get("rungs", ()):
        step, of = rung["steps"], ("diet", "held_out")
        record.spread(rung.get("full"), *of, "full", step=step)
        first = next((spread for _, spread in rung["arms"] if spread), None)
        record.spread(first, *of, "answer", step=step)
        record.point(step, len(rung["arms"]), *of, "subsets")


def _noise(record: Record, found: Mapping[str, Any], outcome: Mapping[str, Any]) -> None:
    """By the time of the score, as for a table."""
    steps = {
        column["name"]: column["time"]["step"]
        for scene in outcome.get("scenes", ())
        for column in scene.get("columns", ())
    }
    scene = _scene(found.get("scene"))
    record.number(found.get("changed"), "noise", scene, "changed")
    for column in found.get("detection", ()):
        score, epoch = _score_of(column["column"])
        step = steps.get(column["column"], epoch or 0)
        for which in ("auroc", "average_precision"):
            record.point(step, column.get(which), "noise", scene, score, which)


def _velocity(record: Record, found: Mapping[str, Any], _: Any) -> None:
    """By the rank of a window's first example."""
    scene = _scene(found.get("scene"))
    for window in found["windows"]:
        of = ("velocity", scene, f"epoch {window['time']:g}")
        record.spread(window.get("velocity"), *of, step=window["first_rank"])


def _connectivity(record: Record, found: Mapping[str, Any], _: Any) -> None:
    """By the step at which children leave."""
    for spawn in found["spawns"]:
        for of_set in spawn["sets"]:
            for which in ("error_barrier", "loss_barrier"):
                of = ("connectivity", of_set["set"], which)
                record.spread(of_set.get(which), *of, step=spawn["step"])


_STUDIES = {
    "curve": _curve,
    "window": _window,
    "tune": _tune,
    "noise": _noise,
    "velocity": _velocity,
    "connectivity": _connectivity,
}
"""What is told of each study; of others the report and outcome.json alone."""


def _provenance(record: Record, card: Mapping[str, Any]) -> None:
    record.tags["version"] = __version__
    for key in ("made_by", "source", "task"):
        if isinstance(card.get(key), str) and card[key]:
            record.tags[key] = card[key]
    data = card.get("data")
    if isinstance(data, Mapping):
        record.param(data.get("name"), "data", "name")
        record.param(data.get("fingerprint"), "data", "fingerprint")
        record.param(data.get("limit"), "data", "limit")
    if card.get("runs"):
        record.tags["runs"] = " ".join(map(str, card["runs"]))


def _times(columns: Sequence[str], described: Mapping[str, Any]) -> dict[str, int]:
    """The step of each column: that of the card. Without one the epoch in the name, or where some are within an
    epoch (``el2n@0.5``) the place of their time among all."""
    if all(column in described for column in columns if _score_of(column)[1] is not None):
        return {
            column: int(described[column]["time"]["step"])
            for column in columns
            if column in described
        }
    epochs = {column: epoch for column in columns if (epoch := _score_of(column)[1]) is not None}
    order = sorted(set(epochs.values()))
    if all(epoch == round(epoch) for epoch in order):
        return {column: round(epoch) for column, epoch in epochs.items()}
    return {column: order.index(epoch) for column, epoch in epochs.items()}


def _score_of(column: str) -> tuple[str, float | None]:
    """``el2n@4`` is of the score ``el2n`` at 4 epochs; none of a column that is of no time."""
    score, at, time = column.rpartition("@")
    try:
        epoch = float(time) if at else math.nan
    except ValueError:
        epoch = math.nan
    return (score, epoch) if math.isfinite(epoch) else (column, None)


def _histogram(values: npt.NDArray[np.float64]) -> Histogram:
    counts, edges = np.histogram(values, bins=BINS)
    return Histogram(counts, edges, float(values.sum()), float((values**2).sum()))


def _metric(spread: Mapping[str, Any] | None) -> str:
    metric = (spread or {}).get("metric") or {}
    return str(metric.get("name", "accuracy"))


def _scene(name: Any) -> str:
    """The one without changes to data or network has no name."""
    return str(name or "plain")


def _short(text: str) -> str:
    return text if len(text) <= _TEXT else text[: _TEXT - 1] + "…"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.generic)) and math.isfinite(value)
