"""Data sets of Hugging Face on disk, with the card of their scores, and what is read of those that come back."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from datadiet import _datadiet
from datadiet._arrays import texts_or_wholes
from datadiet._datadiet import KEY
from datadiet._ids import OwnIds
from datadiet._join import whether_by_row
from datadiet.exceptions import ColumnError, DtypeError, LabelError, TableError

if TYPE_CHECKING:
    import datasets

    from datadiet.table import ScoreTable

__all__ = ["ids", "labels", "save", "table"]

CARD = "datadiet"
"""Key of the card in the metadata of Parquet files, as in tables of scores."""

CARD_FILE = "datadiet.json"
"""The card in a folder of ``save_to_disk``, whose Arrow files keep no metadata of others."""

_NAMES = frozenset(score["name"] for score in _datadiet.SCORES)
_ROWS_AT_ONCE = 1_000


def save(
    dataset: datasets.Dataset, path: str | os.PathLike[str], table: ScoreTable | None = None
) -> None:
    """Write a data set, with the card of the table that its scores are of.

    Parameters
    ----------
    dataset
        One split, with columns of `with_scores` or `relabel`.
    path
        ``NAME.parquet``: one Parquet file, the card in its metadata. Otherwise a folder as ``save_to_disk`` writes
        it, which ``datasets.load_from_disk`` reads; the card is its file ``datadiet.json``. Pictures and sounds
        that are files elsewhere are put inside.
    table
        The table of scores; without it no card is written.

    Raises
    ------
    FileExistsError
        There is something at the path: nothing is written over.
    DtypeError, OSError
        No `datasets.Dataset`; the file cannot be written.

    Examples
    --------
    >>> import datadiet, datasets, tempfile
    >>> dataset = datasets.Dataset.from_dict({"guid": ["a", "b"], "el2n@1": [0.5, 0.25]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     datadiet.datasets.save(dataset, f"{folder}/scored.parquet")
    ...     datadiet.datasets.table(f"{folder}/scored.parquet", id_column="guid")
    ScoreTable(2 rows: id, key, el2n@1)
    """
    if not hasattr(dataset, "save_to_disk") or not hasattr(dataset, "column_names"):
        raise DtypeError(f"{type(dataset).__name__} is no data set; pass a datasets.Dataset")
    if isinstance(dataset, dict):
        raise DtypeError('pass one split, such as dataset["train"], and save each')
    path = Path(path)
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise FileExistsError(f"{path} is there already; name another, or remove it")
    card = None if table is None else table.metadata.get(CARD)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Aside, so that a crash leaves no half of one behind.
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        part = aside / path.name
        if path.suffix.lower() == ".parquet":
            _write_parquet(dataset, part, card)
        else:
            dataset.save_to_disk(os.fspath(part))
            if card is not None:
                (part / CARD_FILE).write_text(card, encoding="utf-8")
        os.replace(part, path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def table(
    source: datasets.Dataset | str | os.PathLike[str],
    *,
    id_column: str | None = None,
    by_row: bool = False,
    label_column: str | None = None,
    columns: Sequence[str] | None = None,
) -> ScoreTable:
    """The table of scores in a data set that comes back.

    Parameters
    ----------
    source
        A `datasets.Dataset`; or a folder of ``save_to_disk`` or a Parquet file, of which the card is read too.
    id_column
        The column that holds the ids of the examples. Whole numbers become the column ``id`` of the table, others
        its ``key``.
    by_row
        An id is the number of a row instead. Only true of a data set that was not shuffled or filtered.
    label_column
        The column of labels, to have them in the table: a `ClassLabel`, or whole numbers.
    columns
        The columns of scores; if not given those that the card has, or are called like a score of datadiet.

    Returns
    -------
    The table, in the order of the data set, with the card where the source has one.

    Raises
    ------
    FileNotFoundError, TableError
        No such file; a source that is no data set, or has no column of scores.
    IdError, ColumnError, LabelError
        No id column and no `by_row`; no such column; labels that are no classes.
    """
    from datadiet.table import ScoreTable

    with_ids = not whether_by_row(id_column, by_row, "id_column")
    opened = _Source(source)
    found: dict[str, Any] = {}
    if with_ids:
        assert id_column is not None
        found |= _id_columns(opened.values(id_column))
    else:
        found["id"] = np.arange(opened.rows)
    if label_column is not None:
        found |= _label_columns(opened, label_column)
    names = _score_columns(opened, [columns] if isinstance(columns, str) else columns)
    for name in names:
        found[name] = opened.values(name)
    metadata = {} if opened.card is None else {CARD: opened.card}
    return ScoreTable.from_columns(found, metadata)


def labels(
    source: datasets.Dataset | str | os.PathLike[str],
    label_column: str,
    *,
    id_column: str | None = None,
    by_row: bool = False,
) -> dict[int | str, int | str]:
    """The label of each example of a data set that comes back, by id: what `relabel` takes.

    Parameters
    ----------
    source
        As for `table`.
    label_column
        The column of labels, such as ``"corrected_label"``. Those of a `ClassLabel` are names of classes.
    id_column, by_row
        As for `table`.

    Raises
    ------
    IdError, ColumnError, LabelError
        No ids, or one twice; no such column; an example without a label.
    """
    with_ids = not whether_by_row(id_column, by_row, "id_column")
    opened = _Source(source)
    keys = opened.values(id_column) if with_ids and id_column else list(range(opened.rows))
    values = opened.values(label_column)
    if None in values or -1 in values:
        row = min(values.index(one) for one in (None, -1) if one in values)
        raise LabelError(f"row {row} has no {label_column}; leave such rows out", row=row)
    names = getattr(opened.features[label_column], "names", None)
    found = [values[row] if names is None else names[values[row]] for row in range(len(values))]
    own = texts_or_wholes(keys)
    distinct = own if isinstance(own, list) else own.tolist()
    answer = dict(zip(distinct, found, strict=True))
    if len(answer) < len(distinct):
        raise TableError(
            f"the column {id_column} has an id more than once; it cannot name examples"
        )
    return answer


def ids(source: datasets.Dataset | str | os.PathLike[str], id_column: str) -> OwnIds:
    """The ids of a part that comes back, as `datadiet.read_subset` gives them.

    Parameters
    ----------
    source
        As for `table`.
    id_column
        The column that holds them.

    Returns
    -------
    Whole numbers as uint32, or texts as a list; whole numbers beyond 32 bits are texts too.

    Raises
    ------
    ColumnError, IdError
        No such column; a row without an id.
    """
    found = _id_columns(_Source(source).values(id_column))
    if KEY in found:
        return list(found[KEY])
    return np.asarray(found["id"], np.uint32)


class _Source:
    """Columns of a data set in memory, in a folder or in a Parquet file, read as they are asked for."""

    def __init__(self, source: Any) -> None:
        self.card: str | None = None
        self._parquet: Path | None = None
        if isinstance(source, (str, os.PathLike)):
            source = self._open(Path(source))
        if source is not None:
            if not hasattr(source, "column_names") or not hasattr(source, "with_format"):
                raise TableError(
                    f"a {type(source).__name__} is no data set; pass a datasets.Dataset, a folder of save_to_disk or a"
                    " Parquet file"
                )
            if isinstance(source, dict):
                raise TableError(f"pass one split of {', '.join(source)}, such as source['train']")
            self._dataset = source.with_format(None)
            self.features, self.rows = source.features, len(source)

    def _open(self, path: Path) -> Any:
        import datasets

        if path.is_dir():
            file = path / CARD_FILE
            if file.is_file():
                self.card = file.read_text(encoding="utf-8")
            return datasets.load_from_disk(os.fspath(path))
        if not path.is_file():
            raise FileNotFoundError(f"there is no {path}")
        import pyarrow
        import pyarrow.parquet

        try:
            about = pyarrow.parquet.ParquetFile(path)
        except pyarrow.ArrowInvalid as error:
            raise TableError(f"{path} is no Parquet file: {error}") from error
        schema = about.schema_arrow
        card = (schema.metadata or {}).get(CARD.encode())
        self.card = None if card is None else card.decode()
        self.features = datasets.Features.from_arrow_schema(schema)
        self.rows = about.metadata.num_rows
        self._parquet = path
        return None

    def values(self, name: str) -> list[Any]:
        """A column, None where it has no value."""
        if name not in self.features:
            raise ColumnError(
                f"the data set has no column {name}; it has {', '.join(self.features)}"
            )
        if self._parquet is None:
            return list(self._dataset[name][:])
        import pyarrow.parquet

        columns = pyarrow.parquet.read_table(self._parquet, columns=[name])
        return list(columns.column(0).to_pylist())


def _id_columns(values: list[Any]) -> dict[str, Any]:
    """Ids as a table has them: ``id`` alone where they are whole numbers of 32 bits, else ``key`` too."""
    own = texts_or_wholes(values)
    if isinstance(own, list):
        return {"id": np.arange(len(own)), KEY: own}
    if own.size and (own.min() < 0 or own.max() >= 2**32):
        return {"id": np.arange(len(own)), KEY: [str(one) for one in own.tolist()]}
    return {"id": own}


def _label_columns(opened: _Source, name: str) -> dict[str, Any]:
    values = opened.values(name)
    names = getattr(opened.features[name], "names", None)
    wrong = [row for row, one in enumerate(values) if type(one) is not int or one < 0]
    if wrong:
        row = wrong[0]
        raise LabelError(
            f"row {row} has the {name} {values[row]!r}; labels of a table are class numbers from 0: cast the column"
            " to a ClassLabel (dataset.class_encode_column)",
            row=row,
        )
    found: dict[str, Any] = {"label": np.array(values, np.uint32)}
    if names is not None:
        found["class"] = [names[one] for one in values]
    return found


def _score_columns(opened: _Source, columns: Sequence[str] | None) -> list[str]:
    if columns is not None:
        return list(columns)
    known = {one["name"] for one in json.loads(opened.card or "{}").get("columns", [])}
    found = [name for name in opened.features if _is_score(name, known)]
    if not found:
        raise TableError(
            f"no column is called like a score of datadiet; name columns among {', '.join(opened.features)}"
        )
    return found


def _is_score(name: str, known: set[str]) -> bool:
    base, _, rest = name.partition("@")
    if not rest:
        return name in known
    mean = name.removesuffix(".se").rsplit(".r", 1)[0]
    return name in known or mean in known or base.split(":")[0] in _NAMES or base == "predicted"


def _write_parquet(dataset: datasets.Dataset, path: Path, card: str | None) -> None:
    import pyarrow.parquet
    from datasets.table import embed_table_storage

    schema = dataset.features.arrow_schema
    metadata = {**(schema.metadata or {}), **({} if card is None else {CARD: card})}
    with pyarrow.parquet.ParquetWriter(path, schema.with_metadata(metadata)) as writer:
        for part in dataset.with_format("arrow").iter(_ROWS_AT_ONCE):
            # Pictures that are paths here are nowhere to be found elsewhere.
            whole = embed_table_storage(part.cast(schema))
            writer.write_table(whole.replace_schema_metadata(metadata))
