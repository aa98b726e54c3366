"""The recorder of losses: against NumPy, through checkpoints, over threads, ranks and replicas."""

import copy
import io
import pickle
import threading

import numpy as np
import pytest
import reference

import datadiet

N, T = 200, 9
THRESHOLD = 0.7


@pytest.fixture
def losses(chance):
    """T × n losses of 32 bits that fall, NaN where an example is missed; examples 0 to 2 are never seen."""
    curve = np.linspace(2, 0.5, T)[:, np.newaxis]
    made = (chance.gamma(2, 0.5, (T, N)) * curve).astype(np.float32)
    made[chance.random((T, N)) < 0.1] = np.nan
    made[:, :3] = np.nan
    return made


def feed(recorder, epoch, *, rows=None, seed=0):
    """One epoch in shuffled batches of what was seen."""
    ids = np.flatnonzero(~np.isnan(epoch))
    ids = ids if rows is None else np.intersect1d(ids, rows)
    ids = np.random.default_rng(seed).permutation(ids)
    for part in np.array_split(ids, 4):
        recorder.update(part, epoch[part])


def recorded(losses, **options):
    recorder = datadiet.LossRecorder(N, **{"threshold": THRESHOLD, **options})
    for seed, epoch in enumerate(losses):
        feed(recorder, epoch, seed=seed)
        recorder.end_epoch()
    return recorder


def same(first, second):
    assert first.columns == second.columns
    for name in first.columns:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def test_every_score_against_numpy(losses, chance):
    of_reference = chance.gamma(2, 0.5, N).astype(np.float32)
    of_reference[50] = np.nan
    recorder = recorded(losses, keep_at=[2, 5], reference=of_reference)
    table = recorder.table()
    expected = {
        f"{name}@{T}": c for name, c in reference.losses(losses, np.float32(THRESHOLD)).items()
    }
    for epoch in (2, 5, T):
        expected[f"loss@{epoch}"] = losses[epoch - 1]
        expected[f"excess-loss@{epoch}"] = losses[epoch - 1] - of_reference
    assert set(table.columns) == {"id", *expected}
    for name, column in expected.items():
        np.testing.assert_allclose(table[name], column, rtol=1e-6, atol=1e-7, err_msg=name)
    np.testing.assert_array_equal(recorder.unseen, np.isnan(losses).sum(axis=1))
    assert table.card["task"] == "loss"
    known = {column["name"]: column["definition"] for column in table.describe()}
    assert known["loss@5"]["formula"] == "the loss of the example, as it was given"
    assert known["mean-loss@9"]["formula"] == datadiet.SCORES["mean-loss"]["formula"]


def test_a_threshold_is_rounded_as_the_losses_are():
    recorder = datadiet.LossRecorder(1, threshold=0.1)
    recorder.update([0], np.array([0.1]))
    recorder.end_epoch()
    assert recorder.table()["learned-at@1"] == [1]
    assert recorder.threshold == np.float32(0.1)


def test_parts_and_lengths_stand_beside_their_sum(chance):
    parts = {"box": chance.random((2, 5)), "class": chance.random((2, 5))}
    lengths = chance.integers(1, 9, 5)
    recorder = datadiet.LossRecorder(5, keep_at=[1])
    for epoch in range(2):
        here = {name: part[epoch] for name, part in parts.items()}
        recorder.update(range(5), here, length=lengths)
        recorder.end_epoch()
    table = recorder.table()
    for epoch in (1, 2):
        for name, part in parts.items():
            np.testing.assert_array_equal(
                table[f"loss:{name}@{epoch}"], part[epoch - 1].astype(np.float32)
            )
        np.testing.assert_array_equal(table[f"length@{epoch}"], lengths)
    whole = sum(parts.values())
    np.testing.assert_array_equal(table["loss@2"], whole[1].astype(np.float32))
    np.testing.assert_allclose(table["mean-loss@2"], whole.mean(axis=0), rtol=1e-6)
    known = {column["name"]: column["definition"] for column in table.describe()}
    assert known["loss:box@2"]["formula"].startswith("the part `box` of the loss")
    assert table.top(1, by="loss:box@end")["id"] == [parts["box"][1].argmax()]


def test_losses_of_any_library(chance):
    torch = pytest.importorskip("torch")
    values = chance.random(6)
    ways = [
        (values.astype(np.float16), np.float16),
        (torch.tensor(values, dtype=torch.float64, requires_grad=True), np.float32),
        (torch.tensor(values, dtype=torch.bfloat16), None),
        (list(values), np.float32),
    ]
    for given, rounded in ways:
        expected = (
            torch.tensor(values).bfloat16().float().numpy()
            if rounded is None
            else values.astype(rounded)
        )
        recorder = datadiet.LossRecorder(6)
        recorder.update(torch.arange(6), given)
        recorder.end_epoch()
        np.testing.assert_array_equal(recorder.table()["loss@1"], expected.astype(np.float32))
        recorder = datadiet.LossRecorder(6)
        recorder.update(torch.arange(6), {"a": given, "b": given})
        recorder.end_epoch()
        doubled = recorder.table()["loss@1"]
        np.testing.assert_allclose(doubled, 2 * expected.astype(np.float64), rtol=1e-6)


def torch_checkpoint(state):
    torch = pytest.importorskip("torch")
    file = io.BytesIO()
    torch.save({name: torch.from_numpy(column) for name, column in state.items()}, file)
    file.seek(0)
    return torch.load(file)


def npz(state):
    file = io.BytesIO()
    np.savez(file, **state)
    file.seek(0)
    return dict(np.load(file))


@pytest.mark.parametrize("mergeable", [True, False])
@pytest.mark.parametrize("way", [copy.deepcopy, npz, torch_checkpoint])
def test_a_restored_recorder_goes_on_bit_for_bit(losses, way, mergeable):
    options = {"keep_at": [2], "reference": np.zeros(N), "mergeable": mergeable}
    whole = recorded(losses, **options).table()
    recorder = datadiet.LossRecorder(N, threshold=THRESHOLD, **options)
    half = np.arange(N // 2)
    for number, epoch in enumerate(losses):
        feed(recorder, epoch, rows=half)
        if number % 4 == 1:  # in mid-epoch
            unfinished = recorder.unfinished
            state = way(recorder.state_dict())
            recorder = datadiet.LossRecorder(N)
            recorder.load_state_dict(state)
            assert recorder.unfinished == unfinished > 0
        feed(recorder, epoch, rows=np.arange(N // 2, N))
        recorder.end_epoch()
    same(recorder.table(), whole)


@pytest.mark.parametrize("way", [copy.deepcopy, npz, torch_checkpoint])
def test_a_state_of_nothing_is_read_back(way):
    before = datadiet.LossRecorder(3, pass_="eval mode")
    after = datadiet.LossRecorder(3)
    after.load_state_dict(way(before.state_dict()))
    assert (after.pass_, after.epochs, after.threshold) == ("eval mode", 0, None)
    same(pickle.loads(pickle.dumps(recorded_two())).table(), recorded_two().table())


def recorded_two():
    recorder = datadiet.LossRecorder(2)
    recorder.update([0], {"box": [0.5]}, length=[3])
    recorder.end_epoch()
    return recorder


def test_threads_may_feed_one_recorder(losses):
    recorder = datadiet.LossRecorder(N, threshold=THRESHOLD)
    for epoch in losses:
        ids = np.flatnonzero(~np.isnan(epoch))

        def work(part, epoch=epoch):
            for i in part:
                recorder.update([i], epoch[i : i + 1])

        threads = [threading.Thread(target=work, args=(part,)) for part in np.array_split(ids, 8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        recorder.end_epoch()
    same(recorder.table(), recorded(losses).table())


def test_ranks_of_one_training_merge_to_one_recorder_bit_for_bit(losses):
    ranks = [datadiet.LossRecorder(N, keep_at=[5], threshold=THRESHOLD) for _ in range(3)]
    for number, epoch in enumerate(losses):
        # The examples move from rank to rank.
        owner = np.random.default_rng(number).integers(0, 3, N)
        for rank, recorder in enumerate(ranks):
            feed(recorder, epoch, rows=np.flatnonzero(owner == rank))
            recorder.end_epoch()
    whole = recorded(losses, keep_at=[5])
    assert ranks[0].merge_ranks(*pickle.loads(pickle.dumps(ranks[1:]))) == 0
    same(ranks[0].table(), whole.table())
    np.testing.assert_array_equal(ranks[0].unseen, whole.unseen)
    for name, column in whole.state_dict().items():
        np.testing.assert_array_equal(ranks[0].state_dict()[name], column, err_msg=name)


def test_replicas_merge_to_means_with_standard_errors(losses, chance):
    all_losses = [
        losses * chance.uniform(0.5, 1.5, losses.shape).astype(np.float32) for _ in range(4)
    ]
    replicas = [recorded(one) for one in all_losses]
    table = replicas[0].merge(*replicas[1:])
    means = np.stack([replica.table()[f"mean-loss@{T}"] for replica in replicas])
    np.testing.assert_allclose(table[f"mean-loss@{T}"], means.mean(axis=0), rtol=1e-6)
    error = means.std(axis=0, ddof=1) / 2
    np.testing.assert_allclose(table[f"mean-loss@{T}.se"], error, rtol=1e-4, atol=1e-7)
    known = {column["name"]: column for column in table.describe()}
    found = known[f"mean-loss@{T}"]["reliability"]["full"]
    assert found == pytest.approx(datadiet.reliability(means[:, 3:]).full)


@pytest.mark.parametrize(
    ("ids", "losses", "error", "message"),
    [
        (
            [0, 1],
            0.5,
            datadiet.ShapeError,
            'one loss for the batch of 2 examples.*reduction="none"',
        ),
        ([0], 0.5, datadiet.ShapeError, "one loss for the batch of 1 examples"),
        ([0, 1], [0.5], datadiet.ShapeError, "one loss for the batch of 2 examples"),
        ([0, 1], {"box": 0.5, "class": 0.2}, datadiet.ShapeError, "one loss for the batch"),
        ([0, 1], np.zeros(8), datadiet.ShapeError, "losses: 8 values for 2 examples"),
        ([0, 1], np.zeros((2, 4)), datadiet.ShapeError, r"losses of shape \[2, 4\].*flatten\(1\)"),
        ([0, 1], {"a": [1.0, 2.0], "b": [1.0]}, datadiet.ShapeError, "different shapes"),
        ([0, 1], {}, datadiet.ShapeError, "empty dictionary"),
        ([0, 1], [0.5, np.nan], datadiet.NonFiniteError, r"example\(s\) \[1\]: losses: 1 row"),
        ([0, 1], [np.inf, 0.5], datadiet.NonFiniteError, r"example\(s\) \[0\]: losses: 1 row"),
        ([0, 1], [0.5, 1e39], datadiet.NonFiniteError, r"example\(s\) \[1\]: losses: 1 row"),
        ([0, 3], [0.5, 0.5], datadiet.IdError, "id 3"),
        ([0, -1], [0.5, 0.5], datadiet.IdError, "row 1 has example id -1"),
        (
            np.array([0, 2**63 + 1], np.uint64),
            [0.5, 0.5],
            datadiet.IdError,
            "row 1 has example id 9223372036854775809",
        ),
        ([1, 1], [0.5, 0.5], datadiet.IdError, "example 1 was seen before in epoch 1"),
        ([0, 2], [0.5, 0.5], datadiet.IdError, "example 2 was seen before in epoch 1"),
        ([0.5], [0.5], datadiet.DtypeError, "ids: float64"),
        ([0], ["a"], datadiet.DtypeError, "losses: str"),
        ([[0]], [0.5], datadiet.ShapeError, "ids of shape"),
        ([0], {"box": [0.5]}, datadiet.StateError, r"beside the loss are \[.loss:box.\]"),
    ],
)
def test_a_bad_batch_is_refused_as_a_whole(ids, losses, error, message):
    recorder = datadiet.LossRecorder(3)
    recorder.update([2], [0.5])
    before = recorder.state_dict()
    with pytest.raises(error, match=message):
        recorder.update(ids, losses)
    after = recorder.state_dict()
    assert before.keys() == after.keys()
    for name, column in before.items():
        np.testing.assert_array_equal(column, after[name], err_msg=name)


def test_errors_name_the_examples_and_the_part():
    recorder = datadiet.LossRecorder(10)
    with pytest.raises(datadiet.NonFiniteError) as caught:
        recorder.update([4, 7], [0.5, np.nan])
    assert (caught.value.ids, caught.value.rows) == ([7], [1])
    with pytest.raises(datadiet.NonFiniteError, match=r"^loss:box: example\(s\) \[4\]") as caught:
        recorder.update([4, 7], {"box": [np.nan, 0.5], "class": [0.5, 0.5]})
    assert caught.value.ids == [4]
    with pytest.raises(datadiet.ColumnError, match='a part of the loss is called "a@b"'):
        recorder.update([4], {"a@b": [0.5]})
    recorder.update([4], {"box": [0.5]}, length=[3])
    with pytest.raises(datadiet.StateError, match="were .*loss:box.*length"):
        recorder.update([5], {"box": [0.5]})


def test_misuse():
    with pytest.raises(ValueError, match="full training set"):
        datadiet.LossRecorder(0)
    with pytest.raises(ValueError, match="counted from 1"):
        datadiet.LossRecorder(3, keep_at=[0])
    with pytest.raises(TypeError, match="pass a text"):
        datadiet.LossRecorder(3, pass_=None)
    with pytest.raises(ValueError, match="the threshold is NaN"):
        datadiet.LossRecorder(3, threshold=float("nan"))
    with pytest.raises(datadiet.ShapeError, match="reference: expected 3 values, found 2"):
        datadiet.LossRecorder(3, reference=[0.5, 0.5])
    with pytest.raises(datadiet.NonFiniteError, match="reference: 1 row"):
        datadiet.LossRecorder(2, reference=[0.5, np.inf])
    recorder = datadiet.LossRecorder(3)
    with pytest.raises(datadiet.StateError, match="no epoch has ended"):
        recorder.table()
    recorder.end_epoch()
    with pytest.raises(datadiet.StateError, match="finished epochs"):
        recorder.merge_ranks(datadiet.LossRecorder(3))
    with pytest.raises(TypeError, match="merge takes recorders, not a list"):
        recorder.merge([recorder])
    with pytest.raises(TypeError, match="merge of a LossRecorder takes others, not a Recorder"):
        recorder.merge(datadiet.Recorder(3, 2))
    with pytest.raises(datadiet.StateError, match="the replicas differ in threshold"):
        other = datadiet.LossRecorder(3, threshold=1)
        other.end_epoch()
        recorder.merge(other)
    with pytest.raises(datadiet.StateError, match="4 examples, this recorder 3"):
        recorder.load_state_dict(datadiet.LossRecorder(4).state_dict())
    with pytest.raises(datadiet.StateError, match=r"losses\.shape.*missing"):
        recorder.load_state_dict(datadiet.Recorder(3, 2).state_dict())


def test_a_reference_by_ids_of_its_own_is_not_one_by_row():
    table = datadiet.ScoreTable.from_columns({"guid": ["b", "a"], "loss@1": [1.0, 2.0]})
    with pytest.raises(datadiet.IdError, match=r"own ids \(its column guid\)"):
        datadiet.LossRecorder(2, reference=table)


def test_a_table_of_a_reference_model_is_a_reference(losses):
    table = recorded(losses[:3]).table()
    recorder = recorded(losses, reference=table)
    found = recorder.table()[f"excess-loss@{T}"]
    np.testing.assert_array_equal(found, losses[T - 1] - losses[2])
    with pytest.raises(datadiet.ColumnError, match="no column of loss"):
        datadiet.LossRecorder(2, reference=datadiet.ScoreTable.from_columns({"el2n@1": [1.0, 2.0]}))


@pytest.fixture
def found(chance, tmp_path):
    """A table of 300 losses, 30 of which do not fall, with parts and lengths, and its file."""
    recorder = datadiet.LossRecorder(300, keep_at=[2], threshold=0.6)
    lengths = chance.integers(1, 50, 300)
    for epoch in range(5):
        losses = chance.gamma(2, 0.3, 300) / (epoch + 1)
        losses[:30] += 3
        recorder.update(range(300), {"box": losses / 3, "class": losses * 2 / 3}, length=lengths)
        recorder.end_epoch()
    recorder.save(tmp_path / "losses.parquet")
    return recorder.table(), tmp_path / "losses.parquet"


def test_tables_of_losses_are_chosen_from_and_reported(found, tmp_path):
    table, path = found
    same(datadiet.ScoreTable.read(path), table)
    # By the mean of the losses where nobody says.
    assert set(table.top(30)["id"]) == set(range(30))
    assert set(range(30)) <= set(table.select(0.5, rule="hardest"))
    told = table.wrong_labels()
    assert told.count is None and "need not be −ln p of a label" in told.cannot_tell
    assert told.by == "mean-loss@5"
    table.report(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for part in [
        "The examples that fit worst",
        "the loss of the example, as it was given",
        "loss:box",
    ]:
        assert part in page, part
    for absent in ["labelled", "predicted"]:
        assert f"<th>{absent}" not in page, absent
    assert "whose labels fit worst" not in page


def test_a_report_says_that_a_sum_follows_the_length(chance, tmp_path):
    recorder = datadiet.LossRecorder(100)
    lengths = chance.integers(1, 50, 100)
    recorder.update(range(100), lengths * chance.uniform(0.9, 1.1, 100), length=lengths)
    recorder.end_epoch()
    recorder.table().report(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "mean-loss@1 follows length@1 (Spearman 0.9" in page or "(Spearman 1.00)" in page


@pytest.mark.parametrize("task", ["tokens", "several labels", "a regression"])
def test_states_of_other_tasks_are_refused(task):
    recorder = {
        "tokens": lambda: datadiet.TokenRecorder(2),
        "several labels": lambda: datadiet.MultiLabelRecorder(2, 2),
        "a regression": lambda: datadiet.RegressionRecorder(2),
    }[task]()
    with pytest.raises(datadiet.StateError, match=f"recorder of {task}"):
        datadiet.LossRecorder(2).load_state_dict(recorder.state_dict())


def test_a_damaged_size_is_no_end_of_the_process():
    for recorder, name in (
        (datadiet.LossRecorder(2), "losses.shape"),
        (datadiet.MultiLabelRecorder(2, 2), "losses.shape"),
        (datadiet.MultiLabelRecorder(2, 2), "labels.shape"),
    ):
        state = recorder.state_dict()
        state[name] = state[name].copy()
        if name == "losses.shape":
            state[name][1] = 2**32 - 2
        else:
            state[name][:2] = 2**32 - 1
        with pytest.raises(datadiet.StateError, match="damaged"):
            recorder.load_state_dict(state)


def test_parts_may_have_any_name():
    recorder = datadiet.LossRecorder(2)
    recorder.update([0, 1], {"length": [1.0, 2.0], "ids": [0.5, 0.5]}, length=[3, 4])
    recorder.end_epoch()
    table = recorder.table()
    assert table["loss@1"].tolist() == [1.5, 2.5]
    assert table["loss:length@1"].tolist() == [1, 2]
    assert table["length@1"].tolist() == [3, 4]


def test_a_length_of_the_batch_is_not_called_a_loss():
    with pytest.raises(datadiet.ShapeError, match="^length is one number for the whole batch"):
        datadiet.LossRecorder(2).update([0, 1], [1.0, 2.0], length=3)
