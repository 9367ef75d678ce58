"""Fills holes in enumerations: what stands between two classes of one list, between list signs, is a class too.

"zero, one, two" with zero and two read leaves one out. Knows nothing about how the classes were read.
"""

import itertools
import re
from collections.abc import Sequence
from typing import Final

_SIGN: Final = r"\s*(?:,\s*(?:and|or)\b|[,;/|&]|\n\s*[-*•]?|\band\b|\bor\b)\s*"
_HOLE = re.compile(
    rf"{_SIGN}(?:the |an? )?(?P<item>[^\W\d_][\w-]*(?: [\w-]+){{0,2}}?){_SIGN}(?:the |an? )?", re.IGNORECASE
)
_WORDS_OF_LISTS = re.compile(r"\b(?:and|or|not|no|but|with|without|at|on|in|of|from|for|to|is|are)\b", re.IGNORECASE)


def holes(text: str, classes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Places of list items that stand alone between two neighbouring classes."""
    found = []
    for (_, end), (start, _) in itertools.pairwise(classes):
        gap = _HOLE.fullmatch(text, end, start)
        if gap and not _WORDS_OF_LISTS.search(gap["item"]):
            found.append(gap.span("item"))
    return found
