"""Class folders that are called by WordNet's ids, as ImageNet's are: the words take their place. Reads no file."""

from __future__ import annotations

import re
from dataclasses import replace

from zoo.datasets.record import Dataset

ID = re.compile(r"(n\d{8})(?:-.+)?")
"""n02085620, or n02085620-Chihuahua as in Stanford Dogs."""


def readable(dataset: Dataset) -> Dataset:
    """The data set with its classes called as ImageNet's card calls them; as it is where they are no such ids.

    An id beyond that card is called by all words that WordNet has for it, one that WordNet does not know stays.
    """
    found = [ID.fullmatch(name) for name in dataset.classes]
    if not found or not all(found):
        return dataset
    called = labels([match[1] for match in found if match])
    names = tuple(called.get(match[1], match[0]) for match in found if match)
    if len(set(names)) < len(names):
        return dataset
    return replace(dataset, classes=names, notes=(*dataset.notes, "the classes' folders are WordNet's ids"))


def labels(identifiers: list[str]) -> dict[str, str]:
    """Identifier -> label of those that are known."""
    from zoo.datasets.public import public_sets
    from zoo.labels import wordnet

    pinned = public_sets()["imagenet"].vocabulary.pinned
    called = {wordnet.identifier(senses[0]): label for label, senses in pinned.items()}
    others = {identifier: wordnet.identified(identifier) for identifier in identifiers if identifier not in called}
    more = wordnet.labelled([sense for sense in others.values() if sense is not None])
    return called | {wordnet.identifier(sense): label for label, (sense,) in more.items()}
