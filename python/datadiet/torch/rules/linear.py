"""Linear layers: any leading axes are positions."""

from __future__ import annotations

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
