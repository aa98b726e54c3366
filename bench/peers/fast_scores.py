"""The peers of fast_scores.py's tasks; what they found, and seconds, as JSON.

    python fast_scores.py el2n LOGITS.f16 LABELS.u32            EL2N of n × 1,000 logits, by NumPy
    python fast_scores.py trajectories LOGITS.f32 LABELS.u32    T × n × 10 logits, by NumPy
    python fast_scores.py cartography LOGITS.f32 LABELS.u32     the same, dataset cartography's way

Files are raw little-endian numbers; reading them is not part of the seconds. The first call is not
timed where it takes less than a minute.

Dataset cartography's way is that of `compute_train_dy_metrics` in its
cartography/selection/train_dy_filtering.py (commit 1bf67e0): example by example and epoch by epoch,
a softmax in PyTorch of a list of logits. It would take very long: the seconds are those of its loop
over some examples, times n over their number.
"""

import json
import sys
import time

import numpy as np

MANY_CLASSES, FEW_CLASSES = 1000, 10

# Rows that NumPy takes at a time: two megabytes as f32, so that a block stays in the cache.
BLOCK = 500

# Examples of the loop in Python.
SAMPLE = 200


def el2n(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """As well as NumPy can: in blocks, in f32, in place, and without 1 − p."""
    scores = np.empty(len(labels), np.float32)
    block = np.empty((BLOCK, logits.shape[1]), np.float32)
    for first in range(0, len(labels), BLOCK):
        y = labels[first : first + BLOCK]
        z = block[: len(y)]
        np.copyto(z, logits[first : first + BLOCK])
        z -= z.max(axis=1, keepdims=True)
        np.exp(z, out=z)
        rows = np.arange(len(y))
        truth = z[rows, y].copy()
        z[rows, y] = 0
        rest = z.sum(axis=1)
        scores[first : first + len(y)] = np.sqrt(rest**2 + np.einsum("ij,ij->i", z, z)) / (rest + truth)
    return scores


def trajectories(logits: np.ndarray, labels: np.ndarray) -> dict:
    """Every epoch as one array."""
    epochs, n, _ = logits.shape
    rows = np.arange(n)
    margins, mean, squares = (np.zeros(n) for _ in range(3))
    correct, forgotten = np.zeros(n, np.int64), np.zeros(n, np.int64)
    known = np.zeros(n, bool)
    for epoch, z in enumerate(logits, start=1):
        right = z.argmax(axis=1) == labels
        forgotten += known & ~right
        correct += right
        known = right
        e = np.exp(z - z.max(axis=1, keepdims=True))
        truth = e[rows, labels].astype(np.float64) / e.sum(axis=1)
        before = truth - mean
        mean += before / epoch
        squares += before * (truth - mean)
        others = z.copy()
        others[rows, labels] = -np.inf
        margins += z[rows, labels] - others.max(axis=1)
    return means(mean, np.sqrt(squares / epochs), correct / epochs, forgotten, margins / epochs)


def means(confidence, variability, correctness, forgetting, aum) -> dict:
    return {
        "mean": float(np.mean(confidence)),
        "variability": float(np.mean(variability)),
        "correctness": float(np.mean(correctness)),
        "forgetting": float(np.mean(forgetting)),
        "aum": float(np.mean(aum)),
    }


def times_forgotten(trend: list[bool]) -> int:
    learnt, times = False, 0
    for right in trend:
        times += learnt and not right
        learnt = right
    return times


def cartography(records: list[list[list[float]]], labels: list[int]) -> tuple[list, list, list, list]:
    """One record an example, with its logits as lists, as they come from JSON lines."""
    import torch

    confidence, variability, correctness, forgetting = [], [], [], []
    for record, label in zip(records, labels):
        true_probs, trend = [], []
        for logits in record:
            probs = torch.nn.functional.softmax(torch.Tensor(logits), dim=-1)
            true_probs.append(float(probs[label]))
            trend.append((np.argmax(logits) == label).item())
        confidence.append(np.mean(true_probs))
        variability.append(np.std(true_probs))
        correctness.append(sum(trend))
        forgetting.append(times_forgotten(trend))
    return confidence, variability, correctness, forgetting


def timed(call, *arguments):
    """What the second call gives, and its seconds."""
    call(*arguments)
    began = time.perf_counter()
    result = call(*arguments)
    return result, time.perf_counter() - began


def main() -> None:
    what, logits, labels = sys.argv[1:]
    labels = np.fromfile(labels, "<u4").astype(np.int64)
    if what == "el2n":
        logits = np.fromfile(logits, "<f2").reshape(-1, MANY_CLASSES)
        # The first rows are enough to load what is loaded once.
        el2n(logits[:BLOCK], labels[:BLOCK])
        began = time.perf_counter()
        scores = el2n(logits, labels)
        seconds = time.perf_counter() - began
        found = {"mean": float(scores.mean(dtype=np.float64))}
    else:
        logits = np.fromfile(logits, "<f4").reshape(-1, len(labels), FEW_CLASSES)
        if what == "trajectories":
            found, seconds = timed(trajectories, logits, labels)
        else:
            records = logits[:, :SAMPLE].swapaxes(0, 1).tolist()
            found, seconds = timed(cartography, records, labels[:SAMPLE].tolist())
            seconds *= len(labels) / SAMPLE
            found = {"sampled": SAMPLE, "sampled_forgetting": float(np.mean(found[3]))}
    print(json.dumps(found | {"seconds": seconds}))


if __name__ == "__main__":
    main()
