"""Sections about a table, as HTML for the output of a notebook.

What is said comes from the program that writes the reports; here is how it looks in little room. Styles are written
into the elements, since front ends keep style sheets and scripts out; colours are those of the text around or lie
between, so that light and dark can be read. All text is escaped, cut where it is long, and isolated where it runs
from right to left; no front end takes dollars in it for formulas.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from datadiet import _datadiet

Images: TypeAlias = npt.NDArray[np.uint8]
"""n × height × width × channels."""

# Characters of a text that are shown, and of its tooltip; rows of a table.
_SHOWN, _HINT, _ROWS = 120, 600, 50
# From more rows on a table scrolls.
_SCROLLS = 14

_RULE = "1px solid rgba(128,128,128,.35)"
_FAINT = "opacity:.7"
_ROOT = (
    "font-size:13px;line-height:1.45;max-width:70em;overflow-wrap:anywhere;color:inherit;"
    "font-variant-numeric:tabular-nums"
)
_TABLE = "border-collapse:collapse;margin:6px 0;font-size:inherit;border:0;color:inherit"
_CELL = (
    "padding:2px 14px 2px 0;border:0;border-bottom:1px solid rgba(128,128,128,.22);background:transparent;"
    "color:inherit;vertical-align:baseline;max-width:24em;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;"
)
_NOTE = "margin:6px 0;padding:3px 10px;border-left:3px solid {};max-width:62em"
_WARNING, _INFO = "#d9822b", "rgba(128,128,128,.6)"
# The longer side of a picture, in pixels.
_PICTURE = 64


class Html(str):
    """A cell of a table that is HTML."""


@dataclass(frozen=True)
class Part:
    """A section of a page."""

    id: str
    title: str
    blocks: Sequence[Mapping[str, Any]]

    def of(self, kind: str) -> list[Any]:
        """The contents of the blocks of a kind."""
        return [block[kind] for block in self.blocks if kind in block]


@dataclass(frozen=True)
class Parts:
    """Sections of a page, and where the table comes from."""

    sections: dict[str, Part]
    about: list[tuple[str, str]] = field(default_factory=list)
    classes: int = 0


def parts(
    table: _datadiet.Table,
    what: str,
    images: Images | None,
    *,
    by: str | None = None,
    hard_is: str | None = None,
    suspects: int = 8,
    gallery: int = 8,
) -> Parts:
    """Sections about a table: `what` is ``brief``, ``suspects`` or ``report``."""
    request = {"by": by, "hard_is": hard_is, "suspects": suspects, "gallery": gallery}
    found = json.loads(_datadiet.sections(table, what, request, images))
    sections = {
        one["id"]: Part(one["id"], one["title"], one["blocks"]) for one in found["sections"]
    }
    return Parts(sections, [(name, text) for name, text in found["about"]], found["classes"])


def root(*content: str) -> str:
    """The whole output."""
    # Classes by which MathJax knows what is no formula.
    inner = "".join(content)
    return f'<div class="tex2jax_ignore mathjax_ignore" style="{_ROOT}">{inner}</div>'


def text(value: object, most: int = _SHOWN) -> str:
    """A text, escaped, cut and isolated."""
    plain = _plain(str(value))
    shown = plain if len(plain) <= most else plain[: most - 1] + "…"
    return f"<bdi>{_escaped(shown)}</bdi>"


def heading(name: str, *facts: str) -> str:
    """What is shown, in bold, and facts about it (texts)."""
    rest = f' <span style="{_FAINT}">{" · ".join(map(_escaped, facts))}</span>' if facts else ""
    return f'<div style="margin:2px 0 4px"><b>{_escaped(name)}</b>{rest}</div>'


def title(content: str) -> str:
    """Above a part."""
    return f'<div style="margin:12px 0 4px"><b>{text(content)}</b></div>'


def line(content: str) -> str:
    """A paragraph of HTML."""
    return f'<div style="margin:4px 0;max-width:62em">{content}</div>'


def warning(content: str) -> str:
    """A text that must not be missed."""
    return _note(content, _WARNING, "Warning: ")


def note(content: str) -> str:
    """A text that is good to know."""
    return _note(content, _INFO, "")


def folded(title: str, content: str) -> str:
    """HTML that unfolds."""
    summary = f'<summary style="cursor:pointer;{_FAINT}">{text(title)}</summary>'
    return f'<details style="margin:4px 0">{summary}{content}</details>'


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    text_columns: int,
    hints: Mapping[str, str] | None = None,
) -> str:
    """A table of texts, or `Html`; `hints` are shown on hover over cells of the first column that read so."""
    sides = ["left" if at < text_columns else "right" for at in range(len(header))]
    head = "".join(
        f'<th scope="col" style="{_CELL}font-weight:600;text-align:{side}">{text(name)}</th>'
        for name, side in zip(header, sides, strict=True)
    )
    body = "".join(
        "<tr style='background:transparent'>"
        + "".join(
            _cell(cell, side, hints if at == 0 else None)
            for at, (cell, side) in enumerate(zip(row, sides, strict=False))
        )
        + "</tr>"
        for row in rows[:_ROWS]
    )
    left = len(rows) - _ROWS
    more = f'<div style="{_FAINT}">… {left:,} more</div>' if left > 0 else ""
    scrolls = (
        "overflow:auto;max-height:20em;width:fit-content;max-width:100%;padding-right:6px"
        if len(rows) > _SCROLLS
        else "overflow-x:auto"
    )
    return (
        f'<div style="{scrolls}"><table style="{_TABLE}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{more}"
    )


def bar(share: float) -> str:
    """A fraction as a bar."""
    width = 100 * min(max(share, 0.0), 1.0)
    return (
        '<div style="width:8em;height:.7em;border:1px solid rgba(128,128,128,.45)">'
        f'<div style="width:{width:.1f}%;height:100%;background:#3b8ac4"></div></div>'
    )


def tiles(pictures: Iterable[Mapping[str, Any]]) -> str:
    """Pictures with captions."""
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:8px 10px;margin:6px 0">'
        + "".join(_tile(one) for one in pictures)
        + "</div>"
    )


def picture(png: bytes, caption: str, hint: str) -> dict[str, Any]:
    """A picture for `tiles`, of a PNG file."""
    # The header of a PNG file says how large it is.
    width, height = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))
    code = base64.b64encode(png).decode("ascii")
    return {"png": code, "width": width, "height": height, "caption": caption, "title": hint}


def definitions(entries: Sequence[Mapping[str, str]]) -> str:
    """What names mean."""
    rows = [
        f"<dt style='margin-top:6px'><b>{text(one['name'])}</b></dt>"
        f"<dd style='margin:0 0 0 1.5em'>{text(_meaning(one), 1000)}</dd>"
        for one in entries
    ]
    return f"<dl style='margin:4px 0'>{''.join(rows)}</dl>"


def hints_of(entries: Sequence[Mapping[str, str]], columns: Iterable[str]) -> dict[str, str]:
    """Columns, and what is shown on hover."""
    known = {one["name"]: _meaning(one) for one in entries}
    found = ((name, known.get(name.partition("@")[0])) for name in columns)
    return {name: meaning for name, meaning in found if meaning is not None}


def blocks(part: Part, *, hints: Mapping[str, str] | None = None) -> str:
    """All of a section, in its order."""
    return "".join(_block(block, hints) for block in part.blocks)


def examples(part: Part) -> str:
    """The same of examples: where there are pictures, which say the ids on hover, the table is folded."""
    pictured = bool(part.of("gallery"))
    shown = []
    for block in part.blocks:
        one = _block(block, None)
        folds = pictured and "table" in block
        shown.append(folded("As a table, with ids", one) if folds else one)
    return "".join(shown)


def _block(block: Mapping[str, Any], hints: Mapping[str, str] | None) -> str:
    ((kind, content),) = block.items()
    if kind == "text":
        return line(text(content, 2000))
    if kind == "note":
        return (warning if content["kind"] == "warning" else note)(content["text"])
    if kind == "table":
        return _table_block(content, hints)
    if kind == "gallery":
        return _gallery(content)
    if kind == "definitions":
        return definitions(content)
    if kind == "figure":
        code = base64.b64encode(content["svg"].encode()).decode("ascii")
        return (
            f'<img src="data:image/svg+xml;base64,{code}" alt="{_attribute(content["title"])}"'
            ' style="max-width:100%;width:44em;border-radius:6px"/>'
            + line(text(content["caption"]))
        )
    return ""


def _table_block(content: Mapping[str, Any], hints: Mapping[str, str] | None) -> str:
    caption = content["caption"]
    above = f'<div style="margin-top:6px;{_FAINT}">{text(caption, 300)}</div>' if caption else ""
    return above + table(content["header"], content["rows"], content["text_columns"], hints)


def _gallery(content: Mapping[str, Any]) -> str:
    title = f'<div style="margin-top:6px;{_FAINT}">{text(content["title"])}</div>'
    rows = []
    for row in content["rows"]:
        groups = "".join(
            f'<div><span style="{_FAINT}">{text(group["heading"])}</span>{tiles(group["tiles"])}</div>'
            for group in row["groups"]
        )
        name = f"<b>{text(row['name'], 60)}</b>" if row["name"] else ""
        rows.append(
            f'<div>{name}<div style="display:flex;flex-wrap:wrap;gap:0 36px">{groups}</div></div>'
        )
    return title + "".join(rows)


def _tile(one: Mapping[str, Any]) -> str:
    long = max(one["width"], one["height"], 1)
    zoom = _PICTURE / long if long > _PICTURE else max(_PICTURE // long, 1)
    width, height = (max(round(one[side] * zoom), 1) for side in ("width", "height"))
    hint = _attribute(one["title"])
    caption = (
        f'<div style="max-width:{max(width, 72)}px;font-size:11px;line-height:1.25;overflow:hidden;'
        f'text-overflow:ellipsis">{text(one["caption"], 60)}</div>'
    )
    return (
        f'<div title="{hint}"><img src="data:image/png;base64,{one["png"]}" width="{width}" height="{height}"'
        f' alt="{hint}" style="image-rendering:pixelated;display:block;margin:0;max-width:none"/>{caption}</div>'
    )


def _cell(cell: str, side: str, hints: Mapping[str, str] | None) -> str:
    if isinstance(cell, Html):
        return f'<td style="{_CELL}text-align:{side}">{cell}</td>'
    hint = (hints or {}).get(cell, "")
    if not hint and len(cell) > 24:
        hint = cell
    title = f' title="{_attribute(hint)}"' if hint else ""
    dotted = "text-decoration:underline dotted;cursor:help;" if hints and cell in hints else ""
    return f'<td style="{_CELL}{dotted}text-align:{side}"{title}>{text(cell)}</td>'


def _note(content: str, colour: str, before: str) -> str:
    kind = f"<b>{before}</b>" if before else ""
    return f'<div style="{_NOTE.format(colour)}">{kind}{text(content, 2000)}</div>'


def _meaning(one: Mapping[str, str]) -> str:
    words = [("", one["formula"]), ("from ", one["pass"]), ("range ", one["range"])]
    words += [("", one["direction"]), ("", one["when"]), ("", one["reference"])]
    return "; ".join(before + value for before, value in words if value)


def _plain(value: str) -> str:
    """Without characters that do not belong into a page."""
    return "".join(
        one if one.isprintable() or one == " " else "\N{REPLACEMENT CHARACTER}" for one in value
    )


def _escaped(value: str) -> str:
    # A dollar alone in an element begins no formula.
    return escape(value, quote=True).replace("$", "<span>$</span>")


def _attribute(value: str) -> str:
    plain = _plain(value.replace("\n", " "))
    return escape(plain if len(plain) <= _HINT else plain[: _HINT - 1] + "…", quote=True)
