"""Speeds that a toolbox's metafiles publish: milliseconds per image on somebody else's hardware.

Of the four toolboxes mmdet alone publishes any, for about a third of its models. A published speed says nothing about
this machine; it is kept to be held against what is measured here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zoo.errors import FormatError

KEY = "inference time (ms/im)"

# What most entries were measured with; of several figures the one nearest to it compares best across models.
_USUAL: dict[str, Any] = {"hardware": "V100", "mode": "FP32", "backend": "PyTorch", "batch size": 1}


@dataclass(frozen=True)
class Published:
    """`on` says in words with what it was measured: hardware, backend, mode, batch. `resolution` is the input's, its
    sides in the file's order, empty where it is not stated."""

    ms: float
    on: str
    resolution: str


def published(entry: Mapping[str, Any]) -> Published | None:
    """The speed that a metafile's entry publishes; of several the one on V100, PyTorch, FP32, batch 1 if there is one.

    Raises:
        FormatError: there is a figure, but not in the form known here.
    """
    metadata = entry.get("Metadata") or {}
    # a few entries carry the key one level too high
    given = metadata.get(KEY) or entry.get(KEY)
    if not given:
        return None
    figures = given if isinstance(given, list) else [given]
    for figure in figures:
        if not isinstance(figure, Mapping) or not isinstance(figure.get("value"), int | float):
            raise FormatError.because(
                f"{entry.get('Name')} publishes {KEY!r} in an unknown form: {figure!r}.",
                "Known is a list of records with a number under 'value'.",
            )
    best = max(figures, key=lambda figure: sum(figure.get(key) == value for key, value in _USUAL.items()))
    resolution = "x".join(re.findall(r"\d+", str(best.get("resolution", ""))))
    return Published(float(best["value"]), _words(best), resolution)


def _words(figure: Mapping[str, Any]) -> str:
    words = [str(figure[key]) for key in ("hardware", "backend", "mode") if key in figure]
    if "batch size" in figure:
        words.append(f"batch {figure['batch size']}")
    return ", ".join(words)
