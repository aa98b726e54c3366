"""GraNd of a PyTorch model by one of three programs; examples a second.

    python torch_grand.py --model resnet18 --program ours --batch 32 --batches 2
    python torch_grand.py --model decoder-160m --program ours --batch 8 --batches 5 --device cuda

Programs: `ours`, datadiet.torch.grand; `vmap`, torch.func.vmap(grad); `step`, a training step, for
comparison. 32-bit floats (on a GPU with convolutions in TF32, as PyTorch has them), random examples: the
time does not depend on them. A first batch, in which
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

# The decoders' words, width, heads, groups, middle and layers.
DECODERS = {
    "decoder": (10_000, 256, 4, 2, 688, 4),
    "decoder-160m": (50_257, 768, 12, 12, 2048, 12),
}
MODELS = ("resnet8", "resnet18", "transformer", *DECODERS)


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


class DecoderLayer(nn.Module):
    """As Llama's: RMS norms, rotary positions, two heads of keys for four of queries, a gated middle."""

    def __init__(self, width: int, heads: int, groups: int, middle: int, fused: bool) -> None:
        super().__init__()
        self.heads, self.groups, self.fused, size = heads, groups, fused, width // heads
        self.norm1, self.norm2 = nn.RMSNorm(width), nn.RMSNorm(width)
        self.q, self.o = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)
        self.k = nn.Linear(width, groups * size, bias=False)
        self.v = nn.Linear(width, groups * size, bias=False)
        self.gate, self.up = (nn.Linear(width, middle, bias=False) for _ in range(2))
        self.down = nn.Linear(middle, width, bias=False)

    def attention(self, x, cos, sin):
        split = lambda part, heads: part.unflatten(-1, (heads, -1)).transpose(1, 2)
        turn = lambda part: part * cos + torch.cat([-part[..., half:], part[..., :half]], -1) * sin
        half = x.shape[-1] // self.heads // 2
        q, k = turn(split(self.q(x), self.heads)), turn(split(self.k(x), self.groups))
        v = split(self.v(x), self.groups)
        k, v = (part.repeat_interleave(self.heads // self.groups, 1) for part in (k, v))
        if self.fused:
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        # By hand: vmap knows no rule for the fused attention of the processor.
        weights = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        hidden = torch.ones(weights.shape[-2:], dtype=torch.bool).triu(1)
        return weights.masked_fill(hidden, -torch.inf).softmax(-1) @ v

    def forward(self, x, cos, sin):
        x = x + self.o(self.attention(self.norm1(x), cos, sin).transpose(1, 2).flatten(2))
        h = self.norm2(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Decoder(nn.Module):
    def __init__(
        self, fused: bool, words: int, width: int, heads: int, groups: int, middle: int, layers: int
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.layers = nn.ModuleList(
            DecoderLayer(width, heads, groups, middle, fused) for _ in range(layers)
        )
        self.norm, self.head = nn.RMSNorm(width), nn.Linear(width, words, bias=False)
        self.size = width // heads

    def forward(self, tokens):
        turns = 1e4 ** -(torch.arange(0, self.size, 2) / self.size)
        angles = torch.outer(torch.arange(tokens.shape[1]), turns).repeat(1, 2)
        x, cos, sin = self.words(tokens), angles.cos(), angles.sin()
        for layer in self.layers:
            x = layer(x, cos, sin)
        return self.head(self.norm(x))


def cross_entropy(outputs, labels):
    """The loss of a batch: of classes, or the mean over next tokens."""
    if outputs.dim() == 2:
        return F.cross_entropy(outputs, labels)
    return F.cross_entropy(outputs[:, :-1].flatten(0, 1), labels[:, 1:].flatten())


def build(name: str, examples: int, program: str):
    if name in DECODERS:
        tokens = torch.randint(DECODERS[name][0], (examples, 256))
        return Decoder(program != "vmap", *DECODERS[name]), tokens, tokens
    labels = torch.randint(10, (examples,))
    if name == "transformer":
        return Transformer(), torch.randint(10_000, (examples, 64)), labels
    width = 64 if name == "resnet18" else 16
    return networks.build(name, 3, 32, 32, 10, width), torch.randn(examples, 3, 32, 32), labels


def by_vmap(model, inputs, labels):
    values = {name: value.detach() for name, value in model.named_parameters()}

    def one(values, example, label):
        return cross_entropy(functional_call(model, values, (example[None],)), label[None])

    gradients = vmap(grad(one), (None, 0, 0))(values, inputs, labels)
    return sum(value.flatten(1).square().sum(1) for value in gradients.values()).sqrt()


def step(model, optimiser, inputs, labels):
    optimiser.zero_grad(set_to_none=True)
    cross_entropy(model(inputs), labels).backward()
    optimiser.step()


def on_gpu() -> bool:
    return torch.get_default_device().type == "cuda"


def now() -> tuple[float, float]:
    """Wall and processor seconds, once the GPU has done what it was asked."""
    if on_gpu():
        torch.cuda.synchronize()
    return time.perf_counter(), time.process_time()


def peak_mib() -> float:
    """The most memory that was taken: of the GPU where that computes, else of this process."""
    if on_gpu():
        return torch.cuda.max_memory_allocated() / 1024**2
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed_batches(count: int, batch, marks: list[tuple[float, float]]):
    """The batch over and over; notes when it is asked for."""
    for _ in range(count):
        marks.append(now())
        yield batch
    marks.append(now())


def run(program: str, model, inputs, labels, count: int) -> list[tuple[float, float]]:
    """Wall and processor seconds at which each batch began, and the end."""
    marks: list[tuple[float, float]] = []
    batches = timed_batches(count + 1, (inputs, labels), marks)
    if program == "ours":
        from datadiet.torch import TokenLoss, grand

        of_tokens = {"loss": TokenLoss("mean", shift=True)} if labels.dim() == 2 else {}
        grand(model, batches, **of_tokens)
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
    flags.add_argument("--model", choices=MODELS, required=True)
    flags.add_argument("--program", choices=("ours", "vmap", "step"), required=True)
    flags.add_argument("--batch", type=int, default=32)
    flags.add_argument("--batches", type=int, default=2)
    flags.add_argument("--threads", type=int, default=2)
    flags.add_argument("--device", default="cpu")
    args = flags.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_default_device(args.device)
    torch.manual_seed(0)
    model, inputs, labels = build(args.model, args.batch, args.program)
    marks = run(args.program, model, inputs, labels, args.batches)
    wall, processor = (end - began for began, end in zip(marks[1], marks[-1], strict=True))
    examples = args.batches * args.batch
    # The rate by processor seconds is what a busy machine still measures, with one thread.
    rates = {"rate": examples / wall, "processor_rate": examples / processor}
    print(json.dumps(rates | {"peak_mib": peak_mib()}))


if __name__ == "__main__":
    main()
