"""The cards of public data sets as they stand in cards/, for the readers of their layouts. Knows no word's meaning."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zoo.datasets.common import SPLIT_NAMES, files_below

CARDS = Path(__file__).with_name("cards")


@functools.cache
def cards() -> dict[str, dict[str, Any]]:
    """All cards by name."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C reads 3000 classes in 0.1 s, not in 1
    return {path.stem: yaml.load(path.read_text(encoding="utf-8"), loader) for path in sorted(CARDS.glob("*.yml"))}


def classes_of(card: Mapping[str, Any]) -> tuple[str, ...]:
    """The classes that a card names; none where its senses do."""
    return tuple(name for name in card.get("classes", ()) if name is not None)


def by_task(card: Mapping[str, Any], key: str) -> dict[str, Any]:
    """What a card says under a key for each of its tasks: once for all of them, or for each."""
    said = card[key]
    return {task: said[task] if isinstance(said, dict) else said for task in card["tasks"]}


def split_called(part: str) -> str | None:
    """The split that a public set's name for a part says; `trainval` is what is learnt from, `test-dev` a test."""
    word = part.lower().partition("-")[0]
    return "train" if word == "trainval" else SPLIT_NAMES.get(word)


def matching(root: Path, pattern: str, split: str) -> Iterator[tuple[str, Path]]:
    """Every file that a card's pattern means in a part, in no order, with what stands there for {name}."""
    head, _, tail = pattern.replace("{split}", split).partition("{name}")
    folder, _, start = head.rpartition("/")
    top = root / folder
    for path in files_below(top) if top.is_dir() else ():
        name = path.relative_to(top).as_posix()
        if name.startswith(start) and name.endswith(tail) and len(name) > len(start) + len(tail):
            yield name.removeprefix(start).removesuffix(tail), path


def start_of(pattern: str) -> str:
    """What the names of a pattern begin with in lists, which do not leave it out."""
    return pattern.partition("{name}")[0].rpartition("/")[2]
