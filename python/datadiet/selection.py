"""Subsets of the training set by score."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np

from datadiet import _datadiet
from datadiet._arrays import (
    Floats,
    Ids,
    Wholes,
    check_row_numbers,
    check_same_rows,
    floats,
    scores_of,
    wholes,
)
from datadiet.exceptions import SelectionError

__all__ = ["Quota", "Rule", "select"]

Rule: TypeAlias = Literal["hardest", "easiest", "highest", "lowest", "random", "window", "ccs"]
"""Which part of the order of scores is kept."""

Quota: TypeAlias = Literal["none", "proportional", "balanced"]
"""How a subset is shared out over the classes."""


def select(
    scores: Floats,
    keep: float | None = None,
    *,
    count: int | None = None,
    rule: Rule = "hardest",
    higher_is_harder: bool = True,
    offset: float | None = None,
    cut: float | None = None,
    strata: int | None = None,
    labels: Wholes | None = None,
    quota: Quota = "none",
    allow_empty_class: bool = False,
    drop_unscored: bool = False,
    seed: int = 0,
) -> Ids:
    """Ids of a subset of the training set, chosen by score.

    There is one order: ascending score, ties by ascending id. Every rule keeps a part of it.

    Parameters
    ----------
    scores
        n floats, the score of example i at index i. They are ordered as they are: float64 is not
        rounded, but for the strata of ``ccs``, which has its order and its strata from float32.
    keep
        Fraction to **keep**, in (0, 1], or
    count
        the number of examples to keep.
    rule
        ``hardest`` or ``easiest`` end, ``highest`` or ``lowest`` values, ``random``, a ``window``
        that begins at `offset`, or ``ccs``: coverage-centred (Zheng et al. 2023,
        arXiv:2210.15809), without the hardest `cut`, evenly over strata of the score.
    higher_is_harder
        False for AUM, confidence and correctness; matters to ``hardest``, ``easiest``, ``ccs``.
    offset
        Of ``window``: the fraction of the ascending order before it, in [0, 1), or a number of
        examples, from 1.
    cut
        Of ``ccs``: the fraction of the hardest to drop, in [0, 1); 0.1 if not given.
    strata
        Of ``ccs``: number of strata of equal width; 50 if not given.
    labels
        n class indices, below 2²⁰; needed for a quota.
    quota
        ``none``: scores alone decide; ``proportional``: each class keeps the same fraction;
        ``balanced``: the same number, as far as it has so many.
    allow_empty_class
        Whether a class of `labels` may keep nothing.
    drop_unscored
        Leave out examples whose score is NaN, instead of refusing.
    seed
        Of ``random`` and ``ccs``; the same seed gives the same subset.

    Returns
    -------
    Ascending ids, uint32.

    Raises
    ------
    TypeError
        A number that is none, such as ``keep="0.5"``, or ``count=2.5``.
    SelectionError
        A size of 0 or above n, options that do not belong to the rule, NaN, scores that are all
        equal, a class that keeps nothing.
    IdError
        A column of pandas whose index has other numbers for its rows than 0, 1, 2, ….
    ShapeError, LabelError
        Labels that do not fit.

    Examples
    --------
    >>> import datadiet
    >>> el2n = [0.9, 0.1, 0.5, 0.1, 1.3]
    >>> datadiet.select(el2n, keep=0.4)
    array([0, 4], dtype=uint32)
    >>> datadiet.select(el2n, count=1, rule="easiest")
    array([1], dtype=uint32)
    >>> datadiet.select(el2n, count=2, rule="window", offset=0.2)
    array([2, 3], dtype=uint32)
    >>> datadiet.select(el2n, count=2, labels=[0, 0, 1, 1, 0], quota="balanced")
    array([2, 4], dtype=uint32)
    """
    check_same_rows(scores=scores, labels=labels)
    check_row_numbers(scores, "scores")
    values = floats(scores) if rule == "ccs" else scores_of(scores)
    if values.size and not values.ndim:
        values = values[np.newaxis]
    request = request_of(
        len(values),
        keep,
        count=count,
        rule=rule,
        higher_is_harder=higher_is_harder,
        offset=offset,
        cut=cut,
        strata=strata,
        quota=quota,
        allow_empty_class=allow_empty_class,
        drop_unscored=drop_unscored,
        seed=seed,
    )
    return _datadiet.select(values, None if labels is None else wholes(labels), request)


def request_of(
    examples: int,
    keep: float | None = None,
    *,
    count: int | None = None,
    rule: Rule = "hardest",
    higher_is_harder: bool = True,
    offset: float | None = None,
    cut: float | None = None,
    strata: int | None = None,
    quota: Quota = "none",
    allow_empty_class: bool = False,
    drop_unscored: bool = False,
    seed: int = 0,
) -> dict[str, Any]:
    """The options of a choice among so many examples, checked, as the compiled part takes them."""
    _check_numbers(keep=keep, offset=offset, cut=cut)
    _check_whole_numbers(count=count, strata=strata, seed=seed)
    if strata is not None and not 0 <= strata < 2**32:
        raise SelectionError(f"{strata} strata cannot be; use 50, as the authors do")
    if not 0 <= seed < 2**64:
        raise SelectionError(f"seed {seed} is not in 0..2**64; pass a whole number such as 0")
    return {
        "rule": rule,
        "higher_is_harder": higher_is_harder,
        "quota": quota,
        "allow_empty_class": allow_empty_class,
        "drop_unscored": drop_unscored,
        "seed": seed,
        **_amount(keep, count, examples),
        "offset": offset,
        "cut": cut,
        "strata": strata,
    }


def _check_numbers(**given: Any) -> None:
    for name, value in given.items():
        if value is not None and not hasattr(value, "__float__"):
            raise TypeError(f"{name} is {value!r}; pass a number")


def _check_whole_numbers(**given: Any) -> None:
    for name, value in given.items():
        if value is not None and not hasattr(value, "__index__"):
            raise TypeError(f"{name} is {value!r}; pass a whole number")


def _amount(keep: float | None, count: int | None, n: int) -> dict[str, float | int | None]:
    if (keep is None) == (count is None):
        raise SelectionError("how many? Pass keep (a fraction, such as 0.5) or count (a number)")
    if count is not None and count < 1:
        raise SelectionError(f"{count} examples cannot be kept; ask for at least 1")
    if count is not None and count > n > 0:
        raise SelectionError(f"{count} of {n} examples cannot be kept; ask for 1 to {n}")
    return {"keep": keep, "count": count}
