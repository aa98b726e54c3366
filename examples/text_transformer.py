"""A small transformer of PyTorch on texts, trained from scratch, as a trainer of datadiet.

Run it with ``make wordnet && python examples/text_transformer.py``: it reads the definition of a noun ("large
long-legged African bird of prey that feeds on reptiles") and says which of 25 things that is (an animal). It needs
datadiet and torch. `GLOSSES` names another folder with train.csv and test.csv, columns `label,text`.

docs/TEXT-CLASSIFICATION.md goes on from here.
"""

import csv
import hashlib
import os
import re
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from torch import nn

import datadiet

FOLDER = Path(os.environ.get("GLOSSES") or Path(__file__).resolve().parents[1] / "target/wordnet")
BATCH = 100
LONGEST = 32  # tokens; what is behind is not read
PADDING, UNKNOWN = 0, 1


def read(name):
    """Labels and texts of a file."""
    path = FOLDER / name
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there: make wordnet, or set GLOSSES")
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["label"] for row in rows], [row["text"] for row in rows]


def words(text):
    """Words in small letters, digits and signs one by one."""
    return re.findall(r"[a-z]+|\d|[^\w\s]", text.lower())


train_names, train_texts = read("train.csv")
test_names, test_texts = read("test.csv")
classes = sorted(set(train_names))
numbers = {name: number for number, name in enumerate(classes)}
train_labels = np.array([numbers[name] for name in train_names])
test_labels = np.array([numbers[name] for name in test_names])
# Words that are there once say nothing to others.
counts = Counter(word for text in train_texts for word in words(text))
kept = sorted(word for word, count in counts.items() if count > 1)
vocabulary = {word: number for number, word in enumerate(kept, start=UNKNOWN + 1)}


def tokens(texts):
    """One row a text: numbers of its words, then padding."""
    made = np.full((len(texts), LONGEST), PADDING)
    for row, text in zip(made, texts, strict=True):
        found = [vocabulary.get(word, UNKNOWN) for word in words(text)][:LONGEST] or [UNKNOWN]
        row[: len(found)] = found
    return made


train_tokens, test_tokens = tokens(train_texts), tokens(test_texts)


class Transformer(nn.Module):
    def __init__(self, width=64, layers=1, heads=4):
        super().__init__()
        self.words = nn.Embedding(len(vocabulary) + 2, width, padding_idx=PADDING)
        self.places = nn.Parameter(torch.zeros(LONGEST, width))
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout=0.2, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, len(classes)))

    def forward(self, tokens):
        padded = tokens == PADDING
        x = self.dropout(self.words(tokens) + self.places[: tokens.shape[1]])
        x = self.layers(x, src_key_padding_mask=padded)
        x = x.masked_fill(padded[..., None], 0).sum(1) / (~padded).sum(1, keepdim=True)
        return self.head(x)


def batch(rows):
    """As wide as its longest text."""
    return torch.from_numpy(rows[:, : max(1, (rows != PADDING).any(0).sum())])


def batches(ids, random):
    """All of them in an order by chance, texts of about one length together: less padding to compute."""
    lengths = (train_tokens[ids] != PADDING).sum(1) + random.random(len(ids)) * 4
    parts = np.array_split(ids[np.argsort(lengths)], max(1, round(len(ids) / BATCH)))
    return [parts[place] for place in random.permutation(len(parts))]


def predicted(model, tokens):
    model.eval()
    with torch.no_grad():
        parts = np.array_split(tokens, max(1, len(tokens) // 500))
        return np.concatenate([model(batch(part)).argmax(1).numpy() for part in parts])


@datadiet.trainer(
    labels=train_labels,
    classes=classes,
    name="glosses",
    epochs=6,
    # Other texts under the same labels are another training.
    version=hashlib.sha256("\n".join(train_texts + test_texts).encode()).hexdigest()[:12],
    pass_="training minibatches, with dropout",
)
def train(job):
    torch.manual_seed(job.seed)
    model = Transformer()
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05, fused=True)
    # Over the whole training, which may stop before its end; a tenth of it rises.
    whole = job.epochs * max(1, round(len(job.ids) / BATCH))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(10 * (step + 1) / whole, (whole - step) / whole)
    )
    for epoch in job.epochs_left(model, optimiser, schedule):
        model.train()
        # Another order in each epoch, and the same again after an interruption.
        for ids in batches(job.ids, np.random.default_rng((job.seed, epoch))):
            y = torch.from_numpy(job.labels_of(ids))
            logits = model(batch(train_tokens[ids]))
            job.record(ids, logits.detach(), y)
            optimiser.zero_grad()
            nn.functional.cross_entropy(logits, y).backward()
            optimiser.step()
            schedule.step()
        job.checkpoint(model, optimiser, schedule)
    right = predicted(model, test_tokens) == test_labels
    held_out = None
    if len(job.validation_ids):
        found = predicted(model, train_tokens[job.validation_ids])
        held_out = float((found == job.validation_labels).mean())
    by_class = [
        float(right[test_labels == label].mean()) if (test_labels == label).any() else None
        for label in range(len(classes))
    ]
    return job.result(accuracy=float(right.mean()), validation=held_out, by_class=by_class)


if __name__ == "__main__":
    table = datadiet.score(train, replicas=2, at=[3, 6])
    print(table)
    for row, id in enumerate(table.top(5, by="aum@6")["id"]):
        print(f"{row + 1}. {train_names[id]}: {train_texts[id]}")
