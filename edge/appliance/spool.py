"""The spool: five folders on one disk, a lock for their one owner, a number for each request, and wishes left for him.

    incoming/  ->  work/ID/  ->  done/ID/ | failed/ID/ | rejected/ID/

Knows nothing of what a request says. What it does not cover: a spool shared by two machines over a file system whose
locks do not reach the other one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge.appliance.disk import move, remove
from edge.errors import BadRequest, Busy, StorageError
from edge.workdir import storage_error
from zoo.supply.files import sync_folder, write_whole
from zoo.supply.places import data_folder

ENDS = ("done", "failed", "rejected")
FOLDERS = ("incoming", "work", *ENDS, "control", ".trash")
ID = re.compile(r"(\d{6,12})-[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
SLUG = 40  # characters of a file's name that its ID keeps
WISH = re.compile(rf"(cancel|retry|afresh)-({ID.pattern})", re.ASCII)

Act = Literal["cancel", "retry", "afresh"]


@dataclass(frozen=True)
class Wish:
    """What another process asks the owner to do with a request; the file goes when it is done."""

    act: Act
    id: str
    path: Path


def default_spool() -> Path:
    """$XDG_DATA_HOME/edge/spool, or ~/.local/share/edge/spool."""
    return data_folder() / "spool"


class Spool:
    """The folders. Only whoever holds the lock changes what is in work/ or takes something from incoming/."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.incoming, self.work, self.done = root / "incoming", root / "work", root / "done"
        self.failed, self.rejected = root / "failed", root / "rejected"
        self.control, self.trash = root / "control", root / ".trash"
        self._highest = 0

    @classmethod
    def made(cls, root: Path) -> Spool:
        """The spool at `root`, with all its folders.

        Raises:
            StorageError: they cannot be made, are links, or lie on several disks, where no rename is whole.
        """
        try:
            for name in FOLDERS:
                (root / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _refused(root, error) from error
        found = {name: (root / name).lstat() for name in FOLDERS}
        links = [name for name, seen in found.items() if not stat.S_ISDIR(seen.st_mode)]
        if links:
            raise StorageError(f"{root / links[0]} is a link", "Make it a folder, or link to the whole spool instead.")
        disk = root.stat().st_dev
        elsewhere = [name for name, seen in found.items() if seen.st_dev != disk]
        if elsewhere:
            raise StorageError(
                f"{root / elsewhere[0]} lies on another disk than {root}",
                "Requests are claimed by renaming, which needs one disk: mount the whole spool.",
            )
        return cls(root)

    @classmethod
    def existing(cls, root: Path) -> Spool:
        """The spool at `root`, if it is one.

        Raises:
            BadRequest: it is not.
        """
        if not (root / "incoming").is_dir() or not (root / "work").is_dir():
            raise BadRequest(f"{root} is no spool", "Name it with --spool DIR, or start `edge watch`, which makes it.")
        return cls(root)

    @contextlib.contextmanager
    def owned(self) -> Iterator[None]:
        """Be the owner.

        Raises:
            Busy: another process is.
            StorageError: the lock cannot be written.
        """
        try:
            lock = (self.root / ".lock").open("a+")
        except OSError as error:
            raise _refused(self.root, error) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                lock.seek(0)
                who = lock.read(20).strip()
                raise Busy(
                    f"another edge process{f' ({who})' if who.isdigit() else ''} watches {self.root}",
                    "`edge queue list` shows what it does; one watcher per spool is enough.",
                ) from error
            with contextlib.suppress(OSError):  # the number is a courtesy; a full disk must not keep the owner out
                lock.truncate(0)
                lock.write(str(os.getpid()))
                lock.flush()
            yield

    def ids(self, folder: Path) -> list[str]:
        """The requests in one of the folders, oldest first."""
        try:
            names = [path.name for path in folder.iterdir()]
        except FileNotFoundError:
            return []
        return sorted((name for name in names if ID.fullmatch(name)), key=number)

    def find(self, word: str) -> Path | None:
        """The folder of a request, by its ID or its number; nothing else ever becomes a path."""
        if not re.fullmatch(r"[a-z0-9-]{1,64}", word, re.ASCII):
            return None
        for folder in (self.work, *self.ends()):
            for known in self.ids(folder):
                if known == word or (word.isdigit() and number(known) == int(word)):
                    return folder / known
        return None

    def ends(self) -> tuple[Path, Path, Path]:
        return self.done, self.failed, self.rejected

    def reserve(self, count: int) -> range:
        """So many numbers that no request ever had. Smaller means older, whatever the clock says."""
        path = self.root / ".number"
        if not self._highest:
            kept = path.read_text(encoding="ascii", errors="replace").strip() if path.is_file() else ""
            known = [number(name) for folder in (self.work, *self.ends()) for name in self.ids(folder)]
            self._highest = max(0, *known, int(kept) if kept.isdigit() else 0)
        first = self._highest + 1
        write_whole(path, str(first + count - 1).encode())
        self._highest = first + count - 1
        return range(first, first + count)

    def wish(self, act: Act, wanted: str) -> Path:
        """Leave a wish for the owner."""
        path = self.control / f"{act}-{wanted}"
        path.touch()
        sync_folder(self.control)
        return path

    def wishes(self) -> list[Wish]:
        """What others asked for; whatever else lies there is swept away."""
        found = []
        for path in sorted(self.control.iterdir()):
            matched = WISH.fullmatch(path.name)
            if matched is None:
                remove(path)
            else:
                found.append(Wish(matched[1], matched[2], path))  # type: ignore[arg-type]
        return found

    def discard(self, folder: Path) -> None:
        """Delete a request's folder: out of sight by one rename, then piece by piece."""
        aside = self.trash / f"{folder.name}.{secrets.token_hex(4)}"
        try:
            move(folder, aside)
        except FileNotFoundError:
            return  # another process was quicker
        remove(aside)

    def sweep(self) -> None:
        """Delete what an interrupted `discard` left."""
        for path in self.trash.iterdir():
            remove(path)


def number(known: str) -> int:
    """000012-cars -> 12."""
    return int(known.partition("-")[0])


def id_of(count: int, name: str) -> str:
    """(12, "Cars & vans.txt") -> "000012-cars-vans"; whatever a name holds, the ID is harmless."""
    words = re.findall(r"[a-z0-9]+", os.path.splitext(name)[0].lower(), re.ASCII)  # noqa: PTH122
    return f"{count:06d}-{'-'.join(words)[:SLUG].strip('-') or 'request'}"


def _refused(root: Path, error: OSError) -> StorageError:
    refusal = storage_error(root, error)
    return StorageError(str(refusal), "Give a folder this user may write to: --spool DIR.")
