"""Random projections of each example's gradient, into a file: for influence, similarity, clusters.

The same passes as `grand`'s; see `projection` for the matrix.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from datadiet.torch.batches import Batch, Forward, Loss, call
from datadiet.torch.losses import cross_entropy
from datadiet.torch.passes import Fallback, Scope, measure_all, scratch_of
from datadiet.torch.placement import Placement, rounded
from datadiet.torch.projection import Projection

# An npy header of version 1.0 with room for any number of rows.
HEADER = 128


def grad(
    model: nn.Module,
    loader: Iterable[Any],
    path: str | os.PathLike[str],
    *,
    projection: tuple[int, int],
    loss: Loss = cross_entropy,
    scope: Scope = "all",
    last_layer: str | nn.Module | None = None,
    fallback: Fallback | None = None,
    forward: Forward = call,
    packed: str | None = None,
    examples: int | None = None,
    scratch_mib: int | None = None,
) -> npt.NDArray[np.float32]:
    """A random projection of the gradient of each example's loss, one row an example, as an npy file.

    Rows keep inner products: the mean over seeds of the product of two rows is that of the gradients, and
    one seed's differs from it by a few ``|g| |h| / sqrt(dim)``. The matrix depends on the seed and on names
    and shapes of the model's parameters alone: not on batches, devices or which parameters are frozen. So
    that projections of two data sets, or of two checkpoints, by one seed go together.

    Parameters
    ----------
    model, loader, loss, scope, last_layer, fallback, forward, packed, examples, scratch_mib
        As for `grand`.
    path
        The file to write; one that is there is replaced when all is done.
    projection
        ``(dim, seed)``: numbers an example, and a whole number that the matrix is drawn from. The matrix
        takes ``dim`` bytes for each row and each column of each parameter, beside the model.

    Returns
    -------
    n x dim, float32, mapped from the file (`numpy.load` with ``mmap_mode="r"`` gives it again). Where the
    loader yields ids, row ``i`` belongs to the example with id ``i``, NaN where the loader had none;
    otherwise rows are in the loader's order.

    Raises
    ------
    As `grand`.

    Examples
    --------
    >>> import tempfile
    >>> import torch
    >>> from datadiet.torch import grad
    >>> model = torch.nn.Linear(3, 2)
    >>> batch = torch.randn(5, 3), torch.tensor([0, 1, 1, 0, 1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     grad(model, [batch], f"{folder}/gradients.npy", projection=(16, 0)).shape
    (5, 16)
    """
    scratch = scratch_of(model, scratch_mib)
    matrix = Projection(*projection, scratch=scratch)
    placement = Placement(examples)
    path = Path(path)
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            file.write(bytes(HEADER))

            def take(batch: Batch, found: Tensor) -> None:
                rows = rounded(found.numpy(), batch, placement.so_far)
                placement.add(batch)
                _write(file, rows, batch)

            measure_all(
                model,
                loader,
                matrix,
                loss=loss,
                scope=scope,
                last_layer=last_layer,
                fallback=fallback,
                forward=forward,
                packed=packed,
                scratch=scratch,
                take=take,
            )
            places, length = placement.places()
            _finish(file, places, length, matrix.dim)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    if length == 0:  # An empty file cannot be mapped.
        return np.load(path)
    return np.load(path, mmap_mode="r")


def _write(file: IO[bytes], rows: npt.NDArray[np.float32], batch: Batch) -> None:
    rows = rows.astype("<f4", copy=False)
    if batch.ids is None:
        file.write(rows.tobytes())
        return
    for number, row in zip(batch.ids.tolist(), rows, strict=True):
        file.seek(HEADER + number * row.nbytes)
        file.write(row.tobytes())


def _finish(file: IO[bytes], places: npt.NDArray[np.int64], length: int, dim: int) -> None:
    """Rows that no example had, and the header."""
    missing = np.ones(length, dtype=bool)
    missing[places] = False
    empty = np.full(dim, np.nan, dtype="<f4").tobytes()
    for number in np.flatnonzero(missing).tolist():
        file.seek(HEADER + number * len(empty))
        file.write(empty)
    shape = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({length}, {dim}), }}"
    start = b"\x93NUMPY\x01\x00" + (HEADER - 10).to_bytes(2, "little")
    file.seek(0)
    file.write(start + shape.ljust(HEADER - 11).encode() + b"\n")
