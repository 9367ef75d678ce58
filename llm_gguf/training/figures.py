"""Numbers as people write them, and plausible sizes for the unit that a sentence names."""

import random
import re

_ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_TENS = {20: "twenty", 30: "thirty", 40: "forty", 50: "fifty", 60: "sixty", 70: "seventy", 80: "eighty", 90: "ninety"}


def spell(number: float) -> str | None:
    """A whole number up to 99 (or a round hundred) in words."""
    if number != int(number) or number < 1:
        return None
    n = int(number)
    if n <= 12:
        return _ONES[n]
    if n < 100 and n // 10 * 10 in _TENS:
        return _TENS[n // 10 * 10] + ("-" + _ONES[n % 10] if n % 10 else "")
    if n < 1000 and n % 100 == 0:
        return _ONES[n // 100] + " hundred"
    return None


def figure(rng: random.Random, number: float, words_share: float = 0.12) -> str:
    """A number as people write it."""
    if rng.random() < words_share and (spelled := spell(number)):
        return spelled
    if number == int(number):
        text = str(int(number))
        return f"{int(number):,}" if number >= 10000 and rng.random() < 0.4 else text
    text = f"{number:g}"
    return text.replace(".", ",") if rng.random() < 0.12 else text


def round_number(rng: random.Random, low: float, high: float) -> float:
    value = low * (high / low) ** rng.random()
    if rng.random() < 0.7:
        steps = [s for s in (1, 2, 5, 10, 20, 25, 50, 100, 1000) if s <= max(1.0, value / 2)]
        step = rng.choice(steps)
        return float(max(1, round(value / step) * step))
    return float(max(1, round(value))) if value >= 3 else round(value, 1) or 0.5


def unit_of(kind: str, text: str) -> tuple[str, float, float]:
    """Unit label and a plausible range for the number in front of the unit that the text names."""
    tail = text.split("{V}")[1].casefold()
    if kind == "speed":
        if re.search(r"minute|\bmin$|\bmin\b", tail):
            return "per-minute", 5, 2000
        if re.search(r"^ ?(ms|msec|millisecond)", tail):
            return "ms", 2, 900
        if re.search(r"^ ?(s|sec|seconds?)\b", tail):
            return "s", 1, 10
        return "fps", 1, 400
    if kind == "flops":
        return ("MFLOPs", 20, 900) if re.search(r"^ ?(m|mega)", tail) else ("GFLOPs", 1, 200)
    if re.search(r"^ ?(k\b|k |thousand)", tail):
        return "K", 20, 900
    return ("M", 1, 120) if re.search(r"^ ?m", tail) else ("plain", 0, 0)
