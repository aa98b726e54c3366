"""Scored examples for other programs, and what people said there as marks: by the command ``datadiet``."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from datadiet import _command

if TYPE_CHECKING:
    from datadiet.table import ScoreTable

__all__ = ["MarksRead", "Only", "Program", "read_marks"]

PathLike: TypeAlias = str | os.PathLike[str]

Program: TypeAlias = Literal["csv", "fiftyone", "label-studio", "coco", "yolo", "webdataset"]
"""What examples are written for."""

Only: TypeAlias = Literal["all", "suspects", "kept", "dropped", "marked"]
"""Which examples are written."""


@dataclass(frozen=True)
class MarksRead:
    """What became of the answers that were read."""

    marks: Path
    """The file of marks: for ``datadiet select --marks`` and ``datadiet noise --from``."""
    wrong: int
    """Examples that were marked as wrong."""
    relabelled: int
    """Of these, those with the right class."""
    drop: int
    """Examples to be dropped."""
    keep: int
    """Examples to be kept."""
    unsure: int
    """Examples of which somebody was unsure, or skipped them."""
    known: int
    """Answers that the file of marks had already."""
    silent: int
    """Examples of which nothing is said."""
    disputed: int
    """Examples of which people say different things, in the whole file."""


def read_marks(
    files: PathLike | Iterable[PathLike],
    source: Literal["csv", "fiftyone", "label-studio"],
    scores: ScoreTable | PathLike,
    *,
    out: PathLike | None = None,
    by: str | None = None,
    data: str | None = None,
    other_labels: bool = False,
) -> MarksRead:
    """Take what people said in another program, as the command ``datadiet marks`` does.

    Parameters
    ----------
    files
        Completed tasks of Label Studio (exported as JSON), a folder that FiftyOne exported as a
        ``FiftyOneDataset``, or a file of commas that was filled in; one or several.
    source
        What they come from.
    scores
        The table that was exported, or its file.
    out
        File of marks to add to; ``marks.jsonl`` beside the file of scores if not given.
    by
        Who said it, where the files do not say; the name of the account if not given.
    data
        Imported data set whose classes were exported, where the table has no names of classes.
    other_labels
        Whether labels of the table may differ from those of `data`.

    Returns
    -------
    `MarksRead`. The same files again add nothing.

    Raises
    ------
    ValueError
        A table without `out`: it has no folder for marks.
    CommandError
        An id, a class or a mark that the table does not know; another export than the one that is
        read.
    """
    listed = [files] if isinstance(files, (str, os.PathLike)) else list(files)
    with _file_of(scores) as file:
        if out is None and not isinstance(scores, (str, os.PathLike)):
            raise ValueError("where do the marks go? Pass out=, a file such as marks.jsonl")
        options = _options({"out": out, "as": by, "data": data})
        arguments = [os.fspath(one) for one in listed]
        arguments += ["--from", source, "--scores", os.fspath(file), *options]
        arguments += ["--other-labels"] if other_labels else []
        answer = _command.answer("marks", arguments)
    return MarksRead(**{**answer, "marks": Path(answer["marks"])})


def export(table: ScoreTable, to: str, out: PathLike, **options: Any) -> Path:
    """See `ScoreTable.export`."""
    with _file_of(table) as file:
        subset = options.get("subset")
        if subset is not None and not isinstance(subset, (str, os.PathLike)):
            options["subset"] = Path(file).with_name("subset.parquet")
            table.write_subset(options["subset"], subset)
        others = ["--other-labels"] if options.pop("other_labels") else []
        columns = options.pop("scores")
        if columns is not None:
            options["scores"] = columns if isinstance(columns, str) else ",".join(columns)
        arguments = [
            os.fspath(file),
            "--to",
            to,
            "--out",
            os.fspath(out),
            *others,
            *_options(options),
        ]
        return Path(_command.answer("export", arguments)["written"])


@contextmanager
def _file_of(scores: ScoreTable | PathLike) -> Iterator[PathLike]:
    """A file of a table, while it is needed."""
    if isinstance(scores, (str, os.PathLike)):
        yield scores
        return
    with tempfile.TemporaryDirectory(prefix="datadiet-") as folder:
        file = Path(folder) / "scores.parquet"
        scores.write(file)
        yield file


def _options(options: dict[str, Any]) -> list[str]:
    """As the command takes them; those that are None are left out, those with several values repeated."""
    arguments: list[str] = []
    for name, value in options.items():
        several = [value] if isinstance(value, (str, os.PathLike, int)) else list(value or ())
        for one in several:
            text = os.fspath(one) if isinstance(one, os.PathLike) else str(one)
            arguments.append(f"-{name}{text}" if len(name) == 1 else f"--{name}={text}")
    return arguments
