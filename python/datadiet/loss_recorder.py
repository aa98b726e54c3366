"""Scores from the losses of any training loop, recorded batch by batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from datadiet import _datadiet
from datadiet._arrays import BFLOAT16, Floats, Wholes, check_same_rows, floats, wholes
from datadiet._datadiet import RECORDED_PASS
from datadiet._ids import any_ids
from datadiet._loss_recording import LossRecording, options, reference_losses
from datadiet._recording import check_examples
from datadiet.exceptions import ShapeError, StateError
from datadiet.table import ScoreTable

__all__ = ["LossRecorder"]

# The column of a state that recorders by ids of any kind have.
_KEYS_STATE = "keys"


class LossRecorder(LossRecording):
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

    **Ids of any kind.** Without `n_examples` ids may be texts (file names, keys of WebDataset) and whole
    numbers of any size (hashes above 2⁶³, negative ones), and need not be known beforehand: an example is new
    when its id first comes. The table has them in the column ``key``, in their order, as tables of
    ``datadiet ingest`` have; `ScoreTable.keys` turns what `ScoreTable.select` gives into them. A text of a whole
    number and that number are one id.

    It is safe to call from several threads at once. In distributed training each rank has a recorder, see
    `merge_ranks`.

    Parameters
    ----------
    n_examples
        Size of the **full** training set, below 2³² − 1; ids are 0..n_examples − 1. An example takes
        48 bytes, and 4 more for each epoch of `keep_at`; with parts or a length, 8 and 4 more for each. If
        not given, ids may be of any kind.
    keep_at
        Epochs, counted from 1, whose losses are kept beside the last one's.
    mergeable
        Keep what `merge_ranks` needs: 4 bytes an example and epoch. Without, memory does not grow with the
        number of epochs.
    threshold
        The loss down to which an example counts as learned, for ``learned-at``.
    reference
        Losses of a reference model, n_examples of them, NaN where there is none, for ``excess-loss``; or a
        table with a column ``loss``, whose latest is taken, and ids 0..n_examples − 1 in any order. Without
        `n_examples` a table, whose ids are those of its column ``key`` (else ``id``, or another usual name), or a
        dictionary of losses by id; `table` refuses one that has none of the ids recorded.
    memory
        Without `n_examples`, bytes of ids that are held in memory, 1 GiB if not given; beyond them all ids are in
        temporary files, mapped into memory as far as the system has room, which are gone with the process
        (`TMPDIR` says in which folder). A whole number takes 20 to 30 bytes, a text these and its length.
    pass_
        Which pass of the network gives the losses, for the record: such as ``"training mode,
        augmented"`` or ``"eval mode, un-augmented"``.

    Raises
    ------
    ValueError, TypeError, MemoryError
        Sizes, epochs or a threshold out of range; `keep_at` that is not a list of epochs; more examples
        than there is memory for.
    ShapeError, NonFiniteError, ColumnError, IdError
        A reference of another number of losses, with infinite ones, or that has none; a table of other ids.

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

    By ids of any kind:

    >>> recorder = datadiet.LossRecorder()
    >>> recorder.update(ids=["b.jpg", "a.jpg"], losses=[2.0, 1.0])
    >>> recorder.end_epoch()
    >>> table = recorder.table()
    >>> table["key"], table["loss@1"]
    (['a.jpg', 'b.jpg'], array([1., 2.], dtype=float32))
    """

    __slots__ = ()

    _compiled = _datadiet.LossRecorder
    _recorder: _datadiet.LossRecorder | _datadiet.KeyedLossRecorder

    def __init__(
        self,
        n_examples: int | None = None,
        *,
        keep_at: Iterable[int] = (),
        mergeable: bool = True,
        threshold: float | None = None,
        reference: Floats | ScoreTable | Mapping[int, float] | Mapping[str, float] | None = None,
        memory: int | None = None,
        pass_: str = RECORDED_PASS,
    ) -> None:
        if n_examples is None:
            if memory is not None and memory < 0:
                raise ValueError(f"memory is {memory}; pass a number of bytes")
            chosen = options(keep_at, mergeable, threshold)
            keyed = _datadiet.KeyedLossRecorder(chosen, _by_id(reference), memory)
            self._begin(keyed, pass_)
            return
        check_examples(n_examples)
        if memory is not None:
            raise ValueError("memory is for ids of any kind; leave n_examples out to have these")
        if isinstance(reference, Mapping):
            raise TypeError(
                "reference is a dictionary of losses by id; pass n_examples losses in the order of the ids"
            )
        losses = reference_losses(reference)
        chosen = options(keep_at, mergeable, threshold)
        self._begin(_datadiet.LossRecorder(n_examples, chosen, losses), pass_)

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
            B ids, in any order; of any kind if the recorder was made without `n_examples`.
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
            parts = {f"loss:{name}": part for name, part in losses.items()}
            check_same_rows(ids=ids, length=length, **parts)
            names = list(parts)
            beside = [floats(part) for part in losses.values()]
            whole = _sum(names, beside)
        else:
            check_same_rows(ids=ids, losses=losses, length=length)
            whole = floats(losses)
        if length is not None:
            names.append("length")
            beside.append(floats(length))
        if isinstance(self._recorder, _datadiet.KeyedLossRecorder):
            self._recorder.update(any_ids(ids), whole, names, beside)
        else:
            self._recorder.update(wholes(ids, "ids"), whole, names, beside)

    def table(self) -> ScoreTable:
        """The scores of this training.

        Scores are NaN where an example was not seen: in that epoch, or at all. Labels are not known to this
        recorder: `ScoreTable.top` lists the hardest examples, and `ScoreTable.select` chooses without quotas.

        Raises
        ------
        StateError
            No epoch has ended.
        IdError
            The reference has none of the ids that were recorded.
        """
        return self.merge()

    def merge(self, *replicas: LossRecorder) -> ScoreTable:
        """The scores over several independent trainings: this one and `replicas`.

        Each column is the mean over the trainings that saw the example, with its standard error beside it
        (``mean-loss@4.se``); `ScoreTable.describe` has the reliability. Ids of any kind say which examples are
        the same, whatever the order in which they came. Nothing is recorded into this one.
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
        `reference` and `pass_` replace these; `memory` stays.

        Raises
        ------
        StateError
            A state of another size than this recorder's, or a damaged one.
        """
        super().load_state_dict(state)

    def _load(self, state: dict[str, npt.NDArray[Any]]) -> Any:
        own = getattr(self, "_recorder", None)
        if _KEYS_STATE not in state:
            if isinstance(own, _datadiet.KeyedLossRecorder):
                raise StateError(
                    "the state is of a recorder that was made with n_examples, this one without; make the"
                    " recorder as it was made then"
                )
            return super()._load(state)
        if isinstance(own, _datadiet.LossRecorder):
            raise StateError(
                f"the state has ids of any kind, this recorder {self.n_examples} numbered examples; make the"
                " recorder as it was made then, without n_examples"
            )
        return _datadiet.KeyedLossRecorder.of_state(state, None if own is None else own.memory)

    def _check_like(self, method: str, others: tuple[Any, ...]) -> None:
        super()._check_like(method, others)
        for other in others:
            if type(other._recorder) is not type(self._recorder):
                raise StateError(
                    f"{method}: one recorder was made with n_examples and another without, so that nothing says"
                    " which examples are the same; make them alike"
                )

    def _check_loaded(self, loaded: _datadiet.LossRecorder | _datadiet.KeyedLossRecorder) -> None:
        if isinstance(loaded, _datadiet.KeyedLossRecorder):
            return
        if loaded.examples != self.n_examples:
            raise StateError(
                f"the state has {loaded.examples} examples, this recorder {self.n_examples}; make the"
                " recorder as it was made then"
            )

    def _facts(self) -> dict[str, Any]:
        keyed = isinstance(self._recorder, _datadiet.KeyedLossRecorder)
        return {
            "n_examples": None if keyed else self.n_examples,
            "epochs": self.epochs,
            "epochs with losses": self._recorder.scored_epochs,
            **super()._facts(),
        }

    def __repr__(self) -> str:
        so_far = " by their ids" if isinstance(self._recorder, _datadiet.KeyedLossRecorder) else ""
        return f"LossRecorder({self.n_examples} examples{so_far}, {self.epochs} epochs ended)"


def _by_id(reference: Any) -> tuple[npt.NDArray[Any] | list[str], npt.NDArray[Any]] | None:
    """Ids of any kind, and the losses of a reference model of them."""
    if reference is None:
        return None
    if isinstance(reference, ScoreTable):
        name, _ = reference._table.own_ids()
        return any_ids(reference[name or "id"]), floats(reference["loss@end"])
    if isinstance(reference, Mapping):
        return any_ids(list(reference)), floats(list(reference.values()))
    raise TypeError(
        "reference is a column of losses, and without n_examples nothing says of which examples; pass a"
        " dictionary of losses by id, or a table"
    )


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
