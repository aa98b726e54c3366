"""The Python package: against NumPy, dataset cartography's way, and the speed of memory.

The programs run in turn on the same files and must find the same means.

    make python
    target/python/bin/python bench/python.py
"""

import argparse
import json
import math
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import readme

EL2N = (1_280_000, 1000)
TRAJECTORIES = (200, 50_000, 10)
# What the others compute, too.
OF_PEERS = ("forgetting", "never-learned", "aum", "confidence", "variability", "correctness")
# The way of dataset cartography takes minutes for all 50,000 examples; its loop is over examples.
CARTOGRAPHY = 1000
BATCH = (128, 10)
THREADS = 2
ROUNDS = 3
PEERS = readme.HERE / "peers/python.py"
SEED = 0


def write(folder: Path, small: bool) -> dict[str, tuple[int, ...]]:
    """Logits as of trained networks: normal, the true class higher."""
    chance = np.random.default_rng(SEED)
    shapes = {"el2n": EL2N, "trajectories": TRAJECTORIES}
    if small:
        shapes = {"el2n": (20_000, 1000), "trajectories": (20, 5000, 10)}
    n, classes = shapes["el2n"]
    logits = np.lib.format.open_memmap(folder / "el2n.npy", "w+", np.float16, (n, classes))
    labels = chance.integers(0, classes, n)
    for first in range(0, n, 10_000):
        part = chance.standard_normal((min(10_000, n - first), classes), dtype=np.float32) * 2
        part[np.arange(len(part)), labels[first : first + 10_000]] += 6
        logits[first : first + 10_000] = part
    logits.flush()
    np.save(folder / "el2n-labels.npy", labels)
    epochs, n, classes = shapes["trajectories"]
    labels = chance.integers(0, classes, n)
    cube = chance.standard_normal((epochs, n, classes), dtype=np.float32) * 2
    cube[:, np.arange(n), labels] += np.linspace(0, 4, epochs, dtype=np.float32)[:, np.newaxis]
    np.save(folder / "trajectories.npy", cube)
    np.save(folder / "trajectories-labels.npy", labels)
    np.save(folder / "cartography.npy", cube[:, :CARTOGRAPHY])
    np.save(folder / "cartography-labels.npy", labels[:CARTOGRAPHY])
    return shapes


def least(call, rounds=ROUNDS):
    """What a call gives, and the least of its seconds, after one call untimed."""
    found = call()
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        found = call()
        seconds.append(time.perf_counter() - began)
    return found, min(seconds)


def reading(array) -> float:
    """Least seconds to add up the array's memory as 64-bit words, on both cores."""
    words = array.reshape(-1).view(np.uint64)
    parts = np.array_split(words, 512)
    with ThreadPoolExecutor(THREADS) as pool:
        return least(lambda: sum(map(int, pool.map(np.add.reduce, parts))) & 1)[1]


def means(scores) -> dict[str, float]:
    return {name: float(np.mean(column, dtype=np.float64)) for name, column in scores.items()}


def ours(what: str, folder: Path) -> dict:
    """In this process, as `--ours`: seconds and means."""
    import datadiet

    if what == "batch":
        return ours_batch()
    if what == "losses":
        return ours_losses()
    logits, labels = np.load(folder / f"{what}.npy"), np.load(folder / f"{what}-labels.npy")
    if what == "el2n":
        found, seconds = least(lambda: {"el2n": datadiet.el2n(logits, labels)})
        return {
            "seconds": seconds,
            "reading": reading(logits),
            "means": means(found),
            "bytes": logits.nbytes,
        }
    found, seconds = least(lambda: datadiet.trajectory_scores(logits, labels, scores=OF_PEERS))
    return {"seconds": seconds, "means": means(found)}


def ours_batch() -> dict:
    """Median seconds of an update, of 390 batches an epoch over five epochs; and of end_epoch."""
    import datadiet

    size, classes = BATCH
    chance = np.random.default_rng(SEED)
    logits = chance.standard_normal((390, size, classes), dtype=np.float32)
    labels = chance.integers(0, classes, 50_000)
    return of_epochs(
        datadiet.Recorder(50_000, classes), lambda number, ids: (logits[number], labels[ids])
    )


def ours_losses() -> dict:
    """The same of losses."""
    import datadiet

    losses = np.random.default_rng(SEED).random((390, BATCH[0]), dtype=np.float32)
    return of_epochs(datadiet.LossRecorder(50_000, threshold=0.5), lambda number, ids: (losses[number],))


def of_epochs(recorder, batch) -> dict:
    chance = np.random.default_rng(SEED)
    size = BATCH[0]
    updates, ends = [], []
    for _ in range(5):
        order = chance.permutation(50_000)[: 390 * size].reshape(390, size)
        batches = [(ids, *batch(number, ids)) for number, ids in enumerate(order)]
        for each in batches:
            began = time.perf_counter()
            recorder.update(*each)
            updates.append(time.perf_counter() - began)
        began = time.perf_counter()
        recorder.end_epoch()
        ends.append(time.perf_counter() - began)
    return {"seconds": statistics.median(updates), "end": statistics.median(ends)}


def same(what: str, first: dict, second: dict) -> None:
    for name in first["means"].keys() & second["means"].keys():
        a, b = first["means"][name], second["means"][name]
        if not math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-5):
            sys.exit(f"{what}: the programs differ in {name}: {a} and {b}")


def measure(folder: Path, python: str, rounds: int) -> list[dict]:
    def call(*words: object) -> dict:
        return json.loads(readme.run([python, *map(str, words)])[0])

    def own(what: str) -> dict:
        return call(readme.HERE / "python.py", "--ours", what, "--folder", folder)

    def peer(what: str, files: str) -> dict:
        return call(PEERS, what, folder / f"{files}.npy", folder / f"{files}-labels.npy")

    results = []
    for number in range(rounds):
        result = {
            "el2n": own("el2n"),
            "el2n numpy": peer("el2n", "el2n"),
            "trajectories": own("trajectories"),
            "trajectories numpy": peer("trajectories", "trajectories"),
            "cartography": own("cartography"),
            "cartography program": peer("cartography", "cartography"),
            "batch": own("batch"),
            "losses": own("losses"),
        }
        same("el2n", result["el2n"], result["el2n numpy"])
        same("trajectories", result["trajectories"], result["trajectories numpy"])
        same("cartography", result["cartography"], result["cartography program"])
        results.append(result)
        seconds = {name: figures.get("seconds") for name, figures in result.items()}
        print(f"round {number + 1}: {seconds}", file=sys.stderr, flush=True)
    return results


def table(results: list[dict], shapes: dict[str, tuple[int, ...]]) -> str:
    def median(name: str, key: str = "seconds") -> float:
        return statistics.median(result[name][key] for result in results)

    def ratio(value) -> float:
        return statistics.median(value(result) for result in results)

    scale = shapes["trajectories"][1] / CARTOGRAPHY
    n, classes = shapes["el2n"]
    epochs, examples, few = shapes["trajectories"]
    large = f"`el2n`, {n:,} × {classes:,}, f16"
    cube = f"`trajectory_scores`, {examples:,} × {few} × {epochs} epochs, f32"
    rows = [
        (
            f"{large}, against NumPy, one thread",
            5,
            median("el2n"),
            median("el2n numpy", "seconds_1"),
            ratio(lambda r: r["el2n numpy"]["seconds_1"] / r["el2n"]["seconds"]),
        ),
        (
            f"{large}, against NumPy, two threads",
            "–",
            median("el2n"),
            median("el2n numpy", f"seconds_{THREADS}"),
            ratio(lambda r: r["el2n numpy"][f"seconds_{THREADS}"] / r["el2n"]["seconds"]),
        ),
        (
            f"{large}, against reading the memory",
            0.5,
            median("el2n"),
            median("el2n", "reading"),
            ratio(lambda r: r["el2n"]["reading"] / r["el2n"]["seconds"]),
        ),
        (
            f"{cube}, against NumPy",
            5,
            median("trajectories"),
            median("trajectories numpy"),
            ratio(lambda r: r["trajectories numpy"]["seconds"] / r["trajectories"]["seconds"]),
        ),
        (
            f"{cube}, against dataset cartography's way",
            10,
            median("trajectories"),
            scale * median("cartography program"),
            ratio(
                lambda r: scale * r["cartography program"]["seconds"] / r["trajectories"]["seconds"]
            ),
        ),
    ]
    lines = ["| task | at least | measured | seconds, ours | other |", "|---|---:|---:|---:|---:|"]
    for what, bar, mine, other, measured in rows:
        bar = bar if isinstance(bar, str) else f"{bar}×"
        lines.append(f"| {what} | {bar} | **{measured:.2f}×** | {mine:.3f} | {other:,.2f} |")
    batch, losses = median("batch") * 1e6, median("losses") * 1e6
    lines += [
        "",
        f"`Recorder.update` of a batch of {BATCH[0]} × {BATCH[1]}: **{batch:.1f} µs** (at most 20);"
        f" `end_epoch` of 50,000 examples: {median('batch', 'end') * 1e3:.1f} ms."
        f" `LossRecorder.update` of a batch of {BATCH[0]} losses: **{losses:.1f} µs** (at most 20);"
        f" `end_epoch`: {median('losses', 'end') * 1e3:.1f} ms.",
    ]
    return "\n".join(lines)


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--python", default=sys.executable, help="the Python with the package")
    flags.add_argument("--rounds", type=int, default=3)
    flags.add_argument("--small", action="store_true", help="small arrays, to see that it works")
    flags.add_argument("--readme", type=Path, default=readme.README)
    flags.add_argument("--ours", help=argparse.SUPPRESS)
    flags.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = flags.parse_args()
    if args.ours:
        print(json.dumps(ours(args.ours, args.folder)))
        return
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        shapes = write(Path(folder), args.small)
        results = measure(Path(folder), args.python, args.rounds)
    text = "\n".join(
        [
            table(results, shapes),
            "",
            f"Medians of {args.rounds} rounds, the programs in turn, each in a process of its own; of a"
            f" program the least of {ROUNDS} calls after one untimed. Loading the arrays is not part of the"
            " seconds; checking them is: ours refuse NaN, infinity and labels out of range. `el2n` and"
            " `trajectory_scores` use both cores, NumPy one where nothing else is said, in its best form that we"
            " found: rows in chunks that fit the cache, buffers reused, no one-hot matrix. Reading the"
            " memory is a sum of the same logits as 64-bit words by NumPy on two threads. Dataset"
            f" cartography's way (one softmax of PyTorch for each example and epoch) is timed on"
            f" {CARTOGRAPHY:,} examples and scaled up; it has no AUM.",
            "",
            f"{readme.machine(args.python)} NumPy {np.__version__}. {readme.before(load)}",
        ]
    )
    print(text)
    if not args.small:
        readme.put("python", text, args.readme)


if __name__ == "__main__":
    main()
