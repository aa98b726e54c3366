"""What figures show: numbers and words, whatever draws them."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from datadiet._catalogue import SCORES
from datadiet._datadiet import COLOURS
from datadiet.exceptions import ColumnError, DatadietError

if TYPE_CHECKING:
    from datadiet.table import ScoreTable

Floats: TypeAlias = npt.NDArray[np.float64]

# From so many points on a density is drawn instead of a cloud.
MOST_POINTS = 20_000
# Classes that can be told apart: each colour with each of the shapes.
SHAPES = 3
MOST_CLASSES = len(COLOURS) * SHAPES
# That are marked where nobody says how many.
_SUSPECTS = 20
# How a quota shares out what is kept, in the words of the command.
_QUOTAS = {"none": "", "proportional": ", classes in proportion", "balanced": ", classes balanced"}
FAINT = "#7d8791"
SUSPECT = "#d1242f"
_WIDTH = 84


@dataclass(frozen=True)
class Axis:
    """One axis: the column, and what it means."""

    name: str
    label: str
    """With the end that is hard."""
    meaning: str
    """The definition, wrapped into lines; empty where nobody knows."""


@dataclass(frozen=True)
class Group:
    """Points of one kind."""

    name: str
    colour: str
    shape: int
    rows: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Cloud:
    """A map of examples."""

    title: str
    x: Axis
    y: Axis
    xs: Floats
    ys: Floats
    keys: Sequence[str]
    groups: list[Group]
    """Empty where a density, or a column of values, is drawn."""
    values: Floats | None
    """Of the column that colours points."""
    value_name: str
    suspects: npt.NDArray[np.int64]
    """Places in xs of the suspects, likeliest first."""
    suspects_name: str
    dense: bool


@dataclass(frozen=True)
class Bars:
    """A histogram, stacked by group."""

    title: str
    x: Axis
    edges: Floats
    groups: list[tuple[str, str, npt.NDArray[np.int64]]]
    """Names, colours, counts."""
    suspects: Floats
    """Values of the suspects."""
    suspects_name: str


@dataclass(frozen=True)
class Line:
    """What trainings on subsets reached."""

    name: str
    colour: str
    dashed: bool
    keep: Floats
    mean: Floats
    low: Floats
    high: Floats
    linked: bool = True


@dataclass(frozen=True)
class Lines:
    """A figure of such lines."""

    title: str
    x_label: str
    y_label: str
    percent: bool
    lines: list[Line]
    everything: tuple[float, float, float] | None
    """Trainings on everything: mean, low, high."""
    notes: list[str] = field(default_factory=list)


def axis(table: ScoreTable, name: str) -> Axis:
    """The axis of a column."""
    formula = next(
        (one["definition"]["formula"] for one in table.describe() if one["name"] == name), ""
    )
    score = name.partition("@")[0].partition(":")[0]
    if not formula and not _is_detail(name):
        formula = next((one["formula"] for one in SCORES if one["name"] == score), "")
    hard = "" if _is_detail(name) else _hard_end(table, name)
    if name.endswith(".se"):
        formula = f"standard error over replicas of {name.removesuffix('.se')}"
    label = f"{name} ({hard} is hard)" if hard else name
    return Axis(name, label, "\n".join(textwrap.wrap(formula, _WIDTH)))


def cloud(
    table: ScoreTable,
    x: str | None,
    y: str | None,
    colour: str | None,
    suspects: int | None,
    dense: bool | None,
) -> Cloud:
    """What a map shows."""
    own = table._table.map_axes(table._table.default_column())
    names = [_resolved(table, name or usual) for name, usual in zip((x, y), own, strict=True)]
    every = [_floats(table, name) for name in names]
    shown = np.flatnonzero(np.isfinite(every[0]) & np.isfinite(every[1]))
    dense = len(shown) > MOST_POINTS if dense is None else dense
    groups: list[Group] = []
    values, value_name = None, ""
    if colour is None and not dense and "label" in table:
        colour = "label"
    if colour is not None:
        groups, values, value_name = _coloured(table, colour, shown)
        if groups and dense:
            # A density has no classes: it would show the one that is drawn last.
            raise ColumnError(
                f"a map of {len(shown):,} points is a density, which cannot show classes; leave colour out, colour"
                " by a score, or pass dense=False"
            )
    found, suspects_name = _suspects(table, suspects)
    marked = np.searchsorted(shown, found).clip(max=max(len(shown) - 1, 0))
    marked = marked[shown[marked] == found] if len(shown) else marked[:0]
    keys = _keys(table, shown) if not dense else _keys(table, shown[marked])
    left = len(table) - len(shown)
    title = f"{len(shown):,} examples" + (
        f"; {left:,} without a value are left out" if left else ""
    )
    return Cloud(
        title,
        axis(table, names[0]),
        axis(table, names[1]),
        every[0][shown],
        every[1][shown],
        keys,
        groups,
        values,
        value_name,
        marked,
        suspects_name,
        dense,
    )


def bars(
    table: ScoreTable, column: str | None, colour: str | None, bins: int, suspects: int | None
) -> Bars:
    """What a histogram shows."""
    if bins < 1:
        raise ValueError(f"{bins} bins cannot be; pass a number from 1, such as 50")
    name = _resolved(table, table._table.default_column() if column is None else column)
    values = _floats(table, name)
    shown = np.flatnonzero(np.isfinite(values))
    if not len(shown):
        raise ColumnError(f"no example has a value in {name}")
    edges = np.histogram_bin_edges(values[shown], bins)
    groups = [("examples", COLOURS[0], np.histogram(values[shown], edges)[0].astype(np.int64))]
    if colour is not None:
        found, _, _ = _coloured(table, colour, shown)
        if not found:
            raise ColumnError(
                f"a histogram is coloured by classes, which {colour} has not: pass label, predicted or right"
            )
        groups = [
            (one.name, one.colour, np.histogram(values[shown][one.rows], edges)[0].astype(np.int64))
            for one in found
        ]
    marked, suspects_name = _suspects(table, suspects)
    left = len(table) - len(shown)
    title = f"{len(shown):,} examples" + (
        f"; {left:,} without a value are left out" if left else ""
    )
    of_suspects = values[marked]
    return Bars(
        title,
        axis(table, name),
        edges,
        groups,
        of_suspects[np.isfinite(of_suspects)],
        suspects_name,
    )


def lines(outcome: Mapping[str, Any], which: int) -> Lines:
    """What a curve shows, of the content of an outcome.json: of `[curve]`, else of `diet`."""
    found = outcome.get("curve")
    several = [one for one in (found if isinstance(found, list) else [found]) if one]
    if several:
        if not 0 <= which < len(several):
            raise ValueError(
                f"there is no curve {which}: the outcome has {len(several)}, counted from 0"
            )
        return _of_curve(several[which])
    if outcome.get("tune"):
        return _of_diet(outcome["tune"])
    raise ValueError(
        "the outcome has no curve: it is of other studies; run an experiment with [curve], or `datadiet diet`"
    )


def density(data: Cloud, wide: int, high: int) -> tuple[Floats, Floats, Floats]:
    """Examples of each cell, or the mean of the colouring column; NaN where none is; and the borders."""
    counts, across, up = np.histogram2d(data.xs, data.ys, bins=(wide, high))
    cells = counts
    if data.values is not None:
        known = np.isfinite(data.values)
        edges = (across, up)
        counts, _, _ = np.histogram2d(data.xs[known], data.ys[known], bins=edges)
        sums, _, _ = np.histogram2d(
            data.xs[known], data.ys[known], bins=edges, weights=data.values[known]
        )
        cells = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return np.where(counts > 0, cells, np.nan).T, across, up


def _of_curve(found: Mapping[str, Any]) -> Lines:
    spreads = [one["accuracy"] for one in found["points"] if one["accuracy"]]
    full = found.get("full")
    metric = _metric([*spreads, full])
    series = list(dict.fromkeys(one["series"] for one in found["points"]))
    colours = iter([*COLOURS] * (len(series) // len(COLOURS) + 1))
    drawn = []
    for name in series:
        points = [one for one in found["points"] if one["series"] == name and one["accuracy"]]
        at_random = name == "random"
        colour = FAINT if at_random else next(colours)
        drawn.append(
            _line(name, colour, at_random, [(one["keep"], one["accuracy"]) for one in points])
        )
    trainings = sorted({len(one["values"]) for one in spreads})
    notes = [found["how"]] if found.get("how") else []
    if trainings == [1]:
        notes.append("one training a point: the chance of that training is part of it")
    elif trainings:
        most = f"{trainings[0]}" if len(trainings) == 1 else f"{trainings[0]} to {trainings[-1]}"
        notes.append(f"{most} trainings a point; bars go from their 16th to their 84th percentile")
    return Lines("Trained on parts", "fraction kept", *metric, drawn, _spread(full), notes)


def _of_diet(found: Mapping[str, Any]) -> Lines:
    finals = found["finals"]
    rungs = [rung for rung in found["rungs"] if any(spread for _, spread in rung["arms"])]
    final = [(name, finals.get(name)) for name in ("answer", "random", "hardest")]
    final = [(name, one) for name, one in final if one and one.get("accuracy")]
    spreads = [one["accuracy"] for _, one in final]
    spreads += [spread for rung in rungs for _, spread in rung["arms"] if spread]
    metric = _metric([*spreads, finals.get("full")])
    drawn = []
    if rungs:
        arms = [(arm, spread) for arm, spread in rungs[-1]["arms"] if spread]
        # An arm is what is left out and how classes share what is kept: a line is of one of both.
        kinds = sorted(
            {(arm["drop"], arm["quota"]) for arm, _ in arms},
            key=lambda kind: (kind[0], kind[1] != "none", kind[1]),
        )
        for (drop, quota), colour in zip(kinds, [*COLOURS[1:]] * len(kinds), strict=False):
            of = [
                (arm["keep"], spread)
                for arm, spread in arms
                if (arm["drop"], arm["quota"]) == (drop, quota)
            ]
            what = "the hardest" if drop == 0 else f"without the hardest {drop:.0%}"
            what += _QUOTAS[quota]
            drawn.append(_line(f"held out, last round: {what}", colour, True, of))
    for name, one in final:
        colour = {"answer": COLOURS[0], "random": FAINT, "hardest": COLOURS[3]}[name]
        label = {
            "answer": "the answer",
            "random": "as many at random",
            "hardest": "as many of the hardest",
        }[name]
        line = _line(f"test: {label}", colour, False, [(one["keep"], one["accuracy"])])
        drawn.append(Line(**{**vars(line), "linked": False}))
    notes = [
        "dashed: held-out training examples, by which the answer was found; points and the line of everything:"
        " the test set. The two do not compare."
    ]
    return Lines(
        "The search for a subset",
        "fraction kept",
        *metric,
        drawn,
        _spread(finals.get("full")),
        notes,
    )


def _line(
    name: str, colour: str, dashed: bool, points: Sequence[tuple[float, Mapping[str, Any]]]
) -> Line:
    ordered = sorted(points, key=lambda one: one[0])
    keep = np.array([keep for keep, _ in ordered])
    mean, low, high = (
        np.array([spread[key] for _, spread in ordered]) for key in ("mean", "low", "high")
    )
    return Line(name, colour, dashed, keep, mean, low, high)


def _metric(spreads: Sequence[Mapping[str, Any] | None]) -> tuple[str, bool]:
    """The name of the vertical axis, and whether it is in percent."""
    known = next((one for one in spreads if one), None)
    if known is None:
        raise ValueError("every training of the curve failed: there is nothing to draw")
    metric = known.get("metric")
    if metric is None:
        return "accuracy", True
    end = "higher" if metric["higher_is_better"] else "lower"
    return f"{metric['name']} ({end} is better)", False


def _spread(one: Mapping[str, Any] | None) -> tuple[float, float, float] | None:
    return None if one is None else (one["mean"], one["low"], one["high"])


def _coloured(
    table: ScoreTable, colour: str, shown: npt.NDArray[np.int64]
) -> tuple[list[Group], Floats | None, str]:
    """Groups by class, or values of a column; rows of groups are places in `shown`."""
    names = table._table.classes()
    by = table._table.default_suspicion()
    predicted = table._table.predictions_of(by)
    if colour == "right":
        if "label" not in table or predicted is None:
            raise ColumnError(
                "right or wrong needs a label and a prediction of each example, which the table has not"
            )
        right = (table["label"] == table[predicted])[shown]
        kinds = (
            ("predicted as labelled", COLOURS[0], right),
            ("predicted as another class", COLOURS[1], ~right),
        )
        return [Group(name, one, 0, np.flatnonzero(of)) for name, one, of in kinds], None, ""
    column = predicted if colour == "predicted" and predicted is not None else colour
    if column not in table and not column.endswith("@end"):
        raise ColumnError(
            f"no column to colour by named {colour}: there are label, predicted, right, and {', '.join(table.scores)}"
        )
    values = table[column]
    if isinstance(values, list):
        raise ColumnError(f"{column} holds texts: colour by label, predicted, right or a score")
    if values.dtype.kind == "f":
        return [], _floats(table, column)[shown], _resolved(table, column)
    of = values[shown]
    present, counts = np.unique(of, return_counts=True)
    if len(present) > MOST_CLASSES:
        most = set(present[np.argsort(-counts, kind="stable")[: MOST_CLASSES - 1]].tolist())
    else:
        most = set(present.tolist())
    groups = []
    for place, one in enumerate(sorted(most)):
        name = names[one] if one < len(names) else str(one)
        shape = place // len(COLOURS)
        groups.append(Group(name, COLOURS[place % len(COLOURS)], shape, np.flatnonzero(of == one)))
    others = np.flatnonzero(~np.isin(of, list(most)))
    if len(others):
        count = len(present) - len(most)
        groups.insert(0, Group(f"{count:,} other classes", FAINT, 0, others))
    return groups, None, ""


def _suspects(table: ScoreTable, n: int | None) -> tuple[npt.NDArray[np.int64], str]:
    """Rows of the suspects, and what they are called."""
    nobody = np.zeros(0, np.int64), ""
    if n is not None and n <= 0:
        return nobody
    try:
        by = table._table.default_suspicion()
        name, _, _, assumed = table._table.ranking(by, None)
    except DatadietError:
        return nobody
    if assumed is not None:
        # Which end is suspect is not known.
        if n is not None:
            warnings.warn(assumed, stacklevel=4)
        else:
            return nobody
    rows = table._table.hardest_first(name, None)[: _SUSPECTS if n is None else n]
    return rows.astype(np.int64), f"{len(rows)} likeliest suspects by {name}"


def _keys(table: ScoreTable, rows: npt.NDArray[np.int64]) -> list[str]:
    for name in ("key", "id"):
        if name in table:
            column = table[name]
            return [str(column[row]) for row in rows.tolist()]
    return [str(row) for row in rows.tolist()]


def _resolved(table: ScoreTable, name: str) -> str:
    return name if name in table else table._table.ranking(name, None)[0]


def _hard_end(table: ScoreTable, name: str) -> str:
    """Which end of a column is hard; empty where its name does not say."""
    try:
        _, _, high, assumed = table._table.ranking(name, None)
    except DatadietError:
        return ""
    return "" if assumed else "high" if high else "low"


def _floats(table: ScoreTable, name: str) -> Floats:
    values = table[name]
    if isinstance(values, list):
        raise ColumnError(
            f"{name} holds texts, which have no place on an axis; there are {', '.join(table.scores)}"
        )
    return np.asarray(values, np.float64)


def _is_detail(name: str) -> bool:
    return "." in name.rpartition("@")[2]
