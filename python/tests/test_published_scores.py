"""scripts/published-scores, by the real command with a trainer of milliseconds."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import datadiet
from datadiet._program import find

HERE = Path(__file__).resolve().parent
SCRIPT = HERE.parents[1] / "scripts/published-scores"
SETTINGS = """
trainer = {{ command = ["{python}", "-m", "datadiet.worker", "{file}:train"], version = "1" }}
examples = {{ file = "{folder}/labels.npy", name = "clouds" }}
epochs = 2
replicas = {replicas}
scores = ["el2n"]
"""


@pytest.fixture
def published(tmp_path):
    """Runs the script on settings of two tables; what it printed."""
    np.save(tmp_path / "labels.npy", np.arange(150) % 3)
    (tmp_path / "settings").mkdir()
    for name, replicas in (("one", 1), ("two", 2)):
        text = SETTINGS.format(
            python=sys.executable,
            file=HERE / "trainer_for_tests.py",
            folder=tmp_path,
            replicas=replicas,
        )
        (tmp_path / f"settings/{name}.toml").write_text(text)
    path = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    environment = {
        **os.environ,
        "DATADIET_HOME": str(tmp_path / "home"),
        "PYTHONPATH": path,
        "DATADIET_PYTHON": sys.executable,
    }

    def published(*arguments, fails=None):
        command = [sys.executable, str(SCRIPT), "--settings", "settings", "--out", "out"]
        done = subprocess.run(
            [*command, "--datadiet", find(), *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        if fails is not None:
            assert done.returncode == 1 and fails in done.stderr, done.stderr
        else:
            assert done.returncode == 0, done.stderr
        return done.stdout

    return published


def test_tables_cards_and_checksums_and_nothing_twice(published, tmp_path):
    out = tmp_path / "out"
    told = published("--repository", "ann/scores", "--only", "one")
    assert "one: training" in told and "hf upload ann/scores out . --repo-type dataset" in told
    assert sorted(file.name for file in out.iterdir()) == [
        "README.md",
        "SHA256SUMS",
        "one.parquet",
        "one.toml",
    ]
    told = published("--repository", "ann/scores")
    assert "one is there" in told and "two: training" in told
    before = {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in out.iterdir()}
    told = published("--repository", "ann/scores")
    assert "training" not in told
    assert {f.name: (f.stat().st_mtime_ns, f.read_bytes()) for f in out.iterdir()} == before
    # What is in it.
    sums = dict(
        reversed(line.split("  ")) for line in (out / "SHA256SUMS").read_text().splitlines()
    )
    assert sorted(sums) == ["one.parquet", "one.toml", "two.parquet", "two.toml"]
    for name, digest in sums.items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest
    table = datadiet.load(out / "two.parquet", sha256=sums["two.parquet"])
    assert len(table) == 150 and table.card["replicas"] == 2 and "el2n@2.se" in table
    readme = (out / "README.md").read_text()
    assert 'load("hf://ann/scores/two.parquet", sha256="' + sums["two.parquet"] in readme
    assert readme.count("<!-- datadiet: one.parquet -->") == 1
    assert json.dumps(table.card)


def test_the_readme_names_the_repository_that_is_said_now(published, tmp_path):
    published("--only", "one")
    readme = tmp_path / "out/README.md"
    readme.write_text(readme.read_text() + "\nBy hand.\n")
    told = published("--repository", "ann/scores", "--only", "one")
    assert "one is there" in told
    text = readme.read_text()
    assert 'load("hf://ann/scores/one.parquet"' in text and "OWNER/NAME" not in text
    assert "\n# scores\n" in text and "\n# NAME\n" not in text and "By hand." in text


def test_a_table_of_another_version_is_made_again(published, tmp_path):
    published("--only", "one")
    table = tmp_path / "out/one.parquet"
    whole = table.read_bytes()
    own = datadiet.ScoreTable.read(table)
    card = {**own.card, "made_by": "0.0.1"}
    columns = {name: own[name] for name in own.columns}
    datadiet.ScoreTable.from_columns(columns, {"datadiet": json.dumps(card)}).write(table)
    sums = tmp_path / "out/SHA256SUMS"
    old, new = (hashlib.sha256(content).hexdigest() for content in (whole, table.read_bytes()))
    sums.write_text(sums.read_text().replace(old, new))
    assert "one: training or going on" in published("--only", "one")
    assert table.read_bytes() == whole


def test_what_is_not_whole_is_made_again(published, tmp_path):
    published("--only", "one")
    table = tmp_path / "out/one.parquet"
    whole = table.read_bytes()
    table.write_bytes(whole[:-20])
    # Of the trainings in the store nothing is trained again.
    assert "one: training or going on" in published("--only", "one")
    assert table.read_bytes() == whole
    settings = tmp_path / "settings/one.toml"
    settings.write_text(settings.read_text().replace("epochs = 2", "epochs = 3"))
    assert "one: training" in published("--only", "one")
    assert "el2n@3" in datadiet.load(table)


def test_errors(published, tmp_path):
    published("--only", "three", fails="no settings three; there are one, two")
    (tmp_path / "settings/one.toml").write_text("nothing = 1")
    published(fails="run this again to go on")
    assert not (tmp_path / "out/SHA256SUMS").exists()
