"""Scores from the losses of any training loop, recorded batch by batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from datadiet import _datadiet
from datadiet._arrays import BFLOAT16, Floats, Wholes, check_same_rows, floats, wholes
from datadiet._datadiet import RECORDED_PASS
from datadiet._recording import Recording, check_examples, epochs_to_keep
from datadiet.exceptions import ShapeError, StateError
from datadiet.table import ScoreTable

__all__ = ["LossRecorder"]


class LossRecorder(Recording):
    """Records the loss of each example over one training, whatever the task, and makes a table of scores.

    Call `update` with every batch and `end_epoch` after every epoch. Then `table` has, at the last epoch
    and at the epochs of `keep_at`, ``loss`` (and ``excess-loss`` with a `reference`, parts of the loss such
    as ``loss:box``, and ``length``); and over all epochs ``mean-loss``, ``loss-std``, ``loss-drop``,
    ``loss-forgetting`` and, with a `threshold`, ``learned-at``. `datadiet.SCORES` says what each is.

    Of a classification record the logits with `Recorder`: they tell more. Detectors, language models,
    regressions, anything that has a loss an example, is for this one. The loss must be that of each
    example, not their mean: ask the loss function for it (``reduction="none"`` in PyTorch) and train on
    ``losses.mean()``. Losses that are sums over tokens, boxes or pixels rank long examples first; divide by
    their number, or record that as `length` beside, and tables, reports and subsets warn where it matters.

    It is safe to call from several threads at once. In distributed training each rank has a recorder, see
    `merge_ranks`.

    Parameters
    ----------
    n_examples
        Size of the **full** training set, below 2³² − 1; ids are 0..n_examples − 1. An example takes
        48 bytes, and 4 more for each epoch of `keep_at`; with parts or a length, 8 and 4 more for each.
    keep_at
        Epochs, counted from 1, whose losses are kept beside the last one's.
    mergeable
        Keep what `merge_ranks` needs: 4 bytes an example and epoch. Without, memory does not grow with the
        number of epochs.
    threshold
        The loss down to which an example counts as learned, for ``learned-at``.
    reference
        Losses of a reference model, n_examples of them, NaN where there is none, for ``excess-loss``; or a
        table with a column ``loss``, whose latest is taken.
    pass_
        Which pass of the network gives the losses, for the record: such as ``"training mode,
        augmented"`` or ``"eval mode, un-augmented"``.

    Raises
    ------
    ValueError, TypeError, MemoryError
        Sizes, epochs or a threshold out of range; `keep_at` that is not a list of epochs; more examples
        than there is memory for.
    ShapeError, NonFiniteError, ColumnError
        A reference of another number of losses, with infinite ones, or that has none.

    Examples
    --------
    >>> import datadiet
    >>> recorder = datadiet.LossRecorder(n_examples=3, threshold=0.5)
    >>> for losses in [[2.0, 1.0], [0.5, 3.0]]:
    ...     recorder.update(ids=[2, 0], losses=losses)
    ...     recorder.end_epoch()
    >>> recorder.unseen  # the example 1 was missed in both epochs
    array([1, 1], dtype=uint32)
    >>> table = recorder.table()
    >>> table["mean-loss@2"]
    array([2.  ,  nan, 1.25], dtype=float32)
    >>> table["learned-at@2"]  # 3 for never
    array([ 3., nan,  2.], dtype=float32)
    >>> table.columns[:3]
    ['id', 'loss@2', 'mean-loss@2']
    """

    __slots__ = ()

    _compiled = _datadiet.LossRecorder
    _recorder: _datadiet.LossRecorder

    def __init__(
        self,
        n_examples: int,
        *,
        keep_at: Iterable[int] = (),
        mergeable: bool = True,
        threshold: float | None = None,
        reference: Floats | ScoreTable | None = None,
        pass_: str = RECORDED_PASS,
    ) -> None:
        check_examples(n_examples)
        if isinstance(reference, ScoreTable):
            reference = reference["loss@end"]
        losses = None if reference is None else floats(reference)
        epochs = epochs_to_keep(keep_at)
        compiled = _datadiet.LossRecorder(n_examples, epochs, mergeable, threshold, losses)
        self._begin(compiled, pass_)

    def update(
        self,
        ids: Wholes,
        losses: Floats | Mapping[str, Floats],
        *,
        length: Wholes | None = None,
    ) -> None:
        """Record a batch of B examples of the current epoch; all of it or, on an error, nothing.

        Parameters
        ----------
        ids
            B ids, in any order.
        losses
            B losses, floats of 16, 32 or 64 bits, rounded to 32; or a dictionary of them by name, such as a
            detector has: their sum is the loss, and each is a column of its own, ``loss:box@4``.
        length
            B sizes of the examples (tokens, boxes, pixels), for the column ``length``.

        Raises
        ------
        IdError
            An id out of range, or recorded before in this epoch (call `end_epoch` after each).
        NonFiniteError
            NaN or infinity. The ids are in the message and in ``ids``.
        ShapeError, DtypeError
            One loss for the whole batch, or one for each token or pixel; lengths that do not fit; values
            that are not numbers.
        StateError, ColumnError
            Parts, or a length, in one batch and not in another; a part whose name no column can have.

        Examples
        --------
        >>> import datadiet
        >>> recorder = datadiet.LossRecorder(2)
        >>> recorder.update([0, 1], {"box": [0.5, 0.25], "class": [1.0, 2.0]}, length=[3, 1])
        >>> recorder.end_epoch()
        >>> recorder.table().columns[1:5]
        ['loss@1', 'loss:box@1', 'loss:class@1', 'length@1']
        """
        names: list[str] = []
        beside: list[npt.NDArray[Any]] = []
        if isinstance(losses, Mapping):
            check_same_rows(
                ids=ids, length=length, **{str(name): of for name, of in losses.items()}
            )
            names = [f"loss:{name}" for name in losses]
            beside = [floats(part) for part in losses.values()]
            whole = _sum(names, beside)
        else:
            check_same_rows(ids=ids, losses=losses, length=length)
            whole = floats(losses)
        if length is not None:
            names.append("length")
            beside.append(floats(length))
        self._recorder.update(wholes(ids, "ids"), whole, names, beside)

    @property
    def threshold(self) -> float | None:
        """The loss down to which an example counts as learned, rounded to 32 bits."""
        return self._recorder.threshold

    def table(self) -> ScoreTable:
        """The scores of this training.

        Scores are NaN where an example was not seen: in that epoch, or at all. Labels are not known to this
        recorder: `ScoreTable.top` lists the hardest examples, and `ScoreTable.select` chooses without quotas.

        Raises
        ------
        StateError
            No epoch has ended.
        """
        return self.merge()

    def merge(self, *replicas: LossRecorder) -> ScoreTable:
        """The scores over several independent trainings: this one and `replicas`.

        Each column is the mean over the trainings that saw the example, with its standard error beside it
        (``mean-loss@4.se``); `ScoreTable.describe` has the reliability. Nothing is recorded into this one.
        For the ranks of **one** training use `merge_ranks`.

        Raises
        ------
        StateError
            No epoch has ended; a recorder given twice; trainings of other sizes, numbers of epochs, kept
            epochs, passes, thresholds or parts of the loss, or a reference in one alone.
        TypeError
            Something else than recorders of losses, such as a list of them.

        Examples
        --------
        >>> import datadiet
        >>> replicas = [datadiet.LossRecorder(1), datadiet.LossRecorder(1)]
        >>> for replica, loss in zip(replicas, [1.0, 3.0]):
        ...     replica.update([0], [loss])
        ...     replica.end_epoch()
        >>> table = replicas[0].merge(replicas[1])
        >>> table["mean-loss@1"], table["mean-loss@1.se"]
        (array([2.], dtype=float32), array([1.], dtype=float32))
        """
        return self._merge(replicas)

    def merge_ranks(self, *ranks: LossRecorder) -> int:
        """Add what other ranks of the **same** distributed training recorded: all or, on an error, none.

        The examples of an epoch may lie on any rank, another one in each epoch. The result equals one
        recorder that saw everything, bit for bit. Recorders can be pickled, so gather them in any way, such
        as ``torch.distributed.gather_object``.

        Returns
        -------
        How many presentations were on more than one rank (samplers repeat examples to fill the last batch):
        the loss of this rank stands, then that of the first of `ranks`.

        Raises
        ------
        StateError
            Ranks of another shape, number of epochs, pass, threshold, reference or parts of the loss; a rank
            that was merged before, or made with ``mergeable=False``.
        TypeError
            Something else than recorders of losses, such as a list of them.
        """
        return self._merge_ranks(ranks)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state_dict` bit for bit as if the training had not stopped.

        Values may be arrays of any library, on any device. The state's `keep_at`, `mergeable`, `threshold`,
        `reference` and `pass_` replace these.

        Raises
        ------
        StateError
            A state of another size than this recorder's, or a damaged one.
        """
        super().load_state_dict(state)

    def _check_loaded(self, loaded: _datadiet.LossRecorder) -> None:
        if loaded.examples != self.n_examples:
            raise StateError(
                f"the state has {loaded.examples} examples, this recorder {self.n_examples}; make the"
                " recorder as it was made then"
            )

    def _facts(self) -> dict[str, Any]:
        return {
            "n_examples": self.n_examples,
            "epochs": self.epochs,
            "epochs with losses": self._recorder.scored_epochs,
            "pass_": self.pass_,
            "threshold": self.threshold,
            "having a reference": self._recorder.has_reference,
            "values beside the loss": self._recorder.beside,
        }

    def __repr__(self) -> str:
        return f"LossRecorder({self.n_examples} examples, {self.epochs} epochs ended)"


def _sum(names: list[str], parts: list[npt.NDArray[Any]]) -> npt.NDArray[np.float64]:
    """The sum of some arrays of one shape, in 64 bits."""
    if not parts:
        raise ShapeError(
            "the losses are an empty dictionary; pass B losses, or some parts of them by name"
        )
    shapes = {name: part.shape for name, part in zip(names, parts, strict=True)}
    if len(set(shapes.values())) > 1:
        raise ShapeError(
            f"parts of the loss have different shapes, {shapes}; pass one value an example"
        )
    total = np.zeros(parts[0].shape, np.float64)
    for part in parts:
        total += _wide(part)
    return total


def _wide(part: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """As 64-bit floats, of bfloat16 too, whose bits are the upper half of a float32's."""
    if part.dtype == BFLOAT16:
        return (part.view(np.uint16).astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return part.astype(np.float64)
