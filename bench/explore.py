"""The explorer with a million examples: first view, brushing, marking, memory, in Chromium on this machine.

    cargo build --release --package datadiet-explore --example explore_speed
    target/python/bin/python bench/explore.py --datadiet target/release/datadiet \\
        --ours target/release/examples/explore_speed
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

import readme

ROWS = (10_000, 100_000, 1_000_000)
# What is wanted of the last of them.
AT_MOST = {"first_view_s": 2.0, "server_mib": 1024.0}
AT_LEAST = {"map_fps": 30.0, "histogram_fps": 30.0}


def measured(ours: Path, datadiet: Path, rows: int, rounds: int) -> dict:
    """Medians of some rounds, each with a new server, browser and page."""
    command = [str(ours), "--datadiet", str(datadiet), "--rows", str(rows)]
    all_rounds = [json.loads(readme.run(command)[0]) for _ in range(rounds)]

    def middle(*keys: str) -> float:
        values = []
        for one in all_rounds:
            for key in keys:
                one = one[key]
            values.append(one)
        return statistics.median(values)

    return {
        "rows": rows,
        "serving_s": middle("serving_s"),
        "first_view_s": middle("first_view_s"),
        "with_suspects_s": middle("with_suspects_s"),
        "map_fps": middle("map", "frames_a_second"),
        "map_ms": middle("map", "median_work_ms"),
        "map_p95": middle("map", "p95_between_ms"),
        "histogram_fps": middle("histogram", "frames_a_second"),
        "mark_s": middle("mark_s"),
        "server_mib": middle("server_mib"),
        "page_mib": middle("page_mib"),
    }


def missed(one: dict) -> list[str]:
    """What is wanted and was not reached."""
    above = [f"{name} is {one[name]:.2f}, above {most}" for name, most in AT_MOST.items() if one[name] > most]
    below = [f"{name} is {one[name]:.1f}, below {least}" for name, least in AT_LEAST.items() if one[name] < least]
    return above + below


def section(found: list[dict], rounds: int) -> str:
    lines = [
        "| examples | serving after, s | first view after, s | suspects after, s | brushing the map, frames/s "
        "| work a frame, ms | 95 % of frames within, ms | brushing the histogram, frames/s | a mark saved and shown, ms "
        "| server, MiB | page, MiB |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for one in found:
        lines.append(
            f"| {one['rows']:,} | {one['serving_s']:.2f} | {one['first_view_s']:.2f} | {one['with_suspects_s']:.2f} "
            f"| {one['map_fps']:.0f} | {one['map_ms']:.1f} | {one['map_p95']:.0f} | {one['histogram_fps']:.0f} "
            f"| {1000 * one['mark_s']:.0f} | {one['server_mib']:.0f} | {one['page_mib']:.0f} |"
        )
    lines += [
        "",
        f"Medians of {rounds} rounds, each with a new server and a new headless Chromium of 1440 × 860 pixels, drawing "
        "without a GPU. Serving: from the start of the command until it prints its address. First view: from the call of "
        "the address until map, histogram and gallery are drawn. Brushing: 240 movements of the mouse, as fast as the "
        "browser takes them; a frame is never drawn more often than 60 times a second. Page: the resident memory of the "
        "largest renderer, the browser's own part included.",
        "",
        readme.machine(sys.executable),
        "",
        "```",
        "python bench/explore.py --datadiet target/release/datadiet --ours target/release/examples/explore_speed",
        "```",
    ]
    return "\n".join(lines)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--datadiet", type=Path, required=True)
    options.add_argument("--ours", type=Path, required=True)
    options.add_argument("--rounds", type=int, default=3)
    arguments = options.parse_args()
    found = [measured(arguments.ours, arguments.datadiet, rows, arguments.rounds) for rows in ROWS]
    readme.put("explore", section(found, arguments.rounds))
    if failures := missed(found[-1]):
        sys.exit(f"of {ROWS[-1]:,} examples: {'; '.join(failures)}")


if __name__ == "__main__":
    main()
