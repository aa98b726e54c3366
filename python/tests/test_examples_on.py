"""The files of examples/on for engines that are not run here: they parse, and what they have run is what it says.

The programs of the engines are stand-ins; `datadiet` is the real one, which takes the arguments or does not.
"""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from datadiet import _program

ON = Path(__file__).parents[2] / "examples/on"


@pytest.fixture
def shell(tmp_path):
    """Runs a script with a `datadiet` that notes how it is called, and ends with `code`."""
    programs = tmp_path / "programs"
    programs.mkdir()

    def program(name, text):
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)

    def run(*command, code=0, **more):
        calls = tmp_path / "calls"
        calls.unlink(missing_ok=True)
        program("datadiet", f'echo "$@" >>{calls}\nexit {code}')
        # Answers like GNU parallel with these options, one after the other.
        program(
            "parallel",
            'while [ "$1" != datadiet ]; do shift; done\n'
            'while read -r task; do $(echo "$@" | sed "s/{}/$task/"); done',
        )
        path = {"PATH": f"{programs}:/usr/bin:/bin"}
        done = subprocess.run(command, env={**path, **more}, capture_output=True, text=True)
        return done, calls.read_text().splitlines()

    return run


def taken(call, sweep):
    """The real command understands it, as far as that the sweep is not there; gives the number of the task."""
    command = [_program.find(), *call.split()]
    environment = {**os.environ, "DATADIET_PATIENCE": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and f"{sweep}/sweep.json" in done.stderr, done.stderr
    words = call.split()
    return int(words[words.index("--task") + 1])


def test_kubernetes(shell):
    text = (ON / "kubernetes.yaml").read_text()
    filled = text.replace("SWEEP", "/shared/store/sweeps/3fa4c1").replace("TASKS", "10")
    job = yaml.safe_load(filled)
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    spec = job["spec"]
    assert spec["completionMode"] == "Indexed" and spec["completions"] == 10
    # An index is only failed one by one where the template is never restarted in place.
    assert spec["template"]["spec"]["restartPolicy"] == "Never" and spec["backoffLimitPerIndex"] > 0
    of_codes = {
        rule["action"]: rule["onExitCodes"]["values"]
        for rule in spec["podFailurePolicy"]["rules"][1:]
    }
    # As docs/LAUNCHERS.md has them: 3 and more are losses.
    assert of_codes == {"FailIndex": [1], "FailJob": [2, 126, 127]}
    (container,) = spec["template"]["spec"]["containers"]
    volumes = {volume["name"] for volume in spec["template"]["spec"]["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
    done, calls = shell(*container["command"], *container["args"], code=3, JOB_COMPLETION_INDEX="7")
    assert done.returncode == 3
    assert [taken(call, "/shared/store/sweeps/3fa4c1") for call in calls] == [7]


def test_skypilot(shell):
    task = yaml.safe_load((ON / "skypilot.yaml").read_text())
    assert set(task["envs"]) == {"SWEEP", "TASKS"} and task["resources"]["use_spot"]
    seen = []
    for rank in range(task["num_nodes"]):
        places = {"SKYPILOT_NODE_RANK": str(rank), "SKYPILOT_NUM_NODES": str(task["num_nodes"])}
        done, calls = shell("bash", "-c", task["run"], SWEEP="/shared/s", TASKS="5", **places)
        assert done.returncode == 0, done.stderr
        seen += [taken(call, "/shared/s") for call in calls]
    assert sorted(seen) == list(range(5))
    done, calls = shell("bash", "-c", task["run"], code=137, SWEEP="/shared/s", TASKS="5", **places)
    assert done.returncode == 137 and len(calls) == 2


def test_gnu_parallel(shell, tmp_path):
    (tmp_path / "tasks.txt").write_text("train runs/a\ntrain runs/b\ntrain runs/c\n")
    done, calls = shell("sh", str(ON / "parallel.sh"), str(tmp_path), "n1,n2")
    assert done.returncode == 0, done.stderr
    assert [taken(call, tmp_path) for call in calls] == [0, 1, 2]


def test_what_is_not_run_says_so():
    for file in ON.iterdir():
        if file.name != "launcher.py":
            assert "ot run by datadiet's tests" in file.read_text(), file
