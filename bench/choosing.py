"""Choosing examples while training: seconds to an accuracy on CIFAR-10, against plain training of as many seconds.

Trainings run one after the other with one thread, each in a process of its own; those that are done are kept in
a folder, and the same command goes on where it was stopped. Plain trainings of several lengths give the
accuracy that seconds buy without any choosing; a rule is worth something where it is above their line.

    python choosing.py --datadiet ../target/release/datadiet --out /var/tmp/choosing
"""

import argparse
import json
import os
import statistics
import sys
from pathlib import Path

import readme

PEER = readme.HERE / "peers/choosing.py"
# Rule, epochs, and what the table calls it; in this order within a seed.
ARMS = (
    ("plain", 8, "everything, 8 epochs"),
    ("infobatch-step", 8, "InfoBatch, 8 epochs, `unbiased=\"step\"`"),
    ("plain", 6, "everything, 6 epochs"),
    ("proxy", 8, "hardest half of each batch by a proxy, 8 epochs"),
    ("infobatch", 8, "InfoBatch, 8 epochs, as published"),
    ("plain", 5, "everything, 5 epochs"),
    ("subsets", 12, "random halves, drawn anew, 12 epochs"),
    ("plain", 4, "everything, 4 epochs"),
)


def measured(args: argparse.Namespace, rule: str, epochs: int, seed: int) -> dict | None:
    """One training, now or from the folder; None where it is not there and nothing is to be trained."""
    file = args.out / f"{rule}-{epochs}-width-{args.width}-seed-{seed}.json"
    if not file.exists() and args.only_table:
        return None
    if not file.exists():
        command = [args.python, str(PEER), "--data", str(args.data), "--rule", rule]
        command += ["--epochs", str(epochs), "--seed", str(seed), "--width", str(args.width)]
        stdout, _ = readme.run(command, os.environ | {"OMP_NUM_THREADS": "1"})
        aside = file.with_suffix(".part")
        aside.write_text(stdout, encoding="utf-8")
        aside.replace(file)
        print(f"{file.stem}: {stdout.strip()}", file=sys.stderr, flush=True)
    return json.loads(file.read_text(encoding="utf-8"))


def seconds_to(accuracy: float, line: list[tuple[float, float]]) -> float | None:
    """Seconds of plain training to an accuracy: between two lengths, on the line through them."""
    for (early, low), (late, high) in zip(line, line[1:], strict=False):
        if low <= accuracy <= high and high > low:
            return early + (late - early) * (accuracy - low) / (high - low)
    return None


def table(found: dict[tuple[str, int], list[dict]]) -> list[str]:
    def mean(arm: tuple[str, int], what: str) -> float:
        return statistics.mean(one[what] for one in found[arm])

    def error(arm: tuple[str, int]) -> str:
        each = [100 * one["accuracy"] for one in found[arm]]
        return f" ± {statistics.stdev(each) / len(each) ** 0.5:.2f}" if len(each) > 1 else ""

    plain = sorted(arm for arm in found if arm[0] == "plain")
    line = sorted((mean(arm, "processor"), mean(arm, "accuracy")) for arm in plain)
    lines = [
        "| what is shown | trainings | test accuracy | images trained on | processor seconds | wall seconds"
        " | seconds of plain training to the same accuracy |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for rule, epochs, name in ARMS:
        arm = rule, epochs
        if arm not in found:
            continue
        cost = mean(arm, "processor")
        if rule == "plain":
            answer = ""
        elif (plainly := seconds_to(mean(arm, "accuracy"), line)) is not None:
            answer = f"{plainly:.0f}: **{plainly / cost:.2f}×**"
        elif mean(arm, "accuracy") > line[-1][1]:
            answer = f"more than {line[-1][0]:.0f}: **above {line[-1][0] / cost:.2f}×**"
        else:
            answer = f"less than {line[0][0]:.0f}: **below {line[0][0] / cost:.2f}×**"
        lines.append(
            f"| {name} | {len(found[arm])} | {100 * mean(arm, 'accuracy'):.2f} %{error(arm)}"
            f" | {mean(arm, 'trained'):,.0f} | {cost:.0f} | {mean(arm, 'wall'):.0f} | {answer} |"
        )
    return lines


def told(args: argparse.Namespace, found: dict[tuple[str, int], list[dict]], load: float) -> str:
    return "\n".join(
        [
            *table(found),
            "",
            f"Airbench of width {args.width} by the recipe `speedrun`, bf16, one thread; the proxy has width 4."
            " Means of the trainings; ±: standard error of the mean. Seconds: all of the training, with what"
            " chooses and the proxy, without reading the data and testing; processor seconds leave out what the"
            " core did for others. One view of each test image. The last column: on the line through the plain"
            " trainings; above 1 the rule is worth its choosing.",
            "",
            f"{readme.machine(args.python)} {readme.before(load)}",
        ]
    )


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--datadiet", type=Path, required=True)
    flags.add_argument("--data", type=Path, help="CIFAR-10 as datadiet keeps it; found out where not given")
    flags.add_argument("--python", default=sys.executable, help="a Python with datadiet, PyTorch and safetensors")
    flags.add_argument("--out", type=Path, required=True, help="folder for what each training gave")
    flags.add_argument("--only-table", action="store_true", help="train nothing: the table of what is there")
    flags.add_argument("--seeds", type=int, default=3)
    flags.add_argument("--width", type=int, default=16)
    flags.add_argument("--readme", type=Path, default=readme.README)
    args = flags.parse_args()
    if not args.data:
        args.data = readme.data_of(args.datadiet)
    args.out.mkdir(parents=True, exist_ok=True)
    load = os.getloadavg()[0]
    found: dict[tuple[str, int], list[dict]] = {}
    for seed in range(args.seeds):
        for rule, epochs, _ in ARMS:
            one = measured(args, rule, epochs, seed)
            if one is None:
                continue
            found.setdefault((rule, epochs), []).append(one)
            # A run that is stopped leaves the table of what it has.
            readme.put("choosing", told(args, found, load), args.readme)
    print(told(args, found, load))


if __name__ == "__main__":
    main()
