"""The scores in NumPy's float64, written from the formulas and sharing nothing with the package."""

import numpy as np

TINY = np.finfo(np.float32).tiny


def softmax(logits):
    logits = np.asarray(logits, dtype=np.float64)
    exps = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exps / exps.sum(axis=-1, keepdims=True)


def scores_of_probs(probs, labels):
    probs = np.asarray(probs, dtype=np.float64)
    n, k = probs.shape
    rows = np.arange(n)
    error = probs.copy()
    error[rows, labels] -= 1
    true = probs[rows, labels]
    others = probs.copy()
    others[rows, labels] = -np.inf
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.where(probs > 0, probs * np.log(probs), 0).sum(axis=1)
        loss = -np.log(true)
    return {
        "el2n": np.sqrt((error**2).sum(axis=1)),
        "l1": np.abs(error).sum(axis=1),
        "loss": loss,
        "entropy": entropy,
        "max-margin": others.max(axis=1) - true,
        # Below the normal numbers of 32 bits a probability is read as the least of them.
        "log-margin": np.log(np.maximum(true, TINY)) - np.log(np.maximum(others.max(axis=1), TINY)),
        "sum-margin": probs.sum(axis=1) - k * true,
        "correct": (probs.argmax(axis=1) == labels).astype(float),
        "predicted": probs.argmax(axis=1),
    }


def scores(logits, labels):
    logits = np.asarray(logits, dtype=np.float64)
    found = scores_of_probs(softmax(logits), labels)
    found["predicted"] = logits.argmax(axis=1)
    found["correct"] = (found["predicted"] == labels).astype(float)
    # From the logits, since a probability of 0 has no logarithm.
    top = logits.max(axis=1)
    sums = np.log(np.exp(logits - top[:, None]).sum(axis=1))
    true = logits[np.arange(len(labels)), labels]
    others = logits.copy()
    others[np.arange(len(labels)), labels] = -np.inf
    found["log-margin"] = true - others.max(axis=1)
    found["loss"] = top - logits[np.arange(len(labels)), labels] + sums
    return found


def trajectory(logits, labels):
    logits = np.asarray(logits, dtype=np.float64)
    epochs, n, _ = logits.shape
    rows = np.arange(n)
    probs = softmax(logits)
    true = probs[:, rows, labels]
    right = logits.argmax(axis=2) == labels
    others = logits.copy()
    others[:, rows, labels] = -np.inf
    return {
        "forgetting": (right[:-1] & ~right[1:]).sum(axis=0),
        "never-learned": (~right.any(axis=0)).astype(float),
        "aum": (logits[:, rows, labels] - others.max(axis=2)).mean(axis=0),
        "confidence": true.mean(axis=0),
        "variability": true.std(axis=0),
        "correctness": right.mean(axis=0),
        **averages(probs, labels),
    }


def averages(probs, labels, size=10):
    """Scores of averaged probabilities, of windows of `size` epochs, and of EL2N over epochs."""
    epochs, n, k = probs.shape
    rows = np.arange(n)
    counted = np.where(probs < 2.0**-126, 0, probs)
    logs = np.log(np.maximum(counted.mean(axis=0), 2.0**-126))
    own = logs[rows, labels]
    logs[rows, labels] = -np.inf
    true = probs[:, rows, labels]
    size = min(size, epochs)
    windows = [true[start : start + size] for start in range(epochs - size + 1)]
    deviations = [window.std(axis=0, ddof=1) if size > 1 else np.zeros(n) for window in windows]
    duals = [(1 - window.mean(axis=0)) * s for window, s in zip(windows, deviations, strict=True)]
    changes = np.log(probs[1:] + 1e-8) - np.log(probs[:-1] + 1e-8)
    distances = np.abs(probs[1:] * changes).sum(axis=2)
    moving = np.zeros(n)
    for start in range(epochs - size + 1 if size > 1 else 0):
        window = distances[start : start + size - 1]
        spread = np.sqrt(((window - window.mean(axis=0)) ** 2).sum(axis=0))
        moving = 0.9 * spread + 0.1 * moving
    return {
        "margin-of-mean": own - logs.max(axis=1),
        "dual": np.mean(duals, axis=0),
        "dyn-unc": np.mean(deviations, axis=0),
        "mean-el2n": np.linalg.norm(probs - np.eye(k)[labels], axis=2).mean(axis=0),
        "tdds": moving,
    }


def confident_joint(probs, labels):
    """Counts, joint and fraction of wrong labels by the loops of cleanlab's documentation."""
    probs = np.asarray(probs, dtype=np.float64)
    n, k = probs.shape
    thresholds = [
        max(probs[labels == j, j].mean(), 2e-6) if (labels == j).any() else 2 for j in range(k)
    ]
    counts = np.zeros((k, k), dtype=int)
    for row, label in zip(probs, labels, strict=True):
        confident = row >= np.array(thresholds) - 1e-6
        if confident.sum() == 1:
            counts[label, confident.argmax()] += 1
        elif confident.sum() > 1:
            counts[label, row.argmax()] += 1
    for j in range(k):
        counts[j, j] = max(counts[j, j], 1)
    of_label = np.bincount(labels, minlength=k)
    joint = counts / counts.sum(axis=1, keepdims=True) * of_label[:, None] / n
    return counts, joint, 1 - np.trace(joint)


def losses(losses, threshold):
    """Scores over time of T × n losses, NaN where an example was missed."""
    losses = np.asarray(losses, dtype=np.float64)
    medians = np.nanmedian(losses, axis=1)
    found = {
        name: [] for name in ("mean-loss", "loss-std", "loss-drop", "learned-at", "loss-forgetting")
    }
    for column in losses.T:
        epochs = np.flatnonzero(~np.isnan(column))
        seen = column[epochs]
        above = np.flatnonzero(seen > threshold)
        since = 0 if not above.size else above[-1] + 1
        low = seen <= medians[epochs]
        found["mean-loss"].append(seen.mean() if seen.size else np.nan)
        found["loss-std"].append(seen.std() if seen.size else np.nan)
        found["loss-drop"].append(seen[0] - seen[-1] if seen.size else np.nan)
        learned = epochs[since] + 1 if since < seen.size else len(losses) + 1
        found["learned-at"].append(learned if seen.size else np.nan)
        forgotten = (low[:-1] & ~low[1:]).sum()
        found["loss-forgetting"].append(forgotten if seen.size else np.nan)
    return {name: np.array(column, dtype=np.float64) for name, column in found.items()}
