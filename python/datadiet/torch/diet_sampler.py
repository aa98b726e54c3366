"""A sampler that chooses the examples of each epoch while the training runs.

An epoch's draw follows from seed, epoch and the losses as they were when it began (`diet_rules`); losses of
the running epoch are kept apart until the next one begins. So a state in mid-epoch is those two arrays and a
place, and ranks that brought their losses together draw the same.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from math import floor
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, distributed
from torch.utils.data import Sampler

from datadiet._arrays import Floats, Wholes, _level_of_user, floats, wholes
from datadiet.exceptions import (
    DtypeError,
    IdError,
    NonFiniteError,
    SelectionError,
    ShapeError,
    StateError,
)
from datadiet.torch.diet_rules import DietRule, Draw, Everything, Float32s, Setting
from datadiet.torch.errors import DietWarning, LossError

_ENOUGH = 0.9
"""Of the examples of an epoch so many should have been given a loss; a loader drops a short last batch."""


class DietSampler(Sampler[int]):
    """Chooses the examples of each epoch by a rule, and says how to weigh them.

    For a plain `DataLoader` over `indexed` data::

        sampler = DietSampler(len(train), InfoBatch(), epochs=30)
        loader = DataLoader(indexed(train), batch_size=128, sampler=sampler)
        for epoch in range(30):
            sampler.set_epoch(epoch)
            for images, labels, ids in loader:
                losses = F.cross_entropy(model(images), labels, reduction="none")
                sampler.update(ids, losses)
                (losses * sampler.weights(ids, losses.device)).mean().backward()
                …

    `set_epoch` draws; ``len(sampler)`` and ``len(loader)`` then are those of the epoch, which differ from
    epoch to epoch: let a learning rate follow the share of the epochs that is done, not a number of steps.

    **Checkpoints.** `state_dict` may be taken at any time, also in mid-epoch: what comes after is then what
    would have come. Save it after `update` of the last batch; the place in the epoch is after the last
    example that was passed to `update`, whatever the loader's workers have fetched ahead.

    **Several processes.** Each has a sampler, made alike; rank r shows the examples r, r + R, r + 2R, … of
    the same draw, so that the batches of all ranks together are those of one process. Every rank must call
    `set_epoch`, which brings the losses of all together. Trainers that wrap samplers for ranks by themselves
    would share out a share: pass ``Trainer(use_distributed_sampler=False)`` to Lightning, and keep the loader
    out of accelerate's ``prepare``.

    An example takes 24 bytes, and some more while an epoch is drawn.

    Parameters
    ----------
    n_examples
        Size of the full training set; ids are 0..n_examples − 1.
    rule
        `InfoBatch`, `RandomSubsets`, `ClassBalanced`, `ProxyHardest` or `Everything`.
    seed
        Of all chance, 0 or above; the same on all ranks.
    epochs
        Epochs of the training, which `anneal` needs.
    anneal
        The share of the epochs, the last ones, that show everything, unweighed: 0 to 1. None: what the rule
        has, an eighth for `InfoBatch` and else 0.
    group
        The process group of the ranks; None: all processes, where torch.distributed is initialised.
    num_replicas, rank
        How many ranks there are and which one this is, where torch.distributed does not tell.

    Raises
    ------
    SelectionError, ShapeError
        A rule that does not fit the training set or the ranks.
    ValueError, TypeError
        Numbers out of range; `epochs` is missing.

    Examples
    --------
    >>> from datadiet.torch import DietSampler, RandomSubsets
    >>> sampler = DietSampler(10, RandomSubsets(keep=0.5), seed=1)
    >>> first = [*sampler]
    >>> sampler.set_epoch(1)
    >>> sorted(first + [*sampler])
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """

    def __init__(
        self,
        n_examples: int,
        rule: DietRule,
        *,
        seed: int = 0,
        epochs: int | None = None,
        anneal: float | None = None,
        group: distributed.ProcessGroup | None = None,
        num_replicas: int | None = None,
        rank: int | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(rule, DietRule):
            raise TypeError(f"rule is {rule!r}; pass one, such as InfoBatch()")
        if not 1 <= n_examples < 2**31:
            raise ValueError(
                f"n_examples is {n_examples}; pass the size of the full training set, below 2**31"
            )
        if seed < 0:
            raise ValueError(f"seed is {seed}; pass 0 or above")
        self.n_examples, self.rule, self.seed, self.group = int(n_examples), rule, int(seed), group
        self.num_replicas, self.rank = _ranks(group, num_replicas, rank)
        anneal = rule.anneal if anneal is None else anneal
        if not 0 <= anneal <= 1:
            raise ValueError(f"anneal is {anneal}; pass a share of the epochs, 0 to 1")
        if epochs is not None and epochs < 1:
            raise ValueError(f"epochs is {epochs}; pass how many the training has")
        if anneal and epochs is None:
            raise TypeError(
                f"the last {anneal:.3g} of the epochs show everything: pass epochs=…, how many the training"
                " has, or anneal=0"
            )
        self.epochs, self.anneal = epochs, float(anneal)
        # A share such as 0.1 is not exact, and 0.9 of 10 epochs are 9.
        self._full_from = None if epochs is None else floor(epochs * (1 - anneal) + 1e-9)
        if self.n_examples < self.num_replicas:
            raise SelectionError(
                f"{n_examples} examples are not one for each of {self.num_replicas} ranks"
            )
        rule.check(self.n_examples, self.num_replicas)
        self._losses: Float32s = np.full(self.n_examples, np.nan, np.float32)
        # Those of the running epoch.
        self._fresh: Float32s = np.full(self.n_examples, np.nan, np.float32)
        self._begin(0)

    def _begin(self, epoch: int) -> None:
        """Draw an epoch."""
        rule = Everything() if self._is_full(epoch) else self.rule
        setting = Setting(self.n_examples, self.num_replicas, self.seed, epoch, self._losses)
        draw: Draw = rule.draw(setting)
        self.epoch = epoch
        self._weights = draw.weights
        self._part = draw.order[self.rank :: self.num_replicas]
        self._place = np.full(self.n_examples, -1, np.int32)
        self._place[self._part] = np.arange(len(self._part))
        self._comes_once = len(self._part) == int((self._place >= 0).sum())
        self._start = self._done = 0
        self._exhausted = self._weighed = False
        self._together = True

    def _is_full(self, epoch: int) -> bool:
        """Whether the epoch is one of the last, which show everything."""
        return self._full_from is not None and epoch >= self._full_from

    def __len__(self) -> int:
        """How many examples this rank is going to show in this epoch: after a resumption in mid-epoch what is left."""
        return len(self._part) - self._start

    def __iter__(self) -> Iterator[int]:
        if self._exhausted:
            raise StateError(
                f"epoch {self.epoch} was shown already: call sampler.set_epoch(epoch) before each epoch (and"
                " again after a look at the loader's batches)"
            )
        yield from self._part[self._start :].tolist()
        self._exhausted = True

    def weights(self, ids: Wholes, device: torch.device | str | None = None) -> Tensor:
        """What to multiply the loss of each example with, before their mean is taken.

        Parameters
        ----------
        ids
            B ids of this rank's part of the epoch.
        device
            Where to put them; None: where the ids are.

        Returns
        -------
        Tensor
            B floats of 32 bits; 1 with rules that do not weigh.

        Raises
        ------
        IdError
            An id that this rank does not show in this epoch.
        """
        rows = self._rows(ids)
        self._weighed = True
        if device is None and isinstance(ids, Tensor):
            device = ids.device
        if self._weights is None:
            return torch.ones(len(rows), device=device)
        return torch.from_numpy(self._weights[rows]).to(device or "cpu")

    def update(self, ids: Wholes, losses: Floats | None = None) -> None:
        """Note that examples were trained on, and their losses.

        Parameters
        ----------
        ids
            B ids of this rank's part of the epoch.
        losses
            B losses, **before** they are weighed; a tensor of any device is detached and copied. May be left
            out with rules that need none, where a call still tells how far the epoch is.

        Raises
        ------
        LossError
            One loss for the whole batch; none, and the rule needs them.
        NonFiniteError
            NaN or infinity, with the ids.
        IdError
            An id that this rank does not show in this epoch.
        ShapeError, DtypeError
            Losses that are not one number an example.
        """
        rows = self._rows(ids)
        if losses is not None:
            self._fresh[rows] = _checked(losses, rows)
        elif self.rule.needs_losses:
            raise LossError(
                f"{type(self.rule).__name__} chooses by losses: pass update(ids, losses), with reduction="
                '"none"'
            )
        self._together = self.num_replicas == 1
        if not len(rows):
            return
        done = int(self._place[rows].max()) + 1 if self._comes_once else self._done + len(rows)
        self._done = min(max(self._done, done), len(self._part))

    @property
    def losses(self) -> Float32s:
        """The last loss of each example, NaN for those without: a copy, n floats of 32 bits.

        With several ranks those of the others are in it up to the last `gather` or `set_epoch`.
        """
        return np.where(np.isnan(self._fresh), self._losses, self._fresh)

    def set_epoch(self, epoch: int) -> None:
        """Draw an epoch, counted from 0, from the losses of those before. With several ranks, on every rank.

        For the epoch that is being shown it begins the iteration again, which after `load_state_dict` is at
        its place.

        Raises
        ------
        StateError
            The epoch before was given no losses and the rule needs them; it was not the one before, or is a later
            one; the epoch was trained on already; ranks whose samplers differ.
        ValueError
            An epoch beyond `epochs`.
        """
        if epoch < 0 or (self.epochs is not None and epoch >= self.epochs):
            raise ValueError(
                f"epoch {epoch}: epochs are counted from 0, and this training has"
                f" {'any number of them' if self.epochs is None else self.epochs}"
            )
        if epoch == self.epoch:
            if self._exhausted and self._done > self._start:
                raise StateError(
                    f"epoch {epoch} was trained on already: pass the next one to set_epoch, or load a state"
                )
            self._exhausted = False
            return
        if epoch < self.epoch:
            raise StateError(
                f"epoch {epoch} after epoch {self.epoch}: a sampler goes forward; make a new one for another"
                " training, or load a state"
            )
        follows = self.rule.needs_losses and not self._is_full(epoch)
        if follows and epoch != self.epoch + 1:
            raise StateError(
                f"epoch {epoch} after epoch {self.epoch}: {type(self.rule).__name__} needs the losses of the"
                " epochs between; go on with the next one, or load the state of one"
            )
        self.gather()
        self._check_use(follows)
        self._losses = self.losses
        self._fresh = np.full(self.n_examples, np.nan, np.float32)
        self._begin(epoch)

    def _check_use(self, follows: bool) -> None:
        """Whether losses and weights of the epoch that ends were asked for, as the rule has it."""
        shown, given = len(self._part), int(np.isfinite(self._fresh[self._part]).sum())
        if follows and not given and not self._done:
            raise StateError(
                f"no losses of epoch {self.epoch} (they are counted from 0) were given: call"
                " sampler.update(ids, losses) with every batch"
            )
        if follows and given < _ENOUGH * shown:
            warnings.warn(
                f"{shown - given} of the {shown} examples of epoch {self.epoch} were given no loss: they are"
                " chosen by an older one, or always; call sampler.update(ids, losses) with every batch",
                DietWarning,
                stacklevel=_level_of_user(),
            )
        if self._weights is not None and self._done and not self._weighed:
            warnings.warn(
                f"the weights of epoch {self.epoch} were not asked for, and its gradients are biased towards"
                " the hard examples: multiply the losses with sampler.weights(ids)",
                DietWarning,
                stacklevel=_level_of_user(),
            )

    def gather(self) -> None:
        """Bring the losses of all ranks together; every rank must call it. `set_epoch` does so.

        Before `state_dict` it makes the state of any rank the state of all, which a checkpoint that only the
        first rank writes needs.

        Raises
        ------
        StateError
            Ranks with other rules, seeds, sizes or epochs; no process group, and the rule needs losses.
        """
        if self.num_replicas == 1:
            return
        if not (
            distributed.is_available()
            and distributed.is_initialized()
            and distributed.get_world_size(self.group) == self.num_replicas
        ):
            if self.rule.needs_losses:
                raise StateError(
                    f"the losses of {self.num_replicas} ranks decide, and torch.distributed does not reach them:"
                    " call init_process_group, or pass the group of these ranks"
                )
            return
        alike = {**self._made_of(), "epoch": self.epoch}
        ids = np.flatnonzero(~np.isnan(self._fresh))
        ranks: list[Any] = [None] * self.num_replicas
        distributed.all_gather_object(ranks, (alike, ids, self._fresh[ids]), group=self.group)
        for number, (other, _, _) in enumerate(ranks):
            _check_alike(
                alike, other, f"the sampler of rank {number}", "make them alike on all ranks"
            )
        for _, ids, losses in ranks:
            self._fresh[ids] = losses
        self._together = True

    def state_dict(self) -> dict[str, Any]:
        """All that it takes to go on from here: numbers, texts and tensors, for `torch.save`.

        With several ranks each has its own, unless `gather` was called on all before.
        """
        return self._made_of() | {
            "epoch": self.epoch,
            "place": max(self._done, self._start),
            "shown": len(self._part),
            "num_replicas": self.num_replicas,
            "rank": self.rank,
            "together": self._together,
            "weighed": self._weighed,
            "losses": torch.from_numpy(self._losses.copy()),
            "fresh": torch.from_numpy(self._fresh.copy()),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state: the iteration of its epoch goes on after the last example that was updated.

        Raises
        ------
        StateError
            Not a state; one of another rule, seed or training set; of another rank; of another number of ranks
            in mid-epoch.
        """
        if not isinstance(state, Mapping) or not {"rule", "place", "fresh"} <= set(state):
            raise StateError(
                "this is not what DietSampler.state_dict gives; pass its part of the checkpoint"
            )
        advice = "make the sampler as it was made then, or begin anew without the state"
        _check_alike(self._made_of(), state, "the state", advice)
        ranks, rank, place = state["num_replicas"], state["rank"], state["place"]
        if not state["together"] and (ranks, rank) != (self.num_replicas, self.rank):
            raise StateError(
                f"the state has the losses of rank {rank} of {ranks} alone, and this is rank {self.rank} of"
                f" {self.num_replicas}: call sampler.gather() on all ranks before state_dict(), or save and load"
                " the state of each"
            )
        if ranks != self.num_replicas and 0 < place < state["shown"]:
            raise StateError(
                f"the state is of the midst of an epoch with {ranks} ranks, and here are {self.num_replicas}: go"
                " on with as many, or from the end of an epoch"
            )
        self._losses = _array(state["losses"], self.n_examples)
        self._fresh = _array(state["fresh"], self.n_examples)
        self._begin(int(state["epoch"]))
        at_end = place and place >= state["shown"]
        self._start = self._done = len(self._part) if at_end else int(place)
        self._weighed = bool(state["weighed"])
        self._together = bool(state["together"]) or self.num_replicas == 1

    def _made_of(self) -> dict[str, Any]:
        """What samplers have in common that draw the same."""
        return {
            "rule": self.rule.fingerprint(),
            "n_examples": self.n_examples,
            "seed": self.seed,
            "epochs": self.epochs,
            "anneal": self.anneal,
        }

    def _rows(self, ids: Wholes) -> npt.NDArray[np.int64]:
        """The ids, if they are of this rank's part of the epoch."""
        array = wholes(ids, "ids")
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise DtypeError(
                f"ids are {array.dtype} {array.shape}; pass whole numbers, one an example"
            )
        if len(array) and not (0 <= int(array.min()) and int(array.max()) < self.n_examples):
            wrong = array[(array < 0) | (array >= self.n_examples)]
            raise IdError(
                f"id {wrong[0]} is not of a training set of {self.n_examples} examples: pass the ids of"
                " datadiet.torch.indexed(train)",
                id=int(wrong[0]),
            )
        rows = array.astype(np.int64)
        missing = self._place[rows] < 0
        if missing.any():
            wrong = rows[missing]
            raise IdError(
                f"id {wrong[0]} is not among what {self._who()} shows in epoch {self.epoch}: pass the ids of"
                " the loader's batch, and call set_epoch before the loader is iterated",
                id=int(wrong[0]),
                ids=wrong[:10].tolist(),
            )
        return rows

    def _who(self) -> str:
        return "the sampler" if self.num_replicas == 1 else f"rank {self.rank}"


def _ranks(
    group: distributed.ProcessGroup | None, replicas: int | None, rank: int | None
) -> tuple[int, int]:
    """How many ranks there are, and which one this is."""
    if (replicas is None) != (rank is None):
        raise TypeError("pass both num_replicas and rank, or neither")
    if replicas is None or rank is None:
        if not (distributed.is_available() and distributed.is_initialized()):
            return 1, 0
        replicas, rank = distributed.get_world_size(group), distributed.get_rank(group)
    if not 0 <= rank < replicas:
        raise ValueError(f"rank {rank} of {replicas}: ranks are counted from 0")
    return replicas, rank


def _checked(losses: Floats, rows: npt.NDArray[np.int64]) -> Float32s:
    """One finite loss for each of the examples."""
    if isinstance(losses, Tensor):
        losses = losses.detach().float().cpu()
    values = floats(losses)
    if values.ndim == 0 or (values.size == 1 and len(rows) > 1):
        raise LossError(
            f'that is one loss for the batch, of {len(rows)} examples; pass reduction="none" to the loss'
            " function, and one number an example"
        )
    if values.shape != rows.shape:
        raise ShapeError(
            f"losses are {values.shape} for {len(rows)} ids; pass one number an example: a mean or sum over"
            " all axes but the first"
        )
    if values.dtype.kind != "f":
        raise DtypeError(f"losses are {values.dtype}; pass floats")
    with np.errstate(over="ignore"):
        values = values.astype(np.float32)
    bad = ~np.isfinite(values)
    if bad.any():
        places = np.flatnonzero(bad)
        ids = rows[bad]
        raise NonFiniteError(
            f"the losses of {len(ids)} examples are NaN or infinite, such as that of id {ids[0]}; look at the"
            " example, or lower the learning rate",
            ids=ids[:10].tolist(),
            rows=places[:10].tolist(),
            total=len(ids),
        )
    return values


def _check_alike(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], what: str, advice: str
) -> None:
    for name, value in ours.items():
        if theirs.get(name) != value:
            raise StateError(
                f"{what} has {name} {theirs.get(name)}, and this sampler has {value}: {advice}"
            )


def _array(values: Any, size: int) -> Float32s:
    array = np.array(floats(values), dtype=np.float32)
    if array.shape != (size,):
        raise StateError(f"the state has {array.shape} losses of {size} examples; it is damaged")
    return array
