"""Two measured rows held against each other, in words. Knows no database; it is `profiler.compare` that compares."""

from __future__ import annotations

from edge.profiling.row import Row
from edge.report.leaderboard import notes
from profiler.canary import APART, MEMORY_APART
from profiler.compare import Comparison


def reference(row: Row) -> str:
    """How a row is called on the command line."""
    return f"{row.subject.title}:{row.key.engine}:{row.key.precision}:{row.key.threads}"


def sentence(one: Row, other: Row, scope: str, found: Comparison) -> str:
    """The outcome with its interval."""
    names = [f"{row.subject.title} on {row.key.engine} {row.key.precision}" for row in (one, other)]
    low, high = found.interval
    return (
        f"{names[0]} ({one.median_ms(scope):.3g} ms) is {found.outcome.value} beside {names[1]} "
        f"({other.median_ms(scope):.3g} ms), {scope}: "
        f"ratio of the medians {found.ratio:.3f}, 95 % interval {low:.3f} to {high:.3f}"
    )


def unlike(one: Row, other: Row) -> dict[str, float]:
    """What of the machine was not as fast beside one row as beside the other: how many times slower for the first."""
    told = (
        ("machine itself", one.pace_beside(other), APART),
        ("way to memory", one.memory_beside(other), MEMORY_APART),
    )
    return {what: apart for what, apart, enough in told if apart is not None and not 1 / enough <= apart <= enough}


def doubts(one: Row, other: Row) -> list[str]:
    """What the interval does not know of: other circumstances, and what each row says against itself."""
    found = []
    if one.run != other.run:
        found.append("they were measured in different sweeps, and from one to the next 3 % is usual")
    decided_by = ("threads", "power_mode", *(["engine_version"] if one.key.engine == other.key.engine else []))
    for name in decided_by:
        mine, theirs = getattr(one.key, name), getattr(other.key, name)
        if mine != theirs:
            found.append(f"{name.replace('_', ' ')} {mine} beside {theirs}")
    for what, apart in unlike(one, other).items():
        slower = reference(one if apart > 1 else other)
        found.append(f"the {what} was {max(apart, 1 / apart) - 1:.0%} slower while {slower} ran")
    return found + [f"{reference(row)} is {said}" for row in (one, other) if (said := notes(row))]
