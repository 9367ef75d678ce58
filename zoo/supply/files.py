"""Whole files or none, and their hashes. Raises what the operating system raises; the words are for its callers."""

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

CHUNK_BYTES: Final = 1 << 20


def write_whole(path: Path, data: bytes) -> None:
    """Write beside, sync, rename, sync the folder: `path` holds all of `data` or what it held before."""
    aside = path.with_name(f".{path.name}.partial")
    try:
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno == errno.ENOSPC:
            aside.unlink(missing_ok=True)
        raise
    aside.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names given in this folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path, moved: Callable[[int, int | None], None] | None = None) -> str:
    """Hex digest of a file's content; `moved` is told the bytes read and their whole number."""
    digest, done, whole = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as file:
        while data := file.read(CHUNK_BYTES):
            digest.update(data)
            done += len(data)
            if moved is not None:
                moved(done, whole)
    return digest.hexdigest()
