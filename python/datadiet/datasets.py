"""Subsets of Hugging Face `datasets`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from datadiet._arrays import Wholes
from datadiet._ids import row_numbers, rows_of
from datadiet.exceptions import DtypeError

if TYPE_CHECKING:
    import datasets

__all__ = ["select"]


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
    if not hasattr(dataset, "select") or not hasattr(dataset, "__len__"):
        raise DtypeError(
            f"{type(dataset).__name__} has no rows to choose from; pass one split of a data set that"
            ' is not streamed: load_dataset(...)["train"]'
        )
    if id_column is not None:
        known = dataset.with_format(None)[id_column][:]
        hint = "; for a table with ids of its own pass table.keys(ids)"
        return dataset.select(rows_of(ids, known, id_column, hint))
    hint = "select from the data set that was scored, before it was filtered"
    return dataset.select(row_numbers(ids, len(dataset), hint))
