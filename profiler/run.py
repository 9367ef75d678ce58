"""One candidate on its way through a measurement: load, warm up, windows, profile. Knows nothing about the others."""

import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from profiler.canary import Pace, memory_ns
from profiler.energy import Meter, per_query
from profiler.errors import ChildFailed
from profiler.link import Child
from profiler.load import Load, Watch
from profiler.race import Decision, Entry, Standing
from profiler.record import Profile, Window
from profiler.stats import Verdict

STEADY_WINDOWS = 3
STEADY_SPREAD = 0.05
"""Warm when the medians of three windows lie within 5 %: the design's rule."""

WINDOW_AT_LEAST_S = 0.1
"""Shorter windows could not be compared with the 10 ms ticks of the kernel's load counters."""

OTHER_SHARE = 1 / 3
"""Time of each scope beside the raced one, of `max_seconds`: enough for a median, and never taken from it."""

WINDOW_AT_MOST_S = 10.0
"""A slow candidate must not hold up the turn of the others."""

DRIFT = 0.10
"""Change of the median, or of the clock frequency, within a measurement that is worth a warning."""


@dataclass(frozen=True)
class Candidate:
    """Something to time: `factory` is "module:function"; called with `kwargs` (JSON values) in the child process it
    returns scope -> callable without arguments, and optionally "facts" -> a dictionary for the profile. Candidates of
    one non-empty `group` do the same job, and only the fastest of them is wanted."""

    name: str
    factory: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    group: str = ""


@dataclass(frozen=True)
class Plan:
    """What is the same for all candidates; the parameters of `measure` in one record."""

    scope: str
    limit_ms: float | None
    threads: int
    memory_limit_mb: float | None
    window_queries: int
    min_queries: int
    max_seconds: float
    warmup_cap_s: float
    hang_seconds: float
    load_seconds: float
    retries: int
    on_progress: Callable[[str, str, int], None] | None
    tie_queries: int = 512


@dataclass(frozen=True)
class Seen:
    """What a child answered to one command, and what else went on."""

    answer: dict[str, Any]
    load: Load
    joules: dict[str, float]
    slowdown: float

    @property
    def reason(self) -> str:
        """What disturbed it, empty if nothing did."""
        return self.load.disturbance(self.slowdown)


class Run:
    """The state of one candidate. After a failure it does nothing more and its profile carries the error."""

    def __init__(self, candidate: Candidate, plan: Plan, meter: Meter) -> None:
        self.candidate, self.plan, self._meter, self._pace = candidate, plan, meter, Pace()
        self.samples_ms: defaultdict[str, list[float]] = defaultdict(list)
        self.warmup_ms: defaultdict[str, list[float]] = defaultdict(list)
        self.rejected_ms: defaultdict[str, list[float]] = defaultdict(list)
        self.undisturbed_ms: list[float] = []
        self.shown_ms: list[float] = []
        self.windows: list[Window] = []
        self.warnings: list[str] = []
        self.scopes: tuple[str, ...] = ()
        self.facts: dict[str, Any] = {}
        self.affinity: tuple[int, ...] = ()
        self.peak_rss_mb: float | None = None
        self.spent_s: defaultdict[str, float] = defaultdict(float)
        self.stable = self.dropped = self.beaten = False
        self.error: str | None = None
        self._child: Child | None = None

    def start(self) -> None:
        """Starts the process and builds the candidate in it."""
        plan = self.plan
        try:
            self._child = Child(plan.threads, plan.memory_limit_mb)
        except OSError as error:
            self._fail(f"could not be started: {error}")
            return
        command = {
            "do": "load",
            "factory": self.candidate.factory,
            "kwargs": dict(self.candidate.kwargs),
            "sys_path": [entry for entry in sys.path if entry],
        }
        answer = self._ask(command, plan.load_seconds)
        if answer is None:
            return
        self.scopes, self.facts = tuple(answer["scopes"]), answer["facts"]
        self.affinity = tuple(answer["affinity"])
        if plan.scope not in self.scopes:
            self._fail(f"{self.candidate.factory} gives no scope {plan.scope!r}, only {', '.join(self.scopes)}")

    def warm_up(self) -> None:
        """Windows until three in a row agree, or the cap is reached and the candidate is labelled UNSTABLE."""
        cap_s, spent_s = self.plan.warmup_cap_s, 0.0
        medians: list[float] = []
        canaries_ns: list[list[int]] = []
        while self.error is None and not self.stable and spent_s < cap_s:
            at_most_s = min(cap_s / (STEADY_WINDOWS + 1), WINDOW_AT_MOST_S, cap_s - spent_s)
            answer = self._window(self.plan.scope, at_most_s)
            if answer is None:
                return
            canaries_ns.append(answer["canaries_ns"])
            latencies_ms = _milliseconds(answer)
            self.warmup_ms[self.plan.scope] += latencies_ms
            spent_s += answer["wall_s"]
            medians.append(median(latencies_ms))
            self.stable = is_steady(medians)
            self.report("warm up", len(self.warmup_ms[self.plan.scope]))
        self._pace = Pace([value for window in canaries_ns[-STEADY_WINDOWS:] for value in window])
        if self.error is None and not self.stable:
            self.warnings.append(
                f"UNSTABLE: after {spent_s:.1f} s of warm-up the medians of the last windows still differed by more"
                f" than {STEADY_SPREAD:.0%} ({', '.join(f'{value:.3g}' for value in medians[-STEADY_WINDOWS:])} ms)"
            )

    def measure_window(self, scope: str) -> None:
        """One window that counts, or, while retries are left, one repeated later because something disturbed it."""
        left_s, memory_before_ns = self._left_s(scope), memory_ns()
        seen = self.watched(self._run_command(scope, left_s), left_s)
        if seen is None:
            return
        answer, load, reason = seen.answer, seen.load, seen.reason
        rejected = [window.wall_s for window in self.windows if not window.counted]
        # repeated windows have a time of their own, as long again, so that they cannot use up the counted one; a long
        # measurement may repeat as many windows as it has counted
        allowed = max(self.plan.retries, len(self.windows) - len(rejected))
        counted = not reason or len(rejected) >= allowed or sum(rejected) >= self.plan.max_seconds
        self._keep(scope, _milliseconds(answer), counted, bool(reason))
        self.spent_s[scope] += answer["wall_s"] if counted else 0.0
        self.windows.append(
            Window(
                scope=scope,
                queries=len(answer["latencies_ns"]),
                wall_s=answer["wall_s"],
                cores_used=answer["cpu_s"] / max(answer["wall_s"], 1e-9),
                foreign_cores=load.foreign_cores,
                preempted=answer["preempted"],
                frequency_mhz=load.frequency_mhz,
                counted=counted,
                disturbed=bool(reason),
                reason=reason,
                slowdown=seen.slowdown,
                throttled=load.throttled,
                joules=seen.joules,
                memory_ns=max(memory_before_ns, memory_ns()),
            )
        )
        if counted and reason:
            self._warn_once(
                f"DISTURBED: after {len(rejected)} repeated windows {reason}; such windows were counted from then on"
            )
        self.report(scope, len(self.samples_ms[scope]))

    def _keep(self, scope: str, latencies_ms: list[float], counted: bool, disturbed: bool) -> None:
        (self.samples_ms if counted else self.rejected_ms)[scope] += latencies_ms
        if not counted or scope != self.plan.scope:
            return
        self.undisturbed_ms += [] if disturbed else latencies_ms
        # neighbours in a window of thousands resemble each other: the race is shown as few of each as of slow ones
        step = max(1, len(latencies_ms) // self.plan.window_queries)
        self.shown_ms += latencies_ms[::step][: self.plan.window_queries]

    def warm_scope(self, scope: str) -> None:
        """One short uncounted window in a scope beside the raced one, which has warmed the engine already."""
        answer = self._window(scope, self._seconds_of(scope) / 4)
        if answer is not None:
            self.warmup_ms[scope] += _milliseconds(answer)

    def has_time(self, scope: str) -> bool:
        """Whether the measuring time of a scope is not used up."""
        return self.spent_s[scope] < self._seconds_of(scope)

    def _seconds_of(self, scope: str) -> float:
        return self.plan.max_seconds * (1.0 if scope == self.plan.scope else OTHER_SHARE)

    def entry(self) -> Entry:
        """This candidate as the race sees it; one that failed has nothing to show."""
        failed = self.error is not None
        return Entry(
            name=self.candidate.name,
            group=self.candidate.group,
            samples_ms=() if failed else self.samples_ms[self.plan.scope],
            undisturbed_ms=() if failed else self.undisturbed_ms,
            shown_ms=() if failed else self.shown_ms,
            ended=failed or not self.has_time(self.plan.scope),
        )

    def verdict(self) -> Verdict | None:
        """On the samples of the raced scope so far; a FAIL never rests on disturbed windows."""
        return self.entry().verdict(self.plan.limit_ms)

    def judge(self, decision: Decision) -> None:
        """Takes the race's last word."""
        if decision.standing is Standing.FAILING:
            self.dropped = True
            self.warnings.append(f"DROPPED: {decision.reason}; not measured further")
        elif decision.standing is Standing.BEATEN:
            self.dropped = self.beaten = True
            self.warnings.append(f"BEATEN: {decision.reason}; not measured further")

    def close(self) -> None:
        """Ends the process, if it still runs."""
        if self._child is not None:
            self._child.close()
            self._child = None

    def profile(self) -> Profile:
        """The record of everything so far."""
        self._warn_about_samples()
        counted = [window for window in self.windows if window.counted and window.scope == self.plan.scope]
        return Profile(
            name=self.candidate.name,
            scope=self.plan.scope,
            threads=self.plan.threads,
            limit_ms=self.plan.limit_ms,
            samples_ms=_frozen(self.samples_ms),
            stable=self.stable,
            verdict=self.verdict() if self.error is None else None,
            dropped=self.dropped,
            peak_rss_mb=self.peak_rss_mb,
            affinity=self.affinity,
            windows=tuple(self.windows),
            warmup_ms=_frozen(self.warmup_ms),
            rejected_ms=_frozen(self.rejected_ms),
            warnings=tuple(self.warnings),
            facts=self.facts,
            error=self.error,
            group=self.candidate.group,
            beaten=self.beaten,
            energy=per_query([(window.queries, window.joules) for window in counted], self._meter.reason),
            pace_ns=self._pace.best_ns,
        )

    def watched(self, command: dict[str, Any], at_most_s: float) -> Seen | None:
        """The answer to a command that runs queries, with what else the machine did meanwhile; None after a failure."""
        watch, before = Watch(), self._meter.read()
        answer = self._ask(command, at_most_s + self.plan.hang_seconds)
        if answer is None:
            return None
        joules, load = self._meter.between(before, self._meter.read()), watch.stop(answer["whole_cpu_s"])
        return Seen(answer, load, joules, self._pace.slowdown(answer["canaries_ns"]))

    def _left_s(self, scope: str) -> float:
        return max(0.0, min(WINDOW_AT_MOST_S, self._seconds_of(scope) - self.spent_s[scope]))

    def _window(self, scope: str, at_most_s: float) -> dict[str, Any] | None:
        return self._ask(self._run_command(scope, at_most_s), at_most_s + self.plan.hang_seconds)

    def _run_command(self, scope: str, at_most_s: float) -> dict[str, Any]:
        return {
            "do": "run",
            "scope": scope,
            "queries": self.plan.window_queries,
            "at_least_s": min(WINDOW_AT_LEAST_S, at_most_s),
            "at_most_s": at_most_s,
        }

    def _ask(self, command: dict[str, Any], timeout_s: float) -> dict[str, Any] | None:
        if self._child is None or self.error is not None:
            return None
        try:
            answer = self._child.ask(command, timeout_s)
        except ChildFailed as error:
            self._fail(str(error))
            return None
        self.peak_rss_mb = answer["peak_rss_mb"]
        return answer

    def _fail(self, text: str) -> None:
        self.error = text
        self.close()
        self.report("failed", 0)

    def report(self, phase: str, queries: int) -> None:
        """Tells whoever asked for progress."""
        if self.plan.on_progress is not None:
            self.plan.on_progress(self.candidate.name, phase, queries)

    def _warn_once(self, text: str) -> None:
        if not any(warning.startswith(text.split(":")[0]) for warning in self.warnings):
            self.warnings.append(text)

    def _warn_about_samples(self) -> None:
        plan, samples = self.plan, self.samples_ms[self.plan.scope]
        windows = [window for window in self.windows if window.counted and window.scope == plan.scope]
        if self.error is None and not self.dropped and len(samples) < plan.min_queries:
            self._warn_once(f"FEW: {len(samples)} of {plan.min_queries} queries within {plan.max_seconds:g} s")
        rejected = sum(not window.counted for window in self.windows)
        if rejected:
            self._warn_once(f"REPEATED: {rejected} window(s) were repeated because something disturbed them")
        if windows and (used := median(window.cores_used for window in windows)) > 1.25 * plan.threads:
            self._warn_once(f"THREADS: {used:.1f} cores were used although {plan.threads} thread(s) were stated")
        third = len(samples) // 3
        if third >= plan.window_queries // 2 and third:
            first, last = median(samples[:third]), median(samples[-third:])
            if abs(last - first) > DRIFT * first:
                self._warn_once(f"DRIFT: the median moved from {first:.3g} ms to {last:.3g} ms while measuring")
        clocks = [window.frequency_mhz for window in windows if window.frequency_mhz]
        if clocks and max(clocks) - min(clocks) > DRIFT * max(clocks):
            self._warn_once(f"FREQUENCY: the CPU clock varied from {min(clocks):.0f} to {max(clocks):.0f} MHz")


def is_steady(medians: list[float]) -> bool:
    """Whether the last three medians lie within 5 % of the smallest."""
    last = medians[-STEADY_WINDOWS:]
    return len(last) == STEADY_WINDOWS and max(last) - min(last) <= STEADY_SPREAD * min(last)


def _milliseconds(answer: dict[str, Any]) -> list[float]:
    return [nanoseconds / 1e6 for nanoseconds in answer["latencies_ns"]]


def _frozen(by_scope: Mapping[str, list[float]]) -> dict[str, tuple[float, ...]]:
    return {scope: tuple(values) for scope, values in by_scope.items() if values}
