"""Training functions as trainers: what they are given, what comes of it, and what they may do wrong."""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import datadiet
from datadiet.exceptions import CommandError
from datadiet.training import Job

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))
from trainer_for_tests import (  # noqa: E402
    LABELS,
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
    again = datadiet.diet(
        train, tolerance=20, keep=[0.5], drops=[0], budget=4, retrainings=1, quiet=True
    )
    assert again.verdict == found.verdict


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
        ("nan-logits", "not finite"),
        ("ids", r"id \d+ is none of the 150 examples that this training trains on"),
        ("records-nothing", "epoch 1 is to be scored, and nothing of it was recorded"),
        ("leaves", "trained 2 of 4 epochs"),
        ("raises", "ValueError: the loader found no images"),
        ("exits", "it ended without metrics.json"),
    ],
)
def test_what_a_function_does_wrong_is_told(home, wrong, match):
    scores = ["forgetting"] if wrong == "records-nothing" else ["el2n"]
    fails(wrong, match, scores=scores)
    on_record = wrong.startswith("nan")
    assert (runs(home)[0] / "failure.json").exists() == on_record
    if on_record:
        fails(wrong, "on record; --retry-failed", scores=scores)


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
    ask = [command._find(), "score", "noisy/noisy.toml", "--out", "out", "--json"]
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
    assert "typed into a notebook or an interpreter" in done.stdout


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


@pytest.mark.parametrize("case", ["fine", "unguarded", "unimportable"])
def test_a_script_that_is_run_itself(home, case):
    guard = "if True:" if case == "unguarded" else 'if __name__ == "__main__":'
    gone = {
        "unimportable": "if __name__ != '__main__':\n    import no_such_module_at_all",
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
        assert "no_such_module_at_all" in done.stderr
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


@pytest.mark.parametrize("name", ["digits_mlp", "boosted_trees"])
def test_examples(home, name, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    example = importlib.import_module(name)
    at = [1, 2] if name == "digits_mlp" else [2, 4]
    table = datadiet.score(example.train, replicas=2, epochs=at[-1], at=at, quiet=True)
    assert table.card["accuracy"]["mean"] > 0.8
    for epoch in at:
        assert np.isfinite(table[f"el2n@{epoch}"]).all()
    half = table.select(0.5, by=f"el2n@{at[0]}")
    trained = datadiet.train(example.train, subset=half, epochs=at[-1], quiet=True)
    assert trained.examples == len(half) and trained.metric.mean > 0.4
