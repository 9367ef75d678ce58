"""Lets an instruct model write with llama.cpp, token by token, what a checked grammar allows.

llama-cpp-python's class `Llama` is not used: its sampler asks the grammar to accept a token even where none is allowed,
which ends the process; its context must be sized before a prompt can be counted in tokens; and it lets a request write
control tokens. Knows nothing about the fields of an answer.
"""

import ctypes
import math
import os
import re
import weakref
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from llm_gguf import llama
from llm_gguf.errors import ModelFileError, RequestTooLongError
from llm_gguf.grammar import Grammar
from llm_gguf.instruct import instructions
from llm_gguf.instruct.walk import Walk

MAX_REQUEST_TOKENS: Final = 1024
MAX_ANSWER_TOKENS: Final = 768
"""With the instructions these make the context; a plain answer has about 80 tokens, one with 100 classes about 400."""
LEAST_REQUEST_TOKENS: Final = 128
"""A model whose context leaves less for a request is refused when it is loaded."""
TEMPLATE_KEY: Final = "tokenizer.chat_template"
_BATCH: Final = 512
_NAME_KEYS: Final = ("general.name", "general.basename", "general.finetune")
_INSTRUCT: Final = re.compile(r"(?<![a-z])(?:instruct(?:ion)?|chat|it|assistant)(?![a-z])", re.IGNORECASE)
_HERE: Final = "[[request]]"
_PLAIN_TEMPLATE: Final = (
    "{% for turn in messages %}{{ {'user': 'Request:\n', 'assistant': 'Answer:\n'}.get(turn.role, '') }}"
    "{{ turn.content }}\n\n{% endfor %}Answer:\n"
)
"""For an instruct model whose file names no template: a text that is plain to go on with."""
_HINT: Final = "give an instruct or chat model, for example a file whose name says Instruct"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the answer. Where only one text could follow the model was not asked: probability and first hold."""

    text: bytes
    probability: float = 1.0
    """What the model gives to it when no grammar constrains it."""
    first: bool = True
    """Whether it was the model's first choice."""


class Writer(Protocol):
    """Whatever can write an answer to a request under a grammar."""

    @property
    def name(self) -> str: ...

    @property
    def sha256(self) -> str: ...

    def write(self, request: str, grammar: Grammar) -> Sequence[Token]: ...


def default_threads() -> int:
    """Up to eight: reading the instructions is most of the work, and it gains from every core."""
    return min(8, os.cpu_count() or 1)


class LlamaWriter:
    """One loaded GGUF and its context; what two prompts share is computed once. Not for use from several threads."""

    def __init__(self, path: Path, threads: int) -> None:
        self._lib = llama.library()
        self._model = llama.load(path)
        held = ExitStack()
        held.callback(self._lib.llama_model_free, self._model)
        weakref.finalize(self, held.close)
        if self._lib.llama_model_has_encoder(self._model):
            raise ModelFileError(f"{path} is an encoder, not a model that writes", _HINT)
        self._vocab = self._lib.llama_model_get_vocab(self._model)
        self._size = self._lib.llama_vocab_n_tokens(self._vocab)
        self.name = llama.meta(self._model, "general.name") or path.stem
        self._before, self._behind = self._instructions(_template(path, self._model))
        trained = self._lib.llama_model_n_ctx_train(self._model)
        taken = len(self._before) + len(self._behind) + MAX_ANSWER_TOKENS
        self._room = min(MAX_REQUEST_TOKENS, trained - taken)
        if self._room < LEAST_REQUEST_TOKENS:
            fact = f"{path} reads {trained} tokens; instructions and answer alone take {taken}"
            raise ModelFileError(fact, "give a model with a context of 4096 tokens or more")
        self._context = self._new_context(taken + self._room, threads)
        held.callback(self._lib.llama_free, self._context)
        self.sha256 = llama.digest(path)
        self._read: list[int] = []
        """Tokens whose keys and values the context holds."""
        self._pieces: dict[int, bytes] = {}

    def write(self, request: str, grammar: Grammar) -> Sequence[Token]:
        """The likeliest allowed token after the other, until the grammar ends. Raises RequestTooLongError."""
        asked = llama.tokens(self._vocab, request.strip(), special=False)
        if len(asked) > self._room:
            raise RequestTooLongError(
                f"the request has {len(asked)} tokens, at most {self._room} are read",
                "state the wish in a few sentences; leave the background out",
            )
        waiting = [*self._before, *asked, *self._behind]
        self._forget_from(self._shared(waiting))
        waiting = waiting[len(self._read) :]
        written: list[Token] = []
        walk = Walk(grammar)
        with llama.sampler(self._vocab, grammar) as sampler:
            while not walk.ended and len(written) < MAX_ANSWER_TOKENS:
                # Text that must come is not asked for: it waits and is read together with what follows.
                tokens = self._spelled(walk.forced(), sampler)
                parts = [Token(self._piece(token)) for token in tokens]
                if not tokens:
                    allowed = self._allowed(sampler)
                    if not allowed:
                        break
                    token, chosen = self._choose(allowed, waiting)
                    tokens, parts, waiting = [token], [chosen], []
                for token, part in zip(tokens, parts, strict=True):
                    walk.write(part.text)
                    self._lib.llama_sampler_accept(sampler, token)
                waiting += tokens
                written += parts
        return written

    def _spelled(self, text: bytes, sampler: Any) -> list[int]:
        """The text up to its last whole letter in tokens; at least its beginning, if the vocabulary can write that."""
        if not text:
            return []
        tokens = llama.tokens(self._vocab, text.decode(errors="ignore"), special=False)
        if text.startswith(b"".join(map(self._piece, tokens)) or b"\0"):
            return tokens
        # Vocabularies of SentencePiece put a space in front, and a text may begin within a letter.
        fitting = [token for token in self._allowed(sampler) if text.startswith(self._piece(token))]
        # Of equal ones the later: pieces stand behind the single bytes.
        return sorted(fitting, key=lambda token: (len(self._piece(token)), token))[-1:]

    def _allowed(self, sampler: Any) -> list[int]:
        """Tokens that the grammar allows next; none at its end, or where the vocabulary cannot write what must come."""
        import numpy

        # llama_token_data of llama.h: number, logit, probability
        data = numpy.zeros(self._size, dtype=[("id", "i4"), ("logit", "f4"), ("p", "f4")])
        data["id"] = numpy.arange(self._size)
        slots = data.ctypes.data_as(self._lib.llama_token_data_p)
        candidates = self._lib.llama_token_data_array(data=slots, size=self._size, selected=-1, sorted=False)
        self._lib.llama_sampler_apply(sampler, ctypes.byref(candidates))
        left = data["id"][: candidates.size][numpy.isfinite(data["logit"][: candidates.size])]
        return [token for token in left.tolist() if not self._lib.llama_vocab_is_eog(self._vocab, token)]

    def _choose(self, allowed: Sequence[int], waiting: Sequence[int]) -> tuple[int, Token]:
        """The likeliest of the allowed tokens behind everything read and waiting."""
        import numpy

        self._continue_with(waiting)
        pointer = self._lib.llama_get_logits_ith(self._context, -1)
        logits = numpy.ctypeslib.as_array(pointer, shape=(self._size,)).astype(numpy.float64)
        highest = float(logits.max())
        if not math.isfinite(highest):
            raise ModelFileError(f"the language model {self.name} computes no numbers", "fetch or build its file again")
        token = max(allowed, key=lambda candidate: float(logits[candidate]))
        probability = math.exp(logits[token] - highest) / float(numpy.exp(logits - highest).sum())
        return token, Token(self._piece(token), probability, bool(logits[token] == highest))

    def _piece(self, token: int) -> bytes:
        if token not in self._pieces:
            self._pieces[token] = llama.piece(self._vocab, token)
        return self._pieces[token]

    def _shared(self, prompt: Sequence[int]) -> int:
        """How many tokens of the prompt are read already; never all, as the logits of the last are needed again."""
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(self._read, prompt, strict=False)))
        return min(same, len(prompt) - 1)

    def _forget_from(self, count: int) -> None:
        memory = self._lib.llama_get_memory(self._context)
        if not self._lib.llama_memory_seq_rm(memory, 0, count, -1):
            # A recurrent state cannot be taken back in part.
            self._lib.llama_memory_clear(memory, True)
            count = 0
        del self._read[count:]

    def _continue_with(self, tokens: Sequence[int]) -> None:
        for begin in range(0, len(tokens), _BATCH):
            part = tokens[begin : begin + _BATCH]
            room = (self._lib.llama_token * len(part))(*part)  # a name of its own: the batch only points to it
            status = self._lib.llama_decode(self._context, self._lib.llama_batch_get_one(room, len(part)))
            if status != 0:
                self._forget_from(0)
                raise ModelFileError(f"llama.cpp could not read the prompt (status {status})", "free memory, try again")
            self._read += part

    def _instructions(self, template: str) -> tuple[list[int], list[int]]:
        """Tokens before and behind the request."""
        prompt = self._rendered(template)
        before, _, behind = prompt.partition(_HERE)
        tokens = llama.tokens(self._vocab, before, special=True)
        begin = self._lib.llama_vocab_bos(self._vocab)
        if self._lib.llama_vocab_get_add_bos(self._vocab) and tokens[:1] != [begin]:
            tokens.insert(0, begin)
        return tokens, llama.tokens(self._vocab, behind, special=True)

    def _rendered(self, template: str) -> str:
        turns = instructions.messages(_HERE)
        reason = "it leaves out what it is given"
        for messages in (turns, instructions.without_system(turns)):
            try:
                formatter = self._lib.llama_chat_format.Jinja2ChatFormatter(
                    template=template, eos_token=self._special("eos"), bos_token=self._special("bos")
                )
                # Models that think first are told not to; other templates do not know the word.
                prompt = str(formatter(messages=messages, enable_thinking=False).prompt)
            except Exception as error:  # a template is a program of its own and may raise whatever it likes
                reason = f"{type(error).__name__}: {error}"
                continue
            shown = (instructions.SYSTEM, *(text for example in instructions.EXAMPLES for text in example))
            if prompt.count(_HERE) == 1 and all(text in prompt for text in shown):
                return prompt
        raise ModelFileError(f"the chat template of {self.name} cannot be used: {reason}", _HINT)

    def _special(self, kind: str) -> str:
        token = getattr(self._lib, f"llama_vocab_{kind}")(self._vocab)
        return "" if token < 0 else llama.piece(self._vocab, token).decode(errors="replace")

    def _new_context(self, size: int, threads: int) -> Any:
        settings = self._lib.llama_context_default_params()
        settings.n_ctx = size
        settings.n_batch = settings.n_ubatch = _BATCH
        settings.n_threads = settings.n_threads_batch = threads
        # With a sliding window the instructions' keys would be gone when the next request needs them.
        settings.swa_full = True
        context = self._lib.llama_init_from_model(self._model, settings)
        if not context:
            raise ModelFileError(f"llama.cpp could not make a context of {size} tokens", "free memory and try again")
        return context


def _template(path: Path, model: Any) -> str:
    """The file's chat template, or a plain one for an instruct model; a ModelFileError where it is a base model."""
    if template := llama.meta(model, TEMPLATE_KEY):
        return template
    if any(_INSTRUCT.search(name) for name in (path.stem, *(llama.meta(model, key) for key in _NAME_KEYS))):
        return _PLAIN_TEMPLATE
    fact = f"{path} has no chat template: a base model goes on with a text instead of answering"
    raise ModelFileError(fact, _HINT)


if TYPE_CHECKING:

    def _fits(writer: LlamaWriter) -> Writer:
        return writer
