"""What is kept of each example's gradient: its squared norm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from datadiet.torch.contributions import Contribution, squares, wide


class Measure(Protocol):
    """Something that adds up over a model's parameters."""

    width: tuple[int, ...]
    """Shape of what an example has."""

    def of_uses(self, name: str, shape: Sequence[int], uses: Sequence[Contribution]) -> Tensor:
        """B x width, of a parameter's uses."""

    def of_gradient(self, name: str, gradient: Tensor) -> Tensor:
        """The width, of an example's gradient of a parameter."""


class Squares:
    """The squared norm."""

    width: tuple[int, ...] = ()

    def __init__(self, scratch: int) -> None:
        self.scratch = scratch

    def of_uses(self, name: str, shape: Sequence[int], uses: Sequence[Contribution]) -> Tensor:
        return squares(uses, self.scratch)

    def of_gradient(self, name: str, gradient: Tensor) -> Tensor:
        return wide(gradient).square().sum()
