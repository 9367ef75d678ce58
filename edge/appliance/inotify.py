"""The kernel's hints that something came into a folder. Only hints: they get lost when many come, and a network file
system has none of other machines. The scan is what counts; a hint makes it come sooner.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Sequence
from pathlib import Path

# linux/inotify.h
IN_CLOSE_WRITE, IN_MOVED_TO, IN_CREATE = 0x8, 0x80, 0x100
IN_ONLYDIR = 0x01000000
EVENT = struct.Struct("iIII")  # watch, mask, cookie, bytes of the name
READ_BYTES = 64 * 1024


class Hints:
    """Watches folders; the first is the one whose renames matter.

    Raises:
        OSError: the kernel has no inotify, or no more of it for this user.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._watches = []
        for folder in folders:
            mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR
            watch = libc.inotify_add_watch(self._descriptor, os.fsencode(folder), mask)
            if watch < 0:
                code = ctypes.get_errno()
                os.close(self._descriptor)
                raise OSError(code, os.strerror(code), str(folder))
            self._watches.append(watch)

    def fileno(self) -> int:
        return self._descriptor

    def renamed(self) -> set[str]:
        """The names that were renamed into the first folder since the last call; takes all hints that wait."""
        names = set()
        while data := self._read():
            at = 0
            while at < len(data):
                watch, mask, _, length = EVENT.unpack_from(data, at)
                at += EVENT.size
                if watch == self._watches[0] and mask & IN_MOVED_TO:
                    names.add(os.fsdecode(data[at : at + length].rstrip(b"\0")))
                at += length
        return names

    def close(self) -> None:
        os.close(self._descriptor)

    def _read(self) -> bytes:
        try:
            return os.read(self._descriptor, READ_BYTES)
        except OSError as error:
            if error.errno == errno.EAGAIN:
                return b""
            raise
