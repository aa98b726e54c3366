"""How much the gradient of an example's loss depends on the batch that the example is in.

In exact arithmetic and evaluation mode it does not, for the models that `grand` takes. It does where
examples meet (batch statistics, attention across the examples of a row), where there is chance, and, a
little, where kernels round otherwise for other sizes: in bf16 that can be a per cent and more. So an
example's gradient is found

    in its batch, twice                      what differs is chance
    in the same places, among others         what differs is what examples do to each other
    alone                                    what differs beyond that is the kernels' rounding
    among others, with batch norms as in     what differs is what training does, where `grand` looks at
    training                                 evaluation mode

Compared are gradients, not only norms: ``|g - h| / |h|``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from datadiet.torch.batches import Batch, Forward, Loss, call, examples_of, losses_of
from datadiet.torch.contributions import wide
from datadiet.torch.errors import BatchError, ModelError
from datadiet.torch.evaluation import device_of, evaluating, unwrapped
from datadiet.torch.losses import cross_entropy
from datadiet.torch.verify import in_other_row

LIMIT = 1e-4
"""Relative differences above this are called a dependence: that of `grand` in 32-bit floats is below."""

SHOWN = 3


@dataclass(frozen=True)
class Dependence:
    """What `check` measured. Differences are relative: ``|g - h| / |h|`` of gradients g and h."""

    examples: tuple[int, ...]
    """Places in the batch of the examples that were looked at."""

    batch: int
    """Examples in the batch."""

    precision: str
    """Of the losses, or of the automatic cast."""

    chance: float
    """Largest difference between two equal passes."""

    company: npt.NDArray[np.float64]
    """For each example, the difference between the batch and one of the same size of other examples;
    NaN where there is nothing to change."""

    alone: npt.NDArray[np.float64]
    """For each example, the difference between the batch and the example alone."""

    norm_alone: npt.NDArray[np.float64]
    """For each example, the norm in the batch over the norm alone, minus one."""

    batch_norm: npt.NDArray[np.float64] | None
    """`company` with the layers of `batch_norm_layers` as in training; None without such layers."""

    batch_norm_layers: tuple[str, ...]
    """Layers that normalise with the batch's statistics in training."""

    parameters: dict[str, float]
    """The largest difference to the example alone in each parameter, beside the whole gradient's norm."""

    @property
    def depends(self) -> bool:
        """Whether in evaluation mode any gradient differs by more than `LIMIT`."""
        found = np.concatenate([self.company, self.alone, [self.chance]])
        return bool((found[~np.isnan(found)] > LIMIT).any())

    def __str__(self) -> str:
        company = _most(self.company)
        lines = [
            f"{len(self.examples)} of the batch's {self.batch} examples, {self.precision}, evaluation mode;"
            " largest relative differences of an example's gradient",
            f"  the same pass twice:         {self.chance:.2g}",
            f"  among other examples:        {company:.2g}",
            f"  alone:                       {_most(self.alone):.2g} (of its norm"
            f" {_most(np.abs(self.norm_alone)):.2g})",
        ]
        if self.batch_norm is not None:
            layers = ", ".join(self.batch_norm_layers[:SHOWN])
            more = ", …" if len(self.batch_norm_layers) > SHOWN else ""
            lines.append(
                f"  among others, in training:   {_most(self.batch_norm):.2g}, for the statistics of {layers}{more}"
            )
        lines.append(self._verdict(company))
        return "\n".join(lines)

    def _verdict(self, company: float) -> str:
        worst = sorted(self.parameters, key=lambda name: -self.parameters[name])[:SHOWN]
        where = f"; most in {', '.join(worst)}"
        if not self.depends:
            said = "an example's gradient does not depend on its batch"
            if self.batch_norm is not None and _most(self.batch_norm) > LIMIT:
                said += "; in training it does"
            return said
        if self.chance > LIMIT:
            return "an example's gradient depends on chance, as functional dropout makes it" + where
        if company > LIMIT:
            return "an example's gradient depends on the other examples of its batch" + where
        return (
            "an example's gradient depends on how many others are computed with it, by rounding: compute in"
            " wider floats where that matters" + where
        )


def check(
    model: nn.Module,
    batch: Any,
    *,
    loss: Loss = cross_entropy,
    forward: Forward = call,
    packed: str | None = None,
    examples: int = 4,
) -> Dependence:
    """How much the gradients of a batch's examples depend on the batch, by passes of both kinds.

    Printed it says what it measured. It takes about six forward and backward passes of the batch for each
    example that it looks at, and the memory of two gradients.

    Parameters
    ----------
    model, loss, forward, packed
        As for `grand`; of parameters that train, with or without a rule.
    batch
        What a loader yields, of two examples or more.
    examples
        How many of them to look at, evenly spread.

    Raises
    ------
    BatchError
        The batch has one example or none, or is not inputs and labels.
    LossError
        The loss is not one number an example.

    Examples
    --------
    >>> import torch
    >>> from datadiet.torch import check
    >>> model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2))
    >>> found = check(model, (torch.randn(8, 3), torch.arange(8) % 2))
    >>> found.depends, found.batch_norm_layers, bool(found.batch_norm.max() > 0.01)
    (False, ('1',), True)
    """
    model = unwrapped(model)
    whole = examples_of(batch, model, packed).to(device_of(model))
    if len(whole) < 2:
        raise BatchError(f"a batch of {len(whole)} examples has no others; pass two or more")
    count = min(examples, len(whole))
    places = tuple(number * (len(whole) - 1) // max(1, count - 1) for number in range(count))
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not parameters:
        raise ModelError("no parameter trains: set requires_grad of those that are to be looked at")
    passes = _Passes(model, parameters, loss, forward)
    with evaluating(model):
        found = [passes.compare(whole, place) for place in places]
        layers = _batch_norms(model)
        training = None
        if layers and whole.packing is None:
            with _in_training(list(layers.values())):
                training = np.array([passes.company(whole, place) for place in places])
    return Dependence(
        examples=places,
        batch=len(whole),
        precision=passes.precision,
        chance=max(one.chance for one in found),
        company=np.array([one.company for one in found]),
        alone=np.array([one.alone for one in found]),
        norm_alone=np.array([one.norm for one in found]),
        batch_norm=training,
        batch_norm_layers=tuple(layers),
        parameters={name: max(one.parameters[name] for one in found) for name in passes.parameters},
    )


@dataclass(frozen=True)
class _Differences:
    chance: float
    company: float
    alone: float
    norm: float
    parameters: dict[str, float]


class _Passes:
    """Gradients of single examples of batches."""

    def __init__(
        self, model: nn.Module, parameters: dict[str, nn.Parameter], loss: Loss, forward: Forward
    ) -> None:
        self.model, self.parameters = model, parameters
        self.loss, self.forward = loss, forward
        self.precision = ""

    def compare(self, batch: Batch, place: int) -> _Differences:
        here = self._gradient(batch, place)
        chance = _difference(self._gradient(batch, place), here)
        other = _among_others(batch, place)
        company = float("nan") if other is None else _difference(self._gradient(other, place), here)
        alone = self._alone(batch, place)
        size = _norm(alone)
        parts = [_norm([g - h]) / size if size else 0.0 for g, h in zip(here, alone, strict=True)]
        return _Differences(
            chance,
            company,
            _difference(here, alone),
            _norm(here) / size - 1 if size else 0.0,
            dict(zip(self.parameters, parts, strict=True)),
        )

    def company(self, batch: Batch, place: int) -> float:
        other = _among_others(batch, place)
        assert other is not None, "only packed batches may have nothing to change"
        return _difference(self._gradient(other, place), self._gradient(batch, place))

    def _alone(self, batch: Batch, place: int) -> list[Tensor]:
        try:
            return self._gradient(batch.take([place]), 0)
        except (RuntimeError, ValueError, IndexError):
            # Some models drop a first axis of length one.
            return self._gradient(batch.take([place, place]), 0)

    def _gradient(self, batch: Batch, place: int) -> list[Tensor]:
        losses = losses_of(self.model, batch, self.loss, self.forward)
        kind = losses.device.type
        cast = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
        dtypes = {p.dtype for p in self.parameters.values()}
        self.precision = (
            f"autocast to {cast}" if cast else ", ".join(sorted(map(str, dtypes)))
        ).replace("torch.", "")
        values = list(self.parameters.values())
        gradients = torch.autograd.grad(losses[place], values, allow_unused=True)
        return [
            torch.zeros_like(p) if g is None else wide(g.to_dense() if g.is_sparse else g)
            for p, g in zip(values, gradients, strict=True)
        ]


def _among_others(batch: Batch, place: int) -> Batch | None:
    """A batch of the same size with the example in its place and others in the other places."""
    if batch.packing is not None:
        return in_other_row(batch, batch.packing, place)
    others = [row for row in range(len(batch)) if row != place]
    # Half of them, twice; the example itself where there is only one other.
    few = others[: len(others) // 2] or [place]
    rows = [place if row == place else few[row % len(few)] for row in range(len(batch))]
    return batch.take(rows)


def _batch_norms(model: nn.Module) -> dict[str, nn.Module]:
    """Layers that take the batch's statistics in training and running ones in evaluation."""
    return {
        name: layer
        for name, layer in model.named_modules()
        if isinstance(layer, nn.modules.batchnorm._BatchNorm)
        and not isinstance(layer, nn.SyncBatchNorm)
        and layer.running_mean is not None
    }


@contextmanager
def _in_training(layers: list[nn.Module]) -> Iterator[None]:
    """These layers in training mode inside; afterwards their statistics are what they were."""
    buffers = [buffer for layer in layers for buffer in layer.buffers()]
    kept = [buffer.clone() for buffer in buffers]
    try:
        for layer in layers:
            layer.train()
        yield
    finally:
        for layer in layers:
            layer.eval()
        with torch.no_grad():
            for buffer, value in zip(buffers, kept, strict=True):
                buffer.copy_(value)


def _norm(gradient: list[Tensor]) -> float:
    return float(torch.stack([g.double().square().sum() for g in gradient]).sum().sqrt())


def _difference(found: list[Tensor], expected: list[Tensor]) -> float:
    size = _norm(expected)
    apart = _norm([g - h for g, h in zip(found, expected, strict=True)])
    if apart == 0:
        return 0.0
    return apart / size if size else float("inf")


def _most(values: npt.NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.max()) if len(known) else float("nan")
