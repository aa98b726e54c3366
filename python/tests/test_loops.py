"""Recording in the loops of other libraries, with the libraries themselves, on small real models."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from packages import imported

import datadiet
from datadiet import DtypeError, LabelError, Recorder, ShapeError

EXAMPLES, CLASSES, EPOCHS = 23, 3, 3


@pytest.fixture
def points(chance: Any) -> tuple[Any, Any]:
    """Examples of six numbers, with classes that these tell a little of."""
    labels = chance.integers(0, CLASSES, EXAMPLES)
    values = chance.normal(size=(EXAMPLES, 6))
    values[np.arange(EXAMPLES), labels] += 1
    return values.astype(np.float32), labels


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_keras(backend: str, tmp_path: Path) -> None:
    """In a process of its own, since Keras takes its backend when it is imported."""
    imported("keras")
    imported(backend)
    home = {"KERAS_BACKEND": backend, "KERAS_HOME": str(tmp_path), "CUDA_VISIBLE_DEVICES": ""}
    program = Path(__file__).with_name("keras_loops.py")
    run = subprocess.run(
        [sys.executable, program], capture_output=True, text=True, env=os.environ | home
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr.count("check_") == program.read_text().count("\ndef check_")


def test_flax_and_jax_arrays(points: Any) -> None:
    """A step that is compiled gives its logits out beside the loss."""
    jax, flax, optax = imported("jax"), imported("flax"), imported("optax")
    linen = __import__("flax.linen", fromlist=["linen"])
    assert flax
    values, labels = points
    model = linen.Sequential([linen.Dense(8), linen.tanh, linen.Dense(CLASSES)])
    optimiser = optax.sgd(0.5)
    parameters = model.init(jax.random.key(0), values[:1])

    @jax.jit
    def step(parameters: Any, state: Any, x: Any, y: Any) -> Any:
        def loss(parameters: Any) -> Any:
            logits = model.apply(parameters, x)
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, y)
            return losses.mean(), (logits, losses)

        gradients, (logits, losses) = jax.grad(loss, has_aux=True)(parameters)
        updates, state = optimiser.update(gradients, state)
        return optax.apply_updates(parameters, updates), state, logits, losses

    recorder, state = Recorder(EXAMPLES, CLASSES), optimiser.init(parameters)
    seen = np.empty((EPOCHS, EXAMPLES, CLASSES), np.float32)
    losses = np.empty((EPOCHS, EXAMPLES), np.float32)
    for epoch in range(EPOCHS):
        order = jax.random.permutation(jax.random.key(epoch), EXAMPLES)
        for ids in (order[:12], order[12:]):
            x, y = values[ids], jax.numpy.asarray(labels)[ids]
            parameters, state, logits, each = step(parameters, state, x, y)
            recorder.update(ids, logits, y)
            seen[epoch, ids], losses[epoch, ids] = logits, each
        recorder.end_epoch()
    table = recorder.table()
    np.testing.assert_allclose(table[f"loss@{EPOCHS}"], losses[-1], rtol=1e-5, atol=1e-6)
    expected = datadiet.aum(seen, labels)
    np.testing.assert_allclose(table[f"aum@{EPOCHS}"], expected, rtol=1e-5, atol=1e-6)
    expected = datadiet.el2n(jax.numpy.asarray(seen[-1]), labels)
    np.testing.assert_allclose(table[f"el2n@{EPOCHS}"], expected, rtol=1e-6)


def test_scikit_learn_by_parts(points: Any) -> None:
    neural = __import__("sklearn.neural_network", fromlist=["MLPClassifier"])
    values, labels = points
    network = neural.MLPClassifier((8,), random_state=0)
    recorder = Recorder(EXAMPLES, CLASSES)
    for _ in range(EPOCHS):
        network.partial_fit(values, labels, classes=range(CLASSES))
        probs = network.predict_proba(values)
        recorder.update(range(EXAMPLES), probs=probs, labels=labels)
        recorder.end_epoch()
    expected = datadiet.loss(probs=probs, labels=labels)
    np.testing.assert_allclose(recorder.table()[f"loss@{EPOCHS}"], expected, rtol=1e-6)


def test_accelerate(points: Any) -> None:
    """Also with gradients that are accumulated: a batch is recorded when it is computed."""
    torch, accelerate = imported("torch"), imported("accelerate")
    from datadiet.torch import indexed

    values, labels = (torch.tensor(part) for part in points)
    torch.manual_seed(0)
    model = torch.nn.Linear(6, CLASSES)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.5)
    data = indexed(torch.utils.data.TensorDataset(values, labels))
    loader = torch.utils.data.DataLoader(data, batch_size=4, shuffle=True)
    accelerator = accelerate.Accelerator(gradient_accumulation_steps=2, cpu=True)
    model, optimiser, loader = accelerator.prepare(model, optimiser, loader)
    recorder = Recorder(EXAMPLES, CLASSES)
    seen = np.empty((EPOCHS, EXAMPLES, CLASSES), np.float32)
    for epoch in range(EPOCHS):
        for x, y, ids in loader:
            with accelerator.accumulate(model):
                logits = model(x)
                accelerator.backward(torch.nn.functional.cross_entropy(logits, y))
                optimiser.step()
                optimiser.zero_grad()
            recorder.update(*accelerator.gather_for_metrics((ids, logits, y)))
            seen[epoch, ids] = logits.detach()
        recorder.end_epoch()
    expected = datadiet.aum(seen, points[1])
    np.testing.assert_allclose(recorder.table()[f"aum@{EPOCHS}"], expected, rtol=1e-5, atol=1e-6)


class TestBoosting:
    """`datadiet.boosting`: rounds of trees as epochs."""

    ROUNDS = 7

    @pytest.fixture
    def data(self, chance: Any) -> tuple[Any, Any]:
        labels = chance.integers(0, CLASSES, 150)
        values = chance.normal(size=(150, 5))
        values[np.arange(150), labels] += 1
        return values, labels

    def model(self, name: str, classes: int = CLASSES, **kwargs: Any) -> Any:
        if name == "xgboost":
            options = {"n_estimators": self.ROUNDS, "max_depth": 2, "n_jobs": 1}
            return imported("xgboost").XGBClassifier(**options | kwargs)
        if name == "lightgbm":
            options = {"n_estimators": self.ROUNDS, "num_leaves": 4, "n_jobs": 1, "verbose": -1}
            return imported("lightgbm").LGBMClassifier(**options | kwargs)
        ensemble = __import__("sklearn.ensemble", fromlist=["ensemble"])
        if name == "histogram":
            options = {"max_iter": self.ROUNDS, "max_depth": 2, "random_state": 0}
            return ensemble.HistGradientBoostingClassifier(**options | kwargs)
        options = {"n_estimators": self.ROUNDS, "random_state": 0}
        if name == "gradient":
            options["max_depth"] = 2
            return ensemble.GradientBoostingClassifier(**options | kwargs)
        return ensemble.AdaBoostClassifier(**options | kwargs)

    def probabilities(self, name: str, model: Any, values: Any) -> list[Any]:
        """Of the libraries' own predictions after each round."""
        rounds = range(1, self.ROUNDS + 1)
        if name == "xgboost":
            return [model.predict_proba(values, iteration_range=(0, last)) for last in rounds]
        if name == "lightgbm":
            return [model.predict_proba(values, num_iteration=last) for last in rounds]
        return [*model.staged_predict_proba(values)]

    @pytest.mark.parametrize("classes", [2, 3])
    @pytest.mark.parametrize("name", ["gradient", "histogram", "ada", "xgboost", "lightgbm"])
    def test_scores_are_those_of_the_predictions_after_each_round(
        self, data: Any, name: str, classes: int
    ) -> None:
        from datadiet import boosting

        values, labels = data
        labels = labels % classes
        model = self.model(name).fit(values, labels)
        table = boosting.record(model, values, labels, keep_at=[1, 3])
        probs = np.stack(self.probabilities(name, model, values))
        for epoch in (1, 3, self.ROUNDS):
            expected = datadiet.el2n(probs=probs[epoch - 1], labels=labels)
            np.testing.assert_allclose(table[f"el2n@{epoch}"], expected, rtol=1e-4, atol=1e-5)
        expected = datadiet.trajectory_scores(probs=probs, labels=labels)
        for score in ("confidence", "variability", "mean-el2n"):
            found = table[f"{score}@{self.ROUNDS}"]
            np.testing.assert_allclose(found, expected[score], rtol=1e-4, atol=1e-5)
        assert (f"aum@{self.ROUNDS}" in table) == (name != "ada")
        if name != "ada" and classes == 3:
            # Margins of log-probabilities are margins of logits.
            expected = datadiet.aum(np.log(probs), labels)
            np.testing.assert_allclose(table[f"aum@{self.ROUNDS}"], expected, rtol=1e-3, atol=1e-4)

    @pytest.mark.parametrize("name", ["gradient", "xgboost", "lightgbm"])
    def test_an_epoch_may_be_several_rounds(self, data: Any, name: str) -> None:
        from datadiet import boosting

        values, labels = data
        model = self.model(name).fit(values, labels)
        table = boosting.record(model, values, labels, every=3, keep_at=[1, 2])
        probs = self.probabilities(name, model, values)
        for epoch, last in ((1, 3), (2, 6), (3, 7)):
            expected = datadiet.el2n(probs=probs[last - 1], labels=labels)
            np.testing.assert_allclose(table[f"el2n@{epoch}"], expected, rtol=1e-4, atol=1e-5)
        with pytest.raises(ValueError, match="every is 0"):
            boosting.record(model, values, labels, every=0)

    @pytest.mark.parametrize("name", ["gradient", "lightgbm"])
    def test_labels_are_those_of_the_model(self, data: Any, name: str) -> None:
        from datadiet import boosting

        values, labels = data
        names = np.array(["wren", "auk", "ibis"])[labels]
        table = boosting.record(self.model(name).fit(values, names), values, names)
        by_number = np.unique(names, return_inverse=True)[1]
        expected = boosting.record(self.model(name).fit(values, by_number), values, by_number)
        last = f"aum@{self.ROUNDS}"
        np.testing.assert_allclose(table[last], expected[last], rtol=1e-6)
        model = self.model(name).fit(values, names)
        with pytest.raises(LabelError, match="row 4 has the label 'owl'"):
            boosting.record(model, values, ["wren"] * 4 + ["owl"] * 146)
        with pytest.raises(ShapeError, match="150 examples and y 3 labels"):
            boosting.record(model, values, ["wren"] * 3)

    def test_boosters_of_xgboost_and_lightgbm(self, data: Any) -> None:
        from datadiet import boosting

        values, labels = data
        last = f"aum@{self.ROUNDS}"
        for name in ("xgboost", "lightgbm"):
            model = self.model(name).fit(values, labels)
            booster = model.get_booster() if name == "xgboost" else model.booster_
            expected = boosting.record(model, values, labels)[last]
            np.testing.assert_array_equal(boosting.record(booster, values, labels)[last], expected)
        xgboost = imported("xgboost")
        matrix = xgboost.DMatrix(values)
        model = self.model("xgboost").fit(values, labels)
        boosting.record(model.get_booster(), matrix, labels)
        assert matrix.get_base_margin().size == 0

    def test_after_early_stopping_rounds_are_those_of_predict(self, data: Any) -> None:
        from datadiet import boosting

        values, labels = data
        noise = np.random.default_rng(5).integers(0, CLASSES, 150)
        xgboost, lightgbm = imported("xgboost"), imported("lightgbm")
        model = xgboost.XGBClassifier(
            n_estimators=60, early_stopping_rounds=3, max_depth=3, n_jobs=1
        ).fit(values, labels, eval_set=[(values, noise)], verbose=False)
        stopped = lightgbm.LGBMClassifier(
            n_estimators=60, early_stopping_round=3, n_jobs=1, verbose=-1
        ).fit(values, labels, eval_X=values, eval_y=noise)
        for fitted, rounds in (
            (model, model.best_iteration + 1),
            (stopped, stopped.best_iteration_),
        ):
            assert rounds < 60
            table = boosting.record(fitted, values, labels)
            expected = datadiet.el2n(probs=fitted.predict_proba(values), labels=labels)
            np.testing.assert_allclose(table[f"el2n@{rounds}"], expected, rtol=1e-4, atol=1e-5)

    def test_what_is_no_boosted_classifier_is_refused(self, data: Any) -> None:
        from datadiet import boosting

        values, labels = data
        ensemble = __import__("sklearn.ensemble", fromlist=["ensemble"])
        xgboost, lightgbm = imported("xgboost"), imported("lightgbm")
        forest = lightgbm.LGBMClassifier(
            boosting_type="rf", bagging_freq=1, bagging_fraction=0.5, n_estimators=3, verbose=-1
        )
        for model, text in (
            (ensemble.RandomForestClassifier(5), "no boosted classifier"),
            (xgboost.XGBRegressor(n_estimators=3), "the objective reg:squarederror"),
            (lightgbm.LGBMRegressor(n_estimators=3, verbose=-1), "the objective 'regression'"),
            (forest, "a random forest"),
        ):
            with pytest.raises(DtypeError, match=text):
                boosting.record(model.fit(values, labels), values, labels)
