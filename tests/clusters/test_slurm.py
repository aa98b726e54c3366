"""Trainings on a Slurm of two nodes, which die, are lost and are wanted by others: the answers are those of this machine.

`make test-clusters` starts the nodes (scripts/slurm-cluster) and runs this among them.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMAND = Path(os.environ.get("DATADIET_COMMAND", ROOT / "target/release/datadiet"))
CLUSTER = ROOT / "scripts/slurm-cluster"
HERE = Path(__file__).resolve().parent

# Twice in a minute of a test a lease must be given up for dead.
SURROUNDINGS = {
    "DATADIET_LEASE_TTL": "3",
    "DATADIET_PATIENCE": "3",
    "DATADIET_COMMAND": str(COMMAND),
    "OMP_NUM_THREADS": "1",
}

pytestmark = pytest.mark.skipif("SLURM_CONF" not in os.environ, reason="no cluster; make test-clusters")


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
        """Steps of the runs that are not done."""
        steps = {}
        for run in self.runs():
            file = run / "progress.json"
            if file.exists() and not (run / "result.json").exists():
                steps[run.name] = json.loads(file.read_text())
        return steps


def sh(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def node(verb, name, *command):
    sh(CLUSTER, verb, name, *command)


def queue(state=None):
    """Array tasks in the queue: (job, state, node)."""
    lines = sh("squeue", "--noheader", "--array", "--format=%i|%T|%N|%j").splitlines()
    jobs = [tuple(line.split("|")) for line in lines]
    return [job for job in jobs if state in (None, job[1]) and job[3].startswith("datadiet-")]


def wait(what, condition, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds} s until {what}; the queue is {queue()}")


def end(driver, home, name="driver", seconds=150):
    try:
        code = driver.wait(seconds)
    except subprocess.TimeoutExpired:
        driver.kill()
        raise AssertionError(f"{name} did not end; the queue is {queue()}\n{home.said(name)}") from None
    assert code == 0, home.said(name)


def down(name):
    """To Slurm the node is gone, without waiting for it to notice that."""
    sh("scontrol", "update", f"nodename={name}", "state=down", "reason=test")


def tables(folder):
    """What came out, by file: tables alone, since reports have times in them."""
    files = [file for file in sorted(folder.rglob("*")) if file.suffix in (".csv", ".parquet")]
    assert files, f"no tables in {folder}"
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """Where the same is trained on this machine."""
    return Home(tmp_path_factory.mktemp("here") / "home")


@pytest.fixture
def there(tmp_path):
    home = Home(tmp_path / "home")
    yield home
    for job, *_ in queue():
        sh("scancel", job.split("_")[0])
    wait("the queue is empty", lambda: not queue())
    for name in ("n1", "n2"):
        if not idle(name):
            subprocess.run([CLUSTER, "kill", name], check=False, capture_output=True)
            node("start", name)
            wait(f"{name} is back", lambda name=name: idle(name))


def idle(name):
    return sh("sinfo", "--noheader", "--nodes", name, "--partition=main", "--format=%T").strip() == "idle"


SCORE = (
    "score", "--data", "sample", "--model", "resnet8", "--epochs", "6", "--replicas", "4", "--at", "1,3",
    "--scores", "el2n,forgetting", "--checkpoint-every", "0.5", "--out", "scores", "--precision", "f32",
)


def test_replicas_outlive_nodes_drivers_and_preemption(here, there):
    """An array of four; a node dies, the driver is killed and started again, somebody with more rights wants a node, a
    node is lost whose tasks run on."""
    driver = there.start(COMMAND, *SCORE, "--on", "slurm")
    wait("both nodes train", lambda: len(there.progress()) == 4 and {job[2] for job in queue("RUNNING")} == {"n1", "n2"})
    driver.send_signal(signal.SIGKILL)
    node("kill", "n2")
    down("n2")
    driver.wait()
    # The same command takes the jobs over, submits none anew.
    driver = there.start(COMMAND, *SCORE, "--on", "slurm")
    wait("the second driver looks", lambda: "already submitted" in there.said())
    node("start", "n2")
    wait("n2 trains again", lambda: any(job[2] == "n2" for job in queue("RUNNING")), 30)
    sh("sbatch", "--partition=urgent", "--nodelist=n1", "--exclusive", "--output=/dev/null", "--wrap=sleep 1")
    wait("n1 was preempted", lambda: not any(job[2] == "n1" for job in queue("RUNNING")))
    end(driver, there)
    arrays = {job.split("_")[0] for job in re.findall(r"job (\d+_\d+)", there.said())}
    assert len(arrays) == 1, f"more than one array: {arrays}"
    here.ok(*SCORE)
    assert tables(there.path / "scores") == tables(here.path / "scores")


def test_a_lost_node_that_trains_on_does_no_harm(here, there):
    driver = there.start(COMMAND, *SCORE, "--on", "slurm")
    wait("n2 trains", lambda: there.progress() and any(job[2] == "n2" for job in queue("RUNNING")))
    node("lose", "n2")
    down("n2")
    wait("what n2 trains is requeued", lambda: not any(job[2] == "n2" for job in queue("RUNNING")))
    end(driver, there)
    here.ok(*SCORE)
    assert tables(there.path / "scores") == tables(here.path / "scores")


CURVE = """
[training]
data = "sample"
model = "resnet8"
epochs = 3
precision = "f32"
[scoring]
replicas = 2
at = [1]
scores = ["el2n"]
[curve]
by = ["el2n@1"]
keep = [0.5]
retrainings = 2
[on]
where = "local"
"""


def test_a_curve_with_a_node_lost(here, there):
    for home in (here, there):
        (home.path / "curve.toml").write_text(CURVE)
    run = ("run", "curve.toml", "--out", "curve", "--checkpoint-every", "0.5")
    driver = there.start(COMMAND, *run, "--set", "on.where=slurm")
    wait("a run is done, others go on", lambda: there.done() and there.progress())
    node("kill", "n1")
    down("n1")
    time.sleep(1)
    node("start", "n1")
    end(driver, there)
    here.ok(*run)
    assert tables(there.path / "curve") == tables(here.path / "curve")
    outcomes = [json.loads((home.path / "curve/outcome.json").read_text()) for home in (here, there)]
    assert outcomes[0]["studies"] == outcomes[1]["studies"]


DIET = """
import sys
sys.path.insert(0, {examples!r})
import datadiet
from digits_mlp import train
if __name__ == "__main__":
    found = datadiet.diet(train, tolerance=2, budget=3, retrainings=1, out="diet", on={on!r})
    print(found.verdict)
"""


def test_a_diet_of_a_pytorch_function_with_a_node_lost(here, there):
    drivers = []
    for home, on in ((here, None), (there, "slurm")):
        (home.path / "ask.py").write_text(DIET.format(examples=str(ROOT / "examples"), on=on))
    driver = there.start(sys.executable, "ask.py")
    wait("a run is done, others go on", lambda: there.done() and queue("RUNNING"))
    node("kill", "n2")
    down("n2")
    time.sleep(1)
    node("start", "n2")
    drivers.append(here.start(sys.executable, "ask.py"))
    end(drivers[0], here)
    end(driver, there)
    assert tables(there.path / "diet") == tables(here.path / "diet")
    assert here.said().splitlines()[-1] == there.said().splitlines()[-1]


TRAINER = """
import json, os, signal, sys, time
from pathlib import Path
run = Path(sys.argv[1])
job = json.loads((run / "job.json").read_text())
state = run / "checkpoint" / "state"
done = int(state.read_text()) if state.exists() else 0
def save(*_):
    state.write_text(str(done))
    sys.exit(3)
signal.signal(signal.SIGTERM, save)
while done < job["stop_after"]:
    time.sleep(1)
    done += 1
    print(json.dumps({"event": "at", "done": done}), flush=True)
answer = {"run": job["run"], "epochs": done, "test": {"accuracy": 0.5}}
(run / "metrics.tmp").write_text(json.dumps(answer))
os.replace(run / "metrics.tmp", run / "metrics.json")
"""


def test_a_training_longer_than_its_job(there):
    """Slurm looks at times each half minute: the job of a minute is warned by then, saves, and goes on in another."""
    (there.path / "slow.py").write_text(TRAINER)
    (there.path / "labels.csv").write_text("label\\n" + "0\\n1\\n" * 50)
    (there.path / "on.toml").write_text(
        '[on]\\nwhere = "slurm"\\ntime = "1"\\n[on.slurm]\\nextra = ["--signal=TERM@50"]\\n'
    )
    train = ("train", "--trainer", f"{sys.executable} slow.py", "--train-examples", "labels.csv", "--epochs", "45")
    there.ok(*train, "--on", "on.toml")
    (run,) = there.done()
    log = "".join(file.read_text() for file in (there.store / "sweeps").glob("*/*.log"))
    assert "Exited with exit code 3" in log, log


def test_ctrl_c_leaves_jobs_which_runs_stop_ends(there):
    driver = there.start(COMMAND, *SCORE, "--on", "slurm")
    wait("they train", lambda: len(there.progress()) == 4)
    driver.send_signal(signal.SIGINT)
    assert driver.wait(30) == 130
    assert "jobs go on" in there.said()
    assert len(queue("RUNNING")) == 4
    there.ok("runs", "stop")
    wait("the queue is empty", lambda: not queue())
    assert not there.done() and all((run / "checkpoint.safetensors").exists() for run in there.runs())


ONE = ("train", "--data", "sample", "--model", "mlp", "--width", "8", "--epochs", "1", "--on", "slurm")


def refused(home, *arguments, **more):
    done = home.run(*arguments, **more)
    assert done.returncode == 1, done.stderr
    assert not (home.store / "runs").exists() or not home.done()
    return done.stderr.strip().splitlines()[-1]


def test_slurm_refuses_in_its_own_words(there):
    toml = '[on]\\nwhere = "slurm"\\n'
    for extra, words in [
        ('[on.slurm]\\npartition = "nope"', "Invalid partition name specified"),
        ('memory = "900G"', "Requested node configuration is not available"),
        ('time = "soon"', "Invalid --time specification"),
        ('[on.slurm]\\nextra = ["--bogus=3"]', "unrecognized option '--bogus=3'"),
    ]:
        (there.path / "on.toml").write_text(toml + extra)
        problem = refused(there, *ONE[:-1], "on.toml")
        assert words in problem and "Slurm does not take the job" in problem, problem
    assert "there is no sbatch on this machine" in refused(there, *ONE, PATH="/nowhere")


def test_nodes_that_do_not_see_the_store_or_the_program(there, tmp_path):
    """One small job finds that out."""
    for name in ("n1", "n2"):
        node("on", name, "mount", "-t", "tmpfs", "tmpfs", str(there.path))
    problem = refused(there, *ONE)
    assert "no node answers" in problem and "Nodes do not see that folder" in problem, problem
    for name in ("n1", "n2"):
        node("on", name, "umount", str(there.path))
    program = tmp_path / "programs"
    program.mkdir()
    for name in ("datadiet", "datadiet-worker"):
        shutil.copy(COMMAND.with_name(name), program)
    for name in ("n1", "n2"):
        node("on", name, "mount", "-t", "tmpfs", "tmpfs", str(program))
    done = subprocess.run(
        [program / "datadiet", *ONE], cwd=there.path, env=there.environment(), capture_output=True, text=True
    )
    assert done.returncode == 1 and "a node cannot train" in done.stderr, done.stderr
    assert "No such file" in done.stderr, done.stderr
    assert len(list((there.store / "sweeps").glob("*/slurm-*.sh"))) == 0, "an array was submitted"
