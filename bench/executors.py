"""What a training costs where it is carried out: the same dummy trainings here, by a launcher, by Ray, by Slurm.

A training is a shell script that does next to nothing, so that all of it is overhead. Ray and Slurm are clusters of
this machine, in namespaces of their own (scripts/ray-cluster, scripts/slurm-cluster); without them the table is
shorter, which it says.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import readme

ROOT = Path(__file__).resolve().parents[1]
AT_A_TIME = 2

TRAINER = r"""
set -eu
id=$(sed -n 's/^ *"run": *"\([0-9a-f]*\)".*/\1/p' "$1/job.json")
awk -F, 'NR == 1 { print "id,label,logit_0,logit_1"; next } { print $1 "," $2 "," $1 % 7 ",1" }' \
    "$1/train.csv" >"$1/recorded/epoch_1.csv"
echo "{\"run\": \"$id\", \"epochs\": 1, \"test\": {\"accuracy\": 0.5}}" >"$1/metrics.json"
"""


class Peaks(threading.Thread):
    """Peak memory of a process and of those that it starts itself, by looking at them now and then."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.own = 0
        self.launcher = 0

    def run(self) -> None:
        while True:
            try:
                self.own = max(self.own, peak(self.pid))
                children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
            except OSError:
                return
            for child in children:
                try:
                    self.launcher = max(self.launcher, peak(int(child)))
                except OSError:
                    pass
            time.sleep(0.05)


def peak(pid: int) -> int:
    """MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) >> 10
    return 0


def trained(datadiet: Path, runs: int, on: str) -> dict[str, float]:
    """Carries out the trainings, after a few that start what has to be started once."""
    with tempfile.TemporaryDirectory(dir=ROOT / "target/tmp") as folder:
        home = Path(folder)
        (home / "train.sh").write_text(TRAINER)
        (home / "labels.csv").write_text("label\n" + "0\n1\n" * 20)
        command = [str(datadiet), "score", "--trainer", "sh train.sh", "--train-examples", "labels.csv"]
        command += ["--epochs", "1", "--at", "1", "--scores", "el2n", "--quiet", "--json", "--on", on]
        command += ["--workers", str(AT_A_TIME)]
        env = {**os.environ, "DATADIET_HOME": folder}

        def ask(replicas: int) -> tuple[float, Peaks]:
            began = time.perf_counter()
            asked = [*command, "--replicas", str(replicas), "--out", f"out-{replicas}"]
            process = subprocess.Popen(asked, cwd=home, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            peaks = Peaks(process.pid)
            peaks.start()
            _, told = process.communicate()
            if process.returncode:
                sys.exit(f"{' '.join(asked)} failed:\n{told.decode()}")
            peaks.join()
            return time.perf_counter() - began, peaks

        few, _ = ask(AT_A_TIME)
        rest, peaks = ask(AT_A_TIME + runs)
    return {"few": few, "seconds": rest, "driver": peaks.own, "launcher": peaks.launcher}


def on_ray(datadiet: Path, runs: int) -> dict[str, float]:
    """On a node of two processors."""
    from ray.cluster_utils import Cluster

    here = {"node_ip_address": "127.0.0.1", "object_store_memory": 80 << 20}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False, **here})
    try:
        return trained(datadiet, runs, f"ray:{cluster.address}")
    finally:
        cluster.shutdown()


def among(script: list[str], datadiet: Path, runs: int, engine: str) -> dict[str, float]:
    """Of this program, inside a cluster."""
    again = [str(Path(__file__)), "--datadiet", str(datadiet), "--runs", str(runs), "--only", engine]
    text, _ = readme.run([*script, *again])
    return json.loads(text.splitlines()[-1])


def can(script: str, *arguments: str) -> str | None:
    """Why a cluster cannot be had."""
    done = subprocess.run([ROOT / "scripts" / script, "can", *arguments], capture_output=True, text=True)
    return done.stdout.strip() or "it cannot be had" if done.returncode else None


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--datadiet", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--only", choices=("ray", "slurm"), help="used by itself, inside a cluster")
    args = parser.parse_args()
    datadiet = args.datadiet.resolve()
    (ROOT / "target/tmp").mkdir(parents=True, exist_ok=True)
    if args.only:
        answer = on_ray(datadiet, args.runs) if args.only == "ray" else trained(datadiet, args.runs, "slurm")
        print(json.dumps(answer))
        return
    launcher = f"{sys.executable} {ROOT / 'examples/on/launcher.py'}"
    measured = {
        "here": trained(datadiet, args.runs, "local"),
        "examples/on/launcher.py": trained(datadiet, args.runs, launcher),
    }
    missing = []
    if why := can("ray-cluster", sys.executable):
        missing.append(f"Ray ({why})")
    else:
        script = [str(ROOT / "scripts/ray-cluster"), "run", "python"]
        measured["Ray"] = among(script, datadiet, args.runs, "ray")
    if why := can("slurm-cluster"):
        missing.append(f"Slurm ({why})")
    else:
        logs = str(ROOT / "target/tmp/bench-slurm")
        script = [str(ROOT / "scripts/slurm-cluster"), "run", logs, sys.executable]
        measured["Slurm"] = among(script, datadiet, args.runs, "slurm")
    readme.put("executors", table(measured, args.runs, missing))


def table(measured: dict[str, dict[str, float]], runs: int, missing: list[str]) -> str:
    here = measured["here"]["seconds"]
    lines = [
        f"{runs} trainings that do next to nothing, {AT_A_TIME} at a time, after {AT_A_TIME} that start what is"
        " started once.",
        "",
        "| where | seconds | milliseconds a training, of one place | relative | the first, s |"
        " driver, MiB | launcher, MiB |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, at in measured.items():
        each = at["seconds"] / runs * AT_A_TIME * 1000
        launcher = f"{at['launcher']:.0f}" if name not in ("here", "Slurm") else ""
        lines.append(
            f"| {name} | {at['seconds']:.1f} | {each:,.0f} | {at['seconds'] / here:.1f} | {at['few']:.1f} |"
            f" {at['driver']:.0f} | {launcher} |"
        )
    left_out = f" Left out: {', '.join(missing)}." if missing else ""
    lines += ["", f"Memory is the peak of the process; a launcher's is its own.{left_out}"]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
