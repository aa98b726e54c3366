"""What tests of trainings on clusters share: a home with data and a store, and the trainings that they ask for."""

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMAND = Path(os.environ.get("DATADIET_COMMAND", ROOT / "target/release/datadiet"))

# Twice in a minute of a test a lease must be given up for dead.
SURROUNDINGS = {
    "DATADIET_LEASE_TTL": "3",
    "DATADIET_PATIENCE": "3",
    "DATADIET_COMMAND": str(COMMAND),
    "OMP_NUM_THREADS": "1",
}


class Home:
    """A folder with data, a store and results."""

    def __init__(self, path):
        self.path = path
        path.mkdir()
        self.ok("data", "import", ROOT / "samples/fashion-mnist", "--name", "sample")

    def environment(self, **more):
        return {**os.environ, **SURROUNDINGS, "DATADIET_HOME": str(self.path), **more}

    def run(self, *arguments, **more):
        return subprocess.run(
            [COMMAND, *map(str, arguments)],
            cwd=self.path,
            env=self.environment(**more),
            capture_output=True,
            text=True,
            timeout=300,
        )

    def ok(self, *arguments, **more):
        done = self.run(*arguments, **more)
        assert done.returncode == 0, f"{arguments}\n{done.stderr}"
        return done

    def start(self, *command, name="driver", **more):
        """A driver in the background; what it says goes to a file."""
        log = (self.path / f"{name}.log").open("a")
        return subprocess.Popen(
            [str(part) for part in command],
            cwd=self.path,
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def said(self, name="driver"):
        return (self.path / f"{name}.log").read_text()

    @property
    def store(self):
        return self.path / "store"

    def runs(self):
        return sorted((self.store / "runs").glob("*"))

    def done(self):
        return [run for run in self.runs() if (run / "result.json").exists()]

    def progress(self):
        """Progress of the runs that are not done."""
        progress = {}
        for run in self.runs():
            file = run / "progress.json"
            if file.exists() and not (run / "result.json").exists():
                progress[run.name] = json.loads(file.read_text())
        return progress


def wait(what, condition, seconds=60, otherwise=lambda: ""):
    """Until `condition` gives something, which is given."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds} s until {what}\n{otherwise()}")


def end(driver, home, name="driver", seconds=150):
    """Waits for a driver, which must succeed."""
    try:
        code = driver.wait(seconds)
    except subprocess.TimeoutExpired:
        driver.kill()
        raise AssertionError(f"{name} did not end\n{home.said(name)}") from None
    assert code == 0, home.said(name)


def tables(folder):
    """What came out, by file: tables alone, since reports have times in them."""
    files = [file for file in sorted(folder.rglob("*")) if file.suffix in (".csv", ".parquet")]
    assert files, f"no tables in {folder}"
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


SCORE = (
    "score", "--data", "sample", "--model", "mlp", "--width", "64", "--batch", "50", "--epochs", "250",
    "--replicas", "4", "--at", "1,250", "--scores", "el2n,forgetting", "--checkpoint-every", "0.2", "--out", "scores",
)  # fmt: skip

CURVE = """
[training]
data = "sample"
model = "mlp"
width = 64
batch = 50
epochs = 60
[scoring]
replicas = 2
at = [10]
scores = ["el2n"]
[curve]
by = ["el2n@10"]
keep = [0.5]
retrainings = 2
"""

# A diet of the network of PyTorch in examples/.
DIET = """
import sys
sys.path.insert(0, {examples!r})
import datadiet
from digits_mlp import train
if __name__ == "__main__":
    search = {{"keep": [0.5], "drops": [0], "budget": 4, "replicas": 1, "retrainings": 1}}
    found = datadiet.diet(train, tolerance=2, **search, out="diet", on={on!r})
    print(found.verdict)
"""


def diet_of(here, there):
    """The tables and the last words of the same diet on this machine. In the same folder: tables name the file of the
    labels."""
    (there.path / "diet").rename(there.path / "diet-there")
    (there.path / "ask.py").write_text(DIET.format(examples=str(ROOT / "examples"), on=None))
    driver = there.start(sys.executable, "ask.py", name="here", DATADIET_HOME=str(here.path))
    end(driver, there, "here", seconds=400)
    return tables(there.path / "diet"), there.said("here").splitlines()[-1]
