"""The one place where the service says what happens: plain lines on standard error, or entries of systemd's journal
with fields to search by, where standard error leads there.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from typing import Final

from edge.report.words import printable

JOURNAL: Final = "/run/systemd/journal/socket"
ERROR, WARNING, INFO = 3, 4, 6  # syslog(3)


class Log:
    """Says one line; fields are what a reader searches by."""

    def __init__(self, *, quiet: bool = False) -> None:
        """`quiet` says warnings and errors only."""
        self._journal = _journal()
        self._least = WARNING if quiet else INFO

    def __call__(self, message: str, level: int = INFO, *, job: str = "", stage: str = "", verdict: str = "") -> None:
        if level > self._least:
            return
        fields = {"JOB_ID": job, "STAGE": stage, "VERDICT": verdict}
        given = {name: value for name, value in fields.items() if value}
        if self._journal is not None:
            with contextlib.suppress(OSError):  # a journal that is gone must not end the service
                self._journal.send(
                    entry({"MESSAGE": message, "PRIORITY": str(level), "SYSLOG_IDENTIFIER": "edge", **given})
                )
                return
        line = printable(f"{job}: {message}" if job else message)
        with contextlib.suppress(OSError):  # nobody reads a closed terminal
            print(line, file=sys.stderr, flush=True)


def entry(fields: dict[str, str]) -> bytes:
    """The journal's native format: NAME=value, or the length before a value of several lines.

    Source: systemd, "Native Journal Protocol".
    """
    parts = []
    for name, value in fields.items():
        raw = value.encode("utf-8", errors="backslashreplace")
        if b"\n" in raw:
            parts.append(name.encode() + b"\n" + len(raw).to_bytes(8, "little") + raw + b"\n")
        else:
            parts.append(name.encode() + b"=" + raw + b"\n")
    return b"".join(parts)


def _journal() -> socket.socket | None:
    """A socket, if standard error is what systemd connected to its journal: $JOURNAL_STREAM is its device:inode."""
    with contextlib.suppress(OSError, ValueError):
        device, inode = map(int, os.environ.get("JOURNAL_STREAM", "").split(":"))
        seen = os.fstat(2)
        if (seen.st_dev, seen.st_ino) == (device, inode):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            sock.connect(JOURNAL)
            return sock
    return None
