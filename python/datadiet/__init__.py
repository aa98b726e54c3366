"""Find out which training examples matter, with the logits of any training loop.

Functions on arrays (`el2n`, `forgetting`, `aum`, `select`, `noise_metrics`, …), a `Recorder` to
feed from a loop of a classification and a `LossRecorder` from any other, and `ScoreTable` for what comes out. `datadiet.torch` is for PyTorch,
`datadiet.datasets` for Hugging Face's data sets, `datadiet.hub` for tables on the Hub, `datadiet.sklearn`,
`datadiet.pandas` and `datadiet.datalab` for those libraries. NumPy is all that is needed.

A training function of your own becomes a `trainer`, by which `score`, `train`, `diet` and
`datadiet.experiments` carry out whole studies, with the command ``datadiet``.

`SCORES` lists every score with its formula, range, direction and source, and when to use it.
"""

from datadiet import datasets, exceptions, experiments, plots
from datadiet._catalogue import SCORES
from datadiet._datadiet import __version__
from datadiet.chosen import Selection
from datadiet.exceptions import (
    ColumnError,
    CommandError,
    DatadietError,
    DtypeError,
    IdError,
    LabelError,
    NonFiniteError,
    ProbabilityError,
    SelectionError,
    ShapeError,
    StateError,
    StatisticsError,
    TableError,
    TrackerError,
    TrainerError,
    UndefinedError,
)
from datadiet.exchange import MarksRead, read_marks
from datadiet.experiments import diet, score, train
from datadiet.explorer import Explorer
from datadiet.hub import load
from datadiet.loss_recorder import LossRecorder
from datadiet.multi_label import MultiLabelRecorder, multi_label_scores
from datadiet.recorder import Recorder
from datadiet.regression import RegressionRecorder, regression_scores
from datadiet.scores import (
    correct,
    el2n,
    entropy,
    l1,
    log_margin,
    logit_scores,
    loss,
    max_margin,
    sum_margin,
)
from datadiet.selection import select
from datadiet.statistics import (
    ConfidentJoint,
    NoiseMetrics,
    Reliability,
    WrongLabels,
    confident_joint,
    noise_metrics,
    reliability,
    spearman,
)
from datadiet.suspects import Suspect, Suspects
from datadiet.table import ScoreTable, read_subset
from datadiet.tokens import TokenRecorder, TokenScores, token_scores, token_segments
from datadiet.tracking import log
from datadiet.training import Job, Trainer, trainer
from datadiet.trajectories import (
    aum,
    confidence,
    correctness,
    dual,
    dyn_unc,
    forgetting,
    forgetting_rank,
    margin_of_mean,
    mean_el2n,
    never_learned,
    tdds,
    trajectory_scores,
    variability,
)

__all__ = [
    "SCORES",
    "ColumnError",
    "CommandError",
    "ConfidentJoint",
    "DatadietError",
    "DtypeError",
    "Explorer",
    "IdError",
    "Job",
    "LabelError",
    "LossRecorder",
    "MarksRead",
    "MultiLabelRecorder",
    "NoiseMetrics",
    "NonFiniteError",
    "ProbabilityError",
    "Recorder",
    "RegressionRecorder",
    "Reliability",
    "ScoreTable",
    "Selection",
    "SelectionError",
    "ShapeError",
    "StateError",
    "StatisticsError",
    "Suspect",
    "Suspects",
    "TableError",
    "TokenRecorder",
    "TokenScores",
    "TrackerError",
    "Trainer",
    "TrainerError",
    "UndefinedError",
    "WrongLabels",
    "__version__",
    "aum",
    "confidence",
    "confident_joint",
    "correct",
    "correctness",
    "datasets",
    "diet",
    "dual",
    "dyn_unc",
    "el2n",
    "entropy",
    "exceptions",
    "experiments",
    "forgetting",
    "forgetting_rank",
    "l1",
    "load",
    "log",
    "logit_scores",
    "loss",
    "margin_of_mean",
    "log_margin",
    "max_margin",
    "mean_el2n",
    "multi_label_scores",
    "never_learned",
    "noise_metrics",
    "plots",
    "read_marks",
    "read_subset",
    "regression_scores",
    "reliability",
    "score",
    "select",
    "spearman",
    "sum_margin",
    "tdds",
    "token_scores",
    "token_segments",
    "train",
    "trainer",
    "trajectory_scores",
    "variability",
]
