"""What is to be logged of a table, an answer of `datadiet.experiments`, or a folder of the command's results."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from datadiet.exceptions import TableError
from datadiet.experiments import Connectivity, Curve, Diet, Trained
from datadiet.table import ScoreTable
from datadiet.tracking.record import Record, add_outcome, add_table, add_trainings

__all__ = ["collect"]

_SCORES = "scores.parquet"
_OUTCOME = "outcome.json"
_REPORT = "report.html"
_WRITTEN = (_SCORES, "scores.json", _OUTCOME, "gallery.png", "subset.parquet")
"""What the command writes to a folder of results, beside the tables that it names in its JSON."""


def collect(what: Any, folder: Path, report: bool | Path) -> Record:
    """What to log; files that are made for it are in `folder`, which must outlive it.

    `report` is a page that was written of it, or whether one is wanted: the one beside it, or where there is none or an
    older one, one that is made.
    """
    record = Record()
    if isinstance(report, Path):
        record.files.append(report)
        report = False
    if isinstance(what, ScoreTable):
        add_table(record, what)
        what.write(folder / _SCORES)
        record.files.append(folder / _SCORES)
        if report:
            record.files.append(_made(what, folder, "scores"))
    elif isinstance(what, Trained):
        _trainings(record, what.outcome, folder)
    elif isinstance(what, (Diet, Curve, Connectivity)):
        _folder(record, what.report.parent, folder, report, what.outcome)
    elif isinstance(what, (str, os.PathLike)):
        _path(record, Path(what), folder, report)
    else:
        raise TypeError(
            f"{type(what).__name__} cannot be logged: pass a ScoreTable, what datadiet.train, diet or"
            " experiments.curve gave, or the path of results"
        )
    if record.card:
        _note(record, folder / "card.json", record.card)
    if record.names:
        _note(record, folder / "names.json", record.names)
    return record


def _path(record: Record, path: Path, folder: Path, report: bool) -> None:
    if path.is_dir():
        _folder(record, path, folder, report)
    elif path.is_file() and path.suffix != ".parquet" and path.read_bytes()[:1] == b"{":
        found = _json(path)
        if not {"accuracy", "runs", "spec"} <= set(found):
            raise TableError(f"{path} is no answer of `datadiet train --out`")
        _trainings(record, found, folder)
    else:
        table = ScoreTable.read(path)
        add_table(record, table)
        record.files.append(path)
        if report:
            record.files.append(_made(table, folder, path.stem))


def _folder(
    record: Record,
    results: Path,
    folder: Path,
    report: bool,
    answer: dict[str, Any] | None = None,
) -> None:
    """What is in a folder of results; where `answer` is what came of it, the files of that and of nothing else."""
    scores, outcome = results / _SCORES, results / _OUTCOME
    if answer is not None and not outcome.is_file():
        add_outcome(record, answer)
        _note(record, folder / _OUTCOME, answer)
        _tell(f"{outcome} is gone: what came of it is logged without its tables and its report")
        return
    if not scores.is_file() and not outcome.is_file():
        raise TableError(
            f"{results} holds neither {_OUTCOME} nor {_SCORES}; `datadiet score` and `datadiet run` write them"
        )
    table = ScoreTable.read(scores) if scores.is_file() else None
    found = _json(outcome) if outcome.is_file() else {}
    if answer is not None and found != answer:
        raise TableError(
            f"{outcome} is not what came of this any more: something else was written there since; log what the newer"
            f" call gave, or the folder ({str(results)!r}) for what is in it now"
        )
    if table is not None:
        add_table(record, table)
    if found:
        add_outcome(record, found)
    written = found.get("files") or []
    if (results / "scores.json").is_file():
        written = [*written, *_json(results / "scores.json").get("files", [])]
    record.files += _files(results, [*_WRITTEN, *(Path(name).name for name in written)])
    page = results / _REPORT
    newest = max(file.stat().st_mtime for file in (scores, outcome) if file.is_file())
    if report and page.is_file() and page.stat().st_mtime >= newest:
        record.files.append(page)
    elif report and table is not None and not found:
        record.files.append(_made(table, folder, results.name))
    elif report:
        why = "is older than the results" if page.is_file() else "is not there"
        _tell(f"{page} {why} and is not logged; `datadiet report {results}` writes it")


def _tell(text: str) -> None:
    print(f"datadiet: {text}", file=sys.stderr)


def _files(results: Path, names: Iterable[str]) -> list[Path]:
    there = (results / name for name in dict.fromkeys(names) if name != _REPORT)
    return [file for file in there if file.is_file()]


def _made(table: ScoreTable, folder: Path, title: str) -> Path:
    return table.report(folder / _REPORT, title=title, figures=False)


def _trainings(record: Record, found: Mapping[str, Any], folder: Path) -> None:
    add_trainings(record, found)
    _note(record, folder / "trained.json", found)


def _note(record: Record, file: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, ensure_ascii=False, indent=1, default=str)
    file.write_text(text, encoding="utf-8")
    record.files.append(file)


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise TableError(f"{path} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise TableError(f"{path} is not what the command writes")
    return found
