"""Pulls a language model into a folder: once, whole, and only if it is the right file.

It comes over https into NAME.gguf.part, goes on there after any interruption, and gets its name when its hash is right.
Does not protect against a GGUF that was built to attack llama.cpp where no hash is given: use addresses you trust.
"""

import fcntl
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from llm_gguf.errors import FetchBusyError, FetchDiskError, UnknownModelError, WrongFileError
from llm_gguf.library import catalogue, store
from llm_gguf.library.catalogue import Entry
from llm_gguf.library.part import Part
from llm_gguf.library.transfer import Patience, Progress, Transfer, check_address, shown

DEFAULT_PATIENCE: Final = Patience()


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be pulled; None for what nobody knows beforehand."""

    name: str
    address: str
    sha256: str | None
    size_bytes: int | None


def pull(
    wanted: Entry | str,
    folder: Path,
    progress: Progress,
    *,
    sha256: str | None = None,
    patience: Patience = DEFAULT_PATIENCE,
) -> Path:
    """Brings a model of the catalogue, or the file behind an address, into the folder; returns where it lies.

    Args:
        wanted: an entry, or an https address; the file is then named after the end of the address.
        folder: made if it is not there.
        progress: told of bytes and of whatever is worth a line.
        sha256: what the file behind an address must have; without it any GGUF is taken.

    Raises:
        FetchError: one of its kinds; what came so far is kept, unless it is the wrong file.
    """
    order = _order(wanted, sha256)
    target = store.model_path(order.name, folder)
    with _locked(target):
        if not _is_there(order, target, progress):
            with Part(store.part_path(target), shown(order.address)) as part:
                _bring(order, part, progress, patience)
                part.become(target)
    return target


def _order(wanted: Entry | str, sha256: str | None) -> _Order:
    if isinstance(wanted, Entry):
        return _Order(wanted.name, wanted.address, wanted.sha256, wanted.size_bytes)
    check_address(wanted)
    if sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise UnknownModelError(f"{sha256!r} is no sha256", "give its 64 hexadecimal digits")
    return _Order(_name_of(wanted), wanted, sha256.lower() if sha256 else None, None)


def _name_of(address: str) -> str:
    """The end of an address without .gguf; nothing that could leave the folder or hide there."""
    end = unquote(urlsplit(address).path.rpartition("/")[2])
    name = end[: -len(store.SUFFIX)] if end.lower().endswith(store.SUFFIX) else ""
    if not re.fullmatch(r"[A-Za-z0-9][\w.+-]{0,199}", name, re.ASCII):
        raise UnknownModelError(f"{shown(address)} does not end in the name of a .gguf file", "give such an address")
    if catalogue.entry(name) is not None:
        fact = f"{shown(address)} would take the place of the catalogue's {name}"
        raise UnknownModelError(fact, f"run `edge llm pull {name}`, or download the file and give its path to --llm")
    return name


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Keeps a second process out for as long as the first one lives, however it ends."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = target.with_name(f".{target.name}.lock").open("w")
    except OSError as error:
        fact = f"cannot write to {target.parent}: {error.strerror or error}"
        raise FetchDiskError(fact, "give a folder you may write to: --folder DIR") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            fact = f"another process is pulling {target.stem} into {target.parent}"
            raise FetchBusyError(fact, "wait for it; `edge llm list` shows how far it is") from error
        yield


def _is_there(order: _Order, target: Path, progress: Progress) -> bool:
    if not target.is_file():
        return False
    if order.sha256 is None:
        progress.told(f"{target} is there already; without --sha256 it was not checked")
        return True
    if _sha256(target) == order.sha256:
        return True
    progress.told(f"{target} is there, but has another hash; it is replaced once the right file has come")
    return False


def _bring(order: _Order, part: Part, progress: Progress, patience: Patience) -> None:
    """Fills the part and checks its hash; a part from an earlier call that turns out damaged is pulled anew, once."""
    continued = part.size > 0
    Transfer(order.address, part, progress, patience, order.size_bytes).run()
    if order.sha256 is None:
        progress.told(f"sha256 {part.sha256}, not checked against anything")
        return
    if part.sha256 == order.sha256:
        return
    if continued:
        progress.told("what was left of an earlier call does not fit; starting again")
        part.restart()
        _bring(order, part, progress, patience)
        return
    fact = f"{shown(order.address)} has the sha256 {part.sha256}, not {order.sha256}; it was thrown away"
    part.remove()
    raise WrongFileError(fact, "do not use the file: it was changed, on the server or on the way")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
