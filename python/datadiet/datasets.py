"""Subsets of Hugging Face `datasets`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from datadiet._arrays import Wholes, wholes
from datadiet.exceptions import DtypeError, IdError

if TYPE_CHECKING:
    import datasets

__all__ = ["select"]


def select(
    dataset: datasets.Dataset, ids: Wholes, *, id_column: str | None = None
) -> datasets.Dataset:
    """The examples of a data set with some ids, in the order given.

    Parameters
    ----------
    dataset
        One split: ``load_dataset(...)["train"]``.
    ids
        Distinct ids, as `datadiet.select` gives them.
    id_column
        The column that holds the ids; without it an id is the number of a row. Use it where rows
        were shuffled or filtered after they were scored.

    Returns
    -------
    A view of the same data (`datasets.Dataset.select`): nothing is copied.

    Raises
    ------
    DtypeError
        Not a `datasets.Dataset`: a whole `DatasetDict`, or a stream, which has no rows to choose.
    IdError
        An id that is not there, or is given twice; ids that are not unique in `id_column`.

    Examples
    --------
    >>> import datadiet, datasets
    >>> dataset = datasets.Dataset.from_dict({"text": ["a", "b", "c"]})
    >>> datadiet.datasets.select(dataset, [0, 2])["text"][:]
    ['a', 'c']
    """
    if not hasattr(dataset, "select") or not hasattr(dataset, "__len__"):
        raise DtypeError(
            f"{type(dataset).__name__} has no rows to choose from; pass one split of a data set that"
            ' is not streamed: load_dataset(...)["train"]'
        )
    chosen = wholes(ids)
    if chosen.dtype.kind not in "iu" or chosen.ndim != 1:
        raise DtypeError("pass ids as whole numbers, such as datadiet.select gives them")
    _check_distinct(chosen)
    rows = chosen if id_column is None else _rows(dataset, chosen, id_column)
    outside = (rows < 0) | (rows >= len(dataset))
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        raise IdError(
            f"id {rows[row]} is none of the {len(dataset)} rows; select from the data set that was"
            " scored, before it was filtered",
            row=row,
            id=int(rows[row]),
        )
    return dataset.select(rows)


def _check_distinct(ids: np.ndarray) -> None:
    values, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        twice = int(values[counts > 1][0])
        raise IdError(
            f"id {twice} is given more than once; a subset has each example once", id=twice
        )


def _rows(dataset: datasets.Dataset, ids: np.ndarray, column: str) -> np.ndarray:
    known = np.asarray(dataset.with_format(None)[column][:])
    order = np.argsort(known, kind="stable")
    places = np.searchsorted(known, ids, sorter=order)
    rows = order[np.minimum(places, len(order) - 1)] if len(order) else np.zeros_like(places)
    missing = (known[rows] != ids) if len(order) else np.ones(len(ids), dtype=bool)
    if missing.any():
        lost = int(ids[np.flatnonzero(missing)[0]])
        raise IdError(f"no row of the data set has {column} {lost}", id=lost)
    if len(np.unique(known)) < len(known):
        raise IdError(f"the column {column} has an id more than once; it cannot name examples")
    return rows
