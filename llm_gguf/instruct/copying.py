"""The answer of an instruct model: one line of JSON that can only copy from the request, and how it is read back.

`build` makes its grammar: names are runs of whole words inside one clause, classes stand in the order of the text
without overlapping, numbers are those that occur. Every request thus has finitely many answers, all of them whole.
`interpret` finds the places again and makes the draft. Knows neither llama.cpp nor the second reader's findings.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from llm_gguf import answer, numbers, prompting, reader
from llm_gguf.answer import Draft, Span
from llm_gguf.errors import UnfinishedAnswerError
from llm_gguf.grammar import BREAK, Grammar, Rule, Sequences, Symbol
from llm_gguf.numbers import Number
from llm_gguf.prompting import Word
from llm_gguf.reader import Finding

QUANTITIES: Final = {
    "speed": prompting.SPEED_UNITS,
    "flops": prompting.FLOPS_UNITS,
    "parameters": prompting.PARAMETER_UNITS,
}
MOST_METRICS: Final = 6
"""No request states more; without a limit a weak model may repeat itself for ever."""

_STRING = r'"(?:[^"\\]|\\.)*"'
_QUANTITY = rf'null|\{{"number":{_STRING},"unit":{_STRING}\}}'
_METRIC = rf'\{{"name":{_STRING},"number":{_STRING}\}}'
_SHAPES: Final = {
    "task": _STRING,
    "object": rf"\[(?:{_STRING}(?:,{_STRING})*)?\]",
    "specific_model": _STRING,
    "specific_dataset": _STRING,
    **dict.fromkeys(QUANTITIES, _QUANTITY),
    "metrics": rf"\[(?:{_METRIC}(?:,{_METRIC})*)?\]",
    "gpu": _STRING,
    "inference_engine": _STRING,
}
"""The fields in their order."""
_ANSWER = re.compile(r"\{" + ",".join(f'"{name}":(?P<{name}>{shape})' for name, shape in _SHAPES.items()) + r"\}")

# What usually stands right behind a number of this unit; decides between equal numbers of one request.
_PICTURES = r"[\s+-]*(?:f\.?p\.?s|f/s|hz|hertz|/|(?:[a-z-]+ )?(?:frame|image|picture|photo|shot|scan|item|sample))"
_BEHIND: Final = {
    "fps": _PICTURES,
    "per-minute": _PICTURES,
    "per-hour": _PICTURES,
    "ms": r"[\s-]*m(?:s|illi)",
    "s": r"[\s-]*s(?:ecs?|econds?)?\b",
    "MFLOPs": r"[\s-]*m(?:ega|illion)?[\s-]*(?:flop|floating|operation)",
    "GFLOPs": r"[\s-]*(?:g|b)[a-z]*[\s-]*(?:flop|floating|operation)",
    "TFLOPs": r"[\s-]*t[a-z]*[\s-]*(?:flop|floating|operation)",
    "K": r"[\s-]*(?:k|thousand)\b",
    "M": r"[\s-]*m(?:illions?|io|ln|il)?\b",
    "B": r"[\s-]*b(?:illions?)?\b",
    "plain": r"\s*(?:[a-z]+ )?(?:param|weight)",
    "share": r"\s*(?:%|per ?cent|pct)",
}

Certainty = Callable[[int, int], float]
"""Probability of the characters [start:end] of the answer."""


@dataclass(frozen=True, slots=True)
class Source:
    """What may be copied from a request."""

    text: str
    words: tuple[Word, ...]
    numbers: tuple[Number, ...]

    def joint(self, i: int) -> str | None:
        """What stands between word i and the next, as an answer writes it; None where no name may go on."""
        if i + 1 >= len(self.words):
            return None
        between = self.text[self.words[i].end : self.words[i + 1].start]
        return None if BREAK.search(between) else _plain(between)

    def written(self, number: Number) -> str:
        return _plain(self.text[number.start : number.end])

    def span(self, name: str, first: int = 0) -> tuple[Span, int] | None:
        """The first place from word `first` on where this name stands, and the word behind it."""
        for begin in range(first, len(self.words)):
            read = ""
            for i in range(begin, len(self.words)):
                read += self.words[i].text
                if read == name:
                    start, end = self.words[begin].start, self.words[i].end
                    return Span(start, end, self.text[start:end]), i + 1
                joint = self.joint(i)
                if joint is None or not name.startswith(read):
                    break
                read += joint
        return None

    def number(self, written: str, unit: str, taken: Iterable[int]) -> Number:
        """The number written like this: one with the unit behind it, not taken yet, and the first of those."""
        behind = re.compile(_BEHIND[unit], re.IGNORECASE)
        same = [n for n in self.numbers if self.written(n) == written]
        return min(same, key=lambda n: (not behind.match(self.text, n.end), n.start in taken))


def source(text: str) -> Source:
    """Words and numbers of a request. Numbers too large for a float are left out."""
    return Source(text, prompting.encode(text).words, tuple(n for n in numbers.find(text) if math.isfinite(n.amount)))


def build(given: Source, *, may_refuse: bool = True) -> Grammar:
    """The grammar of all answers to this request, linear in its words; without `may_refuse` the task is never none.

    Rule span-i is a name that begins with word i, class-i the same in the list of classes, classes-i all classes from
    word i on, more-i what follows a class that ends with word i.
    """
    count = len(given.words)
    rules: dict[str, Sequences] = {
        "root": [list(_fields(bool(given.numbers)))],
        "task": _each(t for t in (*prompting.TASKS, "none") if may_refuse or t != "none"),
        "gpu": _each(("none", *prompting.DEVICES)),
        "engine": _each(("none", *prompting.ENGINES)),
        "name": [["none"], *_then([], "span", range(count))],
        "classes": [["]"], *_then(['"'], "classes", range(min(count, 1)))],
        **(_number_rules(given) if given.numbers else {}),
    }
    for i, word in enumerate(given.words):
        text, joint = _escaped(word.text), given.joint(i)
        joined = [text, _escaped(joint)] if joint else [text]
        following = range(i + 1, min(i + 2, count))
        further = following if joint is not None else ()
        rules[f"span-{i}"] = [[text], *_then(joined, "span", further)]
        rules[f"class-{i}"] = [[text, '"', Rule(f"more-{i}")], *_then(joined, "class", further)]
        rules[f"classes-{i}"] = [[Rule(f"class-{i}")], *_then([], "classes", following)]
        rules[f"more-{i}"] = [["]"], *_then([',"'], "classes", following)]
    return Grammar(rules)


def _fields(has_numbers: bool) -> Iterable[Symbol]:
    yield from ('{"task":"', Rule("task"), '","object":[', Rule("classes"))
    yield from (',"specific_model":"', Rule("name"), '","specific_dataset":"', Rule("name"), '"')
    for kind in QUANTITIES:
        yield from (f',"{kind}":', Rule(kind) if has_numbers else "null")
    yield from (',"metrics":[', Rule("metrics") if has_numbers else "]")
    yield from (',"gpu":"', Rule("gpu"), '","inference_engine":"', Rule("engine"), '"}')


def _number_rules(given: Source) -> dict[str, Sequences]:
    written = dict.fromkeys(given.written(number) for number in given.numbers)
    rules: dict[str, Sequences] = {
        "number": _each(map(_escaped, written)),
        "metric": [['{"name":"', Rule("quality"), '","number":"', Rule("number"), '"}']],
        "quality": _each(prompting.METRICS),
        "metrics": [["]"], [Rule("metric"), Rule("metrics-1")]],
    }
    for kind, units in QUANTITIES.items():
        rules[kind] = [["null"], ['{"number":"', Rule("number"), '","unit":"', Rule(f"{kind}-unit"), '"}']]
        rules[f"{kind}-unit"] = _each(units)
    most = min(len(given.numbers), MOST_METRICS)
    for i in range(1, most):
        rules[f"metrics-{i}"] = [["]"], [",", Rule("metric"), Rule(f"metrics-{i + 1}")]]
    rules[f"metrics-{most}"] = [["]"]]
    return rules


def _then(texts: Sequence[str], kind: str, words: Iterable[int]) -> Sequences:
    """These texts and behind them the rule of each of these words."""
    return [[*texts, Rule(f"{kind}-{i}")] for i in words]


def _each(texts: Iterable[str]) -> Sequences:
    return [[text] for text in texts]


def _plain(text: str) -> str:
    """White space of any kind and length is one space in an answer."""
    return re.sub(r"\s+", " ", text)


def _escaped(text: str) -> str:
    """As JSON writes it inside quotes; what is not printable becomes \\uXXXX."""
    return "".join(json.dumps(c)[1:-1] if c in '"\\' or not c.isprintable() else c for c in text)


def task_place(written: str) -> tuple[int, int]:
    """Where an answer names its task. Raises UnfinishedAnswerError if it is not whole."""
    return _parsed(written).span("task")


def _parsed(written: str) -> re.Match[str]:
    found = _ANSWER.fullmatch(written)
    if found is None:
        raise UnfinishedAnswerError(
            "the language model did not bring its answer to an end",
            "state the wish in a few sentences, or let another model read it (--llm)",
        )
    return found


def interpret(given: Source, written: str, certainty: Certainty) -> Draft:
    """The draft that an answer of the grammar describes. Raises UnfinishedAnswerError if it is not whole.

    `certainty` of a number is the probability of its whole entry: that it is there, which number, which unit or name.
    Of all other words nothing is claimed: this model was not asked about them.
    """
    found = _parsed(written)
    texts = {name: json.loads(value) for name, value in found.groupdict().items()}
    draft = Draft(task=None if texts["task"] == "none" else texts["task"], gpu=texts["gpu"])
    draft.objects = _in_order(given, texts["object"])
    draft.model, draft.dataset = (_name(given, texts[f"specific_{kind}"]) for kind in ("model", "dataset"))
    draft.engine = texts["inference_engine"]
    if draft.engine != "none":
        alike = (word for word in given.words if reader.names(word.text, draft.engine))
        draft.engine_span = next((Span(word.start, word.end, word.text) for word in alike), None)
    taken: set[int] = set()
    for kind in QUANTITIES:
        if texts[kind] is not None:
            unit = texts[kind]["unit"]
            number = given.number(texts[kind]["number"], unit, taken)
            draft.quantities[kind] = answer.quantity(kind, number, unit)
            _sure_of(draft, number, taken, certainty(*found.span(kind)))
    start = found.start("metrics")
    for entry, place in zip(texts["metrics"], re.finditer(_METRIC, found["metrics"]), strict=True):
        number = given.number(entry["number"], "share", taken)
        value = reader.share(number)
        draft.metrics.append(Finding(f"metric.{entry['name']}", value, "share", number.start, number.tail))
        _sure_of(draft, number, taken, certainty(start + place.start(), start + place.end()))
    return draft


def _sure_of(draft: Draft, number: Number, taken: set[int], probability: float) -> None:
    """A number that two fields claim is as sure as the weaker claim."""
    taken.add(number.start)
    draft.certainty[number.start] = min(probability, draft.certainty.get(number.start, 1.0))


def _in_order(given: Source, names: Sequence[str]) -> list[Span]:
    spans: list[Span] = []
    behind = 0
    for name in names:
        if place := given.span(name, behind):
            span, behind = place
            spans.append(span)
    return spans


def _name(given: Source, name: str) -> Span | None:
    place = None if name == "none" else given.span(name)
    return place[0] if place else None
