"""Losses of examples: of classes, and of the tokens of texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from datadiet.torch.contributions import wide
from datadiet.torch.errors import LossError
from datadiet.torch.packing import Packing

REDUCTIONS = ("sum", "mean")


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The cross-entropy of each example, of ``B x K`` logits and B labels (or ``B x K`` probabilities).

    With labels as ``softplus(logsumexp of the other logits - own logit)``: the gradient of an example of
    which the model is sure is small, and 32-bit floats of ``p - 1`` would lose it.
    """
    if logits.dim() == 3 and logits.shape[:2] == labels.shape and not labels.is_floating_point():
        raise LossError(
            f"logits {tuple(logits.shape)} and labels {tuple(labels.shape)} are those of tokens; say which"
            ' loss an example has: loss=TokenLoss("mean", shift=True) for a causal model,'
            ' shift=False for a masked one and for labels of tokens, "sum" for the sum over tokens'
        )
    if logits.dim() != 2 or labels.shape != logits.shape[:1] or labels.is_floating_point():
        return F.cross_entropy(logits, labels, reduction="none")
    logits, own = wide(logits), labels.long()[:, None]
    others = logits.scatter(1, own, -torch.inf).logsumexp(1)
    return F.softplus(others - logits.gather(1, own)[:, 0])


@dataclass(frozen=True)
class TokenLoss:
    """The cross-entropy of an example's labelled tokens: their sum, or their mean.

    These are different scores. The gradient of the sum grows with the number of labelled tokens, that of
    the mean does not; a training whose loss is a mean over the tokens of a batch follows the sum.

    Parameters
    ----------
    reduction
        ``"sum"`` or ``"mean"``, over the labelled tokens of an example.
    shift
        True where the logits at a token are for the label of the next one, as in causal models whose
        labels are the tokens themselves; False for masked models and labels of tokens.
    ignore_index
        The label of tokens that have none.

    Examples
    --------
    Two tokens of two classes, of which the model knows nothing; the second has no label:

    >>> import torch
    >>> from datadiet.torch import TokenLoss
    >>> logits, labels = torch.zeros(1, 3, 2), torch.tensor([[0, -100, 1]])
    >>> TokenLoss("sum", shift=False)(logits, labels)
    tensor([1.3863])
    >>> TokenLoss("mean", shift=False)(logits, labels)
    tensor([0.6931])
    """

    reduction: Literal["sum", "mean"]
    shift: bool
    ignore_index: int = -100

    def __post_init__(self) -> None:
        if self.reduction not in REDUCTIONS:
            raise ValueError(f"reduction={self.reduction!r} is not one of {', '.join(REDUCTIONS)}")

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """B losses of ``B x T x K`` logits and ``B x T`` labels."""
        tokens, counted = self._tokens(logits, self.aims(labels))
        total = tokens.sum(1)
        return total if self.reduction == "sum" else total / counted.sum(1)

    def of_packed(self, logits: Tensor, labels: Tensor, packing: Packing) -> Tensor:
        """The loss of each example, of rows that hold several."""
        tokens, counted = self._tokens(logits, self.aims(labels, packing))
        total = packing.sums(tokens)
        return total if self.reduction == "sum" else total / packing.sums(counted.to(total.dtype))

    def aims(self, labels: Tensor, packing: Packing | None = None) -> Tensor:
        """The label that each token's logits are for; no example's are for another's."""
        if not self.shift:
            aims = labels
        else:
            aims = torch.full_like(labels, self.ignore_index)
            aims[:, :-1] = labels[:, 1:]
        if packing is not None:
            owner = packing.numbers
            if self.shift:
                last = torch.ones_like(owner, dtype=torch.bool)
                last[:, :-1] = owner[:, 1:] != owner[:, :-1]
                aims = aims.masked_fill(last, self.ignore_index)
            aims = aims.masked_fill(owner < 0, self.ignore_index)
        return aims

    def _tokens(self, logits: Tensor, aims: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of each token, 0 where it has no label, and whether it has one."""
        if logits.dim() != 3 or logits.shape[:2] != aims.shape:
            raise LossError(
                f"TokenLoss takes B x T x K logits and B x T labels; they are {tuple(logits.shape)} and"
                f" {tuple(aims.shape)}"
            )
        flat = F.cross_entropy(
            wide(logits).flatten(0, 1),
            aims.flatten().long(),
            reduction="none",
            ignore_index=self.ignore_index,
        )
        return flat.view(aims.shape), aims != self.ignore_index
