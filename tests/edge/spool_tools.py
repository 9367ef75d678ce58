"""A watcher with a fake worker, for the tests of the appliance; run as a script it is a process of its own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge.appliance.beside import Company
from edge.appliance.entry import Entry
from edge.appliance.likeness import Likeness
from edge.appliance.limits import Limits
from edge.appliance.log import Log
from edge.appliance.loop import Trade, Watcher
from edge.appliance.notify import Nobody, Notifier
from edge.appliance.order import Order
from edge.appliance.spool import Spool

JOB = Path(__file__).with_name("appliance") / "fake_job.sh"
# what lies there is whole: tests that ask when a file is say so themselves
QUICK = Limits(settle=0.0, scan=0.1, hang=30.0, grace=5.0, least_free=0)


def trade(ran: Path, machine: str = "this") -> Trade:
    """The fake worker; no two requests are the same unless their text is."""

    def command(entry: Entry, arguments: Sequence[str], events: int) -> list[str]:
        return ["/bin/bash", str(JOB), str(entry.job), str(events), str(ran), arguments[-1]]

    def likeness(order: Order) -> Likeness:
        return Likeness(f"{order.text} {machine}" if "same" in order.text else "", machine)

    return Trade(command, likeness)


class Place:
    """A spool with what its fake workers did beside it."""

    def __init__(self, root: Path) -> None:
        self.spool = Spool.made(root / "spool")
        self.ran = root / "ran"
        self.ran.mkdir(exist_ok=True)

    def drop(self, name: str, content: str | bytes = "detect cars") -> Path:
        """As a careful program does: written aside, then renamed."""
        aside = self.spool.root.parent / f".{abs(hash(name))}.aside"
        aside.write_bytes(content.encode() if isinstance(content, str) else content)
        return aside.rename(self.spool.incoming / name)

    def watcher(
        self,
        limits: Limits = QUICK,
        machine: str = "this",
        notifier: Notifier | None = None,
        company: Company | None = None,
    ) -> Watcher:
        return Watcher(
            self.spool,
            limits,
            trade(self.ran, machine),
            notifier or Nobody(),
            Log(quiet=True),
            company=company,
            retry_after_s=0.0,
        )

    def run(self, limits: Limits = QUICK, machine: str = "this") -> None:
        """Until nothing is left."""
        self.watcher(limits, machine).watch(once=True)

    def ended(self) -> dict[str, str]:
        """Where each dropped file ended, by its name; a request that is there twice is a fault."""
        found: dict[str, str] = {}
        for place in self.spool.ends():
            for known in self.spool.ids(place):
                file = Entry(place / known).dropped()
                assert file is not None
                assert file.name not in found, f"{file.name} has two results"
                found[file.name] = place.name
        return found

    def only(self, place: str) -> Path:
        """The folder of the one request there."""
        (folder,) = (self.spool.root / place).iterdir()
        return folder

    def status(self, folder: Path) -> dict[str, Any]:
        return dict(json.loads((folder / "status.json").read_text()))

    def steps(self) -> dict[str, list[str]]:
        """The steps that were worked on, by request."""
        return {path.name: path.read_text().split() for path in self.ran.iterdir()}


def with_page(place: Place, limits: Limits) -> Company:
    """At a port of its own, which standard error tells."""
    from edge.appliance.address import Address
    from edge.appliance.web.process import Page

    return Company(Log(), Page(place.spool, limits, Address("127.0.0.1", 0), Log()))


if __name__ == "__main__":
    place = Place(Path(sys.argv[1]))
    limits = replace(QUICK, http_token=place.spool.root.parent / "token" if "--token" in sys.argv else None)
    company = with_page(place, limits) if "--http" in sys.argv else None
    place.watcher(limits, company=company).watch(once="--once" in sys.argv)
    assert os.getpid()
