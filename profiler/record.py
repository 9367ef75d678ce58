"""What a measurement leaves behind, with its JSON form. Knows nothing about how it was taken."""

from dataclasses import asdict, dataclass, field, fields
from statistics import median
from typing import Any

from profiler.energy import Energy
from profiler.stats import Outcome, Summary, Verdict, summary, uncertainty


@dataclass(frozen=True)
class Window:
    """One uninterrupted run of queries.

    `disturbed` windows have their `reason`; they are repeated (`counted` is False) while retries are left. `slowdown`
    is the slower of the canaries before and after over the best of this process, `memory_ns` the slower of the reads
    through memory. None and {} are what the machine, or an older record, does not tell.
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
        samples, found, start = self.samples_ms.get(scope, ()), list[tuple[float, ...]](), 0
        for window in self._counted(scope):
            found.append(samples[start : start + window.queries])
            start += window.queries
        return found

    def _counted(self, scope: str) -> list[Window]:
        return [window for window in self.windows if window.counted and window.scope == scope]

    def summary(self, scope: str | None = None) -> Summary:
        """Figures of one scope, the raced one by default; BadSamples if there are none."""
        return summary(self.samples_ms.get(scope or self.scope, ()))

    def uncertainty(self, scope: str | None = None) -> float | None:
        """How far the median may be off, as a share of it: half a 95 % interval; None with too few windows to say.

        Student's interval of the logs of the windows' medians (W. S. Gosset, Biometrika 6, 1908). It holds what varied
        from window to window, not what was the same in all: this process, this hour.
        """
        return uncertainty([median(window) for window in self.windows_ms(scope or self.scope)])

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


def _verdict(document: dict[str, Any]) -> Verdict:
    """Also of an older record, which says more about some things and nothing about others."""
    known = {part.name: document[part.name] for part in fields(Verdict) if part.name in document}
    return Verdict(**{**known, "outcome": Outcome(document["outcome"])})


def _tuples(by_scope: dict[str, Any]) -> dict[str, tuple[float, ...]]:
    return {scope: tuple(values) for scope, values in by_scope.items()}
