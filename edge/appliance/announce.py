"""Tells the owner how requests ended: a command of his that gets the result as JSON, a URL that it is posted to.

What is to be told lies in .outbox/ before the result gets its place, and goes when it was delivered: at least once,
each time with the same `event`. Attempts are written down before they are made, so that neither a receiver that is
gone nor a watcher that dies makes them endless. Both kinds are child processes: nothing here waits for anybody.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.appliance.beside import dies_with
from edge.appliance.disk import remove
from edge.appliance.entry import PLACES, Entry, State
from edge.appliance.ledger import count_told
from edge.appliance.limits import Limits
from edge.appliance.log import ERROR, WARNING, Log
from edge.appliance.spool import Spool
from edge.appliance.status import Status
from edge.report.words import printable, sentence
from zoo.supply.files import sync_folder, write_whole

FOLDER = ".outbox"
CHANNELS = ("command", "url")
MOST_TRIES = 12
PAUSES_S = (5.0, 900.0)  # after the first failure, doubled by each further one, and the longest: 66 min in all
WITHIN_S = 30.0  # that an attempt may take
DISK_PAUSE_S = 30.0
LOOK_EVERY_S = 1.0
TAIL_BYTES = 2000
POST = ("-P", "-m", "edge.appliance.post")


def event_of(entry: Entry) -> str:
    """The same however often an end is repeated, another one when the request was queued again and ends anew."""
    return f"{entry.id}.{sum(line.get('event') == 'retry' for line in entry.journal())}"


def announce(spool: Spool, limits: Limits, event: str, status: Status, state: State) -> None:
    """Put down for each kind of notification that is set what it has to tell."""
    given = {"command": limits.notify_command, "url": limits.notify_url}
    channels = [name for name in CHANNELS if given[name]]
    if channels:
        place = spool.root / FOLDER
        place.mkdir(exist_ok=True)
        told = document(spool, event, status, state)
        for name in channels:
            write_whole(place / f"{event}.{name}.json", json.dumps({"tries": 0, "event": told}).encode())


def document(spool: Spool, event: str, status: Status, state: State) -> dict[str, Any]:
    """What is told of a result. `text` is one sentence, which chat services show."""
    folder = spool.root / PLACES[state] / status.id
    report = folder / "package" / "report.html"
    why = f": {sentence(status.fact)}" if status.fact else "."
    return {
        "format": 1,
        "event": event,
        "id": status.id,
        "state": state,
        "text": printable(f"edge on {socket.gethostname()}: {status.id} is {state}{why}"),
        "request": status.text,
        "fact": status.fact,
        "hints": list(status.hints),
        "exit_code": status.exit_code,
        "spent_s": status.spent_s,
        "same_as": status.same_as,
        "folder": str(folder),
        "package": status.package,
        "report": str(report) if state == "done" else "",
        "machine": socket.gethostname(),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


@dataclass
class Attempt:
    """A child process that tells somebody something."""

    path: Path
    tries: int
    process: subprocess.Popen[bytes]
    ended: int  # a descriptor
    words: int  # a descriptor, -1 when it is closed
    until_s: float
    tail: bytes = b""
    late: bool = False

    def hear(self) -> None:
        """Keep the last that it said, never waiting."""
        with contextlib.suppress(BlockingIOError):
            while self.words >= 0:
                data = os.read(self.words, 65536)
                self.tail = (self.tail + data)[-TAIL_BYTES:]
                if not data:
                    os.close(self.words)
                    self.words = -1

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        self.kill()  # also what it left in the background
        self.process.wait()
        os.close(self.ended)
        if self.words >= 0:
            os.close(self.words)


class Announcer:
    """Delivers what lies in the outbox, one after the other."""

    def __init__(self, spool: Spool, limits: Limits, log: Log, *, pause_s: float = PAUSES_S[0]) -> None:
        self._spool, self._limits, self._log, self._pause_s = spool, limits, log, pause_s
        self._place = spool.root / FOLDER
        self._attempt: Attempt | None = None
        self._not_before_s: dict[str, float] = {}
        self._look_at_s = float("-inf")

    def open(self) -> None:
        pass

    def use(self, limits: Limits) -> None:
        self._limits = limits

    def busy(self) -> bool:
        """While an attempt is under way, or something was never tried."""
        return self._attempt is not None or any(path.name not in self._not_before_s for path in self._waiting())

    def descriptors(self) -> tuple[int, ...]:
        one = self._attempt
        if one is None:
            return ()
        return (one.ended,) if one.words < 0 else (one.ended, one.words)

    def close(self) -> None:
        """An attempt that is cut short is made again by the next watcher."""
        if self._attempt is not None:
            self._attempt.close()
            self._attempt = None

    def turn(self, now_s: float) -> float:
        try:
            return self._turn(now_s)
        except OSError as error:
            self._log(f"notifications wait, the disk refuses: {error}", WARNING)
            self._look_at_s = now_s + DISK_PAUSE_S
            return self._look_at_s

    def _turn(self, now_s: float) -> float:
        if self._attempt is not None and not self._over(self._attempt, now_s):
            return self._attempt.until_s
        if now_s < self._look_at_s:
            return self._look_at_s
        self._look_at_s = now_s + LOOK_EVERY_S
        waiting = self._waiting()
        self._not_before_s = {path.name: self._not_before_s.get(path.name, now_s) for path in waiting}
        for path in waiting:
            if self._not_before_s[path.name] <= now_s and not self._being_concluded(path):
                self._begin(path, now_s)
                if self._attempt is not None:
                    return self._attempt.until_s
        return min((due_s for due_s in self._not_before_s.values() if due_s > now_s), default=float("inf"))

    def _waiting(self) -> list[Path]:
        """By number, so that what ended first is told first."""
        return sorted(path for path in self._place.glob("*.json") if not path.name.startswith("."))

    def _being_concluded(self, path: Path) -> bool:
        """The result has no place yet: the watcher is about to give it one."""
        return (self._spool.work / path.name.partition(".")[0] / "outcome.json").exists()

    def _begin(self, path: Path, now_s: float) -> None:
        channel = path.name.split(".")[-2]
        command = self._command(channel)
        kept = _read(path)
        if command is None or kept is None:
            self._log(f"{path.name} is told to nobody: {'it is broken' if command else 'that is not set'}", WARNING)
            self._drop(path, "given up")
            return
        tries = kept["tries"] + 1
        if tries > MOST_TRIES:  # the last one was cut short by a watcher's death
            self._give_up(path, MOST_TRIES, "nobody saw how the last try ended")
            return
        write_whole(path, json.dumps({**kept, "tries": tries}).encode())
        self._attempt = self._started(path, command, kept["event"], tries, now_s)

    def _command(self, channel: str) -> list[str] | None:
        if channel == "command" and self._limits.notify_command:
            return list(self._limits.notify_command)
        return [sys.executable, *POST] if channel == "url" and self._limits.notify_url else None

    def _started(
        self, path: Path, command: Sequence[str], event: dict[str, Any], tries: int, now_s: float
    ) -> Attempt | None:
        reading, writing = os.pipe2(os.O_CLOEXEC)
        content = os.memfd_create("event")
        try:
            os.write(content, json.dumps(event, indent=1).encode() + b"\n")
            os.lseek(content, 0, os.SEEK_SET)
            process = subprocess.Popen(
                command,
                stdin=content,
                stdout=writing,
                stderr=writing,
                cwd="/",
                env={**os.environ, **variables(event), "EDGE_NOTIFY_URL": self._limits.notify_url or ""},
                start_new_session=True,
                preexec_fn=dies_with(os.getpid()),
            )
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            os.close(reading)
            self._failed(path, tries, f"{command[0]} cannot be started: {error}", now_s)
            return None
        finally:
            os.close(content)
            os.close(writing)
        os.set_blocking(reading, False)
        return Attempt(path, tries, process, os.pidfd_open(process.pid), reading, now_s + WITHIN_S)

    def _over(self, one: Attempt, now_s: float) -> bool:
        """Whether the attempt has ended; then it is put down how."""
        one.hear()
        code = one.process.poll()
        if code is None:
            if now_s >= one.until_s:
                one.late = True
                one.kill()
            return False
        one.hear()
        one.close()
        self._attempt = None
        self._look_at_s = float("-inf")
        if code == 0:
            self._drop(one.path, "delivered")
            self._log(f"told by {one.path.name.split('.')[-2]}", job=one.path.name.partition(".")[0])
        else:
            said = printable(one.tail.decode("utf-8", errors="replace").strip()[-300:])
            how = f"took longer than {WITHIN_S:.0f} s" if one.late else f"ended with {code}"
            self._failed(one.path, one.tries, f"it {how}" + (f" and said: {said}" if said else ""), now_s)
        return True

    def _failed(self, path: Path, tries: int, why: str, now_s: float) -> None:
        if tries >= MOST_TRIES:
            self._give_up(path, tries, why)
            return
        pause_s = min(self._pause_s * 2 ** (tries - 1), PAUSES_S[1])
        self._not_before_s[path.name] = now_s + pause_s
        self._log(f"notification {path.name}, try {tries} of {MOST_TRIES}: {why}", WARNING)

    def _give_up(self, path: Path, tries: int, why: str) -> None:
        self._log(f"notification {path.name} is given up after {tries} tries: {why}", ERROR)
        self._drop(path, "given up")

    def _drop(self, path: Path, how: str) -> None:
        """Counted first: what is counted twice after a kill was also told twice."""
        count_told(self._spool, how)
        remove(path)
        sync_folder(path.parent)
        self._not_before_s.pop(path.name, None)


def variables(event: dict[str, Any]) -> dict[str, str]:
    """What a command may want without reading JSON; nothing that others wrote, so that no shell can trip over it."""
    names = {"EVENT": "event", "ID": "id", "STATE": "state", "FOLDER": "folder", "PACKAGE": "package"}
    return {f"EDGE_RESULT_{name}": str(event.get(key, "")) for name, key in names.items()}


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {"tries": int(found["tries"]), "event": dict(found["event"])}
    except (ValueError, KeyError, TypeError):
        return None
