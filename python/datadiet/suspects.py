"""The likeliest wrong labels of a table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

import numpy as np

from datadiet import _sections
from datadiet._arrays import Ids
from datadiet.statistics import WrongLabels

if TYPE_CHECKING:
    from datadiet.table import HardEnd, ScoreTable

__all__ = ["Suspect", "Suspects"]


@dataclass(frozen=True)
class Suspect:
    """An example whose label may be wrong."""

    id: int
    """Its id in the table, as `ScoreTable.select` gives it."""
    key: str
    """The id by which its owner knows it, as a text."""
    score: float
    """Its value in the column that suspects are listed by."""
    labelled: str | None
    """The name of its class; None where the table has no labels."""
    predicted: str | None
    """The class that most replicas predict; None where the table does not tell."""


class Suspects(Sequence[Suspect]):
    """Suspects of a table, likeliest first: made by `ScoreTable.suspects`.

    A notebook shows them with their pictures, where the table has some, and how many labels look wrong.

    Examples
    --------
    >>> import datadiet
    >>> table = datadiet.ScoreTable.from_columns(
    ...     {"id": [0, 1, 2], "label": [1, 0, 1], "predicted@9": [1, 1, 1], "aum@9": [3.0, -2.0, 1.0]}
    ... )
    >>> suspects = table.suspects(2)
    >>> suspects
    Suspects(2 by aum@9: 1, 2)
    >>> suspects[0].labelled, suspects[0].predicted
    ('0', '1')
    """

    def __init__(self, table: ScoreTable, n: int, by: str, hard_is: HardEnd | None) -> None:
        self._of, self._hard_is, self.by = table, hard_is, by
        self._n = max(n, 0)
        found = json.loads(table._table.suspects(by, hard_is, self._n))
        self._all = [
            Suspect(
                one["id"],
                one.get("key") or str(one["id"]),
                float("nan") if one["score"] is None else one["score"],
                one.get("class"),
                one.get("predicted"),
            )
            for one in found
        ]

    by: str
    """The column that they are listed by."""

    @property
    def ids(self) -> Ids:
        """Their ids in the table, uint32, likeliest first."""
        return np.array([one.id for one in self._all], np.uint32)

    @property
    def wrong_labels(self) -> WrongLabels:
        """How many labels look wrong: `ScoreTable.wrong_labels` by this column."""
        return self._of.wrong_labels(self.by, hard_is=self._hard_is)

    @overload
    def __getitem__(self, place: int) -> Suspect: ...

    @overload
    def __getitem__(self, place: slice) -> list[Suspect]: ...

    def __getitem__(self, place: int | slice) -> Suspect | list[Suspect]:
        return self._all[place]

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Suspect]:
        return iter(self._all)

    def __repr__(self) -> str:
        shown = ", ".join(one.key for one in self._all[:8])
        more = f", … {len(self) - 8} more" if len(self) > 8 else ""
        return f"Suspects({len(self)} by {self.by}: {shown}{more})"

    def _repr_html_(self) -> str:
        of = self._of
        found = _sections.parts(
            of._table, "suspects", of._images, by=self.by, hard_is=self._hard_is, suspects=self._n
        )
        facts = f"{len(self):,} of {len(of):,} examples, likeliest first, by {self.by}"
        shown = _sections.examples(found.sections["suspects"])
        return _sections.root(_sections.heading("Suspects", facts), shown)
