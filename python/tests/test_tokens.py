"""Scores of tokens: against PyTorch in 64 bits, for every layout, and what is refused."""

import io
import pickle

import numpy as np
import pytest
import torch
from test_recorder import same
from torch.nn import functional as F

import datadiet

B, T, V = 6, 9, 50


@pytest.fixture(params=[5, 50, 1000], ids="{} classes".format)
def batch(request, chance):
    """Logits of a half-trained model; a third of the labels ignored, of the last sequence all but one."""
    classes = request.param
    labels = chance.integers(0, classes, (B, T))
    logits = chance.normal(0, 3, (B, T, classes)).astype(np.float32)
    logits[0] *= 30
    np.put_along_axis(logits[1], labels[1][:, None], 12, axis=1)
    labels[chance.random((B, T)) < 0.3] = -100
    labels[-1] = -100
    labels[-1, 4] = 3
    return logits, labels


def expected(logits, labels, shift):
    """By PyTorch in 64 bits: each token's scores B × T, NaN where there is no label."""
    z, y = torch.tensor(np.asarray(logits, dtype=np.float64)), torch.tensor(labels)
    if shift:
        z, y = z[:, :-1], y[:, 1:]
    flat = F.cross_entropy(z.flatten(0, 1), y.flatten(), reduction="none", ignore_index=-100)
    there = (y != -100).flatten()
    known = y.flatten().clamp(min=0)
    p = z.flatten(0, 1).softmax(1)
    el2n = (p - F.one_hot(known, p.shape[1])).norm(dim=1)
    correct = (z.flatten(0, 1).argmax(1) == known).double()
    found = {}
    for name, column in (("loss", flat), ("el2n", el2n), ("correct", correct)):
        column = torch.where(there, column, torch.nan).reshape(y.shape).numpy()
        found[name] = np.pad(column, ((0, 0), (int(shift), 0)), constant_values=np.nan)
    return found


@pytest.mark.parametrize("shift", [False, True])
@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float32", "float64"])
def test_tokens_and_examples_are_those_of_pytorch(batch, shift, kind):
    logits, labels = batch
    given = torch.tensor(logits).to(getattr(torch, kind))
    truth = expected(given.double().numpy(), labels, shift)
    scores = datadiet.token_scores(given, labels, shift=shift, predicted=True)
    assert list(scores.tokens) == ["loss", "el2n", "correct", "predicted"]
    for name, column in truth.items():
        np.testing.assert_allclose(scores.tokens[name], column, rtol=1e-6, atol=1e-6, err_msg=name)
    count = (~np.isnan(truth["loss"])).sum(axis=1)
    means = {name: np.nanmean(column, axis=1) for name, column in truth.items()}
    means |= {
        "loss-sum": np.nansum(truth["loss"], axis=1),
        "perplexity": np.exp(means["loss"]),
        "token-accuracy": means.pop("correct"),
        "length": count,
    }
    assert set(scores.examples) == set(means)
    with np.errstate(over="ignore"):
        means["perplexity"] = means["perplexity"].astype(np.float32)
    for name, column in means.items():
        np.testing.assert_allclose(
            scores.examples[name], column, rtol=3e-5, atol=1e-6, err_msg=name
        )
    there = ~np.isnan(truth["loss"])
    classes = given.double().numpy().argmax(2)
    classes = np.roll(classes, 1, axis=1) if shift else classes
    np.testing.assert_array_equal(scores.tokens["predicted"], np.where(there, classes, -1))


def test_log_probabilities_give_the_same_losses(batch):
    logits, labels = batch
    whole = datadiet.token_scores(logits, labels, shift=True)
    log_probs = torch.tensor(logits).double().log_softmax(2)[:, :-1]
    own = torch.tensor(labels)[:, 1:].clamp(min=0)[:, :, None]
    log_probs = F.pad(log_probs.gather(2, own)[:, :, 0], (0, 1), value=torch.nan)
    scores = datadiet.token_scores(log_probs=log_probs, labels=labels, shift=True)
    assert list(scores.tokens) == ["loss"] and "el2n" not in scores.examples
    for name, column in scores.examples.items():
        np.testing.assert_allclose(column, whole.examples[name], rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(scores.tokens["loss"], whole.tokens["loss"], rtol=1e-6, atol=1e-6)


def test_a_classification_of_tokens_is_one_of_rows(batch):
    logits, labels = batch
    labels = np.abs(labels) % logits.shape[2]
    tokens = datadiet.token_scores(logits, labels, shift=False, predicted=True).tokens
    rows = datadiet.logit_scores(logits.reshape(-1, logits.shape[2]), labels.reshape(-1))
    for name in ("loss", "el2n", "correct", "predicted"):
        np.testing.assert_allclose(tokens[name].reshape(-1), rows[name], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("shift", [False, True])
def test_packed_examples_have_the_scores_that_they_have_alone(chance, shift):
    lengths = [4, 1, 5, 7, 3]
    ids = [30, 7, 12, 900, 2]
    alone = [(chance.normal(0, 2, (1, n, V)), chance.integers(0, V, (1, n))) for n in lengths]
    # Two rows of ten.
    logits = np.zeros((2, 10, V))
    labels = np.zeros((2, 10), dtype=int)
    positions = np.zeros((2, 10), dtype=int)
    mask = np.ones((2, 10), dtype=int)
    for row, start, which in [(0, 0, 0), (0, 4, 1), (0, 5, 2), (1, 0, 3), (1, 7, 4)]:
        z, y = alone[which]
        logits[row, start : start + lengths[which]] = z
        labels[row, start : start + lengths[which]] = y
        positions[row, start : start + lengths[which]] = range(lengths[which])
    segments = datadiet.token_segments(positions, mask)
    assert segments.tolist() == [[0] * 4 + [1] + [2] * 5, [3] * 7 + [4] * 3]
    scores = datadiet.token_scores(logits, labels, shift=shift, segments=np.array(ids)[segments])
    assert scores.ids.tolist() == sorted(ids)
    for (z, y), own in zip(alone, ids, strict=True):
        place = scores.ids.tolist().index(own)
        if shift and y.shape[1] == 1:
            assert np.isnan(scores.examples["loss"][place])
            assert scores.examples["length"][place] == 0
            continue
        single = datadiet.token_scores(z, y, shift=shift)
        for name, column in single.examples.items():
            assert column[0] == scores.examples[name][place], name


def test_padding_is_of_no_example():
    logits = np.zeros((1, 4, V), dtype=np.float32)
    scores = datadiet.token_scores(logits, [[1, 2, 3, 4]], shift=False, segments=[[5, 5, -1, -1]])
    assert scores.ids.tolist() == [5] and scores.examples["length"].tolist() == [2]
    np.testing.assert_array_equal(np.isnan(scores.tokens["loss"]), [[False, False, True, True]])


def test_an_example_without_labels_has_no_score_and_all_of_them_are_refused():
    logits = np.zeros((2, 3, V), dtype=np.float32)
    scores = datadiet.token_scores(logits, [[1, -100, 2], [-100] * 3], shift=False)
    assert scores.examples["length"].tolist() == [2, 0]
    assert np.isnan(scores.examples["loss"][1]) and np.isnan(scores.examples["loss-sum"][1])
    for labels, shift in ([[[-100] * 3] * 2, False], [[[1, -100, -100]] * 2, True]):
        with pytest.raises(datadiet.LabelError, match="no token has a label.*ignore_index"):
            datadiet.token_scores(logits, labels, shift=shift)
    with pytest.raises(datadiet.LabelError, match="position 2: the label -1.*ignored value -100"):
        datadiet.token_scores(logits, [[1, 1, -1]] * 2, shift=False)
    other = datadiet.token_scores(logits, [[1, 1, -1]] * 2, shift=False, ignore_index=-1)
    assert other.examples["length"].tolist() == [2, 2]


GOOD = np.zeros((2, 3, V), dtype=np.float32)
LABELS = np.ones((2, 3), dtype=int)


@pytest.mark.parametrize(
    ("logits", "labels", "options", "error", "message"),
    [
        (GOOD, LABELS, {}, TypeError, "shift=True.*shift=False"),
        (GOOD[0], LABELS, {"shift": False}, datadiet.ShapeError, "B × T × V"),
        (GOOD[:, :-1], LABELS, {"shift": True}, datadiet.ShapeError, r"pass labels\[:, 1:\]"),
        (GOOD, LABELS[0], {"shift": False}, datadiet.ShapeError, "labels of shape"),
        (GOOD, LABELS + V, {"shift": False}, datadiet.LabelError, "position 0: the label 51"),
        (GOOD, LABELS + 0.5, {"shift": False}, datadiet.DtypeError, "float64"),
        (GOOD * np.nan, LABELS, {"shift": False}, datadiet.NonFiniteError, r"2 row\(s\)"),
        (GOOD + 1 / V, LABELS, {"shift": False}, datadiet.ProbabilityError, "softmax"),
        (GOOD[:, :, :1], LABELS * 0, {"shift": False}, datadiet.ShapeError, "at least 2"),
        (GOOD, LABELS, {"shift": False, "segments": [[0, 0]]}, datadiet.ShapeError, "segments of"),
        (
            GOOD,
            LABELS,
            {"shift": True, "attention_mask": [[1, 1]]},
            datadiet.ShapeError,
            "attention_mask of",
        ),
        (
            GOOD,
            LABELS,
            {"shift": True, "attention_mask": LABELS * 0},
            datadiet.LabelError,
            "no token has a label",
        ),
        (None, LABELS, {"shift": False}, TypeError, "either logits or log_probs"),
        (
            None,
            LABELS,
            {"shift": False, "log_probs": LABELS + 0.5},
            datadiet.ProbabilityError,
            "at most 0",
        ),
        (
            None,
            LABELS,
            {"shift": False, "log_probs": GOOD},
            datadiet.ShapeError,
            "log_probs of shape",
        ),
    ],
)
def test_bad_tokens(logits, labels, options, error, message):
    with pytest.raises(error, match=message):
        datadiet.token_scores(logits, labels, **options)


@pytest.mark.parametrize("kind", ["logits", "log_probs"])
@pytest.mark.parametrize("shifted", [False, True])
def test_the_side_of_padding_makes_no_difference(chance, kind, shifted):
    """A text alone, padded on the right and on the left; with labels of one's own shifting too."""
    lengths, size = [6, 2, 4], 6
    logits = [chance.normal(0, 3, (n, V)).astype(np.float32) for n in lengths]
    texts = [chance.integers(0, V, n) for n in lengths]

    def scores(rows, left):
        outputs = np.full((len(rows), size, V), 7.0, np.float32)
        outputs += chance.normal(0, 3, outputs.shape).astype(np.float32)
        labels, mask = np.full((len(rows), size), -100), np.zeros((len(rows), size), int)
        for place, row in enumerate(rows):
            where = slice(size - lengths[row], size) if left else slice(0, lengths[row])
            outputs[place, where], labels[place, where], mask[place, where] = (
                logits[row],
                texts[row],
                1,
            )
        if kind == "log_probs":
            ahead = np.maximum(np.roll(labels, -1, axis=1), 0)
            outputs = torch.tensor(outputs).log_softmax(2).numpy()
            outputs = np.take_along_axis(outputs, ahead[:, :, None], axis=2)[:, :, 0]
        given = torch.tensor(mask) if left else mask.astype(bool)
        if shifted:
            outputs, labels, given = outputs[:, :-1], labels[:, 1:], given[:, :-1]
        options = {kind: outputs, "shift": not shifted, "attention_mask": given}
        before = labels.copy()
        recorder = datadiet.TokenRecorder(len(lengths))
        recorder.update(rows, labels=labels, **options)
        recorder.end_epoch()
        assert (labels == before).all()
        return datadiet.token_scores(labels=labels, **options).examples, recorder.table()

    for row, n in enumerate(lengths):
        outputs = {"logits": logits[row][None]}
        alone = datadiet.token_scores(labels=texts[row][None], shift=True, **outputs).examples
        assert alone["length"].tolist() == [n - 1]
        for left in (False, True):
            for rows in ([row], [0, 1, 2]):
                found, table = scores(rows, left)
                for name in found:
                    np.testing.assert_allclose(
                        found[name][rows.index(row)], alone[name][0], rtol=1e-4
                    )
                    np.testing.assert_allclose(table[f"{name}@1"][row], alone[name][0], rtol=1e-4)


def test_numbers_of_tokens_without_a_label_are_not_looked_at():
    logits = GOOD.copy()
    logits[0, 1] = np.nan
    labels = LABELS.copy()
    labels[0, 1] = -100
    assert np.isfinite(datadiet.token_scores(logits, labels, shift=False).examples["loss"]).all()


def epochs_of(chance, n=20, epochs=4):
    """Logits n × 7 × V of epochs in which tokens are learned, but for those whose label was changed."""
    labels = chance.integers(0, V, (n, 7))
    labels[:, 5:][chance.random((n, 2)) < 0.5] = -100
    wrong = [(3, 1), (8, 4), (15, 0)]
    logits = chance.normal(0, 1, (epochs, n, 7, V))
    for epoch in range(epochs):
        np.put_along_axis(logits[epoch], np.maximum(labels, 0)[:, :, None], 2.0 + epoch, axis=2)
    given = labels.copy()
    for place in wrong:
        given[place] = (given[place] + 1) % V
    return logits.astype(np.float32), given, labels, wrong


def recorded(logits, labels, *, parts=1, **options):
    recorders = [datadiet.TokenRecorder(len(labels), **options) for _ in range(parts)]
    for seed, epoch in enumerate(logits):
        order = np.random.default_rng(seed).permutation(len(labels))
        for place, ids in enumerate(np.array_split(order, 4)):
            recorders[place % parts].update(ids, epoch[ids], labels[ids], shift=False)
        for recorder in recorders:
            recorder.end_epoch()
    recorders[0].merge_ranks(*recorders[1:])
    return recorders[0]


def test_a_recorder_has_the_scores_of_every_epoch(chance):
    logits, labels, _, _ = epochs_of(chance)
    table = recorded(logits, labels, keep_at=[2], threshold=0.5).table()
    scores = [datadiet.token_scores(epoch, labels, shift=False).examples for epoch in logits]
    for epoch in (2, 4):
        for name, column in scores[epoch - 1].items():
            np.testing.assert_array_equal(table[f"{name}@{epoch}"], column)
    losses = np.array([one["loss"] for one in scores], dtype=np.float64)
    np.testing.assert_allclose(table["mean-loss@4"], losses.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(table["loss-std@4"], losses.std(axis=0), rtol=1e-5, atol=1e-7)
    assert table.card["task"] == "tokens"
    formulas = {one["name"]: one["definition"]["formula"] for one in table.describe()}
    assert formulas["el2n@4"].startswith("mean over labelled tokens")


def test_ranks_checkpoints_and_pickles_make_no_difference(chance):
    logits, labels, _, _ = epochs_of(chance)
    options = {"keep_at": [1, 3], "keep_tokens": True}
    whole = recorded(logits, labels, **options)
    ranks = recorded(logits, labels, parts=3, **options)
    same(whole.table(), ranks.table())
    for name in ("key", "label", "loss@4", "el2n@4", "predicted@4"):
        np.testing.assert_array_equal(whole.tokens()[name], ranks.tokens()[name])
    np.testing.assert_allclose(
        whole.tokens()["mean-loss@4"], ranks.tokens()["mean-loss@4"], rtol=1e-6
    )
    # Saved in the middle of the third epoch, with tensors.
    stopped = datadiet.TokenRecorder(len(labels), **options)
    for epoch in logits[:2]:
        stopped.update(np.arange(20), epoch, labels, shift=False)
        stopped.end_epoch()
    stopped.update(np.arange(8), logits[2, :8], labels[:8], shift=False)
    file = io.BytesIO()
    torch.save({k: torch.from_numpy(v) for k, v in stopped.state_dict().items()}, file)
    file.seek(0)
    going = datadiet.TokenRecorder(len(labels))
    going.load_state_dict(torch.load(file))
    going = pickle.loads(pickle.dumps(going))
    for recorder in (going, stopped):
        recorder.update(np.arange(8, 20), logits[2, 8:], labels[8:], shift=False)
        recorder.end_epoch()
        recorder.update(np.arange(20), logits[3], labels, shift=False)
        recorder.end_epoch()
    same(going.table(), stopped.table())
    same(going.tokens(), stopped.tokens())


def test_suspects_are_the_tokens_whose_labels_were_changed(chance):
    logits, labels, _, wrong = epochs_of(chance)
    recorder = recorded(logits, labels, keep_tokens=True)
    texts = [[f"word{i}.{t}" for t in range(7)] for i in range(len(labels))]
    names = [f"class {k}" for k in range(V)]
    tokens = recorder.tokens(texts=texts, classes=names)
    top = tokens.top(3, by="mean-loss@end")
    assert {tuple(map(int, key.split(":"))) for key in top["key"]} == set(wrong)
    for row in range(3):
        example, position = top["example"][row], top["position"][row]
        assert top["token"][row] == f"word{example}.{position}"
        assert top["class"][row] == f"class {labels[example, position]}"
        assert top["predicted@4"][row] == (labels[example, position] - 1) % V
    assert len(tokens) == (labels != -100).sum()
    some = recorded(logits, labels, keep_tokens=[3, 8])
    assert set(some.tokens()["example"]) == {3, 8}
    with pytest.raises(datadiet.StateError, match="keep_tokens=True"):
        recorded(logits, labels).tokens()
    with pytest.raises(datadiet.IdError, match="no token 0 of example 0"):
        recorder.tokens(texts=[[]])
    for whole in (["some text"] * len(labels), "some text" * 9):
        with pytest.raises(datadiet.DtypeError, match="characters are no tokens.*list\\(text\\)"):
            recorder.tokens(texts=whole)
    assert len(recorder.tokens(texts=[list("letters")] * len(labels))) == len(tokens)


def test_packed_batches_are_recorded_by_the_ids_of_their_tokens():
    logits = np.random.default_rng(0).normal(size=(1, 6, V)).astype(np.float32)
    labels = [[1, 2, 3, 4, 5, 6]]
    packed = datadiet.TokenRecorder(10, keep_tokens=True)
    packed.update([[4, 4, 4, 2, 2, -1]], logits, labels, shift=True)
    alone = datadiet.TokenRecorder(10, keep_tokens=True)
    alone.update([4], logits[:, :3], [labels[0][:3]], shift=True)
    alone.update([2], logits[:, 3:5], [labels[0][3:5]], shift=True)
    for recorder in (packed, alone):
        recorder.end_epoch()
    same(packed.table(), alone.table())
    same(packed.tokens(), alone.tokens())
    assert packed.unseen.tolist() == [8]


def test_bad_batches_are_refused_with_their_ids_and_change_nothing():
    logits = np.zeros((2, 3, V), dtype=np.float32)
    labels = np.array([[1, 2, 3], [4, -100, 6]])
    recorder = datadiet.TokenRecorder(10, keep_tokens=True)
    recorder.update([7, 8], logits, labels, shift=False)
    before = recorder.state_dict()
    broken = logits.copy()
    broken[1, 0, 3] = np.inf
    unlabelled = np.where([[False], [True]], -100, labels)
    cases = [
        ((np.array([1, 2]), broken, labels), datadiet.NonFiniteError, r"example\(s\) \[2\]"),
        ((np.array([1, 2]), logits, unlabelled), datadiet.LabelError, r"\[2\].*no labelled token"),
        ((np.array([1, 7]), logits, labels), datadiet.IdError, "example 7 was seen before"),
        ((np.array([1, 10]), logits, labels), datadiet.IdError, "id 10"),
        ((np.array([1]), logits, labels), datadiet.ShapeError, "ids"),
        ((np.array([1, 2]), logits[:, :, :-1], labels), datadiet.ShapeError, "expected 50"),
    ]
    for arguments, error, message in cases:
        with pytest.raises(error, match=message) as caught:
            recorder.update(*arguments, shift=False)
        if error in (datadiet.NonFiniteError, datadiet.LabelError):
            assert caught.value.ids == [2]

    np.testing.assert_equal(recorder.state_dict(), before)
    recorder.update([1, 2], logits, unlabelled, shift=False, unlabelled="skip")
    recorder.end_epoch()
    assert recorder.unseen.tolist() == [7]
    with pytest.raises(
        datadiet.LabelError, match="position 0: the token had label 1 and now has 9"
    ):
        recorder.update([7], logits[:1], [[9, 2, 3]], shift=False)
    with pytest.raises(datadiet.StateError, match="beside the loss"):
        recorder.update([1], log_probs=np.zeros((1, 3)), labels=labels[:1], shift=False)


def test_replicas_are_averaged(chance):
    logits, labels, _, _ = epochs_of(chance)
    first, second = recorded(logits[:2], labels), recorded(logits[2:], labels)
    table = first.merge(second)
    means = (first.table()["loss@2"] + second.table()["loss@2"]) / 2
    np.testing.assert_allclose(table["loss@2"], means, rtol=1e-6)
    assert "loss@2.se" in table.columns
    with pytest.raises(TypeError, match="not a LossRecorder"):
        first.merge(datadiet.LossRecorder(20))


def test_padding_is_no_example_of_its_own():
    positions = [[0, 1, 2, 0, 0, 0], [0, 1, 2, 3, 4, 5]]
    with pytest.raises(datadiet.ShapeError, match="row 0 .* attention_mask"):
        datadiet.token_segments(positions)
    found = datadiet.token_segments(positions, [[1, 1, 1, 0, 0, 0], [1] * 6])
    assert found.tolist() == [[0, 0, 0, -1, -1, -1], [1] * 6]


def test_positions_go_on_where_an_example_stands_in_two_places():
    recorder = datadiet.TokenRecorder(8, keep_tokens=True)
    logits = np.zeros((2, 3, 2), np.float32)
    logits[1, :, 1] = 3
    for _ in range(2):
        recorder.update([[5, 5, 5], [5, 5, 7]], logits, [[0, 0, 0], [1, 1, 1]], shift=False)
        recorder.end_epoch()
    table = recorder.tokens()
    assert table["key"] == ["5:0", "5:1", "5:2", "5:3", "5:4", "7:0"]
    assert table["label"].tolist() == [0, 0, 0, 1, 1, 1]
    losses = [np.log(2)] * 3 + [np.log1p(np.exp(-3))] * 3
    np.testing.assert_allclose(table["mean-loss@2"], losses, rtol=1e-6)


def test_the_table_of_tokens_is_of_tokens_and_of_its_epoch():
    recorder = datadiet.TokenRecorder(2, keep_tokens=True)
    for ids in ([0, 1], [1]):
        recorder.update(ids, [[[2.0, 0.0]]] * len(ids), [[0]] * len(ids), shift=False)
        recorder.end_epoch()
    table = recorder.tokens()
    assert table.card["task"] == "tokens"
    for name in ("loss@2", "el2n@2"):
        assert np.isnan(table[name]).tolist() == [True, False]
    assert not np.isnan(table["mean-loss@2"]).any()


def test_rows_of_pandas_that_differ_are_refused():
    pandas = pytest.importorskip("pandas")
    recorder = datadiet.TokenRecorder(2)
    ids, labels = pandas.Series([1, 0], index=[1, 0]), pandas.DataFrame([[0], [1]])
    with pytest.raises(datadiet.ShapeError, match="ids and labels have different indices"):
        recorder.update(ids, [[[2.0, 0.0]]] * 2, labels, shift=False)


def test_positions_that_begin_above_0_are_refused():
    with pytest.raises(datadiet.ShapeError, match="the least of position_ids is 2"):
        datadiet.token_segments([[2, 3, 4, 1]], [[1, 1, 1, 0]])


def test_outputs_of_a_softmax_are_told_what_this_recorder_takes():
    with pytest.raises(datadiet.ProbabilityError, match="log_probs=…"):
        datadiet.TokenRecorder(1).update(
            [0], np.full((1, 6, 4), 0.25), [[0, 1, 2, 3, 0, 1]], shift=False
        )
