"""Tables on the Hugging Face Hub, through `huggingface_hub` and a server on loopback that HF_ENDPOINT names."""

import os
import re
import subprocess
import sys

import hub_server
import numpy as np
import pytest
from packages import imported

import datadiet
from datadiet.hub import address


@pytest.fixture
def hub():
    imported("huggingface_hub")
    server = hub_server.Hub()
    yield server
    server.stop()


@pytest.fixture
def scored(chance):
    labels = chance.integers(0, 3, 50)
    recorder = datadiet.Recorder(50, n_classes=3, pass_="a | pass\nof <b>two</b> lines")
    for _ in range(2):
        recorder.update(np.arange(50), chance.normal(size=(50, 3)), labels)
        recorder.end_epoch()
    return recorder.table()


@pytest.fixture
def run(hub, tmp_path, scored):
    """A program with the table at hand as `table`, in a folder of its own; what it printed."""
    scored.write(tmp_path / "local.parquet")

    def run(program, *, token=hub_server.TOKEN, offline=False, fails=None):
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("HF_")
        }
        environment |= {
            "HF_ENDPOINT": hub.endpoint,
            "HF_HOME": str(tmp_path / "home"),
            "HF_HUB_OFFLINE": "1" if offline else "0",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            # Uploads by plain HTTP, as to servers that do not have it.
            "HF_HUB_DISABLE_XET": "1",
        }
        if token:
            environment["HF_TOKEN"] = token
        head = "import datadiet\ntable = datadiet.ScoreTable.read('local.parquet')\n"
        done = subprocess.run(
            [sys.executable, "-c", head + program],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if fails is None:
            assert done.returncode == 0, done.stderr
            return done.stdout, done.stderr
        assert done.returncode == 1 and re.search(fails, done.stderr), done.stderr
        return done.stdout, done.stderr

    return run


def test_there_and_back(hub, run, scored):
    out, _ = run('print(table.push_to_hub("hf://ann/scores"))')
    pushed = out.strip()
    assert re.fullmatch(r"hf://ann/scores@[0-9a-f]{40}/scores\.parquet", pushed)
    assert set(hub.files("ann/scores")) == {"scores.parquet", "README.md"}
    # Without a token: it is public. The commit is in the address.
    out, told = run(
        f"""
for source in ("hf://ann/scores", "hf://datasets/ann/scores/scores.parquet", {pushed!r}):
    back = datadiet.load(source)
    assert back.columns == table.columns and back.card == table.card, source
print(back)
""",
        token=None,
    )
    assert "ScoreTable(50 rows" in out
    commit = pushed.split("@")[1].split("/")[0]
    digest = re.search(r"SHA-256 ([0-9a-f]{64})", told)[1]
    assert f"50 examples of hf://ann/scores@{commit}/scores.parquet" in told
    assert digest in hub.files("ann/scores")["README.md"].decode()
    # From the cache, without the server.
    before = len(hub.asked)
    out, _ = run(
        f'print(len(datadiet.load("hf://ann/scores", sha256="{digest.upper()}", quiet=True)))',
        offline=True,
    )
    assert out == "50\n" and len(hub.asked) == before
    run('datadiet.load("hf://ann/scores", sha256="00")', fails="TableError: .*it is another file")


def test_revisions(hub, run, scored):
    first, _ = run('print(table.push_to_hub("ann/scores"))')
    second, _ = run('print(table.top(7).push_to_hub("ann/scores"))')
    commit = first.split("@")[1].split("/")[0]
    out, _ = run(
        f"""
print(len(datadiet.load("hf://ann/scores")), len(datadiet.load({first.strip()!r})),
      len(datadiet.load("hf://ann/scores", revision="{commit}")))
"""
    )
    assert out == "7 50 50\n"
    run('datadiet.load("hf://ann/scores@nothing/scores.parquet")', fails="no revision nothing")
    run('datadiet.load("hf://ann/scores@a", revision="b")', fails="says a, and revision says b")
    assert "fails" not in second
    run(
        'table.push_to_hub("ann/scores@dev", revision="main")',
        fails="says dev, and revision says main",
    )
    assert len(hub.repositories["ann/scores"]) == 3


def test_readme(hub, run, scored):
    run('table.push_to_hub("ann/scores", private=True)')
    assert hub.private == {"ann/scores"}
    readme = hub.files("ann/scores")["README.md"].decode()
    front, body = readme.removeprefix("---\n").split("\n---\n", 1)
    yaml = imported("yaml").safe_load(front)
    assert yaml["configs"] == [{"config_name": "scores", "data_files": "scores.parquet"}]
    for column in scored.columns:
        assert f"| `{column}` |" in body, column
    el2n = next(one for one in scored.describe() if one["name"] == "el2n@2")
    row = next(line for line in body.splitlines() if line.startswith("| `el2n@2`"))
    assert f"{el2n['mean']:.4g}, {el2n['min']:.4g} to {el2n['max']:.4g} | high |" in row
    assert f"datadiet {datadiet.__version__}" in body
    # What somebody typed is text.
    assert r"a \| pass of \<b\>two\</b\> lines" in body and "<b>" not in body
    # A second table has a part of its own; what people wrote stays.
    hub.commit("ann/scores", {"README.md": (readme + "\nBy hand.\n").encode()})
    run('table.top(5).push_to_hub("hf://ann/scores/more/top.parquet")')
    run('table.top(6).push_to_hub("hf://ann/scores/more/top.parquet")')
    readme = hub.files("ann/scores")["README.md"].decode()
    assert readme.count("By hand.") == 1 and "6 examples." in readme and "5 examples." not in readme
    yaml = imported("yaml").safe_load(readme.removeprefix("---\n").split("\n---\n", 1)[0])
    assert [one["config_name"] for one in yaml["configs"]] == ["scores", "more-top"]
    run('datadiet.load("hf://ann/scores", quiet=True)')


def test_what_others_wrote_stays(hub, run):
    hub.commit(
        "ann/theirs", {"README.md": b"---\nlicense: mit\n---\n# Theirs\n", "scores.parquet": b"?"}
    )
    run('table.push_to_hub("ann/theirs")', fails="datadiet did not push; name another")
    run('table.push_to_hub("ann/theirs/el2n.parquet")')
    files = hub.files("ann/theirs")
    assert files["scores.parquet"] == b"?"
    assert files["README.md"].startswith(
        b"---\nlicense: mit\n---\n# Theirs\n\n<!-- datadiet: el2n.parquet -->"
    )


def test_what_others_push_meanwhile_stays(hub, run):
    run('table.push_to_hub("ann/scores")')
    hub.meanwhile = ("ann/scores", {"README.md": b"By hand."})
    run('table.push_to_hub("ann/scores")', fails="412")
    assert hub.files("ann/scores")["README.md"] == b"By hand."


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r"needs huggingface_hub.*pip install 'datadiet\[hub\]'"):
        datadiet.load("hf://ann/scores")


def test_names_of_others_are_printed_as_text(hub, run, scored, tmp_path):
    scored.write(tmp_path / "good.parquet")
    hub.commit("ann/one", {"\x1b[31mred.parquet": (tmp_path / "good.parquet").read_bytes()})
    _, told = run('datadiet.load("hf://ann/one")')
    assert "\x1b" not in told and "\\x1b[31mred.parquet" in told


def test_what_is_no_table(hub, run, scored, tmp_path):
    frame = imported("pandas").DataFrame({"x": [0.5], "text": ["a"]})
    frame.to_parquet(tmp_path / "other.parquet")
    other = (tmp_path / "other.parquet").read_bytes()
    scored.write(tmp_path / "good.parquet")
    good = (tmp_path / "good.parquet").read_bytes()
    hub.commit("ann/text", {"README.md": b"", "data.csv": b"1"})
    hub.commit("ann/broken", {"scores.parquet": good[:-9]})
    hub.commit("ann/other", {"data/train.parquet": other})
    hub.commit("ann/one", {"el2n.parquet": good})
    hub.commit("ann/two", {"a.parquet": good, "b.parquet": good})
    hub.commit("ann/hidden", {"scores.parquet": good})
    hub.private.add("ann/hidden")
    out, _ = run(
        """
def why(source):
    try:
        return datadiet.load(source, quiet=True)
    except (OSError, datadiet.DatadietError) as error:
        return f"{type(error).__name__}: {error}"
for name in ("text", "broken", "other", "one", "two", "hidden", "nobody", "one/nothing.parquet", "one/el2n.csv"):
    print(name, "=", why(f"hf://ann/{name}"))
""",
        token=None,
    )
    told = dict(line.split(" = ", 1) for line in out.splitlines())
    assert (
        "TableError: ann/text has no table of scores: it has 'README.md', 'data.csv'"
        == told["text"]
    )
    assert "TableError: hf://ann/broken/scores.parquet is no table of scores" in told["broken"]
    assert (
        "no card of datadiet, and none of its columns is called like a score (x, text)"
        in told["other"]
    )
    assert "ScoreTable(50 rows" in told["one"]
    assert "2 Parquet files and no scores.parquet" in told["two"] and "'b.parquet'" in told["two"]
    for name in ("hidden", "nobody"):
        assert (
            f"FileNotFoundError: there is no data set ann/{name} on the Hub, or it is private"
            in told[name]
        )
    assert told["one/nothing.parquet"] == "FileNotFoundError: ann/one has no file nothing.parquet"
    assert "FileNotFoundError" in told["one/el2n.csv"]


def test_without_token_or_network(hub, run):
    run('table.push_to_hub("ann/scores")', token=None, fails="PermissionError: nobody is logged in")
    assert hub.asked == []
    run('table.push_to_hub("ann/scores")', token="hf_wrong", fails="401")
    run(
        'datadiet.load("hf://ann/scores")',
        offline=True,
        fails="OSError: ann/scores is not in the cache",
    )


def test_paths_of_this_machine_are_told(hub, run):
    program = """
import json
card = {**table.card, "source": "/home/ann/secret/logits"}
columns = {name: table[name] for name in table.columns}
table = datadiet.ScoreTable.from_columns(columns, {"datadiet": json.dumps(card)})
table.push_to_hub("ann/scores")
"""
    _, told = run(program)
    assert "the card names files of this machine, and is published: /home/ann/secret/logits" in told


@pytest.mark.parametrize(
    "wrong",
    [
        "hf://ann",
        "hf://",
        "hf://ann/b/../c.parquet",
        "hf://ann/b//c",
        "hf://an n/b",
        "hf://ann/b@",
        "hf://spaces/ann/b",
        "https://huggingface.co/ann/b",
    ],
)
def test_what_is_no_address(wrong):
    with pytest.raises(datadiet.TableError):
        address(wrong)


def test_addresses():
    assert address("hf://ann/b@refs/pr/3/c/d.parquet") == ("ann/b", "refs/pr/3", "c/d.parquet")
    assert address("hf://datasets/ann/b") == ("ann/b", None, None)
    assert address("hf://ann/b/") == ("ann/b", None, None)


def test_files_of_this_machine(scored, tmp_path):
    scored.write(tmp_path / "scores.parquet")
    assert datadiet.load(tmp_path).columns == scored.columns
    assert len(datadiet.load(str(tmp_path / "scores.parquet"))) == 50
    with pytest.raises(datadiet.TableError, match="it is another file"):
        datadiet.load(tmp_path, sha256="00")
    with pytest.raises(datadiet.TableError, match="no revision"):
        datadiet.load(tmp_path, revision="main")
    with pytest.raises(ValueError, match="must end in .parquet"):
        scored.push_to_hub("ann/b/c.csv")
    assert datadiet.load(tmp_path).push_to_hub.__doc__
