"""Selection and rank correlation: datadiet's core against NumPy and SciPy, on the same columns.

Each program reads the columns from raw files, calls once untimed and once timed. The programs run
in turn, round after round, and must find the same.

    cargo build --release --package datadiet-core --example selection_speed
    python selection.py --ours ../target/release/examples/selection_speed
"""

import argparse
import json
import math
import os
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np

import readme

SCORES = 100_000_000
RANKED = 10_000_000
SEED = 0
# Name: command, files, peer, what must agree, at least.
TASKS = {
    "top half of 100 million scores": ("select", ["scores"], "numpy.argpartition", ("chosen", "lowest"), 1),
    "Spearman of two columns of 10 million": (
        "spearman",
        ["first", "second"],
        "scipy.stats.spearmanr",
        ("spearman",),
        5,
    ),
}
OURS = "datadiet"


def write_columns(folder: Path) -> None:
    """Absolute values of normal numbers, and two columns that correlate."""
    chance = np.random.default_rng(SEED)
    first = chance.standard_normal(RANKED, dtype=np.float32)
    columns = {
        "scores": np.abs(chance.standard_normal(SCORES, dtype=np.float32)),
        "first": first,
        "second": first + chance.standard_normal(RANKED, dtype=np.float32),
    }
    for name, column in columns.items():
        column.astype("<f4", copy=False).tofile(folder / f"{name}.f32")


def run(program: list[str], task: str, folder: Path) -> dict:
    what, files, *_ = TASKS[task]
    return json.loads(readme.run([*program, what, *(str(folder / f"{name}.f32") for name in files)])[0])


def check_same(task: str, results: list[dict]) -> None:
    for key in TASKS[task][3]:
        if not all(math.isclose(result[key], results[0][key], rel_tol=1e-9) for result in results):
            sys.exit(f"{task}: the programs differ in {key}: {[result[key] for result in results]}")


def table(results: dict[tuple[str, str], list[dict]]) -> str:
    def median(task: str, program: str, key: str) -> float:
        return statistics.median(result[key] for result in results[task, program])

    lines = [
        "| task | seconds, ours | peer | at least | measured | peak memory, MiB: ours | peer |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for task, (_, _, peer, _, bar) in TASKS.items():
        ours, theirs = median(task, OURS, "seconds"), median(task, peer, "seconds")
        lines.append(
            f"| {task}, against `{peer}` | {ours:.2f} | {theirs:.2f} | {bar}× | **{theirs / ours:.1f}×**"
            f" | {median(task, OURS, 'peak_mib'):,.0f} | {median(task, peer, 'peak_mib'):,.0f} |"
        )
    return "\n".join(lines)


def libraries(python: str) -> str:
    code = "import numpy, scipy; print(f'NumPy {numpy.__version__}, SciPy {scipy.__version__}')"
    return readme.run([python, "-c", code])[0].strip()


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--ours", type=Path, required=True, help="the example selection_speed")
    flags.add_argument("--python", default=sys.executable, help="the Python of the peers")
    flags.add_argument("--rounds", type=int, default=3)
    flags.add_argument("--readme", type=Path, default=readme.README)
    args = flags.parse_args()
    ours = [str(args.ours.resolve())]
    peers = [args.python, str(readme.HERE / "peers/selection.py")]
    load = os.getloadavg()[0]
    results: dict[tuple[str, str], list[dict]] = {}
    with tempfile.TemporaryDirectory() as folder:
        write_columns(Path(folder))
        for number in range(args.rounds):
            for task, (_, _, peer, *_) in TASKS.items():
                for program, command in ((OURS, ours), (peer, peers)):
                    result = run(command, task, Path(folder))
                    results.setdefault((task, program), []).append(result)
                    print(
                        f"round {number + 1}: {task}: {program}: {result['seconds']:.2f} s",
                        file=sys.stderr,
                        flush=True,
                    )
                check_same(task, results[task, OURS] + results[task, peer])
    text = "\n".join(
        [
            table(results),
            "",
            f"Seconds of the call alone, in memory, the second call of each process; medians of {args.rounds}"
            " rounds, the programs in turn. datadiet uses both cores, NumPy and SciPy one. datadiet also"
            " refuses NaN and constant scores, and gives the ids in ascending order with ties broken by id;"
            " `argpartition` leaves ids and ties as they come. Memory includes the columns.",
            "",
            f"{readme.machine(args.python)} {libraries(args.python)}. Load average before the start"
            f" (1 is one core busy with other work): {load:.1f}.",
        ]
    )
    print(text)
    readme.put("selection", text, args.readme)


if __name__ == "__main__":
    main()
