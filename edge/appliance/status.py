"""The status document beside each request: status.json for programs, status.txt for people.

Renders, decides nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from edge.appliance.disk import replace_text
from edge.report import words
from edge.workdir import STEPS

MOST_AGE_S = 60.0  # of a running request's status; it is written several times a minute
STATES = {
    "queued": "waits for its turn",
    "running": "is being made",
    "done": "done",
    "failed": "failed",
    "rejected": "rejected",
    "cancelled": "cancelled",
}


@dataclass(frozen=True)
class Status:
    """All that is told of one request. Times are seconds; `left_s` is what its budget leaves."""

    id: str
    file: str
    state: str
    text: str = ""
    priority: int = 0
    budget_s: float | None = None
    stage: str = ""
    progress: str = ""
    spent_s: float | None = None
    left_s: float | None = None
    attempts: int = 0
    note: str = ""
    fact: str = ""
    hints: Sequence[str] = ()
    exit_code: int | None = None
    package: str = ""
    same_as: str = ""
    stage_s: float | None = None  # how long the stage has lasted so far
    updated: str = ""  # set when it is written


def write_status(folder: Path, status: Status) -> None:
    """Both documents. They can be made anew from the rest, so they are not synced here."""
    document = {"format": 1, **asdict(status), "updated": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
    replace_text(folder / "status.json", json.dumps(document, indent=1, ensure_ascii=True) + "\n")
    replace_text(folder / "status.txt", plain(status))


def read_status(folder: Path) -> Status | None:
    """The status of a request; None where there is none that can be read."""
    try:
        found = json.loads((folder / "status.json").read_text(encoding="utf-8"))
        return Status(**{name: found[name] for name in Status.__dataclass_fields__ if name in found})
    except (OSError, ValueError, TypeError):
        return None


def carried_on(status: Status, folder: Path) -> Status:
    """A running request's times as of now: they were written some seconds ago. A clock that jumped adds nothing."""
    try:
        age_s = time.time() - (folder / "status.json").stat().st_mtime
    except OSError:
        return status
    if status.state != "running" or not 0 < age_s < MOST_AGE_S or status.spent_s is None:
        return status
    return replace(
        status,
        spent_s=status.spent_s + age_s,
        stage_s=None if status.stage_s is None else status.stage_s + age_s,
        left_s=None if status.left_s is None else max(0.0, status.left_s - age_s),
    )


def write_reason(folder: Path, fact: str, hints: Sequence[str]) -> None:
    """Why there is no package, and the next steps, as a command would print them."""
    replace_text(folder / "reason.txt", "".join(f"{line}\n" for line in (words.sentence(fact), *indented(hints))))


def indented(hints: Sequence[str]) -> list[str]:
    return [f"  {hint}" for hint in hints]


def plain(status: Status) -> str:
    """A few lines, each with its head."""
    lines = {
        "Request": f"{status.id}  (dropped as {status.file})",
        "Text": words.printable(status.text[:500]),
        "State": STATES.get(status.state, status.state) + (f", priority {status.priority}" if status.priority else ""),
        "Stage": _stage(status.stage) if status.state == "running" else "",
        "Progress": words.printable(status.progress),
        "Time": _time(status),
        "Attempt": str(status.attempts) if status.attempts > 1 else "",
        "Note": status.note,
        "Package": status.package + (f" (the same as of {status.same_as})" if status.same_as else ""),
        "Reason": words.sentence(status.fact),
    }
    told = [f"{head:<10}{line}" for head, line in lines.items() if line]
    return "\n".join([*told, *(f"{'':<10}{hint}" for hint in status.hints)]) + "\n"


def _stage(stage: str) -> str:
    if stage not in STEPS:
        return stage or "starting"
    return f"{STEPS.index(stage) + 1} of {len(STEPS)}, {stage}: {words.STEPS.get(stage, stage)}"


def _time(status: Status) -> str:
    if status.spent_s is None:
        return ""
    spent = f"{words.duration(status.spent_s)} so far" if status.state == "running" else words.duration(status.spent_s)
    if status.left_s is None or status.state != "running":
        return spent
    return f"{spent}, about {words.duration(status.left_s)} left" if status.left_s > 0 else f"{spent}, over its budget"
