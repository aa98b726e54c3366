"""A `Recorder` in the training loop of Hugging Face's `Trainer`."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import TrainerCallback

from datadiet._arrays import Wholes, wholes
from datadiet.recorder import Recorder
from datadiet.torch.errors import BatchError

STATE = "datadiet-recorder.npz"
"""The recorder's state, in the folder of a checkpoint."""


class TrainerRecorder(TrainerCallback):
    """Records the logits of every training step, and ends the recorder's epochs with the trainer's.

    The training set needs ids: ``train_dataset=datadiet.torch.indexed(train)``, or a column ``"ids"``;
    and since the trainer drops columns that the model does not take,
    ``TrainingArguments(remove_unused_columns=False)`` (remove those that are not tensors yourself). The
    ids are taken from a batch before the model sees it. The recorder's state is saved and restored with
    the trainer's checkpoints.

    The logits are those of the training step: training mode. See `datadiet.Recorder`.

    Parameters
    ----------
    recorder
        With the full training set's size. In distributed training each rank has one of its own:
        `datadiet.Recorder.merge_ranks`.
    labels
        Labels by id, where the trainer does not pass them to the model: with label smoothing or a loss
        function of your own.
    logits
        Of the model's output, its ``B x K`` logits.

    Raises
    ------
    BatchError
        Unused columns are removed; in training: no ids, no labels, or logits of another shape.
    """

    def __init__(
        self,
        recorder: Recorder,
        *,
        labels: Wholes | None = None,
        logits: Callable[[Any], Any] = lambda outputs: outputs.logits,
    ) -> None:
        self.recorder = recorder
        self.labels = None if labels is None else wholes(labels)
        self.logits = logits
        self._handles: list[Any] = []
        # Each replica of DataParallel runs in a thread of its own.
        self._batch = threading.local()

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if args.remove_unused_columns:
            raise BatchError(
                "the trainer would drop the ids: pass TrainingArguments(remove_unused_columns=False), and"
                " remove the columns that are not tensors from the data set"
            )
        if state.global_step:
            self._restore(_folder(args, state))
            self._continue(args, state)
        model = kwargs["model"]
        self._remove()
        self._handles = [
            model.register_forward_pre_hook(self._before, with_kwargs=True),
            model.register_forward_hook(self._after),
        ]

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.recorder.end_epoch()

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        folder = _folder(args, state)
        if folder.is_dir():
            aside = folder / f".{STATE}"
            with open(aside, "wb") as file:
                arrays: dict[str, Any] = dict(self.recorder.state_dict())
                np.savez(file, **arrays)
            aside.replace(folder / STATE)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._remove()

    def _restore(self, folder: Path) -> None:
        path = folder / STATE
        if path.exists():
            with np.load(path, allow_pickle=False) as arrays:
                self.recorder.load_state_dict(dict(arrays))
        elif not self.recorder.epochs and not self.recorder.unfinished:
            warnings.warn(
                f"the training goes on from a checkpoint and {path} is not there: what came before is"
                " not in the scores",
                stacklevel=2,
            )

    def _continue(self, args: Any, state: Any) -> None:
        """The trainer goes on after the last step of the checkpoint."""
        if not self.recorder.unfinished:
            return
        if abs(state.epoch - round(state.epoch)) < 1e-6:
            # Saved between an epoch's last step and its end, which does not come again.
            self.recorder.end_epoch()
        elif args.ignore_data_skip:
            raise BatchError(
                "with ignore_data_skip=True the trainer shows again what the epoch of this checkpoint"
                " had seen; pass ignore_data_skip=False, or a checkpoint at the end of an epoch"
            )

    def _remove(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []

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
                'a training batch has no "ids"; pass train_dataset=datadiet.torch.indexed(…)'
            )
        if self.labels is not None:
            labels = self.labels[wholes(ids)]
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
        self.recorder.update(ids, logits, labels)


def _folder(args: Any, state: Any) -> Path:
    return Path(args.output_dir) / f"checkpoint-{state.global_step}"
