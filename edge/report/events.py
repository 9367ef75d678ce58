"""A job's progress for another process: one JSON line per change of a step and per message, on a descriptor it gave.

    {"step": "train", "state": "start", "message": ""}
    {"step": "train", "state": "", "message": "iteration 20 of 300, 41 s left"}

Whoever listens may be slow or gone: then lines are lost, and the job goes on.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass

from edge.errors import BadRequest

SAY_EVERY_S = 1.0  # messages: often enough to follow, rare enough not to disturb what is timed
MOST_CHARACTERS = 500  # with all of them escaped still below what a pipe takes whole (4096 bytes, pipe(7))


@dataclass(frozen=True)
class Event:
    """A step that changed its state, or a message within it."""

    step: str
    state: str
    message: str


class EventWriter:
    """Writes to a descriptor that was inherited.

    Raises:
        BadRequest: there is no such descriptor.
    """

    def __init__(self, descriptor: int) -> None:
        try:
            os.set_blocking(descriptor, False)
            os.set_inheritable(descriptor, False)
        except OSError as error:
            raise BadRequest(f"--events {descriptor} is no open descriptor", "It is for programs only.") from error
        self._descriptor = descriptor
        self._step = ""
        self._said_at = float("-inf")

    def step(self, name: str, state: str) -> None:
        self._step = name
        self._write(Event(name, state, ""))

    def say(self, message: str) -> None:
        now = time.monotonic()
        if now - self._said_at >= SAY_EVERY_S:
            self._said_at = now
            self._write(Event(self._step, "", message[:MOST_CHARACTERS]))

    def _write(self, event: Event) -> None:
        line = json.dumps(asdict(event)).encode() + b"\n"
        try:
            os.write(self._descriptor, line)
        except OSError:  # full or closed: see above
            return


def read_event(line: bytes) -> Event | None:
    """The event of a line; None where it is none."""
    try:
        found = json.loads(line)
        return Event(str(found["step"]), str(found["state"]), str(found["message"]))
    except (ValueError, KeyError, TypeError):
        return None
