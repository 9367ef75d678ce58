"""The unfinished file of a transfer: bytes on disk, their running hash, and what the server called them.

Knows nothing about where they come from. It does not trust what it finds: bytes of an earlier call are hashed again.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import IO, Any, Final, Self

from zoo.supply.errors import FetchDiskError
from zoo.supply.files import CHUNK_BYTES, sync_folder

HEAD_BYTES: Final = 4
GO_ON: Final = "run the same command again: it goes on where it stopped"


class Part:
    """Notes lie beside the file as NAME.json, written before the first byte; without them it is started again."""

    def __init__(self, path: Path, origin: str) -> None:
        """Takes up what an earlier call left, if it came from the same origin. Raises FetchDiskError."""
        self.path = path
        self.size = 0
        self.head = b""
        """The first bytes, HEAD_BYTES at most."""
        self.validator: str | None = None
        """By what the server knows whether the file is still the same."""
        self.total: int | None = None
        self._origin = origin
        self._notes = path.with_name(path.name + ".json")
        self._digest = hashlib.sha256()
        try:
            self._file = _opened(path, "ab" if self._reread() else "wb")
        except OSError as error:
            raise disk_error(path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # what could not be written has been told already
            self._file.close()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def check_room(self, whole: int | None) -> None:
        """Raises FetchDiskError where the disk cannot take the rest of a file of that size."""
        free = shutil.disk_usage(self.path.parent).free
        if whole is not None and whole - self.size > free:
            fact = f"{megabytes(whole - self.size)} are still to come, and {self.path.parent} has"
            raise FetchDiskError(f"{fact} {megabytes(free)} free", "free some space, or give another --folder")

    def append(self, data: bytes) -> None:
        """Raises FetchDiskError; what was written before stays."""
        try:
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            raise disk_error(self.path, error, self.size) from error
        self._count(data)

    def restart(self, validator: str | None = None, total: int | None = None) -> None:
        """Empties the file, and notes whose bytes are to come. Raises FetchDiskError."""
        self._forget()
        self.validator, self.total = validator, total
        notes = {"origin": self._origin, "validator": validator, "total": total}
        aside = self._notes.with_name(self._notes.name + ".new")
        try:
            self._file.truncate(0)
            aside.write_text(json.dumps(notes), encoding="utf-8")
            aside.replace(self._notes)
        except OSError as error:
            raise disk_error(self.path, error) from error

    def remove(self) -> None:
        """Takes the file and its notes away."""
        self._forget()
        self.path.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)

    def become(self, target: Path) -> None:
        """Gives the whole file its final name, so that it survives a power cut. Raises FetchDiskError."""
        try:
            os.fsync(self._file.fileno())
            self._file.close()
            self.path.replace(target)
            self._notes.unlink(missing_ok=True)
            sync_folder(target.parent)
        except OSError as error:
            raise disk_error(target, error, self.size) from error

    def _forget(self) -> None:
        self.size, self.head, self._digest = 0, b"", hashlib.sha256()
        self.validator = self.total = None

    def _count(self, data: bytes) -> None:
        self.size += len(data)
        self.head += data[: HEAD_BYTES - len(self.head)]
        self._digest.update(data)

    def _reread(self) -> bool:
        notes = _noted(self._notes)
        if notes.get("origin") != self._origin or not self.path.is_file():
            return False
        validator, total = notes.get("validator"), notes.get("total")
        self.validator = validator if isinstance(validator, str) else None
        self.total = total if isinstance(total, int) else None
        with self.path.open("rb") as file:
            while data := file.read(CHUNK_BYTES):
                self._count(data)
        return True


def _opened(path: Path, mode: str) -> IO[Any]:
    """Tests put a full disk in its place."""
    return path.open(mode)


def _noted(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return {}


def disk_error(path: Path, error: OSError, kept_bytes: int = 0) -> FetchDiskError:
    """Puts an operating system's refusal into a sentence with a next step."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        kept = f"; {megabytes(kept_bytes)} are kept" if kept_bytes else ""
        return FetchDiskError(f"the disk of {path.parent} is full{kept}", f"free some space and {GO_ON}")
    reason = error.strerror or str(error)
    return FetchDiskError(f"cannot write {path}: {reason}", "give a folder you may write to: --folder DIR")


def megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.1f} MB"
