"""The classes that the objects of a request mean, in one data set or several, and the space of labels they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zoo.errors import LabelError, listed
from zoo.labels.meaning import Found, Hit, Vocabulary, find
from zoo.labels.spelling import normalize

Matches = Mapping[str, Sequence[Hit]]
"""Object -> the classes that it means."""


def match(objects: Sequence[str], vocabularies: Mapping[str, Vocabulary]) -> dict[str, dict[str, tuple[Hit, ...]]]:
    """The classes that each object means, by data set; an object that one of several does not have is not there.

    Raises:
        LabelError: an object means no class, or none for sure; with what may have been meant, and the classes there
            are. Or one of several data sets has none of the objects.
    """
    found = {source: find(objects, vocabulary) for source, vocabulary in vocabularies.items()}
    absent = [name for name in objects if not any(of[name].taken for of in found.values())]
    if absent:
        raise _unmatched(absent, found, vocabularies)
    useless = [source for source, of in found.items() if not any(one.taken for one in of.values())]
    if useless:
        raise LabelError.because(
            f"{listed(useless)} has none of {listed(objects)}.",
            "Leave it out, or name what you want of it.",
            *(f"The classes of {source} are: {listed(vocabularies[source].classes)}." for source in useless),
        )
    return {source: {name: one.taken for name, one in of.items() if one.taken} for source, of in found.items()}


def joined(matches: Mapping[str, Matches]) -> dict[str, dict[str, list[str]]]:
    """Of each data set the classes that a model is to tell apart, each made of some of the data set's.

    An object that means the same one class everywhere becomes that class under its own name, one that means several
    becomes one class called as the object is. A class that two objects mean goes to the one it fits best: of "cars and
    vehicles" the cars are one class and all other vehicles another. An object that says again what another says adds
    nothing.
    """
    labels = {source: _of_object(of) for source, of in matches.items()}
    meant: dict[str, dict[tuple[str, ...], str]] = {}
    for of in labels.values():
        for name, olds in of.items():
            for old in olds:
                # spelt as the first data set has it
                meant.setdefault(name, {}).setdefault(normalize(old), old)
    names = {name: next(iter(olds.values())) if len(olds) == 1 else name for name, olds in meant.items()}
    return {source: {names[name]: olds for name, olds in of.items()} for source, of in labels.items()}


def idle(matches: Mapping[str, Matches]) -> list[str]:
    """The objects that add no class anywhere, because others fit all of theirs better or were named before."""
    busy = {name for of in matches.values() for name in _of_object(of)}
    return [name for name in dict.fromkeys(name for of in matches.values() for name in of) if name not in busy]


def _of_object(matches: Matches) -> dict[str, list[str]]:
    """The classes of each object, every class with the one object that it fits best."""
    best: dict[str, tuple[float, str]] = {}
    for name, hits in matches.items():
        for hit in hits:
            if hit.label not in best or hit.score > best[hit.label][0]:
                best[hit.label] = hit.score, name
    found: dict[str, list[str]] = {}
    for label, (_, name) in best.items():
        found.setdefault(name, []).append(label)
    return found


def _unmatched(
    absent: Sequence[str], found: Mapping[str, Mapping[str, Found]], vocabularies: Mapping[str, Vocabulary]
) -> LabelError:
    asked = {name: dict.fromkeys(hit.label for of in found.values() for hit in of[name].asked) for name in absent}
    unknown = [name for name in absent if not asked[name]]
    unsure = [name for name in absent if asked[name]]
    faults = []
    if unknown:
        faults.append(f"no class for {listed(repr(name) for name in unknown)}")
    if unsure:
        faults.append(f"no class that is surely meant by {listed(repr(name) for name in unsure)}")
    several = len(vocabularies) > 1
    return LabelError.because(
        f"In the data set{'s' if several else ''} there is {'; '.join(faults)}.",
        *(f"Write what you mean by {name!r}: {listed(asked[name])}?" for name in unsure),
        *(
            f"The classes{f' of {source}' if several else ''} are: {listed(of.classes, shown=len(of.classes))}."
            for source, of in vocabularies.items()
        ),
    )
