"""What can be wrong with data and vocabulary, one class per kind; knows nothing about who shows the message."""

from collections.abc import Iterable, Sequence
from typing import Self

SHOWN = 10
"""How many offenders a message lists before it only counts them: a screenful."""


class ZooError(Exception):
    """Anything this package refuses; the notes are hints for the next step."""

    @classmethod
    def because(cls, fact: str, *hints: str) -> Self:
        """The error that states `fact`, with `hints` attached as notes (PEP 678)."""
        error = cls(fact)
        for hint in hints:
            error.add_note(hint)
        return error


class ExplainedError(Exception):
    """A fact as its message and the next step as its note."""

    def __init__(self, fact: str, next_step: str) -> None:
        super().__init__(fact)
        self.add_note(next_step)


class UnknownTask(ZooError):
    """The task is not in the vocabulary."""


class FormatError(ZooError):
    """The folder is in none of the known data set formats, or in more than one."""


class AnnotationError(ZooError):
    """The folder's format is known, but its content contradicts itself."""


class SplitError(ZooError):
    """The samples cannot be divided into training, validation and test parts as asked."""


class LabelError(ZooError):
    """A requested object has no class, or more than one, in the data set."""


class MergeError(ZooError):
    """Data sets that cannot be used together."""


class ScoreError(ZooError):
    """Arrays given to a score do not fit together."""


class DemoError(ZooError):
    """The demonstration data cannot be written."""


def listed(items: Iterable[object], shown: int = SHOWN) -> str:
    """`a, b, c and 7 more`."""
    names: Sequence[str] = [str(item) for item in items]
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")
