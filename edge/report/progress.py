"""One line of progress on standard error that rewrites itself on a terminal, and stays rare in a log file."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from edge.report import words

Thing = TypeVar("Thing")

SAY_EVERY_S = 0.2  # bytes: often enough to look alive, rare enough to cost nothing
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


class BytesLine:
    """Progress of one file: how much, how fast, how long still; `behind_bytes` come after it in other files."""

    def __init__(self, name: str, behind_bytes: int = 0) -> None:
        self._name = name
        self._behind = behind_bytes
        self._line = ProgressLine()
        self._told_at = 0.0
        self._began: tuple[float, int] | None = None
        """Time and bytes of the first report, from which the pace is reckoned."""

    def moved(self, done_bytes: int, total_bytes: int | None) -> None:
        now = time.monotonic()
        if self._began is None or done_bytes < self._began[1]:
            self._began = (now, done_bytes)
        if now - self._told_at < SAY_EVERY_S:
            return
        self._told_at = now
        told = f"{self._name}: {words.size(done_bytes)}"
        if total_bytes:
            told += f" of {words.size(total_bytes)}, {words.share(done_bytes / total_bytes)}"
        pace = (done_bytes - self._began[1]) / max(now - self._began[0], 1e-9)
        if pace > 0 and now - self._began[0] > 1:
            left = (total_bytes or done_bytes) - done_bytes
            told += f", {words.size(pace)}/s"
            told += f", {words.duration(left / pace)} left" if total_bytes else ""
            told += f", {words.duration((left + self._behind) / pace)} for all" if self._behind else ""
        self._line.say(told)

    def told(self, notice: str) -> None:
        """A line that stays."""
        self.clear()
        print(f"  {notice}", file=sys.stderr, flush=True)

    def clear(self) -> None:
        self._line.clear()
