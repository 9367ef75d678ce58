"""Where pulled models lie, and which file a name or a path stands for. Knows nothing about pulling.

A file is taken for what its name says: its hash is checked when it is pulled, not each time it is looked up.
"""

import contextlib
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from llm_gguf.errors import UnknownModelError
from llm_gguf.library import catalogue
from zoo.supply.errors import NotFetchedError
from zoo.supply.fetch import part_path
from zoo.supply.places import data_folder

SUFFIX: Final = ".gguf"


def default_folder() -> Path:
    """$XDG_DATA_HOME/edge/llm, or ~/.local/share/edge/llm."""
    return data_folder() / "llm"


def model_path(name: str, folder: Path | None = None) -> Path:
    """Where the model of that name lies once it is pulled."""
    return (folder or default_folder()) / f"{name}{SUFFIX}"


def find(name_or_path: str | Path, folder: Path | None = None) -> Path:
    """The file that `--llm` names: an existing file comes first, then a pulled model of that name.

    Raises:
        UnknownModelError: it is neither; the nearest names are given.
        NotFetchedError: the catalogue has it, but it is not pulled.
    """
    text = str(name_or_path)
    with contextlib.suppress(OSError, RuntimeError):  # a name too long for any file; ~ of nobody
        if (path := Path(name_or_path).expanduser()).is_file():
            return path.resolve()
    names = [entry.name for entry in catalogue.entries()] + [other.name for other in others(folder)]
    if text not in names:
        raise unknown(text, names)
    pulled = model_path(text, folder)
    if not pulled.is_file():
        step = f"run `edge llm pull {text}{_elsewhere(folder)}`"
        raise NotFetchedError(f"the language model {text} is not pulled", step)
    return pulled.resolve()


def unknown(text: str, names: Sequence[str]) -> UnknownModelError:
    """The error for what is none of these names, with the nearest of them."""
    if text.endswith(SUFFIX) or "/" in text:
        return UnknownModelError(f"the language model {text} does not exist", "give the path of a .gguf file")
    begun = [name for name in names if text and name.startswith(text.lower())]
    near = begun or difflib.get_close_matches(text.lower(), names)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    fact = f"{text!r} is neither a file nor a language model that edge knows"
    return UnknownModelError(fact, f"{hint}`edge llm list` shows the names")


def _elsewhere(folder: Path | None) -> str:
    return f" --folder {folder}" if folder else ""


@dataclass(frozen=True, slots=True)
class Pulled:
    """A model file in the folder."""

    name: str
    path: Path
    size_bytes: int


def others(folder: Path | None = None) -> list[Pulled]:
    """Models in the folder that the catalogue does not have: pulled by their address, or put there by hand."""
    paths = sorted((folder or default_folder()).glob(f"*{SUFFIX}"))
    return [
        Pulled(path.stem, path, path.stat().st_size)
        for path in paths
        if path.is_file() and not path.name.startswith(".") and catalogue.entry(path.stem) is None
    ]


def bytes_there(name: str, folder: Path | None = None) -> tuple[int, bool]:
    """How much of a model is in the folder, and whether that is all of it."""
    target = model_path(name, folder)
    for path, whole in ((target, True), (part_path(target), False)):
        if path.is_file():
            return path.stat().st_size, whole
    return 0, False
