"""Which row of a table of scores is which row of somebody's data: by ids that are named, never silently by position."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from datadiet._arrays import texts_or_wholes
from datadiet._ids import places_of
from datadiet.exceptions import ColumnError, DtypeError, IdError, LabelError, ShapeError, TableError

if TYPE_CHECKING:
    from datadiet.table import ScoreTable

Missing: TypeAlias = Literal["error", "null"]
"""What becomes of examples that a table has no row for."""


def ids_of(table: ScoreTable) -> tuple[str | None, list[int] | list[str]]:
    """The column by which the owner of the data knows the rows, and the id of each: what the command takes for it, ``key``,
    else ``id``, else one of another usual name, such as ``guid`` or the index that pandas writes; without such a column
    none, and the numbers of the rows.

    Raises
    ------
    IdError
        The column holds numbers with fractions.
    """
    column, ids = table._table.own_ids()
    return column, ids if isinstance(ids, list) else list(ids.tolist())


def rows_by_id(
    table: ScoreTable, ids: Any, name: str, *, missing: Missing = "error"
) -> npt.NDArray[np.int64]:
    """The row of the table for each of some ids, which are called `name`; −1 where it has none.

    Raises
    ------
    IdError
        An id twice, on either side; an id that the table lacks, unless `missing` is ``"null"``; no id in common.
    """
    if missing not in ("error", "null"):
        raise ValueError(f'missing is {missing!r}; pass "error" or "null"')
    check_table(table)
    own = texts_or_wholes(ids)
    if not isinstance(own, list) and own.ndim != 1:
        raise DtypeError(
            f"{name} has several values in a row; ids are one whole number or text each"
        )
    wanted = own if isinstance(own, list) else own.tolist()
    seen: set[int | str] = set()
    for row, one in enumerate(wanted):
        if one in seen:
            raise IdError(
                f"the data has {name} {one} more than once, last in row {row}; each example has one row",
                row=row,
                id=one,
            )
        seen.add(one)
    column, known = ids_of(table)
    rows = np.array(places_of(wanted, known, column or "id"), np.int64)
    lost = np.flatnonzero(rows < 0)
    if len(lost) == len(rows) and len(rows):
        raise IdError(
            f"no {name} of the data is an id of the table: the data has {_shown(wanted)}, the table {_shown(known)};"
            " name the column that holds the ids of the table",
            row=0,
            id=wanted[0],
        )
    if len(lost) and missing == "error":
        first = int(lost[0])
        raise IdError(
            f"{len(lost)} of {len(rows)} rows have no row in the table, the first of them {name} {wanted[first]};"
            ' missing="null" leaves their scores empty',
            row=first,
            id=wanted[first],
        )
    return rows


def rows_by_number(
    table: ScoreTable,
    n: int,
    labels: Sequence[Any] | None,
    how: str,
    *,
    check_labels: bool = True,
) -> npt.NDArray[np.int64]:
    """The numbers of all rows, where everything that can be checked says that row i of both is the same example.

    `labels` are those of the data, names or numbers of classes, to be compared with the table's, None where it has
    none; `how` says how to name ids, or labels, instead.

    Raises
    ------
    IdError
        A table whose rows are not in the order of the data, or are only some of it.
    ShapeError, LabelError
        Another number of rows; other labels, or none to compare.
    """
    check_table(table)
    column, ids = table._table.own_ids()
    if isinstance(ids, list):
        raise IdError(
            f"the table has ids of its own (column {column}), and its rows are in the order of those, not of the data;"
            f" {how}"
        )
    if not np.array_equal(ids, np.arange(len(table))):
        raise IdError(
            f"the ids of the table (column {column}) are not 0, 1, 2, …: its rows are not those of a whole data set;"
            f" {how}"
        )
    if len(table) != n:
        raise ShapeError(
            f"the data has {n} rows and the table {len(table)}: row i of one is not row i of the other; {how}"
        )
    if check_labels:
        if labels is None or "label" not in table:
            lacking = "data" if labels is None else "table"
            raise LabelError(
                f"the {lacking} has no labels to compare, and nothing else tells whether row i of the table is row i of"
                f" the data; {how}, or check_labels=False if it is"
            )
        _check_labels(table, labels, how)
    return np.arange(n)


def _check_labels(table: ScoreTable, labels: Sequence[Any], how: str) -> None:
    """Compares names of classes where both have names, else numbers."""
    texts = all(isinstance(one, str) for one in labels)
    known = table["class"] if texts and "class" in table else table["label"].tolist()
    if texts != isinstance(known[0] if known else "", str) or None in labels:
        raise LabelError(
            f"the labels of the data ({_shown(labels)}) cannot be compared with those of the table ({_shown(known)}),"
            f" which would tell whether the rows are the same; {how}, or check_labels=False if they are"
        )
    differ = [
        row for row, (one, other) in enumerate(zip(labels, known, strict=True)) if one != other
    ]
    if differ:
        row = differ[0]
        raise LabelError(
            f"{len(differ)} of {len(labels)} labels of the data are not the table's, the first in row {row}"
            f" ({labels[row]} and {known[row]}): the rows are in another order, or labels were changed since; {how}, or"
            " check_labels=False if they were",
            row=row,
        )


def check_table(table: Any) -> None:
    """Refuses what is no table, such as a path."""
    if not hasattr(table, "_table"):
        raise DtypeError(
            f"a {type(table).__name__} is no table of scores; pass a ScoreTable, such as datadiet.load(path)"
        )


def whether_by_row(name: str | None, by_row: bool, option: str) -> bool:
    """Whether rows are joined by their numbers; refuses to guess.

    Raises
    ------
    IdError
        Neither a column of ids nor row numbers were asked for, or both.
    """
    if name is None and not by_row:
        raise IdError(
            f"which row of the data is which row of the table? Name the column that holds the ids ({option}=…), or pass"
            " by_row=True if row i of one is row i of the other"
        )
    if name is not None and by_row:
        raise IdError(f"pass {option} or by_row=True, not both")
    return by_row


def score_columns(table: ScoreTable, columns: Sequence[str] | None) -> list[str]:
    """Names of the columns to hand over, with ``@end`` in numbers: those asked for, else all scores.

    Raises
    ------
    ColumnError
        There is no such column.
    TableError
        A table without scores.
    """
    if isinstance(columns, str):
        columns = [columns]
    if columns is None:
        names = list(table.scores)
        if not names:
            raise TableError("the table has no column of scores; name columns")
        return names
    found = []
    for name in columns:
        if name not in table and name.endswith("@end"):
            name = table._table.ranking(name, None)[0]
        if name not in table:
            table[name]  # Its error names the nearest.
        if name in found:
            raise ColumnError(f"the column {name} is asked for twice")
        found.append(name)
    return found


def class_names(table: ScoreTable) -> dict[int, str]:
    """The name of each class that the table has examples of; its number where it has no names."""
    if "label" not in table:
        return {}
    names = table._table.classes()
    present = np.unique(table["label"]).tolist()
    return {one: names[one] if one < len(names) else str(one) for one in present}


def _shown(ids: Sequence[Any]) -> str:
    return (", ".join(str(one) for one in ids[:3]) or "nothing") + (", …" if len(ids) > 3 else "")
