"""One measured speed, with all that says what it is a speed of. Knows no database, no engine and no table.

A row is either `measured`, with a profile, or `failed`, with a reason: what could not run is a result too.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from profiler.record import Profile
from profiler.stats import Summary

State = Literal["measured", "failed"]

BOUND_SCOPES = ("pipeline", "runtime")
"""What a speed is quoted in: the whole way from image to answer; the network alone where a file has no such way."""


@dataclass(frozen=True)
class Key:
    """All that decides a speed. Two rows with one key are two measurements of the same thing.

    `artefact_sha256` is that of the files timed, empty where none could be made; `hardware` is Hardware.key.
    """

    artefact_sha256: str
    hardware: str
    engine: str
    engine_version: str
    precision: str
    threads: int
    power_mode: str


@dataclass(frozen=True)
class Subject:
    """What was timed, and what others say of it; nothing quoted or published is evidence about this machine.

    `model` is the name in the metafile, or of the file; `flops` counts multiply-accumulates; `work` holds the features
    that a forecast starts from; `published_ms` was measured on what `published_on` says, at the input `published_at`.
    """

    title: str
    task: str | None
    model: str
    family: str
    toolbox: str
    width: int
    height: int
    parameters: int | None = None
    flops: int | None = None
    work: dict[str, float] = field(default_factory=dict)
    quoted_quality: float | None = None
    quality_source: str = ""
    published_ms: float | None = None
    published_on: str = ""
    published_at: str = ""
    data: str = ""  # a job's data, which gave it its classes and its picture; empty for the zoo's own


@dataclass(frozen=True)
class Row:
    """One result of a sweep. `measured_at` is ISO 8601 in UTC, `run` the sweep, `versions` the software beside.

    Raises:
        ValueError: the parts contradict each other.
    """

    key: Key
    subject: Subject
    state: State
    measured_at: str
    run: str
    reason: str = ""
    profile: Profile | None = None
    parity: dict[str, float] = field(default_factory=dict)
    parity_holds: bool | None = None
    model_bytes: int | None = None
    versions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if faults := _contradictions(self):
            raise ValueError("; ".join(faults))

    @property
    def scope(self) -> str | None:
        """The scope its speed is quoted in, None if there is none."""
        samples = self.profile.samples_ms if self.profile is not None and self.state == "measured" else {}
        return next((scope for scope in BOUND_SCOPES if samples.get(scope)), None)

    @property
    def slot(self) -> tuple[Any, ...]:
        """What a newer measurement takes the place of, whatever the version of the engine.

        A model of the zoo is known by its name, however often it was exported; a file of its own only by its content.
        """
        subject, key = self.subject, self.key
        own = key.artefact_sha256 if not subject.toolbox else ""
        what = (subject.task, subject.model, subject.width, subject.height, own, subject.data)
        return (*what, key.hardware, key.engine, key.precision, key.threads, key.power_mode)

    @property
    def disturbed(self) -> bool:
        """Whether windows that count ran beside other work."""
        return self.profile is not None and self.profile.disturbed

    def pace_beside(self, other: Row) -> float | None:
        """How many times longer the profiler's fixed loop took at its best beside this one; None where one is unknown.

        It tells whether the machine was as fast for one measurement as for the other.
        """
        return _ratio(*(row.profile.pace_ns if row.profile else None for row in (self, other)))

    def memory_beside(self, other: Row) -> float | None:
        """The same of the profiler's reads through memory, their medians."""
        return _ratio(*(row.profile.memory_ns if row.profile else None for row in (self, other)))

    @property
    def measured_s(self) -> float:
        """`measured_at` in seconds since 1970."""
        return datetime.fromisoformat(self.measured_at).timestamp()

    def summary(self, scope: str | None = None) -> Summary | None:
        """Figures of a scope, by default of the bound one; None where it was not measured."""
        scope = scope or self.scope
        if scope is None or self.state != "measured" or self.profile is None or not self.profile.samples_ms.get(scope):
            return None
        if scope not in self._summaries:
            self._summaries[scope] = self.profile.summary(scope)
        return self._summaries[scope]

    @functools.cached_property
    def _summaries(self) -> dict[str, Summary]:
        # tables ask for the same figures again and again, and each takes a sort
        return {}

    def uncertainty(self, scope: str | None = None) -> float | None:
        """How far the median may be off, as a share of it; None where too little was measured to say."""
        scope = scope or self.scope
        return self.profile.uncertainty(scope) if self.profile is not None and self.summary(scope) else None

    def median_ms(self, scope: str | None = None) -> float | None:
        figures = self.summary(scope)
        return figures.median if figures is not None else None

    def p90_ms(self, scope: str | None = None) -> float | None:
        figures = self.summary(scope)
        return figures.p90 if figures is not None else None

    def fps(self, scope: str | None = None) -> float | None:
        """1000 / p90: the rate that nine of ten images keep up with."""
        figures = self.summary(scope)
        return figures.fps_p90 if figures is not None else None

    def to_json(self) -> dict[str, Any]:
        """A document for `json.dumps`."""
        parts = {
            "key": asdict(self.key),
            "subject": asdict(self.subject),
            "profile": self.profile.to_json() if self.profile is not None else None,
        }
        return {**{part.name: getattr(self, part.name) for part in fields(self)}, **parts}

    def outline(self) -> dict[str, Any]:
        """The same without the profile, but with the figures drawn from it, by scope."""
        document = self.to_json()
        document.pop("profile")
        scopes = [scope for scope, samples in self.profile.samples_ms.items() if samples] if self.profile else []
        figures = {
            scope: {"median_ms": self.median_ms(scope), "p90_ms": self.p90_ms(scope), "fps": self.fps(scope)}
            for scope in scopes
        }
        return {**document, "figures": figures}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Row:
        """The row `to_json` was called on. Raises KeyError, TypeError or ValueError for anything else."""
        profile = document["profile"]
        parts = {
            "key": Key(**document["key"]),
            "subject": Subject(**document["subject"]),
            "profile": profile and Profile.from_json(profile),
        }
        return cls(**{**document, **parts})


def _ratio(mine: float | None, theirs: float | None) -> float | None:
    return mine / theirs if mine and theirs else None


def now() -> str:
    """This moment, as `measured_at` has it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _contradictions(row: Row) -> list[str]:
    profile = row.profile
    samples = [value for values in profile.samples_ms.values() for value in values] if profile else []
    faults = []
    if row.state not in ("measured", "failed"):
        faults.append(f"the state is {row.state!r}, neither measured nor failed")
    if row.state == "measured" and not samples:
        faults.append("measured, but without latencies")
    if row.state == "measured" and not row.key.artefact_sha256:
        faults.append("measured, but the file has no sha256")
    if row.state == "failed" and not row.reason:
        faults.append("failed, but without a reason")
    # not 0 < value also catches NaN
    if any(not 0 < value < float("inf") for value in samples):
        faults.append("a latency is no positive number")
    return faults + _no_time(row.measured_at)


def _no_time(text: str) -> list[str]:
    try:
        offset = datetime.fromisoformat(text).utcoffset()
    except ValueError:
        return [f"measured_at is {text!r}, no time of ISO 8601"]
    return [] if offset == timedelta(0) else [f"measured_at is {text!r}, not in UTC"]
