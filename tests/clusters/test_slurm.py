"""Trainings on a Slurm of two nodes, which die, are lost and are wanted by others: the answers are those of this machine.

`make test-clusters` starts the nodes (scripts/slurm-cluster) and runs this among them.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
import support
from support import COMMAND, CURVE, DIET, ROOT, SCORE, Home, diet_of, end, tables

CLUSTER = ROOT / "scripts/slurm-cluster"

pytestmark = pytest.mark.skipif("SLURM_CONF" not in os.environ, reason="no cluster; make test-clusters")


def sh(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def node(verb, name, *command):
    sh(CLUSTER, verb, name, *command)


def queue(state=None):
    """Array tasks in the queue: (job, state, node)."""
    lines = sh("squeue", "--noheader", "--array", "--partition=main", "--format=%i|%T|%N|%j").splitlines()
    jobs = [tuple(line.split("|")) for line in lines]
    return [job for job in jobs if state in (None, job[1]) and job[3].startswith("datadiet-")]


def wait(what, condition, seconds=60):
    return support.wait(what, condition, seconds, lambda: f"the queue is {queue()}")


def down(name):
    """To Slurm the node is gone, without waiting for it to notice that."""
    sh("scontrol", "update", f"nodename={name}", "state=down", "reason=test")


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


@pytest.fixture(scope="module", autouse=True)
def long(tmp_path_factory):
    """A driver, on a node of its own, of a training that takes longer than its job may."""
    home = Home(tmp_path_factory.mktemp("long") / "home")
    (home.path / "slow.py").write_text(TRAINER)
    (home.path / "labels.csv").write_text("label\n" + "0\n1\n" * 50)
    (home.path / "on.toml").write_text(
        '[on]\nwhere = "slurm"\ntime = "1"\n[on.slurm]\npartition = "slow"\nextra = ["--signal=TERM@50"]\n'
    )
    train = ("train", "--trainer", f"{sys.executable} slow.py", "--train-examples", "labels.csv", "--epochs", "45")
    driver = home.start(COMMAND, *train, "--on", "on.toml")
    yield driver, home
    driver.kill()


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
    (job, _, name, _), *_ = wait("some are begun again", lambda: queue("RUNNING"))
    sh("sbatch", "--partition=urgent", f"--nodelist={name}", "--exclusive", "--output=/dev/null", "--wrap=sleep 1")
    wait(f"{name} was preempted", lambda: not any(job[2] == name for job in queue("RUNNING")))
    end(driver, there)
    arrays = {job.split("_")[0] for job in re.findall(r"job (\d+_\d+)", there.said())}
    assert len(arrays) == 1, there.said()
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


def test_a_curve_with_a_node_lost(here, there):
    for home in (here, there):
        (home.path / "curve.toml").write_text(CURVE + '[on]\nwhere = "local"\n')
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


def test_a_diet_of_a_pytorch_function_with_a_node_lost(here, there):
    (there.path / "ask.py").write_text(DIET.format(examples=str(ROOT / "examples"), on="slurm"))
    driver = there.start(sys.executable, "ask.py")
    (_, _, name, _), *_ = wait("a run is done, others go on", lambda: there.done() and queue("RUNNING"), 300)
    node("kill", name)
    down(name)
    time.sleep(1)
    node("start", name)
    end(driver, there, seconds=400)
    assert (tables(there.path / "diet"), there.said().splitlines()[-1]) == diet_of(here, there)


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
    toml = '[on]\nwhere = "slurm"\n'
    for extra, words in [
        ('[on.slurm]\npartition = "nope"', "Invalid partition name specified"),
        ('memory = "900G"', "Requested node configuration is not available"),
        ('time = "soon"', "Invalid --time specification"),
        ('[on.slurm]\nextra = ["--bogus=3"]', "unrecognized option '--bogus=3'"),
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


def test_a_training_longer_than_its_job(long):
    """Slurm looks at times each half minute: the job of a minute is warned by then, saves, and goes on in another."""
    driver, home = long
    end(driver, home)
    assert len(home.done()) == 1
    log = "".join(file.read_text() for file in (home.store / "sweeps").glob("*/*.log"))
    assert "Exited with exit code 3" in log, log
    assert "is back in the queue" in home.said()
