"""Squared gradient norms without rules, for the parameters that have none."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from datadiet.torch.batches import Batch, Forward, Loss, each_tensor, losses_of
from datadiet.torch.contributions import wide
from datadiet.torch.errors import ModelError

# Gradients of so many examples at a time, and of so many bytes; more are no faster.
MOST = 32
BYTES = 256 << 20


def by_loop(
    model: nn.Module, parameters: list[nn.Parameter], batch: Batch, loss: Loss, forward: Forward
) -> Tensor:
    """Squared norm of each parameter's gradient (parameters x B): a backward pass an example."""
    rows = [
        squares_alone(model, parameters, batch, row, loss, forward)[1] for row in range(len(batch))
    ]
    return torch.stack(rows, 1)


def squares_alone(
    model: nn.Module,
    parameters: list[nn.Parameter],
    batch: Batch,
    row: int,
    loss: Loss,
    forward: Forward,
) -> tuple[Tensor, Tensor]:
    """The loss of an example without the others, and the squared norm of each parameter's gradient.

    The example stands there twice, since some models drop a first axis of length one.
    """
    losses = losses_of(model, batch.take([row, row]), loss, forward)
    zero = losses.new_zeros((), dtype=wide(losses).dtype)
    if not losses.requires_grad:
        return losses[0], zero.expand(len(parameters))
    gradients = torch.autograd.grad(losses.sum(), parameters, allow_unused=True)
    norms = [
        zero if g is None else wide(g.coalesce() if g.is_sparse else g).square().sum().to(zero)
        for g in gradients
    ]
    return losses[0].detach(), torch.stack(norms) / 4


def by_vmap(
    model: nn.Module,
    parameters: dict[str, nn.Parameter],
    batch: Batch,
    loss: Loss,
    forward: Forward,
) -> Tensor:
    """Squared norm of each parameter's gradient (parameters x B): torch.func.vmap(grad), some examples
    at a time."""
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

    def norms(values: dict[str, Tensor], *tensors: Tensor) -> Tensor:
        gradients = grad(one)(values, *tensors)
        return torch.stack([wide(gradients[name]).square().sum() for name in parameters])

    values = {name: parameter.detach() for name, parameter in parameters.items()}
    try:
        found = vmap(norms, (None, *axes), out_dims=1, chunk_size=chunk)(values, *flat)
    except RuntimeError as error:
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
