"""What the watcher does as a whole, in a document at the root of the spool, and what all requests look like from there.

Only reads, and only whole documents, so any process may ask at any time.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from edge.appliance.arrivals import passing
from edge.appliance.disk import replace_text
from edge.appliance.spool import Spool, number
from edge.appliance.status import Status, read_status


@dataclass(frozen=True)
class Overview:
    """`note` says why no job begins, if something is in its way."""

    state: str  # working, idle, paused, stopped
    running: str = ""
    stage: str = ""
    queued: int = 0
    note: str = ""

    @property
    def words(self) -> str:
        """One line."""
        doing = f"works on {self.running}" + (f", {self.stage}" if self.stage else "") if self.running else self.state
        return f"{doing}; {self.queued} queued" + (f"; {self.note}" if self.note else "")


def write_overview(root: Path, found: Overview) -> None:
    document = {"format": 1, **asdict(found), "updated": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
    replace_text(root / "status.json", json.dumps(document, indent=1) + "\n")
    replace_text(root / "status.txt", found.words + "\n")


def read_overview(spool: Spool) -> Overview:
    """What the watcher last told; stopped, if nobody holds the lock."""
    try:
        found = json.loads((spool.root / "status.json").read_text(encoding="utf-8"))
        told = Overview(**{name: found[name] for name in Overview.__dataclass_fields__})
    except (OSError, ValueError, TypeError, KeyError):
        told = Overview("idle")
    return told if watched(spool) else Overview("stopped", queued=len(spool.ids(spool.work)), note="no watcher runs")


def watched(spool: Spool) -> bool:
    """Whether a process owns the spool now."""
    with contextlib.suppress(FileNotFoundError), (spool.root / ".lock").open("r") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def requests(spool: Spool) -> list[Status]:
    """Of every request: what runs, then what waits in its order, then what ended, the latest first."""
    open_ones = _statuses(spool, (spool.work,))
    ended = _statuses(spool, spool.ends())
    turn = sorted(open_ones, key=lambda one: (one.state != "running", -one.priority, number(one.id)))
    return [*turn, *sorted(ended, key=lambda one: number(one.id), reverse=True)]


def not_taken(spool: Spool) -> int:
    """How many names in incoming/ belong to files on their way, or to some program's own."""
    return sum(passing(path.name) for path in spool.incoming.iterdir())


def _statuses(spool: Spool, places: Sequence[Path]) -> list[Status]:
    found = []
    for place in places:
        for known in spool.ids(place):
            status = read_status(place / known)
            found.append(status or Status(known, "", "queued" if place == spool.work else place.name))
    return found
