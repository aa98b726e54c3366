"""Statistics of score columns: rank correlation, label-noise detection, reliability of replicas; how many
labels are wrong, by the confident joint.

All raise `ShapeError` (lengths or axes that do not fit), `StatisticsError` (NaN, with its place; too few
entries) and `UndefinedError` (a constant column).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from datadiet import _datadiet
from datadiet._arrays import (
    Floats,
    Wholes,
    check_same_rows,
    floats,
    labels_of,
    logits_or_probs,
    marks,
    scores_of,
    whole_numbers,
)
from datadiet.exceptions import ShapeError

__all__ = [
    "ConfidentJoint",
    "NoiseMetrics",
    "Reliability",
    "WrongLabels",
    "confident_joint",
    "noise_metrics",
    "reliability",
    "spearman",
]


def spearman(first: Floats, second: Floats) -> float:
    """Spearman's rank correlation of two columns of the same examples; tied ranks are averaged.

    Parameters
    ----------
    first, second
        n floats each, ranked as they are: float64 is not rounded.

    Returns
    -------
    ρ in [−1, 1], exact up to the last division. Agrees with `scipy.stats.spearmanr`; no p-value,
    since examples of one training set are not independent.

    Raises
    ------
    ShapeError, StatisticsError, UndefinedError
        Lengths that differ; NaN or fewer than 2 entries; a constant column.

    Examples
    --------
    >>> import datadiet
    >>> datadiet.spearman([1.0, 2.0, 3.0], [10.0, 100.0, 1000.0])
    1.0
    >>> datadiet.spearman([1.0, 2.0], [5.0, 5.0])
    Traceback (most recent call last):
    ...
    datadiet.exceptions.UndefinedError: column 1 is constant: ...
    """
    check_same_rows(first=first, second=second)
    return _datadiet.spearman(scores_of(first), scores_of(second))


@dataclass(frozen=True)
class NoiseMetrics:
    """How well a score finds the touched examples."""

    auroc: float
    """Probability that a touched example is more suspect than another, in [0, 1]; 1/2 is chance."""

    average_precision: float
    """In (0, 1]; the fraction touched is chance."""

    precision_at: dict[int, float]
    """For each k asked for, the fraction of touched ones among the k most suspect, in [0, 1]."""

    touched: int
    """Number of touched examples."""

    examples: int
    """Number of examples."""


def noise_metrics(
    scores: Floats,
    touched: Any,
    *,
    at: Iterable[int] = (),
    higher_is_suspect: bool = True,
) -> NoiseMetrics:
    """How well scores find examples whose labels were touched.

    Parameters
    ----------
    scores
        n floats, ranked as they are: float64 is not rounded.
    touched
        n marks (True and False, or 1 and 0) of the examples to be found.
    at
        Numbers k, each in 1..n, to take the precision at. Ties at the k-th place count for their
        share.
    higher_is_suspect
        False for scores whose low end is suspect, such as AUM and confidence.

    Returns
    -------
    `NoiseMetrics`; AUROC and average precision agree with scikit-learn's `roc_auc_score` and
    `average_precision_score`.

    Raises
    ------
    ShapeError, StatisticsError
        Lengths that differ; NaN, no touched or no untouched example, a k out of range.
    TypeError
        `at` is not a list of whole numbers.

    Examples
    --------
    >>> import datadiet
    >>> datadiet.noise_metrics([0.9, 0.8, 0.3, 0.1], [1, 0, 1, 0], at=[2])
    NoiseMetrics(auroc=0.75, average_precision=0.83..., precision_at={2: 0.5}, touched=2, examples=4)
    """
    check_same_rows(scores=scores, touched=touched)
    values = scores_of(scores)
    mask = marks(touched, "touched")
    at = whole_numbers(at, "at")
    auroc, average, precision, count = _datadiet.detection(values, mask, at, higher_is_suspect)
    return NoiseMetrics(auroc, average, dict(zip(at, precision, strict=True)), count, len(values))


@dataclass(frozen=True)
class Reliability:
    """How far the mean of some replicas can be trusted."""

    half: float
    """Mean Spearman correlation between the means of two halves of the replicas, in [−1, 1]."""

    single: float
    """Predicted reliability of one replica, in [0, 1]."""

    full: float
    """Predicted reliability of the mean of all replicas, in [0, 1]."""

    replicas_for_95: int | None
    """Predicted number of replicas whose mean has reliability 0.95; None if no number does."""


def reliability(replicas: Floats) -> Reliability:
    """Split-half reliability of a score, stepped up by Spearman and Brown's formula.

    Parameters
    ----------
    replicas
        R × n floats, rounded to float32: the score of n examples in R ≥ 2 independent trainings.
        Examples that lack a value (NaN) in a replica are left out.

    Raises
    ------
    ShapeError, StatisticsError, UndefinedError
        An array of another number of axes; fewer than 2 replicas; a half whose means are all equal.

    Examples
    --------
    >>> import datadiet
    >>> datadiet.reliability([[1.0, 2.0, 3.0], [1.0, 3.0, 2.0]]).half
    0.5
    """
    columns = floats(replicas)
    if columns.ndim != 2:
        raise ShapeError(f"replicas of shape {columns.shape}; pass replicas × examples (R × n)")
    return Reliability(**_datadiet.reliability(columns))


@dataclass(frozen=True)
class WrongLabels:
    """How many labels of a table look wrong, as `ScoreTable.wrong_labels` estimates it.

    ``str()`` of it is the sentence that ``datadiet suspects`` prints. Where the scores do not tell how
    many, `cannot_tell` says why and all numbers are None.
    """

    column: str | None
    """The column that the estimate is of; None where the table has none that tells."""

    count: int | None
    """How many labels look wrong."""

    fraction: float | None
    """The same as a fraction of the examples with a score, in [0, 1/2]."""

    interval: tuple[float, float] | None
    """95 % interval of the fraction over resamples of the examples. It knows nothing of what may be wrong
    with the fit."""

    suspects: int | None
    """How many of the suspects to look at: those that are likelier wrong than right."""

    by: str
    """The column that suspects are listed by."""

    down_to: float | None
    """Its value at the last of them."""

    cannot_tell: str | None
    """Why there is no number; None where there is."""

    text: str
    """All of this in a sentence."""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class ConfidentJoint:
    """How many examples of each label the networks confidently take for each class, K classes."""

    thresholds: npt.NDArray[np.float64]
    """K mean probabilities of the own label, in (0, 1]; NaN for a class without examples."""

    counts: npt.NDArray[np.uint64]
    """K × K: given label, then confident class."""

    joint: npt.NDArray[np.float64]
    """K × K fractions of the examples: given label, then true label; they sum to 1."""

    wrong: float
    """The fraction of wrong labels, in [0, 1]: what of `joint` lies off the diagonal."""


def confident_joint(
    logits: Floats | None = None, labels: Wholes | None = None, *, probs: Floats | None = None
) -> ConfidentJoint:
    """The confident joint of given and true labels, and with it the fraction of wrong ones.

    Parameters
    ----------
    logits
        n × K floats, or
    labels
        n class indices.
    probs
        n × K probabilities, instead of logits. Best **out of sample**: of networks that were not trained
        on the example, as by cross-validation. Networks that memorised the labels confirm them.

    Returns
    -------
    `ConfidentJoint`. `counts` agrees with cleanlab's ``compute_confident_joint(…, calibrate=False)``;
    `joint` with its ``estimate_joint`` but for the rounding to whole examples there.

    Raises
    ------
    ShapeError, DtypeError, LabelError, NonFiniteError, ProbabilityError
        As `datadiet.el2n`.

    Source: Northcutt, Jiang, Chuang 2021, arXiv:1911.00068.

    Examples
    --------
    >>> import datadiet
    >>> probs = [[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.9, 0.1]]
    >>> found = datadiet.confident_joint(probs=probs, labels=[0, 0, 1, 1])
    >>> found.counts
    array([[1, 0],
           [1, 1]], dtype=uint64)
    >>> found.wrong
    0.25
    """
    check_same_rows(logits=logits, probs=probs, labels=labels)
    matrix, probabilities = logits_or_probs(logits, probs)
    return ConfidentJoint(*_datadiet.confident_joint(matrix, labels_of(labels), probabilities))
