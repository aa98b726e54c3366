"""Tables of scores: Parquet on disk, Arrow in memory, and what one does with them."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from datadiet import _datadiet, _overview, exchange
from datadiet._arrays import Ids, Wholes, column, plain
from datadiet._datadiet import KEY
from datadiet._ids import OwnIds, row_numbers, rows_of, whole_ids
from datadiet._needed import needed as _needed
from datadiet.chosen import Selection
from datadiet.exceptions import DtypeError, ShapeError, TableError
from datadiet.explorer import Explorer, TableFile, explore
from datadiet.plots import TablePlots
from datadiet.selection import Quota, Rule, request_of
from datadiet.statistics import WrongLabels
from datadiet.suspects import Suspects

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

__all__ = ["ScoreTable", "read_subset"]

HardEnd: TypeAlias = Literal["high", "low"]
"""Which end of a column holds the hard examples."""


# Endings that say another format than Parquet.
_OTHER_FORMATS = frozenset(
    (
        ".arrow",
        ".csv",
        ".feather",
        ".json",
        ".jsonl",
        ".npy",
        ".npz",
        ".safetensors",
        ".tsv",
        ".txt",
    )
)


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

    __slots__ = ("_file", "_images", "_table")

    _table: _datadiet.Table
    # What is shown of it, and where it lies, where that is known.
    _images: npt.NDArray[np.uint8] | None
    _file: TableFile | None

    def __init__(self, table: _datadiet.Table) -> None:
        if not isinstance(table, _datadiet.Table):
            raise TypeError("use ScoreTable.read, ScoreTable.from_arrow or ScoreTable.from_columns")
        self._table, self._images, self._file = table, None, None

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> ScoreTable:
        """Read a Parquet file, or ``scores.parquet`` in a folder.

        Wider floats are rounded to 32 bits, whole numbers must fit; columns of other types than
        numbers and texts are left out.

        Raises
        ------
        FileNotFoundError, TableError
            No such file; a file that is not Parquet, or was cut off.
        ColumnError
            A whole number outside 0..2³² − 1, or missing.
        """
        made = cls(_datadiet.Table.read(Path(path)))
        made._file = TableFile.of(Path(path))
        return made

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
            Not such an object; a stream that is not a table; a whole number that does not fit.

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
        arrays = {str(name): column(values) for name, values in columns.items()}
        return cls(_datadiet.Table.of_columns(arrays, dict(metadata or {})))

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a Parquet file: aside, synced, then renamed, so that nobody sees half of it.

        Raises
        ------
        ValueError
            The path ends as files of another format do; `to_pandas` has ways to write these.
        OSError
            The file cannot be written.
        """
        ending = Path(path).suffix.lower()
        if ending in _OTHER_FORMATS:
            raise ValueError(
                f"{os.fspath(path)!r} is called {ending}, and a table is written as Parquet: call it"
                " .parquet, or write to_pandas() (pip install 'datadiet[pandas]'), which keeps no card"
            )
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
        """Texts about the table; ``datadiet`` is its card, JSON (see `card`)."""
        return self._table.metadata

    @property
    def card(self) -> dict[str, Any] | None:
        """Where the table comes from: program, data set, trainings, columns. None if nobody says."""
        card = self._table.card()
        known: dict[str, Any] | None = None if card is None else json.loads(card)
        return known

    def describe(self) -> list[dict[str, Any]]:
        """What is known about each score: definition, direction, mean, range, reliability.

        Empty for a table from elsewhere.
        """
        return list((self.card or {}).get("columns", []))

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
            name = self._table.ranking(name, None)[0]
        return self._table.column(name)

    def __repr__(self) -> str:
        names = self._table.names
        shown = ", ".join(names[:8]) + (f", … {len(names) - 8} more" if len(names) > 8 else "")
        return f"ScoreTable({len(self)} rows: {shown})"

    def _repr_html_(self) -> str:
        return _overview.html(self)

    def with_images(self, images: Any) -> ScoreTable:
        """The same table, which shows these images: in a notebook, in reports, in `explore`.

        Of an imported data set that was scored they are found without.

        Parameters
        ----------
        images
            Images of all training examples, 8-bit, as for `report`.

        Raises
        ------
        IdError, ShapeError, DtypeError
            As `report`.

        Examples
        --------
        >>> import datadiet, numpy
        >>> table = datadiet.ScoreTable.from_columns({"el2n@4": [0.1, 0.9]})
        >>> table = table.with_images(numpy.zeros((2, 8, 8), numpy.uint8))
        """
        made = self._with(self._table)
        made._images, made._file = _images(images), self._file
        # Whether they are of these examples.
        _datadiet.pictures(made._table, np.zeros(0, np.uint32), made._images)
        return made

    def _with(self, table: _datadiet.Table) -> ScoreTable:
        """Another table of the same examples."""
        made = ScoreTable(table)
        made._images = self._images
        return made

    def top(
        self,
        n: int = 10,
        by: str | None = None,
        *,
        easiest: bool = False,
        hard_is: HardEnd | None = None,
    ) -> ScoreTable:
        """The hardest examples, hardest first.

        Parameters
        ----------
        n
            Number of rows; fewer where fewer have a score.
        by
            Column, such as ``el2n@4``; ``el2n@end`` is its latest time. The latest EL2N if not
            given, of losses the latest mean of them, else the last score. ``forgetting@…`` ranks
            never-learned examples above all counts.
        easiest
            The other end instead, easiest first.
        hard_is
            Which end of the column is hard, ``"high"`` or ``"low"``; as its name says if not given.

        Returns
        -------
        A table of those rows, with all columns; of a table without ids their numbers there are the column
        ``id``. Which end is hard follows the name of the score: the low one of AUM, confidence, correctness,
        cleanlab's ``label_quality`` and kin, the high one of other known scores. For a name that is not known a
        warning says which end was taken.

        Raises
        ------
        ColumnError
            There is no such column.
        """
        name, _, _ = self._ranking(by, hard_is)
        rows = self._table.hardest_first(name, hard_is)
        rows = rows[::-1].copy() if easiest else rows
        return self._with(self._table.take(rows[: max(n, 0)]))

    def suspects(
        self, n: int = 20, *, by: str | None = None, hard_is: HardEnd | None = None
    ) -> Suspects:
        """The examples whose labels fit worst what was learned, likeliest wrong labels first.

        Parameters
        ----------
        n
            How many.
        by, hard_is
            Column that they are listed by, as for `wrong_labels`; which end of it is hard.

        Returns
        -------
        `Suspects`: a sequence, which a notebook shows with its pictures. The command ``datadiet suspects`` lists
        the same.

        Raises
        ------
        ColumnError
            There is no such column.
        """
        name, _, _ = self._ranking(self._table.default_suspicion() if by is None else by, hard_is)
        return Suspects(self, n, name, hard_is)

    def wrong_labels(self, by: str | None = None, *, hard_is: HardEnd | None = None) -> WrongLabels:
        """An estimate of how many labels are wrong, and how far down the list of suspects they go.

        Three normals (easy, hard and wrong labels; fewer where fewer do as well) are fitted to AUM, the log
        margin, or the log odds of confidence or loss: of the column itself, else of the one of these that
        the table has at the same time, else at the latest. Of more than two classes confidence and loss
        need a column of the same time that says what is predicted (``correctness``, ``correct`` or
        ``predicted``). The command ``datadiet suspects`` says the same.

        Parameters
        ----------
        by
            Column that suspects are listed by, as for `top`; the latest AUM if not given, else
            margin of mean or log margin, else as there.
        hard_is
            Which end of it is hard, as for `top`. Where that is not what its name says there is no
            number.

        Returns
        -------
        `WrongLabels`. The interval is over resamples of the examples and knows nothing of what may be
        wrong with the fit. Where wrong labels do not show as a group of their own, it has a reason
        instead of a number.

        Raises
        ------
        ColumnError
            There is no such column.

        Examples
        --------
        >>> import datadiet, numpy
        >>> chance = numpy.random.default_rng(0)
        >>> right, wrong = chance.normal(3, 1, 4500), chance.normal(-3, 1, 500)
        >>> aum = numpy.concatenate([right, wrong])
        >>> found = datadiet.ScoreTable.from_columns({"aum@9": aum}).wrong_labels()
        >>> round(found.fraction, 2), found.down_to < 0
        (0.1, True)
        """
        by = self._table.default_suspicion() if by is None else by
        name, _, _ = self._ranking(by, hard_is)
        answer, text = self._table.wrong_labels(name, hard_is)
        found = json.loads(answer)
        interval = found.get("interval")
        return WrongLabels(
            column=found["column"],
            count=found.get("count"),
            fraction=found.get("fraction"),
            interval=None if interval is None else (interval["low"], interval["high"]),
            suspects=found.get("suspects"),
            by=name,
            down_to=found.get("down_to"),
            cannot_tell=found.get("cannot_tell"),
            text=text,
        )

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
        hard_is: HardEnd | None = None,
        marks: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
        keep_relabelled: bool = False,
    ) -> Selection:
        """Ids of a subset by score: `datadiet.select` with this table's column, labels, direction.

        Parameters
        ----------
        by
            Column, as for `top`.
        hard_is
            Which end of it is hard, as for `top`. The others as for `datadiet.select`.
        marks
            Files of marks of `explore`, of one person or several: what is marked as wrong or to drop is left
            out, what is marked to keep is kept. Without `keep` and `count` all the rest is kept.
        keep_relabelled
            Keep wrong labels whose right class is marked.

        Returns
        -------
        `Selection`, an array of ascending ids, uint32, as in the column ``id``: the numbers of rows. Of a table
        with a column ``key`` they are not rows of your data set; give them to `keys` first. A notebook shows
        what is kept of each class, with `Selection.cautions`.

        Raises
        ------
        TableError
            The rows are not a whole training set in order (ids 0, 1, 2, …).
        SelectionError, ColumnError
            As `datadiet.select`; there is no such column; all are marked to be left out.
        IdError, OSError
            Marks of another table; no such file of marks.

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
        files = [marks] if isinstance(marks, (str, os.PathLike)) else list(marks or [])
        request, name = None, None
        if not files or keep is not None or count is not None:
            name = None if rule == "random" else self._ranking(by, hard_is)[0]
            request = request_of(
                len(self),
                keep,
                count=count,
                rule=rule,
                offset=offset,
                cut=cut,
                strata=strata,
                quota=quota,
                allow_empty_class=allow_empty_class,
                drop_unscored=drop_unscored,
                seed=seed,
            )
        ids, how = _datadiet.choose(
            self._table,
            name,
            hard_is,
            request,
            [Path(file) for file in files],
            keep_relabelled,
            allow_empty_class,
        )
        return Selection._made(ids, how, self)

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
        rows = self._rows(ids)
        keys = self[KEY] if KEY in self else None
        if isinstance(keys, list):
            return [keys[row] for row in rows]
        if keys is None or keys.dtype.kind != "u":
            return whole_ids(ids).astype(np.uint32)
        own: Ids = keys[rows]
        return own

    def write_subset(
        self, path: str | os.PathLike[str], ids: Wholes, *, by: str | None = None
    ) -> None:
        """Write chosen examples to a file, as the command ``datadiet select`` does.

        Parameters
        ----------
        path
            ``.parquet`` and ``.json`` have the table's ids, the owner's and the data set;
            ``.npy`` and ``.txt`` the owner's ids alone, one each.
        ids
            Distinct ids of this table, as `select` gives them.
        by
            Column that they were chosen by, to be written beside them.

        Raises
        ------
        IdError
            Another ending; an id that is not in the table; ids that the format cannot hold.
        ColumnError, OSError
            No such column; the file cannot be written.

        Examples
        --------
        >>> import datadiet, tempfile
        >>> table = datadiet.ScoreTable.from_columns({"key": ["a", "b"], "el2n@1": [0.5, 0.9]})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     table.write_subset(f"{folder}/hard.json", table.select(count=1))
        ...     datadiet.read_subset(f"{folder}/hard.json")
        ['b']
        """
        rows = np.sort(np.asarray(self._rows(ids), np.uint32))
        name = None if by is None else self._ranking(by, None)[0]
        self._table.write_subset(Path(path), rows, name, json.dumps({"by": name}))

    def report(
        self,
        path: str | os.PathLike[str],
        *,
        by: str | None = None,
        title: str | None = None,
        suspects: int = 40,
        figures: bool = True,
        images: Any = None,
        gallery: int = 8,
        hard_is: HardEnd | None = None,
    ) -> Path:
        """Write a report: one HTML file that needs no network, figures as SVG and PNG beside it.

        It is the one that the command ``datadiet report`` writes.

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
        images
            Images of all training examples for galleries: n × height × width × channels (1 or 3) or
            n × height × width, 8-bit. Rows of the table are found by their ids: numbers of examples,
            in ``key`` or ``id``. Those of `with_images` if not given.
        gallery
            Examples of each class at each end, where there are images.
        hard_is
            Which end of the column is hard, as for `top`.

        Returns
        -------
        The path of the report.

        Raises
        ------
        ValueError, ColumnError, OSError
            Another ending; no such column; the file cannot be written.
        IdError, ShapeError, DtypeError
            Ids that are not numbers of the images; images of another shape or type.
        """
        path = Path(path)
        if path.suffix != ".html":
            raise ValueError(f"{path} must end in .html")
        title = path.stem if title is None else title
        request = {
            "by": None if by is None else self._ranking(by, hard_is)[0],
            "hard_is": hard_is,
            "suspects": suspects,
            "gallery": gallery,
        }
        shown = self._images if images is None else _images(images)
        self._table.report(path, title, figures, request, shown)
        return path

    def log(self, run: Any = None, *, prefix: str = "datadiet", report: bool = True) -> None:
        """Log the scores to a run of MLflow, W&B or TensorBoard: `datadiet.log` of this table.

        Parameters
        ----------
        run, prefix, report
            As for `datadiet.log`.

        Raises
        ------
        TrackerError, OSError
            As `datadiet.log`.
        """
        from datadiet.tracking import log

        log(self, run, prefix=prefix, report=report)

    def __reduce__(self) -> Any:
        """For pickle: columns, metadata and pictures; of its file nothing, which may be elsewhere."""
        columns = {name: self[name] for name in self.columns}
        return _unpickled, (columns, self.metadata, self._images)

    def push_to_hub(
        self,
        to: str,
        *,
        private: bool | None = None,
        revision: str | None = None,
        token: str | None = None,
        message: str | None = None,
    ) -> str:
        """Push the table to the Hugging Face Hub: `datadiet.hub.push_to_hub`, which says all of it."""
        from datadiet import hub

        return hub.push_to_hub(
            self, to, private=private, revision=revision, token=token, message=message
        )

    def explore(
        self,
        *,
        images: Any = None,
        text: Sequence[str] | str | os.PathLike[str] | None = None,
        data: str | None = None,
        by: str | None = None,
        hard_is: HardEnd | None = None,
        marks: str | os.PathLike[str] | None = None,
        who: str | None = None,
        port: int = 0,
        proxy: str | None = None,
        height: int = 720,
    ) -> Explorer:
        """Open the explorer: in a frame within a notebook, else in the browser. ``datadiet explore``.

        The page is served on this machine alone, by a process that ends with this one. Where a notebook's page
        cannot reach it (its kernel is on another machine) what the report shows is put in its place, and how
        to get there.

        Parameters
        ----------
        images
            Images of all training examples, as for `report`; those of `with_images` if not given.
        text
            Texts, one of each row in its order, or a file of them, as for the command.
        data
            Name of the imported data set whose pictures are shown, where the table does not say it.
        by
            Column that the gallery is sorted by at first.
        hard_is
            Which end of it is hard, as for `top`.
        marks
            File of marks. Beside the file of the table if not given; of a table that was not read from a file
            ``datadiet-marks-….jsonl`` in this folder, which has a name of its own for other examples: by their ids,
            labels and texts, else by the pictures or texts that are shown. Where nothing tells them from others
            it is of these very scores, and a warning says so.
        who
            Your name in the marks; that of the account if not given.
        port
            Port, such as one that you forward: ``ssh -L 8000:localhost:8000``. A free one if not given.
        proxy
            Address before the port where a proxy leads to the ports of the kernel's machine, such as
            ``https://hub.example.org/user/ann/proxy/`` of jupyter-server-proxy.
        height
            Of the frame, in pixels.

        Returns
        -------
        `Explorer`, with `url`, `marks` and `stop`; a context, which stops at its end.

        Raises
        ------
        CommandError
            The command is not installed, or says that it cannot.
        ValueError, ShapeError
            Two of `images`, `text`, `data`; not a text for each row.
        """
        return explore(
            self,
            images=images if images is None else _images(images),
            text=text,
            data=data,
            by=by,
            hard_is=hard_is,
            marks=marks,
            who=who,
            port=port,
            proxy=proxy,
            height=height,
        )

    @property
    def plot(self) -> TablePlots:
        """Figures: ``plot.map()``, ``plot.hist()``. See `datadiet.plots`."""
        return TablePlots(self)

    def export(
        self,
        to: exchange.Program,
        out: str | os.PathLike[str],
        *,
        only: exchange.Only | None = None,
        n: int | None = None,
        by: str | None = None,
        hard_is: HardEnd | None = None,
        scores: str | Iterable[str] | None = None,
        subset: str | os.PathLike[str] | Wholes | None = None,
        marks: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
        data: str | None = None,
        other_labels: bool = False,
        images: str | os.PathLike[str] | None = None,
        text: str | os.PathLike[str] | None = None,
        source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
        url: str | None = None,
    ) -> Path:
        """Write examples and their scores for another program, as the command ``datadiet export`` does.

        Parameters
        ----------
        to
            ``"csv"`` for spreadsheets, ``"fiftyone"``, ``"label-studio"``, ``"coco"``, ``"yolo"`` or
            ``"webdataset"``: what each holds is in docs/EXCHANGE.md.
        out
            File (csv, coco, yolo) or folder (the others) to write. Nothing is written over.
        only
            ``"all"``, ``"suspects"``, ``"kept"`` and ``"dropped"`` (of `subset`), ``"marked"`` (by
            `marks`). Suspects for Label Studio, kept ones for COCO, YOLO and WebDataset, else all,
            if not given.
        n
            How many suspects; as many as look wrong if not given.
        by, hard_is
            Column that suspects are listed by and its hard end, as for `wrong_labels`.
        scores
            Columns that go along, or ``"all"``; what suspects are listed by if not given.
        subset
            A file of a subset, or ids as `select` gives them.
        marks
            Files of marks.
        data, images, text
            What examples look like: the name of an imported data set, a folder of pictures that are
            named by ids, or a file of texts.
        other_labels
            Whether labels of the table may differ from those of `data`.
        source
            Your COCO file, or shards of WebDataset (``"shards-{000..009}.tar"``), to filter.
        url
            For Label Studio: the address before the path of a picture.

        Returns
        -------
        The file or folder.

        Raises
        ------
        CommandError
            Something is there already; a column, an id, a picture or a data set is not known.

        Examples
        --------
        >>> import datadiet, tempfile
        >>> table = datadiet.ScoreTable.from_columns({"key": ["a", "b"], "aum@9": [0.5, -0.9]})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = table.export("csv", f"{folder}/suspects.csv", only="suspects", n=1)
        ...     file.read_text(encoding="utf-8-sig").splitlines()
        ['id,label,predicted,suspect,rank,suspicion,aum@9,mark,right_label', 'b,,,1,1,1,-0.9,,']
        """
        options = {
            "only": only,
            "n": n,
            "by": by,
            "hard-is": hard_is,
            "scores": scores,
            "subset": subset,
            "marks": marks,
            "data": data,
            "other_labels": other_labels,
            "images": images,
            "text": text,
            "from": source,
            "url": url,
        }
        return exchange.export(self, to, out, **options)

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

    def _ranking(
        self, by: str | None, hard_is: HardEnd | None
    ) -> tuple[str, npt.NDArray[np.float32], bool]:
        by = self._table.default_column() if by is None else by
        name, values, high, assumed = self._table.ranking(by, hard_is)
        if assumed is not None:
            warnings.warn(assumed, stacklevel=3)
        return name, values, high

    def _rows(self, ids: Wholes) -> list[int]:
        if "id" in self and not isinstance(self["id"], list):
            return rows_of(whole_ids(ids), self["id"].tolist(), "id")
        rows: list[int] = row_numbers(ids, len(self), "take ids of this table").tolist()
        return rows


def read_subset(path: str | os.PathLike[str]) -> OwnIds:
    """Ids of chosen examples from a file, as their owner knows them.

    Parameters
    ----------
    path
        What `ScoreTable.write_subset` or the command ``datadiet select`` wrote, or any list of ids:
        Parquet, npy, JSON, CSV or text.

    Returns
    -------
    Whole numbers as uint32, or texts as a list.

    Raises
    ------
    IdError, OSError
        A file of another kind or with mistakes, which are named; no such file.
    """
    return _datadiet.read_subset(Path(path))


def _unpickled(
    columns: Mapping[str, Any], metadata: Mapping[str, str], images: npt.NDArray[np.uint8] | None
) -> ScoreTable:
    table = ScoreTable.from_columns(columns, metadata)
    table._images = images
    return table


def _images(images: Any) -> npt.NDArray[np.uint8]:
    array = plain(images)
    if array.dtype != np.uint8:
        raise DtypeError(f"images are of {array.dtype}; pass 8-bit ones, uint8 from 0 to 255")
    array = array[..., np.newaxis] if array.ndim == 3 else array
    if array.ndim != 4 or array.shape[3] not in (1, 3):
        raise ShapeError(
            f"images have the shape {array.shape}; pass n × height × width × channels (1 or 3)"
        )
    return np.ascontiguousarray(array)
