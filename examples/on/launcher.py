#!/usr/bin/env python3
"""A launcher for `datadiet … --on ./launcher.py`: each task is a process of this machine. docs/LAUNCHERS.md"""

import json
import subprocess
import sys
import threading


def say(**what):
    # In one piece: several threads do.
    print(json.dumps(what) + "\n", end="", flush=True)


def carry_out(task):
    with open(task["log"], "ab") as log:
        process = subprocess.Popen(task["argv"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    say(started=task["id"], place=f"process {process.pid}")
    say(ended=task["id"], code=process.wait())


for line in sys.stdin:
    for task in json.loads(line).get("start", ()):
        threading.Thread(target=carry_out, args=[task]).start()
