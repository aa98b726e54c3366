"""PyTorch's side: gradient norms of models, recording in training loops, choosing examples in them, subsets.

`grand` gives the norm of each example's gradient, `grad` a random projection of it, and `check` says how
much it depends on the batch that an example is in. `indexed` makes a loader yield ids, which
`Recorder.update` takes with a batch's logits and labels, tensors of any device; `LightningRecorder` and
`TrainerRecorder` are callbacks that do so, of Lightning and of Hugging Face's trainers, and `YoloRecorder` of
Ultralytics'; `DetectionLosses` gives torchvision's losses an image; `keep_ids` and `pack` keep ids of texts
through collators and packing. `subset` takes what `datadiet.select` chose. `DietSampler` chooses the
examples of each epoch while the training runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from datadiet.recorder import Recorder
from datadiet.torch.collators import keep_ids, pack
from datadiet.torch.dependence import Dependence, check
from datadiet.torch.detection import DetectionLosses, YoloRecorder
from datadiet.torch.diet_rules import (
    ClassBalanced,
    DietRule,
    Everything,
    InfoBatch,
    ProxyHardest,
    RandomSubsets,
    hardest,
)
from datadiet.torch.diet_sampler import DietSampler
from datadiet.torch.errors import (
    BatchError,
    DietWarning,
    FrozenParametersWarning,
    LossError,
    ModelError,
)
from datadiet.torch.gradient_norms import grand
from datadiet.torch.gradients import grad
from datadiet.torch.losses import TokenLoss, cross_entropy
from datadiet.torch.projection import Projection
from datadiet.torch.subsets import Indexed, indexed, subset

if TYPE_CHECKING:
    from datadiet.torch.lightning import LightningRecorder
    from datadiet.torch.trainer import TrainerRecorder

__all__ = [
    "BatchError",
    "ClassBalanced",
    "Dependence",
    "DetectionLosses",
    "DietRule",
    "DietSampler",
    "DietWarning",
    "Everything",
    "FrozenParametersWarning",
    "Indexed",
    "InfoBatch",
    "LightningRecorder",
    "LossError",
    "ModelError",
    "Projection",
    "ProxyHardest",
    "RandomSubsets",
    "Recorder",
    "TokenLoss",
    "TrainerRecorder",
    "YoloRecorder",
    "check",
    "cross_entropy",
    "grad",
    "grand",
    "hardest",
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
