"""A table of scores in the output of a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from datadiet import _sections
from datadiet.exceptions import DatadietError

if TYPE_CHECKING:
    from datadiet.table import ScoreTable

# Of where a table comes from, what fits one line.
_SHORT = 160


def html(table: ScoreTable) -> str:
    """What is in a table, how far to trust it, its hardest examples; definitions on hover and below."""
    facts = [f"{len(table):,} examples"]
    try:
        found = _sections.parts(table._table, "brief", table._images)
    except DatadietError as error:
        # A table may have no scores yet, or images of other examples.
        columns = _sections.line(_sections.text(", ".join(table.columns), 600))
        head = _sections.heading("ScoreTable", *facts, f"{len(table.columns)} columns")
        return _sections.root(head, columns, _sections.note(str(error)))
    facts += [f"{found.classes:,} classes"] if found.classes else []
    facts.append(f"{len(table.columns)} columns")
    about = [
        _sections.line(f"{_sections.text(name)}: {_sections.text(value, _SHORT)}")
        for name, value in found.about
        if len(value) <= _SHORT
    ]
    sections = found.sections
    entries = [entry for all_ in sections["definitions"].of("definitions") for entry in all_]
    hints = _sections.hints_of(entries, table.columns)
    scores = [block for block in sections["scores"].blocks if "figure" not in block]
    scores.sort(key=lambda block: "note" not in block)
    hardest = sections["hardest"]
    content = [
        _sections.blocks(_sections.Part("", "", scores), hints=hints),
        _sections.title(hardest.title) if hardest.of("gallery") else "",
        _sections.examples(hardest),
    ]
    if "columns" in sections:
        every = sections["columns"]
        content.append(_sections.folded(every.title, _sections.blocks(every, hints=hints)))
    if entries:
        content.append(_sections.folded("Definitions", _sections.definitions(entries)))
    names = _sections.line(_sections.text(", ".join(table.columns), 3000))
    content.append(_sections.folded("Names of the columns", names))
    return _sections.root(_sections.heading("ScoreTable", *facts), *about, *content)
