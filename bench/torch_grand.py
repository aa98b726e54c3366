"""GraNd of PyTorch models: datadiet.torch.grand against torch.func.vmap(grad) and a training step.

The programs run in turn, round after round, each in a process of its own with two threads.

    python torch_grand.py      # with a Python that has datadiet and PyTorch
"""

import argparse
import json
import os
import statistics
import sys
from pathlib import Path

import readme

PEER = readme.HERE / "peers/torch_grand.py"
# Model, and for each program the batch at which it is fastest, and how many.
CASES = {
    "resnet18": {"ours": (32, 3), "vmap": (32, 2), "step": (32, 3)},
    "resnet8": {"ours": (128, 10), "vmap": (128, 10), "step": (128, 10)},
    "transformer": {"ours": (32, 6), "vmap": (32, 3), "step": (32, 6)},
    "decoder": {"ours": (8, 8), "vmap": (8, 3), "step": (8, 8)},
}
NAMES = {
    "resnet18": "ResNet-18, width 64, 32×32 images",
    "resnet8": "ResNet-8, width 16, 32×32 images",
    "transformer": "transformer of plain layers, 4 of width 256, 64 tokens of 10,000",
    "decoder": "causal decoder as Llama's, 4 layers of width 256, 256 tokens of 10,000",
}


def measure(python: str, model: str, program: str) -> dict:
    batch, batches = CASES[model][program]
    command = [python, str(PEER), "--model", model, "--program", program]
    return json.loads(readme.run([*command, "--batch", str(batch), "--batches", str(batches)])[0])


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--python", default=sys.executable)
    flags.add_argument("--rounds", type=int, default=3)
    flags.add_argument("--readme", type=Path, default=readme.README)
    args = flags.parse_args()
    load = os.getloadavg()[0]
    found: dict[tuple[str, str], list[dict]] = {}
    for number in range(args.rounds):
        for model, programs in CASES.items():
            for program in programs:
                result = measure(args.python, model, program)
                found.setdefault((model, program), []).append(result)
                said = f"round {number + 1}: {model}, {program}: {result['rate']:,.1f} examples/s"
                print(said, file=sys.stderr, flush=True)

    def median(model: str, program: str, what: str) -> float:
        return statistics.median(result[what] for result in found[model, program])

    lines = [
        "| model | examples/s: ours | vmap(grad) | training step | ours / vmap | ours / step | peak MiB: ours | vmap(grad) | training step |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for model in CASES:
        ours, vmap, step = (median(model, program, "rate") for program in ("ours", "vmap", "step"))
        memory = (median(model, program, "peak_mib") for program in ("ours", "vmap", "step"))
        lines.append(
            f"| {NAMES[model]} | {ours:,.0f} | {vmap:,.1f} | {step:,.0f} | **{ours / vmap:.1f}×**"
            f" | {ours / step:.2f}× | {' | '.join(f'{mib:,.0f}' for mib in memory)} |"
        )
    text = "\n".join(
        [
            *lines,
            "",
            f"32-bit floats, two threads, medians of {args.rounds} rounds, the programs in turn. The first"
            " batch is not counted; in it ours also looks where the examples lie and checks two of them by an"
            " ordinary backward pass.",
            "",
            f"{readme.machine(args.python)} {readme.before(load)}",
        ]
    )
    print(text)
    readme.put("torch-grand", text, args.readme)


if __name__ == "__main__":
    main()
