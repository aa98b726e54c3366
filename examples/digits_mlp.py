"""A small network of PyTorch on scikit-learn's digits, as a trainer of datadiet.

Run it with ``python examples/digits_mlp.py``; it needs datadiet, torch and scikit-learn.
"""

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import datadiet

images, labels = load_digits(return_X_y=True)
images = (images / 16).astype(np.float32)
train_images, test_images, train_labels, test_labels = train_test_split(
    images, labels, test_size=297, random_state=0, stratify=labels
)


def accuracy(model, images, labels):
    with torch.no_grad():
        predicted = model(torch.from_numpy(images)).argmax(1)
    return (predicted == torch.from_numpy(labels)).float().mean().item()


def make_model():
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def classes_accuracy(model):
    return [accuracy(model, test_images[test_labels == c], test_labels[test_labels == c]) for c in range(10)]


@datadiet.trainer(labels=train_labels, name="digits", epochs=6, pass_="training minibatches")
def train(job):
    torch.manual_seed(job.seed)
    torch.set_num_threads(1)
    model = make_model()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for epoch in job.epochs_left(model, optimiser):
        # Another order in each epoch, and the same again after an interruption.
        order = np.random.default_rng((job.seed, epoch)).permutation(job.ids)
        for ids in np.array_split(order, max(1, len(order) // 50)):
            # The labels of the job, not those of the data: a study may have changed some.
            y = torch.from_numpy(job.labels_of(ids))
            logits = model(torch.from_numpy(train_images[ids]))
            job.record(ids, logits.detach(), y)
            optimiser.zero_grad()
            nn.functional.cross_entropy(logits, y).backward()
            optimiser.step()
        job.checkpoint(model, optimiser)
    held_out = None
    if len(job.validation_ids):
        held_out = accuracy(model, train_images[job.validation_ids], job.validation_labels)
    return job.result(
        accuracy=accuracy(model, test_images, test_labels),
        validation=held_out,
        by_class=classes_accuracy(model),  # Not needed: studies then say which class lost most.
    )


@train.evaluation  # Not needed either: for lines between the weights of two trainings.
def evaluate(point):
    model = make_model()
    model.load_state_dict(point.weights)
    with torch.no_grad():
        return model(torch.from_numpy(train_images[point.ids]))


if __name__ == "__main__":
    table = datadiet.score(train, replicas=4, at=[2, 5])
    print(table)
    print("hardest:", table.top(10, by="el2n@2")["id"])
    found = datadiet.diet(train, tolerance=1, budget=6)
    print(found.verdict)
    print(found.report)
    lines = datadiet.experiments.connectivity(train, spawn=[0, 1, 3], examples=100)
    for spawn in lines.spawns:
        print(spawn["time"], {of["set"]: of["error_barrier"]["mean"] for of in spawn["sets"]})
