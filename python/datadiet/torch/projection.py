"""Random projections of gradients: a few numbers an example that keep inner products.

The matrix has `dim` rows over all parameters. In row r an entry of a parameter of shape ``m x n`` (the axes
after the first taken together; a vector is ``1 x n``) is

    u_r[i] v_r[j] / sqrt(dim)       u, v: random signs

so that the mean of an inner product of projections, over seeds, is that of the gradients; and so that a sum
of outer products ``d_p a_p^T`` becomes ``sum_p (u_r . d_p) (v_r . a_p)``, for which no gradient is made.
The spread is larger than with independent entries: for gradients g and h of one ``m x n`` parameter the
variance of their inner product is at most ``9 |g|^2 |h|^2 / dim``, where independent signs have 2.

The signs depend on the seed, the parameter's name and its shape alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from math import prod

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from datadiet.torch.contributions import Contribution, wide


class Projection:
    """The random matrix, ``dim`` rows for all parameters.

    Parameters
    ----------
    dim
        Numbers an example; the error of inner products falls with its root.
    seed
        A whole number; another one is another matrix.
    scratch
        Bytes of memory for intermediate results.
    """

    def __init__(self, dim: int, seed: int, scratch: int = 8 << 20) -> None:
        if dim < 1:
            raise ValueError(f"a projection to {dim} numbers keeps nothing; pass dim of 1 or more")
        self.dim, self.seed, self.scratch = dim, seed, scratch
        self.width: tuple[int, ...] = (dim,)
        # A byte a sign: bits would have to be unpacked for each use, floats are four times as large.
        self._signs: dict[tuple[str, tuple[int, ...]], tuple[Tensor, Tensor]] = {}

    def of_uses(self, name: str, shape: Sequence[int], uses: Sequence[Contribution]) -> Tensor:
        left, right = self._both(name, tuple(shape), uses[0].device)
        total = uses[0].project(left, right, self.scratch)
        for use in uses[1:]:
            total += use.project(left, right, self.scratch)
        return total.mul_(self.dim**-0.5)

    def of_gradient(self, name: str, gradient: Tensor) -> Tensor:
        left, right = self._both(name, tuple(gradient.shape), gradient.device)
        matrix = wide(gradient).reshape(left.shape[1], right.shape[1])
        left, right = left.to(matrix.dtype), right.to(matrix.dtype)
        return (left @ matrix * right).sum(1) * self.dim**-0.5

    def matrix(self, name: str, shape: Sequence[int]) -> npt.NDArray[np.float32]:
        """The columns of a parameter, ``dim`` x its size, for gradients that come from elsewhere."""
        left, right = self._both(name, tuple(shape), torch.device("cpu"))
        both = left[:, :, None].float() * right[:, None, :].float()
        return (both.flatten(1) * self.dim**-0.5).numpy()

    def _both(
        self, name: str, shape: tuple[int, ...], device: torch.device
    ) -> tuple[Tensor, Tensor]:
        if (name, shape) not in self._signs:
            m = shape[0] if len(shape) > 1 else 1
            sides = (("left", m), ("right", prod(shape) // max(1, m)))
            left, right = (
                torch.from_numpy(signs(self.dim, size, self.seed, f"{side} of {name}"))
                for side, size in sides
            )
            self._signs[name, shape] = (left.to(device), right.to(device))
        left, right = self._signs[name, shape]
        return left.to(device), right.to(device)


def signs(rows: int, columns: int, seed: int, name: str) -> npt.NDArray[np.int8]:
    """Random signs, the same on every machine and in every version of NumPy."""
    key = hashlib.sha256(f"{seed} {name}".encode()).digest()[:16]
    words = np.random.Philox(key=int.from_bytes(key, "little")).random_raw(-(-rows * columns // 64))
    bits = np.unpackbits(np.asarray(words).astype("<u8").view(np.uint8), count=rows * columns)
    return (2 * bits.astype(np.int8) - 1).reshape(rows, columns)
