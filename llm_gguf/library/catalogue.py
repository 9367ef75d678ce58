"""Language models that can be pulled to read requests in place of the shipped one, as catalogue.json lists them.

Every fact there names its public source. None of these models was measured on edge's own benchmark: what each is good
for is what its publisher says of it, and what follows from its size. Knows nothing about pulling.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

CONTEXT_TOKENS: Final = 4096
"""Context that `memory_bytes` reckons with: instructions, the longest request and the longest answer of writer.py."""
CACHE_BYTES: Final = 2
"""llama.cpp keeps keys and values as 16-bit floats unless it is told otherwise (type_k, type_v in llama.h)."""

Licence = Literal["Apache-2.0", "MIT"]
"""SPDX names of licences that allow commercial use; no other gets into the catalogue."""


class Entry(BaseModel):
    """One model file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
    title: Annotated[str, Field(min_length=1)]
    parameters: Annotated[int, Field(gt=0)]
    quantization: Annotated[str, Field(min_length=1)]
    size_bytes: Annotated[int, Field(gt=0)] | None
    """None where no source states it: known once the file is pulled."""
    licence: Licence
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    address: Annotated[str, Field(pattern=r"^https://[^\s?#@]+\.gguf$")]
    """Names a revision, so that the file behind it does not change."""
    layers: Annotated[int, Field(gt=0)]
    key_value_heads: Annotated[int, Field(gt=0)]
    head_size: Annotated[int, Field(gt=0)]
    good_for: Annotated[str, Field(min_length=1)]
    source: Annotated[str, Field(min_length=1)]
    """Public project and path that each fact comes from."""

    def memory_bytes(self, context_tokens: int = CONTEXT_TOKENS) -> int | None:
        """Memory while reading: the whole file, and keys and values of every layer and token of the context.

        size + 2 * layers * key_value_heads * head_size * CACHE_BYTES * context_tokens. The working buffers of
        llama.cpp (tens to a few hundred MB, by vocabulary and batch) are not in it. None where the size is unknown.
        """
        if self.size_bytes is None:
            return None
        per_token = 2 * self.layers * self.key_value_heads * self.head_size * CACHE_BYTES
        return self.size_bytes + per_token * context_tokens


@lru_cache(maxsize=1)
def entries() -> tuple[Entry, ...]:
    """The catalogue, fewest parameters first."""
    document = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return tuple(TypeAdapter(list[Entry]).validate_python(document))


def entry(name: str) -> Entry | None:
    """The model of that name, None if there is none."""
    return next((found for found in entries() if found.name == name), None)
