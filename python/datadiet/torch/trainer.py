"""A recorder in the training loop of Hugging Face's `Trainer` and of those that are made of it, such as TRL's.

What is recorded is computed from the outputs of the step's own forward pass, an example at a time: it does not
depend on how the trainer makes one loss of them (its sum over the tokens of all accumulated batches,
``num_items_in_batch``), on padding, or on the examples beside it.
"""

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
from datadiet.torch.errors import BatchError
from datadiet.torch.first_presentations import FirstPresentations
from datadiet.torch.outputs import (
    record_classes,
    record_losses,
    record_tokens,
    takes_losses,
    takes_tokens,
)
from datadiet.torch.pieces import lengths_if_cut

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
    """Records what every training step computes, and ends the recorder's epochs with the trainer's.

    The training set needs ids: ``train_dataset=datadiet.torch.indexed(train)``, or a column ``"ids"``;
    and since the trainer drops columns that the model does not take,
    ``TrainingArguments(remove_unused_columns=False)`` (remove those that are not tensors yourself). The
    ids are taken from a batch before the model sees it; `datadiet.torch.keep_ids` leads them around a
    collator that drops them::

        recorder = Recorder(len(train), n_classes=2, pass_="training mode")
        args = TrainingArguments("out", remove_unused_columns=False)
        trainer = Trainer(model, args, train_dataset=indexed(train), data_collator=collator,
                          callbacks=[TrainerRecorder(recorder)])
        trainer.train()

    What the recorder is, is what is recorded:

    - `datadiet.Recorder`: logits of one class an example;
    - `datadiet.TokenRecorder`: tokens, of causal and masked language models and of token classification; of
      several examples in a row (packing, padding-free batches) where the ids are those of tokens, which
      `datadiet.torch.keep_ids` and `datadiet.torch.pack` make. TRL's ``SFTTrainer`` gives log-probabilities
      in place of logits, and so do logits on a GPU: there is then no EL2N and no accuracy;
    - `datadiet.LossRecorder`: `losses` of outputs and inputs, of any task;
    - `datadiet.MultiLabelRecorder`, `datadiet.RegressionRecorder`: logits, or outputs, and labels.

    All come from the training step: training mode. See `datadiet.Recorder`. Gradients that are accumulated
    make no difference: each batch is recorded when it is computed.

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
        Where the trainer does not pass labels to the model (label smoothing, a loss function of your own):
        labels by id, one an example; or a function of the model's inputs, a dictionary, that gives those of
        the batch, such as ``lambda inputs: inputs["input_ids"]``.
    logits
        Of the model's output, its logits (or outputs, of a regression).
    losses
        Of the model's output and of its inputs, a dictionary, the B losses of a `datadiet.LossRecorder`, or
        a dictionary of such by part.
    shift
        Of a `datadiet.TokenRecorder`: whether the logits at t are of the label at t + 1. Unasked it is known
        of transformers' causal language models (they are) and of those of token classification, masked and
        sequence-to-sequence language models (they are not).

    Attributes
    ----------
    recorder
        The recorder.
    repeated
        Rows that were left out, since their examples came before in the same epoch and process:
        accelerate fills up the last batch of several processes so (``even_batches``).
    unlabelled
        Examples that were left out since none of their tokens had a label.

    Raises
    ------
    ShapeError
        ``labels`` that are not one an example.
    BatchError
        Unused columns are removed, a hyperparameter search; in training: no ids, no labels, or outputs of
        another shape.
    LossError
        ``losses`` that are one number for the batch.
    StateError
        A checkpoint of another number of processes, or without the state of one; a recorder that another
        training left in mid-epoch.
    """

    def __init__(
        self,
        recorder: Any,
        *,
        labels: Wholes | Callable[[dict[str, Any]], Any] | None = None,
        logits: Callable[[Any], Any] = logits_of,
        losses: Callable[[Any, dict[str, Any]], Any] | None = None,
        shift: bool | None = None,
    ) -> None:
        self.recorder = recorder
        self.labels = labels if labels is None or callable(labels) else wholes(labels)
        if isinstance(self.labels, np.ndarray) and self.labels.shape != (recorder.n_examples,):
            raise ShapeError(
                f"labels are {self.labels.shape}; pass one for each of the {recorder.n_examples} examples"
            )
        if takes_losses(recorder) and losses is None:
            raise BatchError(
                "pass TrainerRecorder(recorder, losses=lambda outputs, inputs: …) with one loss an example, or a"
                " datadiet.TokenRecorder for tokens and a datadiet.Recorder for classes"
            )
        self.logits = logits
        self.losses = losses
        self.shift = shift
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

    @property
    def unlabelled(self) -> int:
        return self._rows.unlabelled

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
        if takes_tokens(self.recorder):
            data = getattr(kwargs.get("train_dataloader"), "dataset", None)
            self._rows.hold(lengths_if_cut(data, self.recorder.n_examples))
            if self._rows.holds and args.world_size > 1:
                raise BatchError(
                    "texts are cut into pieces that may come to several processes; pack with"
                    ' strategy="bfd", which cuts them off, or train in one process'
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
        self._batch.inputs = dict(kwargs)
        return args, kwargs

    def _after(self, model: torch.nn.Module, args: Any, outputs: Any) -> None:
        ids, inputs = self._batch.ids, self._batch.inputs
        # Nothing of a batch is kept until the next one comes.
        self._batch.ids = self._batch.inputs = None
        # Not an evaluation, and not a second look for metrics, as TRL's with a loss of one's own.
        if not (model.training and torch.is_grad_enabled()):
            return
        if ids is None:
            raise BatchError(
                'a training batch has no "ids"; pass train_dataset=datadiet.torch.indexed(…), and a'
                " data_collator that keeps them: datadiet.torch.keep_ids(collator)"
            )
        with self._lock:
            if takes_losses(self.recorder):
                assert self.losses is not None
                record_losses(self._rows, ids, self.losses(outputs, inputs))
            elif takes_tokens(self.recorder):
                self._tokens(model, ids, inputs, outputs)
            else:
                labels = self._labels(ids, inputs)
                record_classes(self._rows, ids, self.logits(outputs), labels)

    def _labels(self, ids: Any, inputs: dict[str, Any]) -> Any:
        if callable(self.labels):
            labels = self.labels(inputs)
        elif self.labels is not None:
            # The recorder refuses ids out of range.
            labels = self.labels.take(wholes(ids, "ids"), mode="clip")
        else:
            labels = inputs.get("labels")
        if labels is None:
            raise BatchError(
                "the model gets no labels, since the trainer computes the loss; pass"
                " TrainerRecorder(recorder, labels=…) with one label an example, by id, or with a function of"
                " the model's inputs"
            )
        return labels

    def _tokens(
        self, model: torch.nn.Module, ids: Any, inputs: dict[str, Any], outputs: Any
    ) -> None:
        shift = _shifts(model) if self.shift is None else self.shift
        # As transformers does with labels that are shifted already.
        shifted = inputs.get("shift_labels")
        labels = self._labels(ids, inputs) if shifted is None else shifted
        shift = shift and shifted is None
        log_probs = getattr(outputs, "log_probs", None)
        if log_probs is not None and self.logits is logits_of:
            record_tokens(self._rows, ids, labels, shift, log_probs=log_probs)
        else:
            record_tokens(self._rows, ids, labels, shift, logits=self.logits(outputs))


_HOOKS: WeakKeyDictionary[torch.nn.Module, list[Any]] = WeakKeyDictionary()
"""The hooks on a model that is being recorded."""


def _shifts(model: torch.nn.Module) -> bool:
    """Whether a model's logits at t are of the label at t + 1, by the kind of model that it is."""
    from transformers.models.auto import modeling_auto as kinds

    # Of PEFT.
    base: Any = getattr(model, "get_base_model", None)
    if base is not None:
        model = base()
    names = {part.__name__ for part in type(model).__mro__}
    causal = bool(names & {*kinds.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values()})
    other = bool(
        names
        & {
            *kinds.MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES.values(),
            *kinds.MODEL_FOR_MASKED_LM_MAPPING_NAMES.values(),
            *kinds.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES.values(),
        }
    )
    if causal != other:
        return causal
    raise BatchError(
        f"whether the logits of a {type(model).__name__} at t are of the label at t + 1 is not known; pass"
        " TrainerRecorder(recorder, shift=True), or False if they are of that at t"
    )


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
