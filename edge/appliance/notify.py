"""What systemd is told: ready, what is being done, and signs of life.

A sign of life means that work moves: the loop gives one when the worker told something or nothing is to be done, never
by a timer of its own, so that a service that hangs is restarted.
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING, Protocol


class Notifier(Protocol):
    """Tells a supervisor."""

    def ready(self) -> None: ...

    def status(self, words: str) -> None: ...

    def alive(self) -> None: ...

    def stopping(self) -> None: ...


class Nobody:
    """No supervisor."""

    def ready(self) -> None:
        pass

    def status(self, words: str) -> None:
        pass

    def alive(self) -> None:
        pass

    def stopping(self) -> None:
        pass


class Systemd:
    """sd_notify(3) over its socket; a manager that is gone is not waited for."""

    def __init__(self, address: str) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    def ready(self) -> None:
        self._tell("READY=1")

    def status(self, words: str) -> None:
        self._tell(f"STATUS={' '.join(words.split())}")

    def alive(self) -> None:
        self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        self._tell("STOPPING=1")

    def _tell(self, line: str) -> None:
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, kind) as manager:
            manager.sendto(line.encode("utf-8", errors="backslashreplace"), self._address)


def notifier() -> Notifier:
    """Systemd where $NOTIFY_SOCKET says so."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    return Systemd(address) if address[:1] in ("/", "@") else Nobody()


if TYPE_CHECKING:
    _fits: tuple[Notifier, ...] = (Nobody(), Systemd(""))
