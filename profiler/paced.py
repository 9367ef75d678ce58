"""One candidate at the rate it will run at, and over a long time. Knows no model and no verdict.

Timing back to back flatters: caches stay warm and clocks high. `paced` asks at the wanted rate and counts the missed
deadlines; `soak` looks whether a candidate slows down with time.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite
from statistics import median
from typing import Any

from profiler.energy import Meter
from profiler.errors import BadPlan
from profiler.pacing import OVERTIME
from profiler.run import Candidate, Plan, Run, Seen
from profiler.stats import quantile_of
from profiler.trend import Trend, trend

MAX_ARRIVALS = 200_000
"""Of one schedule: its answer is a line of 4 MB then."""


@dataclass(frozen=True)
class Paced:
    """Queries that arrived every 1000 / fps ms: how late each began, and how long it took.

    `arrivals` were due; those that never began in twice the time are missed as well. Memory is that of the child
    before the first and after the last query. None and {} are what the machine does not tell.
    """

    name: str
    scope: str
    fps: float
    seconds: float
    threads: int
    arrivals: int = 0
    late_ms: tuple[float, ...] = ()
    latency_ms: tuple[float, ...] = ()
    rss_before_mb: float | None = None
    rss_after_mb: float | None = None
    foreign_cores: float | None = None
    slowdown: float | None = None
    throttled: int | None = None
    joules: dict[str, float] = field(default_factory=dict)
    reason: str = ""
    warnings: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    error: str | None = None

    @property
    def disturbed(self) -> bool:
        """Whether others used the machine, or it ran slower than at its best."""
        return bool(self.reason)

    @property
    def lateness_ms(self) -> tuple[float, ...]:
        """Completion behind the deadline, which is one period after the arrival; negative is in time."""
        period_ms = 1000 / self.fps
        return tuple(late + took - period_ms for late, took in zip(self.late_ms, self.latency_ms, strict=True))

    @property
    def missed(self) -> int:
        """Deadlines missed, by queries late and by those never begun."""
        return sum(lateness > 0 for lateness in self.lateness_ms) + self.arrivals - len(self.latency_ms)

    @property
    def memory_growth_mb(self) -> float | None:
        """Over all queries."""
        known = self.rss_before_mb is not None and self.rss_after_mb is not None
        return (self.rss_after_mb or 0.0) - (self.rss_before_mb or 0.0) if known else None


@dataclass(frozen=True)
class Stretch:
    """One window of a soak, `at_s` after its beginning; single latencies are not kept, hours of them would be."""

    at_s: float
    queries: int
    median_ms: float
    p90_ms: float
    max_ms: float
    rss_mb: float | None
    foreign_cores: float
    foreign: bool
    slowdown: float
    throttled: int | None
    reason: str


@dataclass(frozen=True)
class Soak:
    """A long run in windows; `fps` is None where queries followed each other at once."""

    name: str
    scope: str
    fps: float | None
    seconds: float
    threads: int
    trend: Trend
    stretches: tuple[Stretch, ...] = ()
    warnings: tuple[str, ...] = ()
    error: str | None = None

    @property
    def throttled(self) -> int | None:
        """Throttling events seen; None where the kernel does not count them."""
        seen = [stretch.throttled for stretch in self.stretches if stretch.throttled is not None]
        return sum(seen) if seen else None

    @property
    def memory_growth_mb(self) -> float | None:
        """From the first to the last window."""
        seen = [stretch.rss_mb for stretch in self.stretches if stretch.rss_mb is not None]
        return seen[-1] - seen[0] if seen else None


def paced(
    candidate: Candidate,
    *,
    fps: float,
    seconds: float,
    threads: int = 1,
    scope: str = "pipeline",
    memory_limit_mb: float | None = None,
    warmup_cap_s: float = 10.0,
    hang_seconds: float = 60.0,
    load_seconds: float = 300.0,
) -> Paced:
    """Warms up, then asks `fps` times a second for `seconds`. A failure is a record with `error`; BadPlan before."""
    _refuse(candidate, seconds, threads, fps)
    run = Run(candidate, _plan(scope, threads, memory_limit_mb, warmup_cap_s, hang_seconds, load_seconds), Meter())
    command = {"do": "paced", "scope": scope, "fps": fps, "seconds": seconds}
    found: dict[str, Any] = {}
    try:
        run.start()
        run.warm_up()
        seen = run.watched(command, OVERTIME * seconds)
        if seen is not None:
            found = _served(seen)
    finally:
        run.close()
    return Paced(
        candidate.name, scope, fps, seconds, threads, **found,
        warnings=tuple(run.warnings), facts=run.facts, error=run.error,
    )  # fmt: skip


def soak(
    candidate: Candidate,
    *,
    seconds: float,
    fps: float | None = None,
    window_s: float = 5.0,
    threads: int = 1,
    scope: str = "pipeline",
    memory_limit_mb: float | None = None,
    warmup_cap_s: float = 10.0,
    hang_seconds: float = 60.0,
    load_seconds: float = 300.0,
    on_progress: Callable[[str, str, int], None] | None = None,
) -> Soak:
    """Runs for `seconds` in windows of `window_s`, at `fps` or back to back, and says what becomes of the median.

    Disturbed windows are kept with their reason: in a soak heat is what is looked for. The trend is taken of those
    that no other program disturbed, as far as /proc tells.
    """
    _refuse(candidate, seconds, threads, fps, window_s)
    plan = _plan(scope, threads, memory_limit_mb, warmup_cap_s, hang_seconds, load_seconds, on_progress)
    run, stretches, spent_s = Run(candidate, plan, Meter()), list[Stretch](), 0.0
    try:
        run.start()
        run.warm_up()
        while spent_s < seconds:
            this_s = min(window_s, seconds - spent_s)
            seen = run.watched(_command(scope, fps, this_s), OVERTIME * this_s)
            if seen is None:
                break
            stretches.append(_stretch(spent_s + seen.answer["wall_s"] / 2, seen))
            spent_s += seen.answer["wall_s"]
            run.report("soak", sum(stretch.queries for stretch in stretches))
    finally:
        run.close()
    alone = [stretch for stretch in stretches if not stretch.foreign]
    course = trend([stretch.at_s for stretch in alone], [stretch.median_ms for stretch in alone])
    return Soak(candidate.name, scope, fps, seconds, threads, course, tuple(stretches), tuple(run.warnings), run.error)


def _command(scope: str, fps: float | None, seconds: float) -> dict[str, Any]:
    if fps is None:
        return {"do": "run", "scope": scope, "queries": 1, "at_least_s": seconds, "at_most_s": seconds}
    return {"do": "paced", "scope": scope, "fps": fps, "seconds": seconds}


def _served(seen: Seen) -> dict[str, Any]:
    answer = seen.answer
    return {
        "arrivals": answer["arrivals"],
        "late_ms": _milliseconds(answer["late_ns"]),
        "latency_ms": _milliseconds(answer["latencies_ns"]),
        "rss_before_mb": answer["rss_before_mb"],
        "rss_after_mb": answer["rss_mb"],
        "foreign_cores": seen.load.foreign_cores,
        "slowdown": seen.slowdown,
        "throttled": seen.load.throttled,
        "joules": seen.joules,
        "reason": seen.reason,
    }


def _stretch(at_s: float, seen: Seen) -> Stretch:
    latencies = sorted(_milliseconds(seen.answer["latencies_ns"]))
    return Stretch(
        at_s=at_s,
        queries=len(latencies),
        median_ms=median(latencies),
        p90_ms=quantile_of(latencies, 0.90),
        max_ms=latencies[-1],
        rss_mb=seen.answer["rss_mb"],
        foreign_cores=seen.load.foreign_cores,
        foreign=seen.load.foreign,
        slowdown=seen.slowdown,
        throttled=seen.load.throttled,
        reason=seen.reason,
    )


def _milliseconds(nanoseconds: list[int]) -> tuple[float, ...]:
    return tuple(value / 1e6 for value in nanoseconds)


def _plan(
    scope: str,
    threads: int,
    memory_limit_mb: float | None,
    warmup_cap_s: float,
    hang_seconds: float,
    load_seconds: float,
    on_progress: Callable[[str, str, int], None] | None = None,
) -> Plan:
    return Plan(
        scope=scope,
        limit_ms=None,
        threads=threads,
        memory_limit_mb=memory_limit_mb,
        window_queries=32,
        min_queries=1,
        max_seconds=warmup_cap_s,
        warmup_cap_s=warmup_cap_s,
        hang_seconds=hang_seconds,
        load_seconds=load_seconds,
        retries=0,
        on_progress=on_progress,
    )


def _refuse(candidate: Candidate, seconds: float, threads: int, fps: float | None, window_s: float = 1.0) -> None:
    """BadPlan with all faults at once."""
    numbers = {"fps": fps, "seconds": seconds, "threads": threads, "window_s": window_s}
    faults = [f"{n} is {v}" for n, v in numbers.items() if v is not None and not (isfinite(v) and v > 0)]
    if ":" not in candidate.factory:
        faults.append(f"{candidate.name}: {candidate.factory!r}")
    if not faults and fps is not None and fps * seconds > MAX_ARRIVALS:
        faults.append(f"{fps * seconds:.0f} queries are more than {MAX_ARRIVALS}")
    if faults:
        raise BadPlan.because(
            f"Nothing can be paced: {'; '.join(faults)}.", 'Positive numbers, factories "module:name".'
        )
