"""Arrays of any library as NumPy arrays that the compiled part can read without a copy.

The one place where what people hand over is looked at: arrays of NumPy (masked ones too), PyTorch and
JAX, columns and frames of pandas, polars and pyarrow with their nullable, decimal, categorical and
list types, and Python's lists. A missing value (masked, null, `None`, `pandas.NA`) is never replaced
by a number: it becomes NaN among scores and logits, and is refused among labels and ids.
"""

from __future__ import annotations

import operator
import re
import sys
import warnings
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from numbers import Integral, Real
from types import FrameType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from datadiet import _datadiet
from datadiet.exceptions import DtypeError, IdError, LabelError, ProbabilityError, ShapeError

Floats: TypeAlias = npt.ArrayLike
"""Anything that NumPy can make floats of: arrays of NumPy, PyTorch (CPU or GPU), JAX, columns of pandas,
polars and pyarrow, lists. A missing value is NaN."""

Wholes: TypeAlias = npt.ArrayLike
"""Anything that NumPy can make whole numbers of, also from floats and texts that are whole numbers."""

Column: TypeAlias = npt.NDArray[np.float32]
"""One score an example."""

Ids: TypeAlias = npt.NDArray[np.uint32]
"""Ids of examples."""

BFLOAT16 = np.dtype([("bfloat16", np.uint16)])
"""PyTorch's bfloat16, which NumPy lacks: its bits, under a name that the compiled part knows."""

SOFTMAX_ROWS = 4
"""From so many rows on, rows that all look like outputs of a softmax are not logits by chance."""

_SIGMOID_LABELS, _SIGMOID_NUMBERS = 16, 32
"""From so many labels on, or of so many numbers, see `SigmoidSuspicion`."""

_WHOLE_TEXT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.0*)?")
_NUMBERED = re.compile(r"(.*?)([0-9]+)\]?")


def plain(values: Any, what: str = "values") -> npt.NDArray[Any]:
    """The values as an array in one piece of memory, with the machine's byte order.

    An array that is so already is given back as it is.

    Raises
    ------
    DtypeError, ShapeError
        A value is missing; rows of several lengths.
    """
    array, missing = _parts(values)
    if missing is not None:
        raise _missing_error(missing, what)
    return _in_one_piece(array)


def floats(values: Any) -> npt.NDArray[Any]:
    """Floats of 16, 32 or 64 bits, NaN where a value is missing; whole numbers become floats."""
    return _with_nan(*_parts(values))


def _with_nan(array: npt.NDArray[Any], missing: npt.NDArray[np.bool_] | None) -> npt.NDArray[Any]:
    if array.dtype.kind in "iu":
        array = array.astype(np.float64)
    if missing is not None and array.dtype.kind not in "bOSTU":
        array = array.copy()
        array[missing] = np.nan
    return _in_one_piece(array)


def scores_of(values: Any) -> npt.NDArray[Any]:
    """As `floats`, for what reads only the order: whole numbers beyond float64 become ranks."""
    array, missing = _parts(values)
    if array.dtype.kind in "iu" and array.size:
        if max(int(array.max()), -int(array.min())) > 2**53:
            ranks = np.unique(array, return_inverse=True)[1].reshape(array.shape)
            return _with_nan(ranks.astype(np.float64), missing)
    return _with_nan(array, missing)


def column(values: Any) -> Any:
    """A column of a table: a list of texts, whole numbers, or else floats."""
    array, missing = _parts(values)
    if missing is None and (texts := _texts(array)) is not None:
        return texts
    return array if array.dtype.kind in "iu" and missing is None else floats(values)


def wholes(values: Any, what: str = "labels") -> npt.NDArray[Any]:
    """Labels or ids: whole numbers, or floats and texts that are whole numbers.

    An empty list has no type and becomes whole numbers. True and False are the labels 1 and 0, and
    never ids: a mask of rows is not a list of them. Other types are left to the compiled part, which
    refuses them by name.

    Raises
    ------
    LabelError, IdError, DtypeError
        A value is missing; a float or a text that is not a whole number.
    """
    array, missing = _parts(values)
    if missing is not None:
        raise _missing_error(missing, what)
    if array.size == 0:
        return array.astype(np.uint32)
    if array.dtype.kind == "f":
        array = _whole_floats(array, what)
    elif (texts := _texts(array)) is not None:
        array = _whole_texts(texts, what).reshape(array.shape)
    elif array.dtype.kind == "b" and what == "labels":
        array = array.astype(np.uint8)
    return _in_one_piece(array)


def texts_or_wholes(ids: Any) -> list[str] | npt.NDArray[Any]:
    """The owner's ids: texts stay texts, everything else as `wholes`."""
    array = plain(ids, "ids")
    texts = _texts(array) if array.ndim == 1 else None
    return wholes(array, "ids") if texts is None else texts


def whole_numbers(values: Iterable[int], what: str) -> list[int]:
    """Some whole numbers that are not ids, such as epochs."""
    try:
        return [operator.index(value) for value in values]
    except TypeError:
        raise TypeError(
            f"{what} is {values!r}; pass whole numbers in a list, such as [5]"
        ) from None


def marks(values: Any, what: str) -> npt.NDArray[np.bool_]:
    """True and false, also as 1 and 0."""
    array = plain(values, what)
    if array.dtype.kind == "b":
        return array
    if array.dtype.kind in "iuf" and np.isin(array, (0, 1)).all():
        return array.astype(np.bool_)
    raise DtypeError(f"{what}: pass True and False, or 1 and 0")


def logits_or_probs(logits: Any, probs: Any) -> tuple[npt.NDArray[Any], bool]:
    """The one of the two that was given, and whether it is probabilities.

    Raises
    ------
    ProbabilityError
        Logits that are the outputs of a softmax.
    """
    matrix, probabilities = either(logits, probs)
    if probabilities:
        warn_of_rounded(matrix)
    elif softmax_rows(matrix) >= SOFTMAX_ROWS:
        raise softmax_error()
    return matrix, probabilities


def either(logits: Any, probs: Any) -> tuple[npt.NDArray[Any], bool]:
    """As `logits_or_probs`, without a look at the values."""
    if (logits is None) == (probs is None):
        raise TypeError("pass either logits or probs")
    return floats(probs if logits is None else logits), logits is None


def softmax_rows(matrix: npt.NDArray[Any]) -> int:
    """The number of rows looked at, if all of them look like outputs of a softmax, else 0."""
    return _datadiet.softmax_rows(matrix, matrix.ndim) if matrix.ndim in (2, 3) else 0


def sigmoid_error() -> ProbabilityError:
    """What is said about outputs of sigmoids that were passed as logits."""
    return ProbabilityError(
        "logits: all numbers lie in [0, 1], as the outputs of sigmoids do; pass the logits, before the sigmoid (of"
        " probabilities p they are log(p / (1 − p))). If these are logits all the same, record their losses with a"
        " datadiet.LossRecorder"
    )


class SigmoidSuspicion:
    """Tells outputs of sigmoids from logits by all rows so far.

    Logits of an untrained network may be all of one sign, label by label, and be small; so numbers in [0, 1] are
    refused only of several rows, and where they reach both ends of it or are of many labels.
    """

    __slots__ = ("_least", "_most", "_rows")

    # None once a row was not in [0, 1].
    _rows: int | None

    def __init__(self) -> None:
        self._rows = 0
        self._least, self._most = 1.0, 0.0

    def check(self, logits: npt.NDArray[Any]) -> None:
        """Refuses n × K logits if they and all before look like outputs of sigmoids."""
        if self._rows is None or not logits.size:
            return
        found = _datadiet.sigmoid_rows(logits)
        if found is None:
            self._rows = None
            return
        rows, least, most = found
        self._rows += rows
        self._least, self._most = min(self._least, least), max(self._most, most)
        labels = logits.shape[1]
        wide = self._least < 0.25 and self._most > 0.75 and self._rows * labels >= _SIGMOID_NUMBERS
        if self._rows >= SOFTMAX_ROWS and (wide or labels >= _SIGMOID_LABELS):
            raise sigmoid_error()


def warn_of_rounded(probs: npt.NDArray[Any]) -> None:
    """Warns of rows that do not sum to 1 by more than their type explains.

    Sums that are too far off for any score are left to the compiled part, which refuses them.
    """
    off = _datadiet.furthest_sum(probs, probs.ndim) if probs.ndim in (2, 3) else 0.0
    least = 0.004 if probs.dtype.itemsize == 2 else 1e-4
    if least < off <= 0.01:
        warnings.warn(
            f"probs: the sums of rows are up to {off:.1g} from 1, as of rounded numbers; each such row"
            " is divided by its sum",
            stacklevel=_level_of_user(),
        )


def warn_of_classes(n_examples: int, n_classes: int, option: str) -> None:
    """Warns that what needs numbers of each example and class is left out."""
    gib = 16 * n_examples * n_classes / 2**30
    warnings.warn(
        f"margin-of-mean and tdds are left out: for {n_examples} examples of {n_classes} classes they"
        f" need about {gib:.1f} GiB of memory; pass {option} to have them",
        stacklevel=_level_of_user(),
    )


def _level_of_user() -> int:
    """The stack level, as the caller's warning counts it, of the first frame outside the package."""
    frame: FrameType | None = sys._getframe(1)
    level = 1
    while frame is not None and frame.f_globals["__name__"].partition(".")[0] == "datadiet":
        frame, level = frame.f_back, level + 1
    return level


def softmax_error(instead: str = "pass them as probs=…") -> ProbabilityError:
    """What is said about outputs of a softmax that were passed as logits."""
    return ProbabilityError(
        "logits: all rows lie in [0, 1] and sum to 1, as the outputs of a softmax do (or are percentages"
        f" that sum to 100: divide them by 100); {instead}. If they are logits all the same,"
        " add 1 to all of them: a constant changes no score"
    )


def labels_of(labels: Any) -> npt.NDArray[Any]:
    """The labels, which have no default only because `probs` may come after them."""
    if labels is None:
        raise TypeError("pass labels: one class index for each example")
    return wholes(labels)


def check_same_rows(**given: Any) -> None:
    """Refuses columns of pandas whose indices say that they are not of the same rows."""
    indexed = {name: values.index for name, values in given.items() if _has_index(values)}
    names = list(indexed)
    for first, name in zip(names, names[1:], strict=False):
        if not indexed[first].equals(indexed[name]):
            raise ShapeError(
                f"{first} and {name} have different indices, so that their rows may be of different"
                f" examples; take {name}.loc[{first}.index], or pass .to_numpy() of both if they are in"
                " the same order"
            )


def check_row_numbers(values: Any, what: str) -> None:
    """Refuses a column of pandas whose index has other numbers for its rows than 0, 1, 2, …"""
    if not _has_index(values) or values.index.dtype.kind not in "iu":
        return
    if not np.array_equal(values.index, np.arange(len(values))):
        raise IdError(
            f"the rows of {what} are called {_shown(values.index)} by its index, and ids here are the"
            f" numbers of rows, from 0; pass {what}.to_numpy() and take rows by .iloc, or"
            f" {what}.reset_index(drop=True)"
        )


def _has_index(values: Any) -> bool:
    return hasattr(values, "iloc") and hasattr(values, "index")


def _shown(index: Any) -> str:
    return ", ".join(str(one) for one in index[:3]) + (", …" if len(index) > 3 else "")


def _parts(values: Any) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
    """The values, and where they are missing, if some are."""
    if type(values) is np.ndarray:
        return _typed(values) if values.dtype.kind == "O" else (values, None)
    if hasattr(values, "detach"):
        return _of_tensor(values), None
    if isinstance(values, np.ma.MaskedArray):
        array, missing = _parts(values.data)
        mask = np.ma.getmaskarray(values)  # type: ignore[no-untyped-call]
        if mask.dtype.names is not None:
            raise DtypeError("a masked array with fields; pass one field of it")
        mask = mask if missing is None else mask | missing
        return array, mask if mask.any() else None
    if isinstance(values, (list, tuple)) and any(
        hasattr(part, "detach") or isinstance(part, np.ma.MaskedArray) for part in values
    ):
        # NumPy takes tensors in a list only where they need no gradient and it has their type, and
        # leaves out masks.
        return _stacked(values)
    _check_order_of_classes(values)
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ShapeError(f"{error}; pass rows of one length") from error
    return _typed(array) if array.dtype.kind == "O" else (array, None)


def _of_tensor(tensor: Any) -> npt.NDArray[Any]:
    tensor = tensor.detach().cpu()
    if str(tensor.dtype) == "torch.bfloat16":
        import torch

        bits: npt.NDArray[Any] = tensor.view(torch.int16).numpy()
        return bits.view(BFLOAT16)
    return np.asarray(tensor)


def _stacked(rows: Iterable[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
    parts = [_parts(row) for row in rows]
    try:
        array = np.stack([values for values, _ in parts])
    except ValueError as error:
        raise ShapeError(f"{error}; pass rows of one length") from error
    except TypeError as error:
        raise DtypeError(f"{error}; pass rows of one type") from error
    if all(missing is None for _, missing in parts):
        return array, None
    masks = [np.zeros(v.shape, np.bool_) if missing is None else missing for v, missing in parts]
    return array, np.stack(masks)


def _typed(array: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
    """An array of Python's objects, as columns with missing values, decimals or lists come, typed."""
    objects = array.ravel().tolist()
    if (
        array.ndim == 1
        and objects
        and all(isinstance(o, (list, tuple, np.ndarray)) for o in objects)
    ):
        return _stacked(objects)
    absent = np.fromiter(map(_is_missing, objects), np.bool_, len(objects))
    missing = absent.reshape(array.shape) if absent.any() else None
    present = [one for one in objects if not _is_missing(one)]
    typed = _numbers(present)
    if typed is None:
        return array, missing
    whole = np.zeros(len(objects), typed.dtype)
    whole[~absent] = typed
    return whole.reshape(array.shape), missing


def _is_missing(value: Any) -> bool:
    if value is None or value is np.ma.masked or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating, Decimal)) and value != value


def _numbers(values: list[Any]) -> npt.NDArray[Any] | None:
    """The values as booleans, whole numbers or floats; None if they are something else."""
    if all(isinstance(value, (bool, np.bool_)) for value in values) and values:
        return np.array(values, np.bool_)
    if any(isinstance(value, (bool, np.bool_)) for value in values):
        return None
    exact = (Integral, Decimal, Fraction)
    if values and all(isinstance(v, exact) and v == v // 1 for v in values):
        for dtype in (np.int64, np.uint64):
            try:
                return np.array([int(value) for value in values], dtype)
            except OverflowError:
                continue
        return None
    if all(isinstance(value, (Real, Decimal)) for value in values):
        return np.array([float(value) for value in values], np.float64)
    return None


def _texts(array: npt.NDArray[Any]) -> list[str] | None:
    if array.dtype.kind not in "OTU" or not array.size:
        return None
    texts = array.ravel().tolist()
    return texts if all(isinstance(text, str) for text in texts) else None


def _whole_floats(array: npt.NDArray[Any], what: str) -> npt.NDArray[np.int64]:
    nan = np.isnan(array)
    if nan.any():
        raise _missing_error(nan, what)
    # Beyond this the type lacks some whole numbers, and a value may be another's.
    most = min(2.0 ** (np.finfo(array.dtype).nmant + 1), 2.0**53)
    wrong = (array != np.floor(array)) | (np.abs(array) > most)
    if wrong.any():
        row = _first(wrong)
        raise DtypeError(
            f"{what}: {array.dtype.name} values, of which row {row} has {array.ravel()[row]}; pass whole"
            " numbers, such as int64"
        )
    return array.astype(np.int64)


def _whole_texts(texts: Sequence[str], what: str) -> npt.NDArray[Any]:
    for text in texts:
        if not _WHOLE_TEXT.fullmatch(text):
            instead = (
                "class indices 0..K in the order of the logits' columns"
                if what == "labels"
                else "whole numbers"
            )
            raise DtypeError(f"{what}: str values, such as {text!r}; pass {instead}")
    return np.array([int(text.split(".")[0]) for text in texts])


def _missing_error(missing: npt.NDArray[np.bool_], what: str) -> Exception:
    row, count = _first(missing), int(missing.sum())
    text = (
        f"{what}: {count} of {missing.size} values are missing (masked or null), the first in row {row};"
        " leave such rows out of all arrays"
    )
    if what == "labels":
        return LabelError(text, row=row)
    return IdError(text, row=row) if what == "ids" else DtypeError(text)


def _first(marks: npt.NDArray[np.bool_]) -> int:
    return int(np.flatnonzero(marks)[0])


def _check_order_of_classes(frame: Any) -> None:
    """Refuses a frame whose columns are numbered and not in order, as a pivot of texts makes them."""
    names = getattr(frame, "column_names", getattr(frame, "columns", None))
    names = [] if names is None else [str(name) for name in names]
    found = [_NUMBERED.fullmatch(name) for name in names]
    numbers = [int(name[2]) for name in found if name]
    alike = len(numbers) == len(found) and len({name[1] for name in found if name}) == 1
    if alike and numbers != sorted(numbers):
        raise ShapeError(
            f"the columns are called {_shown(names)}: their numbers are not in order, and a column's"
            " place is its class here; sort the columns by number"
        )


def _in_one_piece(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    flags = array.flags
    if type(array) is np.ndarray and flags.c_contiguous and flags.aligned and array.dtype.isnative:
        return array
    return np.require(np.asarray(array), array.dtype.newbyteorder("="), ("C", "A"))
