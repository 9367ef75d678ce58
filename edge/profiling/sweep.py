"""Measures many models of the zoo on this machine, one after the other, into the database. Chooses nothing.

Every model is one heat: all its forms are loaded together and timed in turn, so that a slow minute of the machine hits
all of them alike. A model's rows are written when its heat is over; a sweep that is stopped goes on behind the last.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy_targets.errors import ConversionFailed
from edge.artefacts.blueprint import blueprint
from edge.artefacts.pictures import drawn
from edge.artefacts.variant import Offer
from edge.profiling.database import Database, Filter
from edge.profiling.heat import Form, Workbench
from edge.profiling.results import Circumstances, rows, subject
from edge.profiling.row import Row
from zoo.models import ModelCard

MIN_QUERIES = 200
MAX_SECONDS = 6.0
"""Of counted windows for one form: a median of 200 queries moves by less than 1 % between idle runs."""

TOGETHER = 6
"""Forms that are loaded at once; more only cost memory."""


@dataclass
class Progress:
    """How far a sweep is; `left_s` is reckoned from the models done so far, None before the first."""

    total: int
    done: int = 0
    measured: int = 0
    failed: int = 0
    began: float = field(default_factory=time.monotonic)

    @property
    def left_s(self) -> float | None:
        return (time.monotonic() - self.began) / self.done * (self.total - self.done) if self.done else None


@dataclass(frozen=True)
class Ended:
    """How a sweep ended: `left` are the models that the time did not suffice for."""

    measured: int
    failed: int
    left: tuple[str, ...]
    seconds: float


def sweep(
    cards: Sequence[ModelCard],
    offer: Offer,
    database: Database,
    where: Circumstances,
    *,
    budget_s: float | None,
    told: Callable[[Row], None],
    say: Callable[[str, Progress], None],
) -> Ended:
    """Measure every card in every variant that the run has no row of yet.

    Args:
        budget_s: no model is begun after that time; None measures all.
        told: called with every row as it is written.
        say: called with what is going on.

    Raises:
        StorageError: the database or the scratch folder cannot be written.
    """
    database.add_machine(where.hardware.to_json())
    finished = {row.subject.model for row in database.rows(Filter(run=where.run))}
    todo = [card for card in cards if card.name not in finished]
    progress = Progress(len(todo))
    left: list[str] = []
    for card in todo:
        if budget_s is not None and time.monotonic() - progress.began > budget_s:
            left.append(card.title)
            continue
        found = _heat(card, offer, where, lambda text: say(text, progress))
        with database.transaction():
            for row in found:
                database.add(row)
        for row in found:
            told(row)
            progress.measured += row.state == "measured"
            progress.failed += row.state == "failed"
        progress.done += 1
    return Ended(progress.measured, progress.failed, tuple(left), time.monotonic() - progress.began)


def _heat(card: ModelCard, offer: Offer, where: Circumstances, say: Callable[[str], None]) -> list[Row]:
    plan = blueprint(card, None, where.threads)
    say(f"{card.title}: counting")
    what = subject(plan, plan.counted())
    scratch = Path(tempfile.mkdtemp(prefix="edge-profile-"))
    try:
        bench = Workbench(plan, drawn(scratch / "pictures", card.task), scratch)
        try:
            forms = bench.forms(offer.variants, say)
        except ConversionFailed as error:
            failed = [Form(variant, scratch, failure=str(error)) for variant in offer.variants]
            return rows(what, failed, [None] * len(failed), where)
        say(f"{card.title}: timing {sum(not form.failure for form in forms)} forms")
        profiles = bench.time(
            forms, threads=where.threads, limit_ms=None, max_seconds=MAX_SECONDS, min_queries=MIN_QUERIES, race=False
        )
        return rows(what, forms, profiles, where)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
