"""Runs the small language model with llama.cpp: one pass over a request, a mark at every word.

The whole prompt is read once, in both directions (causal attention off, unless the file says otherwise). At the end of
every piece that asks for a mark the likeliest mark that a checked grammar allows is taken, and the probability that the
model gives it among all marks is kept. Knows nothing about requests. It does not protect against a GGUF that was built
to attack llama.cpp: use files you trust.
"""

import ctypes
import itertools
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from llm_gguf import llama
from llm_gguf.errors import GrammarError, ModelFileError, RequestTooLongError
from llm_gguf.grammar import Grammar
from llm_gguf.prompting import INSIDE, Prompt, structural_tokens

LANGUAGE_KEY: Final = "edge.prompt_language"
PROMPT_LANGUAGE: Final = "edge-marks-2"
"""Written into the GGUF by the conversion; a file made for other signs and marks is refused."""
ATTENTION_KEY: Final = "edge.attention"
CAUSAL: Final = "causal"
"""Value of that key in a file whose words see only what stands before them; the shipped one reads both ways."""
MAX_PROMPT_TOKENS: Final = 1600
"""Attention over more would cost over 100 MiB, and the training has seen nothing near it."""


@dataclass(frozen=True, slots=True)
class Completion:
    """The marks, the probability the model gave each without the grammar, and how many were not its first choice."""

    marks: tuple[str, ...]
    probabilities: tuple[float, ...]
    forced: int
    class_begins: tuple[float, ...] = ()
    """For every place the probability that a class name begins there."""
    name_goes_on: tuple[float, ...] = ()
    """For every place the probability that a name goes on there."""


class Engine(Protocol):
    """Whatever can mark the words of a prompt under a grammar."""

    @property
    def name(self) -> str: ...

    @property
    def sha256(self) -> str: ...

    def mark(self, prompt: Prompt, grammar: Grammar) -> Completion: ...


def default_threads() -> int:
    """Two threads at most: the model is so small that more only wait for each other."""
    return min(2, os.cpu_count() or 1)


class LlamaEngine:
    """One loaded GGUF. A context is made for each request and freed behind it; not for use from several threads."""

    def __init__(self, path: Path, threads: int) -> None:
        self.sha256 = llama.digest(path)
        self._threads = threads
        self._lib = llama.library()
        self._model = llama.load(path)
        language = llama.meta(self._model, LANGUAGE_KEY)
        if language != PROMPT_LANGUAGE:
            fact = f"{path} speaks {language or 'no known prompt language'}, not {PROMPT_LANGUAGE}"
            raise ModelFileError(fact, "use the model shipped with edge, or one made by llm_gguf.training")
        self.name = llama.meta(self._model, "general.name") or path.stem
        self._causal = llama.meta(self._model, ATTENTION_KEY) == CAUSAL
        self._vocab = self._lib.llama_model_get_vocab(self._model)
        self._structure = {text: self._single(text) for text in structural_tokens()}
        self._texts = {token: text for text, token in self._structure.items()}

    def mark(self, prompt: Prompt, grammar: Grammar) -> Completion:
        """Marks one prompt. Raises RequestTooLongError and GrammarError."""
        scores = self.scores(prompt)
        with llama.sampler(self._vocab, grammar) as sampler:
            chosen = [self._choose(sampler, place) for place in scores]
        shares = [_shares(place) for place in scores]
        return Completion(
            marks=tuple(self._texts[token] for token in chosen),
            probabilities=tuple(place[token] for token, place in zip(chosen, shares, strict=True)),
            forced=sum(place[token] != max(place.values()) for token, place in zip(chosen, scores, strict=True)),
            class_begins=tuple(place[self._structure["<object>"]] for place in shares),
            name_goes_on=tuple(place[self._structure[INSIDE]] for place in shares),
        )

    def scores(self, prompt: Prompt) -> list[dict[int, float]]:
        """The score of every mark at every place that asks, read in one pass. Raises RequestTooLongError."""
        pieces = [self._tokens(piece) for piece in prompt.pieces]
        tokens = list(itertools.chain.from_iterable(pieces))
        if len(tokens) > MAX_PROMPT_TOKENS:
            raise RequestTooLongError(
                f"the request has {len(tokens)} tokens, at most {MAX_PROMPT_TOKENS} are read",
                "state the wish in a few sentences; leave the background out",
            )
        ends = list(itertools.accumulate(map(len, pieces)))
        places = [ends[piece] - 1 for piece in prompt.asking]
        with self._context(len(tokens)) as context:
            self._read(context, tokens, places)
            rows = [self._lib.llama_get_logits_ith(context, place) for place in places]
            return [{token: float(row[token]) for token in self._texts} for row in rows]

    def _read(self, context: Any, tokens: list[int], places: list[int]) -> None:
        """Runs the prompt through the network and keeps the logits of the places."""
        lib = self._lib
        lib.llama_set_causal_attn(context, self._causal)
        batch = lib.llama_batch_init(len(tokens), 0, 1)
        try:
            batch.n_tokens = len(tokens)
            wanted = set(places)
            for i, token in enumerate(tokens):
                batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0] = token, i, 1, 0
                batch.logits[i] = i in wanted
            status = lib.llama_decode(context, batch)
        finally:
            lib.llama_batch_free(batch)
        if status != 0:
            raise ModelFileError(f"llama.cpp could not read the prompt (status {status})", "free memory and try again")

    def _choose(self, sampler: Any, scores: dict[int, float]) -> int:
        """The likeliest mark that the grammar allows here."""
        lib = self._lib
        data = (lib.llama_token_data * len(scores))()
        for slot, (token, score) in zip(data, scores.items(), strict=True):
            slot.id, slot.logit, slot.p = token, score, 0.0
        allowed = lib.llama_token_data_array(data=data, size=len(data), selected=-1, sorted=False)
        lib.llama_sampler_apply(sampler, ctypes.byref(allowed))
        best = max((data[i] for i in range(allowed.size)), key=lambda slot: float(slot.logit))
        if best.logit == -math.inf:
            raise GrammarError("the grammar allows no mark here")
        token = int(best.id)
        lib.llama_sampler_accept(sampler, token)
        return token

    @contextmanager
    def _context(self, prompt_tokens: int) -> Iterator[Any]:
        settings = self._lib.llama_context_default_params()
        settings.n_ctx = prompt_tokens + 8
        # Reading in both directions needs the whole prompt in one physical batch.
        settings.n_batch = settings.n_ubatch = max(prompt_tokens, 32)
        settings.n_threads = settings.n_threads_batch = self._threads
        context = self._lib.llama_init_from_model(self._model, settings)
        if not context:
            raise ModelFileError("llama.cpp could not make a context", "free memory and try again")
        try:
            yield context
        finally:
            self._lib.llama_free(context)

    def tokens(self, prompt: Prompt) -> list[int]:
        """Token numbers; no token reaches over the limit of a piece, so a request cannot write structural tokens."""
        return [token for piece in prompt.pieces for token in self._tokens(piece)]

    def _tokens(self, text: str) -> list[int]:
        return llama.tokens(self._vocab, text, special=True)

    def _single(self, text: str) -> int:
        tokens = self._tokens(text)
        if len(tokens) != 1:
            raise ModelFileError(f"the language model has no token {text}", "use the model shipped with edge")
        return tokens[0]


def _shares(scores: dict[int, float]) -> dict[int, float]:
    """The probability of every mark among all marks."""
    highest = max(scores.values())
    sizes = {token: math.exp(score - highest) for token, score in scores.items()}
    total = math.fsum(sizes.values())
    return {token: size / total for token, size in sizes.items()}


if TYPE_CHECKING:

    def _fits(engine: LlamaEngine) -> Engine:
        return engine
