"""The recorder: against NumPy, through checkpoints, over threads, ranks and replicas."""

import copy
import io
import pickle
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import reference

import datadiet

N, K = 300, 5


def feed(recorder, logits, labels, *, batch=64, rows=None, seed=0):
    """One epoch in shuffled batches."""
    ids = np.arange(len(labels)) if rows is None else np.asarray(rows)
    ids = np.random.default_rng(seed).permutation(ids)
    for i in range(0, len(ids), batch):
        part = ids[i : i + batch]
        recorder.update(part, logits[part], labels[part])


def recorded(trajectory, **options):
    logits, labels = trajectory
    recorder = datadiet.Recorder(N, K, **options)
    for seed, epoch in enumerate(logits):
        feed(recorder, epoch, labels, seed=seed)
        recorder.end_epoch()
    return recorder


def same(first, second):
    assert first.columns == second.columns
    for name in first.columns:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def test_every_score_against_numpy(trajectory):
    logits, labels = trajectory
    table = recorded(trajectory, keep_at=[3, 7]).table()
    expected = {f"{name}@12": c for name, c in reference.trajectory(logits, labels).items()}
    for epoch in (3, 7, 12):
        scores = reference.scores(logits[epoch - 1], labels)
        expected |= {f"{name}@{epoch}": column for name, column in scores.items()}
    assert set(table.columns) == {"id", "label", *expected}
    for name, column in expected.items():
        np.testing.assert_allclose(table[name], column, rtol=3e-6, atol=1e-6, err_msg=name)
    np.testing.assert_array_equal(table["label"], labels)
    np.testing.assert_array_equal(table["id"], np.arange(N))


def test_probabilities_give_everything_but_aum(trajectory):
    logits, labels = trajectory
    recorder = datadiet.Recorder(N, K)
    for epoch in logits:
        recorder.update(np.arange(N), probs=reference.softmax(epoch), labels=labels)
        recorder.end_epoch()
    table, whole = recorder.table(), recorded(trajectory).table()
    assert set(whole.columns) - set(table.columns) == {"aum@12"}
    for name in table.columns:
        np.testing.assert_allclose(table[name], whole[name], rtol=1e-4, atol=1e-6, err_msg=name)


def test_missed_examples_are_counted_and_scored_over_what_was_seen(trajectory):
    logits, labels = trajectory
    recorder = datadiet.Recorder(N, K)
    for number, epoch in enumerate(logits[:4]):
        # Examples 0 to 9 are never seen, 10 to 19 in the first epoch only.
        feed(recorder, epoch, labels, rows=range(10 if number == 0 else 20, N))
        recorder.end_epoch()
    assert recorder.unseen.tolist() == [10, 20, 20, 20]
    table = recorder.table()
    assert "label" not in table
    assert np.isnan(table["aum@4"][:10]).all()
    assert np.isnan(table["el2n@4"][:20]).all()
    first, all_four = logits[:1, 10:20], logits[:4, 20:]
    expected = reference.trajectory(first, labels[10:20])["aum"]
    np.testing.assert_allclose(table["aum@4"][10:20], expected, rtol=1e-6)
    expected = reference.trajectory(all_four, labels[20:])["aum"]
    np.testing.assert_allclose(table["aum@4"][20:], expected, rtol=1e-5, atol=1e-6)


def torch_checkpoint(state):
    """As `Recorder.state_dict` says: through `torch.save` as tensors, loaded by its defaults."""
    import torch

    file = io.BytesIO()
    torch.save({name: torch.from_numpy(column) for name, column in state.items()}, file)
    file.seek(0)
    return torch.load(file)


def npz(state):
    file = io.BytesIO()
    np.savez(file, **state)
    file.seek(0)
    return dict(np.load(file))


@pytest.mark.parametrize("way", [copy.deepcopy, npz, torch_checkpoint])
def test_a_restored_recorder_goes_on_bit_for_bit(trajectory, way):
    logits, labels = trajectory
    whole = recorded(trajectory, keep_at=[2]).table()
    recorder = datadiet.Recorder(N, K, keep_at=[2])
    half = np.arange(N) < 150
    for number, epoch in enumerate(logits):
        recorder.update(np.flatnonzero(half), epoch[half], labels[half])
        if number % 5 == 1:  # in mid-epoch
            state = way(recorder.state_dict())
            recorder = datadiet.Recorder(N, K)
            recorder.load_state_dict(state)
            assert recorder.unfinished == 150
        recorder.update(np.flatnonzero(~half), epoch[~half], labels[~half])
        recorder.end_epoch()
    same(recorder.table(), whole)


def test_tensors_of_a_checkpoint_keep_every_type(trajectory):
    state = recorded(trajectory, keep_at=[2]).state_dict()
    back = torch_checkpoint(state)
    assert {column.dtype.name for column in state.values()} >= {"uint32", "uint8", "float64"}
    for name, column in state.items():
        found = back[name].numpy()
        assert found.dtype == column.dtype
        np.testing.assert_array_equal(found, column, err_msg=name)


def test_pickles(trajectory):
    recorder = recorded(trajectory)
    same(pickle.loads(pickle.dumps(recorder)).table(), recorder.table())


def test_threads_may_feed_one_recorder(trajectory):
    logits, labels = trajectory
    recorder = datadiet.Recorder(N, K)
    for epoch in logits:
        parts = np.array_split(np.arange(N), 8)

        def work(part, epoch=epoch):
            for i in part:
                recorder.update([i], epoch[i : i + 1], labels[i : i + 1])

        threads = [threading.Thread(target=work, args=(part,)) for part in parts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        recorder.end_epoch()
    same(recorder.table(), recorded(trajectory).table())


def test_ranks_of_one_training_merge_to_one_recorder(trajectory):
    logits, labels = trajectory
    ranks = [datadiet.Recorder(N, K, keep_at=[5]) for _ in range(3)]
    for number, epoch in enumerate(logits):
        # The examples move from rank to rank.
        owner = np.random.default_rng(number).integers(0, 3, N)
        for rank, recorder in enumerate(ranks):
            feed(recorder, epoch, labels, rows=np.flatnonzero(owner == rank))
            recorder.end_epoch()
    whole = recorded(trajectory, keep_at=[5]).table()
    merged = ranks[0]
    assert merged.merge_ranks(*ranks[1:]) == 0
    assert merged.unseen.tolist() == [0] * 12
    table = merged.table()
    # What needs the order of presentations is on no rank alone.
    ordered = {"dual@12", "dyn-unc@12", "tdds@12"}
    assert table.columns == [name for name in whole.columns if name not in ordered]
    for name in table.columns:
        np.testing.assert_allclose(table[name], whole[name], rtol=1e-6, atol=1e-6, err_msg=name)
    np.testing.assert_array_equal(table["forgetting@12"], whole["forgetting@12"])


def test_replicas_merge_to_means_with_standard_errors(trajectory, chance):
    logits, labels = trajectory
    noisy = [logits + chance.normal(size=logits.shape).astype(np.float32) for _ in range(4)]
    replicas = [recorded((one, labels)) for one in noisy]
    table = replicas[0].merge(*replicas[1:])
    el2n = np.stack([replica.table()["el2n@12"] for replica in replicas])
    np.testing.assert_allclose(table["el2n@12"], el2n.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(
        table["el2n@12.se"], el2n.std(axis=0, ddof=1) / 2, rtol=1e-4, atol=1e-7
    )
    known = {column["name"]: column for column in table.describe()}
    reliability = datadiet.reliability(el2n)
    assert known["el2n@12"]["reliability"]["full"] == pytest.approx(reliability.full)
    votes = np.stack([replica.table()["predicted@12"] for replica in replicas])
    majority = [np.bincount(column, minlength=K).argmax() for column in votes.T]
    np.testing.assert_array_equal(table["predicted@12"], majority)


def test_saved_scores_are_read_back(trajectory, tmp_path):
    recorder = recorded(trajectory)
    recorder.save(tmp_path / "scores.parquet")
    table = datadiet.ScoreTable.read(tmp_path)
    same(table, recorder.table())
    assert [column["name"] for column in table.describe()] == table.scores


NEUTRAL = "as the training loop recorded it, one row an example and epoch"


def passes(table):
    return {column["definition"]["pass"] for column in table.describe()}


def test_a_table_says_the_pass_that_its_owner_named(trajectory):
    assert passes(recorded(trajectory).table()) == {NEUTRAL}
    text = "training mode, augmented: été"
    recorder = recorded(trajectory, pass_=text)
    assert recorder.pass_ == text
    assert passes(recorder.table()) == passes(recorder.merge(recorded(trajectory, pass_=text)))
    assert passes(recorder.table()) == {text}
    with pytest.raises(datadiet.StateError, match="the replicas differ in pass_"):
        recorder.merge(recorded(trajectory))
    with pytest.raises(datadiet.StateError, match="the ranks differ in pass_"):
        recorder.merge_ranks(recorded(trajectory))


@pytest.mark.parametrize("way", [copy.deepcopy, npz, torch_checkpoint])
@pytest.mark.parametrize("text", ["eval mode", "été", ""])
def test_a_state_keeps_the_pass(way, text):
    before = datadiet.Recorder(3, 2, pass_=text)
    after = datadiet.Recorder(3, 2)
    after.load_state_dict(way(before.state_dict()))
    assert after.pass_ == pickle.loads(pickle.dumps(before)).pass_ == text


def test_a_state_from_before_there_was_a_pass_is_read(trajectory):
    before = recorded(trajectory)
    state = {name: column for name, column in before.state_dict().items() if "pass" not in name}
    after = datadiet.Recorder(N, K, pass_="eval mode")
    after.load_state_dict(state)
    assert after.pass_ == "eval mode"
    same(after.table(), before.table())
    old = datadiet.Recorder.__new__(datadiet.Recorder)
    old.__setstate__(state)
    assert old.pass_ == NEUTRAL


@pytest.mark.parametrize(
    ("ids", "logits", "labels", "error", "message"),
    [
        ([0, 3], [[0, 1.0]] * 2, [0, 1], datadiet.IdError, "id 3"),
        ([0, -1], [[0, 1.0]] * 2, [0, 1], datadiet.IdError, "row 1 has example id -1"),
        ([1, 1], [[0, 1.0]] * 2, [0, 0], datadiet.IdError, "example 1 was seen before in epoch 1"),
        ([2], [[0, 1.0]], [1], datadiet.IdError, "example 2 was seen before"),
        ([0], [[0, 1.0]], [2], datadiet.LabelError, "label 2"),
        ([0], [[0, np.inf]], [0], datadiet.NonFiniteError, r"example\(s\) \[0\]"),
        ([0], [[0, 1.0, 2.0]], [0], datadiet.ShapeError, "3 columns, expected 2"),
        ([0, 1], [[0, 1.0]], [0], datadiet.ShapeError, "labels: expected 2"),
        ([0, 1], [[0, 1.0]], [0, 1], datadiet.ShapeError, "logits: expected 4"),
        ([0.5], [[0, 1.0]], [0], datadiet.DtypeError, "ids: float64"),
        ([0], [["a", "b"]], [0], datadiet.DtypeError, "logits: str"),
        ([[0]], [[0, 1.0]], [0], datadiet.ShapeError, "ids of shape"),
    ],
)
def test_a_bad_batch_is_refused_as_a_whole(ids, logits, labels, error, message):
    recorder = datadiet.Recorder(3, 2)
    recorder.update([2], [[0.0, 1.0]], [1])
    before = recorder.state_dict()
    with pytest.raises(error, match=message):
        recorder.update(ids, logits, labels)
    after = recorder.state_dict()
    for name, column in before.items():
        np.testing.assert_array_equal(column, after[name], err_msg=name)


def test_errors_name_the_examples():
    recorder = datadiet.Recorder(10, 2)
    with pytest.raises(datadiet.NonFiniteError) as caught:
        recorder.update([4, 7], [[0.0, 1.0], [np.nan, 0.0]], [0, 1])
    assert (caught.value.ids, caught.value.rows) == ([7], [1])
    with pytest.raises(datadiet.ProbabilityError) as caught:
        recorder.update([4, 7], probs=[[0.5, 0.5], [0.5, 0.6]], labels=[0, 1])
    assert (caught.value.ids, caught.value.row) == ([7], 1)
    recorder.update([4], [[0.0, 1.0]], [0])
    recorder.end_epoch()
    with pytest.raises(datadiet.LabelError, match="example 4 had label 0 and now has 1") as caught:
        recorder.update([4], [[0.0, 1.0]], [1])
    assert caught.value.id == 4


def test_misuse():
    with pytest.raises(ValueError, match="at least 2"):
        datadiet.Recorder(3, 1)
    with pytest.raises(ValueError, match="full training set"):
        datadiet.Recorder(0, 2)
    with pytest.raises(ValueError, match="counted from 1"):
        datadiet.Recorder(3, 2, keep_at=[0])
    with pytest.raises(TypeError, match="pass a text"):
        datadiet.Recorder(3, 2, pass_=None)
    recorder = datadiet.Recorder(3, 2)
    with pytest.raises(TypeError, match="labels"):
        recorder.update([0], [[0.0, 1.0]])
    with pytest.raises(TypeError, match="logits or probs"):
        recorder.update([0], labels=[0])
    with pytest.raises(datadiet.StateError, match="no epoch has ended"):
        recorder.table()
    recorder.end_epoch()
    other = datadiet.Recorder(3, 2)
    with pytest.raises(datadiet.StateError, match="no epoch has ended"):
        recorder.merge(other)
    with pytest.raises(datadiet.StateError, match="finished epochs"):
        recorder.merge_ranks(other)


def test_a_state_that_does_not_fit():
    state = datadiet.Recorder(3, 2).state_dict()
    with pytest.raises(datadiet.StateError, match="3 examples and 2 classes"):
        datadiet.Recorder(4, 2).load_state_dict(state)
    for name in state.keys() - {"recorder.pass"}:
        broken = {key: column for key, column in state.items() if key != name}
        with pytest.raises(datadiet.StateError, match="missing|no column"):
            datadiet.Recorder(3, 2).load_state_dict(broken)


def test_a_state_of_before_the_scores_of_windows_goes_on_without_them(trajectory):
    """States of layout 2 had six numbers in their shape and nothing of windows and classes."""
    logits, labels = trajectory
    recorder = recorded((logits[:6], labels))
    newer = ("window", "class", "tdds", "label", "el2n")
    state = {
        name: column
        for name, column in recorder.state_dict().items()
        if not name.removeprefix("dynamics.").startswith(newer) and "distributions" not in name
    }
    state["recorder.shape"] = np.concatenate([[2.0], state["recorder.shape"][1:6]])
    old = datadiet.Recorder(N, K)
    old.load_state_dict(state)
    for epoch in logits[6:]:
        feed(old, epoch, labels)
        old.end_epoch()
    table, whole = old.table(), recorded(trajectory).table()
    new = {"margin-of-mean@12", "dual@12", "dyn-unc@12", "mean-el2n@12", "tdds@12"}
    assert set(whole.columns) - set(table.columns) == new
    for name in table.columns:
        np.testing.assert_array_equal(table[name], whole[name], err_msg=name)
    with pytest.raises(datadiet.StateError, match="differ in class_means"):
        recorded(trajectory).merge(old)


def test_means_of_classes_are_recorded_where_they_are_few_or_asked_for(trajectory):
    without = recorded(trajectory, class_means=False).table()
    whole = recorded(trajectory).table()
    assert set(whole.columns) - set(without.columns) == {"margin-of-mean@12", "tdds@12"}
    with pytest.warns(UserWarning, match=r"margin-of-mean and tdds are left out.*class_means=True"):
        datadiet.Recorder(2**12 + 1, 2**13)
    datadiet.Recorder(2**12 + 1, 2**13, class_means=False)


def test_a_merge_of_ranks_that_fails_changes_nothing(trajectory):
    """The good rank was merged before the bad one failed, and then refused the second time."""
    logits, labels = trajectory
    ranks = [datadiet.Recorder(N, K) for _ in range(3)]
    for epoch in logits:
        for number, rank in enumerate(ranks):
            feed(rank, epoch, labels, rows=range(number, N, 3))
            rank.end_epoch()
    own, good, other = ranks
    other.end_epoch()
    before = own.state_dict()
    with pytest.raises(datadiet.StateError, match="finished epochs"):
        own.merge_ranks(good, other)
    for name, column in own.state_dict().items():
        np.testing.assert_array_equal(column, before[name], err_msg=name)
    with pytest.raises(datadiet.StateError, match="merged before"):
        own.merge_ranks(good, own)
    assert own.merge_ranks(good) == 0


def test_recorders_may_merge_into_each_other_at_once():
    """No two threads wait for each other's recorder."""
    pairs = [(datadiet.Recorder(1000, 2), datadiet.Recorder(1000, 2)) for _ in range(50)]
    for first, second in pairs:
        first.update([0], [[0.0, 1.0]], [0])
        second.update([1], [[0.0, 1.0]], [0])

    def merge(place):
        for pair in pairs:
            try:
                pair[place].merge_ranks(pair[1 - place])
            except datadiet.StateError:  # The other was first.
                pass

    threads = [threading.Thread(target=merge, args=(place,), daemon=True) for place in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
    for pair in pairs:
        assert 2 in [recorder.unfinished for recorder in pair]


def test_replicas_that_cannot_be_merged(trajectory):
    logits, labels = trajectory
    recorder = recorded(trajectory, keep_at=[3, 12, 40])
    with pytest.raises(datadiet.StateError, match=r"epochs with scores: \[\[3, 12\], \[5, 12\]\]"):
        recorder.merge(recorded(trajectory, keep_at=[5]))
    # What is kept is the same: the last epoch has its scores anyhow, epoch 40 never came.
    assert len(recorder.merge(recorded(trajectory, keep_at=[3]))) == N
    probs = datadiet.Recorder(N, K, keep_at=[3])
    for epoch in logits:
        probs.update(np.arange(N), probs=reference.softmax(epoch), labels=labels)
        probs.end_epoch()
    with pytest.raises(datadiet.StateError, match="only logits"):
        recorder.merge(probs)


def test_a_recorder_is_one_replica(trajectory):
    """Twice the same training was taken for two, with standard errors of 0."""
    recorder, other = recorded(trajectory), recorded(trajectory)
    for replicas in ([recorder], [other, other]):
        with pytest.raises(datadiet.StateError, match="among the replicas twice"):
            recorder.merge(*replicas)


def test_lists_where_there_are_to_be_recorders_and_numbers_where_lists():
    recorder = datadiet.Recorder(3, 2)
    for merge in (recorder.merge, recorder.merge_ranks):
        with pytest.raises(TypeError, match=rf"first\.{merge.__name__}\(\*others\)"):
            merge([datadiet.Recorder(3, 2)])
    for keep_at in (5, [2.5], "5"):
        with pytest.raises(TypeError, match=r"keep_at is .*pass whole numbers in a list"):
            datadiet.Recorder(3, 2, keep_at=keep_at)


def test_huge_sizes_are_errors():
    for n_examples in (2**32 - 1, 10**12, 10**19, -(10**19)):
        with pytest.raises(ValueError, match="full training set"):
            datadiet.Recorder(n_examples, 2)
    for n_classes in (2**20 + 1, 10**19):
        with pytest.raises(ValueError, match="there may be 1048576"):
            datadiet.Recorder(3, n_classes)
    with pytest.raises(ValueError, match="counted from 1"):
        datadiet.Recorder(3, 2, keep_at=[2**32])


@pytest.mark.skipif(
    not sys.platform.startswith("linux")
    or Path("/proc/sys/vm/overcommit_memory").read_text().strip() == "1",
    reason="this system promises any amount of memory",
)
def test_more_examples_than_there_is_memory_for_are_an_error():
    with pytest.raises(MemoryError, match="takes 944892804680 bytes"):
        datadiet.Recorder(2**32 - 2, 2)


def test_ranks_that_cannot_be_merged(trajectory):
    recorder = recorded(trajectory)
    with pytest.raises(datadiet.StateError, match="merged before"):
        recorder.merge_ranks(pickle.loads(pickle.dumps(recorder)))
    single = recorded(trajectory, mergeable=False)
    with pytest.raises(datadiet.StateError):
        single.merge_ranks(recorder)


def test_rounded_probabilities_are_told_once():
    rng = np.random.default_rng(5)
    probs = rng.dirichlet(np.ones(K), (2, N)).round(3)
    labels = rng.integers(0, K, N)
    recorder, divided = datadiet.Recorder(N, K), datadiet.Recorder(N, K)
    with pytest.warns(UserWarning, match="rounded numbers") as told:
        for epoch in probs:
            recorder.update(np.arange(N), probs=epoch, labels=labels)
            recorder.end_epoch()
    assert len(told) == 1
    for epoch in probs:
        divided.update(np.arange(N), probs=epoch / epoch.sum(axis=1, keepdims=True), labels=labels)
        divided.end_epoch()
    found, expected = recorder.table(), divided.table()
    for name in ("el2n@2", "loss@2", "confidence@2"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-6)


def test_a_table_says_that_an_epoch_has_not_ended():
    recorder = datadiet.Recorder(2, 2)
    recorder.update([0, 1], [[1.0, 0.0], [0.0, 1.0]], [0, 1])
    recorder.end_epoch()
    recorder.update([1], [[1.0, 0.0]], [1])
    with pytest.warns(UserWarning, match="1 examples recorded since the last end_epoch"):
        recorder.table()


def test_a_table_is_not_written_under_the_name_of_another_format(tmp_path):
    recorder = datadiet.Recorder(1, 2)
    recorder.update([0], [[1.0, 0.0]], [0])
    recorder.end_epoch()
    with pytest.raises(ValueError, match=r"\.csv.*as Parquet"):
        recorder.save(tmp_path / "scores.csv")
    assert not list(tmp_path.iterdir())
