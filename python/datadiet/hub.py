"""Tables of scores that people share on the Hugging Face Hub: load them, push them.

An address is ``hf://OWNER/NAME``, a repository of the type *dataset*, then optionally ``@REVISION`` and ``/FILE``;
``hf://datasets/OWNER/NAME`` is the same. Everything goes through `huggingface_hub`: its cache, its token
(``hf auth login`` or ``HF_TOKEN``), its offline mode (``HF_HUB_OFFLINE=1``) and its server (``HF_ENDPOINT``).
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from datadiet import _datadiet
from datadiet._datasets_files import CARD, CARD_FILE
from datadiet._hub_readme import with_table
from datadiet._needed import needed
from datadiet.exceptions import TableError
from datadiet.table import ScoreTable

__all__ = ["address", "load", "push_card", "push_to_hub"]

SCORES_FILE = "scores.parquet"
"""The file of a table where an address names none."""

_README = "README.md"
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_REVISION = r"(?:@(refs/(?:pr|convert)/[^/]+|[^/@]+))?"
_ADDRESS = re.compile(rf"(?:datasets/)?([^/@]+/[^/@]+){_REVISION}(?:/(.+))?")
_NAMES = frozenset(score["name"] for score in _datadiet.SCORES)


def load(
    source: str | os.PathLike[str],
    *,
    revision: str | None = None,
    sha256: str | None = None,
    quiet: bool = False,
) -> ScoreTable:
    """Load a table of scores: from the Hub, or a file or folder of this machine.

    Parameters
    ----------
    source
        ``hf://OWNER/NAME``, whose table is ``scores.parquet`` or the only Parquet file; ``hf://OWNER/NAME/FILE`` or
        ``hf://OWNER/NAME@REVISION/FILE``. Anything else is a path, as for `ScoreTable.read`.
    revision
        Branch, tag or commit of the repository; the newest of ``main`` if not given. A result that is to be
        repeated names a commit.
    sha256
        What the SHA-256 of the file must be, in hexadecimal.
    quiet
        Do not say on standard error which file was loaded, of which commit, with which SHA-256.

    Returns
    -------
    The table. What was downloaded stays in the cache of `huggingface_hub`, and is not fetched again.

    Raises
    ------
    FileNotFoundError
        No such repository, revision or file, or one that is private; no such file here.
    TableError
        An address that is none; several tables, of which none is named; a file that is no table of scores, or
        another than `sha256` says.
    OSError
        The Hub cannot be reached, and the file is not in the cache.
    ImportError
        `huggingface_hub` is not installed.
    """
    text = os.fspath(source)
    if not text.startswith("hf://"):
        if revision is not None:
            raise TableError(f"a file of this machine has no revision: {text}")
        path = Path(text)
        table = ScoreTable.read(path)
        _check_hash(path / SCORES_FILE if path.is_dir() else path, text, sha256)
        return table
    repository, in_address, file = address(text)
    path, file = _downloaded(repository, one_revision(text, in_address, revision), file)
    digest = _check_hash(path, text, sha256)
    table = _table(path, f"hf://{repository}/{_printable(file)}")
    if not quiet:
        parts = path.parts
        commit = parts[parts.index("snapshots") + 1] if "snapshots" in parts else "?"
        print(
            f"datadiet: {len(table)} examples of hf://{repository}@{commit}/{_printable(file)}, SHA-256 {digest}",
            file=sys.stderr,
        )
    return table


def push_to_hub(
    table: ScoreTable,
    to: str,
    *,
    private: bool | None = None,
    revision: str | None = None,
    token: str | None = None,
    message: str | None = None,
) -> str:
    """Push a table to the Hub, with its definitions in the README of the repository.

    Parameters
    ----------
    table
        A table with a card; one without says in its README that nobody knows where it comes from.
    to
        ``hf://OWNER/NAME`` or ``OWNER/NAME``; ``…@REVISION`` names a branch as `revision` does, ``…/FILE.parquet`` the
        file, else it is ``scores.parquet``. The repository is made where there is none. A README that is there keeps
        all that others wrote: the part of this table is replaced or put at its end.
    private
        Whether a repository that is made is private; as the owner's settings say if not given.
    revision
        A branch that is there; ``main`` if not given.
    token
        A token that may write; the one of ``hf auth login`` or ``HF_TOKEN`` if not given.
    message
        Of the commit.

    Returns
    -------
    The address of what was pushed, with its commit: `load` takes it.

    Raises
    ------
    PermissionError
        There is no token.
    TableError
        `to` is no address, names another revision than `revision`, its file does not end in .parquet, or a file of
        that name is there that is not a table which datadiet pushed.
    OSError, ImportError
        The Hub refuses or cannot be reached; `huggingface_hub` is not installed.
    """
    repository, in_address, file = address(to)
    file = file or SCORES_FILE
    if not file.endswith(".parquet"):
        raise TableError(f"a table is pushed as Parquet: {file} must end in .parquet")
    revision = one_revision(to, in_address, revision)
    api = _api(token)
    _tell_of_paths(table)
    api.create_repo(repository, repo_type="dataset", private=private, exist_ok=True)
    # Who pushes at the same time is not written over: the commit is refused then.
    parent = api.repo_info(repository, repo_type="dataset", revision=revision).sha
    old = _readme(api, repository, revision)
    known = api.file_exists(repository, file, repo_type="dataset", revision=revision)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        table.write(path)
        readme, replaced = with_table(old, table, repository, file, _sha256(path))
        if known and not replaced:
            raise TableError(
                f"{repository} has a file {file} that datadiet did not push; name another:"
                f" hf://{repository}/NAME.parquet"
            )
        hub = needed("huggingface_hub", "hub")
        files = {file: path, _README: readme.encode()}
        added = [
            hub.CommitOperationAdd(path_in_repo=name, path_or_fileobj=content)
            for name, content in files.items()
        ]
        commit = api.create_commit(
            repository,
            added,
            repo_type="dataset",
            revision=revision,
            commit_message=message or f"Scores of {len(table)} examples by datadiet",
            parent_commit=parent,
        )
    return f"hf://{repository}@{commit.oid}/{file}"


def push_card(
    table: ScoreTable, repository: str, *, revision: str | None = None, token: str | None = None
) -> str:
    """Push the card of a table alone, as ``datadiet.json``, beside a data set that has its scores.

    Returns
    -------
    The commit.
    """
    _tell_of_paths(table)
    commit = _api(token).upload_file(
        path_or_fileobj=table.metadata[CARD].encode(),
        path_in_repo=CARD_FILE,
        repo_id=repository,
        repo_type="dataset",
        revision=revision,
        commit_message="Where the scores come from: the card of datadiet",
    )
    return str(commit.oid)


def address(text: str) -> tuple[str, str | None, str | None]:
    """Repository, revision and file of an address.

    Raises
    ------
    TableError
        It is none.

    Examples
    --------
    >>> from datadiet.hub import address
    >>> address("hf://ann/cifar10-scores@v1/el2n.parquet")
    ('ann/cifar10-scores', 'v1', 'el2n.parquet')
    >>> address("ann/cifar10-scores")
    ('ann/cifar10-scores', None, None)
    """
    found = _ADDRESS.fullmatch(text.removeprefix("hf://").rstrip("/"))
    if found is None or not _REPOSITORY.fullmatch(found[1]):
        raise TableError(
            f"{text!r} is no address of a data set on the Hub; write hf://OWNER/NAME, hf://OWNER/NAME/FILE.parquet or"
            " hf://OWNER/NAME@REVISION/FILE.parquet"
        )
    if found[1].startswith(("spaces/", "models/", "buckets/")):
        raise TableError(f"{text!r}: tables are in repositories of data sets, hf://OWNER/NAME")
    file = found[3]
    if file is not None and any(part in ("", ".", "..") for part in file.split("/")):
        raise TableError(f"{text!r} names no file of the repository")
    return found[1], None if found[2] is None else unquote(found[2]), file


def one_revision(text: str, in_address: str | None, revision: str | None) -> str | None:
    """The revision that an address names, or that is passed beside it.

    Raises
    ------
    TableError
        They are two.
    """
    if revision is not None and in_address not in (None, revision):
        raise TableError(f"{text} says {in_address}, and revision says {revision}; pass one")
    return revision or in_address


def _downloaded(repository: str, revision: str | None, file: str | None) -> tuple[Path, str]:
    """The file in the cache, and its name in the repository."""
    hub = needed("huggingface_hub", "hub")
    errors = needed("huggingface_hub.errors", "hub")
    where = f"{repository}@{revision}" if revision else repository

    def download(name: str) -> Path:
        return Path(hub.hf_hub_download(repository, name, repo_type="dataset", revision=revision))

    try:
        if file is not None:
            return download(file), file
        try:
            return download(SCORES_FILE), SCORES_FILE
        except errors.RemoteEntryNotFoundError:
            name = _only_table(hub, repository, revision)
            return download(name), name
    except errors.GatedRepoError as error:
        raise FileNotFoundError(
            f"the data set {repository} asks for an agreement first: accept it on its page, then hf auth login"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise FileNotFoundError(
            f"there is no data set {repository} on the Hub, or it is private: hf auth login, or set HF_TOKEN"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise FileNotFoundError(f"{repository} has no revision {revision}") from error
    except errors.RemoteEntryNotFoundError as error:
        raise FileNotFoundError(f"{where} has no file {file}") from error
    except errors.LocalEntryNotFoundError as error:
        raise OSError(
            f"{where} is not in the cache, and the Hub cannot be reached: {error}"
        ) from error


def _only_table(hub: Any, repository: str, revision: str | None) -> str:
    names = hub.HfApi().list_repo_files(repository, repo_type="dataset", revision=revision)
    tables = sorted(name for name in names if name.endswith(".parquet"))
    if len(tables) == 1:
        only: str = tables[0]
        return only
    if not tables:
        shown = ", ".join(repr(name) for name in sorted(names)[:10])
        raise TableError(f"{repository} has no table of scores: it has {shown or 'no files'}")
    shown = ", ".join(repr(name) for name in tables[:10]) + (", …" if len(tables) > 10 else "")
    raise TableError(
        f"{repository} has {len(tables)} Parquet files and no {SCORES_FILE}; name one, as in"
        f" hf://{repository}/FILE: {shown}"
    )


def _table(path: Path, name: str) -> ScoreTable:
    """The table of a file from elsewhere, which must be one of scores."""
    try:
        table = ScoreTable.read(path)
    except TableError as error:
        raise TableError(f"{name} is no table of scores: {error}") from error
    if table.card is None and not any(one.split("@")[0] in _NAMES for one in table.scores):
        raise TableError(
            f"{name} is no table of scores: it has no card of datadiet, and none of its columns is called like a score"
            f" ({', '.join(table.columns[:8]) or 'it has none'}); ScoreTable.read({os.fspath(path)!r}) reads it all"
            " the same"
        )
    return table


def _api(token: str | None) -> Any:
    hub = needed("huggingface_hub", "hub")
    if token is None and hub.get_token() is None:
        raise PermissionError(
            "nobody is logged in to the Hub: hf auth login, set HF_TOKEN, or pass token=…, with a token that may write"
        )
    return hub.HfApi(token=token, library_name="datadiet", library_version=_datadiet.__version__)


def _readme(api: Any, repository: str, revision: str | None) -> str | None:
    if not api.file_exists(repository, _README, repo_type="dataset", revision=revision):
        return None
    # The cache could have one of before.
    path = api.hf_hub_download(
        repository, _README, repo_type="dataset", revision=revision, force_download=True
    )
    return Path(path).read_text(encoding="utf-8")


def _check_hash(path: Path, name: str, wanted: str | None) -> str:
    digest = _sha256(path)
    if wanted is not None and digest != wanted.strip().lower():
        raise TableError(f"{name} has the SHA-256 {digest}, and not {wanted}: it is another file")
    return digest


def _printable(text: str) -> str:
    """A name that somebody else gave, without what a terminal would act on."""
    return text if text.isprintable() else repr(text)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def _tell_of_paths(table: ScoreTable) -> None:
    """Says which paths of this machine the card publishes."""
    found = sorted(set(_paths(table.card)))
    if found:
        shown = ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
        print(
            f"datadiet: the card names files of this machine, and is published: {shown}",
            file=sys.stderr,
        )


def _paths(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if re.match(r"/\w|~/|[A-Za-z]:\\", value):
            yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _paths(one)
    elif isinstance(value, list):
        for one in value:
            yield from _paths(one)
