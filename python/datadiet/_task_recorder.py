"""What recorders of tokens, of several labels and of regressions have in common beyond all recorders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from datadiet._arrays import Floats, floats
from datadiet._datadiet import KEY
from datadiet._ids import whole_ids
from datadiet._recording import Recording, check_examples, epochs_to_keep
from datadiet.exceptions import IdError, StateError
from datadiet.table import ScoreTable

Own = TypeVar("Own", bound="TaskRecorder")


def options(
    n_examples: int, keep_at: Iterable[int], mergeable: bool, threshold: float | None
) -> dict[str, Any]:
    """The options of a recorder, checked."""
    check_examples(n_examples)
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
    if KEY in reference:
        raise IdError(
            f"reference is a table of examples by their own ids (its column {KEY}), and here they are numbered:"
            " pass its losses as an array in the order of the numbers, NaN where there is none"
        )
    losses = floats(reference["loss@end"])
    if "id" not in reference:
        return losses
    ids = whole_ids(reference["id"])
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


class TaskRecorder(Recording):
    """A recorder of outputs of one task."""

    __slots__ = ()

    @property
    def threshold(self) -> float | None:
        """The loss down to which an example counts as learned, rounded to 32 bits."""
        bar: float | None = self._recorder.threshold
        return bar

    def table(self) -> ScoreTable:
        """The scores of this training; NaN where an example was not seen, in that epoch or at all.

        Raises
        ------
        StateError
            No epoch has ended.
        """
        return self._merge(())

    def merge(self: Own, *replicas: Own) -> ScoreTable:
        """The scores over several independent trainings: this one and `replicas`.

        Each column is the mean over the trainings that saw the example, with its standard error beside it
        (``mean-loss@4.se``); `ScoreTable.describe` has the reliability. Nothing is recorded into this one.
        For the ranks of **one** training use `merge_ranks`.

        Raises
        ------
        StateError
            No epoch has ended; a recorder given twice; trainings of other sizes, numbers of epochs, kept epochs,
            passes or values.
        LabelError
            Trainings of other labels of an example, or of a kept token.
        TypeError
            Something else than such recorders, such as a list of them.
        """
        return self._merge(replicas)

    def merge_ranks(self: Own, *ranks: Own) -> int:
        """Add what other ranks of the **same** distributed training recorded: all or, on an error, none.

        The examples of an epoch may lie on any rank, another one in each epoch. The result equals one recorder
        that saw everything: bit for bit in the scores of losses, counts exactly, sums of margins to rounding.
        Recorders can be pickled, so gather them in any way, such as ``torch.distributed.gather_object``.

        Returns
        -------
        How many presentations were on more than one rank (samplers repeat examples to fill the last batch):
        this rank's stands, then that of the first of `ranks`; in ``aum``, ``least-aum`` and the mean loss of a
        token they count twice.

        Raises
        ------
        StateError, LabelError
            Ranks of another shape, number of epochs, pass or options; a rank that was merged before, or made with
            ``mergeable=False``; labels that differ.
        TypeError
            Something else than such recorders, such as a list of them.
        """
        return self._merge_ranks(ranks)

    def _sizes(self, compiled: Any) -> dict[str, int]:
        return {"examples": compiled.examples}

    def _check_loaded(self, loaded: Any) -> None:
        found, own = self._sizes(loaded), self._sizes(self._recorder)
        if found != own:
            raise StateError(
                f"the state has {_worded(found)}, this recorder {_worded(own)}; make the recorder as it was made"
                " then"
            )

    def _facts(self) -> dict[str, Any]:
        return {
            **self._sizes(self._recorder),
            "epochs": self.epochs,
            "epochs with scores": self._recorder.scored_epochs,
            "pass_": self.pass_,
            "threshold": self.threshold,
            "having a reference": self._recorder.has_reference,
            "values beside the loss": self._recorder.beside,
            "whether losses are given": self._recorder.losses_given,
        }

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_worded(self._sizes(self._recorder))}, {self.epochs} epochs ended)"


def _worded(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{size} {name}" for name, size in sizes.items())
