"""From text to configuration: check the text, let the model and the rules read it, combine, and say how sure it is."""

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from llm_gguf import answer, combine, engine, grammar, numbers, prompting, reader
from llm_gguf.answer import Span
from llm_gguf.combine import Disagreement
from llm_gguf.config import RequestConfig
from llm_gguf.errors import (
    EmptyRequestError,
    NoObjectsError,
    NotTextError,
    NoVisionRequestError,
    RequestTooLongError,
)

MAX_CHARACTERS: Final = 20_000
SURE_OF_TASK: Final = 0.9
DEFAULT_MODEL: Final = Path(__file__).parent / "models" / "edge-ru.gguf"

# One of these stands in nearly every request for a vision model; without any the model must be sure of the task.
_CUES = re.compile(
    r"image|picture|photo|camera|video|frame|scan\b|scans|pixel|mask|segment|detect|classif|categor|recogni[sz]|identif"
    r"|locat|locali|landmark|key ?point|pose\b|poses|joint|skeleton|box|label|tag\b|tags|outline|contour|count|spot"
    r"|find|sort|grade|distinguish|tell\b|posture|vision|look|see\b|instance|draw|track|shot|footage|x-?ray|micrograph|decide",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Understanding:
    """A request, understood: the configuration, where each field comes from, and every doubt."""

    config: RequestConfig
    spans: Mapping[str, Span]
    """Field path ("model.speed", "data.object.0") -> the characters it was read from."""
    disagreements: tuple[Disagreement, ...]
    confidence: float
    """The probability the language model gives to its whole reading when no grammar constrains it."""
    forced_tokens: int
    """How often the grammar overruled the model's first choice."""
    seconds: float
    model_name: str
    model_sha256: str


def checked_text(text: str) -> str:
    """The text, or the error that says why it cannot be read."""
    if not text.strip():
        raise EmptyRequestError("the request is empty", "describe in a sentence what the model should see")
    if len(text) > MAX_CHARACTERS:
        raise RequestTooLongError(
            f"the request has {len(text):,} characters, at most {MAX_CHARACTERS:,} are read",
            "state the wish in a few sentences",
        )
    control = next((c for c in text if (ord(c) < 32 and c not in "\t\n\r\f\v") or c in "\x7f\ufffd"), None)
    if control is not None or any(0xD800 <= ord(c) <= 0xDFFF for c in text):
        shown = f"U+{ord(control):04X}" if control is not None else "a lone surrogate"
        raise NotTextError(f"the request is not plain text: it holds {shown}", "give the request as UTF-8 text")
    return text


def understand_with(reader_model: engine.Engine, text: str) -> Understanding:
    """Reads a request with the given engine. Raises the errors of llm_gguf.errors."""
    began = time.perf_counter()
    checked_text(text)
    prompt = prompting.encode(text)
    if len(prompt.words) < 2:
        raise _no_vision("one word is no request")
    reading = reader.read(text)
    pointed = answer.number_words(prompt.words, numbers.find(text))
    completion = reader_model.mark(prompt.pieces, grammar.build(text, prompt.words, pointed.keys()))
    draft = answer.interpret(completion, text, prompt.words, pointed)
    has_cue = _CUES.search(text) is not None
    doubts: list[Disagreement] = []
    if draft.task is None and draft.objects and has_cue:
        # The model saw classes, the rules see a word of vision: its "no task" is asked again, and the doubt is listed.
        rules = grammar.build(text, prompt.words, pointed.keys(), may_refuse=False)
        completion = reader_model.mark(prompt.pieces, rules)
        draft = answer.interpret(completion, text, prompt.words, pointed)
        doubts.append(Disagreement("model.task", "no vision request", "a vision request", "reader"))
    if draft.task is None or not (has_cue or completion.probabilities[-2] >= SURE_OF_TASK):
        raise _no_vision("the text does not ask for a model that looks at pictures")
    combiner = combine.Combiner(text, draft, reading)
    config = combiner.config()
    if not config.data.object and config.data.specific_dataset == "none":
        raise NoObjectsError(
            f"the request asks for {config.model.task} but names no class and no data set",
            "name the things the model should tell apart, for example: detect cars and buses",
        )
    return Understanding(
        config=config,
        spans=MappingProxyType(combiner.out.spans),
        disagreements=(*doubts, *combiner.out.disagreements),
        confidence=math.prod(completion.probabilities),
        forced_tokens=completion.forced,
        seconds=time.perf_counter() - began,
        model_name=reader_model.name,
        model_sha256=reader_model.sha256,
    )


def understand(text: str, *, model: Path | None = None, threads: int | None = None) -> Understanding:
    """Reads a request with the shipped model, or with the GGUF at `model`. Raises the errors of llm_gguf.errors."""
    checked_text(text)
    return understand_with(engine.open_engine(model or DEFAULT_MODEL, threads), text)


def _no_vision(fact: str) -> NoVisionRequestError:
    return NoVisionRequestError(
        fact, "say what to classify, detect, segment or mark with keypoints, for example: detect cars and buses"
    )
