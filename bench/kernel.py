"""The neural tangent kernel of 100 examples and ten classes: datadiet against an explicit Jacobian.

Ours is the library's function, called once by the example kernel_speed; the programs run in turn.

    cargo build --release --package datadiet-engine --example kernel_speed
    python kernel.py --ours ../target/release/examples/kernel_speed
"""

import argparse
import json
import os
import statistics
import sys
from pathlib import Path

import readme

PEER = readme.HERE / "peers/kernel.py"
EXAMPLES = 100
# Network, width, most seconds, most MiB; whether PyTorch's Jacobian fits the machine.
CASES = [("resnet8", 16, 10, 8192, True), ("resnet18", 64, 180, 8192, False)]


def ours(binary: Path, network: str, width: int, threads: int, memory: int) -> dict:
    command = [binary, network, width, EXAMPLES, threads, memory]
    return json.loads(readme.run([str(word) for word in command])[0])


def peer(python: str, network: str, width: int) -> dict:
    command = [python, PEER, "--network", network, "--width", width, "--examples", EXAMPLES]
    return json.loads(readme.run([str(word) for word in command])[0])


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--ours", type=Path, required=True, help="the example kernel_speed")
    flags.add_argument("--python", default=sys.executable, help="the Python of the peer")
    flags.add_argument("--rounds", type=int, default=3)
    flags.add_argument("--readme", type=Path, default=readme.README)
    args = flags.parse_args()
    load = os.getloadavg()[0]
    lines = [
        "| network | at most | seconds | peak memory, MiB | at most | explicit Jacobian: seconds | MiB | ratio |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for network, width, seconds, memory, fits in CASES:
        found: dict[str, list[dict]] = {"ours": [], "peer": []}
        for _ in range(args.rounds):
            found["ours"].append(ours(args.ours, network, width, 2, memory - 1024))
            if fits:
                found["peer"].append(peer(args.python, network, width))
        median = lambda who, what: statistics.median(result[what] for result in found[who])
        own = median("ours", "seconds")
        other = "would hold 42 GiB | | "
        if fits:
            theirs = median("peer", "seconds")
            other = f"{theirs:.1f} | {median('peer', 'peak_mib'):,.0f} | **{theirs / own:.1f}×**"
        lines.append(
            f"| {network} of width {width} | {seconds} | **{own:.1f}** |"
            f" {median('ours', 'peak_mib'):,.0f} | {memory:,} | {other} |"
        )
        print(lines[-1], file=sys.stderr, flush=True)
    text = "\n".join(
        [
            *lines,
            "",
            f"{EXAMPLES} examples of CIFAR-10's shape, ten classes, 32-bit floats, two threads, weights at"
            f" initialisation; medians of {args.rounds} rounds, the programs in turn. The Jacobian:"
            " `torch.func.vmap(jacrev)` in chunks of ten examples, then one product. `datadiet ntk` measures"
            " in several single-thread processes.",
            "",
            f"{readme.machine(args.python)} {readme.before(load)}",
        ]
    )
    print(text)
    readme.put("kernel", text, args.readme)


if __name__ == "__main__":
    main()
