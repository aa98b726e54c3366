"""What all recorders have in common: epochs, merging, states, whatever they are fed with."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from datadiet import _datadiet
from datadiet._arrays import _level_of_user, plain, whole_numbers
from datadiet._datadiet import RECORDED_PASS
from datadiet.exceptions import StateError
from datadiet.table import ScoreTable

_PASS_STATE = "recorder.pass"
_MOST_EXAMPLES = 2**32 - 2


class Recording:
    """A recorder of one training. Subclasses say what is recorded."""

    __slots__ = ("_pass", "_recorder")

    _compiled: ClassVar[Any]
    """The class of the compiled part."""
    _recorder: Any
    _pass: str

    def _begin(self, recorder: Any, pass_: str) -> None:
        if not isinstance(pass_, str):
            raise TypeError(f"pass_ is {pass_!r}; pass a text")
        self._pass = pass_
        self._recorder = recorder

    def end_epoch(self) -> None:
        """End the epoch: what was recorded enters the scores, examples that it missed are counted."""
        self._recorder.end_epoch()

    @property
    def n_examples(self) -> int:
        """Size of the full training set."""
        count: int = self._recorder.examples
        return count

    @property
    def pass_(self) -> str:
        """Which pass of the network was recorded, as it was said."""
        return self._pass

    @property
    def epochs(self) -> int:
        """Number of finished epochs."""
        count: int = self._recorder.epochs
        return count

    @property
    def unfinished(self) -> int:
        """Examples recorded since the last `end_epoch`; they are in no score yet."""
        count: int = self._recorder.unfinished
        return count

    @property
    def unseen(self) -> npt.NDArray[np.uint32]:
        """How many examples each finished epoch missed; entry 0 belongs to epoch 1."""
        counts: npt.NDArray[np.uint32] = self._recorder.unseen()
        return counts

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the table as Parquet; ``datadiet report`` and the other commands read it.

        Raises
        ------
        StateError, OSError
            No epoch has ended; the file cannot be written.
        """
        self._merge(()).write(path)

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        """Everything, as arrays by name, to be saved with a checkpoint, in mid-epoch too.

        ``torch.load`` refuses arrays of NumPy unless ``weights_only=False`` is given: save tensors.
        `load_state_dict` takes them as they come back.

        Examples
        --------
        >>> import datadiet, io, torch
        >>> recorder = datadiet.Recorder(3, 2)
        >>> state = {
        ...     name: torch.from_numpy(values) for name, values in recorder.state_dict().items()
        ... }
        >>> file = io.BytesIO()
        >>> torch.save({"recorder": state}, file)
        >>> _ = file.seek(0)
        >>> recorder.load_state_dict(torch.load(file)["recorder"])
        """
        text = np.array(bytearray(self._pass, "utf-8"), dtype=np.uint8)
        return {**self._recorder.state(), _PASS_STATE: text}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state_dict` bit for bit as if the training had not stopped.

        Values may be arrays of any library, on any device.

        Raises
        ------
        StateError
            A state of other sizes than this recorder's, or a damaged one.
        """
        arrays = {name: plain(values) for name, values in state.items()}
        loaded = self._load(arrays)
        self._check_loaded(loaded)
        self._pass = _pass_of(arrays, self._pass)
        self._recorder = loaded

    def __getstate__(self) -> dict[str, npt.NDArray[Any]]:
        return self.state_dict()

    def __setstate__(self, state: dict[str, npt.NDArray[Any]]) -> None:
        self._begin(self._load(dict(state)), _pass_of(state, RECORDED_PASS))

    def _merge(self, replicas: tuple[Any, ...]) -> ScoreTable:
        recorders = (self, *replicas)
        self._check_like("merge", replicas)
        if len({id(replica) for replica in recorders}) < len(recorders):
            raise StateError(
                "a recorder is among the replicas twice, and would count as two trainings; give each"
                " once, and not the one that merges"
            )
        for replica in recorders:
            if replica.epochs == 0:
                raise StateError("no epoch has ended: call end_epoch() after each one")
        _check_equal("replicas", [replica._facts() for replica in recorders])
        unfinished = sum(replica.unfinished for replica in recorders)
        if unfinished:
            warnings.warn(
                f"{unfinished} examples recorded since the last end_epoch() are in no score of this table",
                stacklevel=_level_of_user(),
            )
        return ScoreTable(self._table([replica._recorder for replica in recorders]))

    def _merge_ranks(self, ranks: tuple[Any, ...]) -> int:
        self._check_like("merge_ranks", ranks)
        _check_equal("ranks", [{"pass_": rank.pass_} for rank in (self, *ranks)])
        repeated: int = self._recorder.merge_ranks([rank._recorder for rank in ranks])
        return repeated

    def _check_like(self, method: str, others: tuple[Any, ...]) -> None:
        for other in others:
            if not isinstance(other, Recording):
                raise TypeError(
                    f"{method} takes recorders, not a {type(other).__name__}; of a list of them write"
                    f" first.{method}(*others)"
                )
            if other._compiled is not self._compiled:
                raise TypeError(
                    f"{method} of a {type(self).__name__} takes others, not a {type(other).__name__}"
                )

    def _table(self, replicas: list[Any]) -> _datadiet.Table:
        """The table of some replicas, as they are compiled."""
        table: _datadiet.Table = type(self._recorder).table(replicas, self._pass)
        return table

    def _load(self, state: dict[str, npt.NDArray[Any]]) -> Any:
        """The compiled recorder that wrote a state."""
        return self._compiled.of_state(state)

    def _facts(self) -> dict[str, Any]:
        """What replicas have in common."""
        raise NotImplementedError

    def _check_loaded(self, loaded: Any) -> None:
        """Refuses a state of other sizes."""
        raise NotImplementedError


def check_examples(n_examples: int) -> None:
    """Refuses a size that no training set of numbered examples has."""
    if not 1 <= n_examples <= _MOST_EXAMPLES:
        raise ValueError(
            f"n_examples is {n_examples}; pass the size of the full training set, at most"
            f" {_MOST_EXAMPLES}"
        )


def epochs_to_keep(keep_at: Iterable[int]) -> list[int]:
    """Epochs, counted from 1, ascending."""
    epochs = sorted(set(whole_numbers(keep_at, "keep_at")))
    for epoch in epochs:
        if not 1 <= epoch < 2**32:
            raise ValueError(f"keep_at has epoch {epoch}; epochs are counted from 1")
    return epochs


def _check_equal(who: str, facts: list[dict[str, Any]]) -> None:
    for what in facts[0]:
        values = [one[what] for one in facts]
        if any(value != values[0] for value in values):
            raise StateError(f"the {who} differ in {what}: {values}; only equal ones merge")


def _pass_of(state: Mapping[str, npt.NDArray[Any]], otherwise: str) -> str:
    if _PASS_STATE not in state:
        return otherwise
    try:
        return state[_PASS_STATE].tobytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise StateError(f"{_PASS_STATE} is damaged: {error}") from error
