"""Finds numbers in English text: digits, decimal commas, grouped digits, number words, halves and quarters.

`find` returns every number with the characters it came from. Knows no units: "5 million" is 5 with scale 1e6, and
what is counted stands behind it.
"""

import re
from dataclasses import dataclass
from typing import Final

_ONES: Final = {
    word: float(value)
    for value, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ]
    )
}
_TENS: Final = {
    word: 10.0 * value
    for value, word in enumerate(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], start=2
    )
}
_SCALES: Final = {
    "thousand": 1e3, "million": 1e6, "millions": 1e6, "mio": 1e6, "mln": 1e6, "billion": 1e9, "trillion": 1e12
}  # fmt: skip
_FRACTIONS: Final = {"half": 0.5, "quarter": 0.25, "third": 1 / 3, "tenth": 0.1}

_DIGITS = re.compile(r"(?<![\w.,@/-])(?:\d{1,3}(?: \d{3})+(?![\w,.]\d)|\d+(?:[.,]\d+)*)|(?<=\d-)\d+(?:[.,]\d+)*")
_WORD = re.compile(r"[a-z]+", re.IGNORECASE)
_SCALE_BEHIND = re.compile(r"\s*-?\s*(" + "|".join(_SCALES) + r")\b", re.IGNORECASE)
_PERCENT_BEHIND = re.compile(r"\s*(%|per ?cent\b|pct\b)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Number:
    """A number of the text; `value` is what the figure or words say, `scale` the million behind it (1 if none)."""

    start: int
    end: int
    value: float
    scale: float
    percent: bool
    tail: int
    """Where the scale word or percent sign ends: what is counted begins here."""

    @property
    def amount(self) -> float:
        return self.value * self.scale


def _digits_value(text: str) -> float:
    """1,5 is one and a half; 1,500 and 1 500 and 1.500.000 are grouped; 0,125 is a fraction."""
    text = text.replace(" ", "")
    if re.fullmatch(r"[1-9]\d{0,2}(,\d{3})+(\.\d+)?", text):
        return float(text.replace(",", ""))
    if re.fullmatch(r"[1-9]\d{0,2}(\.\d{3}){2,}", text):
        return float(text.replace(".", ""))
    if re.fullmatch(r"\d+,\d+", text):
        return float(text.replace(",", "."))
    pieces = re.fullmatch(r"\d+(\.\d+)?", text)
    return float(text) if pieces else float(re.split(r"[.,]", text)[0])


def _finish(text: str, start: int, end: int, value: float) -> Number:
    scale, tail = 1.0, end
    if found := _SCALE_BEHIND.match(text, end):
        scale, tail = _SCALES[found.group(1).lower()], found.end()
    percent = _PERCENT_BEHIND.match(text, tail)
    return Number(start, end, value, scale, percent is not None, percent.end() if percent else tail)


def _word_run(words: list[re.Match[str]], first: int, text: str) -> tuple[float, int] | None:
    """Value and index of the last word of the number that begins with words[first]; None if none begins there."""
    total, last, at = 0.0, -1, first
    while at < len(words):
        word = words[at].group().lower()
        if at > first and not re.fullmatch(r"[\s-]*", text[words[at - 1].end() : words[at].start()]):
            break
        if word in _TENS:
            if last >= 0 and total % 100:
                break
            total += _TENS[word]
        elif word in _ONES:
            if last >= 0 and (total % 10 or words[at - 1].group().lower() in _ONES):
                break
            total += _ONES[word]
        elif word == "hundred" and last >= 0 and 0 < total < 100:
            total *= 100
        elif word == "and" and last >= 0 and words[at - 1].group().lower() == "hundred":
            at += 1
            continue
        else:
            break
        last, at = at, at + 1
    return (total, last) if last >= 0 else None


def _spelled(text: str) -> list[Number]:
    words = list(_WORD.finditer(text))
    found: list[Number] = []
    at = 0
    while at < len(words):
        run = _word_run(words, at, text)
        if run is None:
            single = _article_number(words, at, text)
            if single is not None:
                found.append(single)
                at += 1
                while at < len(words) and words[at].start() < found[-1].end:
                    at += 1
                continue
            at += 1
            continue
        value, last = run
        end = words[last].end()
        if half := re.compile(r"\s+and\s+a\s+(half|quarter)\b", re.IGNORECASE).match(text, end):
            value, end = value + _FRACTIONS[half.group(1).lower()], half.end()
        elif point := re.compile(
            r"\s+point((?:\s+(?:zero|one|two|three|four|five|six|seven|eight|nine))+)", re.I
        ).match(text, end):
            digits = "".join(str(int(_ONES[w.lower()])) for w in point.group(1).split())
            value, end = float(f"{int(value)}.{digits}"), point.end()
        found.append(_finish(text, words[at].start(), end, value))
        at = last + 1
        while at < len(words) and words[at].start() < end:
            at += 1
    return found


def _article_number(words: list[re.Match[str]], at: int, text: str) -> Number | None:
    """half a second, a quarter of a second, a hundred, a dozen, a million, a second."""
    start = words[at].start()
    rest = re.compile(
        r"(?:(?P<fraction>half|quarter|tenth)\s+(?:of\s+)?an?\b"
        r"|an?\s+(?P<article_fraction>half|quarter|third|tenth)(?:\s+of\s+an?\b)?"
        r"|an?\s+(?P<many>hundred|dozen)\b"
        r"|(?P<one>an?)\s+(?=(?:million|billion|thousand|second|sec|millisecond)\b))",
        re.IGNORECASE,
    ).match(text, start)
    if rest is None:
        return None
    if rest["fraction"] or rest["article_fraction"]:
        value = _FRACTIONS[(rest["fraction"] or rest["article_fraction"]).lower()]
        return _finish(text, start, rest.end(), value)
    if rest["many"]:
        return _finish(text, start, rest.end(), {"hundred": 100.0, "dozen": 12.0}[rest["many"].lower()])
    return _finish(text, start, rest.end("one"), 1.0)


def find(text: str) -> list[Number]:
    """All numbers of the text in reading order."""
    figures = [_finish(text, m.start(), m.end(), _digits_value(m.group())) for m in _DIGITS.finditer(text)]
    return sorted(figures + _spelled(text), key=lambda n: n.start)
