"""Training functions as trainers: what they are given, what comes of it, and what they may do wrong."""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import numpy as np
import polars
import pytest

import datadiet
from datadiet import _safetensors
from datadiet._program import find
from datadiet.exceptions import CommandError
from datadiet.training import Job

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))
from trainer_for_tests import (  # noqa: E402
    LABELS,
    POINTS,
    Model,
    train,
    train_by_loss,
    train_pickled,
)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A store of its own, and every epoch a checkpoint."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATADIET_HOME", str(tmp_path / "home"))
    return tmp_path


def runs(home):
    return sorted((home / "home/store/runs").iterdir())


def fails(wrong, match, error=CommandError, **options):
    options = {"replicas": 1, "scores": ["el2n"], "quiet": True, **options}
    with pytest.raises(error, match=match) as caught:
        datadiet.score(train, settings={"wrong": wrong}, **options)
    return str(caught.value)


def test_scores_are_those_of_a_recorder_in_the_same_loop(home, capfd):
    table = datadiet.score(train, replicas=2, at=[2, 4], per_replica=True)
    assert len(table) == 150 and list(table["label"]) == list(LABELS)
    assert table["class"][1] == "right"
    assert {"el2n@2", "el2n@4", "forgetting@4", "aum@2", "tdds@4", "predicted@4"} <= set(table)
    card = table.card
    assert card["data"]["name"] == "clouds" and card["replicas"] == 2
    assert table.describe()[0]["definition"]["pass"] == "training minibatches"
    assert 0.5 < card["accuracy"]["mean"] <= 1
    assert table.describe()[0]["reliability"]["full"] > 0.3
    # The same training with a recorder, beside the command.
    done = runs(home)
    jobs = [json.loads((run / "job.json").read_text()) for run in done]
    (first,) = (at for at, job in enumerate(jobs) if job["replica"] == 0)
    recorder = datadiet.Recorder(150, 3, keep_at=[2])

    class Loop:
        seed, ids = jobs[first]["seed"], np.arange(150)
        folder = home
        labels_of = staticmethod(lambda ids: LABELS[ids])
        record = recorder.update

        def epochs_left(self, _):
            for epoch in range(4):
                yield epoch
                recorder.end_epoch()

        def checkpoint(self, _):
            pass

    np.random.seed(Loop.seed)  # noqa: NPY002
    importlib.import_module("trainer_for_tests").fit(Loop())
    own = recorder.table()
    for name in own.scores:
        assert np.array_equal(own[name], table[f"{name}.r0"], equal_nan=True), name
    assert len(done) == 2 and "replica 0: done" in capfd.readouterr().err


def test_runs_are_reused_and_another_version_is_another_trainer(home, capfd):
    first = datadiet.score(train, replicas=2, at=[4], scores=["el2n"])
    capfd.readouterr()
    again = datadiet.score(train, replicas=2, at=[4], scores=["el2n"])
    assert "already in the store" in capfd.readouterr().err
    assert np.array_equal(first["el2n@4"], again["el2n@4"]) and len(runs(home)) == 2
    spec = json.loads((runs(home)[0] / "spec.json").read_text())
    assert spec["trainer"]["sources"] == {"trainer_for_tests.py:train": train.source}
    assert "command" not in spec["trainer"]  # Which Python starts it is no part of the run.
    train.version = "2"
    try:
        datadiet.score(train, replicas=1, at=[4], scores=["el2n"])
    finally:
        train.version = "1"
    assert "has changed since it trained here (version)" in capfd.readouterr().err
    assert len(runs(home)) == 3


def test_subsets_and_everything_are_trained_on(home):
    everything = datadiet.train(train, replicas=2, quiet=True)
    assert everything.examples == everything.of == 150
    assert len(everything.metric.values) == 2 and 0.5 < everything.metric.mean <= 1
    by_class = everything.by_class
    assert set(by_class) == {"near", "right", "up"}
    # As many of each class are tested with.
    assert np.isclose(np.mean(list(by_class.values())), everything.metric.mean)
    half = datadiet.train(train, subset=np.arange(0, 150, 2), quiet=True)
    job = json.loads((home / "home/store/runs" / half.runs[0] / "job.json").read_text())
    assert (half.examples, job["train"]["count"], job["epochs"]) == (75, 75, 8)
    shorter = datadiet.train(train, subset=np.arange(0, 150, 2), fixed="epochs", quiet=True)
    job = json.loads((home / "home/store/runs" / shorter.runs[0] / "job.json").read_text())
    assert job["epochs"] == 4
    with pytest.raises(CommandError, match="subset.npy"):
        datadiet.train(train, subset=[150], quiet=True)


def test_a_diet_finds_a_subset_and_writes_its_report(home):
    found = datadiet.diet(
        train, tolerance=20, keep=[0.5], drops=[0], budget=4, retrainings=1, quiet=True
    )
    assert found.verdict and found.report.is_file()
    assert found.outcome["tune"]["held_out"] == 15
    if found.advisable:
        assert len(found.subset) == 75
    # What it rests on is said: two trainings, fifteen examples held out.
    assert "on 15 held-out examples has a standard error of" not in found.verdict, (
        "20 points may go"
    )
    finals = found.outcome["tune"]["finals"]
    assert len(finals["answer"]["by_class"]) == len(finals["full_by_class"]) == 3
    assert finals["classes"] == ["near", "right", "up"]
    assert "by class, those first that the subset costs most" in found.report.read_text()
    again = datadiet.diet(
        train, tolerance=20, keep=[0.5], drops=[0], budget=4, retrainings=1, quiet=True
    )
    assert again.verdict == found.verdict


def test_a_curve_by_a_column_of_ones_own(home):
    length = (np.arange(150) * 7) % 150
    columns = {"length": length, "brevity": -length}
    by = ["el2n@2", "length", "brevity"]
    curve = datadiet.experiments.curve(
        train, by=by, columns=columns, keep=[0.2], replicas=1, random=False, quiet=True
    )
    assert [point["series"] for point in curve.points] == by
    assert all(point["size"] == 30 for point in curve.points)
    table = datadiet.ScoreTable.read(curve.report.parent)
    assert np.array_equal(table["length"], length) and np.array_equal(table["brevity"], -length)
    # In a file, named where the command is started; not a column of numbers in it.
    (home / "texts.csv").write_text("id,text\n" + "".join(f"{id},a text\n" for id in range(150)))
    with pytest.raises(CommandError, match="no column of numbers"):
        datadiet.experiments.curve(
            train, by="length", columns="texts.csv", keep=[0.2], replicas=1, quiet=True
        )


def test_a_verdict_of_few_examples_is_cautioned(home):
    found = datadiet.diet(train, keep=[0.5], drops=[0], budget=4, retrainings=1, quiet=True)
    assert "Caution: an accuracy on 15 held-out examples has a standard error of" in found.verdict
    assert "more than the 0.5 that may be lost" in found.verdict


def test_a_metric_of_which_less_is_better_orders_a_curve_and_a_diet(home):
    curve = datadiet.experiments.curve(
        train_by_loss, by="el2n@2", keep=[0.5], replicas=2, fixed="epochs", quiet=True
    )
    assert {point["series"] for point in curve.points} >= {"el2n@2", "random"}
    assert curve.outcome["curve"]["full"]["metric"] == {
        "name": "loss",
        "higher_is_better": False,
    }
    report = curve.report.read_text()
    assert "test loss" in report and "lies below random" in report and "accuracy, %" not in report
    options = {"keep": [0.3, 0.8], "drops": [0], "budget": 8, "retrainings": 1, "quiet": True}
    with pytest.raises(CommandError, match="how much loss may be lost"):
        datadiet.diet(train_by_loss, **options)
    found = datadiet.diet(train_by_loss, tolerance=0.0, **options)
    rungs = found.outcome["tune"]["rungs"]
    arms = [spread["mean"] for _, spread in rungs[-1]["arms"]]
    full = rungs[-1]["full"]["mean"]
    # Best first: the smallest that is no worse than everything, else the one that loses least.
    assert arms[0] <= full or arms[0] == min(arms)


@pytest.mark.parametrize("wrong", ["killed", "stopped"])
def test_a_training_goes_on_with_the_same_scores(home, monkeypatch, wrong):
    monkeypatch.setenv("DATADIET_CHECKPOINT_EVERY", "0")
    undisturbed = datadiet.score(train, replicas=1, at=[2, 4], quiet=True)
    every_epoch = ["--checkpoint-every", "0"]
    command = sys.modules["datadiet._command"]
    original = command._run
    monkeypatch.setattr(command, "_run", lambda c, e: original([*c, *every_epoch], e))
    options = {"replicas": 1, "at": [2, 4], "settings": {"wrong": wrong}, "quiet": True}
    table = datadiet.score(train, **options)
    assert any((run / "killed").exists() for run in runs(home))
    for name in undisturbed.scores:
        assert np.array_equal(undisturbed[name], table[name], equal_nan=True), name


def test_an_interrupted_call_stops_its_trainings(home):
    call = (
        # Shells start programs in the background with this signal ignored.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        " import datadiet, trainer_for_tests as t;"
        " datadiet.train(t.train, settings={'wrong': 'sleeps'})"
    )
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    with subprocess.Popen(
        [sys.executable, "-c", call], env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        ready = home / "ready"
        while not (ready.exists() and ready.read_text()):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        try:
            told = process.communicate(timeout=60)[1]
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert "KeyboardInterrupt" in told, told
    assert "run the same command again to go on" in told, told
    with pytest.raises(ProcessLookupError):
        os.kill(int(ready.read_text()), 0)


def test_a_model_that_is_pickled_goes_on(home, monkeypatch):
    command = sys.modules["datadiet._command"]
    original = command._run
    every_epoch = ["--checkpoint-every", "0"]
    monkeypatch.setattr(command, "_run", lambda c, e: original([*c, *every_epoch], e))
    assert datadiet.train(train_pickled, quiet=True).metric.mean == 0.75
    assert (runs(home)[0] / "seen").read_text() == "0 1 2 "


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ("returns-nothing", r"returned nothing: end it with return job\.result\(accuracy=…\)"),
        ("returns-number", "returned a float"),
        ("other-metric", "says loss, and trainings are judged by accuracy"),
        ("nan", "accuracy is nan"),
        ("nan-class", "accuracy of class right is nan; of a class without test examples give None"),
        ("classes", "by_class has 2 values, and there are 3 classes"),
        ("unknown-class", "a value of class 'left', and there are these: near, right, up"),
        ("percent-class", "an accuracy of class near of 93 is no fraction"),
        ("nan-logits", "not finite"),
        ("ids", r"id \d+ is none of the 150 examples that this training trains on"),
        (
            "records-in-fork",
            r"job.record in process \d+, which process \d+ of this training started",
        ),
        ("records-nothing", "epoch 1 is to be scored, and nothing of it was recorded"),
        ("leaves", "trained 2 of 4 epochs"),
        ("raises", "ValueError: the loader found no images"),
        ("exits", "it ended without metrics.json"),
    ],
)
def test_what_a_function_does_wrong_is_told(home, wrong, match):
    scores = ["forgetting"] if wrong == "records-nothing" else ["el2n"]
    fails(wrong, match, scores=scores)
    on_record = wrong in ("nan", "nan-logits")
    assert (runs(home)[0] / "failure.json").exists() == on_record
    if on_record:
        fails(wrong, "on record; --retry-failed", scores=scores)


def test_a_function_that_does_not_train_on_its_subset_is_told(home):
    """Where nothing is recorded too: else a study would compare trainings on everything."""
    options = {"settings": {"wrong": "ignores-ids"}, "quiet": True}
    with pytest.warns(UserWarning, match="id 1 is none of the 75 examples that this training"):
        trained = datadiet.train(train, subset=np.arange(0, 150, 2), **options)
    assert trained.metric is None
    fails("ignores-ids", "id 100 is none of the 100 examples", limit=100)


def test_forks_do_not_answer_and_children_do_not_outlive_their_training(home, capfd):
    for wrong, word in [
        ("forks", "a fork of this training, came back from the function too"),
        ("leaves-child", "left a process behind"),
        ("closes-output", ""),
    ]:
        trained = datadiet.train(train, settings={"wrong": wrong})
        assert trained.metric is not None and not trained.failed
        assert word in capfd.readouterr().err, wrong
    child = int(Path("child").read_text())
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not _ended(child):
        time.sleep(0.02)
    assert _ended(child)


def _ended(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    # Whoever adopts it may take a moment to see that it ended.
    return ") Z " in Path(f"/proc/{process}/stat").read_text()


LMC = {"examples": 20, "points": 5, "children": 1, "replicas": 1, "statistics": 40, "quiet": True}


def test_lines_between_trainings_are_measured(home):
    found = datadiet.experiments.connectivity(train, spawn=[0, 2], **LMC)
    assert [spawn["time"] for spawn in found.spawns] == [0, 2] and found.report.is_file()
    for folder in (home / "home/store/measurements").iterdir():
        asked = json.loads((folder / "measurement.json").read_text())
        risks = json.loads((folder / "result.json").read_text())["risks"]
        first, last = (
            _safetensors.load(
                home / "home/store/runs" / asked[end] / "kept/epoch_4/weights.safetensors"
            )["weights"]
            for end in ("from", "to")
        )
        assert first.shape == (3, 3) and not np.array_equal(first, last)
        for ids, risk in zip(asked["sets"], risks, strict=True):
            ids = polars.read_parquet(home / "home/store/lists" / f"{ids['sha256']}.parquet")
            ids = ids["value"].to_numpy()
            assert len(ids) == 20
            for alpha, error, loss in zip(
                asked["alphas"], risk["error"], risk["loss"], strict=True
            ):
                model = Model(0)
                model.weights = (1 - alpha) * first + alpha * last
                logits = model.logits(POINTS[ids])
                assert np.isclose(loss, datadiet.loss(logits, LABELS[ids]).mean(), atol=1e-5)
                assert np.isclose(error, (logits.argmax(1) != LABELS[ids]).mean(), atol=1e-6)
    # A child begins where its parent was, and goes on by another seed.
    jobs = [json.loads((run / "job.json").read_text()) for run in runs(home)]
    (parent,) = (job for job in jobs if len(job.get("keep", [])) == 3)
    (child,) = (job for job in jobs if job.get("spawn", {}).get("epoch") == 2)
    assert parent["keep"] == [0, 2, 4] and child["keep"] == [4] and child["seed"] != parent["seed"]
    assert Path(child["spawn"]["folder"]).parent.parent.name == parent["run"]
    kept = home / "home/store/runs" / parent["run"] / "kept/epoch_0/weights.safetensors"
    assert np.array_equal(_safetensors.load(kept)["weights"], Model(parent["seed"]).weights)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ("evaluates-nothing", "the evaluation function returned nothing"),
        ("nan-evaluation", "logits at a point between two trainings are not finite"),
    ],
)
def test_what_an_evaluation_does_wrong_is_told(home, wrong, match):
    with pytest.warns(UserWarning, match=match):
        found = datadiet.experiments.connectivity(
            train, spawn=[2], settings={"wrong": wrong}, **LMC
        )
    assert found.spawns[0]["sets"][0]["error_barrier"] is None


def test_weights_that_are_not_offered_are_told(home):
    with pytest.raises(
        CommandError, match=r"does not say how they are evaluated.*@train.evaluation"
    ):
        datadiet.experiments.connectivity(train_by_loss, spawn=[2], **LMC)
    with pytest.warns(UserWarning, match="a model that is pickled has no named tensors"):
        datadiet.experiments.connectivity(train, spawn=[2], settings={"wrong": "no-objects"}, **LMC)


@pytest.mark.parametrize("of", ["torch", "numpy"])
def test_tensors_are_written_and_read_as_they_were(tmp_path, of):
    torch = pytest.importorskip("torch")
    safetensors = pytest.importorskip("safetensors")
    values = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.float64(2.5),
        "c": np.array([True, False]),
        "d": np.empty((0, 3), dtype=np.int64),
    }
    if of == "torch":
        values = {name: torch.as_tensor(value) for name, value in values.items()}
        values["e"] = torch.tensor([1.5, -2], dtype=torch.bfloat16)
        values["f"] = torch.arange(6).reshape(2, 3).T
    file = tmp_path / "w.safetensors"
    file.write_bytes(_safetensors.dump(values))
    back = _safetensors.load(file)
    assert list(back) == list(values)
    with safetensors.safe_open(file, "pt" if of == "torch" else "np") as theirs:
        for name, value in values.items():
            for read in (back[name], theirs.get_tensor(name)):
                assert read.dtype == value.dtype and tuple(read.shape) == tuple(np.shape(value))
                equal = torch.equal if of == "torch" else np.array_equal
                assert equal(read, value), name
    with pytest.raises(datadiet.TrainerError, match="which safetensors do not have"):
        _safetensors.dump({"a": np.array(["text"])})


def test_a_search_needs_the_metric_on_the_examples_held_out(home):
    options = {"keep": [0.5], "drops": [0], "budget": 4, "retrainings": 1, "quiet": True}
    with pytest.warns(UserWarning, match="holds 15 examples out to judge it by"):
        found = datadiet.diet(train, settings={"wrong": "no-validation"}, **options)
    assert not found.advisable and "Trainings failed" in found.verdict


def test_labels_that_a_study_changed_are_to_be_trained_with(home):
    noisy = np.where(np.arange(150) % 10 == 0, (LABELS + 1) % 3, LABELS)
    np.save("noisy.npy", noisy)
    options = f"labels = {json.dumps(str(Path('noisy.npy').absolute()))}\n"
    command = sys.modules["datadiet._command"]
    asked = command.Asked(
        train, {}, folder="noisy", epochs=None, settings=None, seed=0, workers=None, out="noisy"
    )
    training = {**asked.training(), "replicas": 1, "scores": ["el2n"]}
    text = options + command._toml(training)
    (home / "noisy/noisy.toml").write_text(text)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ask = [find(), "score", "noisy/noisy.toml", "--out", "out", "--json"]
    subprocess.run(ask, check=True, env=environment, capture_output=True)
    table = datadiet.ScoreTable.read("out")
    assert list(table["label"]) == list(noisy)
    wrong = text + '\n[settings]\nwrong = "labels"\n'
    (home / "noisy/noisy.toml").write_text(wrong)
    done = subprocess.run(ask, check=False, env=environment, capture_output=True, text=True)
    assert "train with job.labels" in done.stderr, done.stderr


def test_words_are_shown_and_kept(home, capfd):
    datadiet.train(train, settings={"wrong": "prints"})
    told = capfd.readouterr().err
    assert "training: a word of its own" in told and "without an end" in told
    assert "a word of its own" in (runs(home)[0] / "log.txt").read_text()


def test_functions_that_no_process_can_import_are_refused():
    declare = datadiet.trainer(labels=[0, 1])
    with pytest.raises(TypeError, match="a lambda has no name"):
        declare(lambda job: None)

    def within(job):
        return None

    with pytest.raises(TypeError, match="made by another function"):
        declare(within)
    with pytest.raises(TypeError, match="is a method"):
        declare(Job.result)
    with pytest.raises(TypeError, match="not a int"):
        declare(3)
    with pytest.raises(TypeError, match="say which examples there are"):
        datadiet.trainer()(train.function)
    with pytest.raises(TypeError, match="is more of loss better, or less"):
        datadiet.trainer(labels=[0, 1], metric="loss")(train.function)
    with pytest.raises(ValueError, match="there are 3 examples, but 2 labels"):
        datadiet.trainer(examples=3, labels=[0, 1])(train.function)
    with pytest.raises(TypeError, match="no trainer: decorate"):
        datadiet.score(train.function)


def test_a_function_of_an_interpreter_is_refused(home):
    text = """
import datadiet
@datadiet.trainer(labels=[0, 1], epochs=1)
def train(job):
    return job.result(accuracy=1)
try:
    datadiet.score(train)
except datadiet.TrainerError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-"], input=text, capture_output=True, text=True, check=True
    )
    assert "typed into an interpreter, which keeps no source" in done.stdout
    assert "%%writefile train.py" in done.stdout


CELLS = """
import numpy as np
from math import log as logarithm
import datadiet

points = np.repeat(np.eye(3), 20, axis=0) + np.random.default_rng(1).normal(0, 0.3, (60, 3))
labels = np.repeat(np.arange(3), 20)
RATE = 0.5
handle = (one for one in [])
---
class Model:
    rate = RATE

    def __init__(self, seed):
        self.weights = np.random.default_rng(seed).normal(size=(3, 3))

    def state_dict(self):
        return {"weights": self.weights}

    def load_state_dict(self, state):
        self.weights = state["weights"]

    def logits(self, ids):
        return points[ids] @ self.weights

def softmax(logits):
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)
---
@datadiet.trainer(labels=labels, name="eyes", epochs=2)
def train(job, scale=RATE):
    model = Model(job.seed)
    for epoch in job.epochs_left(model):
        logits = model.logits(job.ids)
        job.record(job.ids, logits, job.labels)
        errors = softmax(logits) - np.eye(3)[job.labels]
        model.weights -= model.rate * logarithm(np.e) * points[job.ids].T @ errors / len(job.ids)
        job.checkpoint(model)
    USES
    hits = model.logits(job.ids).argmax(1) == job.labels
    return job.result(accuracy=hits.mean())

@train.evaluation
def evaluate(point):
    model = Model(0)
    model.load_state_dict(point.weights)
    return model.logits(point.ids)
---
table = datadiet.score(train, replicas=2, quiet=True)
print(table, table["el2n@2"].round(3).tolist())
lines = datadiet.experiments.connectivity(train, spawn=[1], examples=10, points=3, quiet=True)
print("barrier", lines.spawns[0]["sets"][0]["error_barrier"]["mean"])
"""


def notebook(cells):
    """Run cells as a notebook does: in a module without a file, with their text in `linecache`."""
    text = """
import linecache, sys
for number, cell in enumerate(sys.stdin.read().split("---\\n")):
    name = f"<cell {number}>"
    linecache.cache[name] = (len(cell), None, cell.splitlines(True), name)
    exec(compile(cell, name, "exec"), globals())
"""
    return subprocess.run(
        [sys.executable, "-c", text], input=cells, capture_output=True, text=True, check=False
    )


def test_a_function_of_a_notebook_is_taken_along_with_what_it_uses(home):
    done = notebook(CELLS.replace("USES", "pass"))
    assert "ScoreTable(60 rows" in done.stdout and "barrier" in done.stdout, done.stderr
    trained = len(runs(home))
    again = notebook(CELLS.replace("USES", "pass"))
    assert again.stdout == done.stdout and len(runs(home)) == trained, (
        "the same is the same trainer"
    )
    # What it uses changes: another trainer.
    assert notebook(CELLS.replace("USES", "pass").replace("RATE = 0.5", "RATE = 0.4")).stdout
    assert len(runs(home)) > trained
    done = notebook(CELLS.replace("USES", "handle"))
    assert (
        "train uses handle, a generator, and each training is a process of its own" in done.stderr
    )
    assert "%%writefile train.py" in done.stderr
    done = notebook(
        CELLS.replace("USES", "built").replace("---\n@data", "built = Model(1)\n---\n@data")
    )
    assert "train uses built, a Model" in done.stderr and "a class of the notebook" in done.stderr


SCRIPT = """
import datadiet
import gone_for_the_child

@datadiet.trainer(labels=[0, 1, 0, 1], epochs=1)
def train(job):
    for epoch in job.epochs_left():
        job.record(job.ids, [[1, 0]] * len(job.ids), job.labels)
    return job.result(accuracy=1)

GUARD
    print(datadiet.score(train, replicas=1, quiet=True))
"""


@pytest.mark.parametrize("case", ["fine", "unguarded", "unimportable", "exits"])
def test_a_script_that_is_run_itself(home, case):
    guard = "if True:" if case == "unguarded" else 'if __name__ == "__main__":'
    gone = {
        "unimportable": "if __name__ != '__main__':\n    import no_such_module_at_all",
        "exits": "if __name__ != '__main__':\n    raise SystemExit(0)",
    }.get(case, "")
    text = SCRIPT.replace("GUARD", guard).replace("import gone_for_the_child", gone)
    Path("script.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "script.py"], capture_output=True, text=True, check=False
    )
    if case == "fine":
        assert "ScoreTable(4 rows" in done.stdout, done.stderr
    elif case == "unguarded":
        assert 'under if __name__ == "__main__":' in done.stderr, done.stderr
    else:
        assert "script.py:train cannot be imported" in done.stderr, done.stderr
        told = "no_such_module_at_all" if case == "unimportable" else "ends the process"
        assert told in done.stderr, done.stderr
        assert done.stderr.count("cannot be imported") <= 2, "told once, not run by run"


def test_a_missing_command_is_told(monkeypatch):
    monkeypatch.setenv("DATADIET_COMMAND", "/no/such/datadiet")
    with pytest.raises(CommandError, match="no such file"):
        datadiet.score(train)


def test_a_file_that_changed_meanwhile_trains_nothing(home, tmp_path):
    """What was planned is what trains."""
    Path("mine.py").write_text(SCRIPT.replace("import gone_for_the_child", "").split("GUARD")[0])
    sys.path.insert(0, str(home))
    try:
        mine = importlib.import_module("mine")
        asked = datadiet.score(mine.train, replicas=1, quiet=True, out="first")
        assert len(asked) == 4
        before = mine.train.source
        Path("mine.py").write_text(Path("mine.py").read_text() + "# another state\n")
        assert mine.train.source != before
        done = runs(home)[0]
        worker = [sys.executable, "-m", "datadiet.worker", "mine:train", str(done)]
        # As the command would start it for a run that was planned before.
        (done / "train.csv").write_text("id,label\n0,0\n1,1\n2,0\n3,1\n")
        again = subprocess.run(
            worker, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        assert again.returncode == 1 and "has changed since this run was planned" in again.stderr
    finally:
        sys.path.remove(str(home))
        sys.modules.pop("mine", None)


def write_texts(folder):
    """A few hundred labelled texts that every Python has: names of characters, and what they are."""
    kinds = {"L": "letter", "N": "number", "M": "mark", "S": "symbol"}
    texts = {kind: [] for kind in kinds.values()}
    for code in range(0x20, 0x3000):
        name, category = unicodedata.name(chr(code), ""), unicodedata.category(chr(code))
        if name and category[0] in kinds:
            texts[kinds[category[0]]].append(name)
    chance = np.random.default_rng(0)
    rows = [(k, t) for k, of in texts.items() for t in chance.choice(of, 200, replace=False)]
    order = chance.permutation(len(rows))
    folder.mkdir()
    for name, part in (("train", order[:600]), ("test", order[600:])):
        lines = "".join(f"{rows[row][0]},{rows[row][1]}\n" for row in part)
        (folder / f"{name}.csv").write_text(f"label,text\n{lines}")


@pytest.mark.parametrize(
    "name", ["digits_mlp", "boosted_trees", "hugging_face", "text_transformer"]
)
def test_examples(home, name, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    if name == "text_transformer":
        write_texts(home / "texts")
        monkeypatch.setenv("GLOSSES", str(home / "texts"))
    if name == "hugging_face":
        pytest.importorskip("transformers")
    example = importlib.import_module(name)
    at = [1, 2] if name == "digits_mlp" else [2, 4]
    # Each training of the transformer imports its libraries for seconds, and four epochs are few for it.
    transformer = name in ("hugging_face", "text_transformer")
    replicas, least = (1, 0.5) if transformer else (2, 0.8)
    table = datadiet.score(example.train, replicas=replicas, epochs=at[-1], at=at, quiet=True)
    assert table.card["accuracy"]["mean"] > least
    for epoch in at:
        assert np.isfinite(table[f"el2n@{epoch}"]).all()
    half = table.select(0.5, by=f"el2n@{at[0]}")
    trained = datadiet.train(example.train, subset=half, epochs=at[-1], quiet=True)
    assert trained.examples == len(half) and trained.metric.mean > 0.4
