"""What reads a request first: the protocol of a language model, the shipped way of one mark per word, and the opener.

A file that names edge's prompt language marks words; every other one must be an instruct model, which chat.py lets
copy. Knows nothing about the second reader.
"""

import math
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from llm_gguf import answer, engine, grammar, llama, numbers, prompting
from llm_gguf.answer import Answer
from llm_gguf.instruct import writer
from llm_gguf.instruct.chat import ChatModel


class LanguageModel(Protocol):
    """Reads requests."""

    @property
    def name(self) -> str: ...

    @property
    def sha256(self) -> str: ...

    def read(self, text: str, *, may_refuse: bool = True) -> Answer:
        """Reads one request; without `may_refuse` the answer "this asks for no vision model" is not allowed."""
        ...


class MarkingModel:
    """A model trained by llm_gguf.training: one pass over the request, a mark for every word."""

    def __init__(self, marker: engine.Engine) -> None:
        self.marker = marker
        self.name, self.sha256 = marker.name, marker.sha256

    def read(self, text: str, *, may_refuse: bool = True) -> Answer:
        prompt = prompting.encode(text)
        pointed = answer.number_words(prompt.words, numbers.find(text))
        rules = grammar.build(text, prompt.words, pointed.keys(), may_refuse=may_refuse)
        done = self.marker.mark(prompt, rules)
        draft = answer.interpret(done, text, prompt.words, pointed)
        if not draft.objects:
            draft.guess = answer.likeliest_class(done, text, prompt.words)
        return Answer(draft, done.probabilities[-2], math.prod(done.probabilities), done.forced)


def open_model(path: Path, threads: int | None = None) -> LanguageModel:
    """Loads a model file, once per path and thread count; as many threads as suit the model if not given.

    Raises ModelFileError.
    """
    return _opened(path.resolve(), threads)


@lru_cache(maxsize=2)
def _opened(path: Path, threads: int | None) -> LanguageModel:
    if llama.metadata(path, engine.LANGUAGE_KEY)[engine.LANGUAGE_KEY]:
        return MarkingModel(engine.LlamaEngine(path, threads or engine.default_threads()))
    return ChatModel(writer.LlamaWriter(path, threads or writer.default_threads()))


if TYPE_CHECKING:

    def _fits(marking: MarkingModel, chat: ChatModel) -> tuple[LanguageModel, LanguageModel]:
        return marking, chat
