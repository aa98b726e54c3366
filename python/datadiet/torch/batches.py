"""What a loader yields: inputs, labels and, where the order is not the order of the ids, ids.

    (inputs, labels)        a tuple or a list
    (inputs, labels, ids)   the same with ids
    {"labels": …, …}        a mapping, as Hugging Face's collators make; "ids" are ids, all the rest
                            are the model's keyword arguments

`inputs` is a tensor, a tuple or list of positional arguments, or a mapping of keyword arguments.
Every tensor among them whose first axis is as long as `labels` holds one entry an example; others
are passed as they are. Where rows hold several examples (`packing`) these are entries of rows.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from datadiet._arrays import wholes
from datadiet.exceptions import DtypeError, IdError
from datadiet.torch.errors import BatchError, LossError
from datadiet.torch.losses import TokenLoss
from datadiet.torch.packing import BOUNDARIES, POSITIONS, Packing, packing_of, refuse_packed

Loss = Callable[[Any, Any], Tensor]
"""Outputs and labels of B examples to B losses."""

Forward = Callable[[nn.Module, Any], Any]
"""A model and its inputs to its outputs."""


@dataclass(frozen=True)
class Batch:
    """Some examples."""

    inputs: Any
    labels: Any
    ids: npt.NDArray[np.int64] | None
    packing: Packing | None = None
    """Which tokens are whose, where rows hold several examples."""

    def __len__(self) -> int:
        """Examples."""
        return self.rows if self.packing is None else self.packing.examples

    @property
    def rows(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> Batch:
        move = lambda tensor: tensor.to(device)  # noqa: E731
        packing = None if self.packing is None else self.packing.to(device)
        return Batch(
            each_tensor(move, self.inputs), each_tensor(move, self.labels), self.ids, packing
        )

    def take(self, examples: list[int]) -> Batch:
        """These examples, in this order, a row each; one may be taken more than once.

        Of a packed batch only copies of one example.
        """
        if self.packing is None:
            return self.take_rows(examples)
        row, start, stop = self.packing.cut(examples[0])
        tokens = self.labels.shape[1]

        def some(tensor: Tensor) -> Tensor:
            if tensor.dim() and len(tensor) == self.rows:
                tensor = tensor[[row] * len(examples)]
            if tensor.dim() == 4 and tensor.shape[2:] == (tokens, tokens):
                return tensor[:, :, start:stop, start:stop]
            return (
                tensor[:, start:stop] if tensor.dim() > 1 and tensor.shape[1] == tokens else tensor
            )

        inputs = {name: value for name, value in self.inputs.items() if name not in BOUNDARIES}
        return Batch(each_tensor(some, inputs), each_tensor(some, self.labels), None)

    def take_rows(self, rows: list[int]) -> Batch:
        """These rows, with all their examples; one may be taken more than once."""
        size = self.rows

        def some(tensor: Tensor) -> Tensor:
            return tensor[rows] if tensor.dim() and len(tensor) == size else tensor

        inputs, packing = self.inputs, self.packing
        if packing is not None:
            inputs = {name: value for name, value in inputs.items() if name not in BOUNDARIES}
            packing = packing.take_rows(rows)
        return Batch(each_tensor(some, inputs), each_tensor(some, self.labels), None, packing)


def batch_of(item: Any) -> Batch:
    """What a loader yielded, as a batch of an example a row."""
    return _counted(_unpacked(item))


def examples_of(item: Any, model: nn.Module, packed: str | None) -> Batch:
    """The same for a model, where rows may hold several examples; `packed` names what tells them apart."""
    batch = _unpacked(item)
    taken = inspect.signature(model.forward).parameters
    if packed is None:
        refuse_packed(batch.inputs, taken)
        return _counted(batch)
    packing = packing_of(batch.inputs, batch.labels, packed)
    inputs = dict(batch.inputs)
    if packed != POSITIONS and packed not in taken:
        del inputs[packed]
    return _counted(Batch(inputs, batch.labels, batch.ids, packing))


def _unpacked(item: Any) -> Batch:
    if isinstance(item, Mapping):
        inputs = dict(item)
        if "labels" not in inputs:
            raise BatchError(
                f'a batch with the keys {", ".join(map(str, inputs))} has no "labels"; add them'
            )
        return _checked(Batch(inputs, inputs.pop("labels"), _ids(inputs.pop("ids", None))))
    if isinstance(item, (tuple, list)) and len(item) in (2, 3):
        return _checked(Batch(item[0], item[1], _ids(item[2] if len(item) == 3 else None)))
    what = (
        f"{type(item).__name__} of {len(item)}"
        if isinstance(item, (tuple, list))
        else type(item).__name__
    )
    raise BatchError(
        f'the loader yields a {what}; it must yield (inputs, labels), (inputs, labels, ids) or a mapping with "labels"'
    )


def _ids(ids: Any) -> npt.NDArray[np.int64] | None:
    if ids is None:
        return None
    try:
        array = wholes(ids, "ids")
    except (DtypeError, IdError) as error:
        raise BatchError(str(error)) from error
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise BatchError(
            f"ids must be whole numbers, one an example; these are {array.dtype} {array.shape}"
        )
    return array.astype(np.int64)


def _checked(batch: Batch) -> Batch:
    if not isinstance(batch.labels, Tensor) or batch.labels.dim() == 0:
        raise BatchError(
            f"labels must be a tensor, one entry an example; they are {type(batch.labels).__name__}"
        )
    return batch


def _counted(batch: Batch) -> Batch:
    if batch.ids is not None and len(batch.ids) != len(batch):
        what = "labels" if batch.packing is None else "examples in its rows"
        raise BatchError(
            f"a batch has {len(batch)} {what} and {len(batch.ids)} ids; give one id an example"
        )
    return batch


def each_tensor(change: Callable[[Tensor], Any], values: Any) -> Any:
    """The same nest of tuples, lists and mappings with every tensor changed."""
    if isinstance(values, Tensor):
        return change(values)
    if isinstance(values, Mapping):
        return {key: each_tensor(change, value) for key, value in values.items()}
    if isinstance(values, tuple) and hasattr(values, "_fields"):
        return type(values)(*(each_tensor(change, value) for value in values))
    if isinstance(values, (tuple, list)):
        return type(values)(each_tensor(change, value) for value in values)
    return values


def call(model: nn.Module, inputs: Any) -> Any:
    """The model's logits: its output, or the output's `logits`."""
    if isinstance(inputs, Mapping):
        outputs = model(**inputs)
    elif isinstance(inputs, (tuple, list)):
        outputs = model(*inputs)
    else:
        outputs = model(inputs)
    outputs = getattr(outputs, "logits", outputs)
    if not isinstance(outputs, Tensor):
        raise LossError(
            f"the model gives a {type(outputs).__name__}; pass forward=lambda model, inputs: … that gives"
            " what the loss takes"
        )
    return outputs


def losses_of(model: nn.Module, batch: Batch, loss: Loss, forward: Forward) -> Tensor:
    """The loss of each example (B)."""
    outputs = forward(model, batch.inputs)
    if batch.packing is None:
        losses = loss(outputs, batch.labels)
    elif isinstance(loss, TokenLoss):
        losses = loss.of_packed(outputs, batch.labels, batch.packing)
    else:
        raise LossError(
            "rows that hold several examples need a loss that adds up tokens for each; pass"
            ' loss=TokenLoss("mean", shift=True), or "sum", or shift=False for labels of tokens themselves'
        )
    if not isinstance(losses, Tensor) or losses.shape != (len(batch),):
        shape = tuple(losses.shape) if isinstance(losses, Tensor) else type(losses).__name__
        raise LossError(
            f"the loss of {len(batch)} examples must be {len(batch)} numbers; it is {shape}: use"
            ' reduction="none", and a mean or sum over all axes but the first'
        )
    return losses
