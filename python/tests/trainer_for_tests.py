"""A trainer that is quick: softmax regression in NumPy on three clouds. What it does wrong is a setting."""

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import datadiet

CHANCE = np.random.default_rng(7)
LABELS = np.arange(150) % 3
CENTRES = np.array([[0, 0], [2, 0], [0, 2]])
POINTS = CENTRES[LABELS] + CHANCE.normal(size=(150, 2))
TEST_LABELS = np.arange(60) % 3
TEST = CENTRES[TEST_LABELS] + CHANCE.normal(size=(60, 2))


class Model:
    """Weights with a `state_dict`, like those of PyTorch."""

    def __init__(self, seed):
        self.weights = np.random.default_rng(seed).normal(size=(3, 3))

    def state_dict(self):
        return {"weights": self.weights}

    def load_state_dict(self, state):
        self.weights = state["weights"]

    def logits(self, points):
        return np.column_stack([points, np.ones(len(points))]) @ self.weights


def probabilities(logits):
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def fit(job, wrong=None):
    model = Model(job.seed)
    for epoch in job.epochs_left(*([] if wrong == "no-objects" else [model])):
        # NumPy's own generator: its state goes on after an interruption.
        order = np.random.permutation(job.ids)  # noqa: NPY002
        if wrong == "ignores-ids":
            job.record(np.arange(150), model.logits(POINTS), LABELS)
        if wrong == "records-in-fork":
            with multiprocessing.get_context("fork").Pool(1) as pool:
                pool.starmap(job.record, [(order, model.logits(POINTS[order]), LABELS[order])])
        for ids in np.array_split(order, max(1, len(order) // 25)):
            y = job.labels_of(ids)
            logits = model.logits(POINTS[ids])
            if wrong == "nan-logits":
                logits[0, 0] = np.nan
            if wrong == "labels":
                job.record(ids, logits, LABELS[ids])
            elif wrong == "ids":
                job.record(ids + 150, logits, y)
            elif wrong != "records-nothing":
                job.record(ids, logits, y)
            errors = probabilities(logits)
            errors[np.arange(len(ids)), y] -= 1
            inputs = np.column_stack([POINTS[ids], np.ones(len(ids))])
            model.weights -= 0.5 * inputs.T @ errors / len(ids)
        job.checkpoint(model)
        killed = job.folder / "killed"
        if wrong in ("killed", "stopped") and epoch == 1 and not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL if wrong == "killed" else signal.SIGTERM)
        if wrong == "leaves" and epoch == 1:
            break
    return model


def accuracy(model, points, labels):
    return float((model.logits(points).argmax(1) == labels).mean())


def judged(job, model):
    held_out = None
    if len(job.validation_ids):
        held_out = accuracy(model, POINTS[job.validation_ids], job.validation_labels)
    by_class = {
        name: accuracy(model, TEST[TEST_LABELS == label], label)
        for label, name in enumerate(job.classes)
    }
    return job.result(
        accuracy=accuracy(model, TEST, TEST_LABELS), validation=held_out, by_class=by_class
    )


@datadiet.trainer(
    examples=150,
    labels=LABELS,
    classes=["near", "right", "up"],
    name="clouds",
    epochs=4,
    version="1",
    pass_="training minibatches",
)
def train(job):
    np.random.seed(job.seed)  # noqa: NPY002
    wrong = job.settings.get("wrong")
    if wrong == "prints":
        print("a word of its own")
        print("without an end", end="")
    if wrong == "sleeps":
        Path("ready").write_text(str(os.getpid()))
        time.sleep(600)
    if wrong == "raises":
        raise ValueError("the loader found no images")
    if wrong == "closes-output":
        sys.stdout.close()
    model = fit(job, wrong)
    if wrong == "returns-nothing":
        return None
    if wrong == "returns-number":
        return 0.5
    if wrong == "nan":
        return job.result(accuracy=float("nan"))
    if wrong == "nan-class":
        return job.result(accuracy=0.5, by_class=[0.5, float("nan"), 1])
    if wrong == "classes":
        return job.result(accuracy=0.5, by_class=[0.5, 0.5])
    if wrong == "unknown-class":
        return job.result(accuracy=0.5, by_class={"left": 0.5})
    if wrong == "percent-class":
        return job.result(accuracy=0.5, by_class={0: 93, "up": None})
    if wrong == "other-metric":
        return job.result(loss=0.3)
    if wrong == "exits":
        sys.exit(0)
    if wrong == "forks":
        os.fork()
    if wrong == "leaves-child":
        child = subprocess.Popen(["sleep", "600"])
        Path("child").write_text(str(child.pid))
    if wrong == "no-validation":
        return job.result(accuracy=0.5)
    return judged(job, model)


@train.evaluation
def evaluate(point):
    if point.settings.get("wrong") == "evaluates-nothing":
        return None
    model = Model(0)
    model.load_state_dict(point.weights)
    assert list(point.labels) == list(LABELS[point.ids]) and len(point.statistics_ids) == 40
    logits = model.logits(POINTS[point.ids])
    return logits * np.nan if point.settings.get("wrong") == "nan-evaluation" else logits


@datadiet.trainer(labels=LABELS, epochs=4, metric="loss", higher_is_better=False)
def train_by_loss(job):
    np.random.seed(job.seed)  # noqa: NPY002
    model = fit(job)

    def loss(points, labels):
        chosen = probabilities(model.logits(points))[np.arange(len(labels)), labels]
        return float(-np.log(chosen).mean())

    held_out = None
    if len(job.validation_ids):
        held_out = loss(POINTS[job.validation_ids], job.validation_labels)
    return job.result(loss=loss(TEST, TEST_LABELS), validation=held_out)


@datadiet.trainer(labels=LABELS, epochs=3)
def train_pickled(job):
    """Keeps its whole model, as of a library without `state_dict`."""
    model = job.restore() or {"epochs": 0}
    for epoch in job.epochs_left():
        assert model["epochs"] == epoch, (model, epoch)
        model["epochs"] += 1
        job.checkpoint(model)
        seen = Path(job.folder) / "seen"
        with open(seen, "a") as file:
            file.write(f"{epoch} ")
        if epoch == 1 and len(seen.read_text().split()) < 3:
            os.kill(os.getpid(), signal.SIGKILL)
    assert pickle.loads(pickle.dumps(model)) == {"epochs": 3}
    return job.result(accuracy=model["epochs"] / 4)
