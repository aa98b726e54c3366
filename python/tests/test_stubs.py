"""Types: strict over the package, and the stub of the compiled part as the compiled part is."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(*command):
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_is_typed():
    run("mypy")


def test_the_stub_is_complete():
    config = Path(__file__).with_name("stubtest.ini")
    run("mypy.stubtest", "datadiet._datadiet", "--mypy-config-file", str(config))
