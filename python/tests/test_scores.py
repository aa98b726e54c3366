"""Scores of one forward pass against NumPy in float64, over types of numbers and layouts."""

import threading

import ml_dtypes
import numpy as np
import pytest
import reference
import torch

import datadiet
from datadiet._arrays import floats

NAMES = ["el2n", "l1", "loss", "entropy", "max-margin", "sum-margin", "log-margin", "correct"]


def function(name):
    return getattr(datadiet, name.replace("-", "_"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64])
def test_scores_of_logits(batch, name, dtype):
    logits, labels = batch
    logits = np.clip(logits, -60_000, 60_000).astype(dtype)
    expected = reference.scores(logits.astype(np.float64), labels)[name]
    found = function(name)(logits, labels)
    assert found.dtype == np.float32
    assert found.shape == (200,)
    # float32's rounding, and that of sums of seven.
    np.testing.assert_allclose(found, expected, rtol=3e-6, atol=3e-7)


@pytest.mark.parametrize("name", NAMES)
def test_scores_of_probabilities(batch, name):
    logits, labels = batch
    probs = reference.softmax(logits).astype(np.float32)
    expected = reference.scores_of_probs(probs, labels)[name]
    found = function(name)(probs=probs, labels=labels)
    finite = np.isfinite(expected)
    np.testing.assert_allclose(found[finite], expected[finite], rtol=3e-6, atol=3e-7)
    # Where a probability is 0 its logarithm is cut.
    assert np.isfinite(found).all()
    assert name == "loss" or finite.all()


def test_all_scores_at_once_are_those_of_each(batch):
    logits, labels = batch
    scores = datadiet.logit_scores(logits, labels)
    assert list(scores) == [*NAMES, "predicted"]
    for name in NAMES:
        np.testing.assert_allclose(
            scores[name], function(name)(logits, labels), rtol=1e-6, atol=1e-6
        )
    np.testing.assert_array_equal(scores["predicted"], logits.argmax(axis=1))
    assert scores["predicted"].dtype == np.uint32


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int8, np.int16, np.int32, np.int64, np.uint16, np.uint32, np.uint64]
)
def test_labels_of_any_whole_type(batch, dtype):
    logits, labels = batch
    expected = datadiet.el2n(logits, labels)
    np.testing.assert_array_equal(datadiet.el2n(logits, labels.astype(dtype)), expected)


def layouts(logits):
    yield "column-major", np.asfortranarray(logits)
    wide = np.full((len(logits), 20), np.nan, dtype=logits.dtype)
    wide[:, 3:10] = logits
    yield "part of wider rows", wide[:, 3:10]
    yield "every second row", np.repeat(logits, 2, axis=0)[::2]
    yield "other byte order", logits.astype(logits.dtype.newbyteorder())
    odd = np.zeros(logits.nbytes + 1, dtype=np.uint8)
    odd[1:] = np.frombuffer(logits.tobytes(), dtype=np.uint8)
    yield "misaligned", odd[1:].view(logits.dtype).reshape(logits.shape)
    frozen = logits.copy()
    frozen.flags.writeable = False
    yield "read-only", frozen
    yield "list", logits.tolist()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_layouts_of_memory(batch, dtype):
    logits, labels = batch
    logits = logits.astype(dtype)
    expected = datadiet.el2n(logits, labels)
    for name, layout in layouts(logits):
        # A list of Python's floats has 64 bits.
        np.testing.assert_allclose(datadiet.el2n(layout, labels), expected, rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("part", [slice(None), slice(None, None, 2)])
def test_bfloat16_of_torch(batch, part):
    """NumPy has no such type, so that its bits are handed over."""
    logits, labels = batch
    tensor = torch.from_numpy(logits).bfloat16()
    expected = datadiet.logit_scores(tensor.float().numpy()[part], labels[part])
    found = datadiet.logit_scores(tensor[part], torch.from_numpy(labels)[part])
    for name, column in expected.items():
        np.testing.assert_array_equal(found[name], column, err_msg=name)
    scores = tensor[:, 0]
    assert datadiet.spearman(scores, scores.float()) == 1
    with pytest.raises(datadiet.DtypeError, match="labels: bfloat16"):
        datadiet.el2n(tensor, scores)


def test_bfloat16_of_torch_is_not_copied(batch):
    tensor = torch.from_numpy(batch[0]).bfloat16()
    assert floats(tensor).ctypes.data == tensor.data_ptr()


def test_rows_do_not_depend_on_how_many_there_are(chance):
    logits = chance.normal(size=(5000, 10)).astype(np.float32)
    labels = chance.integers(0, 10, 5000)
    together = datadiet.el2n(logits, labels)
    parts = [datadiet.el2n(logits[i : i + 7], labels[i : i + 7]) for i in range(0, 5000, 7)]
    np.testing.assert_array_equal(together, np.concatenate(parts))


def test_no_examples():
    assert datadiet.el2n(np.empty((0, 3)), []).shape == (0,)
    assert len(datadiet.logit_scores(np.empty((0, 3)), [])["predicted"]) == 0


def test_extreme_logits_stay_finite():
    logits = np.array([[1e38, -1e38], [-1e38, 1e38], [0, 0]], dtype=np.float32)
    scores = datadiet.logit_scores(logits, [0, 0, 0])
    assert all(np.isfinite(column).all() for column in scores.values())
    np.testing.assert_allclose(scores["el2n"], [0, np.sqrt(2), np.sqrt(0.5)], rtol=1e-6)


def test_the_interpreter_is_free_meanwhile(chance):
    """Another thread runs Python while a score is computed."""
    logits = chance.normal(size=(400_000, 50)).astype(np.float32)
    labels = chance.integers(0, 50, len(logits))
    running, counted = threading.Event(), []

    def score():
        running.set()
        datadiet.logit_scores(logits, labels)
        running.clear()

    thread = threading.Thread(target=score)
    thread.start()
    running.wait()
    while running.is_set():
        counted.append(1)
    thread.join()
    assert len(counted) > 1000


def test_arguments_are_left_as_they_were(batch):
    logits, labels = batch
    before = logits.copy(), labels.copy()
    datadiet.logit_scores(logits, labels)
    np.testing.assert_array_equal(before[0], logits)
    np.testing.assert_array_equal(before[1], labels)


def test_catalogue_names_every_score():
    names = [score["name"] for score in datadiet.SCORES]
    assert set(NAMES) < set(names)
    assert {"grand", "forgetting", "aum", "variability"} < set(names)
    aum = datadiet.SCORES[names.index("aum")]
    assert aum["higher_is_harder"] is False
    assert "2001.10528" in aum["reference"]
    assert datadiet.SCORES["aum"] is aum and "aum" in datadiet.SCORES and aum in datadiet.SCORES
    assert "aun" not in datadiet.SCORES and datadiet.SCORES[:2] == list(datadiet.SCORES)[:2]
    with pytest.raises(datadiet.ColumnError, match="there is no score el2m; did you mean el2n?"):
        datadiet.SCORES["el2m"]


@pytest.mark.parametrize("name", ["el2n", "l1", "loss", "entropy", "max-margin", "sum-margin"])
def test_rounded_probabilities_are_divided_by_their_sums(name):
    rng = np.random.default_rng(5)
    probs = rng.dirichlet(np.ones(7), 300).round(3)
    labels = rng.integers(0, 7, 300)
    divided = probs / probs.sum(axis=1, keepdims=True)
    with pytest.warns(UserWarning, match="rounded numbers; each such row is divided by its sum"):
        found = function(name)(probs=probs, labels=labels)
    np.testing.assert_allclose(found, function(name)(probs=divided, labels=labels), atol=1e-6)
