"""The first presentation of an example in an epoch, which is the one that is recorded.

Frameworks fill up the last batches of an epoch with examples that came before, so that all processes
have as many: accelerate from the epoch's first batches, `DistributedSampler` from its first examples.
Recorders refuse an id that comes twice in an epoch, since in a loop of one's own it is a mistake; here the
rows are left out and counted. Repeats on another process are not known here: ``merge_ranks`` counts them.

Texts that packing has cut into several rows are held until all of their tokens have come.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from datadiet._arrays import wholes
from datadiet.torch.collators import NO_EXAMPLE
from datadiet.torch.pieces import Held, laid_out

REPEATED = "presentations.repeated"
SEEN = "current.seen"
"""A recorder's examples of the current epoch, eight to a byte."""


class FirstPresentations:
    """A recorder that a framework's sampler feeds: of logits, losses, tokens or any other."""

    def __init__(self, recorder: Any) -> None:
        self.recorder = recorder
        self.repeated = 0
        self.unlabelled = 0
        self._held: Held | None = None
        self.refresh()

    def refresh(self) -> None:
        """Go on from what the recorder has now."""
        self._seen = _seen(self.recorder)

    def hold(self, lengths: npt.NDArray[np.int64] | None) -> None:
        """Hold texts that are cut into pieces, each until it has so many tokens, by id; None: none is cut."""
        self._held = None if lengths is None else Held(lengths)

    @property
    def holds(self) -> bool:
        """Whether texts are cut into pieces."""
        return self._held is not None

    def update(
        self, ids: Any, *values: Any, options: Mapping[str, Any] | None = None, **named: Any
    ) -> int:
        """As the recorder's ``update``, for the rows whose ids are new in this epoch; gives their number.

        Values are arrays of B rows, mappings of such, or None; `options` are the same for all rows.
        """
        options = options or {}
        if takes_any_ids(self.recorder):
            self.recorder.update(ids, *values, **named, **options)
            return len(ids)
        rows = wholes(ids, "ids")
        if not self._are_ids(rows) or not _fit(len(rows), [*values, *named.values()]):
            # The recorder says what is wrong with them.
            self.recorder.update(rows, *values, **named, **options)
            return len(rows)
        new = np.zeros(len(rows), dtype=np.bool_)
        new[np.unique(rows, return_index=True)[1]] = True
        new &= ~self._seen[rows]
        count = int(new.sum())
        if count == len(rows):
            self.recorder.update(rows, *values, **named, **options)
        elif count:
            kept = np.flatnonzero(new)
            some = [_rows(of, kept) for of in values]
            others = {name: _rows(of, kept) for name, of in named.items()}
            self.recorder.update(rows[kept], *some, **others, **options)
        self._seen[rows] = True
        self.repeated += len(rows) - count
        return count

    def update_tokens(self, ids: Any, *, labels: Any, shift: bool, **outputs: Any) -> None:
        """As `datadiet.TokenRecorder.update`: ids of rows, or of each token of packed rows.

        `outputs` are ``logits`` or ``log_probs``, these where texts are held. Examples without a labelled
        token are skipped, with a warning the first time, and counted in `unlabelled`.
        """
        rows = wholes(ids, "ids")
        before = self.recorder.unfinished
        options = {"shift": shift, "unlabelled": "skip"}
        if rows.ndim == 2:
            given = self._update_packed(rows, labels, options, outputs)
        else:
            given = self.update(rows, labels=labels, options=options, **outputs)
        skipped = given - (self.recorder.unfinished - before)
        if skipped and not self.unlabelled:
            warnings.warn(
                f"{skipped} examples of a batch have no labelled token, and count as unseen in this epoch:"
                " their labels are all ignored, since the answer was cut off, say; `unlabelled` counts them",
                stacklevel=2,
            )
        self.unlabelled += skipped

    def _update_packed(
        self,
        rows: npt.NDArray[Any],
        labels: Any,
        options: Mapping[str, Any],
        outputs: Mapping[str, Any],
    ) -> int:
        """Gives how many examples went to the recorder."""
        there = np.unique(rows[rows != NO_EXAMPLE])
        if not len(there):
            return 0
        if not self._are_ids(there):
            self.recorder.update(rows, labels=labels, **options, **outputs)
            return 0
        old = there[self._seen[there]]
        if len(old):
            # Such a text was recorded whole: these tokens are a repetition.
            self.repeated += len(old)
            rows = np.where(np.isin(rows, old), NO_EXAMPLE, rows)
            there = there[~self._seen[there]]
        if not len(there):
            return 0
        if self._held is None:
            self.recorder.update(rows, labels=labels, **options, **outputs)
            self._seen[there] = True
            return len(there)
        whole = self._held.add(rows, labels, options["shift"], outputs["log_probs"])
        if whole:
            ids, log_probs, targets = laid_out(whole)
            self.recorder.update(
                ids, labels=targets, log_probs=log_probs, shift=False, unlabelled="skip"
            )
            self._seen[ids] = True
        return len(whole)

    def _are_ids(self, values: npt.NDArray[Any]) -> bool:
        if values.ndim != 1 or values.dtype.kind not in "iu" or not values.size:
            return False
        return bool(values.min() >= 0 and values.max() < len(self._seen))

    def end_epoch(self) -> None:
        """As the recorder's ``end_epoch``. A text of which pieces are missing counts as unseen."""
        if self._held is not None:
            self._held.clear()
        self.recorder.end_epoch()
        self._seen[:] = False

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        """The recorder's state, the counts, and the pieces that are held."""
        counts = {REPEATED: np.array([self.repeated], dtype=np.int64)}
        held = {} if self._held is None else self._held.state_dict()
        return self.recorder.state_dict() | counts | held

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state_dict`, or from the state of a recorder alone."""
        self.recorder.load_state_dict(state)
        self.repeated = int(state[REPEATED][0]) if REPEATED in state else 0
        if self._held is not None:
            self._held.load_state_dict(state)
        self.refresh()


def _fit(rows: int, values: Iterable[Any]) -> bool:
    """Whether all of these have so many rows."""
    for value in values:
        if isinstance(value, Mapping):
            if not _fit(rows, value.values()):
                return False
        elif value is not None and (not hasattr(value, "__len__") or _length(value) != rows):
            return False
    return True


def _length(value: Any) -> int:
    shape = getattr(value, "shape", None)
    if shape is None:
        return len(value)
    return int(shape[0]) if len(shape) else -1


def _rows(value: Any, rows: npt.NDArray[np.intp]) -> Any:
    if value is None:
        return None
    if isinstance(value, Mapping):
        return {name: _rows(of, rows) for name, of in value.items()}
    return value[rows] if hasattr(value, "shape") else np.asarray(value)[rows]


def takes_any_ids(recorder: Any) -> bool:
    """Whether ids may be of any kind, texts too: of a `datadiet.LossRecorder` made without ``n_examples``.

    Which of these came before in an epoch is not known here: the recorder refuses them.
    """
    return type(getattr(recorder, "_recorder", None)).__name__ == "KeyedLossRecorder"


def _seen(recorder: Any) -> npt.NDArray[np.bool_]:
    """Which examples the current epoch has shown."""
    if takes_any_ids(recorder):
        return np.zeros(0, dtype=np.bool_)
    if not recorder.unfinished:
        return np.zeros(recorder.n_examples, dtype=np.bool_)
    packed = recorder.state_dict()[SEEN]
    return np.unpackbits(packed, count=recorder.n_examples, bitorder="little").astype(np.bool_)
