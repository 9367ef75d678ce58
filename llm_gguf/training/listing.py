"""Writes a list of class names the way people do: commas, "or", slashes, bullets, quotes, articles.

Knows nothing about where the names come from.
"""

import random
import re
from collections.abc import Sequence

from llm_gguf.training.marking import mark

_DETERMINED = re.compile(
    r"\b(?:the|an?|each|every|any|all|some|no|our|my|his|her|their|its|these|single|one|per) $", re.I
)
_NEVER_AGAIN = frozenset(["it", "is", "are", "be", "this", "that", "these", "those", "and", "or", "not", "them"])
_LAST_WORDS = re.compile(r"((?:[a-z]+ )?)([a-z]+) $")


def _article(name: str) -> str:
    return "an " if name[:1].lower() in "aeiou" else "a "


class Listing:
    """Draws a style for one list; `hints` are what the sentence around it needs."""

    def __init__(self, rng: random.Random, hints: Sequence[str], *, before: str, after: str) -> None:
        self.rng, self.hints = rng, hints
        self.open = before.rstrip(" ").endswith((":", "\n")) and "\n" not in after[:1]
        self.glued = bool(after[:1].strip()) and after[:1] not in ".,;:!?)]\n"
        self.echo = self._echo(before)
        self.determiner = ""
        if not hints and not self.echo and not _DETERMINED.search(before) and rng.random() < 0.06:
            self.determiner = rng.choice(("the ", "the ", "any ", "all ", "some ", "each ", "every ", "our ", "those "))

    def _echo(self, before: str) -> str:
        """What is said again in front of every further name: each cup, each plate; find cups, find plates."""
        found = _LAST_WORDS.search(before)
        if not found or found[2] in _NEVER_AGAIN:
            return ""
        likely = 0.3 if _DETERMINED.search(before) else 0.04
        if self.rng.random() > likely:
            return ""
        return (found[1] if self.rng.random() < 0.3 else "") + found[2] + " "

    def write(self, names: Sequence[str], kind: str = "") -> str:
        """The names, marked as `kind` if that is not empty."""
        rng = self.rng
        quote = rng.choice(("'", '"')) if rng.random() < 0.05 and kind else ""
        pick = rng.random()
        capital, upper = pick < 0.05, 0.05 <= pick < 0.07
        items = []
        for place, name in enumerate(names):
            shown = name[:1].upper() + name[1:] if capital else name.upper() if upper else name
            marked = mark(kind, "", shown) if kind else shown
            leader = (self.echo if place else "") + (self._leader(name) or self.determiner)
            items.append(leader + f"{quote}{marked}{quote}")
        return self._join(items)

    def _leader(self, name: str) -> str:
        if "a" in self.hints:
            return _article(name)
        return "the " if "the" in self.hints else ""

    def _join(self, items: list[str]) -> str:
        rng = self.rng
        if len(items) == 1:
            return items[0]
        word = next((h for h in ("and", "or") if h in self.hints), "")
        pick = rng.random()
        if self.open and not word and pick < 0.35:
            return self._column(items)
        if pick < (0.04 if word else 0.14) and not self.glued:
            return rng.choice((", ", ", ", ",", "; ", " / ", "/", " | ")).join(items)
        if pick < 0.2 and len(items) <= 3:
            joint = f" {word} " if word else rng.choice((" or ", " and ", " vs ", " versus ", " and ", " & "))
            return joint.join(items)
        word = word or rng.choice(("and", "and", "or"))
        last = rng.choice((f" {word} ", f" {word} ", f" {word} ", f", {word} "))
        if word == "and" and rng.random() < 0.08:
            last = rng.choice((" & ", " as well as ", ", plus ", " and also "))
        return ", ".join(items[:-1]) + last + items[-1]

    def _column(self, items: list[str]) -> str:
        """Bullets, numbers, slashes: what stands behind a colon."""
        rng = self.rng
        pick = rng.random()
        if pick < 0.45:
            return rng.choice((", ", ",", "; ", " / ", "/", " | ", " - ")).join(items)
        if pick < 0.8:
            bullet = rng.choice(("- ", "* ", "• ", ""))
            return "\n" + "\n".join(bullet + item for item in items) + "\n"
        style = rng.choice(("{}) ", "{}. ", "({}) "))
        return rng.choice(("\n", " ")).join(style.format(i + 1) + item for i, item in enumerate(items))
