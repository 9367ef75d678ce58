"""Writes chat models of a few hundred kilobytes with random weights: real files for llama.cpp, without any package.

The format is that of https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, version 3.
"""

from __future__ import annotations

import struct
from collections import Counter
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from llm_gguf.instruct.instructions import EXAMPLES

Value = str | bool | int | float | list[str] | list[int]

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CONTROL = ("<|im_start|>", "<|im_end|>", "<s>")
_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6
MERGES = 160
WIDTH, HEADS, HIDDEN, LAYERS = 64, 4, 128, 2
_UINT32, _INT32, _FLOAT32, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9


def write(
    path: Path, *, seed: int = 0, scale: float = 0.4, alphabet: bytes = bytes(range(256)), **changed: object
) -> Path:
    """A Llama that knows bytes and the commonest pieces of answers; `changed` metadata, None leaves a key out."""
    tokens, merges = vocabulary(alphabet)
    metadata: dict[str, object] = {
        "general.architecture": "llama",
        "general.name": "tiny",
        "llama.context_length": 16384,
        "llama.embedding_length": WIDTH,
        "llama.block_count": LAYERS,
        "llama.feed_forward_length": HIDDEN,
        "llama.attention.head_count": HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [_CONTROL if token in CONTROL else _NORMAL for token in tokens],
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.eos_token_id": tokens.index("<|im_end|>"),
        "tokenizer.ggml.bos_token_id": tokens.index("<s>"),
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": CHATML,
        **{name.replace("__", "."): value for name, value in changed.items()},
    }
    chance = np.random.default_rng(seed)
    shapes = {"token_embd.weight": (len(metadata["tokenizer.ggml.tokens"]), WIDTH), "output_norm.weight": (WIDTH,)}
    for i in range(LAYERS):
        shapes |= {f"blk.{i}.{name}_norm.weight": (WIDTH,) for name in ("attn", "ffn")}
        shapes |= {f"blk.{i}.attn_{name}.weight": (WIDTH, WIDTH) for name in ("q", "k", "v", "output")}
        shapes |= {f"blk.{i}.ffn_{name}.weight": (HIDDEN, WIDTH) for name in ("gate", "up")}
        shapes[f"blk.{i}.ffn_down.weight"] = (WIDTH, HIDDEN)
    weights = {
        name: (np.ones(shape) if len(shape) == 1 else chance.normal(0, scale, shape)).astype("<f4")
        for name, shape in shapes.items()
    }
    path.write_bytes(_file({key: value for key, value in metadata.items() if value is not None}, weights))
    return path


def sentencepiece() -> dict[str, object]:
    """Metadata of a vocabulary as of Llama 2: pieces with scores, a space in front of every text, single bytes."""
    pieces = [token.replace("\u0120", " ") for token in vocabulary(bytes(range(32, 127)))[0][: -len(CONTROL)]]
    pieces = [piece.replace(" ", "\u2581") for piece in pieces]
    tokens = ["<unk>", *CONTROL, *(f"<0x{byte:02X}>" for byte in range(256)), *pieces]
    kinds = [_UNKNOWN, *[_CONTROL] * len(CONTROL), *[_BYTE] * 256, *[_NORMAL] * len(pieces)]
    return {
        "tokenizer__ggml__model": "llama",
        "tokenizer__ggml__pre": None,
        "tokenizer__ggml__merges": None,
        "tokenizer__ggml__tokens": tokens,
        "tokenizer__ggml__token_type": kinds,
        "tokenizer__ggml__scores": [float(-i) for i in range(len(tokens))],
        "tokenizer__ggml__eos_token_id": tokens.index("<|im_end|>"),
        "tokenizer__ggml__bos_token_id": tokens.index("<s>"),
        "tokenizer__ggml__unknown_token_id": 0,
        "tokenizer__ggml__add_bos_token": True,
    }


@lru_cache(maxsize=4)
def vocabulary(alphabet: bytes) -> tuple[list[str], list[str]]:
    """Tokens and merges: the given bytes in GPT-2's printable spelling, and pairs learnt on the worked answers."""
    spelling = _printable()
    parts = [spelling[byte] for byte in "".join(answer for _, answer in EXAMPLES).encode() if byte in alphabet]
    tokens, merges = [spelling[byte] for byte in alphabet], []
    for _ in range(MERGES):
        (left, right), _count = Counter(pairwise(parts)).most_common(1)[0]
        merges.append(f"{left} {right}")
        if left + right not in tokens:
            tokens.append(left + right)
        joined: list[str] = []
        for part in parts:
            if joined and joined[-1] == left and part == right:
                joined[-1] += part
            else:
                joined.append(part)
        parts = joined
    return [*tokens, *CONTROL], merges


def _printable() -> dict[int, str]:
    """GPT-2's spelling of bytes: itself where printable, else a letter from U+0100 on."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {byte: chr(256 + i) for i, byte in enumerate(others)}


def _file(metadata: dict[str, object], weights: dict[str, np.ndarray]) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", 3, len(weights), len(metadata))
    head += b"".join(_text(key) + _value(value) for key, value in metadata.items())
    data = b""
    for name, weight in weights.items():
        head += _text(name) + struct.pack("<I", weight.ndim)
        head += struct.pack(f"<{weight.ndim}Q", *reversed(weight.shape)) + struct.pack("<IQ", 0, len(data))
        data += _padded(weight.tobytes())
    return _padded(head) + data


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 32)


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _value(value: object) -> bytes:
    match value:
        case bool():
            return struct.pack("<I?", _BOOL, value)
        case int():
            return struct.pack("<II", _UINT32, value)
        case float():
            return struct.pack("<If", _FLOAT32, value)
        case str():
            return struct.pack("<I", _STRING) + _text(value)
        case [str(), *_]:
            return struct.pack("<IIQ", _ARRAY, _STRING, len(value)) + b"".join(map(_text, value))
        case [int(), *_]:
            return struct.pack(f"<IIQ{len(value)}i", _ARRAY, _INT32, len(value), *value)
        case [float(), *_]:
            return struct.pack(f"<IIQ{len(value)}f", _ARRAY, _FLOAT32, len(value), *value)
    raise TypeError(type(value).__name__)
