"""Embeddings: the gradient of a row of the table is the sum over the positions that look it up."""

from __future__ import annotations

from torch import Tensor, nn

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


class EmbeddingWithin(Embedding):
    """Embeddings of classes of their own, as Gemma's that scale and OPT's that count on.

    What their forward pass does to tokens before the look-up and to rows after it is no concern: the call of
    ``torch.nn.functional.embedding`` is the layer's.
    """
