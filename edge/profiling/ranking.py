"""Which of the measured candidates comes first: the rule that choosing and the search for candidates share."""

from __future__ import annotations

from collections.abc import Sequence

from edge.records import Measured
from edge.trainers.pace import LEAST_UPDATES


def ranked(candidates: Sequence[Measured]) -> list[Measured]:
    """Those that hold every hard constraint, best expected first."""
    return sorted((item for item in candidates if item.holds), key=lambda item: item.preference)


def first_choice(candidates: Sequence[Measured]) -> Measured | None:
    """The best expected that holds and gets the least number of training updates; else the one that gets most."""
    ordered = ranked(candidates)
    trainable = (item for item in ordered if (item.updates or 0) >= LEAST_UPDATES)
    return next(trainable, None) or max(ordered, key=lambda item: item.updates or 0, default=None)
