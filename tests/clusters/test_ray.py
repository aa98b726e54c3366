"""Trainings on a Ray cluster of two nodes, one of which is lost on the way: the answers are those of this machine.

`make test-clusters` runs this in a network of its own (scripts/ray-cluster).
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy
import pytest
from support import COMMAND, CURVE, DIET, ROOT, SCORE, Home, diet_of, end, tables, wait

if "DATADIET_RAY" not in os.environ:
    pytest.skip("no network of its own; make test-clusters", allow_module_level=True)

from ray.cluster_utils import Cluster

HERE = {"node_ip_address": "127.0.0.1", "object_store_memory": 80 << 20}
# A dead node is found out in two seconds, by default in half a minute.
QUICK = {
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 3,
}


class Nodes:
    """A head on which nothing runs, and nodes of two processors that come and go."""

    def __init__(self):
        head = {"num_cpus": 0, "include_dashboard": False, "_system_config": QUICK, **HERE}
        self.cluster = Cluster(initialize_head=True, head_node_args=head)
        self.nodes = []
        self.fill()

    @property
    def on(self):
        return f"ray:{self.cluster.address}"

    def fill(self):
        """Two nodes, again."""
        while len(self.nodes) < 2:
            self.nodes.append(self.cluster.add_node(num_cpus=2, **HERE))

    def lose(self, place):
        """The node of a place dies, with all that runs there."""
        (node,) = [node for node in self.nodes if node.node_id.startswith(place)]
        self.nodes.remove(node)
        self.cluster.remove_node(node, allow_graceful=False)


@pytest.fixture(scope="module")
def nodes():
    nodes = Nodes()
    yield nodes
    nodes.cluster.shutdown()


@pytest.fixture(autouse=True)
def two_nodes(nodes):
    nodes.fill()


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """Where the same is trained on this machine."""
    return Home(tmp_path_factory.mktemp("here") / "home")


@pytest.fixture
def there(tmp_path):
    return Home(tmp_path / "home")


def places(home):
    """The nodes of Ray of the trainings that go on, by name, in the order in which they began."""
    went = {}
    for name, place, done in re.findall(r"^(.+?): (?:on .+, node ([0-9a-f]{8})|(done))$", home.said(), re.M):
        went.pop(name, None)
        if not done:
            went[name] = place
    return went


def processes(home):
    """Processes of trainings of a home, by id."""
    found = subprocess.run(["pgrep", "-f", f"worker.* {home.path}/"], capture_output=True, text=True)
    return [int(process) for process in found.stdout.split()]


def lose_one(nodes, home):
    """A node where a training goes on, which is held until the node is gone: it cannot be done before."""
    held = processes(home)
    for process in held:
        send(process, signal.SIGSTOP)
    time.sleep(0.5)  # What was done before is told.
    nodes.lose([*places(home).values()][-1])
    for process in held:
        send(process, signal.SIGCONT)
    # Its lease outlives it, or not.
    wait("it is noticed", lambda: re.search(": lost(, and started again)?: Task failed", home.said()), 60, home.said)
    nodes.fill()


def send(process, what):
    try:
        os.kill(process, what)
    except ProcessLookupError:
        pass


def test_replicas_with_a_node_lost(nodes, here, there):
    driver = there.start(COMMAND, *SCORE, "--on", nodes.on)
    wait("both nodes train", lambda: len({*places(there).values()}) == 2 and there.progress(), 120, there.said)
    lose_one(nodes, there)
    end(driver, there)
    assert "is dead or unavailable" in there.said()
    here.ok(*SCORE)
    assert tables(there.path / "scores") == tables(here.path / "scores")


def test_a_curve_with_a_node_lost(nodes, here, there):
    for home in (here, there):
        # Long enough that a training is lost before it is done.
        (home.path / "curve.toml").write_text(CURVE.replace("epochs = 60", "epochs = 150"))
    run = ("run", "curve.toml", "--out", "curve", "--checkpoint-every", "0.5")
    driver = there.start(COMMAND, *run, "--on", nodes.on)

    def going():
        return ": done" in there.said() and places(there) and len(processes(there)) > 1

    wait("a run is done, others go on", going, 120, there.said)
    lose_one(nodes, there)
    end(driver, there)
    here.ok(*run)
    assert tables(there.path / "curve") == tables(here.path / "curve")


def test_a_diet_of_a_pytorch_function_with_a_node_lost(nodes, here, there):
    (there.path / "ask.py").write_text(DIET.format(examples=str(ROOT / "examples"), on=nodes.on))
    driver = there.start(sys.executable, "ask.py")
    wait("trainings go on", lambda: places(there) and len(processes(there)) > 1, 240, there.said)
    lose_one(nodes, there)
    end(driver, there, seconds=400)
    answer = tables(there.path / "diet"), there.said().splitlines()[-1]
    assert answer == diet_of(here, there)


def test_trainings_save_and_end_with_whoever_asked(nodes, there):
    """Ctrl-C, then `kill -9` of the driver: no process is left, and the same command goes on."""
    driver = there.start(COMMAND, *SCORE, "--on", nodes.on)
    wait("they train", lambda: len(places(there)) == 4 and there.progress(), 90, there.said)
    driver.send_signal(signal.SIGINT)
    assert driver.wait(60) == 130, there.said()
    assert not processes(there), "something trains on"
    assert all((run / "checkpoint.safetensors").exists() for run in there.runs() if run not in there.done())
    driver = there.start(COMMAND, *SCORE, "--on", nodes.on)
    wait("they train again", lambda: processes(there), 90, there.said)
    driver.kill()
    driver.wait()
    wait("nothing trains on", lambda: not processes(there), 30)
    there.ok(*SCORE, "--on", nodes.on)
    assert len(there.done()) == 4


def test_no_more_at_a_time_than_there_are_processors(nodes, there):
    """The launcher listens while its task waits; that must not count as a task that has let go of its processors."""
    (there.path / "on.toml").write_text(f'[on]\nwhere = "{nodes.on}"\ncpus = 2\n')
    driver = there.start(COMMAND, *SCORE, "--on", "on.toml")
    most = 0
    while driver.poll() is None:
        most = max(most, len([run for run in there.runs() if (run / "lease.json").exists()]))
        time.sleep(0.05)
    assert driver.returncode == 0, there.said()
    assert most == 2


ONE = ("train", "--data", "sample", "--model", "mlp", "--width", "8", "--epochs", "1")


def refused(home, *arguments, **more):
    done = home.run(*ONE, *arguments, **more)
    assert done.returncode == 1, done.stderr
    assert not home.done()
    return done.stderr


def test_clusters_that_cannot_be_reached(nodes, there, tmp_path):
    port = nodes.cluster.address.rpartition(":")[2]
    for on, words in [
        ("ray:127.0.0.1:1", "no Ray cluster answers at 127.0.0.1:1"),
        ("ray:nonsense", "nonsense is no address of a Ray cluster, such as 10.0.0.5:6379"),
        (f"ray:no.such.host:{port}", "no Ray cluster answers at no.such.host"),
    ]:
        assert words in refused(there, "--on", on)
    # A Python without Ray, and one without datadiet.
    empty = tmp_path / "empty"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(empty)], check=True)
    python = {"DATADIET_PYTHON": str(empty / "bin/python")}
    assert "No module named 'datadiet'" in refused(there, "--on", nodes.on, **python, PYTHONPATH="")
    # What it has beside Ray is elsewhere.
    others = os.pathsep.join([str(ROOT / "python"), str(Path(numpy.__file__).parents[1])])
    assert "pip install 'datadiet[ray]'" in refused(there, "--on", nodes.on, **python, PYTHONPATH=others)


def test_a_run_that_no_node_is_large_enough_for_says_so(nodes, there):
    (there.path / "on.toml").write_text(f'[on]\nwhere = "{nodes.on}"\ngpus = 8\n')
    driver = there.start(COMMAND, *ONE, "--precision", "f32", "--on", "on.toml")
    wait("it says so", lambda: "no node of the Ray cluster has 1 processors, 8 GPUs" in there.said(), 60, there.said)
    driver.send_signal(signal.SIGINT)
    assert driver.wait(30) == 130


@pytest.fixture
def other(tmp_path):
    """Starts the head of another cluster, by Ray's own command."""
    heads = []
    log = tmp_path / "head.log"

    def start(before="pass", **more):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        ray = f"import ray; {before}; from ray.scripts.scripts import main; main()"
        options = f"--head --port={port} --num-cpus=1 --include-dashboard=false --node-ip-address=127.0.0.1 --block"
        command = [sys.executable, "-c", ray, "start", *options.split(), f"--object-store-memory={80 << 20}"]
        with log.open("w") as file:
            head = subprocess.Popen(
                command, env={**os.environ, **more}, stdin=subprocess.DEVNULL, stdout=file, stderr=file
            )
        heads.append(head)
        wait("the head is there", lambda: "Ray runtime started" in log.read_text(), 120, log.read_text)
        return f"ray:127.0.0.1:{port}"

    yield start
    for head in heads:
        head.terminate()
        head.wait()


def test_a_cluster_of_another_version(there, other):
    on = other("ray.__version__ = '2.59.0'")
    problem = refused(there, "--on", on)
    assert "has another version of Ray or Python" in problem and "2.59.0" in problem, problem


def test_a_cluster_without_its_token(there, other):
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "t" * 48}
    on = other(**token)
    for more in ({}, {**token, "RAY_AUTH_TOKEN": "x" * 48}):
        assert "wants its token, which is not here or is another" in refused(there, "--on", on, **more)
