"""Scores CIFAR-10 the way most people write it.

f32, torchvision transforms on PIL images in a DataLoader, the default number of threads, plain SGD,
and loops over batches that collect what they need.
"""

import time

STARTED = time.perf_counter()

import json

import common
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import safe_open
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

LOADED = time.perf_counter()


class Images(Dataset):
    """Images, labels and their places in the training set."""

    def __init__(self, path, split, transform, limit=None):
        with safe_open(path, framework="np") as file:
            self.images = file.get_slice(f"{split}.images")[:limit]
            self.labels = file.get_slice(f"{split}.labels")[:limit].astype(np.int64)
        self.transform = transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image = Image.fromarray(self.images[index])
        return self.transform(image), int(self.labels[index]), index


def score(network, loader):
    """Every score of every image, from one pass in eval mode."""
    network.eval()
    columns = {name: [] for name in common.SCORES}
    with torch.no_grad():
        for images, labels, _ in loader:
            logits = network(images)
            p = F.softmax(logits, dim=1)
            one_hot = F.one_hot(labels, logits.shape[1])
            errors = p - one_hot
            p_true = (p * one_hot).sum(1)
            columns["el2n"].append(errors.norm(dim=1).numpy())
            columns["l1"].append(errors.abs().sum(1).numpy())
            columns["loss"].append(F.cross_entropy(logits, labels, reduction="none").numpy())
            columns["entropy"].append(-(p * torch.log(p + 1e-12)).sum(1).numpy())
            columns["max_margin"].append(((p - 2 * one_hot).max(1).values - p_true).numpy())
            columns["sum_margin"].append((p - p_true[:, None]).sum(1).numpy())
            columns["correct"].append((logits.argmax(1) == labels).float().numpy())
    return {name: np.concatenate(parts) for name, parts in columns.items()}


def accuracy(network, loader):
    network.eval()
    correct = 0
    with torch.no_grad():
        for images, labels, _ in loader:
            correct += (network(images).argmax(1) == labels).sum().item()
    return correct / len(loader.dataset)


def train_replica(args, replica, train_loader, score_loader, test_loader):
    torch.manual_seed(replica)
    count = len(train_loader.dataset)
    classes = int(train_loader.dataset.labels.max()) + 1
    network = common.ResNet8(args.width, classes)
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=args.lr,
        momentum=args.momentum,
        weight_decay=args.weight_decay,
        nesterov=True,
    )
    steps = args.epochs * len(train_loader)
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: common.learning_rate(min(step, steps - 1), steps, 1.0, args.warmup)
    )

    columns = {}
    was_correct = np.zeros(count, dtype=bool)
    forgetting = np.zeros(count)
    seen, times_correct = np.zeros(count), np.zeros(count)
    margins, p_sum, p_squares = np.zeros(count), np.zeros(count), np.zeros(count)
    seconds_train = 0.0
    at = common.times(args)
    for epoch in range(args.epochs + 1):
        if epoch in at:
            for name, column in score(network, score_loader).items():
                columns[f"{name}@{epoch}"] = column
        if epoch == args.epochs:
            break
        began = time.perf_counter()
        network.train()
        for images, labels, ids in train_loader:
            optimizer.zero_grad()
            logits = network(images)
            loss = F.cross_entropy(logits, labels)
            loss.backward()
            optimizer.step()
            scheduler.step()

            logits = logits.detach()
            ids = ids.numpy()
            one_hot = F.one_hot(labels, logits.shape[1]).bool()
            true = logits[one_hot]
            margin = (true - logits.masked_fill(one_hot, -torch.inf).max(1).values).numpy()
            p = F.softmax(logits, dim=1)[one_hot].numpy()
            correct = (logits.argmax(1) == labels).numpy()
            forgetting[ids] += was_correct[ids] & ~correct
            was_correct[ids] = correct
            times_correct[ids] += correct
            seen[ids] += 1
            margins[ids] += margin
            p_sum[ids] += p
            p_squares[ids] += p * p
        seconds_train += time.perf_counter() - began

    seen = np.maximum(seen, 1)
    columns["forgetting"] = forgetting
    columns["never_learned"] = times_correct == 0
    columns["aum"] = margins / seen
    columns["confidence"] = p_sum / seen
    columns["variability"] = np.sqrt(np.maximum(p_squares / seen - (p_sum / seen) ** 2, 0))
    columns["correctness"] = times_correct / seen
    return {
        "columns": columns,
        "accuracy": accuracy(network, test_loader),
        "seconds_train": seconds_train,
        "images_trained": steps * args.batch,
        "images_scored": len(at) * count,
    }


def main():
    flags = common.parser(__doc__.splitlines()[0])
    flags.add_argument("--workers", type=int, default=2, help="worker processes of a DataLoader")
    args = flags.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)

    with safe_open(args.data, framework="np") as file:
        metadata = file.metadata()
    normalise = transforms.Normalize(json.loads(metadata["mean"]), json.loads(metadata["std"]))
    augment = transforms.Compose(
        [
            transforms.RandomCrop(32, padding=4, padding_mode="reflect"),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            normalise,
        ]
    )
    plain = transforms.Compose([transforms.ToTensor(), normalise])
    train_loader = DataLoader(
        Images(args.data, "train", augment, args.limit),
        batch_size=args.batch,
        shuffle=True,
        drop_last=True,
        num_workers=args.workers,
    )
    score_loader = DataLoader(
        Images(args.data, "train", plain, args.limit), batch_size=args.batch, num_workers=args.workers
    )
    test_loader = DataLoader(
        Images(args.data, "test", plain), batch_size=args.batch, num_workers=args.workers
    )

    results = [
        train_replica(args, replica, train_loader, score_loader, test_loader)
        for replica in range(args.replica_offset, args.replica_offset + args.replicas)
    ]
    if args.out:
        names = results[0]["columns"]
        np.savez(args.out, **{name: np.stack([r["columns"][name] for r in results]) for name in names})

    ended = time.perf_counter()
    seconds = ended - STARTED
    trained = sum(r["images_trained"] for r in results)
    common.report(
        args,
        {
            "images_trained": trained,
            "images_scored": sum(r["images_scored"] for r in results),
            "seconds_total": seconds,
            "seconds_start_excluded": ended - LOADED,
            "seconds_train": sum(r["seconds_train"] for r in results),
            "images_per_second": trained / seconds,
            "accuracies": [r["accuracy"] for r in results],
            "accuracy_mean": float(np.mean([r["accuracy"] for r in results])),
            "peak_rss_mb": common.peak_rss_mb(),
        },
    )


if __name__ == "__main__":
    main()
