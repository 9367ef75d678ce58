"""Brings one file into its place: once, whole, and only if it is the right one.

It comes into NAME.part, goes on there after any interruption, and gets its name when its hash is right.
Where no hash is given it protects against nothing but cut-short files: use addresses you trust.
"""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from zoo.supply.errors import FetchBusyError, FetchDiskError, WrongFileError
from zoo.supply.files import sha256_of
from zoo.supply.part import Part
from zoo.supply.transfer import Kind, Patience, Progress, Transfer, shown

DEFAULT_PATIENCE: Final = Patience()
PART: Final = ".part"
"""Added to the whole name of a file that is not complete."""
WHOLE_HASH: Final = 64
"""Hexadecimal digits of a sha256."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be fetched, and where to; None for what nobody knows beforehand."""

    name: str
    """As people are told of it."""
    address: str
    target: Path
    sha256: str | None
    """In small letters; the first digits alone where no more of them are published."""
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class Fetched:
    """What lies at an order's target: its hash where it was taken, and whether it came just now."""

    sha256: str | None
    came: bool


def part_path(target: Path) -> Path:
    """Where a file lies while it comes."""
    return target.with_name(target.name + PART)


def fetch(order: Order, kind: Kind, progress: Progress, patience: Patience = DEFAULT_PATIENCE) -> Fetched:
    """Brings the file, unless it is there; one that is there under no known hash is taken as it is, which is told.

    Raises:
        FetchError: one of its kinds; what came so far is kept, unless it is the wrong file.
    """
    with locked(order.target, f"is {kind.doing} {order.name}", kind.wait):
        if (there := _there(order, kind, progress)) is not None:
            return there
        with Part(part_path(order.target), shown(order.address)) as part:
            _bring(order, kind, part, progress, patience)
            part.become(order.target)
            return Fetched(part.sha256, True)


@contextmanager
def locked(target: Path, busy: str, wait: str) -> Iterator[None]:
    """Keeps a second process out for as long as the first one lives, however it ends."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = target.with_name(f".{target.name}.lock").open("w")
    except OSError as error:
        fact = f"cannot write to {target.parent}: {error.strerror or error}"
        raise FetchDiskError(fact, "give a folder you may write to: --folder DIR") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FetchBusyError(f"another process {busy} into {target.parent}", wait) from error
        yield


def fill(part: Part, sha256: str | None, progress: Progress, source: Callable[[], None]) -> bool:
    """Fills a part from its source and says whether it is the right file.

    A part from an earlier call that turns out damaged is filled anew, once.
    """
    continued = part.size > 0
    source()
    if fits(part.sha256, sha256) or not continued:
        return fits(part.sha256, sha256)
    progress.told("what was left of an earlier call does not fit; starting again")
    part.restart()
    return fill(part, sha256, progress, source)


def fits(found: str, wanted: str | None) -> bool:
    """Whether a hash is the one wanted, or begins as it should."""
    return found.startswith(wanted or "")


def _there(order: Order, kind: Kind, progress: Progress) -> Fetched | None:
    if not order.target.is_file():
        return None
    if order.sha256 is None:
        progress.told(f"{order.target} is there already; {kind.unchecked}")
        return Fetched(None, False)
    found = sha256_of(order.target, progress.moved)
    if fits(found, order.sha256):
        return Fetched(found, False)
    progress.told(f"{order.target} is there, but has another hash; it is replaced once the right file has come")
    return None


def _bring(order: Order, kind: Kind, part: Part, progress: Progress, patience: Patience) -> None:
    transfer = Transfer(order.address, kind, part, progress, patience, order.size_bytes)
    if not fill(part, order.sha256, progress, transfer.run):
        wanted = f"{'' if len(order.sha256 or '') == WHOLE_HASH else 'one that begins with '}{order.sha256}"
        fact = f"{shown(order.address)} has the sha256 {part.sha256}, not {wanted}; it was thrown away"
        part.remove()
        raise WrongFileError(fact, "do not use the file: it was changed, on the server or on the way")
    if order.sha256 is None:
        progress.told(f"sha256 {part.sha256}, not checked against anything")
