"""GraNd of a PyTorch model by one of three programs; examples a second.

    python torch_grand.py --model resnet18 --program ours --batch 32 --batches 2

Programs: `ours`, datadiet.torch.grand; `vmap`, torch.func.vmap(grad); `step`, a training step, for
comparison. 32-bit floats, random examples: the time does not depend on them. A first batch, in which
`ours` finds out how and checks itself, is not counted.
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "reference"))
import networks


class Layer(nn.Module):
    """A layer of a transformer, of plain layers alone."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        split = lambda part: part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        q, k, v = map(split, self.qkv(self.norm1(x)).chunk(3, -1))
        # By hand: vmap knows no rule for the fused attention of the processor.
        weights = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)
        x = x + self.out((weights @ v).transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Transformer(nn.Module):
    def __init__(self, words=10_000, length=64, width=256, heads=4, layers=4, classes=10) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(length, width)
        self.layers = nn.Sequential(*(Layer(width, heads) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, tokens):
        x = self.words(tokens) + self.places(torch.arange(tokens.shape[1]))
        return self.head(self.norm(self.layers(x)).mean(1))


def build(name: str, examples: int):
    labels = torch.randint(10, (examples,))
    if name == "transformer":
        return Transformer(), torch.randint(10_000, (examples, 64)), labels
    width = 64 if name == "resnet18" else 16
    return networks.build(name, 3, 32, 32, 10, width), torch.randn(examples, 3, 32, 32), labels


def by_vmap(model, inputs, labels):
    values = {name: value.detach() for name, value in model.named_parameters()}

    def one(values, example, label):
        return F.cross_entropy(functional_call(model, values, (example[None],)), label[None])

    gradients = vmap(grad(one), (None, 0, 0))(values, inputs, labels)
    return sum(value.flatten(1).square().sum(1) for value in gradients.values()).sqrt()


def step(model, optimiser, inputs, labels):
    optimiser.zero_grad(set_to_none=True)
    F.cross_entropy(model(inputs), labels).backward()
    optimiser.step()


def timed_batches(count: int, batch, marks: list[tuple[float, float]]):
    """The batch over and over; notes when it is asked for."""
    for _ in range(count):
        marks.append((time.perf_counter(), time.process_time()))
        yield batch
    marks.append((time.perf_counter(), time.process_time()))


def run(program: str, model, inputs, labels, count: int) -> list[tuple[float, float]]:
    """Wall and processor seconds at which each batch began, and the end."""
    marks: list[tuple[float, float]] = []
    batches = timed_batches(count + 1, (inputs, labels), marks)
    if program == "ours":
        from datadiet.torch import grand

        grand(model, batches)
    elif program == "vmap":
        model.eval()
        for inputs, labels in batches:
            by_vmap(model, inputs, labels)
    else:
        optimiser = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
        for inputs, labels in batches:
            step(model, optimiser, inputs, labels)
    return marks


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--model", choices=("resnet8", "resnet18", "transformer"), required=True)
    flags.add_argument("--program", choices=("ours", "vmap", "step"), required=True)
    flags.add_argument("--batch", type=int, default=32)
    flags.add_argument("--batches", type=int, default=2)
    flags.add_argument("--threads", type=int, default=2)
    args = flags.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    model, inputs, labels = build(args.model, args.batch)
    marks = run(args.program, model, inputs, labels, args.batches)
    wall, processor = (end - began for began, end in zip(marks[1], marks[-1], strict=True))
    examples = args.batches * args.batch
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    # The rate by processor seconds is what a busy machine still measures, with one thread.
    result = {"rate": examples / wall, "processor_rate": examples / processor, "peak_mib": peak}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
