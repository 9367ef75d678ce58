"""From text to configuration: check the text, let the model and the rules read it, combine, and say how sure it is."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from llm_gguf import combine, prompting, reader
from llm_gguf.answer import Draft, Span
from llm_gguf.combine import Disagreement
from llm_gguf.config import RequestConfig
from llm_gguf.english import is_english
from llm_gguf.errors import (
    EmptyRequestError,
    NoObjectsError,
    NotEnglishError,
    NotTextError,
    NoVisionRequestError,
    RequestTooLongError,
)
from llm_gguf.language_model import LanguageModel, open_model

MAX_CHARACTERS: Final = 20_000
SURE_OF_TASK: Final = 0.8
DEFAULT_MODEL: Final = Path(__file__).parent / "models" / "edge-ru.gguf"

By = Literal["both", "model", "rules"]

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
    if not is_english(text):
        raise NotEnglishError("the request is not in English", "write it in English; other languages are not read yet")
    return text


def understand_with(model: LanguageModel, text: str) -> Understanding:
    """Reads a request with the given model. Raises the errors of llm_gguf.errors."""
    began = time.perf_counter()
    checked_text(text)
    if len(prompting.encode(text).words) < 2:
        raise _no_vision("one word is no request")
    reading = reader.read(text)
    first = model.read(text)
    has_cue = _CUES.search(text) is not None
    doubts: list[Disagreement] = []
    if first.draft.task is None and first.draft.objects and has_cue:
        # The model saw classes, the rules see a word of vision: its "no task" is asked again, and the doubt is listed.
        first = model.read(text, may_refuse=False)
        doubts.append(Disagreement("model.task", "no vision request", "a vision request", "reader"))
    draft = first.draft
    if draft.task is None or not (has_cue or first.task_probability >= SURE_OF_TASK):
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
        confidence=first.confidence,
        forced_tokens=first.forced,
        seconds=time.perf_counter() - began,
        model_name=model.name,
        model_sha256=model.sha256,
    )


def understand(text: str, *, model: Path | None = None, threads: int | None = None) -> Understanding:
    """Reads a request with the shipped model, or with the GGUF at `model`. Raises the errors of llm_gguf.errors."""
    checked_text(text)
    return understand_with(open_model(model or DEFAULT_MODEL, threads), text)


def _no_vision(fact: str) -> NoVisionRequestError:
    return NoVisionRequestError(
        fact, "say what to classify, detect, segment or mark with keypoints, for example: detect cars and buses"
    )


def reading(model: Path | None = None, threads: int | None = None, by: By = "both") -> Callable[[str], dict[str, Any]]:
    """A function from text to configuration document, with the model loaded once; for many requests.

    By "model" the language model alone is believed, by "rules" the second reader alone, which names no classes: both
    only to see what each is worth.
    """
    if by == "rules":
        return _by_rules
    loaded = open_model(model or DEFAULT_MODEL, threads)
    if by == "model":
        return lambda text: _by_model(loaded, text)
    return lambda text: understand_with(loaded, text).config.model_dump(mode="json")


def _by_model(model: LanguageModel, text: str) -> dict[str, Any]:
    draft = model.read(checked_text(text)).draft
    if draft.task is None:
        raise _no_vision("the language model sees no request for a vision model")
    return combine.believed(text, draft).model_dump(mode="json")


def _by_rules(text: str) -> dict[str, Any]:
    found = reader.read(checked_text(text))
    named = [f.unit for f in found.findings if f.field.startswith("task.")]
    if not named:
        raise _no_vision("the rules find no task")
    return combine.Combiner(text, Draft(task=named[0]), found).config().model_dump(mode="json")
