"""The documentation: links and anchors lead somewhere, examples run, one version is told."""

import re
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import yaml
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from mdit_py_plugins.anchors import anchors_plugin
from mdit_py_plugins.front_matter import front_matter_plugin

import datadiet

ROOT = Path(__file__).parents[2]
FOLDERS = (".", "docs", "docs/skill", "bench", "experiments", "results", "samples/fashion-mnist")
PAGES = sorted(
    page.relative_to(ROOT)
    for folder in FOLDERS
    for pattern in ("*.md", "llms.txt")
    for page in (ROOT / folder).glob(pattern)
)
README = Path("README.md")


def text(page: Path) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@cache
def parsed(page: Path) -> SyntaxTreeNode:
    markdown = MarkdownIt("commonmark").enable("table")
    markdown.use(front_matter_plugin).use(anchors_plugin, max_level=6)
    return SyntaxTreeNode(markdown.parse(text(page)))


def anchors(page: Path) -> set[str]:
    headings = (node for node in parsed(page).walk() if node.type == "heading")
    return {str(node.attrs["id"]) for node in headings}


def links(page: Path) -> list[str]:
    nodes = [node for node in parsed(page).walk() if node.type in ("link", "image")]
    return [str(node.attrs["href" if node.type == "link" else "src"]) for node in nodes]


@cache
def files() -> frozenset[Path] | None:
    """What git keeps: a link to a file that was built here leads nowhere in another clone."""
    if not (ROOT / ".git").exists():
        return None
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    answer = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found = {Path(name) for name in answer.splitlines()}
    return frozenset(found | {folder for file in found for folder in file.parents})


def there(path: Path) -> bool:
    known = files()
    return (ROOT / path).exists() and (known is None or path in known)


def problem(page: Path, link: str) -> str | None:
    """What is wrong with a link that does not leave the repository."""
    parts = urlsplit(link)
    if parts.scheme:
        return None if parts.scheme in ("https", "mailto") else "no https"
    target = (ROOT / page).parent / unquote(parts.path) if parts.path else ROOT / page
    target = target.resolve().relative_to(ROOT.resolve())
    if not there(target):
        return "no such file"
    if parts.fragment and unquote(parts.fragment) not in anchors(target):
        return f"no such heading; there are {sorted(anchors(target))}"
    return None


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page):
    wrong = {link: problem(page, link) for link in links(page)}
    assert not {link: what for link, what in wrong.items() if what}


def test_a_link_to_nowhere_is_found():
    assert problem(README, "docs/NOWHERE.md") == "no such file"
    assert problem(README, "docs/SCORES.md#nowhere").startswith("no such heading")
    assert problem(README, "docs/SCORES.md#wrong-labels") is None


def test_every_page_of_docs_is_named_in_the_readme():
    named = {Path(link) for link in links(README)}
    assert not {page for page in PAGES if page.parts[0] == "docs"} - named


def test_readme_is_short_and_good_for_the_package_index():
    """There its relative links are dead, which is bad enough; a dead image would be on top."""
    assert len(text(README).splitlines()) <= 120
    images = [node.attrs["src"] for node in parsed(README).walk() if node.type == "image"]
    assert all(urlsplit(str(source)).scheme == "https" for source in images)
    assert "<img" not in text(README)


def blocks(page: Path) -> list[tuple[int, str]]:
    fences = (node for node in parsed(page).walk() if node.type == "fence")
    return [(node.map[0] + 1, node.content) for node in fences if node.info == "python"]


@pytest.fixture
def folder(tmp_path, chance):
    """What examples take for given: the scores that `make demo` writes."""
    labels = chance.integers(0, 10, 400)
    recorder = datadiet.Recorder(400, n_classes=10)
    for epoch in range(4):
        logits = chance.normal(size=(400, 10))
        logits[np.arange(400), labels] += epoch / 2
        recorder.update(np.arange(400), logits, labels)
        recorder.end_epoch()
    (tmp_path / "scores/demo").mkdir(parents=True)
    recorder.save(tmp_path / "scores/demo/scores.parquet")
    return tmp_path


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=str)
def test_examples_run(page, folder):
    """The blocks of a page are one program, as a reader meets them; line numbers are the page's."""
    program = ""
    for line, content in blocks(page):
        program += "\n" * (line - program.count("\n")) + content
    file = folder / f"{page.stem}.py"
    file.write_text(program, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, file.name],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, f"{page}\n{run.stderr}"


def test_ten_lines_of_python_are_in_the_readme():
    (_, content), *others = blocks(README)
    lines = [
        line for line in content.splitlines() if line and not line.startswith(("import", "from"))
    ]
    assert len(lines) <= 10 and not others
    assert "torch" not in content


def test_the_picture_of_the_readme_is_there():
    """Suspects in braille, which every page that shows README.md can show."""
    first = text(README).split("```")[1]
    assert sum("\u2800" < character <= "\u28ff" for character in first) > 100


def test_one_version_is_told():
    citation = yaml.safe_load(text(Path("CITATION.cff")))
    assert datadiet.__version__ == version("datadiet") == citation["version"]
    newest = re.search(r"^## (\S+)", text(Path("CHANGELOG.md")), re.MULTILINE)
    assert newest and newest[1] == citation["version"]


def test_the_table_says_which_version_made_it(folder):
    card = datadiet.ScoreTable.read(folder / "scores/demo").card
    assert card is not None and card["made_by"] == datadiet.__version__
