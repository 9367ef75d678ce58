"""Which class of a data set a requested object means, and the data set cut down to it. Knows no language model.

Rules, in order; the first under which any class fits decides, and two classes fitting under it are an error:

1. *Spelling*: equal after Unicode NFKC, case folding, punctuation, underscores and hyphens as blanks, no articles,
   and the number words zero to twenty as digits ("T-Shirt" = "t_shirt", "the three" = "3").
2. *Number*: word by word equal, or one the regular or listed plural of the other ("nuclei" = "nucleus").
3. *Joining*: equal by rule 2 once blanks are closed ("t shirts" = "tshirt").
4. *Carrier words*: equal by rule 2 or 3 without "digit", "number", "numeral", "class", "category", "sign" on either
   side, if something is left ("digit three" = "3", "digit_3" = "three").
5. *Initials*: a class in capitals spelt by the initials of two or more words ("white blood cells" = "WBC").

Nothing is matched by meaning: "car" is not "automobile".
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace

from zoo.datasets.record import Dataset, Sample
from zoo.errors import LabelError, listed

ARTICLES = frozenset({"a", "an", "the"})
CARRIERS = frozenset({"digit", "number", "numeral", "class", "category", "sign"})
BACKGROUND = "background"
# fmt: off
NUMBER_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)
# fmt: on
DIGITS = {word: str(number) for number, word in enumerate(NUMBER_WORDS)}
IRREGULAR = {
    "child": "children",
    "die": "dice",
    "foot": "feet",
    "goose": "geese",
    "man": "men",
    "mouse": "mice",
    "ox": "oxen",
    "person": "people",
    "tooth": "teeth",
    "woman": "women",
}

Words = tuple[str, ...]


def match(objects: Sequence[str], classes: Sequence[str]) -> dict[str, str]:
    """Each object with the one class it means, by the rules of this module.

    LabelError names every object without a class, every object with several, and the classes there are.
    """
    found = {name: _candidates(name, classes) for name in objects}
    unknown = [name for name, fits in found.items() if not fits]
    unclear = [f"{name!r} ({' or '.join(fits)})" for name, fits in found.items() if len(fits) > 1]
    faults = []
    if unknown:
        faults.append(f"no class for {listed(repr(name) for name in unknown)}")
    if unclear:
        faults.append(f"more than one class for {listed(unclear)}")
    if faults:
        raise LabelError.because(
            f"In the data set there is {'; '.join(faults)}.", f"The classes are: {listed(classes, shown=len(classes))}."
        )
    return {name: fits[0] for name, fits in found.items()}


def restrict(dataset: Dataset, classes: Sequence[str]) -> Dataset:
    """The data set with just these classes, in the order it has them.

    Classification drops the images of other classes; detection and keypoints drop the other boxes and keep the images
    as negatives; segmentation keeps the mask files and sets `remap`, which turns other classes into the background: the
    data set's own class of that name, kept even if not asked for, or a new class 0. LabelError if a class is not
    there, or if fewer than two are left for classification.
    """
    foreign = [name for name in classes if name not in dataset.classes]
    if foreign or not classes:
        raise LabelError.because(
            f"{listed(foreign) or 'No name at all'}: not among the classes of {dataset.root}.",
            f"The classes are: {listed(dataset.classes, shown=len(dataset.classes))}.",
        )
    if "segmentation" in dataset.tasks:
        return _restrict_masks(dataset, set(classes))
    kept = tuple(name for name in dataset.classes if name in classes)
    if "classification" in dataset.tasks and len(kept) < 2:
        raise LabelError.because(
            f"Only {kept[0]!r} would be left to tell apart.", "Ask for at least two classes, or for a detector."
        )
    new = {dataset.classes.index(name): number for number, name in enumerate(kept)}
    samples = tuple(
        _restrict_sample(sample, new) for sample in dataset.samples if sample.label is None or sample.label in new
    )
    return replace(dataset, classes=kept, samples=samples)


def _restrict_sample(sample: Sample, new: dict[int, int]) -> Sample:
    boxes = tuple(replace(box, label=new[box.label]) for box in sample.boxes if box.label in new)
    return replace(sample, label=None if sample.label is None else new[sample.label], boxes=boxes)


def _restrict_masks(dataset: Dataset, wanted: set[str]) -> Dataset:
    backgrounds = [name for name in dataset.classes if name.casefold() == BACKGROUND]
    kept = tuple(name for name in dataset.classes if name in wanted or name in backgrounds[:1])
    if len(kept) == len(dataset.classes):
        return dataset
    if not backgrounds:
        kept = (BACKGROUND, *kept)
    rest = kept.index(backgrounds[0] if backgrounds else BACKGROUND)
    here = tuple(kept.index(name) if name in kept else rest for name in dataset.classes)
    # a data set that was restricted before: file value -> its class -> the class now
    remap = tuple(here[number] for number in dataset.remap) if dataset.remap else here
    return replace(dataset, classes=kept, remap=remap)


def _candidates(name: str, classes: Sequence[str]) -> list[str]:
    words = normalize(name)
    rules: tuple[Callable[[str], bool], ...] = (
        lambda other: normalize(other) == words,
        lambda other: _same_words(words, normalize(other)),
        lambda other: _same_joined(words, normalize(other)),
        lambda other: _same_without_carriers(words, normalize(other)),
        lambda other: _spells(words, other),
    )
    if not words:
        return []
    for rule in rules:
        fits = [other for other in dict.fromkeys(classes) if rule(other)]
        if fits:
            return fits
    return []


def normalize(name: str) -> Words:
    """The words of a name under rule 1; the articles stay if nothing else is left (a class "A")."""
    plain = (
        unicodedata.normalize("NFKC", name).casefold().replace("'", "").replace("\N{RIGHT SINGLE QUOTATION MARK}", "")
    )
    words = [DIGITS.get(word, word) for word in re.split(r"[\W_]+", plain) if word]
    return tuple(word for word in words if word not in ARTICLES) or tuple(words)


def _plurals(word: str) -> set[str]:
    plurals = {word + "s", word + "es"}
    if word in IRREGULAR:
        plurals.add(IRREGULAR[word])
    endings = (("y", "ies"), ("fe", "ves"), ("f", "ves"), ("us", "i"), ("man", "men"), ("is", "es"), ("um", "a"))
    return plurals | {word[: -len(old)] + new for old, new in endings if len(word) > len(old) and word.endswith(old)}


def _same(one: str, other: str) -> bool:
    return one == other or other in _plurals(one) or one in _plurals(other)


def _same_words(ones: Words, others: Words) -> bool:
    return len(ones) == len(others) and all(_same(one, other) for one, other in zip(ones, others, strict=True))


def _same_joined(ones: Words, others: Words) -> bool:
    return bool(ones and others) and _same("".join(ones), "".join(others))


def _same_without_carriers(ones: Words, others: Words) -> bool:
    bare, bare_others = _without_carriers(ones), _without_carriers(others)
    return _same_words(bare, bare_others) or _same_joined(bare, bare_others)


def _without_carriers(words: Words) -> Words:
    return tuple(word for word in words if not any(_same(word, carrier) for carrier in CARRIERS)) or words


def _spells(words: Words, other: str) -> bool:
    return len(words) > 1 and other.isupper() and "".join(word[0] for word in words) == other.casefold()
