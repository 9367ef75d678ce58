"""The callables that get timed: one image through three scopes of a package folder. Does no timing itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge.predictor.images import decode, preprocess
from edge.predictor.predictor import Predictor

TIMING_FACTORY = "edge.predictor.timing:callables"


def callables(folder: str, image: str, box: list[float] | None, threads: int) -> dict[str, Any]:
    """What the profiler times, built inside its child process: one image through three scopes.

    device: execution only, input bound. runtime: with the transfers in and out. pipeline: from the encoded file's
    bytes to the answer.
    """
    predictor = Predictor.open(Path(folder), threads)
    data = Path(image).read_bytes()
    whole = None if box is None else (box[0], box[1], box[2], box[3])
    tensor, _ = preprocess(decode(data, image), predictor.spec.preprocess, whole)
    return {
        "device": predictor.session.bound(tensor),
        "runtime": lambda: predictor.session.run(tensor),
        "pipeline": lambda: predictor(decode(data, image), whole),
        "facts": predictor.session.placement(),
    }
