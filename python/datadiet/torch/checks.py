"""What is refused example by example: labels that are not classes, norms that are not numbers.

Messages name an example by its id, or by its place in the loader's order where there are no ids.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from datadiet.exceptions import LabelError, NonFiniteError
from datadiet.torch.batches import Batch, Forward, Loss
from datadiet.torch.losses import TokenLoss

SHOWN = 5
"""So many examples are named."""


def classes_of(model: nn.Module, batch: Batch, loss: Loss, forward: Forward) -> int | None:
    """Number of classes of a model that gives ``B x K`` logits, or those of tokens; None of another.

    The example stands there twice, since some models drop a first axis of length one.
    """
    with torch.no_grad():
        logits = forward(model, batch.take([0, 0]).inputs)
    axes = 3 if isinstance(loss, TokenLoss) else 2
    return logits.shape[-1] if isinstance(logits, Tensor) and logits.dim() == axes else None


def check_tokens(batch: Batch, loss: TokenLoss, classes: int | None, before: int) -> None:
    """Refuses examples without a labelled token, and labels of tokens that are no classes."""
    labels = batch.labels
    if labels.dim() != 2 or labels.is_floating_point():
        raise LabelError(
            f"labels of tokens must be whole numbers, B x T; these are {labels.dtype} {tuple(labels.shape)}"
        )
    aims = loss.aims(labels, batch.packing)
    counted = aims != loss.ignore_index
    counts = counted.sum(1) if batch.packing is None else batch.packing.sums(counted.long())
    empty = (counts == 0).nonzero()[:, 0].tolist()
    if empty:
        raise LabelError(
            f"{len(empty)} of the batch's {len(batch)} examples have no label that counts (all are"
            f" {loss.ignore_index}{', or the first token of the example' if loss.shift else ''}): those of"
            f" {_named(batch, empty[:SHOWN], before)}; leave them out",
            row=before + empty[0],
            id=None if batch.ids is None else int(batch.ids[empty[0]]),
        )
    if classes is None:
        return
    outside = (counted & ((aims < 0) | (aims >= classes))).nonzero()
    if len(outside):
        row, token = outside[0].tolist()
        example = row if batch.packing is None else int(batch.packing.numbers[row, token])
        label = int(aims[row, token])
        raise LabelError(
            f"the example of {_named(batch, [example], before)} has a token with label {label}, but the"
            f" model gives {classes} classes; tokens without a label have {loss.ignore_index}",
            row=before + example,
            id=None if batch.ids is None else int(batch.ids[example]),
            label=label,
            classes=classes,
        )


def check_labels(batch: Batch, classes: int | None, before: int) -> None:
    """Refuses labels that are not indices of classes; `before` examples came in other batches.

    Only labels with one number for each example are looked at.
    """
    labels = batch.labels
    if classes is None or labels.dim() != 1:
        return
    if labels.is_floating_point() or labels.is_complex():
        raise LabelError(
            f"labels are {labels.dtype}; pass indices of classes as whole numbers (labels.long()), or"
            f" B x {classes} probabilities",
            classes=classes,
        )
    outside = ((labels < 0) | (labels >= classes)).nonzero()
    if len(outside):
        row = int(outside[0, 0])
        label = int(labels[row])
        raise LabelError(
            f"the example of {_named(batch, [row], before)} has label {label}, but the model gives"
            f" {classes} classes; map the labels to 0..{classes - 1}, or leave such examples out",
            row=before + row,
            id=None if batch.ids is None else int(batch.ids[row]),
            label=label,
            classes=classes,
        )


def check_finite(values: npt.NDArray[np.float32], batch: Batch, before: int) -> None:
    """Refuses norms and projections that are NaN or infinite; `before` examples came in other batches."""
    finite = np.isfinite(values).reshape(len(values), -1).all(1)
    rows = np.flatnonzero(~finite).tolist()
    if not rows:
        return
    first = rows[:SHOWN]
    more = ", …" if len(rows) > SHOWN else ""
    details: dict[str, Any] = {} if batch.ids is None else {"ids": batch.ids[first].tolist()}
    raise NonFiniteError(
        f"{len(rows)} of the batch's {len(values)} gradient"
        f" {'norms' if values.ndim == 1 else 'projections'} are NaN or infinite: those of"
        f" {_named(batch, first, before)}{more}; look for NaN or infinity in the weights and in the"
        " inputs, and for losses that overflow",
        rows=[before + row for row in first],
        total=len(rows),
        **details,
    )


def _named(batch: Batch, rows: list[int], before: int) -> str:
    if batch.ids is not None:
        return "id " + ", ".join(str(batch.ids[row]) for row in rows)
    return f"place {', '.join(str(before + row) for row in rows)} in the loader's order, from 0"
