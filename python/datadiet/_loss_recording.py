"""What recorders of losses have in common beyond all recorders, whatever they know beside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from datadiet._arrays import Floats, floats
from datadiet._ids import whole_ids
from datadiet._recording import Recording, epochs_to_keep
from datadiet.exceptions import IdError
from datadiet.table import ScoreTable


def options(keep_at: Iterable[int], mergeable: bool, threshold: float | None) -> dict[str, Any]:
    """The options of a recorder of losses, checked."""
    return {
        "keep_at": epochs_to_keep(keep_at),
        "mergeable": bool(mergeable),
        "threshold": threshold,
    }


def reference_losses(reference: Floats | ScoreTable | None) -> npt.NDArray[Any] | None:
    """Losses of a reference model of examples 0..n − 1, of a table those at its end.

    Rows of a table may be in any order, but have to be of these examples.
    """
    if not isinstance(reference, ScoreTable):
        return None if reference is None else floats(reference)
    column, own = reference._table.own_ids()
    if column not in (None, "id"):
        raise IdError(
            f"reference is a table of examples by their own ids (its column {column}), and here they are numbered:"
            " pass its losses as an array in the order of the numbers, NaN where there is none"
        )
    losses = floats(reference["loss@end"])
    ids = whole_ids(own)
    order = np.argsort(ids, kind="stable")
    ascending = ids[order]
    again = np.concatenate([[False], ascending[1:] == ascending[:-1]])[: len(ids)]
    wrong = order[again | (ascending < 0) | (ascending >= len(ids))]
    if len(wrong):
        row = int(wrong[0])
        raise IdError(
            f"the ids of the reference are not 0..{len(ids) - 1}, each once: row {row} has {ids[row]}; pass its"
            " losses as an array of n_examples, NaN where there is none",
            row=row,
            id=int(ids[row]),
        )
    placed: npt.NDArray[Any] = losses[order]
    return placed


class LossRecording(Recording):
    """A recorder of losses, and perhaps of more."""

    __slots__ = ()

    @property
    def threshold(self) -> float | None:
        """The loss down to which an example counts as learned, rounded to 32 bits."""
        bar: float | None = self._recorder.threshold
        return bar

    def _facts(self) -> dict[str, Any]:
        return {
            "pass_": self.pass_,
            "threshold": self.threshold,
            "having a reference": self._recorder.has_reference,
            "values beside the loss": self._recorder.beside,
        }
