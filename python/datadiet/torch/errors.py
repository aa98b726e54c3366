"""What can go wrong with models, losses and loaders, each with the next thing to do."""

from __future__ import annotations

from datadiet.exceptions import DatadietError


class ModelError(DatadietError, ValueError):
    """A model for which the gradient norm cannot be given exactly."""

    parameters: list[str] | None = None
    """Names of the parameters concerned."""


class LossError(DatadietError, ValueError):
    """A loss that is not one number an example."""


class BatchError(DatadietError, ValueError):
    """A batch that is not inputs and labels, with or without ids."""


class FrozenParametersWarning(UserWarning):
    """Parameters that do not train are not part of the norm."""
