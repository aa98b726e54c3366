"""What the benchmarks share: commands, medians, the machine, and README.md's sections."""

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
README = HERE / "README.md"


def run(command: list[str], env: dict[str, str] | None = None) -> tuple[str, float]:
    """Standard output and wall seconds of a command."""
    began = time.perf_counter()
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stderr[-4000:]}")
    return done.stdout, seconds


def data_of(binary: Path) -> Path:
    """The file of the imported CIFAR-10."""
    return Path(json.loads(run([str(binary), "data", "inspect", "cifar10", "--json"])[0])["path"])


def has(flag: str) -> bool:
    """Whether the processor has these instructions, as Linux names them."""
    try:
        return flag in Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False


def machine(python: str) -> str:
    """One line about where the figures come from."""
    cpu = "unknown processor"
    flags = [word for word in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if has(word)]
    try:
        text = Path("/proc/cpuinfo").read_text()
        names = [line.split(":", 1)[1].strip() for line in text.splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    except OSError:
        cpu = platform.processor() or platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    torch = run([python, "-c", "import torch; print(torch.__version__)"])[0].strip()
    today = time.strftime("%Y-%m-%d")
    return (
        f"Machine: {cpu}, {os.cpu_count()} cores ({', '.join(flags)}), {memory:.0f} GiB;"
        f" Python {platform.python_version()}, PyTorch {torch}; {today}."
    )


def before(load: float) -> str:
    """How busy the machine was."""
    return f"Load average before the start (1 is one core busy with other work): {load:.1f}."


def put(section: str, text: str, readme: Path = README) -> None:
    """Put the text between the section's markers."""
    begin, end = f"<!-- {section}:begin -->", f"<!-- {section}:end -->"
    before, rest = readme.read_text(encoding="utf-8").split(begin, 1)
    _, after = rest.split(end, 1)
    aside = readme.with_suffix(".new")
    aside.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
    aside.replace(readme)
