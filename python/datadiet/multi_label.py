"""Scores of examples with several labels, each given (1) or not (0).

Throughout z are B × K logits, of a sigmoid each, and y B × K zeros and ones. The margin of a label is
(2 y − 1) z: above 0 where it is predicted as it is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from datadiet import _datadiet
from datadiet._arrays import (
    Floats,
    SigmoidSuspicion,
    Wholes,
    check_same_rows,
    floats,
    plain,
    wholes,
)
from datadiet._datadiet import RECORDED_PASS
from datadiet._loss_recording import options, reference_losses
from datadiet._recording import check_examples
from datadiet._task_recorder import TaskRecorder
from datadiet.exceptions import LabelError, ShapeError, StateError
from datadiet.table import ScoreTable

__all__ = ["MultiLabelRecorder", "multi_label_scores"]

_MOST_NUMBERS = 2**27
_NAMES_STATE = "recorder.names"


def multi_label_scores(
    logits: Floats, labels: Wholes, *, margins: bool = False
) -> dict[str, npt.NDArray[Any]]:
    """Scores of examples with several labels.

    Parameters
    ----------
    logits
        n × K floats, before the sigmoid.
    labels
        n × K zeros and ones. Unknown labels (NaN, −1) and soft ones are refused: leave such examples out, or record
        losses that leave such labels out with a `LossRecorder`.
    margins
        Also give the margin of each label, n × K.

    Returns
    -------
    By name, n numbers each: ``el2n`` ‖σ(z) − y‖₂ in [0, √K]; ``loss``, the mean over labels of binary
    cross-entropy in nats; ``correct``, 1 where every label is predicted as it is given (z > 0 as y = 1), else 0;
    ``mean-margin`` and ``least-margin`` over labels of (2 y − 1) z; ``least-margin-label``, which label has the
    least; with `margins` ``margins``. High is hard of el2n and loss, low of the others.

    Raises
    ------
    LabelError
        A label that is neither 0 nor 1, with its row.
    ProbabilityError
        Logits that are the outputs of sigmoids: all in [0, 1].
    NonFiniteError, ShapeError, DtypeError
        NaN or infinity; shapes that do not fit; values that are not numbers.

    Examples
    --------
    >>> import datadiet
    >>> scores = datadiet.multi_label_scores([[2.0, -1.0], [0.5, 3.0]], labels=[[1, 0], [1, 0]])
    >>> scores["correct"], scores["least-margin"], scores["least-margin-label"]
    (array([1., 0.], dtype=float32), array([ 1., -3.], dtype=float32), array([1, 1], dtype=uint32))
    """
    matrix, given = _batch(logits, labels)
    SigmoidSuspicion().check(matrix)
    found = _datadiet.multi_label_scores(matrix, given, margins)
    if margins:
        found["margins"] = found["margins"].reshape(matrix.shape)
    return found


def _batch(logits: Any, labels: Any) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]:
    """Arrays that fit each other."""
    check_same_rows(logits=logits, labels=labels)
    matrix = floats(logits)
    given = plain(labels, "labels")
    if matrix.ndim != 2:
        raise ShapeError(f"logits of shape {list(matrix.shape)}; pass B × K, one for each label")
    if matrix.shape[1] == 0:
        raise ShapeError("logits of no labels; pass B × K, K at least 1")
    if given.shape != matrix.shape:
        hint = ""
        if given.ndim == 1:
            hint = "; if each example has one class of K, use datadiet.Recorder or datadiet.logit_scores"
        raise ShapeError(
            f"labels of shape {list(given.shape)}, logits of shape {list(matrix.shape)}; pass a zero or a one for"
            f" each logit{hint}"
        )
    if given.dtype.kind not in "biuf":
        given = wholes(labels)
    other = (given != 0) & (given != 1)
    if other.any():
        row, label = (int(place) for place in np.argwhere(other)[0])
        raise LabelError(
            f"row {row}, label {label}: {given[row, label]} is neither 0 nor 1; leave out examples with unknown"
            " labels; of soft labels record the losses (datadiet.LossRecorder)",
            row=row,
        )
    return matrix, np.ascontiguousarray(given, dtype=np.uint8)


class MultiLabelRecorder(TaskRecorder):
    """Records a training whose examples have several labels, and makes a table of scores of it.

    Call `update` with every batch and `end_epoch` after every epoch. Then `table` has, at the last epoch and at
    the epochs of `keep_at`: ``loss``, ``el2n``, ``correct``, ``mean-margin``, ``least-margin``; and over all
    epochs ``aum`` (the mean over labels of the mean margin), ``forgetting``, ``never-learned`` and ``correctness``
    (by all labels at once), ``least-aum`` and ``label-forgetting`` (by each label), and the scores of losses:
    ``mean-loss``, ``loss-std``, ``loss-drop``, ``loss-forgetting``. Beside ``least-aum@E`` stand
    ``least-aum-label@E``, which label it is of (of an example never seen 4294967295, or "" where there are names),
    and ``least-aum-given@E``, whether that is given: with them ``datadiet suspects`` names the label. The same of
    ``least-margin``.

    Ids, threads, checkpoints, ranks and replicas are as of `Recorder`.

    Parameters
    ----------
    n_examples
        Size of the **full** training set, below 2³² − 1; ids are 0..n_examples − 1.
    n_labels
        Number of labels K.
    names
        Names of the K labels, for the table.
    keep_at
        Epochs, counted from 1, whose scores of one forward pass are kept beside the last one's.
    by_label
        Keep numbers of each label of each example, 12 bytes, for ``least-aum`` and ``label-forgetting``. Unasked
        they are kept up to 2²⁷ (134 million) examples times labels.
    mergeable
        Keep what `merge_ranks` needs: 4 bytes an example and epoch, and one bit for each label of it.
    threshold
        Loss down to which an example counts as learned, for ``learned-at``.
    reference
        n losses of a reference model, or the table of its recorder, for ``excess-loss``.
    pass_
        Which pass of the network gives the logits, for the record.

    Examples
    --------
    >>> import datadiet
    >>> recorder = datadiet.MultiLabelRecorder(2, n_labels=2, names=["cat", "dog"])
    >>> for epoch in range(2):
    ...     recorder.update(ids=[0, 1], logits=[[2.0, -1.0], [0.5, 3.0]], labels=[[1, 0], [1, 0]])
    ...     recorder.end_epoch()
    >>> table = recorder.table()
    >>> table["least-aum@2"], table["least-aum-label@2"], table["least-aum-given@2"]
    (array([ 1., -3.], dtype=float32), ['dog', 'dog'], array([0, 0], dtype=uint32))
    """

    __slots__ = ("_names", "_suspicion")

    _compiled = _datadiet.MultiLabelRecorder
    _suspicion: SigmoidSuspicion
    _names: list[str] | None

    def __init__(
        self,
        n_examples: int,
        n_labels: int,
        *,
        names: Sequence[str] | None = None,
        keep_at: Iterable[int] = (),
        by_label: bool | None = None,
        mergeable: bool = True,
        threshold: float | None = None,
        reference: Floats | ScoreTable | None = None,
        pass_: str = RECORDED_PASS,
    ) -> None:
        check_examples(n_examples)
        chosen = options(keep_at, mergeable, threshold)
        if n_labels < 1:
            raise ValueError(f"n_labels is {n_labels}; an example needs at least 1")
        self._names = None if names is None else [str(name) for name in names]
        if self._names is not None and len(self._names) != n_labels:
            raise ValueError(f"{len(self._names)} names for {n_labels} labels; pass one for each")
        if by_label is None:
            by_label = n_examples * n_labels <= _MOST_NUMBERS
        losses = reference_losses(reference)
        made = _datadiet.MultiLabelRecorder(n_examples, n_labels, by_label, chosen, losses)
        self._begin(made, pass_)

    def update(
        self, ids: Wholes, logits: Floats, labels: Wholes, *, losses: Floats | None = None
    ) -> None:
        """Record a batch of B examples of the current epoch; all of it or, on an error, nothing.

        Parameters
        ----------
        ids
            B ids, in any order.
        logits, labels
            B × K, as of `multi_label_scores`; the labels of an example are the same in every epoch.
        losses
            B losses, where training uses others than the mean binary cross-entropy, such as weighted ones: in
            every batch, or in none.

        Raises
        ------
        IdError
            An id out of range, or recorded before in this epoch (call `end_epoch` after each).
        LabelError
            A label that is neither 0 nor 1, or another than before.
        ProbabilityError
            Logits that are the outputs of sigmoids: all so far in [0, 1].
        NonFiniteError, ShapeError, DtypeError
            NaN or infinity, with the ids in ``ids``; another K; shapes that do not fit.
        StateError
            Losses in one batch and not in another.
        """
        check_same_rows(ids=ids, logits=logits, labels=labels, losses=losses)
        matrix, given = _batch(logits, labels)
        if matrix.shape[1] != self.n_labels:
            raise ShapeError(
                f"logits of {matrix.shape[1]} labels, expected {self.n_labels}; pass all labels, in the same order"
                " every time"
            )
        self._suspicion.check(matrix)
        self._recorder.update(
            wholes(ids, "ids"), matrix, given, None if losses is None else floats(losses)
        )

    @property
    def n_labels(self) -> int:
        """Number of labels of an example."""
        return int(self._recorder.labels)

    @property
    def names(self) -> list[str] | None:
        """Names of the labels, if they have some."""
        return self._names

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        """Everything, as arrays by name, to be saved with a checkpoint; see `Recorder.state_dict`."""
        state = super().state_dict()
        if self._names is not None:
            text = "\0".join(self._names)
            state[_NAMES_STATE] = np.array(bytearray(text, "utf-8"), dtype=np.uint8)
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state_dict`; see `Recorder.load_state_dict`. Its names, if any, replace these.

        Raises
        ------
        StateError
            A state of other sizes than this recorder's, or a damaged one.
        """
        names = _names_of(state, self._names)
        super().load_state_dict(state)
        self._names = names

    def __setstate__(self, state: dict[str, npt.NDArray[Any]]) -> None:
        self._names = _names_of(state, None)
        super().__setstate__(state)

    def _begin(self, recorder: Any, pass_: str) -> None:
        super()._begin(recorder, pass_)
        self._suspicion = SigmoidSuspicion()

    def _table(self, replicas: list[Any]) -> _datadiet.Table:
        return _datadiet.MultiLabelRecorder.table(replicas, self._pass, self._names)

    def _sizes(self, compiled: Any) -> dict[str, int]:
        return {"examples": compiled.examples, "labels": compiled.labels}

    def _facts(self) -> dict[str, Any]:
        return {**super()._facts(), "by_label": self._recorder.by_label, "names": self._names}


def _names_of(state: Mapping[str, Any], otherwise: list[str] | None) -> list[str] | None:
    if _NAMES_STATE not in state:
        return otherwise
    try:
        return plain(state[_NAMES_STATE]).tobytes().decode("utf-8").split("\0")
    except UnicodeDecodeError as error:
        raise StateError(f"{_NAMES_STATE} is damaged: {error}") from error
