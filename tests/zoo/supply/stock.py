"""Small files that look like checkpoints, and how they are fetched from a server on this machine. Not a test."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import random
from pathlib import Path
from typing import Any

from file_server import Site, Told

from zoo.supply.published import Checkpoint
from zoo.supply.store import Store
from zoo.supply.transfer import Patience
from zoo.supply.weights import Outcome, fetch_all

QUICK = Patience(tries=3, first_wait_s=0.01, longest_wait_s=0.05, timeout_s=10)  # long: a busy machine is no silence


def content(seed: int, size: int = 300_000) -> bytes:
    """Begins as torch's files do."""
    return b"PK\x03\x04" + random.Random(seed).randbytes(size)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def named(stem: str, data: bytes) -> str:
    """As OpenMMLab publishes it."""
    return f"{stem}-{sha256(data)[:8]}.pth"


def put(site: Site, stem: str, data: bytes, file: str | None = None, names: tuple[str, ...] = ()) -> Checkpoint:
    """Gives the site a file, and says how it is published."""
    file = file or named(stem, data)
    site.files[file] = data
    address = site.address.replace("model.gguf", file)
    return Checkpoint(address, "mmpretrain", names or (f"{stem}_8xb32_in1k",), "Apache-2.0")


def bring(store: Store, *wanted: Checkpoint, told: Told | None = None, **given: Any) -> list[Outcome]:
    told = told or Told()
    return list(fetch_all(wanted, store, lambda _: told, **{"patience": QUICK, **given}))


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


class FullDisk(io.FileIO):
    """Takes so many bytes and no more."""

    room = 100_000

    def write(self, data: Any) -> int:
        self.room -= len(data)
        if self.room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)
