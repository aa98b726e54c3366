"""Subsets against NumPy's stable sort."""

from typing import get_args

import numpy as np
import pytest

import datadiet
from datadiet import _datadiet


@pytest.fixture
def scores(chance):
    return np.round(chance.normal(size=1000), 1).astype(np.float32)


def order(scores):
    return np.lexsort((np.arange(len(scores)), scores))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_both_ends_and_windows(scores, dtype):
    scores = scores.astype(dtype)
    ascending = order(scores)
    for found, expected in [
        (datadiet.select(scores, 0.3), ascending[700:]),
        (datadiet.select(scores, count=300, rule="highest"), ascending[700:]),
        (datadiet.select(scores, count=300, rule="easiest"), ascending[:300]),
        (datadiet.select(scores, count=300, rule="lowest"), ascending[:300]),
        (datadiet.select(scores, count=300, higher_is_harder=False), ascending[:300]),
        (datadiet.select(scores, 0.3, rule="window", offset=0.5), ascending[500:800]),
        (datadiet.select(scores, 0.3, rule="window", offset=20), ascending[20:320]),
    ]:
        assert found.dtype == np.uint32
        np.testing.assert_array_equal(found, np.sort(expected))


def test_scores_of_64_bits_are_not_rounded(chance):
    """Confidences of nearly 1 differ in digits that 32 bits do not have."""
    places = chance.permutation(1000)
    scores = 1 - 1e-9 * places
    np.testing.assert_array_equal(
        datadiet.select(scores, count=100), np.sort(np.argsort(-scores)[:100])
    )
    tied = 1 - 1e-9 * (places // 10)
    found = datadiet.select(tied, 0.3, rule="window", offset=0.2)
    np.testing.assert_array_equal(found, np.sort(order(tied)[200:500]))
    scores[7] = np.nan
    assert 7 not in datadiet.select(scores, 0.5, drop_unscored=True)
    times = 1_700_000_000_000_000_000 + places  # nanoseconds, which 64-bit floats round
    np.testing.assert_array_equal(
        datadiet.select(times, count=100), np.sort(np.argsort(times)[900:])
    )
    with pytest.raises(datadiet.SelectionError, match="all 3 examples have the score 0.1"):
        datadiet.select([0.1, 0.1, 0.1], 0.5)


def test_infinite_and_huge_scores_keep_their_order():
    scores = [1e300, np.inf, -np.inf, -1e300, 1e299, 0.0, -0.0]
    assert datadiet.select(scores, count=2).tolist() == [0, 1]
    assert datadiet.select(scores, count=2, rule="easiest").tolist() == [2, 3]
    # −0 ties with 0, and the tie goes by id.
    assert datadiet.select(scores, count=3, rule="easiest").tolist() == [2, 3, 5]


def test_chance_repeats_itself(scores):
    once = datadiet.select(scores, 0.5, rule="random", seed=3)
    np.testing.assert_array_equal(once, datadiet.select(scores, 0.5, rule="random", seed=3))
    assert not np.array_equal(once, datadiet.select(scores, 0.5, rule="random", seed=4))
    missing = np.full(10, np.nan)
    assert len(datadiet.select(missing, 0.5, rule="random")) == 5


def test_coverage_drops_the_hardest(scores):
    kept = datadiet.select(scores, 0.2, rule="ccs", cut=0.3)
    assert len(kept) == 200
    assert scores[kept].max() <= np.sort(scores)[700]
    # All strata are there: the spread is that of the candidates.
    assert scores[kept].min() < np.quantile(scores, 0.05)


def test_quotas(scores, chance):
    labels = chance.choice(4, size=1000, p=[0.6, 0.2, 0.15, 0.05])
    balanced = datadiet.select(scores, count=100, labels=labels, quota="balanced")
    assert np.bincount(labels[balanced]).tolist() == [25] * 4
    shares = datadiet.select(scores, 0.5, labels=labels, quota="proportional")
    kept, of = np.bincount(labels[shares]), np.bincount(labels)
    assert np.abs(kept - of / 2).max() <= 1


def test_missing_scores(scores):
    scores[5] = np.nan
    with pytest.raises(datadiet.SelectionError, match="1 example.*first ids 5.*drop_unscored=True"):
        datadiet.select(scores, 0.5)
    kept = datadiet.select(scores, 0.5, drop_unscored=True)
    assert len(kept) == 500
    assert 5 not in kept


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "how many"),
        ({"keep": 0.5, "count": 1}, "how many"),
        ({"keep": 0.0}, "not a fraction"),
        ({"keep": 40}, "write 0.4"),
        ({"count": 0}, "at least 1"),
        ({"count": 4}, "4 of 3"),
        ({"count": 10**20}, "of 3 examples cannot be kept"),
        ({"keep": 0.5, "rule": "random", "seed": -1}, "seed -1"),
        ({"keep": 0.5, "rule": "ccs", "strata": 2**32}, "cannot be"),
        ({"keep": 0.5, "offset": 0.1}, "`offset` belongs to the rule `window`"),
        ({"keep": 0.5, "cut": 0.1}, "`cut` belongs to the rule `ccs`"),
        ({"keep": 0.5, "rule": "window"}, "where does the window begin"),
        ({"keep": 0.5, "rule": "window", "offset": 5}, "below 3"),
        ({"keep": 0.9, "rule": "window", "offset": 0.9}, "passes the end"),
        ({"keep": 0.5, "rule": "best"}, "no rule is called"),
        ({"keep": 0.5, "rule": "ccs", "strata": 0}, "0 strata"),
        ({"keep": 0.5, "quota": "balanced"}, "needs labels"),
        ({"keep": 0.5, "quota": "fair", "labels": [0, 0, 0]}, "no quota is called"),
        ({"count": 1, "labels": [0, 0, 1]}, "class 0 keeps none.*allow_empty_class=True"),
    ],
)
def test_requests_that_make_no_sense(arguments, message):
    with pytest.raises(datadiet.SelectionError, match=message):
        datadiet.select([1.0, 2.0, 3.0], **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 2.5}, "count is 2.5; pass a whole number"),
        ({"keep": "0.5"}, "keep is '0.5'; pass a number"),
        ({"keep": 0.5, "rule": "ccs", "strata": 2.5}, "strata is 2.5"),
        ({"keep": 0.5, "rule": "ccs", "cut": "0.1"}, "cut is '0.1'"),
        ({"keep": 0.5, "rule": "window", "offset": [1]}, r"offset is \[1\]"),
        ({"keep": 0.5, "seed": 0.5}, "seed is 0.5"),
    ],
)
def test_requests_that_are_no_numbers(arguments, message):
    with pytest.raises(TypeError, match=message):
        datadiet.select([1.0, 2.0, 3.0], **arguments)


def test_numbers_of_numpy_are_numbers():
    for amount in ({"keep": np.float32(0.5)}, {"count": np.int64(2)}, {"keep": np.array(0.5)}):
        assert len(datadiet.select([1.0, 2.0, 3.0, 4.0], **amount, seed=np.uint8(1))) == 2


def test_a_class_may_vanish_when_asked(scores):
    assert len(datadiet.select([1.0, 2.0], count=1, labels=[0, 1], allow_empty_class=True)) == 1


def test_labels_that_do_not_fit():
    with pytest.raises(datadiet.ShapeError, match="3 scores but 1 labels"):
        datadiet.select([1.0, 2.0, 3.0], 0.5, labels=[0])
    with pytest.raises(datadiet.LabelError):
        datadiet.select([1.0, 2.0, 3.0], 0.5, labels=[0, -1, 0])
    with pytest.raises(datadiet.SelectionError, match="all 3 examples have the score 1"):
        datadiet.select([1.0, 1.0, 1.0], 0.5)


def test_the_names_are_those_of_the_compiled_part():
    assert get_args(datadiet.selection.Rule) == _datadiet.RULES
    assert get_args(datadiet.selection.Quota) == _datadiet.QUOTAS
