"""The watcher's own settings: flag > EDGE_WATCH_* > [watch] of the settings file > default."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import BadRequest
from edge.settings import Readers, resolve_table, seconds

TABLE = "watch"


@dataclass(frozen=True)
class Limits:
    """How patient, how often, how much. Times are seconds, sizes bytes."""

    spool: Path | None = None  # the watched folder; None takes $XDG_DATA_HOME/edge/spool
    settle: float = 2.0  # a file that did not change for so long is whole: longer than a slow network pauses
    scan: float = 5.0  # time between two looks; most files are taken sooner, by the kernel's hint
    crashes: int = 3  # of the worker, after which a request is set aside
    hang: float = 1800.0  # a worker that tells nothing for so long is ended; the longest silence is scoring test images
    grace: float = 60.0  # from asking a worker to stop to killing it: enough for a checkpoint
    least_free: int = 2_000_000_000  # bytes on the spool's disk, below which no job begins
    keep_for: float | None = None  # age at which results are deleted, in time watched; None keeps them
    keep_size: int | None = None  # most bytes of all results together; None keeps them
    data_below: Path | None = None  # requests may name folders of data only in here; None lets them name any


def resolve_limits(**flags: Any) -> Limits:
    """The settings that hold now.

    Raises:
        BadRequest: a value has the wrong type; all faults are named.
    """
    return Limits(**resolve_table(TABLE, LIMIT_READERS, **flags))


def size_bytes(text: str) -> int:
    """ "500MB", "2 GB", "1000000" -> bytes, decimal as disks are sold.

    Raises:
        ValueError: anything else.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)B?", text.strip().upper(), re.ASCII)
    if found is None or len(text) > 40:
        raise ValueError(text)
    return int(float(found[1]) * {"": 1, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}[found[2]])


def _duration(given: Any) -> float:
    """Also in days, which results are kept for."""
    text = str(given).strip().lower()
    try:
        return seconds(text[:-1]) * 86400 if re.fullmatch(r"[\d.]+d", text) else seconds(text)
    except BadRequest as error:
        raise ValueError(text) from error


def _size(given: Any) -> int:
    if isinstance(given, bool):
        raise ValueError
    return size_bytes(str(given))


def _count(given: Any) -> int:
    if isinstance(given, bool | float) or not 1 <= int(given) < math.inf:
        raise ValueError
    return int(given)


def _folder(given: Any) -> Path:
    if not str(given).strip():
        raise ValueError
    return Path(given).expanduser().resolve()


_A_TIME, _A_SIZE = "a time such as 90s, 10m, 12h or 30d", "a size such as 500MB or 20GB"

LIMIT_READERS: Readers = {
    "spool": (_folder, "a folder"),
    "settle": (_duration, _A_TIME),
    "scan": (_duration, _A_TIME),
    "crashes": (_count, "a whole number, at least 1"),
    "hang": (_duration, _A_TIME),
    "grace": (_duration, _A_TIME),
    "least_free": (_size, _A_SIZE),
    "keep_for": (_duration, _A_TIME),
    "keep_size": (_size, _A_SIZE),
    "data_below": (_folder, "a folder"),
}
