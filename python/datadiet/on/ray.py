"""The launcher of ``datadiet … --on ray[:ADDRESS]``: ``python -m datadiet.on.ray [ADDRESS]``.

The command starts it and says on standard input what is to run; it answers on standard output, one JSON object
a line (docs/LAUNCHERS.md). A run is one Ray task, whose body starts the run's program on a node and holds a pipe
open as its standard input: when Ray's process dies, however it does, the program saves and ends.

Ray does not start a lost task again (``max_retries=0``): the command does, who knows whether there is a newer
checkpoint and can say why the task was lost. Nodes need Ray and the run's program, not this package: the task
is sent by value and uses the standard library alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from typing import Any, TextIO

__all__ = ["main"]

PROTOCOL = 1
OLDEST = (2, 49)
"""The oldest Ray that this was tried with; the tests have the newest."""

_UNUSABLE = 2
"""This launcher's exit code where nothing can be started."""
_STOPPED = 3
"""Exit code of a run's program that saved its state."""
_NOT_STARTED = 127
"""As shells say that a program is not there."""

_PAUSE = 0.2
"""Seconds between two looks at what has ended."""
_REACH = 10.0
"""Seconds in which a cluster's address has to answer."""
_OFTEN = 0.5
"""Seconds between two words of one run about how far it is."""
_DRAIN = 2.0
"""Seconds for the last words of a program whose output another process holds open."""
_TAIL = 4096
"""Bytes of standard error that are told when a run ends."""


class _Unusable(Exception):
    """No cluster, or one that cannot be talked to; what to do about it."""


def main(arguments: list[str]) -> int:
    """Carry out what standard input says until it ends; gives the exit code."""
    if len(arguments) > 1:
        return _refuse("usage: python -m datadiet.on.ray [ADDRESS]")
    # Whatever prints, Ray included, prints to standard error: standard output is for answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        return _Launcher(_connected(arguments[0] if arguments else None), answers).serve()
    except _Unusable as error:
        return _refuse(str(error))


def _refuse(problem: str) -> int:
    print(f"error: {problem}", file=sys.stderr)
    return _UNUSABLE


def _connected(address: str | None) -> Any:
    """The module ray, connected to a cluster that runs."""
    try:
        import ray
    except ImportError as error:
        raise _Unusable(
            f"--on ray needs Ray in {sys.executable}, the Python that has this datadiet ({error}): pip"
            " install 'datadiet[ray]' there, in the version that the cluster has"
        ) from None
    version = tuple(int(part) for part in ray.__version__.split(".")[:2])
    if version < OLDEST or version[0] > 2:
        raise _Unusable(
            f"--on ray needs Ray {OLDEST[0]}.{OLDEST[1]} or later, below 3; {sys.executable} has"
            f" {ray.__version__}"
        )
    named = address or os.environ.get("RAY_ADDRESS")
    named = None if named == "auto" else named
    if named:
        _check_reachable(named)
    with tempfile.TemporaryFile() as words:
        before = os.dup(2)
        os.dup2(words.fileno(), 2)
        try:
            # "auto" never starts a cluster of its own, as None does.
            ray.init(address=named or "auto", log_to_driver=False, logging_level="ERROR")
        except Exception as error:
            # Only there does it say that it has no token.
            words.seek(0)
            told = words.read().decode(errors="replace")
            raise _Unusable(_explained(error, told, named, ray)) from None
        finally:
            os.dup2(before, 2)
            os.close(before)
    return ray


def _check_reachable(address: str) -> None:
    """Ray itself waits for minutes where nobody answers."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not port.isdecimal():
        raise _Unusable(
            f"{address} is no address of a Ray cluster, such as 10.0.0.5:6379: the host and port that"
            " `ray start --head` said"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH).close()
    except (OSError, OverflowError) as error:
        raise _Unusable(
            f"no Ray cluster answers at {address} ({error}): give the host and port that `ray start"
            " --head` said, by --on ray:HOST:PORT or RAY_ADDRESS"
        ) from None


def _explained(error: Exception, words: str, address: str | None, ray: Any) -> str:
    """What to do when Ray could not be connected to; `words` are what it wrote to standard error."""
    told = " ".join(str(error).split())
    at = f"the Ray cluster at {address}" if address else "a Ray cluster"
    if "ersion mismatch" in told:
        return (
            f"{at} has another version of Ray or Python than {sys.executable} (Ray {ray.__version__}): make"
            f" both the same. Ray says: {told}"
        )
    if "uthentication token" in told + words:
        return (
            f"{at} wants its token, which is not here or is another: copy ~/.ray/auth_token of its head node to the"
            " same place here and set RAY_AUTH_MODE=token, or set RAY_AUTH_TOKEN beside it. Ray says:"
            f" {told}"
        )
    if isinstance(error, ConnectionError) and address is None:
        return (
            "no Ray cluster runs on this machine: name one by --on ray:HOST:PORT or RAY_ADDRESS, or start one"
            f" here with `ray start --head`. Ray says: {told}"
        )
    return (
        f"cannot connect to {at}: this machine must be one of its nodes (`ray start --address=…`; with"
        f" --num-cpus=0 nothing runs on it). Ray says: {told}"
    )


class _Events:
    """What bodies of tasks tell, and whether they are to stop: an actor beside the launcher."""

    def __init__(self) -> None:
        self._told: list[dict[str, Any]] = []
        self._at: dict[str, dict[str, Any]] = {}
        self._begun: set[int] = set()
        self._stops: dict[int, asyncio.Event] = {}

    def _stop(self, attempt: int) -> asyncio.Event:
        return self._stops.setdefault(attempt, asyncio.Event())

    async def begin(self, attempt: int, run: str, place: str) -> bool:
        """Whether it is still wanted."""
        if self._stop(attempt).is_set():
            return False
        self._begun.add(attempt)
        self._told.append({"started": run, "place": place})
        return True

    async def tell(self, run: str, event: dict[str, Any]) -> None:
        told = {"told": run, "event": event}
        if event.get("event") == "at":
            self._at[run] = told  # Of how far it is, only the last counts.
        else:
            self._told.append(told)

    async def until_stopped(self, attempt: int) -> None:
        await self._stop(attempt).wait()

    async def forget(self, attempt: int) -> None:
        """It has ended: what waits to hear that it is to stop, waits no more."""
        self._stop(attempt).set()
        del self._stops[attempt]
        self._begun.discard(attempt)

    async def stop(self, attempts: list[int]) -> list[int]:
        """Tells them to stop; gives those that have not begun, and never will."""
        for attempt in attempts:
            self._stop(attempt).set()
        return [attempt for attempt in attempts if attempt not in self._begun]

    async def take(self) -> list[dict[str, Any]]:
        told = [*self._told, *self._at.values()]
        self._told.clear()
        self._at.clear()
        return told


def _carry_out(attempt: int, run: str, argv: list[str], log: str, events: Any) -> tuple[int, str]:
    """The body of a task: its program's exit code, and the end of what it said to standard error."""
    import ray

    ended: list[tuple[int, str]] = []

    def child() -> None:
        ended.append(_child(attempt, run, argv, log, events, ray))

    # `ray.get` in the main thread would give the task's processors to another one meanwhile.
    thread = threading.Thread(target=child)
    thread.start()
    thread.join()
    if not ended:
        raise RuntimeError(f"could not start {argv[0]}: see Ray's log of this worker")
    return ended[0]


def _child(
    attempt: int, run: str, argv: list[str], log: str, events: Any, ray: Any
) -> tuple[int, str]:
    node = ray.get_runtime_context().get_node_id()[:8]
    place = f"{ray.util.get_node_ip_address()}, node {node}"
    if not ray.get(events.begin.remote(attempt, run, place)):
        return _STOPPED, ""
    pipe = subprocess.PIPE
    try:
        program = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe)
    except OSError as error:
        return _NOT_STARTED, f"{argv[0]} cannot be started at {place}: {error.strerror}"
    stdin, stdout, stderr = program.stdin, program.stdout, program.stderr
    assert stdin is not None and stdout is not None and stderr is not None
    tail = bytearray()

    def keep_errors() -> None:
        with contextlib.ExitStack() as stack:
            file: Any = None
            with contextlib.suppress(OSError):
                file = stack.enter_context(open(log, "ab", buffering=0))
            for line in stderr:
                tail.extend(line)
                del tail[:-_TAIL]
                if file is not None:
                    with contextlib.suppress(OSError):
                        file.write(line)

    def stop_when_told() -> None:
        with contextlib.suppress(Exception):  # The launcher is gone: Ray ends this process.
            ray.get(events.until_stopped.remote(attempt))
        with contextlib.suppress(OSError):
            stdin.close()

    errors = threading.Thread(target=keep_errors, daemon=True)
    errors.start()
    threading.Thread(target=stop_when_told, daemon=True).start()
    last = 0.0
    waiting = None
    for line in stdout:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if not isinstance(event, dict):
            continue
        if event.get("event") == "at":
            now = time.monotonic()
            if now - last < _OFTEN:
                waiting = event
                continue
            last = now
        waiting = None
        events.tell.remote(run, event)
    code = program.wait()
    errors.join(timeout=_DRAIN)
    if waiting is not None:
        events.tell.remote(run, waiting)
    ray.get(events.forget.remote(attempt))
    # As shells have it.
    return (code if code >= 0 else 128 - code), tail.decode(errors="replace").strip()


class _Attempt:
    """A task that Ray has."""

    def __init__(self, number: int, run: str, reference: Any) -> None:
        self.number = number
        self.run = run
        self.reference = reference


class _Launcher:
    """Starts tasks, passes on what they tell and how they end."""

    def __init__(self, ray: Any, answers: TextIO) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self._ray = ray
        self._answers = answers
        self._said: queue.Queue[dict[str, Any] | None] = queue.Queue()
        # Beside this process: losing a node of the cluster never loses it.
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        actor = ray.remote(num_cpus=0, max_concurrency=100_000)(_Events)
        self._events = actor.options(scheduling_strategy=here).remote()
        self._work = ray.remote(max_retries=0)(_carry_out)
        self._attempts: dict[Any, _Attempt] = {}
        self._numbers = itertools.count()
        self._scarce: set[str] = set()

    def serve(self) -> int:
        """Until the input has ended and so has all that was started."""
        threading.Thread(target=self._read, daemon=True).start()
        is_open = True
        while is_open or self._attempts:
            try:
                said = self._said.get(timeout=_PAUSE)
            except queue.Empty:
                self._look()
                continue
            if said is None:
                is_open = False
                self._stop({attempt.run for attempt in self._attempts.values()})
            else:
                self._hear(said)
        return 0

    def _read(self) -> None:
        for line in sys.stdin:
            if line.strip():
                self._said.put(json.loads(line))
        self._said.put(None)

    def _hear(self, said: Mapping[str, Any]) -> None:
        if said.get("hello", {}).get("protocol", PROTOCOL) != PROTOCOL:
            raise _Unusable(f"this launcher speaks version {PROTOCOL} of the protocol: {said}")
        for task in said.get("start", ()):
            self._start(task)
        if "stop" in said:
            self._stop(set(said["stop"]))

    def _start(self, task: Mapping[str, Any]) -> None:
        needs = {"CPU": float(task["cpus"]), "GPU": float(task["gpus"])}
        if task["memory_mib"]:
            needs["memory"] = task["memory_mib"] * 2.0**20
        self._warn_if_scarce(task["id"], needs)
        work = self._work.options(
            num_cpus=needs["CPU"],
            num_gpus=needs["GPU"],
            memory=needs.get("memory"),
            name=task["id"],
            scheduling_strategy="SPREAD",
        )
        number = next(self._numbers)
        argv = [*task["argv"], "--attached"]
        reference = work.remote(number, task["id"], argv, task["log"], self._events)
        self._attempts[reference] = _Attempt(number, task["id"], reference)

    def _warn_if_scarce(self, run: str, needs: Mapping[str, float]) -> None:
        """Ray lets a task wait for ever that no node is large enough for."""
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if any(all(node.get(name, 0) >= need for name, need in needs.items()) for node in nodes):
            return
        wanted = f"{needs['CPU']:g} processors"
        if needs["GPU"]:
            wanted += f", {needs['GPU']:g} GPUs"
        if "memory" in needs:
            wanted += f", {needs['memory'] / 2**20:,.0f} MiB"
        if wanted not in self._scarce:
            self._scarce.add(wanted)
            text = (
                f"no node of the Ray cluster has {wanted} for a run: runs wait until one joins (or ask for less"
                " by cpus, gpus, memory in [on])"
            )
            self._say(told=run, event={"event": "note", "text": text})

    def _stop(self, runs: set[str]) -> None:
        of = {a.number: a for a in self._attempts.values() if a.run in runs}
        for number in self._ray.get(self._events.stop.remote(list(of))):
            # It waits for a place, and would end as soon as it had one.
            attempt = of[number]
            self._ray.cancel(attempt.reference)
            del self._attempts[attempt.reference]
            self._say(ended=attempt.run, code=_STOPPED)

    def _look(self) -> None:
        ended: list[Any] = []
        if self._attempts:
            running = list(self._attempts)
            ended, _ = self._ray.wait(
                running, num_returns=len(running), timeout=0, fetch_local=True
            )
        attempts = [self._attempts.pop(reference) for reference in ended]
        # After it was seen that they have ended: all that they told is there. Others began when these had ended.
        told = self._ray.get(self._events.take.remote())
        over = {attempt.run for attempt in attempts}
        first = [one for one in told if (one.get("started") or one.get("told")) in over]
        for one in first:
            self._say(**one)
        for attempt in attempts:
            self._end(attempt)
        for one in told:
            if one not in first:
                self._say(**one)

    def _end(self, attempt: _Attempt) -> None:
        errors = self._ray.exceptions
        try:
            code, tail = self._ray.get(attempt.reference)
            self._say(ended=attempt.run, code=code, tail=tail)
            return
        except errors.RayTaskError as error:
            # Of the body, not of the program.
            self._say(ended=attempt.run, code=1, tail=str(error))
        except errors.RayError as error:
            # What follows are places to read more.
            sentences = " ".join(str(error).split()).split(". ")
            self._say(ended=attempt.run, code=None, lost=". ".join(sentences[:2]).rstrip("."))
        self._events.forget.remote(attempt.number)

    def _say(self, **what: Any) -> None:
        with contextlib.suppress(OSError):  # Nobody hears: the input has ended too.
            print(json.dumps(what), file=self._answers, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
