"""The process that holds one candidate: builds it, runs it, answers with raw times. Knows nothing about verdicts.

Run as `python -P -m profiler.child PARENT_PID`. Commands arrive as JSON lines on stdin, answers leave as JSON lines on
what was stdout; whatever else writes to stdout, native libraries included, goes to stderr. The process ends with the
parent's thread that started it, by the kernel's signal, and by the end of stdin. Processes that the candidate itself
starts are ended by the parent only if that is not killed first.

    {"do": "load", "factory": "module:function", "kwargs": {...}, "sys_path": [...]}
    {"do": "run", "scope": "pipeline", "queries": 32, "at_least_s": 0.1, "at_most_s": 5.0}
    {"do": "paced", "scope": "pipeline", "fps": 30, "seconds": 10}
"""

import ctypes
import importlib
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from profiler.canary import canary_ns
from profiler.pacing import rss_mb, serve

PR_SET_PDEATHSIG = 1
"""linux/prctl.h"""

MAX_QUERIES = 4096
"""Per window: keeps one answer below 100 KB however fast the callable is."""

NOTHING_ANSWERED = 3
"""Exit status when the parent was gone before the start."""


class Host:
    """The candidate's callables by scope, and the commands on them."""

    def __init__(self) -> None:
        self.scopes: dict[str, Callable[[], object]] = {}

    def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        """What one command gives; a failure of the candidate is an answer with `error`."""
        arguments = {name: value for name, value in command.items() if name != "do"}
        known: dict[str, Callable[..., dict[str, Any]]] = {
            "load": self.load,
            "run": self.run,
            "paced": self.paced,
        }
        try:
            result = known[command["do"]](**arguments)
        except (Exception, SystemExit) as error:  # foreign code: the parent decides what a failure means
            notes = getattr(error, "__notes__", [])
            return {"error": " ".join([f"{type(error).__name__}: {error}", *notes])}
        return {**result, "peak_rss_mb": peak_rss_mb(), "rss_mb": rss_mb()}

    def load(self, factory: str, kwargs: dict[str, Any], sys_path: list[str]) -> dict[str, Any]:
        """Calls the factory; answers with the scopes there are and the facts it gives."""
        sys.path += [entry for entry in sys_path if entry not in sys.path]
        module, _, function = factory.partition(":")
        made = dict(getattr(importlib.import_module(module), function)(**kwargs))
        facts = made.pop("facts", {})
        self.scopes = {name: call for name, call in made.items() if callable(call)}
        json.dumps(facts)
        return {"scopes": sorted(self.scopes), "facts": facts, "affinity": sorted(os.sched_getaffinity(0))}

    def run(self, scope: str, queries: int, at_least_s: float, at_most_s: float) -> dict[str, Any]:
        """One window: at least `queries` calls and `at_least_s` seconds, but no call begun after `at_most_s`."""
        call = self.scopes[scope]
        return _watched(lambda: _window(call, queries, at_least_s, at_most_s))

    def paced(self, scope: str, fps: float, seconds: float) -> dict[str, Any]:
        """Queries at their instants; one uncounted call before, since a first call may be a slow one."""
        call = self.scopes[scope]
        call()
        return _watched(lambda: serve(call, fps, seconds))


def _watched(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `work` answers, the canaries beside it, and CPU seconds: of the work, and with the canaries."""
    begun = resource.getrusage(resource.RUSAGE_SELF)
    canaries = [canary_ns()]
    before = resource.getrusage(resource.RUSAGE_SELF)
    answer = work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    canaries.append(canary_ns())
    return {
        **answer,
        "canaries_ns": canaries,
        "cpu_s": _cpu_s(after) - _cpu_s(before),
        "whole_cpu_s": _cpu_s(resource.getrusage(resource.RUSAGE_SELF)) - _cpu_s(begun),
        "preempted": after.ru_nivcsw - before.ru_nivcsw,
    }


def _cpu_s(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


def _window(call: Callable[[], object], queries: int, at_least_s: float, at_most_s: float) -> dict[str, Any]:
    """The loop that times. It adds 0.1 us per call to a bare loop: 0.2 % of a call of 50 us."""
    clock, latencies_ns = time.perf_counter_ns, []
    began = stop = clock()
    soonest, latest = began + int(at_least_s * 1e9), began + int(at_most_s * 1e9)
    for count in range(1, MAX_QUERIES + 1):
        start = clock()
        call()
        stop = clock()
        latencies_ns.append(stop - start)
        if stop >= latest or (count >= queries and stop >= soonest):
            break
    # a coarse clock may stand still for one call
    return {"latencies_ns": [max(latency, 1) for latency in latencies_ns], "wall_s": (stop - began) / 1e9}


def peak_rss_mb() -> float | None:
    """The largest resident size of this program so far.

    From VmHWM, because ru_maxrss survives exec and would count the parent (getrusage(2), Linux).
    """
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return None


def die_with(parent: int) -> bool:
    """Asks the kernel for SIGKILL when the parent ends; False if it has ended already."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.getppid() == parent


def private_stdout() -> TextIO:
    """The real stdout for answers only; descriptor 1 becomes stderr for everybody else."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def main() -> int:
    """Answers commands until stdin ends."""
    if not die_with(int(sys.argv[1])):
        return NOTHING_ANSWERED
    answers, host = private_stdout(), Host()
    # readline, not iteration: iterating would wait for a full buffer
    while line := sys.stdin.readline():
        print(json.dumps(host.answer(json.loads(line))), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
