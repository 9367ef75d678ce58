"""Pulls a language model into a folder: once, whole, and only if it is the right file.

Does not protect against a GGUF that was built to attack llama.cpp where no hash is given: use addresses you trust.
"""

import re
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from llm_gguf.errors import UnknownModelError
from llm_gguf.library import catalogue, store
from llm_gguf.library.catalogue import Entry
from zoo.supply.fetch import DEFAULT_PATIENCE, Order, fetch
from zoo.supply.transfer import Kind, Patience, Progress, check_address, shown

GGUF: Final = Kind(
    name="a GGUF file",
    begins=(b"GGUF",),
    example="https://HOST/PATH/FILE.gguf",
    doing="pulling",
    wait="wait for it; `edge llm list` shows how far it is",
    unchecked="without --sha256 it was not checked",
    account="download it with a browser, then give its path to --llm",
    instead="pull another model",
    itself="give the address of the file itself (on Hugging Face with /resolve/, not /blob/)",
)


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
    order = _order(wanted, folder, sha256)
    fetch(order, GGUF, progress, patience)
    return order.target


def _order(wanted: Entry | str, folder: Path, sha256: str | None) -> Order:
    if isinstance(wanted, Entry):
        target = store.model_path(wanted.name, folder)
        return Order(wanted.name, wanted.address, target, wanted.sha256, wanted.size_bytes)
    check_address(wanted, GGUF)
    if sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise UnknownModelError(f"{sha256!r} is no sha256", "give its 64 hexadecimal digits")
    name = _name_of(wanted)
    return Order(name, wanted, store.model_path(name, folder), sha256.lower() if sha256 else None, None)


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
