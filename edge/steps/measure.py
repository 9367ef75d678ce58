"""Cards -> measured candidates: counted, exported untrained, timed on this machine, best expected first.

An untrained network does the same arithmetic as a trained one; what depends on the weights (the number of boxes that
reach NMS) is why the winner is measured again after training. Networks that the forecast calls hopeless, or that could
only be worse than one that holds already, are not measured; the record says so.
"""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy_targets.errors import ConversionFailed
from deploy_targets.registry import backend
from edge.artefacts.blueprint import Blueprint, blueprint
from edge.artefacts.convert import CALIBRATION
from edge.artefacts.pictures import spread, typical
from edge.artefacts.variant import Offer, Variant, offered
from edge.errors import BackendMissing
from edge.predictor.images import read
from edge.profiling.database import Database, Filter
from edge.profiling.heat import SCOPE, Form, Workbench
from edge.profiling.ranking import first_choice
from edge.profiling.results import Circumstances, observations, rows, subject, timings
from edge.profiling.search import Option, Tried, next_to_measure
from edge.records import Limits, Measured, Measurements, Request
from edge.trainers.pace import LEAST_UPDATES, Pace, pace
from edge.trainers.reference import Counted
from profiler.hardware import fingerprint
from profiler.session import Profile
from zoo.datasets.record import Dataset
from zoo.models import ModelCard

MAX_SECONDS = 20.0
"""Of counted windows for one candidate."""

NEAR = 6.0
"""A lower precision is tried for a network that misses the speed by less than this factor: the best that bfloat16 and
int8 gave over float32 on a CPU with matrix instructions (docs/LOG.md)."""


@dataclass(frozen=True)
class Training:
    """What training will have: about that many seconds, at most that many threads."""

    seconds: float
    threads: int
    seed: int


@dataclass(frozen=True)
class _Net:
    plan: Blueprint
    counts: Counted
    over: tuple[str, ...]


@dataclass
class _Field:
    """The candidates on their way: what is known of each, and what it takes to learn more."""

    request: Request
    dataset: Dataset
    folder: Path
    threads: int
    offer: Offer
    training: Training
    database: Database
    say: Callable[[str], None]
    found: dict[ModelCard, list[Measured]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    pace_s: float = 0.0  # of one network
    data: str = ""  # what tells this job's data from others'
    benches: dict[ModelCard, Workbench] = field(default_factory=dict)
    paces: dict[ModelCard, Pace] = field(default_factory=dict)

    def __post_init__(self) -> None:
        hardware = fingerprint()
        self.where = Circumstances(uuid.uuid4().hex, hardware, self.threads)
        self.database.add_machine(hardware.to_json())
        here = Filter(hardware=hardware.key, newest=True, imported=False)
        versions = {variant.engine: backend(variant.engine).status().version for variant in self.offer.variants}
        self.observations = observations(
            row
            for row in self.database.rows(here)
            if row.key.threads == self.threads
            and row.key.power_mode == hardware.power_mode
            and row.key.engine_version == versions.get(row.key.engine)
        )

    def search(self, nets: Sequence[_Net]) -> None:
        """Best expected first, without what the forecast calls hopeless, until one holds and can be trained.

        How fast a network trains is tried before its forms are timed, which takes longer. One that trains too slowly is
        timed only if none holds that trains fast enough.
        """
        ordered = sorted(nets, key=lambda net: _counted(net, "", "").preference)
        by_title = {net.plan.card.title: net for net in ordered}
        options = [
            Option(net.plan.card.title, net.counts.work, variant.engine, variant.precision)
            for net in ordered
            for variant in self.offer.lossless()
        ]
        tried: dict[tuple[str, str, str], Tried] = {}
        # a lower precision may hold where fp32, which the forecast is about, misses by less than NEAR
        near = NEAR if self.offer.lower() else 1.0
        reach_ms = None if self.limit_ms is None else self.limit_ms * near
        late: list[_Net] = []
        began = time.monotonic()
        while True:
            step = next_to_measure(options, tried, self.observations, reach_ms)
            if step.measure is None:
                break
            title = step.measure.title
            net = by_title[title]
            slow = self.updates(net) < LEAST_UPDATES
            if slow:
                late.append(net)
            suffices = not slow and any(item.holds for item in self.measure(net))
            tried |= {option.key: Tried(suffices, step.why) for option in options if option.title == title}
        if not any(done.holds for done in tried.values()):
            for net in sorted(late, key=self.updates, reverse=True):
                if any(item.holds for item in self.measure(net)):
                    break
        self.pace_s = (time.monotonic() - began) / max(len(self.found), 1)
        self._add_lower(by_title)
        hopeless = {skipped.option.title: skipped.reason for skipped in step.skipped}
        hopeless |= {
            net.plan.card.title: f"trains too slowly: about {self.updates(net)} updates in the time there is"
            for net in late
        }
        for title, net in by_title.items():
            if net.plan.card not in self.found:
                self.skipped[title] = hopeless.get(title, "not needed: another holds that is expected to be better")

    def _add_lower(self, by_title: dict[str, _Net]) -> None:
        """The lower precisions of the network that will be chosen, unless it holds by one of them already."""
        first = first_choice([item for items in self.found.values() for item in items])
        if first is None or not first.lossless or not self.offer.lower():
            return
        net = by_title[first.card.title]
        self.found[first.card] += self._heat(net, self._bench(net), self.offer.lower())

    def items(self, net: _Net) -> list[Measured]:
        """What is known of a network: its measured forms, or that its counts rule it out."""
        over = [_counted(net, "OVER LIMIT", "; ".join(net.over))] if net.over else []
        return self.found.get(net.plan.card, over)

    def measure(self, net: _Net) -> list[Measured]:
        """Every lossless form of a network, and its lower precisions where only they could hold."""
        bench = self._bench(net)
        try:
            items = self._heat(net, bench, self.offer.lossless())
            if self.offer.lower() and self._near_miss(items):
                items += self._heat(net, bench, self.offer.lower())
        except ConversionFailed as error:
            items = [_counted(net, "ERROR", str(error))]
        self.found[net.plan.card] = items
        return items

    def updates(self, net: _Net) -> int:
        """How many training updates fit into the time there is, at the pace that is tried once."""
        card = net.plan.card
        if card not in self.paces:
            self.say(f"trying how fast {card.title} trains")
            self.paces[card] = pace(
                card,
                self.dataset,
                self.folder / net.plan.slug / "pace",
                seed=self.training.seed,
                threads=self.training.threads,
                useful_s=self.training.seconds / LEAST_UPDATES,
            )
        return int(self.training.seconds / max(self.paces[card].seconds_per_iteration, 1e-3))

    def _bench(self, net: _Net) -> Workbench:
        if net.plan.card not in self.benches:
            shown = [typical(self.dataset), *spread(self.dataset, "train", CALIBRATION)]
            read(shown[0].image)  # a clear error here, not in every child
            self.benches[net.plan.card] = Workbench(net.plan, shown, self.folder / net.plan.slug)
        return self.benches[net.plan.card]

    def _heat(self, net: _Net, bench: Workbench, variants: Sequence[Variant]) -> list[Measured]:
        forms = bench.forms(variants, self.say)
        self.say(f"timing {net.plan.card.title}: {', '.join(form.variant.title for form in forms if not form.failure)}")
        profiles = bench.time(forms, threads=self.threads, limit_ms=self.limit_ms, max_seconds=MAX_SECONDS)
        made = rows(subject(net.plan.card, net.counts, self.data), forms, profiles, self.where)
        with self.database.transaction():
            for row in made:
                self.database.add(row)
        self.observations += observations(made)
        tried = self.paces[net.plan.card]
        base = dataclasses.replace(
            _counted(net, "ERROR", ""),
            update_s=tried.seconds_per_iteration,
            train_threads=tried.threads,
            updates=self.updates(net),
        )
        return [measured(base, form, profile) for form, profile in zip(forms, profiles, strict=True)]

    @property
    def limit_ms(self) -> float | None:
        fps = self.request.limits.min_fps
        return None if fps is None else 1000.0 / fps

    def _near_miss(self, items: Sequence[Measured]) -> bool:
        """Whether the speed asked for is missed by so little that a lower precision might hold it."""
        speeds = [timing.p90_ms for item in items if (timing := item.timing(SCOPE))]
        if self.limit_ms is None or not speeds or any(item.holds for item in items):
            return False
        return min(speeds) <= self.limit_ms * NEAR


def run(
    request: Request,
    cards: Sequence[ModelCard],
    dataset: Dataset,
    folder: Path,
    *,
    threads: int,
    precisions: Sequence[str],
    training: Training,
    profiles: Path,
    data: str,
    say: Callable[[str], None],
) -> Measurements:
    """Count all; then measure, best expected first, until a network holds and can be trained in the time there is.

    Args:
        data: what tells this job's data from others' in the database of profiles.

    Raises:
        BackendMissing: no engine can run here.
    """
    offer = offered([request.engine] if request.engine else [], precisions)
    if not offer.lossless():
        raise BackendMissing(
            "no engine can run on this machine: " + "; ".join(f"{v.title}: {why}" for v, why in offer.refused),
            "Install one; `edge doctor` says how.",
        )
    nets = []
    for card in cards:
        say(f"counting {card.title}")
        nets.append(_net(card, dataset, threads, request.limits))
    with Database.open(profiles) as database:
        known = _Field(request, dataset, folder, threads, offer, training, database, say, data=data)
        known.search([net for net in nets if not net.over])
        return Measurements(
            hardware=known.where.hardware.to_json(),
            threads=threads,
            scope=SCOPE,
            candidates=tuple(item for net in nets for item in known.items(net)),
            not_measured=(
                *(f"{net.plan.card.title}: {'; '.join(net.over)}" for net in nets if net.over),
                *(f"{title}: {why}" for title, why in known.skipped.items()),
            ),
            refused=tuple(f"{variant.title}: {why}" for variant, why in offer.refused),
            networks=len(nets),
            saved_s=round(known.pace_s * len(known.skipped), 1),
        )


def _net(card: ModelCard, dataset: Dataset, threads: int, limits: Limits) -> _Net:
    plan = blueprint(card, dataset, threads)
    counts = plan.counted()
    return _Net(plan, counts, tuple(over_limits(counts, limits)))


def over_limits(counts: Counted, limits: Limits) -> list[str]:
    """The counted limits that a network breaks, in words."""
    over = []
    if limits.max_parameters is not None and counts.parameters > limits.max_parameters:
        over.append(f"{counts.parameters / 1e6:.2f} M parameters, at most {limits.max_parameters / 1e6:g} M wanted")
    if limits.max_flops is not None and counts.flops > limits.max_flops:
        over.append(f"{counts.flops / 1e9:.3f} GFLOPs, at most {limits.max_flops / 1e9:g} wanted")
    return over


def _counted(net: _Net, verdict: str, explanation: str) -> Measured:
    """A network that was counted and no more."""
    return Measured(
        card=net.plan.card,
        parameters=net.counts.parameters,
        flops=net.counts.flops,
        model_bytes=0,
        artefact_sha256="",
        timings=(),
        verdict=verdict,
        explanation=explanation,
        stable=True,
    )


def measured(base: Measured, form: Form, profile: Profile | None) -> Measured:
    """What a form's profile says, in a record; `base` has what was counted."""
    base = dataclasses.replace(
        base,
        engine=form.variant.engine,
        precision=form.variant.precision,
        model_bytes=form.size_bytes,
        artefact_sha256=form.sha256,
    )
    if profile is None:
        return dataclasses.replace(base, verdict="ERROR", explanation=form.failure)
    verdict, words = _verdict(profile)
    return dataclasses.replace(
        base,
        timings=timings(profile),
        verdict=verdict,
        explanation=words,
        stable=profile.stable,
        warnings=profile.warnings,
        parity=dict((profile.facts.get("parity") or {}).get("figures", {})),
        peak_rss_mb=profile.peak_rss_mb,
        energy_j=profile.energy.joules_per_query if profile.energy else None,
        disturbed=profile.disturbed,
    )


def _verdict(profile: Profile) -> tuple[str, str]:
    if profile.error is not None:
        return "ERROR", profile.error
    found = profile.verdict
    if found is None:
        return "UNCHECKED", "no speed was asked for"
    ended = "; another form was surely faster" if profile.beaten else "; dropped early" if profile.dropped else ""
    return str(found.outcome), found.counted + ended
