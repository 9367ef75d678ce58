"""Fetches published checkpoints into the store, one after the other; one that fails does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from zoo.supply.errors import DamagedError, FetchError, UnreachableError, WrongFileError
from zoo.supply.fetch import DEFAULT_PATIENCE, Order, fetch, part_path
from zoo.supply.files import sha256_of
from zoo.supply.published import Checkpoint
from zoo.supply.store import Held, Store
from zoo.supply.transfer import Kind, Patience, Progress, stated_size

PTH: Final = Kind(
    name="a PyTorch checkpoint",
    begins=(b"PK\x03\x04", b"\x80\x02"),  # a zip file, as torch 1.6 and later write it; before, a pickle
    example="https://HOST/PATH/FILE.pth",
    doing="fetching",
    wait="wait for it, then run the same command again",
    unchecked="its name holds no hash, so it was not checked",
    account="download it with a browser into that folder and run the same command again, which checks and lists it",
    instead="fetch another model",
    itself="look at the address with a browser, or fetch another model",
)
ASK_S: Final = 10.0
"""How long a server may take to say how large a file is."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one checkpoint: it is there, and it came now or was there before; or an error says why not."""

    wanted: Checkpoint
    held: Held | None
    came: bool
    error: FetchError | None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is to come: bytes still missing by file name, None where nobody says."""

    there: int
    missing: dict[str, int | None]

    @property
    def stated_bytes(self) -> int:
        return sum(size or 0 for size in self.missing.values())

    @property
    def unstated(self) -> int:
        """Files whose size nobody says."""
        return sum(size is None for size in self.missing.values())


def outlook(
    wanted: Sequence[Checkpoint], store: Store, asked: Callable[[int, int], None] = lambda done, total: None
) -> Outlook:
    """Asks the servers how large the files are that are not in the store; each server that is silent only once."""
    missing: dict[str, int | None] = {}
    silent: set[str] = set()
    to_come = [each for each in wanted if not _is_there(each, store)]
    for number, each in enumerate(to_come, start=1):
        missing[each.file] = None
        if each.host not in silent:
            try:
                size = stated_size(each.address, PTH, ASK_S)
                part = part_path(store.path(each.file))
                missing[each.file] = size and size - (part.stat().st_size if part.is_file() else 0)
            except FetchError:  # told when the file itself is asked for
                silent.add(each.host)
        asked(number, len(to_come))
    return Outlook(len(wanted) - len(to_come), missing)


def fetch_all(
    wanted: Iterable[Checkpoint],
    store: Store,
    progress: Callable[[Checkpoint], Progress],
    patience: Patience = DEFAULT_PATIENCE,
) -> Iterator[Outcome]:
    """Checks by its hash what is in the store, fetches what lacks or is damaged, and lists each that is there.

    Raises:
        DamagedError: the store's index cannot be read.
    """
    silent: dict[str, UnreachableError] = {}
    for each in wanted:
        if each.host in silent:
            fact = f"not tried, because {each.host} could not be reached"
            yield Outcome(each, None, False, UnreachableError(fact, silent[each.host].__notes__[0]))
            continue
        known = store.held().get(each.file)
        try:
            held, came = _one(each, known, store, progress(each), patience)
        except FetchError as error:
            if isinstance(error, UnreachableError):
                silent[each.host] = error
            yield Outcome(each, None, False, error)
        else:
            yield Outcome(each, held, came, None)


def _one(
    wanted: Checkpoint, known: Held | None, store: Store, progress: Progress, patience: Patience
) -> tuple[Held, bool]:
    target = store.path(wanted.file)
    if known is not None and known.address != wanted.address:
        if wanted.hash_begins is None and target.is_file():
            fact = f"{target} came from {known.address}, and nothing says that {wanted.address} is the same"
            raise WrongFileError(fact, "move it away, or fetch into another folder: --folder DIR")
        known = None
    order = Order(
        name=wanted.file,
        address=wanted.address,
        target=target,
        sha256=known.sha256 if known else wanted.hash_begins,
        size_bytes=known.size_bytes if known else None,
    )
    fetched = fetch(order, PTH, progress, patience)
    held = Held(
        file=wanted.file,
        sha256=fetched.sha256 or sha256_of(target, progress.moved),
        size_bytes=target.stat().st_size,
        address=wanted.address,
        toolbox=wanted.toolbox,
        names=wanted.names,
        licence=wanted.licence,
    )
    store.record(held)
    return held, fetched.came


def _is_there(wanted: Checkpoint, store: Store) -> bool:
    try:
        return store.find(wanted) is not None
    except DamagedError:
        return False
