"""What systemd is told: ready, what is being done, and signs of life.

A sign of life means that work moves: the loop gives one when the worker told something or nothing is to be done, never
by a timer of its own, so that a service that hangs is restarted.
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING, Protocol

MARGIN_S = 60.0  # for what comes behind the end of a worker: its descendants ended, its files synced


class Notifier(Protocol):
    """Tells a supervisor."""

    def ready(self) -> None: ...

    def patience(self, silent_s: float) -> None: ...

    def status(self, words: str) -> None: ...

    def alive(self) -> None: ...

    def stopping(self, within_s: float = 0.0) -> None: ...


class Nobody:
    """No supervisor."""

    def ready(self) -> None:
        pass

    def patience(self, silent_s: float) -> None:
        pass

    def status(self, words: str) -> None:
        pass

    def alive(self) -> None:
        pass

    def stopping(self, within_s: float = 0.0) -> None:
        pass


class Systemd:
    """sd_notify(3) over its socket; a manager that is gone is not waited for."""

    def __init__(self, address: str, *, watchdog: bool = False) -> None:
        """`watchdog` says whether the manager waits for signs of life at all."""
        self._watchdog = watchdog
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    def ready(self) -> None:
        self._tell("READY=1")

    def patience(self, silent_s: float) -> None:
        """A worker may be silent for so long and is then ended; the manager waits a little longer than that."""
        if self._watchdog:
            self._tell(f"WATCHDOG_USEC={int((silent_s + MARGIN_S) * 1e6)}")

    def status(self, words: str) -> None:
        self._tell(f"STATUS={' '.join(words.split())}")

    def alive(self) -> None:
        self._tell("WATCHDOG=1")

    def stopping(self, within_s: float = 0.0) -> None:
        """It ends after at most so long, whatever the unit's own limit is."""
        self._tell("STOPPING=1")
        if within_s:
            self._tell(f"EXTEND_TIMEOUT_USEC={int((within_s + MARGIN_S) * 1e6)}")

    def _tell(self, line: str) -> None:
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, kind) as manager:
            manager.sendto(line.encode("utf-8", errors="backslashreplace"), self._address)


def notifier() -> Notifier:
    """Systemd where $NOTIFY_SOCKET says so."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return Nobody()
    return Systemd(address, watchdog="WATCHDOG_USEC" in os.environ)


if TYPE_CHECKING:
    _fits: tuple[Notifier, ...] = (Nobody(), Systemd(""))
