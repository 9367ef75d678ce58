"""The folder of one job: a lock, a JSON document per finished step, and the rule that a final name means a whole file.

Knows nothing about what the steps do. What it does not cover: a disk that loses data it has confirmed by fsync.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from edge.errors import Busy, StorageError
from zoo.supply.files import sync_folder, write_whole

T = TypeVar("T")
DISK_REFUSES = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

STEPS = ("understand", "gather", "shortlist", "measure", "choose", "tune", "train", "export", "verify", "pack")


def write_atomic(path: Path, data: bytes) -> None:
    """Write beside, fsync, rename, fsync the folder: `path` holds all of `data` or what it held before.

    Raises:
        StorageError: the disk is full, read-only, or the folder may not be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
    except OSError as error:
        raise storage_error(path, error) from error


def storage_error(path: Path, error: OSError) -> StorageError:
    """Put an operating system's refusal into a sentence with a next step."""
    step = {
        errno.ENOSPC: "Free some space on that disk and run the same command again: finished steps are kept.",
        errno.EROFS: "Give a folder on a writable disk: --out DIR.",
        errno.EACCES: "Give a folder you may write to: --out DIR.",
    }.get(error.errno or 0, "Give another folder: --out DIR.")
    return StorageError(f"cannot write {path}: {error.strerror or error}", step)


def sha256_file(path: Path) -> str:
    """Hex digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_fingerprint(root: Path) -> str:
    """Of every file's name, size and time of change below a folder: cheap enough to look again at each call."""
    digest = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        seen = path.stat()
        digest.update(f"{path.relative_to(root)}\0{seen.st_size}\0{seen.st_mtime_ns}\n".encode(errors="replace"))
    return digest.hexdigest()


def to_json(value: Any) -> str:
    """A record, or anything pydantic can write, as JSON text with sorted layout."""
    from pydantic import TypeAdapter

    return json.dumps(TypeAdapter(type(value)).dump_python(value, mode="json"), indent=1, ensure_ascii=False)


def from_json(kind: type[T], text: str) -> T:
    """The inverse of `to_json` for records."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind).validate_json(text)


class Workdir:
    """One job's folder while it is locked by this process."""

    def __init__(self, root: Path, say: Callable[[str, str], None]) -> None:
        self.root = root
        self._say = say

    @classmethod
    @contextmanager
    def locked(cls, root: Path, identity: dict[str, Any], say: Callable[[str, str], None]) -> Iterator[Workdir]:
        """Open or create the folder for exactly this job.

        Args:
            root: the job's folder.
            identity: what makes the job what it is (request, data, options); a folder holds one identity for ever.
            say: called with (step, state) where state is "start", "kept" or "done".

        Raises:
            Busy: another process holds the folder.
            StorageError: the folder cannot be written, or belongs to another job.
        """
        try:
            root.mkdir(parents=True, exist_ok=True)
            lock = (root / ".lock").open("w")
        except OSError as error:
            raise storage_error(root, error) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Busy(
                    f"another edge process works in {root}",
                    "Wait for it, or give this job a folder of its own: --out DIR.",
                ) from error
            _claim(root, identity)
            yield cls(root, say)

    def step(self, name: str, kind: type[T], work: Callable[[Path], T]) -> T:
        """Return the finished step's record, or do the work now and record it.

        `work` gets a scratch folder that survives a crash, so that a long step can continue from its own checkpoints.
        """
        document = self.document(name)
        if document.is_file():
            self._say(name, "kept")
            return _recorded(document, kind)
        self._say(name, "start")
        _journal(self.root, name, "start")
        started = time.monotonic()
        folder = self.folder(name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            result = work(folder)
        except OSError as error:
            if error.errno in DISK_REFUSES:
                raise storage_error(Path(error.filename or folder), error) from error
            raise
        entry = {"step": name, "seconds": round(time.monotonic() - started, 3), "result": json.loads(to_json(result))}
        write_atomic(document, json.dumps(entry, indent=1, ensure_ascii=False).encode())
        _journal(self.root, name, "done")
        self._say(name, "done")
        return result

    def document(self, name: str) -> Path:
        return self.root / "steps" / f"{STEPS.index(name) + 1:02d}-{name}.json"

    def folder(self, name: str) -> Path:
        return self.root / "work" / name

    def seconds_spent(self) -> dict[str, float]:
        """Wall seconds of each finished step, as recorded."""
        return {
            name: json.loads(self.document(name).read_text(encoding="utf-8"))["seconds"]
            for name in STEPS
            if self.document(name).is_file()
        }


def publish(folder: Path, final: Path) -> None:
    """Give a complete folder its final name; an older one under that name is replaced whole."""
    older = final.with_name(f".{final.name}.older")
    try:
        shutil.rmtree(older, ignore_errors=True)
        if final.exists():
            final.replace(older)
        folder.replace(final)
        sync_folder(final.parent)
        shutil.rmtree(older, ignore_errors=True)
    except OSError as error:
        raise storage_error(final, error) from error


def _claim(root: Path, identity: dict[str, Any]) -> None:
    path = root / "job.json"
    wanted = json.dumps(identity, indent=1, sort_keys=True, ensure_ascii=False)
    if not path.is_file():
        strangers = [entry.name for entry in root.iterdir() if not entry.name.startswith(".")]
        if strangers:
            raise StorageError(
                f"{root} is not empty and holds no job of edge ({', '.join(sorted(strangers)[:3])})",
                "Give an empty or new folder: --out DIR.",
            )
        write_atomic(path, wanted.encode())
        return
    try:
        held = dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise StorageError(f"{path} cannot be read back: {error}", "Start again in a new folder: --out DIR.") from error
    differing = sorted(key for key in {*held, *identity} if held.get(key) != json.loads(wanted).get(key))
    if differing and not _worth_keeping(root):
        # a request worded again, or --skip-bad added, after an early error: seconds are lost, not work
        for name in ("steps", "work", "journal.jsonl"):
            stale = root / name
            shutil.rmtree(stale) if stale.is_dir() else stale.unlink(missing_ok=True)
        write_atomic(path, wanted.encode())
    elif differing:
        raise StorageError(
            f"{root} holds another job: {', '.join(differing)} differ",
            "Give this request a folder of its own (--out DIR), or repeat the earlier command to continue it.",
        )


def _worth_keeping(root: Path) -> bool:
    """Whether a step was finished that takes more than seconds: any behind the first three."""
    documents = {path.name for path in (root / "steps").glob("*.json")}
    cheap = {f"{number:02d}-{name}.json" for number, name in enumerate(STEPS[:3], start=1)}
    return bool(documents - cheap)


def _recorded(document: Path, kind: type[T]) -> T:
    """The result in a finished step's document."""
    try:
        return from_json(kind, json.dumps(json.loads(document.read_text(encoding="utf-8"))["result"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{document} cannot be read back: {str(error).splitlines()[0]}",
            "The file was changed, or another version of edge wrote it. Start again in a new folder: --out DIR.",
        ) from error


def _journal(root: Path, step: str, state: str) -> None:
    path = root / "journal.jsonl"
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"time": round(time.time(), 3), "step": step, "state": state}) + "\n")
    except OSError as error:
        raise storage_error(path, error) from error
