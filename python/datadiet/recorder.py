"""Scores from any training loop, recorded batch by batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy.typing as npt

from datadiet import _datadiet
from datadiet._arrays import (
    SOFTMAX_ROWS,
    Floats,
    Wholes,
    check_same_rows,
    either,
    softmax_error,
    softmax_rows,
    warn_of_classes,
    warn_of_rounded,
    wholes,
)
from datadiet._datadiet import RECORDED_PASS
from datadiet._recording import Recording, check_examples, epochs_to_keep
from datadiet.exceptions import StateError
from datadiet.table import ScoreTable

__all__ = ["Recorder"]

# As for the labels of a table: above this a number is taken for a mistake.
_MOST_CLASSES = 2**20


class Recorder(Recording):
    """Records the logits of one training and makes a table of scores of them.

    Call `update` with every batch and `end_epoch` after every epoch. Then `table` has, at the last
    epoch and at the epochs of `keep_at`: ``el2n``, ``l1``, ``loss``, ``entropy``, ``max-margin``,
    ``sum-margin``, ``correct``; and over all epochs ``forgetting``, ``never-learned``, ``aum``,
    ``confidence``, ``variability``, ``correctness``, ``margin-of-mean``, ``dual``, ``dyn-unc``,
    ``mean-el2n``, ``tdds``. Memory does not grow with the number of epochs, but for two bits an example and epoch (see `mergeable`).

    Which logits to record: those that the training step computes anyway (training mode, augmented)
    are what forgetting, AUM and cartography are defined on; EL2N and its kin are defined on eval
    mode without augmentation, so for these make a pass over the training set at the epochs that
    matter, with a recorder of its own. The recorder cannot know; say it with `pass_`, and it stands
    with every score in `ScoreTable.describe` and in the report.

    It is safe to call from several threads at once. Data-loader workers need nothing: the ids tell
    which example a row is. In distributed training each rank has a recorder, see `merge_ranks`.

    Parameters
    ----------
    n_examples
        Size of the **full** training set, below 2³² − 1; ids are 0..n_examples − 1. An example takes
        220 bytes, and 56 more for each epoch of `keep_at`.
    n_classes
        Number of classes K, from 2 to 2²⁰.
    keep_at
        Epochs, counted from 1, whose scores of one forward pass are kept beside the last one's.
    mergeable
        Keep what `merge_ranks` needs: two bits an example and epoch.
    class_means
        Record ``margin-of-mean`` and ``tdds``, which need 16 bytes for each example **and class** (and
        48 an example). Unasked they are recorded up to 2²⁵ (33 million) examples times classes, above
        which a warning says that they are not.
    pass_
        Which pass of the network gives the logits, for the record: such as ``"training mode,
        augmented"`` or ``"eval mode, un-augmented"``.

    Raises
    ------
    ValueError, TypeError, MemoryError
        Sizes or epochs out of range; `keep_at` that is not a list of epochs; more examples than there
        is memory for.

    Examples
    --------
    >>> import numpy as np, datadiet
    >>> recorder = datadiet.Recorder(n_examples=3, n_classes=2)
    >>> for epoch in range(2):
    ...     recorder.update(ids=[2, 0], logits=[[2.0, 0.0], [0.0, 1.0]], labels=[0, 1])
    ...     recorder.end_epoch()
    >>> recorder.unseen  # the example 1 was missed in both epochs
    array([1, 1], dtype=uint32)
    >>> table = recorder.table()
    >>> table["aum@2"]
    array([ 1., nan,  2.], dtype=float32)
    >>> table.columns[:3]
    ['id', 'el2n@2', 'l1@2']
    """

    __slots__ = ("_first_probs", "_suspicious")

    _compiled = _datadiet.Recorder
    _recorder: _datadiet.Recorder
    # Rows so far that all look like outputs of a softmax; None once one did not.
    _suspicious: int | None
    # Whether no batch of probabilities was looked at: the first tells whether they are rounded.
    _first_probs: bool

    def __init__(
        self,
        n_examples: int,
        n_classes: int,
        *,
        keep_at: Iterable[int] = (),
        mergeable: bool = True,
        class_means: bool | None = None,
        pass_: str = RECORDED_PASS,
    ) -> None:
        check_examples(n_examples)
        if n_classes < 2:
            raise ValueError(
                f"n_classes is {n_classes}; a score needs at least 2: for a binary problem with one"
                " logit z record the two columns [0, z]"
            )
        if n_classes > _MOST_CLASSES:
            raise ValueError(f"n_classes is {n_classes}; there may be {_MOST_CLASSES}")
        epochs = epochs_to_keep(keep_at)
        compiled = _datadiet.Recorder(n_examples, n_classes, epochs, mergeable, class_means)
        self._begin(compiled, pass_)
        if class_means is None and not self._recorder.class_means:
            warn_of_classes(n_examples, n_classes, "class_means=True (or False)")

    def update(
        self,
        ids: Wholes,
        logits: Floats | None = None,
        labels: Wholes | None = None,
        *,
        probs: Floats | None = None,
    ) -> None:
        """Record a batch of B examples of the current epoch; all of it or, on an error, nothing.

        Parameters
        ----------
        ids
            B ids, in any order.
        logits
            B × K floats of 16, 32 or 64 bits, or
        labels
            B class indices, the same for an example in every epoch: those that training uses.
        probs
            B × K probabilities, instead of logits, rounded to float32; AUM is then not available.

        Raises
        ------
        IdError
            An id out of range, or recorded before in this epoch (call `end_epoch` after each).
        LabelError
            A label out of range, or another than before.
        NonFiniteError, ProbabilityError
            NaN or infinity; values that are not probabilities, or outputs of a softmax given as
            logits. The ids are in the message and in ``ids``.
        ShapeError, DtypeError
            Lengths that do not fit; values that are not numbers.
        """
        if labels is None:
            raise TypeError("pass labels: one class index for each row")
        check_same_rows(ids=ids, logits=logits, probs=probs, labels=labels)
        matrix, probabilities = either(logits, probs)
        if not probabilities:
            self._suspect(matrix)
        elif self._first_probs and matrix.size:
            self._first_probs = False
            warn_of_rounded(matrix)
        self._recorder.update(wholes(ids, "ids"), matrix, wholes(labels), probabilities)

    def _suspect(self, logits: npt.NDArray[Any]) -> None:
        """Refuses logits if all rows so far look like outputs of a softmax, and they are several.

        A batch may be of one row, which can look so by chance.
        """
        if self._suspicious is None or not logits.size:
            return
        rows = softmax_rows(logits)
        self._suspicious = self._suspicious + rows if rows else None
        if self._suspicious is not None and self._suspicious >= SOFTMAX_ROWS:
            raise softmax_error()

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return self._recorder.classes

    def table(self) -> ScoreTable:
        """The scores of this training.

        The column ``label`` is there if every example was seen, ``predicted@E`` if epoch E saw
        every example. Scores are NaN where an example was not seen: in that epoch, or at all.

        Raises
        ------
        StateError
            No epoch has ended.
        """
        return self.merge()

    def merge(self, *replicas: Recorder) -> ScoreTable:
        """The scores over several independent trainings: this one and `replicas`.

        Each column is the mean over the trainings that saw the example, with its standard error
        beside it (``el2n@4.se``); `ScoreTable.describe` has the reliability. Nothing is recorded
        into this one. For the ranks of **one** training use `merge_ranks`.

        Raises
        ------
        StateError, LabelError
            No epoch has ended; a recorder given twice; trainings of other sizes, numbers of epochs,
            kept epochs or passes, or logits in one and probabilities in another; labels that differ.
        TypeError
            Something else than recorders, such as a list of them.

        Examples
        --------
        >>> import datadiet
        >>> replicas = [datadiet.Recorder(1, 2), datadiet.Recorder(1, 2)]
        >>> for replica, logit in zip(replicas, [0.0, 2.0]):
        ...     replica.update([0], [[logit, 0.0]], [0])
        ...     replica.end_epoch()
        >>> table = replicas[0].merge(replicas[1])
        >>> table["aum@1"], table["aum@1.se"]
        (array([1.], dtype=float32), array([1.], dtype=float32))
        """
        return self._merge(replicas)

    def merge_ranks(self, *ranks: Recorder) -> int:
        """Add what other ranks of the **same** distributed training recorded: all or, on an error, none.

        The examples of an epoch may lie on any rank. The result equals one recorder that saw
        everything, but that ``dual``, ``dyn-unc`` and ``tdds`` need the order of an example's
        presentations: where two ranks recorded the same example, there are none of them any more.
        Gather the logits of all ranks into one recorder to have them. Recorders can be pickled, so gather them in any way, such as
        ``torch.distributed.gather_object``.

        Returns
        -------
        How many presentations were on more than one rank (samplers repeat examples to fill the
        last batch): they count twice in means, once in forgetting.

        Raises
        ------
        StateError, LabelError
            Ranks of another shape, number of epochs or pass, a rank that was merged before, labels
            that differ.
        TypeError
            Something else than recorders, such as a list of them.
        """
        return self._merge_ranks(ranks)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state_dict` bit for bit as if the training had not stopped.

        Values may be arrays of any library, on any device. The state's `keep_at`, `mergeable`,
        `class_means` and `pass_` replace these; states from before there was `pass_` leave it. States
        from before there were ``margin-of-mean``, ``dual``, ``dyn-unc``, ``mean-el2n`` and ``tdds`` go
        on without these.

        Raises
        ------
        StateError
            A state of other sizes than this recorder's, or a damaged one.
        """
        super().load_state_dict(state)

    def _begin(self, recorder: Any, pass_: str) -> None:
        super()._begin(recorder, pass_)
        self._suspicious = 0
        self._first_probs = True

    def _check_loaded(self, loaded: _datadiet.Recorder) -> None:
        found, own = (loaded.examples, loaded.classes), (self.n_examples, self.n_classes)
        if found != own:
            raise StateError(
                f"the state has {found[0]} examples and {found[1]} classes, this recorder {own[0]}"
                f" and {own[1]}; make the recorder as it was made then"
            )

    def _facts(self) -> dict[str, Any]:
        """What replicas have in common."""
        return {
            "n_examples": self.n_examples,
            "n_classes": self.n_classes,
            "epochs": self.epochs,
            "epochs with scores": self._recorder.scored_epochs,
            "pass_": self.pass_,
            "only logits": self._recorder.only_logits,
            "class_means": self._recorder.class_means,
            "scores of windows": self._recorder.windows,
            "one rank for each example": self._recorder.in_order,
        }

    def __repr__(self) -> str:
        return (
            f"Recorder({self.n_examples} examples, {self.n_classes} classes,"
            f" {self.epochs} epochs ended)"
        )
