"""The grammar of enumerations: holes in a list are filled, a class that stands far from the list is dropped.

"zero, one, two" with zero and two read leaves one out; in "the guide explains ...: amphora, mirror or bust" a class
read in front belongs to no list. Rules of English, blind to how the classes were read; they do not look for lists of
which nothing was read.
"""

import itertools
import re
from collections.abc import Sequence
from typing import Final

Place = tuple[int, int]

_SIGN: Final = r"\s*(?:,\s*(?:and|or)\b|[,;/|&]|\n\s*[-*•]?|\b(?:and|or|as well as|vs|versus)\b)\s*"
_ARTICLE: Final = r"(?:(?:the|an?|any|every|each|all|some)\s+)?"
_HOLE = re.compile(
    rf"{_SIGN}{_ARTICLE}(?P<item>[^\W\d_][\w-]*(?: [\w-]+){{0,2}}?){_SIGN}{_ARTICLE}['\"]?", re.IGNORECASE
)
_LAST = re.compile(
    r"['\"]?(?:,\s*)?\s*\b(?:and|or)\s+(?:(?:the|an?)\s+)?(?P<item>[^\W\d_][\w-]*(?: [\w-]+)?)(?=\s*(?:[.;:?!)]|$))",
    re.IGNORECASE,
)
_FIRST = re.compile(
    r"\b(?:classify|detect|detects|segment|segments|find|finds|locate|recogni[sz]e|distinguish|identify|between)\s+"
    rf"(?:the\s+)?(?P<item>[^\W\d_][\w-]*(?: [\w-]+)?){_SIGN}{_ARTICLE}['\"]?$",
    re.IGNORECASE,
)
_NO_ITEM = re.compile(
    r"\b(?:and|or|not|no|but|with|without|at|on|in|of|from|for|to|is|are|be|it|them|so|nothing|than|more|better)\b",
    re.IGNORECASE,
)
_JOINS = re.compile(rf"(?:[^.;:?!\n]*?)['\")]?{_SIGN}{_ARTICLE}['\"(]?|[^.?!]*\n\s*\W*\d*\W*", re.IGNORECASE)


def holes(text: str, classes: Sequence[Place]) -> list[Place]:
    """Items that stand alone between two neighbouring classes, and those that open or close a list."""
    found = []
    first = _FIRST.search(text, 0, classes[0][0]) if classes else None
    if first and not _NO_ITEM.search(first["item"]):
        found.append(first.span("item"))
    for (_, end), (start, _) in itertools.pairwise(classes):
        gap = _HOLE.fullmatch(text, end, start)
        if gap and not _NO_ITEM.search(gap["item"]):
            found.append(gap.span("item"))
    if len(classes) >= 2 and re.fullmatch(r"\s*,\s*", text[classes[-2][1] : classes[-1][0]]):
        last = _LAST.match(text, classes[-1][1])
        if last and not _NO_ITEM.search(last["item"]):
            found.append(last.span("item"))
    return found


def strays(text: str, classes: Sequence[Place]) -> list[Place]:
    """Classes that no list sign joins to their neighbours, where others form a list of at least two."""
    runs: list[list[Place]] = []
    for place in classes:
        if runs and _JOINS.fullmatch(text, runs[-1][-1][1], place[0]):
            runs[-1].append(place)
        else:
            runs.append([place])
    if max(map(len, runs), default=0) < 2:
        return []
    return [run[0] for run in runs if len(run) == 1]
