"""What can go wrong with models, losses and loaders, each with the next thing to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from datadiet.exceptions import DatadietError

if TYPE_CHECKING:
    from torch import nn


class ModelError(DatadietError, ValueError):
    """A model for which the gradient norm cannot be given exactly."""

    parameters: list[str] | None = None
    """Names of the parameters concerned."""


class LayerUseError(ModelError):
    """A layer that a batch uses in a way that its rule does not cover; a backward pass an example does."""

    def __init__(self, message: str, concerned: Mapping[nn.Parameter, str]) -> None:
        super().__init__(f'{message}; pass fallback="loop"', parameters=[*concerned.values()])
        self.concerned = [*concerned]


class LossError(DatadietError, ValueError):
    """A loss that is not one number an example."""


class BatchError(DatadietError, ValueError):
    """A batch that is not inputs and labels, with or without ids."""


class FrozenParametersWarning(UserWarning):
    """Parameters that do not train are not part of the norm."""


class DietWarning(UserWarning):
    """A `DietSampler` whose losses or weights a loop does not use as its rule has it."""
