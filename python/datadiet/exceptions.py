"""What can go wrong, each with the next thing to do in its message.

Every error of this package is a `DatadietError`, and also the builtin error that fits, so that
``except ValueError`` works as one would expect. Files that cannot be opened are Python's own
`OSError` (`FileNotFoundError`, `PermissionError`, …).
"""

from __future__ import annotations

from typing import Any


class DatadietError(Exception):
    """Base of all errors of this package.

    Some carry what they are about as attributes; each class says which. An attribute is ``None``
    where an error does not know it.
    """

    epoch: int | None = None
    """Epoch of a trajectory, counted from 1."""

    ids: list[int] | list[int | str] | None = None
    """Ids of the examples concerned; the first few of them. Texts where the owner's ids are texts."""

    def __init__(self, message: str = "", **details: Any) -> None:
        super().__init__(message)
        for name, value in details.items():
            setattr(self, name, value)


class ShapeError(DatadietError, ValueError):
    """Arrays whose lengths or axes do not fit each other."""


class DtypeError(DatadietError, TypeError):
    """An array of values that cannot be scores, logits, labels or ids."""


class LabelError(DatadietError, ValueError):
    """Labels that are not class indices, or that changed during training."""

    row: int | None = None
    """Row of the arrays passed, from 0."""

    id: int | None = None
    """The example, where its id is known."""

    label: int | None = None
    """The label."""

    classes: int | None = None
    """Number of classes."""


class NonFiniteError(DatadietError, ValueError):
    """NaN or infinity among logits, probabilities or gradient norms."""

    rows: list[int] | None = None
    """The first few rows concerned, from 0."""

    total: int | None = None
    """How many rows are concerned."""


class ProbabilityError(DatadietError, ValueError):
    """A negative probability, or a row that does not sum to 1 (within 0.01)."""

    row: int | None = None
    """Row of the matrix, from 0."""

    value: float | None = None
    """The sum, or the negative entry."""


class IdError(DatadietError, ValueError):
    """An example id outside the training set, or one that was seen before in the same epoch."""

    row: int | None = None
    """Place among the ids passed, from 0."""

    id: int | str | None = None
    """The id; a text where the owner's ids are texts."""


class StateError(DatadietError, ValueError):
    """The saved state of a recorder that cannot be read back, or recorders that cannot be merged."""


class SelectionError(DatadietError, ValueError):
    """A subset that does not exist, or that nobody can have meant."""


class StatisticsError(DatadietError, ValueError):
    """Columns that a statistic cannot be computed from."""


class UndefinedError(StatisticsError):
    """Columns for which a statistic is not defined, such as a correlation with a constant."""


class TableError(DatadietError, ValueError):
    """A file or an object that is not a table of scores."""


class ColumnError(TableError, KeyError):
    """A column or a score that does not exist, or cannot be added."""

    def __str__(self) -> str:
        # KeyError would show the message in quotes, with its line breaks escaped.
        return str(self.args[0]) if self.args else ""


class TrainerError(DatadietError, RuntimeError):
    """A training function that cannot be started, or that does not do what its job says."""


class CommandError(DatadietError, RuntimeError):
    """The command ``datadiet`` is not there, or could not do what was asked; its words are the message."""


class TrackerError(DatadietError, RuntimeError):
    """A run of MLflow, W&B or TensorBoard that nothing can be logged to, or none."""
