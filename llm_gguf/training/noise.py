"""Makes a clean request untidy: all small letters or capitals, typing slips, lost punctuation, strange words."""

import random
import re
from collections.abc import Callable

from llm_gguf.training import words
from llm_gguf.training.marking import outside_heads, outside_marks

_FREE_WORD = re.compile(r"(?<![\w-])[a-z]{4,}(?![\w-])")
"""A longer word in small letters."""


class Noise:
    """Applied to a text with planted marks; the marks stay where they are."""

    def __init__(self, rng: random.Random, names: words.Names) -> None:
        self.rng, self.names = rng, names

    def __call__(self, text: str) -> str:
        rng = self.rng
        pick = rng.random()
        if pick < 0.1:
            text = outside_heads(text, str.lower)
        elif pick < 0.12:
            text = outside_heads(text, str.upper)
        if rng.random() < 0.2:
            text = self._replace(text, rng.choice((0.02, 0.04, 0.08)), self._slip)
        if rng.random() < 0.15:
            text = self._replace(text, rng.choice((0.03, 0.08, 0.15)), self._strange)
        if rng.random() < 0.04:
            text = re.sub(r"[.,!?](?= |$)", lambda m: m.group() if rng.random() < 0.5 else "", text)
        return text

    def _replace(self, text: str, rate: float, change: Callable[[str], str]) -> str:
        rng = self.rng

        def changed(found: re.Match[str]) -> str:
            return change(found.group()) if rng.random() < rate else found.group()

        return outside_marks(text, lambda part: _FREE_WORD.sub(changed, part))

    def _slip(self, word: str) -> str:
        i = self.rng.randrange(len(word) - 1)
        return self.rng.choice(
            (word[:i] + word[i + 1] + word[i] + word[i + 2 :], word[:i] + word[i + 1 :], word[:i] + word[i] + word[i:])
        )

    def _strange(self, word: str) -> str:
        """Any other word: an unknown word is no sign of a class."""
        stock = self.names.stock
        if stock is None or self.rng.random() < 0.3:
            return words.pseudo(self.rng)
        return self.rng.choice(self.rng.choice((stock.names["T"], stock.verbs, stock.adjectives))).split(" ")[-1]
