"""PyTorch's side: gradient norms of models, recording in training loops, subsets of data sets.

`grand` gives the norm of each example's gradient, `grad` a random projection of it, and `check` says how
much it depends on the batch that an example is in. `indexed` makes a loader yield ids, which
`Recorder.update` takes with a batch's logits and labels, tensors of any device; `LightningRecorder` and
`TrainerRecorder` are callbacks that do so. `subset` takes what `datadiet.select` chose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from datadiet.recorder import Recorder
from datadiet.torch.dependence import Dependence, check
from datadiet.torch.errors import BatchError, FrozenParametersWarning, LossError, ModelError
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
    "Dependence",
    "FrozenParametersWarning",
    "Indexed",
    "LightningRecorder",
    "LossError",
    "ModelError",
    "Projection",
    "Recorder",
    "TokenLoss",
    "TrainerRecorder",
    "check",
    "cross_entropy",
    "grad",
    "grand",
    "indexed",
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
