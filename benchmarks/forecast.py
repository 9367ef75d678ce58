"""How far the forecast of speed can be trusted: python benchmarks/forecast.py EXPORT [--folds N]

EXPORT is a file of `edge profile export`. Prints as tables: how often the interval holds networks that
were left out with all their sizes, engines and precisions; the same with only few networks known; and how many
measurements the search takes for several limits, against measuring all, and against best first without a forecast.
Nothing here measures.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.profiling.database import Database, Filter
from edge.profiling.exchange import import_
from edge.profiling.forecast import Forecast, Forecaster, Observation, fit
from edge.profiling.results import observations
from edge.profiling.search import Option, Tried, next_to_measure

LIMITS = (0.05, 0.15, 0.3, 0.5, 0.7, 0.9)  # as quantiles of the measured latencies
FEW = (6, 8, 12, 20)  # networks known
LEAST_CHOICE = 10  # networks in a list that a choice is made from


@dataclass(frozen=True)
class Row:
    """One line of the input."""

    task: str
    quality: float
    seen: Observation

    @property
    def option(self) -> Option:
        return Option(self.seen.title, self.seen.features, self.seen.engine, self.seen.precision)


@dataclass(frozen=True)
class Held:
    """A forecast of a model that was left out, beside what it was measured at."""

    seen: Observation
    forecast: Forecast


def read(path: Path, scope: str) -> list[Row]:
    """The newest rows with counted work and a measured time in a scope."""
    with tempfile.TemporaryDirectory() as scratch, Database.open(Path(scratch) / "profiles.db") as database:
        import_(database, path)
        known = [row for row in database.rows(Filter(newest=True)) if not row.subject.data]
    places = {(row.key.hardware, row.key.threads, row.key.power_mode) for row in known}
    if len(places) != 1:
        raise SystemExit(f"{path} mixes machines, threads or power modes, which one forecast cannot: {sorted(places)}")
    found = [(row, seen) for row in known for seen in observations([row], scope)]
    return [Row(row.subject.task or "", row.subject.quoted_quality or 0.0, seen) for row, seen in found]


def left_out(rows: Sequence[Row], folds: int) -> Iterator[Held]:
    """Networks held out in turn, with everything that is known of them."""
    names = shuffled(rows, 0)
    for fold in range(folds):
        outside = set(names[fold::folds])
        yield from forecasts(fit([r.seen for r in rows if r.seen.network not in outside]), rows, outside)


def few_known(rows: Sequence[Row], networks: int, rounds: int = 16) -> Iterator[Held]:
    """So many networks known, one size each; all others asked."""
    for seed in range(rounds):
        names = shuffled(rows, seed)
        inside, rng = set(names[:networks]), random.Random(seed)
        sizes: dict[str, list[str]] = defaultdict(list)
        for row in rows:
            sizes[row.seen.network].append(row.seen.title)
        kept = {rng.choice(sorted(set(sizes[name]))) for name in sorted(inside)}
        forecaster = fit([r.seen for r in rows if r.seen.title in kept])
        yield from forecasts(forecaster, rows, {name for name in names if name not in inside})


def forecasts(forecaster: Forecaster, rows: Sequence[Row], names: set[str]) -> Iterator[Held]:
    for row in rows:
        if row.seen.network in names:
            found = forecaster.predict(row.seen.features, row.seen.engine, row.seen.precision)
            if found is not None:
                yield Held(row.seen, found)


def shuffled(rows: Sequence[Row], seed: int) -> list[str]:
    names = sorted({row.seen.network for row in rows})
    random.Random(seed).shuffle(names)
    return names


def coverage(label: str, held: Sequence[Held]) -> str:
    if not held:
        return f"| {label} | 0 | | | | |"
    inside = [h.forecast.low_ms <= h.seen.median_ms <= h.forecast.high_ms for h in held]
    width = [h.forecast.high_ms / h.forecast.low_ms for h in held]
    off = sorted(abs(math.log(h.forecast.median_ms / h.seen.median_ms)) for h in held)
    return (
        f"| {label} | {len(held)} | {statistics.mean(inside):.3f} | {statistics.median(width):.2f} "
        f"| {statistics.median(off):.3f} | {off[int(0.9 * (len(off) - 1))]:.3f} |"
    )


def search(rows: Sequence[Row], limit_ms: float, known: Sequence[Observation]) -> tuple[int, str | None]:
    """How many measurements the search takes, and what it chooses."""
    ordered = sorted(rows, key=lambda r: (-r.quality, r.seen.title))
    truth = {row.option.key: row.seen for row in ordered}
    tried: dict[tuple[str, str, str], Tried] = {}
    while True:
        observations = [*known, *(truth[key] for key in tried)]
        step = next_to_measure([row.option for row in ordered], tried, observations, limit_ms)
        if step.measure is None:
            return len(tried), chosen(ordered, limit_ms, tried)
        key = step.measure.key
        tried[key] = Tried(truth[key].median_ms <= limit_ms, step.why)


def chosen(ordered: Sequence[Row], limit_ms: float, among: Mapping[tuple[str, str, str], object]) -> str | None:
    holding = [r for r in ordered if r.option.key in among and r.seen.median_ms <= limit_ms]
    return holding[0].seen.title if holding else None


@dataclass(frozen=True)
class Selection:
    """What the search does for one limit, beside measuring all and beside best first without a forecast.

    `cold` knows nothing before, `warm` what the other engines and tasks measured; each is the count of measurements
    and what was chosen.
    """

    group: tuple[str, str, str]
    limit_ms: float
    networks: int
    plain: int
    best: str | None
    cold: tuple[int, str | None]
    warm: tuple[int, str | None]

    def __str__(self) -> str:
        task, engine, precision = self.group
        choices = ["yes" if choice == self.best else str(choice) for _, choice in (self.cold, self.warm)]
        return (
            f"| {task} | {engine} {precision} | {self.limit_ms:.3g} | {self.networks} | {self.plain} | {self.cold[0]} "
            f"| {self.warm[0]} | {self.networks / self.cold[0]:.1f} | {choices[0]} | {choices[1]} |"
        )


def selections(rows: Sequence[Row]) -> Iterator[Selection]:
    """Per task, variant and limit, where enough networks were measured for a choice to be one."""
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.task, row.seen.engine, row.seen.precision].append(row)
    for group, here in sorted(groups.items()):
        if len(here) < LEAST_CHOICE:
            continue
        others = [r.seen for r in rows if r not in here]
        times = sorted(r.seen.median_ms for r in here)
        ordered = sorted(here, key=lambda r: (-r.quality, r.seen.title))
        for quantile in LIMITS:
            limit = times[int(quantile * (len(times) - 1))]
            best = chosen(ordered, limit, {r.option.key: None for r in ordered})
            plain = next(i for i, r in enumerate(ordered, 1) if r.seen.median_ms <= limit)
            yield Selection(group, limit, len(here), plain, best, search(here, limit, ()), search(here, limit, others))


def told(found: Sequence[Selection]) -> str:
    """The table in one line per search."""
    lines = []
    for name, searches in (("cold", [s.cold for s in found]), ("warm", [s.warm for s in found])):
        spent, every = sum(count for count, _ in searches), sum(s.networks for s in found)
        same = sum(s.best == choice for s, (_, choice) in zip(found, searches, strict=True))
        fewer = f"{name}: {spent} measured instead of {every}, {every / spent:.1f} times fewer"
        lines.append(f"{fewer}; {same} of {len(found)} choices the same")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path)
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--scope", default="runtime", help="device, runtime (what edge forecasts) or pipeline")
    args = parser.parse_args()
    rows = read(args.rows, args.scope)
    print(f"{len(rows)} measured, {len(shuffled(rows, 0))} networks\n")
    print("| networks left out | forecasts | in the interval | high / low, median | log error, median | 90 % |")
    print("|---|---|---|---|---|---|")
    held = list(left_out(rows, args.folds))
    print(coverage(f"all, {args.folds} folds", held))
    for variant in sorted({h.seen.variant for h in held}):
        print(coverage(" ".join(variant), [h for h in held if h.seen.variant == variant]))
    for task in sorted({row.task for row in rows}):
        titles = {row.seen.title for row in rows if row.task == task}
        print(coverage(task, [h for h in held if h.seen.title in titles]))
    for networks in FEW:
        print(coverage(f"{networks} networks known", list(few_known(rows, networks))), flush=True)
    for variant in sorted({row.seen.variant for row in rows}):
        alone = [row for row in rows if row.seen.variant == variant]
        for networks in FEW:
            print(coverage(f"{networks} networks known, {' '.join(variant)} alone", list(few_known(alone, networks))))
    print("\n| task | variant | limit ms | all | best first | search | warm | all / search | same choice | warm |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    found = []
    for selection in selections(rows):
        print(selection, flush=True)
        found.append(selection)
    print(f"\n{told(found)}")


if __name__ == "__main__":
    main()
