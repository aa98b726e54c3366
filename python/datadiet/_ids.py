"""Ids that name examples of a data set, each once: numbers of rows, or the owner's ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from datadiet._arrays import texts_or_wholes, wholes
from datadiet.exceptions import DtypeError, IdError

OwnIds: TypeAlias = npt.NDArray[np.uint32] | list[str]
"""Ids as the owner of the data has them: whole numbers or texts."""


def row_numbers(ids: Any, size: int, hint: str) -> npt.NDArray[Any]:
    """Distinct numbers of rows of a data set of some size; `hint` says what to do about others."""
    rows = whole_ids(ids)
    outside = (rows < 0) | (rows >= size)
    if outside.any():
        place = int(np.flatnonzero(outside)[0])
        lost = int(rows[place])
        raise IdError(f"id {lost} is not among the {size} rows; {hint}", row=place, id=lost)
    _check_distinct(rows.tolist())
    return rows


def rows_of(ids: Any, known: Sequence[int] | Sequence[str], name: str, hint: str = "") -> list[int]:
    """The rows whose own id is in `ids`, in the order of `ids`; `known` is the column `name`.

    `hint` ends the message about an id that none has.
    Whole numbers and the texts of them are the same ids: tables keep large numbers as texts.
    """
    wanted = own_ids(ids)
    places = places_of(wanted, known, name)
    for place, row in enumerate(places):
        if row < 0:
            raise IdError(f"no row has {name} {wanted[place]}{hint}", row=place, id=wanted[place])
    return places


def places_of(
    wanted: Sequence[int] | Sequence[str], known: Sequence[int] | Sequence[str], name: str
) -> list[int]:
    """The place of each id among those that are known, the column `name`; −1 where it is not there.

    Raises
    ------
    IdError
        An id that is wanted twice, or known twice.
    """
    _check_distinct(wanted)
    if len({isinstance(one, str) for one in (*wanted[:1], *known[:1])}) > 1:
        wanted, known = [str(one) for one in wanted], [str(one) for one in known]
    row_of: dict[int | str, int] = dict(zip(known, range(len(known)), strict=True))
    if len(row_of) < len(known):
        raise IdError(f"the column {name} has an id more than once; it cannot name examples")
    return [row_of.get(one, -1) for one in wanted]


def whole_ids(ids: Any) -> npt.NDArray[Any]:
    """One axis of whole numbers."""
    array = wholes(ids, "ids")
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise DtypeError("pass ids as whole numbers, such as datadiet.select gives them")
    return array


def own_ids(ids: Any) -> list[int] | list[str]:
    """One axis of whole numbers or texts."""
    own = texts_or_wholes(ids)
    return own if isinstance(own, list) else list(whole_ids(own).tolist())


def any_ids(ids: Any) -> npt.NDArray[Any] | list[str]:
    """One axis of ids of any kind, as the compiled part takes them: int64, uint64 or texts.

    Whole numbers of more than 64 bits become texts, which the compiled part knows for numbers.
    """
    if isinstance(ids, (list, tuple)) and ids and all(type(one) in (int, str) for one in ids):
        if all(type(one) is str for one in ids):
            return list(ids)
        if any(type(one) is str for one in ids):
            return [str(one) for one in ids]
        # NumPy makes floats of numbers below 0 beside hashes above 2⁶³.
        for dtype in (np.int64, np.uint64):
            try:
                return np.array(ids, dtype)
            except OverflowError:
                continue
        return [str(one) for one in ids]
    own = texts_or_wholes(_of_one_kind(ids) if isinstance(ids, (list, tuple)) else ids)
    if isinstance(own, list):
        return own
    if own.dtype.kind == "O" and own.ndim == 1 and all(type(one) is int for one in own.tolist()):
        return [str(one) for one in own.tolist()]
    if own.dtype.kind in "iu" and own.dtype != np.uint64:
        return own.astype(np.int64, copy=False)
    return own


def _of_one_kind(ids: Sequence[Any]) -> Sequence[Any]:
    """Ids that NumPy, which gives all of a list one type, does not turn into others.

    True beside 5 it takes for 1, and 1.0 beside a text for the text "1.0".
    """
    texts = any(isinstance(one, str) for one in ids)
    for row, one in enumerate(ids):
        other = (bool, np.bool_, float, np.floating) if texts else (bool, np.bool_)
        if isinstance(one, other) and len(ids) > 1:
            raise DtypeError(
                f"ids: row {row} has {one!r} beside other ids; pass whole numbers and texts alone"
            )
    return ids


def _check_distinct(ids: Sequence[int | str]) -> None:
    seen: set[int | str] = set()
    for one in ids:
        if one in seen:
            raise IdError(
                f"id {one} is given more than once; a subset has each example once", id=one
            )
        seen.add(one)
