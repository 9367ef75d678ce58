"""Racing against measuring everything: samples used, and whether the same candidate is found to be the fastest.

    python benchmarks/racing.py                  traces made with fixed seeds: 8 models x 4 engines, 40 seeds
    python benchmarks/racing.py traces.jsonl.gz  what record_traces.py wrote

A found one counts as the same if its median over all samples is within 3 % of the fastest one's: a tie.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from profiler.race import TIE, Entry, Rules, replay  # noqa: E402 - the project may not be installed

MODELS, ENGINES, SAMPLES, WINDOW = 8, 4, 512, 32


@dataclass(frozen=True)
class Result:
    """One race against the exhaustive measurement of the same traces."""

    candidates: int
    raced: int
    exhaustive: int
    groups: int
    same: int
    tied: int
    wrong: tuple[str, ...]


def main() -> int:
    """One line per set of traces; exit status 1 if any group's winner was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("traces", nargs="?", type=Path)
    parser.add_argument("--limit-ms", type=float, default=None)
    parser.add_argument("--seeds", type=int, default=40)
    options = parser.parse_args()
    if options.traces:
        sets = [(str(options.traces), recorded(options.traces), options.limit_ms)]
    else:
        sets = [(f"seed {seed}", made(seed), options.limit_ms) for seed in range(options.seeds)]
    results = [(name, compare(traces, limit_ms)) for name, traces, limit_ms in sets]
    print(f"{'traces':>12} {'candidates':>10} {'raced':>8} {'all':>8} {'ratio':>6} {'same':>5} {'tie':>4}  wrong")
    for name, found in results:
        ratio = found.exhaustive / found.raced
        print(
            f"{name[-12:]:>12} {found.candidates:10d} {found.raced:8d} {found.exhaustive:8d} {ratio:6.2f}"
            f" {found.same:5d} {found.tied:4d}  {', '.join(found.wrong)}"
        )
    ratios = [found.exhaustive / found.raced for _, found in results]
    lost = sum(len(found.wrong) for _, found in results)
    groups = sum(found.groups for _, found in results)
    print(f"{groups} groups, {lost} lost; {min(ratios):.2f} to {max(ratios):.2f} times fewer samples")
    return 1 if lost else 0


def recorded(path: Path) -> list[Entry]:
    """Traces from JSON lines, packed or not."""
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    lines = [json.loads(line) for line in text.splitlines() if line.strip()]
    return [Entry(line["name"], tuple(line["samples_ms"]), line.get("group", "")) for line in lines]


def made(seed: int, models: int = MODELS, engines: int = ENGINES, samples: int = SAMPLES) -> list[Entry]:
    """Candidates as they are seen: noise of 2 to 8 %, outliers, noise of each window, and a drift shared by all.

    The engines of a model differ by factors between 1 and 3; in every other model two of them differ by 0 to 4 %.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    time = np.arange(samples) / samples
    shared = (
        1 + 0.03 * np.sin(2 * np.pi * (time * rng.uniform(0.5, 3) + rng.random())) + rng.uniform(-0.05, 0.05) * time
    )
    traces = []
    for model in range(models):
        base = float(np.exp(rng.uniform(np.log(2), np.log(80))))
        factors = rng.uniform(1, 3, engines)
        if model % 2:
            factors[1] = factors[0] * (1 + rng.uniform(0, 0.04))
        for engine, factor in enumerate(factors):
            noise = np.exp(rng.normal(0, rng.uniform(0.02, 0.08), samples))
            windows = np.repeat(np.exp(rng.normal(0, 0.005, samples // WINDOW + 1)), WINDOW)[:samples]
            outliers = np.where(rng.random(samples) < 0.02, rng.uniform(1.2, 4, samples), 1)
            values = base * factor * noise * windows * outliers * shared
            traces.append(Entry(f"m{model}e{engine}", tuple(float(v) for v in values), f"m{model}"))
    return traces


def compare(traces: Sequence[Entry], limit_ms: float | None = None) -> Result:
    """Races the traces and looks at what all their samples say."""
    raced = replay(traces, Rules(limit_ms=limit_ms), WINDOW)
    same = tied = 0
    wrong: list[str] = []
    for group in sorted({trace.group for trace in traces if trace.group}):
        places = [place for place, trace in enumerate(traces) if trace.group == group]
        able = [place for place in places if not _fails(traces[place], limit_ms)]
        if not able:
            continue
        truth = min(able, key=lambda place: median(traces[place].samples_ms))
        found = raced.leaders.get(group)
        if found == truth:
            same += 1
        elif found is not None and _median(traces[found]) <= TIE * _median(traces[truth]) and found in able:
            tied += 1
        else:
            name = "nobody" if found is None else traces[found].name
            wrong.append(f"{name} for {traces[truth].name} ({raced.standings[truth]})")
    total = sum(len(trace.samples_ms) for trace in traces)
    return Result(len(traces), sum(raced.used), total, same + tied + len(wrong), same, tied, tuple(wrong))


def _median(trace: Entry) -> float:
    return median(trace.samples_ms)


def _fails(trace: Entry, limit_ms: float | None) -> bool:
    found = trace.verdict(limit_ms)
    return found is not None and found.outcome == "FAIL"


if __name__ == "__main__":
    raise SystemExit(main())
