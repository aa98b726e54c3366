"""Scores of training dynamics against NumPy, Toneva's rule by hand, and the other ways in."""

import ml_dtypes
import numpy as np
import pytest
import reference
import torch

import datadiet

NAMES = [
    "forgetting",
    "never-learned",
    "aum",
    "confidence",
    "variability",
    "correctness",
    "margin-of-mean",
    "dual",
    "dyn-unc",
    "mean-el2n",
    "tdds",
]


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64])
def test_scores_of_logits(trajectory, dtype):
    logits, labels = trajectory
    logits = logits.astype(dtype)
    expected = reference.trajectory(logits.astype(np.float64), labels)
    found = datadiet.trajectory_scores(logits, labels)
    assert set(found) == set(NAMES)
    for name in NAMES:
        np.testing.assert_allclose(found[name], expected[name], rtol=2e-6, atol=2e-6, err_msg=name)
        function = getattr(datadiet, name.replace("-", "_"))
        np.testing.assert_array_equal(function(logits, labels), found[name])


def test_scores_of_probabilities(trajectory):
    logits, labels = trajectory
    probs = reference.softmax(logits).astype(np.float32)
    expected = reference.trajectory(logits, labels)
    found = datadiet.trajectory_scores(probs=probs, labels=labels)
    assert set(found) == set(NAMES) - {"aum"}
    for name, column in found.items():
        np.testing.assert_allclose(column, expected[name], rtol=2e-6, atol=2e-6, err_msg=name)


def test_fewer_scores_are_the_same_scores(trajectory):
    logits, labels = trajectory
    found = datadiet.trajectory_scores(logits, labels)
    for names in (["tdds", "aum"], ["dual"], []):
        some = datadiet.trajectory_scores(logits, labels, scores=names)
        assert set(some) == set(names)
        for name, column in some.items():
            np.testing.assert_array_equal(column, found[name])
    with pytest.raises(ValueError, match="did you mean `dual`"):
        datadiet.trajectory_scores(logits, labels, scores=["duel"])
    with pytest.raises(ValueError, match="el2n is not a score of training dynamics"):
        datadiet.trajectory_scores(logits, labels, scores=["el2n"])
    with pytest.raises(TypeError, match="pass a list of names"):
        datadiet.trajectory_scores(logits, labels, scores="tdds")


def test_the_mean_over_trainings_is_that_of_their_epochs(trajectory, chance):
    """As `margin_of_mean` says: the paper's average is over epochs and trainings."""
    logits, labels = trajectory
    other = logits + chance.normal(size=logits.shape).astype(np.float32)
    mean = np.log((reference.softmax(logits) + reference.softmax(other)).mean(axis=0))
    own = mean[np.arange(len(labels)), labels].copy()
    mean[np.arange(len(labels)), labels] = -np.inf
    found = datadiet.margin_of_mean(np.concatenate([logits, other]), labels)
    np.testing.assert_allclose(found, own - mean.max(axis=1), atol=2e-6)


def test_probabilities_of_zero_have_a_margin():
    probs = np.array([[[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]])
    found = datadiet.margin_of_mean(probs=probs, labels=[0, 0])
    np.testing.assert_allclose(found, [126 * np.log(0.5), 126 * np.log(2)], rtol=1e-6)
    swapped = np.concatenate([probs, probs[:, ::-1]])
    assert np.isfinite(datadiet.tdds(probs=swapped, labels=[0, 0])).all()


def test_many_classes_leave_out_what_needs_numbers_of_each():
    logits = np.zeros((1, 2**12 + 1, 2**13), np.float16)
    with pytest.warns(UserWarning, match="margin-of-mean and tdds are left out"):
        found = datadiet.trajectory_scores(logits, np.zeros(len(logits[0]), int))
    assert set(found) == set(NAMES) - {"margin-of-mean", "tdds"}


def test_more_examples_than_one_thread_takes(chance):
    logits = chance.normal(size=(4, 5000, 3)).astype(np.float32)
    labels = chance.integers(0, 3, 5000)
    expected = reference.trajectory(logits, labels)
    for name, column in datadiet.trajectory_scores(logits, labels).items():
        np.testing.assert_allclose(column, expected[name], rtol=2e-6, atol=2e-6, err_msg=name)


def test_forgetting_of_marks(trajectory):
    logits, labels = trajectory
    right = logits.argmax(axis=2) == labels
    for marks in (right, right.astype(np.int64), right.tolist()):
        np.testing.assert_array_equal(
            datadiet.forgetting(correct=marks), datadiet.forgetting(logits, labels)
        )
        np.testing.assert_array_equal(
            datadiet.never_learned(correct=marks), datadiet.never_learned(logits, labels)
        )


def test_never_learned_ranks_above_every_count():
    events = datadiet.forgetting(correct=[[1, 0], [0, 0], [1, 0], [0, 0]])
    never = datadiet.never_learned(correct=[[1, 0], [0, 0], [1, 0], [0, 0]])
    assert events.tolist() == [2, 0]
    key = datadiet.forgetting_rank(events, never)
    assert key[1] > key[0]


def test_the_recorder_says_the_same(trajectory):
    logits, labels = trajectory
    recorder = datadiet.Recorder(len(labels), 5)
    for epoch in logits:
        recorder.update(np.arange(len(labels)), epoch, labels)
        recorder.end_epoch()
    table = recorder.table()
    for name, column in datadiet.trajectory_scores(logits, labels).items():
        np.testing.assert_allclose(table[f"{name}@12"], column, rtol=1e-6, atol=1e-7, err_msg=name)


def test_the_recorder_does_not_round_64_bits_either(trajectory):
    """Margins of a millionth between logits of thousands, which 32 bits do not have."""
    _, labels = trajectory
    logits = np.full((12, len(labels), 5), 4096.0)
    logits[:, np.arange(len(labels)), labels] += 1e-6 * np.arange(1, len(labels) + 1)
    recorder = datadiet.Recorder(len(labels), 5)
    for epoch in logits:
        recorder.update(np.arange(len(labels)), epoch, labels)
        recorder.end_epoch()
    aum = datadiet.aum(logits, labels)
    np.testing.assert_allclose(aum, 1e-6 * np.arange(1, len(labels) + 1), rtol=1e-5)
    np.testing.assert_allclose(recorder.table()["aum@12"], aum, rtol=1e-6)


def test_tensors_in_a_list_are_a_trajectory(trajectory):
    """Of bfloat16, or while they need a gradient, NumPy takes no tensors out of a list."""
    logits, labels = trajectory
    for dtype in (torch.bfloat16, torch.float32):
        epochs = torch.from_numpy(logits).to(dtype)
        marks = [torch.tensor(int(label)) for label in labels]
        found = datadiet.aum([epoch.clone().requires_grad_() for epoch in epochs], marks)
        np.testing.assert_array_equal(found, datadiet.aum(epochs, labels))
    uneven = [epochs[0], epochs[1, :-1]]
    with pytest.raises(datadiet.ShapeError, match="rows of one length"):
        datadiet.aum(uneven, labels)
    with pytest.raises(datadiet.DtypeError, match="rows of one type"):
        datadiet.aum([epochs[0], epochs[1].bfloat16()], labels)


def test_errors_name_the_epoch_and_the_row(trajectory):
    logits, labels = trajectory
    logits[7, 299, 2] = np.nan
    with pytest.raises(datadiet.NonFiniteError, match=r"epoch 8: .*rows \[299\]") as caught:
        datadiet.aum(logits, labels)
    assert (caught.value.epoch, caught.value.rows, caught.value.total) == (8, [299], 1)


def test_probabilities_give_no_aum(trajectory):
    with pytest.raises(TypeError):
        datadiet.aum(probs=np.zeros((1, 1, 2)), labels=[0])


def test_nothing_seen_is_nan():
    nothing = np.empty((0, 2, 3))
    of_logits = datadiet.trajectory_scores(nothing, [0, 1])
    of_probs = datadiet.trajectory_scores(probs=nothing, labels=[0, 1])
    assert list(of_logits) == NAMES
    assert list(of_probs) == [name for name in NAMES if name != "aum"]
    for column in (*of_logits.values(), *of_probs.values()):
        np.testing.assert_array_equal(column, [np.nan, np.nan])
    np.testing.assert_array_equal(datadiet.confidence(probs=nothing, labels=[0, 1]), [np.nan] * 2)
    assert datadiet.trajectory_scores(np.empty((3, 0, 3)), [])["aum"].shape == (0,)


def test_one_epoch_or_one_example(chance):
    logits = chance.normal(size=(1, 1, 4))
    found = datadiet.trajectory_scores(logits, [2])
    expected = reference.trajectory(logits, [2])
    for name in NAMES:
        np.testing.assert_allclose(found[name], expected[name], rtol=2e-6, atol=1e-7)
