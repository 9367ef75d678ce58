"""What a measurement leaves behind, with its JSON form. Knows nothing about how it was taken."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from statistics import median, median_low
from typing import Any

from profiler.energy import Energy, per_query
from profiler.stats import LEAST_PROCESSES, Outcome, Summary, Verdict, summary, uncertainty


@dataclass(frozen=True)
class Window:
    """One uninterrupted run of queries.

    `disturbed` windows have their `reason`; they are repeated (`counted` is False) while retries are left. `slowdown`
    is the slower of the canaries before and after over the best of this process, `memory_ns` the slower of the reads
    through memory. `process` counts the processes of a pooled profile from 0. None and {} are what the machine, or an
    older record, does not tell.
    """

    scope: str
    queries: int
    wall_s: float
    cores_used: float
    foreign_cores: float
    preempted: int
    frequency_mhz: float | None
    counted: bool
    disturbed: bool = False
    reason: str = ""
    slowdown: float | None = None
    throttled: int | None = None
    joules: dict[str, float] = field(default_factory=dict)
    memory_ns: int | None = None
    process: int = 0


@dataclass(frozen=True)
class Profile:
    """All that was measured of one candidate.

    `samples_ms` has every counted latency by scope, in order; `warmup_ms` those before it was steady and
    `rejected_ms` those of repeated windows. `verdict` is on `scope` and None without a limit or with an `error`.
    `warnings` and `error` are data for the reader. `dropped` says that racing ended it early, `beaten` that another
    one of its group was faster. `pace_ns` is the best canary, by which two profiles tell whether the machine was as
    fast for one as for the other. It and `energy` are None in records from before they were measured.
    """

    name: str
    scope: str
    threads: int
    limit_ms: float | None
    samples_ms: dict[str, tuple[float, ...]]
    stable: bool
    verdict: Verdict | None = None
    dropped: bool = False
    peak_rss_mb: float | None = None
    affinity: tuple[int, ...] = ()
    windows: tuple[Window, ...] = ()
    warmup_ms: dict[str, tuple[float, ...]] = field(default_factory=dict)
    rejected_ms: dict[str, tuple[float, ...]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    group: str = ""
    beaten: bool = False
    energy: Energy | None = None
    pace_ns: int | None = None

    @property
    def disturbed(self) -> bool:
        """Whether windows of the raced scope count although something disturbed them."""
        return any(window.disturbed for window in self._counted(self.scope))

    @property
    def memory_ns(self) -> float | None:
        """What reading through memory took beside the windows that count, their median."""
        told = [window.memory_ns for window in self._counted(self.scope) if window.memory_ns is not None]
        return median(told) if told else None

    def windows_ms(self, scope: str) -> list[tuple[float, ...]]:
        """The counted latencies of a scope, window by window."""
        return [latencies for _, latencies in self._timed(scope)]

    def _timed(self, scope: str) -> list[tuple[Window, tuple[float, ...]]]:
        samples, found, start = self.samples_ms.get(scope, ()), list[tuple[Window, tuple[float, ...]]](), 0
        for window in self._counted(scope):
            found.append((window, samples[start : start + window.queries]))
            start += window.queries
        return [(window, latencies) for window, latencies in found if latencies]

    def _counted(self, scope: str) -> list[Window]:
        return [window for window in self.windows if window.counted and window.scope == scope]

    def summary(self, scope: str | None = None) -> Summary:
        """Figures of one scope, the raced one by default; BadSamples if there are none."""
        return summary(self.samples_ms.get(scope or self.scope, ()))

    def uncertainty(self, scope: str | None = None) -> float | None:
        """How far the median may be off, as a share of it: half a 95 % interval; None with too little to say.

        Student's interval of the logs of medians (W. S. Gosset, Biometrika 6, 1908): those of the windows, and those of
        the processes of a pooled profile; the wider one. What was the same in all of them it does not hold.
        """
        timed = self._timed(scope or self.scope)
        by_process: dict[int, list[float]] = {}
        for window, latencies in timed:
            by_process.setdefault(window.process, []).extend(latencies)
        told = (
            uncertainty([median(latencies) for _, latencies in timed]),
            uncertainty([median(latencies) for latencies in by_process.values()], LEAST_PROCESSES),
        )
        return max((each for each in told if each is not None), default=None)

    def to_json(self) -> dict[str, Any]:
        """A document for `json.dumps`."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Profile":
        """The record `to_json` was called on, after a way through JSON or not."""
        verdict, energy = document["verdict"], document.get("energy")
        return cls(
            **{
                **document,
                **{name: _tuples(document[name]) for name in ("samples_ms", "warmup_ms", "rejected_ms")},
                "verdict": verdict and _verdict(verdict),
                "affinity": tuple(document["affinity"]),
                "windows": tuple(Window(**window) for window in document["windows"]),
                "warnings": tuple(document["warnings"]),
                "energy": energy and Energy(**energy),
            }
        )


def pooled(profiles: Sequence[Profile]) -> Profile:
    """One profile of a candidate that was loaded and measured several times, each time in a new process.

    A process may be slow from its first query to its last, by where its memory lies, and its windows agree on that;
    so may a minute of the machine. Only other processes, minutes apart, tell. All their latencies count alike; an error
    in one is the whole's.

    Raises:
        ValueError: there is none, or they had a limit to hold, which a race may have ended at different points.
    """
    if not profiles or any(profile.limit_ms is not None for profile in profiles):
        raise ValueError("only profiles without a limit can be pooled")
    first, windows = profiles[0], list[Window]()
    for number, profile in enumerate(profiles):
        windows += [replace(window, process=number) for window in profile.windows]
    counted = [window for window in windows if window.counted and window.scope == first.scope]
    paces = [profile.pace_ns for profile in profiles if profile.pace_ns is not None]
    return replace(
        first,
        samples_ms=_joined(profile.samples_ms for profile in profiles),
        warmup_ms=_joined(profile.warmup_ms for profile in profiles),
        rejected_ms=_joined(profile.rejected_ms for profile in profiles),
        stable=all(profile.stable for profile in profiles),
        peak_rss_mb=max((profile.peak_rss_mb for profile in profiles if profile.peak_rss_mb), default=None),
        windows=tuple(windows),
        warnings=tuple(dict.fromkeys(warning for profile in profiles for warning in profile.warnings)),
        error=next((profile.error for profile in profiles if profile.error is not None), None),
        energy=per_query([(window.queries, window.joules) for window in counted], first.energy.reason)
        if first.energy
        else None,
        # the latencies' median is that of a middling process, and so is this
        pace_ns=median_low(paces) if paces else None,
    )


def _joined(parts: Iterable[dict[str, tuple[float, ...]]]) -> dict[str, tuple[float, ...]]:
    joined: dict[str, tuple[float, ...]] = {}
    for by_scope in parts:
        for scope, values in by_scope.items():
            joined[scope] = joined.get(scope, ()) + values
    return joined


def _verdict(document: dict[str, Any]) -> Verdict:
    """Also of an older record, which says more about some things and nothing about others."""
    known = {part.name: document[part.name] for part in fields(Verdict) if part.name in document}
    return Verdict(**{**known, "outcome": Outcome(document["outcome"])})


def _tuples(by_scope: dict[str, Any]) -> dict[str, tuple[float, ...]]:
    return {scope: tuple(values) for scope, values in by_scope.items()}
