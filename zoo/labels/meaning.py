"""Which classes of a data set a requested object means: by spelling, else by meaning. Decides; guesses nothing.

An object and a class can each mean several things. The score of a class is the probability that what the class means is
what the object means, or a kind of it, both meanings drawn by their shares (`zoo.labels.wordnet`). Classes above
`ENOUGH` are taken. What is weaker is asked about: a class with some probability, one that is broader than the object
("person" for "women"), and all of them where two usual meanings of the object lead to different classes ("bike").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from zoo.labels import wordnet
from zoo.labels.spelling import misspelt, names, normalize, plain_slip, spelled

Relation = Literal["spelling", "misspelling", "synonym", "kind", "broader"]

ENOUGH = 0.5
WORTH_ASKING = 0.12
USUAL = 0.25
"""Share of a meaning from which on it may be the one that was meant, whatever else there is."""

STEPS_UP = 4
"""How much broader than the object a class may be and still be worth asking about."""

NARROWED = 0.4
"""Of what the last word of an unknown name means: the words before it say which, and nobody knows what they say."""

BY_HEAD = 0.9
"""Of a class that WordNet does not know: "garden chair" is taken for a kind of chair."""

SLIP = 0.9
"""Of what is a slip of the pen and near one class alone."""

DENYING = frozenset({"no", "not", "non", "none", "with", "without", "missing", "fake", "toy", "wearing", "for", "of"})
"""In the name of a class they tell that it is not what its last word says: "no helmet", "toy car", "man with dog"."""

VAGUE = frozenset(
    f"{word}.n.01"
    for word in (
        "entity", "physical_entity", "object", "whole", "artifact", "matter", "thing", "instrumentality",
        "causal_agent", "living_thing", "organism", "substance", "part", "abstraction", "measure", "relation", "group",
    )
)  # fmt: skip
"""Nearly everything is a kind of these; nobody asks for them."""


@dataclass(frozen=True)
class Hit:
    """A class that may be meant, how it stands to the object, and why."""

    label: str
    relation: Relation
    score: float
    why: str


@dataclass(frozen=True)
class Found:
    """`taken` are meant; `asked` may be, best first. Both empty: nothing in the data set comes near."""

    taken: tuple[Hit, ...] = ()
    asked: tuple[Hit, ...] = ()


@dataclass(frozen=True)
class Vocabulary:
    """The classes of a data set; `pinned` says in which senses one is meant, all of them, where its makers meant those.
    `exclusive` classes leave each other out: beside a class "shirt" a T-shirt is none, though it is a kind of shirt.

    The senses of the others follow from their names, and from the company they keep: among animals "mole" is one.
    """

    classes: tuple[str, ...]
    pinned: Mapping[str, Sequence[str]] = field(default_factory=dict)
    exclusive: bool = False

    def senses(self) -> dict[str, dict[str, float]]:
        """Of each class the senses with their shares; none for a class that WordNet does not know."""
        own = {label: self._senses(label) for label in self.classes}
        sections: dict[str, float] = {}
        for shares in own.values():
            for sense, share in shares.items():
                place = wordnet.section(sense)
                sections[place] = sections.get(place, 0.0) + share
        told = sum(sections.values()) or 1.0
        return {
            label: dict.fromkeys(self.pinned[label], 1.0)
            if label in self.pinned
            else _shares({s: share * (0.1 + sections[wordnet.section(s)] / told) for s, share in shares.items()})
            for label, shares in own.items()
        }

    def _senses(self, label: str) -> dict[str, float]:
        if label in self.pinned:
            pinned = self.pinned[label]
            return {sense: 1 / len(pinned) for sense in pinned}
        parts = names(label)
        together = wordnet.named(tuple(parts)) if len(parts) > 1 else []
        return _shares({sense: wordnet.senses(parts[0]).get(sense, 0.0) for sense in together}) or wordnet.senses(
            parts[0]
        )


def find(objects: Sequence[str], vocabulary: Vocabulary) -> dict[str, Found]:
    """What each object means among the classes."""
    senses = vocabulary.senses()
    return {name: _found(name, senses, vocabulary.exclusive) for name in objects}


def _found(name: str, senses: Mapping[str, Mapping[str, float]], exclusive: bool) -> Found:
    # a class's further names may be rare ones ("sweet potato" for the ocarina): those are for the meanings to judge
    fits = spelled(name, {label: names(label)[:1] if shares else names(label) for label, shares in senses.items()})
    if len(fits) > 1:
        return Found(asked=tuple(Hit(label, "spelling", 1 / len(fits), "written alike") for label in fits))
    exact = tuple(Hit(label, "spelling", 1.0, "written so") for label in fits)
    if exact and exclusive:
        return Found(exact)
    known = wordnet.senses(name)
    if not exact and _no_word(name) and (meant := misspelt(name, {label: names(label) for label in senses})):
        if len(meant) == 1 and senses[meant[0]] and plain_slip(name, meant[0]):
            return Found((Hit(meant[0], "misspelling", SLIP, f"{name!r} is no word but nearly {meant[0]!r}"),))
        return Found(asked=tuple(Hit(label, "misspelling", 1 / len(meant), "spelt nearly so") for label in meant))
    meanings = _covering(known, senses[fits[0]]) if fits else _in_question(known, senses)
    kinds = _kinds(name, meanings, fits, senses)
    if exact:
        return Found(exact + tuple(hit for hit in kinds if hit.score > ENOUGH))
    if _ambiguous(meanings, senses):
        return Found(asked=tuple(kinds))
    taken = tuple(hit for hit in kinds if hit.score > ENOUGH)
    if taken:
        return Found(taken)
    weak = kinds or _of_the_head(name, known, senses)
    asked = {hit.label: hit for hit in (*_broader(name, meanings, senses), *weak)}
    return Found(asked=tuple(sorted(asked.values(), key=lambda hit: -hit.score)))


def _no_word(name: str) -> bool:
    """Whether a word of it is none: only then it may be a slip of the pen."""
    return not wordnet.senses(name) and not all(wordnet.is_word(word) for word in normalize(name))


def _covering(meanings: Mapping[str, float], shares: Mapping[str, float]) -> Mapping[str, float]:
    """What is written as a class is says in which sense it is meant: one that holds the class's, else the class's."""
    lineage = {up for sense, share in shares.items() if share >= USUAL for up in wordnet.above(sense)}
    return _shares({meaning: share for meaning, share in meanings.items() if meaning in lineage}) or shares


def _in_question(meanings: Mapping[str, float], senses: Mapping[str, Mapping[str, float]]) -> Mapping[str, float]:
    """Without the usual meanings that no class has, if another one has some: "primates" among apes are no bishops."""
    usual = [meaning for meaning, share in meanings.items() if share >= USUAL]
    reaching = [meaning for meaning in usual if _reached(meaning, senses)]
    idle = set(usual) - set(reaching) if reaching else set()
    return _shares({meaning: share for meaning, share in meanings.items() if meaning not in idle})


def _reached(meaning: str, senses: Mapping[str, Mapping[str, float]]) -> frozenset[str]:
    """The classes that are probably of that kind."""
    if meaning in VAGUE:
        return frozenset()
    return frozenset(
        label
        for label, shares in senses.items()
        if sum(share for sense, share in shares.items() if meaning in wordnet.above(sense)) > ENOUGH
    )


def _kinds(
    name: str, meanings: Mapping[str, float], besides: Sequence[str], senses: Mapping[str, Mapping[str, float]]
) -> list[Hit]:
    """Classes that are what the object is, or kinds of it, best first."""
    hits = []
    for label in senses:
        if label in besides:
            continue
        score, same, why = 0.0, 0.0, ""
        best = 0.0
        for sense, share in _of_class(label, senses[label]).items():
            lineage = wordnet.above(sense)
            for meaning, likely in meanings.items():
                if meaning not in lineage or meaning in VAGUE:
                    continue
                score += share * likely
                same += share * likely * (lineage[meaning] == 0)
                if share * likely > best:
                    best, why = share * likely, _why(name, meaning, label, lineage[meaning])
        if score >= WORTH_ASKING:
            hits.append(Hit(label, "synonym" if same > score / 2 else "kind", min(score, 1.0), why))
    return sorted(hits, key=lambda hit: -hit.score)


def _of_the_head(name: str, known: Mapping[str, float], senses: Mapping[str, Mapping[str, float]]) -> list[Hit]:
    """What the last word of an unknown name could mean: "goods vehicles" are some of the vehicles."""
    words = normalize(name)
    if known or len(words) < 2:
        return []
    kinds = _kinds(words[-1], _in_question(wordnet.senses(words[-1]), senses), (), senses)
    return [replace(hit, score=hit.score * NARROWED) for hit in kinds if hit.score > ENOUGH]


def _of_class(label: str, shares: Mapping[str, float]) -> Mapping[str, float]:
    """A class of several words that WordNet does not know is a kind of its last word, unless the others deny that."""
    if shares:
        return shares
    words = normalize(names(label)[0])
    if len(words) < 2 or not DENYING.isdisjoint(words):
        return {}
    return {sense: share * BY_HEAD for sense, share in wordnet.senses(words[-1]).items()}


def _ambiguous(meanings: Mapping[str, float], senses: Mapping[str, Mapping[str, float]]) -> bool:
    """Whether two usual meanings of the object lead to different classes."""
    reached = [found for meaning, share in meanings.items() if share >= USUAL and (found := _reached(meaning, senses))]
    return any(not (one <= other or other <= one) for one in reached for other in reached)


def _broader(name: str, meanings: Mapping[str, float], senses: Mapping[str, Mapping[str, float]]) -> list[Hit]:
    """Classes that the object is a kind of: some of their instances are meant, and nobody labelled which."""
    words = normalize(name)
    if not meanings and len(words) > 1:  # "red cars" are some cars
        steps = {
            s: (share, {s: 1, **{up: n + 1 for up, n in wordnet.above(s).items()}})
            for s, share in wordnet.senses(words[-1]).items()
        }
    else:
        steps = {s: (share, wordnet.above(s)) for s, share in meanings.items()}
    hits = []
    for label, shares in senses.items():
        score, why = 0.0, ""
        for likely, lineage in steps.values():
            for sense, share in shares.items():
                if 0 < lineage.get(sense, 0) <= STEPS_UP and sense not in VAGUE:
                    score += likely * share / (1 + lineage[sense])
                    why = f"{name!r} is only some of {label!r}"
        if score >= WORTH_ASKING:
            hits.append(Hit(label, "broader", score, why))
    return hits


def _why(name: str, meaning: str, label: str, steps: int) -> str:
    if steps == 0:
        return f"{label!r} is another word for {name!r}: {wordnet.definition(meaning)}"
    return f"{label!r} is a kind of {name!r}: {wordnet.definition(meaning)}"


def _shares(weights: Mapping[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    return {sense: weight / total for sense, weight in weights.items()} if total else {}
