"""What a heat gave -> rows of the database, and rows -> what a forecast learns from. Measures nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from deploy_targets.registry import backend
from edge.profiling.forecast import PRIOR, Observation
from edge.profiling.heat import Form
from edge.profiling.row import Key, Row, Subject, now
from edge.records import Timing
from edge.trainers.reference import Counted
from profiler.hardware import Hardware
from profiler.session import Profile
from zoo.models import ModelCard

LEARNED_SCOPE = "runtime"
"""What a forecast is about: reading and preparing a picture hardly depends on the network."""


SCRATCH = re.compile(r"\S*/edge-profile-[^/\s]+/")
"""The scratch folder in a converter's words: it is gone, and would make each reason one of its own."""


@dataclass(frozen=True)
class Circumstances:
    """What is the same for all rows of one sweep or job."""

    run: str
    hardware: Hardware
    threads: int


def subject(card: ModelCard, counts: Counted | None, data: str = "") -> Subject:
    """A model card and its counted size, None where it could not be counted, as rows name it."""
    return Subject(
        title=card.title,
        task=card.task,
        model=card.name,
        family=card.family,
        toolbox=card.toolbox,
        width=card.width,
        height=card.height,
        parameters=counts.parameters if counts else None,
        flops=counts.flops if counts else None,
        work=dict(counts.work) if counts else {},
        quoted_quality=card.quoted_quality,
        quality_source=card.quality_source,
        published_ms=card.published_ms,
        published_on=card.published_on,
        published_at=card.published_at,
        data=data,
    )


def rows(what: Subject, forms: Sequence[Form], profiles: Sequence[Profile | None], where: Circumstances) -> list[Row]:
    """A row per form: measured, or failed with the reason."""
    return [_row(what, form, profile, where) for form, profile in zip(forms, profiles, strict=True)]


def _row(what: Subject, form: Form, profile: Profile | None, where: Circumstances) -> Row:
    facts: dict[str, Any] = profile.facts if profile else {}
    version = str(facts.get("version") or backend(form.variant.engine).status().version)
    key = Key(
        artefact_sha256=form.sha256,
        hardware=where.hardware.key,
        engine=form.variant.engine,
        engine_version=version,
        precision=form.variant.precision,
        threads=where.threads,
        power_mode=where.hardware.power_mode,
    )
    failure = SCRATCH.sub("", form.failure or (profile.error if profile else None) or "")
    if profile is not None and not failure and not any(profile.samples_ms.values()):
        failure = "no window could be measured"
    parity = facts.get("parity") or {}
    return Row(
        key=key,
        subject=what,
        state="failed" if failure else "measured",
        reason=failure,
        profile=profile,
        parity=dict(parity.get("figures", {})),
        # a lower precision is judged by what the trained network keeps, not by the answers of random weights
        parity_holds=parity.get("holds") if form.variant.lossless else None,
        model_bytes=form.size_bytes or None,
        measured_at=now(),
        run=where.run,
        versions={form.variant.engine: version},
    )


def timings(profile: Profile) -> tuple[Timing, ...]:
    """The figures of every scope that was measured."""
    found = []
    for scope, samples in profile.samples_ms.items():
        if samples:
            figures = profile.summary(scope)
            found.append(Timing(scope, figures.n, figures.median, figures.p90, figures.p99))
    return tuple(found)


def observations(known: Iterable[Row], scope: str = LEARNED_SCOPE) -> list[Observation]:
    """What rows of a machine teach a forecast: those with a time, and with all the work that a forecast reads.

    Rows of an edge that counted otherwise are left out: they are history, not an error.
    """
    found = []
    for row in known:
        median_ms = row.median_ms(scope)
        if median_ms is not None and PRIOR.keys() <= row.subject.work.keys():
            found.append(Observation(row.subject.work, row.key.engine, row.key.precision, median_ms, row.subject.title))
    return found
