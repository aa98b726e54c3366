"""Labels that padding would predict: of the first token of a text that is padded on the left, in a causal model.

What a model gives at a masked position is of nothing that the text says, and may be of the other texts of its
batch. So these labels do not count, and a text has the length, the loss and the gradient that it has alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.nn import functional as F

MASK = "attention_mask"

_DECODERS = ("decoder_input_ids", "decoder_attention_mask")
"""Where these are, the mask is of other tokens than the labels."""


def mask_of(inputs: Any, labels: Any) -> Tensor | None:
    """The B × T mask of a model's inputs, 0 where a token is padding; None where it has none of the labels' shape."""
    if not isinstance(inputs, Mapping) or any(name in inputs for name in _DECODERS):
        return None
    mask = inputs.get(MASK)
    shape = getattr(labels, "shape", ())
    return mask if isinstance(mask, Tensor) and mask.dim() == 2 and mask.shape == shape else None


def predicted_by_text(labels: Tensor, mask: Tensor | None, *, shift: bool, ignore: int) -> Tensor:
    """B × T labels with `ignore` in place of those that a masked position predicts.

    With `shift` the label at t is predicted at t − 1, otherwise at t.
    """
    if mask is None:
        return labels
    there = mask.to(labels.device) != 0
    if shift:
        there = F.pad(there, (1, 0), value=True)[:, :-1]
    return labels.masked_fill(~there, ignore)
