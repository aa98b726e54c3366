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

from collections.abc import Iterable
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
    warn_of_classes,
)
from datadiet.exceptions import ShapeError

__all__ = [
    "aum",
    "confidence",
    "correctness",
    "dual",
    "dyn_unc",
    "forgetting",
    "forgetting_rank",
    "margin_of_mean",
    "mean_el2n",
    "never_learned",
    "tdds",
    "trajectory_scores",
    "variability",
]


def trajectory_scores(
    logits: Floats | None = None,
    labels: Wholes | None = None,
    *,
    probs: Floats | None = None,
    scores: Iterable[str] | None = None,
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
    scores
        Names of the scores wanted, where not all are: fewer are quicker.

    Returns
    -------
    Columns of n float32 by name: ``forgetting``, ``never-learned``, ``aum`` (from logits only),
    ``confidence``, ``variability``, ``correctness``, ``margin-of-mean``, ``dual``, ``dyn-unc``,
    ``mean-el2n``, ``tdds``. Unless `scores` names them, ``margin-of-mean`` and ``tdds`` are left
    out, with a warning, of more than 2²⁵ examples times classes: they need 12 bytes for each.

    Raises
    ------
    ValueError
        A name that is not of a score of training dynamics.

    Examples
    --------
    >>> import numpy as np, datadiet
    >>> logits = np.array([[[0.0, 1.0]], [[2.0, 0.0]], [[0.0, 1.0]]])  # 3 epochs, 1 example
    >>> scores = datadiet.trajectory_scores(logits, labels=[0])
    >>> scores["forgetting"], scores["aum"]
    (array([1.], dtype=float32), array([0.], dtype=float32))
    """
    cube, probabilities = logits_or_probs(logits, probs)
    if isinstance(scores, str):
        raise TypeError(f"scores is {scores!r}; pass a list of names")
    names = None if scores is None else list(scores)
    found = _datadiet.trajectory_scores(cube, labels_of(labels), probabilities, names)
    if names is None and "tdds" not in found:
        warn_of_classes(cube.shape[1], cube.shape[2], 'scores=["margin-of-mean", "tdds"]')
    return found


def _score(name: str, logits: Any, labels: Any, probs: Any = None) -> Column:
    return trajectory_scores(logits, labels, probs=probs, scores=[name])[name]


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


def margin_of_mean(
    logits: Floats | None = None, labels: Wholes | None = None, *, probs: Floats | None = None
) -> Column:
    """Margin of the mean: ln p̄_y − max_{j≠y} ln p̄_j, with p̄ the mean over epochs of p.

    Arguments as for `trajectory_scores`. A mean below 2⁻¹²⁶ is read as that.

    Returns
    -------
    n float32 in [−87.4, 87.4]; **lower is harder**, and likelier mislabelled.

    Source: Pickler, Kamassury, Silva 2025, arXiv:2510.16211. The paper averages the probabilities
    over trainings too: stack their epochs along the first axis to do the same.

    Examples
    --------
    >>> import datadiet
    >>> datadiet.margin_of_mean(probs=[[[0.25, 0.75]], [[0.75, 0.25]]], labels=[0])
    array([0.], dtype=float32)
    """
    return _score("margin-of-mean", logits, labels, probs)


def dyn_unc(
    logits: Floats | None = None, labels: Wholes | None = None, *, probs: Floats | None = None
) -> Column:
    """Dynamic uncertainty: mean over windows of the standard deviation of the true class's probability.

    Arguments as for `trajectory_scores`. Windows are of 10 consecutive epochs, or one of all where
    there are fewer; the deviation divides by one less than their number.

    Returns
    -------
    n float32 in [0, 1/√2]; **higher** is more uncertain, and kept.

    Source: He et al. 2024, arXiv:2306.05175, without the factor of 10 of their code, and with
    every window.

    Examples
    --------
    >>> import datadiet
    >>> datadiet.dyn_unc(probs=[[[0.25, 0.75]], [[0.5, 0.5]], [[0.75, 0.25]]], labels=[0])
    array([0.25], dtype=float32)
    """
    return _score("dyn-unc", logits, labels, probs)


def dual(
    logits: Floats | None = None, labels: Wholes | None = None, *, probs: Floats | None = None
) -> Column:
    """DUAL: mean over windows of (1 − mean) times standard deviation of the true class's probability.

    Arguments and windows as for `dyn_unc`. Give the epochs of the beginning: its authors take 30 of
    200.

    Returns
    -------
    n float32 in [0, 2/√27]; **higher is harder**, and kept.

    Source: Cho et al. 2025, arXiv:2502.06905, without the factor of 10 of their code.

    Examples
    --------
    >>> import datadiet
    >>> datadiet.dual(probs=[[[0.25, 0.75]], [[0.5, 0.5]], [[0.75, 0.25]]], labels=[0])
    array([0.125], dtype=float32)
    """
    return _score("dual", logits, labels, probs)


def mean_el2n(
    logits: Floats | None = None, labels: Wholes | None = None, *, probs: Floats | None = None
) -> Column:
    """Mean over epochs of EL2N, the length of the error vector. Arguments as for `trajectory_scores`.

    Returns
    -------
    n float32 in [0, √2]; **higher is harder**.

    Source: the code of Zheng et al. 2023, arXiv:2210.15809, sums it over the first 10 epochs.

    Examples
    --------
    >>> import datadiet
    >>> datadiet.mean_el2n(probs=[[[1.0, 0.0]], [[0.5, 0.5]]], labels=[0])
    array([0.35355338], dtype=float32)
    """
    return _score("mean-el2n", logits, labels, probs)


def tdds(
    logits: Floats | None = None, labels: Wholes | None = None, *, probs: Floats | None = None
) -> Column:
    """TDDS: a moving average over windows of how unevenly the probabilities change.

    Arguments and windows as for `dyn_unc`. The distance of two consecutive epochs is
    Σ_j |p_j (ln(p_j + 10⁻⁸) − ln(p′_j + 10⁻⁸))|, p′ the earlier; a window's spread is the length of
    the deviation of its distances from their mean; the average is R ← 0.9 spread + 0.1 R from R = 0.

    Returns
    -------
    n float32 in [0, 27.5]; the **higher** are kept.

    Source: the code of Zhang et al. 2024, arXiv:2311.13613.

    Examples
    --------
    >>> import datadiet
    >>> datadiet.tdds(probs=[[[0.5, 0.5]], [[0.5, 0.5]], [[0.5, 0.5]]], labels=[0])
    array([0.], dtype=float32)
    """
    return _score("tdds", logits, labels, probs)
