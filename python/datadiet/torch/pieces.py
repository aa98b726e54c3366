"""Texts that packing has cut into pieces, put together again: ``"bfd_split"`` and ``"wrapped"`` of TRL.

A recorder takes an example once an epoch, and the pieces of a text may lie in rows of several batches. So the
log-probabilities of their tokens are held, 12 bytes a token, until all have come.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from datadiet._arrays import floats, wholes
from datadiet.torch.collators import NO_EXAMPLE

IGNORED = -100

Piece = tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]
"""Log-probabilities and labels of some tokens of an example."""

_STATE = "pieces"


class Held:
    """Pieces of texts of known lengths, for one epoch.

    Parameters
    ----------
    lengths
        n numbers of tokens, labelled or not, by id.
    """

    def __init__(self, lengths: npt.NDArray[np.int64]) -> None:
        self.lengths = lengths
        self.clear()

    def clear(self) -> None:
        """Nothing is held."""
        self._pieces: dict[int, list[Piece]] = {}
        self._missing: dict[int, int] = {}

    def add(
        self, rows: npt.NDArray[Any], labels: Any, shift: bool, log_probs: Any
    ) -> dict[int, list[Piece]]:
        """Adds packed rows, and gives the texts that are whole now, by id.

        `rows`: B × T ids, −1 of padding; `labels`, `log_probs` B × T, with `shift` those at t of the label at
        t + 1: the first token of a piece has no log-probability then.
        """
        targets, values = wholes(labels), floats(log_probs)
        whole: dict[int, list[Piece]] = {}
        for row, of_labels, of_values in zip(rows, targets, values, strict=True):
            starts = np.flatnonzero(np.diff(row, prepend=row[:1] - 1))
            for start, end in zip(starts, [*starts[1:], len(row)], strict=True):
                example = int(row[start])
                if example == NO_EXAMPLE:
                    continue
                first = start + 1 if shift else start
                piece = (
                    of_values[start : end - 1 if shift else end].astype(np.float32),
                    of_labels[first:end].astype(np.int64),
                )
                self._pieces.setdefault(example, []).append(piece)
                left = self._missing.get(example, int(self.lengths[example])) - int(end - start)
                self._missing[example] = left
                if left <= 0:
                    whole[example] = self._pieces.pop(example)
                    del self._missing[example]
        return whole

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        """What is held, as arrays by name."""
        ids = sorted(self._pieces)
        joined = [_joined(self._pieces[example]) for example in ids]
        return {
            f"{_STATE}.ids": np.array(ids, dtype=np.int64),
            f"{_STATE}.missing": np.array([self._missing[example] for example in ids], np.int64),
            f"{_STATE}.lengths": np.array([len(values) for values, _ in joined], np.int64),
            f"{_STATE}.log-probs": _all([values for values, _ in joined], np.float32),
            f"{_STATE}.labels": _all([labels for _, labels in joined], np.int64),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state_dict`; from a state without pieces with none."""
        self.clear()
        if f"{_STATE}.ids" not in state:
            return
        column = {
            name: np.asarray(state[f"{_STATE}.{name}"])
            for name in ("ids", "missing", "lengths", "log-probs", "labels")
        }
        ends = np.cumsum(column["lengths"])[:-1]
        parts = zip(
            np.split(column["log-probs"], ends), np.split(column["labels"], ends), strict=True
        )
        for example, missing, piece in zip(column["ids"], column["missing"], parts, strict=False):
            self._pieces[int(example)] = [piece]
            self._missing[int(example)] = int(missing)


def laid_out(
    whole: Mapping[int, list[Piece]],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """E ids, and E × T log-probabilities and labels, padded with 0 and the ignored label."""
    joined = [_joined(pieces) for pieces in whole.values()]
    size = (len(joined), max(1, *(len(values) for values, _ in joined)))
    log_probs, labels = np.zeros(size, np.float32), np.full(size, IGNORED, np.int64)
    for row, (values, targets) in enumerate(joined):
        log_probs[row, : len(values)] = values
        labels[row, : len(targets)] = targets
    return np.array([*whole], dtype=np.int64), log_probs, labels


def lengths_if_cut(dataset: Any, n_examples: int) -> npt.NDArray[np.int64] | None:
    """Of a packed data set of Hugging Face, with ids of tokens: n numbers of tokens by id, or None where no
    text is cut into pieces, or the data set is none of these."""
    names = getattr(dataset, "column_names", None) or ()
    feature = getattr(getattr(dataset, "features", None), "get", lambda name: None)("ids")
    if "ids" not in names or getattr(feature, "feature", None) is None:
        return None
    lengths = np.zeros(n_examples, np.int64)
    pieces = np.zeros(n_examples, np.int64)
    # A batch of rows at a time: all ids may be more than memory has.
    for batch in dataset.with_format("numpy", columns=["ids"]).iter(1000):
        for row in batch["ids"]:
            row = np.asarray(row)
            known = row[(row >= 0) & (row < n_examples)]
            if not len(known):
                continue
            starts = known[np.flatnonzero(np.diff(known, prepend=known[:1] - 1))]
            np.add.at(pieces, starts, 1)
            np.add.at(lengths, known, 1)
    return lengths if pieces.max(initial=0) > 1 else None


def _joined(pieces: list[Piece]) -> Piece:
    return np.concatenate([one for one, _ in pieces]), np.concatenate([one for _, one in pieces])


def _all(arrays: list[Any], dtype: Any) -> npt.NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.zeros(0, dtype)
