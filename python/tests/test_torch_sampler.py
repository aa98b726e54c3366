"""Choosing the examples of each epoch: what is drawn, that weights make it unbiased, resumption, ranks."""

from __future__ import annotations

import io
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from test_torch_distributed import in_two_processes  # noqa: E402
from torch import distributed  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

from datadiet import (  # noqa: E402
    DtypeError,
    IdError,
    LabelError,
    NonFiniteError,
    SelectionError,
    ShapeError,
    StateError,
)
from datadiet.torch import (  # noqa: E402
    ClassBalanced,
    DietRule,
    DietSampler,
    DietWarning,
    Everything,
    InfoBatch,
    LossError,
    ProxyHardest,
    RandomSubsets,
    hardest,
    indexed,
)
from datadiet.torch.diet_rules import Draw, Setting  # noqa: E402

EXAMPLES = 61


def drawn(
    rule: DietRule,
    losses: Any = None,
    *,
    n: int = EXAMPLES,
    ranks: int = 1,
    seed: int = 0,
    epoch: int = 0,
) -> Draw:
    losses = np.full(n, np.nan) if losses is None else losses
    return rule.draw(Setting(n, ranks, seed, epoch, np.asarray(losses, np.float32)))


def uneven_losses(chance: Any, n: int = EXAMPLES) -> Any:
    """Most below the mean, as losses of a training are; some examples never seen."""
    losses = chance.exponential(size=n).astype(np.float32)
    losses[:4] = np.nan
    return losses


# What a rule draws.


@pytest.mark.parametrize("ranks", [1, 2, 3, 8])
@pytest.mark.parametrize("prune", [0.0, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("unbiased", ["epoch", "step"])
def test_infobatch_keeps_the_hard_and_the_unseen(chance, ranks, prune, unbiased):
    for seed in range(20):
        losses = uneven_losses(chance)
        easy = losses < np.nanmean(losses.astype(np.float64)).astype(np.float32)
        draw = drawn(InfoBatch(prune, unbiased), losses, ranks=ranks, seed=seed)
        assert len(draw.order) == len(set(draw.order)) and len(draw.order) % ranks == 0
        if draw.weights is None:
            assert len(draw.order) == EXAMPLES - EXAMPLES % ranks
            continue
        assert set(np.flatnonzero(~easy)) <= set(draw.order)
        stay = easy[draw.order].sum()
        assert abs(stay - (1 - prune) * easy.sum()) <= max(ranks, 0.5)
        # The sum over what is shown is that over all; or each step's mean is that of all.
        weights = draw.weights[draw.order]
        total = EXAMPLES if unbiased == "epoch" else len(draw.order)
        assert weights.sum() == pytest.approx(total, rel=1e-6)
        scale = 1 if unbiased == "epoch" else len(draw.order) / EXAMPLES
        np.testing.assert_allclose(weights[~easy[draw.order]], scale, rtol=1e-6)
        np.testing.assert_allclose(weights[easy[draw.order]], scale * easy.sum() / stay, rtol=1e-6)


def test_infobatch_shows_all_where_nothing_is_easy():
    for losses in (np.full(EXAMPLES, np.nan), np.full(EXAMPLES, 0.1), np.zeros(EXAMPLES)):
        draw = drawn(InfoBatch(0.5), losses)
        assert draw.weights is None and sorted(draw.order) == list(range(EXAMPLES))


@pytest.mark.parametrize("ranks", [1, 2, 7])
@pytest.mark.parametrize("keep", [0.02, 0.1, 0.3, 0.5, 0.51, 0.8, 0.97, 1.0])
@pytest.mark.parametrize("n", [60, EXAMPLES, 350])
def test_random_subsets_without_replacement_take_turns(n, keep, ranks):
    size = round(keep * n) // ranks * ranks
    if not size:
        with pytest.raises(SelectionError, match="keep more"):
            DietSampler(n, RandomSubsets(keep), num_replicas=ranks, rank=0)
        return
    times = np.zeros(n, int)
    for epoch in range(60):
        order = drawn(RandomSubsets(keep), n=n, ranks=ranks, epoch=epoch).order
        assert len(order) == len(set(order)) == size
        times[order] += 1
        assert times.max() - times.min() <= 1
    # Another seed has other turns, and an epoch of its own order.
    assert list(drawn(RandomSubsets(keep), n=n, seed=1).order) != list(order)


def test_random_subsets_with_replacement_are_independent():
    keep, epochs = 0.3, 2_000
    rule = RandomSubsets(keep, replacement=True)
    shown = np.zeros((epochs, EXAMPLES))
    for epoch in range(epochs):
        order = drawn(rule, epoch=epoch).order
        assert len(order) == len(set(order)) == round(keep * EXAMPLES)
        shown[epoch, order] = 1
    # How often two epochs in a row have an example: as by chance, within five standard errors.
    p = round(keep * EXAMPLES) / EXAMPLES
    again = (shown[1:] * shown[:-1]).mean()
    error = math.sqrt(p**2 * (1 - p**2) / (EXAMPLES * (epochs - 1)))
    assert abs(again - p**2) < 5 * error
    assert abs(shown.mean(0) - p).max() < 5 * math.sqrt(p * (1 - p) / epochs)


@pytest.mark.parametrize("ranks", [1, 2, 4, 6])
@pytest.mark.parametrize("keep", [0.05, 0.4, 1.0, 2.5])
def test_classes_are_balanced(chance, keep, ranks):
    labels = chance.choice([2, 5, 9], EXAMPLES, p=[0.7, 0.25, 0.05])
    labels[:3] = [2, 5, 9]
    seen = np.zeros(EXAMPLES, int)
    for epoch in range(40):
        draw = drawn(ClassBalanced(labels, keep), ranks=ranks, epoch=epoch)
        times = np.bincount(draw.order, minlength=EXAMPLES)
        by_class = [times[labels == label] for label in (2, 5, 9)]
        assert len({each.sum() for each in by_class}) == 1
        assert all(each.max() - each.min() <= 1 for each in by_class)
        assert len(draw.order) % ranks == 0 and draw.weights is None
        assert abs(len(draw.order) - keep * EXAMPLES) <= 3 * ranks
        seen += times
    # Another part of a large class each time.
    assert (seen > 0).all() or keep < 1
    weights = drawn(ClassBalanced(labels, keep, reweight=True), ranks=ranks)
    assert weights.weights[weights.order].mean() == pytest.approx(1)


def test_everything_is_a_new_order_of_all():
    orders = [tuple(drawn(Everything(), epoch=epoch).order) for epoch in range(4)]
    assert len(set(orders)) == 4
    assert all(sorted(order) == list(range(EXAMPLES)) for order in orders)
    left_out = {*range(EXAMPLES)} - {*drawn(Everything(), ranks=8).order}
    assert len(left_out) == EXAMPLES % 8


def test_draws_stay_the_same_from_version_to_version():
    """Ranks may have different versions of NumPy, and a training may go on with another."""
    assert drawn(Everything(), n=8, seed=5, epoch=3).order.tolist() == [5, 3, 1, 2, 4, 6, 7, 0]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_proxy_says_which_half_of_each_batch_is_shown(chance, workers):
    """The large network's batches are the halves of the proxy's, and of the last, shorter one."""
    data = indexed(TensorDataset(torch.arange(EXAMPLES, dtype=torch.float32)))
    proxy = DietSampler(EXAMPLES, Everything(), seed=3)
    losses, batches = np.zeros((2, EXAMPLES), np.float32), []
    loader = DataLoader(data, batch_size=8, sampler=proxy, num_workers=workers)
    for epoch in range(2):
        proxy.set_epoch(epoch)
        for _, ids in loader:
            proxy.update(ids, torch.tensor(chance.exponential(size=len(ids))))
            batches.append(ids.tolist())
        losses[epoch] = proxy.losses
    sampler = DietSampler(EXAMPLES, ProxyHardest(losses, batch=8), seed=3)
    loader = DataLoader(data, batch_size=4, sampler=sampler, num_workers=workers)
    shown = []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        shown += [(epoch, ids.tolist()) for _, ids in loader]
    assert len(shown) == len(batches)
    for (epoch, half), batch in zip(shown, batches, strict=True):
        rest = set(batch) - set(half)
        assert len(half) == round(len(batch) / 2) and set(half) < set(batch)
        assert min(losses[epoch][half]) >= max(losses[epoch][[*rest]])
        assert half == [id for id in batch if id in half]


def test_a_proxy_that_dropped_its_last_batch_has_chosen_nothing_of_it():
    losses = np.full((1, EXAMPLES), np.nan, np.float32)
    order = drawn(Everything()).order
    losses[0, order[:56]] = 1
    assert set(drawn(ProxyHardest(losses, batch=8)).order) < set(order[:56])
    losses[0, order[9]] = np.inf
    with pytest.raises(NonFiniteError, match="same seed") as caught:
        drawn(ProxyHardest(losses, batch=8))
    assert caught.value.ids == [order[9]]
    with pytest.raises(SelectionError, match="epoch 2; train the proxy as long"):
        drawn(ProxyHardest(losses, batch=8), epoch=1)


def test_hardest_rows_of_a_batch(chance):
    for dtype in (torch.float32, torch.bfloat16):
        losses = torch.tensor(chance.exponential(size=33)).to(dtype).requires_grad_()
        rows = hardest(losses, keep=0.4)
        assert rows.tolist() == sorted(rows.tolist()) and len(rows) == 13
        assert torch.equal(losses[rows].sort().values, losses.topk(13).values.sort().values)
    assert hardest(torch.tensor([1.0, 1.0, 1.0])).tolist() == [0, 1]
    assert hardest(torch.tensor([0.0, 1.0, 2.0]), keep=0.1).tolist() == [2]
    with pytest.raises(LossError, match="reduction"):
        hardest(torch.tensor(0.7))
    with pytest.raises(NonFiniteError, match="row 1"):
        hardest(torch.tensor([0.0, math.nan]))
    with pytest.raises(SelectionError):
        hardest(torch.tensor([0.0]), keep=0)


# That gradients are unbiased.


def gradients(rule: DietRule, losses: Any, seeds: int, weighed: bool) -> tuple[Any, Any]:
    """Of a linear model: that of the second batch for each seed (seeds x parameters), and of the whole set."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(EXAMPLES, 3, generator=generator)
    # Targets that follow the losses, so that to leave out by losses is to leave out a kind of gradient.
    targets = torch.tensor(np.nan_to_num(losses, nan=1.0))
    weight = torch.zeros(3, requires_grad=True)

    def gradient(ids: Any, weights: Any) -> Any:
        each = (inputs[ids] @ weight + 1 - targets[ids]) ** 2
        (found,) = torch.autograd.grad((each * weights).mean(), weight)
        return found.numpy()

    whole = gradient(torch.arange(EXAMPLES), torch.ones(EXAMPLES))
    found = []
    for seed in range(seeds):
        sampler = DietSampler(EXAMPLES, rule, seed=seed, anneal=0)
        known = np.flatnonzero(~np.isnan(losses))
        state = sampler.state_dict()
        state["losses"][known] = torch.tensor(losses[known])
        sampler.load_state_dict(state)
        ids = torch.tensor([*sampler][16:32])
        found.append(gradient(ids, sampler.weights(ids) if weighed else torch.ones(len(ids))))
    return np.array(found), whole


def distance(found: Any, expected: Any) -> float:
    """Hotelling's T² of the mean to what it should be: of p parameters about p if it is, by chance."""
    mean, covariance = found.mean(0), np.cov(found.T) / len(found)
    return float((mean - expected) @ np.linalg.solve(covariance, mean - expected))


# The chance that a χ² of three degrees exceeds it is 1e-6.
FAR = 30.66


@pytest.mark.parametrize("unbiased", ["epoch", "step"])
@pytest.mark.parametrize("prune", [0.5, 0.8])
def test_infobatch_is_unbiased_with_its_weights_and_not_without(chance, unbiased, prune):
    losses = uneven_losses(chance)
    rule = InfoBatch(prune, unbiased)
    shown = len(drawn(rule, losses).order)
    found, whole = gradients(rule, losses, 400, weighed=True)
    # An epoch has fewer steps, each of them larger: their sum is that of an epoch on everything.
    scale = EXAMPLES / shown if unbiased == "epoch" else 1
    assert distance(found, scale * whole) < FAR
    found, whole = gradients(rule, losses, 400, weighed=False)
    assert distance(found, whole) > FAR and distance(found, scale * whole) > FAR


@pytest.mark.parametrize("replacement", [False, True])
def test_random_subsets_are_unbiased(chance, replacement):
    losses = uneven_losses(chance)
    found, whole = gradients(RandomSubsets(0.55, replacement), losses, 400, weighed=True)
    assert distance(found, whole) < FAR


def test_balanced_classes_are_unbiased_if_reweighted(chance):
    losses = uneven_losses(chance)
    # Classes by loss: the mean over them is not the mean over the set.
    labels = (np.nan_to_num(losses) > 1.5).astype(int)
    found, whole = gradients(ClassBalanced(labels, reweight=True), losses, 400, weighed=True)
    assert distance(found, whole) < FAR
    found, whole = gradients(ClassBalanced(labels), losses, 400, weighed=True)
    assert distance(found, whole) > FAR


def test_the_hardest_half_is_biased(chance):
    """As documented: what the test above can tell."""
    losses = np.nan_to_num(uneven_losses(chance), nan=1.0)
    found, whole = gradients(ProxyHardest(losses[np.newaxis], batch=32), losses, 400, weighed=True)
    assert distance(found, whole) > FAR


def test_the_sum_of_an_epoch_is_unbiased_over_ranks(chance):
    """Any number that examples have: its weighed sum over all ranks, on average over seeds."""
    losses, values = uneven_losses(chance), chance.normal(size=EXAMPLES)
    for ranks in (1, 2, 5):
        sums = []
        for seed in range(2_000):
            draw = drawn(InfoBatch(0.5), losses, ranks=ranks, seed=seed)
            sums.append((draw.weights[draw.order] * values[draw.order]).sum())
        error = np.std(sums) / math.sqrt(len(sums))
        assert abs(np.mean(sums) - values.sum()) < 5 * error


# Sampling in loops.


def loss_of(id: Any, epoch: int) -> Any:
    """A number that a loss might be, of example and epoch."""
    return np.abs(np.sin(np.asarray(id) * 1.7 + epoch)).astype(np.float32) / (1 + epoch)


RULES = {
    "infobatch": InfoBatch(0.6),
    "infobatch-step": InfoBatch(0.6, "step"),
    "subsets": RandomSubsets(0.4),
    "replacement": RandomSubsets(0.4, replacement=True),
    "balanced": ClassBalanced(np.arange(EXAMPLES) % 7 // 3, 1.3, reweight=True),
    "proxy": ProxyHardest([loss_of(np.arange(EXAMPLES), epoch) for epoch in range(8)], batch=12),
    "everything": Everything(),
}
EPOCHS, BATCH = 8, 6


def made(rule: DietRule, **options: Any) -> DietSampler:
    return DietSampler(EXAMPLES, rule, seed=11, epochs=EPOCHS, **options)


def run(
    sampler: DietSampler, first: int = 0, stop: tuple[int, int] | None = None, workers: int = 0
) -> Any:
    """Epochs of a loop: (epoch, ids, weights) of every step; up to some step of some epoch."""
    data = indexed(TensorDataset(torch.zeros(EXAMPLES)))
    loader = DataLoader(data, batch_size=BATCH, sampler=sampler, num_workers=workers)
    steps = []
    for epoch in range(first, EPOCHS):
        sampler.set_epoch(epoch)
        said = len(loader)
        for step, (_, ids) in enumerate(loader):
            assert said == len(loader)
            if (epoch, step) == stop:
                return steps
            weights = sampler.weights(ids)
            sampler.update(ids, torch.tensor(loss_of(ids, epoch)))
            steps.append((epoch, ids.tolist(), weights.tolist()))
        else:
            # It has as many as was said.
            assert step + 1 == said
    return steps


def saved(sampler: DietSampler) -> dict[str, Any]:
    """As in a checkpoint that is read without running code."""
    file = io.BytesIO()
    torch.save(sampler.state_dict(), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("stop", [(0, 0), (0, 2), (2, 1), (3, 3), (7, 1)])
def test_resumed_is_uninterrupted(name, stop):
    whole = run(made(RULES[name]))
    interrupted = made(RULES[name])
    begun = run(interrupted, stop=stop)
    resumed = made(RULES[name])
    resumed.load_state_dict(saved(interrupted))
    assert len(resumed) == len([*iter(resumed)])
    assert begun + run(resumed, first=stop[0]) == whole


def test_resumed_is_uninterrupted_with_workers_that_fetch_ahead():
    rule = RULES["infobatch"]
    whole = run(made(rule))
    interrupted = made(rule)
    begun = run(interrupted, stop=(2, 2), workers=2)
    resumed = made(rule)
    resumed.load_state_dict(saved(interrupted))
    assert begun + run(resumed, first=2, workers=2) == whole


def test_resumed_at_the_end_of_an_epoch():
    """Between the last update of an epoch and the next set_epoch; the loop goes on with either epoch."""
    rule = RULES["infobatch"]
    whole = run(made(rule))
    for first in (2, 3):
        interrupted = made(rule)
        begun = []
        for epoch in range(3):
            interrupted.set_epoch(epoch)
            ids = [*interrupted]
            for at in range(0, len(ids), BATCH):
                part = ids[at : at + BATCH]
                begun.append((epoch, part, interrupted.weights(part).tolist()))
                interrupted.update(part, loss_of(part, epoch))
        resumed = made(rule)
        resumed.load_state_dict(saved(interrupted))
        assert len(resumed) == 0
        rest = run(resumed, first=3) if first == 3 else run_from_an_empty_epoch(resumed)
        assert begun + rest == whole


def run_from_an_empty_epoch(sampler: DietSampler) -> Any:
    sampler.set_epoch(sampler.epoch)
    assert [*sampler] == []
    return run(sampler, first=sampler.epoch + 1)


def test_skipped_batches_stay_skipped():
    """A loop that leaves out a batch has not shown it; what was resumed does not either."""
    sampler = made(RandomSubsets(0.5))
    ids = [*sampler]
    sampler.update(ids[:6])
    sampler.update(ids[12:18])
    resumed = made(RandomSubsets(0.5))
    resumed.load_state_dict(sampler.state_dict())
    assert [*resumed] == ids[18:]


@pytest.mark.parametrize("epochs", [1, 2, 7, 8, 10, 24, 100])
@pytest.mark.parametrize("anneal", [None, 0.1, 0.3, 1.0])
def test_the_last_epochs_show_everything(epochs, anneal):
    sampler = DietSampler(EXAMPLES, InfoBatch(), epochs=epochs, anneal=anneal)
    share = 0.125 if anneal is None else anneal
    # As in the authors' code: epochs below epochs * delta are pruned.
    pruned = [
        epoch for epoch in range(epochs) if epoch < math.floor(round(epochs * (1 - share), 9))
    ]
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        ids = [*sampler]
        weights = sampler.weights(ids)
        if epoch not in pruned or epoch == 0:
            assert sorted(ids) == list(range(EXAMPLES)) and (weights == 1).all()
        else:
            assert len(ids) < EXAMPLES and weights.max() > 1
        sampler.update(ids, loss_of(ids, epoch))


def test_other_rules_anneal_too():
    sampler = DietSampler(EXAMPLES, RandomSubsets(0.5), epochs=4, anneal=0.25)
    lengths = []
    for epoch in range(4):
        sampler.set_epoch(epoch)
        lengths.append(len(sampler))
    assert lengths == [30, 30, 30, EXAMPLES]


def test_losses_are_those_that_came_last():
    sampler = made(InfoBatch(0.5))
    expected = np.full(EXAMPLES, np.nan, np.float32)
    for epoch in range(3):
        sampler.set_epoch(epoch)
        np.testing.assert_array_equal(sampler.losses, expected)
        ids = np.array([*sampler])
        sampler.weights(ids)
        sampler.update(ids[::2], torch.tensor(loss_of(ids[::2], epoch), dtype=torch.bfloat16))
        sampler.update(ids[1::2].tolist(), loss_of(ids[1::2], epoch).astype(np.float64))
        expected[ids[1::2]] = loss_of(ids[1::2], epoch)
        expected[ids[::2]] = torch.tensor(loss_of(ids[::2], epoch)).bfloat16().float()
        np.testing.assert_array_equal(sampler.losses, expected)
    assert not np.isnan(sampler.losses).any()


def test_a_training_with_fewer_gradients_learns_as_much():
    """A linear model of two blobs: InfoBatch to the accuracy of everything, on fewer examples."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(400) % 2
    inputs = torch.randn(400, 2, generator=generator) + 2 * (2 * labels[:, None] - 1)
    shown, right = {}, {}
    for name, rule in {"everything": Everything(), "infobatch": InfoBatch(0.5)}.items():
        torch.manual_seed(0)
        model = torch.nn.Linear(2, 2)
        optimiser = torch.optim.SGD(model.parameters(), lr=0.2)
        sampler = DietSampler(400, rule, epochs=16)
        loader = DataLoader(indexed(TensorDataset(inputs, labels)), batch_size=20, sampler=sampler)
        shown[name] = 0
        for epoch in range(16):
            sampler.set_epoch(epoch)
            for images, truth, ids in loader:
                losses = F.cross_entropy(model(images), truth, reduction="none")
                optimiser.zero_grad()
                (losses * sampler.weights(ids, losses.device)).mean().backward()
                optimiser.step()
                sampler.update(ids, losses)
                shown[name] += len(ids)
        right[name] = (model(inputs).argmax(1) == labels).float().mean().item()
    assert shown["infobatch"] < 0.75 * shown["everything"]
    assert right["infobatch"] > 0.99 and right["everything"] > 0.99


# Ranks.


def on_ranks(folder: Path) -> dict[str, Any]:
    """Every rule in two processes, from its start and from the state of the first rank in mid-epoch."""
    distributed.init_process_group("gloo")
    found: dict[str, Any] = {}
    for name, rule in RULES.items():
        found[name] = run(made(rule))
        interrupted = made(rule)
        begun = run(interrupted, stop=(3, 1))
        own = interrupted.state_dict()
        interrupted.gather()
        states: list[Any] = [interrupted.state_dict()]
        distributed.broadcast_object_list(states, src=0)
        resumed = made(rule)
        resumed.load_state_dict(states[0])
        found[name, "resumed"] = begun + run(resumed, first=3)
        found[name, "own"] = own
    rank = distributed.get_rank()
    for what, options in {
        "seed": {"seed": rank},
        "rule": {"rule": InfoBatch(0.5 + rank / 8)},
    }.items():
        options = {"rule": Everything(), "seed": 0} | options
        sampler = DietSampler(EXAMPLES, epochs=2, **options)
        sampler.update([*sampler], np.ones(len(sampler)))
        try:
            sampler.set_epoch(1)
        except StateError as error:
            found["differ", what] = str(error)
    return found


def test_ranks_share_out_one_draw_and_agree(tmp_path):
    ranks = in_two_processes(on_ranks, tmp_path)
    for name, rule in RULES.items():
        losses = np.full(EXAMPLES, np.nan, np.float32)
        steps = [rank[name] for rank in ranks]
        for epoch in range(EPOCHS):
            parts = [[id for at, ids, _ in rank if at == epoch for id in ids] for rank in steps]
            weights = [[w for at, _, ws in rank if at == epoch for w in ws] for rank in steps]
            full = epoch >= EPOCHS - 1 and rule.needs_losses
            draw = drawn(Everything() if full else rule, losses, ranks=2, seed=11, epoch=epoch)
            # The batches of both together are those of the draw.
            together = [id for pair in zip(*parts, strict=True) for id in pair]
            assert together == draw.order.tolist()
            if name != "balanced":
                assert not set(parts[0]) & set(parts[1])
            expected = np.ones(EXAMPLES) if draw.weights is None else draw.weights
            for ids, given in zip(parts, weights, strict=True):
                np.testing.assert_array_equal(given, expected[ids])
            losses[draw.order] = loss_of(draw.order, epoch)
        for rank in ranks:
            assert rank[name, "resumed"] == rank[name]
        with pytest.raises(StateError, match="of rank 1 of 2 alone.*gather"):
            made(rule).load_state_dict(ranks[1][name, "own"])
    assert "rank" in ranks[0]["differ", "seed"] and "seed" in ranks[0]["differ", "seed"]
    assert "InfoBatch(prune=0.625" in ranks[0]["differ", "rule"]


def test_ranks_that_cannot_reach_each_other():
    sampler = made(InfoBatch(), num_replicas=2, rank=1)
    sampler.update([*sampler], np.ones(len(sampler)))
    with pytest.raises(StateError, match="init_process_group"):
        sampler.set_epoch(1)
    both = [made(RandomSubsets(0.5), num_replicas=2, rank=rank) for rank in (0, 1)]
    for epoch in range(4):
        for sampler in both:
            sampler.set_epoch(epoch)
        one, two = ([*sampler] for sampler in both)
        assert not set(one) & set(two) and len(one) == len(two) == 15


def test_another_number_of_ranks_goes_on_from_the_end_of_an_epoch():
    sampler = made(RandomSubsets(0.5))
    ids = [*sampler]
    sampler.update(ids[:10])
    middle = sampler.state_dict()
    sampler.update(ids[10:])
    other = made(RandomSubsets(0.5), num_replicas=2, rank=1)
    with pytest.raises(StateError, match="midst of an epoch with 1 ranks"):
        other.load_state_dict(middle)
    other.load_state_dict(sampler.state_dict())
    assert len(other) == 0
    other.set_epoch(1)
    assert len(other) == 15


# What would be wrong without a word.


def test_what_is_no_loss_of_each_example_is_refused():
    sampler = made(InfoBatch())
    ids = torch.tensor([*sampler][:4])
    for one in (torch.tensor(0.7), torch.tensor([0.7]), 0.7, np.float32(0.7)):
        with pytest.raises(
            LossError, match='one loss for the batch, of 4 examples.*reduction="none"'
        ):
            sampler.update(ids, one)
    with pytest.raises(LossError, match="chooses by losses"):
        sampler.update(ids)
    for wrong in (torch.ones(4, 1), torch.ones(3), torch.ones(4, 10)):
        with pytest.raises(ShapeError, match="4 ids"):
            sampler.update(ids, wrong)
    for bad in (math.nan, math.inf, -math.inf, 1e300):
        with pytest.raises(NonFiniteError, match=f"id {ids[2]}") as caught:
            sampler.update(ids, np.array([1, 2, bad, 3]))
        assert caught.value.ids == [ids[2]] and caught.value.rows == [2] and caught.value.total == 1
    # Nothing of them was taken.
    assert np.isnan(sampler.losses).all() and sampler.state_dict()["place"] == 0
    sampler.update(ids[:1], torch.tensor([0.7]))


def test_ids_that_are_not_of_the_epoch_are_refused():
    sampler = made(RandomSubsets(0.5))
    shown = [*sampler]
    other = next(iter({*range(EXAMPLES)} - {*shown}))
    for call in (sampler.weights, sampler.update):
        with pytest.raises(
            IdError, match=f"id {other} is not among what the sampler shows in epoch 0"
        ):
            call(torch.tensor([shown[0], other]))
        with pytest.raises(IdError, match="not of a training set of 61"):
            call([shown[0], EXAMPLES])
        with pytest.raises(IdError, match="id -1"):
            call([-1])
        with pytest.raises(DtypeError):
            call(torch.tensor([[shown[0]]]))
    # Of an epoch before.
    sampler.set_epoch(1)
    with pytest.raises(IdError, match="before the loader is iterated"):
        sampler.update(shown)


def test_epochs_without_set_epoch_are_refused():
    sampler = made(Everything())
    loader = DataLoader(range(EXAMPLES), batch_size=8, sampler=sampler)
    first = [ids.tolist() for ids in loader]
    with pytest.raises(StateError, match=r"set_epoch\(epoch\) before each epoch"):
        next(iter(loader))
    # After a look at all batches, the epoch begins again.
    sampler.set_epoch(0)
    assert [ids.tolist() for ids in loader] == first
    sampler.set_epoch(1)
    assert [ids.tolist() for ids in loader] != first


def test_an_epoch_is_not_trained_on_twice():
    sampler = made(InfoBatch())
    ids = [*sampler]
    sampler.update(ids, np.ones(len(ids)))
    with pytest.raises(StateError, match="trained on already"):
        sampler.set_epoch(0)
    for wrong in (-1, EPOCHS):
        with pytest.raises(ValueError, match="counted from 0.*has 8"):
            sampler.set_epoch(wrong)
    with pytest.raises(StateError, match="needs the losses of the epochs between"):
        sampler.set_epoch(2)
    sampler.set_epoch(1)
    with pytest.raises(StateError, match="epoch 0 after epoch 1: a sampler goes forward"):
        sampler.set_epoch(0)


def test_no_losses_are_refused_and_few_are_told():
    sampler = made(InfoBatch())
    with pytest.raises(StateError, match=r"no losses of epoch 0.*sampler.update\(ids, losses\)"):
        sampler.set_epoch(1)
    sampler.update([*sampler][:20], np.ones(20))
    with pytest.warns(
        DietWarning, match="41 of the 61 examples of epoch 0 were given no loss"
    ) as caught:
        sampler.set_epoch(1)
    assert caught[0].filename == __file__
    # A short last batch that the loader dropped is no reason to warn.
    sampler = made(InfoBatch())
    sampler.update([*sampler][:56], loss_of(range(56), 0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sampler.set_epoch(1)


def test_weights_that_are_not_asked_for_are_told():
    for rule, weighed in ((InfoBatch(), True), (InfoBatch(), False), (RandomSubsets(0.5), False)):
        sampler = made(rule)
        for epoch in range(3):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                sampler.set_epoch(epoch)
            ids = [*sampler]
            if weighed:
                sampler.weights(ids)
            sampler.update(ids, loss_of(ids, epoch))
            # The first epoch has no weights.
            expected = isinstance(rule, InfoBatch) and not weighed and epoch == 2
            told = ["weights of epoch 1 were not asked for" in str(one.message) for one in caught]
            assert told == [True] * expected


def test_states_of_something_else_are_refused():
    state = made(InfoBatch()).state_dict()
    for other, what in (
        (made(InfoBatch(0.4)), "rule InfoBatch.prune=0.5"),
        (made(Everything()), "rule"),
        (DietSampler(EXAMPLES, InfoBatch(), seed=1, epochs=EPOCHS), "seed 11"),
        (DietSampler(EXAMPLES, InfoBatch(), seed=11, epochs=9), "epochs 8"),
        (DietSampler(EXAMPLES + 1, InfoBatch(), seed=11, epochs=EPOCHS), "n_examples 61"),
        (made(InfoBatch(), anneal=0), "anneal 0.125"),
    ):
        with pytest.raises(StateError, match=f"the state has {what}"):
            other.load_state_dict(state)
    with pytest.raises(StateError, match="damaged"):
        made(InfoBatch()).load_state_dict(state | {"losses": torch.zeros(3)})
    with pytest.raises(StateError, match="not what DietSampler.state_dict gives"):
        made(InfoBatch()).load_state_dict({"epoch": 3})
    labels = np.arange(EXAMPLES) % 3
    balanced = made(ClassBalanced(labels)).state_dict()
    with pytest.raises(StateError, match="rule"):
        made(ClassBalanced(labels[::-1])).load_state_dict(balanced)


def test_rules_that_nobody_can_mean():
    for rule, error in (
        (lambda: InfoBatch(1.0), SelectionError),
        (lambda: InfoBatch(-0.1), SelectionError),
        (lambda: InfoBatch(0.5, "batch"), SelectionError),
        (lambda: RandomSubsets(0), SelectionError),
        (lambda: RandomSubsets(1.5), SelectionError),
        (lambda: ClassBalanced([]), LabelError),
        (lambda: ClassBalanced([[0, 1]]), LabelError),
        (lambda: ClassBalanced([0, 1], 0), SelectionError),
        (lambda: ProxyHardest([1.0, 2.0], batch=2), ShapeError),
        (lambda: ProxyHardest([[1.0, 2.0]], batch=2, keep=0), SelectionError),
        (lambda: DietSampler(EXAMPLES, ClassBalanced([0, 1])), ShapeError),
        (lambda: DietSampler(EXAMPLES, ProxyHardest([[1.0, 2.0]], batch=2)), ShapeError),
        (lambda: DietSampler(2, ProxyHardest([[1, 2]], 2), num_replicas=2, rank=0), SelectionError),
        (lambda: DietSampler(3, Everything(), num_replicas=4, rank=0), SelectionError),
        (lambda: DietSampler(EXAMPLES, InfoBatch()), TypeError),
        (lambda: DietSampler(EXAMPLES, "infobatch"), TypeError),
        (lambda: DietSampler(0, Everything()), ValueError),
        (lambda: DietSampler(EXAMPLES, Everything(), seed=-1), ValueError),
        (lambda: DietSampler(EXAMPLES, Everything(), anneal=2, epochs=3), ValueError),
        (lambda: DietSampler(EXAMPLES, Everything(), num_replicas=2), TypeError),
        (lambda: DietSampler(EXAMPLES, Everything(), num_replicas=2, rank=2), ValueError),
    ):
        with pytest.raises(error):
            rule()
