"""The peers of python.py, in NumPy and in the way of dataset cartography; figures as JSON.

    python python.py el2n LOGITS.npy LABELS.npy        EL2N of n × K float16 logits
    python python.py trajectories LOGITS.npy LABELS.npy   all scores of T × n × K float32 logits
    python python.py cartography LOGITS.npy LABELS.npy    the same, one example and epoch at a time

Each call is made once untimed and then ROUNDS times; the least seconds are given, of the call alone.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

# As many as the machine of the figures has cores.
THREADS = 2
ROUNDS = 3

# Rows that NumPy works on at a time: half-precision rows, their float32 copy and the scores stay in
# the second-level cache. Larger and smaller chunks were slower.
ROWS = 128


def el2n_of_rows(logits, labels, scores):
    """‖p − y‖₂² = Σ p² − 2 p_y + 1, without a one-hot matrix, in two buffers."""
    n, classes = logits.shape
    z = np.empty((ROWS, classes), dtype=np.float32)
    for first in range(0, n, ROWS):
        part = logits[first : first + ROWS]
        rows = z[: len(part)]
        np.copyto(rows, part, casting="same_kind")
        rows -= rows.max(axis=1, keepdims=True)
        np.exp(rows, out=rows)
        total = rows.sum(axis=1)
        true = rows[np.arange(len(part)), labels[first : first + ROWS]] / total
        squares = np.einsum("ij,ij->i", rows, rows) / (total * total)
        error = squares - 2 * true + 1
        np.sqrt(np.maximum(error, 0, out=error), out=scores[first : first + ROWS])


def el2n(logits, labels, threads):
    scores = np.empty(len(labels), dtype=np.float32)
    bounds = np.linspace(0, len(labels), threads + 1).astype(int)
    parts = [slice(low, high) for low, high in zip(bounds, bounds[1:], strict=False)]
    if threads == 1:
        el2n_of_rows(logits, labels, scores)
    else:
        # NumPy lets go of Python's lock in its loops.
        with ThreadPoolExecutor(threads) as pool:
            list(
                pool.map(lambda part: el2n_of_rows(logits[part], labels[part], scores[part]), parts)
            )
    return scores


def trajectories(logits, labels):
    """Vectorised over examples, an epoch at a time, so that no temporary has the size of the input."""
    epochs, n, _ = logits.shape
    rows = np.arange(n)
    true = np.empty((epochs, n), dtype=np.float32)
    right = np.empty((epochs, n), dtype=bool)
    margin = np.zeros(n)
    for epoch, z in enumerate(logits):
        right[epoch] = z.argmax(axis=1) == labels
        exps = np.exp(z - z.max(axis=1, keepdims=True))
        true[epoch] = exps[rows, labels] / exps.sum(axis=1)
        others = z.copy()
        others[rows, labels] = -np.inf
        margin += z[rows, labels] - others.max(axis=1)
    return {
        "forgetting": np.count_nonzero(right[:-1] & ~right[1:], axis=0),
        "never-learned": ~right.any(axis=0),
        "aum": margin / epochs,
        "confidence": true.mean(axis=0),
        "variability": true.std(axis=0),
        "correctness": right.mean(axis=0),
    }


def cartography(logits, labels):
    """As `compute_train_dy_metrics` of allenai/cartography: PyTorch's softmax of each row alone.

    Its loops and calls are followed, its AUM does not exist; what it gathers for its accuracy table
    is left out, and its progress bar.
    """
    import torch

    records = {
        guid: {"gold": int(label), "logits": logits[:, guid].tolist()}
        for guid, label in enumerate(labels)
    }
    began = time.perf_counter()
    found = {"forgetting": [], "confidence": [], "variability": [], "correctness": []}
    for record in records.values():
        true, right = [], []
        for z in record["logits"]:
            probs = torch.nn.functional.softmax(torch.Tensor(z), dim=-1)
            true.append(float(probs[record["gold"]]))
            right.append((np.argmax(z) == record["gold"]).item())
        found["confidence"].append(np.mean(true))
        found["variability"].append(np.std(true))
        found["correctness"].append(sum(right) / len(right))
        found["forgetting"].append(sum(a and not b for a, b in zip(right, right[1:], strict=False)))
    return found, time.perf_counter() - began


def least(call):
    """What a call gives, and the least of its seconds."""
    found = call()
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        found = call()
        seconds.append(time.perf_counter() - began)
    return found, min(seconds)


def means(scores):
    return {name: float(np.mean(column, dtype=np.float64)) for name, column in scores.items()}


def main() -> None:
    what, logits, labels = sys.argv[1:]
    logits, labels = np.load(logits), np.load(labels)
    if what == "el2n":
        result = {}
        for threads in (1, THREADS):
            found, seconds = least(lambda threads=threads: el2n(logits, labels, threads))
            result |= {f"seconds_{threads}": seconds, "means": means({"el2n": found})}
    elif what == "trajectories":
        found, seconds = least(lambda: trajectories(logits, labels))
        result = {"seconds": seconds, "means": means(found)}
    else:
        found, seconds = cartography(logits, labels)
        result = {"seconds": seconds, "means": means(found)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
