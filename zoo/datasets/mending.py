"""Boxes of published sets, whose errors nobody will correct any more: cut to the image, left out where nothing is left.

Sets of one's own are not mended: there an error is told, so that it can be corrected.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from zoo.datasets.common import BOX_SLACK_PX

Corner = tuple[float, float, float, float]
"""Left, top, width, height."""


@dataclass
class Mending:
    """Counts what it changes."""

    cut: int = 0
    empty: int = 0

    def box(self, box: Corner, width: int | None, height: int | None) -> Corner | None:
        """The box within an image of that size, where it is known; None where nothing of it is left."""
        x, y, w, h = box
        if not all(map(isfinite, box)) or w <= 0 or h <= 0:
            self.empty += 1
            return None
        left, right = _within(x, x + w, width)
        top, bottom = _within(y, y + h, height)
        if right <= left or bottom <= top:
            self.empty += 1
            return None
        changed = max(abs(left - x), abs(top - y), abs(right - x - w), abs(bottom - y - h)) > BOX_SLACK_PX
        self.cut += changed
        return (left, top, right - left, bottom - top) if changed else box

    @property
    def notes(self) -> tuple[str, ...]:
        """What was changed, in words."""
        return (
            *([f"{self.cut} box(es) that reach out of their images were cut to them"] if self.cut else []),
            *([f"{self.empty} box(es) without an area in their images were left out"] if self.empty else []),
        )


def _within(start: float, end: float, most: int | None) -> tuple[float, float]:
    return (max(start, 0.0), end) if most is None else (max(start, 0.0), min(end, float(most)))
