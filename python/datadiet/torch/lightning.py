"""A `Recorder` in Lightning's training loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from datadiet.recorder import Recorder
from datadiet.torch.batches import batch_of
from datadiet.torch.errors import BatchError

if TYPE_CHECKING:
    from lightning.pytorch import Callback
else:
    try:
        from lightning.pytorch import Callback
    except ImportError:
        from pytorch_lightning import Callback


class LightningRecorder(Callback):
    """Records the logits of every training step, and ends the recorder's epochs with the trainer's.

    ``training_step`` returns ``{"loss": loss, "logits": logits}``. Labels and ids are what it returns
    as ``"labels"`` and ``"ids"``, or else those of the batch: ``(inputs, labels, ids)``, or a mapping
    with these keys. `datadiet.torch.indexed` adds ids to a data set. The recorder's state is saved and
    restored with Lightning's checkpoints. A checkpoint in mid-epoch has the state at the epoch's start,
    since Lightning goes on with other examples than those that were left: `Recorder.unseen` counts what
    that epoch then missed.

    The logits are those of the training step: training mode, augmented. See `datadiet.Recorder`.

    Parameters
    ----------
    recorder
        With the full training set's size. In distributed training each rank has one of its own:
        `datadiet.Recorder.merge_ranks`.

    Raises
    ------
    BatchError
        In training: the step does not return logits, or there are no ids.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._start: dict[str, Any] = {}
        self._last_batch = False

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._mark_start()

    def _mark_start(self) -> None:
        self._start = self.recorder.state_dict()
        self._last_batch = False

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if not isinstance(outputs, Mapping) or "logits" not in outputs:
            raise BatchError(
                'training_step must return {"loss": loss, "logits": logits} for LightningRecorder'
            )
        if "labels" in outputs and "ids" in outputs:
            labels, ids = outputs["labels"], outputs["ids"]
        else:
            found = batch_of(batch)
            labels, ids = found.labels, found.ids
        if ids is None:
            raise BatchError(
                "the batch has no ids: make the loader of datadiet.torch.indexed(dataset), or return"
                ' "labels" and "ids" from training_step'
            )
        self.recorder.update(ids, outputs["logits"], labels)
        self._last_batch = trainer.is_last_batch

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self.recorder.end_epoch()

    def state_dict(self) -> dict[str, Any]:
        whole = self._last_batch or not self.recorder.unfinished
        arrays = self.recorder.state_dict() if whole else self._start
        # Tensors, since checkpoints are loaded without pickled objects of other kinds.
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.recorder.load_state_dict(
            {name: value.cpu().numpy() for name, value in state_dict.items()}
        )
        if self.recorder.unfinished:
            # Saved between an epoch's last batch and its end, which does not come again.
            self.recorder.end_epoch()
        self._mark_start()
