"""Tells English from other languages by letters and by the small words that every sentence needs.

No more than a gate: texts without any small words (notes, lists of names) pass.
"""

import re
import unicodedata
from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ENGLISH: Final = _words(
    "the a an and or of to in on for with is are be it we i you that this at as by from not no can should must which "
    "please need want have has my our their if but than each every all any what where when who do does will would "
    "could may per under least most into out up about there one them"
)
_FOREIGN: Final = _words(
    "der die das und ist ein eine einen mit für auf nicht den dem von zu ich wir mir bitte oder soll auch bei aus "
    "le les des est un une et dans pour avec qui que sur pas nous vous je du au aux ou sont "
    "el los las y es una con para por se del lo su como más quiero necesito "
    "il gli di che non per sono della nel con vorrei "
    "o os um uma não em seu são preciso "
    "het een en van niet voor dat met zijn wij ik op moet "
    "och att det som är jag på inte "
    "jest nie na do się czy w z i "
    "bir ve için bu ile"
)
_WORD: Final = re.compile(r"[^\W\d_]+")
LATIN_SHARE: Final = 0.5
"""Least share of Latin letters among all letters."""


def is_english(text: str) -> bool:
    """False where most letters are not Latin, or where small words of other languages outnumber the English ones."""
    letters = [c for c in text if c.isalpha()]
    latin = sum(unicodedata.name(c, "").startswith("LATIN") for c in letters)
    if letters and latin < LATIN_SHARE * len(letters):
        return False
    words = [word.casefold() for word in _WORD.findall(text)]
    foreign = sum(word in _FOREIGN and word not in _ENGLISH for word in words)
    return foreign < 2 or foreign < sum(word in _ENGLISH for word in words)
