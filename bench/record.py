"""How long datadiet takes to a test accuracy on CIFAR-10: trainings by the recipe `speedrun`, one by one.

What is not known here goes to `datadiet train`: fewer epochs, a narrower network.

    python record.py --datadiet ../target/release/datadiet --section record-94
    python record.py --datadiet ../target/release/datadiet --section record-93 --epochs 5

Without --section the table goes to standard output alone.
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


def arguments() -> tuple[argparse.Namespace, list[str]]:
    flags = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="Other options are those of datadiet train, such as --epochs 5 or --width 0.5x.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    flags.add_argument("--datadiet", type=Path, required=True)
    flags.add_argument(
        "--data", type=Path, help="CIFAR-10 as datadiet keeps it; found out where not given"
    )
    flags.add_argument("--replicas", type=int, default=5)
    flags.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    flags.add_argument("--python", default=sys.executable, help="the Python whose PyTorch is named")
    flags.add_argument(
        "--section",
        choices=("record-94", "record-93", "record-94-avx2", "record-93-avx2"),
        help="section of README.md to write; -avx2: measured on a machine that has AVX2 alone",
    )
    flags.add_argument("--readme", type=Path, default=readme.README)
    args, passed = flags.parse_known_args()
    ours = {"--workers", "--out", "--json", "--store", "--home", "--recipe"}
    taken = ours & {word.split("=", 1)[0] for word in passed}
    if taken:
        flags.error(f"this program gives {', '.join(sorted(taken))} itself")
    if args.replicas < 1:
        flags.error(f"--replicas {args.replicas} must be at least 1")
    if not args.data:
        args.data = readme.data_of(args.datadiet)
    return args, passed


def command(args: argparse.Namespace, passed: list[str], binary: str) -> list[str]:
    words = [binary, "train", "--data", "cifar10", "--recipe", "speedrun"]
    words += ["--replicas", str(args.replicas), "--threads", str(args.threads), "--workers", "1"]
    return [*words, *passed, "--json"]


def run(args: argparse.Namespace, passed: list[str]) -> dict:
    """All trainings, in a fresh store: nothing is left from an earlier run."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        (home / "data").symlink_to(args.data.resolve().parents[1], target_is_directory=True)
        env = os.environ | {"DATADIET_HOME": str(home)}
        stdout, seconds = readme.run(command(args, passed, str(args.datadiet.resolve())), env)
        trained = json.loads(stdout)
        if trained["failed"] or trained["split"] != "test":
            sys.exit(f"no test accuracy of all trainings: {trained['failed'] or trained['split']}")
        (store,) = home.glob("**/runs")
        results = [
            json.loads((store / name / "result.json").read_text(encoding="utf-8"))
            for name in trained["runs"]
        ]
    return {
        "seconds": seconds,
        "spec": trained["spec"],
        "accuracies": [result["test_accuracy"][-1]["accuracy"] for result in results],
        "train": [result["train_seconds"] for result in results],
        "test": [result["score_seconds"] for result in results],
        "images": results[0]["images_trained"],
    }


def isa() -> str:
    """The widest instructions for networks in reach, and what environment variables forbid."""
    known = ("amx_bf16", "avx512_bf16", "avx512f", "avx2")
    widest = next((word for word in known if readme.has(word)), "none of " + ", ".join(known))
    limits = ("DATADIET_MAX_ISA", "ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY")
    given = [f"{name}={os.environ[name]}" for name in limits if os.environ.get(name)]
    return f"{widest} ({', '.join(given)})" if given else widest


def table(args: argparse.Namespace, outcome: dict) -> str:
    spec, accuracies = outcome["spec"], outcome["accuracies"]
    each = ", ".join(f"{100 * accuracy:.2f}" for accuracy in accuracies)
    error = ""
    if len(accuracies) > 1:
        error = f" ± {100 * statistics.stdev(accuracies) / math.sqrt(len(accuracies)):.2f}"
    lines = [
        "| trainings | test accuracy, mean | each | wall seconds a training | of them training"
        " | testing | images/s in training | precision | threads | instructions |",
        "|---:|---:|---|---:|---:|---:|---:|---|---:|---|",
        f"| {len(accuracies)} | **{100 * statistics.mean(accuracies):.2f} %**{error} | {each}"
        f" | **{outcome['seconds'] / len(accuracies):.1f}** | {statistics.mean(outcome['train']):.1f}"
        f" | {statistics.mean(outcome['test']):.1f}"
        f" | {outcome['images'] / statistics.mean(outcome['train']):,.0f}"
        f" | {spec['precision']} | {args.threads} | {isa()} |",
    ]
    return "\n".join(lines)


def main() -> None:
    args, passed = arguments()
    load = os.getloadavg()[0]
    outcome = run(args, passed)
    text = "\n".join(
        [
            table(args, outcome),
            "",
            "Wall seconds: of the whole program over the number of trainings, which run one after the"
            " other; start, reading the data and six views of each test image included. ±: standard error"
            " of the mean.",
            "",
            f"{readme.machine(args.python)} {readme.before(load)}",
            "",
            "```",
            " ".join(command(args, passed, "datadiet")),
            "```",
        ]
    )
    print(text)
    if args.section:
        readme.put(args.section, text, args.readme)


if __name__ == "__main__":
    main()
