"""Scores of one forward pass: logits (or probabilities) and labels in, one number an example out.

Throughout: ``logits`` or ``probs`` is n × K, of float16, bfloat16 (`ml_dtypes`, JAX, PyTorch),
float32 or float64; ``labels`` are n class indices in 0..K. Frames and columns of pandas, polars and
pyarrow are taken too. Arrays in one piece of memory (of PyTorch: on the CPU) are read without a copy,
others are copied. Python's lock is released meanwhile. Rows are computed in at least float32 and given
as float32. Take logits in eval mode on un-augmented examples; nothing here can check that. For scores
over replicas, take the mean over the replicas' scores. When to use which:
`datadiet.SCORES`.

The same logits have the same bits here, in a `Recorder`, in ``datadiet ingest`` and in ``datadiet
score``, but for `el2n` alone of more than 32 classes, which takes a shorter way and may
differ in the last digits; the ``el2n`` of `logit_scores` does not.

All raise `ShapeError` (lengths that do not fit, fewer than two classes, frames whose indices differ),
`DtypeError`, `LabelError` (a label outside 0..K, or a missing one), `NonFiniteError` (NaN, infinity or a
missing value, with the rows) and `ProbabilityError` (a negative probability, a row whose sum is further
than 0.01 from 1, or the outputs of a softmax given as logits). Rows of probabilities that were rounded,
so that they sum to a little more or less than 1, are divided by their sums, with a warning.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from datadiet import _datadiet
from datadiet._arrays import (
    Column,
    Floats,
    Wholes,
    check_same_rows,
    labels_of,
    logits_or_probs,
)

__all__ = [
    "correct",
    "el2n",
    "entropy",
    "l1",
    "logit_scores",
    "log_margin",
    "loss",
    "max_margin",
    "sum_margin",
]


def _score(name: str, logits: Any, labels: Any, probs: Any) -> Column:
    check_same_rows(logits=logits, probs=probs, labels=labels)
    matrix, probabilities = logits_or_probs(logits, probs)
    return _datadiet.logit_score(name, matrix, labels_of(labels), probabilities)


def el2n(
    logits: Floats | None = None, labels: Wholes | None = None, *, probs: Floats | None = None
) -> Column:
    """EL2N, the length of the error vector: ‖p − y‖₂, p = softmax(logits), y one-hot.

    Parameters
    ----------
    logits
        n × K floats, or
    labels
        n class indices.
    probs
        n × K probabilities, instead of logits.

    Returns
    -------
    n float32 in [0, √2]; **higher is harder**.

    Source: Paul, Ganguli, Dziugaite 2021, arXiv:2107.07075. It is most useful a few epochs into
    training and as a mean over about ten trainings.

    Examples
    --------
    >>> import datadiet
    >>> datadiet.el2n([[2.0, 0.0, 0.0], [0.0, 1.0, 3.0]], labels=[0, 1]).round(3)
    array([0.261, 1.224], dtype=float32)
    >>> datadiet.el2n(probs=[[0.75, 0.25]], labels=[0]).round(3)
    array([0.354], dtype=float32)
    >>> datadiet.el2n([[0.0, float("nan")]], labels=[0])
    Traceback (most recent call last):
    ...
    datadiet.exceptions.NonFiniteError: logits: 1 row(s) hold NaN or infinity, first rows [0]; ...
    """
    return _score("el2n", logits, labels, probs)


def l1(
    logits: Floats | None = None, labels: Wholes | None = None, *, probs: Floats | None = None
) -> Column:
    """L1 error: ‖p − y‖₁ = 2 (1 − p_y). Arguments as for `el2n`.

    Returns
    -------
    n float32 in [0, 2]; **higher is harder**.

    Source: the code released with Paul, Ganguli, Dziugaite 2021, arXiv:2107.07075.

    Examples
    --------
    >>> import datadiet
    >>> datadiet.l1(probs=[[0.75, 0.25]], labels=[0])
    array([0.5], dtype=float32)
    """
    return _score("l1", logits, labels, probs)


def loss(
    logits: Floats | None = None, labels: Wholes | None = None, *, probs: Floats | None = None
) -> Column:
    """Cross-entropy −ln p_y in nats, without label smoothing. Arguments as for `el2n`.

    Returns
    -------
    n float32 in [0, ∞), always finite; **higher is harder**. From probabilities it is at most
    87.4: a probability of 0 has lost its digits.

    Examples
    --------
    >>> import datadiet
    >>> datadiet.loss([[0.0, 0.0], [0.0, 1000.0]], labels=[1, 0]).round(4)
    array([6.931e-01, 1.000e+03], dtype=float32)
    """
    return _score("loss", logits, labels, probs)


def entropy(
    logits: Floats | None = None, labels: Wholes | None = None, *, probs: Floats | None = None
) -> Column:
    """Entropy of the prediction, −Σ p ln p in nats. Arguments as for `el2n`.

    The labels do not enter; they are checked all the same, since the other scores of the same
    logits need them.

    Returns
    -------
    n float32 in [0, ln K]; **higher is harder** (less sure).

    Examples
    --------
    >>> import datadiet
    >>> datadiet.entropy([[0.0, 0.0]], labels=[0]).round(4)
    array([0.6931], dtype=float32)
    """
    return _score("entropy", logits, labels, probs)


def max_margin(
    logits: Floats | None = None, labels: Wholes | None = None, *, probs: Floats | None = None
) -> Column:
    """Largest wrong probability minus the true one: max_{j≠y} p_j − p_y. Arguments as for `el2n`.

    Returns
    -------
    n float32 in [−1, 1]; **higher is harder**, above 0 the prediction is wrong.

    Source: the code released with Paul, Ganguli, Dziugaite 2021, arXiv:2107.07075. The margin on
    logits, with the opposite sign and over training, is `aum`.

    Examples
    --------
    >>> import datadiet
    >>> datadiet.max_margin(probs=[[0.5, 0.25, 0.25]], labels=[0])
    array([-0.25], dtype=float32)
    """
    return _score("max-margin", logits, labels, probs)


def log_margin(
    logits: Floats | None = None, labels: Wholes | None = None, *, probs: Floats | None = None
) -> Column:
    """Log of the true minus log of the largest wrong probability: ln p_y − max_{j≠y} ln p_j.

    Of logits it is logit_y − max_{j≠y} logit_j, exactly. Arguments as for `el2n`.

    Returns
    -------
    n float32 in (−∞, ∞); **lower is harder**, below 0 the prediction is wrong.

    Source: Pickler, Kamassury, Silva 2025, arXiv:2510.16211, who average over a training: see `aum` and
    `margin_of_mean`.

    Examples
    --------
    >>> import datadiet
    >>> datadiet.log_margin([[1.0, 3.0, 2.0]], labels=[0])
    array([-2.], dtype=float32)
    """
    return _score("log-margin", logits, labels, probs)


def sum_margin(
    logits: Floats | None = None, labels: Wholes | None = None, *, probs: Floats | None = None
) -> Column:
    """Sum over wrong classes of p_j − p_y, which is 1 − K p_y. Arguments as for `el2n`.

    Returns
    -------
    n float32 in [1 − K, 1]; **higher is harder**.

    Source: the code released with Paul, Ganguli, Dziugaite 2021, arXiv:2107.07075.

    Examples
    --------
    >>> import datadiet
    >>> datadiet.sum_margin(probs=[[0.5, 0.25, 0.25]], labels=[0])
    array([-0.5], dtype=float32)
    """
    return _score("sum-margin", logits, labels, probs)


def correct(
    logits: Floats | None = None, labels: Wholes | None = None, *, probs: Floats | None = None
) -> Column:
    """Whether the prediction is the label; ties go to the lowest class. Arguments as for `el2n`.

    Returns
    -------
    n float32, 1 or 0; **lower is harder**.

    Examples
    --------
    >>> import datadiet
    >>> datadiet.correct([[0.0, 0.0], [0.0, 1.0]], labels=[0, 0])
    array([1., 0.], dtype=float32)
    """
    return _score("correct", logits, labels, probs)


def logit_scores(
    logits: Floats | None = None, labels: Wholes | None = None, *, probs: Floats | None = None
) -> dict[str, npt.NDArray[np.float32] | npt.NDArray[np.uint32]]:
    """All scores of this module from one pass over the rows. Arguments as for `el2n`.

    Returns
    -------
    Columns by name: ``el2n``, ``l1``, ``loss``, ``entropy``, ``max-margin``, ``sum-margin``, ``log-margin``,
    ``correct`` (float32), and ``predicted``, the predicted classes (uint32).

    Examples
    --------
    >>> import datadiet
    >>> scores = datadiet.logit_scores([[2.0, 0.0, 0.0], [0.0, 1.0, 3.0]], labels=[0, 1])
    >>> list(scores)
    ['el2n', 'l1', 'loss', 'entropy', 'max-margin', 'sum-margin', 'log-margin', 'correct', 'predicted']
    >>> scores["predicted"]
    array([0, 2], dtype=uint32)
    """
    check_same_rows(logits=logits, probs=probs, labels=labels)
    matrix, probabilities = logits_or_probs(logits, probs)
    return _datadiet.logit_scores(matrix, labels_of(labels), probabilities)
