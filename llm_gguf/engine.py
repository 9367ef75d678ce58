"""Runs the small language model: the only file that knows llama.cpp, and it imports it inside functions.

The whole prompt is read once, in both directions (causal attention off). At every sign that asks for a mark the
likeliest mark that a checked grammar allows is taken, and the model's own probability of it is kept. Knows nothing
about requests. It does not protect against a GGUF that was built to attack llama.cpp: use files you trust.
"""

import ctypes
import hashlib
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from llm_gguf.errors import GrammarError, ModelFileError, RequestTooLongError
from llm_gguf.grammar import Grammar
from llm_gguf.prompting import ASK_DEVICE, ASK_TASK, WORD, structural_tokens

PROMPT_LANGUAGE: Final = "edge-marks-1"
"""Written into the GGUF by the conversion; a file made for other signs and marks is refused."""
MAX_PROMPT_TOKENS: Final = 1600
"""Attention over more would cost over 100 MiB, and the training has seen nothing near it."""


@dataclass(frozen=True, slots=True)
class Completion:
    """The marks, the probability the model gave each without the grammar, and how many were not its first choice."""

    marks: tuple[str, ...]
    probabilities: tuple[float, ...]
    forced: int


class Engine(Protocol):
    """Whatever can mark the words of a prompt under a grammar."""

    @property
    def name(self) -> str: ...

    @property
    def sha256(self) -> str: ...

    def mark(self, pieces: Sequence[str], grammar: Grammar) -> Completion: ...


def default_threads() -> int:
    """Two threads at most: the model is so small that more only wait for each other."""
    return min(2, os.cpu_count() or 1)


def open_engine(path: Path, threads: int | None = None) -> Engine:
    """Loads a model file, once per path and thread count. Raises ModelFileError."""
    return _opened(path.resolve(), threads or default_threads())


@lru_cache(maxsize=2)
def _opened(path: Path, threads: int) -> "LlamaEngine":
    return LlamaEngine(path, threads)


def _file_digest(path: Path) -> str:
    if not path.is_file():
        raise ModelFileError(f"the language model {path} does not exist", "give the path of a .gguf file made for edge")
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise ModelFileError(f"{path} is not a GGUF file", "give the path of a .gguf file made for edge")
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=1)
def _library() -> Any:
    try:
        import llama_cpp
    except ImportError as missing:
        raise ModelFileError("llama-cpp-python is not installed", "pip install llama-cpp-python") from missing
    quiet = llama_cpp.llama_log_callback(lambda _level, _text, _data: None)
    llama_cpp.llama_log_set(quiet, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    _KEPT.append(quiet)
    return llama_cpp


_KEPT: Final[list[Any]] = []
"""Callbacks that C code holds a pointer to must outlive every call."""


class LlamaEngine:
    """One loaded GGUF. A context is made for each request and freed behind it; not for use from several threads."""

    def __init__(self, path: Path, threads: int) -> None:
        self._digest = _file_digest(path)
        self._threads = threads
        self._lib = _library()
        settings = self._lib.llama_model_default_params()
        settings.n_gpu_layers = 0
        self._model = self._lib.llama_model_load_from_file(str(path).encode(), settings)
        if not self._model:
            raise ModelFileError(f"llama.cpp cannot load {path}", "the file is damaged: fetch or build it again")
        language = self._meta("edge.prompt_language")
        if language != PROMPT_LANGUAGE:
            fact = f"{path} speaks {language or 'no known prompt language'}, not {PROMPT_LANGUAGE}"
            raise ModelFileError(fact, "use the model shipped with edge, or one made by llm_gguf.training")
        self._name = self._meta("general.name") or path.stem
        self._vocab = self._lib.llama_model_get_vocab(self._model)
        self._structure = {text: self._single(text) for text in structural_tokens()}
        self._texts = {token: text for text, token in self._structure.items()}

    @property
    def name(self) -> str:
        return self._name

    @property
    def sha256(self) -> str:
        return self._digest

    def mark(self, pieces: Sequence[str], grammar: Grammar) -> Completion:
        """Marks one prompt. Raises RequestTooLongError and GrammarError."""
        tokens = self.tokens(pieces)
        if len(tokens) > MAX_PROMPT_TOKENS:
            raise RequestTooLongError(
                f"the request has {len(tokens)} tokens, at most {MAX_PROMPT_TOKENS} are read",
                "state the wish in a few sentences; leave the background out",
            )
        asking = {self._structure[sign] for sign in (WORD, ASK_TASK, ASK_DEVICE)}
        places = [i for i, token in enumerate(tokens) if token in asking]
        with self._context(len(tokens)) as context, self._sampler(grammar) as sampler:
            self._read(context, tokens, places)
            chosen = [self._choose(context, sampler, place) for place in places]
        return Completion(
            marks=tuple(self._texts[token] for token, _, _ in chosen),
            probabilities=tuple(probability for _, probability, _ in chosen),
            forced=sum(not first for _, _, first in chosen),
        )

    def _read(self, context: Any, tokens: list[int], places: list[int]) -> None:
        """Runs the prompt through the network and keeps the logits of the places."""
        lib = self._lib
        lib.llama_set_causal_attn(context, False)
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

    def _choose(self, context: Any, sampler: Any, place: int) -> tuple[int, float, bool]:
        """The likeliest mark that the grammar allows here, its probability without grammar, whether it was first."""
        lib = self._lib
        logits = lib.llama_get_logits_ith(context, place)[: lib.llama_vocab_n_tokens(self._vocab)]
        highest = max(logits)
        total = math.fsum(math.exp(score - highest) for score in logits)
        data = (lib.llama_token_data * len(self._texts))()
        for slot, token in zip(data, self._texts, strict=True):
            slot.id, slot.logit, slot.p = token, logits[token], 0.0
        allowed = lib.llama_token_data_array(data=data, size=len(data), selected=-1, sorted=False)
        lib.llama_sampler_apply(sampler, ctypes.byref(allowed))
        best = max((data[i] for i in range(allowed.size)), key=lambda slot: float(slot.logit))
        if best.logit == -math.inf:
            raise GrammarError("the grammar allows no mark here")
        token = int(best.id)
        lib.llama_sampler_accept(sampler, token)
        return token, math.exp(logits[token] - highest) / total, logits[token] == highest

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

    @contextmanager
    def _sampler(self, grammar: Grammar) -> Iterator[Any]:
        sampler = self._lib.llama_sampler_init_grammar(self._vocab, grammar.gbnf.encode(), b"root")
        if not sampler:
            raise GrammarError("llama.cpp refused the grammar")
        try:
            yield sampler
        finally:
            self._lib.llama_sampler_free(sampler)

    def tokens(self, pieces: Sequence[str]) -> list[int]:
        """Token numbers; no token reaches over the limit of a piece, so a request cannot write structural tokens."""
        return [token for piece in pieces for token in self._tokens(piece)]

    def _tokens(self, text: str) -> list[int]:
        raw = text.encode()
        room = (self._lib.llama_token * (len(raw) + 8))()
        count = self._lib.llama_tokenize(self._vocab, raw, len(raw), room, len(room), False, True)
        return list(room[:count])

    def _single(self, text: str) -> int:
        tokens = self._tokens(text)
        if len(tokens) != 1:
            raise ModelFileError(f"the language model has no token {text}", "use the model shipped with edge")
        return tokens[0]

    def _meta(self, key: str) -> str:
        room = ctypes.create_string_buffer(256)
        length = self._lib.llama_model_meta_val_str(self._model, key.encode(), room, len(room))
        return room.value.decode() if length >= 0 else ""


if TYPE_CHECKING:

    def _fits(engine: LlamaEngine) -> Engine:
        return engine
