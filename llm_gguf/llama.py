"""What those who run a model with llama.cpp share: the library, a loaded file, its metadata, a grammar at work.

The only file that imports llama_cpp, and it does so inside a function; engine.py and writer.py call it through here. It
does not protect against a GGUF that was built to attack llama.cpp: use files you trust.
"""

import ctypes
import hashlib
import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from llm_gguf.errors import GrammarError, ModelFileError
from llm_gguf.grammar import Grammar

_SPEAKER: Final = re.compile(r"^(?:\w+: |error loading model(?: \w+)?: )+")
"""What stands in front of a line of the log: names of functions."""
_COMPLAINTS: Final[deque[str]] = deque(maxlen=20)
"""llama.cpp's last error lines; otherwise its log goes nowhere."""
_KEPT: Final[list[Any]] = []
"""Callbacks that C code holds a pointer to must outlive every call."""


@lru_cache(maxsize=1)
def library() -> Any:
    """The module llama_cpp, with its log caught. Raises ModelFileError where it is not installed."""
    try:
        import llama_cpp
    except ImportError as missing:
        raise ModelFileError("llama-cpp-python is not installed", "pip install llama-cpp-python") from missing
    _KEPT.append(llama_cpp.llama_log_callback(_hear))
    llama_cpp.llama_log_set(_KEPT[-1], ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    return llama_cpp


def _hear(level: int, text: bytes, _data: Any) -> None:
    if level == 4:  # GGML_LOG_LEVEL_ERROR in ggml.h
        _COMPLAINTS.append(text.decode(errors="replace").strip())


def digest(path: Path) -> str:
    """SHA-256 of the file. Raises ModelFileError if there is none, or if it is no GGUF."""
    with _opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        file = path.open("rb")
    except OSError as error:
        fact = f"{path} cannot be read: {error.strerror}" if path.exists() else f"{path} does not exist"
        raise ModelFileError(f"the language model {fact}", "give the path of a .gguf file") from error
    with file:
        if file.read(4) != b"GGUF":
            raise ModelFileError(f"{path} is not a GGUF file", "give the path of a .gguf file")
        file.seek(0)
        yield file


def load(path: Path, *, vocabulary_only: bool = False) -> Any:
    """A model's handle. Raises ModelFileError with llama.cpp's own words."""
    with _opened(path):
        lib = library()
    settings = lib.llama_model_default_params()
    settings.n_gpu_layers = 0
    settings.vocab_only = vocabulary_only
    _COMPLAINTS.clear()
    model = lib.llama_model_load_from_file(str(path).encode(), settings)
    if not model:
        raise _unloadable(path)
    return model


def _unloadable(path: Path) -> ModelFileError:
    reason = _SPEAKER.sub("", _COMPLAINTS[0]) if _COMPLAINTS else "it gives no reason"
    if "unknown model architecture" in reason or "unknown pre-tokenizer" in reason:
        hint = "the installed llama.cpp does not know this kind of model: take another, or a newer llama-cpp-python"
    else:
        hint = "the file is damaged or incomplete: fetch or build it again"
    return ModelFileError(f"llama.cpp cannot load {path}: {reason}", hint)


def metadata(path: Path, *keys: str) -> dict[str, str]:
    """Values of these keys of the file, "" where it has none; reads the vocabulary but no weights."""
    model = load(path, vocabulary_only=True)
    try:
        return {key: meta(model, key) for key in keys}
    finally:
        library().llama_model_free(model)


def meta(model: Any, key: str) -> str:
    """One text of the model's metadata, "" if it has none."""
    size = 256
    while True:
        room = ctypes.create_string_buffer(size)
        length = library().llama_model_meta_val_str(model, key.encode(), room, size)
        if length < size:
            return room.value.decode(errors="replace") if length >= 0 else ""
        size = length + 1


def tokens(vocabulary: Any, text: str, *, special: bool) -> list[int]:
    """Token numbers, nothing added; without `special` what looks like a control token in the text stays text."""
    raw = text.encode()
    lib = library()
    room = (lib.llama_token * (len(raw) + 8))()
    count = lib.llama_tokenize(vocabulary, raw, len(raw), room, len(room), False, special)
    return list(room[:count])


def piece(vocabulary: Any, token: int) -> bytes:
    """The bytes that a token writes, as the grammar sees them."""
    size = 64
    while True:
        room = ctypes.create_string_buffer(size)
        length = library().llama_token_to_piece(vocabulary, token, room, size, 0, True)
        if length >= 0:
            return room.raw[:length]
        size = -length


@contextmanager
def sampler(vocabulary: Any, grammar: Grammar) -> Iterator[Any]:
    """The grammar as a filter of tokens, freed afterwards. Raises GrammarError where llama.cpp refuses it."""
    lib = library()
    made = lib.llama_sampler_init_grammar(vocabulary, grammar.gbnf.encode(), b"root")
    if not made:
        raise GrammarError("llama.cpp refused the grammar")
    try:
        yield made
    finally:
        lib.llama_sampler_free(made)
