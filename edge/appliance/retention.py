"""What is deleted of finished requests, and when: by age, by total size.

Age is counted on a clock of its own, which only runs while a watcher does: a wall clock that jumps deletes nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.appliance.entry import Entry
from edge.appliance.spool import Spool
from zoo.supply.files import write_whole


class WatchedClock:
    """Seconds that watchers have watched this spool, kept in a file."""

    def __init__(self, root: Path) -> None:
        self._path = root / ".watched"
        try:
            kept = float(self._path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            kept = 0.0
        self._kept_s = kept if 0 <= kept < 1e12 else 0.0
        self._began_s = time.monotonic()

    def now_s(self) -> float:
        return self._kept_s + time.monotonic() - self._began_s

    def save(self) -> None:
        write_whole(self._path, f"{self.now_s():.0f}".encode())


@dataclass(frozen=True)
class Result:
    """A finished request, when it ended on the watched clock, and what it holds on the disk."""

    folder: Path
    ended_s: float
    size_bytes: int


def results(spool: Spool) -> list[Result]:
    """Every finished request, the one that ended first before the others; a shared file counts where it is first."""
    counted: set[tuple[int, int]] = set()
    found = []
    for place in spool.ends():
        for known in spool.ids(place):
            outcome = Entry(place / known).outcome()
            found.append(Result(place / known, outcome.watched_s if outcome else 0.0, _size(place / known, counted)))
    return sorted(found, key=lambda one: (one.ended_s, one.folder.name))


def overdue(found: Sequence[Result], now_s: float, keep_s: float | None, keep_bytes: int | None) -> list[Path]:
    """What goes: all that is older than `keep_s`, then the oldest until the rest is no more than `keep_bytes`."""
    goes = [one for one in found if keep_s is not None and now_s - one.ended_s > keep_s]
    rest = [one for one in found if one not in goes]
    total = sum(one.size_bytes for one in rest)
    while keep_bytes is not None and rest and total > keep_bytes:
        total -= rest[0].size_bytes
        goes.append(rest.pop(0))
    return [one.folder for one in goes]


def _size(folder: Path, counted: set[tuple[int, int]]) -> int:
    size = 0
    for place, _, files in os.walk(folder):
        for name in files:
            try:
                seen = Path(place, name).lstat()
            except FileNotFoundError:
                continue
            if (seen.st_dev, seen.st_ino) not in counted:
                counted.add((seen.st_dev, seen.st_ino))
                size += seen.st_blocks * 512
    return size
