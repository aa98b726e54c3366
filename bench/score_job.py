"""Runs the same scoring job with datadiet and with its PyTorch peers, side by side.

The job: train R replicas of resnet8 on CIFAR-10 for E epochs and score every training image on the
way; or, with `--network airbench`, of airbench by the recipe `speedrun` of docs/TRAINING.md. The
programs run in turn, round after round, so that a machine that grows slower is slow for all of them.
They compute in bf16 where the processor has instructions for it, in f32 elsewhere. The table goes to
standard output and into README.md beside this file.

    python score_job.py --datadiet ../target/release/datadiet
    python score_job.py --datadiet ../target/release/datadiet --network airbench --width 16
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

import readme

HERE = Path(__file__).resolve().parent

# Name, label, script, flags: in the order of a round. datadiet goes first.
PEERS = {
    "expert": ("expert, bf16, 2 threads", "expert.py", []),
    "expert-2p": ("expert, bf16, 2 processes of 1 thread", "expert.py", ["--processes", "2"]),
    "expert-2p-malloc": (
        "expert, bf16, 2 processes of 1 thread, tuned malloc",
        "expert.py",
        ["--processes", "2", "--malloc", "tuned"],
    ),
    "expert-compile": ("expert, bf16, 2 threads, torch.compile", "expert.py", ["--compile"]),
    "expert-2p-compile": (
        "expert, bf16, 2 processes of 1 thread, torch.compile",
        "expert.py",
        ["--processes", "2", "--compile"],
    ),
    "expert-f32": ("expert, f32, 2 threads", "expert.py", ["--precision", "f32"]),
    "usual": ("usual, f32, default threads", "usual.py", []),
}
SLOW = ("expert-f32", "usual")
OURS = "datadiet"
OURS_LABEL = "datadiet, bf16"
# The sections of README.md, but for the kind of processor.
SECTIONS = {
    ("resnet8", 16): "score-job",
    ("airbench", 16): "score-job-airbench-16",
    ("airbench", 64): "score-job-airbench-64",
}
WIDTHS = {"resnet8": 16, "airbench": 64}
# What forbids AVX-512 and AMX to us, to PyTorch and to oneDNN.
AVX2_ALONE = {"DATADIET_MAX_ISA": "avx2", "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}


def arguments() -> argparse.Namespace:
    flags = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    flags.add_argument("--datadiet", type=Path, help="the binary; without it only the peers run")
    flags.add_argument(
        "--data", type=Path, help="CIFAR-10 as datadiet keeps it; found out where --datadiet is given"
    )
    flags.add_argument("--python", default=sys.executable, help="the Python of the peers")
    flags.add_argument("--network", choices=tuple(WIDTHS), default="resnet8")
    flags.add_argument("--width", type=int, help="channels at first; default: 16; of airbench 64")
    flags.add_argument("--rounds", type=int, default=3)
    flags.add_argument("--replicas", type=int, default=2)
    flags.add_argument("--epochs", type=int, default=1)
    flags.add_argument("--at", default="0,1")
    flags.add_argument("--limit", type=int, help="first LIMIT training images (peers only: a trial)")
    flags.add_argument(
        "--slow-replicas", type=int, default=1, help="replicas of the f32 programs, which are slow"
    )
    flags.add_argument("--slow-rounds", type=int, default=3, help="rounds of the f32 programs")
    flags.add_argument(
        "--avx2-alone",
        action="store_true",
        help="forbid AVX-512 and AMX to all programs, which then compute in f32; a section of its own",
    )
    flags.add_argument(
        "--peers",
        default="expert,expert-2p,usual",
        help=f"comma-separated, of {', '.join(PEERS)}",
    )
    flags.add_argument("--readme", type=Path, default=readme.README)
    args = flags.parse_args()
    if args.width is None:
        args.width = WIDTHS[args.network]
    args.kind = processor_kind(args.avx2_alone)
    args.precision = "f32" if args.kind else "bf16"
    if (args.network, args.width) not in SECTIONS:
        known = ", ".join(f"{network} {width}" for network, width in SECTIONS)
        flags.error(f"README.md has a section for each of {known}, not for another --width")
    args.peers = [name for name in args.peers.split(",") if name]
    unknown = set(args.peers) - set(PEERS)
    if unknown:
        flags.error(f"unknown peers: {', '.join(sorted(unknown))}")
    if args.datadiet and args.limit:
        flags.error("--limit is for trials of the peers: leave --datadiet out")
    if args.datadiet and not args.data:
        args.data = readme.data_of(args.datadiet)
    if not args.data:
        flags.error("give --datadiet or --data")
    return args


def processor_kind(avx2_alone: bool) -> str:
    """What a section's name ends in: nothing where there are instructions for bf16."""
    if avx2_alone or not readme.has("avx512f"):
        return "-avx2"
    return "" if readme.has("avx512_bf16") or readme.has("amx_bf16") else "-avx512"


def ours_command(args: argparse.Namespace, binary: str, out: str) -> list[str]:
    command = [binary, "score", "--data", "cifar10", "--model", args.network, "--width", str(args.width)]
    if args.network == "airbench":
        command += ["--recipe", "speedrun"]
    command += ["--replicas", str(args.replicas), "--epochs", str(args.epochs), "--at", args.at]
    return command + ["--precision", args.precision, "--out", out, "--json"]


def environment(args: argparse.Namespace) -> dict[str, str]:
    return os.environ | (AVX2_ALONE if args.avx2_alone else {})


def label(args: argparse.Namespace, name: str) -> str:
    known = OURS_LABEL if name == OURS else PEERS[name][0]
    return known.replace("bf16", args.precision)


def run_ours(args: argparse.Namespace) -> dict:
    """One run of datadiet in a fresh store: nothing is left from an earlier round."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        # The data set is linked, not the store: every run trains anew.
        (home / "data").symlink_to(args.data.resolve().parents[1], target_is_directory=True)
        command = ours_command(args, str(args.datadiet.resolve()), str(Path(folder) / "out"))
        stdout, seconds = readme.run(command, environment(args) | {"DATADIET_HOME": str(home)})
    figures = json.loads(stdout)
    workers = min(args.replicas, os.cpu_count() or 1)
    return {
        "wall": seconds,
        "inside": figures["cost"]["wall_seconds"],
        "trained": figures["cost"]["images_trained"],
        "accuracy": figures["accuracy"]["mean"],
        "peak_rss_mb": figures["cost"]["peak_worker_memory_mib"] * 1.048576 * workers,
    }


def peer_command(args: argparse.Namespace, name: str, python: str, data: str, out: str) -> list[str]:
    _, script, flags = PEERS[name]
    replicas = args.slow_replicas if name in SLOW else args.replicas
    command = [python, str(HERE / "peers" / script), "--data", data]
    command += ["--network", args.network, "--width", str(args.width)]
    command += ["--replicas", str(replicas), "--epochs", str(args.epochs), "--at", args.at]
    if args.limit:
        command += ["--limit", str(args.limit)]
    if script == "expert.py" and "--precision" not in flags:
        flags = ["--precision", args.precision, *flags]
    return command + flags + ["--out", out]


def run_peer(args: argparse.Namespace, name: str) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        data, out = str(args.data.resolve()), str(Path(folder) / "scores.npz")
        env = environment(args) | {"PYTHONDONTWRITEBYTECODE": "1"}
        if "--compile" in PEERS[name][2]:
            # A fresh compiler cache: compiling is part of the job.
            env |= {"TORCHINDUCTOR_CACHE_DIR": str(Path(folder) / "inductor")}
        stdout, seconds = readme.run(peer_command(args, name, args.python, data, out), env)
    figures = json.loads(stdout)
    return {
        "wall": seconds,
        "inside": figures["seconds_start_excluded"],
        "trained": figures["images_trained"],
        "accuracy": figures["accuracy_mean"],
        "peak_rss_mb": figures["peak_rss_mb"],
    }


def table(args: argparse.Namespace, results: dict[str, list[dict]]) -> str:
    def median(name: str, measure) -> float:
        return statistics.median(measure(result) for result in results[name])

    def rate(result: dict) -> float:
        return result["trained"] / result["wall"]

    def rate_inside(result: dict) -> float:
        return result["trained"] / result["inside"]

    first = next(iter(results))
    base = median(first, rate)
    lines = [
        "| program | images trained a run | median wall seconds | images/s, whole program | lowest to highest"
        " | images/s without start-up | relative | peak memory, MB | test accuracy |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, rows in results.items():
        memory = [row["peak_rss_mb"] for row in rows if row["peak_rss_mb"]]
        lines.append(
            f"| {label(args, name)} | {rows[0]['trained']:,} | {median(name, lambda r: r['wall']):.1f}"
            f" | {median(name, rate):,.0f} | {min(map(rate, rows)):,.0f} to {max(map(rate, rows)):,.0f}"
            f" | {median(name, rate_inside):,.0f} | {median(name, rate) / base:.2f}"
            f" | {f'{statistics.median(memory):,.0f}' if memory else ''}"
            f" | {100 * median(name, lambda r: r['accuracy']):.2f} % |"
        )
    return "\n".join(lines)


def section(args: argparse.Namespace, results: dict[str, list[dict]]) -> str:
    """Everything between the markers: the job, the table, the machine, the commands."""
    limit = f", the first {args.limit:,} images only" if args.limit else ""
    recipe = " by the recipe `speedrun`" if args.network == "airbench" else ""
    commands = []
    for name in results:
        if name == OURS:
            commands.append(" ".join(ours_command(args, "datadiet", "OUT")))
        else:
            command = peer_command(args, name, "python", "dataset.safetensors", "OUT.npz")
            command[1] = f"bench/peers/{PEERS[name][1]}"
            commands.append(" ".join(command))
    first = label(args, next(iter(results)))
    slow = f" ({args.slow_replicas} of the slow programs)" if set(SLOW) & set(results) else ""
    slow_rounds = f" ({min(args.rounds, args.slow_rounds)} of the slow programs)" if slow else ""
    forbidden = " ".join(f"{name}={value}" for name, value in AVX2_ALONE.items())
    return "\n".join(
        [
            f"The job: replicas of {args.network} of width {args.width}{recipe} on CIFAR-10{limit}, {args.epochs} epochs each, every training"
            f" image scored at epochs {args.at.replace(',', ', ')}, then tested. {args.replicas} replicas{slow}."
            + (f" AVX-512 and AMX forbidden to all of them ({forbidden})." if args.avx2_alone else ""),
            "",
            table(args, results),
            "",
            f"Images/s: training images of all replicas over the wall seconds of the whole program, scoring,"
            f" testing and start-up included; without start-up, from when the program has loaded its"
            f" libraries. Medians of {args.rounds} rounds{slow_rounds}, the programs in turn. Relative: to {first}."
            " The memory of programs with several processes is the sum, shared pages counted in each.",
            "",
            readme.machine(args.python),
            "",
            "```",
            *commands,
            "```",
        ]
    )


def main() -> None:
    args = arguments()
    names = ([OURS] if args.datadiet else []) + args.peers
    results: dict[str, list[dict]] = {name: [] for name in names}
    for number in range(args.rounds):
        for name in names:
            if name in SLOW and number >= args.slow_rounds:
                continue
            result = run_ours(args) if name == OURS else run_peer(args, name)
            results[name].append(result)
            rate = result["trained"] / result["wall"]
            print(
                f"round {number + 1}: {name}: {result['wall']:.1f} s, {rate:,.0f} images/s",
                file=sys.stderr,
                flush=True,
            )
    text = section(args, results)
    print(text)
    named = SECTIONS[args.network, args.width] + args.kind
    readme.put(named, text, args.readme)


if __name__ == "__main__":
    main()
