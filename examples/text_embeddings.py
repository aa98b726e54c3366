"""A small network on vectors of a pretrained encoder that stays as it is, as a trainer of datadiet.

The texts and labels of text_transformer.py: run it with ``make wordnet-minilm && python examples/text_embeddings.py``.
It needs datadiet and torch; the vectors are made once, and a training takes seconds.
"""

import numpy as np
import torch
from text_transformer import FOLDER, classes, test_labels, test_texts, train_labels, train_texts
from torch import nn

import datadiet

BATCH = 50

if not (FOLDER / "minilm.npz").is_file():
    raise FileNotFoundError(f"{FOLDER / 'minilm.npz'} is not there: make wordnet-minilm")
vectors = np.load(FOLDER / "minilm.npz")
# A length of 1 is small for 384 numbers.
train_vectors, test_vectors = (20 * torch.from_numpy(vectors[name]) for name in ("train", "test"))
if (len(train_vectors), len(test_vectors)) != (len(train_texts), len(test_texts)):
    raise ValueError(f"{FOLDER / 'minilm.npz'} is of other texts: make wordnet-minilm")


def predicted(model, vectors):
    model.eval()
    with torch.no_grad():
        return model(vectors).argmax(1).numpy()


@datadiet.trainer(
    labels=train_labels,
    classes=classes,
    name="glosses",
    epochs=8,
    version="WordNet 3.0, all-MiniLM-L6-v2",
    pass_="training minibatches, with dropout",
)
def train(job):
    torch.manual_seed(job.seed)
    width = train_vectors.shape[1]
    model = nn.Sequential(
        nn.Linear(width, 256), nn.ReLU(), nn.Dropout(0.3), nn.Linear(256, len(classes))
    )
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    whole = job.epochs * max(1, len(job.ids) // BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / whole)
    for epoch in job.epochs_left(model, optimiser, schedule):
        model.train()
        order = np.random.default_rng((job.seed, epoch)).permutation(job.ids)
        for ids in np.array_split(order, max(1, len(order) // BATCH)):
            y = torch.from_numpy(job.labels_of(ids))
            logits = model(train_vectors[ids])
            job.record(ids, logits.detach(), y)
            optimiser.zero_grad()
            nn.functional.cross_entropy(logits, y).backward()
            optimiser.step()
            schedule.step()
        job.checkpoint(model, optimiser, schedule)
    right = predicted(model, test_vectors) == test_labels
    held_out = None
    if len(job.validation_ids):
        found = predicted(model, train_vectors[job.validation_ids])
        held_out = float((found == job.validation_labels).mean())
    by_class = [float(right[test_labels == label].mean()) for label in range(len(classes))]
    return job.result(accuracy=float(right.mean()), validation=held_out, by_class=by_class)


if __name__ == "__main__":
    table = datadiet.score(train, replicas=2, at=[2, 8])
    print(table)
    for row, id in enumerate(table.top(5, by="aum@8")["id"]):
        print(f"{row + 1}. {classes[train_labels[id]]}: {train_texts[id]}")
