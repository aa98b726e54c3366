"""Tables of scores: Parquet on disk, Arrow in memory, and what one does with them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from datadiet import _datadiet
from datadiet._arrays import Ids, Wholes, floats, plain
from datadiet._datadiet import KEY
from datadiet._ids import OwnIds, row_numbers, rows_of, whole_ids
from datadiet.exceptions import ColumnError, DtypeError, TableError
from datadiet.selection import Quota, Rule, select

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

__all__ = ["ScoreTable"]


class ScoreTable:
    """One row an example, one column a score and time.

    Columns are ``id``, ``label``, ``class``, ``key``, and for a score at an epoch ``el2n@4``, its standard
    error over replicas ``el2n@4.se``, a single replica ``el2n@4.r0``; ``predicted@4`` is the class
    that most replicas predict. Floats have 32 bits, with NaN where an example has no value (null in
    Arrow and Parquet); ids, labels and classes are uint32. What the command ``datadiet score``
    writes, this reads, and the other way round.

    The command ``datadiet ingest`` takes ids as they are in files: texts, or numbers with gaps. Its
    tables number such examples 0, 1, 2, … in the order of those ids, and have them in the column
    ``key``. Then the column ``id``, and what `select` gives, are numbers of rows of the **table**,
    not of a data set: `keys` turns them into the ids of the files.

    Make one with `ScoreTable.read`, `ScoreTable.from_arrow`, `ScoreTable.from_columns`, or
    `datadiet.Recorder.table`. It does not change once made.

    Examples
    --------
    >>> import datadiet
    >>> table = datadiet.ScoreTable.from_columns({"id": [0, 1, 2], "el2n@1": [0.5, 1.2, 0.1]})
    >>> table
    ScoreTable(3 rows: id, el2n@1)
    >>> table["el2n@1"]
    array([0.5, 1.2, 0.1], dtype=float32)
    >>> table.top(1)["id"]
    array([1], dtype=uint32)
    """

    __slots__ = ("_table",)

    _table: _datadiet.Table

    def __init__(self, table: _datadiet.Table) -> None:
        if not isinstance(table, _datadiet.Table):
            raise TypeError("use ScoreTable.read, ScoreTable.from_arrow or ScoreTable.from_columns")
        self._table = table

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> ScoreTable:
        """Read a Parquet file, or ``scores.parquet`` in a folder.

        Wider floats are rounded to 32 bits, whole numbers must fit; columns of other types than
        numbers and texts are left out.

        Raises
        ------
        FileNotFoundError, TableError
            No such file; a file that is no Parquet, or was cut off.
        ColumnError
            A whole number outside 0..2³² − 1, or missing.
        """
        path = Path(path)
        return cls(_datadiet.Table.read(path / "scores.parquet" if path.is_dir() else path))

    @classmethod
    def from_arrow(cls, data: Any) -> ScoreTable:
        """Take a table from pyarrow, polars, pandas ≥ 3, DuckDB, or anything with an Arrow stream.

        Parameters
        ----------
        data
            An object with the method ``__arrow_c_stream__``.

        Raises
        ------
        TypeError, TableError, ColumnError
            Not such an object; a stream that is no table; a whole number that does not fit.

        Examples
        --------
        >>> import datadiet, polars
        >>> frame = polars.DataFrame({"id": [0, 1], "el2n@1": [0.5, None]})
        >>> datadiet.ScoreTable.from_arrow(frame)["el2n@1"]
        array([0.5, nan], dtype=float32)
        """
        stream = getattr(data, "__arrow_c_stream__", None)
        if stream is None:
            raise DtypeError(
                f"{type(data).__name__} has no __arrow_c_stream__; pass a table of pyarrow, polars,"
                " pandas 3 or DuckDB, or columns to ScoreTable.from_columns"
            )
        return cls(_datadiet.Table.of_stream(stream()))

    @classmethod
    def from_columns(
        cls, columns: Mapping[str, Any], metadata: Mapping[str, str] | None = None
    ) -> ScoreTable:
        """Make a table of columns of one length: floats, whole numbers from 0, or texts.

        Raises
        ------
        ColumnError, DtypeError, IdError
            Two lengths; values of another type; a negative or huge whole number.
        """
        arrays = {str(name): _column(values) for name, values in columns.items()}
        return cls(_datadiet.Table.of_columns(arrays, dict(metadata or {})))

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a Parquet file: aside, synced, then renamed, so that nobody sees half of it.

        Raises
        ------
        OSError
            The file cannot be written.
        """
        self._table.write(Path(path))

    @property
    def columns(self) -> list[str]:
        """Names of all columns."""
        return self._table.names

    @property
    def scores(self) -> list[str]:
        """Names of the columns of scores, without standard errors and single replicas."""
        return self._table.scores

    @property
    def metadata(self) -> dict[str, str]:
        """Texts about the table; ``datadiet`` is JSON with what is known about each column."""
        return self._table.metadata

    def describe(self) -> list[dict[str, Any]]:
        """What is known about each score: definition, direction, mean, range, reliability.

        Empty for a table from elsewhere.
        """
        try:
            known = json.loads(self.metadata.get("datadiet", "{}"))
        except json.JSONDecodeError:
            return []
        columns = known.get("columns", []) if isinstance(known, dict) else []
        return list(columns)

    def __len__(self) -> int:
        return self._table.rows

    def __contains__(self, name: object) -> bool:
        return name in self._table.names

    def __iter__(self) -> Iterator[str]:
        """The names of the columns, as of a data frame."""
        return iter(self._table.names)

    def __getitem__(self, name: str) -> Any:
        """A copy of a column: float32 or uint32, texts as a list.

        ``el2n@end`` is the latest ``el2n``, as for `top`; ``in`` knows exact names alone.

        Raises
        ------
        ColumnError
            There is none of this name; the message names the nearest.
        """
        if str(name).endswith("@end") and name not in self:
            name, _, _ = self._table.ranking(name)
        return self._table.column(name)

    def __repr__(self) -> str:
        names = self._table.names
        shown = ", ".join(names[:8]) + (f", … {len(names) - 8} more" if len(names) > 8 else "")
        return f"ScoreTable({len(self)} rows: {shown})"

    def top(self, n: int = 10, by: str | None = None, *, easiest: bool = False) -> ScoreTable:
        """The hardest examples, hardest first.

        Parameters
        ----------
        n
            Number of rows; fewer where fewer have a score.
        by
            Column, such as ``el2n@4``; ``el2n@end`` is its latest time. The latest EL2N if not
            given, else the last score. ``forgetting@…`` ranks never-learned examples above all
            counts.
        easiest
            The other end instead, easiest first.

        Returns
        -------
        A table of those rows, with all columns. Which end is hard follows the score: the low one
        of AUM, confidence and correctness, the high one of all others, also of unknown names.

        Raises
        ------
        ColumnError
            There is no such column.
        """
        _, values, high = self._table.ranking(self._by(by))
        ids = self["id"] if "id" in self else None
        rows = _datadiet.ranked(values, ids, high != easiest)
        return ScoreTable(self._table.take(rows[: max(n, 0)]))

    def select(
        self,
        keep: float | None = None,
        *,
        count: int | None = None,
        by: str | None = None,
        rule: Rule = "hardest",
        offset: float | None = None,
        cut: float | None = None,
        strata: int | None = None,
        quota: Quota = "none",
        allow_empty_class: bool = False,
        drop_unscored: bool = False,
        seed: int = 0,
    ) -> Ids:
        """Ids of a subset by score: `datadiet.select` with this table's column, labels, direction.

        Parameters
        ----------
        by
            Column, as for `top`. The others are those of `datadiet.select`.

        Returns
        -------
        Ascending ids, uint32, as in the column ``id``: the numbers of rows. Of a table with a column
        ``key`` they are no rows of your data set; give them to `keys` first.

        Raises
        ------
        TableError
            The rows are not a whole training set in order (ids 0, 1, 2, …).
        SelectionError, ColumnError
            As `datadiet.select`; there is no such column.

        Examples
        --------
        >>> import datadiet
        >>> table = datadiet.ScoreTable.from_columns({"aum@9": [3.0, -2.0, 1.0]})
        >>> table.select(count=1, by="aum@end")  # the hardest has the lowest AUM
        array([1], dtype=uint32)
        """
        if "id" in self and not np.array_equal(self["id"], np.arange(len(self))):
            raise TableError(
                "the ids of the table are not 0, 1, 2, …: it is not the table of a whole training"
                " set, in order; select from the table that it was made from"
            )
        _, values, high = self._table.ranking(self._by(by))
        return select(
            values,
            keep,
            count=count,
            rule=rule,
            higher_is_harder=high,
            offset=offset,
            cut=cut,
            strata=strata,
            labels=self["label"] if "label" in self else None,
            quota=quota,
            allow_empty_class=allow_empty_class,
            drop_unscored=drop_unscored,
            seed=seed,
        )

    def keys(self, ids: Wholes) -> OwnIds:
        """The owner's ids of some examples: what they were called in the files they came from.

        Parameters
        ----------
        ids
            Distinct ids of this table, as `select` gives them or as in the column ``id``.

        Returns
        -------
        The entries of the column ``key``, in the order given: an array of uint32 or a list of texts
        (whole numbers of 2³² and more are texts too). The ids themselves where there is no such
        column: then nobody gave others.

        Raises
        ------
        IdError, DtypeError
            An id that is not in the table, or is given twice; no whole numbers.

        Examples
        --------
        >>> import datadiet
        >>> table = datadiet.ScoreTable.from_columns(
        ...     {"id": [0, 1, 2], "key": ["a-17", "b-02", "c-33"], "el2n@1": [0.5, 1.2, 0.7]}
        ... )
        >>> ids = table.select(count=2)
        >>> ids
        array([1, 2], dtype=uint32)
        >>> table.keys(ids)
        ['b-02', 'c-33']
        """
        if "id" in self:
            rows = rows_of(whole_ids(ids), self["id"].tolist(), "id")
        else:
            rows = row_numbers(ids, len(self), "take ids of this table").tolist()
        keys = self[KEY] if KEY in self else None
        if isinstance(keys, list):
            return [keys[row] for row in rows]
        if keys is None or keys.dtype.kind != "u":
            return whole_ids(ids).astype(np.uint32)
        own: Ids = keys[rows]
        return own

    def report(
        self,
        path: str | os.PathLike[str],
        *,
        by: str | None = None,
        title: str | None = None,
        suspects: int = 40,
        figures: bool = True,
    ) -> Path:
        """Write a report: one HTML file that needs no network, figures as SVG and PNG beside it.

        It is the one that the command ``datadiet report`` writes for scores without images.

        Parameters
        ----------
        path
            A file whose name ends in ``.html``.
        by
            Column that examples are ranked by, as for `top`.
        title
            Title of the report; the file's name if not given.
        suspects
            Number of likely label errors shown.
        figures
            Whether figures are also written as files, to ``figures`` (``NAME-figures`` beside
            ``NAME.html``).

        Returns
        -------
        The path of the report.

        Raises
        ------
        ValueError, ColumnError, OSError
            Another ending; no such column; the file cannot be written.
        """
        path = Path(path)
        if path.suffix != ".html":
            raise ValueError(f"{path} must end in .html")
        title = path.stem if title is None else title
        self._table.report(path, self._by(by), title, suspects, figures)
        return path

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Arrow's C stream interface: what pyarrow, polars, pandas and DuckDB take a table by.

        `requested_schema` is not followed, as the interface allows.
        """
        return self._table.stream()

    def to_arrow(self) -> pyarrow.Table:
        """As a table of pyarrow."""
        return _needed("pyarrow", "arrow").table(self)

    def to_polars(self) -> polars.DataFrame:
        """As a data frame of polars."""
        frame: polars.DataFrame = _needed("polars", "polars").DataFrame(self)
        return frame

    def to_pandas(self) -> pandas.DataFrame:
        """As a data frame of pandas; needs pyarrow too."""
        _needed("pandas", "pandas")
        frame: pandas.DataFrame = self.to_arrow().to_pandas()
        return frame

    def _by(self, by: str | None) -> str:
        if by is not None:
            return by
        names = self.scores
        if not names:
            raise ColumnError("the table has no column of scores")
        el2n = [name for name in names if name.split("@")[0] == "el2n"]
        return (el2n or names)[-1]


def _column(values: Any) -> Any:
    if isinstance(values, (list, tuple)) and values and all(isinstance(v, str) for v in values):
        return list(values)
    array = plain(values)
    if array.dtype.kind in "UTO" and all(isinstance(value, str) for value in array.tolist()):
        return array.tolist()
    return array if array.dtype.kind in "iu" else floats(array)


def _needed(package: str, extra: str) -> Any:
    import importlib

    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f"this needs {package}, which is not installed: pip install 'datadiet[{extra}]'"
        ) from error
