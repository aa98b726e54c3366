"""``df.datadiet``: scores, subsets and suspects of a data frame of pandas.

``import datadiet.pandas`` registers the accessor. Rows are joined to those of a table by ids in a column that is named
(or in the index, by its name). There is no joining by position: of a frame whose rows are those of the table in order
the ids are a column too, ``df.assign(id=range(len(df)))``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas

from datadiet._join import Missing, class_names, rows_by_id, score_columns
from datadiet.exceptions import ColumnError, SelectionError

if TYPE_CHECKING:
    from datadiet.table import HardEnd, ScoreTable

__all__ = ["DatadietAccessor"]


@pandas.api.extensions.register_dataframe_accessor("datadiet")
class DatadietAccessor:
    """What ``df.datadiet`` is.

    Examples
    --------
    >>> import datadiet, datadiet.pandas, pandas
    >>> frame = pandas.DataFrame({"guid": ["c", "a"], "text": ["cat", "dog"]})
    >>> table = datadiet.ScoreTable.from_columns({"key": ["a", "b", "c"], "el2n@1": [0.5, 0.25, 0.75]})
    >>> frame.datadiet.scores(table, id="guid")
      guid text  el2n@1
    0    c  cat    0.75
    1    a  dog    0.50
    """

    def __init__(self, frame: pandas.DataFrame) -> None:
        self._frame = frame

    def scores(
        self,
        table: ScoreTable,
        columns: Sequence[str] | None = None,
        *,
        id: str,
        missing: Missing = "error",
    ) -> pandas.DataFrame:
        """The frame with columns of a table of scores.

        Parameters
        ----------
        table
            The scores.
        columns
            Columns of the table, such as ``["el2n@end", "predicted@4"]``; all scores if not given.
        id
            The column of the frame, or the name of its index, that holds the ids of the table: what is in its
            ``key``, else ``id``, else a column of another usual name (``guid``, ``idx``, …).
        missing
            ``"null"`` leaves scores of rows empty that the table lacks, instead of refusing.

        Returns
        -------
        A new frame with the rows, the order and the index of this one.

        Raises
        ------
        ColumnError
            No such column, or one that the frame has already.
        IdError
            An id twice, on either side; one that the table lacks; none in common.
        """
        rows = rows_by_id(table, self._ids(id), id, missing=missing)
        names = score_columns(table, columns)
        for name in names:
            if name in self._frame.columns:
                raise ColumnError(
                    f"the frame has a column {name} already; rename it, or leave it out of columns"
                )
        return self._with({name: table[name] for name in names}, rows)

    def select(
        self,
        table: ScoreTable,
        keep: float | None = None,
        *,
        id: str,
        by: str | None = None,
        **options: Any,
    ) -> pandas.DataFrame:
        """The rows that `ScoreTable.select` keeps, in the order of the frame.

        Parameters
        ----------
        table
            The scores of all rows of the frame, and of no others: a fraction would be one of something else.
        keep
            Fraction of the examples to keep; or ``count``, their number.
        id
            As for `scores`.
        by, options
            As for `ScoreTable.select`: ``rule``, ``count``, ``quota``, ``seed``, …

        Raises
        ------
        SelectionError
            The table has examples that the frame lacks; what `ScoreTable.select` refuses.
        IdError, ColumnError
            As `scores`.
        """
        rows = rows_by_id(table, self._ids(id), id)
        if len(rows) < len(table):
            raise SelectionError(
                f"the table has {len(table)} examples and the frame {len(rows)} of them: take the frame that was"
                " scored, whole; or choose from the table (table.keys(table.select(…))) and take those rows"
            )
        kept = np.zeros(len(table), np.bool_)
        kept[table.select(keep, by=by, **options)] = True
        part: pandas.DataFrame = self._frame[kept[rows]]
        return part

    def suspects(
        self,
        table: ScoreTable,
        n: int = 20,
        *,
        id: str,
        by: str | None = None,
        hard_is: HardEnd | None = None,
    ) -> pandas.DataFrame:
        """The rows whose labels look wrong, the likeliest first.

        Parameters
        ----------
        table
            The scores; rows of it that the frame lacks are left out.
        n
            Number of rows; fewer where fewer have a score.
        id
            As for `scores`.
        by
            Column to list by; if not given the one of `ScoreTable.wrong_labels`: the latest AUM, else as there.
        hard_is
            Which end of it is hard, as for `ScoreTable.top`.

        Returns
        -------
        Rows of the frame with its index, and the columns ``labelled`` and ``predicted`` (names of classes, where the
        table tells) and the score.

        Raises
        ------
        IdError, ColumnError
            As `scores`.
        """
        rows = rows_by_id(table, self._ids(id), id)
        by = table._table.default_suspicion() if by is None else by
        name, _, _ = table._ranking(by, hard_is)
        place = np.full(len(table), -1)
        place[rows] = np.arange(len(rows))
        order = place[table._table.hardest_first(name, hard_is)]
        order = order[order >= 0][: max(n, 0)]
        found = {}
        names = class_names(table)
        predicted = table._table.predictions_of(name)
        if names:
            found["labelled"] = [names[int(one)] for one in table["label"]]
        if names and predicted is not None:
            found["predicted"] = [names.get(int(one), str(one)) for one in table[predicted]]
        for column in (*found, name):
            if column in self._frame.columns:
                raise ColumnError(f"the frame has a column {column} already; rename it first")
        listed: pandas.DataFrame = self._with({**found, name: table[name]}, rows).iloc[order]
        return listed

    def _ids(self, id: str) -> Any:
        frame = self._frame
        if id in frame.columns:
            if frame.columns.tolist().count(id) > 1:
                raise ColumnError(f"the frame has several columns {id}")
            return frame[id]
        if id in frame.index.names:
            return frame.index.get_level_values(id).to_series()
        raise ColumnError(
            f"the frame has no column {id}, and its index is not called so; its columns are"
            f" {', '.join(map(str, frame.columns[:10]))}"
        )

    def _with(self, columns: dict[str, Any], rows: Any) -> pandas.DataFrame:
        absent = rows < 0
        added: dict[str, Any] = {}
        for name, values in columns.items():
            if isinstance(values, list):
                found = [None if row < 0 else values[row] for row in rows]
                added[name] = pandas.Series(found, self._frame.index, dtype="str")
            elif values.dtype.kind == "f":
                picked = values[np.where(absent, 0, rows)] if len(values) else values
                added[name] = np.where(absent, np.float32(np.nan), picked)
            else:
                picked = values[np.where(absent, 0, rows)] if len(values) else values
                whole = pandas.array(picked)
                whole[absent] = pandas.NA
                added[name] = whole if absent.any() else picked
        scored: pandas.DataFrame = self._frame.assign(**added)
        return scored
