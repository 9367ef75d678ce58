"""Cards of public data sets: what they are called, where their files are expected, what their classes mean.

One YAML file each, in cards/. A card is no data: the set itself is used where its owner has put it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.datasets.card import CARDS, by_task, cards, classes_of
from zoo.errors import FormatError
from zoo.labels import Vocabulary, wordnet
from zoo.tasks import TASKS


@dataclass(frozen=True)
class PublicSet:
    """`licence` is in its makers' words, `note` what else a user of it has to know.

    `formats` says, by task, which reader serves, `layout` which paths have to be there below the set's own folder;
    `folder` is what its archive calls that folder, if anything.
    """

    name: str
    title: str
    tasks: tuple[str, ...]
    licence: str
    home: str
    formats: Mapping[str, str]
    folder: str
    layout: Mapping[str, tuple[str, ...]]
    note: str
    card: Mapping[str, Any]

    @functools.cached_property
    def vocabulary(self) -> Vocabulary:
        """Classes by name with the senses of some; or senses alone, which then give the names.

        Made when it is asked for: reading WordNet takes seconds, and memory that a service has no use for.
        """
        senses = self.card.get("senses", {})
        if "classes" in self.card:
            return Vocabulary(classes_of(self.card), senses)
        labels = wordnet.labelled(senses)
        return Vocabulary(tuple(labels), labels)

    def found(self, root: Path) -> Found:
        """What is there of the set in `root`, or in the folder of its archive below that."""
        seen = [Found(top, self._missing(top)) for top in self._tops(root) if top.is_dir()]
        return min(seen, key=lambda one: (-len(one.tasks), len(one.lacking)), default=Found(root, self._missing(root)))

    def _tops(self, root: Path) -> Iterator[Path]:
        parts = Path(self.folder).parts
        yield root
        yield from (root.joinpath(*parts[start:]) for start in range(len(parts)))

    def _missing(self, top: Path) -> dict[str, tuple[str, ...]]:
        return {task: tuple(part for part in paths if not _is_there(top, part)) for task, paths in self.layout.items()}


@dataclass(frozen=True)
class Found:
    """Where a public set lies or would lie, and for each of its tasks the paths of its layout that are not there."""

    root: Path
    missing: Mapping[str, tuple[str, ...]]

    @property
    def there(self) -> bool:
        """Whether there is a folder at all, with whatever in it."""
        return self.root.is_dir()

    @property
    def tasks(self) -> tuple[str, ...]:
        """Those for which everything is there."""
        return tuple(task for task, paths in self.missing.items() if not paths)

    @property
    def lacking(self) -> tuple[str, ...]:
        """All paths that are not there, each once."""
        return tuple(dict.fromkeys(path for paths in self.missing.values() for path in paths))


@functools.cache
def public_sets() -> dict[str, PublicSet]:
    """All cards by name.

    Raises:
        FormatError: a card is not as a card should be.
    """
    return {name: _read(name, card) for name, card in cards().items()}


def _read(name: str, card: dict[str, Any]) -> PublicSet:
    foreign = [task for task in card["tasks"] if task not in TASKS]
    if foreign:
        raise FormatError.because(f"{CARDS / name}.yml is for {', '.join(foreign)}.", f"Known are {', '.join(TASKS)}.")
    return PublicSet(
        name=name,
        title=card["title"],
        tasks=tuple(card["tasks"]),
        licence=card["licence"],
        home=card["home"],
        formats=by_task(card, "format"),
        folder=card.get("folder", ""),
        layout={task: tuple(paths) for task, paths in by_task(card, "layout").items()},
        note=card.get("note", ""),
        card=card,
    )


def _is_there(top: Path, part: str) -> bool:
    """Whether a path is there, or one that fits where it has a star; with a slash at its end it is a folder."""
    found = top.glob(part) if "*" in part else [top / part]
    return any(path.is_dir() if part.endswith("/") else path.exists() for path in found)
