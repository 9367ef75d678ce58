"""Reads the model's marks back: names become spans of the text, numbers are taken from the text by code.

Knows the prompt language, not how the marks were chosen and not what the second reader says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from llm_gguf import prompting, reader
from llm_gguf.engine import Completion
from llm_gguf.numbers import Number
from llm_gguf.prompting import Word
from llm_gguf.reader import Finding

GUESS: Final = 0.1
"""Least probability of a class name that is shown as a guess."""


@dataclass(frozen=True, slots=True)
class Span:
    """Characters of the request: text[start:end]."""

    start: int
    end: int
    text: str


@dataclass(slots=True)
class Draft:
    """What the language model read; `task` is None where it saw no vision request."""

    task: str | None = None
    objects: list[Span] = field(default_factory=list)
    guess: Span | None = None
    """Where no class was read: what is likeliest to be one, if anything is."""
    model: Span | None = None
    dataset: Span | None = None
    quantities: dict[str, Finding] = field(default_factory=dict)
    metrics: list[Finding] = field(default_factory=list)
    gpu: str = "none"
    engine: str = "none"
    engine_span: Span | None = None
    certainty: dict[int, float] = field(default_factory=dict)
    """First character of every word -> the probability of what the model said of it; empty where it was not asked."""
    device_certainty: float = 0.0
    task_certainty: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a language model read, and how sure it was."""

    draft: Draft
    task_probability: float
    confidence: float
    """The probability the model gives to its whole reading when no grammar constrains it."""
    forced: int
    """How often the grammar overruled the model's first choice."""


def number_words(words: Sequence[Word], found: Sequence[Number]) -> dict[int, Number]:
    """Words that begin a number, with that number."""
    starts = {number.start: number for number in found}
    return {i: starts[word.start] for i, word in enumerate(words) if word.start in starts}


def quantity(kind: str, number: Number, unit: str) -> Finding:
    """A pointed-at number with the unit label of the model, converted to the units of the configuration."""
    value, scale = number.value, number.scale
    if kind == "speed" and unit in ("per-minute", "per-hour"):
        seconds = 60 if unit == "per-minute" else 3600
        return Finding("speed", number.amount / seconds, "fps", number.start, number.tail)
    if kind == "speed":
        return Finding("speed", number.amount, unit, number.start, number.tail)
    sizes = {"K": 1e3, "M": 1e6, "B": 1e9, "plain": 1.0, "MFLOPs": 1e6, "GFLOPs": 1e9, "TFLOPs": 1e12}
    # A scale word in the text ("half a million") decides; the label only says what an unwritten or short unit means.
    amount = value * (scale if scale != 1 else sizes[unit])
    if unit == "plain":
        unit = next((u for u in ("B", "M", "K") if amount >= sizes[u]), "K")
    return Finding(kind, round(amount / sizes[unit], 9), unit, number.start, number.tail)


def interpret(done: Completion, text: str, words: Sequence[Word], numbers: Mapping[int, Number]) -> Draft:
    """The draft that the marks describe: one mark per word, then task and device. The grammar has checked the order."""
    draft, marks = Draft(), done.marks
    if marks[-2] != prompting.NO_TASK:
        draft.task = _label(marks[-2])
    if marks[-1] != prompting.OUTSIDE:
        draft.gpu = _label(marks[-1])
    draft.certainty = {word.start: p for word, p in zip(words, done.probabilities, strict=False)}
    draft.task_certainty, draft.device_certainty = done.probabilities[-2:]
    for i, mark in enumerate(marks[: len(words)]):
        if mark in prompting.number_marks():
            _take_number(draft, _label(mark), mark.startswith("<metric="), numbers[i])
        elif mark not in (prompting.OUTSIDE, prompting.INSIDE):
            last = i
            while marks[last + 1] == prompting.INSIDE and last + 1 < len(words):
                last += 1
            _take_name(draft, mark, Span(words[i].start, words[last].end, text[words[i].start : words[last].end]))
    return draft


def likeliest_class(done: Completion, text: str, words: Sequence[Word]) -> Span | None:
    """The name that begins at the likeliest word and goes on while that is likelier than not, if any is likely."""
    begins = done.class_begins[: len(words)]
    first = max(range(len(begins)), key=begins.__getitem__, default=None)
    if first is None or begins[first] < GUESS:
        return None
    last = first
    while last + 1 < len(words) and done.name_goes_on[last + 1] > 0.5:
        last += 1
    return Span(words[first].start, words[last].end, text[words[first].start : words[last].end])


def _label(mark: str) -> str:
    return mark[1:-1].split("=", 1)[1]


def _take_number(draft: Draft, label: str, is_metric: bool, number: Number) -> None:
    if is_metric:
        finding = Finding(f"metric.{label}", reader.share(number), "share", number.start, number.tail)
        draft.metrics.append(finding)
        return
    kind = prompting.UNIT_FIELDS[label]
    draft.quantities.setdefault(kind, quantity(kind, number, label))


def _take_name(draft: Draft, mark: str, span: Span) -> None:
    """Where a request names two networks, data sets or engines, the first stands."""
    if mark == "<object>":
        draft.objects.append(span)
    elif mark == "<model>":
        draft.model = draft.model or span
    elif mark == "<dataset>":
        draft.dataset = draft.dataset or span
    elif draft.engine == "none":
        draft.engine, draft.engine_span = _label(mark), span
