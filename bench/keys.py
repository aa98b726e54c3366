"""Seconds and memory of the map of ids that `datadiet ingest` and `datadiet.LossRecorder` use.

    cargo build --release --package datadiet-table --example key_map
    python keys.py --ours ../target/release/examples/key_map

Ids come once in their order and once in another, then they are sorted; without a bound of memory, with one,
and against the hash map of Rust's standard library. Needs 10 GB of disk in the folder for temporary files.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import readme

IDS = 100_000_000
# The standard library's map of so many texts would take more memory than there is.
COMPARED = 10_000_000
BOUND_MIB = 64
NO_BOUND_MIB = 1 << 20
WHAT = {"numbers": "hashes of 64 bits", "texts": "file names of 32 bytes"}


def run(ours: Path, kind: str, ids: int, memory: str) -> dict:
    return json.loads(readme.run([str(ours.resolve()), kind, str(ids), memory])[0])


def row(what: str, ids: int, where: str, found: dict) -> str:
    def seconds(name: str) -> str:
        return "" if found[name] is None else "{0:.1f} ({1:.1f})".format(*found[name])

    each = 1e9 * found["again"][1] / ids
    return (
        f"| {ids:,} {what} | {where} | {seconds('first')} | {seconds('again')} | {each:.0f} | {seconds('sorted')} |"
        f" {found['anonymous_mib']:,} | {found['mapped_mib']:,} |"
    )


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--ours", type=Path, required=True, help="the example key_map")
    flags.add_argument("--scale", type=float, default=1.0)
    flags.add_argument("--python", default=sys.executable)
    flags.add_argument("--readme", type=Path, default=readme.README)
    args = flags.parse_args()
    load = os.getloadavg()[0]
    lines = [
        "| ids | map | new ids, seconds | known ids, seconds | ns a known id | sorting, seconds"
        " | memory of its own, MiB | mapped files in memory, MiB |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    few, many = int(COMPARED * args.scale), int(IDS * args.scale)
    for kind, what in WHAT.items():
        theirs = run(args.ours, kind, few, "std")
        ours = run(args.ours, kind, few, str(NO_BOUND_MIB))
        lines.append(row(what, few, "`std::collections::HashMap`", theirs))
        lines.append(row(what, few, "ours, in memory", ours))
        for where, memory in (
            ("ours, in memory", NO_BOUND_MIB),
            (f"ours, {BOUND_MIB} MiB and files", BOUND_MIB),
        ):
            lines.append(row(what, many, where, run(args.ours, kind, many, str(memory))))
        print("\n".join(lines), file=sys.stderr, flush=True)
    text = "\n".join(
        [
            *lines,
            "",
            "One round. Seconds on the clock, in brackets those that processors worked, of which the nanoseconds are."
            " Known ids are looked up one at a time, in an order that jumps. Memory of its own cannot be taken"
            " back by the system, pages of mapped files can: they are there since there was room.",
            "",
            f"{readme.machine(args.python)} {readme.before(load)}",
        ]
    )
    print(text)
    readme.put("keys", text, args.readme)


if __name__ == "__main__":
    main()
