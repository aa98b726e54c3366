"""The first presentation of an example in an epoch, which is the one that is recorded.

Frameworks fill up the last batches of an epoch with examples that came before, so that all processes
have as many: accelerate from the epoch's first batches, `DistributedSampler` from its first examples.
`Recorder.update` refuses an id that comes twice in an epoch, since in a loop of one's own it is a
mistake; here the rows are left out and counted. Repeats on another process are not known here:
`Recorder.merge_ranks` counts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from datadiet._arrays import Floats, Wholes, floats, wholes
from datadiet.recorder import Recorder

REPEATED = "presentations.repeated"
SEEN = "current.seen"
"""The recorder's examples of the current epoch, eight to a byte."""


class FirstPresentations:
    """A recorder that a framework's sampler feeds."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.repeated = 0
        self.refresh()

    def refresh(self) -> None:
        """Go on from what the recorder has now."""
        self._seen = _seen(self.recorder)

    def update(self, ids: Wholes, logits: Floats, labels: Wholes) -> None:
        """As `Recorder.update`, for the rows whose ids are new in this epoch."""
        rows, matrix, classes = wholes(ids, "ids"), floats(logits), wholes(labels)
        if not self._are_ids(rows) or not rows.shape == classes.shape == matrix.shape[:1]:
            # The recorder says what is wrong with them.
            self.recorder.update(rows, matrix, classes)
            return
        new = np.zeros(len(rows), dtype=np.bool_)
        new[np.unique(rows, return_index=True)[1]] = True
        new &= ~self._seen[rows]
        if new.all():
            self.recorder.update(rows, matrix, classes)
        else:
            self.recorder.update(rows[new], matrix[new], classes[new])
        self._seen[rows] = True
        self.repeated += int(len(rows) - new.sum())

    def _are_ids(self, values: npt.NDArray[Any]) -> bool:
        if values.ndim != 1 or values.dtype.kind not in "iu" or not values.size:
            return False
        return bool(values.min() >= 0 and values.max() < len(self._seen))

    def end_epoch(self) -> None:
        """As `Recorder.end_epoch`."""
        self.recorder.end_epoch()
        self._seen[:] = False

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        """The recorder's state, and the count."""
        return self.recorder.state_dict() | {REPEATED: np.array([self.repeated], dtype=np.int64)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state_dict`, or from the state of a recorder alone."""
        self.recorder.load_state_dict(state)
        self.repeated = int(state[REPEATED][0]) if REPEATED in state else 0
        self.refresh()


def _seen(recorder: Recorder) -> npt.NDArray[np.bool_]:
    """Which examples the current epoch has shown."""
    if not recorder.unfinished:
        return np.zeros(recorder.n_examples, dtype=np.bool_)
    packed = recorder.state_dict()[SEEN]
    return np.unpackbits(packed, count=recorder.n_examples, bitorder="little").astype(np.bool_)
