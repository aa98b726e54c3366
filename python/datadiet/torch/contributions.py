"""What one use of a parameter adds to each example's gradient, in a form that is cheap to square.

A parameter's gradient is the sum over its uses: the calls of its layer, the layers that share it.
Squares are taken of the sum:

    one use, or several of one form    the form's own rule, on the uses side by side
    a layer's matrix and a look-up     |A|^2 + |B|^2 + 2 <A, B>, as for tied embeddings
    anything else                      the gradients themselves, a few examples at a time

Random projections add up over the uses, so that each use is projected by itself (`projection`).

Shapes: B examples, P positions, an ``m x n`` parameter. Products are taken in 32-bit floats or wider.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

# The Gram matrices of positions are symmetric: rows are taken in so many blocks at least, each from its own
# place on, which leaves (BLOCKS + 1) / (2 BLOCKS) of the work. Blocks of fewer rows multiply slowly.
BLOCKS = 4
LEAST_ROWS = 32


class Contribution(Protocol):
    """A use of a parameter."""

    examples: int
    """B."""

    def squares(self, scratch: int) -> Tensor:
        """Squared norm for each example (B), with about `scratch` bytes of memory."""

    def dense(self, start: int, stop: int) -> Tensor:
        """The gradients of some examples, each flattened in the parameter's order."""

    def dense_bytes(self) -> int:
        """Memory that `dense` takes for one example."""

    def project(self, left: Tensor, right: Tensor, scratch: int) -> Tensor:
        """``sum_ij left_ri G_ij right_rj`` of the gradient G (m x n) for each example and r: B x dim,
        of ``dim x m`` and ``dim x n``."""

    @property
    def device(self) -> torch.device:
        """Where it is."""


class Rows:
    """The gradient of a vector: one row of numbers an example (B x n)."""

    def __init__(self, rows: Tensor) -> None:
        self.rows = rows
        self.examples = len(rows)

    def squares(self, scratch: int) -> Tensor:
        return self.rows.square().sum(1)

    def dense(self, start: int, stop: int) -> Tensor:
        return self.rows[start:stop]

    def dense_bytes(self) -> int:
        return self.rows[0].nbytes

    def project(self, left: Tensor, right: Tensor, scratch: int) -> Tensor:
        return by_gradients(self, left, right, scratch)

    @property
    def device(self) -> torch.device:
        return self.rows.device


class Outer:
    """A sum over positions of outer products: ``left`` (B x P x m) times ``right`` (B x P x n)."""

    def __init__(self, left: Tensor, right: Tensor) -> None:
        self.left, self.right = left, right
        self.examples = len(left)

    def squares(self, scratch: int) -> Tensor:
        """With one position |left|^2 |right|^2; with more, the cheaper of the matrix and
        sum_pq (left_p . left_q) (right_p . right_q)."""
        positions, m, n = self.left.shape[1], self.left.shape[2], self.right.shape[2]
        if positions == 1:
            return self.left.square().sum((1, 2)) * self.right.square().sum((1, 2))
        rows = _block(positions)
        if (positions + rows) * (m + n) < 2 * m * n:
            return self._by_positions(scratch)
        return self._by_matrix(scratch)

    def _by_positions(self, scratch: int) -> Tensor:
        positions = self.left.shape[1]
        one = 2 * positions * self.left.element_size()
        rows = fit(scratch, one, _block(positions))

        def some(start: int, stop: int) -> Tensor:
            left, right = self.left[start:stop], self.right[start:stop]
            total = left.new_zeros(stop - start)
            for row in range(0, positions, rows):
                here, on = slice(row, row + rows), slice(row, None)
                similar = left[:, here] @ left[:, on].transpose(1, 2)
                similar *= right[:, here] @ right[:, on].transpose(1, 2)
                total += 2 * similar.sum((1, 2)) - similar[:, :, :rows].sum((1, 2))
            return total

        return in_pieces(
            self.examples, fit(scratch, 2 * positions * rows * self.left.element_size()), some
        )

    def _by_matrix(self, scratch: int) -> Tensor:
        m, n = self.left.shape[2], self.right.shape[2]
        rows = fit(scratch, n * self.left.element_size(), m)

        def some(start: int, stop: int) -> Tensor:
            left, right = self.left[start:stop].transpose(1, 2), self.right[start:stop]
            total = right.new_zeros(stop - start)
            for row in range(0, m, rows):
                total += (left[:, row : row + rows] @ right).square_().sum((1, 2))
            return total

        return in_pieces(self.examples, fit(scratch, rows * n * self.left.element_size()), some)

    def dense(self, start: int, stop: int) -> Tensor:
        return (self.left[start:stop].transpose(1, 2) @ self.right[start:stop]).flatten(1)

    def dense_bytes(self) -> int:
        return self.left.shape[2] * self.right.shape[2] * self.left.element_size()

    def project(self, left: Tensor, right: Tensor, scratch: int) -> Tensor:
        left, right = left.to(self.left.dtype).T, right.to(self.right.dtype).T

        def some(start: int, stop: int) -> Tensor:
            return ((self.left[start:stop] @ left).mul_(self.right[start:stop] @ right)).sum(1)

        one = 2 * self.left.shape[1] * left.shape[1] * self.left.element_size()
        return in_pieces(self.examples, fit(scratch, one), some)

    @property
    def device(self) -> torch.device:
        return self.left.device


class Lookup:
    """Rows added to the rows of a table: ``rows`` (B x P x n) at ``tokens`` (B x P) of ``height``."""

    def __init__(self, tokens: Tensor, rows: Tensor, height: int) -> None:
        self.tokens, self.rows, self.height = tokens, rows, height
        self.examples = len(tokens)

    def squares(self, scratch: int) -> Tensor:
        """Rows of a token that an example holds more than once are added up before they are squared."""
        example = torch.arange(self.examples, device=self.tokens.device)[:, None]
        pairs, place = torch.unique(example * self.height + self.tokens, return_inverse=True)
        sums = self.rows.new_zeros(len(pairs), self.rows.shape[2])
        sums.index_add_(0, place.flatten(), self.rows.flatten(0, 1))
        total = self.rows.new_zeros(self.examples)
        return total.index_add_(0, pairs // self.height, sums.square().sum(1))

    def dense(self, start: int, stop: int) -> Tensor:
        rows = self.rows[start:stop]
        table = rows.new_zeros(stop - start, self.height, rows.shape[2])
        place = self.tokens[start:stop, :, None].expand_as(rows)
        return table.scatter_add_(1, place, rows).flatten(1)

    def dense_bytes(self) -> int:
        return self.height * self.rows.shape[2] * self.rows.element_size()

    def project(self, left: Tensor, right: Tensor, scratch: int) -> Tensor:
        left, right = left.to(self.rows.dtype).T, right.to(self.rows.dtype).T

        def some(start: int, stop: int) -> Tensor:
            return (left[self.tokens[start:stop]].mul_(self.rows[start:stop] @ right)).sum(1)

        one = 2 * self.rows.shape[1] * left.shape[1] * self.rows.element_size()
        return in_pieces(self.examples, fit(scratch, one), some)

    @property
    def device(self) -> torch.device:
        return self.rows.device

    def inner(self, other: Outer) -> Tensor:
        """<A, B> with a matrix of the same shape: sum over p and q of left_p[token_q] (right_p . row_q)."""
        place = self.tokens[:, None, :].expand(-1, other.left.shape[1], -1)
        similar = other.left.gather(2, place)
        similar *= other.right @ self.rows.transpose(1, 2)
        return similar.sum((1, 2))


def squares(uses: Sequence[Contribution], scratch: int) -> Tensor:
    """Squared norm of the sum of the uses, for each example (B)."""
    outers = [use for use in uses if isinstance(use, Outer)]
    lookups = [use for use in uses if isinstance(use, Lookup)]
    rows = [use for use in uses if isinstance(use, Rows)]
    if len(uses) == 1:
        return uses[0].squares(scratch)
    if len(rows) == len(uses):
        return torch.stack([use.rows for use in rows]).sum(0).square().sum(1)
    if len(outers) + len(lookups) == len(uses):
        return _matrix_and_lookup(outers, lookups, scratch)
    return _by_gradients(uses, scratch)


def _matrix_and_lookup(outers: list[Outer], lookups: list[Lookup], scratch: int) -> Tensor:
    parts: list[Outer | Lookup] = []
    if outers:
        left = torch.cat([use.left for use in outers], 1)
        parts.append(Outer(left, torch.cat([use.right for use in outers], 1)))
    if lookups:
        tokens = torch.cat([use.tokens for use in lookups], 1)
        parts.append(Lookup(tokens, torch.cat([use.rows for use in lookups], 1), lookups[0].height))
    total = torch.stack([part.squares(scratch) for part in parts]).sum(0)
    match parts:
        case [Outer() as matrix, Lookup() as table]:
            total += 2 * table.inner(matrix)
    # The three terms may cancel to a rounding error below zero.
    return total.clamp(min=0)


def _by_gradients(uses: Sequence[Contribution], scratch: int) -> Tensor:
    def some(start: int, stop: int) -> Tensor:
        total = uses[0].dense(start, stop).clone()
        for use in uses[1:]:
            total += use.dense(start, stop)
        return total.square_().sum(1)

    one = sum(use.dense_bytes() for use in uses)
    return in_pieces(uses[0].examples, fit(scratch, one), some)


def by_gradients(use: Contribution, left: Tensor, right: Tensor, scratch: int) -> Tensor:
    """The projection of a use of any form: of its gradients, a few examples at a time."""

    def some(start: int, stop: int) -> Tensor:
        gradient = use.dense(start, stop).unflatten(1, (left.shape[1], right.shape[1]))
        seen = gradient @ right.to(gradient.dtype).T
        return seen.mul_(left.to(gradient.dtype).T).sum(1)

    one = use.dense_bytes() * (1 + right.shape[0] // right.shape[1])
    return in_pieces(use.examples, fit(scratch, one), some)


def _block(positions: int) -> int:
    """Rows of a Gram matrix that are found together."""
    return min(positions, max(LEAST_ROWS, -(-positions // BLOCKS)))


def in_pieces(examples: int, count: int, some: Callable[[int, int], Tensor]) -> Tensor:
    """Joins what `some(start, stop)` gives for `count` examples at a time."""
    starts = range(0, examples, count)
    return torch.cat([some(start, min(start + count, examples)) for start in starts])


def fit(scratch: int, one: int, most: int | None = None) -> int:
    """How many things of `one` byte each fit in the scratch memory: at least one, and no more than `most`."""
    count = max(1, scratch // max(1, one))
    return count if most is None else min(count, most)


def wide(values: Tensor) -> Tensor:
    """The values in 32-bit floats or wider: sums of squares of narrower ones lose digits."""
    return values if values.dtype in (torch.float32, torch.float64) else values.float()
