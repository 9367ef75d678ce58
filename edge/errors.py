"""Every way a command can end badly, each with its own exit code. One handler in cli.py prints them."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes; docs/EXIT_CODES.md is generated from this table."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    BAD_REQUEST = 3
    INFEASIBLE = 4
    DATA = 5
    BACKEND = 6
    VERIFICATION = 7
    BUSY = 8
    STORAGE = 9
    ENVIRONMENT = 10
    INTERRUPTED = 130


class EdgeError(Exception):
    """Something edge can explain: a fact, and hints naming the next step."""

    exit_code = Exit.INTERNAL

    def __init__(self, fact: str, *hints: str) -> None:
        super().__init__(fact)
        for hint in hints:
            self.add_note(hint)


class BadRequest(EdgeError):
    """The request cannot be read as a request for a vision model, or asks for what edge does not build."""

    exit_code = Exit.BAD_REQUEST


class Infeasible(EdgeError):
    """No candidate meets the hard constraints on this machine."""

    exit_code = Exit.INFEASIBLE


class DataError(EdgeError):
    """The data is missing, broken, or does not hold what the request asks for."""

    exit_code = Exit.DATA


class BackendMissing(EdgeError):
    """The inference engine asked for is not available on this machine."""

    exit_code = Exit.BACKEND


class VerificationFailed(EdgeError):
    """A package does not hold what it promises."""

    exit_code = Exit.VERIFICATION


class ParityFailed(VerificationFailed):
    """A converted model does not answer as the PyTorch model does."""


class Busy(EdgeError):
    """Another process works in the same folder."""

    exit_code = Exit.BUSY


class StorageError(EdgeError):
    """A file could not be written or read back: full disk, read-only disk, no permission."""

    exit_code = Exit.STORAGE


class EnvironmentBroken(EdgeError):
    """A piece of the installation is missing or broken."""

    exit_code = Exit.ENVIRONMENT


class Interrupted(EdgeError):
    """The user asked to stop; finished steps are kept."""

    exit_code = Exit.INTERRUPTED
