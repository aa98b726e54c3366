"""What test_loops.py runs with Keras on a backend: each check is a function, and this file is the program.

KERAS_BACKEND=jax python keras_loops.py
"""

import sys

import keras
import numpy as np

import datadiet
from datadiet import DtypeError, IdError, LabelError, ShapeError, StateError
from datadiet.keras import KerasRecorder, with_ids

EXAMPLES, CLASSES, EPOCHS, BATCH = 23, 3, 3, 5
random = np.random.default_rng(0)
X = random.normal(size=(EXAMPLES, 6)).astype(np.float32)
Y = random.integers(0, CLASSES, EXAMPLES)


def network(outputs, loss, activation=None, rate=0.1, **kwargs):
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(8, activation="tanh"), keras.layers.Dense(outputs, activation)]
    model = keras.Sequential([keras.Input((6,)), *layers])
    model.compile(optimizer=keras.optimizers.SGD(rate), loss=loss, **kwargs)
    return model


def fit(model, y, callback, **kwargs):
    options = {"epochs": EPOCHS, "batch_size": BATCH, "verbose": 0, "callbacks": [callback]}
    return model.fit(X, y, **options | kwargs).history


def raises(error, text, call):
    try:
        call()
    except error as found:
        assert text in str(found), str(found)
    else:
        raise AssertionError(f"no {error.__name__}: {text}")


def check_what_is_recorded_is_what_the_steps_computed():
    """The mean of the recorded losses is the loss that Keras shows, in every epoch; so is the accuracy."""
    recorder = datadiet.Recorder(EXAMPLES, CLASSES, keep_at=range(1, EPOCHS + 1))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model = network(CLASSES, loss, metrics=["accuracy"])
    callback = KerasRecorder(recorder, model)
    history = fit(model, with_ids(Y), callback, validation_data=(X, Y), shuffle=True)
    assert recorder.unseen.tolist() == [0] * EPOCHS
    table = recorder.table()
    for epoch in range(1, EPOCHS + 1):
        mean = table[f"loss@{epoch}"].mean()
        np.testing.assert_allclose(mean, history["loss"][epoch - 1], rtol=1e-5)
        accuracy = table[f"correct@{epoch}"].mean()
        np.testing.assert_allclose(accuracy, history["accuracy"][epoch - 1], rtol=1e-5)
    # The model is as it was, and can be recorded again, with labels as they come.
    assert "compute_loss" not in vars(model) and "compute_metrics" not in vars(model)
    fit(model, Y, keras.callbacks.Callback(), epochs=1)
    again = datadiet.Recorder(EXAMPLES, CLASSES)
    fit(model, with_ids(Y), KerasRecorder(again, model))
    assert again.epochs == EPOCHS


def check_each_row_is_the_example_of_its_id():
    """Without learning, every epoch's rows are those of a pass of its own."""
    recorder = datadiet.Recorder(EXAMPLES, CLASSES)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model = network(CLASSES, loss, rate=0.0)
    order = random.permutation(EXAMPLES)
    one_hot = np.eye(CLASSES, dtype=np.float32)[Y]
    callback = KerasRecorder(recorder, model)
    options = {"epochs": EPOCHS, "batch_size": BATCH, "verbose": 0, "callbacks": [callback]}
    model.fit(X[order], with_ids(one_hot[order], order), **options)
    logits = model.predict(X, verbose=0)
    table = recorder.table()
    expected = datadiet.el2n(logits, Y)
    np.testing.assert_allclose(table[f"el2n@{EPOCHS}"], expected, rtol=1e-4, atol=1e-6)
    expected = datadiet.aum(np.stack([logits] * EPOCHS), Y)
    np.testing.assert_allclose(table[f"aum@{EPOCHS}"], expected, rtol=1e-4, atol=1e-5)


def check_probabilities_and_two_classes():
    recorder = datadiet.Recorder(EXAMPLES, CLASSES)
    model = network(CLASSES, "sparse_categorical_crossentropy", "softmax", rate=0.0)
    fit(model, with_ids(Y[:, None]), KerasRecorder(recorder, model))
    expected = datadiet.el2n(probs=model.predict(X, verbose=0), labels=Y)
    table = recorder.table()
    np.testing.assert_allclose(table[f"el2n@{EPOCHS}"], expected, rtol=1e-4, atol=1e-6)
    assert f"aum@{EPOCHS}" not in table
    halves = (Y > 0).astype(int)
    for activation, logits in ((None, True), ("sigmoid", False)):
        recorder = datadiet.Recorder(EXAMPLES, 2)
        loss = keras.losses.BinaryCrossentropy(from_logits=logits)
        model = network(1, loss, activation, rate=0.0)
        fit(model, with_ids(halves), KerasRecorder(recorder, model))
        z = model.predict(X, verbose=0)[:, 0]
        p = 1 / (1 + np.exp(-z)) if logits else z
        expected = np.sqrt(2) * np.abs(p - halves)
        found = recorder.table()[f"el2n@{EPOCHS}"]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def check_what_cannot_be_recorded():
    def recorder():
        return datadiet.Recorder(EXAMPLES, CLASSES)

    def model(loss="sparse_categorical_crossentropy"):
        return network(CLASSES, loss, "softmax")

    bare = keras.Sequential([keras.layers.Dense(CLASSES)])
    raises(StateError, "model.compile", lambda: KerasRecorder(recorder(), bare))
    one = model()
    raises(LabelError, "with_ids(y)", lambda: fit(one, Y, KerasRecorder(recorder(), one)))
    assert "compute_loss" not in vars(one)
    two = model()
    old, new = KerasRecorder(recorder(), two), KerasRecorder(recorder(), two)
    raises(StateError, "another KerasRecorder", lambda: fit(two, with_ids(Y), old))
    fit(two, with_ids(Y), new)
    assert new.recorder.epochs == EPOCHS and old.recorder.epochs == 0
    three = model()
    twice = with_ids(Y, np.zeros(EXAMPLES, dtype=int))
    raises(IdError, "", lambda: fit(three, twice, KerasRecorder(recorder(), three)))
    raises(ShapeError, "one id a label", lambda: with_ids(Y, [1, 2]))
    raises(IdError, "has the id 2147483648", lambda: with_ids([0, 1], [0, 2**31]))
    raises(IdError, "has the id -1", lambda: with_ids([0, 1], [-1, 0]))
    four = model(lambda y, p: keras.losses.sparse_categorical_crossentropy(y, p))
    text = "from_logits=True"
    raises(DtypeError, text, lambda: fit(four, with_ids(Y), KerasRecorder(recorder(), four)))
    five = model()
    callback = KerasRecorder(recorder(), five)
    callback.recorder.update([0], [[1.0, 0.0, 0.0]], [0])
    raises(StateError, "interrupted training", lambda: fit(five, with_ids(Y), callback))


def check_losses_tokens_and_numbers():
    """The compiled loss of each example; outputs of several places with a label each."""
    recorder = datadiet.LossRecorder(EXAMPLES)
    targets = random.normal(size=(EXAMPLES, 2)).astype(np.float32)
    model = network(2, "mse")
    history = fit(model, with_ids(targets), KerasRecorder(recorder, model))
    mean = recorder.table()[f"loss@{EPOCHS}"].mean()
    np.testing.assert_allclose(mean, history["loss"][-1], rtol=1e-5)
    recorder = datadiet.RegressionRecorder(EXAMPLES)
    model = network(2, "mse", rate=0.0)
    fit(model, with_ids(targets), KerasRecorder(recorder, model))
    expected = ((model.predict(X, verbose=0) - targets) ** 2).mean(1)
    found = recorder.table()[f"loss@{EPOCHS}"]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    recorder = datadiet.TokenRecorder(EXAMPLES)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    words = keras.Sequential([keras.Input((6, 1)), keras.layers.Dense(CLASSES)])
    words.compile(keras.optimizers.SGD(0.0), loss)
    labels = random.integers(0, CLASSES, (EXAMPLES, 6))
    options = {"epochs": 1, "batch_size": BATCH, "verbose": 0}
    callback = KerasRecorder(recorder, words)
    words.fit(X[..., None], with_ids(labels), callbacks=[callback], **options)
    logits = words.predict(X[..., None], verbose=0)
    expected = datadiet.token_scores(logits, labels, shift=False).examples
    for name in ("loss", "el2n", "token-accuracy"):
        found = recorder.table()[f"{name}@1"]
        np.testing.assert_allclose(found, expected[name], rtol=1e-4, atol=1e-6)


def check_examples_that_are_split_off_are_unseen():
    recorder = datadiet.Recorder(EXAMPLES, CLASSES)
    model = network(CLASSES, "sparse_categorical_crossentropy", "softmax")
    fit(model, with_ids(Y), KerasRecorder(recorder, model), validation_split=0.25)
    assert recorder.unseen.tolist() == [6] * EPOCHS


if __name__ == "__main__":
    for name, check in [*globals().items()]:
        if name.startswith("check_"):
            check()
            print(name, file=sys.stderr)
