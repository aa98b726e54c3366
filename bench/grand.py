"""GraNd of all parameters: datadiet against PyTorch's ways, and against its own training step.

datadiet runs as it does for users, `datadiet score --scores grand`, two replicas in two single-thread
processes; PyTorch runs in one process with two threads. The programs run in turn, round after round.

    python grand.py --datadiet ../target/release/datadiet
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import readme
from safetensors import safe_open


@dataclass(frozen=True)
class Ours:
    """A run of datadiet: the gradient of each image is taken twice in it."""

    network: str
    width: int
    precision: str
    images: int
    # Upper bound of the instructions, where it is not all that the processor has.
    most: str | None = None

    def env(self) -> dict[str, str]:
        return {} if self.most is None else INSTRUCTIONS[self.most]

    def options(self) -> list[str]:
        """Airbench trains as it does on all of CIFAR-10: minibatches of 2,000 in four parts."""
        options = ["--model", self.network, "--width", str(self.width), "--precision", self.precision]
        if self.network == "airbench":
            options += ["--recipe", "speedrun", "--batch", "2000"]
        return [*options, "--limit", str(self.images)]


# Environments that forbid instructions to libtorch, oneDNN and our own kernels.
INSTRUCTIONS = {
    "avx2": {
        "DATADIET_MAX_ISA": "avx2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
    },
    # As on a processor without AMX.
    "avx512_bf16": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"},
}
OURS = {
    "resnet18, f32": Ours("resnet18", 64, "f32", 512),
    "resnet18, bf16": Ours("resnet18", 64, "bf16", 512),
    "resnet50, bf16": Ours("resnet50", 64, "bf16", 256),
    "resnet8, f32": Ours("resnet8", 16, "f32", 10_000),
    "resnet8, bf16": Ours("resnet8", 16, "bf16", 10_000),
    "airbench of width 16, f32": Ours("airbench", 16, "f32", 10_000),
    "airbench of width 16, bf16": Ours("airbench", 16, "bf16", 10_000),
    "airbench of width 64, f32": Ours("airbench", 64, "f32", 4_000),
    "airbench of width 64, bf16": Ours("airbench", 64, "bf16", 4_000),
    "airbench of width 16, f32, AVX2": Ours("airbench", 16, "f32", 10_000, "avx2"),
    "airbench of width 16, bf16, AVX512-BF16": Ours("airbench", 16, "bf16", 10_000, "avx512_bf16"),
}
# Name: flags of gradients.py. The batches are those at which PyTorch is fastest, but for the
# Jacobian's, which is the released code's.
PEERS = {
    "vmap(grad), resnet18": ["--network", "resnet18", "--way", "vmap", "--batch", "32", "--images", "64"],
    "vmap(grad), resnet8": ["--network", "resnet8", "--way", "vmap", "--batch", "128", "--images", "1280"],
    "Jacobian, resnet18": ["--network", "resnet18", "--way", "jacobian", "--batch", "50", "--images", "50"],
    "Jacobian, resnet8": ["--network", "resnet8", "--way", "jacobian", "--batch", "50", "--images", "200"],
    "vmap(grad), airbench of width 16": [
        *("--network", "airbench", "--width", "16", "--way", "vmap", "--batch", "128", "--images", "1280"),
    ],
    "vmap(grad), airbench of width 64": [
        *("--network", "airbench", "--width", "64", "--way", "vmap", "--batch", "32", "--images", "128"),
    ],
    "training step, resnet18": ["--network", "resnet18", "--way", "step", "--batch", "128", "--images", "256"],
}
# What, ours, the peer (or nothing: our own training step), at least (or nothing: no bar is set).
BARS = [
    ("against our own training step, resnet18, f32", "resnet18, f32", None, 0.7),
    ("against our own training step, resnet18, bf16", "resnet18, bf16", None, 0.7),
    ("against vmap(grad), resnet18, f32 both", "resnet18, f32", "vmap(grad), resnet18", 2.5),
    ("against vmap(grad), resnet18, ours in bf16", "resnet18, bf16", "vmap(grad), resnet18", 6),
    ("against vmap(grad), resnet8 of width 16, f32 both", "resnet8, f32", "vmap(grad), resnet8", 1.2),
    ("against a Jacobian, resnet18, batch 50, f32 both", "resnet18, f32", "Jacobian, resnet18", 25),
    ("against a Jacobian, resnet8, batch 50, f32 both", "resnet8, f32", "Jacobian, resnet8", 25),
    *(
        (f"against our own training step, {name}", name, None, 1.0)
        for name in OURS
        if name.startswith("airbench")
    ),
    *(
        (
            f"against vmap(grad), airbench of width {width}, f32 both",
            f"airbench of width {width}, f32",
            f"vmap(grad), airbench of width {width}",
            None,
        )
        for width in (16, 64)
    ),
]
# Seconds for all 50,000 training images of CIFAR-10, one replica, one time, one thread, at most.
SECONDS = {
    "airbench of width 16, bf16, AVX512-BF16": 20,
    "airbench of width 16, f32, AVX2": 45,
}


def part_of_cifar10(binary: Path, folder: Path) -> None:
    """Imports 10,000 training images without a test split: nothing but gradients is measured."""
    with safe_open(readme.data_of(binary), framework="np") as file:
        images = file.get_slice("train.images")[:10_000]
        labels = file.get_slice("train.labels")[:10_000]
    np.savez(folder / "part.npz", x_train=images, y_train=labels.astype(np.int64))
    env = os.environ | {"DATADIET_HOME": str(folder)}
    readme.run([str(binary), "data", "import", str(folder / "part.npz"), "--name", "part"], env)


def run_ours(binary: Path, folder: Path, name: str, seed: int) -> dict:
    command = [str(binary), "score", "--data", "part", *OURS[name].options()]
    command += ["--epochs", "1", "--at", "0,1", "--scores", "grand"]
    command += ["--replicas", "2", "--workers", "2", "--gallery", "0", "--seed", str(seed)]
    command += ["--out", str(folder / "out"), "--json"]
    env = os.environ | {"DATADIET_HOME": str(folder)} | OURS[name].env()
    cost = json.loads(readme.run(command, env)[0])["cost"]
    # Both replicas run at the same time: their seconds count twice.
    return {
        "rate": 2 * cost["images_differentiated"] / cost["gradient_seconds"],
        "step": 2 * cost["images_trained"] / cost["train_seconds"],
        "peak_mib": cost["peak_worker_memory_mib"],
    }


def run_peer(python: str, name: str) -> dict:
    return json.loads(readme.run([python, str(readme.HERE / "peers/gradients.py"), *PEERS[name]])[0])


def table(results: dict[str, list[dict]]) -> str:
    def median(name: str, key: str) -> float:
        return statistics.median(result[key] for result in results[name])

    lines = ["| GraNd | at least | measured | images/s, ours | other |", "|---|---:|---:|---:|---:|"]
    for what, ours, peer, bar in BARS:
        if ours not in results or (peer and peer not in results):
            continue
        rate = median(ours, "rate")
        other = median(peer, "rate") if peer else median(ours, "step")
        least = "" if bar is None else f"{bar}×"
        lines.append(f"| {what} | {least} | **{rate / other:.2f}×** | {rate:,.0f} | {other:,.1f} |")
    lines += ["", "| program | images/s | peak memory, MiB |", "|---|---:|---:|"]
    for name in (name for name in OURS if name in results):
        lines.append(
            f"| datadiet, GraNd, {name} | {median(name, 'rate'):,.0f}"
            f" | {median(name, 'peak_mib'):,.0f} a process |"
        )
        lines.append(f"| datadiet, training step, {name} | {median(name, 'step'):,.0f} | |")
    for name in (name for name in PEERS if name in results):
        rate, peak = median(name, "rate"), median(name, "peak_mib")
        lines.append(f"| PyTorch, {name}, f32 | {rate:,.1f} | {peak:,.0f} |")
    lines += [
        "",
        "| all 50,000 training images of CIFAR-10, one replica, one time, one thread | at most | seconds |",
        "|---|---:|---:|",
    ]
    for name in (name for name in OURS if name in results and OURS[name].network in ("resnet8", "airbench")):
        most = SECONDS.get(name, "")
        # Two replicas ran at the same time.
        lines.append(f"| {name} | {most} | **{50_000 / (median(name, 'rate') / 2):.1f}** |")
    return "\n".join(lines)


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--datadiet", type=Path, required=True)
    flags.add_argument("--python", default=sys.executable)
    flags.add_argument("--rounds", type=int, default=3)
    flags.add_argument(
        "--only",
        default="",
        metavar="WORD",
        help="only programs with this in their names, such as airbench; README.md stays as it is",
    )
    flags.add_argument("--readme", type=Path, default=readme.README)
    args = flags.parse_args()
    binary = args.datadiet.resolve()
    names = [name for name in [*OURS, *PEERS] if args.only in name]
    if not names:
        flags.error(f"--only {args.only}: no such program; known: {'; '.join([*OURS, *PEERS])}")
    if not readme.has("avx512_bf16"):
        names = [name for name in names if name not in OURS or OURS[name].most != "avx512_bf16"]
    results: dict[str, list[dict]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        part_of_cifar10(binary, Path(folder))
        for number in range(args.rounds):
            for name in results:
                if name in OURS:
                    # A seed of its own: the same training with other instructions is not trained anew.
                    seed = number * len(OURS) + list(OURS).index(name)
                    result = run_ours(binary, Path(folder), name, seed)
                else:
                    result = run_peer(args.python, name)
                results[name].append(result)
                print(f"round {number + 1}: {name}: {result['rate']:,.1f} images/s", file=sys.stderr, flush=True)
    text = "\n".join(
        [
            table(results),
            "",
            f"Images a second of the whole machine, medians of {args.rounds} rounds, the programs in turn:"
            " datadiet as two single-thread processes, PyTorch as one process of two threads. GraNd of"
            " datadiet is at initialisation and after one epoch. AVX512-BF16 and AVX2: on this machine, with"
            " all that comes after them forbidden.",
            "",
            readme.machine(args.python),
        ]
    )
    print(text)
    if not args.only:
        readme.put("grand", text, args.readme)


if __name__ == "__main__":
    main()
