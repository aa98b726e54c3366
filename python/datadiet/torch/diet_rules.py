"""Rules by which a `DietSampler` chooses the examples of each epoch, and the examples of a batch.

A rule draws an epoch from its number, a seed and the losses so far, and from nothing else: who draws again,
after an interruption or on another rank, draws the same. All chance is Philox's stream under NumPy's
`SeedSequence`, which NumPy keeps the same from version to version; orders are sorts of its numbers.

    InfoBatch        Qin et al. 2024 (arXiv:2303.04947) and the code at github.com/NUS-HPC-AI-Lab/InfoBatch
    RandomSubsets    RS2: Okanovic et al. 2024 (arXiv:2305.18424)
    ProxyHardest     the 96 % record of Jordan (arXiv:2404.00498, airbench96_faster.py): the hardest half of
                     each batch by a small network's loss
    ClassBalanced    as many presentations of each class
    Everything       the whole set, shuffled
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from math import gcd
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from datadiet._arrays import Floats, Wholes, floats, wholes
from datadiet.exceptions import LabelError, NonFiniteError, SelectionError, ShapeError
from datadiet.torch.errors import LossError

Ids = npt.NDArray[np.int64]
Float32s = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Draw:
    """The examples of one epoch."""

    order: Ids
    """Ids as they are shown; as many as all ranks together show."""

    weights: Float32s | None = None
    """What the loss of each example is multiplied with, by id; None: 1."""


@dataclass(frozen=True)
class Setting:
    """What a rule draws an epoch from."""

    examples: int
    ranks: int
    seed: int
    epoch: int
    losses: Float32s
    """The last loss of each example, NaN before its first."""

    def shuffled(self, ids: Ids, purpose: str) -> Ids:
        """The ids in an order of this epoch and purpose."""
        return shuffled(ids, self.seed, self.epoch, purpose)


def shuffled(ids: Ids, seed: int, number: int, purpose: str) -> Ids:
    """The ids in an order that follows from seed, number and purpose."""
    return ids[np.argsort(_keys(len(ids), seed, number, purpose), kind="stable")]


def _keys(count: int, seed: int, number: int, purpose: str) -> npt.NDArray[np.uint64]:
    entropy = [seed, number, *purpose.encode()]
    return np.random.Philox(np.random.SeedSequence(entropy)).random_raw(count)


class DietRule:
    """What a `DietSampler` shows in each epoch. Rules hold no state, and one may serve several samplers."""

    needs_losses: ClassVar[bool] = False
    """Whether the draw follows the losses that `DietSampler.update` is given."""

    anneal: ClassVar[float] = 0.0
    """The share of the epochs, the last ones, that show everything unless the sampler is told otherwise."""

    def check(self, examples: int, ranks: int) -> None:
        """Refuses a training set or a number of ranks that the rule cannot serve."""

    def draw(self, setting: Setting) -> Draw:
        """The examples of an epoch; as many for each rank."""
        raise NotImplementedError

    def fingerprint(self) -> str:
        """The rule with what it was made of, to tell whether a saved state is of the same one."""
        values = (f"{field.name}={_shown(getattr(self, field.name))}" for field in fields(self))  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(values)})"


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.shape}:{hashlib.sha256(value.tobytes()).hexdigest()[:16]}"
    return repr(value)


@dataclass(frozen=True)
class Everything(DietRule):
    """The whole training set in a new order each epoch.

    What other rules are compared with, and how a proxy is trained for `ProxyHardest`. Where the ranks do
    not divide the set, fewer examples than there are ranks are left out of an epoch, others each time.
    """

    def draw(self, setting: Setting) -> Draw:
        order = setting.shuffled(np.arange(setting.examples), "order")
        return Draw(order[: _even(len(order), setting.ranks)])


@dataclass(frozen=True)
class InfoBatch(DietRule):
    """Leaves out a part of what is learnt already, and weighs the rest of it up (Qin et al. 2024).

    Of the examples whose last loss is below the mean of all last losses, a share of `prune` is left out at
    random; the gradients of those that stay are multiplied by what makes up for it, so that the expected
    gradient is that of the whole set. Examples that had no loss yet are shown. The first epoch shows
    everything, and so do the last ones: an eighth, unless `DietSampler(anneal=…)` says otherwise.

    Two things are as the paper has them and not as the authors' code: exactly as many are left out as the
    weights say (there a rounding is not made up for), and the losses of all ranks decide.

    Parameters
    ----------
    prune
        The share of examples below the mean that is left out: 0 to below 1; the paper has 0.5.
    unbiased
        ``"epoch"``, the paper's: what stays of the easy weighs 1 / (1 − prune), and the **sum** of the
        gradients of an epoch is that of the whole set, in fewer and larger steps. ``"step"``: weights of an
        epoch have the mean 1, and the **mean** over each batch is that of the whole set: steps are as large
        as usual. Optimisers that take no notice of a gradient's scale (Adam, Muon) do the same with both,
        except beside weight decay and other terms of the loss.
    """

    prune: float = 0.5
    unbiased: Literal["epoch", "step"] = "epoch"

    needs_losses: ClassVar[bool] = True
    anneal: ClassVar[float] = 0.125

    def __post_init__(self) -> None:
        if not 0 <= self.prune < 1:
            raise SelectionError(
                f"prune is {self.prune}; pass the share of easy examples to leave out, 0 to below 1"
            )
        if self.unbiased not in ("epoch", "step"):
            raise SelectionError(f'unbiased is {self.unbiased!r}; pass "epoch" or "step"')

    def draw(self, setting: Setting) -> Draw:
        losses, ranks = setting.losses, setting.ranks
        known = losses[~np.isnan(losses)]
        if not len(known):
            return Everything().draw(setting)
        # In the losses' precision: a mean of equal numbers is not above them.
        easy = losses < np.float32(known.mean(dtype=np.float64))
        below, above = np.flatnonzero(easy), np.flatnonzero(~easy)
        stay = round(len(below) * (1 - self.prune))
        # Whole numbers for all ranks, which the weights then make up for.
        stay -= (len(above) + stay) % ranks
        stay += ranks if stay <= 0 else 0
        if stay >= len(below):
            return Everything().draw(setting)
        kept = np.concatenate((above, setting.shuffled(below, "kept")[:stay]))
        weights = np.ones(setting.examples, np.float32)
        weights[below] = len(below) / stay
        if self.unbiased == "step":
            weights *= np.float32(len(kept) / setting.examples)
        return Draw(setting.shuffled(kept, "order"), weights)


@dataclass(frozen=True)
class RandomSubsets(DietRule):
    """RS2: another random part of the training set each epoch (Okanovic et al. 2024). Needs no losses.

    Every example has the same chance, so that nothing is weighed. `keep` says how long an epoch is: with
    0.1, ten times as many epochs cost as much, and a learning rate that falls by the epoch or the step
    falls within what is trained.

    Parameters
    ----------
    keep
        The share of the training set in an epoch, above 0 to 1.
    replacement
        Whether an example may come again before all others came. Without: how often any two were shown
        differs by at most one. In neither case an example comes twice in an epoch.
    """

    keep: float
    replacement: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.keep <= 1:
            raise SelectionError(f"keep is {self.keep}; pass a share above 0, up to 1")

    def check(self, examples: int, ranks: int) -> None:
        if self._size(examples, ranks) < 1:
            raise SelectionError(
                f"keep={self.keep} of {examples} examples is not one for each of {ranks} ranks; keep more"
            )

    def _size(self, examples: int, ranks: int) -> int:
        return _even(round(self.keep * examples), ranks)

    def draw(self, setting: Setting) -> Draw:
        size = self._size(setting.examples, setting.ranks)
        if self.replacement:
            return Draw(setting.shuffled(np.arange(setting.examples), "order")[:size])
        if 2 * size <= setting.examples:
            return Draw(setting.shuffled(_turn(setting, size), "order"))
        # Of the left out ones it is the same: each has its turn.
        kept = np.ones(setting.examples, np.bool_)
        kept[_turn(setting, setting.examples - size)] = False
        return Draw(setting.shuffled(np.flatnonzero(kept), "order"))


def _turn(setting: Setting, size: int) -> Ids:
    """Whose turn an epoch is, `size` of the examples and at most half of them: in passes over all of them.

    An epoch that ends one pass and begins the next takes from that one what it has not yet; these come first
    in the new pass. As that concerns no more than `size` places at its beginning, and a pass ends with fewer
    than `size` that are left over, each pass is known without those before.
    """
    if not size:
        return np.zeros(0, np.int64)
    number, place = divmod(setting.epoch * size, setting.examples)
    order = _pass(setting, size, number)
    part = order[place : place + size]
    if len(part) < size:
        following = _pass(setting, size, number + 1)
        part = np.concatenate((part, following[: size - len(part)]))
    return part


def _pass(setting: Setting, size: int, number: int) -> Ids:
    """All examples in the order of one pass."""
    examples, seed = np.arange(setting.examples), setting.seed
    order = shuffled(examples, seed, number, "pass")
    left_over = number * setting.examples % size
    if not left_over:
        return order
    last = shuffled(examples, seed, number - 1, "pass")[-left_over:]
    first = order[~np.isin(order, last)][: size - left_over]
    return np.concatenate((first, order[~np.isin(order, first)]))


@dataclass(frozen=True, eq=False)
class ClassBalanced(DietRule):
    """As many presentations of each class in an epoch, whatever the classes' sizes. Needs no losses.

    Of a larger class than that another random part is shown in each epoch, examples of a smaller one come
    again: each as often as another of its class, or once more. Unless `reweight`, what is trained is the
    mean over classes of their mean losses, not the mean over the set.

    Parameters
    ----------
    labels
        The class of each example of the full training set.
    keep
        Presentations in an epoch as a share of the training set: above 0, also above 1. There is at least one
        of each class, and as many as make the same number for each rank.
    reweight
        Weigh examples so that the expected mean over a batch is the mean over the training set all the same:
        balance in the batches, not in the aim.
    """

    labels: Wholes
    keep: float = 1.0
    reweight: bool = False

    def __post_init__(self) -> None:
        labels = wholes(self.labels)
        if labels.ndim != 1 or not len(labels):
            raise LabelError(f"labels are {labels.shape}; pass one class an example")
        if not (0 < self.keep < np.inf):
            raise SelectionError(
                f"keep is {self.keep}; pass presentations as a share of the training set, such as 1"
            )
        object.__setattr__(self, "labels", labels.astype(np.int64))

    def check(self, examples: int, ranks: int) -> None:
        labels: Any = self.labels
        if len(labels) != examples:
            raise ShapeError(
                f"{len(labels)} labels for {examples} examples; pass one of each example"
            )

    def draw(self, setting: Setting) -> Draw:
        _, classes, sizes = np.unique(self.labels, return_inverse=True, return_counts=True)
        step = setting.ranks // gcd(setting.ranks, len(sizes))
        each = max(1, round(self.keep * setting.examples / len(sizes) / step)) * step
        # By class, and at random within a class: the first few of each are those that come once more.
        order = np.lexsort((_keys(setting.examples, setting.seed, setting.epoch, "more"), classes))
        of = classes[order]
        place = np.arange(setting.examples) - (np.cumsum(sizes) - sizes)[of]
        times = each // sizes[of] + (place < (each % sizes)[of])
        weights = None
        if self.reweight:
            weights = (sizes[classes] * (len(sizes) / setting.examples)).astype(np.float32)
        return Draw(setting.shuffled(np.repeat(order, times), "order"), weights)


@dataclass(frozen=True, eq=False)
class ProxyHardest(DietRule):
    """The hardest part of each batch by the losses of a small network that was trained before (Jordan 2024).

    The training set is shuffled and cut into batches as `Everything` has them with the same seed and as many
    ranks, and of each batch the examples with the highest loss are shown: the rest is not even loaded. So
    train a proxy with ``DietSampler(n, Everything(), seed=seed)``, keep its `DietSampler.losses` of every
    epoch, and give the large network's loader a `batch_size` of ``keep * batch``. For a proxy that trains
    beside the network, see `hardest`.

    Its gradients are **not** those of the training set, on purpose: nothing is weighed, and wrong labels are
    the hardest of all.

    Parameters
    ----------
    losses
        epochs × n: the loss that each example had in each epoch of the proxy.
    batch
        Size of the batches out of which is chosen, of all ranks together.
    keep
        The share of a batch that is shown, above 0 to 1.
    """

    losses: Floats
    batch: int
    keep: float = 0.5

    def __post_init__(self) -> None:
        losses = floats(self.losses)
        if losses.ndim != 2 or not losses.size:
            raise ShapeError(f"losses are {losses.shape}; pass the proxy's, epochs x examples")
        object.__setattr__(self, "losses", losses.astype(np.float32))
        if not 0 < self.keep <= 1 or round(self.keep * self.batch) < 1:
            raise SelectionError(
                f"keep={self.keep} of a batch of {self.batch} is none of it; pass a share above 0, up to 1"
            )

    def check(self, examples: int, ranks: int) -> None:
        losses: Any = self.losses
        if losses.shape[1] != examples:
            raise ShapeError(
                f"the proxy's losses are of {losses.shape[1]} examples, and the training set has"
                f" {examples}; pass epochs x examples"
            )
        if self.batch % ranks or round(self.keep * self.batch) % ranks:
            raise SelectionError(
                f"of batches of {self.batch}, {round(self.keep * self.batch)} are shown, and {ranks} ranks"
                " cannot share both evenly; pass another batch or keep"
            )

    def draw(self, setting: Setting) -> Draw:
        losses: Any = self.losses
        if setting.epoch >= len(losses):
            raise SelectionError(
                f"there are the proxy's losses of {len(losses)} epochs, and this is epoch"
                f" {setting.epoch + 1}; train the proxy as long"
            )
        order = Everything().draw(setting).order
        last = losses[setting.epoch][order]
        whole = len(order) // self.batch * self.batch
        # A loader that drops the last batch, if it is short, leaves these without a loss.
        if np.isnan(last[whole:]).any():
            order, last = order[:whole], last[:whole]
        if not np.isfinite(last).all():
            wrong = np.sort(order[~np.isfinite(last)])
            raise NonFiniteError(
                f"the proxy's losses of epoch {setting.epoch + 1} are NaN or infinite for {len(wrong)}"
                f" examples, such as id {wrong[0]}; train it with the same seed and on all of them",
                ids=wrong[:10].tolist(),
                total=len(wrong),
            )
        parts = []
        for start in range(0, len(order), self.batch):
            part = last[start : start + self.batch]
            count = _even(round(self.keep * len(part)), setting.ranks)
            parts.append(start + _hardest(part, count))
        return Draw(order[np.concatenate(parts)] if parts else order)


def hardest(losses: Tensor, keep: float = 0.5) -> Tensor:
    """Rows of the hardest part of a batch, for a proxy that is trained beside the network.

    Parameters
    ----------
    losses
        B losses of the batch, such as a small network's without a gradient.
    keep
        The share of rows to give, above 0 to 1; at least one.

    Returns
    -------
    Tensor
        Row numbers in ascending order, on the losses' device. Of equal losses the earlier rows.

    Raises
    ------
    LossError
        One loss for the whole batch.
    NonFiniteError
        NaN or infinity.
    SelectionError
        `keep` out of range.

    Examples
    --------
    >>> import torch
    >>> from datadiet.torch import hardest
    >>> hardest(torch.tensor([0.5, 2.0, 0.1, 1.0]))
    tensor([1, 3])
    """
    if not 0 < keep <= 1:
        raise SelectionError(f"keep is {keep}; pass a share above 0, up to 1")
    if losses.dim() != 1:
        raise LossError(
            f'the losses are {tuple(losses.shape)}: pass one number an example, with reduction="none"'
        )
    losses = losses.detach()
    bad = ~torch.isfinite(losses)
    if bad.any():
        rows = bad.nonzero().flatten().tolist()
        raise NonFiniteError(
            f"the losses of {len(rows)} rows are NaN or infinite, the first in row {rows[0]}; look at its"
            " example, or lower the learning rate",
            rows=rows[:10],
            total=len(rows),
        )
    count = max(1, round(keep * len(losses)))
    return losses.argsort(descending=True, stable=True)[:count].sort().values


def _hardest(losses: Float32s, count: int) -> npt.NDArray[np.int64]:
    """Row numbers of the highest, ascending; of equal ones the earlier."""
    return np.sort(np.argsort(-losses, kind="stable")[:count])


def _even(count: int, ranks: int) -> int:
    return count - count % ranks
