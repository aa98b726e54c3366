"""Scores of several labels an example: against PyTorch in 64 bits, and a recorder through ranks and checkpoints."""

import io
import pickle

import numpy as np
import pytest
import torch
from test_recorder import same
from torch.nn import functional as F

import datadiet

N, K, EPOCHS = 40, 6, 5
NAMES = ["cat", "dog", "car", "tree", "sea", "sky"]


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("k", [1, 6, 33])
def test_scores_are_those_of_pytorch(chance, k, kind):
    logits = torch.tensor(chance.normal(0, 5, (50, k))).to(getattr(torch, kind))
    labels = chance.integers(0, 2, (50, k))
    z, y = logits.double(), torch.tensor(labels).double()
    margins = (2 * y - 1) * z
    found = datadiet.multi_label_scores(logits, labels, margins=True)
    expected = {
        "el2n": (z.sigmoid() - y).norm(dim=1),
        "loss": F.binary_cross_entropy_with_logits(z, y, reduction="none").mean(1),
        "correct": ((z > 0) == (y == 1)).all(1),
        "mean-margin": margins.mean(1),
        "least-margin": margins.amin(1),
        "least-margin-label": margins.argmin(1),
        "margins": margins,
    }
    assert list(found) == list(expected)
    for name, column in expected.items():
        np.testing.assert_allclose(found[name], column, rtol=1e-6, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64, np.float32])
def test_labels_may_be_of_any_type(kind):
    labels = np.eye(3, dtype=kind)
    found = datadiet.multi_label_scores(np.eye(3) - 0.5, labels)
    assert found["correct"].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("logits", "labels", "error", "message"),
    [
        (
            np.zeros((2, 3)),
            [[0, 1, 1], [0, 2, 0]],
            datadiet.LabelError,
            "row 1, label 1: 2 is neither",
        ),
        (np.zeros((2, 3)), [[0, 1, 1], [0, np.nan, 0]], datadiet.LabelError, "row 1, label 1: nan"),
        (np.zeros((2, 3)), [[0, 1, 1], [0, 0.5, 0]], datadiet.LabelError, "0.5 is neither 0 nor 1"),
        (np.zeros((2, 3)), [0, 1], datadiet.ShapeError, "datadiet.Recorder"),
        (np.zeros((2, 3)), [[0, 1]] * 2, datadiet.ShapeError, "labels of shape"),
        (np.zeros(3), [0, 1, 0], datadiet.ShapeError, "B × K"),
        (np.zeros((2, 0)), np.zeros((2, 0)), datadiet.ShapeError, "K at least 1"),
        ([[0.0, np.inf]], [[0, 1]], datadiet.NonFiniteError, "first rows"),
    ],
)
def test_bad_labels(logits, labels, error, message):
    with pytest.raises(error, match=message):
        datadiet.multi_label_scores(logits, labels)


@pytest.fixture
def training(chance):
    """Epochs in which labels are learned; of three examples one label is another than the network sees."""
    labels = chance.integers(0, 2, (N, K))
    wrong = [(4, 2), (17, 0), (30, 5)]
    logits = chance.normal(0, 1, (EPOCHS, N, K))
    logits += (2 * labels - 1) * np.arange(1.0, EPOCHS + 1)[:, None, None]
    given = labels.copy()
    for place in wrong:
        given[place] = 1 - given[place]
    return logits.astype(np.float32), given, wrong


def recorded(training, *, parts=1, **options):
    logits, labels, _ = training
    recorders = [datadiet.MultiLabelRecorder(N, K, **options) for _ in range(parts)]
    for seed, epoch in enumerate(logits):
        order = np.random.default_rng(seed).permutation(N)
        for place, ids in enumerate(np.array_split(order, 4)):
            recorders[place % parts].update(ids, epoch[ids], labels[ids])
        for recorder in recorders:
            recorder.end_epoch()
    recorders[0].merge_ranks(*recorders[1:])
    return recorders[0]


def over_time(training):
    logits, labels, _ = training
    margins = (2 * labels - 1) * logits.astype(np.float64)
    right = (logits > 0) == (labels == 1)
    whole = right.all(axis=2)
    means = margins.mean(axis=0)
    return {
        "aum": means.mean(axis=1),
        "least-aum": means.min(axis=1),
        "forgetting": (whole[:-1] & ~whole[1:]).sum(axis=0),
        "label-forgetting": (right[:-1] & ~right[1:]).sum(axis=(0, 2)),
        "never-learned": ~whole.any(axis=0),
        "correctness": whole.mean(axis=0),
    }, means.argmin(axis=1)


def test_every_score_against_numpy(training):
    logits, labels, _ = training
    table = recorded(training, keep_at=[2]).table()
    expected, least = over_time(training)
    assert expected["label-forgetting"].any() and expected["forgetting"].any()
    for name, column in expected.items():
        np.testing.assert_allclose(table[f"{name}@5"], column, rtol=1e-6, atol=1e-6, err_msg=name)
    np.testing.assert_array_equal(table["least-aum-label@5"], least)
    np.testing.assert_array_equal(table["least-aum-given@5"], labels[np.arange(N), least])
    for epoch in (2, 5):
        scores = datadiet.multi_label_scores(logits[epoch - 1], labels)
        for name, column in scores.items():
            np.testing.assert_array_equal(table[f"{name}@{epoch}"], column, err_msg=name)
    assert table.card["task"] == "multi-label"
    formulas = {one["name"]: one["definition"]["formula"] for one in table.describe()}
    assert formulas["el2n@5"].startswith("‖σ(z) − y‖₂")


def test_labels_as_one_take_less_and_lack_what_is_of_each(training):
    whole, one = recorded(training).table(), recorded(training, by_label=False).table()
    lacking = {"least-aum@5", "label-forgetting@5", "least-aum-label@5", "least-aum-given@5"}
    assert set(whole.columns) - set(one.columns) == lacking
    for name in one.columns:
        np.testing.assert_allclose(one[name], whole[name], rtol=1e-6, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("by_label", [True, False])
def test_ranks_are_as_one_recorder(training, by_label):
    whole = recorded(training, keep_at=[1, 3], by_label=by_label).table()
    ranks = recorded(training, keep_at=[1, 3], by_label=by_label, parts=3).table()
    assert whole.columns == ranks.columns
    for name in whole.columns:
        close = name.startswith(("aum", "least-aum@"))
        test = np.testing.assert_allclose if close else np.testing.assert_array_equal
        test(whole[name], ranks[name], err_msg=name)


@pytest.mark.parametrize("options", [{}, {"mergeable": False, "by_label": False}])
def test_a_checkpoint_in_mid_epoch_goes_on_bit_for_bit(training, options):
    logits, labels, _ = training
    stopped = datadiet.MultiLabelRecorder(N, K, keep_at=[1], names=NAMES, threshold=0.2, **options)

    def go_on(recorder):
        recorder.update(np.arange(10, N), logits[2, 10:], labels[10:])
        recorder.end_epoch()
        recorder.update(np.arange(N), logits[3], labels)
        recorder.end_epoch()

    for epoch in logits[:2]:
        stopped.update(np.arange(N), epoch, labels)
        stopped.end_epoch()
    stopped.update(np.arange(10), logits[2, :10], labels[:10])
    file = io.BytesIO()
    torch.save({k: torch.from_numpy(v) for k, v in stopped.state_dict().items()}, file)
    file.seek(0)
    going = datadiet.MultiLabelRecorder(N, K)
    going.load_state_dict(torch.load(file))
    going = pickle.loads(pickle.dumps(going))
    assert (going.names, going.unfinished, going.epochs) == (NAMES, 10, 2)
    go_on(stopped)
    go_on(going)
    same(stopped.table(), going.table())
    with pytest.raises(
        datadiet.StateError, match="40 examples, 6 labels, this recorder 40 examples, 5"
    ):
        datadiet.MultiLabelRecorder(N, 5).load_state_dict(stopped.state_dict())


def test_an_empty_recorder_can_be_saved_by_pytorch():
    state = datadiet.MultiLabelRecorder(3, 2).state_dict()
    file = io.BytesIO()
    torch.save({k: torch.from_numpy(v) for k, v in state.items()}, file)
    file.seek(0)
    datadiet.MultiLabelRecorder(3, 2).load_state_dict(torch.load(file))


def test_suspects_name_the_example_and_the_label(training):
    _, labels, wrong = training
    table = recorded(training, names=NAMES).table()
    top = table.top(3, by="least-aum@end")
    found = list(zip(top["id"], top["least-aum-label@5"], strict=True))
    assert set(found) == {(example, NAMES[label]) for example, label in wrong}
    for row, (example, name) in enumerate(found):
        assert top["least-aum-given@5"][row] == labels[example, NAMES.index(name)]


def test_replicas_are_averaged_and_vote_for_the_label(training):
    logits, labels, _ = training
    first = recorded((logits[:2], labels, None))
    second = recorded((logits[3:], labels, None))
    table = first.merge(second)
    np.testing.assert_allclose(
        table["least-aum@2"],
        (first.table()["least-aum@2"] + second.table()["least-aum@2"]) / 2,
        rtol=1e-6,
    )
    both = np.stack([first.table()["least-aum-label@2"], second.table()["least-aum-label@2"]])
    np.testing.assert_array_equal(table["least-aum-label@2"], both.min(axis=0))


def test_replicas_of_other_labels_are_refused(training):
    logits, labels, _ = training
    other = labels.copy()
    other[9, 1] = 1 - other[9, 1]
    first, second = (recorded((logits[:2], these, None)) for these in (labels, other))
    with pytest.raises(datadiet.LabelError, match="9"):
        first.merge(second)


@pytest.mark.parametrize("k", [2, 6, 20])
def test_outputs_of_sigmoids_are_not_taken_for_logits(chance, k):
    labels = chance.integers(0, 2, (N, k))
    logits = chance.normal(0, 1, (N, k)) + 2 * (2 * labels - 1)
    outputs = (1 / (1 + np.exp(-logits))).astype(np.float32)
    with pytest.raises(datadiet.ProbabilityError, match="before the sigmoid"):
        datadiet.multi_label_scores(outputs, labels)
    recorder = datadiet.MultiLabelRecorder(N, k)
    with pytest.raises(datadiet.ProbabilityError, match="before the sigmoid"):
        for batch in np.split(np.arange(N), 20):
            recorder.update(batch, outputs[batch], labels[batch])
    # One row that is none ends the suspicion, and so do small numbers of an untrained network of few labels.
    recorder = datadiet.MultiLabelRecorder(N, k)
    recorder.update([0], logits[:1] + 7, labels[:1])
    recorder.update(range(1, N), outputs[1:], labels[1:])
    small = chance.uniform(0, 0.4, (N, 2))
    datadiet.multi_label_scores(small, labels[:, :2])


def test_losses_of_the_training_may_be_given(training):
    logits, labels, _ = training
    recorder = datadiet.MultiLabelRecorder(N, K)
    recorder.update(np.arange(N), logits[0], labels, losses=np.arange(N, dtype=np.float64))
    recorder.end_epoch()
    np.testing.assert_array_equal(recorder.table()["loss@1"], np.arange(N))


def test_bad_batches_are_refused_with_their_ids_and_change_nothing(training):
    logits, labels, _ = training
    recorder = datadiet.MultiLabelRecorder(N, K)
    recorder.update(range(20), logits[0, :20], labels[:20])
    before = recorder.state_dict()
    broken = logits[0].copy()
    broken[22, 1] = np.nan
    other = labels.copy()
    other[3, 2] = 1 - other[3, 2]
    cases = [
        ((range(20, 30), broken[20:30], labels[20:30]), {}, datadiet.NonFiniteError, r"\[22\]"),
        (
            (range(20, 30), logits[0, 20:30, :5], labels[20:30, :5]),
            {},
            datadiet.ShapeError,
            "5 labels",
        ),
        (
            ([19, 25], logits[0, [19, 25]], labels[[19, 25]]),
            {},
            datadiet.IdError,
            "example 19 was seen",
        ),
        (([N], logits[0, :1], labels[:1]), {}, datadiet.IdError, f"id {N}"),
        (([25], logits[0, [25, 26]], labels[[25, 26]]), {}, datadiet.ShapeError, "logits"),
        (
            (range(20, 30), logits[0, 20:30], labels[20:30]),
            {"losses": 0.5},
            datadiet.ShapeError,
            "reduction",
        ),
    ]
    for arguments, options, error, message in cases:
        with pytest.raises(error, match=message):
            recorder.update(*arguments, **options)

    np.testing.assert_equal(recorder.state_dict(), before)
    recorder.end_epoch()
    with pytest.raises(datadiet.LabelError, match="example 3: its label 2 is now"):
        recorder.update(range(20), logits[1, :20], other[:20])
    theirs = datadiet.MultiLabelRecorder(N, K)
    theirs.update(range(20), logits[0, :20], other[:20])
    theirs.end_epoch()
    with pytest.raises(datadiet.LabelError, match="example 3: its label 2"):
        recorder.merge_ranks(theirs)


def test_labels_are_named_where_some_examples_are_never_seen():
    for names, none in ((["cat", "dog"], ""), (None, 2**32 - 1)):
        recorder = datadiet.MultiLabelRecorder(3, n_labels=2, names=names)
        recorder.update([0, 2], [[2.0, -1.0], [0.5, 3.0]], [[1, 0], [1, 0]])
        recorder.end_epoch()
        table = recorder.table()
        for kind in ("least-aum", "least-margin"):
            labels = list(table[f"{kind}-label@1"])
            assert labels == (["dog", "", "dog"] if names else [1, none, 1])
            assert table[f"{kind}-given@1"].tolist() == [0, 0, 0]


def recorded_with(losses, ids=(0,)):
    recorder = datadiet.MultiLabelRecorder(2, n_labels=2)
    recorder.update(list(ids), [[2.0, -1.0]], [[1, 0]], losses=losses)
    return recorder


def test_losses_are_given_always_or_never():
    for before, now in (([0.5], None), (None, [0.5])):
        recorder = recorded_with(before)
        for again in (recorder, pickle.loads(pickle.dumps(recorder))):
            with pytest.raises(
                datadiet.StateError, match="with every batch of a training or with none"
            ):
                again.update([1], [[2.0, -1.0]], [[1, 0]], losses=now)
            again.update([1], [[2.0, -1.0]], [[1, 0]], losses=before)
        with pytest.raises(datadiet.StateError, match="whether losses are given"):
            recorded_with(before).merge_ranks(recorded_with(now, ids=[1]))
        one, other = recorded_with(before), recorded_with(now)
        one.end_epoch(), other.end_epoch()
        with pytest.raises(datadiet.StateError, match="whether losses are given"):
            one.merge(other)


def test_rows_of_pandas_that_differ_are_refused():
    pandas = pytest.importorskip("pandas")
    recorder = datadiet.MultiLabelRecorder(2, n_labels=2)
    ids = pandas.Series([1, 0], index=[1, 0])
    with pytest.raises(datadiet.ShapeError, match="ids and logits have different indices"):
        recorder.update(ids, pandas.DataFrame([[2.0, -1.0], [1.0, 1.0]]), [[1, 0], [1, 0]])


def test_references_are_placed_by_their_ids():
    """Rows of the reference may be in any order; examples by their own ids are refused."""
    recorder = datadiet.LossRecorder(3)
    recorder.update([0, 1, 2], [0.25, 0.5, 0.75])
    recorder.end_epoch()
    shuffled = datadiet.ScoreTable.from_columns({"id": [2, 0, 1], "loss@1": [0.75, 0.25, 0.5]})
    made = datadiet.MultiLabelRecorder(3, n_labels=1, reference=shuffled)
    made.update([0, 1, 2], [[1.0]] * 3, [[1]] * 3, losses=[0.25, 0.5, 0.75])
    made.end_epoch()
    assert made.table()["excess-loss@1"].tolist() == [0, 0, 0]
    keyed = datadiet.LossRecorder()
    keyed.update(["c", "a", "b"], [1.0, 2.0, 3.0])
    keyed.end_epoch()
    for make in (
        lambda of: datadiet.MultiLabelRecorder(3, 1, reference=of),
        lambda of: datadiet.LossRecorder(3, reference=of),
    ):
        with pytest.raises(datadiet.IdError, match="by their own ids"):
            make(keyed.table())
        with pytest.raises(datadiet.IdError, match="row 1 has 7"):
            make(datadiet.ScoreTable.from_columns({"id": [2, 7, 1], "loss@1": [0.75, 0.25, 0.5]}))
