"""Where measured speeds are kept: one SQLite file per user. Knows no engine and no table on the screen.

Every row is written in a transaction of its own, so a sweep that is killed keeps what it has. What it does not cover:
a file system whose locks do not work, as some network drives.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import secrets
import sqlite3
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge.errors import Busy, EdgeError, StorageError
from edge.profiling.row import Row, now
from zoo.supply.places import data_folder

APPLICATION = 0x65646765  # "edge" in ASCII: tells our file from another program's
SCHEMA = 2
BUSY_S = 30.0
"""How long one process waits for another's transaction; ours take milliseconds, an import seconds."""

TABLES = """
CREATE TABLE machines (key TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE runs (id TEXT PRIMARY KEY, arguments TEXT NOT NULL, started_at TEXT NOT NULL, finished_at TEXT);
CREATE TABLE results (
    id INTEGER PRIMARY KEY, identity TEXT NOT NULL UNIQUE, slot TEXT NOT NULL,
    hardware TEXT NOT NULL REFERENCES machines (key), engine TEXT NOT NULL, precision TEXT NOT NULL, task TEXT,
    model TEXT NOT NULL, title TEXT NOT NULL, run TEXT NOT NULL, measured_s REAL NOT NULL, imported INTEGER NOT NULL,
    document TEXT NOT NULL, profile BLOB);
CREATE INDEX results_by_slot ON results (slot, measured_s, id);
"""

UPGRADES = {1: "DROP INDEX results_by_key; ALTER TABLE results DROP COLUMN key"}
"""By the schema they start from: 1 kept a copy of each row's key that nothing looked for."""


@dataclass(frozen=True)
class Filter:
    """Which rows; None lets all through. `model` is a glob over the model's name or title.

    `imported` True is what came from elsewhere, False what was measured by this database's user.
    `newest` leaves out what a later row of the same model, engine, precision, threads and machine took the place of.
    """

    task: str | None = None
    engine: str | None = None
    precision: str | None = None
    model: str | None = None
    hardware: str | None = None
    run: str | None = None
    newest: bool = False
    imported: bool | None = None


EVERYTHING = Filter()


def default_path() -> Path:
    """$XDG_DATA_HOME/edge/profiles.db, or ~/.local/share/edge/profiles.db."""
    return data_folder() / "profiles.db"


class Database:
    """The open file. Several processes may have it open and write at once."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    @contextmanager
    def open(cls, path: Path | None = None) -> Iterator[Database]:
        """Open the file, by default the user's own, and make it if there is none.

        Raises:
            StorageError: it cannot be written, is damaged, is no profile database, or a newer edge made it.
            Busy: another process kept it to itself for half a minute.
        """
        path = path or default_path()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"cannot make the folder {path.parent}: {error.strerror or error}", "Name a file in a folder of yours."
            ) from error
        connection = None
        try:
            with _explained(path):
                connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
                _prepare(path, connection)
            yield cls(path, connection)
        finally:
            if connection is not None:
                connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside is kept together or not at all; inside another one it is a part of that."""
        if self._connection.in_transaction:
            yield
            return
        with _explained(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                # SQLite itself has ended it where the disk was full
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What is read inside belongs together, whatever others write meanwhile."""
        with _explained(self.path):
            self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("COMMIT")

    def add_machine(self, document: Mapping[str, Any]) -> None:
        """Keep what Hardware.to_json says of a machine; the first document under a key stays."""
        with self.transaction():
            self._connection.execute(
                "INSERT OR IGNORE INTO machines VALUES (?, ?)", (document["key"], _canonical(document))
            )

    def machines(self) -> dict[str, dict[str, Any]]:
        """The documents of all machines that rows are of, by key."""
        with _explained(self.path):
            found = self._connection.execute("SELECT key, document FROM machines ORDER BY key").fetchall()
        return {key: json.loads(document) for key, document in found}

    def add(self, row: Row, *, imported: bool = False) -> bool:
        """Keep a row, and say whether it is new. `imported` marks what this database's user did not measure here.

        Raises:
            ValueError: the machine of the row has not been added.
        """
        document = row.to_json()
        profile = document.pop("profile")
        key, subject = row.key, row.subject
        values = (
            _identity(row), json.dumps(row.slot), key.hardware, key.engine, key.precision,
            subject.task, subject.model, subject.title, row.run, row.measured_s, imported, _canonical(document),
            zlib.compress(_canonical(profile).encode()) if profile is not None else None,
        )  # fmt: skip
        with self.transaction():
            known = self._connection.execute("SELECT 1 FROM machines WHERE key = ?", (key.hardware,)).fetchone()
            if known is None:
                raise ValueError(f"the machine {key.hardware} of a row is unknown: add_machine() comes first")
            marks = ", ".join("?" * len(values))
            done = self._connection.execute(
                "INSERT INTO results (identity, slot, hardware, engine, precision, task, model, title, run,"
                f" measured_s, imported, document, profile) VALUES ({marks}) ON CONFLICT (identity) DO NOTHING",
                values,
            )
        return done.rowcount == 1

    def rows(self, where: Filter = EVERYTHING) -> list[Row]:
        """The rows that a filter lets through, oldest first."""
        return list(self.each(where))

    def each(self, where: Filter = EVERYTHING) -> Iterator[Row]:
        """The same one by one, for those who need not hold them all."""
        conditions, values = _conditions(where)
        query = f"SELECT id, document, profile FROM results WHERE {conditions} ORDER BY measured_s, id"
        with _explained(self.path):
            for found in self._connection.execute(query, values):
                yield self._row(*found)

    def hardware_keys(self, where: Filter = EVERYTHING) -> list[str]:
        """Keys of the machines whose rows a filter lets through."""
        conditions, values = _conditions(where)
        with _explained(self.path):
            found = self._connection.execute(f"SELECT DISTINCT hardware FROM results WHERE {conditions}", values)
            return sorted(key for (key,) in found)

    def begin_run(self, arguments: Mapping[str, Any]) -> str:
        """A new sweep with these arguments, under the id that its rows carry."""
        run = f"{now()[:19].replace(':', '').replace('-', '')}-{secrets.token_hex(3)}"
        with self.transaction():
            self._connection.execute("INSERT INTO runs VALUES (?, ?, ?, NULL)", (run, _canonical(arguments), now()))
        return run

    def finish_run(self, run: str) -> None:
        """Nothing is left to do in this sweep. Raises ValueError for one that was not begun here."""
        with self.transaction():
            done = self._connection.execute("UPDATE runs SET finished_at = ? WHERE id = ?", (now(), run))
            if done.rowcount != 1:
                raise ValueError(f"there is no run {run!r}: begin_run() comes first")

    def unfinished_run(self, arguments: Mapping[str, Any]) -> str | None:
        """The latest sweep with exactly these arguments, unless that one was finished."""
        with _explained(self.path):
            found = self._connection.execute(
                "SELECT id, finished_at FROM runs WHERE arguments = ? ORDER BY rowid DESC LIMIT 1",
                (_canonical(arguments),),
            ).fetchone()
        return found[0] if found is not None and found[1] is None else None

    def _row(self, number: int, document: str, profile: bytes | None) -> Row:
        try:
            unpacked = json.loads(zlib.decompress(profile)) if profile is not None else None
            return Row.from_json({**json.loads(document), "profile": unpacked})
        except (ValueError, TypeError, KeyError, zlib.error) as error:
            raise StorageError(
                f"row {number} of {self.path} cannot be read back: {error or type(error).__name__}",
                "The file is damaged, or another version of edge wrote this row."
                f" Move the file aside and measure again: mv {self.path} {self.path}.bad",
            ) from error


def _prepare(path: Path, connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.create_function("fits", 2, fnmatch.fnmatchcase, deterministic=True)
    if _version(path, connection) != SCHEMA:
        connection.execute("BEGIN IMMEDIATE")
        # another process may have made the tables while this one waited
        version = _version(path, connection)
        made = TABLES if version == 0 else ";".join(UPGRADES[number] for number in range(version, SCHEMA))
        for statement in made.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {SCHEMA}")
        connection.execute("COMMIT")
    _read_while_written(path, connection)


def _version(path: Path, connection: sqlite3.Connection) -> int:
    """The schema of the file, 0 for an empty one."""
    version, application, tables = (
        int(connection.execute(query).fetchone()[0])
        for query in ("PRAGMA user_version", "PRAGMA application_id", "SELECT count(*) FROM sqlite_master")
    )
    if tables and application != APPLICATION:
        raise StorageError(f"{path} is a database of another program", "Name another file for the measured speeds.")
    if version > SCHEMA:
        raise StorageError(
            f"{path} was written by a newer edge: its schema is {version}, this edge knows {SCHEMA}",
            "Use the newer edge, or name another file; nothing in this one was changed.",
        )
    return version


def _read_while_written(path: Path, connection: sqlite3.Connection) -> None:
    """Turn on write-ahead logging, once per file.

    SQLite does not wait for others here, whatever the timeout (sqlite.org/wal.html: it needs the file for itself).
    """
    if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        return
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
            continue
        if mode != "wal":
            raise StorageError(
                f"the file system of {path} cannot hold a profile database: no shared memory between processes",
                "Name a file on a local disk.",
            )
        return


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _explanation(path, error) from error


def _explanation(path: Path, error: sqlite3.Error) -> EdgeError:
    # the low byte is the kind of error, the rest its details (sqlite.org/rescode.html)
    kind = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if kind in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return StorageError(
            f"{path} is damaged or no profile database: {error}",
            f"Move it aside and measure again or import an export: mv {path} {path}.bad",
        )
    if kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Busy(f"another process writes to {path} and does not finish", "Wait for it and run the command again.")
    step = "Name a file in a folder you may write to, on a disk that takes writes."
    if kind == sqlite3.SQLITE_FULL:
        step = "Free some space on that disk and run the command again: rows written so far are kept."
    return StorageError(f"cannot use the profile database {path}: {error}", step)


def _conditions(where: Filter) -> tuple[str, list[str]]:
    apart = ("model", "newest", "imported")
    exact = {name: value for name, value in asdict(where).items() if name not in apart and value}
    conditions, values = [f"{name} = ?" for name in exact], list(exact.values())
    origin = {None: "1", True: "imported", False: "NOT imported"}[where.imported]
    conditions.append(origin)
    if where.model:
        conditions.append("(fits(model, ?) OR fits(title, ?))")
        values += [where.model, where.model]
    if where.newest:
        # of the same origin: a row that came from elsewhere takes the place of none that was measured here
        newest = "first_value(id) OVER (PARTITION BY slot ORDER BY measured_s DESC, id DESC)"
        conditions.append(f"id IN (SELECT {newest} FROM results WHERE {origin})")
    return " AND ".join(conditions), values


def _identity(row: Row) -> str:
    """What makes two rows the same measurement, whichever versions of edge wrote them."""
    samples = row.profile.samples_ms if row.profile is not None else None
    parts = [asdict(row.key), row.slot, row.state, row.measured_s, row.run, samples]
    return hashlib.sha256(_canonical(parts).encode()).hexdigest()


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
