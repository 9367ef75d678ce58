"""Which checkpoint the toolboxes publish for a model, as their metafiles say it. Knows nothing of what is there."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from zoo.errors import ZooError
from zoo.models import ModelCard, metafile_entries

FILE: Final = r"^[A-Za-z0-9][\w.+-]{0,195}\.pth$"
"""Names that checkpoints may have: nothing that leaves a folder or hides in it."""
_DATE: Final = r"20[012]\d[01]\d[0-3]\d"
_HASHED: Final = (rf"-(?!{_DATE})([0-9a-f]{{8}})(?:_{_DATE})?\.pth$", rf"_(?!{_DATE})([0-9a-f]{{8}})-{_DATE}\.pth$")
"""How the toolboxes' tools for publishing end a name: the first digits of the sha256, before a date or alone.

Eight digits that can be a date are taken for one.
"""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One file that one or more models of a toolbox are published with."""

    address: str
    toolbox: str
    names: tuple[str, ...]
    licence: str

    @property
    def file(self) -> str:
        """The end of its address."""
        return end_of(self.address)

    @property
    def host(self) -> str:
        with contextlib.suppress(ValueError):
            return urlsplit(self.address).hostname or ""
        return ""

    @property
    def hash_begins(self) -> str | None:
        """The first eight digits of its sha256, None where its name does not hold them."""
        return hash_in(self.file)


def end_of(address: str) -> str:
    """The name of the file behind an address; empty where it has none."""
    with contextlib.suppress(ValueError):  # what only looks like an address
        return unquote(urlsplit(address).path.rpartition("/")[2])
    return ""


def hash_in(file: str) -> str | None:
    """What a checkpoint's name says of its hash."""
    found = next((match for form in _HASHED if (match := re.search(form, file))), None)
    return found[1] if found else None


def checkpoint(card: ModelCard) -> Checkpoint:
    """The checkpoint of a model.

    Raises:
        ZooError: none is published, or under an address without the name of a checkpoint.
    """
    address = _address(card.toolbox, card.name)
    if not address:
        raise ZooError.because(
            f"{card.toolbox} publishes no checkpoint of {card.name}.", "It is trained from scratch; name another model."
        )
    shared = (name for name in metafile_entries(card.toolbox) if _address(card.toolbox, name) == address)
    found = Checkpoint(address, card.toolbox, tuple(shared), card.licence)
    if not re.fullmatch(FILE, found.file, re.ASCII):
        raise ZooError.because(
            f"The checkpoint of {card.name} is published under {address}, which does not end in the name of one.",
            "Download it by hand and give it to `edge produce --weights`.",
        )
    return found


def checkpoints(cards: Iterable[ModelCard]) -> tuple[list[Checkpoint], dict[str, ZooError]]:
    """Each checkpoint of these models once, in their order, and why models have none, by name."""
    found: dict[str, Checkpoint] = {}
    without: dict[str, ZooError] = {}
    for card in cards:
        try:
            wanted = checkpoint(card)
        except ZooError as error:
            without[card.name] = error
            continue
        found.setdefault(wanted.address, wanted)
    return list(found.values()), without


def _address(toolbox: str, name: str) -> str:
    """Empty where none is published; of trackers, which publish several, none is the one."""
    address = metafile_entries(toolbox)[name].get("Weights")
    return address.strip() if isinstance(address, str) else ""
