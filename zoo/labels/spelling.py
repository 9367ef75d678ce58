"""Which classes are spelt as a requested object is. Knows no meanings: "car" is not "automobile".

Rules, in order; the first under which any class fits decides:

1. *Spelling*: equal after Unicode NFKC, case folding, punctuation, underscores and hyphens as blanks, no articles,
   and the number words zero to twenty as digits ("T-Shirt" = "t_shirt", "the three" = "3").
2. *Number*: word by word equal, or one the regular or listed plural of the other ("nuclei" = "nucleus").
3. *Joining*: equal by rule 2 once blanks are closed ("t shirts" = "tshirt").
4. *Carrier words*: equal by rule 2 or 3 without "class" or "category" on either side, if something is left, and
   without "digit", "number", "numeral", "sign" if that is a number or a letter ("digit three" = "3").
5. *Initials*: a class in capitals spelt by the initials of two or more words ("white blood cells" = "WBC").

A class may have several names, set apart by commas or semicolons ("tabby, tabby cat"); any of them will do.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence

ARTICLES = frozenset({"a", "an", "the"})
CARRIERS = frozenset({"class", "category"})
OF_NUMBERS = frozenset({"digit", "number", "numeral", "sign"})
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

ALLOWED = 2
"""Letters that a long word may have wrong."""


def spelled(name: str, classes: Mapping[str, Sequence[str]]) -> list[str]:
    """The classes that fit under the first rule under which any does; several are for the caller to judge.

    `classes` gives the names that count of each.
    """
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
        fits = [label for label, parts in classes.items() if any(rule(part) for part in parts)]
        if fits:
            return fits
    return []


def misspelt(name: str, classes: Mapping[str, Sequence[str]]) -> list[str]:
    """The classes that a name of five letters or more may be meant for that has one of theirs wrong, or from seven
    letters on two: the nearest of them. For names that are no word.
    """
    joined = "".join(normalize(name))
    least = min((_slips(joined, part) for parts in classes.values() for part in parts), default=ALLOWED + 1)
    if len(joined) < 5 or least > (ALLOWED if len(joined) >= 7 else 1):
        return []
    return [label for label, parts in classes.items() if min(_slips(joined, part) for part in parts) == least]


def plain_slip(name: str, label: str) -> bool:
    """Whether a name of one word, six letters or more, is one slip from the class, and begins as it does: people seldom
    have the first letter wrong, and "unmasked" is no slip of "masked".
    """
    joined = "".join(normalize(name))
    return (
        len(normalize(name)) == 1
        and len(joined) >= 6
        and joined.isalpha()
        and any(part[:1].casefold() == joined[:1] and _slips(joined, part) == 1 for part in names(label))
    )


def _slips(joined: str, label: str) -> int:
    """Letters added, left out, changed or swapped with the next; more than allowed is told as one more."""
    from nltk.metrics.distance import edit_distance

    other = "".join(normalize(label))
    if re.sub(r"\D", "", joined) != re.sub(r"\D", "", other):
        return ALLOWED + 1  # digits are never a slip: SKU1234 and SKU1235 are two things
    near = [single for single in (joined, *singulars(joined)) if abs(len(single) - len(other)) <= ALLOWED]
    return min((int(edit_distance(single, other, transpositions=True)) for single in near), default=ALLOWED + 1)


def names(label: str) -> list[str]:
    """The names of a class: "tabby, tabby cat" has two."""
    parts = [part.strip() for part in re.split("[,;]", label)]
    return [part for part in parts if part] or [label]


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


def singulars(word: str) -> list[str]:
    """What a word may be the plural of, by the same rules."""
    found = [single for single, plural in IRREGULAR.items() if plural == word]
    if word.endswith("ies"):
        found.append(word[:-3] + "y")
    if word.endswith("es"):
        found.append(word[:-2])
    if word.endswith("s") and not word.endswith("ss"):
        found.append(word[:-1])
    return found


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
    bare = tuple(word for word in words if not any(_same(word, carrier) for carrier in CARRIERS)) or words
    alone = tuple(word for word in bare if not any(_same(word, carrier) for carrier in OF_NUMBERS))
    # a "road sign" is no road, and a "number plate" no plate
    return alone if len(alone) == 1 and (alone[0].isdigit() or len(alone[0]) == 1) else bare


def _spells(words: Words, other: str) -> bool:
    return len(words) > 1 and other.isupper() and "".join(word[0] for word in words) == other.casefold()
