"""How many requests ended how, ever: counters that restarts and deleted results do not change.

One small document at the root of the spool, written whole before a result gets its place. The events counted last are
in it, so that an end that is repeated after a kill is counted once. Where the document is missing or cannot be read, it
begins with what the spool holds.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field, replace
from typing import Any, get_args

from edge.appliance.entry import Entry, State
from edge.appliance.spool import Spool
from zoo.supply.files import write_whole

NAME = ".finished.json"
RECENT = 64  # more ends than can be under way when a watcher dies
TOLD = ("delivered", "given up")  # how a notification ends


@dataclass(frozen=True)
class Ledger:
    """`last` is the time of the latest end, in seconds since 1970; 0 where there was none."""

    finished: dict[str, int] = field(default_factory=lambda: dict.fromkeys(get_args(State), 0))
    told: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TOLD, 0))
    last: float = 0.0
    recent: tuple[str, ...] = ()


def read_ledger(spool: Spool) -> Ledger:
    """The counters as they stand."""
    try:
        return _ledger(json.loads((spool.root / NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return _of_results(spool)


def begin_ledger(spool: Spool) -> None:
    """From the first start on the document is there, so that results deleted later stay counted."""
    if not (spool.root / NAME).exists():
        _write(spool, _of_results(spool))


def count_end(spool: Spool, event: str, state: State) -> None:
    """Another request ended; the same event a second time is not counted."""
    before = read_ledger(spool)
    if event not in before.recent:
        finished = {**before.finished, state: before.finished[state] + 1}
        recent = (*before.recent, event)[-RECENT:]
        _write(spool, replace(before, finished=finished, recent=recent, last=round(time.time(), 3)))


def count_told(spool: Spool, how: str) -> None:
    """Another notification was delivered or given up."""
    before = read_ledger(spool)
    _write(spool, replace(before, told={**before.told, how: before.told[how] + 1}))


def _write(spool: Spool, found: Ledger) -> None:
    write_whole(spool.root / NAME, json.dumps({"format": 1, **asdict(found)}).encode())


def _ledger(document: dict[str, Any]) -> Ledger:
    return Ledger(
        {name: int(document["finished"][name]) for name in get_args(State)},
        {name: int(document["told"][name]) for name in TOLD},
        float(document["last"]),
        tuple(map(str, document["recent"])),
    )


def _of_results(spool: Spool) -> Ledger:
    """From what is there: all that is known of a spool that was not counted before."""
    found = Ledger()
    for place in spool.ends():
        for known in spool.ids(place):
            outcome = Entry(place / known).outcome()
            if outcome is not None and outcome.state in found.finished:
                found.finished[outcome.state] += 1
    return found
