"""Scores of regressions: against NumPy, and a recorder through ranks and checkpoints."""

import io
import pickle

import numpy as np
import pytest
import torch
from test_recorder import same

import datadiet

N, EPOCHS = 30, 6


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 5, 4)])
def test_scores_are_those_of_numpy(chance, shape, kind):
    outputs, targets = (torch.tensor(chance.normal(size=(20, *shape))) for _ in range(2))
    outputs = outputs.to(getattr(torch, kind))
    for wanted in (targets, targets.to(outputs.dtype)):
        off = (outputs.double() - wanted.double()).reshape(20, -1).numpy()
        found = datadiet.regression_scores(outputs, wanted)
        np.testing.assert_allclose(found["error-norm"], np.linalg.norm(off, axis=1), rtol=1e-7)
        np.testing.assert_allclose(found["loss"], (off**2).mean(axis=1), rtol=1e-7)


def test_differences_are_taken_in_64_bits():
    found = datadiet.regression_scores(np.array([1e9 + 1]), np.array([1e9]))
    assert found["error-norm"].tolist() == [1]


@pytest.mark.parametrize(
    ("outputs", "targets", "error", "message"),
    [
        (np.zeros((3, 1)), np.zeros(3), datadiet.ShapeError, "on both"),
        (np.zeros((3, 0)), np.zeros((3, 0)), datadiet.ShapeError, "no numbers"),
        (np.array([0.0, np.nan]), np.zeros(2), datadiet.NonFiniteError, r"outputs.*\[1\]"),
        (np.zeros(2), np.array([np.inf, 0.0]), datadiet.NonFiniteError, r"targets.*\[0\]"),
        (np.array([1e30]), np.array([-1e30]), datadiet.NonFiniteError, "squared errors"),
        (["a"], ["b"], datadiet.DtypeError, "outputs"),
    ],
)
def test_bad_outputs(outputs, targets, error, message):
    with pytest.raises(error, match=message):
        datadiet.regression_scores(outputs, targets)


@pytest.fixture
def training(chance):
    """Outputs that come closer to their targets; three of which were changed."""
    truth = chance.normal(size=(N, 2))
    outputs = truth + chance.normal(size=(EPOCHS, N, 2)) / np.arange(1, EPOCHS + 1)[:, None, None]
    wrong = [3, 11, 28]
    targets = truth.copy()
    targets[wrong] += 20
    return outputs, targets, wrong


def recorded(training, *, parts=1, **options):
    outputs, targets, _ = training
    recorders = [datadiet.RegressionRecorder(N, **options) for _ in range(parts)]
    for seed, epoch in enumerate(outputs):
        order = np.random.default_rng(seed).permutation(N)
        for place, ids in enumerate(np.array_split(order, 4)):
            recorders[place % parts].update(ids, epoch[ids], targets[ids])
        for recorder in recorders:
            recorder.end_epoch()
    recorders[0].merge_ranks(*recorders[1:])
    return recorders[0]


def test_every_score_against_numpy(training):
    outputs, targets, wrong = training
    table = recorded(training, keep_at=[2]).table()
    errors = np.linalg.norm(outputs - targets, axis=2)
    expected = {
        "error-norm@2": errors[1],
        "error-norm@6": errors[5],
        "loss@6": errors[5] ** 2 / 2,
        "mean-loss@6": (errors**2 / 2).mean(axis=0),
        "mean-error@6": errors.mean(axis=0),
        "error-std@6": errors.std(axis=0),
        "error-ratio@6": errors.mean(axis=0) / errors.std(axis=0),
    }
    for name, column in expected.items():
        np.testing.assert_allclose(table[name], column, rtol=3e-6, err_msg=name)
    assert set(table.top(3, by="error-ratio@end")["id"]) == set(wrong)
    assert table.card["task"] == "regression"


def test_ranks_are_as_one_recorder_bit_for_bit(training):
    same(recorded(training, keep_at=[1]).table(), recorded(training, keep_at=[1], parts=3).table())


@pytest.mark.parametrize("mergeable", [True, False])
def test_a_checkpoint_in_mid_epoch_goes_on_bit_for_bit(training, mergeable):
    outputs, targets, _ = training
    stopped = datadiet.RegressionRecorder(N, keep_at=[1], mergeable=mergeable)
    stopped.update(range(N), outputs[0], targets)
    stopped.end_epoch()
    stopped.update(range(9), outputs[1, :9], targets[:9])
    file = io.BytesIO()
    torch.save({k: torch.from_numpy(v) for k, v in stopped.state_dict().items()}, file)
    file.seek(0)
    going = datadiet.RegressionRecorder(N)
    going.load_state_dict(torch.load(file))
    going = pickle.loads(pickle.dumps(going))
    for recorder in (stopped, going):
        recorder.update(range(9, N), outputs[1, 9:], targets[9:])
        recorder.end_epoch()
    same(stopped.table(), going.table())


def test_after_one_epoch_there_is_no_ratio_and_losses_may_be_given(training):
    outputs, targets, _ = training
    recorder = datadiet.RegressionRecorder(N)
    with pytest.raises(datadiet.ShapeError, match="one loss"):
        recorder.update(range(1, N), outputs[0, 1:], targets[1:], losses=[0.1])
    recorder.update(range(1, N), outputs[0, 1:], targets[1:], losses=np.arange(1.0, N))
    recorder.end_epoch()
    table = recorder.table()
    assert "error-ratio@1" not in table and "mean-error@1" in table
    np.testing.assert_array_equal(table["loss@1"][1:], np.arange(1, N))
    assert np.isnan(table["mean-error@1"][0]) and recorder.unseen.tolist() == [1]


def test_bad_batches_are_refused_with_their_ids_and_change_nothing(training):
    outputs, targets, _ = training
    recorder = datadiet.RegressionRecorder(N)
    recorder.update(range(10), outputs[0, :10], targets[:10])
    before = recorder.state_dict()
    broken = outputs[0].copy()
    broken[12, 0] = np.inf
    cases = [
        ((range(10, 20), broken[10:20], targets[10:20]), {}, datadiet.NonFiniteError, r"\[12\]"),
        (([9, 10], outputs[0, 9:11], targets[9:11]), {}, datadiet.IdError, "example 9 was seen"),
        (([N], outputs[0, :1], targets[:1]), {}, datadiet.IdError, f"id {N}"),
        ((range(5), outputs[0, :6], targets[:6]), {}, datadiet.ShapeError, "outputs"),
        (
            (range(10, 20), outputs[0, 10:20], targets[10:20]),
            {"losses": [0.1] * 10},
            datadiet.StateError,
            "with every batch",
        ),
    ]
    for arguments, options, error, message in cases:
        with pytest.raises(error, match=message):
            recorder.update(*arguments, **options)

    np.testing.assert_equal(recorder.state_dict(), before)


def test_losses_are_given_always_or_never():
    recorder = datadiet.RegressionRecorder(2)
    recorder.update([0], [1.0], [0.5], losses=[3.0])
    with pytest.raises(datadiet.StateError, match="none of this batch"):
        recorder.update([1], [1.0], [0.5])
    recorder.update([1], [1.0], [0.5], losses=[-1.0])
    recorder.end_epoch()
    assert recorder.table()["loss@1"].tolist() == [3, -1]


def test_rows_of_pandas_that_differ_are_refused():
    pandas = pytest.importorskip("pandas")
    recorder = datadiet.RegressionRecorder(2)
    ids = pandas.Series([1, 0], index=[1, 0])
    with pytest.raises(datadiet.ShapeError, match="ids and outputs have different indices"):
        recorder.update(ids, pandas.Series([1.0, 2.0]), [0.0, 0.0])
