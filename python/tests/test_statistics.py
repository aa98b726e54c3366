"""Statistics against SciPy and scikit-learn."""

import numpy as np
import pytest
import reference
from scipy import stats
from sklearn import metrics

import datadiet


@pytest.mark.parametrize("ties", [1e9, 5])
def test_spearman_agrees_with_scipy(chance, ties):
    first = np.round(chance.normal(size=1000) * ties)
    second = np.round((first / ties + chance.normal(size=1000)) * ties)
    expected = stats.spearmanr(first, second).statistic
    assert datadiet.spearman(first, second) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("ties", [1e6, 3])
@pytest.mark.parametrize("higher", [True, False])
def test_noise_metrics_agree_with_scikit_learn(chance, ties, higher):
    touched = chance.random(500) < 0.2
    scores = np.round((chance.normal(size=500) + touched) * ties).astype(np.float32)
    turned = scores if higher else -scores
    found = datadiet.noise_metrics(turned, touched, at=[1, 50], higher_is_suspect=higher)
    assert found.auroc == pytest.approx(metrics.roc_auc_score(touched, scores))
    assert found.average_precision == pytest.approx(
        metrics.average_precision_score(touched, scores)
    )
    assert (found.touched, found.examples) == (touched.sum(), 500)
    if ties > 10:
        top = np.argsort(-scores, kind="stable")[:50]
        assert found.precision_at[50] == pytest.approx(touched[top].mean())


def close_to_one(chance, ties):
    """Numbers that 32 bits cannot tell from 1, or from 1e300."""
    steps = np.floor(chance.random(500) * 500 / ties)
    return 1 - 1e-9 * steps


@pytest.mark.parametrize("ties", [0.001, 50])
def test_spearman_does_not_round_64_bits(chance, ties):
    first, second = close_to_one(chance, ties), close_to_one(chance, ties)
    second += (first - 1) / 2
    expected = stats.spearmanr(first, second).statistic
    assert datadiet.spearman(first, second) == pytest.approx(expected, rel=1e-12)
    assert datadiet.spearman(first * 1e300, second) == pytest.approx(expected, rel=1e-12)


def test_spearman_of_whole_numbers_beyond_64_bit_floats(chance):
    first, second = chance.permutation(100), chance.permutation(100)
    expected = datadiet.spearman(first, second)
    assert datadiet.spearman(2**62 + first, 2**63 + second.astype(np.uint64)) == expected
    assert datadiet.spearman(first - 2**62, second) == expected


@pytest.mark.parametrize("ties", [0.001, 50])
@pytest.mark.parametrize("higher", [True, False])
def test_noise_metrics_do_not_round_64_bits(chance, ties, higher):
    scores = close_to_one(chance, ties)
    touched = chance.random(500) < (scores - scores.min()) / np.ptp(scores) / 2
    suspect = scores if higher else -scores
    found = datadiet.noise_metrics(scores, touched, at=[50], higher_is_suspect=higher)
    assert found.auroc == pytest.approx(metrics.roc_auc_score(touched, suspect), rel=1e-12)
    assert found.average_precision == pytest.approx(
        metrics.average_precision_score(touched, suspect), rel=1e-12
    )


def test_half_precision_scores(chance):
    scores = chance.normal(size=100).astype(np.float16)
    assert datadiet.spearman(scores, scores.astype(np.float64) * 2) == 1


def test_reliability_of_two_replicas_is_their_correlation(chance):
    truth = chance.normal(size=400)
    replicas = truth + chance.normal(size=(2, 400))
    found = datadiet.reliability(replicas)
    assert found.half == pytest.approx(stats.spearmanr(*replicas).statistic)
    assert found.single < found.full < 1
    assert found.replicas_for_95 > 2


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: datadiet.spearman([1.0, 2.0], [1.0]), datadiet.ShapeError, "2 and 1 entries"),
        (lambda: datadiet.spearman([1.0, np.nan], [1.0, 2.0]), datadiet.StatisticsError, "entry 1"),
        (lambda: datadiet.spearman([1.0, 1.0], [1.0, 2.0]), datadiet.UndefinedError, "constant"),
        (lambda: datadiet.noise_metrics([1.0], [False]), datadiet.StatisticsError, "none of the 1"),
        (
            lambda: datadiet.noise_metrics([1.0, 2.0], [1, 0], at=[3]),
            datadiet.StatisticsError,
            "top 3",
        ),
        (lambda: datadiet.noise_metrics([1.0, 2.0], [1, 2]), datadiet.DtypeError, "True and False"),
        (lambda: datadiet.reliability([[1.0, 2.0]]), datadiet.StatisticsError, "at least 2"),
        (lambda: datadiet.reliability([1.0, 2.0]), datadiet.ShapeError, "replicas × examples"),
        (lambda: datadiet.spearman(["a"], ["b"]), datadiet.DtypeError, "float"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert isinstance(caught.value, datadiet.DatadietError)


@pytest.mark.parametrize("at", [5, [2.5]])
def test_precision_is_taken_at_a_list(at):
    with pytest.raises(TypeError, match="at is .*pass whole numbers in a list"):
        datadiet.noise_metrics([1.0, 2.0], [1, 0], at=at)


def noisy_probs(chance, n=2000, k=5):
    """Probabilities of a good network, and labels of which a tenth is wrong; no example of class 4."""
    true = chance.integers(0, k - 1, n)
    logits = chance.normal(size=(n, k)) + 3 * np.eye(k)[true]
    wrong = chance.random(n) < 0.1
    labels = np.where(wrong, (true + chance.integers(1, k - 1, n)) % (k - 1), true)
    return logits, reference.softmax(logits), labels


def test_the_confident_joint_agrees_with_its_definition(chance):
    logits, probs, labels = noisy_probs(chance)
    counts, joint, wrong = reference.confident_joint(probs, labels)
    for given in ({"probs": probs}, {"logits": logits}):
        found = datadiet.confident_joint(labels=labels, **given)
        np.testing.assert_array_equal(found.counts, counts)
        np.testing.assert_allclose(found.joint, joint, atol=1e-12)
        assert found.wrong == pytest.approx(wrong)
        assert np.isnan(found.thresholds[4]) and (found.thresholds[:4] > 0).all()
    assert abs(found.wrong - 0.1) < 0.03


@pytest.mark.parametrize("k", [2, 7])
def test_the_confident_joint_agrees_with_cleanlab(chance, k):
    count = pytest.importorskip("cleanlab.count")
    labels = chance.integers(0, k, 3000)
    # Networks that know little: several classes above their thresholds, and none.
    probs = reference.softmax(chance.normal(size=(3000, k)) + np.eye(k)[labels])
    found = datadiet.confident_joint(probs=probs, labels=labels)
    counts = count.compute_confident_joint(labels, probs, calibrate=False)
    np.testing.assert_array_equal(found.counts, counts)
    # cleanlab's joint is of whole examples.
    np.testing.assert_allclose(found.joint, count.estimate_joint(labels, probs), atol=1.01 / 3000)


def test_the_confident_joint_refuses_what_it_cannot_read():
    with pytest.raises(datadiet.LabelError):
        datadiet.confident_joint(probs=[[0.5, 0.5]], labels=[2])
    with pytest.raises(datadiet.ProbabilityError):
        datadiet.confident_joint(probs=[[0.5, 0.7]], labels=[0])
    with pytest.raises(datadiet.ShapeError):
        datadiet.confident_joint(probs=[[0.5, 0.5]], labels=[0, 1])
