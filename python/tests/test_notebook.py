"""The notebook of examples: it runs, and the outputs that are committed say what it says."""

import os
import re
from pathlib import Path

import pytest
from packages import imported

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples/notebook.ipynb"
# What the page of GitHub still shows, and what a clone can bear.
MOST_BYTES = 400_000


@pytest.fixture(scope="module")
def committed():
    return imported("nbformat").read(NOTEBOOK, as_version=4)


def executed(folder):
    """A copy that ran from the beginning in a kernel of its own."""
    nbformat, nbclient = imported("nbformat"), imported("nbclient")
    for package in ("ipykernel", "matplotlib", "sklearn"):
        imported(package)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        cell.get("outputs", []).clear()
    # As on one's own machine, whatever the tests run in.
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SSH_", "VSCODE", "JUPYTERHUB"))
    }
    where = {"metadata": {"path": str(folder)}}
    client = nbclient.NotebookClient(notebook, timeout=120, resources=where, coalesce_streams=True)
    client.execute(env=kept)
    return notebook


def said(cell):
    """The words of a cell's outputs: numbers and pictures differ between machines, and addresses between runs."""
    words = []
    for output in cell.get("outputs", []):
        assert output["output_type"] != "error", output
        data = output.get("data", {})
        words += [f"<{kind}>" for kind in sorted(data)]
        text = output.get("text", "") + data.get("text/html", "") + data.get("text/plain", "")
        words += re.findall(r"[^\W\d_]{3,}", re.sub(r"<[^>]*>", " ", text))
    return words


def test_the_notebook_runs_and_its_outputs_are_not_stale(tmp_path, committed):
    now = executed(tmp_path)
    assert len(now.cells) == len(committed.cells)
    for place, (cell, before) in enumerate(zip(now.cells, committed.cells, strict=True)):
        if cell.metadata.get("datadiet", {}).get("outputs") == "not kept":
            assert not before.outputs and cell.outputs, place
        else:
            assert said(before) == said(cell), f"cell {place}: run scripts/notebook-outputs"
    text = "".join(output.get("text", "") for output in now.cells[-2].outputs)
    right = {name: float(share) for name, share in re.findall(r"(\w+): .*? ([\d.]+)% right", text)}
    assert right["clean"] > right["everything"] and right["clean"] > right["random"], text


def test_the_notebook_is_small_and_names_no_machine(committed):
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < MOST_BYTES
    for place in ("/tmp", "/home", "/root", "/work", "127.0.0.1"):
        assert place not in text, place
    counts = [cell.execution_count for cell in committed.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
