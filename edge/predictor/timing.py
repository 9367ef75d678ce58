"""The callables that get timed: one image through three scopes of a package folder. Does no timing itself."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from edge.errors import ParityFailed
from edge.predictor.images import decode, preprocess
from edge.predictor.parity import compare
from edge.predictor.predictor import Predictor

TIMING_FACTORY = "edge.predictor.timing:callables"


def callables(
    folder: str, image: str, box: list[float] | None, threads: int, expected: str | None = None, exact: bool = True
) -> dict[str, Any]:
    """What the profiler times, built inside its child process: one image through three scopes.

    device: execution only, input bound. runtime: with the transfers in and out. pipeline: from the encoded file's
    bytes to the answer. The facts are the placement as the runtime proves it and, with a folder of `expected` answers,
    how far this model's are from them.

    Raises:
        ParityFailed: `exact`, and the answers are not those expected: such a model is not worth timing.
    """
    predictor = Predictor.open(Path(folder), threads)
    data = Path(image).read_bytes()
    whole = None if box is None else (box[0], box[1], box[2], box[3])
    session = predictor.session
    facts = {**session.placement(), "parity": None}
    if expected is not None:
        found = compare(predictor, Path(expected))
        if exact and found.holds is False:
            figures = ", ".join(f"{name} {value:.4g}" for name, value in found.figures.items())
            raise ParityFailed(f"its answers are not the PyTorch model's: {figures}; wanted: {found.tolerance}")
        facts["parity"] = dataclasses.asdict(found)
    # last, because comparing writes to the same memory
    tensor, _ = preprocess(decode(data, image), predictor.spec.preprocess, whole, into=session.input_memory)
    facts["peak_memory"] = _forget_peak_memory()
    return {
        "device": session.bound(tensor),
        "runtime": lambda: session.run(tensor),
        "pipeline": lambda: predictor(decode(data, image), whole),
        "facts": facts,
    }


def _forget_peak_memory() -> str:
    """Set the kernel's peak back to what is used now (proc(5)), and say what the peak is of.

    Proving and comparing are no part of a model's work; some kernels and sandboxes do not let a process forget them.
    """
    import gc

    gc.collect()
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError as error:
        return f"of loading, proving and running: the kernel cannot forget a peak ({error.strerror})"
    return "of running"
