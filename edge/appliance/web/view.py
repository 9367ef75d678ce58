"""What the page shows, read from the spool: few files, each again only when it has changed, because jobs are timed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.appliance.arrivals import passing
from edge.appliance.disk import free_bytes
from edge.appliance.overview import Overview, read_overview
from edge.appliance.spool import WISH, Spool, number
from edge.appliance.status import Status, carried_on, read_status
from edge.appliance.web.inside import open_inside
from edge.report.words import OVERALL
from edge.workdir import STEPS

SHOWN = 50  # of what waits, and of what ended
MOST_MANIFEST = 1 << 20  # bytes


@dataclass(frozen=True)
class Result:
    """A request that ended; `place` is the folder it lies in, `overall` how good its package is."""

    status: Status
    place: str
    overall: str
    report: bool
    log: bool


@dataclass(frozen=True)
class View:
    """One moment. `asked` holds what was wished of requests and not done yet: "cancel-ID"."""

    overview: Overview
    running: Status | None
    waiting: tuple[Status, ...]
    ended: tuple[Result, ...]
    open_count: int
    counts: dict[str, int]
    arriving: int
    free_bytes: int
    asked: frozenset[str]

    @property
    def waiting_count(self) -> int:
        return self.open_count - (self.running is not None)

    @property
    def ended_count(self) -> int:
        return sum(self.counts.values())

    def steps(self) -> list[tuple[str, str]]:
        """Every step with done, current or to come."""
        stage = self.running.stage if self.running else ""
        at = STEPS.index(stage) if stage in STEPS else -1
        return [(name, "done" if n < at else "current" if n == at else "to come") for n, name in enumerate(STEPS)]


@dataclass
class Memory:
    """Documents that were read, by what their files looked like; those not asked for in a round are forgotten."""

    _known: dict[Path, tuple[tuple[int, int, int], Any]] = field(default_factory=dict)
    _before: dict[Path, tuple[tuple[int, int, int], Any]] = field(default_factory=dict)

    def begin(self) -> None:
        self._before, self._known = self._known, {}

    def get(self, path: Path, read: Callable[[], Any]) -> Any:
        """What `read` gives, or gave when the file was the same; None if there is no file."""
        try:
            seen = path.stat(follow_symlinks=False)
        except OSError:
            return None
        mark = (seen.st_ino, seen.st_size, seen.st_mtime_ns)
        known = self._before.get(path)
        self._known[path] = known if known is not None and known[0] == mark else (mark, read())
        return self._known[path][1]


@dataclass
class Reader:
    """Looks at one spool, again and again."""

    spool: Spool
    _memory: Memory = field(default_factory=Memory)

    def view(self) -> View:
        spool = self.spool
        overview = read_overview(spool)
        self._memory.begin()
        open_ones = [self._status(spool.work / known, "queued") for known in spool.ids(spool.work)]
        turn = sorted(open_ones, key=lambda one: (-one.priority, number(one.id)))
        running = next((one for one in turn if one.id == overview.running), None)
        ends = {place.name: spool.ids(place) for place in spool.ends()}
        latest = sorted(((number(known), known, place) for place in ends for known in ends[place]), reverse=True)
        return View(
            overview,
            carried_on(running, spool.work / running.id) if running else None,
            tuple(one for one in turn if one is not running)[:SHOWN],
            tuple(self._result(spool.root / place / known) for _, known, place in latest[:SHOWN]),
            len(open_ones),
            {place: len(found) for place, found in ends.items()},
            sum(not passing(path.name) for path in spool.incoming.iterdir()),
            free_bytes(spool.root),
            frozenset(path.name for path in spool.control.iterdir() if WISH.fullmatch(path.name)),
        )

    def _status(self, folder: Path, state: str) -> Status:
        found: Status | None = self._memory.get(folder / "status.json", lambda: read_status(folder))
        return found or Status(folder.name, "", state)

    def _result(self, folder: Path) -> Result:
        package = folder / "package"
        overall = self._memory.get(package / "manifest.json", lambda: self._overall(folder)) or ""
        status = self._status(folder, folder.parent.name)
        return Result(
            status, folder.parent.name, overall, (package / "report.html").is_file(), (folder / "worker.log").is_file()
        )

    def _overall(self, folder: Path) -> str:
        found = open_inside(self.spool.root, folder.parent.name, folder.name, "package", "manifest.json")
        if found is None:
            return ""
        with found[0] as file:
            try:
                word = json.loads(file.read(MOST_MANIFEST))["overall"]
            except (ValueError, KeyError, TypeError):
                return ""
        return word if word in OVERALL else ""
