"""Measurements -> choice, a pure function, or the proof that there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge.errors import Infeasible
from edge.records import Choice, Limits, Measured, Measurements, Rejection, Request
from edge.trainers.pace import LEAST_UPDATES

NEAREST = 3


def run(request: Request, measurements: Measurements) -> Choice:
    """The best expected of those that hold every hard constraint and can be trained in the time there is.

    Expected quality is the figure the metafile quotes, then the larger input; ties go to the faster. If none can get
    the least number of updates, the one that gets most is taken, and the reasons say so.

    Raises:
        Infeasible: none holds; names the binding constraint and the nearest points.
    """
    holding = [item for item in measurements.candidates if item.holds]
    if not holding:
        raise _infeasible(request.limits, measurements.candidates)
    ordered = sorted(holding, key=lambda item: item.preference)
    trainable = [item for item in ordered if (item.updates or 0) >= LEAST_UPDATES]
    best = trainable[0] if trainable else max(ordered, key=lambda item: item.updates or 0)
    return Choice(
        chosen=best,
        reasons=_reasons(best, request.limits, len(holding), len(measurements.candidates)),
        rejected=tuple(_rejections(measurements.candidates, ordered, best)),
        runners_up=tuple(item.card.title for item in ordered if item is not best and item.updates is None),
    )


def _rejections(candidates: Sequence[Measured], ordered: Sequence[Measured], best: Measured) -> Iterator[Rejection]:
    for item in candidates:
        if not item.holds:
            yield Rejection(item.card.title, (f"{item.verdict}: {item.explanation}",))
    for item in ordered:
        if item is not best and item.updates is not None:
            yield Rejection(item.card.title, (f"only {item.updates} training updates fit into the time",))


def _reasons(best: Measured, limits: Limits, holding: int, total: int) -> tuple[str, ...]:
    timing = best.timing("pipeline")
    quoted = f"{best.card.quality_source} {best.card.quoted_quality:.1f}"
    reasons = [f"{holding} of {total} candidates hold every hard constraint"]
    if (best.updates or 0) >= LEAST_UPDATES:
        reasons.append(
            f"best expected ({quoted}, then the largest input) of those that get {LEAST_UPDATES} training updates in "
            f"the time there is; this one gets about {best.updates}"
        )
    else:
        reasons.append(
            f"no candidate gets {LEAST_UPDATES} training updates in the time there is; this one gets most, about "
            f"{best.updates or 0} ({quoted}); more time (--budget) would allow a better one"
        )
    if timing is not None and limits.min_fps is not None:
        reasons.append(f"measured {timing.fps:.1f} fps at p90, {limits.min_fps:g} fps wanted ({best.explanation})")
    return tuple(reasons)


def _infeasible(limits: Limits, candidates: Sequence[Measured]) -> Infeasible:
    timed = [item for item in candidates if item.timing("pipeline") is not None]
    error = Infeasible(f"no candidate meets the request: {binding(limits, candidates)}")
    for item in sorted(timed, key=lambda item: item.timing("pipeline").p90_ms)[:NEAREST]:  # type: ignore[union-attr]
        timing = item.timing("pipeline")
        assert timing is not None
        error.add_note(
            f"Nearest: {item.card.title}, {timing.fps:.1f} fps at p90, {item.parameters / 1e6:.2f} M parameters, "
            f"{item.flops / 1e9:.3f} GFLOPs ({item.verdict})."
        )
    if not timed:
        for item in sorted(candidates, key=lambda item: item.parameters)[:NEAREST]:
            error.add_note(
                f"Nearest: {item.card.title}, {item.parameters / 1e6:.2f} M parameters, {item.flops / 1e9:.3f} GFLOPs."
            )
    error.add_note("Ask for less, or run on faster hardware. Nothing was relaxed and no package was made.")
    return error


def binding(limits: Limits, candidates: Sequence[Measured]) -> str:
    """The constraint that excludes all, or the ones that do so together."""
    if not candidates:
        return "there is no candidate for this task"
    broken = []
    if limits.max_parameters is not None and all(c.parameters > limits.max_parameters for c in candidates):
        broken.append(f"at most {limits.max_parameters / 1e6:g} M parameters")
    if limits.max_flops is not None and all(c.flops > limits.max_flops for c in candidates):
        broken.append(f"at most {limits.max_flops / 1e9:g} GFLOPs")
    timed = [c for c in candidates if c.timing("pipeline") is not None]
    # one that broke a counted limit was never timed: it might have been fast enough
    untried = any(c.verdict == "OVER LIMIT" for c in candidates)
    if limits.min_fps is not None and timed and not untried and all(c.verdict == "FAIL" for c in timed):
        broken.append(f"at least {limits.min_fps:g} fps")
    if broken:
        return "the binding constraint is " + " and ".join(broken)
    if any(c.verdict == "UNDECIDED" for c in candidates):
        return "no candidate's speed is certain enough (UNDECIDED at 99 % confidence)"
    if candidates and all(c.verdict == "ERROR" for c in candidates):
        return "every candidate failed: " + "; ".join(dict.fromkeys(c.explanation for c in candidates))
    return "the constraints together exclude every candidate"
