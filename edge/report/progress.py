"""One line of progress on standard error that rewrites itself on a terminal, and stays rare in a log file."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Thing = TypeVar("Thing")

LOG_EVERY_S = 20.0  # without a terminal: often enough to see life, rare enough to read


class ProgressLine:
    """Shows the latest message only."""

    def __init__(self) -> None:
        self._tty = sys.stderr.isatty()
        self._shown = False
        self._last = time.monotonic()

    def say(self, message: str) -> None:
        """Replace the line by `message`; without a terminal print at most one every LOG_EVERY_S."""
        if self._tty:
            width = shutil.get_terminal_size().columns - 3
            sys.stderr.write(f"\r\x1b[K  {message[:width]}")
            sys.stderr.flush()
            self._shown = True
        elif time.monotonic() - self._last >= LOG_EVERY_S:
            print(f"  {message}", file=sys.stderr, flush=True)
            self._last = time.monotonic()

    def clear(self) -> None:
        """Take the line away before something lasting is printed."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = False


def counted(things: Iterable[Thing], total: int) -> Iterator[Thing]:
    """The same things, with a line that says how many have come."""
    line = ProgressLine()
    for number, thing in enumerate(things, start=1):
        line.say(f"{number} of {total}")
        yield thing
    line.clear()
