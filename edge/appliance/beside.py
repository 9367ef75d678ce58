"""What the watcher looks after beside its work: the status page, the metrics file, notifications.

Each gets a turn in every round. Nothing of it waits, and whatever goes wrong in it is told and costs no job anything.
"""

from __future__ import annotations

import ctypes
import os
import signal
import traceback
from collections.abc import Callable
from typing import Protocol, Self

from edge.appliance.limits import Limits
from edge.appliance.log import ERROR, Log

PR_SET_PDEATHSIG = 1  # linux/prctl.h
AFTER_FAULT_S = 60.0  # to the next turn of something that failed


class Beside(Protocol):
    """Times are of the monotonic clock."""

    def open(self) -> None:
        """The spool is the watcher's now. Only here an error may end it: what cannot begin is told at once."""

    def use(self, limits: Limits) -> None:
        """Other settings from now on."""

    def turn(self, now_s: float) -> float:
        """Do what is due; gives when the next turn is."""

    def descriptors(self) -> tuple[int, ...]:
        """Readable when a turn is due sooner."""

    def busy(self) -> bool:
        """Whether `--once` has to wait for it."""

    def close(self) -> None:
        """The watcher ends."""


class Company:
    """All of them, so that the watcher's loop need not know how many there are, or survive their faults itself."""

    def __init__(self, log: Log, *members: Beside) -> None:
        self._log, self._members = log, members
        self._due_s = dict.fromkeys(range(len(members)), float("-inf"))
        self._failed: set[int] = set()

    def use(self, limits: Limits) -> None:
        for at, one in enumerate(self._members):
            self._guarded(at, lambda one=one: one.use(limits))  # type: ignore[misc]
            self._due_s[at] = float("-inf")

    def turn(self, now_s: float) -> float:
        for at, one in enumerate(self._members):
            if at in self._failed and now_s < self._due_s[at]:
                continue
            self._failed.discard(at)
            self._due_s[at] = now_s + AFTER_FAULT_S
            self._guarded(at, lambda at=at, one=one: self._due_s.update({at: one.turn(now_s)}))  # type: ignore[misc]
        return min(self._due_s.values(), default=float("inf"))

    def descriptors(self) -> tuple[int, ...]:
        working = (one for at, one in enumerate(self._members) if at not in self._failed)
        return tuple(descriptor for one in working for descriptor in one.descriptors())

    def busy(self) -> bool:
        return any(one.busy() for at, one in enumerate(self._members) if at not in self._failed)

    def __enter__(self) -> Self:
        for one in self._members:
            one.open()
        return self

    def __exit__(self, *_: object) -> None:
        for at, one in enumerate(self._members):
            self._guarded(at, one.close)

    def _guarded(self, at: int, do: Callable[[], object]) -> None:
        try:
            do()
        except Exception:  # a fault in here must not end a watcher whose job has worked for hours
            self._failed.add(at)
            self._log(f"{type(self._members[at]).__name__} failed:\n{traceback.format_exc()}", ERROR)


def dies_with(parent: int) -> Callable[[], None]:
    """For a child between fork and exec: the kernel ends it with its parent, and Ctrl-C reaches the parent alone."""
    libc = ctypes.CDLL(None)

    def prepare() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return prepare
