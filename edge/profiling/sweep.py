"""Measures many models of the zoo on this machine, one after the other, into the database. Chooses nothing.

Every model is one heat: all its forms are loaded together and timed in turn, so that a slow minute of the machine hits
all of them alike. A model's rows are written when its heat is over; a sweep that is stopped goes on behind the last.
"""

from __future__ import annotations

import glob
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from deploy_targets.errors import ConversionFailed
from edge.artefacts.blueprint import Blueprint, blueprint
from edge.artefacts.pictures import drawn
from edge.artefacts.variant import Offer
from edge.profiling.database import Database, Filter
from edge.profiling.heat import Form, Workbench, pytorch_explained
from edge.profiling.results import Circumstances, rows, subject
from edge.profiling.row import Row, Subject
from edge.trainers.reference import Counted
from zoo.models import ModelCard

MIN_QUERIES = 128
MAX_SECONDS = 4.0
"""Of counted windows in the whole pipeline: slow networks get fewer queries, and their profiles say so."""

WARMUP_CAP_S = 3.0
WINDOW_QUERIES = 8
"""A quarter of what a job takes: networks of 100 ms fill most of a large zoo, and several windows in a short time tell
how far the median may be off."""


@dataclass
class Progress:
    """How far a sweep is; `left_s` is reckoned from the models done so far, None before the first. Counting them all,
    which comes first, is quick and says nothing about that.
    """

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
        budget_s: no model is begun after that time, counting not included, but the first; None measures all.
        told: called with every row as it is written.
        say: called with what is going on.

    Raises:
        StorageError: the database or the scratch folder cannot be written.
    """
    database.add_machine(where.hardware.to_json())
    todo = [card for card in cards if not _known(card, database, where.run)]
    progress = Progress(len(todo))
    entries = in_turn([_entry(card, where.threads, lambda text: say(text, progress)) for card in todo])
    progress.began = time.monotonic()
    left: list[str] = []
    for entry in entries:
        if budget_s is not None and progress.done and time.monotonic() - progress.began > budget_s:
            left.append(entry.card.title)
            continue
        if _known(entry.card, database, where.run):  # another process goes on with the same sweep
            progress.total -= 1
            continue
        found = _heat(entry, offer, where, lambda text: say(text, progress))
        with database.transaction():
            for row in found:
                database.add(row)
        for row in found:
            told(row)
            progress.measured += row.state == "measured"
            progress.failed += row.state == "failed"
        progress.done += 1
    return Ended(progress.measured, progress.failed, tuple(left), time.monotonic() - progress.began)


def _known(card: ModelCard, database: Database, run: str) -> bool:
    """Whether this sweep has rows of a card."""
    rows = database.rows(Filter(run=run, model=glob.escape(card.name)))
    return any((row.subject.width, row.subject.height) == (card.width, card.height) for row in rows)


@dataclass(frozen=True)
class Entry:
    """A card with its network and counted size, or with the reason why PyTorch could not make it."""

    card: ModelCard
    plan: Blueprint | None
    counts: Counted | None
    failure: str = ""


def _entry(card: ModelCard, threads: int, say: Callable[[str], None]) -> Entry:
    say(f"counting {card.title}")
    try:
        with pytorch_explained(card.title):
            plan = blueprint(card, None, threads)
            return Entry(card, plan, plan.counted())
    except ConversionFailed as error:
        return Entry(card, None, None, str(error))


def in_turn(entries: Sequence[Entry]) -> list[Entry]:
    """One model of each task after the other, the fewest operations first.

    So a sweep that ends early has seen all tasks, and the networks that small machines are for.
    """
    by_task: dict[str, list[Entry]] = {}
    for entry in sorted(entries, key=lambda entry: entry.counts.flops if entry.counts else 0):
        by_task.setdefault(entry.card.task, []).append(entry)
    rounds = zip_longest(*by_task.values())
    return [entry for turn in rounds for entry in turn if entry is not None]


def _heat(entry: Entry, offer: Offer, where: Circumstances, say: Callable[[str], None]) -> list[Row]:
    card, what = entry.card, subject(entry.card, entry.counts)
    scratch = Path(tempfile.mkdtemp(prefix="edge-profile-"))
    try:
        if entry.plan is None:
            return _failed(what, entry.failure, offer, where)
        bench = Workbench(entry.plan, drawn(scratch / "pictures", card.task), scratch)
        try:
            forms = bench.forms(offer.variants, say)
        except ConversionFailed as error:
            return _failed(what, str(error), offer, where)
        say(f"timing {card.title} in {sum(not form.failure for form in forms)} forms")
        profiles = bench.time(
            forms,
            threads=where.threads,
            limit_ms=None,
            max_seconds=MAX_SECONDS,
            warmup_cap_s=WARMUP_CAP_S,
            min_queries=MIN_QUERIES,
            window_queries=WINDOW_QUERIES,
            race=False,
        )
        return rows(what, forms, profiles, where)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _failed(what: Subject, reason: str, offer: Offer, where: Circumstances) -> list[Row]:
    forms = [Form(variant, Path(), failure=reason) for variant in offer.variants]
    return rows(what, forms, [None] * len(forms), where)
