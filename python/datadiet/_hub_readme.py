"""The README of a repository with tables of scores: what each has, where it comes from, what its columns mean.

What others wrote in a README stays. The part about a table stands between two marks, by which it is found again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datadiet.table import ScoreTable

__all__ = ["with_table"]

_LIMIT = 1_000
"""Characters of a text that somebody else wrote."""

_FRONT = re.compile(r"\A---\r?\n(.*?)\r?\n---\r?\n", re.DOTALL)


def with_table(
    readme: str | None, table: ScoreTable, repository: str, file: str, sha256: str
) -> tuple[str, bool]:
    """A README with a part about a table, and whether it had one about this file before.

    `readme` is what is there, if something is; its YAML is left alone but for the ``configs`` of one that has only
    what this wrote: by them `datasets` and the viewer of the Hub take each table for itself.
    """
    begin, end = f"<!-- datadiet: {file} -->", f"<!-- datadiet: end of {file} -->"
    part = "\n".join([begin, *_part(table, repository, file, sha256), end])
    if readme is None or not readme.strip():
        readme = f"---\n{_yaml([])}\n---\n\n# {repository.split('/')[1]}\n\n{_ABOUT}\n"
    start = readme.find(begin)
    stop = readme.find(end, start) + len(end)
    replaced = start >= 0 and stop > start
    if replaced:
        readme = readme[:start] + part + readme[stop:]
    else:
        readme = f"{readme.rstrip()}\n\n{part}\n"
    front = _FRONT.match(readme)
    ours = front is not None and front[1].rstrip() == _yaml(_configs(front[1]))
    if front is not None and ours:
        files = re.findall(r"^<!-- datadiet: (?!end of )(.+) -->$", readme, re.MULTILINE)
        readme = f"---\n{_yaml(files)}\n---\n{readme[front.end() :]}"
    return readme, replaced


_ABOUT = """Scores of training examples by [datadiet](https://pypi.org/project/datadiet/): how hard each example is,
and how suspicious its label, from the logits of trainings. One row an example, one column a score and time; rows are
joined to the data by the ids of the column `key`, or `id` where there is none."""


def _yaml(files: list[str]) -> str:
    lines = ["tags:", "- datadiet", "- training-dynamics", "- data-pruning", "- label-errors"]
    if files:
        lines.append("configs:")
    for file in files:
        name = str(PurePosixPath(file).with_suffix("")).replace("/", "-")
        lines += [f'- config_name: "{name}"', f'  data_files: "{file}"']
    return "\n".join(lines)


def _configs(yaml: str) -> list[str]:
    return re.findall(r'^  data_files: "(.+)"$', yaml, re.MULTILINE)


def _part(table: ScoreTable, repository: str, file: str, sha256: str) -> Iterator[str]:
    card: Mapping[str, Any] = table.card or {}
    yield f"## {_plain(file)}"
    yield ""
    yield f"{len(table):,} examples. SHA-256 `{sha256}`."
    yield ""
    yield "```python"
    yield "import datadiet"
    yield ""
    yield f'table = datadiet.load("hf://{repository}/{file}", sha256="{sha256}")'
    yield "table.top(5), table.wrong_labels()"
    yield "```"
    yield ""
    if not card:
        yield "The table has no card: nobody knows where its values come from."
    for name, value in _origin(card):
        yield f"- {name}: {_plain(value)}"
    yield "- all of it: the card, JSON, is the entry `datadiet` of the file's metadata"
    yield ""
    yield "| column | mean, range here | hard is | reliability |"
    yield "|---|---|---|---|"
    described = {one["name"]: one for one in card.get("columns", [])}
    others = [name for name in table.columns if _of_another(name, described)]
    for column in table.columns:
        if column not in others:
            yield _row(column, described)
    yield ""
    if others:
        yield f"Beside them standard errors over the trainings (`.se`) and single trainings (`.r0`, …), {len(others)} columns."
        yield ""
    definitions = {one["score"]: one["definition"] for one in described.values()}
    for score, definition in definitions.items():
        yield f"- **{_plain(score)}**: {_plain(_definition(definition))}"


def _origin(card: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if source := card.get("source"):
        yield "from", source
    if data := card.get("data"):
        only = f", the first {data['limit']:,} training examples" if data.get("limit") else ""
        yield "data set", f"{data['name']}{only} (SHA-256 of its content {data['fingerprint']})"
    if card.get("relabelled"):
        yield "labels", "changed: they are not those of the data set"
    if task := card.get("task"):
        yield "task", str(task)
    if replicas := card.get("replicas"):
        yield (
            "trainings",
            f"{replicas}; scores are means over them, `.se` columns their standard errors",
        )
    if accuracy := card.get("accuracy"):
        error = accuracy.get("standard_error")
        about = "" if error is None else f" ± {error:.4f}"
        yield (
            f"{accuracy.get('metric') or 'accuracy'} ({accuracy['split']})",
            f"{accuracy['mean']:.4f}{about}",
        )
    if times := card.get("times"):
        yield "times", ", ".join(f"{one['epochs']:g}" for one in times) + " epochs"
    if made_by := card.get("made_by"):
        yield "made by", f"datadiet {made_by}"


def _of_another(column: str, described: Mapping[str, Any]) -> bool:
    """Whether it is the standard error or a single training of a column that is described."""
    return re.sub(r"\.(se|r\d+)$", "", column) in described and column not in described


def _row(column: str, described: Mapping[str, Any]) -> str:
    about = described.get(column)
    if about is None:
        return f"| {_code(column)} | {_known(column)} | | |"
    values = [about.get(one) for one in ("mean", "min", "max")]
    mean, low, high = ["–" if one is None else f"{one:.4g}" for one in values]
    hard = "high" if "higher" in str(about.get("direction", "")) else "low"
    reliability = (about.get("reliability") or {}).get("full")
    shown = "" if reliability is None else f"{reliability:.3f}"
    return f"| {_code(column)} | {mean}, {low} to {high} | {hard} | {shown} |"


def _known(column: str) -> str:
    if column.startswith("predicted@"):
        return "class that most trainings predict"
    known = {
        "id": "number of the example, or of the row where there is a `key`",
        "key": "id of the example, as the owner of the data has it",
        "label": "class number that it was trained with",
        "class": "name of that class",
    }
    return known.get(column, "")


def _definition(definition: Mapping[str, Any]) -> str:
    of = {name: str(definition.get(name, "")) for name in ("formula", "range", "pass", "reference")}
    return f"{of['formula']}. Range {of['range']}. Of {of['pass']}. Source: {of['reference']}."


def _plain(text: str) -> str:
    """A text of somebody else as one line of Markdown that shows it as it is."""
    line = " ".join(str(text).split())
    line = line if len(line) <= _LIMIT else line[:_LIMIT] + "…"
    return re.sub(r"([\\`|<>\[\]*_])", r"\\\1", line)


def _code(text: str) -> str:
    """A name as code in a table."""
    return "`" + " ".join(text.split()).replace("`", "'").replace("|", "\\|") + "`"
