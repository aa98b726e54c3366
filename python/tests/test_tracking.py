"""Runs of MLflow (files), W&B (offline) and TensorBoard: what the real clients kept of a table or an outcome."""

import csv
import json
import os
import re
import struct
import subprocess
import sys
import time
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from packages import imported, installed

import datadiet
from datadiet._program import find
from datadiet.exceptions import TableError, TrackerError
from datadiet.experiments import Curve, Spread, Trained
from datadiet.tracking.__main__ import main
from datadiet.tracking.record import Record, add_outcome
from datadiet.tracking.results import collect

ROOT = Path(__file__).parents[2]
OUTCOMES = sorted((ROOT / "results").glob("*/*/outcome.json"))


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Nothing leaves the machine, nothing is written elsewhere."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("MLFLOW_", "WANDB_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def table(chance):
    """Two trainings of four epochs, scores at the second and the last."""
    labels = chance.integers(0, 3, 200)
    recorders = [datadiet.Recorder(200, 3, keep_at=[2]) for _ in range(2)]
    for recorder in recorders:
        for epoch in range(4):
            logits = chance.normal(size=(200, 3))
            logits[np.arange(200), labels] += epoch
            recorder.update(np.arange(200), logits, labels)
            recorder.end_epoch()
    return recorders[0].merge(recorders[1])


@pytest.fixture
def mlflow(tmp_path):
    module = imported("mlflow")
    module.set_tracking_uri((tmp_path / "mlruns").as_uri())
    yield module
    while module.active_run():
        module.end_run()
    module.set_tracking_uri(None)


@pytest.fixture
def wandb():
    module = imported("wandb")
    yield module
    if module.run is not None:
        module.run.finish()


def history(mlflow, run, name):
    found = mlflow.MlflowClient().get_metric_history(run.info.run_id, name)
    return {point.step: point.value for point in found}


def wandb_records(folder):
    """What an offline run has kept: W&B's own messages in a log of blocks of 32 KiB, LevelDB's format."""
    from wandb.proto.wandb_internal_pb2 import Record as Message

    (file,) = Path(folder).glob("wandb/offline-run-*/*.wandb")
    data, at, part = file.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        part += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            message = Message()
            message.ParseFromString(part)
            yield message
            part = b""


def wandb_kept(folder):
    """Config, rows, summary and artifacts of an offline run."""
    until = time.monotonic() + 20
    # W&B's own process writes: it may not be done when the run is.
    while not any(message.HasField("exit") for message in wandb_records(folder)):
        assert time.monotonic() < until
        time.sleep(0.05)
    kept = SimpleNamespace(config={}, rows=[], summary={}, artifacts={}, axes={})
    for message in wandb_records(folder):
        for one in message.config.update:
            kept.config[one.key] = json.loads(one.value_json)
        if message.HasField("history"):
            items = message.history.item
            kept.rows.append({"/".join(i.nested_key): json.loads(i.value_json) for i in items})
        for one in message.summary.update:
            kept.summary[one.key or "/".join(one.nested_key)] = json.loads(one.value_json)
        if message.HasField("artifact"):
            entries = message.artifact.manifest.contents
            kept.artifacts[message.artifact.name] = {entry.path for entry in entries}
        if message.HasField("metric"):
            kept.axes[message.metric.name] = message.metric.step_metric
    return kept


def events(folder):
    """By TensorBoard's own reader."""
    imported("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    sizes = {"scalars": 0, "histograms": 0, "tensors": 0}
    return EventAccumulator(str(folder), size_guidance=sizes).Reload()


def scalars(kept, name):
    return {point.step: point.value for point in kept.Scalars(name)}


def text_of(kept, name):
    (point,) = kept.Tensors(f"{name}/text_summary")
    return point.tensor_proto.string_val[0].decode()


def means(table, score="el2n"):
    return {
        int(name.split("@")[1]): pytest.approx(np.nanmean(table[name]), rel=1e-5)
        for name in table.scores
        if name.split("@")[0] == score
    }


def brief(card):
    return {key: value for key, value in card.items() if key != "columns" and value is not None}


def test_mlflow_has_curves_parameters_card_and_files(mlflow, table, tmp_path):
    with mlflow.start_run() as run:
        mlflow.log_metric("loss", 0.5, step=3)
        table.log(run)
    assert history(mlflow, run, "datadiet/el2n/mean") == means(table) and len(means(table)) == 2
    assert history(mlflow, run, "datadiet/time/epochs") == {2: 2, 4: 4}
    kept = mlflow.get_run(run.info.run_id)
    reliability = {
        c["name"]: c["reliability"]["full"] for c in table.describe() if c["reliability"]
    }
    assert kept.data.metrics["datadiet/el2n/reliability"] == pytest.approx(reliability["el2n@4"])
    assert kept.data.metrics["loss"] == 0.5
    assert kept.data.params["datadiet/examples"] == "200"
    assert json.loads(kept.data.tags["datadiet.card"]) == brief(table.card)
    assert kept.data.tags["datadiet.version"] == datadiet.__version__
    files = Path(
        mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="datadiet")
    )
    assert {file.name for file in files.iterdir()} == {
        "scores.parquet",
        "report.html",
        "card.json",
        "names.json",
    }
    read = datadiet.ScoreTable.read(files / "scores.parquet")
    assert read.card == table.card and np.array_equal(read["aum@4"], table["aum@4"])
    assert json.loads((files / "card.json").read_text()) == table.card
    assert "<html" in (files / "report.html").read_text()


def test_the_active_run_is_taken_and_nothing_is_logged_twice(mlflow, table):
    with mlflow.start_run() as run:
        table.log(report=False)
        table.log(report=False)
        assert history(mlflow, run, "datadiet/el2n/mean") == means(table)
        found = mlflow.MlflowClient().get_metric_history(run.info.run_id, "datadiet/el2n/mean")
        assert len(found) == 2
        other = table.top(50)
        with pytest.raises(
            TrackerError, match=r"other values under 'datadiet'.*prefix='datadiet_2'"
        ):
            other.log(report=False)
        other.log(prefix="datadiet/hard", report=False)
        assert history(mlflow, run, "datadiet/hard/el2n/mean") == means(other)


def test_names_of_every_kind_are_taken_and_can_be_read_back(mlflow, tmp_path):
    column = np.arange(4, dtype=np.float32)
    odd = [
        "el2n@1",
        "length (chars)",
        "länge@1",
        "a/b@1",
        "a b@1",
        "..@1",
        "x" * 300 + "@1",
        "é" * 300,
    ]
    table = datadiet.ScoreTable.from_columns({name: column for name in odd})
    scores = table.scores
    assert len(scores) >= 6
    with mlflow.start_run() as run:
        table.log(run, report=False)
    kept = mlflow.get_run(run.info.run_id).data
    logged = {name.split("/")[1] for name in kept.metrics if name.endswith("/mean")}
    names = json.loads(kept.tags["datadiet.names"])
    assert sorted(names.get(name, name) for name in logged) == sorted(
        name.rpartition("@")[0] if "@" in name else name for name in scores
    )


def test_no_two_names_become_one_curve():
    """Whichever of them comes first, and whether it had to be renamed."""
    for parts in (["a_b", "a-b", "a b"], ["a-b", "a_b", "a b"], ["a_b_2", "a-b", "a_b"]):
        record = Record()
        for value, part in enumerate(parts):
            record.point(0, value, part, "mean")
            record.point(1, value, part, "mean")
        values = [float(value) for value in range(3)]
        assert [curve[0] for curve in record.curves.values()] == values
        logged = [name.split("/")[0] for name in record.curves]
        assert [record.names.get(name, name) for name in logged] == parts
    record = Record()
    assert [record.name(part) for part in ("a_b", "a-b", "a_b")] == ["a_b", "a_b_2", "a_b"]
    assert record.names == {"a_b_2": "a-b"}


def test_many_columns_parameters_and_a_long_card(mlflow):
    record = Record(card={"specification": {"x" * 40: "y" * 9000}, "runs": ["r"], "made_by": "0"})
    record.param({f"p{n}": n for n in range(250)}, "specification")
    for step in range(1200):
        record.point(step, step / 7, "el2n", "mean")
    from datadiet.tracking import of_run, write

    with mlflow.start_run() as run:
        write(of_run(run, "datadiet"), record)
    assert history(mlflow, run, "datadiet/el2n/mean") == {n: n / 7 for n in range(1200)}
    kept = mlflow.get_run(run.info.run_id).data
    assert len([name for name in kept.params if name.startswith("datadiet/")]) == 250
    assert json.loads(kept.tags["datadiet.card"]) == {"runs": ["r"], "made_by": "0"}
    assert kept.tags["datadiet.card.without"] == "specification"


def test_what_mlflow_refuses_is_told_and_nothing_is_logged(mlflow, table):
    with mlflow.start_run() as run:
        mlflow.log_param("datadiet/examples", 7)
        with pytest.raises(TrackerError, match="MLflow refuses it.*datadiet/examples"):
            table.log(run, report=False)
    assert not mlflow.get_run(run.info.run_id).data.metrics
    gone = SimpleNamespace(info=SimpleNamespace(run_id="f" * 32))
    with pytest.raises(TrackerError, match="is no run"):
        table.log(gone)


def test_wandb_has_rows_config_histograms_and_an_artifact(wandb, table, tmp_path):
    run = wandb.init(project="tests", dir=str(tmp_path))
    run.log({"loss": 0.5})
    table.log(run)
    table.log()
    run.log({"loss": 0.25})
    run.finish()
    kept = wandb_kept(tmp_path)
    rows = [row for row in kept.rows if "datadiet/step" in row]
    assert {row["datadiet/step"]: row["datadiet/el2n/mean"] for row in rows} == means(table)
    assert kept.axes["datadiet/el2n/mean"] == "datadiet/step"
    last = next(row for row in rows if row["datadiet/step"] == 4)
    assert sum(last["datadiet/el2n/values/values"]) == 200
    assert kept.config["datadiet/card"] == brief(table.card)
    assert kept.config["datadiet/examples"] == 200
    ((name, files),) = kept.artifacts.items()
    assert name == f"datadiet-{run.id}"
    assert files == {"scores.parquet", "report.html", "card.json", "names.json"}
    assert [row["loss"] for row in kept.rows if "loss" in row] == [0.5, 0.25]
    assert any("datadiet/report/path" in row for row in kept.rows)


def test_another_table_needs_another_prefix_in_wandb_too(wandb, table, tmp_path):
    with wandb.init(project="tests", dir=str(tmp_path)) as run:
        table.log(run, report=False)
        with pytest.raises(TrackerError, match="prefix='datadiet_2'"):
            table.top(9).log(run, report=False)


@pytest.mark.parametrize("kind", ["torch", "events"])
def test_tensorboard_has_scalars_histograms_texts_and_files(kind, table, tmp_path):
    imported("tensorboard")
    if kind == "torch":
        installed("torch")
        from torch.utils.tensorboard import SummaryWriter as Writer
    else:
        from datadiet.tracking.events import Events as Writer

    writer = Writer(str(tmp_path / "runs/a"))
    table.log(writer)
    table.log(writer)
    with pytest.raises(TrackerError, match="prefix='datadiet_2'"):
        table.top(9).log(writer)
    writer.close()
    kept = events(tmp_path / "runs/a")
    assert scalars(kept, "datadiet/el2n/mean") == means(table)
    (second, last) = kept.Histograms("datadiet/el2n/values")
    values = table["el2n@4"]
    found = last.histogram_value
    assert (second.step, last.step, found.num) == (2, 4, 200)
    assert found.sum == pytest.approx(values.sum(), rel=1e-5)
    assert (found.min, found.max) == (pytest.approx(values.min()), pytest.approx(values.max()))
    assert "| examples | 200 |" in text_of(kept, "datadiet/params")
    card = "\n".join(line[4:] for line in text_of(kept, "datadiet/card").splitlines())
    assert json.loads(card) == brief(table.card)
    files = tmp_path / "runs/a/datadiet"
    assert datadiet.ScoreTable.read(files / "scores.parquet").card == table.card
    assert (files / "report.html").is_file()


def test_lightning_loggers_are_passed_by_their_experiment(table, tmp_path):
    loggers = imported("lightning.pytorch.loggers")
    imported("tensorboard")
    logger = loggers.TensorBoardLogger(str(tmp_path))
    table.log(logger.experiment, report=False)
    logger.experiment.close()
    assert scalars(events(logger.log_dir), "datadiet/el2n/mean") == means(table)


@pytest.mark.parametrize("file", OUTCOMES, ids=lambda file: "-".join(file.parts[-3:-1]))
def test_outcomes_of_every_study_are_logged(file, tmp_path):
    """The results of the repository, and the tables beside them as the independent source."""
    from datadiet.tracking import log

    imported("tensorboard")
    from datadiet.tracking.events import Events

    writer = Events(tmp_path / "runs")
    log(file.parent, writer)
    writer.close()
    kept = events(tmp_path / "runs")
    names = kept.Tags()["scalars"]
    outcome = json.loads(file.read_text())
    assert scalars(kept, "datadiet/cost/trainings") == {0: outcome["cost"]["trainings"]}
    of = [
        name
        for name in ("curve", "window", "noise", "velocity", "connectivity")
        if outcome.get(name)
    ]
    for study in of:
        assert [name for name in names if name.startswith(f"datadiet/{study}/")], study
    if outcome.get("curve"):
        point = outcome["curve"]["points"][0]
        series = re.sub(r"\W", "_", point["series"])
        found = scalars(kept, f"datadiet/curve/{series}/accuracy/mean")
        assert found[point["size"]] == pytest.approx(point["accuracy"]["mean"])
        with (file.parent / "points.csv").open(newline="") as table:
            means = [float(row["accuracy"] or "nan") for row in csv.DictReader(table)]
        assert found[point["size"]] in [pytest.approx(mean) for mean in means]
    assert (tmp_path / "runs/datadiet/outcome.json").read_bytes() == file.read_bytes()


def test_a_diet_is_logged():
    spread = {"mean": 0.9, "low": 0.8, "high": 0.95, "values": [0.8, 0.95]}
    point = {"series": "el2n@4", "keep": 0.5, "size": 500, "accuracy": spread}
    rungs = [{"steps": 40, "full": spread, "arms": [[{}, spread], [{}, None]]}]
    finals = {"answer": point, "random": point, "full": spread, "hardest": None}
    tune = {"advisable": True, "verdict": "half is enough", "rungs": rungs, "finals": finals}
    record = Record()
    add_outcome(record, {"tune": {**tune, "within_tolerance": False}, "cost": {}, "failed": []})
    assert record.numbers["diet/answer/accuracy/mean"] == 0.9
    assert record.numbers["diet/answer/examples"] == 500
    assert record.numbers["diet/advisable"] == 1 and record.numbers["diet/within_tolerance"] == 0
    assert record.curves["diet/held_out/answer/high"] == {40: 0.95}
    assert record.tags["verdict"] == "half is enough"


def test_another_metric_keeps_its_name_and_classes_theirs(tmp_path):
    spread = {"mean": 1.5, "low": 1.5, "high": 1.5, "values": [1.5]}
    spread["metric"] = {"name": "perplexity", "higher_is_better": False}
    answer = {"spec": {"data": {"name": "texts"}}, "runs": ["a"], "split": "test", "failed": []}
    answer |= {"accuracy": spread, "by_class": {"Ankle boot": 1.25}, "examples": 5, "of": 10}
    trained = Trained(Spread(1.5, 1.5, 1.5, [1.5]), 5, 10, ["a"], outcome=answer)
    record = collect(trained, tmp_path, False)
    assert record.numbers["test/perplexity/mean"] == 1.5
    assert record.numbers["test/perplexity/by_class/Ankle_boot"] == 1.25
    assert record.names == {"Ankle_boot": "Ankle boot"}
    (tmp_path / "answer").write_text(json.dumps(answer))
    assert collect(tmp_path / "answer", tmp_path, True).numbers == record.numbers


def test_epochs_within_an_epoch_keep_their_order_and_are_told(tmp_path):
    half = {"el2n@0.5": [1.0, 2.0], "el2n@1": [2.0, 3.0], "el2n@1.5": [np.nan, np.inf]}
    record = collect(datadiet.ScoreTable.from_columns(half), tmp_path, False)
    assert record.curves["el2n/mean"] == {0: 1.5, 1: 2.5}
    assert record.curves["time/epochs"] == {0: 0.5, 1: 1, 2: 1.5}
    own = datadiet.ScoreTable.read(ROOT / "crates/cli/tests/scores/whole")
    found = collect(own, tmp_path, False).curves
    assert found["time/epochs"] == {10: 0.5, 20: 1.0}, "optimiser steps, as in the card"
    assert found["el2n/reliability"][20] == pytest.approx(own.describe()[4]["reliability"]["full"])


@pytest.mark.parametrize("prefix", ["", "a b", "1st", "a//b", "é", "a" * 51, "a/"])
def test_prefixes_that_are_no_names(table, prefix, tmp_path):
    with pytest.raises(TrackerError, match="is no name"):
        table.log(SimpleNamespace(), prefix=prefix)


def test_runs_that_are_none(table, tmp_path):
    with pytest.raises(TrackerError, match="SimpleNamespace is no run"):
        table.log(SimpleNamespace())
    with pytest.raises(TrackerError, match="does not say where it writes"):
        table.log(SimpleNamespace(add_scalar=1, add_histogram_raw=1))
    with pytest.raises(TrackerError, match="no run of MLflow or W&B is active"):
        table.log()
    with pytest.raises(TrackerError, match="no run"):
        datadiet.log(table)


def test_two_active_runs_are_refused(mlflow, wandb, table, tmp_path):
    with mlflow.start_run(), wandb.init(project="tests", dir=str(tmp_path)):
        with pytest.raises(TrackerError, match="both|are active"):
            table.log()


def test_what_cannot_be_logged(tmp_path):
    for what, error, match in [
        (3, TypeError, "int cannot be logged"),
        (tmp_path, TableError, r"neither outcome.json nor scores.parquet"),
        ("nowhere.parquet", FileNotFoundError, "nowhere"),
    ]:
        with pytest.raises(error, match=match):
            collect(what, tmp_path, False)
    (tmp_path / "other.json").write_text('{"ids": [1]}')
    with pytest.raises(TableError, match="no answer of `datadiet train"):
        collect(tmp_path / "other.json", tmp_path, False)
    (tmp_path / "outcome.json").write_text('{"cut')
    with pytest.raises(TableError, match="is no JSON"):
        collect(tmp_path, tmp_path, False)


def test_an_older_report_is_not_logged_with_newer_scores(table, tmp_path):
    (tmp_path / "results").mkdir()
    page = tmp_path / "results/report.html"
    page.write_text("of other scores")
    os.utime(page, (1, 1))
    table.write(tmp_path / "results/scores.parquet")
    (tmp_path / "made").mkdir()
    files = {
        file.name: file for file in collect(tmp_path / "results", tmp_path / "made", True).files
    }
    assert files["report.html"].parent == tmp_path / "made"
    page.write_text("<html>newer")
    files = {
        file.name: file for file in collect(tmp_path / "results", tmp_path / "made", True).files
    }
    assert files["report.html"] == page


@pytest.fixture
def asked(capsys):
    """``python -m datadiet.tracking`` in this process: importing the clients takes seconds."""
    kept = dict(os.environ)

    def ask(*arguments, **environment):
        for name, value in environment.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        if "wandb" in sys.modules:
            # It reads its variables once.
            sys.modules["wandb"].teardown()
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = ended.code
        told = capsys.readouterr()
        return SimpleNamespace(returncode=code, stdout=told.out, stderr=told.err)

    yield ask
    os.environ.clear()
    os.environ.update(kept)
    if "mlflow" in sys.modules:
        sys.modules["mlflow"].set_tracking_uri(None)


@pytest.mark.parametrize(
    ("to", "environment", "expected"),
    [
        ("mlflow:http://127.0.0.1:9", {}, "MLflow cannot log to http://127.0.0.1:9"),
        ("mlflow", {}, "pip install mlflow"),
        ("wandb:tests", {"WANDB_MODE": "online"}, "W&B has no key"),
        ("wandb:tests", {"WANDB_MODE": "disabled"}, "nothing would be logged"),
        (
            "wandb:tests",
            {
                "WANDB_MODE": "online",
                "WANDB_API_KEY": "0" * 40,
                "WANDB_BASE_URL": "http://127.0.0.1:9",
            },
            "W&B takes no runs: Failed to authenticate with http://127.0.0.1:9",
        ),
        ("tensorboard:file/runs", {}, "file"),
        ("comet", {}, "no tracker"),
    ],
)
def test_what_cannot_be_used_is_told_before(asked, to, environment, expected, tmp_path):
    installed(to.split(":")[0]) if "comet" not in to else None
    (tmp_path / "file").write_text("")
    answer = asked("check", to, **environment)
    assert answer.returncode in (1, 2) and answer.stdout == ""
    assert expected in answer.stderr.splitlines()[-1]
    assert not (tmp_path / "mlruns").exists() and not (tmp_path / "wandb").exists()


@pytest.mark.parametrize(
    ("to", "environment"),
    [
        ("mlflow:./mlruns", {"MLFLOW_ALLOW_FILE_STORE": None}),
        ("mlflow:file:mlruns", {}),
        ("wandb", {"WANDB_MODE": "offline"}),
        ("tensorboard", {}),
    ],
)
def test_what_can_be_used_is_asked_without_a_run(asked, to, environment, tmp_path):
    installed(to.split(":")[0])
    answer = asked("check", to, **environment)
    assert (answer.returncode, answer.stdout) == (0, ""), answer.stderr
    assert not list(tmp_path.glob("wandb/*run*")) and not list(tmp_path.glob("mlruns/*/*/metrics"))
    assert not list(tmp_path.glob("runs/*"))


def test_an_experiment_that_was_deleted_is_told_before(asked, mlflow, tmp_path):
    mlflow.delete_experiment(mlflow.create_experiment("datadiet"))
    answer = asked("check", "mlflow:./mlruns")
    assert answer.returncode == 1 and "deleted experiment" in answer.stderr


@pytest.mark.parametrize("kind", ["mlflow", "wandb", "tensorboard"])
def test_a_missing_package_is_named_with_what_to_type(kind, asked, monkeypatch):
    """Even where there is a folder of its name, as W&B leaves one: that would be a package without files."""
    nothing = ModuleSpec(kind, None, is_package=True)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: nothing)
    answer = asked("check", kind)
    package = {"mlflow": "mlflow-skinny"}.get(kind, kind)
    assert answer.returncode == 1
    assert answer.stderr.strip().endswith(f"{sys.executable} -m pip install {package}")


@pytest.fixture
def scored(table, tmp_path):
    """A folder as of the command, with a name that has a point."""
    folder = tmp_path / "scores/mine-0.25x"
    folder.mkdir(parents=True)
    table.write(folder / "scores.parquet")
    return folder


def test_the_command_logs_to_tensorboard_under_a_new_name_each_time(scored, table, tmp_path):
    imported("tensorboard")
    for _ in range(2):
        answer = subprocess.run(
            [find(), "report", str(scored), "--log", "tensorboard:runs"],
            capture_output=True,
            text=True,
            env={**os.environ, "DATADIET_PYTHON": sys.executable},
        )
        assert answer.returncode == 0, answer.stderr
    assert "logged: runs/mine-0.25x-2" in answer.stderr
    for name in ("mine-0.25x", "mine-0.25x-2"):
        assert scalars(events(tmp_path / "runs" / name), "datadiet/el2n/mean") == means(table)
        assert (tmp_path / "runs" / name / "datadiet/report.html").is_file()


def test_the_command_logs_to_mlflow_in_a_folder(scored, table, tmp_path, mlflow, monkeypatch):
    """A folder that is named needs no other word of it."""
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE")
    answer = subprocess.run(
        [find(), "report", str(scored), "--log", "mlflow:./mlruns"],
        capture_output=True,
        text=True,
        env={**os.environ, "DATADIET_PYTHON": sys.executable},
    )
    assert answer.returncode == 0, answer.stderr
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    (run,) = mlflow.search_runs(experiment_names=["datadiet"], output_format="list")
    assert run.info.run_id in answer.stderr and run.info.run_name == "mine-0.25x"
    assert run.info.status == "FINISHED"
    assert history(mlflow, run, "datadiet/el2n/mean") == means(table)
    assert run.data.tags["datadiet.results"] == str(scored)


def test_results_are_logged_to_wandb_offline(asked, scored, table, tmp_path):
    imported("wandb")
    answer = asked("log", "wandb:tests", scored)
    assert answer.returncode == 0, answer.stderr
    assert "wandb sync" in answer.stdout
    kept = wandb_kept(tmp_path)
    rows = [row for row in kept.rows if "datadiet/step" in row]
    assert {row["datadiet/step"]: row["datadiet/el2n/mean"] for row in rows} == means(table)
    assert kept.config["datadiet/results"] == str(scored)


def test_a_curve_is_logged_from_its_folder(tmp_path):
    source = ROOT / "results/cifar10-airbench/curve"
    outcome = json.loads((source / "outcome.json").read_text())
    found = Curve(outcome["curve"]["points"], None, source / "report.html", outcome)
    record = collect(found, tmp_path, True)
    assert record.curves["curve/random/accuracy/mean"].keys() == {25000, 37500}
    assert record.curves["curve/full/accuracy/mean"] == {50000: pytest.approx(0.8847)}


def test_what_is_logged_is_what_was_given_and_not_what_is_there_now(tmp_path, capsys):
    source = ROOT / "results/cifar10-airbench/curve"
    outcome = json.loads((source / "outcome.json").read_text())
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "outcome.json").write_text(json.dumps(outcome))
    found = Curve(outcome["curve"]["points"], None, folder / "report.html", outcome)
    record = collect(found, tmp_path, True)
    assert "report.html is not there and is not logged" in capsys.readouterr().err
    other = json.loads((source / "outcome.json").read_text())
    other["curve"]["points"][0]["accuracy"]["mean"] = 0.5
    (folder / "outcome.json").write_text(json.dumps(other))
    with pytest.raises(TableError, match="not what came of this any more"):
        collect(found, tmp_path, False)
    (folder / "outcome.json").unlink()
    alone = collect(found, tmp_path, False)
    assert alone.curves == record.curves and alone.digest == record.digest
    assert "is gone" in capsys.readouterr().err
    assert json.loads((tmp_path / "outcome.json").read_text()) == outcome
