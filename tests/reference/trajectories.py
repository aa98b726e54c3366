"""Writes the same trajectory of logits in every format that `datadiet ingest` reads, and what its
scores over time are by their definitions.

    python tests/reference/trajectories.py crates/ingest/tests/data

Needs numpy, ml_dtypes, pyarrow, polars and safetensors; the files that are committed come from the
versions that expected.json names. The logits are multiples of 1/8 below 8 in size, so that every
format, half precision too, holds the same numbers.
"""

import json
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import polars
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import safetensors
import safetensors.numpy

EPOCHS, EXAMPLES, CLASSES = 5, 12, 3


def trajectory():
    """Ids (sparse, in no order), labels, and logits of shape epochs x examples x classes."""
    rng = np.random.default_rng(0)
    ids = rng.permutation(1000)[:EXAMPLES].astype(np.int64)
    labels = rng.integers(0, CLASSES, EXAMPLES)
    logits = rng.integers(-40, 41, (EPOCHS, EXAMPLES, CLASSES)) / 8
    learned = np.linspace(0, 2, EPOCHS)[:, None] * rng.random(EXAMPLES)
    logits[:, np.arange(EXAMPLES), labels] += np.round(8 * learned) / 8
    return ids, labels, logits


def softmax(logits):
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def forgetting_of_deepcore(correct):
    """DeepCore's count (github.com/PatrickZH/DeepCore, deepcore/methods/forgetting.py): an event
    where the last accuracy of an example less its present one is above 0.01; the first is 0."""
    last = np.zeros(correct.shape[1])
    events = np.zeros(correct.shape[1])
    for now in correct.astype(np.float32):
        events[last - now > 0.01] += 1
        last = now
    return events


def of_windows(probs, true, size=10):
    """Dynamic uncertainty (He et al. 2024), DUAL (Cho et al. 2025) and TDDS (Zhang et al. 2024), by their
    formulas, with one window of all epochs where there are fewer than its size."""
    size = min(size, EPOCHS)
    starts = range(EPOCHS - size + 1)
    deviation = [true[start : start + size].std(0, ddof=1) for start in starts]
    dual = [(1 - true[start : start + size].mean(0)) * deviation[start] for start in starts]
    logs = np.log(probs + 1e-8)
    distances = np.abs(probs[1:] * (logs[1:] - logs[:-1])).sum(-1)
    average = 0.0
    for start in starts:
        window = distances[start : start + size - 1]
        average = 0.9 * np.linalg.norm(window - window.mean(0), axis=0) + 0.1 * average
    return {"dual": np.mean(dual, 0), "dyn-unc": np.mean(deviation, 0), "tdds": average}


def expected(labels, logits):
    """Scores by example; every example is seen once an epoch."""
    everyone = np.arange(logits.shape[1])
    probs = softmax(logits)
    true = probs[:, everyone, labels]
    correct = logits.argmax(-1) == labels
    others = np.where(np.eye(CLASSES, dtype=bool)[labels], -np.inf, logits)
    one_hot = np.eye(CLASSES)[labels]
    mean = np.log(probs.mean(0))
    rivals = np.where(one_hot == 1, -np.inf, mean)
    return {
        "forgetting": forgetting_of_deepcore(correct),
        "never-learned": 1.0 - correct.any(0),
        # Pleiss et al. 2020, equation 2: mean over epochs of the logit margin.
        "aum": (logits[:, everyone, labels] - others.max(-1)).mean(0),
        # Swayamdipta et al. 2020, section 2: mean and standard deviation (of the population) of
        # the true class's probability, and how often the prediction is right.
        "confidence": true.mean(0),
        "variability": true.std(0),
        "correctness": correct.mean(0),
        # Pickler et al. 2025: the logit margin of the averaged probabilities.
        "margin-of-mean": mean[everyone, labels] - rivals.max(-1),
        # Zheng et al. 2023 sum it over epochs.
        "mean-el2n": np.linalg.norm(probs - one_hot, axis=-1).mean(0),
        **of_windows(probs, true),
        # Of the last epoch.
        "el2n": np.linalg.norm(probs[-1] - one_hot, axis=-1),
        "loss": -np.log(true[-1]),
        "entropy": -(probs[-1] * np.log(probs[-1])).sum(-1),
        "correct": correct[-1].astype(float),
        "predicted": logits[-1].argmax(-1),
    }


def write_arrays(out, ids, labels, logits, rng):
    def folder(name):
        path = out / name
        path.mkdir(exist_ok=True, parents=True)
        return path

    dtypes = {"npy-f32": "<f4", "npy-f64-big-endian": ">f8", "npy-bf16": ml_dtypes.bfloat16}
    for name, dtype in dtypes.items():
        for epoch in range(EPOCHS):
            np.save(folder(name) / f"epoch_{epoch + 1}.npy", logits[epoch].astype(dtype))
        np.save(folder(name) / "ids.npy", ids)
        np.savetxt(folder(name) / "labels.txt", labels, "%d")
    np.save(folder("npy-all") / "logits.npy", logits.astype("<f2"))
    np.save(folder("npy-all") / "ids.npy", ids.astype(">i4"))
    np.save(folder("npy-all") / "labels.npy", labels.astype(np.float32))
    for epoch in range(EPOCHS):
        order = rng.permutation(EXAMPLES)
        np.savez_compressed(
            folder("npz") / f"epoch_{epoch}.npz",
            logits=logits[epoch, order].astype("<f4"),
            labels=labels[order],
            ids=ids[order].astype(str),
        )
        safetensors.numpy.save_file(
            {
                "logits": logits[epoch, order].astype(ml_dtypes.bfloat16),
                "labels": labels[order].astype(np.uint8),
                "ids": ids[order],
            },
            folder("safetensors") / f"step_{100 * (epoch + 1)}.safetensors",
        )
    np.savez(folder("npz-all") / "all.npz", logits=logits, y=labels, id=ids)


def write_tables(out, ids, labels, logits, rng):
    rows = [(epoch, row) for epoch in range(EPOCHS) for row in range(EXAMPLES)]
    rng.shuffle(rows)
    epoch, row = np.array(rows).T
    values = logits[epoch, row]
    columns = {
        "id": pa.array(ids[row]),
        "epoch": pa.array(epoch.astype(np.int32)),
        "label": pa.array(labels[row].astype(np.int16)),
        "note": pa.array(["not read"] * len(rows)),
    }
    lists = pa.table(columns | {"logits": pa.array(list(values.astype(np.float32)))})
    (out / "tables").mkdir(exist_ok=True)
    pa.parquet.write_table(lists, out / "tables/lists.parquet", row_group_size=7)
    fixed = pa.FixedSizeListArray.from_arrays(pa.array(values.astype(np.float16).ravel()), CLASSES)
    fixed = pa.table(columns | {"logits": fixed})
    pa.feather.write_feather(fixed, out / "tables/fixed.feather", compression="lz4", chunksize=9)
    with pa.OSFile(str(out / "tables/fixed.arrows"), "wb") as file:
        with pa.ipc.new_stream(file, fixed.schema) as stream:
            stream.write_table(fixed, max_chunksize=11)
    wide = {f"logit_{k}": values[:, k] for k in range(CLASSES)}
    polars.DataFrame(
        {"guid": [str(id) for id in ids[row]], "epoch": epoch + 1, "gold": labels[row]} | wide
    ).write_parquet(out / "tables/wide-zstd.parquet", compression="zstd")


def write_cartography(out, ids, labels, logits, rng):
    """As the program does: github.com/allenai/cartography, log_training_dynamics."""
    folder = out / "cartography/training_dynamics"
    folder.mkdir(exist_ok=True, parents=True)
    for epoch in range(EPOCHS):
        with open(folder / f"dynamics_epoch_{epoch}.jsonl", "w") as file:
            for row in rng.permutation(EXAMPLES):
                record = {
                    "guid": int(ids[row]),
                    f"logits_epoch_{epoch}": logits[epoch, row].tolist(),
                    "gold": int(labels[row]),
                }
                file.write(json.dumps(record) + "\n")


def main():
    out = Path(sys.argv[1])
    out.mkdir(exist_ok=True, parents=True)
    ids, labels, logits = trajectory()
    rng = np.random.default_rng(1)
    write_arrays(out, ids, labels, logits, rng)
    write_tables(out, ids, labels, logits, rng)
    write_cartography(out, ids, labels, logits, rng)
    order = np.argsort(ids)
    scores = {name: column[order].tolist() for name, column in expected(labels, logits).items()}
    made_with = [np, ml_dtypes, pa, polars, safetensors]
    record = {
        "made_with": {module.__name__: module.__version__ for module in made_with},
        "ids": ids[order].tolist(),
        "labels": labels[order].tolist(),
        "scores": scores,
    }
    (out / "expected.json").write_text(json.dumps(record, indent=1) + "\n")


main()
