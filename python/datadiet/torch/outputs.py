"""What a recorder takes of a training step: of outputs and labels what `FirstPresentations` is given.

The recorder says what is asked: `datadiet.Recorder` logits of one class an example, `datadiet.TokenRecorder`
logits or log-probabilities of tokens, `datadiet.LossRecorder` losses, others (`datadiet.MultiLabelRecorder`,
`datadiet.RegressionRecorder`) outputs and targets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from datadiet.loss_recorder import LossRecorder
from datadiet.recorder import Recorder
from datadiet.tokens import IGNORED, TokenRecorder
from datadiet.torch.errors import BatchError, LossError
from datadiet.torch.first_presentations import FirstPresentations


def takes_tokens(recorder: Any) -> bool:
    """Whether a recorder is of tokens."""
    return isinstance(recorder, TokenRecorder)


def takes_losses(recorder: Any) -> bool:
    """Whether a recorder is given losses and nothing else."""
    return isinstance(recorder, LossRecorder)


def record_losses(rows: FirstPresentations, ids: Any, losses: Any, length: Any = None) -> None:
    """B losses, or a mapping of such by part.

    Raises
    ------
    LossError
        One loss for the batch.
    """
    parts = losses.values() if isinstance(losses, Mapping) else [losses]
    for part in parts:
        if isinstance(part, Tensor) and part.dim() == 0:
            raise LossError(
                'that is one loss for the batch; give one an example: reduction="none", and a mean or sum'
                " over all axes but the first"
            )
    rows.update(ids, losses, **({} if length is None else {"length": length}))


def record_classes(rows: FirstPresentations, ids: Any, logits: Any, labels: Any) -> None:
    """B × K logits and B labels; of other recorders outputs and targets of any shape."""
    if isinstance(rows.recorder, Recorder) and logits.dim() != 2:
        raise BatchError(
            f"the logits are {tuple(logits.shape)}, not examples by classes; pass logits=lambda outputs: …, or"
            " of tokens a datadiet.TokenRecorder"
        )
    rows.update(ids, logits, labels)


def record_tokens(
    rows: FirstPresentations,
    ids: Any,
    labels: Any,
    shift: bool,
    *,
    logits: Tensor | None = None,
    log_probs: Tensor | None = None,
) -> None:
    """B × T × V logits or B × T log-probabilities, and B × T labels; ids of rows or of tokens.

    With `shift` the outputs at t are of the label at t + 1; B × (T − 1) of them will do. Logits that are not
    on the CPU become log-probabilities there, which are copied in a V-th of the time.

    Raises
    ------
    BatchError
        Shapes that do not fit.
    """
    outputs = logits if log_probs is None else log_probs
    assert outputs is not None
    labels = torch.as_tensor(labels)
    axes = 3 if log_probs is None else 2
    if outputs.dim() != axes or labels.dim() != 2 or len(outputs) != len(labels):
        raise BatchError(
            f"the outputs are {tuple(outputs.shape)} and the labels {tuple(labels.shape)}; of tokens they must"
            " be sequences by tokens by classes, and sequences by tokens"
        )
    less = labels.shape[1] - outputs.shape[1]
    if less not in ((0, 1) if shift else (0,)):
        raise BatchError(
            f"the outputs are of {outputs.shape[1]} tokens and the labels of {labels.shape[1]}; where the model"
            " adds tokens of its own, pass logits=lambda outputs: … that leaves these out"
        )
    if log_probs is None and (rows.holds or outputs.device.type != "cpu"):
        log_probs = log_probs_of(outputs, labels, shift)
    if log_probs is not None:
        log_probs = log_probs.detach().float().cpu()
        log_probs = F.pad(log_probs, (0, labels.shape[1] - log_probs.shape[1]))
        rows.update_tokens(ids, labels=labels, shift=shift, log_probs=log_probs)
        return
    if less:
        # Without the last token's logits, which are of no label.
        outputs = F.pad(outputs, (0, 0, 0, 1))
    rows.update_tokens(ids, labels=labels, shift=shift, logits=outputs)


def log_probs_of(logits: Tensor, labels: Tensor, shift: bool) -> Tensor:
    """B × T log-probabilities of the labels where the logits are; 0 where there is no label.

    A sequence at a time, in 32 bits, so that no more than one softmax is in memory.
    """
    targets = F.pad(labels, (0, 1), value=IGNORED)[:, 1:] if shift else labels
    targets = targets[:, : logits.shape[1]].to(logits.device)
    with torch.no_grad():
        losses = [
            F.cross_entropy(row.float(), target, ignore_index=IGNORED, reduction="none")
            for row, target in zip(logits, targets, strict=True)
        ]
    return -torch.stack(losses)
