"""Scores of boosted trees: what the model says of its training examples after each tree.

An epoch is one round of boosting: one tree, or one tree a class. Nothing is trained here; the rounds of a
fitted model are gone through again on the examples that it was fitted on, each from the sum of those
before, which takes as long as one prediction of all rounds. Of scikit-learn every classifier that has
``staged_predict_proba`` will do, of XGBoost and LightGBM the classifiers and the boosters.

Where the model sums logits, logits are recorded; AdaBoost gives probabilities, which have no AUM.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from datadiet._arrays import plain, wholes
from datadiet.exceptions import DtypeError, LabelError, ShapeError
from datadiet.recorder import Recorder
from datadiet.table import ScoreTable

__all__ = ["record", "stages"]

_OF_XGBOOST = ("binary:logistic", "binary:logitraw", "multi:softprob", "multi:softmax")
"""Objectives whose margins are logits."""

PASS = "the fitted model's own training examples, after each round of trees"

Stage = npt.NDArray[np.float32]


def record(
    model: Any,
    X: Any,
    y: Any,
    *,
    every: int = 1,
    keep_at: Iterable[int] = (),
) -> ScoreTable:
    """Scores of the examples that a boosted classifier was fitted on, with its rounds as epochs.

    Parameters
    ----------
    model
        A fitted classifier: scikit-learn's ``GradientBoostingClassifier``,
        ``HistGradientBoostingClassifier`` or ``AdaBoostClassifier``, XGBoost's ``XGBClassifier``
        or ``Booster``, LightGBM's ``LGBMClassifier`` or ``Booster``. After early stopping the rounds are
        those that ``predict`` uses.
    X
        The n examples that it was fitted on, as the model takes them, in any order.
    y
        Their n labels, as the model was given them.
    every
        An epoch is so many rounds: of 1,000 trees 10 give 100 epochs. The last epoch may have fewer.
    keep_at
        Epochs, counted from 1, whose scores are kept beside the last one's.

    Returns
    -------
    A table of n rows in the order of `X`, as `Recorder.table` makes it.

    Raises
    ------
    DtypeError
        No boosted classifier: a regressor, a random forest, one that has not been fitted.
    LabelError
        Labels that the model was not fitted on.
    ShapeError
        Another number of labels than of examples.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.ensemble import GradientBoostingClassifier
    >>> import datadiet.boosting
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GradientBoostingClassifier(n_estimators=10, random_state=0).fit(X, y)
    >>> table = datadiet.boosting.record(model, X, y, keep_at=[2])
    >>> [name for name in table.columns if name.startswith(("el2n", "aum"))]
    ['el2n@2', 'el2n@10', 'aum@10']
    """
    if every < 1:
        raise ValueError(f"every is {every}; pass how many rounds an epoch is, at least 1")
    labels, count = _labels(model, y)
    recorder: Recorder | None = None
    ids = np.arange(len(labels))
    for values, logits in stages(model, X, every=every):
        if len(values) != len(labels):
            raise ShapeError(
                f"X has {len(values)} examples and y {len(labels)} labels; pass one for each"
            )
        if recorder is None:
            classes = max(count, values.shape[1])
            recorder = Recorder(len(labels), classes, keep_at=keep_at, pass_=PASS)
        if logits:
            recorder.update(ids, values, labels)
        else:
            recorder.update(ids, probs=values, labels=labels)
        recorder.end_epoch()
    if recorder is None:
        raise DtypeError("the model has no trees; fit it first")
    return recorder.table()


def stages(model: Any, X: Any, *, every: int = 1) -> Iterator[tuple[Stage, bool]]:
    """After every so many rounds, and after the last, what the model says of n examples.

    Yields
    ------
    n × K float32, K classes in the model's order (of two classes with one logit z the columns 0 and z),
    and whether they are logits; otherwise they are probabilities.

    Raises
    ------
    DtypeError
        As `record`, and an `every`-th of nothing: a model without rounds yields nothing.
    """
    library = _library(model)
    if library == "xgboost":
        rounds, logits = _of_xgboost(model, X), True
    elif library == "lightgbm":
        rounds, logits = _of_lightgbm(model, X), True
    else:
        rounds, logits = _of_sklearn(model, X)
    last: Any = None
    number = 0
    for number, last in enumerate(rounds, 1):
        if number % every == 0:
            yield _columns(last), logits
    if number % every:
        yield _columns(last), logits


def _columns(values: Any) -> Stage:
    """n × K: of one logit z the columns 0 and z."""
    matrix = np.asarray(values, dtype=np.float32)
    if matrix.ndim == 1:
        matrix = matrix[:, None]
    if matrix.shape[1] == 1:
        matrix = np.concatenate([np.zeros_like(matrix), matrix], axis=1)
    return matrix


def _library(model: Any) -> str:
    """Whose the model is, by the classes that it is made of; subclasses of one's own too."""
    for part in type(model).__mro__:
        library = part.__module__.split(".")[0]
        if library in ("xgboost", "lightgbm", "sklearn"):
            return library
    return ""


def _of_sklearn(model: Any, X: Any) -> tuple[Iterator[Any], bool]:
    names = {part.__name__ for part in type(model).__mro__}
    sums_logits = names & {"GradientBoostingClassifier", "HistGradientBoostingClassifier"}
    # Of the exponential loss the sum is half a logit.
    if sums_logits and getattr(model, "loss", "") != "exponential":
        return model.staged_decision_function(X), True
    if hasattr(model, "staged_predict_proba"):
        return model.staged_predict_proba(X), False
    raise DtypeError(
        f"{type(model).__name__} is no boosted classifier; pass a fitted one of scikit-learn with"
        " staged_predict_proba, of XGBoost or of LightGBM, or record predictions of your own with"
        " datadiet.Recorder"
    )


def _of_xgboost(model: Any, X: Any) -> Iterator[Any]:
    """Logits by XGBoost's own sums: each round starts from the margin of those before."""
    import xgboost

    booster = model if isinstance(model, xgboost.Booster) else model.get_booster()
    learner = json.loads(booster.save_config())["learner"]
    objective = learner["objective"]["name"]
    if objective not in _OF_XGBOOST or learner["gradient_booster"]["name"] == "gblinear":
        raise DtypeError(
            f"the XGBoost model has the objective {objective} and the booster"
            f" {learner['gradient_booster']['name']}; pass one with trees, of"
            f" {', '.join(_OF_XGBOOST)}, or record predictions of your own"
        )
    rounds = booster.num_boosted_rounds()
    if isinstance(model, xgboost.Booster):
        # A copy, since each round's margin is set there.
        data = (
            X.slice(np.arange(X.num_row()))
            if isinstance(X, xgboost.DMatrix)
            else xgboost.DMatrix(X)
        )
    else:
        # As its predict does: missing values, categories, and the rounds up to the best.
        data = xgboost.DMatrix(
            X, missing=model.missing, enable_categorical=model.enable_categorical
        )
        best = booster.attr("best_iteration")
        if best is not None:
            rounds = int(best) + 1
    margin: Any = None
    for number in range(rounds):
        if margin is not None:
            data.set_base_margin(margin)
        margin = booster.predict(data, output_margin=True, iteration_range=(number, number + 1))
        yield margin


def _of_lightgbm(model: Any, X: Any) -> Iterator[Any]:
    import lightgbm

    booster = model if isinstance(model, lightgbm.Booster) else model.booster_
    text = booster.model_to_string(num_iteration=1)
    header = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    objective = header.get("objective", "none").split()[0]
    if objective not in ("binary", "multiclass", "softmax"):
        raise DtypeError(
            f"the LightGBM model has the objective {objective!r}; pass a classifier of binary or multiclass,"
            " or record predictions of your own"
        )
    if "average_output" in text.split("Tree=0")[0].splitlines():
        raise DtypeError(
            "the LightGBM model is a random forest, whose trees do not follow each other; pass a boosted one"
        )
    # The logit is z times this number, of the option `sigmoid`.
    slope = float(dict(_options(header["objective"])).get("sigmoid", 1.0))
    rounds = booster.best_iteration if booster.best_iteration > 0 else booster.current_iteration()
    total: Any = None
    for number in range(rounds):
        more = booster.predict(X, raw_score=True, start_iteration=number, num_iteration=1)
        total = more if total is None else total + more
        yield total * slope


def _options(objective: str) -> Iterator[tuple[str, str]]:
    for word in objective.split()[1:]:
        name, _, value = word.partition(":")
        yield name, value


def _labels(model: Any, y: Any) -> tuple[npt.NDArray[Any], int]:
    """The n labels as class numbers in the model's order, and the number of classes, 2 where unknown."""
    classes = getattr(model, "classes_", None)
    if classes is None:
        # Boosters take class numbers.
        numbers = wholes(y)
        if numbers.ndim != 1:
            raise ShapeError(f"y is {numbers.shape}; pass one label an example")
        return numbers, 2
    classes, labels = np.asarray(classes), plain(y, "labels")
    if labels.ndim != 1:
        raise ShapeError(f"y is {labels.shape}; pass one label an example")
    order = np.argsort(classes)
    places = np.searchsorted(classes, labels, sorter=order).clip(max=len(classes) - 1)
    found = order[places]
    wrong = np.flatnonzero(classes[found] != labels)
    if len(wrong):
        row = int(wrong[0])
        raise LabelError(
            f"row {row} has the label {labels.tolist()[row]!r}, and the model was fitted on {classes.tolist()};"
            " pass the labels that it was fitted on",
            row=row,
        )
    return found, max(len(classes), 2)
