"""Scores CIFAR-10 as well as plain PyTorch can on a CPU, with resnet8 or by the recipe `speedrun`.

Everything is in memory and vectorised over the batch: the images lie padded and normalised in the
training precision, a batch is one gather of crops, activations are channels-last, convolutions run
in bf16, the optimiser is fused, and evaluation runs without batch-norm (folded into the
convolutions). With `--processes`, replicas are shared out to single-thread processes, which is the
faster way on a small machine. Of airbench, expert_airbench.py has more.
"""

import time

STARTED = time.perf_counter()

import copy
import multiprocessing
import os
import sys

import common

# Freed memory is kept for the next step and not handed back to the kernel.
TUNED_MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(4 << 30),
    "MALLOC_TOP_PAD_": str(64 << 20),
}


def arguments():
    flags = common.parser(__doc__.splitlines()[0])
    flags.add_argument("--precision", choices=("bf16", "f32"), default="bf16")
    flags.add_argument("--processes", type=int, default=1, help="processes that share the replicas")
    flags.add_argument("--eval-batch", type=int, default=250)
    flags.add_argument("--compile", action="store_true", help="use torch.compile")
    flags.add_argument("--malloc", choices=("default", "tuned"), default="default")
    flags.add_argument(
        "--micro-batch",
        type=int,
        help="images that pass at a time (airbench); default: 250, the fastest",
    )
    args = common.parsed(flags)
    if args.threads is None:
        args.threads = 2 if args.processes == 1 else 1
    return args


ARGS = arguments()
if ARGS.malloc == "tuned" and any(os.environ.get(name) != value for name, value in TUNED_MALLOC.items()):
    os.environ.update(TUNED_MALLOC)
    os.execv(sys.executable, [sys.executable, *sys.argv])

import expert_airbench
import numpy as np
import torch
from images import Images
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

LOADED = time.perf_counter()


def folded(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A copy for evaluation with every batch-norm folded into its convolution."""
    network = copy.deepcopy(network).eval()
    for parent in list(network.modules()):
        names = [name for name, _ in parent.named_children()]
        for name, following in zip(names, names[1:]):
            first, second = getattr(parent, name), getattr(parent, following)
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                setattr(parent, name, fuse_conv_bn_eval(first, second))
                setattr(parent, following, nn.Identity())
    return network.to(dtype).to(memory_format=torch.channels_last)


def scores(logits: Tensor, labels: Tensor) -> Tensor:
    """[score, example] in the order of common.SCORES."""
    log_p = F.log_softmax(logits.float(), dim=1)
    p = log_p.exp()
    truth = labels[:, None]
    p_true = p.gather(1, truth).squeeze(1)
    errors = p.scatter_add(1, truth, p.new_full((), -1.0).expand(truth.shape))
    wrong = p.scatter(1, truth, -1.0).amax(1)
    return torch.stack(
        (
            errors.norm(dim=1),
            errors.abs().sum(1),
            -log_p.gather(1, truth).squeeze(1),
            -(p * log_p).sum(1),
            wrong - p_true,
            (p - p_true[:, None]).sum(1),
            (logits.argmax(1) == labels).float(),
        )
    )


class Trackers:
    """What the training minibatches tell of each example."""

    def __init__(self, count: int):
        self.seen = torch.zeros(count)
        self.was_correct = torch.zeros(count, dtype=torch.bool)
        self.forgetting = torch.zeros(count)
        self.correct = torch.zeros(count)
        self.margin = torch.zeros(count)
        self.p = torch.zeros(count)
        self.p_squared = torch.zeros(count)

    @torch.no_grad()
    def update(self, ids: Tensor, logits: Tensor, labels: Tensor) -> None:
        logits = logits.float()
        truth = labels[:, None]
        true = logits.gather(1, truth).squeeze(1)
        margin = true - logits.scatter(1, truth, -torch.inf).amax(1)
        p = (true - logits.logsumexp(1)).exp()
        correct = margin > 0
        # An id is at most once in a batch, so plain indexing is enough.
        self.forgetting[ids] += (self.was_correct[ids] & ~correct).float()
        self.was_correct[ids] = correct
        self.correct[ids] += correct.float()
        self.seen[ids] += 1
        self.margin[ids] += margin
        self.p[ids] += p
        self.p_squared[ids] += p * p

    def columns(self) -> Tensor:
        """[tracker, example] in the order of common.TRACKERS."""
        seen = self.seen.clamp(min=1)
        mean = self.p / seen
        return torch.stack(
            (
                self.forgetting,
                (self.correct == 0).float(),
                self.margin / seen,
                mean,
                (self.p_squared / seen - mean * mean).clamp(min=0).sqrt(),
                self.correct / seen,
            )
        )


class ResNet8:
    """resnet8, SGD, random flips, the test images as they are."""

    def __init__(self, args, data: Images):
        self.args, self.data = args, data
        self.network = common.ResNet8(args.width, data.classes)
        self.network.to(memory_format=torch.channels_last)
        self.folded = folded(self.network, data.dtype)
        self.forward, self.evaluate = self.network, self.folded
        if args.compile:
            self.forward = torch.compile(self.network, dynamic=False)
            self.evaluate = torch.compile(self.folded, dynamic=False)

    def begin(self, steps: int, random: torch.Generator) -> None:
        args, self.steps, self.random = self.args, steps, random
        fresh = common.ResNet8(args.width, self.data.classes)
        self.network.load_state_dict(fresh.state_dict())
        self.optimiser = torch.optim.SGD(
            self.network.parameters(),
            lr=args.lr,
            momentum=args.momentum,
            weight_decay=args.weight_decay,
            nesterov=True,
            fused=True,
        )

    def step(self, step: int, epoch: int, ids: Tensor, labels: Tensor) -> Tensor:
        """Logits of the minibatch before the step."""
        args = self.args
        self.network.train()
        (group,) = self.optimiser.param_groups
        group["lr"] = common.learning_rate(step, self.steps, args.lr, args.warmup)
        flip = torch.rand(len(ids), generator=self.random) < 0.5
        images = self.data.augmented(ids, flip, self.random)
        with torch.autocast("cpu", torch.bfloat16, enabled=args.precision == "bf16"):
            logits = self.forward(images)
        loss = F.cross_entropy(logits.float(), labels)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        return logits

    def fold(self) -> None:
        """Bring the folded network up to date."""
        with torch.no_grad():
            self.folded.load_state_dict(folded(self.network, self.data.dtype).state_dict())

    def tested(self, images: Tensor) -> Tensor:
        """Logits of test images N×H×W×C."""
        return self.evaluate(images.permute(0, 3, 1, 2))


class Job:
    def __init__(self, args):
        self.args = args
        dtype = torch.bfloat16 if args.precision == "bf16" else torch.float32
        self.data = Images(args.data, common.padding(args), dtype, args.limit)
        # Compiled code belongs to a module, so one of each serves every replica of a process.
        kind = ResNet8 if args.network == "resnet8" else expert_airbench.Airbench
        self.training = kind(args, self.data)

    def replica(self, replica: int) -> dict:
        """Train one replica, scoring on the way."""
        args, data, training = self.args, self.data, self.training
        torch.set_num_threads(args.threads)
        # The tails of GELU and of gradients are slow numbers otherwise.
        torch.set_flush_denormal(True)
        torch.manual_seed(replica)
        random = torch.Generator().manual_seed(1_000_003 * (replica + 1))
        steps_per_epoch = len(data) // args.batch
        steps = args.epochs * steps_per_epoch
        training.begin(steps, random)
        at = common.times(args)
        trackers = Trackers(len(data))
        table = torch.empty(len(at), len(common.SCORES), len(data))
        step = 0
        seconds_train = 0.0

        for epoch in range(args.epochs + 1):
            if epoch in at:
                self.score(table[at.index(epoch)])
            if epoch == args.epochs:
                break
            began = time.perf_counter()
            order = torch.randperm(len(data), generator=random)
            for ids in order[: steps_per_epoch * args.batch].split(args.batch):
                labels = data.labels[ids]
                logits = training.step(step, epoch, ids, labels)
                trackers.update(ids, logits, labels)
                step += 1
            seconds_train += time.perf_counter() - began

        began = time.perf_counter()
        accuracy = self.accuracy()
        return {
            "table": table.numpy(),
            "trackers": trackers.columns().numpy(),
            "accuracy": accuracy,
            "seconds_train": seconds_train,
            "seconds_test": time.perf_counter() - began,
            "images_trained": steps * args.batch,
            "images_scored": len(at) * len(data),
            "peak_rss_mb": common.peak_rss_mb(),
        }

    @torch.inference_mode()
    def score(self, out: Tensor) -> None:
        data, size = self.data, self.args.eval_batch
        self.training.fold()
        for start in range(0, len(data), size):
            part = slice(start, start + size)
            out[:, part] = scores(self.training.evaluate(data.plain(part)), data.labels[part])

    @torch.inference_mode()
    def accuracy(self) -> float:
        data, size = self.data, self.args.eval_batch
        self.training.fold()
        right = sum(
            (self.training.tested(images).argmax(1) == labels).sum()
            for images, labels in zip(data.test.split(size), data.test_labels.split(size))
        )
        return int(right) / len(data.test_labels)


def replica_of_job(replica: int) -> dict:
    return JOB.replica(replica)


def main(args) -> None:
    # Forked processes inherit the job and its pages. Handed over as an argument, its tensors would
    # become shared memory, and the processes would train one and the same network.
    global JOB
    # A process that forks must not have started threads.
    torch.set_num_threads(args.threads if args.processes == 1 else 1)
    JOB = Job(args)
    replicas = range(args.replica_offset, args.replica_offset + args.replicas)
    if args.processes == 1:
        results = [JOB.replica(replica) for replica in replicas]
        peak = common.peak_rss_mb()
    else:
        with multiprocessing.get_context("fork").Pool(args.processes) as pool:
            results = pool.map(replica_of_job, replicas, chunksize=1)
        peak = common.peak_rss_mb() + args.processes * max(r["peak_rss_mb"] for r in results)

    at = common.times(args)
    if args.out:
        columns = {}
        for index, epoch in enumerate(at):
            for number, name in enumerate(common.SCORES):
                columns[f"{name}@{epoch}"] = np.stack([r["table"][index, number] for r in results])
        for number, name in enumerate(common.TRACKERS):
            columns[name] = np.stack([r["trackers"][number] for r in results])
        np.savez(args.out, **columns)

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
            "seconds_train": sum(r["seconds_train"] for r in results) / args.processes,
            "images_per_second": trained / seconds,
            "accuracies": [r["accuracy"] for r in results],
            "accuracy_mean": float(np.mean([r["accuracy"] for r in results])),
            "peak_rss_mb": peak,
        },
    )


if __name__ == "__main__":
    main(ARGS)
