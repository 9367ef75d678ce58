"""Cards of public data sets: what they are called, where their files are expected, what their classes mean.

One YAML file each, in cards/. A card is no data: the set itself is used where its owner has put it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import FormatError
from zoo.labels import Vocabulary, wordnet
from zoo.tasks import TASKS

CARDS = Path(__file__).with_name("cards")


@dataclass(frozen=True)
class PublicSet:
    """`layout` are paths below the set's own folder, some of which must be there; `licence` is in its makers' words."""

    name: str
    title: str
    tasks: tuple[str, ...]
    licence: str
    home: str
    format: str
    layout: tuple[str, ...]
    vocabulary: Vocabulary


@functools.cache
def public_sets() -> dict[str, PublicSet]:
    """All cards by name.

    Raises:
        FormatError: a card is not as a card should be.
    """
    return {path.stem: _read(path) for path in sorted(CARDS.glob("*.yml"))}


def _read(path: Path) -> PublicSet:
    import yaml

    card: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    foreign = [task for task in card["tasks"] if task not in TASKS]
    if foreign:
        raise FormatError.because(f"{path} is for {', '.join(foreign)}.", f"Known are {', '.join(TASKS)}.")
    return PublicSet(
        name=path.stem,
        title=card["title"],
        tasks=tuple(card["tasks"]),
        licence=card["licence"],
        home=card["home"],
        format=card["format"],
        layout=tuple(card["layout"]),
        vocabulary=_vocabulary(card),
    )


def _vocabulary(card: dict[str, Any]) -> Vocabulary:
    """Classes by name with the senses of some; or senses alone, which then give the names."""
    senses = card["senses"]
    if "classes" in card:
        return Vocabulary(tuple(card["classes"]), senses)
    labels: dict[str, list[str]] = {}
    for sense in senses:
        label = ", ".join(wordnet.words(sense))
        # two senses of one word: both cranes
        labels[label if label not in labels else f"{label}, {label} ({wordnet.definition(sense)})"] = [sense]
    return Vocabulary(tuple(labels), labels)
