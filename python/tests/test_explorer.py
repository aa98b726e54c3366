"""The explorer from Python: in a notebook, beside a script; what is shown, where marks go, when it ends."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import types
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from packages import imported

import datadiet
from datadiet import _front_end, _program, explorer
from datadiet._front_end import FrontEnd, front_end

N = 60


@pytest.fixture
def table(chance):
    return datadiet.ScoreTable.from_columns(
        {
            "id": np.arange(N),
            "label": np.arange(N) % 3,
            "el2n@4": chance.random(N),
            "aum@4": chance.normal(size=N),
        }
    )


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Nothing opens a browser, nothing writes beside the tests, nothing is left running."""
    monkeypatch.chdir(tmp_path)
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    yield opened
    explorer._end_all()


@pytest.fixture
def shown(monkeypatch):
    """What goes into the output of a cell."""
    outputs = []
    monkeypatch.setattr(explorer, "show", lambda html, plain: outputs.append((html, plain)))
    return outputs


def within(monkeypatch, *front_end):
    monkeypatch.setattr(explorer, "front_end", lambda: FrontEnd(*front_end))


def get(url, path="", **headers):
    request = urllib.request.Request(url + path, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.headers, answer.read()


def post(url, path, body):
    data = json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


def answers(url):
    try:
        get(url)
    except (urllib.error.URLError, ConnectionError):
        return False
    return True


def test_beside_a_script_it_opens_the_browser_and_ends_with_its_context(table, elsewhere):
    with table.explore() as found:
        assert elsewhere == [found.url] and found.running
        assert found.url.startswith("http://127.0.0.1:") and found.port > 0
        assert f":{found.port}/" in found.url and repr(found) == f"Explorer({found.url})"
        headers, page = get(found.url)
        assert b"<html" in page and "frame-ancestors 'none'" in headers["content-security-policy"]
        folder = found._folder
        assert folder.is_dir()
    assert not answers(found.url) and repr(found) == "Explorer(stopped)" and not folder.exists()
    found.stop()


def test_the_command_that_the_page_offers_runs_from_anywhere(table, tmp_path, monkeypatch):
    # Neither the program nor the folder of data is looked for elsewhere than this process would.
    monkeypatch.setenv("DATADIET_COMMAND", os.path.relpath(_program.find()))
    monkeypatch.setenv("DATADIET_HOME", "home")
    with table.explore() as found:
        post(found.url, "api/mark?since=0", {"rows": [7], "mark": "drop", "label": None})
        choice = json.loads(get(found.url, "api/choice?by=el2n@4&rule=hardest&keep=0.5")[1])
        words = [_program.find(), *choice["command"][1:]]
        words[0] = os.path.abspath(words[0])
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        subprocess.run(words, check=True, capture_output=True)
        kept = datadiet.read_subset("kept.parquet")
        expected = table.select(0.5, by="el2n@4", marks=found.marks)
        assert kept.tolist() == expected.tolist() and len(kept) == choice["kept"]


def test_marks_of_a_table_without_a_file_have_a_place_of_their_own(table):
    with table.explore(who="ann") as found:
        assert found.marks.parent == Path.cwd() and not found.marks.exists()
        assert re.fullmatch(r"datadiet-marks-[0-9a-f]{8}\.jsonl", found.marks.name)
        post(found.url, "api/mark?since=0", {"rows": [7, 9], "mark": "drop", "label": None})
        chosen = table.select(marks=found.marks)
        assert len(chosen) == N - 2 and not {7, 9} & set(chosen.tolist())
    # The same examples, scored anew.
    again = {"id": table["id"], "label": table["label"], "el2n@9": table["aum@4"]}
    with datadiet.ScoreTable.from_columns(again).explore() as second:
        assert second.marks == found.marks
    others = datadiet.ScoreTable.from_columns(
        {"label": (table["label"] + 1) % 3, "el2n@9": table["aum@4"]}
    )
    with others.explore() as third:
        assert third.marks != found.marks


def test_marks_of_losses_by_row_number_are_not_those_of_other_examples(chance, monkeypatch, capfd):
    def losses(seed):
        values = np.random.default_rng(seed).random(N)
        return datadiet.ScoreTable.from_columns({"id": np.arange(N), "mean-loss@2": values})

    def marks(table, **shown):
        with table.explore(**shown) as found:
            return found.marks

    reviews, mails = [f"review {n}" for n in range(N)], [f"mail {n}" for n in range(N)]
    images = chance.integers(0, 256, (2, N, 8, 8), dtype=np.uint8)
    Path("reviews.txt").write_text("\n".join(reviews))
    Path("mails.txt").write_text("\n".join(mails))
    for one, other in (
        ({"text": reviews}, {"text": mails}),
        ({"text": "reviews.txt"}, {"text": "mails.txt"}),
        ({"images": images[0]}, {"images": images[1]}),
    ):
        first = marks(losses(0), **one)
        assert marks(losses(0), **other) != first
        # The same examples, scored anew.
        assert marks(losses(1), **one) == first
    with pytest.warns(UserWarning, match="pass marks="):
        bare = marks(losses(0))
    with pytest.warns(UserWarning, match="pass marks="):
        assert marks(losses(1)) != bare and marks(losses(0)) == bare
    # What is marked already is said.
    with losses(0).explore(text=reviews, who="ann") as found:
        assert "marked" not in capfd.readouterr().err
        post(found.url, "api/mark?since=0", {"rows": [7], "mark": "drop", "label": None})
    with losses(1).explore(text=reviews) as found:
        told = f"1 example is marked already in {found.marks}, the last by ann at 20"
        # A thread hands on what the program says.
        said, until = "", time.monotonic() + 30
        while told not in said and time.monotonic() < until:
            time.sleep(0.05)
            said += capfd.readouterr().err
        assert told in said


def test_marks_of_a_file_are_beside_it(table, tmp_path):
    (tmp_path / "scores").mkdir()
    for path, given in (("scores/scores.parquet", "scores"), ("mine.parquet", "mine.parquet")):
        table.write(tmp_path / path)
        read = datadiet.ScoreTable.read(given)
        with read.explore() as found:
            first = found.marks
            assert first.resolve().parent == (tmp_path / path).parent.resolve()
        # The file is another by now: what is shown is the table that was read.
        table.top(3).write(tmp_path / path)
        with read.explore() as found:
            assert found.marks.resolve() == first.resolve()
            assert b'"rows":60' in get(found.url, "api/info")[1]
    with read.explore(marks=tmp_path / "own.jsonl") as found:
        assert found.marks == tmp_path / "own.jsonl"


def test_marks_decide_what_is_chosen(table, tmp_path):
    file = tmp_path / "marks.jsonl"

    def act(number, mark, ids, label=None):
        at = f"2026-01-01T00:00:{number:02}.000Z"
        return json.dumps(
            {"at": at, "by": "ann", "act": str(number), "mark": mark, "label": label, "ids": ids}
        )

    file.write_text(
        "\n".join([act(1, "wrong", ["3"], "1"), act(2, "drop", ["4"]), act(3, "keep", ["5"])])
        + "\n"
    )
    rest = table.select(marks=file)
    assert sorted(set(range(N)) - set(rest.tolist())) == [3, 4] and rest.by is None
    assert "1 wrong and 1 to drop are left out" in rest._repr_html_()
    assert any("does not say of which data set" in caution for caution in rest.cautions)
    assert 3 in table.select(marks=[file], keep_relabelled=True)
    few = table.select(count=10, by="el2n@4", marks=str(file))
    assert 5 in few and 3 not in few and 4 not in few and len(few) in (10, 11)
    plain = set(table.select(count=12, by="el2n@4").tolist()) - {3, 4}
    assert len(plain & set(few.tolist())) >= 9
    with pytest.raises(FileNotFoundError):
        table.select(marks=tmp_path / "none.jsonl")
    file.write_text("no marks\n")
    with pytest.raises(datadiet.IdError, match="no file of marks"):
        table.select(marks=file)
    file.write_text(act(1, "drop", ["4711"]) + "\n")
    with pytest.raises(datadiet.IdError, match="marks no example of this table"):
        table.select(marks=file)
    file.write_text(act(1, "drop", [str(one) for one in range(N)]) + "\n")
    with pytest.raises(datadiet.SelectionError, match="everything is marked"):
        table.select(marks=file)


def test_pictures_and_texts_are_shown(table, chance):
    images = chance.integers(0, 256, (N, 8, 8), dtype=np.uint8)
    for shown in (table.explore(images=images), table.with_images(images).explore()):
        with shown as found:
            assert sorted(int(file.stem) for file in (found._folder / "images").iterdir()) == list(
                range(N)
            )
            assert b'"contents":"pictures"' in get(found.url, "api/info")[1]
    with table.explore(text=[f"text {n}\nof two lines" for n in range(N)]) as found:
        assert b"text 7" in get(found.url, "api/example?row=7")[1]


def test_the_hard_end_is_the_one_that_is_named(table):
    for hard_is, sign in (("high", -1), ("low", 1)):
        with table.explore(by="el2n@end", hard_is=hard_is) as found:
            order = np.frombuffer(get(found.url, "api/order?name=el2n@4")[1], np.uint32)
            expected = np.argsort(sign * table["el2n@4"], kind="stable")
            assert order.tolist() == expected.tolist()
    with pytest.raises(datadiet.CommandError, match="hard-is"):
        table.explore(hard_is="up")


def test_what_cannot_be_shown_is_refused(table, chance, tmp_path):
    images = chance.integers(0, 256, (N, 8, 8), dtype=np.uint8)
    with pytest.raises(ValueError, match="images and text are given"):
        table.explore(images=images, text=["x"] * N)
    with pytest.raises(datadiet.ShapeError, match="59 texts for 60 rows"):
        table.explore(text=["x"] * 59)
    with pytest.raises(datadiet.CommandError, match="nothing@4"):
        table.explore(by="nothing@4")
    with pytest.raises(datadiet.CommandError, match="nowhere"):
        table.explore(text=tmp_path / "nowhere.txt")
    with pytest.raises(ValueError, match="hub.example.org"):
        table.explore(proxy="/user/ann/proxy")
    assert not explorer._running


def test_a_port_that_is_taken_is_told(table):
    with table.explore() as found, pytest.raises(datadiet.CommandError, match=str(found.port)):
        table.explore(port=found.port)


def test_a_missing_command_is_told(table, monkeypatch):
    monkeypatch.setenv("DATADIET_COMMAND", "/no/such/datadiet")
    with pytest.raises(datadiet.CommandError, match="no such file"):
        table.explore()


def test_jupyter_shows_a_frame_that_it_may_show(table, shown, monkeypatch, elsewhere):
    within(monkeypatch, "jupyter", ("http://localhost:*",))
    with table.explore(height=500) as found:
        ((html, plain),) = shown
        assert f'src="{found.url}"' in html and 'height="500"' in html and found.url in plain
        policy = get(found.url)[0]["content-security-policy"]
        assert "frame-ancestors http://localhost:*" in policy
    assert not elsewhere


def test_a_notebook_elsewhere_shows_the_report_and_the_way(table, shown, monkeypatch, chance):
    within(monkeypatch, "jupyter", ("http://localhost:*",), "it was started over SSH")
    images = chance.integers(0, 256, (N, 8, 8), dtype=np.uint8)
    with table.with_images(images).explore() as found:
        ((html, plain),) = shown
        assert f"ssh -L {found.port}:localhost:{found.port}" in plain and "<iframe" not in html
        assert html.count("data:image/png") > 20 and "data:image/svg" in html and "Suspects" in html
    # Who names a port has forwarded it.
    with table.explore(port=found.port) as found:
        assert f'src="{found.url}"' in shown[-1][0]
    with table.explore(proxy="https://hub.example.org/user/ann/proxy/") as found:
        key = found.url.split("/")[3]
        assert f'src="https://hub.example.org/user/ann/proxy/{found.port}/{key}/"' in shown[-1][0]
        headers, _ = get(found.url, host="hub.example.org")
        assert "https://hub.example.org" in headers["content-security-policy"]


def test_colab_is_given_the_port(table, shown, monkeypatch):
    calls = []
    output = types.SimpleNamespace(
        serve_kernel_port_as_iframe=lambda *args, **more: calls.append((args, more))
    )
    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    colab = types.ModuleType("google.colab")
    colab.output = output
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    with table.explore(height=600) as found:
        path = "/" + found.url.split("/", 3)[3]
        assert calls == [((found.port,), {"path": path, "height": "600"})] and not shown


def test_front_ends_are_told_apart(monkeypatch):
    assert front_end({}).kind == "terminal"
    monkeypatch.setattr(_front_end, "_is_kernel", lambda: True)
    assert front_end({}) == FrontEnd("jupyter", ("http://localhost:*", "http://127.0.0.1:*"))
    assert (
        front_end({"VSCODE_PID": "7"}).kind == "vscode"
        and "vscode-webview:" in front_end({"VSCODE_PID": "7"}).frames
    )
    assert front_end({"SSH_CONNECTION": "1 2 3 4"}).far == "it was started over SSH"
    assert "JupyterHub" in front_end({"JUPYTERHUB_SERVICE_PREFIX": "/user/ann/"}).far


CELLS = """
import datadiet, numpy, os
table = datadiet.ScoreTable.from_columns({"id": numpy.arange(9), "el2n@4": numpy.arange(9) / 9})
table.explore()
print("KERNEL", os.getpid())
"""


def test_it_ends_with_the_kernel(tmp_path):
    """A kernel that is killed cannot end anything."""
    nbclient, nbformat = imported("nbclient"), imported("nbformat")
    imported("ipykernel")
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(CELLS)]
    client = nbclient.NotebookClient(
        notebook, timeout=60, resources={"metadata": {"path": str(tmp_path)}}
    )
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("SSH_", "VSCODE"))
    }
    with client.setup_kernel(env=environment):
        client.execute_cell(notebook.cells[0], 0)
        outputs = notebook.cells[0].outputs
        html = next(
            one["data"]["text/html"] for one in outputs if "text/html" in one.get("data", {})
        )
        url = re.search(r'<iframe src="([^"]+)"', html).group(1)
        assert answers(url)
        pid = re.search(r"KERNEL (\d+)", json.dumps(outputs)).group(1)
        os.kill(int(pid), signal.SIGKILL)
        until = time.monotonic() + 10
        while answers(url) and time.monotonic() < until:
            time.sleep(0.05)
        assert not answers(url)


def test_it_ends_with_a_script(tmp_path):
    script = CELLS.replace("table.explore()", "print(table.explore().url)")
    script = f"import webbrowser\nwebbrowser.open = lambda url: None\n{script}"
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert not answers(run.stdout.split()[0])
