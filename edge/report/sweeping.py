"""A sweep in words, as it goes. Knows no terminal."""

from __future__ import annotations

from edge.profiling.row import Row
from edge.profiling.sweep import Ended, Progress
from edge.report import words


def how_far(progress: Progress) -> str:
    """Before what is going on."""
    left = "" if progress.left_s is None else f", {words.duration(progress.left_s)} left"
    return f"model {progress.at} of {progress.total}{left}: "


def row_line(row: Row) -> str:
    """One measured or failed form."""
    form = f"{row.subject.title:<38} {row.key.engine:<12} {row.key.precision:<5}"
    if row.state == "failed":
        return f"{form} failed: {row.reason[:160]}"
    return f"{form} {words.milliseconds(row.median_ms()):>10} median {words.rate(row.fps()):>12} at p90"


def ending(ended: Ended) -> str:
    """The last line."""
    left = f"; no time for {len(ended.left)}, --resume goes on with them" if ended.left else ""
    return f"{ended.measured} measured, {ended.failed} failed, in {words.duration(ended.seconds)}{left}"
