"""Arrays of any library as NumPy arrays that the compiled part can read without a copy."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from datadiet.exceptions import DtypeError, ShapeError

Floats: TypeAlias = npt.ArrayLike
"""Anything that NumPy can make floats of: arrays of NumPy, PyTorch (CPU or GPU), JAX, lists."""

Wholes: TypeAlias = npt.ArrayLike
"""Anything that NumPy can make whole numbers of."""

Column: TypeAlias = npt.NDArray[np.float32]
"""One score an example."""

Ids: TypeAlias = npt.NDArray[np.uint32]
"""Ids of examples."""

BFLOAT16 = np.dtype([("bfloat16", np.uint16)])
"""PyTorch's bfloat16, which NumPy lacks: its bits, under a name that the compiled part knows."""


def plain(values: Any) -> npt.NDArray[Any]:
    """The values as an array in one piece of memory, with the machine's byte order.

    An array that is so already is given back as it is.
    """
    array = values if type(values) is np.ndarray else _converted(values)
    flags = array.flags
    if flags.c_contiguous and flags.aligned and array.dtype.isnative:
        return array
    return np.require(array, dtype=array.dtype.newbyteorder("="), requirements=("C", "A"))


def _converted(values: Any) -> npt.NDArray[Any]:
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        if str(values.dtype) == "torch.bfloat16":
            import torch

            bits: npt.NDArray[Any] = values.view(torch.int16).numpy()
            return bits.view(BFLOAT16)
    elif isinstance(values, (list, tuple)) and any(hasattr(part, "detach") for part in values):
        # NumPy takes tensors in a list only where they need no gradient and it has their type.
        values = [plain(part) for part in values]
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ShapeError(f"{error}; pass rows of one length") from error


def floats(values: Any) -> npt.NDArray[Any]:
    """Floats of 16, 32 or 64 bits; whole numbers in a list become floats."""
    array = plain(values)
    return array.astype(np.float64) if array.dtype.kind in "iu" else array


def scores_of(values: Any) -> npt.NDArray[Any]:
    """As `floats`, for what reads only the order: whole numbers beyond float64 become ranks."""
    array = plain(values)
    if array.dtype.kind in "iu" and array.size:
        if max(int(array.max()), -int(array.min())) > 2**53:
            ranks = np.unique(array, return_inverse=True)[1]
            return ranks.reshape(array.shape).astype(np.float64)
    return floats(array)


def wholes(values: Any) -> npt.NDArray[Any]:
    """Labels or ids; an empty list has no type and becomes whole numbers."""
    array = plain(values)
    return array.astype(np.uint32) if array.size == 0 else array


def whole_numbers(values: Iterable[int], what: str) -> list[int]:
    """Some whole numbers that are no ids, such as epochs."""
    try:
        return [operator.index(value) for value in values]
    except TypeError:
        raise TypeError(
            f"{what} is {values!r}; pass whole numbers in a list, such as [5]"
        ) from None


def marks(values: Any, what: str) -> npt.NDArray[np.bool_]:
    """True and false, also as 1 and 0."""
    array = plain(values)
    if array.dtype.kind == "b":
        return array
    if array.dtype.kind in "iuf" and np.isin(array, (0, 1)).all():
        return array.astype(np.bool_)
    raise DtypeError(f"{what}: pass True and False, or 1 and 0")


def logits_or_probs(logits: Any, probs: Any) -> tuple[npt.NDArray[Any], bool]:
    """The one of the two that was given, and whether it is probabilities."""
    if (logits is None) == (probs is None):
        raise TypeError("pass either logits or probs")
    return floats(probs if logits is None else logits), logits is None


def labels_of(labels: Any) -> npt.NDArray[Any]:
    """The labels, which have no default only because `probs` may come after them."""
    if labels is None:
        raise TypeError("pass labels: one class index for each example")
    return wholes(labels)
