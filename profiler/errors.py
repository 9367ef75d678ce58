"""What can be wrong with a measurement as a whole; a failing candidate is a Profile with `error`, not one of these."""

from typing import Self


class ProfilerError(Exception):
    """Anything this package refuses; the notes are hints for the next step."""

    @classmethod
    def because(cls, fact: str, *hints: str) -> Self:
        """The error that states `fact`, with `hints` attached as notes (PEP 678)."""
        error = cls(fact)
        for hint in hints:
            error.add_note(hint)
        return error


class BadSamples(ProfilerError):
    """Latencies, a limit or a share that no statement can be made about."""


class BadPlan(ProfilerError):
    """The measurement cannot be started as asked."""


class ChildFailed(ProfilerError):
    """The candidate's process crashed, hung, ran out of memory or refused a command."""
