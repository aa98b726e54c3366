"""A `Recorder` in the training loop of Hugging Face's `Trainer`."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from transformers import TrainerCallback

from datadiet._arrays import Wholes, wholes
from datadiet.exceptions import ShapeError, StateError
from datadiet.recorder import Recorder
from datadiet.torch.errors import BatchError
from datadiet.torch.first_presentations import FirstPresentations

STATE = "datadiet-recorder"
"""The recorder's state in the folder of a checkpoint: ``datadiet-recorder.npz``, or one file a process,
``datadiet-recorder-0-of-4.npz``."""


def logits_of(outputs: Any) -> Any:
    """The logits of an output that is a mapping or an object with that name."""
    if isinstance(outputs, Mapping) and "logits" in outputs:
        return outputs["logits"]
    if not hasattr(outputs, "logits"):
        raise BatchError(
            f"the model gives a {type(outputs).__name__} without logits; pass"
            " TrainerRecorder(recorder, logits=lambda outputs: …)"
        )
    return outputs.logits


class TrainerRecorder(TrainerCallback):
    """Records the logits of every training step, and ends the recorder's epochs with the trainer's.

    The training set needs ids: ``train_dataset=datadiet.torch.indexed(train)``, or a column ``"ids"``;
    and since the trainer drops columns that the model does not take,
    ``TrainingArguments(remove_unused_columns=False)`` (remove those that are not tensors yourself). The
    ids are taken from a batch before the model sees it::

        recorder = Recorder(len(train), n_classes=2, pass_="training mode")
        args = TrainingArguments("out", remove_unused_columns=False)
        trainer = Trainer(model, args, train_dataset=indexed(train), data_collator=collator,
                          callbacks=[TrainerRecorder(recorder)])
        trainer.train()

    The logits come from the training step: training mode. See `datadiet.Recorder`.

    **Checkpoints.** The recorder's state is saved in the folders of the trainer's checkpoints, and
    restored by ``trainer.train(resume_from_checkpoint=…)`` from a folder of the trainer's
    ``output_dir``.

    **Several processes.** Each has a recorder of its own, of the full training set's size, and a file of
    its own in a checkpoint; it takes as many processes to go on from it. After the training, in each
    process::

        ranks = [None] * torch.distributed.get_world_size()
        torch.distributed.all_gather_object(ranks, recorder)
        ranks[0].merge_ranks(*ranks[1:])
        table = ranks[0].table()

    Parameters
    ----------
    recorder
        With the full training set's size.
    labels
        Labels by id, where the trainer does not pass them to the model: with label smoothing or a loss
        function of your own.
    logits
        Of the model's output, its ``B x K`` logits.

    Attributes
    ----------
    recorder
        The recorder.
    repeated
        Rows that were left out, since their examples came before in the same epoch and process:
        accelerate fills up the last batch of several processes so (``even_batches``).

    Raises
    ------
    ShapeError
        ``labels`` that are not one an example.
    BatchError
        Unused columns are removed, a hyperparameter search; in training: no ids, no labels, or logits of
        another shape.
    StateError
        A checkpoint of another number of processes, or without the state of one; a recorder that another
        training left in mid-epoch.
    """

    def __init__(
        self,
        recorder: Recorder,
        *,
        labels: Wholes | None = None,
        logits: Callable[[Any], Any] = logits_of,
    ) -> None:
        self.recorder = recorder
        self.labels = None if labels is None else wholes(labels)
        if self.labels is not None and self.labels.shape != (recorder.n_examples,):
            raise ShapeError(
                f"labels are {self.labels.shape}; pass one for each of the {recorder.n_examples} examples"
            )
        self.logits = logits
        self._rows = FirstPresentations(recorder)
        # What the recorder had before a training that has not ended.
        self._before_training: dict[str, Any] | None = None
        self._handles: list[Any] = []
        # Each replica of DataParallel runs in a thread of its own.
        self._batch = threading.local()
        self._lock = threading.Lock()

    def __deepcopy__(self, memo: Any) -> TrainerRecorder:
        # A copy of a model that is being recorded, such as an average's, has the hooks too.
        return self

    @property
    def repeated(self) -> int:
        return self._rows.repeated

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if args.remove_unused_columns:
            raise BatchError(
                "the trainer would drop the ids: pass TrainingArguments(remove_unused_columns=False), and"
                " remove the columns that are not tensors from the data set"
            )
        if state.is_hyper_param_search:
            raise BatchError(
                "a recorder is of one training: leave TrainerRecorder out of a hyperparameter search"
            )
        if state.global_step:
            self._restore(args, state)
            self._continue(args, state)
        else:
            self._begin()
        self._hook(kwargs["model"])

    def _begin(self) -> None:
        """The trainer starts at its first step, again where it looks for a batch size that fits."""
        if self._before_training is not None:
            self._rows.load_state_dict(self._before_training)
        elif self.recorder.unfinished:
            raise StateError(
                "the recorder is in the middle of an epoch of an interrupted training; make a new one, or"
                " go on from a checkpoint: trainer.train(resume_from_checkpoint=True)"
            )
        else:
            self._before_training = self._rows.state_dict()

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if _HOOKS.get(kwargs["model"]) is not self._handles:
            raise BatchError("two TrainerRecorders record one model; pass one of them")
        # A training that stops in mid-epoch may go on from the checkpoint that it makes then.
        if _at_end_of_epoch(state) or not control.should_training_stop:
            self._rows.end_epoch()

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        folder = _folder(args, state)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / _file(args)
        aside = folder / f".{path.name}"
        with open(aside, "wb") as file:
            arrays: dict[str, Any] = dict(self._rows.state_dict())
            np.savez(file, **arrays)
        aside.replace(path)
        if args.process_index == 0:
            # A folder of that name may be left of a training with another number of processes.
            for other, processes in _saved(folder).items():
                if processes != args.world_size:
                    other.unlink()

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._before_training = None
        if self.recorder.unfinished:
            self._rows.end_epoch()
        _unhook(kwargs["model"])

    def _restore(self, args: Any, state: Any) -> None:
        folder = _folder(args, state)
        path, saved = folder / _file(args), _saved(folder)
        if path in saved:
            with np.load(path, allow_pickle=False) as arrays:
                self._rows.load_state_dict(dict(arrays))
        elif others := sorted(set(saved.values()) - {args.world_size}):
            raise StateError(
                f"the checkpoint {folder} has the recorders of {others[0]} processes, and this training has"
                f" {args.world_size}: go on with {others[0]}"
            )
        elif saved:
            raise StateError(
                f"the checkpoint {folder} has recorders, but not {path.name}: go on from another one, or bring"
                " the files of all nodes together"
            )
        elif self.recorder.epochs or self.recorder.unfinished:
            self._rows.refresh()
        else:
            warnings.warn(
                f"the training goes on from a checkpoint and {path} is not there: what came before is"
                " not in the scores; copy the file there, or load its arrays into the recorder before:"
                " recorder.load_state_dict(dict(numpy.load(…)))",
                stacklevel=2,
            )

    def _continue(self, args: Any, state: Any) -> None:
        """The trainer goes on after the last step of the checkpoint."""
        if not self.recorder.unfinished:
            return
        if _at_end_of_epoch(state):
            # Saved between an epoch's last step and its end, which does not come again.
            self._rows.end_epoch()
        elif args.ignore_data_skip:
            raise BatchError(
                "with ignore_data_skip=True the trainer shows again what the epoch of this checkpoint"
                " had seen; pass ignore_data_skip=False, or a checkpoint at the end of an epoch"
            )

    def _hook(self, model: torch.nn.Module) -> None:
        # An interrupted training does not tell its callback that it ended.
        _unhook(model)
        self._handles = _HOOKS[model] = [
            model.register_forward_pre_hook(self._before, with_kwargs=True),
            model.register_forward_hook(self._after),
        ]

    def _before(self, model: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        self._batch.ids = kwargs.pop("ids", None)
        self._batch.labels = kwargs.get("labels")
        return args, kwargs

    def _after(self, model: torch.nn.Module, args: Any, outputs: Any) -> None:
        if not model.training:
            return
        ids, labels = self._batch.ids, self._batch.labels
        if ids is None:
            raise BatchError(
                'a training batch has no "ids"; pass train_dataset=datadiet.torch.indexed(…), and a'
                " data_collator that keeps them"
            )
        if self.labels is not None:
            # The recorder refuses ids out of range.
            labels = self.labels.take(wholes(ids, "ids"), mode="clip")
        if labels is None:
            raise BatchError(
                "the model gets no labels, since the trainer computes the loss; pass"
                " TrainerRecorder(recorder, labels=…) with one label an example, by id"
            )
        logits = self.logits(outputs)
        if logits.dim() != 2:
            raise BatchError(
                f"the logits are {tuple(logits.shape)}, not examples by classes; pass logits=lambda outputs: …"
            )
        with self._lock:
            self._rows.update(ids, logits, labels)


_HOOKS: WeakKeyDictionary[torch.nn.Module, list[Any]] = WeakKeyDictionary()
"""The hooks on a model that is being recorded."""


def _unhook(model: torch.nn.Module) -> None:
    for handle in _HOOKS.pop(model, ()):
        handle.remove()


def _at_end_of_epoch(state: Any) -> bool:
    return abs(state.epoch - round(state.epoch)) < 1e-6


def _folder(args: Any, state: Any) -> Path:
    return Path(args.output_dir) / f"checkpoint-{state.global_step}"


def _file(args: Any) -> str:
    if args.world_size == 1:
        return f"{STATE}.npz"
    return f"{STATE}-{args.process_index}-of-{args.world_size}.npz"


def _saved(folder: Path) -> dict[Path, int]:
    """The recorders in a checkpoint's folder, with the number of processes of their training."""
    found = {
        path: re.fullmatch(rf"{STATE}(?:-\d+-of-(\d+))?", path.stem)
        for path in folder.glob(f"{STATE}*.npz")
    }
    return {path: int(name[1] or 1) for path, name in found.items() if name}
