"""Opens files below a folder, and nothing else: no link is followed on the way, and only ordinary files are opened."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def open_inside(root: Path, *names: str) -> tuple[BinaryIO, int] | None:
    """The file and its size; None if there is none that may be shown. `names` are single names, one per folder."""
    if not names or not all(map(_is_name, names)):
        return None
    here = -1
    try:
        here = os.open(root, FOLDER)
        for name in names[:-1]:
            below = os.open(name, FOLDER | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = below
        found = os.open(names[-1], FILE, dir_fd=here)
    except OSError:
        return None
    finally:
        if here >= 0:
            os.close(here)
    seen = os.fstat(found)
    if not stat.S_ISREG(seen.st_mode):
        os.close(found)
        return None
    return os.fdopen(found, "rb"), seen.st_size


def _is_name(name: str) -> bool:
    return bool(name) and name not in (".", "..") and "/" not in name and "\0" not in name
