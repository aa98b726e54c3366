"""Scores of tokens: against PyTorch's log_softmax and gather, and the speed of memory, in one run.

The three read the same logits in turn, round after round; ours and PyTorch's losses must agree. PyTorch gives
the losses alone, ours EL2N and correctness too.

    make python
    target/python/bin/python bench/tokens.py
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import readme
import torch
from python import reading

import datadiet

# Sequences, tokens, classes: a batch of GPT-2's and of a larger vocabulary, and of names in texts.
SHAPES = [(8, 512, 50_257), (4, 256, 151_936), (512, 128, 9)]
KINDS = ["float32", "bfloat16", "float16"]
SEED = 0


def logits_of(shape: tuple[int, int, int], kind: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of spread 2, the label's 4 higher, and labels of which an eighth is ignored."""
    chance = torch.Generator().manual_seed(SEED)
    logits = torch.randn(shape, generator=chance).mul_(2)
    labels = torch.randint(shape[2], shape[:2], generator=chance)
    logits.scatter_add_(2, labels[:, :, None], torch.full((*shape[:2], 1), 4.0))
    labels[torch.rand(shape[:2], generator=chance) < 0.125] = -100
    return logits.to(getattr(torch, kind)), labels


def of_pytorch(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The losses, as everybody takes them."""
    known = labels.clamp(min=0)[:, :, None]
    return -logits.log_softmax(2).gather(2, known)[:, :, 0]


def measured(shape: tuple[int, int, int], kind: str, rounds: int) -> dict[str, float]:
    logits, labels = logits_of(shape, kind)
    words = np.asarray(logits.view(torch.int32 if kind == "float32" else torch.int16)).view(
        np.uint8
    )
    words = words.reshape(-1)[: words.size // 8 * 8]
    calls = {
        "ours": lambda: datadiet.token_scores(logits, labels, shift=False).tokens["loss"],
        "PyTorch": lambda: of_pytorch(logits, labels),
    }
    there = (labels != -100).numpy()
    found = {
        name: np.asarray(call().float() if name != "ours" else call())[there]
        for name, call in calls.items()
    }
    # PyTorch rounds its logarithms to the type of the logits.
    slack = 1e-4 if kind == "float32" else 0.1
    if not np.allclose(found["ours"], found["PyTorch"], rtol=slack, atol=slack):
        sys.exit(f"{kind} {shape}: ours and PyTorch's losses differ")
    seconds: dict[str, list[float]] = {name: [] for name in (*calls, "memory")}
    for _ in range(rounds):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - began)
        seconds["memory"].append(reading(words))
    return {name: statistics.median(times) for name, times in seconds.items()} | {
        "bytes": words.size
    }


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--rounds", type=int, default=5)
    flags.add_argument(
        "--small", action="store_true", help="an eighth of the sequences, not written down"
    )
    flags.add_argument("--readme", type=Path, default=readme.README)
    args = flags.parse_args()
    load = os.getloadavg()[0]
    lines = [
        "| logits | ms, ours | ms, PyTorch | ms, reading the memory | PyTorch by ours | memory by ours |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for shape in SHAPES:
        for kind in KINDS:
            size = (max(1, shape[0] // 8), *shape[1:]) if args.small else shape
            times = measured(size, kind, args.rounds)
            ours, torchs, memory = (1000 * times[name] for name in ("ours", "PyTorch", "memory"))
            of = " × ".join(f"{length:,}" for length in size)
            lines.append(
                f"| {of} `{kind}` | {ours:.1f} | {torchs:.1f} | {memory:.1f} | **{torchs / ours:.2g}×** |"
                f" **{memory / ours:.2g}×** |"
            )
            print(lines[-1], file=sys.stderr, flush=True)
    text = "\n".join(
        [
            *lines,
            "",
            f"Medians of {args.rounds} rounds, the three in turn. An eighth of the tokens has no label: ours does not"
            " read them, the others do. Reading the memory: a sum of its 64-bit words on both cores, which of few"
            " megabytes is mostly the start of its threads. Ours gives"
            " loss, EL2N and correctness of each token and six scores of each example; PyTorch losses alone, with"
            f" {torch.get_num_threads()} threads.",
            "",
            f"{readme.machine(sys.executable)} {readme.before(load)}",
        ]
    )
    print(text)
    if not args.small:
        readme.put("tokens", text, args.readme)


if __name__ == "__main__":
    main()
