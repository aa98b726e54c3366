"""Writes what training tools leave behind, by the tools themselves, for the tests of `datadiet
ingest`: files that hold logits are read, others refused by what they lack.

    python tests/reference/logs.py FOLDER

Each file needs its package; those that are not installed are named on standard output, one a line.
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np

EXAMPLES, CLASSES, EPOCHS = 12, 3, 3
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, CLASSES, EXAMPLES)
LOGITS = np.round(RNG.normal(0, 3, (EPOCHS, EXAMPLES, CLASSES)), 3)


def aum_of_the_package(folder):
    """aum_values.csv and full_aum_records.csv: no logits."""
    import torch
    from aum import AUMCalculator

    calculator = AUMCalculator(str(folder), compressed=False)
    for logits in LOGITS:
        ids = [f"s{i}" for i in range(EXAMPLES)]
        calculator.update(torch.tensor(logits), torch.tensor(LABELS), ids)
    calculator.finalize()


def log_of_lightning(folder):
    """CSVLogger's metrics.csv: scalars."""
    from lightning.pytorch.loggers import CSVLogger

    logger = CSVLogger(str(folder), name="", version="")
    for epoch in range(EPOCHS):
        logger.log_metrics({"train_loss": 1 / (1 + epoch), "epoch": epoch}, step=epoch * 10)
    logger.save()


def state_of_the_trainer(folder):
    """Hugging Face's trainer_state.json: scalars."""
    from transformers import TrainerState

    state = TrainerState(epoch=3.0, global_step=30)
    state.log_history = [{"loss": 0.5, "epoch": 1.0, "step": 10}]
    state.save_to_json(str(folder / "trainer_state.json"))


def frames_of_pandas(folder):
    """A frame an epoch, shuffled, by each way to write one."""
    import pandas as pd

    for kind in ("parquet", "csv", "json", "records", "feather"):
        (folder / kind).mkdir()
    for epoch, logits in enumerate(LOGITS):
        frame = pd.DataFrame(logits, columns=[f"logit_{k}" for k in range(CLASSES)])
        frame["label"] = pd.array(LABELS, dtype="Int64")
        frame.insert(0, "sample_id", [f"s{i}" for i in range(EXAMPLES)])
        frame["sample_id"] = frame["sample_id"].astype("category")
        frame = frame.sample(frac=1, random_state=epoch)
        name = f"epoch_{epoch}"
        frame.to_parquet(folder / "parquet" / f"{name}.parquet")
        frame.to_csv(folder / "csv" / f"{name}.csv.gz")
        frame["logits"] = frame[[f"logit_{k}" for k in range(CLASSES)]].to_numpy().tolist()
        lists = frame[["sample_id", "label", "logits"]]
        lists.to_json(folder / "json" / f"{name}.jsonl", orient="records", lines=True)
        lists.to_json(folder / "records" / f"{name}.json", orient="records", indent=1)
        frame.reset_index(drop=True).to_feather(folder / "feather" / f"{name}.feather")


def log_of_keras(folder):
    """What keras.callbacks.CSVLogger writes, by Python's csv as it does: scalars."""
    with open(folder / "training.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=["epoch", "accuracy", "loss"])
        writer.writeheader()
        writer.writerows({"epoch": e, "accuracy": 0.5, "loss": 0.7} for e in range(EPOCHS))


def dynamics_of_cartography(folder):
    """The layout of allenai/cartography's `log_training_dynamics`, by pandas' own writer as there."""
    import pandas as pd

    inner = folder / "training_dynamics"
    inner.mkdir()
    for epoch, logits in enumerate(LOGITS):
        frame = pd.DataFrame(
            {"guid": range(EXAMPLES), f"logits_epoch_{epoch}": logits.tolist(), "gold": LABELS}
        )
        frame.to_json(inner / f"dynamics_epoch_{epoch}.jsonl", lines=True, orient="records")
    metrics = {"guid": [0, 1], "index": [0, 1], "variability": [0.1, 0.2], "confidence": [0.5, 0.9]}
    pd.DataFrame(metrics).to_json(folder / "td_metrics.jsonl", lines=True, orient="records")


def main():
    root = Path(sys.argv[1])
    for write in (
        aum_of_the_package,
        log_of_lightning,
        state_of_the_trainer,
        frames_of_pandas,
        log_of_keras,
        dynamics_of_cartography,
    ):
        folder = root / write.__name__
        folder.mkdir(parents=True)
        try:
            write(folder)
        except ImportError as missing:
            print(f"{write.__name__}: {missing}")
    margin = LOGITS[:, np.arange(EXAMPLES), LABELS]
    others = np.where(np.eye(CLASSES, dtype=bool)[LABELS], -np.inf, LOGITS).max(-1)
    aum = (margin - others).mean(0)
    (root / "aum.json").write_text(json.dumps(aum.tolist()))


main()
