"""Scores CIFAR-10 the way most people write it.

f32, torchvision transforms on PIL images in a DataLoader, the default number of threads, plain SGD,
and loops over batches that collect what they need.
"""

import time

STARTED = time.perf_counter()

import json

import common
import numpy as np
import speedrun
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
        self.mirrored = None
        self.epoch = 0

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image = Image.fromarray(self.images[index])
        if self.mirrored is not None and self.mirrored[index] != (self.epoch % 2 == 1):
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
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


def views(network, images):
    """Mean logits of the image, of two shifted by a pixel, and of their mirror images."""
    padded = F.pad(images, (1, 1, 1, 1), mode="reflect")
    size = images.shape[-1]
    total = 0
    for offset, weight in ((0, 0.25), (1, 0.5), (2, 0.25)):
        view = padded[:, :, offset : offset + size, offset : offset + size]
        total = total + weight * (network(view) + network(view.flip(-1))) / 2
    return total


def accuracy(network, loader, logits_of):
    network.eval()
    correct = 0
    with torch.no_grad():
        for images, labels, _ in loader:
            correct += (logits_of(network, images).argmax(1) == labels).sum().item()
    return correct / len(loader.dataset)


def plain(network, images):
    return network(images)


class Resnet8Training:
    def __init__(self, args, steps, loader):
        self.network = common.ResNet8(args.width, int(loader.dataset.labels.max()) + 1)
        self.optimizer = torch.optim.SGD(
            self.network.parameters(),
            lr=args.lr,
            momentum=args.momentum,
            weight_decay=args.weight_decay,
            nesterov=True,
        )
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer,
            lambda step: common.learning_rate(min(step, steps - 1), steps, 1.0, args.warmup),
        )

    def step(self, images, labels):
        self.optimizer.zero_grad()
        logits = self.network(images)
        F.cross_entropy(logits, labels).backward()
        self.optimizer.step()
        self.scheduler.step()
        return logits


class SpeedrunTraining:
    def __init__(self, args, steps, loader, plain_loader):
        self.network = speedrun.fresh(args.width, int(loader.dataset.labels.max()) + 1)
        first, count = [], 0
        for images, _, _ in plain_loader:
            first.append(images)
            count += len(images)
            if count >= speedrun.WHITENED:
                break
        first = torch.cat(first)[: speedrun.WHITENED]
        self.network.whiten.weight.copy_(speedrun.whitening_filters(first))
        self.recipe = speedrun.Recipe(args.batch, args.width)
        self.optimizer = speedrun.Optimiser(self.network, self.recipe)
        self.done, self.steps = 0, steps

    def step(self, images, labels):
        if self.done == self.recipe.whitening_steps(self.steps):
            self.network.whiten.bias.requires_grad_(False)
        logits = self.network(images)
        speedrun.loss_of(logits, labels, len(labels)).backward()
        self.optimizer.step(self.recipe.factor(self.done, self.steps))
        self.done += 1
        return logits


def train_replica(args, replica, train_loader, score_loader, test_loader):
    torch.manual_seed(replica)
    images_of = train_loader.dataset
    count = len(images_of)
    steps = args.epochs * len(train_loader)
    if args.network == "airbench":
        training = SpeedrunTraining(args, steps, train_loader, score_loader)
        images_of.mirrored = np.random.default_rng(replica).random(count) < 0.5
    else:
        training = Resnet8Training(args, steps, train_loader)
    network = training.network

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
        images_of.epoch = epoch
        for images, labels, ids in train_loader:
            logits = training.step(images, labels).detach()
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
        "accuracy": accuracy(network, test_loader, views if args.network == "airbench" else plain),
        "seconds_train": seconds_train,
        "images_trained": steps * args.batch,
        "images_scored": len(at) * count,
    }


def main():
    flags = common.parser(__doc__.splitlines()[0])
    flags.add_argument("--workers", type=int, default=2, help="worker processes of a DataLoader")
    args = common.parsed(flags)
    if args.threads:
        torch.set_num_threads(args.threads)

    with safe_open(args.data, framework="np") as file:
        metadata = file.metadata()
    normalise = transforms.Normalize(json.loads(metadata["mean"]), json.loads(metadata["std"]))
    changes = [transforms.RandomCrop(32, padding=common.padding(args), padding_mode="reflect")]
    if args.network == "resnet8":
        # Those of airbench alternate: the data set has them.
        changes.append(transforms.RandomHorizontalFlip())
    augment = transforms.Compose([*changes, transforms.ToTensor(), normalise])
    unchanged = transforms.Compose([transforms.ToTensor(), normalise])
    train_loader = DataLoader(
        Images(args.data, "train", augment, args.limit),
        batch_size=args.batch,
        shuffle=True,
        drop_last=True,
        num_workers=args.workers,
    )
    score_loader = DataLoader(
        Images(args.data, "train", unchanged, args.limit), batch_size=args.batch, num_workers=args.workers
    )
    test_loader = DataLoader(
        Images(args.data, "test", unchanged), batch_size=args.batch, num_workers=args.workers
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
