"""Every score that datadiet knows, to walk through or to look up by name."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from datadiet import _datadiet
from datadiet.exceptions import ColumnError

if TYPE_CHECKING:
    from datadiet._datadiet import _Score


class Catalogue(list["_Score"]):
    """The scores, a dictionary each: ``name``, ``formula``, ``pass``, ``range``, ``reference``, ``when`` to use
    it, ``higher_is_harder``. ``SCORES["el2n"]`` is that of a name, ``"el2n" in SCORES`` says whether there is one.

    Examples
    --------
    >>> import datadiet
    >>> datadiet.SCORES["el2n"]["range"]
    '[0, √2]'
    >>> "el2n" in datadiet.SCORES, len(datadiet.SCORES) > 20
    (True, True)
    """

    def __getitem__(self, which: Any) -> Any:
        if not isinstance(which, str):
            return super().__getitem__(which)
        for score in self:
            if score["name"] == which:
                return score
        names = [score["name"] for score in self]
        near = difflib.get_close_matches(which, names, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
        raise ColumnError(f"there is no score {which}; {hint}")

    def __contains__(self, which: object) -> bool:
        if isinstance(which, str):
            return any(score["name"] == which for score in self)
        return super().__contains__(which)


SCORES = Catalogue(_datadiet.SCORES)
