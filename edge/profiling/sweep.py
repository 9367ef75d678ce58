"""Measures many models of the zoo on this machine, a few at a time, into the database. Chooses nothing.

The forms of a model are loaded together and timed in turn, so that a slow second of the machine hits all of them alike.
That is done three times, in new processes, and between two times of a model come those of its neighbours: what one
process or one minute is like says little about the next. A model's rows are written after its last time; a sweep that
is stopped goes on behind the last row.
"""

from __future__ import annotations

import glob
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
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
from edge.profiling.row import Row
from edge.trainers.reference import Counted
from profiler.record import Profile, pooled
from zoo.models import ModelCard

TIMES = 3
"""How often a form is loaded and measured: the fewest that outvote one bad process."""

NEIGHBOURS = 4
"""Models that are converted, and kept on the disk, before they are timed: minutes lie between two times of each."""

MIN_QUERIES = 48
MAX_SECONDS = 1.5
"""Of counted windows in the whole pipeline, each time: slow networks get fewer queries, and their profiles say so."""

WARMUP_CAP_S = 3.0
WINDOW_QUERIES = 8
"""A quarter of what a job takes: networks of 100 ms fill most of a large zoo, and several windows in a short time tell
how far the median may be off."""


@dataclass
class Progress:
    """How far a sweep is; `left_s` is reckoned from the steps done so far, None before the first. Counting the models,
    which comes first, is quick and says nothing about that. A model takes a step to convert, and one each time.
    """

    total: int
    at: int = 0
    steps: int = 0
    begun: int = 0
    measured: int = 0
    failed: int = 0
    began: float = field(default_factory=time.monotonic)

    @property
    def left_s(self) -> float | None:
        elapsed_s = time.monotonic() - self.began
        return elapsed_s / self.steps * (self.total * (1 + TIMES) - self.steps) if self.steps else None


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

    def tell(text: str) -> None:
        say(text, progress)

    entries = []
    for progress.at, card in enumerate(todo, start=1):
        entries.append(_entry(card, where.threads, tell))
    waiting = deque(in_turn(entries))
    progress.began = time.monotonic()

    def in_time() -> bool:
        return budget_s is None or not progress.begun or time.monotonic() - progress.began <= budget_s

    def write(found: Sequence[Row]) -> None:
        with database.transaction():
            for row in found:
                database.add(row)
        for row in found:
            told(row)
            progress.measured += row.state == "measured"
            progress.failed += row.state == "failed"

    while waiting and in_time():
        with ExitStack() as kept:
            neighbours: list[Heat] = []
            while waiting and len(neighbours) < NEIGHBOURS and in_time():
                entry = waiting.popleft()
                if _known(entry.card, database, where.run):  # another process goes on with the same sweep
                    progress.total -= 1
                    continue
                progress.begun += 1
                progress.at = progress.begun
                heat = kept.enter_context(closing(Heat(entry, offer, where)))
                heat.convert(tell)
                neighbours.append(heat)
                progress.steps += 1
            for turn in range(1, TIMES + 1):
                for number, heat in enumerate(neighbours, start=1):
                    progress.at = progress.begun - len(neighbours) + number
                    heat.time(turn, tell)
                    progress.steps += 1
                    if turn == TIMES:
                        write(heat.rows())
    left = tuple(entry.card.title for entry in waiting)
    return Ended(progress.measured, progress.failed, left, time.monotonic() - progress.began)


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


class Heat:
    """One model on its way: converted once, timed several times, then rows. Holds a folder until it is closed."""

    def __init__(self, entry: Entry, offer: Offer, where: Circumstances) -> None:
        self._entry, self._offer, self._where = entry, offer, where
        self._scratch = Path(tempfile.mkdtemp(prefix="edge-profile-"))
        self._bench: Workbench | None = None
        self._forms: list[Form] = []
        self._profiles: list[list[Profile]] = []

    def convert(self, say: Callable[[str], None]) -> None:
        """Make every form; what keeps all of them from being made is the reason of each."""
        entry, failure = self._entry, self._entry.failure
        if entry.plan is not None:
            self._bench = Workbench(entry.plan, drawn(self._scratch / "pictures", entry.card.task), self._scratch)
            try:
                self._forms = self._bench.forms(self._offer.variants, say)
            except ConversionFailed as error:
                failure = str(error)
        if failure:
            self._forms = [Form(variant, Path(), failure=failure) for variant in self._offer.variants]
        self._profiles = [[] for _ in self._forms]

    def time(self, turn: int, say: Callable[[str], None]) -> None:
        """Load all forms that have not failed in new processes, and time them against each other."""
        able = [number for number, form in enumerate(self._forms) if not form.failure and not self._fault(number)]
        if self._bench is None or not able:
            return
        title = self._entry.card.title
        say(f"timing {title} in {len(able)} forms, {turn} of {TIMES} times")
        profiles = self._bench.time(
            [self._forms[number] for number in able],
            threads=self._where.threads,
            limit_ms=None,
            max_seconds=MAX_SECONDS,
            warmup_cap_s=WARMUP_CAP_S,
            min_queries=MIN_QUERIES,
            window_queries=WINDOW_QUERIES,
            race=False,
        )
        for number, profile in zip(able, profiles, strict=True):
            if profile is not None:
                self._profiles[number].append(profile)

    def _fault(self, number: int) -> bool:
        return any(profile.error is not None for profile in self._profiles[number])

    def rows(self) -> list[Row]:
        """A row per form, of all its times together."""
        what = subject(self._entry.card, self._entry.counts)
        return rows(what, self._forms, [pooled(each) if each else None for each in self._profiles], self._where)

    def close(self) -> None:
        """Give the disk back."""
        shutil.rmtree(self._scratch, ignore_errors=True)
