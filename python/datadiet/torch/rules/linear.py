"""Linear layers: any leading axes are positions."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from datadiet.torch.contributions import Contribution, Outer, Rows, wide


class Linear:
    names: tuple[str, ...] = ("weight", "bias")
    leading = True

    def refusal(self, module: nn.Linear) -> str:
        return ""

    def contributions(
        self, module: nn.Linear, x: Tensor, delta: Tensor, examples: int
    ) -> dict[str, Contribution]:
        x = wide(x).reshape(examples, -1, module.in_features)
        delta = wide(delta).reshape(examples, -1, module.out_features)
        return {"weight": Outer(delta, x.to(delta.dtype)), "bias": Rows(delta.sum(1))}


class Turned:
    """Linear layers whose weight is inputs x outputs: the `Conv1D` of transformers, as in GPT-2."""

    names: tuple[str, ...] = ("weight", "bias")
    leading = True

    def refusal(self, module: Any) -> str:
        return ""

    def contributions(
        self, module: Any, x: Tensor, delta: Tensor, examples: int
    ) -> dict[str, Contribution]:
        inputs, outputs = module.weight.shape
        x = wide(x).reshape(examples, -1, inputs)
        delta = wide(delta).reshape(examples, -1, outputs)
        return {"weight": Outer(x.to(delta.dtype), delta), "bias": Rows(delta.sum(1))}
