"""A subset that was chosen from a table: ids, and what a person should know about them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from datadiet import _datadiet, _sections

if TYPE_CHECKING:
    from datadiet.table import ScoreTable

__all__ = ["Selection"]

# Classes of which the shares are shown: the least kept, and the most.
_LEAST, _MOST = 8, 4
_PICTURES = 10


class Selection(np.ndarray[Any, np.dtype[np.uint32]]):
    """Ids of chosen examples, as `ScoreTable.select` gives them.

    An array of ids like any other, ascending, uint32; what is made of it (a part, a sum) is a plain array. A
    notebook shows what is kept of each class, and what research says about such a choice.

    Examples
    --------
    >>> import datadiet
    >>> table = datadiet.ScoreTable.from_columns({"el2n@4": [0.1, 0.9, 0.8], "label": [0, 0, 1]})
    >>> half = table.select(count=2)
    >>> half
    array([1, 2], dtype=uint32)
    >>> half.by, half.classes
    ('el2n@4', {'0': (1, 2), '1': (1, 1)})
    >>> type(half[:1])
    <class 'numpy.ndarray'>
    """

    _how: dict[str, Any] | None
    _of: ScoreTable | None

    @classmethod
    def _made(cls, ids: npt.NDArray[np.uint32], how: str, table: ScoreTable) -> Selection:
        made = ids.view(cls)
        made._how, made._of = json.loads(how), table
        return made

    def __array_finalize__(self, other: object) -> None:
        # Another array is not what was chosen.
        self._how, self._of = None, None

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        plain = np.asarray(array)
        return plain[()] if return_scalar else plain

    def __getitem__(self, place: Any) -> Any:
        return np.asarray(self)[place]

    def __repr__(self) -> str:
        return repr(np.asarray(self))

    def __reduce__(self) -> Any:
        # A table does not go to another process with it.
        return np.asarray(self).__reduce__()

    @property
    def by(self) -> str | None:
        """The column that they were chosen by; None of a choice at random, or by marks alone."""
        found: str | None = (self._how or {}).get("by")
        return found

    @property
    def cautions(self) -> list[str]:
        """What a person should know about the choice, as the command ``datadiet select`` warns of it."""
        return list((self._how or {}).get("cautions", []))

    @property
    def classes(self) -> dict[str, tuple[int, int]]:
        """Of each class by its name, how many are kept and of how many."""
        shares = (self._how or {}).get("classes", [])
        return {one["class"]: (one["kept"], one["of"]) for one in shares}

    def _repr_html_(self) -> str | None:
        how, table = self._how, self._of
        if how is None or table is None:
            return None
        said = [how["rule"] or "", f"by {how['by']}" if how["by"] else "", how["marked"] or ""]
        facts = f"{len(self):,} of {how['of']:,} examples ({len(self) / max(how['of'], 1):.1%})"
        head = _sections.heading("Selection", facts, *filter(None, said))
        notes = "".join(map(_sections.warning, self.cautions))
        return _sections.root(head, notes, self._shares(), self._pictures(table))

    def _shares(self) -> str:
        shares = [one for one in (self._how or {})["classes"] if one["of"]]
        if len(shares) < 2:
            return ""
        ordered = sorted(shares, key=lambda one: one["kept"] / one["of"])
        cut = len(ordered) > _LEAST + _MOST + 1
        shown = [*ordered[:_LEAST], *ordered[-_MOST:]] if cut else ordered
        rows = [
            [
                one["class"],
                f"{one['kept']:,}",
                f"{one['of']:,}",
                f"{share:.1%}",
                _sections.Html(_sections.bar(share)),
            ]
            for one in shown
            for share in (one["kept"] / one["of"],)
        ]
        if cut:
            rows.insert(_LEAST, [f"… {len(ordered) - len(shown):,} more classes", "", "", "", ""])
        return _sections.table(["class", "kept", "of", "share", ""], rows, 1)

    def _pictures(self, table: ScoreTable) -> str:
        """Some that are kept, and some that are not, evenly over their order in the table."""
        kept = np.zeros(len(table), bool)
        kept[np.asarray(self)] = True
        shown = []
        for name, rows in (("kept", np.flatnonzero(kept)), ("left out", np.flatnonzero(~kept))):
            if not len(rows):
                continue
            some = rows[np.unique(np.linspace(0, len(rows) - 1, _PICTURES).astype(int))]
            found = _datadiet.pictures(table._table, some.astype(np.uint32), table._images)
            keys = table.keys(some) if "id" in table or "key" in table else some
            tiles = [
                _sections.picture(bytes(png), "", f"example {key}")
                for key, png in zip(keys, found, strict=True)
                if png is not None
            ]
            if tiles:
                shown.append(_sections.line(f"some that are {name}") + _sections.tiles(tiles))
        return "".join(shown)
