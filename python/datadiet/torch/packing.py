"""Several examples in a row, one after another, as packing puts them: where each begins and ends.

    position_ids    an example begins where a position is not the one before plus one
    anything else   numbers of examples (``segment_ids``, ``seq_idx``): one begins where the number changes;
                    negative numbers are padding

Rows are read in order, so that the first row's examples come first. What a layer saw is laid out anew as
examples x tokens of the longest, with zeros after the shorter ones: zeros add nothing to a gradient.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from datadiet.torch.errors import BatchError
from datadiet.torch.layout import NotForExamples

POSITIONS = "position_ids"

# Boundaries in a form of their own, which flash attention takes and which an example alone has not.
BOUNDARIES = ("cu_seq_lens_q", "cu_seq_lens_k", "max_length_q", "max_length_k")

# Entries that say that rows hold several examples, if they do.
SIGNS = ("seq_idx", "segment_ids", "sequence_ids", "cu_seq_lens_q")


@dataclass(frozen=True)
class Packing:
    """Which tokens of R rows of T tokens belong to which of E examples."""

    numbers: Tensor
    """R x T: the token's example, from 0; -1 where it belongs to none."""

    @property
    def examples(self) -> int:
        return int(self.numbers.max()) + 1 if self.numbers.numel() else 0

    def to(self, device: torch.device) -> Packing:
        return Packing(self.numbers.to(device))

    def take_rows(self, rows: list[int]) -> Packing:
        numbers = self.numbers[rows]
        return Packing(_numbered(_begins(numbers, numbers), numbers >= 0))

    def cut(self, example: int) -> tuple[int, int, int]:
        """The row of an example, its first token and the one after its last."""
        row, tokens = (self.numbers == example).nonzero(as_tuple=True)
        return int(row[0]), int(tokens[0]), int(tokens[-1]) + 1

    def sums(self, values: Tensor) -> Tensor:
        """R x T numbers added up to E."""
        held = self.numbers >= 0
        total = values.new_zeros(self.examples)
        return total.index_add(0, self.numbers[held], values[held])


class Spread:
    """Lays R x T tokens out as E x P, P the tokens of the longest example."""

    def __init__(self, packing: Packing) -> None:
        self.rows, self.tokens = packing.numbers.shape
        numbers = packing.numbers.flatten()
        held = (numbers >= 0).nonzero()[:, 0]
        owner = numbers[held]
        counts = torch.bincount(owner, minlength=packing.examples)
        first = counts.cumsum(0) - counts
        within = torch.arange(len(held), device=held.device) - first[owner]
        shape = (packing.examples, int(counts.max()))
        self.places = held.new_zeros(shape).index_put((owner, within), held)
        self.beyond = torch.ones(shape, dtype=torch.bool, device=held.device)
        self.beyond[owner, within] = False

    def __call__(self, values: Tensor) -> Tensor:
        if values.shape[:2] == (self.rows, self.tokens):
            values = values.flatten(0, 1)
        elif len(values) != self.rows * self.tokens:
            raise NotForExamples
        found = values[self.places]
        return found.masked_fill_(self.beyond.view(*self.beyond.shape, *[1] * (found.dim() - 2)), 0)


def packing_of(inputs: Any, labels: Any, name: str) -> Packing:
    """The packing that an entry of a batch says."""
    if not isinstance(inputs, Mapping) or name not in inputs:
        listed = ", ".join(map(str, inputs)) if isinstance(inputs, Mapping) else "no names"
        raise BatchError(
            f"packed={name!r}, but the batch has {listed}; it must be a mapping with an entry of that name"
        )
    entry = inputs[name]
    if not isinstance(entry, Tensor) or entry.dim() != 2 or entry.shape != labels.shape[:2]:
        shape = tuple(entry.shape) if isinstance(entry, Tensor) else type(entry).__name__
        raise BatchError(
            f"{name} must be rows x tokens as the labels, {tuple(labels.shape)}; it is {shape}"
        )
    mask = inputs.get("attention_mask")
    held = torch.ones_like(entry, dtype=torch.bool)
    if name == POSITIONS:
        if isinstance(mask, Tensor) and mask.shape == entry.shape:
            held = mask != 0
        begins = _begins(entry, entry - torch.arange(entry.shape[1], device=entry.device))
    else:
        held = entry >= 0
        begins = _begins(entry, entry)
        _once(entry, name)
    begins[:, 1:] |= held[:, 1:] & ~held[:, :-1]
    return Packing(_numbered(begins, held))


def _begins(like: Tensor, numbers: Tensor) -> Tensor:
    begins = torch.ones_like(like, dtype=torch.bool)
    begins[:, 1:] = numbers[:, 1:] != numbers[:, :-1]
    return begins


def _numbered(begins: Tensor, held: Tensor) -> Tensor:
    numbers = (begins & held).flatten().cumsum(0).view_as(held) - 1
    return numbers.masked_fill(~held, -1)


def _once(entry: Tensor, name: str) -> None:
    for number, row in enumerate(entry):
        runs = torch.unique_consecutive(row[row >= 0])
        if len(runs) > len(torch.unique(runs)):
            raise BatchError(
                f"in row {number} a number of {name} comes back after another one; an example's tokens"
                " must lie side by side"
            )


def refuse_packed(inputs: Any, taken: Collection[str]) -> None:
    """Refuses rows that hold several examples, when nobody said so: they would count as one.

    What the model's forward pass takes by its name may mean something else there.
    """
    if not isinstance(inputs, Mapping):
        return
    signs = [name for name in SIGNS if name in inputs and name not in taken]
    positions = inputs.get(POSITIONS)
    if isinstance(positions, Tensor) and positions.dim() == 2:
        again = (positions[:, 1:] == 0) & (positions[:, :-1] > 0)
        mask = inputs.get("attention_mask")
        if isinstance(mask, Tensor) and mask.shape == positions.shape:
            again &= mask[:, :-1] != 0
        if bool(again.any()):
            signs.append(POSITIONS)
    if signs:
        raise BatchError(
            f"{signs[0]} says that rows hold several examples; pass packed={signs[0]!r} for a norm each"
            + (f', or packed="{POSITIONS}"' if signs[0].startswith("cu_") else "")
            + ", or leave it out of the batch"
        )
