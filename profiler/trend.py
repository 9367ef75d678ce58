"""Whether a row of medians rises with time. Knows nothing about where they come from.

Theil-Sen's slope with its interval (scipy.stats.theilslopes; Sen, JASA 63, 1968) takes the medians as independent
around a line; where neighbours resemble each other the interval is too narrow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

LEAST = 6
"""Fewer windows have no interval at 95 %."""

TIE = 0.03
"""A change over the whole time that is too small to matter: as in `profiler.race`."""


class Course(StrEnum):
    """What became of the speed."""

    STEADY = "STEADY"
    SLOWER = "SLOWER"
    FASTER = "FASTER"
    CANT_TELL = "CANT_TELL"


@dataclass(frozen=True)
class Trend:
    """Change of the median latency in per cent per minute, with its 95 % interval; None with too few windows."""

    course: Course
    percent_per_min: float | None = None
    interval: tuple[float, float] | None = None

    def __str__(self) -> str:
        """In words."""
        if self.course in (Course.SLOWER, Course.FASTER) and self.percent_per_min is not None:
            return f"{self.course.lower()} by {abs(self.percent_per_min):.2g} %/min"
        return "steady" if self.course is Course.STEADY else "can't tell"


def trend(at_s: Sequence[float], medians_ms: Sequence[float]) -> Trend:
    """STEADY if all of the interval stays within 3 % over the time seen, SLOWER or FASTER if none of it touches 0."""
    if len(medians_ms) < LEAST:
        return Trend(Course.CANT_TELL)
    from scipy.stats import theilslopes

    usual, span_s = median(medians_ms), max(at_s) - min(at_s)
    slope, _, low, high = (float(value) for value in theilslopes(medians_ms, at_s, 0.95))
    per_min = 6000 / usual
    change = [end * span_s / usual for end in (low, high)]
    course = Course.CANT_TELL
    if max(map(abs, change)) <= TIE:
        course = Course.STEADY
    elif low > 0:
        course = Course.SLOWER
    elif high < 0:
        course = Course.FASTER
    return Trend(course, slope * per_min, (low * per_min, high * per_min))
