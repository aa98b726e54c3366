"""What recorders of tokens, of several labels and of regressions have in common beyond all recorders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import numpy.typing as npt

from datadiet._arrays import Floats, floats
from datadiet._recording import Recording, check_examples, epochs_to_keep
from datadiet.exceptions import StateError
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
    """Losses of a reference model, of a table those at its end."""
    if isinstance(reference, ScoreTable):
        reference = reference["loss@end"]
    return None if reference is None else floats(reference)


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
        }

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_worded(self._sizes(self._recorder))}, {self.epochs} epochs ended)"


def _worded(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{size} {name}" for name, size in sizes.items())
