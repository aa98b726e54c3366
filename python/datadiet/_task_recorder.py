"""What recorders of tokens, of several labels and of regressions have in common."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypedDict, TypeVar

import numpy as np
import numpy.typing as npt

from datadiet import _datadiet
from datadiet._arrays import Floats, floats, plain, whole_numbers
from datadiet.exceptions import ShapeError, StateError
from datadiet.table import ScoreTable

_PASS_STATE = "recorder.pass"
_MOST_EXAMPLES = 2**32 - 2

Self = TypeVar("Self", bound="TaskRecorder")


class _Compiled(Protocol):
    """What the compiled recorders share."""

    @property
    def examples(self) -> int: ...
    @property
    def epochs(self) -> int: ...
    @property
    def unfinished(self) -> int: ...
    @property
    def scored_epochs(self) -> list[int]: ...
    @property
    def threshold(self) -> float | None: ...
    @property
    def beside(self) -> list[str]: ...
    def end_epoch(self) -> None: ...
    def unseen(self) -> npt.NDArray[np.uint32]: ...
    def merge_ranks(self, ranks: list[Any]) -> int: ...
    def state(self) -> dict[str, npt.NDArray[Any]]: ...


class Options(TypedDict):
    """What every compiled recorder is made with."""

    keep_at: list[int]
    mergeable: bool
    threshold: float | None


def options(
    keep_at: Iterable[int], mergeable: bool, threshold: float | None, n_examples: int
) -> Options:
    """The options, checked, of a recorder of so many examples.

    Raises
    ------
    ValueError, TypeError
        Sizes or epochs out of range; `keep_at` that is not a list of epochs.
    """
    if not 1 <= n_examples <= _MOST_EXAMPLES:
        raise ValueError(
            f"n_examples is {n_examples}; pass the size of the full training set, at most"
            f" {_MOST_EXAMPLES}"
        )
    epochs = sorted(set(whole_numbers(keep_at, "keep_at")))
    for epoch in epochs:
        if not 1 <= epoch < 2**32:
            raise ValueError(f"keep_at has epoch {epoch}; epochs are counted from 1")
    return {"keep_at": epochs, "mergeable": bool(mergeable), "threshold": threshold}


def one_each(losses: Floats | None, what: str) -> npt.NDArray[np.float32] | None:
    """Losses of examples, NaN where one is missing."""
    if losses is None:
        return None
    array = floats(losses)
    if array.dtype.names is not None:
        array = widened(array)
    if array.ndim > 1 or array.dtype.kind != "f":
        raise ShapeError(f"{what} of shape {list(array.shape)}; pass one number for each example")
    return np.ascontiguousarray(array.reshape(-1), dtype=np.float32)


def widened(array: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Numbers of bfloat16, which NumPy lacks, as float32."""
    bits = array.view(np.uint16).astype(np.uint32) << 16
    return bits.view(np.float32).reshape(array.shape)


class TaskRecorder:
    """Epochs, checkpoints, ranks and replicas; what is recorded is each recorder's own."""

    __slots__ = ("_pass", "_recorder")

    _recorder: Any
    _pass: str
    # The compiled class.
    _compiled: type

    def _start(self, recorder: _Compiled, pass_: str) -> None:
        if not isinstance(pass_, str):
            raise TypeError(f"pass_ is {pass_!r}; pass a text")
        self._recorder = recorder
        self._pass = pass_

    def end_epoch(self) -> None:
        """End the epoch: what was recorded enters the scores, examples that it missed are counted."""
        self._recorder.end_epoch()

    @property
    def n_examples(self) -> int:
        """Size of the full training set."""
        return int(self._recorder.examples)

    @property
    def pass_(self) -> str:
        """Which pass of the network the outputs are of, as it was said."""
        return self._pass

    @property
    def epochs(self) -> int:
        """Number of finished epochs."""
        return int(self._recorder.epochs)

    @property
    def unfinished(self) -> int:
        """Examples recorded since the last `end_epoch`; they are in no score yet."""
        return int(self._recorder.unfinished)

    @property
    def unseen(self) -> npt.NDArray[np.uint32]:
        """How many examples each finished epoch missed; entry 0 belongs to epoch 1."""
        unseen: npt.NDArray[np.uint32] = self._recorder.unseen()
        return unseen

    def table(self) -> ScoreTable:
        """The scores of this training; NaN where an example was not seen (in that epoch, or at all).

        Raises
        ------
        StateError
            No epoch has ended.
        """
        return self.merge()

    def merge(self: Self, *replicas: Self) -> ScoreTable:
        """The scores over several independent trainings, this one and `replicas`; see `Recorder.merge`.

        Raises
        ------
        StateError
            No epoch has ended; a recorder given twice; trainings of other sizes, numbers of epochs, kept
            epochs, passes or values.
        TypeError
            Something else than such recorders, such as a list of them.
        """
        recorders = (self, *replicas)
        self._check_recorders("merge", replicas)
        if len({id(replica) for replica in recorders}) < len(recorders):
            raise StateError(
                "a recorder is among the replicas twice, and would count as two trainings; give each"
                " once, and not the one that merges"
            )
        for replica in recorders:
            if replica.epochs == 0:
                raise StateError("no epoch has ended: call end_epoch() after each one")
        _check_equal("replicas", [replica._facts() for replica in recorders])
        return ScoreTable(self._table([replica._recorder for replica in recorders]))

    def merge_ranks(self: Self, *ranks: Self) -> int:
        """Add what other ranks of the **same** distributed training recorded: all or, on an error, none.

        The examples of an epoch may lie on any rank. Scores of losses equal those of one recorder that saw
        everything, bit for bit.

        Returns
        -------
        How many presentations were on more than one rank (samplers repeat examples to fill the last
        batch): of these this recorder's stand.

        Raises
        ------
        StateError, LabelError
            Ranks of another shape, number of epochs or pass, a rank that was merged before, labels that
            differ.
        TypeError
            Something else than such recorders, such as a list of them.
        """
        self._check_recorders("merge_ranks", ranks)
        _check_equal("ranks", [{"pass_": rank.pass_} for rank in (self, *ranks)])
        return int(self._recorder.merge_ranks([rank._recorder for rank in ranks]))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the table as Parquet; ``datadiet report`` and the other commands read it.

        Raises
        ------
        StateError, OSError
            No epoch has ended; the file cannot be written.
        """
        self.table().write(path)

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        """Everything, as arrays by name, to be saved with a checkpoint, in mid-epoch too; see `Recorder.state_dict`."""
        text = np.array(bytearray(self._pass, "utf-8"), dtype=np.uint8)
        return {**self._recorder.state(), _PASS_STATE: text, **self._more_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state_dict` bit for bit as if the training had not stopped.

        Values may be arrays of any library, on any device. The state's options replace these.

        Raises
        ------
        StateError
            A state of other sizes than this recorder's, or a damaged one.
        """
        arrays = {name: plain(values) for name, values in state.items()}
        loaded = self._compiled.of_state(arrays)  # type: ignore[attr-defined]
        found, own = self._sizes(loaded), self._sizes(self._recorder)
        if found != own:
            raise StateError(
                f"the state has {_worded(found)}, this recorder {_worded(own)}; make the recorder as it was"
                " made then"
            )
        self._recorder = loaded
        self._take_state(arrays)

    def __getstate__(self) -> dict[str, npt.NDArray[Any]]:
        return self.state_dict()

    def __setstate__(self, state: dict[str, npt.NDArray[Any]]) -> None:
        self._recorder = self._compiled.of_state(state)  # type: ignore[attr-defined]
        self._take_state(state)

    def _take_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """What a state has beside the compiled recorder's."""
        try:
            self._pass = state[_PASS_STATE].tobytes().decode("utf-8")
        except (KeyError, UnicodeDecodeError) as error:
            raise StateError(f"{_PASS_STATE} is damaged: {error}") from error

    def _more_state(self) -> dict[str, npt.NDArray[Any]]:
        return {}

    def _table(self, replicas: list[Any]) -> _datadiet.Table:
        table: _datadiet.Table = self._compiled.table(replicas, self._pass)  # type: ignore[attr-defined]
        return table

    def _sizes(self, recorder: Any) -> dict[str, int]:
        return {"examples": recorder.examples}

    def _facts(self) -> dict[str, Any]:
        """What replicas have in common."""
        return {
            **self._sizes(self._recorder),
            "epochs": self.epochs,
            "epochs with scores": self._recorder.scored_epochs,
            "threshold": self._recorder.threshold,
            "values": self._recorder.beside,
            "pass_": self.pass_,
        }

    def _check_recorders(self, method: str, others: tuple[Any, ...]) -> None:
        name = type(self).__name__
        for other in others:
            if not isinstance(other, type(self)):
                raise TypeError(
                    f"{method} takes {name}s, not a {type(other).__name__}; of a list of them write"
                    f" first.{method}(*others)"
                )

    def __repr__(self) -> str:
        sizes = _worded(self._sizes(self._recorder))
        return f"{type(self).__name__}({sizes}, {self.epochs} epochs ended)"


def _worded(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{size} {name}" for name, size in sizes.items())


def _check_equal(who: str, facts: list[dict[str, Any]]) -> None:
    for what in facts[0]:
        values = [one[what] for one in facts]
        if any(value != values[0] for value in values):
            raise StateError(f"the {who} differ in {what}: {values}; only equal ones merge")
