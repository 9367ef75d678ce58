"""What lower precisions need, whatever the engine: inputs for the ranges of int8, the nodes that stay float, and the
proof of what was executed. Knows no engine's graph: graphs come as names of nodes and two questions about them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from deploy_targets.base import FP32, INT8, PRECISIONS, Array, Status
from deploy_targets.errors import ConversionFailed, PlacementRefused


def require_convertible(engine: str, precision: str, status: Status, calibration: Sequence[Array]) -> None:
    """Raises ConversionFailed: the engine cannot make this precision here, or int8 was given nothing to measure."""
    if precision not in PRECISIONS:
        raise _failed(f"{precision!r} is no precision", f"Ask for one of: {', '.join(PRECISIONS)}.")
    if precision not in status.precisions:
        reason = status.refused.get(precision, status.hint)
        raise _failed(f"{engine} makes no {precision} model here: {reason}", "Ask for another precision or engine.")
    if precision == INT8 and not len(calibration):
        raise _failed("int8 takes its ranges from inputs, and none were given", "Give some preprocessed pictures.")


def _failed(words: str, note: str) -> ConversionFailed:
    failed = ConversionFailed(words)
    failed.add_note(note)
    return failed


def behind_the_last(
    ends: Iterable[str], above: Callable[[str], Iterable[str]], heavy: Callable[[str], bool]
) -> frozenset[str]:
    """The nodes between the last convolutions or matrix products and the ends: decoding, NMS, resizing of scores.

    They cost little, and hold coordinates and scores that 256 steps are too coarse for, so they stay float.

    Args:
        ends: the nodes that give the outputs, and those that decide by comparing (NMS, TopK).
        above: the nodes that a node reads from.
    """
    found: set[str] = set()
    todo = [name for name in ends if not heavy(name)]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += [upper for upper in above(name) if not heavy(upper)]
    return frozenset(found)


def proven(engine: str, asked: str, arithmetic: Mapping[str, int]) -> str:
    """The precision that convolutions and matrix products were executed in, given how many were in which.

    The last layers of a network often stay wider than the rest, so the most frequent counts; for fp32 it must be all.

    Raises:
        PlacementRefused: it is not the one asked for, or there are none to tell by.
    """
    counts = ", ".join(f"{count} in {precision}" for precision, count in sorted(arithmetic.items())) or "none"
    found = max(arithmetic, key=lambda precision: arithmetic[precision], default="")
    if found != asked or (asked == FP32 and len(arithmetic) > 1):
        refused = PlacementRefused(
            f"asked for {asked}, {engine} executed of the convolutions and matrix products {counts}"
        )
        refused.add_note("Convert the model for this precision, on this machine, or ask for fp32.")
        raise refused
    return found
