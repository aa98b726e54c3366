"""The recorder of losses by ids of any kind: the same as by numbers, whatever the ids, their order and the memory."""

import copy
import io
import os
import pickle
import threading
from pathlib import Path

import numpy as np
import pytest

import datadiet

N, T = 120, 6
THRESHOLD = 0.7


@pytest.fixture
def losses(chance):
    """T × n losses of 32 bits, NaN where an example is missed."""
    made = chance.gamma(2, 0.5, (T, N)).astype(np.float32)
    made[chance.random((T, N)) < 0.1] = np.nan
    return made


def hashes(chance, count):
    """Distinct, half of them 2⁶³ or more."""
    return [int(one) for one in np.unique(chance.integers(0, 2**64, count, np.uint64))]


KINDS = {
    "texts": lambda chance: [f"shard-{i % 7}/{i}.jpg" for i in range(N)],
    "numbers from 0": lambda chance: list(range(N)),
    "negative numbers": lambda chance: [7 - 3 * i for i in range(N)],
    "hashes": lambda chance: hashes(chance, N),
    "negative numbers and hashes": lambda chance: [*range(-60, 0), *hashes(chance, 60)],
    "more than 64 bits": lambda chance: [-(10**30), *hashes(chance, N - 3), 2**64, 10**40],
    "texts and numbers": lambda chance: [i if i % 2 else f"{i}?" for i in range(N)],
    "words of any script": lambda chance: [f"{'ä猫😀'[i % 3]}{i}" for i in range(N)],
}


def feed(recorder, epoch, keys, *, rows=None, seed=0):
    """One epoch in shuffled batches of what was seen."""
    ids = np.flatnonzero(~np.isnan(epoch))
    ids = ids if rows is None else np.intersect1d(ids, rows)
    ids = np.random.default_rng(seed).permutation(ids)
    for part in np.array_split(ids, 5):
        recorder.update([keys[i] for i in part], epoch[part])


def recorded(losses, keys, seed=0, **options):
    recorder = datadiet.LossRecorder(**{"threshold": THRESHOLD, **options})
    for number, epoch in enumerate(losses):
        feed(recorder, epoch, keys, seed=seed + number)
        recorder.end_epoch()
    return recorder


def numbered(losses, **options):
    recorder = datadiet.LossRecorder(N, **{"threshold": THRESHOLD, **options})
    for epoch in losses:
        seen = np.flatnonzero(~np.isnan(epoch))
        recorder.update(seen, epoch[seen])
        recorder.end_epoch()
    return recorder


def same(first, second):
    assert first.columns == second.columns
    for name in first.columns:
        if isinstance(first[name], list):
            assert first[name] == second[name], name
        else:
            assert first[name].tobytes() == second[name].tobytes(), name


def in_order(keys):
    """Places of the keys in their order: by value where all are numbers, else as texts."""
    whole = all(isinstance(key, int) for key in keys)
    return sorted(range(len(keys)), key=lambda i: keys[i] if whole else str(keys[i]).encode())


@pytest.mark.parametrize("memory", [None, 0, 3000])
@pytest.mark.parametrize("kind", KINDS)
def test_any_ids_give_what_numbers_give(losses, chance, kind, memory):
    keys = KINDS[kind](chance)
    table = recorded(losses, keys, keep_at=[2], memory=memory).table()
    expected = numbered(losses, keep_at=[2]).table()
    order = in_order(keys)
    own = [keys[i] for i in order]
    if own == list(range(N)):
        assert "key" not in table
    elif isinstance(table["key"], list):
        assert table["key"] == [str(key) for key in own]
    else:
        assert table["key"].tolist() == own
    assert table["id"].tolist() == list(range(N))
    assert [name for name in table.columns if name != "key"] == expected.columns
    for name in expected.columns[1:]:
        assert table[name].tobytes() == expected[name][order].tobytes(), name
    assert table.card["task"] == "loss"


@pytest.mark.parametrize("of", [np.int64, np.int16, np.uint32, np.float64, str])
def test_ids_of_any_type_are_one_id(of):
    recorder = datadiet.LossRecorder()
    for losses in ([1.0, 2.0], [3.0, 4.0]):
        recorder.update(np.array([12, 7]).astype(of), losses)
        recorder.end_epoch()
    recorder.update([7], [0.0])
    assert recorder.n_examples == 2
    assert recorder.table()["key"].tolist() == [7, 12]
    assert recorder.table()["mean-loss@2"].tolist() == [3.0, 2.0]


def test_libraries_give_ids(chance):
    import pandas
    import polars
    import torch

    recorder = datadiet.LossRecorder()
    recorder.update(pandas.Series(["a", "b"]), [1.0, 2.0])
    recorder.update(polars.Series(["c"]), torch.tensor([3.0]))
    recorder.update(torch.tensor([-5, 9]), torch.tensor([4.0, 5.0], dtype=torch.bfloat16))
    recorder.update(("d", 7), [6.0, 7.0])
    recorder.end_epoch()
    assert recorder.table()["key"] == ["-5", "7", "9", "a", "b", "c", "d"]


def test_ids_beyond_the_memory_are_in_files_that_have_no_name():
    keys = np.arange(200_000, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    tables = []
    for memory in (1 << 20, None):
        recorder = datadiet.LossRecorder(memory=memory, mergeable=False)
        for seed in range(2):
            order = np.random.default_rng(seed).permutation(len(keys))
            for part in np.array_split(order, 50):
                recorder.update(keys[part], part % 1000)
            recorder.end_epoch()
        held, files = recorder._recorder.bytes
        assert (held == 0) == (files > 0) == (memory is not None)
        tables.append(recorder.table())
        if memory is not None and Path("/proc/self/fd").is_dir():
            links = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
            assert sum(link.endswith("(deleted)") for link in links) >= 4
    same(*tables)
    assert tables[0]["key"][-1] == str(int(keys.max()))


def torch_checkpoint(state):
    import torch

    file = io.BytesIO()
    torch.save({name: torch.from_numpy(values) for name, values in state.items()}, file)
    file.seek(0)
    return torch.load(file)


def pickled(state):
    return pickle.loads(pickle.dumps(state))


@pytest.mark.parametrize("way", [torch_checkpoint, pickled])
@pytest.mark.parametrize("kind", KINDS)
def test_a_restored_recorder_goes_on_bit_for_bit(losses, chance, kind, way):
    keys = KINDS[kind](chance)
    recorder = recorded(losses[:2], keys, keep_at=[1, 4])
    feed(recorder, losses[2], keys, rows=np.arange(50))
    again = datadiet.LossRecorder(memory=0)
    again.load_state_dict(way(recorder.state_dict()))
    copied = copy.deepcopy(recorder)
    for seed, one in enumerate([recorder, again, copied]):
        feed(one, losses[2], keys, rows=np.arange(50, N), seed=seed)
        one.end_epoch()
        for epoch in losses[3:]:
            feed(one, epoch, keys, seed=seed)
            one.end_epoch()
    assert again.unseen.tolist() == recorder.unseen.tolist()
    same(again.table(), recorder.table())
    same(copied.table(), recorder.table())
    assert again._recorder.memory == 0 and copied._recorder.memory == recorder._recorder.memory


def test_states_of_the_other_kind_and_damaged_ones_are_refused():
    keyed, by_number = datadiet.LossRecorder(), datadiet.LossRecorder(3)
    keyed.update(["a", "b"], [1.0, 2.0])
    with pytest.raises(datadiet.StateError, match="without n_examples"):
        by_number.load_state_dict(keyed.state_dict())
    with pytest.raises(datadiet.StateError, match="made with n_examples"):
        keyed.load_state_dict(by_number.state_dict())
    for name, change, says in (
        ("keys", lambda saved: saved[:-1], "too early"),
        ("keys", lambda saved: saved[:0], "too early"),
        ("last.loss", lambda saved: saved[:1], "last.loss"),
        ("losses.shape", lambda saved: saved[:2], "shape"),
    ):
        state = keyed.state_dict()
        state[name] = change(state[name])
        with pytest.raises(datadiet.StateError, match=says):
            datadiet.LossRecorder().load_state_dict(state)
    empty = datadiet.LossRecorder()
    empty.load_state_dict(torch_checkpoint(datadiet.LossRecorder().state_dict()))
    assert empty.n_examples == 0


@pytest.mark.parametrize("kind", ["texts", "hashes", "numbers from 0"])
def test_ranks_that_met_other_ids_in_another_order_merge_bit_for_bit(losses, chance, kind):
    keys = KINDS[kind](chance)
    ranks = [datadiet.LossRecorder(threshold=THRESHOLD, keep_at=[3]) for _ in range(3)]
    for number, epoch in enumerate(losses):
        shares = np.array_split(np.random.default_rng(number).permutation(N), 3)
        for rank, (recorder, share) in enumerate(zip(ranks, shares, strict=True)):
            feed(recorder, epoch, keys, rows=share, seed=10 * number + rank)
            recorder.end_epoch()
    # Some are new to the others in the middle of an epoch.
    ranks[2].update([keys[0]], [0.5])
    sent = [pickle.loads(pickle.dumps(rank)) for rank in ranks]
    assert sent[0].merge_ranks(*sent[1:]) == 0
    whole = recorded(losses, keys, keep_at=[3])
    same(sent[0].table(), whole.table())
    assert sent[0].unseen.tolist() == whole.unseen.tolist()
    assert sent[0].unfinished == 1
    with pytest.raises(datadiet.StateError, match="merged before"):
        sent[0].merge_ranks(sent[1])
    # It goes on.
    for one in (sent[0], whole):
        if one is whole:
            one.update([keys[0]], [0.5])
        one.update([keys[1], 10**25], [0.25, 3.0])
        one.end_epoch()
    same(sent[0].table(), whole.table())


def test_a_rank_that_does_not_fit_changes_nothing():
    first, second = datadiet.LossRecorder(), datadiet.LossRecorder()
    first.update(["a"], [1.0])
    first.end_epoch()
    second.update(["b"], [1.0])
    with pytest.raises(datadiet.StateError, match="finished epochs"):
        first.merge_ranks(second)
    assert first.n_examples == 1
    first.update(["c"], [2.0])
    first.end_epoch()
    assert first.table()["key"] == ["a", "c"]
    assert first.unseen.tolist() == [1, 1]
    with pytest.raises(datadiet.StateError, match="n_examples"):
        first.merge_ranks(datadiet.LossRecorder(2))
    with pytest.raises(datadiet.StateError, match="n_examples"):
        first.merge(datadiet.LossRecorder(2))


def test_replicas_are_joined_by_their_ids():
    first, second = datadiet.LossRecorder(), datadiet.LossRecorder()
    first.update(["a", "b", "c"], [1.0, 2.0, 3.0])
    second.update(["d", "c", "a"], [4.0, 5.0, 6.0])
    for one in (first, second):
        one.end_epoch()
    table = first.merge(second)
    assert table["key"] == ["a", "b", "c", "d"]
    # The mean over the trainings that saw the example.
    assert table["loss@1"].tolist() == [3.5, 2.0, 4.0, 4.0]
    assert table["loss@1.se"][0] == 2.5


def test_threads_may_feed_one_recorder(losses, chance):
    keys = KINDS["texts"](chance)
    recorder = datadiet.LossRecorder(threshold=THRESHOLD, memory=0)
    for epoch in losses:

        def part(rows, epoch=epoch):
            feed(recorder, epoch, keys, rows=rows)

        threads = [
            threading.Thread(target=part, args=(rows,)) for rows in np.array_split(np.arange(N), 4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        recorder.end_epoch()
    same(recorder.table(), recorded(losses, keys).table())


@pytest.mark.parametrize(
    "ids, losses, error, message",
    [
        (["a", "new"], [1.0, np.nan], datadiet.NonFiniteError, r"example\(s\) \[new\]"),
        ([2**63 + 5, "a"], [np.inf, 1.0], datadiet.NonFiniteError, rf"\[{2**63 + 5}\]"),
        (["new", "new"], [1.0, 2.0], datadiet.IdError, "row 1: example new was seen before"),
        (["known"], [1.0], datadiet.IdError, "row 0: example known was seen before in epoch 2"),
        (["new", "other"], [1.0], datadiet.ShapeError, 'reduction="none"'),
        (["new", "other"], 1.0, datadiet.ShapeError, 'reduction="none"'),
        (["new", "other"], [1.0, 2.0, 3.0], datadiet.ShapeError, "3 values for 2"),
        ([["new"], ["other"]], [1.0, 2.0], datadiet.DtypeError, "whole numbers"),
        (["new", None], [1.0, 2.0], datadiet.IdError, "missing"),
        ([0.5], [1.0], datadiet.DtypeError, "whole"),
        ([True], [1.0], datadiet.DtypeError, "bool"),
        ([b"new"], [1.0], datadiet.DtypeError, "texts"),
    ],
)
def test_a_bad_batch_is_refused_as_a_whole(ids, losses, error, message):
    recorder = datadiet.LossRecorder()
    recorder.update(["known", "x"], [1.0, 3.0])
    recorder.end_epoch()
    recorder.update(["known"], [2.0])
    with pytest.raises(error, match=message):
        recorder.update(ids, losses)
    assert (recorder.n_examples, recorder.unfinished) == (2, 1)
    recorder.update(["new"], [5.0])
    recorder.end_epoch()
    table = recorder.table()
    assert table["key"] == ["known", "new", "x"]
    assert np.array_equal(table["loss@2"], [2.0, 5.0, np.nan], equal_nan=True)
    assert recorder.unseen.tolist() == [1, 1]


def test_errors_carry_the_ids():
    recorder = datadiet.LossRecorder()
    with pytest.raises(datadiet.NonFiniteError) as found:
        recorder.update(["a", 2**70, "b"], [np.nan, 1.0, np.inf])
    assert found.value.ids == ["a", "b"]
    with pytest.raises(datadiet.NonFiniteError) as found:
        recorder.update([2**63, -1], [np.nan, np.nan])
    assert found.value.ids == [2**63, -1]
    with pytest.raises(datadiet.IdError) as found:
        recorder.update([5, 5], [1.0, 1.0])
    assert (found.value.row, found.value.id) == (1, 5)
    with pytest.raises(datadiet.NonFiniteError, match=r"loss:box: example\(s\) \[a\]"):
        recorder.update(["a"], {"box": [np.nan], "class": [1.0]})
    assert recorder.n_examples == 0


def test_misuse():
    with pytest.raises(ValueError, match="leave n_examples out"):
        datadiet.LossRecorder(3, memory=100)
    with pytest.raises(ValueError, match="memory is -1"):
        datadiet.LossRecorder(memory=-1)
    with pytest.raises(TypeError, match="dictionary of losses by id"):
        datadiet.LossRecorder(reference=[1.0, 2.0])
    with pytest.raises(TypeError, match="in the order of the ids"):
        datadiet.LossRecorder(2, reference={0: 1.0})
    with pytest.raises(datadiet.IdError, match="has the loss of 7 twice"):
        datadiet.LossRecorder(reference={7: 1.0, "7": 2.0})
    with pytest.raises(datadiet.NonFiniteError):
        datadiet.LossRecorder(reference={"a": np.inf})
    with pytest.raises(datadiet.StateError, match="no epoch has ended"):
        datadiet.LossRecorder().table()
    assert repr(datadiet.LossRecorder()) == "LossRecorder(0 examples by their ids, 0 epochs ended)"


def test_a_full_disk_is_an_error_that_names_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "gone"))
    recorder = datadiet.LossRecorder(memory=0)
    with pytest.raises(OSError, match="TMPDIR"):
        recorder.update(["a"], [1.0])
    monkeypatch.delenv("TMPDIR")
    recorder.update(["a"], [1.0])
    assert recorder.n_examples == 1


def test_a_reference_goes_by_the_ids():
    of_reference = datadiet.LossRecorder()
    of_reference.update(["c", "a"], [0.5, 1.0])
    of_reference.end_epoch()
    for reference in (of_reference.table(), {"a": 1.0, "c": 0.5, "z": 9.0}):
        ranks = [datadiet.LossRecorder(reference=reference) for _ in range(2)]
        ranks[0].update(["b", "c"], [2.0, 3.0])
        ranks[1].update(["a"], [4.0])
        for rank in ranks:
            rank.end_epoch()
        ranks[0].merge_ranks(pickle.loads(pickle.dumps(ranks[1])))
        table = ranks[0].table()
        assert table["key"] == ["a", "b", "c"]
        assert np.array_equal(table["excess-loss@1"], [3.0, np.nan, 2.5], equal_nan=True)
        with pytest.raises(datadiet.StateError, match="reference"):
            other = datadiet.LossRecorder(reference={"a": 2.0})
            other.update(["d"], [1.0])
            other.end_epoch()
            ranks[0].merge_ranks(other)


def test_the_chosen_are_named_by_their_ids(losses, chance, tmp_path):
    keys = KINDS["texts"](chance)
    table = recorded(np.nan_to_num(losses, nan=0.5), keys).table()
    chosen = table.select(count=10, by="mean-loss@end")
    hardest = np.argsort(-np.nan_to_num(losses, nan=0.5).mean(0), kind="stable")[:10]
    assert set(table.keys(chosen)) == {keys[i] for i in hardest}
    table.write_subset(tmp_path / "hard.txt", chosen, by="mean-loss@end")
    assert set((tmp_path / "hard.txt").read_text().split()) == {keys[i] for i in hardest}
    table.write(tmp_path / "t.parquet")
    same(datadiet.ScoreTable.read(tmp_path / "t.parquet"), table)
