"""Where an example's result goes: in the loader's order, or by id."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from datadiet.torch.batches import Batch
from datadiet.torch.checks import check_finite
from datadiet.torch.errors import BatchError


class Placement:
    """Places of examples, batch after batch."""

    def __init__(self, examples: int | None) -> None:
        self.examples = examples
        self.ids: list[npt.NDArray[np.int64]] = []
        self.batches = 0
        self.so_far = 0

    def add(self, batch: Batch) -> None:
        """Notes whose the next results are."""
        self.batches += 1
        self.so_far += len(batch)
        if batch.ids is not None:
            self._check(batch.ids)
            self.ids.append(batch.ids)
        if len(self.ids) not in (0, self.batches):
            raise BatchError(
                "some batches have ids and some have none; give all of them ids, or none"
            )

    def _check(self, ids: npt.NDArray[np.int64]) -> None:
        length = int(ids.max()) + 1 if self.examples is None else self.examples
        outside = ids[(ids < 0) | (ids >= length)]
        if len(outside):
            raise BatchError(
                f"id {outside[0]} is not in 0 to {length - 1}; pass examples= as many as there are"
            )

    def places(self) -> tuple[npt.NDArray[np.int64], int]:
        """The place of each result, and how many places there are."""
        if not self.ids:
            return np.arange(self.so_far), self.so_far
        ids = np.concatenate(self.ids)
        length = int(ids.max()) + 1 if self.examples is None else self.examples
        order, counts = np.unique(ids, return_counts=True)
        if len(order) < len(ids):
            raise BatchError(
                f"id {order[counts > 1][0]} came twice; use a loader that yields each example once"
            )
        return ids, length


def rounded(found: npt.NDArray[np.float64], batch: Batch, before: int) -> npt.NDArray[np.float32]:
    """In 32-bit floats, if they are numbers."""
    with np.errstate(over="ignore"):
        values = found.astype(np.float32)
    check_finite(values, batch, before)
    return values
