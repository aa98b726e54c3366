"""Hugging Face `datasets`: parts of them by score, scores and corrected labels as columns, and back.

Rows are joined to those of a table by a column of ids; by their numbers only where ``by_row=True`` says so and
lengths, ids and labels agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from datadiet._arrays import Wholes
from datadiet._datasets_files import ids, labels, save, table
from datadiet._ids import row_numbers, rows_of
from datadiet._join import Missing, rows_by_id, rows_by_number, score_columns, whether_by_row
from datadiet.exceptions import ColumnError, DtypeError, IdError, LabelError, TableError

if TYPE_CHECKING:
    import datasets

    from datadiet.table import ScoreTable

__all__ = ["ids", "labels", "push_to_hub", "relabel", "save", "select", "table", "with_scores"]


def select(
    dataset: datasets.Dataset, ids: Wholes | Sequence[str], *, id_column: str | None = None
) -> datasets.Dataset:
    """The examples of a data set with some ids, in the order given.

    Parameters
    ----------
    dataset
        One split: ``load_dataset(...)["train"]``.
    ids
        Distinct ids, as `datadiet.select` gives them; with `id_column` also texts.
    id_column
        The column that holds the ids; without it an id is the number of a row. Use it where rows
        were shuffled or filtered after they were scored, and for a table of the command ``datadiet
        ingest`` that has a column ``key``: ``select(dataset, table.keys(table.select(0.5)),
        id_column="guid")``. Its own ids are the numbers of **its** rows, which are not those of
        the data set.

    Returns
    -------
    A view of the same data (`datasets.Dataset.select`): nothing is copied.

    Raises
    ------
    DtypeError
        Not a `datasets.Dataset`: a whole `DatasetDict`, or a stream, which has no rows to choose.
    IdError
        An id that is not there, or is given twice; ids that are not unique in `id_column`.

    See Also
    --------
    datadiet.ScoreTable.keys

    Examples
    --------
    >>> import datadiet, datasets
    >>> dataset = datasets.Dataset.from_dict({"text": ["a", "b", "c"]})
    >>> datadiet.datasets.select(dataset, [0, 2])["text"][:]
    ['a', 'c']
    """
    _check_split(dataset)
    if id_column is not None:
        known = _values(dataset, id_column)
        hint = "; for a table with ids of its own pass table.keys(ids)"
        return dataset.select(rows_of(ids, known, id_column, hint))
    hint = "select from the data set that was scored, before it was filtered"
    return dataset.select(row_numbers(ids, len(dataset), hint))


def with_scores(
    dataset: datasets.Dataset,
    table: ScoreTable,
    columns: Sequence[str] | None = None,
    *,
    id_column: str | None = None,
    by_row: bool = False,
    label_column: str | None = None,
    check_labels: bool = True,
    missing: Missing = "error",
) -> datasets.Dataset:
    """A data set with columns of a table of scores.

    Parameters
    ----------
    dataset
        One split, shuffled or filtered as may be.
    table
        The scores.
    columns
        Columns of the table, such as ``["el2n@end", "predicted@4"]``; all scores if not given.
    id_column
        The column of the data set that holds the ids of the table: what is in its ``key``, else ``id``, else
        a column of another usual name (``guid``, ``idx``, the index that pandas writes, …).
    by_row
        Join row i to row i instead. Refused where the table has ids of its own, the lengths differ, or the
        labels do (by the names of classes where both have them).
    label_column
        The column of the data set whose labels are compared; ``label`` if not given.
    check_labels
        False joins by row though labels differ, because they were changed since, or cannot be compared, because one
        of the two has none.
    missing
        ``"null"`` leaves scores of examples empty that the table lacks, instead of refusing. Rows of the table
        that the data set lacks are left out: it may be a part.

    Returns
    -------
    A new data set, with the old columns as they are. After a shuffle it is a copy, as `datasets` does it.

    Raises
    ------
    IdError, ShapeError, LabelError
        Rows that cannot be told; lengths or labels that say that rows are others.
    ColumnError, DtypeError
        No such column, or one that the data set has already; no single split.

    Examples
    --------
    >>> import datadiet, datasets
    >>> dataset = datasets.Dataset.from_dict({"guid": ["b", "a"]})
    >>> table = datadiet.ScoreTable.from_columns({"key": ["a", "b", "c"], "el2n@1": [0.5, 0.25, 0.75]})
    >>> datadiet.datasets.with_scores(dataset, table, id_column="guid")["el2n@1"][:]
    [0.25, 0.5]
    """
    import pyarrow

    _check_split(dataset)
    if whether_by_row(id_column, by_row, "id_column"):
        rows = _rows_by_number(dataset, table, label_column, check_labels)
    else:
        assert id_column is not None
        rows = rows_by_id(table, _values(dataset, id_column), id_column, missing=missing)
    absent = rows < 0
    for name in score_columns(table, columns):
        if name in dataset.column_names:
            raise ColumnError(
                f"the data set has a column {name} already; remove or rename it, or leave it out of columns"
            )
        values = table[name]
        if isinstance(values, list):
            found = [None if row < 0 else values[row] for row in rows]
            array = pyarrow.array(found, pyarrow.string())
        else:
            picked = values[np.where(absent, 0, rows)] if len(table) else values[:0]
            empty = absent | (np.isnan(picked) if picked.dtype.kind == "f" else False)
            array = pyarrow.array(picked, mask=empty)
        dataset = dataset.add_column(name, array)
    return dataset


def relabel(
    dataset: datasets.Dataset,
    labels: Mapping[Any, Any],
    *,
    id_column: str | None = None,
    by_row: bool = False,
    label_column: str = "label",
    into: str = "corrected_label",
) -> datasets.Dataset:
    """A data set with corrected labels as a column, of the type of its own labels.

    Parameters
    ----------
    dataset
        One split.
    labels
        The right label of some examples by id: names of classes, or their numbers. `labels` of what comes back
        gives such a mapping. All others keep the label that they have.
    id_column, by_row
        What an id is: an entry of this column, or with ``by_row=True`` the number of a row.
    label_column
        The column of labels: of the type `ClassLabel`, of whole numbers or of texts.
    into
        Name of the new column; the same as `label_column` replaces that one.

    Returns
    -------
    A new data set.

    Raises
    ------
    LabelError
        A name that is no class of a `ClassLabel`, a number outside them, a label of another type than the column's.
    IdError
        An id that the data set lacks, or has twice.
    ColumnError, DtypeError
        No such column, or `into` is there already; no single split.

    Examples
    --------
    >>> import datadiet, datasets
    >>> features = datasets.Features({"id": datasets.Value("int64"), "label": datasets.ClassLabel(names=["cat", "dog"])})
    >>> dataset = datasets.Dataset.from_dict({"id": [7, 8], "label": [0, 0]}, features=features)
    >>> right = datadiet.datasets.relabel(dataset, {8: "dog"}, id_column="id")
    >>> right["corrected_label"][:], right.features["corrected_label"].names
    ([0, 1], ['cat', 'dog'])
    """
    _check_split(dataset)
    feature = _feature(dataset, label_column)
    if into != label_column and into in dataset.column_names:
        raise ColumnError(f"the data set has a column {into} already; pass another name for into")
    hint = "; correct labels of the data set that they are of"
    if whether_by_row(id_column, by_row, "id_column"):
        rows = row_numbers(list(labels), len(dataset), hint[2:]).tolist()
    else:
        assert id_column is not None
        rows = rows_of(list(labels), _values(dataset, id_column), id_column, hint)
    values = list(dataset.with_format(None)[label_column][:])
    for row, (one, label) in zip(rows, labels.items(), strict=True):
        values[row] = _label(feature, label, label_column, one)
    if into == label_column:
        dataset = dataset.remove_columns(label_column)
    return dataset.add_column(into, values, feature=feature)


def push_to_hub(
    dataset: datasets.Dataset, to: str, table: ScoreTable | None = None, **options: Any
) -> str:
    """Push a data set to the Hub by its own ``push_to_hub``, and the card of its scores beside it.

    Parameters
    ----------
    dataset
        One split, with scores or not.
    to
        ``OWNER/NAME`` or ``hf://OWNER/NAME``; ``…@REVISION`` names a branch, as the option ``revision`` does.
    table
        The table that its scores are of; its card is pushed as ``datadiet.json``, to the same branch, or the same
        pull request with ``create_pr=True``.
    options
        Of `datasets.Dataset.push_to_hub`, such as ``private=True``, ``split="train"`` or ``token``.

    Returns
    -------
    The commit of the last push.

    Raises
    ------
    TableError
        `to` is no repository, names a file, or another revision than ``revision``.
    OSError, huggingface_hub.errors.HfHubHTTPError
        Nobody is logged in (``hf auth login``); the Hub refuses.
    """
    from datadiet import hub

    _check_split(dataset)
    repository, in_address, file = hub.address(to)
    if file is not None:
        raise TableError(
            f"{to!r} names a file, and a data set has several: pass hf://{repository}, and data_dir for a folder in it"
        )
    revision = hub.one_revision(to, in_address, options.pop("revision", None))
    if revision is not None:
        options["revision"] = revision
    pushed = dataset.push_to_hub(repository, **options)
    if table is None or table.card is None:
        return str(pushed.oid)
    if options.get("create_pr"):
        revision = pushed.pr_revision
        if revision is None:
            raise TableError(
                f"the data set was pushed to {repository}, but nothing says to which pull request: its card was not;"
                " datadiet.hub.push_card(table, repository, revision=…) pushes it"
            )
    return hub.push_card(table, repository, revision=revision, token=options.get("token"))


def _rows_by_number(
    dataset: datasets.Dataset, table: ScoreTable, label_column: str | None, check_labels: bool
) -> Any:
    """The numbers of all rows, once the labels of both sides say the same."""
    labels, column = None, label_column or "label"
    if check_labels and (label_column is not None or column in dataset.column_names):
        names = getattr(_feature(dataset, column), "names", None)
        labels = list(dataset.with_format(None)[column][:])
        if names is not None and "class" in table:
            labels = [names[one] if one is not None and one >= 0 else None for one in labels]
    how = "name a column of ids (id_column=…) or of labels (label_column=…)"
    return rows_by_number(table, len(dataset), labels, how, check_labels=check_labels)


def _check_split(dataset: Any) -> None:
    if not hasattr(dataset, "select") or not hasattr(dataset, "__len__"):
        raise DtypeError(
            f"{type(dataset).__name__} has no rows to choose from; pass one split of a data set that"
            ' is not streamed: load_dataset(...)["train"]'
        )


def _values(dataset: datasets.Dataset, column: str) -> list[Any]:
    """A column of ids, as Python has them."""
    _feature(dataset, column)
    values: list[Any] = dataset.with_format(None)[column][:]
    if None in values:
        row = values.index(None)
        raise IdError(f"the column {column} has no id in row {row}", row=row)
    return values


def _feature(dataset: datasets.Dataset, column: str) -> Any:
    if column not in dataset.column_names:
        raise ColumnError(
            f"the data set has no column {column}; it has {', '.join(dataset.column_names)}"
        )
    return dataset.features[column]


def _label(feature: Any, label: Any, column: str, one: Any) -> Any:
    """A label as the column holds it."""
    if isinstance(label, np.generic):
        label = label.item()
    names = getattr(feature, "names", None)
    if names is not None:
        if isinstance(label, str) and label in names:
            return names.index(label)
        if type(label) is int and 0 <= label < len(names):
            return label
        shown = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
        raise LabelError(f"the label of {one} is {label!r}, which is no class of {column}: {shown}")
    kind = str(getattr(feature, "dtype", ""))
    if kind in ("string", "large_string") and isinstance(label, str):
        return label
    if kind.startswith(("int", "uint")) and type(label) is int:
        return label
    raise LabelError(
        f"the label of {one} is {label!r}, and {column} is of {feature}; pass labels of that type"
    )
