"""One training of airbench on CIFAR-10 whose examples `datadiet.torch.DietSampler` chooses, timed.

The network, augmentation and optimiser are those of expert_airbench.py (bf16); rates fall linearly with the share
of the epochs that is done, since epochs differ in length. An image is mirrored every other time that it is shown,
so that a rule which shows it in every other epoch does not always mirror it the same way.

    python peers/choosing.py --data dataset.safetensors --rule infobatch --epochs 8 --seed 0

Needs a Python that has datadiet, PyTorch and safetensors.
"""

import argparse
import json
import time
from types import SimpleNamespace

import expert_airbench
import speedrun
import torch
from images import Images
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import BatchSampler

from datadiet.torch import DietSampler, Everything, InfoBatch, RandomSubsets, hardest

RULES = {
    "plain": Everything(),
    "infobatch": InfoBatch(0.5),
    "infobatch-step": InfoBatch(0.5, unbiased="step"),
    "subsets": RandomSubsets(0.5, replacement=True),
    "proxy": Everything(),
}


class Network(expert_airbench.Airbench):
    """A network that takes images and weights of its losses, and tells the losses."""

    def __init__(self, data: Images, batch: int, width: int, random: torch.Generator):
        args = SimpleNamespace(batch=batch, width=width, micro_batch=None, compile=False)
        super().__init__(args, data)
        self.begin(1, random)

    def step(self, done: float, images: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
        """Losses of a batch before the step, `done` of the training before."""
        losses = []
        for at, some in enumerate(images.split(self.part)):
            part = slice(at * self.part, at * self.part + len(some))
            each = losses_of(self.logits(some, done >= 3 / 8), labels[part])
            weighed = each if weights is None else each * weights[part]
            (weighed.sum() / len(labels)).backward()
            losses.append(each.detach())
        self.optimiser.step(1 - done)
        return torch.cat(losses)

    @torch.no_grad()
    def losses(self, images: Tensor, labels: Tensor) -> Tensor:
        return torch.cat(
            [
                losses_of(self.logits(some, True), truth)
                for some, truth in zip(images.split(self.part), labels.split(self.part), strict=True)
            ]
        )

    @torch.inference_mode()
    def accuracy(self) -> float:
        self.fold()
        right = 0
        for images, labels in zip(self.data.test.split(250), self.data.test_labels.split(250), strict=True):
            right += int((self.evaluate(images.permute(0, 3, 1, 2)).argmax(1) == labels).sum())
        return right / len(self.data.test_labels)


def losses_of(logits: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(logits, labels, reduction="none", label_smoothing=speedrun.SMOOTHING)


def train(args: argparse.Namespace, data: Images) -> dict:
    torch.manual_seed(args.seed)
    random = torch.Generator().manual_seed(1_000_003 * (args.seed + 1))
    batch = speedrun.batch_of(len(data))
    sampler = DietSampler(len(data), RULES[args.rule], seed=args.seed, epochs=args.epochs)
    network = Network(data, batch // 2 if args.rule == "proxy" else batch, args.width, random)
    proxy = Network(data, batch // 2, args.proxy_width, random) if args.rule == "proxy" else None
    mirrored = torch.rand(len(data), generator=random) < 0.5
    trained = steps = 0
    for epoch in range(args.epochs):
        sampler.set_epoch(epoch)
        batches = len(sampler) // batch
        for number, chosen in enumerate(BatchSampler(sampler, batch, drop_last=True)):
            ids = torch.tensor(chosen)
            labels, done = data.labels[ids], (epoch + number / batches) / args.epochs
            images = data.augmented(ids, mirrored[ids], random)
            mirrored[ids] ^= True
            if proxy is not None:
                # As in the record: the proxy learns from every fourth batch, from its own hardest half.
                rows = hardest(proxy.losses(images, labels))
                images, labels = images[rows], labels[rows]
                if steps % 4 == 0:
                    proxy.step(done, images, labels)
                network.step(done, images, labels)
            else:
                losses = network.step(done, images, labels, sampler.weights(ids))
                sampler.update(ids, losses)
            trained += len(labels)
            steps += 1
    return {"accuracy": network.accuracy, "trained": trained, "steps": steps}


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--data", required=True)
    flags.add_argument("--rule", choices=RULES, required=True)
    flags.add_argument("--epochs", type=int, required=True)
    flags.add_argument("--seed", type=int, default=0)
    flags.add_argument("--width", type=int, default=16)
    flags.add_argument("--proxy-width", type=int, default=4)
    flags.add_argument("--limit", type=int)
    args = flags.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    data = Images(args.data, speedrun.PAD, torch.bfloat16, args.limit)
    wall, processor = time.perf_counter(), time.process_time()
    found = train(args, data)
    found |= {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}
    print(json.dumps(found | {"accuracy": found["accuracy"]()}))


if __name__ == "__main__":
    main()
