"""The top half of a column by numpy.argpartition, or Spearman's correlation by SciPy; seconds as JSON.

Columns are files of raw little-endian 32-bit floats; reading them is not part of the seconds. The
first call is not timed: it loads what is loaded once.

    python selection.py select SCORES.f32
    python selection.py spearman FIRST.f32 SECOND.f32
"""

import json
import resource
import sys
import time

import numpy as np


def top_half(scores: np.ndarray) -> np.ndarray:
    return np.argpartition(scores, len(scores) // 2)[len(scores) // 2 :]


def timed(call, *columns: np.ndarray):
    """What the second call gives, and its seconds."""
    call(*columns)
    began = time.perf_counter()
    result = call(*columns)
    return result, time.perf_counter() - began


def main() -> None:
    what, *paths = sys.argv[1:]
    columns = [np.fromfile(path, dtype="<f4") for path in paths]
    if what == "select":
        kept, seconds = timed(top_half, *columns)
        found = {"chosen": len(kept), "lowest": float(columns[0][kept].min())}
    else:
        # Here, so that it does not count into the memory of the other.
        from scipy import stats

        result, seconds = timed(stats.spearmanr, *columns)
        found = {"spearman": float(result.statistic)}
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(found | {"seconds": seconds, "peak_mib": peak_mib}))


if __name__ == "__main__":
    main()
