"""A recorder in the training loop of Keras 3, on its backends PyTorch and JAX.

Keras' own callbacks see averages only, so `KerasRecorder` looks on where the model computes its loss: what it
records are the outputs of the training step, no pass more. Ids ride with the labels (`with_ids`), and are taken
off before loss and metrics see them. On JAX, whose steps are compiled, outputs come back by
``jax.debug.callback``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from datadiet._arrays import Wholes, wholes
from datadiet.exceptions import DtypeError, IdError, LabelError, ShapeError, StateError
from datadiet.loss_recorder import LossRecorder
from datadiet.recorder import Recorder
from datadiet.tokens import TokenRecorder

__all__ = ["KerasRecorder", "with_ids"]

_MOST_ID = 2**31 - 1
_KEYS = {"labels", "ids"}
_WRAPPED = ("compute_loss", "compute_metrics")


def with_ids(y: Any, ids: Wholes | None = None) -> dict[str, Any]:
    """Labels with the ids of their examples, as ``fit`` takes them for `KerasRecorder`.

    Parameters
    ----------
    y
        n labels, or whatever else the loss is of.
    ids
        n ids; 0 to n − 1 where there are none, the rows of the full training set.

    Returns
    -------
    ``{"labels": y, "ids": ids}``. A loader of your own yields ``(x, that)`` of each batch.

    Raises
    ------
    ShapeError
        Another number of ids than of labels.
    IdError
        An id below 0, or of 2³¹ or more.

    Examples
    --------
    >>> from datadiet.keras import with_ids
    >>> with_ids([1, 0])["ids"]
    array([0, 1], dtype=int32)
    """
    labels = y if isinstance(y, Mapping) or hasattr(y, "shape") else np.asarray(y)
    count = len(next(iter(labels.values())) if isinstance(labels, Mapping) else labels)
    numbers = np.arange(count) if ids is None else wholes(ids, "ids")
    if numbers.shape != (count,):
        raise ShapeError(
            f"there are {count} labels and ids of {numbers.shape}; pass one id a label"
        )
    # Keras on JAX has no wider numbers, and a cast would give other examples' ids.
    wide = np.flatnonzero((numbers < 0) | (numbers > _MOST_ID))
    if len(wide):
        row = int(wide[0])
        raise IdError(
            f"row {row} has the id {numbers[row]}, and Keras takes ids of 0 to {_MOST_ID}; number the examples"
            " from 0 (leave ids out), and keep your own ids in a list by these numbers",
            row=row,
            id=int(numbers[row]),
        )
    return {"labels": labels, "ids": numbers.astype(np.int32)}


class KerasRecorder(keras.callbacks.Callback):
    """Records the outputs of every training step of ``model.fit``, and ends the recorder's epochs with Keras'.

    ::

        recorder = datadiet.Recorder(len(x), n_classes=10, pass_="training mode")
        callback = KerasRecorder(recorder, model)        # after model.compile(…)
        model.fit(x, with_ids(y), epochs=10, callbacks=[callback])

    Make it after ``compile`` and before ``fit``. Validation data may have ids or not; they are not
    recorded. With ``validation_split`` the examples that are split off count as unseen.
    ``class_weight`` does not go with labels that have ids: pass ``sample_weight``.

    Going on from a checkpoint: save `Recorder.state_dict` with it, and load it into the recorder before
    ``fit(initial_epoch=…)``.

    Parameters
    ----------
    recorder
        `datadiet.Recorder`: outputs B × K logits or probabilities, or one of each example for two classes;
        labels B class numbers, B × 1, or B × K rows with one 1.
        `datadiet.LossRecorder`: the compiled loss of each example, before any weights or regularisers.
        `datadiet.TokenRecorder`: outputs B × T × V logits, each of the label at its place, labels B × T.
        `datadiet.MultiLabelRecorder`, `datadiet.RegressionRecorder`: logits, or outputs, and labels.
    model
        The compiled model.
    from_logits
        Whether outputs are logits rather than probabilities, where the compiled loss does not say.
    losses
        Of labels and outputs, tensors of the backend, B losses, in place of the compiled loss: for a
        `datadiet.LossRecorder` of a model with several outputs.

    Raises
    ------
    StateError
        A model that is not compiled; a backend that is not PyTorch or JAX; in training: a recorder that an
        interrupted training left in mid-epoch.
    LabelError, ShapeError, DtypeError
        In training: a batch without ids; labels or outputs that the recorder does not take.
    """

    def __init__(
        self,
        recorder: Any,
        model: Any,
        *,
        from_logits: bool | None = None,
        losses: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        super().__init__()
        if keras.backend.backend() not in ("torch", "jax"):
            raise StateError(
                f"Keras runs on {keras.backend.backend()}; set KERAS_BACKEND to torch or jax, or record a"
                " pass of your own after each epoch: recorder.update(ids, model.predict(x), y)"
            )
        if not model.compiled:
            raise StateError("the model is not compiled; make KerasRecorder after model.compile(…)")
        self.recorder = recorder
        self.losses = losses
        self._from_logits = from_logits
        self._observed = model
        self._training = False
        self._lock = threading.Lock()
        # Of a thread of the backend's.
        self._error: Exception | None = None
        # An interrupted training does not tell its callback that it ended.
        self._unwrap()
        # Before fit, which builds the model on labels with ids before it calls callbacks.
        self._wrap()

    def _wrap(self) -> None:
        model = self._observed
        own = vars(model)
        own["compute_loss"] = _Without(self, model.compute_loss, self._look)
        own["compute_metrics"] = _Without(self, model.compute_metrics)
        # Compiled without them.
        model.train_function = model.test_function = None

    def _owner(self) -> KerasRecorder | None:
        wrapped = vars(self._observed).get("compute_loss")
        return wrapped.owner if isinstance(wrapped, _Without) else None

    def _unwrap(self) -> None:
        model = self._observed
        for name in _WRAPPED:
            if isinstance(vars(model).get(name), _Without):
                # What is of the class comes back; what was the model's own is put back.
                was = vars(model).pop(name).was
                if getattr(was, "__func__", None) is not getattr(type(model), name):
                    vars(model)[name] = was
        model.train_function = model.test_function = None

    def on_train_begin(self, logs: Any = None) -> None:
        if self.model is not self._observed:
            raise StateError("KerasRecorder was made for another model; make one for this model")
        if self.recorder.unfinished:
            raise StateError(
                "the recorder is in the middle of an epoch of an interrupted training; make a new one, or"
                " load its state from a checkpoint: recorder.load_state_dict(…)"
            )
        owner = self._owner()
        if owner is None:
            self._wrap()
        elif owner is not self:
            raise StateError(
                "another KerasRecorder was made for this model since; pass that one alone"
            )

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._training = True

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._training = False
        self._raise()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if keras.backend.backend() == "jax":
            import jax

            jax.effects_barrier()
        self._raise()
        self.recorder.end_epoch()

    def on_train_end(self, logs: Any = None) -> None:
        self._unwrap()

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            self._unwrap()
            raise error

    def _look(self, y: Any, outputs: Any, training: bool | None) -> None:
        """Where the loss is computed; on JAX while the step is compiled."""
        if not (self._training if training is None else training):
            return
        if not _has_ids(y):
            self._unwrap()
            raise LabelError(
                "a training batch has no ids; pass fit(x, datadiet.keras.with_ids(y)), or yield such"
                " labels from the loader"
            )
        given = y["labels"]
        if isinstance(self.recorder, LossRecorder):
            loss = self.losses or _unreduced(self._observed.loss)
            given, outputs = None, _of_each(loss(given, outputs))
        if keras.backend.backend() == "jax":
            import jax

            ids, outputs, given = jax.lax.stop_gradient((y["ids"], outputs, given))
            jax.debug.callback(self._take, ids, outputs, given)
        else:
            self._take(y["ids"], outputs, given)

    def _take(self, ids: Any, outputs: Any, labels: Any) -> None:
        try:
            with self._lock:
                self._record(ids, outputs, labels)
        except Exception as error:  # A compiled step would only print it.
            self._error = self._error or error

    def _record(self, ids: Any, outputs: Any, labels: Any) -> None:
        if labels is None:
            self.recorder.update(ids, outputs)
        elif isinstance(self.recorder, Recorder):
            from_logits = self._from_logits
            if from_logits is None:
                from_logits = _from_logits(self._observed.loss)
            matrix, classes = _columns(outputs, from_logits), _classes(labels)
            if from_logits:
                self.recorder.update(ids, matrix, classes)
            else:
                self.recorder.update(ids, probs=matrix, labels=classes)
        elif isinstance(self.recorder, TokenRecorder):
            # A label of Keras is that of the output at its place.
            self.recorder.update(ids, outputs, labels, shift=False)
        else:
            self.recorder.update(ids, outputs, labels)


class _Without:
    """A model's method that gets labels without their ids."""

    def __init__(
        self, owner: KerasRecorder, was: Any, look: Callable[..., None] | None = None
    ) -> None:
        self.owner, self.was, self.look = owner, was, look

    def __call__(
        self, x: Any = None, y: Any = None, y_pred: Any = None, *rest: Any, **named: Any
    ) -> Any:
        if self.look is not None:
            self.look(y, y_pred, named.get("training"))
        return self.was(x, y["labels"] if _has_ids(y) else y, y_pred, *rest, **named)


def _has_ids(y: Any) -> bool:
    return isinstance(y, Mapping) and set(y) == _KEYS


def _from_logits(loss: Any) -> bool:
    """Whether a compiled loss is of logits."""
    found = getattr(loss, "from_logits", None)
    if found is None and isinstance(loss, str):
        found = False
    if found is None:
        raise DtypeError(
            "the compiled loss does not say whether the outputs are logits; pass"
            " KerasRecorder(recorder, model, from_logits=True), or False for probabilities"
        )
    return bool(found)


def _columns(outputs: Any, from_logits: bool) -> Any:
    """B × K; of the one output of two classes both columns."""
    if len(outputs.shape) == 2 and outputs.shape[1] > 1:
        return outputs
    if len(outputs.shape) > 2:
        raise ShapeError(
            f"the model's outputs are {tuple(outputs.shape)}, not examples by classes; record them with"
            " datadiet.TokenRecorder or datadiet.LossRecorder"
        )
    one = keras.ops.convert_to_numpy(outputs).reshape(-1)
    return np.stack([np.zeros_like(one) if from_logits else 1 - one, one], axis=1)


def _classes(labels: Any) -> Any:
    """B class numbers."""
    if len(labels.shape) < 2:
        return labels
    rows = keras.ops.convert_to_numpy(labels)
    if rows.shape[1] == 1:
        return rows[:, 0]
    if not ((rows == 0) | (rows == 1)).all() or not (rows.sum(axis=1) == 1).all():
        raise LabelError(
            "labels of several columns must have one 1 a row; of smoothed or mixed labels record the"
            " losses, with datadiet.LossRecorder"
        )
    return rows.argmax(axis=1)


def _unreduced(loss: Any) -> Callable[[Any, Any], Any]:
    """The compiled loss as a function of labels and outputs, before the mean over the batch."""
    if loss is None or isinstance(loss, (list, tuple, dict)):
        raise DtypeError(
            "the model is compiled with several losses or none; pass KerasRecorder(recorder, model,"
            " losses=lambda y, outputs: …) with one loss an example"
        )
    found = keras.losses.get(loss)
    return found.call if isinstance(found, keras.losses.Loss) else found


def _of_each(losses: Any) -> Any:
    """B losses, the mean over all axes but the first, as Keras means over all."""
    if len(losses.shape) == 0:
        raise ShapeError(
            "the loss is one number for the batch; compile with a loss that gives one an example, or pass"
            " losses=lambda y, outputs: …"
        )
    axes = tuple(range(1, len(losses.shape)))
    return keras.ops.mean(losses, axis=axes) if axes else losses
