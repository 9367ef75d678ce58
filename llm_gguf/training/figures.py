"""Numbers as people write them, and plausible sizes for the unit that a slot names."""

import random
import re
from typing import Final

_ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_TEENS = ["thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = {20: "twenty", 30: "thirty", 40: "forty", 50: "fifty", 60: "sixty", 70: "seventy", 80: "eighty", 90: "ninety"}

RANGES: Final = {
    "fps": (1, 400),
    "ms": (2, 900),
    "s": (1, 10),
    "permin": (5, 2000),
    "perhour": (60, 20000),
    "million": (1, 120),
    "K": (20, 900),
    "GF": (1, 200),
    "MF": (20, 900),
    "n": (2, 5000),
}
"""Slot -> the sizes its number may have."""
_FRACTIONS: Final = {
    "s": (0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.02, 1.5, 2.5),
    "million": (0.5, 1.2, 1.5, 2.5, 3.4, 0.8),
}


def spell(number: float) -> str | None:
    """A whole number up to 99 (or a round hundred) in words."""
    if number != int(number) or number < 1:
        return None
    n = int(number)
    if n < 20:
        return (_ONES + _TEENS)[n]
    if n < 100:
        return _TENS[n // 10 * 10] + ("-" + _ONES[n % 10] if n % 10 else "")
    if n < 1000 and n % 100 == 0:
        return _ONES[n // 100] + " hundred"
    return None


def round_number(rng: random.Random, low: float, high: float) -> float:
    value = low * (high / low) ** rng.random()
    if rng.random() < 0.7:
        steps = [s for s in (1, 2, 5, 10, 20, 25, 50, 100, 1000) if s <= max(1.0, value / 2)]
        step = rng.choice(steps)
        return float(max(1, round(value / step) * step))
    return float(max(1, round(value)))


def figure(rng: random.Random, number: float) -> str:
    """A number in figures."""
    if number == int(number):
        return f"{int(number):,}" if number >= 10000 and rng.random() < 0.4 else str(int(number))
    text = f"{number:g}"
    return text.replace(".", ",") if rng.random() < 0.08 else text


def redrawn(rng: random.Random, slot: str, written: str) -> str:
    """Another number in the style of the written one; what is no plain number ("half a") stays."""
    spelled = re.fullmatch(r"[a-z]+(?:-[a-z]+)?(?: hundred)?", written) is not None
    if spelled and written in ("a", "an", "half", "one"):
        return written
    if not spelled and not re.fullmatch(r"\d[\d.,]*", written):
        return written
    low, high = RANGES[slot]
    if spelled:
        return spell(round_number(rng, max(2, low), min(high, 99))) or written
    fractions = _FRACTIONS.get(slot, (1.5, 0.5, 4.5, 3.6))
    if (re.search(r"[.,]", written) and rng.random() < 0.7) or (slot == "s" and rng.random() < 0.3):
        return figure(rng, rng.choice(fractions))
    if rng.random() < 0.06 and (word := spell(round_number(rng, max(2, low), min(high, 99)))):
        return word
    return figure(rng, round_number(rng, low, high))


def redrawn_share(rng: random.Random, written: str) -> str:
    """Another quality in the style of the written one: percent stays percent, a share stays a share."""
    value = rng.choice((50, 60, 70, 75, 80, 85, 90, 95, rng.randint(20, 99), rng.randint(30, 99), 99))
    if not re.fullmatch(r"\d+(?:[.,]\d+)?", written):
        return (spell(value) or written) if re.fullmatch(r"[a-z-]+", written) else written
    number = float(written.replace(",", "."))
    if number <= 1:
        return f"{value / 100:g}" if rng.random() < 0.85 else f"{value / 100 + 0.005:.3f}"
    return str(value) if rng.random() < 0.93 else f"{value}.5"
