"""What the end of a worker means for its request. Pure but for the worker's log, which has the words."""

from __future__ import annotations

import shlex
import signal

from edge.appliance.entry import Entry, Outcome, State
from edge.appliance.spool import default_spool
from edge.appliance.worker import told
from edge.errors import Exit
from edge.report import words

VERDICTS: dict[int, State] = {
    Exit.BAD_REQUEST: "rejected",
    Exit.USAGE: "failed",
    Exit.INFEASIBLE: "failed",
    Exit.DATA: "failed",
    Exit.BACKEND: "failed",
    Exit.VERIFICATION: "failed",
    Exit.ENVIRONMENT: "failed",
}
"""Exit codes that another attempt would not change. All others but 0 count as a crash."""


def outcome_of(entry: Entry, code: int, *, cancelled: bool) -> Outcome | None:
    """How the request ended; None if its worker did not get that far."""
    if code == Exit.OK:
        return Outcome("done", exit_code=code)
    if cancelled:
        return Outcome("cancelled", "it was cancelled", (again(entry),))
    if code not in VERDICTS:
        return None
    fact, hints = told(entry.log)
    return Outcome(
        VERDICTS[code],
        fact or f"the job ended with exit code {code}",
        (*hints, f"The whole log is {entry.log.name} beside this file.", again(entry), afresh(entry)),
        code,
    )


def crash(entry: Entry, code: int, silent_s: float | None) -> str:
    """What happened to a worker that came to no end of its own."""
    if silent_s is not None:
        return f"the worker told nothing for {words.duration(silent_s)}"
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        return f"the worker was killed by {name}"
    fact, _ = told(entry.log)
    return f"the worker ended with exit code {code}" + (f": {fact}" if fact else "")


def set_aside(entry: Entry, crashes: int) -> Outcome:
    """The request that brought its worker down too often."""
    ends = [line for line in entry.journal() if line.get("event") == "end" and line.get("how") != "stopped"]
    last = f", at last because {ends[-1].get('why')}" if ends else ""
    return Outcome(
        "failed",
        f"the worker crashed {words.plural(crashes, 'time')}{last}",
        (f"The log of all attempts is {entry.log.name} beside this file.", again(entry), afresh(entry)),
    )


def again(entry: Entry) -> str:
    return f"`{retry(entry)}` queues it again and keeps the steps that are finished."


def afresh(entry: Entry) -> str:
    return f"`{retry(entry)} --afresh` makes everything anew: data, measurements, training."


def retry(entry: Entry) -> str:
    """The command, as it must be typed for this spool."""
    root = entry.folder.parent.parent
    elsewhere = "" if root == default_spool() else f" --spool {shlex.quote(str(root))}"
    return f"edge queue retry {entry.id}{elsewhere}"
