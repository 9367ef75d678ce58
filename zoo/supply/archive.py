"""Plain tar, as strict as can be: regular files with plain names, one after the other, and nothing behind them.

Written without anything that would differ from one machine or day to the next. Read by its headers alone, so that a
file cut short, or one made to harm, is known for what it is before a byte of its content is used.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from zoo.supply.errors import BundleError

BLOCK: Final = tarfile.BLOCKSIZE
END: Final = bytes(2 * BLOCK)
"""Two empty blocks end a tar file."""
COPY_AGAIN: Final = "make or copy the bundle again"


@dataclass(frozen=True, slots=True)
class Member:
    """Where a file's content lies in the archive."""

    name: str
    offset: int
    size_bytes: int


def header(name: str, size_bytes: int) -> bytes:
    """The block before a file's content: no owner, no time, readable for everyone."""
    info = tarfile.TarInfo(name)
    info.size = size_bytes
    return info.tobuf(tarfile.GNU_FORMAT, "ascii", "strict")


def padding(size_bytes: int) -> bytes:
    """What fills the last block of a file's content."""
    return bytes(-size_bytes % BLOCK)


def members(file: IO[bytes], path: Path) -> Iterator[Member]:
    """The files of an archive in their order.

    Raises:
        BundleError: it is cut short, damaged, holds anything but regular files, or goes on behind its end.
    """
    whole = file.seek(0, 2)
    place = 0
    while (block := _block(file, path, place)) != bytes(BLOCK):
        info = _parsed(block, path, place)
        offset = place + BLOCK
        place = offset + info.size + len(padding(info.size))
        if place > whole:
            raise BundleError(f"{path} is cut short: it ends within {info.name!r}", COPY_AGAIN)
        yield Member(info.name, offset, info.size)
    if whole - place != len(END) or _block(file, path, place + BLOCK) != bytes(BLOCK):
        fact = f"{path} does not end at byte {place + len(END):,}, where its files end"
        raise BundleError(fact, COPY_AGAIN)


def _block(file: IO[bytes], path: Path, place: int) -> bytes:
    file.seek(place)
    block = file.read(BLOCK)
    if len(block) < BLOCK:
        raise BundleError(f"{path} is cut short: it ends at byte {place + len(block):,}", COPY_AGAIN)
    return block


def _parsed(block: bytes, path: Path, place: int) -> tarfile.TarInfo:
    try:
        info = tarfile.TarInfo.frombuf(block, "ascii", "strict")
    except (tarfile.HeaderError, ValueError) as error:
        fact = f"{path} is damaged at byte {place:,}" if place else f"{path} is no bundle"
        raise BundleError(fact, COPY_AGAIN) from error
    if info.type != tarfile.REGTYPE or info.size < 0:
        raise BundleError(f"{path} holds {info.name!r}, which is no regular file", "use bundles that edge made")
    return info
