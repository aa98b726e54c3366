"""Seconds and memory of `datadiet ingest`, on runs of generated logits.

    python ingest.py --datadiet ../target/release/datadiet

Needs 20 GB of disk (`--scale` of it), in the folder for temporary files or `--folder`.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import readme

SEED = 0
# Examples, classes, epochs.
ARRAYS = (1_000_000, 1000, 10)
LINES = (100_000, 10, 100)
MOST_MIB = 1e9 / 2**20


def write_arrays(folder: Path, scale: float) -> str:
    """An f16 array an epoch; the same thousand rows again and again, since chance takes long."""
    examples, classes, epochs = ARRAYS
    examples = int(examples * scale)
    chance = np.random.default_rng(SEED)
    np.save(folder / "labels.npy", chance.integers(0, classes, examples))
    for epoch in range(1, epochs + 1):
        rows = chance.standard_normal((1000, classes), dtype=np.float32).astype(np.float16)
        file = np.lib.format.open_memmap(
            folder / f"epoch_{epoch}.npy", mode="w+", dtype=np.float16, shape=(examples, classes)
        )
        for first in range(0, examples, 1000):
            file[first : first + 1000] = rows[: examples - first]
        del file
    return f"npy, {examples:,} × {classes:,} f16, {epochs} epochs"


def write_lines(folder: Path, scale: float) -> str:
    """Dataset cartography's layout: ids are texts, and in another order in each epoch."""
    examples, classes, epochs = LINES
    examples = int(examples * scale)
    chance = np.random.default_rng(SEED)
    gold = chance.integers(0, classes, examples)
    for epoch in range(epochs):
        logits = chance.standard_normal((examples, classes)).round(4).tolist()
        with open(folder / f"dynamics_epoch_{epoch}.jsonl", "w", encoding="utf-8") as file:
            for example in chance.permutation(examples).tolist():
                line = {
                    "guid": f"train-{example:06d}",
                    f"logits_epoch_{epoch}": logits[example],
                    "gold": int(gold[example]),
                }
                file.write(json.dumps(line) + "\n")
    return f"JSON lines, {examples:,} × {classes}, {epochs} epochs, shuffled ids"


def reading(folder: Path) -> float:
    """Seconds to read the files and nothing more."""
    began = time.perf_counter()
    buffer = bytearray(1 << 20)
    for path in sorted(folder.iterdir()):
        with open(path, "rb", buffering=0) as file:
            while file.readinto(buffer):
                pass
    return time.perf_counter() - began


# Runs a command and prints its peak memory. A process begins with the peak of the one that started it,
# so that this one must be small.
LAUNCHER = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def ingest(datadiet: Path, folder: Path, out: Path) -> tuple[float, float]:
    """Wall seconds and peak MiB of the command."""
    command = [str(datadiet.resolve()), "ingest", str(folder), "--out", str(out), "--quiet"]
    peak, seconds = readme.run([sys.executable, "-S", "-c", LAUNCHER, *command])
    return seconds, int(peak) / 1024


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--datadiet", type=Path, required=True)
    flags.add_argument("--folder", type=Path, help="where the runs are written for a while")
    flags.add_argument("--scale", type=float, default=1.0)
    flags.add_argument("--python", default=sys.executable)
    flags.add_argument("--readme", type=Path, default=readme.README)
    args = flags.parse_args()
    load = os.getloadavg()[0]
    lines = [
        "| run | GB | seconds | GB/s | reading the files alone, seconds | peak memory, MiB | at most |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for write in (write_arrays, write_lines):
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            run = Path(folder) / "run"
            run.mkdir()
            what = write(run, args.scale)
            size = sum(path.stat().st_size for path in run.iterdir()) / 1e9
            alone = reading(run)
            seconds, peak = ingest(args.datadiet, run, Path(folder) / "scores")
        lines.append(
            f"| {what} | {size:.1f} | {seconds:.1f} | {size / seconds:.2f} | {alone:.1f} |"
            f" **{peak:,.0f}** | {MOST_MIB:,.0f} |"
        )
        print(lines[-1], file=sys.stderr, flush=True)
    text = "\n".join(
        [
            *lines,
            "",
            "The whole command: reading, all scores, the table of scores in Parquet. One round. The files"
            " have just been written, and read once, so that a part of them is in the system's cache.",
            "",
            f"{readme.machine(args.python)} {readme.before(load)}",
        ]
    )
    print(text)
    readme.put("ingest", text, args.readme)


if __name__ == "__main__":
    main()
