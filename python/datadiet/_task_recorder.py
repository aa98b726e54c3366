"""What recorders of tokens, of several labels and of regressions have in common beyond all recorders of losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from datadiet._loss_recording import LossRecording
from datadiet.exceptions import StateError
from datadiet.table import ScoreTable

Own = TypeVar("Own", bound="TaskRecorder")


class TaskRecorder(LossRecording):
    """A recorder of outputs of one task."""

    __slots__ = ()

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
            **super()._facts(),
            "whether losses are given": self._recorder.losses_given,
        }

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_worded(self._sizes(self._recorder))}, {self.epochs} epochs ended)"


def _worded(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{size} {name}" for name, size in sizes.items())
