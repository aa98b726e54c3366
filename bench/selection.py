"""Selection and rank correlation: datadiet against NumPy, SciPy and DuckDB, on the same columns.

In memory, each program reads the columns from raw files, calls once untimed and once timed. From
Parquet to Parquet, it is `datadiet select` as a user runs it against one statement of DuckDB. The
programs run in turn, round after round, and must find the same.

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
from dataclasses import dataclass
from pathlib import Path

import readme

SCORES = 100_000_000
RANKED = 10_000_000
SEED = 0
OURS = "datadiet"
PEERS = readme.HERE / "peers/selection.py"


@dataclass(frozen=True)
class Task:
    """What is timed, what the programs must agree in, and how much faster ours should be."""

    what: str
    files: tuple[str, ...]
    peer: str
    agree: tuple[str, ...]
    bar: int


TASKS = {
    "top half of 100 million scores": Task(
        "select", ("scores",), "numpy.argpartition", ("chosen", "lowest"), 1
    ),
    "Spearman of two columns of 10 million": Task(
        "spearman", ("first", "second"), "scipy.stats.spearmanr", ("spearman",), 5
    ),
    "top half of 100 million rows, Parquet to Parquet": Task(
        "half", (), "duckdb", ("chosen", "lowest"), 2
    ),
}


class Programs:
    """Runs ours and the peers on the columns of a folder."""

    def __init__(self, ours: Path, datadiet: Path, python: str, folder: Path) -> None:
        self.ours, self.datadiet = str(ours.resolve()), str(datadiet.resolve())
        self.python, self.folder = python, folder
        self.write_columns()

    def peer(self, *arguments: object) -> dict:
        return json.loads(readme.run([self.python, str(PEERS), *map(str, arguments)])[0])

    def write_columns(self) -> None:
        """Absolute values of normal numbers, and two columns that correlate."""
        import numpy as np

        chance = np.random.default_rng(SEED)
        first = chance.standard_normal(RANKED, dtype=np.float32)
        columns = {
            "scores": np.abs(chance.standard_normal(SCORES, dtype=np.float32)),
            "first": first,
            "second": first + chance.standard_normal(RANKED, dtype=np.float32),
        }
        for name, column in columns.items():
            column.astype("<f4", copy=False).tofile(self.folder / f"{name}.f32")
        self.peer("table", self.folder / "scores.f32", self.folder / "scores.parquet")

    def run(self, task: Task, program: str) -> dict:
        if task.what == "half":
            return self.half(program)
        files = [self.folder / f"{name}.f32" for name in task.files]
        if program == OURS:
            return json.loads(readme.run([self.ours, task.what, *map(str, files)])[0])
        return self.peer(task.what, *files)

    def half(self, program: str) -> dict:
        source, target = self.folder / "scores.parquet", self.folder / "half.parquet"
        target.unlink(missing_ok=True)
        if program == OURS:
            options = ["--by", "score", "--keep", "0.5", "--out", target]
            result = self.peer("watch", self.datadiet, "select", source, *options)
        else:
            result = self.peer("half", source, target)
        return result | self.found(target)

    def found(self, target: Path) -> dict:
        return {key: value for key, value in self.peer("found", target).items() if key != "peak_mib"}


def check_same(name: str, task: Task, results: list[dict]) -> None:
    for key in task.agree:
        if not all(math.isclose(result[key], results[0][key], rel_tol=1e-9) for result in results):
            sys.exit(f"{name}: the programs differ in {key}: {[result[key] for result in results]}")


def table(results: dict[tuple[str, str], list[dict]]) -> str:
    def median(name: str, program: str, key: str) -> float:
        return statistics.median(result[key] for result in results[name, program])

    lines = [
        "| task | seconds, ours | peer | at least | measured | peak memory, MiB: ours | peer |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, task in TASKS.items():
        ours, theirs = median(name, OURS, "seconds"), median(name, task.peer, "seconds")
        lines.append(
            f"| {name}, against `{task.peer}` | {ours:.2f} | {theirs:.2f} | {task.bar}×"
            f" | **{theirs / ours:.1f}×**"
            f" | {median(name, OURS, 'peak_mib'):,.0f} | {median(name, task.peer, 'peak_mib'):,.0f} |"
        )
    return "\n".join(lines)


def libraries(python: str) -> str:
    code = (
        "import duckdb, numpy, scipy;"
        "print(f'NumPy {numpy.__version__}, SciPy {scipy.__version__}, DuckDB {duckdb.__version__}')"
    )
    return readme.run([python, "-c", code])[0].strip()


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--ours", type=Path, required=True, help="the example selection_speed")
    flags.add_argument(
        "--datadiet",
        type=Path,
        default=readme.HERE.parent / "target/release/datadiet",
        help="the program, for Parquet to Parquet",
    )
    flags.add_argument("--python", default=sys.executable, help="the Python of the peers")
    flags.add_argument("--rounds", type=int, default=3)
    flags.add_argument("--readme", type=Path, default=readme.README)
    args = flags.parse_args()
    load = os.getloadavg()[0]
    results: dict[tuple[str, str], list[dict]] = {}
    with tempfile.TemporaryDirectory() as folder:
        programs = Programs(args.ours, args.datadiet, args.python, Path(folder))
        for number in range(args.rounds):
            for name, task in TASKS.items():
                for program in (OURS, task.peer):
                    result = programs.run(task, program)
                    results.setdefault((name, program), []).append(result)
                    print(
                        f"round {number + 1}: {name}: {program}: {result['seconds']:.2f} s,"
                        f" {result['peak_mib']:,.0f} MiB",
                        file=sys.stderr,
                        flush=True,
                    )
                check_same(name, task, results[name, OURS] + results[name, task.peer])
    text = "\n".join(
        [
            table(results),
            "",
            f"Medians of {args.rounds} rounds, the programs in turn. In memory: seconds of the call alone,"
            " the second call of each process; datadiet uses both cores, NumPy and SciPy one. datadiet also"
            " refuses NaN and constant scores, and gives the ids in ascending order with ties broken by id;"
            " `argpartition` leaves ids and ties as they come. Memory includes the columns.",
            "",
            "Parquet to Parquet: a file of `id` and `score` that DuckDB wrote (800 MB; the column is 381 MiB"
            " in memory), two threads each. Ours is the whole of `datadiet select FILE --by score --keep 0.5"
            " --out HALF`, start-up, checks of the ids and syncing to disk included; DuckDB's is the statement"
            " `copy (select id, score from FILE order by score desc limit 50000000) to HALF` alone.",
            "",
            f"{readme.machine(args.python)} {libraries(args.python)}. {readme.before(load)}",
        ]
    )
    print(text)
    readme.put("selection", text, args.readme)


if __name__ == "__main__":
    main()
