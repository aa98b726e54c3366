"""Convolutions of one to three dimensions, with stride, padding of any mode, dilation and groups.

P output positions, P' positions of the padded input, K = C_in * taps inputs under the filter:

    direct   form dW of a few examples (C_out x K), square, forget it     P K C_out multiplications
    Gram     sum_pq S_pq T_pq                                             P'^2 C_in + P^2 C_out

T = D D^T for the output gradients D; S, the same of what the filter sees, is a sum over the taps of
strided blocks of X X^T of the padded input, so that K does not appear. With few positions and many
channels the Gram form is much cheaper, with many positions the direct one.
"""

from __future__ import annotations

from functools import reduce
from itertools import product
from math import prod
from operator import mul
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from datadiet.torch.contributions import Contribution, Rows, by_gradients, fit, in_pieces, wide
from datadiet.torch.rules.rule import by_example

# An addition limited by memory takes as long as this many multiplications.
ADDITION = 8


class Convolution:
    names: tuple[str, ...] = ("weight", "bias")
    leading = False

    def refusal(self, module: Any) -> str:
        if "_conv_forward" in vars(module) or not type(module)._conv_forward.__module__.startswith(
            "torch."
        ):
            return f"its {type(module).__name__} has a forward pass of its own"
        return ""

    def contributions(
        self, module: Any, x: Tensor, delta: Tensor, examples: int
    ) -> dict[str, Contribution]:
        delta = wide(delta)
        bias = by_example(delta.flatten(2).sum(2), examples)
        x = wide(x).to(delta.dtype)
        return {"weight": Filters(module, padded(module, x), delta, examples), "bias": Rows(bias)}


def padded(module: Any, x: Tensor) -> Tensor:
    """The input with its padding, which for ``same`` may differ between the ends of an axis."""
    padding = module._reversed_padding_repeated_twice
    if module.padding_mode != "zeros":
        return F.pad(x, padding, mode=module.padding_mode)
    return F.pad(x, padding) if any(padding) else x


class Filters:
    """A use of a convolution's weight: ``x`` (rows x C_in x ..., padded), ``delta`` (rows x C_out x ...).

    Each example has rows / examples rows, whose gradients add up.
    """

    def __init__(self, module: Any, x: Tensor, delta: Tensor, examples: int) -> None:
        self.groups, self.stride, self.dilation = module.groups, module.stride, module.dilation
        self.taps = module.kernel_size
        self.x, self.delta, self.examples = x.contiguous(), delta, examples
        self.rows = len(x) // examples

    def squares(self, scratch: int) -> Tensor:
        if self.rows == 1 and self._gram_is_cheaper():
            one = self.x.element_size() * self.groups
            one *= prod(self.x.shape[2:]) ** 2 + 3 * prod(self.delta.shape[2:]) ** 2
            return in_pieces(self.examples, fit(scratch, one), self._by_positions)
        return in_pieces(self.examples, fit(scratch, self.dense_bytes()), self._by_matrix)

    def _gram_is_cheaper(self) -> bool:
        positions, inputs = prod(self.delta.shape[2:]), prod(self.x.shape[2:])
        taps, outputs = prod(self.taps), self.delta.shape[1] // self.groups
        channels = self.x.shape[1] // self.groups
        direct = positions * channels * taps * (outputs + ADDITION)
        gram = inputs**2 * channels + positions**2 * (outputs + ADDITION * taps)
        return gram < direct

    def _by_matrix(self, start: int, stop: int) -> Tensor:
        return self.dense(start, stop).square_().sum(1)

    def dense(self, start: int, stop: int) -> Tensor:
        """(stop - start) x (C_out * C_in / groups * taps)."""
        some = slice(start * self.rows, stop * self.rows)
        gradients = self.delta[some].flatten(2).unflatten(1, (self.groups, -1))
        weight = gradients @ self._seen(some).transpose(2, 3)
        return by_example(weight.flatten(1), stop - start)

    def dense_bytes(self) -> int:
        seen = self.x.shape[1] * prod(self.taps) * prod(self.delta.shape[2:])
        weight = self.x.shape[1] * prod(self.taps) * self.delta.shape[1] // self.groups
        return self.rows * (seen + weight) * self.x.element_size()

    def project(self, left: Tensor, right: Tensor, scratch: int) -> Tensor:
        return by_gradients(self, left, right, scratch)

    @property
    def device(self) -> torch.device:
        return self.x.device

    def _seen(self, some: slice) -> Tensor:
        """What the filter sees: rows x groups x (C_in / groups * taps) x positions."""
        x = self.x[some]
        steps = x.stride()[2:]
        view = x.as_strided(
            (*x.shape[:2], *self.taps, *self.delta.shape[2:]),
            (*x.stride()[:2], *map(mul, steps, self.dilation), *map(mul, steps, self.stride)),
            x.storage_offset(),
        )
        positions = prod(self.delta.shape[2:])
        return view.reshape(len(x), self.groups, -1, positions)

    def _by_positions(self, start: int, stop: int) -> Tensor:
        gradients = self.delta[start:stop].flatten(2).unflatten(1, (self.groups, -1))
        similar = gradients.transpose(2, 3) @ gradients
        return (self._similar_inputs(start, stop) * similar).sum((1, 2, 3))

    def _similar_inputs(self, start: int, stop: int) -> Tensor:
        """S: examples x groups x positions x positions."""
        x = self.x[start:stop].flatten(2).unflatten(1, (self.groups, -1))
        every = x.transpose(2, 3) @ x
        places = self.x.shape[2:]
        out = self.delta.shape[2:]
        # Steps through the flattened places along each axis.
        steps = [prod(places[axis + 1 :]) for axis in range(len(places))]
        strides = [step * stride for step, stride in zip(steps, self.stride, strict=True)]
        width = prod(places)
        shape = (*every.shape[:2], *out, *out)
        stride = (*every.stride()[:2], *(width * step for step in strides), *strides)
        blocks = []
        for tap in product(*map(range, self.taps)):
            first = sum(map(lambda t, d, step: t * d * step, tap, self.dilation, steps))
            blocks.append(every.as_strided(shape, stride, first * (width + 1)))
        total = reduce(
            torch.Tensor.add_, blocks[1:], blocks[0].clone(memory_format=torch.contiguous_format)
        )
        return total.reshape(*every.shape[:2], prod(out), prod(out))
