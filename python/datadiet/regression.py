"""Scores of examples whose outputs are numbers: how far they are from their targets.

An output may have any shape: one number, a vector, an image. Errors are in the units of the targets, so bring
outputs of several units to one scale first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy.typing as npt

from datadiet import _datadiet
from datadiet._arrays import Column, Floats, Wholes, check_same_rows, floats, wholes
from datadiet._datadiet import RECORDED_PASS
from datadiet._loss_recording import options, reference_losses
from datadiet._recording import check_examples
from datadiet._task_recorder import TaskRecorder
from datadiet.exceptions import ShapeError
from datadiet.table import ScoreTable

__all__ = ["RegressionRecorder", "regression_scores"]


def regression_scores(outputs: Floats, targets: Floats) -> dict[str, Column]:
    """Scores of a regression.

    Parameters
    ----------
    outputs, targets
        n × … floats of one shape: an example a row, each of any shape. An axis of length 1 on one side alone
        (n × 1 and n) is refused: taking their difference would give n × n.

    Returns
    -------
    By name, n numbers each: ``error-norm`` ‖ŷ − y‖₂ over all numbers of the output, and ``loss``, their mean
    squared error; **higher is harder**. Differences are taken in 64 bits.

    Raises
    ------
    NonFiniteError, ShapeError, DtypeError
        NaN or infinity, with the rows; shapes that differ; values that are not numbers.

    Examples
    --------
    >>> import datadiet
    >>> datadiet.regression_scores([[3.0, 4.0], [1.0, 1.0]], [[0.0, 0.0], [1.0, 1.0]])
    {'error-norm': array([5., 0.], dtype=float32), 'loss': array([12.5,  0. ], dtype=float32)}
    """
    return _datadiet.regression_scores(*_batch(outputs, targets))


def _batch(outputs: Any, targets: Any) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Arrays that fit each other, with an example a row."""
    check_same_rows(outputs=outputs, targets=targets)
    found, wanted = floats(outputs), floats(targets)
    if found.ndim == 0 or found.shape != wanted.shape:
        raise ShapeError(
            f"outputs of shape {list(found.shape)}, targets of shape {list(wanted.shape)}; pass both in one shape,"
            " an example a row (of one number an example drop the last axis, or add it, on both: outputs[:, 0], or with a"
            " trainer's callback TrainerRecorder(recorder, logits=lambda outputs: outputs.logits[:, 0]))"
        )
    if found[:1].size == 0 and len(found):
        raise ShapeError(f"outputs of shape {list(found.shape)} have no numbers; pass some")
    size = found[:1].size if len(found) else 1
    return found.reshape(len(found), size), wanted.reshape(len(wanted), size)


class RegressionRecorder(TaskRecorder):
    """Records a regression over training, and makes a table of scores of it.

    Call `update` with every batch and `end_epoch` after every epoch. Then `table` has, at the last epoch and at
    the epochs of `keep_at`: ``loss`` (the mean squared error, if no other is given) and ``error-norm``; and over
    all epochs ``mean-error``, by which suspects are listed, ``error-std`` and ``error-ratio`` (the mean of the error
    norm by its standard deviation, high where an error stays as it is); and the scores of losses:
    ``mean-loss``, ``loss-std``, ``loss-drop``, ``loss-forgetting`` and, with a `threshold`, ``learned-at``.

    Ids, threads, checkpoints, ranks and replicas are as of `Recorder`, but that targets are not compared, neither
    between epochs (they may be augmented) nor between replicas: see to it that they are the same.

    Parameters
    ----------
    n_examples
        Size of the **full** training set, below 2³² − 1; ids are 0..n_examples − 1.
    keep_at
        Epochs, counted from 1, whose scores of one forward pass are kept beside the last one's.
    mergeable
        Keep what `merge_ranks` needs: 8 bytes an example and epoch.
    threshold
        Loss down to which an example counts as learned.
    reference
        n losses of a reference model, or the table of its recorder, for ``excess-loss``.
    pass_
        Which pass of the network gives the outputs, for the record.

    Examples
    --------
    >>> import datadiet
    >>> recorder = datadiet.RegressionRecorder(2)
    >>> for output in (3.0, 1.0):
    ...     recorder.update(ids=[0, 1], outputs=[output, 0.5], targets=[0.0, 0.0])
    ...     recorder.end_epoch()
    >>> table = recorder.table()
    >>> table["mean-error@2"], table["error-ratio@2"]
    (array([2. , 0.5], dtype=float32), array([ 2., inf], dtype=float32))
    """

    __slots__ = ()

    _compiled = _datadiet.RegressionRecorder

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
        chosen = options(keep_at, mergeable, threshold)
        losses = reference_losses(reference)
        self._begin(_datadiet.RegressionRecorder(n_examples, chosen, losses), pass_)

    def update(
        self, ids: Wholes, outputs: Floats, targets: Floats, *, losses: Floats | None = None
    ) -> None:
        """Record a batch of B examples of the current epoch; all of it or, on an error, nothing.

        Parameters
        ----------
        ids
            B ids, in any order.
        outputs, targets
            B × …, as of `regression_scores`.
        losses
            B losses, where training uses others than the mean squared error: in every batch, or in none.

        Raises
        ------
        IdError
            An id out of range, or recorded before in this epoch (call `end_epoch` after each).
        NonFiniteError, ShapeError, DtypeError
            As of `regression_scores`, with the ids in ``ids``.
        StateError
            Losses in one batch and not in another.
        """
        check_same_rows(ids=ids, outputs=outputs, targets=targets, losses=losses)
        found, wanted = _batch(outputs, targets)
        self._recorder.update(
            wholes(ids, "ids"), found, wanted, None if losses is None else floats(losses)
        )
