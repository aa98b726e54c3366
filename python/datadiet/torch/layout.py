"""On which axis of a layer's input the examples lie.

A first axis of the right length proves nothing: a sequence may be as long as the batch. So the model
runs on two and on three copies of an example, and the axis that grows is theirs:

    2 -> 3     on any axis: that axis
    2n -> 3n   on the first: n rows for each example, side by side
    none       the call is for all examples at once, as for a table of positions. Its output is
               copied for each example, so that each has a gradient of its own

Where rows hold several examples, "example" reads "row" here; `packing` takes the rows apart.

That rows are side by side, and that copies leave the losses as they are, is checked on real examples
(`verify`).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Where a call's examples are."""

    axis: int
    """The axis, from 0."""

    copied: bool = False
    """Whether input and output are copied for each example first."""

    def rows(self, values: Tensor, examples: int) -> Tensor:
        """The same values with examples, or rows of examples, first."""
        if self.axis:
            values = values.movedim(self.axis, 0)
        if len(values) % examples:
            raise NotForExamples
        return values

    def copies(self, values: Tensor, examples: int) -> Tensor:
        """One copy an example, on the first axis, in memory of their own."""
        one = values if len(values) == 1 and values.dim() > 1 else values[None]
        return one.expand(examples, *one.shape[1:]).contiguous()


class NotForExamples(Exception):
    """A call whose rows are not as many for each example."""


def layout_of(two: tuple[int, ...], three: tuple[int, ...], leading: bool) -> Layout | None:
    """The layout of a call from its input's shapes for two and for three examples."""
    if two == three:
        return Layout(0, copied=True)
    if len(two) != len(three):
        return None
    grown = [axis for axis in range(len(two)) if two[axis] != three[axis]]
    axis = grown[0]
    if len(grown) > 1 or 3 * two[axis] != 2 * three[axis]:
        return None
    if axis and (two[axis] != 2 or not leading):
        return None
    return Layout(axis)
