"""What every rule is."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor, nn

from datadiet.torch.contributions import Contribution


class Rule(Protocol):
    """The gradient of a kind of layer."""

    names: tuple[str, ...]
    """Parameters of the layer that the rule knows."""

    leading: bool
    """Whether the examples may lie on other axes than the first."""

    def refusal(self, module: Any) -> str:
        """Why this layer has no exact rule; empty where it has."""

    def contributions(
        self, module: Any, x: Tensor, delta: Tensor, examples: int
    ) -> dict[str, Contribution]:
        """What a call adds to each parameter's gradient.

        `x` is the input and `delta` the gradient at the output. Their first axis holds B examples,
        or several rows for each: B x rows, the rows of an example side by side.
        """


def parameters(module: nn.Module, names: tuple[str, ...]) -> list[str]:
    """Those of `names` that are parameters of this layer."""
    return [name for name in names if isinstance(module._parameters.get(name), nn.Parameter)]


def by_example(rows: Tensor, examples: int) -> Tensor:
    """(B * rows) x n added up to B x n."""
    return rows if len(rows) == examples else rows.unflatten(0, (examples, -1)).sum(1)
