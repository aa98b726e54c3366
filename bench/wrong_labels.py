"""How far the estimate of the number of wrong labels is off, where they are known.

Trains small networks on labels of which a known part is wrong, records training minibatches, and asks
`ScoreTable.wrong_labels` by AUM, confidence and loss. Beside it stand two normals alone (without a second
group of right labels) and the confident joint of the recorded probabilities, which are in sample.

    make python
    target/python/bin/python bench/wrong_labels.py
    target/release/datadiet data fetch fashion-mnist
    target/python/bin/python bench/wrong_labels.py --fashion "$(target/release/datadiet data inspect \\
        fashion-mnist --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["path"])')"
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file
from sklearn.datasets import load_digits
from sklearn.mixture import GaussianMixture
from torch import nn
from torch.nn import functional as F

import datadiet

CLASSES = 10
REPLICAS = 2
NOISE = [
    ("none", 0.0),
    ("symmetric", 0.05),
    ("symmetric", 0.1),
    ("symmetric", 0.2),
    ("symmetric", 0.4),
    ("to the next class", 0.2),
]
SCORES = ("aum", "confidence", "loss")
LEAST_PROBABILITY = 1e-4


@dataclass(frozen=True)
class Study:
    """What is trained on what."""

    name: str
    images: torch.Tensor
    labels: np.ndarray
    network: Callable[[], nn.Module]
    epochs: int
    batch: int


def digits() -> Study:
    """All of scikit-learn's digits."""
    data = load_digits()
    images = torch.tensor(data.data / 16, dtype=torch.float32)
    return Study("digits", images, data.target.astype(np.int64), dense, epochs=30, batch=64)


def fashion(path: Path, examples: int) -> Study:
    """Some training images of Fashion-MNIST."""
    tensors = load_file(path)
    chosen = np.random.default_rng(0).permutation(len(tensors["train.labels"]))[:examples]
    images = torch.tensor(tensors["train.images"][chosen], dtype=torch.float32)
    images = images.reshape(-1, 1, 28, 28) / 255
    images = (images - images.mean()) / images.std()
    labels = tensors["train.labels"][chosen].astype(np.int64)
    return Study("Fashion-MNIST", images, labels, convolutional, epochs=12, batch=128)


def dense() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, CLASSES))


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 64),
        nn.ReLU(),
        nn.Linear(64, CLASSES),
    )


def noisy(labels: np.ndarray, kind: str, fraction: float, seed: int) -> np.ndarray:
    """The labels with this fraction of them wrong."""
    chance = np.random.default_rng(seed)
    wrong = chance.permutation(len(labels))[: round(fraction * len(labels))]
    shift = chance.integers(1, CLASSES, len(wrong)) if kind == "symmetric" else 1
    given = labels.copy()
    given[wrong] = (given[wrong] + shift) % CLASSES
    return given


def train(study: Study, labels: np.ndarray, seed: int) -> tuple[datadiet.Recorder, np.ndarray]:
    """What a training recorded, and its probabilities in the last epoch."""
    torch.manual_seed(seed)
    network = study.network()
    order = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    given = torch.tensor(labels)
    last = np.zeros((len(labels), CLASSES), np.float32)
    recorder = datadiet.Recorder(
        len(labels), CLASSES, keep_at=[study.epochs], pass_="training minibatches"
    )
    for _ in range(study.epochs):
        for ids in torch.randperm(len(labels), generator=order).split(study.batch):
            logits = network(study.images[ids])
            optimiser.zero_grad()
            F.cross_entropy(logits, given[ids]).backward()
            optimiser.step()
            recorder.update(ids, logits, given[ids])
            last[ids.numpy()] = logits.detach().softmax(1).numpy()
        recorder.end_epoch()
    return recorder, last


def doubt(score: str, values: np.ndarray) -> np.ndarray:
    """How much labels are doubted, as docs/SCORES.md defines it."""
    if score == "aum":
        return -values
    held = values if score == "confidence" else np.exp(-values)
    held = np.clip(held, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return np.log((1 - held) / held)


def two_normals(doubts: np.ndarray) -> float:
    """The fraction of wrong labels by a mixture of two normals."""
    fit = GaussianMixture(2, n_init=3, random_state=0).fit(doubts[:, None])
    return float(fit.weights_[fit.means_.ravel().argmax()])


def percent(fraction: float) -> str:
    return f"{fraction * 100:.1f}"


def rows(study: Study, seeds: int) -> list[str]:
    """A row of the table for each noise and score."""
    lines = []
    for kind, fraction in NOISE:
        cells: dict[str, list[list[str]]] = {score: [] for score in SCORES}
        joints = []
        for seed in range(seeds):
            labels = noisy(study.labels, kind, fraction, 100 + seed)
            wrong = labels != study.labels
            trained = [train(study, labels, 10 * seed + r) for r in range(REPLICAS)]
            (first, _), *others = trained
            table = first.merge(*(recorder for recorder, _ in others))
            mean = np.mean([probs for _, probs in trained], axis=0)
            joints.append(percent(datadiet.confident_joint(probs=mean, labels=labels).wrong))
            for score in SCORES:
                column = f"{score}@{study.epochs}"
                found = table.wrong_labels(by=column)
                two = percent(two_normals(doubt(score, np.asarray(table[column], float))))
                if found.fraction is None or found.interval is None:
                    cells[score].append(["–", "", "", two])
                    continue
                hardest = table.top(found.suspects, by=column)["id"]
                right = wrong[hardest]
                low, high = map(percent, found.interval)
                listed = f"{right.mean():.2f}, {right.sum() / max(wrong.sum(), 1):.2f}"
                cells[score].append([percent(found.fraction), f"{low} to {high}", listed, two])
        for score in SCORES:
            columns = [
                " · ".join(cell or "–" for cell in column)
                for column in zip(*cells[score], strict=True)
            ]
            noise = kind if kind == "none" else f"{kind}, {fraction * 100:.0f} %"
            joint = " · ".join(joints) if score == SCORES[0] else ""
            lines.append(f"| {study.name} | {noise} | {score} | {' | '.join(columns)} | {joint} |")
            print(lines[-1], flush=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fashion", type=Path, help="dataset.safetensors of Fashion-MNIST")
    parser.add_argument("--examples", type=int, default=20_000, help="of Fashion-MNIST")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(
        "| data | wrong labels | score | estimate, % | interval, % | precision, recall of the list |"
    )
    print("  two normals, % | confident joint, % |", end="\n\n")
    studies = [digits()]
    if options.fashion is not None:
        studies.append(fashion(options.fashion, options.examples))
    for study in studies:
        rows(study, options.seeds)


if __name__ == "__main__":
    main()
