"""A spool in memory where there is one: these tests count renames, and a disk that syncs each takes minutes."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from spool_tools import Place

MEMORY = Path("/dev/shm")


@pytest.fixture
def place() -> Iterator[Place]:
    base = MEMORY if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) else None
    root = Path(tempfile.mkdtemp(prefix="edge-spool-", dir=base))
    try:
        yield Place(root)
    finally:
        shutil.rmtree(root, ignore_errors=True)
