"""The estimator of scikit-learn."""

import pickle

import numpy as np
import pandas
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import check_estimator
from threadpoolctl import threadpool_limits

import datadiet
from datadiet.sklearn import DataDiet

FAST = GaussianNB()

ALL_THE_SAME = "all examples are learned, and have the same score: nothing can be chosen by it, which is refused"

CHECKED = {
    "all that is no suspect": (DataDiet(RandomForestClassifier(5), cv=2), {}),
    "a part": (
        DataDiet(
            RandomForestClassifier(5), cv=2, drop_suspects=False, keep=0.7, quota="proportional"
        ),
        {"check_pipeline_consistency": ALL_THE_SAME, "check_classifiers_classes": ALL_THE_SAME},
    ),
    "stages": (DataDiet(GradientBoostingClassifier(n_estimators=5), method="stages"), {}),
}
"""Estimators for the checks of scikit-learn, and those that fail, with the reason. The default differs from the first
in the number of its trees and folds."""


@pytest.fixture(autouse=True)
def one_thread():
    """Threads of linear algebra that wait for a busy core take a hundred times as long."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def digits():
    """With 10 % of the labels changed to another one."""
    X, y = load_digits(return_X_y=True)
    chance = np.random.default_rng(0)
    wrong = chance.choice(len(y), len(y) // 10, replace=False)
    noisy = y.copy()
    noisy[wrong] = (y[wrong] + chance.integers(1, 10, len(wrong))) % 10
    return X, noisy, y


@pytest.mark.parametrize("name", CHECKED)
def test_checks_of_scikit_learn(name):
    diet, exceptions = CHECKED[name]
    results = check_estimator(diet, expected_failed_checks=exceptions, on_skip=None, on_fail=None)
    failed = [one for one in results if one["status"] == "failed"]
    assert not failed, [(one["check_name"], one["exception"]) for one in failed]
    assert {one["check_name"] for one in results if one["status"] == "xfail"} == set(exceptions)


def test_wrong_labels_are_found(digits):
    X, noisy, true = digits
    diet = DataDiet(random_state=0).fit(X, noisy)
    wrong = noisy != true
    assert wrong[diet.suspects_].mean() > 0.9
    assert wrong[diet.suspects_].sum() / wrong.sum() > 0.8
    assert abs(diet.wrong_fraction_ - wrong.mean()) < 0.02
    assert len(diet.suspects_) == round(diet.wrong_fraction_ * len(X))
    np.testing.assert_array_equal(np.flatnonzero(~diet.support_), np.sort(diet.suspects_))
    np.testing.assert_array_equal(diet.sample_weight_, diet.support_.astype(float))
    assert diet.score(X, true) > 0.95
    assert len(diet.scores_) == len(X) and diet.scores_["label"].tolist() == noisy.tolist()
    assert (
        "fitted without the example (5 folds)" in diet.scores_.describe()[0]["definition"]["pass"]
    )


def test_parts_are_those_of_select(digits):
    X, y, _ = digits
    options = {"rule": "window", "offset": 0.1, "quota": "balanced"}
    diet = DataDiet(
        FAST, keep=0.4, by="loss@end", drop_suspects=False, random_state=1, **options
    ).fit(X, y)
    expected = diet.scores_.select(0.4, by="loss@end", **options)
    np.testing.assert_array_equal(diet.get_support(indices=True), expected)
    assert diet.get_support().sum() == len(expected) == round(0.4 * len(X))
    easiest = DataDiet(FAST, count=100, rule="easiest", quota="balanced", random_state=1).fit(X, y)
    assert easiest.support_.sum() == 100 and not easiest.support_[easiest.suspects_].any()


def test_cross_fitting_is_what_it_says(digits):
    """The same numbers as from scikit-learn's own predictions of models that did not see the example."""
    from sklearn.model_selection import cross_val_predict

    X, y, _ = digits
    folds = GroupKFold(3)
    groups = np.arange(len(y)) // 100
    diet = DataDiet(GaussianNB(), cv=folds).fit(X, y, groups=groups)
    probs = cross_val_predict(GaussianNB(), X, y, cv=folds, groups=groups, method="predict_proba")
    np.testing.assert_allclose(
        diet.scores_["el2n@1"], datadiet.el2n(probs=probs, labels=y), atol=1e-6
    )
    repeated = DataDiet(GaussianNB(), cv=3, repeats=3, random_state=0).fit(X, y)
    assert "el2n@1.se" in repeated.scores_ and repeated.scores_.card["replicas"] == 3
    assert not [name for name in repeated.scores_ if name.startswith("forgetting")]
    described = {one["name"] for one in repeated.scores_.describe()}
    assert described <= set(repeated.scores_.columns) and "el2n@1" in described


def test_boosted_stages(digits):
    X, y, _ = digits
    X, y = X[y < 3], y[y < 3]
    model = GradientBoostingClassifier(n_estimators=8, random_state=0)
    diet = DataDiet(model, method="stages", keep=0.5, by="forgetting@end").fit(X, y)
    expected = datadiet.boosting.record(clone(model).fit(X, y), X, y)
    np.testing.assert_array_equal(diet.scores_["aum@8"], expected["aum@8"])
    assert abs(diet.support_.sum() - (len(X) - len(diet.suspects_)) / 2) <= 1


def test_names_of_classes():
    X, y = load_digits(n_class=3, return_X_y=True)
    names = np.array(["zero", "one", "two"])[y]
    diet = DataDiet(FAST, cv=3, random_state=0).fit(X, names)
    assert diet.classes_.tolist() == ["one", "two", "zero"]
    assert diet.scores_["class"] == names.tolist()
    assert set(diet.predict(X)) == set(names)
    frame = pandas.DataFrame(X).add_prefix("pixel")
    on_frame = DataDiet(FAST, cv=3, random_state=0).fit(frame, pandas.Series(names))
    assert on_frame.feature_names_in_[0] == "pixel0"
    np.testing.assert_array_equal(on_frame.support_, diet.support_)


def test_at_the_end_of_a_pipeline():
    """Rows cannot be left out in the middle of one; at its end this is the classifier."""
    X, y = load_digits(n_class=4, return_X_y=True)
    pipeline = make_pipeline(
        StandardScaler(), DataDiet(KNeighborsClassifier(), keep=0.5, cv=3, random_state=0)
    )
    assert cross_val_score(pipeline, X, y, cv=3).mean() > 0.95
    assert pipeline.fit(X, y)[-1].support_.sum() < len(X)
    search = GridSearchCV(pipeline, {"datadiet__keep": [0.2, 0.9]}, cv=2).fit(X, y)
    assert search.best_params_["datadiet__keep"] in (0.2, 0.9)
    assert search.predict_proba(X).shape == (len(X), 4)
    with pytest.raises(TypeError, match="intermediate steps should be transformers"):
        make_pipeline(DataDiet(), LogisticRegression()).fit(X, y)
    assert not hasattr(DataDiet(KNeighborsClassifier()), "decision_function")


def test_texts():
    texts = ["good film", "nice film", "fine play", "bad film", "poor play", "awful show"] * 5
    labels = [1, 1, 1, 0, 0, 0] * 5
    model = make_pipeline(TfidfVectorizer(), LogisticRegression())
    diet = DataDiet(model, cv=3, random_state=0).fit(texts, labels)
    assert diet.predict(["good play"]).tolist() == [1]


def test_what_cannot_be(digits):
    X, y, _ = digits
    X, y = X[:60], y[:60]
    for wrong, message in [
        ({"method": "magic"}, '"cross-fit" or "stages"'),
        ({"cv": 1}, "at least 2 folds"),
        ({"repeats": 0}, "at least 1"),
        ({"cv": GroupKFold(2), "repeats": 2}, "as a number of folds"),
        ({"keep": 0.5, "count": 3}, "keep .* or count"),
        ({"keep": 1.5}, "1.5"),
        ({"by": "el2n@7", "keep": 0.5}, "el2n@7"),
    ]:
        with pytest.raises(ValueError, match=message):
            DataDiet(FAST, **wrong).fit(X, y)
    with pytest.raises(datadiet.DtypeError, match="no predict_proba.*CalibratedClassifierCV"):
        DataDiet(LinearSVC()).fit(X, y)
    with pytest.raises(datadiet.DtypeError, match="no boosted classifier"):
        DataDiet(GaussianNB(), method="stages").fit(X, y)
    with pytest.raises(ValueError, match="of one class"):
        DataDiet(FAST).fit(X, np.zeros(60, int))
    with pytest.raises(ValueError, match="y contains NaN"):
        DataDiet(FAST).fit(X, np.where(y == 1, np.nan, y))
    with pytest.raises(ValueError, match="has one example"):
        DataDiet(FAST).fit(X, [1] * 30 + [2] * 29 + [3])


def test_seeds_reach_the_parts_of_the_estimator():
    X, y = load_digits(n_class=3, return_X_y=True)
    model = make_pipeline(StandardScaler(), RandomForestClassifier(3))
    first, second = (DataDiet(model, cv=2, random_state=7).fit(X, y) for _ in range(2))
    np.testing.assert_array_equal(first.scores_["el2n@1"], second.scores_["el2n@1"])
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    assert model[-1].random_state is None


def test_a_rare_class_that_looks_mislabelled_is_kept_and_that_is_said():
    X, y = load_digits(n_class=2, return_X_y=True)
    y[:2] = 5
    with pytest.warns(UserWarning, match="1 classes look mislabelled .5.*they are kept"):
        diet = DataDiet(KNeighborsClassifier(), random_state=0).fit(X, y)
    assert set(diet.suspects_) >= {0, 1} and diet.support_[:2].all()
    assert (
        not DataDiet(KNeighborsClassifier(), random_state=0, allow_empty_class=True)
        .fit(X, y)
        .support_[:2]
        .any()
    )


def test_it_is_pickled(digits):
    X, y, _ = digits
    diet = pickle.loads(pickle.dumps(DataDiet(FAST).fit(X, y)))
    assert diet.scores_.card["columns"] and diet.scores_.columns[:3] == ["id", "label", "el2n@1"]
