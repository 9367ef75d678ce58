"""One request's folder, the same from claim to end: the file as it was dropped, its journal, and its outcome.

request/NAME     the dropped file, moved here by the claim
journal.jsonl    attempts, written before each begins, and how each ended; each line is synced
outcome.json     how the request ended, written before anything is tidied up
job/             the folder of `edge produce`
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from edge.appliance.spool import number
from zoo.supply.files import sync_folder, write_whole

State = Literal["done", "failed", "rejected", "cancelled"]
PLACES: dict[State, str] = {"done": "done", "failed": "failed", "cancelled": "failed", "rejected": "rejected"}
DEATHS_PER_CRASH = 5  # of the watcher beside a worker, each without a step finished: rarely the request's fault


@dataclass(frozen=True)
class Outcome:
    """How a request ended: a fact and the next steps, and the request whose package is the same."""

    state: State
    fact: str = ""
    hints: tuple[str, ...] = ()
    exit_code: int | None = None
    same_as: str = ""
    watched_s: float = 0.0  # on the clock that only runs while a watcher does; ages are of that clock


@dataclass(frozen=True)
class Entry:
    """The folder."""

    folder: Path

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def number(self) -> int:
        return number(self.folder.name)

    @property
    def job(self) -> Path:
        return self.folder / "job"

    @property
    def package(self) -> Path:
        return self.folder / "package"

    @property
    def log(self) -> Path:
        return self.folder / "worker.log"

    def dropped(self) -> Path | None:
        """The request's file; None if the claim was cut short before it came."""
        place = self.folder / "request"
        try:
            names = [path.name for path in place.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return None
        return place / min(names) if names else None

    def note(self, event: str, **facts: Any) -> None:
        """A line of the journal, on the disk when this returns."""
        path = self.folder / "journal.jsonl"
        line = json.dumps({"time": round(time.time(), 3), "event": event, **facts})
        new = not path.exists()
        # a line that a power cut tore apart must not swallow this one, hence the line break before it
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{'' if new else chr(10)}{line}")
            file.flush()
            os.fsync(file.fileno())
        if new:
            sync_folder(self.folder)

    def journal(self) -> list[dict[str, Any]]:
        """What was noted; a torn line is none."""
        try:
            lines = (self.folder / "journal.jsonl").read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        found = []
        for line in lines:
            try:
                one = json.loads(line)
            except ValueError:
                continue
            if isinstance(one, dict):
                found.append(one)
        return found

    def steps(self) -> int:
        """How many steps the job has finished."""
        return len(list((self.job / "steps").glob("*.json")))

    def decide(self, outcome: Outcome) -> None:
        write_whole(self.folder / "outcome.json", json.dumps(asdict(outcome), indent=1).encode())

    def outcome(self) -> Outcome | None:
        """How it ended, if that is decided. It is written whole or not at all."""
        try:
            found = json.loads((self.folder / "outcome.json").read_text(encoding="utf-8"))
            return Outcome(**{**found, "hints": tuple(found["hints"])})
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None


@dataclass(frozen=True)
class Attempts:
    """What a journal says of a request's attempts since it was last put back into the queue."""

    begun: int = 0
    crashes: int = 0
    machine: str = ""  # on which the job's folder was begun; empty if there was no attempt
    unended: dict[str, Any] | None = None  # the last one's line, if the watcher or the machine went down during it


def attempts(lines: Sequence[dict[str, Any]]) -> Attempts:
    """Count them; several that were lost with the watcher alone make one crash."""
    begun = crashes = lost = 0
    machine, unended = "", None
    for one in lines:
        event = one.get("event")
        if event == "retry":
            begun, crashes, lost, unended = 0, 0, 0, None
        elif event == "attempt":
            begun, machine, unended = begun + 1, str(one.get("machine", "")), one
        elif event == "end":
            unended = None
            crashes += one.get("how") == "crashed"
            lost += one.get("how") == "lost"
    return Attempts(begun, crashes + lost // DEATHS_PER_CRASH, machine, unended)


def end_of(unended: dict[str, Any], steps_now: int, boot: str) -> str:
    """How an attempt ended that nobody saw end: it may have taken the machine down with it, unless it got on."""
    if steps_now > int(unended.get("steps", 0)):
        return "stopped"
    return "lost" if unended.get("boot") == boot else "crashed"


def boot_id() -> str:
    """A word that is another one after the machine was started again."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
