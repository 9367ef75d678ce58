"""The request that is worked on: its worker, what that told, and how it is asked to end."""

from __future__ import annotations

import contextlib
import json
import math
import time
from dataclasses import dataclass, field
from typing import Any

from edge.appliance.entry import Entry
from edge.appliance.limits import Limits
from edge.appliance.queue import Ticket
from edge.appliance.worker import Worker
from edge.report import words


@dataclass
class Run:
    """One attempt. Times are of the monotonic clock."""

    ticket: Ticket
    worker: Worker
    before_s: float  # what earlier attempts spent on steps that are finished
    stage: str = ""
    progress: str = ""
    stage_at_s: float = field(default_factory=time.monotonic)
    written_at_s: float = float("-inf")
    asked_at_s: float | None = None
    cancelled: bool = False
    hung: bool = False

    def hear(self) -> tuple[bool, bool]:
        """Take the worker's events: whether there were any, and whether the stage is another one."""
        stage, events = self.stage, self.worker.events()
        for event in events:
            self.stage, self.progress = event.step, event.message
        if self.stage != stage:
            self.stage_at_s = time.monotonic()
        return bool(events), self.stage != stage

    def spent(self) -> dict[str, Any]:
        """Fields of the status: where it stands, what it took so far, and what the budget leaves."""
        spent_s = round(self.before_s + time.monotonic() - self.worker.began_at_s, 1)
        left_s = max(0.0, round(self.ticket.order.budget_s - spent_s, 1))
        stage_s = round(time.monotonic() - self.stage_at_s, 1)
        return {
            "stage": self.stage,
            "progress": self.progress,
            "spent_s": spent_s,
            "left_s": left_s,
            "stage_s": stage_s,
        }

    def left(self) -> str:
        """What its budget leaves, in a few words that change once a minute."""
        minutes = math.ceil(self.spent()["left_s"] / 60)
        return f"at most {words.duration(60.0 * minutes)} left" if minutes else "over its budget"

    def ask_to_stop(self) -> bool:
        """As Ctrl-C does, once; whether this was the first time."""
        if self.asked_at_s is not None:
            return False
        self.asked_at_s = time.monotonic()
        self.worker.interrupt()
        return True

    def overdue(self, now_s: float, limits: Limits) -> bool:
        """Whether it must be killed: silent for too long, or still there long after it was asked to stop."""
        self.hung = self.hung or now_s - self.worker.heard_at_s >= limits.hang
        return self.hung or (self.asked_at_s is not None and now_s - self.asked_at_s >= limits.grace)

    def next_s(self, limits: Limits) -> float:
        """When `overdue` may become true."""
        hang_s = self.worker.heard_at_s + limits.hang
        return hang_s if self.asked_at_s is None else min(hang_s, self.asked_at_s + limits.grace)


def seconds_kept(entry: Entry) -> float:
    """What the finished steps of a job took."""
    total = 0.0
    for path in (entry.job / "steps").glob("*.json"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            total += float(json.loads(path.read_text(encoding="utf-8"))["seconds"])
    return total
