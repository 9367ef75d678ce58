"""Text with planted spans: marks are written into a text while it grows and taken out, with their places, at the end.

Knows nothing about what the marks mean.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field

_OPEN, _SEP, _CLOSE = "\x01", "\x02", "\x03"


@dataclass(frozen=True)
class Mark:
    """A span of the text and what it means: kind, label (a unit or a metric name), start, end."""

    kind: str
    label: str
    start: int
    end: int


@dataclass
class Sample:
    """One request with its answer; `marks` are in reading order."""

    text: str
    task: str
    gpu: str = "none"
    marks: list[Mark] = field(default_factory=list)


def mark(kind: str, label: str, text: str) -> str:
    return f"{_OPEN}{kind}:{label}{_SEP}{text}{_CLOSE}"


def expand(rng: random.Random, pattern: str) -> str:
    """Resolves every innermost [a|b|c] until none is left."""
    while "[" in pattern:
        pattern = re.sub(r"\[([^\[\]]*)\]", lambda m: rng.choice(m.group(1).split("|")), pattern)
    return pattern


def unmark(text: str) -> tuple[str, list[Mark]]:
    """Takes the marks out and returns them with their places in the clean text."""
    clean: list[str] = []
    marks: list[Mark] = []
    length = 0
    for piece in re.split(f"({_OPEN}[^{_SEP}]*{_SEP}[^{_CLOSE}]*{_CLOSE})", text):
        if piece.startswith(_OPEN):
            head, piece = piece[1:-1].split(_SEP)
            kind, label = head.split(":", 1)
            marks.append(Mark(kind, label, length, length + len(piece)))
        clean.append(piece)
        length += len(piece)
    return "".join(clean), marks


def outside_heads(text: str, change: Callable[[str], str]) -> str:
    """Changes the text and the marked words, but not the heads of the marks."""
    return _between(f"({_OPEN}[^{_SEP}]*{_SEP})", text, change)


def capital(text: str) -> str:
    """The text with its first letter, marked or not, in capitals."""
    return re.sub(r"^((?:\x01[^\x02]*\x02)?)(\w)", lambda m: m.group(1) + m.group(2).upper(), text)


def outside_marks(text: str, change: Callable[[str], str]) -> str:
    """Changes the text that no mark covers."""
    return _between(f"({_OPEN}[^{_CLOSE}]*{_CLOSE})", text, change)


def _between(kept: str, text: str, change: Callable[[str], str]) -> str:
    return "".join(part if part.startswith(_OPEN) else change(part) for part in re.split(kept, text))
