"""The watcher's own settings: flag > EDGE_WATCH_* > [watch] of the settings file > default."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from edge.appliance.address import Address
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
    http: Address | None = None  # where the status page is served; None serves none; read at the start only
    http_token: Path | None = None  # file with the word that opens the page; needed beyond this machine
    http_names: tuple[str, ...] | None = None  # further names the page is called by, such as a proxy's
    metrics: Path | None = None  # file that is written for node_exporter's textfile collector; its name ends in .prom
    notify_command: tuple[str, ...] | None = None  # run without a shell after each result, JSON on its standard input
    notify_url: str | None = None  # the same JSON is posted there; nothing reaches the network without this


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


def _names(given: Any) -> tuple[str, ...]:
    words = given.split(",") if isinstance(given, str) else list(given)
    names = tuple(str(word).strip().lower() for word in words)
    if not all(re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", name, re.ASCII) for name in names):
        raise ValueError
    return names


def _prom(given: Any) -> Path:
    path = _folder(given)
    if path.suffix != ".prom":
        raise ValueError
    return path


def _command(given: Any) -> tuple[str, ...]:
    """A list as it is; a line is cut into words as a shell does, but no shell ever sees it."""
    words = shlex.split(given) if isinstance(given, str) else list(given)
    if not words or not all(isinstance(word, str) and word and "\0" not in word for word in words):
        raise ValueError
    return tuple(words)


def _url(given: Any) -> str:
    parts = urlsplit(str(given))
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError
    if not str(given).isascii() or not str(given).isprintable() or " " in str(given):
        raise ValueError
    return str(given)


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
    "http": (Address.read, "an address of this machine such as 127.0.0.1:8080 or unix:/run/edge/page"),
    "http_token": (_folder, "a file"),
    "http_names": (_names, "names of hosts, separated by commas"),
    "metrics": (_prom, "a file whose name ends in .prom"),
    "notify_command": (_command, "a command, as a list of words"),
    "notify_url": (_url, "an http:// or https:// address"),
}
