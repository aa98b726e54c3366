"""Bad arrays: each has its class, its attributes, and a message with the next thing to do."""

import numpy as np
import pytest

import datadiet

GOOD = np.zeros((3, 2), dtype=np.float32)


@pytest.mark.parametrize(
    ("logits", "labels", "error", "message"),
    [
        (GOOD, [0, 1], datadiet.ShapeError, "expected 4 values, found 6"),
        (GOOD[:, :1], [0, 0, 0], datadiet.ShapeError, "at least 2"),
        (GOOD[0], [0], datadiet.ShapeError, r"shape \[2\].*n × K"),
        (GOOD[np.newaxis], [0, 0, 0], datadiet.ShapeError, "n × K"),
        (GOOD, [[0], [0], [0]], datadiet.ShapeError, r"labels of shape \[3, 1\]"),
        (GOOD, [0, 2, 0], datadiet.LabelError, "row 1 has label 2"),
        (GOOD, [0, -1, 0], datadiet.LabelError, "row 1 has label -1"),
        (GOOD, [0.0, 0.5, 0.0], datadiet.DtypeError, r"labels: float64.*row 1 has 0\.5"),
        (GOOD, ["a", "b", "c"], datadiet.DtypeError, "labels: str"),
        (GOOD.astype(complex), [0, 0, 0], datadiet.DtypeError, "logits: complex128"),
        (np.full((3, 2), "a", dtype=object), [0, 0, 0], datadiet.DtypeError, "logits: object"),
        (GOOD.astype(np.longdouble), [0, 0, 0], datadiet.DtypeError, "logits: longdouble|float128"),
        ([[0.0, 1.0], [0.0]], [0, 0], datadiet.ShapeError, "rows of one length"),
        (GOOD + np.inf, [0, 0, 0], datadiet.NonFiniteError, r"3 row\(s\)"),
    ],
)
@pytest.mark.parametrize("function", [datadiet.el2n, datadiet.loss, datadiet.logit_scores])
def test_bad_logits(function, logits, labels, error, message):
    with pytest.raises(error, match=message) as caught:
        function(logits, labels)
    assert isinstance(caught.value, datadiet.DatadietError)
    assert isinstance(caught.value, (ValueError, TypeError))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_attributes(dtype):
    logits = np.zeros((100, 3), dtype=dtype)
    logits[[3, 50, 51, 52, 53, 99], 1] = np.nan
    with pytest.raises(datadiet.NonFiniteError) as caught:
        datadiet.el2n(logits, np.zeros(100, dtype=int))
    assert (caught.value.rows, caught.value.total) == ([3, 50, 51, 52, 53], 6)
    with pytest.raises(datadiet.LabelError) as caught:
        datadiet.el2n(np.zeros((2, 3), dtype=dtype), [0, 7])
    assert (caught.value.row, caught.value.label, caught.value.classes) == (1, 7, 3)


@pytest.mark.parametrize(
    ("probs", "value", "message"),
    [
        ([[0.5, 0.5], [0.5, 0.511]], 1.011, "sums to 1.01"),
        ([[0.5, 0.5], [1.1, -0.1]], -0.1, "is not a probability"),
        ([[50.0, 50.0]], 100, "divide each row by its sum"),
    ],
)
def test_probabilities_that_are_none(probs, value, message):
    with pytest.raises(datadiet.ProbabilityError, match=message) as caught:
        datadiet.el2n(probs=probs, labels=[0] * len(probs))
    assert caught.value.row == len(probs) - 1
    assert caught.value.value == pytest.approx(value, rel=1e-6)
    assert "from_logits" not in str(caught.value)


def test_half_precision_probabilities_are_within_the_tolerance():
    probs = np.full((1, 1000), 0.001, dtype=np.float16)
    assert np.isfinite(datadiet.el2n(probs=probs, labels=[0])).all()


def test_missing_arguments():
    with pytest.raises(TypeError, match="either logits or probs"):
        datadiet.el2n(labels=[0])
    with pytest.raises(TypeError, match="either logits or probs"):
        datadiet.el2n(GOOD, [0], probs=GOOD)
    with pytest.raises(TypeError, match="labels"):
        datadiet.el2n(GOOD)


def test_every_error_is_exported():
    errors = [value for value in vars(datadiet.exceptions).values() if isinstance(value, type)]
    for error in errors:
        if issubclass(error, datadiet.DatadietError):
            assert getattr(datadiet, error.__name__) is error
