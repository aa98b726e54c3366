"""The same numbers as the programs that people use: cleanlab, aum, dataset cartography, DeepCore."""

import aum as aum_package
import cleanlab.rank
import numpy as np
import pandas
import reference
import torch

import datadiet


def test_cleanlab_self_confidence(batch):
    logits, labels = batch
    probs = reference.softmax(logits)
    theirs = cleanlab.rank.get_self_confidence_for_each_label(labels, probs)
    # ‖p − y‖₁ = 2 (1 − p_y).
    np.testing.assert_allclose(1 - datadiet.l1(logits, labels) / 2, theirs, atol=1e-6)
    ours = datadiet.confidence(probs=probs[np.newaxis], labels=labels)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    # The same ranks: in the order of theirs, ours never rises (theirs ties where p rounds to 1).
    assert np.diff(datadiet.loss(logits, labels)[np.argsort(theirs)]).max() <= 1e-6


def test_cleanlab_normalised_margin(batch):
    logits, labels = batch
    probs = reference.softmax(logits)
    theirs = cleanlab.rank.get_normalized_margin_for_each_label(labels, probs)
    ours = datadiet.max_margin(logits, labels)
    # Theirs is (p_y − max_{j≠y} p_j + 1) / 2.
    np.testing.assert_allclose((1 - ours) / 2, theirs, atol=1e-6)
    assert np.diff(ours[np.argsort(theirs)]).max() <= 1e-6


def test_aum_package(trajectory, tmp_path):
    """The package that the authors of AUM released."""
    logits, labels = trajectory
    calculator = aum_package.AUMCalculator(tmp_path)
    for epoch in logits:
        calculator.update(torch.tensor(epoch), torch.tensor(labels), list(range(len(labels))))
    calculator.finalize()
    theirs = pandas.read_csv(tmp_path / "aum_values.csv").set_index("sample_id").sort_index()["aum"]
    np.testing.assert_allclose(datadiet.aum(logits, labels), theirs, rtol=1e-6, atol=1e-6)


def test_dataset_cartography(trajectory):
    """What `compute_train_dy_metrics` does, with the calls that it makes.

    From cartography/selection/train_dy_filtering.py of allenai/cartography at 1bf67e0: a softmax of
    PyTorch in float32 for each example and epoch, `np.mean` and `np.std` of the true class's
    probability, the number of right predictions (here their fraction), and forgetting with 1000
    for an example that was never right.
    """
    logits, labels = trajectory
    ours = datadiet.trajectory_scores(logits, labels)
    for i, label in enumerate(labels):
        true = [float(torch.softmax(torch.Tensor(z), dim=-1)[label]) for z in logits[:, i]]
        right = [int(np.argmax(z)) == label for z in logits[:, i]]
        np.testing.assert_allclose(ours["confidence"][i], np.mean(true), rtol=1e-6)
        np.testing.assert_allclose(ours["variability"][i], np.std(true), rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(ours["correctness"][i], sum(right) / len(right), rtol=1e-6)
        forgotten = sum(before and not now for before, now in zip(right, right[1:], strict=False))
        assert bool(ours["never-learned"][i]) == (not any(right))
        assert ours["forgetting"][i] == forgotten


def test_deepcore_forgetting(trajectory):
    """DeepCore's running counts.

    deepcore/methods/forgetting.py of PatrickZH/DeepCore: after each batch, an event where the last
    accuracy of an example exceeds the current one.
    """
    logits, labels = trajectory
    last = torch.zeros(len(labels))
    events = torch.zeros(len(labels))
    for epoch in torch.tensor(logits):
        current = (epoch.argmax(dim=1) == torch.tensor(labels)).float()
        events[last - current > 0.01] += 1
        last = current
    np.testing.assert_array_equal(datadiet.forgetting(logits, labels), events.numpy())
