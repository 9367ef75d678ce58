"""Measurements -> choice, a pure function, or the proof that there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge.errors import Infeasible
from edge.profiling.ranking import first_choice, ranked
from edge.records import Choice, Limits, Measured, Measurements, Rejection, Request
from edge.trainers.pace import LEAST_UPDATES

NEAREST = 3

TIE = 0.03
"""Speeds closer than this are called the same: medians of two idle runs differ by as much."""

WORTH = 1.02
"""A lower precision is worth proving from this speed-up on."""


def run(request: Request, measurements: Measurements) -> Choice:
    """The best expected of those that hold every hard constraint and can be trained in the time there is.

    Expected quality is the figure the metafile quotes, then the larger input; the network then takes its fastest form
    in full precision that holds, a lower precision only where no other does. Ties in speed go to the engine that comes
    first in edge's list. If no network can get the least number of updates, the one that gets most is taken, and the
    reasons say so.

    Raises:
        Infeasible: none holds; names the binding constraint and the nearest points.
    """
    fastest = first_choice(measurements.candidates)
    if fastest is None:
        raise _infeasible(request.limits, measurements)
    ordered = ranked(measurements.candidates)
    tied = _tied(fastest, ordered)
    best = next(item for item in measurements.candidates if item in tied)
    lower = _lower(best, measurements.candidates)
    return Choice(
        chosen=best,
        reasons=tuple(_reasons(best, tied, lower, request.limits, measurements)),
        rejected=tuple(_rejections(measurements.candidates, ordered, best)),
        runners_up=tuple(item.title for item in ordered if item is not best and not _too_few_updates(item, best)),
        lower=lower,
    )


def _tied(fastest: Measured, ordered: Sequence[Measured]) -> list[Measured]:
    """Forms of the same network that hold as well and are as fast, itself included."""
    return [
        item
        for item in ordered
        if item.card == fastest.card
        and item.lossless == fastest.lossless
        and _slowness(item) <= _slowness(fastest) * (1 + TIE)
    ]


def _lower(best: Measured, candidates: Sequence[Measured]) -> tuple[Measured, ...]:
    """Lower precisions of the chosen network to be proven, fastest first.

    Where full precision holds, those that are faster; where it does not, all others that hold as well.
    """
    found = [
        item
        for item in candidates
        if item is not best and item.card == best.card and not item.lossless and item.holds
        and (not best.lossless or _slowness(item) * WORTH <= _slowness(best))
    ]  # fmt: skip
    return tuple(sorted(found, key=_slowness))


def _slowness(item: Measured) -> float:
    timing = item.timing("pipeline")
    return timing.p90_ms if timing else float("inf")


def _rejections(candidates: Sequence[Measured], ordered: Sequence[Measured], best: Measured) -> Iterator[Rejection]:
    for item in candidates:
        if not item.holds:
            yield Rejection(item.title, (f"{item.verdict}: {item.explanation}",))
    for item in ordered:
        if _too_few_updates(item, best):
            yield Rejection(item.title, (f"only {item.updates} training updates fit into the time",))


def _too_few_updates(item: Measured, best: Measured) -> bool:
    """Whether it came behind because it cannot be trained in the time there is."""
    return item.card != best.card and item.updates is not None and item.updates < LEAST_UPDATES


def _reasons(
    best: Measured, tied: Sequence[Measured], lower: Sequence[Measured], limits: Limits, measurements: Measurements
) -> Iterator[str]:
    timing = best.timing("pipeline")
    quoted = f"{best.card.quality_source} {best.card.quoted_quality:.1f}"
    tried = {item.card for item in measurements.candidates if item.timings}
    holding = {item.card for item in measurements.candidates if item.holds}
    yield f"{len(holding)} of {len(tried)} measured networks hold every hard constraint in some form"
    if (best.updates or 0) >= LEAST_UPDATES:
        yield (
            f"best expected ({quoted}, then the largest input) of those that get {LEAST_UPDATES} training updates in "
            f"the time there is; this one gets about {best.updates}"
        )
    else:
        yield (
            f"no candidate gets {LEAST_UPDATES} training updates in the time there is; this one gets most, about "
            f"{best.updates or 0} ({quoted}); more time (--budget) would allow a better one"
        )
    if timing is not None and limits.min_fps is not None:
        yield f"measured {timing.fps:.1f} fps at p90, {limits.min_fps:g} fps wanted ({best.explanation})"
    yield from _reasons_of_form(best, tied, lower, measurements.candidates)


def _reasons_of_form(
    best: Measured, tied: Sequence[Measured], lower: Sequence[Measured], candidates: Sequence[Measured]
) -> Iterator[str]:
    """Why this engine and precision."""
    if not best.engine:
        return
    rivals = [i for i in candidates if i.card == best.card and i.lossless and i.timings and i not in tied]
    others = [f"{i.engine} {_slowness(i):.2f} ms" for i in sorted(rivals, key=_slowness)]
    beaten = f"; slower: {', '.join(others)}" if others else ""
    if len(tied) > 1:
        names = ", ".join(f"{i.engine} {_slowness(i):.2f} ms" for i in tied)
        yield f"a tie in speed, less than {TIE:.0%} apart at p90: {names}; {best.engine} stands first{beaten}"
    else:
        yield f"{best.engine} {best.precision} {_slowness(best):.2f} ms at p90 is its fastest form that holds{beaten}"
    if not best.lossless:
        yield f"only a lower precision holds: {best.precision}, to be proven on the trained network"
    if lower:
        speedups = ", ".join(f"{i.engine} {i.precision} {_slowness(best) / _slowness(i):.2f} times" for i in lower)
        kind = "faster" if best.lossless else "also fast enough"
        yield f"{kind} in lower precision, to be proven on the trained network: {speedups}"


def _infeasible(limits: Limits, measurements: Measurements) -> Infeasible:
    candidates = measurements.candidates
    timed = [item for item in candidates if item.timing("pipeline") is not None]
    error = Infeasible(f"no candidate meets the request: {binding(limits, candidates)}")
    for item in sorted(timed, key=_slowness)[:NEAREST]:
        timing = item.timing("pipeline")
        assert timing is not None
        error.add_note(
            f"Nearest: {item.title}, {timing.fps:.1f} fps at p90, {item.parameters / 1e6:.2f} M parameters, "
            f"{item.flops / 1e9:.3f} GFLOPs ({item.verdict})."
        )
    if not timed:
        for item in sorted(candidates, key=lambda item: item.parameters)[:NEAREST]:
            error.add_note(
                f"Nearest: {item.title}, {item.parameters / 1e6:.2f} M parameters, {item.flops / 1e9:.3f} GFLOPs."
            )
    for line in measurements.not_measured:
        error.add_note(f"Not measured: {line}.")
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
