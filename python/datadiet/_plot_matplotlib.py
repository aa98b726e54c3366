"""Figures by matplotlib."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from matplotlib import pyplot
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.ticker import PercentFormatter

from datadiet._datadiet import COLOURS
from datadiet._plot_data import SUSPECT, Axis, Bars, Cloud, Lines

_MARKERS = ("o", "s", "^")
# From near the background to the first colour of series.
_DENSITY = LinearSegmentedColormap.from_list("density", ["#dbe7f0", COLOURS[0], "#0b2239"])
_CELLS = 120


def cloud(data: Cloud, ax: Any) -> Any:
    own = ax is None
    ax = _axes(ax, (7.6, 5.6))
    if data.dense:
        _dense(ax, data)
    elif data.values is not None:
        drawn = ax.scatter(
            data.xs, data.ys, c=data.values, s=_size(len(data.xs)), linewidths=0, cmap="viridis"
        )
        ax.figure.colorbar(drawn, ax=ax, label=_plain(data.value_name))
    elif not data.groups:
        ax.scatter(
            data.xs, data.ys, s=_size(len(data.xs)), linewidths=0, color=COLOURS[0], alpha=0.6
        )
    for group in data.groups:
        ax.scatter(
            data.xs[group.rows],
            data.ys[group.rows],
            s=_size(len(data.xs)),
            linewidths=0,
            alpha=0.75,
            color=group.colour,
            marker=_MARKERS[group.shape],
            label=_named(group.name, len(group.rows)),
        )
    if len(data.suspects):
        ax.scatter(
            data.xs[data.suspects],
            data.ys[data.suspects],
            s=48,
            facecolors="none",
            edgecolors=SUSPECT,
            linewidths=1.2,
            label=_plain(data.suspects_name),
        )
    _label(ax.set_xlabel, data.x)
    _label(ax.set_ylabel, data.y)
    ax.set_title(data.title, loc="left", fontsize="medium")
    # A bar of colours stands at the right.
    _legend(ax, own, above=data.dense or data.values is not None)
    return ax


def bars(data: Bars, ax: Any) -> Any:
    own = ax is None
    ax = _axes(ax, (7.6, 4.4))
    below = np.zeros(len(data.edges) - 1)
    widths = np.diff(data.edges)
    for place, (name, colour, counts) in enumerate(data.groups):
        shade = ("", "//", "..")[min(place // len(COLOURS), 2)]
        ax.bar(
            data.edges[:-1],
            counts,
            widths,
            bottom=below,
            align="edge",
            color=colour,
            hatch=shade,
            edgecolor="white",
            linewidth=0.3,
            label=None if len(data.groups) == 1 else _named(name, int(counts.sum())),
        )
        below = below + counts
    if len(data.suspects):
        ax.plot(
            data.suspects,
            np.full(len(data.suspects), -0.02),
            "|",
            color=SUSPECT,
            markersize=9,
            transform=ax.get_xaxis_transform(),
            clip_on=False,
            label=_plain(data.suspects_name),
        )
    _label(ax.set_xlabel, data.x)
    ax.set_ylabel("examples")
    ax.set_title(data.title, loc="left", fontsize="medium")
    ax.tick_params(axis="x", pad=8)
    _legend(ax, own)
    return ax


def lines(data: Lines, ax: Any) -> Any:
    own = ax is None
    ax = _axes(ax, (7.6, 5.0))
    if data.everything is not None:
        mean, low, high = data.everything
        ax.axhspan(low, high, color="#1c232b", alpha=0.12, linewidth=0)
        ax.axhline(mean, color="#1c232b", linewidth=1, label="everything")
    for line in data.lines:
        style = "" if not line.linked else "--" if line.dashed else "-"
        spread = [line.mean - line.low, line.high - line.mean]
        ax.errorbar(
            line.keep,
            line.mean,
            yerr=np.maximum(spread, 0),
            fmt=f"o{style}",
            color=line.colour,
            capsize=2.5,
            markersize=4 if line.linked else 8,
            linewidth=1.5,
            label=_plain(line.name),
        )
    if data.percent:
        ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set_xlabel(
        _with_meaning(data.x_label, "\n".join(textwrap.fill(note, 96) for note in data.notes))
    )
    ax.set_ylabel(_plain(data.y_label))
    ax.set_title(data.title, loc="left", fontsize="medium")
    ax.grid(alpha=0.25)
    _legend(ax, own)
    return ax


def _dense(ax: Any, data: Cloud) -> None:
    if data.values is None:
        drawn = ax.hexbin(
            data.xs,
            data.ys,
            gridsize=_CELLS,
            mincnt=1,
            norm=LogNorm(),
            cmap=_DENSITY,
            linewidths=0.3,
            edgecolors="face",
        )
        ax.figure.colorbar(drawn, ax=ax, label="examples in a cell")
        return
    known = np.isfinite(data.values)
    drawn = ax.hexbin(
        data.xs[known],
        data.ys[known],
        data.values[known],
        gridsize=_CELLS,
        mincnt=1,
        cmap="viridis",
        linewidths=0.3,
        edgecolors="face",
    )
    ax.figure.colorbar(drawn, ax=ax, label=f"mean of {_plain(data.value_name)}")


def _axes(ax: Any, size: tuple[float, float]) -> Any:
    if ax is not None:
        return ax
    _, made = pyplot.subplots(figsize=size, layout="constrained")
    for side in ("top", "right"):
        made.spines[side].set_visible(False)
    return made


def _label(put: Any, axis: Axis) -> None:
    put(_with_meaning(axis.label, axis.meaning))


def _with_meaning(label: str, meaning: str) -> str:
    return _plain(f"{label}\n{meaning}" if meaning else label)


def _legend(ax: Any, own: bool, above: bool = False) -> None:
    handles, labels = ax.get_legend_handles_labels()
    if not labels:
        return
    look = {"frameon": False, "fontsize": "small"}
    if own:
        place = "outside upper right" if above else "outside right upper"
        ax.figure.legend(handles, labels, loc=place, ncols=1 + (len(labels) - 1) // 20, **look)
    else:
        ax.legend(**look)


def _named(name: str, count: int) -> str:
    short = (name if len(name) <= 28 else name[:27] + "…").lstrip("_") or "(no name)"
    return _plain(f"{short} ({count:,})")


def _plain(text: str) -> str:
    """Without formulas: a dollar is one."""
    return text.replace("$", r"\$")


def _size(points: int) -> float:
    return float(np.clip(40_000 / max(points, 1), 3, 28))


__all__ = ["bars", "cloud", "lines"]
