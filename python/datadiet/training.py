"""A training function of your own as a trainer: what is declared about it, and the job it is given.

`trainer` declares it, `datadiet.score`, `datadiet.train`, `datadiet.diet` and `datadiet.experiments` train
by it. They start the command ``datadiet``, which decides what is trained, keeps the runs and starts each in
a process of its own: ``python -m datadiet.worker FILE.py:FUNCTION RUN``. docs/TRAINERS.md is what the two
tell each other.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import math
import os
import pickle
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from datadiet import _safetensors, _typed
from datadiet._arrays import Floats, Wholes, wholes
from datadiet._datadiet import RECORDED_PASS
from datadiet.exceptions import IdError, LabelError, TrainerError
from datadiet.recorder import Recorder
from datadiet.scores import logit_scores
from datadiet.table import ScoreTable

__all__ = ["Job", "Point", "Result", "Stopped", "Trainer", "trainer"]

PROTOCOL = 1
_OF_CLASSES = {"margin-of-mean", "tdds"}
_STATES = "state.pickle"


class Stopped(BaseException):
    """The training is to end, and goes on another time; raised in the training function."""


class Trainer:
    """A training function and what is declared about it; made by the decorator `trainer`.

    Calling it calls the function.
    """

    def __init__(
        self,
        function: Callable[[Job], Result],
        *,
        examples: int | str | os.PathLike[str] | None = None,
        labels: Wholes | None = None,
        classes: Sequence[str] | None = None,
        data: str | None = None,
        name: str | None = None,
        version: str | None = None,
        settings: Mapping[str, Any] | None = None,
        epochs: int | None = None,
        metric: str = "accuracy",
        higher_is_better: bool | None = None,
        pass_: str = RECORDED_PASS,
    ) -> None:
        _check_function(function)
        self.function = function
        self.data = data
        self.examples: Path | None = None
        self.labels: npt.NDArray[np.int64] | None = None
        if data is not None:
            if examples is not None or labels is not None or classes is not None:
                raise TypeError(
                    f"data={data!r} has its examples: leave out examples, labels, classes"
                )
        elif isinstance(examples, (str, os.PathLike)):
            if labels is not None:
                raise TypeError(f"{examples} has the labels: leave out labels, or the file")
            self.examples = Path(examples)
        elif labels is None:
            raise TypeError(
                "say which examples there are: labels=y, examples='train.parquet' (or .csv, .npy) with"
                " the label of each, or data='cifar10' for what was imported"
            )
        else:
            self.labels = np.asarray(wholes(labels)).astype(np.int64)
            if isinstance(examples, int) and examples != len(self.labels):
                raise ValueError(f"there are {examples} examples, but {len(self.labels)} labels")
        if isinstance(epochs, bool) or not (epochs is None or epochs >= 1):
            raise ValueError(f"epochs is {epochs}; pass how many there are, 1 at least")
        if metric == "accuracy" and higher_is_better is False:
            raise ValueError("less accuracy is not better; name the metric, such as metric='loss'")
        if metric != "accuracy" and higher_is_better is None:
            raise TypeError(
                f"is more of {metric} better, or less? Pass higher_is_better=True or False beside metric"
            )
        self.classes = None if classes is None else [str(name) for name in classes]
        self.examples_name = name
        self.version = version
        self.settings = dict(settings or {})
        self.epochs = epochs
        self.metric = metric
        self.higher_is_better = higher_is_better is not False
        self.pass_ = pass_
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self.__module__ = function.__module__

        self.evaluate: Callable[[Point], Any] | None = None

    def __call__(self, job: Job) -> Result:
        return self.function(job)

    def evaluation(self, function: Callable[[Point], Any]) -> Callable[[Point], Any]:
        """Declare how weights are evaluated, so that there is a line between two trainings (``datadiet lmc``,
        `datadiet.experiments.connectivity`).

        The function stands in the same file and gives the logits of `Point.ids` by a model with `Point.weights`,
        n × K. The training function gives its model to `Job.epochs_left` first.

        Examples
        --------
        ::

            @train.evaluation
            def evaluate(point):
                model = make_model()
                model.load_state_dict(point.weights)
                with torch.no_grad():
                    return model.eval()(images[point.ids])
        """
        _check_function(function)
        self.evaluate = function
        return function

    @property
    def name(self) -> str:
        """What it is called: ``digits.py:train``."""
        file = self._file()
        return f"{_typed.FILE if file is None else file.name}:{self.function.__name__}"

    @property
    def target(self) -> str:
        """How another process finds it: ``module:function``, or ``/path/file.py:function``. Of one that was typed
        into a notebook see `typed`."""
        module = sys.modules.get(self.function.__module__)
        if self.function.__module__ != "__main__":
            return f"{self.function.__module__}:{self.function.__name__}"
        spec = getattr(module, "__spec__", None)
        if spec is not None:  # python -m package.module
            return f"{spec.name}:{self.function.__name__}"
        return f"{self._file() or _typed.FILE}:{self.function.__name__}"

    @property
    def source(self) -> str:
        """SHA-256 of the file that the function is in: another text is another trainer. Of one that was typed
        into a notebook, of the file that `typed` makes of it."""
        typed, file = self.typed(), self._file()
        if typed is not None:
            return typed.digest
        assert file is not None
        return hashlib.sha256(file.read_bytes()).hexdigest()

    def typed(self) -> _typed.Typed | None:
        """The function as a file for other processes, where it was typed into a notebook; else None.

        Raises
        ------
        TrainerError
            It was typed into an interpreter, which keeps no source, or uses what cannot be taken along.
        """
        if self._file() is not None:
            return None
        declared = {
            "data": self.data,
            "examples": None if self.examples is None else str(self.examples.absolute()),
            "labels": self.labels,
            "classes": self.classes,
            "name": self.examples_name,
            "pass_": self.pass_,
        }
        return _typed.Typed(self.function, self.evaluate, declared)

    def _file(self) -> Path | None:
        """The file that it is in; none where it was typed."""
        module = sys.modules.get(self.function.__module__)
        file = getattr(module, "__file__", None)
        try:
            file = file or inspect.getsourcefile(self.function)
        except TypeError:  # A module without a file.
            file = None
        path = None if file is None else Path(file)
        return None if path is None or not path.is_file() else path.resolve()

    def __repr__(self) -> str:
        return f"Trainer({self.function.__module__}.{self.function.__name__})"


def trainer(
    *,
    examples: int | str | os.PathLike[str] | None = None,
    labels: Wholes | None = None,
    classes: Sequence[str] | None = None,
    data: str | None = None,
    name: str | None = None,
    version: str | None = None,
    settings: Mapping[str, Any] | None = None,
    epochs: int | None = None,
    metric: str = "accuracy",
    higher_is_better: bool | None = None,
    pass_: str = RECORDED_PASS,
) -> Callable[[Callable[[Job], Result]], Trainer]:
    """Declare a function ``train(job)`` as a trainer, for `datadiet.score` and the others.

    The function must stand at the top of a file: each training is a process that imports the file, so
    what the file does when it is imported happens in each. Put calls of `datadiet.score` and the like
    under ``if __name__ == "__main__":``. A lambda, a function within a function and a method are refused. Of a
    notebook the function is taken along with what it uses: functions and classes by their source, other
    values (such as data) as a copy.

    A change of the file is another trainer, whose runs are trained anew: keep it apart from what changes
    often. What the file does not show (a module that it imports, the data) is for you to count in `version`.

    Parameters
    ----------
    examples
        A file (Parquet, CSV, npy, JSON, text) with the label of each training example, in order; or their
        number, beside `labels`. An id is the number of an example, from 0.
    labels
        The class of each training example, from 0.
    classes
        Names of the classes.
    data
        A data set that was imported (``datadiet data list``) instead, for reports with pictures.
    name
        What the examples are called; that of the file, or of the trainer, where nothing is said.
    version
        Counted by you: another one is another trainer.
    settings
        What the function is told (`Job.settings`): numbers, texts, lists. Others are other runs.
    epochs
        Length of a training where a call does not say.
    metric, higher_is_better
        What trainings are judged by; ``accuracy`` is a fraction. Of another metric it must be said whether
        more of it is better.
    pass_
        Which pass of the model the recorded logits are of, for the record.

    Examples
    --------
    See examples/ in the repository.
    """

    def declare(function: Callable[[Job], Result]) -> Trainer:
        return Trainer(
            function,
            examples=examples,
            labels=labels,
            classes=classes,
            data=data,
            name=name,
            version=version,
            settings=settings,
            epochs=epochs,
            metric=metric,
            higher_is_better=higher_is_better,
            pass_=pass_,
        )

    return declare


def _check_function(function: Any) -> None:
    if not inspect.isfunction(function):
        raise TypeError(f"a trainer is a function train(job), not a {type(function).__name__}")
    name = function.__qualname__
    why = "each training is a process of its own that imports it by name"
    if function.__name__ == "<lambda>":
        raise TypeError(f"a lambda has no name, and {why}: write def train(job)")
    if "<locals>" in name:
        raise TypeError(
            f"{name} is made by another function, and {why}: put it at the top of a file"
        )
    if "." in name:
        raise TypeError(f"{name} is a method, and {why}: write a function at the top of a file")


class Result:
    """How well a training did; made by `Job.result`, returned by the training function."""

    def __init__(
        self,
        test: dict[str, float],
        validation: dict[str, float],
        by_class: list[float | None] | None = None,
    ) -> None:
        self.test = test
        self.validation = validation
        self.by_class = by_class


class Job:
    """One training: which examples, for how long, from which seed, and where its files go.

    Attributes
    ----------
    ids, labels
        The examples to train on, numbers from 0 in the whole training set, and their labels: these, and
        not those of the data, where studies change labels.
    validation_ids, validation_labels
        Training examples that are held out to judge this training; empty but for searches (`diet`).
    seed
        For this training: below 2³¹, another for each replica.
    epochs
        Length of the whole training, as for a schedule of the learning rate. For a subset it may be more
        than was asked for: with the number of steps fixed, half the examples are seen twice as often.
    stop_after
        Epochs to train in fact: where only early scores are wanted it is less than `epochs`.
        `epochs_left` stops there.
    n_examples, classes
        Size of the whole training set, names of the classes.
    settings
        As declared, or as a call said.
    folder
        The folder of this run. What you write there stays with it.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        told = json.loads((self.folder / "job.json").read_text(encoding="utf-8"))
        _check_protocol(told)
        self.run: str = told["run"]
        self.replica: int = told["replica"]
        self.seed: int = told["seed"]
        self.epochs: int = told["epochs"]
        self.stop_after: int = told["stop_after"]
        self.n_examples: int = told["examples"]
        self.classes: list[str] = told["classes"]
        self.settings: dict[str, Any] = told["settings"]
        self.metric: str = told["metric"]["name"]
        self.ids, self.labels = self._list(told["train"])
        self.validation_ids, self.validation_labels = self._list(told["validation"])
        self._record = set(told["record"])
        self._score_at = set(told["score_at"])
        self._scores: list[str] = told["scores"]
        self._checkpoint = self.folder / told["checkpoint"] / "state.pickle"
        self._recorded = self.folder / told["recorded"]
        self._pause = float(os.environ.get("DATADIET_CHECKPOINT_EVERY", "15"))
        self._saved = time.monotonic()
        self._pass = RECORDED_PASS
        self._recorder: Recorder | None = None
        # Place of each example among those trained on, -1 for the others.
        self._own = np.full(self.n_examples, -1, dtype=np.int64)
        self._own[self.ids] = np.arange(len(self.ids))
        self._epoch: int | None = None
        self._ended = True
        self._done = 0
        self._state: dict[str, Any] | None = None
        self._interrupts = _Interrupts()
        self._process = os.getpid()
        self._keep = set(told.get("keep", []))
        self._kept = self.folder / told.get("kept", "kept")
        self._spawn: dict[str, Any] | None = told.get("spawn")
        # What `epochs_left` was given.
        self._objects: tuple[Any, ...] = ()

    def _list(self, told: Mapping[str, Any]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        return _listed(self.folder, told)

    def labels_of(self, ids: Wholes) -> npt.NDArray[np.int64]:
        """The labels of some of `ids`, in their order: what a loader puts in place of the data's own.

        Raises
        ------
        IdError
            An id that this training does not train on.
        """
        return self.labels[self._places(np.asarray(wholes(ids, "ids")).astype(np.int64))]

    def _places(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        outside = (ids < 0) | (ids >= self.n_examples)
        places: npt.NDArray[np.int64] = self._own[np.where(outside, 0, ids)]
        outside |= places < 0
        if outside.any():
            found = int(ids[outside][0])
            raise IdError(
                f"id {found} is none of the {len(self.ids)} examples that this training trains on"
                " (job.ids)",
                id=found,
            )
        return places

    def _check_process(self, what: str) -> None:
        if os.getpid() != self._process:
            raise TrainerError(
                f"job.{what} in process {os.getpid()}, which process {self._process} of this training started"
                " (a fork, or a loader's): what it does to the job stays there; call it in the function"
                " itself"
            )

    @property
    def records(self) -> bool:
        """Whether this epoch is to be recorded; where not, `record` does nothing."""
        return self._epoch is not None and self._epoch + 1 in self._record

    def epochs_left(self, *objects: Any) -> Iterator[int]:
        """The epochs to train, from 0; after a training that was stopped, those that it had left.

        Parameters
        ----------
        objects
            What `checkpoint` is given, in the same order, such as model and optimiser. Their states
            are loaded from the last checkpoint, if there is one, by ``load_state_dict``. Without objects
            the epochs begin at 0, unless `restore` was asked before. Random numbers of Python, NumPy and
            PyTorch's processor go on as they were.
        """
        state = self._state
        if state is None and objects:
            state = self._load()
            if state is not None:
                self._load_states(objects, state["objects"])
        begin = 0
        if (self._keep or self._spawn is not None) and not objects:
            raise TrainerError(
                "weights of this training are wanted (datadiet lmc), and a model that is pickled has no named"
                " tensors: give epochs_left an object with state_dict, the model first"
            )
        self._objects = objects
        if state is not None:
            begin = state["epochs"]
            self._restore_recorder(state["recorder"])
            _set_random_states(state["random"])
        elif self._spawn is not None:
            begin = self._spawn["epoch"]
            states = pickle.loads((Path(self._spawn["folder"]) / _STATES).read_bytes())
            self._load_states(objects, states)
        elif 0 in self._keep:
            self._keep_weights(0)
        self._done = begin
        for epoch in range(begin, self.stop_after):
            self._epoch, self._ended = epoch, False
            yield epoch
            self._end_epoch()
        self._epoch = None

    def _load_states(self, objects: tuple[Any, ...], states: list[Any]) -> None:
        if len(states) != len(objects):
            raise TrainerError(
                f"epochs_left has {len(objects)} objects, and the checkpoint of this run"
                f" {len(states)}: give both the same"
            )
        for one, its in zip(objects, states, strict=True):
            one.load_state_dict(its)

    def _keep_weights(self, epoch: int) -> None:
        """Keep named tensors of the model, and the state of all objects, for those who go on from here."""
        states = [one.state_dict() for one in self._objects]
        if not isinstance(states[0], Mapping):
            raise TrainerError(
                f"the state_dict of {type(self._objects[0]).__name__} is no mapping of names to tensors: give"
                " the model to epochs_left first"
            )
        folder = self._kept / f"epoch_{epoch}"
        with self._interrupts.deferred():
            _write(folder / _STATES, pickle.dumps(states, protocol=pickle.HIGHEST_PROTOCOL))
            _write(folder / "weights.safetensors", _safetensors.dump(states[0]))

    def checkpoint(self, *objects: Any) -> None:
        """Save the state after this epoch, to go on from if the process is stopped or killed.

        Called at the end of an epoch, after all of it was recorded. Written at most every 15 seconds (the
        command's ``--checkpoint-every``), so it may be called in every one.

        Parameters
        ----------
        objects
            Objects with ``state_dict``, such as models and optimisers, which `epochs_left` loads again;
            or one that can be pickled, such as bytes or an estimator of scikit-learn, which `restore`
            gives back.
        """
        self._check_process("checkpoint")
        if self._epoch is None:
            raise TrainerError("checkpoint is called in the loop over job.epochs_left()")
        self._end_epoch()
        if time.monotonic() - self._saved < self._pause:
            return
        states = [one.state_dict() if hasattr(one, "state_dict") else one for one in objects]
        recorder = None if self._recorder is None else self._recorder.state_dict()
        state = {
            "epochs": self._done,
            "objects": states,
            "recorder": recorder,
            "random": _random_states(),
        }
        with self._interrupts.deferred():
            _write(self._checkpoint, pickle.dumps(state, protocol=pickle.HIGHEST_PROTOCOL))
        self._saved = time.monotonic()

    def restore(self) -> Any:
        """What the last checkpoint was given, or None where there is none: one object, or a list of
        several. `epochs_left` then goes on after it."""
        self._state = self._load()
        if self._state is None:
            return None
        objects = self._state["objects"]
        return objects[0] if len(objects) == 1 else objects

    def _load(self) -> dict[str, Any] | None:
        if not self._checkpoint.is_file():
            return None
        state: dict[str, Any] = pickle.loads(self._checkpoint.read_bytes())
        return state

    def record(
        self,
        ids: Wholes,
        logits: Floats | None = None,
        labels: Wholes | None = None,
        *,
        probs: Floats | None = None,
    ) -> None:
        """Record the logits of some examples in this epoch, each at most once. Where this training is not
        scored, or not in this epoch, only the ids are looked at.

        Parameters
        ----------
        ids, labels
            As in `Job.ids` and `Job.labels`.
        logits, probs
            As for `datadiet.Recorder.update`.

        Raises
        ------
        IdError
            An id that this training does not train on, or twice in an epoch.
        LabelError
            Another label than the one to train with.
        TrainerError
            Another process than the one of the training, such as a loader's: what it records stays there.
        NonFiniteError, ProbabilityError, ShapeError, DtypeError
            As for `datadiet.Recorder.update`.
        """
        self._check_process("record")
        numbers = np.asarray(wholes(ids, "ids")).astype(np.int64)
        # Looked at where nothing is recorded too: a function that does not train on its subset shows by it.
        places = self._places(numbers)
        if not self.records:
            return
        if self._ended:
            raise TrainerError("record after job.checkpoint(): record all of an epoch before it")
        if labels is None:
            raise TypeError(
                "pass the labels that you train with: they are compared with job.labels"
            )
        given = np.asarray(wholes(labels)).astype(np.int64)
        if given.shape == numbers.shape and (given != self.labels[places]).any():
            row = int(np.argmax(given != self.labels[places]))
            raise LabelError(
                f"example {numbers[row]} is recorded with the label {given[row]}, and this training is to"
                f" take {self.labels[places][row]}: train with job.labels, which differ from the data's"
                " where labels are changed",
                id=int(numbers[row]),
                label=int(given[row]),
            )
        if self._recorder is None:
            self._recorder = self._new_recorder()
        self._recorder.update(numbers, logits, given, probs=probs)

    def result(
        self,
        *,
        validation: float | None = None,
        by_class: Mapping[Any, float | None] | Sequence[float | None] | None = None,
        **metrics: float,
    ) -> Result:
        """How well this training did, to be returned by the training function.

        Parameters
        ----------
        validation
            The metric on `validation_ids`; needed where there are some.
        by_class
            The metric on the test examples of each class, if you like: a value a class in their order, or by
            their names or numbers; None, or nothing, of a class without test examples. Studies then say
            which class lost most.
        metrics
            ``accuracy=0.93`` on the examples that you test with, or the metric that was declared. Others
            beside it are kept.
        """
        if self.metric not in metrics:
            said = ", ".join(metrics) or "nothing"
            raise TrainerError(
                f"the result says {said}, and trainings are judged by {self.metric}: return"
                f" job.result({self.metric}=…), or declare another metric"
            )
        if len(self.validation_ids) and validation is None:
            raise TrainerError(
                f"this training holds {len(self.validation_ids)} examples out to judge it by: return"
                f" job.result({self.metric}=…, validation=…) with the {self.metric} on"
                " job.validation_ids and job.validation_labels"
            )
        test = {name: float(value) for name, value in metrics.items()}
        held_out = {} if validation is None else {self.metric: float(validation)}
        return Result(test, held_out, None if by_class is None else self._by_class(by_class))

    def _by_class(
        self, given: Mapping[Any, float | None] | Sequence[float | None]
    ) -> list[float | None]:
        """A value a class, in their order."""
        values: list[float | None] = [None] * len(self.classes)
        if isinstance(given, Mapping):
            for key, value in given.items():
                values[self._class_number(key)] = value
        else:
            values = list(given)
            if len(values) != len(self.classes):
                raise TrainerError(
                    f"by_class has {len(values)} values, and there are {len(self.classes)} classes: give one"
                    " for each (None where there is none), or a dictionary"
                )
        for name, value in zip(self.classes, values, strict=True):
            if value is not None and not math.isfinite(value):
                raise TrainerError(
                    f"by_class: {self.metric} of class {name} is {float(value)}; of a class without test"
                    " examples give None"
                )
        return [None if value is None else float(value) for value in values]

    def _class_number(self, key: Any) -> int:
        if isinstance(key, str) and key in self.classes:
            return self.classes.index(key)
        if isinstance(key, (int, np.integer)) and 0 <= key < len(self.classes):
            return int(key)
        known = ", ".join(self.classes[:5]) + (", …" if len(self.classes) > 5 else "")
        raise TrainerError(
            f"by_class has a value of class {key!r}, and there are these: {known} (numbers 0 to"
            f" {len(self.classes) - 1})"
        )

    def _new_recorder(self) -> Recorder:
        return Recorder(
            self.n_examples,
            len(self.classes),
            mergeable=False,
            class_means=any(name in _OF_CLASSES for name in self._scores),
            pass_=self._pass,
        )

    def _restore_recorder(self, state: Mapping[str, Any] | None) -> None:
        if state is not None:
            self._recorder = self._new_recorder()
            self._recorder.load_state_dict(state)

    def _end_epoch(self) -> None:
        if self._ended or self._epoch is None:
            return
        epoch = self._epoch + 1
        if epoch in self._record:
            if self._recorder is None or not self._recorder.unfinished:
                raise TrainerError(
                    f"epoch {epoch} is to be scored, and nothing of it was recorded: call job.record(ids,"
                    " logits, labels) with every batch"
                )
            self._recorder.end_epoch()
            if epoch in self._score_at:
                self._write_scores(epoch, self._recorder)
        if epoch in self._keep:
            self._keep_weights(epoch)
        self._ended = True
        self._done = epoch
        tell({"event": "at", "done": epoch})

    def _write_scores(self, epoch: int, recorder: Recorder) -> None:
        table = recorder.table()
        at = recorder.epochs
        columns: dict[str, Any] = {"id": np.arange(self.n_examples, dtype=np.uint32)}
        for name in [*self._scores, "predicted"]:
            if f"{name}@{at}" in table:
                columns[name] = table[f"{name}@{at}"]
        with self._interrupts.deferred():
            ScoreTable.from_columns(columns).write(self._recorded / f"scores_{epoch}.parquet")

    def finish(self, result: Any) -> None:
        """Write how well it did, last; called for you once the function has returned."""
        if not isinstance(result, Result):
            what = "nothing" if result is None else f"a {type(result).__name__}"
            raise TrainerError(
                f"the training function returned {what}: end it with return job.result({self.metric}=…)"
            )
        if self._done != self.stop_after:
            raise TrainerError(
                f"the training function trained {self._done} of {self.stop_after} epochs: loop over"
                " job.epochs_left() to its end"
            )
        values = {**result.test, **{f"validation {k}": v for k, v in result.validation.items()}}
        wrong = [f"{name} is {value}" for name, value in values.items() if not math.isfinite(value)]
        if wrong:
            self.fail(f"{', '.join(wrong)}: the training diverged, or the evaluation is wrong")
            return
        answer: dict[str, Any] = {"test": result.test, "validation": result.validation}
        if self._spawn is not None:
            answer["began"] = self._spawn["epoch"]
        if result.by_class is not None:
            answer["by_class"] = result.by_class
        self._answer(answer)

    def fail(self, reason: str) -> None:
        """Say why the same job would fail again; called for you for logits that are not finite."""
        self._answer({"failed": reason})

    def _answer(self, answer: dict[str, Any]) -> None:
        answer = {"run": self.run, "epochs": self._done, "peak_memory_mib": _peak(), **answer}
        text = json.dumps(answer, allow_nan=False, indent=2) + "\n"
        with self._interrupts.deferred():
            _write(self.folder / "metrics.json", text.encode("utf-8"))

    def __repr__(self) -> str:
        return (
            f"Job({self.run}: {len(self.ids)} examples, {self.stop_after} of {self.epochs} epochs)"
        )


class Point:
    """Weights to evaluate, and on which examples; what an evaluation function is given (`Trainer.evaluation`).

    Attributes
    ----------
    weights
        Tensors by name, as the model's ``state_dict`` had them: of PyTorch where they were, else of NumPy.
    ids, labels
        Training examples whose logits are wanted, ascending, and their labels.
    statistics_ids
        Training examples to take statistics of activations of again (batch norm), which those of the ends do
        not fit: a pass over these in training mode, without a step.
    n_examples, classes, settings
        As of a `Job`.
    """

    def __init__(
        self,
        weights: dict[str, Any],
        rows: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
        statistics_ids: npt.NDArray[np.int64],
        told: Mapping[str, Any],
    ) -> None:
        self.weights = weights
        self.ids, self.labels = rows
        self.statistics_ids = statistics_ids
        self.n_examples: int = told["examples"]
        self.classes: list[str] = told["classes"]
        self.settings: dict[str, Any] = told["settings"]


def answer_evaluation(trainer: Trainer, folder: Path) -> None:
    """Evaluate the points of an evaluation's folder, and write accuracy and loss on each of its sets."""
    if trainer.evaluate is None:
        raise TrainerError(
            f"{trainer.name} does not say how weights are evaluated: decorate a function with"
            f" @{trainer.function.__name__}.evaluation"
        )
    told = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    _check_protocol(told)
    sets = [_listed(folder, one) for one in told["sets"]]
    ids, first = np.unique(np.concatenate([ids for ids, _ in sets]), return_index=True)
    labels = np.concatenate([labels for _, labels in sets])[first]
    places = [np.searchsorted(ids, own) for own, _ in sets]
    statistics_ids, _ = _listed(folder, told["statistics"])
    risks: list[dict[str, list[float]]] = [{"accuracy": [], "loss": []} for _ in sets]
    for name in told["points"]:
        point = Point(_safetensors.load(folder / name), (ids, labels), statistics_ids, told)
        logits = trainer.evaluate(point)
        if logits is None:
            raise TrainerError(
                "the evaluation function returned nothing: return the logits of point.ids"
            )
        scores = logit_scores(logits, labels)
        for risk, own in zip(risks, places, strict=True):
            risk["accuracy"].append(float(np.mean(scores["correct"][own], dtype=np.float64)))
            risk["loss"].append(float(np.mean(scores["loss"][own], dtype=np.float64)))
    answer = {"evaluation": told["evaluation"], "sets": risks}
    text = json.dumps(answer, allow_nan=False) + "\n"
    _write(folder / told["answer"], text.encode("utf-8"))


def _listed(
    folder: Path, told: Mapping[str, Any]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Ids and labels of a file that a question names; none where it names none."""
    if told["file"] is None:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    rows = np.loadtxt(folder / told["file"], delimiter=",", skiprows=1, dtype=np.int64, ndmin=2)
    return rows[:, 0].copy(), rows[:, 1].copy()


def _check_protocol(told: Mapping[str, Any]) -> None:
    if told["protocol"] != PROTOCOL:
        raise TrainerError(
            f"the command datadiet speaks version {told['protocol']} of the protocol of trainers, and"
            f" this package version {PROTOCOL}: install both of the same version"
        )


class _Interrupts:
    """Stopping in the middle of everything but the writing of a file."""

    def __init__(self) -> None:
        self.busy = 0
        self.asked = False

    def stop(self) -> None:
        self.asked = True
        if not self.busy:
            raise Stopped

    def deferred(self) -> _Interrupts:
        return self

    def __enter__(self) -> None:
        self.busy += 1

    def __exit__(self, *_: object) -> None:
        self.busy -= 1
        if self.asked and not self.busy:
            raise Stopped


def tell(event: Mapping[str, Any]) -> None:
    """A line for the command, apart from what the function prints."""
    with contextlib.suppress(ValueError):  # The function may have closed it.
        sys.stdout.flush()
    line = (json.dumps(event) + "\n").encode("utf-8")
    while line:
        line = line[os.write(1, line) :]


def _write(path: Path, content: bytes) -> None:
    """Aside, synced, renamed: nobody sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(prefix=".aside-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        os.unlink(aside)
        raise


def _random_states() -> dict[str, Any]:
    # What libraries such as scikit-learn draw from where they are given no seed.
    numpy = np.random.get_state()  # noqa: NPY002
    states: dict[str, Any] = {"python": random.getstate(), "numpy": numpy}
    torch = sys.modules.get("torch")
    if torch is not None:
        states["torch"] = torch.get_rng_state()
    return states


def _set_random_states(states: Mapping[str, Any]) -> None:
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])  # noqa: NPY002
    if "torch" in states:
        import torch

        torch.set_rng_state(states["torch"])


def _peak() -> float:
    """Largest resident memory so far, MiB; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:
        return 0.0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 2**20 if sys.platform == "darwin" else most / 2**10
