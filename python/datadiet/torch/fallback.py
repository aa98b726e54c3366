"""Gradients without rules, for the parameters that have none."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from datadiet.torch.batches import Batch, Forward, Loss, each_tensor, losses_of
from datadiet.torch.errors import ModelError
from datadiet.torch.measures import Measure

# Gradients of so many examples at a time, and of so many bytes; more are no faster.
MOST = 32
BYTES = 256 << 20

# Relative differences that rounding for batches of one and of two explains; else copies are kept.
SAME = 1e-3


def by_loop(
    model: nn.Module,
    parameters: dict[str, nn.Parameter],
    batch: Batch,
    loss: Loss,
    forward: Forward,
    measure: Measure,
) -> Tensor:
    """What is measured of all these parameters' gradients (B x width): a backward pass an example."""
    wanted = list(parameters.values())
    copies = 1 if _stands_alone(model, wanted, batch, loss, forward) else 2
    rows = []
    for row in range(len(batch)):
        _, gradients = gradients_alone(model, wanted, batch, row, loss, forward, copies)
        total = torch.zeros(measure.width, dtype=torch.float64, device=batch.labels.device)
        for name, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None:
                total += measure.of_gradient(name, gradient).to(total)
        rows.append(total)
    return torch.stack(rows)


def _stands_alone(
    model: nn.Module, parameters: list[nn.Parameter], batch: Batch, loss: Loss, forward: Forward
) -> bool:
    """Whether the first example gives in a batch of one what it gives in a batch of two copies."""
    if len(batch) == 1:
        return False
    try:
        alone, found = gradients_alone(model, parameters, batch, 0, loss, forward, copies=1)
    except (RuntimeError, ValueError, IndexError):
        return False
    two, expected = gradients_alone(model, parameters, batch, 0, loss, forward)
    pairs = [(alone, two), *((g, h) for g, h in zip(found, expected, strict=True) if h is not None)]
    return all(
        g is not None and torch.allclose(g, h, SAME, SAME * float(h.abs().max())) for g, h in pairs
    )


def gradients_alone(
    model: nn.Module,
    parameters: list[nn.Parameter],
    batch: Batch,
    row: int,
    loss: Loss,
    forward: Forward,
    copies: int = 2,
) -> tuple[Tensor, list[Tensor | None]]:
    """The loss of an example without the others, and its gradient; None where nothing depends on a parameter.

    The example stands there twice, since some models drop a first axis of length one.
    """
    losses = losses_of(model, batch.take([row] * copies), loss, forward)
    if not losses.requires_grad or not parameters:
        return losses[0].detach(), [None] * len(parameters)
    gradients = torch.autograd.grad(losses.sum(), parameters, allow_unused=True)
    return losses[0].detach(), [
        None if g is None else (g.to_dense() if g.is_sparse else g) / copies for g in gradients
    ]


def by_vmap(
    model: nn.Module,
    parameters: dict[str, nn.Parameter],
    batch: Batch,
    loss: Loss,
    forward: Forward,
    measure: Measure,
) -> Tensor:
    """The same: torch.func.vmap(grad), some examples at a time."""
    if batch.packing is not None:
        raise ModelError(
            'torch.func.vmap cannot take rows apart that hold several examples; pass fallback="loop"',
            parameters=list(parameters),
        )
    size = len(batch)
    chunk = max(1, min(MOST, BYTES // sum(p.nbytes for p in parameters.values())))
    flat: list[Tensor] = []
    each_tensor(flat.append, (batch.inputs, batch.labels))
    axes = tuple(0 if tensor.dim() and len(tensor) == size else None for tensor in flat)

    def one(values: dict[str, Tensor], *tensors: Tensor) -> Tensor:
        rest = iter(
            tensor if axis is None else tensor[None]
            for tensor, axis in zip(tensors, axes, strict=True)
        )
        inputs, labels = each_tensor(lambda _: next(rest), (batch.inputs, batch.labels))
        outputs = functional_call(
            _Through(model, forward), {f"model.{k}": v for k, v in values.items()}, (inputs,)
        )
        return loss(outputs, labels).sum()

    def measured(values: dict[str, Tensor], *tensors: Tensor) -> Tensor:
        gradients = grad(one)(values, *tensors)
        return torch.stack([measure.of_gradient(name, gradients[name]) for name in parameters]).sum(
            0
        )

    values = {name: parameter.detach() for name, parameter in parameters.items()}
    try:
        found = vmap(measured, (None, *axes), chunk_size=chunk)(values, *flat)
    except (RuntimeError, NotImplementedError) as error:
        raise ModelError(
            f'torch.func.vmap cannot run this model ({str(error).splitlines()[0]}); pass fallback="loop"',
            parameters=list(parameters),
        ) from error
    return found.detach()


class _Through(nn.Module):
    """A model called by the user's `forward`."""

    def __init__(self, model: nn.Module, forward: Forward) -> None:
        super().__init__()
        self.model, self.call = model, forward

    def forward(self, inputs: object) -> object:
        return self.call(self.model, inputs)
