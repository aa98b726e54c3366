"""A recorder in Lightning's training loop."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import distributed

from datadiet.exceptions import StateError
from datadiet.torch.batches import batch_of
from datadiet.torch.errors import BatchError
from datadiet.torch.first_presentations import FirstPresentations
from datadiet.torch.outputs import (
    record_classes,
    record_losses,
    record_tokens,
    takes_losses,
    takes_tokens,
)

if TYPE_CHECKING:
    from lightning.pytorch import Callback
else:
    try:
        from lightning.pytorch import Callback
    except ImportError:
        from pytorch_lightning import Callback


class LightningRecorder(Callback):
    """Records what every training step returns, and ends the recorder's epochs with the trainer's.

    ``training_step`` returns ``{"loss": loss, "logits": logits}``: B × K logits for a `datadiet.Recorder`,
    B × T × V of tokens (or ``"log_probs"``, B × T) for a `datadiet.TokenRecorder`, outputs and targets of
    any shape for others; and for a `datadiet.LossRecorder` in place of logits ``"losses"``, B losses or a
    dictionary of such by part, and if need be ``"length"``. Labels and ids are what it returns
    as ``"labels"`` and ``"ids"``, or else what the batch has: ``(inputs, labels, ids)``, or a mapping
    with these keys. A step that returns None skips its batch, as Lightning has it, and the examples
    count as unseen. `datadiet.torch.indexed` adds ids to a data set::

        recorder = Recorder(len(train), n_classes=10, pass_="training mode, augmented")
        trainer = lightning.Trainer(callbacks=[LightningRecorder(recorder)])
        trainer.fit(model, DataLoader(indexed(train), batch_size=64, shuffle=True))

    They come from the training step: training mode, augmented. See `datadiet.Recorder`.

    **Checkpoints.** The recorder's state is saved with Lightning's, and restored by
    ``trainer.fit(ckpt_path=…)``. A checkpoint in mid-epoch has the state at the epoch's start, since
    Lightning goes on with other examples than those that were left: `Recorder.unseen` counts what that
    epoch then missed.

    **Several processes.** Each has a recorder of its own, of the full training set's size, and a
    checkpoint has the states of all; it takes as many processes to go on from it. After the training,
    in each process::

        ranks = [None] * torch.distributed.get_world_size()
        torch.distributed.all_gather_object(ranks, recorder)
        ranks[0].merge_ranks(*ranks[1:])
        table = ranks[0].table()

    Strategies that start processes from a notebook or a function (``"ddp_notebook"``, ``"ddp_spawn"``)
    take the recorders with them when they end: merge and save in ``on_train_end`` there.

    Parameters
    ----------
    recorder
        With the full training set's size.
    shift
        Of a `datadiet.TokenRecorder`, which must be told: whether the logits at t are of the label at t + 1.

    Attributes
    ----------
    recorder
        The recorder.
    repeated
        Rows that were left out, since their examples came before in the same epoch and process:
        samplers of several processes fill up the last batch so.

    Raises
    ------
    BatchError
        In training: the step does not return logits or losses, or there are no ids; of tokens, `shift` was
        not said.
    LossError
        ``"losses"`` that are one number for the batch.
    StateError
        A checkpoint of another number of processes; a recorder that an interrupted training left in
        mid-epoch.
    """

    def __init__(self, recorder: Any, *, shift: bool | None = None) -> None:
        if takes_tokens(recorder) and shift is None:
            raise BatchError(
                "pass LightningRecorder(recorder, shift=True) where the logits at t are of the label at t + 1,"
                " as of a causal language model whose labels are its input_ids, otherwise shift=False"
            )
        self.recorder = recorder
        self.shift = bool(shift)
        self._rows = FirstPresentations(recorder)
        self._mark_start()

    @property
    def repeated(self) -> int:
        return self._rows.repeated

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        if trainer.global_step and not (self.recorder.epochs or self.recorder.unfinished):
            warnings.warn(
                "the training goes on from a checkpoint without the state of a LightningRecorder: what"
                " came before is not in the scores",
                stacklevel=2,
            )

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._end_whole_epoch()
        if self.recorder.unfinished:
            raise StateError(
                "the recorder is in the middle of an epoch of an interrupted training; make a new one, or"
                " go on from a checkpoint: trainer.fit(ckpt_path=…)"
            )
        self._mark_start()

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._end_whole_epoch()
        self._whole = trainer.is_last_batch
        if _skipped(outputs) and pl_module.automatic_optimization:
            return
        losses, tokens = takes_losses(self.recorder), takes_tokens(self.recorder)
        wanted = ["losses"] if losses else ["logits", *(["log_probs"] if tokens else [])]
        if not isinstance(outputs, Mapping) or not any(name in outputs for name in wanted):
            raise BatchError(
                f'training_step must return {{"loss": loss, "{wanted[0]}": {wanted[0]}}} for LightningRecorder'
                f" with a {type(self.recorder).__name__}"
            )
        labels, ids = outputs.get("labels"), outputs.get("ids")
        if ids is None or (labels is None and not losses):
            found = batch_of(batch)
            labels = found.labels if labels is None else labels
            ids = found.ids if ids is None else ids
        if ids is None:
            raise BatchError(
                "the batch has no ids: make the loader of datadiet.torch.indexed(dataset), or return"
                ' "labels" and "ids" from training_step'
            )
        if losses:
            record_losses(self._rows, ids, outputs["losses"], outputs.get("length"))
        elif tokens:
            of = {name: outputs[name] for name in wanted if outputs.get(name) is not None}
            record_tokens(self._rows, ids, labels, self.shift, **of)
        else:
            record_classes(self._rows, ids, outputs["logits"], labels)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self._end_epoch()

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        self._end_whole_epoch()

    def _end_whole_epoch(self) -> None:
        """After a checkpoint between an epoch's last batch and its end, the end may not come again."""
        if self._whole:
            self._end_epoch()

    def _end_epoch(self) -> None:
        self._rows.end_epoch()
        self._mark_start()

    def _mark_start(self) -> None:
        self._start = self._rows.state_dict()
        self._whole = False

    # The hooks of checkpoints are used that know the trainer; state_dict and load_state_dict do not.

    def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        whole = self._whole or not self.recorder.unfinished
        arrays = self._rows.state_dict() if whole else self._start
        # Tensors, since checkpoints are loaded without pickled objects of other kinds.
        ranks = {
            rank: {name: torch.from_numpy(array) for name, array in state.items()}
            for rank, state in _gathered(arrays, trainer).items()
        }
        checkpoint["callbacks"][self.state_key] = {"world_size": trainer.world_size, "ranks": ranks}

    def on_load_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        saved = checkpoint["callbacks"].get(self.state_key)
        # Evaluation of a checkpoint leaves what the training recorded.
        if saved is None or not trainer.training:
            return
        if saved["world_size"] != trainer.world_size:
            raise StateError(
                f"the checkpoint has the recorders of {saved['world_size']} processes, and this training has"
                f" {trainer.world_size}: go on with {saved['world_size']}"
            )
        state = saved["ranks"][trainer.global_rank]
        self._rows.load_state_dict({name: value.cpu().numpy() for name, value in state.items()})
        self._mark_start()
        self._whole = self.recorder.unfinished > 0


def _skipped(outputs: Any) -> bool:
    """Whether training_step returned None. In manual optimisation it may have trained all the same."""
    return outputs is None or (isinstance(outputs, Mapping) and not outputs)


def _gathered(state: dict[str, Any], trainer: Any) -> dict[int, dict[str, Any]]:
    """The states by rank: of all on the first, which writes the checkpoint; each has its own.

    Lightning makes checkpoints on all ranks at once.
    """
    own = {trainer.global_rank: state}
    if trainer.world_size == 1:
        return own
    if not (distributed.is_available() and distributed.is_initialized()):
        raise StateError(
            "the recorders of several processes are saved through torch.distributed, which this strategy"
            " does not use; pass ModelCheckpoint(save_weights_only=True), or train without LightningRecorder"
        )
    names: list[Any] = [None] * trainer.world_size
    distributed.all_gather_object(names, list(state))
    if any(other != names[0] for other in names):
        raise StateError(
            "the processes' recorders differ in their epochs, keep_at or mergeable; make and use them alike"
        )
    ranks: list[dict[str, Any]] = [{} for _ in names]
    # One array at a time, since NCCL gathers in the GPU's memory.
    for name, array in state.items():
        arrays = [None] * trainer.world_size if trainer.global_rank == 0 else None
        distributed.gather_object(array, arrays)
        for rank, gathered in zip(ranks, arrays or (), strict=False):
            rank[name] = gathered
    return dict(enumerate(ranks)) if trainer.global_rank == 0 else own
