"""A finished model run for a while, at the rate asked for or back to back: is it in time, does it stay as fast?"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from edge.errors import VerificationFailed
from edge.profiling.heat import SCOPE
from edge.records import Endured
from profiler.paced import MAX_ARRIVALS, paced, soak
from profiler.session import Candidate
from profiler.stats import summary
from profiler.trend import Trend, trend

SOAK_S = 20.0
STRETCHES = 20
"""Parts of a run whose medians make the trend."""


def endure(candidate: Candidate, fps: float | None, seconds: float, threads: int) -> Endured:
    """Run for `seconds`; paced at `fps`, or back to back without one.

    Raises:
        VerificationFailed: the model's process failed.
    """
    if fps is None:
        return _back_to_back(candidate, seconds, threads)
    seconds = min(seconds, int(MAX_ARRIVALS / fps))
    found = paced(candidate, fps=fps, seconds=seconds, threads=threads, scope=SCOPE)
    if found.error is not None or not found.latency_ms:
        raise VerificationFailed(f"the model could not run for {seconds:g} s: {found.error or 'no image was answered'}")
    course = _trend(found.latency_ms, [number / fps for number in range(len(found.latency_ms))])
    figures = summary(found.latency_ms)
    return Endured(
        fps=fps,
        seconds=seconds,
        queries=found.arrivals,
        missed=found.missed,
        worst_ms=figures.max,
        median_ms=figures.median,
        p90_ms=figures.p90,
        trend=course.course.value,
        drift=_share(course.percent_per_min),
        drift_interval=_shares(course.interval),
        disturbed=found.reason,
        memory_growth_mb=found.memory_growth_mb,
    )


def _back_to_back(candidate: Candidate, seconds: float, threads: int) -> Endured:
    found = soak(candidate, seconds=seconds, window_s=seconds / STRETCHES, threads=threads, scope=SCOPE)
    if found.error is not None or not found.stretches:
        raise VerificationFailed(f"the model could not run for {seconds:g} s: {found.error or 'no image was answered'}")
    return Endured(
        fps=None,
        seconds=seconds,
        queries=sum(stretch.queries for stretch in found.stretches),
        missed=0,
        worst_ms=max(stretch.max_ms for stretch in found.stretches),
        median_ms=median(stretch.median_ms for stretch in found.stretches),
        p90_ms=median(stretch.p90_ms for stretch in found.stretches),
        trend=found.trend.course.value,
        drift=_share(found.trend.percent_per_min),
        drift_interval=_shares(found.trend.interval),
        memory_growth_mb=found.memory_growth_mb,
    )


def _trend(latencies_ms: Sequence[float], at_s: Sequence[float]) -> Trend:
    size = max(1, len(latencies_ms) // STRETCHES)
    starts = range(0, len(latencies_ms) - size + 1, size)
    return trend([at_s[i + size // 2] for i in starts], [median(latencies_ms[i : i + size]) for i in starts])


def _share(percent: float | None) -> float | None:
    return None if percent is None else percent / 100


def _shares(percents: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if percents is None else (percents[0] / 100, percents[1] / 100)
