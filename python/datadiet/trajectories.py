"""Scores of training dynamics from whole trajectories, one score an example out.

Throughout: ``logits`` or ``probs`` is T × n × K (epochs, examples, classes), of float16, bfloat16,
float32 or float64; ``labels`` are n class indices, the same
in every epoch. Without epochs (T = 0) every score is NaN. Trajectories that are too large for
memory, or have holes, go epoch by epoch into a `datadiet.Recorder`, which gives the same numbers, to
the bit where each epoch has every example.

The papers take the logits of training minibatches (training mode, augmented, before the step), in
the order in which an example was presented; logits of an evaluation pass an epoch give another
score of the same name, which is usually close.

All raise `ShapeError`, `DtypeError`, `LabelError`, `NonFiniteError` and `ProbabilityError`, with
the epoch (from 1) in the message and as the attribute ``epoch``.
"""

from __future__ import annotations

from typing import Any

from datadiet import _datadiet
from datadiet._arrays import (
    Column,
    Floats,
    Wholes,
    check_same_rows,
    floats,
    labels_of,
    logits_or_probs,
    marks,
)
from datadiet.exceptions import ShapeError

__all__ = [
    "aum",
    "confidence",
    "correctness",
    "forgetting",
    "forgetting_rank",
    "never_learned",
    "trajectory_scores",
    "variability",
]


def trajectory_scores(
    logits: Floats | None = None, labels: Wholes | None = None, *, probs: Floats | None = None
) -> dict[str, Column]:
    """All scores of training dynamics from one walk through the epochs.

    Parameters
    ----------
    logits
        T × n × K floats, or
    labels
        n class indices.
    probs
        T × n × K probabilities, instead of logits.

    Returns
    -------
    Columns of n float32 by name: ``forgetting``, ``never-learned``, ``aum`` (from logits only),
    ``confidence``, ``variability``, ``correctness``.

    Examples
    --------
    >>> import numpy as np, datadiet
    >>> logits = np.array([[[0.0, 1.0]], [[2.0, 0.0]], [[0.0, 1.0]]])  # 3 epochs, 1 example
    >>> scores = datadiet.trajectory_scores(logits, labels=[0])
    >>> scores["forgetting"], scores["aum"]
    (array([1.], dtype=float32), array([0.], dtype=float32))
    """
    cube, probabilities = logits_or_probs(logits, probs)
    return _datadiet.trajectory_scores(cube, labels_of(labels), probabilities)


def _score(name: str, logits: Any, labels: Any, probs: Any = None) -> Column:
    return trajectory_scores(logits, labels, probs=probs)[name]


def forgetting(
    logits: Floats | None = None,
    labels: Wholes | None = None,
    *,
    probs: Floats | None = None,
    correct: Any = None,
) -> Column:
    """Forgetting events: how often an example goes from correct to wrong between epochs.

    Parameters
    ----------
    logits
        T × n × K floats, or
    labels
        n class indices.
    probs
        T × n × K probabilities, or
    correct
        T × n marks of whether the prediction was right; then no labels are needed.

    Returns
    -------
    n counts as float32; **higher is harder**. A never-learned example has 0: see `never_learned`,
    and `forgetting_rank` to rank by both.

    Source: Toneva et al. 2019, arXiv:1812.05159, algorithm 1.

    Examples
    --------
    >>> import datadiet
    >>> datadiet.forgetting(correct=[[0, 0], [1, 0], [0, 0], [1, 0], [0, 0]])
    array([2., 0.], dtype=float32)
    """
    if correct is not None:
        return _of_correct(correct)[0]
    return _score("forgetting", logits, labels, probs)


def never_learned(
    logits: Floats | None = None,
    labels: Wholes | None = None,
    *,
    probs: Floats | None = None,
    correct: Any = None,
) -> Column:
    """Whether an example was wrong in every epoch. Arguments as for `forgetting`.

    Returns
    -------
    n float32, 1 or 0; **higher is harder**.

    Source: Toneva et al. 2019, arXiv:1812.05159.

    Examples
    --------
    >>> import datadiet
    >>> datadiet.never_learned(correct=[[0, 0], [1, 0]])
    array([0., 1.], dtype=float32)
    """
    if correct is not None:
        return _of_correct(correct)[1]
    return _score("never-learned", logits, labels, probs)


def _of_correct(correct: Any) -> list[Column]:
    array = marks(correct, "correct")
    if array.ndim != 2:
        raise ShapeError(f"correct of shape {array.shape}; pass epochs × examples (T × n)")
    return _datadiet.forgetting_of_correct(array)


def forgetting_rank(forgetting: Floats, never_learned: Floats) -> Column:
    """One column that ranks by forgetting, with never-learned examples on top.

    Parameters
    ----------
    forgetting
        n mean numbers of events over replicas.
    never_learned
        n fractions of replicas that never learned the example.

    Returns
    -------
    n float32; **higher is harder**. The scale depends on the set: use it for ranks only.

    Raises
    ------
    ShapeError, StatisticsError
        Lengths that differ; a fraction outside [0, 1].

    Examples
    --------
    >>> import datadiet
    >>> datadiet.forgetting_rank([0.0, 7.0, 0.0], [0.0, 0.0, 1.0])
    array([0., 7., 8.], dtype=float32)
    """
    check_same_rows(forgetting=forgetting, never_learned=never_learned)
    return _datadiet.forgetting_key(floats(forgetting), floats(never_learned))


def aum(logits: Floats, labels: Wholes) -> Column:
    """AUM, the area under the margin: mean over epochs of logit_y − max_{j≠y} logit_j.

    Parameters
    ----------
    logits
        T × n × K floats: logits, not probabilities.
    labels
        n class indices.

    Returns
    -------
    n float32 in (−∞, ∞); **lower is harder**, and likelier mislabelled.

    Source: Pleiss et al. 2020, arXiv:2001.10528, equation 2.

    Examples
    --------
    >>> import datadiet
    >>> datadiet.aum([[[3.0, 1.0, 0.0]], [[0.0, 1.0, 0.0]]], labels=[0])
    array([0.5], dtype=float32)
    """
    return _score("aum", logits, labels)


def confidence(
    logits: Floats | None = None, labels: Wholes | None = None, *, probs: Floats | None = None
) -> Column:
    """Mean over epochs of the true class's probability. Arguments as for `trajectory_scores`.

    Returns
    -------
    n float32 in [0, 1]; **lower is harder**.

    Source: dataset cartography, Swayamdipta et al. 2020, arXiv:2009.10795.

    Examples
    --------
    >>> import datadiet
    >>> datadiet.confidence(probs=[[[0.25, 0.75]], [[0.75, 0.25]]], labels=[0])
    array([0.5], dtype=float32)
    """
    return _score("confidence", logits, labels, probs)


def variability(
    logits: Floats | None = None, labels: Wholes | None = None, *, probs: Floats | None = None
) -> Column:
    """Standard deviation over epochs of the true class's probability (population, not sample).

    Arguments as for `trajectory_scores`.

    Returns
    -------
    n float32 in [0, 1/2]; **higher** is more ambiguous.

    Source: dataset cartography, Swayamdipta et al. 2020, arXiv:2009.10795.

    Examples
    --------
    >>> import datadiet
    >>> datadiet.variability(probs=[[[0.25, 0.75]], [[0.75, 0.25]]], labels=[0])
    array([0.25], dtype=float32)
    """
    return _score("variability", logits, labels, probs)


def correctness(
    logits: Floats | None = None, labels: Wholes | None = None, *, probs: Floats | None = None
) -> Column:
    """Fraction of epochs in which the prediction is right. Arguments as for `trajectory_scores`.

    Returns
    -------
    n float32 in [0, 1]; **lower is harder**.

    Source: dataset cartography, Swayamdipta et al. 2020, arXiv:2009.10795.

    Examples
    --------
    >>> import datadiet
    >>> datadiet.correctness(probs=[[[0.25, 0.75]], [[0.75, 0.25]]], labels=[0])
    array([0.5], dtype=float32)
    """
    return _score("correctness", logits, labels, probs)
