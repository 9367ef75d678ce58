"""The data sets this machine knows by name: those registered, and public ones that lie where they are expected.

One folder holds both: NAME.json for each registered set, whose files stay where they are, and a folder per public set.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge.errors import BadRequest, DataError
from edge.settings import Given
from edge.workdir import from_json, storage_error, to_json, write_atomic
from zoo.datasets.overview import part_counts
from zoo.datasets.public import Found, PublicSet, public_sets
from zoo.datasets.record import BACKGROUND, Dataset
from zoo.errors import listed
from zoo.supply.places import data_folder

NAMES = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True)
class Registered:
    """A data set as it was when it was registered; it is read anew for every job.

    `public` is the card whose words its classes are meant by, empty where there is none. `images` counts by split.
    """

    name: str
    root: str
    format: str
    tasks: tuple[str, ...]
    classes: tuple[str, ...]
    images: dict[str, int]
    licence: str
    public: str
    added: str  # date


def senses(known: Registered | None) -> Mapping[str, Sequence[str]]:
    """Of the classes of a public set the senses that its makers meant; nothing of another set."""
    card = public_sets().get(known.public) if known else None
    return card.vocabulary.pinned if card else {}


class Registry:
    """The folder."""

    def __init__(self, place: Path | None = None) -> None:
        self.place = place or data_folder() / "datasets"

    def registered(self) -> dict[str, Registered]:
        """Every registered set by name.

        Raises:
            DataError: a registration cannot be read.
        """
        found = {}
        for path in sorted(self.place.glob("*.json")) if self.place.is_dir() else []:
            try:
                found[path.stem] = from_json(Registered, path.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise DataError(
                    f"{path} is no registration of a data set: {str(error).splitlines()[0]}",
                    f"Register it again: edge zoo remove {path.stem}, then edge zoo add {path.stem} DIR.",
                ) from error
        return found

    def public(self) -> dict[str, tuple[PublicSet, Found]]:
        """Every public set that has a card and is not registered, with what is there of it."""
        return self._unregistered(self.registered())

    def _unregistered(self, known: Mapping[str, Registered]) -> dict[str, tuple[PublicSet, Found]]:
        return {
            name: (card, card.found(self.place / name))
            for name, card in public_sets().items()
            if not any(one.public == name for one in known.values())
        }

    def here(self) -> dict[str, Registered]:
        """All that can be used: what is registered, and public sets in their places, for the tasks that they lie whole
        for."""
        known = self.registered()
        unregistered = {
            name: Registered(
                name=name,
                root=str(found.root),
                format=" or ".join(dict.fromkeys(card.formats[task] for task in found.tasks)),
                tasks=found.tasks,
                classes=card.vocabulary.classes,
                images={},
                licence=card.licence,
                public=name,
                added="",
            )
            for name, (card, found) in self._unregistered(known).items()
            if found.tasks
        }
        return {**known, **unregistered}

    def roots(self) -> dict[str, Path]:
        """Where all that can be used lies, by name; knows no class, and so reads no WordNet."""
        known = self.registered()
        unregistered = {name: found.root for name, (_, found) in self._unregistered(known).items() if found.tasks}
        return {**{name: Path(one.root) for name, one in known.items()}, **unregistered}

    def add(self, name: str, dataset: Dataset, licence: str, added: str) -> Registered:
        """Register a data set that was read and checked; the same folder again renews what is known of it.

        A name of a public set's card says that it is that set.

        Raises:
            BadRequest: the name is none, belongs to another folder, or to a public set with other classes.
            StorageError: the registration cannot be written.
        """
        if not NAMES.fullmatch(name):
            raise BadRequest(
                f"{name!r} is no name for a data set", "Use small letters, digits, dots, dashes and underscores."
            )
        known = self.registered().get(name)
        if known is not None and known.root != str(dataset.root):
            raise BadRequest(
                f"{name} is {known.root} already", f"Take another name, or forget that one: edge zoo remove {name}."
            )
        card = public_sets().get(name)
        if card is not None:
            _refuse_other(card, dataset)
        one = Registered(
            name=name,
            root=str(dataset.root),
            format=dataset.format,
            tasks=dataset.tasks,
            classes=dataset.classes,
            images=part_counts(dataset),
            licence=licence or (card.licence if card else ""),
            public=name if card else "",
            added=added,
        )
        write_atomic(self._path(name), to_json(one).encode())
        return one

    def remove(self, name: str) -> Path:
        """Forget a registered set; its files stay. Returns where they lie.

        Raises:
            BadRequest: no set of that name is registered.
            StorageError: the registration cannot be removed.
        """
        path = self._path(name)
        if not NAMES.fullmatch(name) or not path.is_file():
            raise BadRequest(f"no data set {name!r} is registered", self._names())
        try:
            root = str(json.loads(path.read_text(encoding="utf-8"))["root"])
        except (ValueError, KeyError, TypeError):
            root = "an unknown place"  # a registration that cannot be read is removed as well
        try:
            path.unlink()
        except OSError as error:
            raise storage_error(path, error) from error
        return Path(root)

    def find(self, words: Sequence[str]) -> tuple[Given, ...]:
        """The data sets that names or folders mean; a folder without a registration is called as it is.

        Raises:
            BadRequest: a word is neither a name nor a folder, or both of two, or two words mean one data set.
        """
        found: list[Given] = []
        for word in words:
            one = self._meant(word)
            if any(one.root == other.root for other in found):
                raise BadRequest(f"--data names {one.root} twice", "Name each data set once.")
            alike = sum(one.name == other.name for other in found)
            found.append(replace(one, name=f"{one.name} ({alike + 1})") if alike else one)
        return tuple(found)

    def _meant(self, word: str) -> Given:
        folder = Path(word).expanduser()
        roots = self.roots()
        known = roots.get(word)
        if known is not None and folder.is_dir() and folder.resolve() != known:
            raise BadRequest(
                f"{word} is a folder here, and the name of the data set in {known}",
                f"Write ./{word} for the folder, or {known} for the other.",
            )
        if known is None and not folder.is_dir():
            what = "is not a folder" if folder.exists() else "does not exist"
            names = [] if "/" in word else [self._names()]
            raise DataError(f"--data {word} {what}", "Give the folder that holds the images.", *names)
        root = known if known is not None else folder.resolve()
        if not root.is_dir():
            raise DataError(f"the folder of {word}, {root}, is gone", f"Forget it: edge zoo remove {word}.")
        return Given(next((name for name, place in roots.items() if place == root), root.name), root)

    def _path(self, name: str) -> Path:
        return self.place / f"{name}.json"

    def _names(self) -> str:
        names = list(self.roots())
        return f"The names are {listed(names)}." if names else "No data set has a name yet: edge zoo add NAME DIR."


def _refuse_other(card: PublicSet, dataset: Dataset) -> None:
    known = {*card.vocabulary.classes, BACKGROUND}
    foreign = [name for name in dataset.classes if name not in known]
    if foreign:
        raise BadRequest(
            f"{card.name} is the name of {card.title}, which has no class {listed(foreign)}", "Take another name."
        )
