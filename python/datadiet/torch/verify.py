"""Two examples of the first batch, alone, by an ordinary backward pass.

What the hooks assume of a model is checked on it: that examples do not meet, that the same input gives
the same output, that rows of an example lie side by side, that every use of a parameter was seen.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from datadiet.torch.batches import Batch, Forward, Loss
from datadiet.torch.errors import ModelError
from datadiet.torch.fallback import squares_alone

# Relative differences that rounding explains, the Gram forms' and TF32's included. Uses that were
# missed or examples that meet differ by far more.
TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-2}
NARROW = 0.1


def wrong_parameters(
    model: nn.Module,
    squares: dict[nn.Parameter, Tensor],
    losses: Tensor,
    batch: Batch,
    loss: Loss,
    forward: Forward,
) -> list[nn.Parameter]:
    """Parameters whose squared norms differ from the norms of the example alone.

    Raises where the loss itself differs.
    """
    parameters = list(squares)
    wrong: dict[nn.Parameter, None] = {}
    for row in sorted({0, len(batch) - 1}):
        expected_loss, expected = squares_alone(model, parameters, batch, row, loss, forward)
        tolerance = _tolerance(losses, parameters)
        _same_loss(row, float(losses[row]), float(expected_loss), tolerance)
        expected = expected.cpu().double().sqrt()
        found = torch.stack([squares[p][row].cpu().double() for p in parameters]).sqrt()
        # What is small beside the whole norm may be rounding.
        allowed = tolerance * (expected + 0.1 * expected.square().sum().sqrt())
        unlike = ((found - expected).abs() > allowed).tolist()
        wrong |= {p: None for p, differs in zip(parameters, unlike, strict=True) if differs}
    return list(wrong)


def _tolerance(losses: Tensor, parameters: list[nn.Parameter]) -> float:
    narrow = {losses.dtype, *(p.dtype for p in parameters)} - set(TOLERANCE)
    if narrow or torch.is_autocast_enabled(losses.device.type):
        return NARROW
    return max(TOLERANCE[p.dtype] for p in parameters)


def _same_loss(row: int, together: float, alone: float, tolerance: float) -> None:
    if abs(together - alone) > tolerance * (abs(alone) + 1):
        raise ModelError(
            f"example {row} of the first batch has a loss of {together:.6g} in the batch and {alone:.6g}"
            " alone: in evaluation mode an example's output must not depend on chance (functional dropout"
            " without training=self.training) nor on other examples (batch statistics, a loss that"
            " averages over the batch)"
        )
