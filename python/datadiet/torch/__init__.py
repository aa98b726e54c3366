"""PyTorch's side: gradient norms of models, recording in training loops, subsets of data sets.

`grand` gives the norm of each example's gradient. `indexed` makes a loader yield ids, which
`Recorder.update` takes with a batch's logits and labels, tensors of any device; `LightningRecorder` and
`TrainerRecorder` are callbacks that do so, of Lightning and of Hugging Face's trainers, and `YoloRecorder` of
Ultralytics'; `DetectionLosses` gives torchvision's losses an image; `keep_ids` and `pack` keep ids of texts
through collators and packing. `subset` takes what `datadiet.select` chose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from datadiet.recorder import Recorder
from datadiet.torch.collators import keep_ids, pack
from datadiet.torch.detection import DetectionLosses, YoloRecorder
from datadiet.torch.errors import BatchError, FrozenParametersWarning, LossError, ModelError
from datadiet.torch.gradient_norms import cross_entropy, grand
from datadiet.torch.subsets import Indexed, indexed, subset

if TYPE_CHECKING:
    from datadiet.torch.lightning import LightningRecorder
    from datadiet.torch.trainer import TrainerRecorder

__all__ = [
    "BatchError",
    "DetectionLosses",
    "FrozenParametersWarning",
    "Indexed",
    "LightningRecorder",
    "LossError",
    "ModelError",
    "Recorder",
    "TrainerRecorder",
    "YoloRecorder",
    "cross_entropy",
    "grand",
    "indexed",
    "keep_ids",
    "pack",
    "subset",
]


def __getattr__(name: str) -> Any:
    # Lightning and transformers are loaded by those who ask for their callbacks.
    if name == "LightningRecorder":
        from datadiet.torch.lightning import LightningRecorder

        return LightningRecorder
    if name == "TrainerRecorder":
        from datadiet.torch.trainer import TrainerRecorder

        return TrainerRecorder
    raise AttributeError(f"module {__name__} has no attribute {name}")
