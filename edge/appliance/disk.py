"""Small moves on a disk that survive a power cut, and reads that no file can trick: links are never followed, and a
FIFO or a device never makes anyone wait.

Raises what the operating system raises.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import stat
from pathlib import Path

from zoo.supply.files import sync_folder

REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM, errno.ESTALE)
"""What a disk says that is full, read-only, broken, or gone: a reason to wait, not to end."""


AT_FDCWD, RENAME_NOREPLACE = -100, 1  # linux/fcntl.h, linux/fs.h


class NotAFile(Exception):
    """What lies there is no ordinary file; the message says what it is."""


KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISCHR, "a device"),
)


def read_small(path: Path, most_bytes: int) -> bytes:
    """The content of an ordinary file, at most one byte more than `most_bytes`.

    Raises:
        NotAFile: it is something else, which was not opened.
    """
    refuse_strange(path.lstat().st_mode)
    # the name may have come to mean a FIFO since then, hence not blocking, and looking again
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        refuse_strange(os.fstat(descriptor).st_mode)
        return file.read(most_bytes + 1)


def refuse_strange(mode: int) -> None:
    for is_kind, words in KINDS:
        if is_kind(mode):
            raise NotAFile(words)


def sync_file(path: Path) -> None:
    """Let an ordinary file's content survive a power cut; anything else, and what may not be read, is left alone."""
    try:
        refuse_strange(path.lstat().st_mode)
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (NotAFile, PermissionError):
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """The same for all below a folder, and for the folders themselves."""
    for place, _, files in os.walk(folder):
        for name in files:
            sync_file(Path(place, name))
        sync_folder(Path(place))


def move(source: Path, target: Path) -> None:
    """Rename, durably on both sides; whatever was synced before is whole under its new name."""
    source.rename(target)
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)


def move_new(source: Path, target: Path) -> None:
    """Rename where nothing has that name yet.

    Raises:
        FileExistsError: something has.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(source), os.fsencode(target)
    if libc.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_NOREPLACE) == 0:
        sync_folder(target.parent)
        return
    code = ctypes.get_errno()
    if code not in (errno.EINVAL, errno.ENOSYS):
        raise OSError(code, os.strerror(code), str(target))
    os.link(source, target)  # NFS cannot rename so
    source.unlink()
    sync_folder(target.parent)


def replace_text(path: Path, text: str) -> None:
    """Whole or as before for whoever reads, but not synced: for documents that are written anew every few seconds."""
    aside = path.with_name(f".{path.name}.partial")
    aside.write_text(text, encoding="utf-8", errors="backslashreplace")
    aside.replace(path)


def remove(path: Path) -> None:
    """Whatever it is, and nothing that it points to; what is gone already is fine."""
    try:
        if stat.S_ISDIR(path.lstat().st_mode):
            shutil.rmtree(path)
        else:
            path.unlink()
    except FileNotFoundError:
        return


def tree_bytes(folder: Path) -> int:
    """What all below a folder occupies."""
    size = 0
    for place, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(FileNotFoundError):
                size += Path(place, name).lstat().st_blocks * 512
    return size


def free_bytes(folder: Path) -> int:
    """What an ordinary user may still write on that disk."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
