"""The folder of fetched checkpoints: each under the name it was published with, and an index of what is known of them.

A file is taken for what the index says if its size fits: its hash is checked when it comes and when it is used, not
each time it is looked up.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zoo.supply.errors import DamagedError, FetchDiskError
from zoo.supply.files import sha256_of, write_whole
from zoo.supply.part import disk_error
from zoo.supply.places import data_folder
from zoo.supply.published import FILE, Checkpoint

INDEX: Final = "index.json"


class Held(BaseModel):
    """A checkpoint that came whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Annotated[str, Field(pattern=FILE)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size_bytes: Annotated[int, Field(gt=0)]
    address: Annotated[str, Field(min_length=1)]
    toolbox: str
    names: tuple[str, ...]
    """Models of that toolbox that are published with it."""
    licence: str


class _Index(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    checkpoints: tuple[Held, ...] = ()


def default_folder() -> Path:
    """$XDG_DATA_HOME/edge/weights, or ~/.local/share/edge/weights."""
    return data_folder() / "weights"


class Store:
    """One such folder; it need not be there before something comes into it."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()

    def path(self, file: str) -> Path:
        return self.folder / file

    def held(self) -> dict[str, Held]:
        """What the index has, by file name, whether or not it is still there.

        Raises:
            DamagedError: the index cannot be read.
        """
        path = self.folder / INDEX
        try:
            index = _Index.model_validate_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except (OSError, ValidationError) as error:
            fact = f"{path} cannot be read back: {str(error).splitlines()[0]}"
            step = "remove it and run `edge fetch` again: what is there is checked and listed anew"
            raise DamagedError(fact, step) from error
        return {held.file: held for held in index.checkpoints}

    def find(self, wanted: Checkpoint) -> Held | None:
        """The checkpoint, None where it is not there or came from another address.

        Raises:
            DamagedError: it has another size than it came with, or the index cannot be read.
        """
        held = self.held().get(wanted.file)
        if held is None or held.address != wanted.address or not self.path(held.file).is_file():
            return None
        size = self.path(held.file).stat().st_size
        if size != held.size_bytes:
            fact = f"{self.path(held.file)} has {size:,} bytes, not the {held.size_bytes:,} it came with"
            raise DamagedError(fact, self.again(held))
        return held

    def verify(self, held: Held, moved: Callable[[int, int | None], None] | None = None) -> Path:
        """Hashes the file and returns where it lies. Raises DamagedError."""
        path = self.path(held.file)
        found = sha256_of(path, moved)
        if found != held.sha256:
            raise DamagedError(f"{path} has the sha256 {found}, not the {held.sha256} it came with", self.again(held))
        return path

    def record(self, held: Held) -> None:
        """Lists a checkpoint that is there; takes its turn where another process lists one. Raises FetchDiskError."""
        with self._alone():
            listed = {**self.held(), held.file: held}
            index = _Index(checkpoints=tuple(listed[file] for file in sorted(listed)))
            try:
                write_whole(self.folder / INDEX, index.model_dump_json(indent=1).encode())
            except OSError as error:
                raise disk_error(self.folder / INDEX, error) from error

    def again(self, held: Held) -> str:
        """The step that brings a checkpoint anew."""
        return f"`edge fetch {held.names[0]}{self.elsewhere}` brings it anew"

    @property
    def elsewhere(self) -> str:
        """The option that a command needs to find this store."""
        return "" if self.folder == default_folder() else f" --folder {self.folder}"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            lock = (self.folder / f".{INDEX}.lock").open("w")
        except OSError as error:
            fact = f"cannot write to {self.folder}: {error.strerror or error}"
            raise FetchDiskError(fact, "give a folder you may write to: --folder DIR") from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # held for as long as it takes to write a page of text
            yield
