"""Figures of scores and outcomes, by matplotlib or plotly: ``table.plot.map()``, ``.hist()``, ``curve.plot.curve()``.

Axes say which end of a score is hard and what it is. A figure is for matplotlib an `Axes` (``.figure.savefig``), for
plotly a `Figure`.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from datadiet import _plot_data

if TYPE_CHECKING:
    from datadiet.table import ScoreTable

__all__ = ["OutcomePlots", "TablePlots", "curve"]

Backend: TypeAlias = Literal["matplotlib", "plotly"]
"""What draws."""


class TablePlots:
    """Figures of a table: ``table.plot``.

    Examples
    --------
    >>> import datadiet
    >>> table = datadiet.ScoreTable.from_columns({"el2n@4": [0.1, 0.9, 0.4], "aum@4": [3.0, -2.0, 1.0]})
    >>> axes = table.plot.map("aum@4", "el2n@4")
    >>> axes.get_xlabel().splitlines()[0]
    'aum@4 (low is hard)'
    """

    def __init__(self, table: ScoreTable) -> None:
        self._table = table

    def map(
        self,
        x: str | None = None,
        y: str | None = None,
        colour: str | None = None,
        *,
        suspects: int | None = None,
        dense: bool | None = None,
        backend: Backend | None = None,
        ax: Any = None,
    ) -> Any:
        """Every example as a point of two columns.

        Parameters
        ----------
        x, y
            Columns; ``@end`` is the latest time. Variability and confidence (dataset cartography) if not given
            and there, else the score that examples are ranked by and its standard error: as `explore`.
        colour
            ``label``, ``predicted``, ``right`` (whether they agree) or a score. ``label`` if not given, where
            there are labels and no density is drawn.
        suspects
            Number of the likeliest wrong labels that are marked; 20 if not given, 0 for none.
        dense
            Draw a density instead of points: how many examples each cell has, or their mean of `colour`. Above
            20,000 points if not given.
        backend
            ``matplotlib`` or ``plotly``; matplotlib if it is installed.
        ax
            Axes of matplotlib to draw into.

        Returns
        -------
        `matplotlib.axes.Axes`, or `plotly.graph_objects.Figure`.

        Raises
        ------
        ColumnError
            No such column, or one of texts; classes as colours of a density.
        ImportError
            Neither is installed.
        """
        drawing = _backend(backend, ax)
        data = _plot_data.cloud(self._table, x, y, colour, suspects, dense)
        return drawing.cloud(data, ax)

    def hist(
        self,
        column: str | None = None,
        *,
        colour: str | None = None,
        bins: int = 50,
        suspects: int | None = None,
        backend: Backend | None = None,
        ax: Any = None,
    ) -> Any:
        """How a column is distributed.

        Parameters
        ----------
        column
            As `x` of `map`; the one that examples are ranked by if not given.
        colour
            ``label``, ``predicted`` or ``right``: bars are stacked by it.
        bins
            Number of bars, of equal width.
        suspects, backend, ax
            As for `map`; suspects are marks below the bars.

        Raises
        ------
        ColumnError, ValueError, ImportError
            No such column, or none with values; less than a bar; as for `map`.
        """
        drawing = _backend(backend, ax)
        return drawing.bars(_plot_data.bars(self._table, column, colour, bins, suspects), ax)


class OutcomePlots:
    """Figures of an outcome: ``plot`` of what `datadiet.experiments.curve` and `diet` give."""

    def __init__(self, outcome: Mapping[str, Any]) -> None:
        self._outcome = outcome

    def curve(self, which: int = 0, *, backend: Backend | None = None, ax: Any = None) -> Any:
        """What trainings on parts reached, against the fraction kept: `datadiet.plots.curve`."""
        return curve(self._outcome, which, backend=backend, ax=ax)


def curve(
    outcome: Mapping[str, Any] | str | os.PathLike[str],
    which: int = 0,
    *,
    backend: Backend | None = None,
    ax: Any = None,
) -> Any:
    """What trainings on parts of the data reached, against the fraction kept.

    Parameters
    ----------
    outcome
        Folder of results of ``datadiet run`` or ``datadiet diet``, its outcome.json, or the content of that.
    which
        Of several curves (several data sets or networks), counted from 0.
    backend, ax
        As for `TablePlots.map`.

    Raises
    ------
    ValueError
        No curve in it; every training failed.
    FileNotFoundError, ImportError
        No such file; as for `TablePlots.map`.
    """
    drawing = _backend(backend, ax)
    content: Any = outcome
    if not isinstance(outcome, Mapping):
        file = Path(outcome)
        file = file / "outcome.json" if file.is_dir() else file
        content = json.loads(file.read_text(encoding="utf-8"))
    return drawing.lines(_plot_data.lines(content, which), ax)


def _backend(name: Backend | None, ax: Any) -> Any:
    known = ("matplotlib", "plotly")
    if name is not None and name not in known:
        raise ValueError(f'backend is {name!r}; "matplotlib" and "plotly" are known')
    if ax is not None and name == "plotly":
        raise ValueError("ax is of matplotlib; leave it out, or backend")
    wanted = [name] if name else ["matplotlib"] if ax is not None else list(known)
    for one in wanted:
        if importlib.util.find_spec(one) is not None:
            return importlib.import_module(f"datadiet._plot_{one}")
    raise ImportError(
        f"figures need {' or '.join(wanted)}, which {'is' if name else 'are'} not installed:"
        f" pip install {' (or '.join(wanted)}{')' if len(wanted) > 1 else ''}"
    )
