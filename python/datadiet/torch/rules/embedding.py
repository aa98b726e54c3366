"""Embeddings: the gradient of a row of the table is the sum over the positions that look it up."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call

from datadiet.torch.contributions import Contribution, Lookup, wide


class Embedding:
    names: tuple[str, ...] = ("weight",)
    leading = True

    def refusal(self, module: nn.Embedding) -> str:
        if module.max_norm is not None:
            return "max_norm changes the table during the forward pass"
        if module.scale_grad_by_freq:
            return "scale_grad_by_freq makes an example's gradient depend on its batch"
        return ""

    def contributions(
        self, module: nn.Embedding, x: Tensor, delta: Tensor, examples: int
    ) -> dict[str, Contribution]:
        tokens = x.reshape(examples, -1).long()
        rows = wide(delta).reshape(examples, -1, module.embedding_dim)
        if module.padding_idx is not None:
            rows = rows.masked_fill((tokens == module.padding_idx)[..., None], 0)
        return {"weight": Lookup(tokens, rows, module.num_embeddings)}


class ScaledEmbedding(Embedding):
    """Embeddings times a constant, as Gemma's; known by what they compute."""

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def contributions(
        self, module: nn.Embedding, x: Tensor, delta: Tensor, examples: int
    ) -> dict[str, Contribution]:
        return super().contributions(module, x, wide(delta) * self.scale, examples)


def scale_of(module: nn.Module) -> float | None:
    """The constant by which an embedding of its own class multiplies rows of its table; None of any other."""
    if not isinstance(module, nn.Embedding) or Embedding().refusal(module) or module._modules:
        return None
    rows = min(module.num_embeddings, max(8, (module.padding_idx or 0) + 1))
    tokens = torch.arange(min(8, rows), device=module.weight.device)[None]
    # Powers of two, whose products with the constant are exact in floats of any width.
    steps = torch.arange(rows * module.embedding_dim, device=module.weight.device) % 5
    table = (steps - 2.0).exp2().view(rows, -1).to(module.weight.dtype)
    try:
        with torch.no_grad(), torch.autocast(tokens.device.type, enabled=False):
            ratio = (functional_call(module, {"weight": table}, (tokens,)) / table[tokens]).double()
    except Exception:  # A stranger's layer has no rule then.
        return None
    scale = float(ratio.flatten()[0])
    return scale if torch.allclose(ratio, torch.full_like(ratio, scale), 1e-6, 0) else None
