"""Factories for the tests: real small callables that are quick, slow, broken, noisy or greedy."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

Scopes = dict[str, Callable[[], object]]


def sleeper(ms: float = 1.0, device_ms: float | None = None) -> dict[str, Any]:
    scopes: dict[str, Any] = {"pipeline": lambda: time.sleep(ms / 1000), "facts": {"sleep_ms": ms}}
    if device_ms is not None:
        scopes["device"] = lambda: time.sleep(device_ms / 1000)
    return scopes


def spinner(ms: float = 1.0) -> Scopes:
    def spin() -> None:
        end = time.perf_counter() + ms / 1000
        while time.perf_counter() < end:
            pass

    return {"pipeline": spin}


def worker(steps: int = 20000) -> Scopes:
    """A fixed amount of arithmetic: what else runs makes it slower."""

    def work() -> None:
        value = 1
        for _ in range(steps):
            value = (value * 1103515245 + 12345) & 0x7FFFFFFF

    return {"pipeline": work}


def hoarder(mb_per_call: float = 1.0) -> Scopes:
    held: list[bytearray] = []
    return {"pipeline": lambda: held.append(bytearray(b"x") * int(mb_per_call * 2**20))}


def tiring(ms: float = 1.0) -> Scopes:
    start = time.monotonic()
    return {"pipeline": lambda: time.sleep(ms * (1 + 20 * (time.monotonic() - start)) / 1000)}


def crashing_factory() -> Scopes:
    raise RuntimeError("the file is not a model")


def exiting_factory() -> Scopes:
    raise SystemExit("no licence")


def dying(after: int = 10) -> Scopes:
    calls = iter(range(after))

    def call() -> None:
        time.sleep(0.001)
        if next(calls, None) is None:
            print("fatal: cannot go on", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGSEGV)

    return {"pipeline": call}


def hanging() -> Scopes:
    return {"pipeline": lambda: time.sleep(1000)}


def noisy() -> Scopes:
    def shout() -> None:
        print('{"error": "not an answer"}')
        os.write(1, b"native noise\n")
        time.sleep(0.001)

    shout()
    return {"pipeline": shout}


def greedy(mb: int = 200) -> Scopes:
    held: list[bytearray] = []

    def eat() -> None:
        held.append(bytearray(b"x") * (mb << 20))
        time.sleep(0.3)

    return {"pipeline": eat}


def environment() -> dict[str, Any]:
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
    session = os.getsid(0) == os.getpid()
    return {
        "pipeline": lambda: time.sleep(0.001),
        "facts": {**{name: os.environ.get(name) for name in names}, "own_session": session, "pid": os.getpid()},
    }


def with_grandchild(pid_file: str) -> Scopes:
    process = subprocess.Popen(["sleep", "1000"])
    with open(pid_file, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(f"{os.getpid()} {process.pid}")
    return {"pipeline": lambda: time.sleep(0.001)}
