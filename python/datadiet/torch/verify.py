"""Two examples of the first batch, alone, by an ordinary backward pass.

What the hooks assume of a model is checked on it: that examples do not meet, those of one row included,
that the same input gives the same output, that rows of an example lie side by side, that every use of a
parameter was seen.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from datadiet.torch.batches import Batch, Forward, Loss, losses_of
from datadiet.torch.contributions import wide
from datadiet.torch.errors import ModelError
from datadiet.torch.fallback import gradients_alone
from datadiet.torch.packing import Packing

# Relative differences that rounding explains, the Gram forms' and TF32's included. Uses that were
# missed or examples that meet differ by far more.
TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-2}
NARROW = 0.1

# The change of a loss, beside its size, that other sums of zeros explain, and experts of other sizes.
UNCHANGED = 2e-6
UNCHANGED_NARROW = 1e-3


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
    if batch.packing is not None:
        narrow = _tolerance(losses, parameters) == NARROW
        allowed_change = UNCHANGED_NARROW if narrow else UNCHANGED
        _no_crossing(model, losses, batch, batch.packing, loss, forward, allowed_change)
    wrong: dict[nn.Parameter, None] = {}
    for row in sorted({0, len(batch) - 1}):
        expected_loss, gradients = gradients_alone(model, parameters, batch, row, loss, forward)
        tolerance = _tolerance(losses, parameters)
        _same_loss(row, float(losses[row]), float(expected_loss), tolerance)
        if not parameters:
            continue
        norms = [0.0 if g is None else float(wide(g).square().sum().double()) for g in gradients]
        expected = torch.tensor(norms, dtype=torch.float64, device="cpu").sqrt()
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
    return max(TOLERANCE[dtype] for dtype in (losses.dtype, *(p.dtype for p in parameters)))


def _same_loss(row: int, together: float, alone: float, tolerance: float) -> None:
    if abs(together - alone) > tolerance * (abs(alone) + 1):
        raise ModelError(
            f"example {row} of the first batch has a loss of {together:.6g} in the batch and {alone:.6g}"
            " alone: in evaluation mode an example's output must not depend on chance (functional dropout"
            " without training=self.training) nor on other examples (batch statistics, a loss that"
            " averages over the batch, attention that crosses the examples of a row)"
        )


def in_other_row(batch: Batch, packing: Packing, example: int) -> Batch | None:
    """The batch with other tokens beside an example in its row; None where tokens go by another name."""
    tokens = batch.inputs.get("input_ids")
    if not isinstance(tokens, Tensor) or tokens.shape != packing.numbers.shape:
        return None
    row, start, stop = packing.cut(example)
    others = tokens.clone()
    others[row] = tokens[row].flip(0)
    others[row, start:stop] = tokens[row, start:stop]
    return replace(batch, inputs={**batch.inputs, "input_ids": others})


def _no_crossing(
    model: nn.Module,
    losses: Tensor,
    batch: Batch,
    packing: Packing,
    loss: Loss,
    forward: Forward,
    allowed: float,
) -> None:
    """Raises where an example's loss changes with the tokens of its row's other examples.

    Little may cross in a model that has hardly learned, so that the loss alone would not show it; but what
    does not cross changes nothing, to the last digit or nearly.
    """
    for example in sorted({0, len(batch) - 1}):
        changed = in_other_row(batch, packing, example)
        if changed is None:
            return
        with torch.no_grad():
            found = float(losses_of(model, changed, loss, forward)[example])
        if abs(found - float(losses[example])) > allowed * (1 + abs(found)):
            raise ModelError(
                f"the loss of example {example} of the first batch, which shares a row with others, changes"
                f" from {float(losses[example]):.8g} to {found:.8g} with their tokens: the model attends"
                " across examples; give it position_ids that start again at each example and no"
                " attention_mask, or an attention mask that keeps them apart, or one example a row"
            )
