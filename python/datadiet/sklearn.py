"""A scikit-learn estimator that scores its training examples, keeps some of them and trains on those.

Scores are of models that did not see the example (cross-fitting, of any classifier with ``predict_proba``), or of the
rounds of a boosted model on its own examples (`datadiet.boosting`). A `datadiet.Recorder` makes the table of both.
"""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.model_selection import StratifiedKFold, check_cv, cross_val_predict
from sklearn.utils import (
    _safe_indexing,
    assert_all_finite,
    check_random_state,
    get_tags,
    indexable,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from datadiet import boosting
from datadiet._datasets_files import CARD
from datadiet.exceptions import DtypeError
from datadiet.recorder import Recorder
from datadiet.selection import Quota, Rule, select
from datadiet.statistics import confident_joint
from datadiet.table import ScoreTable

if TYPE_CHECKING:
    from datadiet.table import HardEnd

__all__ = ["DataDiet"]


def _has(name: str) -> Any:
    """Whether the model that was or is to be fitted has a method."""

    def there(diet: DataDiet) -> bool:
        getattr(diet.estimator_ if hasattr(diet, "estimator_") else diet._model(), name)
        return True

    return available_if(there)


class DataDiet(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Score the training examples, leave out those whose labels look wrong, keep a part, and train on it.

    Parameters
    ----------
    estimator
        The classifier; for ``"cross-fit"`` any with ``predict_proba``, by default ``RandomForestClassifier``, for
        ``"stages"`` a boosted one that `datadiet.boosting.record` takes, by default
        ``HistGradientBoostingClassifier``.
    method
        ``"cross-fit"``: each example is scored by a model that was fitted without it. ``"stages"``: one model is
        fitted on all, and scored on them after each round; its scores have a past (forgetting, AUM), but a
        model that learns wrong labels by heart hides them.
    keep
        Fraction to **keep**, in (0, 1], of the examples that are left once suspects are dropped, or
    count
        their number; all that are left if neither is given.
    by
        Column of `scores_` to choose by, such as ``"el2n@end"`` or ``"aum@end"``; the latest EL2N if not given.
    rule, offset, cut, strata, quota, allow_empty_class
        As for `datadiet.select`.
    drop_suspects
        Whether `suspects_` are left out before anything is chosen. They are among the hardest, so the hardest part
        would have all of them.
    suspect_by
        Column of `scores_` that suspects are listed by; if not given the log margin of ``"cross-fit"``, the AUM (else
        as `ScoreTable.wrong_labels`) of ``"stages"``.
    hard_is
        Which end of the column `by` is hard; as its name says if not given.
    cv
        Of ``"cross-fit"``: number of folds (stratified, shuffled), or a splitter.
    repeats
        Of ``"cross-fit"``: how often, with other folds; scores are means, with standard errors beside them.
    n_jobs
        Of ``"cross-fit"``: processes that fit folds.
    random_state
        Of folds, of a random choice, and of every ``random_state`` of the estimator that is None.

    Attributes
    ----------
    scores_ : ScoreTable
        Row i is example i of `fit`; ``label`` numbers `classes_`.
    support_ : ndarray of n bool
        Which examples were kept.
    sample_weight_ : ndarray of n float64
        1 for those, else 0: for what takes weights instead of rows.
    suspects_ : ndarray of int
        Examples whose labels look wrong, the likeliest first; `wrong_fraction_` of all.
    wrong_fraction_ : float
        Which fraction of the labels looks wrong: by the confident joint (`datadiet.confident_joint`) of what
        ``"cross-fit"`` predicts, which counts what the models get wrong with confidence, too; of ``"stages"`` by
        `ScoreTable.wrong_labels`. NaN where that cannot be told; then `suspects_` is empty.
    estimator_
        The classifier, fitted on the examples that were kept. `predict` and the like are its own.
    classes_, n_features_in_, feature_names_in_
        As in all classifiers.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from datadiet.sklearn import DataDiet
    >>> X, y = load_digits(return_X_y=True)
    >>> diet = DataDiet(keep=0.5, cv=3, random_state=0).fit(X, y)
    >>> diet.scores_["el2n@1"].shape, bool(0 < diet.support_.sum() <= 899)
    ((1797,), True)
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        method: Literal["cross-fit", "stages"] = "cross-fit",
        keep: float | None = None,
        count: int | None = None,
        by: str | None = None,
        rule: Rule = "hardest",
        offset: float | None = None,
        cut: float | None = None,
        strata: int | None = None,
        quota: Quota = "none",
        allow_empty_class: bool = False,
        drop_suspects: bool = True,
        suspect_by: str | None = None,
        hard_is: HardEnd | None = None,
        cv: Any = 5,
        repeats: int = 1,
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.method = method
        self.keep = keep
        self.count = count
        self.by = by
        self.rule = rule
        self.offset = offset
        self.cut = cut
        self.strata = strata
        self.quota = quota
        self.allow_empty_class = allow_empty_class
        self.drop_suspects = drop_suspects
        self.suspect_by = suspect_by
        self.hard_is = hard_is
        self.cv = cv
        self.repeats = repeats
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Any, y: Any, *, groups: Any = None) -> DataDiet:
        """Score the examples, choose, and train on those that are kept.

        Parameters
        ----------
        X
            n examples, as the estimator takes them: an array, a frame, sparse, or a list of texts.
        y
            n labels, of at least two classes with two examples each.
        groups
            For a `cv` that keeps groups together.

        Raises
        ------
        ValueError
            An option that does not fit; one class alone, or a class of one example; what the estimator refuses.
        DtypeError
            An estimator without ``predict_proba``; for ``"stages"`` one that is not boosted.
        SelectionError, ColumnError
            As `ScoreTable.select`.
        """
        chance = check_random_state(self.random_state)
        model = _seeded(self._model(), self.random_state, chance)
        X, y = indexable(X, y)
        if y is None:
            raise ValueError("this estimator requires y to be passed, but the target y is None")
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        self._check_classes(labels)
        if self.method == "stages":
            fitted = clone(model).fit(X, y)
            table = boosting.record(fitted, X, y)
            found = table.wrong_labels(self.suspect_by)
            by, wrong = found.by, found.fraction
        else:
            table, probs = self._cross_fitted(model, X, labels, groups, chance)
            by = self.suspect_by or "log-margin@end"
            wrong = confident_joint(probs=probs, labels=labels).wrong
        self.scores_ = _named(table, labels, self.classes_, self.method == "cross-fit")
        self.wrong_fraction_ = float("nan") if wrong is None else float(wrong)
        count = 0 if wrong is None else round(wrong * len(labels))
        by = self.scores_._ranking(by, None)[0]
        self.suspects_ = self.scores_._table.hardest_first(by, None)[:count].astype(np.intp)
        self._choose(labels, int(chance.randint(2**31)))
        kept = np.flatnonzero(self.support_)
        self.estimator_ = clone(model).fit(_safe_indexing(X, kept), y[kept])
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.estimator_, name):
                setattr(self, name, getattr(self.estimator_, name))
        return self

    def get_support(self, indices: bool = False) -> npt.NDArray[Any]:
        """Which examples were kept, as a mask or as their numbers; selectors of features have the same method."""
        check_is_fitted(self)
        return np.flatnonzero(self.support_) if indices else self.support_

    @_has("predict")
    def predict(self, X: Any) -> Any:
        """The classes of examples, by the classifier that was trained on what was kept."""
        check_is_fitted(self)
        return self.estimator_.predict(X)

    @_has("predict_proba")
    def predict_proba(self, X: Any) -> Any:
        """Probabilities, columns in the order of `classes_`."""
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    @_has("predict_log_proba")
    def predict_log_proba(self, X: Any) -> Any:
        """Logarithms of the probabilities."""
        check_is_fitted(self)
        return self.estimator_.predict_log_proba(X)

    @_has("decision_function")
    def decision_function(self, X: Any) -> Any:
        """The decision function of the classifier."""
        check_is_fitted(self)
        return self.estimator_.decision_function(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        try:
            inner = get_tags(self._model())
        except ValueError:
            return tags  # An option is wrong, which fit says.
        tags.input_tags = inner.input_tags
        return tags

    def _model(self) -> Any:
        """The classifier, not fitted."""
        if self.method not in ("cross-fit", "stages"):
            raise ValueError(f'method is {self.method!r}; pass "cross-fit" or "stages"')
        if self.estimator is not None:
            return self.estimator
        if self.method == "stages":
            return HistGradientBoostingClassifier()
        return RandomForestClassifier()

    def _check_classes(self, labels: npt.NDArray[np.intp]) -> None:
        counts = np.bincount(labels)
        if len(counts) < 2:
            raise ValueError(
                f"all {len(labels)} examples are of one class; scores need at least 2 classes (n_samples={len(labels)})"
            )
        lonely = np.flatnonzero(counts < 2)
        if len(lonely) and self.method == "cross-fit":
            name = self.classes_[lonely[0]]
            raise ValueError(
                f"the class {name!r} has one example, which no model without it can know; leave it out, or pass"
                ' method="stages"'
            )

    def _cross_fitted(
        self, model: Any, X: Any, labels: npt.NDArray[np.intp], groups: Any, chance: Any
    ) -> tuple[ScoreTable, npt.NDArray[np.float64]]:
        """The table, and the probabilities that it is of: n × classes, means over the repeats."""
        if not hasattr(model, "predict_proba"):
            raise _no_probabilities(model)
        if self.repeats < 1:
            raise ValueError(f"repeats is {self.repeats}; pass at least 1")
        number = isinstance(self.cv, (int, np.integer))
        if number and self.cv < 2:
            raise ValueError(f"cv is {self.cv}; pass at least 2 folds")
        if not number and self.repeats > 1:
            raise ValueError(
                "repeats needs cv as a number of folds: a splitter says itself how it splits"
            )
        recorders, total = [], 0.0
        for _ in range(self.repeats):
            cv = check_cv(self.cv, labels, classifier=True)
            if number:
                folds = min(int(self.cv), int(np.bincount(labels).max()))
                cv = StratifiedKFold(folds, shuffle=True, random_state=chance.randint(2**31))
            with warnings.catch_warnings():
                # Of a class with fewer examples than folds each is in another fold, and all others are known.
                warnings.filterwarnings("ignore", "The least populated class")
                probs = cross_val_predict(
                    model,
                    X,
                    labels,
                    groups=groups,
                    cv=cv,
                    n_jobs=self.n_jobs,
                    method="predict_proba",
                )
            about = f"predictions of models fitted without the example ({cv.get_n_splits(X, labels, groups)} folds)"
            recorder = Recorder(len(labels), len(self.classes_), pass_=about)
            recorder.update(np.arange(len(labels)), probs=probs, labels=labels)
            recorder.end_epoch()
            recorders.append(recorder)
            total += probs
        first, *others = recorders
        table = first.merge(*others) if others else first.table()
        return table, np.asarray(total) / self.repeats

    def _keep_classes(self, labels: npt.NDArray[np.intp]) -> None:
        """Suspects of a class that would have nothing else stay, and that is said."""
        lost = np.setdiff1d(labels, labels[self.support_])
        if self.allow_empty_class or not len(lost):
            return
        self.support_[np.isin(labels, lost)] = True
        shown = ", ".join(repr(self.classes_[one].item()) for one in lost[:5])
        warnings.warn(
            f"all examples of {len(lost)} classes look mislabelled ({shown}), as those of rare classes do; they are"
            " kept: drop_suspects=False keeps all, allow_empty_class=True none of them",
            stacklevel=4,
        )

    def _choose(self, labels: npt.NDArray[np.intp], seed: int) -> None:
        n = len(labels)
        self.support_ = np.ones(n, np.bool_)
        if self.drop_suspects:
            self.support_[self.suspects_] = False
            self._keep_classes(labels)
        if self.keep is not None or self.count is not None:
            _, values, high = self.scores_._ranking(self.by, self.hard_is)
            left = np.flatnonzero(self.support_)
            chosen = select(
                values[left],
                self.keep,
                count=self.count,
                rule=self.rule,
                higher_is_harder=high,
                offset=self.offset,
                cut=self.cut,
                strata=self.strata,
                labels=labels[left],
                quota=self.quota,
                allow_empty_class=self.allow_empty_class,
                seed=seed,
            )
            self.support_ = np.zeros(n, np.bool_)
            self.support_[left[chosen]] = True
        self.sample_weight_ = self.support_.astype(np.float64)


def _seeded(model: Any, random_state: Any, chance: Any) -> Any:
    """A clone whose parts have seeds, where one was given for all."""
    model = clone(model)
    if random_state is None:
        return model
    open_ = [
        name
        for name, value in sorted(model.get_params(deep=True).items())
        if value is None and name.split("__")[-1] == "random_state"
    ]
    return model.set_params(**{name: int(chance.randint(2**31)) for name in open_})


# What is said over epochs, of which cross-fitting has one: a forgetting of 0 would be none.
_OVER_EPOCHS = frozenset(
    (
        "correctness",
        "dual",
        "dyn-unc",
        "forgetting",
        "margin-of-mean",
        "mean-el2n",
        "never-learned",
        "tdds",
        "variability",
    )
)


def _named(
    table: ScoreTable, labels: npt.NDArray[np.intp], classes: npt.NDArray[Any], one_pass: bool
) -> ScoreTable:
    """The table with the names of classes, where those are not their numbers, and without what one pass has not."""
    left_out = _OVER_EPOCHS if one_pass else frozenset()
    columns = {name: table[name] for name in table.columns if name.split("@")[0] not in left_out}
    found: dict[str, Any] = {"id": columns.pop("id"), "label": labels}
    if not np.array_equal(classes, np.arange(len(classes))):
        found["class"] = [str(classes[label]) for label in labels]
    card = table.card or {}
    card["columns"] = [one for one in card.get("columns", []) if one["name"] in columns]
    return ScoreTable.from_columns({**found, **columns, "label": labels}, {CARD: json.dumps(card)})


def _no_probabilities(model: Any) -> DtypeError:
    return DtypeError(
        f"{type(model).__name__} has no predict_proba, which scores are of; wrap it in sklearn's"
        " CalibratedClassifierCV, or pass another classifier"
    )
