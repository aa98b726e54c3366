"""The compiled part; use the package `datadiet` instead."""

from os import PathLike
from typing import Any, Final, TypedDict, final

import numpy as np
import numpy.typing as npt

# `pass` is a keyword, so that a class cannot have it.
_Score = TypedDict(
    "_Score",
    {
        "name": str,
        "formula": str,
        "pass": str,
        "range": str,
        "reference": str,
        "when": str,
        "higher_is_harder": bool,
    },
)

class _Reliability(TypedDict):
    half: float
    single: float
    full: float
    replicas_for_95: int | None

__all__ = [
    "KEY",
    "QUOTAS",
    "RECORDED_PASS",
    "RULES",
    "SCORES",
    "LossRecorder",
    "Recorder",
    "Table",
    "__version__",
    "confident_joint",
    "detection",
    "forgetting_key",
    "forgetting_of_correct",
    "furthest_sum",
    "logit_score",
    "logit_scores",
    "read_subset",
    "reliability",
    "select",
    "softmax_rows",
    "spearman",
    "trajectory_scores",
]

__version__: Final[str]
KEY: Final[str]
RECORDED_PASS: Final[str]
RULES: Final[tuple[str, ...]]
QUOTAS: Final[tuple[str, ...]]
SCORES: Final[list[_Score]]

def logit_score(
    name: str, matrix: npt.NDArray[Any], labels: npt.NDArray[Any], probabilities: bool
) -> npt.NDArray[np.float32]: ...
def logit_scores(
    matrix: npt.NDArray[Any], labels: npt.NDArray[Any], probabilities: bool
) -> dict[str, npt.NDArray[np.float32] | npt.NDArray[np.uint32]]: ...
def confident_joint(
    matrix: npt.NDArray[Any], labels: npt.NDArray[Any], probabilities: bool
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint64], npt.NDArray[np.float64], float]: ...
def furthest_sum(matrix: npt.NDArray[Any], axes: int) -> float: ...
def softmax_rows(matrix: npt.NDArray[Any], axes: int) -> int: ...
def trajectory_scores(
    cube: npt.NDArray[Any],
    labels: npt.NDArray[Any],
    probabilities: bool,
    names: list[str] | None,
) -> dict[str, npt.NDArray[np.float32]]: ...
def forgetting_of_correct(
    correct: npt.NDArray[np.bool_],
) -> list[npt.NDArray[np.float32]]: ...
def forgetting_key(
    events: npt.NDArray[Any], never_learned: npt.NDArray[Any]
) -> npt.NDArray[np.float32]: ...
def select(
    values: npt.NDArray[Any], labels: npt.NDArray[Any] | None, request: dict[str, Any]
) -> npt.NDArray[np.uint32]: ...
def read_subset(path: str | PathLike[str]) -> npt.NDArray[np.uint32] | list[str]: ...
def spearman(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> float: ...
def detection(
    values: npt.NDArray[Any],
    touched: npt.NDArray[np.bool_],
    at: list[int],
    higher_is_suspect: bool,
) -> tuple[float, float, list[float], int]: ...
def reliability(replicas: npt.NDArray[Any]) -> _Reliability: ...

@final
class Recorder:
    def __new__(
        cls,
        examples: int,
        classes: int,
        keep_at: list[int],
        mergeable: bool,
        class_means: bool | None,
    ) -> Recorder: ...
    @property
    def examples(self) -> int: ...
    @property
    def classes(self) -> int: ...
    @property
    def epochs(self) -> int: ...
    @property
    def unfinished(self) -> int: ...
    @property
    def scored_epochs(self) -> list[int]: ...
    @property
    def only_logits(self) -> bool: ...
    @property
    def class_means(self) -> bool: ...
    @property
    def windows(self) -> bool: ...
    @property
    def in_order(self) -> bool: ...
    def update(
        self,
        ids: npt.NDArray[Any],
        matrix: npt.NDArray[Any],
        labels: npt.NDArray[Any],
        probabilities: bool,
    ) -> None: ...
    def end_epoch(self) -> None: ...
    def unseen(self) -> npt.NDArray[np.uint32]: ...
    def merge_ranks(self, ranks: list[Recorder]) -> int: ...
    def state(self) -> dict[str, npt.NDArray[Any]]: ...
    @staticmethod
    def of_state(state: dict[str, npt.NDArray[Any]]) -> Recorder: ...
    @staticmethod
    def table(replicas: list[Recorder], pass_: str) -> Table: ...

@final
class LossRecorder:
    def __new__(
        cls,
        examples: int,
        keep_at: list[int],
        mergeable: bool,
        threshold: float | None,
        reference: npt.NDArray[Any] | None,
    ) -> LossRecorder: ...
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
    def has_reference(self) -> bool: ...
    @property
    def beside(self) -> list[str]: ...
    def update(
        self,
        ids: npt.NDArray[Any],
        losses: npt.NDArray[Any],
        names: list[str],
        beside: list[npt.NDArray[Any]],
    ) -> None: ...
    def end_epoch(self) -> None: ...
    def unseen(self) -> npt.NDArray[np.uint32]: ...
    def merge_ranks(self, ranks: list[LossRecorder]) -> int: ...
    def state(self) -> dict[str, npt.NDArray[Any]]: ...
    @staticmethod
    def of_state(state: dict[str, npt.NDArray[Any]]) -> LossRecorder: ...
    @staticmethod
    def table(replicas: list[LossRecorder], pass_: str) -> Table: ...

@final
class Table:
    @staticmethod
    def read(path: str | PathLike[str]) -> Table: ...
    @staticmethod
    def of_columns(columns: dict[str, Any], metadata: dict[str, str]) -> Table: ...
    @staticmethod
    def of_stream(capsule: Any) -> Table: ...
    @property
    def rows(self) -> int: ...
    @property
    def names(self) -> list[str]: ...
    @property
    def scores(self) -> list[str]: ...
    @property
    def metadata(self) -> dict[str, str]: ...
    def write(self, path: str | PathLike[str]) -> None: ...
    def stream(self) -> object: ...
    def column(self, name: str) -> Any: ...
    def take(self, rows: npt.NDArray[np.uint32]) -> Table: ...
    def default_column(self) -> str: ...
    def card(self) -> str | None: ...
    def ranking(
        self, by: str, hard_is: str | None
    ) -> tuple[str, npt.NDArray[np.float32], bool, str | None]: ...
    def hardest_first(self, by: str, hard_is: str | None) -> npt.NDArray[np.uint32]: ...
    def wrong_labels(self, by: str, hard_is: str | None) -> tuple[str, str]: ...
    def default_suspicion(self) -> str: ...
    def write_subset(
        self, path: str | PathLike[str], rows: npt.NDArray[np.uint32], by: str | None, how: str
    ) -> None: ...
    def report(
        self,
        path: str | PathLike[str],
        request: dict[str, Any],
        images: npt.NDArray[np.uint8] | None,
    ) -> list[str]: ...
