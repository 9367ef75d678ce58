"""One file that carries fetched files to a machine without a network: a manifest, then the files that it lists.

Inside they are called by their hash, because published names are longer than a plain tar header holds.

The hashes in the manifest say that nothing broke on the way. They do not say who made the bundle: take those of people
you trust.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zoo.supply import archive
from zoo.supply.archive import COPY_AGAIN, Member
from zoo.supply.errors import BundleError, DamagedError, FetchDiskError
from zoo.supply.fetch import fill, locked, part_path
from zoo.supply.files import CHUNK_BYTES, sha256_of, sync_folder
from zoo.supply.part import Part, disk_error, megabytes
from zoo.supply.published import FILE, end_of, hash_in
from zoo.supply.transfer import Progress

MANIFEST: Final = "manifest.json"
MOST_MANIFEST_BYTES: Final = 1 << 22
"""Ten thousand files are listed in less."""
OURS: Final = "use bundles that edge made"
ANOTHER_DISK: Final = "free some space, or give a file on another disk"
FILES: Final = {"weights": FILE, "llm": r"^[A-Za-z0-9][\w.+-]{0,195}\.gguf$"}
"""Names that files may have, by kind."""


class Item(BaseModel):
    """One file of a bundle."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["weights", "llm"]
    file: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size_bytes: Annotated[int, Field(gt=0)]
    address: Annotated[str, Field(min_length=1)]
    """Where it was fetched from."""
    toolbox: str
    """Empty for a language model."""
    names: Annotated[tuple[str, ...], Field(min_length=1)]
    """Models it is for."""
    licence: str


class Manifest(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["edge bundle"] = "edge bundle"
    version: Literal[1] = 1
    files: Annotated[tuple[Item, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose headers and sizes are right; what its files hold is not yet known."""

    path: Path
    items: tuple[Item, ...]
    members: tuple[Member, ...]
    """One for each item, in the same order."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that is in its place and right; `came` says that it was not before."""

    item: Item
    came: bool


def export(items: Sequence[tuple[Item, Path]], target: Path, progress: Progress) -> int:
    """Write a bundle of these files and return its size; the same files give the same bytes.

    Raises:
        BundleError: the target is there already, or two files have one name.
        DamagedError: a file is not what its item says.
        FetchDiskError: the disk is too small, or cannot be written.
    """
    if target.exists():
        raise BundleError(f"{target} is there already", "remove it, or give another name")
    inside = sorted(items, key=lambda pair: (pair[0].kind, pair[0].file))
    manifest = Manifest(files=tuple(item for item, _ in inside))
    _refuse_faults(manifest, target)
    content = manifest.model_dump_json(indent=1).encode()
    whole = _room(len(content)) + sum(_room(item.size_bytes) for item, _ in inside) + len(archive.END)
    _check_room(target, whole)
    aside = target.with_name(f".{target.name}.partial")
    try:
        with aside.open("wb") as out:
            _put(out, MANIFEST, content)
            for item, path in inside:
                out.write(archive.header(item.sha256, item.size_bytes))
                _pour(out, item, path, lambda: progress.moved(out.tell(), whole))
                out.write(archive.padding(item.size_bytes))
            out.write(archive.END)
            out.flush()
            os.fsync(out.fileno())
        aside.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise FetchDiskError(f"the disk of {target.parent} is full", ANOTHER_DISK) from error
        raise disk_error(target, error) from error
    finally:
        aside.unlink(missing_ok=True)
    return whole


def opened(path: Path) -> Bundle:
    """Read the manifest and all headers of a bundle.

    Raises:
        BundleError: it is no bundle, cut short, damaged, or holds what its manifest does not list.
    """
    if path.exists() and not path.is_file():
        raise BundleError(f"{path} is no file", "give the file of a bundle")
    try:
        with path.open("rb") as file:
            found = archive.members(file, path)
            first = next(found, None)
            if first is None or first.name != MANIFEST:
                raise BundleError(f"{path} is no bundle: it does not begin with {MANIFEST}", OURS)
            manifest = _manifest(file, first, path)
            rest = tuple(found)
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror or error}", "give the file of a bundle") from error
    _refuse_faults(manifest, path)
    _refuse_others(manifest, rest, path)
    return Bundle(path, manifest.files, rest)


def take_in(
    bundle: Bundle, folders: Mapping[str, Path], record: Callable[[Item], None], progress: Progress
) -> Iterator[Taken]:
    """Copy the files into the folders of their kinds, each checked by its hash, unless they are there and right.

    Args:
        record: told of each file once it is in its place.

    Raises:
        BundleError: a file is not what the manifest says; those before it stay, they are right.
        FetchDiskError, FetchBusyError: a folder cannot be written; another process fetches the same file.
    """
    with bundle.path.open("rb") as file:
        for item, member in zip(bundle.items, bundle.members, strict=True):
            target = folders[item.kind] / item.file
            with locked(target, f"is bringing {item.file}", "wait for it, then run the same command again"):
                came = not _is_right(item, target, progress)
                if came:
                    _unpack(file, bundle.path, item, member, target, progress)
                record(item)
            yield Taken(item, came)


def _unpack(file: IO[bytes], path: Path, item: Item, member: Member, target: Path, progress: Progress) -> None:
    with Part(part_path(target), f"bundle {item.sha256}") as part:
        if not fill(part, item.sha256, progress, lambda: _copy(file, path, member, part, progress)):
            fact = f"{path} is damaged: {item.file} has the sha256 {part.sha256} in it, not {item.sha256}"
            part.remove()
            raise BundleError(fact, f"{COPY_AGAIN}; files before it are in place and need not come again")
        part.become(target)


def _copy(file: IO[bytes], path: Path, member: Member, part: Part, progress: Progress) -> None:
    if part.size > member.size_bytes or part.total != member.size_bytes:
        part.restart(total=member.size_bytes)
    part.check_room(member.size_bytes)
    while part.size < member.size_bytes:
        try:
            file.seek(member.offset + part.size)
            data = file.read(min(CHUNK_BYTES, member.size_bytes - part.size))
        except OSError as error:
            raise BundleError(f"{path} cannot be read: {error.strerror or error}", COPY_AGAIN) from error
        if not data:
            raise BundleError(f"{path} became shorter while it was read", COPY_AGAIN)
        part.append(data)
        progress.moved(part.size, member.size_bytes)


def _is_right(item: Item, target: Path, progress: Progress) -> bool:
    if not target.is_file():
        return False
    if target.stat().st_size == item.size_bytes and sha256_of(target, progress.moved) == item.sha256:
        return True
    progress.told(f"{target} is there, but has another hash; it is replaced by the one of the bundle")
    return False


def _put(out: IO[bytes], name: str, content: bytes) -> None:
    out.write(archive.header(name, len(content)) + content + archive.padding(len(content)))


def _pour(out: IO[bytes], item: Item, path: Path, moved: Callable[[], None]) -> None:
    digest = hashlib.sha256()
    for data in _pieces(path, item.size_bytes):
        digest.update(data)
        out.write(data)
        moved()
    if path.stat().st_size != item.size_bytes or digest.hexdigest() != item.sha256:
        again = "edge fetch" if item.kind == "weights" else "edge llm pull"
        fact = f"{path} is not what it was when it came"
        raise DamagedError(fact, f"`{again} {item.names[0]}` brings it anew")


def _pieces(path: Path, most: int) -> Iterator[bytes]:
    """A file's content, `most` bytes of it."""
    try:
        with path.open("rb") as file:
            while data := file.read(min(CHUNK_BYTES, most)):
                most -= len(data)
                yield data
    except OSError as error:
        raise DamagedError(f"{path} cannot be read: {error.strerror or error}", "look at the disk it is on") from error


def _manifest(file: IO[bytes], member: Member, path: Path) -> Manifest:
    if member.size_bytes > MOST_MANIFEST_BYTES:
        raise BundleError(f"{path} has a manifest of {megabytes(member.size_bytes)}", OURS)
    file.seek(member.offset)
    try:
        return Manifest.model_validate_json(file.read(member.size_bytes))
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(step) for step in fault["loc"])
        fact = f"{path} has a manifest that edge does not understand: {where + ': ' if where else ''}{fault['msg']}"
        raise BundleError(fact, f"{OURS}, of this version or an earlier one") from error


def _refuse_faults(manifest: Manifest, path: Path) -> None:
    """Names that would leave the folder, come twice, or belie the hash."""
    times = Counter(item.file for item in manifest.files)
    for item in manifest.files:
        if not re.fullmatch(FILES[item.kind], item.file, re.ASCII):
            raise BundleError(f"{path} lists {item.file!r}, which is no name for {item.kind}", OURS)
        if item.kind == "weights" and end_of(item.address) != item.file:
            raise BundleError(f"{path} lists {item.file} under {item.address!r}, which ends otherwise", OURS)
        if times[item.file] > 1:
            raise BundleError(f"{path} lists {item.file} twice", OURS)
        begins = hash_in(item.file)
        if begins is not None and not item.sha256.startswith(begins):
            raise BundleError(f"{path} lists {item.file} with the sha256 {item.sha256}, which belies its name", OURS)


def _refuse_others(manifest: Manifest, members: Sequence[Member], path: Path) -> None:
    """Members that are not the files of the manifest, in its order and with their sizes."""
    found = [(member.name, member.size_bytes) for member in members]
    listed = [(item.sha256, item.size_bytes) for item in manifest.files]
    if found == listed:
        return
    names, wanted = [name for name, _ in found], [name for name, _ in listed]
    strangers = [name for name in names if name not in wanted]
    lacking = [item.file for item in manifest.files if item.sha256 not in names]
    if strangers:
        raise BundleError(f"{path} holds {strangers[0]!r}, which its manifest does not list", OURS)
    if lacking:
        raise BundleError(f"{path} lacks {lacking[0]}, which its manifest lists", COPY_AGAIN)
    fact = "its files in another size than it lists" if names == wanted else "files twice, or in another order"
    raise BundleError(f"{path} holds {fact}", COPY_AGAIN)


def _room(size_bytes: int) -> int:
    """What a file takes up in an archive."""
    return archive.BLOCK + size_bytes + len(archive.padding(size_bytes))


def _check_room(target: Path, whole: int) -> None:
    try:
        free = shutil.disk_usage(target.parent).free
    except OSError as error:
        raise disk_error(target, error) from error
    if whole > free:
        fact = f"the bundle takes {megabytes(whole)}, and {target.parent} has {megabytes(free)} free"
        raise FetchDiskError(fact, ANOTHER_DISK)
