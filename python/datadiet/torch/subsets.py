"""Data sets that say which example a row is, and subsets of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch.utils.data import Dataset, Subset

from datadiet._arrays import Wholes
from datadiet._ids import row_numbers
from datadiet.exceptions import DtypeError
from datadiet.torch.errors import BatchError


def subset(dataset: Dataset[Any], ids: Wholes) -> Subset[Any]:
    """The examples of a data set with some ids, in the order given.

    Parameters
    ----------
    dataset
        The full training set, or `indexed` of it: rows then keep the ids they have there.
    ids
        Distinct ids, as `datadiet.select` gives them.

    Raises
    ------
    DtypeError
        A data set that is a stream, and has no rows to choose.
    IdError
        An id that is not there, or is given twice.

    Examples
    --------
    >>> from torch.utils.data import TensorDataset
    >>> import torch
    >>> from datadiet.torch import indexed, subset
    >>> train = TensorDataset(torch.tensor([0.5, 1.5, 2.5]), torch.tensor([0, 1, 0]))
    >>> [*subset(indexed(train), [2, 0])]
    [(tensor(2.5000), tensor(0), 2), (tensor(0.5000), tensor(0), 0)]
    """
    size = _size(dataset)
    chosen = row_numbers(ids, size, "take the subset of the full training set")
    return Subset(dataset, chosen.tolist())


def indexed(dataset: Dataset[Any]) -> Indexed:
    """The data set with each example's id, the number of its row, as one more entry.

    A tuple or list gets the id at its end, a mapping as ``"ids"``; anything else becomes a pair. A
    shuffling loader over it yields the ids along.

    Raises
    ------
    BatchError
        When a row is read: it is a mapping that has ``"ids"`` already.
    DtypeError
        A data set that is a stream, and whose rows have no numbers.
    """
    _size(dataset)
    return Indexed(dataset)


class Indexed(Dataset[Any]):
    """See `indexed`."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, row: int) -> Any:
        row = int(row)
        return _with_id(self.dataset[row], row if row >= 0 else row + len(self))

    def __getitems__(self, rows: list[int]) -> list[Any]:
        """Several at once, which some data sets do faster."""
        if not hasattr(self.dataset, "__getitems__"):
            return [self[row] for row in rows]
        return [
            _with_id(item, int(row))
            for item, row in zip(self.dataset.__getitems__(rows), rows, strict=True)
        ]


def _with_id(item: Any, row: int) -> Any:
    if isinstance(item, Mapping):
        if "ids" in item:
            raise BatchError(
                'the rows have "ids" already: pass the data set without indexed(…), or rename them there'
            )
        return {**item, "ids": row}
    if isinstance(item, (tuple, list)):
        return (*item, row)
    return (item, row)


def _size(dataset: Any) -> int:
    if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
        raise DtypeError(
            f"{type(dataset).__name__} is a stream, whose rows have no numbers; pass a data set with"
            " __getitem__ and __len__"
        )
    return len(dataset)
