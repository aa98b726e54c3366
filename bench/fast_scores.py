"""Scores of large arrays in core: against reading the memory, NumPy and dataset cartography's way.

The programs read the same files of generated logits and run in turn, round after round; they must
find the same.

    cargo build --release --package datadiet-core --example fast_scores
    python fast_scores.py --ours ../target/release/examples/fast_scores
"""

import argparse
import json
import math
import os
import statistics
import sys
import tempfile
from pathlib import Path

import readme

PEERS = readme.HERE / "peers/fast_scores.py"
MANY = (1_280_000, 1000)
FEW = (200, 50_000, 10)
BATCH = (128, 10)
SEED = 0


def write_logits(folder: Path, examples: int) -> None:
    """Normal logits of spread 3 (f16) and of spread 1 (f32); the label's rises with the epoch."""
    import numpy as np

    chance = np.random.default_rng(SEED)
    labels = chance.integers(0, MANY[1], examples, dtype=np.uint32)
    labels.astype("<u4").tofile(folder / "many.u32")
    with open(folder / "many.f16", "wb") as file:
        for first in range(0, examples, 10_000):
            y = labels[first : first + 10_000]
            z = 3 * chance.standard_normal((len(y), MANY[1]), dtype=np.float32)
            z[np.arange(len(y)), y] += 10 * chance.random(len(y), dtype=np.float32)
            z.astype("<f2").tofile(file)
    epochs, n, classes = FEW
    labels = chance.integers(0, classes, n, dtype=np.uint32)
    labels.astype("<u4").tofile(folder / "few.u32")
    with open(folder / "few.f32", "wb") as file:
        for epoch in range(epochs):
            z = chance.standard_normal((n, classes), dtype=np.float32)
            z[np.arange(n), labels] += 4 * epoch / epochs
            z.astype("<f4").tofile(file)
    chance.standard_normal(BATCH, dtype=np.float32).astype("<f4").tofile(folder / "batch.f32")
    chance.integers(0, BATCH[1], BATCH[0], dtype=np.uint32).astype("<u4").tofile(folder / "batch.u32")


# What ours and the peers are asked, with their files.
RUNS = {
    "el2n": ("ours", "el2n", "many.f16", "many.u32"),
    "scores": ("ours", "scores", "many.f16", "many.u32"),
    "trajectories": ("ours", "trajectories", "few.f32", "few.u32"),
    "batch": ("ours", "batch", "batch.f32", "batch.u32"),
    "el2n, NumPy": ("peer", "el2n", "many.f16", "many.u32"),
    "trajectories, NumPy": ("peer", "trajectories", "few.f32", "few.u32"),
    "trajectories, cartography": ("peer", "cartography", "few.f32", "few.u32"),
}


def check_same(results: dict[str, list[dict]], what: str) -> None:
    """NumPy works in f32: the means agree to that."""
    ours, theirs = results[what][0], results[f"{what}, NumPy"][0]
    for key in theirs.keys() - {"seconds"}:
        if not math.isclose(ours[key], theirs[key], rel_tol=1e-5):
            sys.exit(f"{what}: {key} is {ours[key]} here and {theirs[key]} in NumPy")


def table(results: dict[str, list[dict]], examples: int) -> str:
    def median(name: str, key: str = "seconds") -> float:
        return statistics.median(result[key] for result in results[name])

    def line(what: str, name: str, other: float, peer: str, bar: str, times: float) -> str:
        ours = median(name)
        return f"| {what} | {ours:.3g} | {peer} | {other:.3g} | {bar} | **{times:.3g}×** |"

    many = f"{examples:,} × {MANY[1]:,} `f16`"
    few = f"{FEW[1]:,} × {FEW[2]} × {FEW[0]} epochs, `f32`"
    reading = median("el2n", "reading_seconds")
    numpy = median("el2n, NumPy")
    vectorised = median("trajectories, NumPy")
    program = median("trajectories, cartography")
    trajectories = median("trajectories")
    return "\n".join(
        [
            "| task | seconds, ours | other | seconds, other | at least | measured |",
            "|---|---:|---|---:|---:|---:|",
            line(f"EL2N of {many}", "el2n", numpy, "NumPy", "5×", numpy / median("el2n")),
            line(
                f"EL2N of {many}",
                "el2n",
                reading,
                "reading the memory",
                "0.5×",
                reading / median("el2n"),
            ),
            line(
                f"all evaluation scores of {many}",
                "scores",
                reading,
                "reading the memory",
                "",
                reading / median("scores"),
            ),
            line(
                f"all trajectory scores of {few}",
                "trajectories",
                vectorised,
                "NumPy",
                "5×",
                vectorised / trajectories,
            ),
            line(
                f"all trajectory scores of {few}",
                "trajectories",
                program,
                "dataset cartography's way",
                "10×",
                program / trajectories,
            ),
            "",
            f"All scores of a minibatch of {BATCH[0]} × {BATCH[1]}, on one thread:"
            f" {median('batch') * 1e6:.1f} µs ({min(r['least_seconds'] for r in results['batch']) * 1e6:.1f}"
            " at least).",
            "",
            f"Reading the memory: a sum of its 64-bit words on both cores, at {bandwidth(results):.1f} GB/s.",
        ]
    )


def bandwidth(results: dict[str, list[dict]]) -> float:
    rates = [result["bytes"] / result["reading_seconds"] for result in results["el2n"]]
    return statistics.median(rates) / 1e9


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--ours", type=Path, required=True, help="the example fast_scores")
    flags.add_argument("--python", default=sys.executable, help="the Python of the peers")
    flags.add_argument("--rounds", type=int, default=3)
    flags.add_argument("--examples", type=int, default=MANY[0], help="rows of the f16 matrix")
    flags.add_argument("--readme", type=Path, default=readme.README)
    args = flags.parse_args()
    load = os.getloadavg()[0]
    results: dict[str, list[dict]] = {}
    with tempfile.TemporaryDirectory() as folder:
        write_logits(Path(folder), args.examples)
        for number in range(args.rounds):
            for name, (program, what, *files) in RUNS.items():
                start = [str(args.ours.resolve())] if program == "ours" else [args.python, str(PEERS)]
                command = [*start, what, *(str(Path(folder) / file) for file in files)]
                result = json.loads(readme.run(command)[0])
                results.setdefault(name, []).append(result)
                print(f"round {number + 1}: {name}: {result}", file=sys.stderr, flush=True)
            check_same(results, "el2n")
            check_same(results, "trajectories")
    text = "\n".join(
        [
            table(results, args.examples),
            "",
            f"Medians of {args.rounds} rounds, the programs in turn; ours and the reading of memory are"
            " each the median of 5 calls. datadiet uses both cores, NumPy one, PyTorch its default."
            " datadiet also checks labels and refuses NaN and infinity. Dataset cartography's way is its"
            " loop over 200 of the examples, times their share; it gives no AUM.",
            "",
            f"{readme.machine(args.python)} {readme.before(load)}",
        ]
    )
    print(text)
    readme.put("fast-scores", text, args.readme)


if __name__ == "__main__":
    main()
