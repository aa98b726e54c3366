"""The explorer of the command ``datadiet explore``, within a notebook or beside a script."""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import warnings
import webbrowser
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

from datadiet import _datadiet, _sections
from datadiet._front_end import FrontEnd, front_end, show
from datadiet._join import ids_of
from datadiet._program import Running, find
from datadiet.exceptions import CommandError, ShapeError

if TYPE_CHECKING:
    from datadiet.table import ScoreTable

__all__ = ["Explorer"]

# Pictures that are written for it as files; more belong into a data set.
_MOST_PICTURES = 100_000
# How long it may take to answer a mark that it is just saving, in seconds.
_PATIENCE = 5


@dataclass(frozen=True)
class TableFile:
    """The file that a table was read from, and how to tell that it is another since."""

    path: Path
    stamp: tuple[int, int] | None

    @classmethod
    def of(cls, path: Path) -> TableFile:
        return cls(path.absolute(), _stamp(path))

    def unchanged(self) -> bool:
        """Whether it is as it was when it was read."""
        return self.stamp is not None and self.stamp == _stamp(self.path)


def _stamp(path: Path) -> tuple[int, int] | None:
    file = path / "scores.parquet" if path.is_dir() else path
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


class Explorer:
    """The explorer of a table: made by `ScoreTable.explore`.

    It lives as long as this process, at most; `stop`, or the end of a ``with``, ends it before.

    Examples
    --------
    In a notebook::

        explorer = table.explore()                       # look, mark
        clean = table.select(marks=explorer.marks)       # without what was marked as wrong or to drop
        explorer.stop()
    """

    url: str
    """Its address. It has a random key: whoever has the address may look and mark."""
    marks: Path
    """The file of marks, for ``ScoreTable.select(marks=…)``; it is there from the first mark on."""

    def __init__(self, process: subprocess.Popen[str], folder: Path | None, answer: Any) -> None:
        self.url, self.marks = answer["address"], Path(answer["marks"])
        self._process, self._folder, self._owner = process, folder, os.getpid()
        _running.add(self)

    @property
    def port(self) -> int:
        """The port of its address."""
        return urlsplit(self.url).port or 80

    @property
    def running(self) -> bool:
        """Whether it still serves."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Ends it. Marks are saved as they are made; calling it again does nothing."""
        _running.discard(self)
        # Not by a fork of the process that started it.
        if self._owner == os.getpid():
            _end(self._process, self._folder)

    def __enter__(self) -> Explorer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"Explorer({self.url if self.running else 'stopped'})"


# Those that serve: one that nobody keeps is still shown in a notebook.
_running: set[Explorer] = set()


@atexit.register
def _end_all() -> None:
    for explorer in list(_running):
        explorer.stop()


def explore(
    table: ScoreTable,
    *,
    images: npt.NDArray[np.uint8] | None,
    text: Sequence[str] | str | os.PathLike[str] | None,
    data: str | None,
    by: str | None,
    hard_is: str | None,
    marks: str | os.PathLike[str] | None,
    who: str | None,
    port: int,
    proxy: str | None,
    height: int,
) -> Explorer:
    """The body of `ScoreTable.explore`."""
    given = [
        name
        for name, one in (("images", images), ("text", text), ("data", data))
        if one is not None
    ]
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} are given; an example is shown by one of them")
    shown = front_end()
    images = table._images if not given else images
    folder = Path(tempfile.mkdtemp(prefix="datadiet-explore-"))
    try:
        command = [str(_scores(table, folder)), *_source(table, folder, images, text, data)]
        file = _marks_beside(table, images, text, data) if marks is None else Path(marks).absolute()
        options = {"by": by, "hard-is": hard_is, "marks": file, "as": who, "port": port or None}
        for name, value in options.items():
            command += [] if value is None else [f"--{name}", str(value)]
        command += _allowed(shown, proxy)
        explorer = _started(command, folder)
        if marks is not None:
            explorer.marks = Path(marks)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    _show(explorer, table, shown, port, proxy, height)
    return explorer


def _scores(table: ScoreTable, folder: Path) -> Path:
    """The file of the table, where it was read from one that is as it was; else one that is written for this."""
    if table._file is not None and table._file.unchanged():
        return table._file.path
    # The page shows the path as it is given, in commands that are run from anywhere.
    file = folder / "table.parquet"
    table.write(file)
    return file


def _marks_beside(
    table: ScoreTable,
    images: npt.NDArray[np.uint8] | None,
    text: Sequence[str] | str | os.PathLike[str] | None,
    data: str | None,
) -> Path:
    """Where marks of a table without a file go: a name that is that of its examples, in this folder."""
    if table._file is not None:
        # As the command has it; where that would be beside a copy too.
        return Path(_datadiet.marks_beside(table._file.path)).absolute()
    told = _columns(table, ("id", "key", "label", "text"))
    # Numbers of rows are those of any table.
    rows = np.arange(len(table), dtype=np.uint32)
    if not told or ([*told] == ["id"] and told["id"] == rows.tobytes()):
        told = _content(images, text, data)
    if not told:
        warnings.warn(
            "nothing tells these examples from those of another table (no ids, labels, pictures or texts of their"
            " own): the marks are of these very scores; pass marks= a file to find them again with others",
            stacklevel=4,
        )
        told = _columns(table, table.columns)
    digest = hashlib.sha256()
    for name, content in told.items():
        digest.update(name.encode() + b"\0" + content)
    digest.update(str(len(table)).encode())
    return Path(f"datadiet-marks-{digest.hexdigest()[:8]}.jsonl").absolute()


def _columns(table: ScoreTable, names: Iterable[str]) -> dict[str, bytes]:
    """What is in those of these columns that the table has."""
    found = {name: table[name] for name in names if name in table}
    return {
        name: json.dumps(column).encode() if isinstance(column, list) else column.tobytes()
        for name, column in found.items()
    }


def _content(
    images: npt.NDArray[np.uint8] | None,
    text: Sequence[str] | str | os.PathLike[str] | None,
    data: str | None,
) -> dict[str, bytes]:
    """What is shown of the examples, which tells them too."""
    if data is not None:
        return {"data": data.encode()}
    if images is not None:
        return {"images": str(images.shape).encode() + images.tobytes()}
    if isinstance(text, (str, os.PathLike)):
        # Of one that is not there the command says so.
        return {"texts": Path(text).read_bytes()} if Path(text).is_file() else {}
    return {} if text is None else {"texts": json.dumps([str(one) for one in text]).encode()}


def _source(
    table: ScoreTable,
    folder: Path,
    images: npt.NDArray[np.uint8] | None,
    text: Sequence[str] | str | os.PathLike[str] | None,
    data: str | None,
) -> list[str]:
    """What is shown of an example, as the command takes it."""
    if data is not None:
        return ["--data", data]
    if isinstance(text, (str, os.PathLike)):
        return ["--text", os.path.abspath(text)]
    if text is not None:
        if len(text) != len(table):
            raise ShapeError(
                f"{len(text)} texts for {len(table)} rows; pass one of each row, in their order"
            )
        file = folder / "texts.jsonl"
        lines = (
            json.dumps({"id": id, "text": str(one)}, ensure_ascii=False)
            for id, one in zip(ids_of(table)[1], text, strict=True)
        )
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return ["--text", str(file)]
    if images is not None:
        return ["--images", str(_pictures(table, folder, images))]
    return []


def _pictures(table: ScoreTable, folder: Path, images: npt.NDArray[np.uint8]) -> Path:
    if len(table) > _MOST_PICTURES:
        raise ShapeError(
            f"{len(table):,} images: up to {_MOST_PICTURES:,} are shown; import the data set once"
            ' (`datadiet data import`) and pass data="NAME"'
        )
    place = folder / "images"
    place.mkdir()
    rows = np.arange(len(table), dtype=np.uint32)
    # Images belong to examples by whole numbers: the names of the files are safe.
    keys = table.keys(table["id"]) if "id" in table else table["key"] if "key" in table else rows
    for key, png in zip(keys, _datadiet.pictures(table._table, rows, images), strict=True):
        if png is not None:
            (place / f"{int(key)}.png").write_bytes(png)
    return place


def _allowed(shown: FrontEnd, proxy: str | None) -> list[str]:
    frames = list(shown.frames)
    options: list[str] = []
    if proxy is not None:
        parts = urlsplit(proxy)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(
                f"proxy is {proxy!r}; pass the whole address before the port, such as"
                " 'https://hub.example.org/user/ann/proxy/'"
            )
        frames.append(f"{parts.scheme}://{parts.netloc}")
        options = ["--allow-host", parts.hostname]
    return options + [word for frame in dict.fromkeys(frames) for word in ("--allow-frame", frame)]


def _started(arguments: Sequence[str], folder: Path) -> Explorer:
    command = [find("the explorer is"), "explore", *arguments, "--json", "--no-open", "--attached"]
    # It ends when its standard input closes, which the system does when this process dies. Of one that fails the
    # exception says why.
    running = Running(
        command,
        lambda line: line.startswith(("note:", "warning:")),
        stdin=subprocess.PIPE,
    )
    process = running.process
    assert process.stdout is not None
    try:
        answer = json.loads(process.stdout.readline())
    except ValueError:
        said = running.said()
        said = said[said.find("error: ") + len("error: ") :] if "error: " in said else said
        raise CommandError(f"datadiet explore failed: {said}") from None
    except BaseException:
        process.kill()
        process.wait()
        raise
    return Explorer(process, folder, answer)


def _end(process: subprocess.Popen[str], folder: Path | None) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _show(
    explorer: Explorer,
    table: ScoreTable,
    shown: FrontEnd,
    port: int,
    proxy: str | None,
    height: int,
) -> None:
    if shown.kind == "terminal":
        webbrowser.open(explorer.url)
        return
    key = urlsplit(explorer.url).path
    if shown.kind == "colab" and proxy is None:
        from google.colab import output  # type: ignore[import-not-found, unused-ignore]

        output.serve_kernel_port_as_iframe(explorer.port, path=key, height=str(height))
        return
    # Who names a port, or a proxy, has seen to it that the page reaches it.
    if shown.far is not None and not port and proxy is None:
        show(_static(explorer, table, shown.far), _how_to_reach(explorer, shown.far))
        return
    address = explorer.url if proxy is None else f"{proxy.rstrip('/')}/{explorer.port}{key}"
    show(
        _frame(address, explorer.marks, height),
        f"{explorer!r}: marks are saved to {explorer.marks}",
    )


def _frame(address: str, marks: Path, height: int) -> str:
    place = _sections._attribute(address)
    return _sections.root(
        f'<iframe src="{place}" width="100%" height="{int(height)}" title="datadiet explore"'
        ' style="border:1px solid rgba(128,128,128,.35);border-radius:8px;background:transparent"'
        ' allow="fullscreen; clipboard-write"></iframe>',
        _sections.line(
            f'<a href="{place}" target="_blank" rel="noopener">in a window of its own</a> · marks are saved at once to '
            f"{_sections.text(marks, 400)} · it ends with this kernel: run the cell again to see it then"
        ),
    )


def _how_to_reach(explorer: Explorer, why: str) -> str:
    port, host = explorer.port, socket.gethostname()
    return (
        f"The explorer runs on {host}, and this page may not reach it ({why}). On your machine run"
        f" `ssh -L {port}:localhost:{port} {host}` and open {explorer.url} there; or pass port=, of one that you forward"
        " already, or proxy=, of jupyter-server-proxy."
    )


def _static(explorer: Explorer, table: ScoreTable, why: str) -> str:
    """What the report shows, in place of a page that cannot be reached."""
    found = _sections.parts(table._table, "report", table._images)
    parts = [
        _sections.title(part.title) + _sections.blocks(part)
        for name, part in found.sections.items()
        if name not in ("columns", "definitions")
    ]
    return _sections.root(_sections.note(_how_to_reach(explorer, why)), *parts)
