"""What our bfloat16 convolutions win over oneDNN's in whole training steps.

The example training_speed does the same steps with both in turn, in one process of one thread. It runs
with all instructions that oneDNN finds, and with matrix tiles (AMX) forbidden, as on processors that
have AVX512-BF16 alone: there a training takes ours. The runs are in turn, round after round.

    cargo build --release --package datadiet-engine --example training_speed
    python bf16.py --ours ../target/release/examples/training_speed
"""

import argparse
import json
import os
import statistics
import sys
from pathlib import Path

import readme

BATCH = 128
# Network, width, steps in a round: about a second.
CASES = [("resnet8", 16, 15), ("resnet18", 64, 1)]
LIMITS = {"all": {}, "AMX forbidden": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"}}
CHOICES = {"own": "ours", "onednn": "oneDNN's"}


def run(binary: Path, network: str, width: int, steps: int, limit: dict[str, str], rounds: int) -> dict:
    command = [binary.resolve(), network, width, BATCH, "bf16", rounds, steps]
    return json.loads(readme.run([str(word) for word in command], os.environ | limit)[0])


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--ours", type=Path, required=True, help="the example training_speed")
    flags.add_argument("--python", default=sys.executable, help="a Python with PyTorch, to tell its version")
    flags.add_argument("--rounds", type=int, default=3, help="runs of each network and limit")
    flags.add_argument("--inner", type=int, default=5, help="rounds within a run")
    flags.add_argument("--readme", type=Path, default=readme.README)
    args = flags.parse_args()
    load = os.getloadavg()[0]
    found: dict[tuple, list[dict]] = {}
    for _ in range(args.rounds):
        for network, width, steps in CASES:
            for name, limit in LIMITS.items():
                result = run(args.ours, network, width, steps, limit, args.inner)
                found.setdefault((network, width, name), []).append(result)
                print(network, name, result, file=sys.stderr, flush=True)
    lines = [
        "| network | instructions of oneDNN | images/s with our convolutions | with oneDNN's | ours / oneDNN's"
        " | lowest to highest | a training takes |",
        "|---|---|---:|---:|---:|---:|---|",
    ]
    for (network, width, name), results in found.items():
        own = [rate for result in results for rate in result["own"]]
        other = [rate for result in results for rate in result["onednn"]]
        ratios = [a / b for a, b in zip(own, other, strict=True)]
        lines.append(
            f"| {network} of width {width} | {name} | {statistics.median(own):,.0f}"
            f" | {statistics.median(other):,.0f} | **{statistics.median(ratios):.2f}×**"
            f" | {min(ratios):.2f} to {max(ratios):.2f} | {CHOICES[results[0]['chosen']]} |"
        )
    text = "\n".join(
        [
            *lines,
            "",
            f"Whole training steps of batch {BATCH}, augmentation to optimiser, bf16, CIFAR-10's shape, one thread, a second being"
            " one that the process had a core."
            f" Medians of {args.rounds * args.inner} rounds, in which both do the same steps in turn; the ratios are"
            " those of the rounds.",
            "",
            f"{readme.machine(args.python)} Load average before the start (1 is one core busy with other"
            f" work): {load:.1f}.",
        ]
    )
    print(text)
    readme.put("bf16", text, args.readme)


if __name__ == "__main__":
    main()
