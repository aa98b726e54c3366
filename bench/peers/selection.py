"""The peers of selection.py's tasks; what they found, seconds and peak memory as JSON.

    python selection.py select SCORES.f32            the top half of a column, by numpy.argpartition
    python selection.py spearman FIRST.f32 SECOND.f32    Spearman's correlation, by SciPy
    python selection.py half FROM.parquet TO.parquet     the half with the highest scores, by DuckDB
    python selection.py found HALF.parquet               what is in such a half
    python selection.py table SCORES.f32 TO.parquet      writes the Parquet file that is chosen from
    python selection.py watch COMMAND ...                seconds and peak memory of another program

Columns are files of raw little-endian 32-bit floats; reading them is not part of the seconds of the
first two, nor is their first call: it loads what is loaded once.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

# As many as the machine of the figures has cores.
THREADS = 2


def column(path: str):
    import numpy as np

    return np.fromfile(path, dtype="<f4")


def timed(call, *columns):
    """What the second call gives, and its seconds."""
    call(*columns)
    began = time.perf_counter()
    result = call(*columns)
    return result, time.perf_counter() - began


def select(path: str) -> dict:
    import numpy as np

    scores = column(path)
    kept, seconds = timed(lambda s: np.argpartition(s, len(s) // 2)[len(s) // 2 :], scores)
    return {"chosen": len(kept), "lowest": float(scores[kept].min()), "seconds": seconds}


def spearman(first: str, second: str) -> dict:
    from scipy import stats

    result, seconds = timed(stats.spearmanr, column(first), column(second))
    return {"spearman": float(result.statistic), "seconds": seconds}


def duck():
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"set threads = {THREADS}; set enable_progress_bar = false")
    return connection


def half(source: str, target: str) -> dict:
    connection = duck()
    (rows,) = connection.execute(f"select count(*) from '{source}'").fetchone()
    began = time.perf_counter()
    connection.execute(
        f"copy (select id, score from '{source}' order by score desc limit {rows // 2}) to '{target}'"
    )
    return {"seconds": time.perf_counter() - began}


def found(path: str) -> dict:
    row = duck().execute(f"select count(distinct id), min(score) from '{path}'").fetchone()
    return dict(zip(("chosen", "lowest"), row))


def table(scores: str, target: str) -> dict:
    import numpy as np

    score = column(scores)
    connection = duck()
    connection.register("scored", {"id": np.arange(len(score), dtype=np.uint32), "score": score})
    connection.execute(f"copy (select id, score from scored) to '{target}'")
    return {"bytes": Path(target).stat().st_size}


def watch(*command: str) -> dict:
    # In a process of its own: what a program's parent had in memory counts into its peak.
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    return {"seconds": seconds, "peak_mib": usage.ru_maxrss / 1024}


def peak_mib() -> float:
    """Most memory that this process ever had; without its parent's, unlike `getrusage`."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def main() -> None:
    what, *arguments = sys.argv[1:]
    tasks = {f.__name__: f for f in (select, spearman, half, found, table, watch)}
    result = tasks[what](*arguments)
    print(json.dumps({"peak_mib": peak_mib()} | result))


if __name__ == "__main__":
    main()
