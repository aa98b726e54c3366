"""The passes over the batches of a loader, whatever is measured of the gradients.

The first batch settles how: where its examples lie, which parameters have a rule, and whether what the
rules give for two of its examples is what an ordinary backward pass gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.data import BatchSampler, IterableDataset, SequentialSampler

from datadiet.torch.batches import Batch, Forward, Loss, examples_of, losses_of, predicted
from datadiet.torch.checks import check_labels, check_tokens, classes_of
from datadiet.torch.errors import BatchError, LayerUseError, ModelError
from datadiet.torch.evaluation import device_of, evaluating, only_training, unwrapped
from datadiet.torch.fallback import by_loop, by_vmap
from datadiet.torch.losses import TokenLoss, cross_entropy
from datadiet.torch.measures import Measure, Squares
from datadiet.torch.plan import FALLBACKS, Plan, plan_of
from datadiet.torch.probe import last_layer_of, layouts_of
from datadiet.torch.tape import Tape
from datadiet.torch.verify import wrong_parameters

Fallback = Literal["vmap", "loop"]
Scope = Literal["all", "last-layer"]

# Bytes of scratch memory by default: on a processor what its caches hold, elsewhere what keeps it busy.
SCRATCH = {"cpu": 8 << 20}
LARGE_SCRATCH = 256 << 20


def scratch_of(model: nn.Module, scratch_mib: int | None) -> int:
    """Bytes for intermediate results."""
    if scratch_mib:
        return scratch_mib << 20
    return SCRATCH.get(device_of(unwrapped(model)).type, LARGE_SCRATCH)


def measure_all(
    model: nn.Module,
    loader: Iterable[Any],
    measure: Measure,
    *,
    loss: Loss,
    scope: Scope,
    last_layer: str | nn.Module | None,
    fallback: Fallback | None,
    forward: Forward,
    packed: str | None,
    scratch: int,
    take: Callable[[Batch, Tensor], None],
) -> None:
    """Gives `take` each batch and what is measured of its examples' gradients (B x width, 64-bit floats)."""
    if fallback not in (None, *FALLBACKS):
        raise ValueError(f"fallback={fallback!r} is not one of {', '.join(FALLBACKS)}")
    if scope not in ("all", "last-layer"):
        raise ValueError(f'scope={scope!r} is neither "all" nor "last-layer"')
    model = unwrapped(model)
    device = device_of(model)
    passes: Passes | None = None
    classes: int | None = None
    before = 0
    with evaluating(model):
        for item in loader:
            batch = predicted(examples_of(item, model, packed).to(device), loss)
            if len(batch) == 0:
                continue
            if isinstance(loss, TokenLoss):
                check_tokens(batch, loss, classes, before)
            if passes is None:
                _check_order(loader, batch)
                scoped = model if scope == "all" else _last_layer(model, last_layer, batch, forward)
                plan = plan_of(model, scoped)
                passes = Passes(model, plan, loss, forward, fallback, measure, scratch)
                if loss is cross_entropy or isinstance(loss, TokenLoss):
                    classes = classes_of(model, batch, loss, forward)
                    if isinstance(loss, TokenLoss):
                        check_tokens(batch, loss, classes, before)
            if loss is cross_entropy:
                check_labels(batch, classes, before)
            found = passes.of(batch)
            before += len(batch)
            take(batch, found)


def _check_order(loader: Any, batch: Batch) -> None:
    """Without ids the loader's order says whose norms these are, so that it must be a known one."""
    if batch.ids is not None:
        return
    sampler = getattr(loader, "batch_sampler", None)
    if sampler is None:
        sampler = getattr(loader, "sampler", None)
    if type(sampler) is BatchSampler:
        sampler = sampler.sampler
    stream = isinstance(getattr(loader, "dataset", None), IterableDataset)
    if sampler is not None and not stream and not _keeps_order(sampler):
        raise BatchError(
            f"the loader takes its order from a {type(sampler).__name__} and yields no ids, so that nobody"
            " knows whose norms these are; pass a loader with shuffle=False and no other sampler, or make"
            " it of datadiet.torch.indexed(dataset)"
        )
    if getattr(loader, "in_order", True) is False and loader.num_workers > 1:
        raise BatchError(
            "with in_order=False the loader yields batches in the order in which its workers finish;"
            " leave that out, or make the loader of datadiet.torch.indexed(dataset)"
        )


def _keeps_order(sampler: Any) -> bool:
    """Whether a sampler gives the rows in order, or in one that the caller wrote down."""
    return type(sampler) is SequentialSampler or isinstance(sampler, Sequence)


def _last_layer(
    model: nn.Module, named: str | nn.Module | None, batch: Batch, forward: Forward
) -> nn.Module:
    if named is None:
        return last_layer_of(model, batch, forward)
    if isinstance(named, nn.Module):
        return named
    layers = dict(model.named_modules())
    if named not in layers:
        raise ModelError(
            f"the model has no layer {named}; it has {', '.join(filter(None, layers))}"
        )
    return layers[named]


class Passes:
    """What is measured of batches, the first of which settles how."""

    def __init__(
        self,
        model: nn.Module,
        plan: Plan,
        loss: Loss,
        forward: Forward,
        fallback: Fallback | None,
        measure: Measure,
        scratch: int,
    ) -> None:
        self.model, self.plan = model, plan
        self.loss, self.forward = loss, forward
        self.fallback, self.measure = fallback, measure
        self.squares = Squares(scratch)
        self.layouts: dict[Any, Any] | None = None

    def of(self, batch: Batch) -> Tensor:
        """What is measured of each example's gradient (B x width)."""
        with only_training(self.model, list(self.plan.names)):
            parts: dict[nn.Parameter, Tensor] | None = None
            if self.layouts is None:
                parts = self._first(batch)
            if parts is None or not isinstance(self.measure, Squares):
                parts = self._ruled(batch, self.measure)[0]
            total = torch.zeros(len(batch), *self.measure.width, dtype=torch.float64, device="cpu")
            for part in (*parts.values(), *self._others(batch)):
                total += part.cpu().double()
        return total

    def _first(self, batch: Batch) -> dict[nn.Parameter, Tensor]:
        """The squared norms of the first batch, when all is as the rules suppose."""
        while True:
            self.layouts = layouts_of(self.model, self.plan, batch, self.loss, self.forward)
            self.plan.check(self.fallback)
            squares, losses = self._ruled(batch, self.squares)
            wrong = wrong_parameters(self.model, squares, losses, batch, self.loss, self.forward)
            if not wrong:
                return squares
            for parameter in wrong:
                self.plan.refuse(parameter, "its rule disagrees with an ordinary backward pass")
            self.plan.check(self.fallback)

    def _ruled(self, batch: Batch, measure: Measure) -> tuple[dict[nn.Parameter, Tensor], Tensor]:
        """What is measured of the parameters with a rule, and the losses.

        Layers that this batch uses in another way than the first lose their rule, if there is a
        fallback to take their place.
        """
        while True:
            try:
                return self._taped(batch, measure)
            except LayerUseError as error:
                if self.fallback is None:
                    raise
                for parameter in error.concerned:
                    self.plan.refuse(parameter, "a batch uses its layer in another way")

    def _taped(self, batch: Batch, measure: Measure) -> tuple[dict[nn.Parameter, Tensor], Tensor]:
        assert self.layouts is not None
        tape = Tape(self.plan, self.layouts, batch.rows, batch.packing, measure, self.model)
        with tape:
            losses = losses_of(self.model, batch, self.loss, self.forward)
            if losses.requires_grad:
                tape.backward(losses)
        zero = losses.new_zeros(len(batch), *measure.width)
        return {p: tape.found.get(p, zero) for p in self.plan.ruled()}, losses.detach()

    def _others(self, batch: Batch) -> list[Tensor]:
        """What is measured of the parameters without one."""
        others = {self.plan.names[parameter]: parameter for parameter in self.plan.without}
        if not others:
            return []
        find = by_loop if self.fallback == "loop" else by_vmap
        return [find(self.model, others, batch, self.loss, self.forward, self.measure)]
