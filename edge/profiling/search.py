"""What to measure next on the way to the best candidate that holds a limit. Measures nothing itself.

Best expected first; the forecast leaves out what is hopeless. The chosen one is always measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from edge.profiling.forecast import PRIOR_COSTS, Forecast, Forecaster, Observation, fit, vector

SEEDS = 6
"""Spread measurements that make a forecast possible where too little was measured before."""

MANY = 4 * SEEDS
"""Options from which on seeds pay: a shorter list is walked through, best expected first, in less."""

LAST_RESORT = 3
"""Networks of those that the forecast left out, measured before nothing is said to hold."""


@dataclass(frozen=True)
class Option:
    """A candidate that could be measured."""

    title: str
    features: Mapping[str, float]
    engine: str
    precision: str

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.title, self.engine, self.precision)


Why = Literal["seed", "best", "last", "found", "exhausted"]


@dataclass(frozen=True)
class Tried:
    """How measuring an option ended, and why it was measured: the step's own word."""

    holds: bool
    why: Why


@dataclass(frozen=True)
class Skipped:
    """An option whose whole interval lies beyond the limit."""

    option: Option
    forecast: Forecast
    reason: str


@dataclass(frozen=True)
class Step:
    """What to measure next; None says that measuring is over: one was `found`, or all are `exhausted`."""

    measure: Option | None
    why: Why
    reason: str
    skipped: tuple[Skipped, ...] = ()


def next_to_measure(
    options: Sequence[Option],
    tried: Mapping[tuple[str, str, str], Tried],
    observations: Sequence[Observation],
    limit_ms: float | None,
) -> Step:
    """The next measurement on the way to the best option that holds.

    An option is skipped only while its whole interval lies beyond the limit, and "exhausted" is never said before the
    `LAST_RESORT` fastest of the skipped were measured as well. Whether a measured option holds is the caller's word.

    Args:
        options: best expected first.
        tried: by the options' keys.
        observations: everything measured on this machine, this search included.
        limit_ms: the longest `runtime` latency wanted; one on the whole pipeline errs on the side of measuring, as no
            network alone is slower than that. None: no speed was asked for.
    """
    held = next((i for i, option in enumerate(options) if option.key in tried and tried[option.key].holds), None)
    waiting = [option for option in options[:held] if option.key not in tried]
    best = options[held] if held is not None else None
    if not waiting:
        return _over(best, ())
    if limit_ms is None:
        return Step(waiting[0], "best", "best expected; no speed was asked for")
    forecaster = fit(observations)
    seed = _seed(options, waiting, tried, observations, forecaster)
    if seed is not None:
        return seed
    forecasts = [forecaster.predict(o.features, o.engine, o.precision) for o in waiting]
    skipped = tuple(
        Skipped(option, found, f"{_words(found)}: beyond {limit_ms:.4g} ms as a whole")
        for option, found in zip(waiting, forecasts, strict=True)
        if found is not None and found.low_ms > limit_ms
    )
    for option, found in zip(waiting, forecasts, strict=True):
        if found is None:
            reason = forecaster.silence(option.engine, option.precision)
            return Step(option, "best", f"best expected; no forecast: {reason}", skipped)
        if found.low_ms <= limit_ms:
            return Step(option, "best", f"best expected within reach of {limit_ms:.4g} ms: {_words(found)}", skipped)
    last = {title for (title, _, _), done in tried.items() if done.why == "last"}
    if best is None and len(last) < LAST_RESORT:
        fastest = min(skipped, key=lambda s: s.forecast.median_ms)
        rest = tuple(s for s in skipped if s is not fastest)
        return Step(fastest.option, "last", f"none is within reach; fastest of them: {_words(fastest.forecast)}", rest)
    return _over(best, skipped)


def _over(best: Option | None, skipped: tuple[Skipped, ...]) -> Step:
    if best is None:
        return Step(None, "exhausted", f"no option holds; {len(skipped)} were not measured", skipped)
    return Step(None, "found", f"{best.title} holds, and none that is expected better can", skipped)


def _seed(
    options: Sequence[Option],
    waiting: Sequence[Option],
    tried: Mapping[tuple[str, str, str], Tried],
    observations: Sequence[Observation],
    forecaster: Forecaster,
) -> Step | None:
    """The option farthest in work from all measured with its engine, while too few are for a forecast.

    Short lists have none: best expected first is as short.
    """
    for variant in dict.fromkeys((o.engine, o.precision) for o in waiting):
        silence = forecaster.silence(*variant)
        used = sum(done.why == "seed" and key[1:] == variant for key, done in tried.items())
        here = [o for o in waiting if (o.engine, o.precision) == variant]
        if silence is None or used >= SEEDS or len(here) + used < MANY:
            continue
        seen = [_size(o.features) for o in observations if o.variant == variant]
        seen += [_size(o.features) for o in options if o.key in tried and o.key[1:] == variant]
        if not seen:
            return Step(here[0], "seed", f"best expected, and a first measure: {silence}")
        farthest = max(here, key=lambda o: min(abs(_size(o.features) - size) for size in seen))
        return Step(farthest, "seed", f"farthest in work from what was measured: {silence}")
    return None


def _size(features: Mapping[str, float]) -> float:
    """Logarithm of the work as the prior weighs it."""
    return math.log(float(vector(features) @ PRIOR_COSTS))


def _words(found: Forecast) -> str:
    return f"forecast {found.median_ms:.4g} ms ({found.low_ms:.4g} to {found.high_ms:.4g})"
