"""Measured speeds on their way from one machine to another: JSON Lines, one row per line. Knows no SQL.

The first line is a header, the last one carries the sha256 of all before it, so that a file cut short, edited or
damaged is refused whole. What that does not cover: a forger, who can compute the sha256 anew.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar, cast

from edge.errors import DataError, StorageError
from edge.profiling.database import EVERYTHING, Database, Filter
from edge.profiling.row import Row, now

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")
FORMAT, VERSION = "edge-profiles", 1
SUFFIXES = (".jsonl", ".jsonl.gz")
LINE_AT_MOST = 64 * 2**20
"""Bytes of one line: a hundred times the largest profile, and no way to fill the memory by one."""
FAULTS_TOLD = 20


@dataclass(frozen=True)
class Imported:
    """What an import brought: rows that are new, rows that were known, and of how many machines they are."""

    new: int
    known: int
    machines: int


@dataclass(frozen=True)
class _Header:
    format: str
    version: int
    created: str
    machines: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class _Trailer:
    rows: int
    sha256: str


def export(database: Database, file: Path, where: Filter = EVERYTHING) -> int:
    """Write the rows that a filter lets through, and return how many.

    Raises:
        DataError: the name ends in neither .jsonl nor .jsonl.gz, or no row passes the filter.
        StorageError: the file cannot be written.
    """
    if not file.name.endswith(SUFFIXES):
        raise DataError(f"{file} is no name for an export", f"End it in {' or '.join(SUFFIXES)}.")
    with database.snapshot():
        keys = database.hardware_keys(where)
        if not keys:
            raise DataError("there is no row to export", "Measure first with `edge profile`, or widen the selection.")
        machines = {key: document for key, document in database.machines().items() if key in keys}
        header = {"format": FORMAT, "version": VERSION, "created": now(), "machines": machines}
        digest, count = hashlib.sha256(), 0
        with _written_aside(file) as target:
            _put(target, header, digest)
            for row in database.each(where):
                _put(target, row.to_json(), digest)
                count += 1
            _put(target, {"rows": count, "sha256": digest.hexdigest()})
    return count


def import_(database: Database, file: Path) -> Imported:
    """Add the rows of an export that are not known yet, all or none of them.

    They keep the key of the machine they were measured on.

    Raises:
        DataError: the file is missing, cut short, edited, of a newer version, or a line is no row; nothing was added.
    """
    faults: list[str] = []
    new = known = 0
    seen: set[str] = set()
    with database.transaction():
        lines = _lines(file)
        first = next(lines, b"")
        machines = _header(file, first).machines
        for document in machines.values():
            database.add_machine(document)
        for number, line in _rows(file, first, lines, faults):
            row = _row(number, line, machines, faults)
            if row is not None and not faults:
                fresh = database.add(row, imported=True)
                new, known = new + fresh, known + (not fresh)
                seen.add(row.key.hardware)
        if faults:
            # raised inside the transaction, which takes back what was added so far
            raise _refusal(file, faults)
    return Imported(new, known, len(seen))


def _lines(file: Path) -> Iterator[bytes]:
    try:
        with gzip.open(file) if file.name.endswith(".gz") else file.open("rb") as source:
            while line := source.readline(LINE_AT_MOST):
                yield line
    except EOFError as error:
        raise _cut_short(file) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{file} is damaged: {error}", "Export or copy it again; nothing was imported.") from error
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror or error}", "Name an export of edge.") from error


def _header(file: Path, line: bytes) -> _Header:
    """The first line; its version is looked at before the rest, since a newer header may have other fields."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise DataError(f"{file} is no export of measured speeds", "Name a file that `edge profile export` wrote.")
    version = told.get("version")
    if isinstance(version, int) and version > VERSION:
        raise DataError(
            f"{file} was written by a newer edge: its version is {version}, this edge reads {VERSION}",
            "Update edge, or export from an edge of this version; nothing was imported.",
        )
    faults: list[str] = []
    header = _validated(_Header, line, "line 1", faults)
    if header is not None:
        strange = [key for key, document in header.machines.items() if document.get("key") != key]
        faults += [f"line 1: machines.{key}: the document has another key" for key in strange]
    if header is None or faults:
        raise _refusal(file, faults)
    return header


def _rows(file: Path, first: bytes, lines: Iterator[bytes], faults: list[str]) -> Iterator[tuple[int, bytes]]:
    """Numbered lines between header and trailer; the trailer is the last one, checked when all others were read."""
    digest, number, held = hashlib.sha256(first), 1, b""
    for line in lines:
        if held:
            digest.update(held)
            yield number, held
        number, held = number + 1, line
    # every line of a row begins with its key
    if not held.endswith(b"\n") or held.startswith(b'{"key"'):
        raise _cut_short(file)
    trailer = _validated(_Trailer, held, f"line {number}", faults)
    if trailer is not None and (trailer.sha256, trailer.rows) != (digest.hexdigest(), number - 2):
        faults.append("the lines are not those that were written: their sha256 is another one than at the end")


def _row(number: int, line: bytes, machines: dict[str, dict[str, Any]], faults: list[str]) -> Row | None:
    """The row of a line; what is wrong with it is added to the faults."""
    row = _validated(Row, line, f"line {number}", faults)
    if row is not None and row.key.hardware not in machines:
        faults.append(f"line {number}: key.hardware: the header has no machine {row.key.hardware}")
    return row


def _validated(kind: type[T], line: bytes, where: str, faults: list[str]) -> T | None:
    """The record in a line, None if it is none. A field that the record does not know is a fault at any depth."""
    from pydantic import ValidationError

    try:
        record: T = _adapter(cast(Hashable, kind)).validate_json(line, strict=True)
    except ValidationError as error:
        faults += [f"{where}: {fault}" for fault in _told(error)]
        return None
    kept = record.to_json() if isinstance(record, Row) else asdict(cast(Any, record))
    # pydantic's own extra="forbid" does not reach into the records of other packages
    faults += [f"{where}: {name}: there is no such field" for name in _strangers(json.loads(line), kept)]
    return record


@functools.cache
def _adapter(kind: Hashable) -> TypeAdapter[Any]:
    """Made once: it takes longer than the check of a line."""
    from pydantic import TypeAdapter

    return TypeAdapter(cast(Any, kind))


def _strangers(given: Any, kept: Any, above: str = "") -> Iterator[str]:
    """Names of fields in a document that the record made of it does not have."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for name, value in given.items():
            if name in kept:
                yield from _strangers(value, kept[name], f"{above}{name}.")
            else:
                yield f"{above}{name}"
    elif isinstance(given, list) and given and isinstance(given[0], dict):
        for place, (value, other) in enumerate(zip(given, kept, strict=True)):
            yield from _strangers(value, other, f"{above}{place}.")


def _told(error: ValidationError) -> list[str]:
    return [f"{'.'.join(map(str, fault['loc'])) or 'the line'}: {fault['msg']}" for fault in error.errors()]


def _refusal(file: Path, faults: list[str]) -> DataError:
    more = [f"and {len(faults) - FAULTS_TOLD} more"] if len(faults) > FAULTS_TOLD else []
    count = f"{len(faults)} faults" if len(faults) > 1 else "a fault"
    return DataError(f"{file} has {count}; nothing was imported", *faults[:FAULTS_TOLD], *more)


def _cut_short(file: Path) -> DataError:
    return DataError(f"{file} is cut short: its last line is missing", "Copy it again; nothing was imported.")


def _put(target: IO[bytes], document: dict[str, Any], digest: Any = None) -> None:
    line = json.dumps(document, ensure_ascii=False).encode() + b"\n"
    target.write(line)
    if digest is not None:
        digest.update(line)


@contextmanager
def _written_aside(file: Path) -> Iterator[IO[bytes]]:
    """A file that gets its name when all of it is on the disk; rows go through one by one, so it may be large."""
    aside = file.with_name(f".{file.name}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("wb") as raw:
            if file.name.endswith(".gz"):
                # no time and no name inside: the same rows give the same bytes
                with gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
                    yield cast(IO[bytes], packed)
            else:
                yield raw
            raw.flush()
            os.fsync(raw.fileno())
        aside.replace(file)
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise StorageError(
            f"cannot write {file}: {error.strerror or error}",
            "Name a file in a folder of yours, with space on its disk.",
        ) from error
    finally:
        aside.unlink(missing_ok=True)
